"""K-Means run to the bottom, for every k of a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from regulars.clustering.cells import Cells, Ints, count_distinct
from regulars.clustering.choosing import Choice, Trial, choose_k
from regulars.clustering.fitting import Lloyd, coarsen, fit_k, stability
from regulars.clustering.measuring import Silhouettes, calinski_harabasz, davies_bouldin, silhouettes_of_each
from regulars.clustering.scales import Floats
from regulars.errors import NotEnoughDataError, OptionError
from regulars.schema import MIN_CUSTOMERS

__all__ = ["MIN_CUSTOMERS", "AutoKMeans", "cluster_centres"]

Progress = Callable[[int, int], None]


class AutoKMeans(ClusterMixin, TransformerMixin, BaseEstimator):
    """K-Means that chooses k and says why.

    scikit-learn's K-Means, run to the bottom (many starts, tiny tolerance) on sorted rows, for every k of a range; the
    trials with their indices and bootstrap stability are kept, and `choose_k` decides. Clusters are numbered by their
    centre's last feature, largest first (for customers: by monetary value).

    A row may be a cell that stands for several customers: give their number as ``sample_weight`` of `fit`. Sizes, shares,
    indices, stability and silhouettes then count customers. Many cells are merged into coarser ones for the starts; the
    best five that differ then go on to the bottom on the cells, and refits on bootstrap samples start from one of these.

    Parameters
    ----------
    n_clusters
        ``"auto"``, or a number that overrides the choice (the trials are still made).
    k_min, k_max
        The range of k that is tried.
    n_init
        Starts per k.
    n_bootstraps
        Refits per k for the stability.
    max_iter, tol
        As in `sklearn.cluster.KMeans`.
    random_state
        Seed.
    n_jobs
        How many k are fitted at the same time, in threads: `None` means 1, -1 as many as there are processors. The result
        does not depend on it.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
    labels_ : ndarray of shape (n_samples,)
        Cluster of each row; of all customers of a cell.
    inertia_ : float
        Sum of squared distances to the nearest centre over all customers, each cell as a whole.
    n_iter_ : int
    n_clusters_ : int
    trials_ : tuple of Trial
    choice_ : Choice
    silhouettes_ : dict
        Cluster → silhouettes of its customers, from high to low. Beyond 20,000 customers those of a sample: of 20,000, or
        of 10,000 where a row stands for several.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(centre, 0.3, size=(60, 2)) for centre in ([0, 1], [4, 3], [0, 5], [4, 7])])
    >>> model = AutoKMeans(k_max=6, n_init=5, n_bootstraps=5).fit(X)
    >>> model.n_clusters_, model.cluster_centers_.round().astype(int).tolist()
    (4, [[4, 7], [0, 5], [4, 3], [0, 1]])
    """

    def __init__(
        self,
        *,
        n_clusters: int | str = "auto",
        k_min: int = 2,
        k_max: int = 8,
        n_init: int = 50,
        n_bootstraps: int = 10,
        max_iter: int = 1000,
        tol: float = 1e-8,
        random_state: int | None = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.k_min = k_min
        self.k_max = k_max
        self.n_init = n_init
        self.n_bootstraps = n_bootstraps
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        sample_weight: ArrayLike | None = None,
        within: float = 0.0,
        information: Mapping[int, float] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Fit every k, measure, choose.

        Parameters
        ----------
        X
            Points, shape (n_samples, n_features), already scaled: customers, or means of cells.
        y
            Ignored.
        sample_weight
            Number of customers of each row, shape (n_samples,), positive whole numbers; one where it is not given.
        within
            Sum of squared distances of the customers to the mean of their cell. It is added to every inertia.
        information
            Bits that the segments of each k told about who buys next, from a back-test; the choice of k keeps most of it.
        progress
            Called with (trials done, trials in all).

        Raises
        ------
        NotEnoughDataError
            Fewer distinct points than clusters were asked for.
        OptionError
            `n_clusters`, a weight or `within` is not one.
        """
        points: Floats = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        cells, order = Cells.from_rows(points, sample_weight, within)
        wanted = self._wanted(count_distinct(cells.points))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        attempts = self._fit_all(cells, wanted, seed, progress)
        known = information or {}
        self.trials_ = tuple(replace(attempts[k][1], information=known.get(k)) for k in wanted)
        self.choice_ = self._choose(self.trials_)
        best, trial, (values, index, _) = attempts[self.choice_.k]
        own = best.labels_[index]
        self.silhouettes_ = {k: np.sort(values[own == k])[::-1] for k in range(self.choice_.k)}
        self.n_clusters_ = self.choice_.k
        self.cluster_centers_ = best.cluster_centers_
        self.inertia_ = trial.inertia
        self.n_iter_ = int(best.n_iter_)
        self.labels_ = np.empty(len(points), dtype=np.int32)
        self.labels_[order] = best.labels_
        return self

    def predict(self, X: ArrayLike) -> Ints:
        """Nearest centre of each point, shape (n_samples,)."""
        return np.asarray(self.transform(X).argmin(axis=1), dtype=np.int32)

    def transform(self, X: ArrayLike) -> Floats:
        """Distances to the centres, shape (n_samples, n_clusters)."""
        check_is_fitted(self)
        points: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(np.linalg.norm(points[:, None, :] - self.cluster_centers_[None, :, :], axis=2))

    def _wanted(self, distinct: int) -> list[int]:
        """The numbers of clusters to try; an own number is tried beside the range."""
        own = self.n_clusters
        if own != "auto" and (not isinstance(own, int | np.integer) or own < 1):
            raise OptionError(f"n_clusters is {own!r}.", hint="Give 'auto' or a number of clusters such as 3.")
        if own != "auto" and int(own) > distinct:
            raise NotEnoughDataError(
                f"{own} clusters were asked for, but there are only {distinct} distinct customers.",
                hint=f"Ask for at most {distinct}, or bring a longer export.",
            )
        tried = set(range(self.k_min, min(self.k_max, distinct) + 1))
        return sorted(tried | ({int(own)} if own != "auto" else set())) or [distinct]

    def _fit_all(
        self, cells: Cells, wanted: Sequence[int], seed: int, progress: Progress | None
    ) -> dict[int, tuple[KMeans, Trial, Silhouettes]]:
        """Fit and measure every k, each in one thread: more only wait for each other, and their sums would differ."""
        coarse = coarsen(cells)
        fits: dict[int, KMeans] = {}
        stable: dict[int, float] = {}
        with threadpool_limits(limits=1):
            several = Parallel(n_jobs=self.n_jobs, require="sharedmem", return_as="generator_unordered")
            longest_first = sorted(wanted, reverse=True)
            for fit, share in several(delayed(self._fit)(cells, k, coarse=coarse, seed=seed) for k in longest_first):
                fits[fit.n_clusters], stable[fit.n_clusters] = fit, share
                if progress is not None:
                    progress(len(fits), len(wanted))
            found = silhouettes_of_each(cells, [fits[k].labels_ for k in wanted], random_state=seed)
            return {
                k: (fits[k], _trial(cells, fits[k], found=values, stable=stable[k]), values)
                for k, values in zip(wanted, found, strict=True)
            }

    def _fit(self, cells: Cells, k: int, *, coarse: Cells, seed: int) -> tuple[KMeans, float]:
        """Fit one k, and measure its stability."""
        lloyd: Lloyd = partial(KMeans, k, max_iter=self.max_iter, tol=self.tol)
        with threadpool_limits(limits=1, user_api="openmp"):  # a limit of OpenMP holds for the thread that sets it
            fit, optima = fit_k(cells, lloyd, coarse=coarse, n_init=self.n_init, seed=seed)
            share = stability(
                cells, fit, lloyd, optima=optima, n_init=self.n_init, n_bootstraps=self.n_bootstraps, seed=seed
            )
        return fit, share

    def _choose(self, trials: tuple[Trial, ...]) -> Choice:
        in_range = [trial for trial in trials if self.k_min <= trial.k <= self.k_max]  # an own k may lie outside
        choice = choose_k(in_range or trials)
        if self.n_clusters == "auto":
            return choice
        k = int(self.n_clusters)
        own = next(trial for trial in trials if trial.k == k)
        warning = f"With k = {k}, {'; '.join(own.shortcomings)}." if own.shortcomings else ""
        return Choice(
            k=k,
            anchor=choice.anchor,
            reason=f"k = {k} as asked; the rule would take {choice.k}.",
            warning=warning,
        )


