"""`CustomerValue`: what each customer will probably do next."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

# Private in name only: every estimator that takes weights needs it, and scikit-learn offers no other.
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_non_negative, validate_data
from threadpoolctl import threadpool_limits

from regulars.errors import OptionError, listed
from regulars.valuing.histories import Floats, Histories, distinct_rows
from regulars.valuing.learning import LearnedPurchases, LearnedSpend, learn_purchases, learn_spend
from regulars.valuing.models import PARAMETERS, expected_orders, p_active, p_alive
from regulars.valuing.spending import expected_order_value

__all__ = ["FORECAST", "CustomerValue"]

#: Fields of what `CustomerValue.predict` returns, all numbers.
FORECAST = ("p_active", "expected_orders", "order_value", "expected_value", "p_alive")

_YEAR = 365.25
_COLUMNS = ("repeat_orders", "active_days", "age_days", "mean_order_value")


class CustomerValue(BaseEstimator):
    """Chance of an order, expected orders and expected value of each customer.

    A model of orders (`regulars.valuing.purchases`, `regulars.valuing.pareto`) and, where there is money, Gamma-Gamma for
    the value of an order (`regulars.valuing.spending`), both by maximum likelihood.

    Columns of X: ``repeat_orders`` (orders after the first; an order is a calendar day on which the customer ordered),
    ``active_days`` (first to last order), ``age_days`` (first order to today), and, if known, the mean value of all orders
    (NaN where it is not). Days may be any other unit of time, if it is the same everywhere.

    A row may stand for several customers: give their number as ``sample_weight`` of `fit`. Neither the order of the rows,
    nor merging equal ones, nor ten times the weights changes the parameters.

    Parameters
    ----------
    model
        ``"mbg-nbd"``, ``"bg-nbd"`` or ``"pareto-nbd"``.
    max_iter
        Most steps of the search from one start.
    tol
        Gradient of the mean log-likelihood at which the search ends and Newton's method takes over.

    Attributes
    ----------
    parameters_ : dict
        Name → value; times in days.
    standard_errors_ : dict
        Name → standard error; infinite where nothing can be said.
    intervals_ : dict
        Name → 95 % interval, never negative; (0, ∞) where nothing can be said.
    log_likelihood_, nbd_log_likelihood_ : float
        Of all customers; the second if nobody ever leaves.
    leaving_identified_ : bool
        Whether the first is at least 2 larger. If not, ``p_alive`` is NaN.
    spend_parameters_, spend_standard_errors_, spend_log_likelihood_ : dict, dict, float
        The same for order values; None without money.
    purchases_ : PurchaseModel
    spend_ : SpendModel or None
    notes_ : tuple of str
        What the user should know about this fit, in sentences.
    customers_ : float
        Sum of the weights.
    n_iter_ : int
    converged_ : bool
    n_features_in_ : int

    Examples
    --------
    >>> X = [[0, 0, 360, 30.0], [1, 90, 360, 45.0], [2, 120, 340, 25.0], [5, 280, 350, 60.0], [16, 350, 360, 35.0]]
    >>> model = CustomerValue().fit(X, sample_weight=[300, 60, 40, 25, 15])
    >>> {name: round(value, 3) for name, value in model.parameters_.items()}
    {'r': 2.62, 'alpha': 163.912, 'a': 0.65, 'b': 0.318}
    >>> forecast = model.predict(X, horizon_days=90)
    >>> forecast["p_active"].round(2).tolist()
    [0.01, 0.06, 0.11, 0.52, 0.9]
    >>> forecast["expected_value"].round(2).tolist()
    [0.28, 3.32, 3.85, 54.63, 100.04]
    """

    def __init__(self, *, model: str = "mbg-nbd", max_iter: int = 500, tol: float = 1e-6) -> None:
        self.model = model
        self.max_iter = max_iter
        self.tol = tol

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        sample_weight: ArrayLike | None = None,
        spend: ArrayLike | None = None,
        spend_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from histories and order values.

        Parameters
        ----------
        X
            repeat_orders, active_days, age_days and perhaps the mean order value, shape (n, 3) or (n, 4).
        y
            Ignored.
        sample_weight
            Number of customers of each row, shape (n,), 0 or more; one where it is not given.
        spend
            Number of orders and their mean value, shape (m, 2), to learn about money from other rows than X.
        spend_weight
            Number of customers of each row of spend, shape (m,).

        Raises
        ------
        ValueError
            X is not a table of numbers with 3 or 4 columns, or a count or time is missing or negative, or all
            weights are zero.
        OptionError
            An option, a history or a weight that cannot be.
        """
        self._check_options()
        table = self._checked(X, reset=True)
        weights = _weights(sample_weight, table)
        rows = Histories.merged(table[:, 0], table[:, 1], table[:, 2], weights)
        with np.errstate(under="ignore"), threadpool_limits(limits=1):  # threads only wait on matrices of four rows
            self._keep_purchases(learn_purchases(rows, self.model, max_iter=self.max_iter, tol=self.tol))
            money = _money(table, weights) if spend is None else _given_money(spend, spend_weight)
            self._keep_spend(learn_spend(*money, max_iter=self.max_iter, tol=self.tol) if len(money[0]) else None)
        self.customers_ = float(weights.sum())
        return self

    def predict(
        self, X: ArrayLike, *, horizon_days: float = 90.0, margin: float = 1.0, discount: float = 0.0
    ) -> NDArray[np.void]:
        """What each customer will probably do within the horizon.

        Parameters
        ----------
        X
            As in `fit`.
        horizon_days
            How far to look ahead.
        margin
            Share of an order's value that counts.
        discount
            Yearly rate, 0.1 for 10 %: money counts as if all of it came in the middle of the horizon.

        Returns
        -------
        ndarray of shape (n,) with the fields of `FORECAST`
            ``p_active`` (chance of at least one order), ``expected_orders``, ``order_value`` (expected mean value of an
            order), ``expected_value`` (orders times value times margin, discounted), ``p_alive`` (chance that the customer
            has not left for good). NaN means that there is no such number: order_value and expected_value without money,
            p_alive where leaving was not identified.

        Raises
        ------
        OptionError
            A horizon, margin or discount that cannot be.
        """
        check_is_fitted(self)
        _check_forecast(horizon_days, margin, discount)
        table = self._checked(X, reset=False)
        rows, index = distinct_rows([table[:, 0], table[:, 1], table[:, 2]])
        with np.errstate(under="ignore"):
            found = self._forecast(table[rows, :3].T, horizon_days)
            value = self._order_value(table)
        out = np.empty(len(table), dtype=[(name, np.float64) for name in FORECAST])
        for name in ("p_active", "expected_orders", "p_alive"):
            out[name] = found[name][index]
        out["order_value"] = value
        out["expected_value"] = out["expected_orders"] * value * margin * (1 + discount) ** (-horizon_days / 2 / _YEAR)
        return out

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: X has no negative numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _forecast(self, columns: Floats, horizon: float) -> dict[str, Floats]:
        """What can be said without money."""
        kind, params = self.purchases_.kind, self.purchases_.parameters
        repeats, active, age = columns
        alive = p_alive(kind, params, repeats, active, age)
        return {
            "p_active": p_active(kind, params, repeats, active, age, horizon),
            "expected_orders": expected_orders(kind, params, repeats, active, age, horizon),
            "p_alive": alive if self.leaving_identified_ else np.full(len(alive), np.nan),
        }

    def _order_value(self, table: Floats) -> Floats:
        if self.spend_ is None or table.shape[1] < 4:
            return np.full(len(table), np.nan)
        return expected_order_value(self.spend_, table[:, 0] + 1, table[:, 3])

    def _keep_purchases(self, learned: LearnedPurchases) -> None:
        names = PARAMETERS[self.model]
        self.purchases_ = learned.model
        self.parameters_ = learned.model.named()
        self.standard_errors_ = _named(names, learned.standard_errors)
        self.intervals_ = {
            name: (float(low), float(high)) for name, (low, high) in zip(names, learned.intervals, strict=True)
        }
        self.log_likelihood_ = learned.log_likelihood
        self.nbd_log_likelihood_ = learned.nbd_log_likelihood
        self.leaving_identified_ = learned.model.leaving_identified
        self.notes_ = learned.notes
        self.n_iter_, self.converged_ = max(learned.iterations, 1), learned.converged

    def _keep_spend(self, learned: LearnedSpend | None) -> None:
        names = ("p", "q", "gamma")
        self.spend_ = learned.model if learned else None
        self.spend_parameters_ = {name: getattr(learned.model, name) for name in names} if learned else None
        self.spend_standard_errors_ = _named(names, learned.standard_errors) if learned else None
        self.spend_log_likelihood_ = learned.log_likelihood if learned else None
        if learned:
            self.notes_ = (*self.notes_, *learned.notes)
            self.n_iter_, self.converged_ = self.n_iter_ + learned.iterations, self.converged_ and learned.converged

    def _check_options(self) -> None:
        if self.model not in PARAMETERS:
            raise OptionError(f"There is no model {self.model!r}.", hint=f"Choose one of {listed(PARAMETERS)}.")
        if not isinstance(self.max_iter, int | np.integer) or self.max_iter < 1:
            raise OptionError(f"max_iter is {self.max_iter!r}.", hint="Give a whole number from 1, such as 500.")
        if not 0 < self.tol < 1:
            raise OptionError(f"tol is {self.tol!r}.", hint="Give a small positive number, such as 1e-6.")

    def _checked(self, X: ArrayLike, *, reset: bool) -> Floats:
        """X as a table of numbers that can be histories."""
        table: Floats = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
        if table.shape[1] not in (3, 4):
            raise ValueError(f"X has {table.shape[1]} feature(s); it needs 3 or 4: {listed(_COLUMNS)}.")
        if not np.isfinite(table[:, :3]).all():
            raise ValueError("X has NaN or infinite values among repeat_orders, active_days, age_days.")
        check_non_negative(table[:, :3], f"X of {type(self).__name__}")
        for broken, wish in _broken(table):
            if broken.any():
                row = int(broken.argmax())
                got = ", ".join(f"{name} {value:g}" for name, value in zip(_COLUMNS, table[row].tolist(), strict=False))
                raise OptionError(f"Row {row} of X cannot be a customer: {got}.", hint=wish)
        return table


