"""Maximum likelihood: published estimates, the truth of made customers, and what must not change a fit."""

import numpy as np
import pytest

from regulars.valuing import PARAMETERS, CustomerValue
from regulars.valuing.fitting import BOUND, maximise
from regulars.valuing.histories import Histories
from regulars.valuing.learning import learn_purchases
from regulars.valuing.models import likelihoods
from valuing.living import live

#: Parameters, log-likelihood and expected orders in the next 39 weeks, as published for the CDNOW sample.
PUBLISHED = {
    "bg-nbd": ((0.2426, 4.4136, 0.7929, 2.4259), -9582.43, 1653.4),
    "mbg-nbd": ((0.5248, 6.1831, 0.8914, 1.6140), -9582.14, 1576.7),
    "pareto-nbd": ((0.5533, 10.578, 0.6062, 11.669), -9594.98, 1665.5),
}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_estimates(cdnow, kind):
    parameters, log_likelihood, orders = PUBLISHED[kind]
    X = cdnow[:, 1:4]

    model = CustomerValue(model=kind).fit(X)

    np.testing.assert_allclose(list(model.parameters_.values()), parameters, rtol=5e-4)
    assert model.log_likelihood_ == pytest.approx(log_likelihood, abs=0.01)
    assert model.predict(X, horizon_days=39)["expected_orders"].sum() == pytest.approx(orders, rel=5e-4)
    assert model.leaving_identified_
    assert model.converged_
    assert model.notes_ == ()


def test_published_standard_errors(cdnow):
    model = CustomerValue(model="bg-nbd").fit(cdnow[:, 1:4])

    np.testing.assert_allclose(list(model.standard_errors_.values()), [0.0126, 0.378, 0.186, 0.705], rtol=0.02)


def test_the_published_customer(cdnow):
    forecast = CustomerValue(model="bg-nbd").fit(cdnow[:, 1:4]).predict([[2, 30.43, 38.86]], horizon_days=39)

    assert forecast["expected_orders"][0] == pytest.approx(1.2259, abs=5e-5)
    assert forecast["p_alive"][0] == pytest.approx(0.7266, abs=5e-5)


@pytest.mark.parametrize(
    ("kind", "truth"),
    [
        ("mbg-nbd", (0.8, 25.0, 0.9, 2.0)),
        ("bg-nbd", (0.5, 20.0, 0.8, 2.5)),
        ("pareto-nbd", (0.7, 30.0, 0.8, 120.0)),
    ],
)
def test_the_truth_of_made_customers_is_found(kind, truth):
    X = live(kind, truth, customers=10_000, horizon=1, seed=12).X

    model = CustomerValue(model=kind).fit(X)

    for (name, value), true in zip(model.parameters_.items(), truth, strict=True):
        assert np.log(value / true) == pytest.approx(0, abs=3 * model.standard_errors_[name] / value)
        low, high = model.intervals_[name]
        assert 0 < low < value < high
        assert low * high == pytest.approx(value**2)  # symmetric in the logarithm
    assert model.log_likelihood_ > model.nbd_log_likelihood_ + 2
    assert model.leaving_identified_


# --- what must not change a fit -----------------------------------------------------------------------------------


def same(model: CustomerValue, other: CustomerValue, unit: float = 1.0) -> None:
    """Parameters agree to nine digits, those in units of time after conversion."""
    for name, value in model.parameters_.items():
        factor = unit if name in ("alpha", "beta") else 1.0
        assert other.parameters_[name] / factor == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("kind", PARAMETERS)