def cluster_centres(
    X: Floats,
    ks: Sequence[int],
    *,
    sample_weight: Ints,
    n_init: int = 10,
    max_iter: int = 1000,
    tol: float = 1e-8,
    random_state: int = 0,
    n_jobs: int | None = None,
) -> dict[int, Floats]:
    """Centres of several clusterings of the same points, without choosing or measuring any.

    Parameters
    ----------
    X, sample_weight, n_init, max_iter, tol, random_state, n_jobs
        As for `AutoKMeans`.
    ks
        Numbers of clusters; those beyond the number of distinct points are left out.

    Returns
    -------
    dict of int to ndarray of shape (k, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> found = cluster_centres(np.array([[0.0], [1.0], [9.0]]), [2, 5], sample_weight=np.array([1, 1, 1]))
    >>> {k: centres.ravel().tolist() for k, centres in found.items()}
    {2: [9.0, 0.5]}
    """
    cells, _ = Cells.from_rows(X, sample_weight, 0.0)
    distinct = count_distinct(cells.points)
    lloyd: Lloyd = partial(KMeans, max_iter=max_iter, tol=tol)
    coarse = coarsen(cells)

    def centres(k: int) -> Floats:
        with threadpool_limits(limits=1, user_api="openmp"):
            fit, _ = fit_k(cells, partial(lloyd, k), coarse=coarse, n_init=n_init, seed=random_state)
        return np.asarray(fit.cluster_centers_)

    wanted = [k for k in ks if k <= distinct]
    with threadpool_limits(limits=1):
        found = Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(centres)(k) for k in wanted)
    return dict(zip(wanted, found, strict=True))


def _trial(cells: Cells, fit: KMeans, *, found: Silhouettes, stable: float) -> Trial:
    labels, k = fit.labels_, fit.n_clusters
    sizes = np.bincount(labels, cells.weights, k).astype(np.int64)
    values, _, error = found
    several = 1 < k < cells.customers
    return Trial(
        k=k,
        inertia=float(fit.inertia_) + cells.within,
        silhouette=float(values.mean()),
        silhouette_error=error,
        calinski_harabasz=calinski_harabasz(cells, labels) if several else 0.0,
        davies_bouldin=davies_bouldin(cells, labels) if several else 0.0,
        stability=stable,
        smallest_share=float(sizes.min() / cells.customers),
        smallest_size=int(sizes.min()),
    )
