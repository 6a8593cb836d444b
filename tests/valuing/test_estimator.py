"""`CustomerValue`: its contract, what it refuses, and what it says where data tell little."""

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_non_negative, validate_data

from regulars.errors import OptionError
from regulars.valuing import FORECAST, PARAMETERS, CustomerValue

# --- scikit-learn's contract --------------------------------------------------------------------------------------

DRAWN = "the check draws a table of its own, and its columns are no histories"

#: What scikit-learn's checks ask of any table of numbers.
NOT_KEPT = dict.fromkeys(
    [
        "check_all_zero_sample_weights_error",
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_nan_inf",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_1sample",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_estimators_fit_returns_self",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_pipeline_consistency",
        "check_readonly_memmap_input",
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weights_list",
        "check_sample_weights_not_an_array",
        "check_sample_weights_not_overwritten",
        "check_sample_weights_pandas_series",
        "check_sample_weights_shape",
    ],
    DRAWN,
)


@parametrize_with_checks([CustomerValue()], expected_failed_checks=lambda estimator: NOT_KEPT)
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)


class OnAnyNumbers(CustomerValue):
    """Makes histories of whatever the checks draw, so that they reach fit and predict; all else is inherited."""

    def _checked(self, X, *, reset):
        drawn = validate_data(self, X, reset=reset, dtype=np.float64)
        check_non_negative(drawn, "X of OnAnyNumbers")
        repeats, age = np.floor(3 * drawn[:, 0]) % 8, 10 + 50 * drawn[:, -1]
        return np.column_stack([repeats, np.where(repeats > 0, 0.7 * age, 0), age, 1 + drawn[:, 0]])

    def predict(self, X, **options):
        """A plain table: the checks cannot compare arrays with fields."""
        forecast = super().predict(X, **options)
        return np.column_stack([forecast[name] for name in FORECAST])


@parametrize_with_checks([OnAnyNumbers()])
def test_on_histories_made_of_any_numbers_it_keeps_the_contract(estimator, check):
    check(estimator)


def test_optimisers_are_loaded_only_to_fit():
    code = "import sys, regulars, regulars.valuing; assert 'scipy.optimize' not in sys.modules, 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_clone_learns_the_same(shop):
    model = CustomerValue(model="bg-nbd").fit(shop.X)

    assert clone(model).fit(shop.X).parameters_ == model.parameters_


# --- forecasts ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_money(shop) -> np.ndarray:
    """The shop, with the mean order value of all but every fifth customer."""
    rng = np.random.default_rng(2)
    value = rng.gamma(4 * (shop.repeats + 1)) / rng.gamma(3, 1 / 30, len(shop.age)) / (shop.repeats + 1)
    value[::5] = np.nan
    return np.column_stack([shop.X, value])


@pytest.fixture(scope="module")
def fitted(with_money) -> CustomerValue:
    return CustomerValue().fit(with_money)


def test_a_forecast_has_its_fields(fitted, with_money):
    forecast = fitted.predict(with_money)

    assert (
        forecast.dtype.names == FORECAST == ("p_active", "expected_orders", "order_value", "expected_value", "p_alive")
    )
    assert forecast.shape == (4000,)
    for name in ("p_active", "expected_orders", "p_alive"):
        assert np.isfinite(forecast[name]).all()
    unknown = np.isnan(with_money[:, 3])
    for name in ("order_value", "expected_value"):
        np.testing.assert_array_equal(np.isnan(forecast[name]), unknown)


def test_forecasts_are_what_then_happens(fitted, shop, with_money):
    forecast = fitted.predict(with_money, horizon_days=90)

    error = 1 / np.sqrt(len(shop.later))
    assert (shop.later > 0).mean() == pytest.approx(forecast["p_active"].mean(), abs=4 * 0.5 * error)
    assert shop.later.mean() == pytest.approx(forecast["expected_orders"].mean(), abs=4 * shop.later.std() * error)


def test_value_is_orders_times_value_times_margin(fitted, with_money):
    forecast = fitted.predict(with_money, margin=0.4)

    np.testing.assert_allclose(forecast["expected_value"], 0.4 * forecast["expected_orders"] * forecast["order_value"])


def test_a_discount_counts_money_from_the_middle_of_the_horizon(fitted, with_money):
    plain = fitted.predict(with_money, horizon_days=365.25)

    forecast = fitted.predict(with_money, horizon_days=365.25, discount=0.2)

    np.testing.assert_allclose(forecast["expected_value"], plain["expected_value"] / 1.2**0.5)
    np.testing.assert_array_equal(forecast["expected_orders"], plain["expected_orders"])


