"""The mathematics of orders: against mpmath, against published values, and against customers who were let live."""

import mpmath
import numpy as np
import pytest
from scipy.special import roots_genlaguerre

from regulars.valuing import PARAMETERS, PurchaseModel, expected_orders, log_likelihood, p_active, p_alive
from regulars.valuing.histories import Histories
from regulars.valuing.models import likelihoods
from regulars.valuing.purchases import beta_nodes
from valuing.living import live

TYPICAL = {
    "bg-nbd": (0.2426, 4.4136, 0.7929, 2.4259),
    "mbg-nbd": (0.5248, 6.1831, 0.8914, 1.6140),
    "pareto-nbd": (0.5533, 10.578, 0.6062, 11.669),
}


# --- oracles: the published closed forms--- -----------------------------------------------------------


def numbers(*values):
    return [mpmath.mpf(float(value)) for value in values]


def chances(kind, x):
    return x + 1 if kind == "mbg-nbd" else x


def terms(kind, params, x, t, T):
    """Somebody who is still there, somebody who left, and the factor of both: the papers' likelihoods."""
    r, alpha, a, b, x, t, T = numbers(*params, x, t, T)
    factor = mpmath.gamma(r + x) / mpmath.gamma(r) * alpha**r
    if kind == "pareto-nbd":
        s, beta = a, b
        big, small = max(alpha, beta), min(alpha, beta)
        second = s + 1 if alpha >= beta else r + x

        def part(y):
            argument = (big - small) / (big + y)
            return mpmath.hyp2f1(r + s + x, second, r + s + x + 1, argument) / (big + y) ** (r + s + x)

        left = s / (r + s + x) * (part(t) - part(T)) if t < T else mpmath.mpf(0)
        return (alpha + T) ** -(r + x) * (beta + T) ** -s, left, factor * beta**s
    k = chances(kind, x)
    there = mpmath.beta(a, b + k) / mpmath.beta(a, b) * (alpha + T) ** -(r + x)
    left = mpmath.beta(a + 1, b + k - 1) / mpmath.beta(a, b) * (alpha + t) ** -(r + x) if k > 0 else mpmath.mpf(0)
    return there, left, factor


def closed_form(kind, params, x, t, T):
    there, left, factor = terms(kind, params, x, t, T)
    return float(mpmath.log(factor * (there + left)))


def closed_form_orders(kind, params, x, t, T, horizon):
    """Expected orders as in the papers, with ₂F₁ divided by a - 1 (or by s - 1)."""
    there, left, _ = terms(kind, params, x, t, T)
    r, alpha, a, b, x, T, H = numbers(*params, x, T, horizon)
    if kind == "pareto-nbd":
        given_alive = (r + x) / (alpha + T) * (b + T) / (a - 1) * (1 - ((b + T) / (b + T + H)) ** (a - 1))
    else:
        z, c = H / (alpha + T), a + b + chances(kind, x) - 1
        f = mpmath.hyp2f1(c - r - x, a - 1, c, z / (1 + z))
        given_alive = c / (a - 1) * (1 - (1 + z) ** (1 - a) * f)
    return float(there / (there + left) * given_alive)


def draw(rng):
    """Parameters over some powers of ten, and a history."""
    r, second = np.exp(rng.uniform(-3, 3, 2))
    alpha, last = np.exp(rng.uniform(-3, 6)), np.exp(rng.uniform(-3, 4))
    x = float(rng.choice([0, 1, 2, 5, 30, 300, 10_000], p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.03, 0.02]))
    T = float(np.exp(rng.uniform(0, 7)))
    t = 0.0 if x == 0 else float(T * rng.random() ** rng.choice([0.1, 1]))
    return (float(r), float(alpha), float(second), float(last)), x, t, T


@pytest.mark.parametrize(("kind", "draws"), [("bg-nbd", 200), ("mbg-nbd", 200), ("pareto-nbd", 400)])
def test_log_likelihoods_are_exact_to_eight_digits(kind, draws):
    rng = np.random.default_rng(1)
    for _ in range(draws):
        params, x, t, T = draw(rng)
        with mpmath.workdps(40 if x < 100 else 100):  # so many digits that nothing cancels
            expected = closed_form(kind, params, x, t, T)

        found = log_likelihood(kind, params, [x], [t], [T])[0]

        assert abs(found - expected) <= 1e-8 * (1 if kind == "pareto-nbd" else max(1, abs(expected) / 1000)), (
            params,
            x,
            t,
            T,
        )


