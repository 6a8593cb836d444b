"""Cells: points, each with the number of customers who stand there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Private in name only: every estimator that takes weights needs it, and scikit-learn offers no other.
from sklearn.utils.validation import _check_sample_weight

from regulars.clustering.scales import Floats
from regulars.errors import OptionError

__all__ = ["Cells", "Ints", "count_distinct"]

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Points in the order of their values, and how many customers each of them stands for.

    Parameters
    ----------
    points
        Shape (n_cells, n_features).
    weights
        Customers of each cell, shape (n_cells,), positive.
    within
        Sum of the squared distances of the customers to the mean of their cell.
    """

    points: Floats
    weights: Ints
    within: float

    @classmethod
    def from_rows(cls, X: Floats, sample_weight: ArrayLike | None, within: float) -> tuple[Self, Ints]:
        """Check weights and sort the rows.

        Returns
        -------
        cells, order
            The cells, and the row of `X` that each of them was.

        Raises
        ------
        OptionError
            A weight is not a positive whole number, or `within` is negative or not a number.
        """
        weights = _whole(_check_sample_weight(sample_weight, X, dtype=np.float64))
        if not 0 <= within < np.inf:
            raise OptionError(f"within is {within!r}.", hint="Give a sum of squared distances, 0 or more.")
        order = np.lexsort((weights, *X.T))
        return cls(points=X[order], weights=weights[order], within=float(within)), order

    @property
    def customers(self) -> int:
        """Number of customers in all cells."""
        return int(self.weights.sum())

    @property
    def weighted(self) -> bool:
        """Whether any cell has more than one customer."""
        return bool((self.weights != 1).any())

    def merged(self, step: float) -> Self:
        """Merge the cells into coarser ones, a cube of `step` standard deviations each, at their weighted means."""
        mean = np.average(self.points, axis=0, weights=self.weights)
        spread = np.sqrt(np.average((self.points - mean) ** 2, axis=0, weights=self.weights))
        steps = np.floor((self.points - mean) / np.where(spread > 0, spread * step, 1.0))
        names, cube = np.unique(steps, axis=0, return_inverse=True)
        weights = np.bincount(cube, self.weights, len(names))
        sums = [np.bincount(cube, self.weights * column, len(names)) for column in self.points.T]
        return replace(self, points=np.column_stack(sums) / weights[:, None], weights=weights.astype(np.int64))


def count_distinct(ordered: Floats) -> int:
    """Count the distinct rows of rows in order, where equal ones are neighbours."""
    return int((ordered[1:] != ordered[:-1]).any(axis=1).sum()) + 1


def _whole(weights: Floats) -> Ints:
    wrong = np.flatnonzero((weights < 1) | (weights != np.floor(weights)))
    if len(wrong):
        raise OptionError(
            f"sample_weight is {weights[wrong[0]]:g} at row {wrong[0]}.",
            hint="Give each cell the number of its customers: 1, 2, 3, …; leave out cells without customers.",
        )
    return weights.astype(np.int64)
