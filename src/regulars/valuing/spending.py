"""Gamma-Gamma: what a customer spends on an order.

The value of each order of a customer is drawn from a gamma distribution (shape p, rate ν), and ν from another one (shape q,
rate γ) over customers. With the mean z of n orders, and u = n z / (γ + n z)::

    likelihood of z = u^(pn) (1-u)^q / (z B(pn, q))

The mean over all customers is p γ / (q - 1); it is infinite for q ≤ 1. A customer's own mean is between that and z::

    E = (q-1)/(pn+q-1) · p γ/(q-1)  +  pn/(pn+q-1) · z

For q ≤ 1, where a few huge orders decide everything, the observed mean M of all orders takes the place of the infinite
one::

    E = (q M + p n z) / (q + p n)

References
----------
Fader, Hardie (2013), The Gamma-Gamma model of monetary value. Note, brucehardie.com/notes/025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from regulars.valuing.histories import Distinct, Floats, Params

__all__ = ["SpendModel", "expected_order_value", "spend_likelihoods"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendModel:
    """What was learned about the value of orders.

    Parameters
    ----------
    p, q, gamma
        Shape within a customer, shape over customers, and rate over customers (in money).
    mean
        Observed mean order value: of all orders of all customers.

    Raises
    ------
    ValueError
        A number that is not positive.

    Examples
    --------
    >>> model = SpendModel(p=6.25, q=3.744, gamma=15.444, mean=36.0)
    >>> model.heavy_tailed, SpendModel.from_dict(model.to_dict()) == model
    (False, True)
    """

    p: float
    q: float
    gamma: float
    mean: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
                raise ValueError(f"{name} of a model of spend is a positive number, not {value!r}.")

    @property
    def heavy_tailed(self) -> bool:
        """Whether the model's mean over customers is infinite (q ≤ 1), so that the observed mean stands in."""
        return self.q <= 1

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_dict` again.

        Raises
        ------
        ValueError
            Something is missing, too much, or not a positive number.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) != names:
            raise ValueError(f"A model of spend has {', '.join(sorted(names))}, not {values!r}.")
        return cls(**values)


def expected_order_value(model: SpendModel, orders: ArrayLike, mean_value: ArrayLike) -> Floats:
    """Expected value of a customer's next orders, shape (n,).

    Parameters
    ----------
    model
        What was learned.
    orders
        Number of orders that the mean is of, shape (n,), at least 1.
    mean_value
        Their mean value, shape (n,); where it is NaN, so is the result.

    Examples
    --------
    >>> model = SpendModel(p=6.25, q=3.744, gamma=15.444, mean=36.0)
    >>> expected_order_value(model, [1, 10], [100.0, 100.0]).round(2).tolist()
    [80.22, 97.27]
    """
    n, z = np.asarray(orders, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    p, q = model.p, model.q
    if model.heavy_tailed:
        return np.asarray((q * model.mean + p * n * z) / (q + p * n), dtype=np.float64)
    return np.asarray(p * (model.gamma + n * z) / (p * n + q - 1), dtype=np.float64)


def spend_likelihoods(params: Params, orders: Distinct, mean_value: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each mean order value, and its gradient.

    Parameters
    ----------
    params
        p, q and γ.
    orders
        Number of orders, n rows.
    mean_value
        Their mean value, shape (n,), positive.

    Returns
    -------
    values, gradient
        Shapes (n,) and (3, n); the gradient is for the logarithms of the parameters.

    Examples
    --------
    >>> spend_likelihoods((6.25, 3.744, 15.444), Distinct.of(np.array([2.0])), np.array([22.35]))[0].round(4).tolist()
    [-3.5506]
    """
    p, q, gamma = params
    n, total = orders.column, orders.column * mean_value
    own, other = -np.log1p(gamma / total), -np.log1p(total / gamma)  # ln u and ln(1 - u)
    values = p * n * own + q * other - orders.each(lambda v: betaln(p * v, q)) - np.log(mean_value)
    by_p = p * n * (own + orders.each(lambda v: digamma(p * v + q) - digamma(p * v)))
    by_q = q * (other + orders.each(lambda v: digamma(p * v + q) - digamma(q)))
    by_gamma = (q * total - p * n * gamma) / (gamma + total)
    return values, np.stack([by_p, by_q, by_gamma])