@pytest.mark.parametrize("kind", PARAMETERS)
def test_expected_orders_are_exact_to_seven_digits(kind):
    rng = np.random.default_rng(2)
    for _ in range(60):
        params, x, t, T = draw(rng)
        horizon = float(np.exp(rng.uniform(0, 6)))
        with mpmath.workdps(40 if x < 100 else 100):
            expected = closed_form_orders(kind, params, x, t, T, horizon)

        found = expected_orders(kind, params, [x], [t], [T], horizon)[0]

        assert found == pytest.approx(expected, rel=1e-7, abs=1e-300), (params, x, t, T, horizon)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_nothing_happens_where_the_papers_divide_by_zero(kind):
    """At a = 1 (s = 1) the published forms are 0/0; the value lies between its neighbours."""
    below, at, above = (
        expected_orders(kind, (0.5, 6.0, a, 1.7), [0, 3], [0, 20], [30, 30], 60) for a in (1 - 1e-6, 1.0, 1 + 1e-6)
    )

    np.testing.assert_allclose(at, (below + above) / 2, rtol=1e-9)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_chance_of_an_order_is_the_mean_over_rates_of_ordering_and_leaving(kind):
    """Rates of somebody who is still there are gamma distributed: Gauss-Laguerre quadrature over both."""
    first, second, leaving, last = TYPICAL[kind]
    x, T, H = 2, 38.86, 39
    rate, weight = roots_genlaguerre(60, first + x - 1)
    rate, weight = rate[:, None] / (second + T), weight[:, None] / weight.sum()
    if kind == "pareto-nbd":
        gone, share = roots_genlaguerre(60, leaving - 1)
        gone, share = gone / (last + T), share / share.sum()
    else:
        gone, share = np.zeros(1), np.ones(1)  # the next chance to leave comes with the next order
    given_alive = (weight * share * rate / (rate + gone) * -np.expm1(-(rate + gone) * H)).sum()
    alive = p_alive(kind, TYPICAL[kind], [x], [30.43], [T])[0]

    found = p_active(kind, TYPICAL[kind], [x], [30.43], [T], H)[0]

    assert found == pytest.approx(alive * given_alive, rel=1e-6)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_forecasts_are_what_customers_then_do(kind):
    """30,000 customers live by the model: by number of repeat orders, shares and means agree within four errors."""
    params = {"bg-nbd": (0.5, 20.0, 0.8, 2.5), "mbg-nbd": (0.8, 25.0, 0.9, 2.0), "pareto-nbd": (0.7, 30.0, 0.8, 120.0)}[
        kind
    ]
    repeats, active, age, later = live(kind, params, customers=30_000, horizon=90, seed=3)

    chance = p_active(kind, params, repeats, active, age, 90)
    orders = expected_orders(kind, params, repeats, active, age, 90)

    for low, high in ((0, 0), (1, 1), (2, 4), (5, 1000)):
        group = (repeats >= low) & (repeats <= high)
        error = 1 / np.sqrt(group.sum())
        assert (later[group] > 0).mean() == pytest.approx(chance[group].mean(), abs=4 * 0.5 * error)
        assert later[group].mean() == pytest.approx(orders[group].mean(), abs=4 * later[group].std() * error)


def test_the_published_customer():
    params = (0.242593, 4.413532, 0.792886, 2.425754)

    assert expected_orders("bg-nbd", params, [2], [30.43], [38.86], 39)[0] == pytest.approx(1.2259, abs=5e-5)
    assert p_alive("bg-nbd", params, [2], [30.43], [38.86])[0] == pytest.approx(0.7266, abs=5e-5)


