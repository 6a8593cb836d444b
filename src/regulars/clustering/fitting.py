"""One k: the best of many starts, and whether refits on bootstrap samples agree with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances

from regulars.clustering.cells import Cells, Ints, count_distinct
from regulars.clustering.measuring import adjusted_rand
from regulars.clustering.scales import Floats

__all__ = ["Lloyd", "coarsen", "fit_k", "stability"]

Lloyd = Callable[..., KMeans]

MERGE_STEP = 0.2  # standard deviations: the side of the coarser cells that the starts on cells are run on
MERGE_FROM = 100  # coarser cells per cluster; fewer would be too coarse
FINALISTS = 5  # starts that go on to the bottom on the cells themselves
SAME = 0.99  # adjusted Rand index from which two starts ended at the same clusters
REFIT_STARTS = 5


def fit_k(cells: Cells, lloyd: Lloyd, *, coarse: Cells, n_init: int, seed: int) -> tuple[KMeans, Floats]:
    """Fit one k; its clusters are numbered by the centre's last feature, largest first.

    Where every cell is one customer, this is K-Means with `n_init` starts. Else the starts are run on `coarse`, the best
    five that differ go on to the bottom on `cells`, and the best of these is taken.

    Returns
    -------
    model, optima
        The fitted model, and the centres of the up to five, shape (n, k, n_features); none where every cell is one
        customer.
    """
    if cells.weighted:
        model, optima = _fit_cells(cells, lloyd, coarse=coarse, n_init=n_init, seed=seed)
    else:
        model = lloyd(n_init=n_init, random_state=seed).fit(cells.points)
        optima = np.empty((0, *model.cluster_centers_.shape))
    centres = model.cluster_centers_
    rank = np.lexsort((*centres.T[:-1], -centres[:, -1]))
    model.cluster_centers_ = np.ascontiguousarray(centres[rank])
    model.labels_ = np.argsort(rank)[model.labels_].astype(np.int32)
    return model, optima


def _fit_cells(cells: Cells, lloyd: Lloyd, *, coarse: Cells, n_init: int, seed: int) -> tuple[KMeans, Floats]:
    """Every start on the coarser cells, the finalists on the cells."""
    ground = coarse if len(coarse.points) >= MERGE_FROM * lloyd().n_clusters else cells
    rng = np.random.default_rng(seed)
    starts = []
    for _ in range(n_init):
        start = lloyd(n_init=1, random_state=int(rng.integers(2**31 - 1)))
        starts.append(start.fit(ground.points, sample_weight=ground.weights))
    finals = [
        lloyd(init=start.cluster_centers_, n_init=1).fit(cells.points, sample_weight=cells.weights)
        for start in _best_that_differ(starts, ground.weights)
    ]
    return min(finals, key=lambda final: final.inertia_), np.array([final.cluster_centers_ for final in finals])


def _best_that_differ(starts: Sequence[KMeans], weights: Ints) -> list[KMeans]:
    """Up to five starts of least inertia; of those that ended at the same clusters, one."""
    kept: list[KMeans] = []
    for start in sorted(starts, key=lambda start: start.inertia_):
        if all(adjusted_rand(start.labels_, other.labels_, weights) < SAME for other in kept):
            kept.append(start)
    return kept[:FINALISTS]


def coarsen(cells: Cells) -> Cells:
    """Coarser cells for the starts; the same ones where each is one customer."""
    return cells.merged(MERGE_STEP) if cells.weighted else cells


def stability(
    cells: Cells, model: KMeans, lloyd: Lloyd, *, optima: Floats, n_init: int, n_bootstraps: int, seed: int
) -> float:
    """Mean adjusted Rand index of a clustering and what refits on bootstrap samples give to all customers.

    A refit on cells starts from the optimum that is the best one on its sample: where two optima are nearly equal, samples
    differ in the one that they prefer. Where every cell is one customer it has up to five starts of its own.
    """
    rng = np.random.default_rng(seed)
    squares = np.array([pairwise_distances(cells.points, centres).min(axis=1) ** 2 for centres in optima])
    found = []
    for _ in range(n_bootstraps):
        drawn = _draw(cells, rng)
        sample, counts = cells.points[drawn > 0], drawn[drawn > 0]
        if count_distinct(sample) < model.n_clusters:
            continue
        if cells.weighted:
            refit = lloyd(init=optima[(squares @ drawn.astype(float)).argmin()], n_init=1)
        else:
            refit = lloyd(n_init=min(n_init, REFIT_STARTS), random_state=int(rng.integers(2**31 - 1)))
        refit.fit(sample, sample_weight=counts)
        found.append(adjusted_rand(model.labels_, refit.predict(cells.points), cells.weights))
    return float(np.mean(found)) if found else 0.0


def _draw(cells: Cells, rng: np.random.Generator) -> Ints:
    """How often each cell is in a sample of as many customers, drawn with replacement."""
    n = cells.customers
    if cells.weighted:
        return rng.multinomial(n, cells.weights / n)
    return np.bincount(rng.integers(n, size=n), minlength=n)