def test_units_weights_order_and_merging_change_nothing(shop, kind):
    X = np.floor(shop.X[:1500] / [1, 5, 5]) * [1, 5, 5]
    X[:, 1] = np.minimum(X[:, 1], X[:, 2])
    X[X[:, 0] == 0, 1] = 0
    model = CustomerValue(model=kind).fit(X)
    rows, counts = np.unique(X, axis=0, return_counts=True)
    assert len(rows) < 0.9 * len(X)

    same(model, CustomerValue(model=kind).fit(X * [1, 7.3, 7.3]), unit=7.3)
    same(model, CustomerValue(model=kind).fit(X, sample_weight=np.full(len(X), 10.0)))
    same(model, CustomerValue(model=kind).fit(X[np.random.default_rng(1).permutation(len(X))]))
    same(model, CustomerValue(model=kind).fit(rows, sample_weight=counts))
    with_nobody = CustomerValue(model=kind).fit(np.vstack([X, [[99, 300, 301]]]), sample_weight=[1.0] * len(X) + [0.0])
    same(model, with_nobody)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_forecasts_do_not_depend_on_the_unit_of_time(shop, kind):
    model, weekly = (CustomerValue(model=kind).fit(shop.X / [1, unit, unit]) for unit in (1, 7))

    days, weeks = model.predict(shop.X, horizon_days=90), weekly.predict(shop.X / [1, 7, 7], horizon_days=90 / 7)

    for name in ("p_active", "expected_orders", "p_alive"):
        np.testing.assert_allclose(weeks[name], days[name], rtol=1e-9)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_forty_random_starts_reach_the_same_point(shop, kind):
    rows = Histories.merged(*shop.X[:1000].T, np.ones(1000)).scaled(200.0)
    rng = np.random.default_rng(5)

    def objective(logs):
        values, gradient = likelihoods(kind, np.exp(logs), rows)
        return float(values @ rows.weights), gradient @ rows.weights

    found = [maximise(objective, [rng.uniform(-3, 3, 4)], max_iter=500, tol=1e-6) for _ in range(40)]

    assert all(each.converged for each in found)
    np.testing.assert_allclose([each.logs for each in found], np.tile(found[0].logs, (40, 1)), atol=1e-8)


def test_many_rows_are_first_searched_in_part(shop, monkeypatch):
    rows = Histories.merged(*shop.X.T, np.ones(len(shop.X)))
    whole = learn_purchases(rows, "mbg-nbd", max_iter=500, tol=1e-6)

    monkeypatch.setattr("regulars.valuing.learning._SEARCHED_ROWS", 300)
    in_part = learn_purchases(rows, "mbg-nbd", max_iter=500, tol=1e-6)

    np.testing.assert_allclose(in_part.model.parameters, whole.model.parameters, rtol=1e-9)


# --- the search itself --------------------------------------------------------------------------------------------


def test_a_hill_whose_top_is_known():
    """-(u - c)' A (u - c) / 2 has its top at c, and the curvature A."""
    top, curvature = np.array([0.3, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])

    best = maximise(
        lambda u: (-float((u - top) @ curvature @ (u - top)) / 2, -curvature @ (u - top)),
        [[5, 5]],
        max_iter=100,
        tol=1e-6,
    )

    np.testing.assert_allclose(best.logs, top, atol=1e-9)
    np.testing.assert_allclose(best.curvature, curvature, atol=1e-6)
    np.testing.assert_allclose(best.standard_errors(100), np.sqrt(np.diag(np.linalg.inv(curvature)) / 100), rtol=1e-6)


def test_a_hill_that_grows_for_ever_ends_at_the_bound():
    best = maximise(
        lambda u: (-float(np.exp(-u[0]) + u[1] ** 2), np.array([np.exp(-u[0]), -2 * u[1]])),
        [[0, 1]],
        max_iter=99,
        tol=1e-9,
    )

    assert best.at_bound == (1, 0)
    assert best.logs[0] == BOUND
    assert best.intervals(100)[0].tolist() == [0, np.inf]
    assert np.isfinite(best.intervals(100)[1]).all()


def test_the_best_of_several_hills_is_taken():
    def two_hills(u):
        low, high = np.exp(-((u[0] + 4) ** 2)), 2 * np.exp(-((u[0] - 4) ** 2))
        return float(low + high), np.array([-2 * (u[0] + 4) * low - 2 * (u[0] - 4) * high])

    assert maximise(two_hills, [[-4.5], [4.5]], max_iter=99, tol=1e-9).logs[0] == pytest.approx(4)
