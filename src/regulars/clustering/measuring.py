"""How good a clustering is: silhouettes, two indices and agreement, each counted in customers.

Where every cell is one customer, the values are those of `sklearn.metrics`; else those that it gives when each row is
repeated once per customer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import config_context
from sklearn.metrics import pairwise_distances, pairwise_distances_chunked

from regulars.clustering.cells import Cells, Ints
from regulars.clustering.scales import Floats

__all__ = [
    "EXACT_SILHOUETTE",
    "SAMPLED_SILHOUETTE",
    "Silhouettes",
    "adjusted_rand",
    "calinski_harabasz",
    "davies_bouldin",
    "silhouettes",
    "silhouettes_of_each",
]

Silhouettes = tuple[Floats, Ints, float]

EXACT_SILHOUETTE = 20_000  # customers; beyond, a sample of as many
SAMPLED_SILHOUETTE = 10_000  # customers of the sample, where cells stand for them
CHUNK_MIB = 64  # distances held at a time


def silhouettes(X: Floats, labels: Ints, *, sample_weight: Ints | None = None, random_state: int = 0) -> Silhouettes:
    """Silhouette of each customer, exact up to 20,000 of them, of a sample beyond.

    Customers of one cell stand at the same point. The sample is drawn from the customers without replacement: 20,000 of
    them, or 10,000 where any cell has more than one.

    Parameters
    ----------
    X, labels
        Points, shape (n_cells, n_features), and their clusters, shape (n_cells,).
    sample_weight
        Customers of each cell; one where it is not given.
    random_state
        Seed of the sample.

    Returns
    -------
    values, index, error
        Silhouettes of customers who stand at the points `index` (one entry per customer), and the standard error of
        their mean (0 where it is exact).
    """
    weights = np.ones(len(X), dtype=np.int64) if sample_weight is None else sample_weight
    cells = Cells(points=X, weights=weights, within=0.0)
    return silhouettes_of_each(cells, [labels], random_state=random_state)[0]


def silhouettes_of_each(cells: Cells, labelings: Sequence[Ints], *, random_state: int) -> list[Silhouettes]:
    """Silhouettes of several clusterings of the same points, from one look at the distances."""
    index = _sample(cells, random_state)
    drawn, counts = np.unique(index, return_counts=True)
    parts = [_numbered(labels[drawn])[1] for labels in labelings]
    exact = len(index) == cells.customers
    found = []
    for part, sums in zip(parts, _distances_to_clusters(cells.points[drawn], counts, parts), strict=True):
        values = np.repeat(_silhouette(sums, part, counts), counts)
        error = 0.0 if exact else float(values.std(ddof=1) / np.sqrt(len(values)))
        found.append((values, index, error))
    return found


def _sample(cells: Cells, random_state: int) -> Ints:
    """The cell of every customer, or of each one in a sample; in order."""
    n = cells.customers
    if n <= EXACT_SILHOUETTE:
        return np.repeat(np.arange(len(cells.points)), cells.weights)
    size = SAMPLED_SILHOUETTE if cells.weighted else EXACT_SILHOUETTE
    customers = np.sort(np.random.default_rng(random_state).choice(n, size, replace=False))
    return np.searchsorted(np.cumsum(cells.weights), customers, side="right")


def _distances_to_clusters(points: Floats, counts: Ints, parts: Sequence[Ints]) -> list[Floats]:
    """Sum of the distances from each point to the customers of each cluster, (n_points, n_clusters) per clustering.

    Points that share their cluster in every clustering are added up once for all.
    """
    together, number = np.unique(np.stack(parts, axis=1), axis=0, return_inverse=True)

    def add_up(distances: Floats, _: int) -> Floats:
        distances *= counts
        return np.stack([np.bincount(number, row, len(together)) for row in distances])

    with config_context(working_memory=CHUNK_MIB):
        sums = np.concatenate(list(pairwise_distances_chunked(points, reduce_func=add_up)))
    return [sums @ (together[:, [place]] == np.arange(part.max() + 1)) for place, part in enumerate(parts)]


def _silhouette(sums: Floats, part: Ints, counts: Ints) -> Floats:
    """(b − a) / max(a, b) of each point: a is the mean distance to its own cluster, b to the nearest other one."""
    sizes = np.bincount(part, counts)
    if not 1 < len(sizes) < counts.sum():
        return np.zeros(len(part))
    own = np.arange(len(part)), part
    with np.errstate(divide="ignore", invalid="ignore"):
        a = sums[own] / (sizes - 1)[part]
        others = sums / sizes
        others[own] = np.inf
        b = others.min(axis=1)
        values: Floats = np.nan_to_num((b - a) / np.maximum(a, b))  # a cluster of one customer: 0
    return values


def calinski_harabasz(cells: Cells, labels: Ints) -> float:
    """Between-cluster over within-cluster variance; the distances inside the cells count as within."""
    k, labels = _numbered(labels)
    n = cells.customers
    mean = np.average(cells.points, axis=0, weights=cells.weights)
    between, within = 0.0, 0.0
    for number in range(k):
        own, weights = cells.points[labels == number], cells.weights[labels == number]
        centre = np.average(own, axis=0, weights=weights)
        between += weights.sum() * ((centre - mean) ** 2).sum()
        within += (weights[:, None] * (own - centre) ** 2).sum()
    within += cells.within
    return 1.0 if within == 0 else float(between * (n - k) / (within * (k - 1.0)))


def davies_bouldin(cells: Cells, labels: Ints) -> float:
    """Mean over the clusters of the worst ratio of their two spreads to the distance of their centres."""
    k, labels = _numbered(labels)
    centres, spreads = np.zeros((k, cells.points.shape[1])), np.zeros(k)
    for number in range(k):
        own, weights = cells.points[labels == number], cells.weights[labels == number]
        centres[number] = np.average(own, axis=0, weights=weights)
        spreads[number] = np.average(pairwise_distances(own, centres[[number]])[:, 0], weights=weights)
    apart = pairwise_distances(centres)
    if np.allclose(spreads, 0) or np.allclose(apart, 0):
        return 0.0
    apart[apart == 0] = np.inf
    return float(((spreads[:, None] + spreads) / apart).max(axis=1).mean())


def _numbered(labels: Ints) -> tuple[int, Ints]:
    """Number of clusters that have points, and the labels counted from 0 without gaps."""
    names, numbers = np.unique(labels, return_inverse=True)
    return len(names), numbers


def adjusted_rand(first: Ints, second: Ints, weights: Ints) -> float:
    """Adjusted Rand index of two clusterings of the customers: 1 where they agree, about 0 by chance.

    Counted in whole numbers of any size, so it is exact up to the last division.

    References
    ----------
    Hubert, Arabie (1985), "Comparing partitions".
    """
    shape = int(first.max()) + 1, int(second.max()) + 1
    flat = np.bincount(np.ravel_multi_index((first, second), shape), weights, shape[0] * shape[1])
    table = flat.astype(np.int64).reshape(shape)
    n, both = _square_sum(weights.sum()), _square_sum(table)
    fp = _square_sum(table.sum(axis=0)) - both
    fn = _square_sum(table.sum(axis=1)) - both
    tp = both - int(weights.sum())
    tn = n - fp - fn - both
    if fp == fn == 0:
        return 1.0
    return 2.0 * (tp * tn - fn * fp) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))


def _square_sum(counts: Ints) -> int:
    return sum(count * count for count in np.ravel(counts).tolist())