def test_bg_calls_every_one_time_buyer_alive_and_mbg_does_not():
    assert p_alive("bg-nbd", TYPICAL["bg-nbd"], [0], [0], [300])[0] == 1
    # 1 / (1 + a/b (1 + T/α)^r), by hand
    by_hand = 1 / (1 + 0.8914 / 1.6140 * (1 + 300 / 6.1831) ** 0.5248)
    assert p_alive("mbg-nbd", TYPICAL["mbg-nbd"], [0], [0], [300])[0] == pytest.approx(by_hand)


@pytest.mark.parametrize("kind", ["nbd", *PARAMETERS])
def test_gradients_are_differences(kind):
    rng = np.random.default_rng(4)
    repeats = np.array([0.0, 0, 1, 4, 50])
    age = np.array([0.0, 80, 90, 70, 365])
    rows = Histories.of(repeats, np.where(repeats > 0, age * rng.random(5), 0), age)
    logs = np.log(TYPICAL.get(kind, (0.2426, 4.4136)))

    gradient = likelihoods(kind, np.exp(logs), rows)[1]

    for axis, step in enumerate(1e-5 * np.eye(len(logs))):
        ahead, behind = (likelihoods(kind, np.exp(at), rows)[0] for at in (logs + step, logs - step))
        np.testing.assert_allclose(gradient[axis], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-7)


def test_without_leaving_a_likelihood_is_that_of_the_nbd():
    """The chance of x orders in T days is scipy.stats.nbinom's, but for T^x / x!, which no parameter changes."""
    from scipy.special import gammaln
    from scipy.stats import nbinom

    x, T = np.array([0.0, 1, 7]), np.array([30.0, 60, 90])
    expected = nbinom.logpmf(x, 0.7, 12 / (12 + T)) - x * np.log(T) + gammaln(x + 1)

    np.testing.assert_allclose(log_likelihood("nbd", (0.7, 12), x, T, T), expected)


def test_several_horizons_at_once_are_the_same():
    history = ([0, 3], [0, 20], [30, 40])
    together = expected_orders("mbg-nbd", TYPICAL["mbg-nbd"], *history, [30, 60])

    for column, horizon in enumerate((30, 60)):
        np.testing.assert_array_equal(
            together[:, column], expected_orders("mbg-nbd", TYPICAL["mbg-nbd"], *history, horizon)
        )


@pytest.mark.parametrize("a", [0.02, 1.0, 40.0, 1e5])
@pytest.mark.parametrize("b", [1e-5, 0.3, 7.0, 1e5])
def test_nodes_have_the_mean_and_the_square_of_a_beta_distribution(a, b):
    p, w = beta_nodes(a, np.array([b]))

    assert w.sum() == pytest.approx(1)
    assert (w * p).sum() == pytest.approx(a / (a + b), rel=1e-6)
    assert (w * p**2).sum() == pytest.approx(a / (a + b) * (a + 1) / (a + b + 1), rel=1e-6)


@pytest.mark.parametrize("kind", ["bg-nbd", "mbg-nbd"])
def test_if_nobody_leaves_orders_go_on_at_the_same_rate(kind):
    found = expected_orders(kind, (0.5, 6.0, 1e-9, 2.0), [0, 3, 10_000], [0, 40, 12_000], [30, 40, 12_000], 60)

    np.testing.assert_allclose(found, [0.5 * 60 / 36, 3.5 * 60 / 46, 10_000.5 * 60 / 12_006], rtol=1e-5)


# --- the model as a value -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_model_of_orders_survives_json(kind):
    import json

    model = PurchaseModel(kind=kind, parameters=TYPICAL[kind], leaving_identified=True)

    assert PurchaseModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "poisson"},
        {"kind": ["mbg-nbd"]},
        {"kind": "pareto-nbd"},  # has s and beta
        {"parameters": {"r": 1.0, "alpha": 1.0, "a": 1.0}},
        {"parameters": {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 0.0}},
        {"parameters": {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": float("nan")}},
        {"parameters": {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": "2"}},
        {"parameters": [1, 1, 1, 1]},
        {"leaving_identified": "yes"},
        {"more": 1},
    ],
)
def test_a_damaged_model_of_orders_is_refused(change):
    good = PurchaseModel(kind="mbg-nbd", parameters=TYPICAL["mbg-nbd"], leaving_identified=True).to_dict()

    with pytest.raises(ValueError):
        PurchaseModel.from_dict(good | change)
