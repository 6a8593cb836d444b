"""Chance of an order, learned from what customers of like recency, frequency and spend did before: a logistic model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

__all__ = ["ChanceModel", "fit_chances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceModel:
    """Logistic regression on the logarithms of recency, frequency and monetary value.

    The chance is 1 / (1 + exp(−intercept − Σ weight × (ln(1 + value) − centre) / spread)), with values in days, orders and
    money. It only rises or only falls with each of them: with their squares and products it ranks a little better where
    there are many customers, and nonsense where there are few.
    """

    intercept: float
    weights: tuple[float, float, float]
    centres: tuple[float, float, float]
    spreads: tuple[float, float, float]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Chance of an order of each customer, shape (n,).

        Parameters
        ----------
        X
            Recency in days, orders, money; shape (n, 3), none below 0.
        """
        points = (np.log1p(np.asarray(X, dtype=float)) - self.centres) / self.spreads
        return np.asarray(expit(self.intercept + points @ np.asarray(self.weights)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChanceModel:
        """Build from plain values.

        Raises
        ------
        ValueError
            A number is missing, not finite, or a spread is not above 0.
        """
        w0, w1, w2 = (float(weight) for weight in data["weights"])
        c0, c1, c2 = (float(centre) for centre in data["centres"])
        s0, s1, s2 = (float(spread) for spread in data["spreads"])
        intercept = float(data["intercept"])
        if not all(map(math.isfinite, (intercept, w0, w1, w2, c0, c1, c2, s0, s1, s2))):
            raise ValueError("a chance model needs finite numbers")
        if min(s0, s1, s2) <= 0:
            raise ValueError("the spreads of a chance model must be above 0")
        return cls(intercept=intercept, weights=(w0, w1, w2), centres=(c0, c1, c2), spreads=(s0, s1, s2))


def fit_chances(X: ArrayLike, y: ArrayLike) -> ChanceModel:
    """Learn the chance of an order from customers of whom it is known whether they ordered.

    scikit-learn's logistic regression with its usual ridge penalty on standardised logarithms.

    Parameters
    ----------
    X
        Recency in days, orders, money at some day; shape (n, 3), none below 0.
    y
        Whether each ordered within the horizon after that day; shape (n,). Where all or none did, everybody gets the
        share of (ordered + 1/2) / (customers + 1).

    Examples
    --------
    >>> model = fit_chances([[3, 9, 100], [5, 7, 80], [200, 1, 10], [300, 1, 20]], [1, 1, 0, 0])
    >>> model.predict([[4, 8, 90], [250, 1, 15]]).round(1).tolist()
    [0.9, 0.2]
    """
    from sklearn.linear_model import LogisticRegression  # here: it loads SciPy's optimisers

    points, bought = np.log1p(np.asarray(X, dtype=float)), np.asarray(y, dtype=int)
    order = np.lexsort((*points.T, bought))  # sums depend on the order of the rows
    points, bought = points[order], bought[order]
    centres, spreads = points.mean(axis=0), points.std(axis=0)
    spreads[spreads == 0] = 1.0
    if bought.min() == bought.max():
        share = (bought.sum() + 0.5) / (len(bought) + 1)
        intercept, weights = math.log(share / (1 - share)), np.zeros(3)
    else:
        fit = LogisticRegression(tol=1e-8, max_iter=1000).fit((points - centres) / spreads, bought)
        intercept, weights = float(fit.intercept_[0]), fit.coef_[0]
    (w0, w1, w2), (c0, c1, c2), (s0, s1, s2) = weights.tolist(), centres.tolist(), spreads.tolist()
    return ChanceModel(intercept=intercept, weights=(w0, w1, w2), centres=(c0, c1, c2), spreads=(s0, s1, s2))
