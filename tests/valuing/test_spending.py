"""Gamma-Gamma: what a customer spends on an order."""

import json

import mpmath
import numpy as np
import pytest

from regulars.valuing import CustomerValue, SpendModel, expected_order_value
from regulars.valuing.histories import Distinct
from regulars.valuing.learning import learn_spend
from regulars.valuing.spending import spend_likelihoods

PUBLISHED = SpendModel(p=6.25, q=3.744, gamma=15.444, mean=36.0)


def learn(orders, values, weights=None):
    orders, values = np.asarray(orders, dtype=float), np.asarray(values, dtype=float)
    return learn_spend(orders, values, np.ones(len(orders)) if weights is None else weights, max_iter=500, tol=1e-6)


@pytest.fixture(scope="module")
def baskets():
    """Orders and mean values of 20,000 customers with p = 4, q = 3, γ = 30, drawn as the model tells it."""
    rng = np.random.default_rng(6)
    orders = rng.geometric(0.4, 20_000).astype(float)
    rates = rng.gamma(3.0, 1 / 30.0, 20_000)
    return orders, rng.gamma(4.0 * orders) / rates / orders


def test_published_estimates_on_repeat_buyers(cdnow):
    again = cdnow[cdnow[:, 1] > 0]
    model = CustomerValue().fit(cdnow[:, 1:4], spend=again[:, [1, 4]])

    for name, published in {"p": 6.250, "q": 3.744, "gamma": 15.444}.items():
        assert model.spend_parameters_[name] == pytest.approx(published, rel=5e-4)
        assert 0 < model.spend_standard_errors_[name] < published


def test_the_truth_is_found(baskets):
    learned = learn(*baskets)

    for name, truth, error in zip(("p", "q", "gamma"), (4, 3, 30), learned.standard_errors, strict=True):
        assert getattr(learned.model, name) == pytest.approx(truth, abs=3 * error)
        assert error < 0.1 * truth


def test_expectations_are_those_of_the_truth(baskets):
    """The mean of the next order, given the orders so far, is on the line of equal values."""
    orders, values = baskets
    first = values[orders == 1]  # of customers with one order; now let them order again
    rng = np.random.default_rng(7)
    rates = rng.gamma(3.0 + 4.0, 1 / (30.0 + first))  # what one order says about ν
    later = rng.gamma(4.0, size=len(first)) / rates
    truth = SpendModel(p=4, q=3, gamma=30, mean=60)

    expected = expected_order_value(truth, np.ones(len(first)), first)

    middle = first < np.median(first)
    for group in (middle, ~middle):
        assert later[group].mean() == pytest.approx(
            expected[group].mean(), abs=4 * later[group].std() / group.sum() ** 0.5
        )


def test_likelihoods_are_those_of_the_papers():
    p, q, gamma, n, z = 6.25, 3.744, 15.444, 3.0, 22.35
    with mpmath.workdps(40):  # the integral over the customer's own rate
        by_hand = mpmath.log(
            mpmath.quad(
                lambda v: (
                    (n * v) ** (p * n)
                    * z ** (p * n - 1)
                    * mpmath.exp(-n * v * z)
                    / mpmath.gamma(p * n)
                    * gamma**q
                    * v ** (q - 1)
                    * mpmath.exp(-gamma * v)
                    / mpmath.gamma(q)
                ),
                [0, 0.1, 0.3, 1, 5],
            )
        )

    assert spend_likelihoods((p, q, gamma), Distinct.of(np.array([n])), np.array([z]))[0] == pytest.approx(
        float(by_hand)
    )


def test_a_customer_stands_between_the_mean_of_all_and_their_own():
    mean = 6.25 * 15.444 / (3.744 - 1)
    assert expected_order_value(PUBLISHED, [1], [mean])[0] == pytest.approx(mean)

    few, many = expected_order_value(PUBLISHED, [1, 50], [100.0, 100.0])

    assert mean < few < many < 100


def test_an_unknown_mean_stays_unknown():
    assert np.isnan(expected_order_value(PUBLISHED, [1, 2], [np.nan, 5.0])).tolist() == [True, False]


def test_an_infinite_mean_is_replaced_by_the_observed_one():
    model = SpendModel(p=2.0, q=0.5, gamma=1.0, mean=40.0)

    # (q M + p n z) / (q + p n) by hand
    assert expected_order_value(model, [3], [100.0])[0] == pytest.approx((0.5 * 40 + 6 * 100) / 6.5)
    assert model.heavy_tailed


def test_a_few_huge_customers_are_flagged():
    rng = np.random.default_rng(8)
    values = np.exp(3 * rng.standard_normal(500))

    learned = learn(np.full(500, 10.0), values)

    assert learned.model.q <= 1
    assert any("mean order value is infinite" in note for note in learned.notes)


def test_equal_spend_is_flagged():
    learned = learn([1, 2, 3], [20, 20, 20])

    assert any("spend the same" in note for note in learned.notes)
    np.testing.assert_allclose(expected_order_value(learned.model, [1, 9], [20.0, 20.0]), 20, rtol=1e-3)


def test_currency_weights_order_and_merging_change_nothing(baskets):
    orders, values = (column[:500] for column in baskets)
    model = learn(orders, values).model
    shuffled = np.random.default_rng(9).permutation(500)

    in_cents = learn(orders, values * 100).model
    others = [
        learn(orders, values, np.full(500, 10.0)).model,
        learn(orders[shuffled], values[shuffled]).model,
        learn(np.repeat(orders, 2), np.repeat(values, 2)).model,
        SpendModel(p=in_cents.p, q=in_cents.q, gamma=in_cents.gamma / 100, mean=in_cents.mean / 100),
    ]

    for other in others:
        np.testing.assert_allclose(list(other.to_dict().values()), list(model.to_dict().values()), rtol=1e-9)


def test_the_mean_counts_orders():
    assert learn([1, 3], [10, 50]).model.mean == pytest.approx((10 + 3 * 50) / 4)


def test_a_model_of_spend_survives_json():
    assert SpendModel.from_dict(json.loads(json.dumps(PUBLISHED.to_dict()))) == PUBLISHED


@pytest.mark.parametrize("change", [{"p": 0.0}, {"q": float("inf")}, {"gamma": None}, {"mean": True}, {"more": 1.0}])
def test_a_damaged_model_of_spend_is_refused(change):
    with pytest.raises(ValueError, match="model of spend"):
        SpendModel.from_dict(PUBLISHED.to_dict() | change)
