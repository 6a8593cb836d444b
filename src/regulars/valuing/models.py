"""What was learned about orders, as plain numbers, and what it says about a customer.

Everywhere ``repeats`` is the number of orders after the first (x), ``active`` the days from the first to the last order
(t), and ``age`` the days from the first order to today (T). Arrays of one shape (n,); a horizon is in days. Any other unit
of time will do, as long as it is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from regulars.valuing import pareto, purchases
from regulars.valuing.histories import Floats, Histories, Params

__all__ = [
    "PARAMETERS",
    "PurchaseModel",
    "expected_orders",
    "log_likelihood",
    "p_active",
    "p_alive",
]

#: Model → names of its parameters. α and β are in days, the others have no unit.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "mbg-nbd": ("r", "alpha", "a", "b"),
    "bg-nbd": ("r", "alpha", "a", "b"),
    "pareto-nbd": ("r", "alpha", "s", "beta"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseModel:
    """A model of orders: which, its parameters in days, and whether leaving could be told from ordering rarely.

    Parameters
    ----------
    kind
        ``"mbg-nbd"``, ``"bg-nbd"`` or ``"pareto-nbd"``.
    parameters
        r, α, a, b; for Pareto/NBD r, α, s, β. Positive.
    leaving_identified
        False where the data do not show that customers leave for good: then nothing is said about who is still there.

    Raises
    ------
    ValueError
        Another model, or parameters that are not four positive numbers.

    Examples
    --------
    >>> model = PurchaseModel(kind="bg-nbd", parameters=(0.2426, 4.4136, 0.7929, 2.4259), leaving_identified=True)
    >>> model.named()
    {'r': 0.2426, 'alpha': 4.4136, 'a': 0.7929, 'b': 2.4259}
    >>> PurchaseModel.from_dict(model.to_dict()) == model
    True
    """

    kind: str
    parameters: tuple[float, ...]
    leaving_identified: bool

    def __post_init__(self) -> None:
        if self.kind not in PARAMETERS:
            raise ValueError(f"There is no model of orders {self.kind!r}; there are {', '.join(PARAMETERS)}.")
        names = PARAMETERS[self.kind]
        if len(self.parameters) != len(names) or not all(_positive(value) for value in self.parameters):
            raise ValueError(f"{self.kind} needs positive numbers for {', '.join(names)}, not {self.parameters!r}.")
        if not isinstance(self.leaving_identified, bool):
            raise ValueError(f"leaving_identified is true or false, not {self.leaving_identified!r}.")

    def named(self) -> dict[str, float]:
        """Parameters by name."""
        return dict(zip(PARAMETERS[self.kind], self.parameters, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": self.kind, "parameters": self.named(), "leaving_identified": self.leaving_identified}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read `to_dict` again.

        Raises
        ------
        ValueError
            Something is missing, too much, or not what it should be.
        """
        if not isinstance(values, Mapping) or set(values) != {"kind", "parameters", "leaving_identified"}:
            raise ValueError(f"A model of orders has kind, parameters and leaving_identified, not {values!r}.")
        kind, given = values["kind"], values["parameters"]
        names = PARAMETERS.get(kind, ()) if isinstance(kind, str) else ()
        if not isinstance(given, Mapping) or set(given) != set(names):
            raise ValueError(f"The parameters of {kind!r} are {', '.join(names) or 'not known'}, not {given!r}.")
        ordered = tuple(given[name] for name in names)
        return cls(kind=kind, parameters=ordered, leaving_identified=values["leaving_identified"])


def log_likelihood(kind: str, params: Params, repeats: ArrayLike, active: ArrayLike, age: ArrayLike) -> Floats:
    """Log-likelihood of each history, shape (n,).

    Parameters
    ----------
    kind
        ``"mbg-nbd"``, ``"bg-nbd"``, ``"pareto-nbd"``, or ``"nbd"``: the same without leaving, with r and α only.
    params
        In the order of `PARAMETERS`.
    repeats, active, age
        Histories.

    Examples
    --------
    >>> log_likelihood("bg-nbd", (0.2426, 4.4136, 0.7929, 2.4259), [2], [30.43], [38.86]).round(4).tolist()
    [-9.4597]
    """
    return likelihoods(kind, params, _rows(repeats, active, age))[0]