def test_order_of_rows_and_neighbours_do_not_change_a_forecast(fitted, with_money):
    forecast = fitted.predict(with_money)
    order = np.random.default_rng(3).permutation(len(with_money))

    for name in FORECAST:
        np.testing.assert_array_equal(fitted.predict(with_money[order])[name], forecast[name][order])
        np.testing.assert_array_equal(fitted.predict(with_money[7:8])[name], forecast[name][7:8])


def test_without_money_there_is_no_value(shop):
    model = CustomerValue().fit(shop.X)
    forecast = model.predict(shop.X)

    assert model.spend_ is model.spend_parameters_ is model.spend_log_likelihood_ is None
    assert np.isnan(forecast["order_value"]).all()
    assert np.isnan(forecast["expected_value"]).all()
    assert np.isfinite(forecast["p_active"]).all()


def test_money_may_come_from_other_rows(fitted, with_money):
    known = with_money[~np.isnan(with_money[:, 3])]
    pairs = np.column_stack([known[:, 0] + 1, known[:, 3]])

    apart = CustomerValue().fit(with_money[:, :3], spend=pairs, spend_weight=np.full(len(pairs), 2.0))

    for name, value in fitted.spend_parameters_.items():
        assert apart.spend_parameters_[name] == pytest.approx(value, rel=1e-9)


def test_no_leaving_no_chance_of_being_there(shop):
    """Customers who order by chance and never leave: the NBD is as good, and p_alive is not given."""
    rng = np.random.default_rng(4)
    age = rng.integers(50, 400, 2000).astype(float)
    repeats = rng.poisson(rng.gamma(2.0, 1 / 50, 2000) * age).astype(float)
    X = np.column_stack([repeats, np.where(repeats > 0, age * rng.beta(np.maximum(repeats, 1), 1), 0), age])

    model = CustomerValue().fit(X)

    assert model.log_likelihood_ - model.nbd_log_likelihood_ < 2
    assert not model.leaving_identified_
    assert np.isnan(model.predict(X)["p_alive"]).all()
    assert any("leave for good or only order rarely" in note for note in model.notes_)


# --- data that tell little ----------------------------------------------------------------------------------------

HEAVY = np.exp(3 * np.random.default_rng(0).standard_normal(300))

LITTLE = {
    "all one-time": ([[0, 0, 10, 20], [0, 0, 50, 30], [0, 0, 90, 10]], "ordered twice"),
    "one customer": ([[3, 40, 60, 20]], "one customer only"),
    "one customer, today": ([[0, 0, 0, 20]], "one customer only"),
    "all identical": ([[2, 40, 60, 20]] * 50, "the same history"),
    "all identical, one-time": ([[0, 0, 60, 20]] * 50, "ordered twice"),
    "all new today": ([[0, 0, 0, 5], [0, 0, 0, 8]] * 9, "first time today"),
    "no time but repeats": ([[1, 0, 0, 5]] * 9, "first time today"),
    # a likelihood as flat as rounding: the processor decides whether the search ends there or at the limit
    "huge x": (
        [[100_000, 3000, 3000, 5], [0, 0, 10, 4], [5, 10, 3000, 3]] * 20,
        "limit of what is searched|other values explain the data as well",
    ),
    "nobody left": ([[x, T, T, 10 + x] for x in range(1, 20) for T in (100, 200)], "leave for good or only"),
    "equal rates": ([[x, 80, 90, 7] for x in (9, 10, 11, 10)], "limit of what is searched"),
    "all left at once": ([[1, 1, 1000, 9]] * 30 + [[0, 0, 1000, 4]] * 30, "limit of what is searched"),
    "infinite mean": ([[9, 90, 100, value] for value in HEAVY] + [[0, 0, 100, 3]] * 200, "order value is infinite"),
    "equal spend": ([[0, 0, 90, 5], [1, 20, 80, 5], [6, 70, 90, 5]] * 9, "spend the same"),
    "tiny": ([[1, 1e-6, 1e-5, 1e-9], [0, 0, 1e-5, 1e-8], [0, 0, 1e-6, 3e-9]], "leave for good or only"),
    "vast": (
        [[1, 1e9, 1e10, 1e9], [0, 0, 1e10, 1e8], [0, 0, 1e9, 3e9], [4, 3e9, 4e9, 2e9]],
        "limit of what is searched",
    ),
    "one repeat order": ([[1, 5, 50, 9], *([0, 0, T, 8] for T in range(100))], "leave for good or only"),
    "all at once": (
        [[0, 0, 1, 1], [10_000, 20_000, 20_000, 1e6], [1, 1, 20_000, 0.01]] * 10,
        "limit of what is searched",
    ),
}


