"""Scales: from days, orders and money to points."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import yeojohnson, yeojohnson_normmax

from regulars.errors import OptionError, listed

__all__ = ["SCALES", "Floats", "Scale", "fit_scale"]

Floats = NDArray[np.float64]

#: Scale name → functions of recency_days, frequency, monetary, and what centres and scales them afterwards.
SCALES: dict[str, tuple[tuple[str, str, str], str]] = {
    "sqrt-log": (("sqrt", "log1p", "log1p"), "standard"),
    "standard": (("identity",) * 3, "standard"),
    "minmax": (("identity",) * 3, "minmax"),
    "robust": (("identity",) * 3, "robust"),
    "log": (("log1p",) * 3, "standard"),
    "yeo-johnson": (("yeo-johnson",) * 3, "standard"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A transform of recency_days, frequency and monetary: one function, one offset and one divisor for each.

    ``value = (function(x) - offset) / divisor``. Functions: ``identity``, ``sqrt``, ``log1p``, ``yeo-johnson`` (with its
    λ). Learned once by `fit_scale`, saved as numbers.
    """

    name: str
    functions: tuple[str, str, str]
    lambdas: tuple[float, float, float]
    offsets: tuple[float, float, float]
    divisors: tuple[float, float, float]

    def transform(self, X: ArrayLike) -> Floats:
        """Measures, shape (n, 3), in days, orders, money → points, shape (n, 3)."""
        raw = np.asarray(X, dtype=float)
        columns = [_apply(function, raw[:, i], self.lambdas[i]) for i, function in enumerate(self.functions)]
        return np.asarray((np.column_stack(columns) - np.array(self.offsets)) / np.array(self.divisors), dtype=float)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def fit_scale(X: ArrayLike, name: str = "sqrt-log") -> Scale:
    """Learn a scale from measures of shape (n, 3): recency_days, frequency, monetary.

    Raises
    ------
    OptionError
        There is no scale of that name.

    Examples
    --------
    >>> scale = fit_scale([[1, 1, 10.0], [4, 3, 99.0], [9, 8, 999.0]])
    >>> scale.functions
    ('sqrt', 'log1p', 'log1p')
    >>> scale.transform([[1, 1, 10.0]]).round(3).tolist()
    [[-1.225, -1.192, -1.216]]
    """
    if name not in SCALES:
        raise OptionError(f"There is no scale {name!r}.", hint=f"Choose one of {listed(SCALES)}.")
    raw = np.asarray(X, dtype=float)
    raw = raw[np.lexsort(raw.T)]
    functions, centring = SCALES[name]
    lambdas = [_power(raw[:, i]) if function == "yeo-johnson" else 1.0 for i, function in enumerate(functions)]
    columns = np.column_stack([_apply(f, raw[:, i], lambdas[i]) for i, f in enumerate(functions)])
    if centring == "minmax":
        offsets, divisors = columns.min(axis=0), np.ptp(columns, axis=0)
    elif centring == "robust":
        low, offsets, high = np.percentile(columns, [25, 50, 75], axis=0)
        divisors = high - low
    else:
        offsets, divisors = columns.mean(axis=0), columns.std(axis=0)
    divisors = np.where(divisors > 0, divisors, 1.0)
    return Scale(
        name=name,
        functions=functions,
        lambdas=(lambdas[0], lambdas[1], lambdas[2]),
        offsets=(float(offsets[0]), float(offsets[1]), float(offsets[2])),
        divisors=(float(divisors[0]), float(divisors[1]), float(divisors[2])),
    )


def _power(values: Floats) -> float:
    """Most likely λ of the Yeo-Johnson transform."""
    return float(yeojohnson_normmax(values)) if np.ptp(values) > 0 else 1.0


def _apply(function: str, values: Floats, lmbda: float) -> Floats:
    if function == "sqrt":
        return np.sqrt(values)
    if function == "log1p":
        return np.log1p(values)
    if function == "yeo-johnson":
        return np.asarray(yeojohnson(values, lmbda))
    return values