def likelihoods(kind: str, params: Params, rows: Histories) -> tuple[Floats, Floats]:
    """Log-likelihood of each row, shape (n,), and its gradient for the logarithms of the parameters, shape (k, n)."""
    if kind == "nbd":
        return purchases.nbd_likelihoods(params, rows)
    return pareto.likelihoods(params, rows) if kind == "pareto-nbd" else purchases.likelihoods(kind, params, rows)


def p_alive(kind: str, params: Params, repeats: ArrayLike, active: ArrayLike, age: ArrayLike) -> Floats:
    """Chance that a customer has not left for good, shape (n,).

    BG/NBD: 1 / (1 + (x>0) a/(b+x-1) ((α+T)/(α+t))^(r+x)); MBG/NBD: 1 / (1 + a/(b+x) (…)^(r+x)). Under BG/NBD a customer
    without a repeat order has never had a chance to leave, so is still there with certainty: see `p_active`.

    Examples
    --------
    >>> p_alive("bg-nbd", (0.2426, 4.4136, 0.7929, 2.4259), [2, 0], [30.43, 0], [38.86, 38.86]).round(4).tolist()
    [0.7266, 1.0]
    """
    rows = _rows(repeats, active, age)
    odds = pareto.log_odds_left(params, rows) if kind == "pareto-nbd" else purchases.log_odds_left(kind, params, rows)
    return np.asarray(expit(-odds), dtype=np.float64)


def p_active(
    kind: str, params: Params, repeats: ArrayLike, active: ArrayLike, age: ArrayLike, horizon: float
) -> Floats:
    """Chance of at least one order within the horizon, shape (n,).

    BG/NBD and MBG/NBD: P(alive) (1 - ((α+T) / (α+T+H))^(r+x)), since the next chance to leave comes with the next order.

    Examples
    --------
    >>> p_active("mbg-nbd", (0.5248, 6.1831, 0.8914, 1.6140), [2, 0], [30.43, 0], [38.86, 38.86], 39).round(3).tolist()
    [0.56, 0.109]
    """
    x, T = _floats(repeats), _floats(age)
    if kind == "pareto-nbd":
        given_alive = pareto.active_if_alive(params, x, T, horizon)
    else:
        r, alpha = params[:2]
        given_alive = -np.expm1(-(r + x) * np.log1p(horizon / (alpha + T)))
    return p_alive(kind, params, repeats, active, age) * given_alive


def expected_orders(
    kind: str,
    params: Params,
    repeats: ArrayLike,
    active: ArrayLike,
    age: ArrayLike,
    horizon: float | Sequence[float],
) -> Floats:
    """Expected number of orders within the horizon, shape (n,); with several horizons, shape (n, len(horizon)).

    Examples
    --------
    >>> expected_orders("bg-nbd", (0.2426, 4.4136, 0.7929, 2.4259), [2], [30.43], [38.86], 39).round(4).tolist()
    [1.2259]
    """
    x, T = _floats(repeats), _floats(age)
    horizons = [horizon] if isinstance(horizon, int | float) else list(horizon)
    if kind == "pareto-nbd":
        given_alive = pareto.expected_if_alive(params, x, T, horizons)
    else:
        given_alive = purchases.expected_if_alive(kind, params, x, T, horizons)
    found = p_alive(kind, params, repeats, active, age)[:, None] * given_alive
    return found[:, 0] if isinstance(horizon, int | float) else found


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _rows(repeats: ArrayLike, active: ArrayLike, age: ArrayLike) -> Histories:
    return Histories.of(_floats(repeats), _floats(active), _floats(age))
