"""Histories: when customers ordered, as distinct rows, each with the number of customers it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distinct", "Floats", "Histories", "Ints", "Params", "distinct_rows", "merge"]

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
Params = Sequence[float] | Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distinct:
    """A column as its distinct values, so that a costly function is computed once for each.

    Examples
    --------
    >>> column = Distinct.of(np.array([4.0, 9.0, 4.0]))
    >>> column.values.tolist(), column.each(np.sqrt).tolist()
    ([4.0, 9.0], [2.0, 3.0, 2.0])
    """

    values: Floats
    index: Ints

    @classmethod
    def of(cls, column: Floats) -> Self:
        """Find the distinct values of a column."""
        values, index = np.unique(column, return_inverse=True)
        return cls(values=values, index=index)

    @property
    def column(self) -> Floats:
        """The column itself."""
        return self.values[self.index]

    def each(self, function: Callable[[Floats], Floats]) -> Floats:
        """Apply a function to the distinct values, and give every row its own."""
        return np.asarray(function(self.values)[self.index], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """Repeat orders, active time and age of customers; all times in the same unit.

    Parameters
    ----------
    repeats
        Orders after the first.
    active
        Time from the first to the last order; 0 without repeats.
    age
        Time from the first order to today.
    weights
        Share of all customers that a row stands for, shape (n,). Sums to 1, or to the customers before `scaled`.
    """

    repeats: Distinct
    active: Distinct
    age: Distinct
    weights: Floats

    @classmethod
    def of(cls, repeats: Floats, active: Floats, age: Floats, weights: Floats | None = None) -> Self:
        """Take the rows as they are, one customer each where there are no weights."""
        return cls(
            repeats=Distinct.of(repeats),
            active=Distinct.of(active),
            age=Distinct.of(age),
            weights=np.ones(len(age)) if weights is None else weights,
        )

    @classmethod
    def merged(cls, repeats: Floats, active: Floats, age: Floats, weights: Floats) -> Self:
        """Sort the rows and merge equal ones, so that neither their order nor their number changes a sum."""
        (repeats, active, age), totals = merge((repeats, active, age), weights)
        return cls.of(repeats, active, age, totals)

    def scaled(self, unit: float) -> Self:
        """The same histories with times in another unit, and weights that sum to 1."""
        return type(self)(
            repeats=self.repeats,
            active=Distinct(values=self.active.values / unit, index=self.active.index),
            age=Distinct(values=self.age.values / unit, index=self.age.index),
            weights=self.weights / self.weights.sum(),
        )

    def thinned(self, every: int) -> Self:
        """Take one of so many rows."""
        part = slice(None, None, every)
        weights = self.weights[part]
        columns = (
            Distinct(values=each.values, index=each.index[part]) for each in (self.repeats, self.active, self.age)
        )
        repeats, active, age = columns
        return type(self)(repeats=repeats, active=active, age=age, weights=weights / weights.sum())

    def mean(self, column: Floats) -> float:
        """Mean of a column over the customers."""
        return float(self.weights @ column / self.weights.sum())


def distinct_rows(columns: Sequence[Floats]) -> tuple[Ints, Ints]:
    """Find the distinct rows of some columns of equal length.

    Returns
    -------
    rows, index
        A row for each that is distinct, in the order of their values, and for every row which of these it is.

    Examples
    --------
    >>> rows, index = distinct_rows([np.array([2.0, 1.0, 2.0]), np.array([5.0, 5.0, 5.0])])
    >>> rows.tolist(), index.tolist()
    ([1, 0], [1, 0, 1])
    """
    order = np.lexsort(tuple(reversed(columns)))
    first = np.zeros(len(order), dtype=bool)
    first[:1] = True
    for column in columns:
        ordered = column[order]
        first[1:] |= ordered[1:] != ordered[:-1]
    index = np.empty(len(order), dtype=np.intp)
    index[order] = np.cumsum(first) - 1
    return order[first], index


def merge(columns: Sequence[Floats], weights: Floats) -> tuple[list[Floats], Floats]:
    """Drop rows without weight and merge equal ones; weights are added from the smallest on, whatever order they came in.

    Returns
    -------
    columns, weights
        The distinct rows, in the order of their values, and the sums of their weights.
    """
    kept = weights > 0
    columns, weights = [column[kept] for column in columns], weights[kept]
    by_weight = np.argsort(weights, kind="stable")
    rows, index = distinct_rows(columns)
    totals = np.bincount(index[by_weight], weights[by_weight], len(rows)).astype(np.float64)
    return [column[rows] for column in columns], totals
