"""What a grouping, or a forecast, knew about what came after. Counts in, numbers out: no tables here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

__all__ = [
    "area_under_curve",
    "bootstrap_means",
    "calibration_error",
    "gain_curve",
    "information_bits",
    "lift",
    "log_loss",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

CALIBRATION_BINS = 10


def information_bits(table: Counts) -> float:
    """Mutual information of rows and columns of a table of counts, in bits, with the Miller–Madow correction.

    Parameters
    ----------
    table
        Shape (groups, outcomes): how many customers of each group had each outcome.

    Returns
    -------
    float
        At least 0: the correction for small numbers may take away more than there is.

    References
    ----------
    Miller (1955), "Note on the bias of information estimates": an entropy from n observations in m cells that occur is too
    small by about (m − 1) / 2n nats.

    Examples
    --------
    Two groups of 50 of which one always came back and one never tell almost a whole bit:

    >>> round(information_bits(np.array([[50, 0], [0, 50]])), 4)
    1.0072
    """
    n = table.sum()
    if n == 0:
        return 0.0

    def entropy(counts: Counts) -> float:
        return float(entr(counts / n).sum()) + (np.count_nonzero(counts) - 1) / (2 * int(n))

    nats = entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - entropy(table.ravel())
    return max(float(nats) / math.log(2), 0.0)


def gain_curve(customers: Sequence[int], bought: Sequence[int]) -> tuple[tuple[float, float], ...]:
    """Share of those who bought again among the best groups, by the share of customers that these groups are.

    Parameters
    ----------
    customers, bought
        Customers of each group and those of them who bought again; the group that promised most first.

    Returns
    -------
    tuple of (float, float)
        From (0, 0) to (1, 1); inside a group nobody is known to be better, so it is a straight line.

    Examples
    --------
    >>> gain_curve([10, 30], [8, 8])
    ((0.0, 0.0), (0.25, 0.5), (1.0, 1.0))
    """
    people, buyers = np.cumsum(customers), np.cumsum(bought)
    if not len(people) or not buyers[-1]:
        return ((0.0, 0.0), (1.0, 1.0))
    points = zip((people / people[-1]).tolist(), (buyers / buyers[-1]).tolist(), strict=True)
    return ((0.0, 0.0), *((round(x, 6), round(y, 6)) for x, y in points))


def lift(curve: Sequence[tuple[float, float]], *, share: float = 0.1) -> float:
    """How many times more buyers than by chance are among the best tenth of the customers.

    Examples
    --------
    >>> lift(((0.0, 0.0), (0.25, 0.5), (1.0, 1.0)))
    2.0
    """
    x, y = zip(*curve, strict=True)
    return float(np.interp(share, x, y) / share)


def area_under_curve(customers: Sequence[int], bought: Sequence[int]) -> float | None:
    """Chance that of two customers, of whom one bought again, that one was ranked higher (AUC); ties count half.

    Parameters
    ----------
    customers, bought
        As for `gain_curve`.

    Returns
    -------
    float or None
        `None` where all or none bought again.

    Examples
    --------
    >>> area_under_curve([2, 2], [2, 1])
    0.8333333333333334
    """
    yes = np.asarray(bought, dtype=float)
    no = np.asarray(customers, dtype=float) - yes
    if not yes.sum() or not no.sum():
        return None
    below = no.sum() - np.cumsum(no)
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def calibration_error(
    chances: Sequence[float], customers: Sequence[int], bought: Sequence[int]
) -> tuple[float, tuple[tuple[int, float, float], ...]]:
    """How far promised chances are from the shares that came true, on average over the customers.

    Parameters
    ----------
    chances
        Mean promised chance of each cell of customers, ascending.
    customers, bought
        Customers of each cell and those of them who bought again.

    Returns
    -------
    error, bins
        Mean absolute difference (expected calibration error); ten bins of about equal size as (customers, promised chance,
        share that bought).

    Examples
    --------
    >>> calibration_error([0.2, 0.8], [10, 10], [3, 8])
    (0.05, ((10, 0.2, 0.3), (10, 0.8, 0.8)))
    """
    n = np.asarray(customers, dtype=float)
    if not n.sum():
        return 0.0, ()
    middle = (np.cumsum(n) - n / 2) / n.sum()
    part = np.minimum((middle * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    sizes = np.bincount(part, n, CALIBRATION_BINS)
    promised = np.bincount(part, n * np.asarray(chances), CALIBRATION_BINS)
    true = np.bincount(part, np.asarray(bought, dtype=float), CALIBRATION_BINS)
    kept = sizes > 0
    bins = tuple(
        (int(size), round(float(chance / size), 6), round(float(share / size), 6))
        for size, chance, share in zip(sizes[kept], promised[kept], true[kept], strict=True)
    )
    return round(float(np.abs(promised - true).sum() / n.sum()), 6), bins


def log_loss(chances: Sequence[float], customers: Sequence[int], bought: Sequence[int]) -> float:
    """Mean of −ln of the chance that was given to what happened; smaller is better.

    Examples
    --------
    >>> round(log_loss([0.5], [10], [5]), 4)
    0.6931
    """
    p = np.clip(np.asarray(chances, dtype=float), 1e-9, 1 - 1e-9)
    yes, n = np.asarray(bought, dtype=float), np.asarray(customers, dtype=float)
    return float(-(yes * np.log(p) + (n - yes) * np.log1p(-p)).sum() / n.sum())


def bootstrap_means(
    values: Floats, customers: Counts, *, seed: int, draws: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a mean by the bootstrap: as many customers drawn again, a thousand times.

    Parameters
    ----------
    values, customers
        Different values, and how many customers have each.
    seed
        Seed of the draws.
    draws, level
        How many, and what share of them the interval holds.

    References
    ----------
    Efron, Tibshirani (1993), "An introduction to the bootstrap", percentile interval.

    Examples
    --------
    >>> bootstrap_means(np.array([0.0, 1.0]), np.array([50, 50]), seed=0)
    (0.4, 0.6)
    """
    n = int(customers.sum())
    drawn = np.random.default_rng(seed).multinomial(n, customers / n, size=draws)
    tail = (1 - level) / 2
    low, high = np.quantile(drawn @ values / n, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)