@pytest.mark.parametrize("kind", PARAMETERS)
@pytest.mark.parametrize("case", LITTLE)
def test_little_data_are_flagged_in_words_and_still_give_numbers(case, kind):
    rows, words = LITTLE[case]
    X = np.array(rows, dtype=float)

    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        model = CustomerValue(model=kind).fit(X)
        forecasts = [model.predict(X, horizon_days=days, discount=0.1) for days in (1, 90, 10_000)]

    assert any(re.search(words, note) for note in model.notes_), model.notes_
    assert all(value > 0 and np.isfinite(value) for value in model.parameters_.values())
    assert not np.isnan([*model.standard_errors_.values(), *sum(model.intervals_.values(), ())]).any()
    for forecast in forecasts:
        for name in FORECAST:
            if name == "p_alive" and not model.leaving_identified_:
                assert np.isnan(forecast[name]).all()
            else:
                assert (np.isfinite(forecast[name]) & (forecast[name] >= 0)).all(), name
        assert (forecast["p_active"] <= np.minimum(1, forecast["expected_orders"] * (1 + 1e-9))).all()


@pytest.mark.parametrize("kind", PARAMETERS)
def test_if_nobody_ever_came_back_the_chance_is_half_an_order_in_all_the_time(kind):
    """1,000 customers for 100 days without a repeat order: half an order in 100,000 days, so 0.00045 in 90."""
    model = CustomerValue(model=kind).fit([[0, 0, 100]], sample_weight=[1000])

    forecast = model.predict([[0, 0, 100]], horizon_days=90)

    assert forecast["p_active"][0] == pytest.approx(0.5 * 90 / 100_000, rel=0.01)


# --- what is refused ----------------------------------------------------------------------------------------------

GOOD = [[0, 0, 50], [2, 30, 60], [1, 5, 70]]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([2, 80, 60], "active_days .* is at most age_days"),
        ([0, 10, 60], "Without a repeat order, active_days is 0"),
        ([1.5, 10, 60], "repeat_orders is a whole number"),
    ],
)
def test_a_history_that_cannot_be_is_refused_with_its_row(row, words):
    with pytest.raises(OptionError, match=f"Row 3 of X cannot be a customer: repeat_orders {row[0]:g}, .*{words}"):
        CustomerValue().fit([*GOOD, row])
    with pytest.raises(OptionError, match="Row 0 of X"):
        CustomerValue().fit(GOOD).predict([row])


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_mean_order_value_is_positive(value):
    with pytest.raises(OptionError, match="mean order value is positive"):
        CustomerValue().fit([[0, 0, 50, value]])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[0, 0, np.nan]], "NaN or infinite"),
        ([[0, 0, np.inf]], "infinity"),
        ([[0, 0, 9, np.inf]], "infinity"),
        ([[0, 0, -1]], "Negative values"),
        ([[1, 2]], "needs 3 or 4: repeat_orders, active_days, age_days"),
        ([[1, 2, 3, 4, 5]], "needs 3 or 4"),
        ([], "2D array"),
    ],
)
def test_a_table_that_is_none_is_refused(X, words):
    with pytest.raises(ValueError, match=words):
        CustomerValue().fit(X)


def test_weights_are_numbers_of_customers():
    with pytest.raises(OptionError, match="Row 1 has the weight -2"):
        CustomerValue().fit(GOOD, sample_weight=[1, -2, 3])
    with pytest.raises(ValueError, match="at least one non-zero"):
        CustomerValue().fit(GOOD, sample_weight=[0, 0, 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "poisson"}, "There is no model 'poisson'. Choose one of mbg-nbd, bg-nbd, pareto-nbd"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"tol": 0}, "tol is 0"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        CustomerValue(**options).fit(GOOD)


@pytest.mark.parametrize("options", [{"horizon_days": 0}, {"horizon_days": np.nan}, {"margin": -1}, {"discount": -0.1}])
def test_a_forecast_that_cannot_be_is_refused(options):
    with pytest.raises(OptionError, match=f"{next(iter(options))} is"):
        CustomerValue().fit(GOOD).predict(GOOD, **options)


def test_spend_is_two_positive_columns():
    with pytest.raises(ValueError, match="needs two columns"):
        CustomerValue().fit(GOOD, spend=[1, 2])
    with pytest.raises(OptionError, match="Row 1 of spend"):
        CustomerValue().fit(GOOD, spend=[[1, 20], [2, 0]])