def _broken(table: Floats) -> list[tuple[NDArray[np.bool_], str]]:
    """For each rule of a history: the rows that break it, and the rule in words."""
    repeats, active, age = table[:, 0], table[:, 1], table[:, 2]
    rules = [
        (repeats != np.floor(repeats), "repeat_orders is a whole number: the orders after the first."),
        (active > age, "active_days (first to last order) is at most age_days (first order to today)."),
        ((repeats == 0) & (active > 0), "Without a repeat order, active_days is 0: the first order is the last."),
    ]
    if table.shape[1] == 4:
        rules.append(
            (
                table[:, 3] <= 0,
                "A mean order value is positive, or NaN where it is not known.",
            )
        )
    return rules


def _weights(given: ArrayLike | None, table: Floats) -> Floats:
    weights: Floats = _check_sample_weight(given, table, dtype=np.float64)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise OptionError(
            f"Row {row} has the weight {weights[row]:g}.", hint="A weight is a number of customers, 0 or more."
        )
    if not weights.sum() > 0:  # scikit-learn itself notices from 1.9 on
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def _money(table: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Orders, mean value and customers of the rows that have money."""
    if table.shape[1] < 4:
        return np.empty(0), np.empty(0), np.empty(0)
    known = ~np.isnan(table[:, 3]) & (weights > 0)
    return table[known, 0] + 1, table[known, 3], weights[known]


def _given_money(spend: ArrayLike, spend_weight: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    pairs = np.asarray(spend, dtype=np.float64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"spend has the shape {pairs.shape}; it needs two columns: orders and mean order value.")
    wrong = ~(np.isfinite(pairs) & (pairs > 0)).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise OptionError(
            f"Row {row} of spend is {pairs[row].tolist()}.", hint="Orders and their mean value are positive numbers."
        )
    if not len(pairs):
        return pairs[:, 0], pairs[:, 1], np.empty(0)
    weights = _weights(spend_weight, pairs)
    return pairs[weights > 0, 0], pairs[weights > 0, 1], weights[weights > 0]


def _check_forecast(horizon_days: float, margin: float, discount: float) -> None:
    if not 0 < horizon_days < np.inf:
        raise OptionError(f"horizon_days is {horizon_days!r}.", hint="Give a positive number of days, such as 90.")
    if not 0 <= margin < np.inf:
        raise OptionError(f"margin is {margin!r}.", hint="Give a share of the order value, such as 0.4.")
    if not 0 <= discount < np.inf:
        raise OptionError(f"discount is {discount!r}.", hint="Give a yearly rate, such as 0.1 for 10 %.")


def _named(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
