"""K-Means run to the bottom, for every k of a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from regulars.clustering.choosing import Choice, Trial, choose_k
from regulars.clustering.scales import Floats
from regulars.errors import NotEnoughDataError, OptionError

__all__ = ["EXACT_SILHOUETTE", "MIN_CUSTOMERS", "AutoKMeans", "silhouettes"]

Ints = NDArray[np.integer[Any]]
Silhouettes = tuple[Floats, Ints, float]
Progress = Callable[[int, int], None]

MIN_CUSTOMERS = 10  # fewer do not make segments
EXACT_SILHOUETTE = 20_000  # points; beyond, a sample


def silhouettes(X: Floats, labels: Ints, *, random_state: int = 0) -> Silhouettes:
    """Silhouette of each point, exact up to 20,000 points, of a sample beyond.

    Returns
    -------
    values, index, error
        Silhouette of the points `index`, and the standard error of their mean (0 where it is exact).
    """
    n = len(X)
    index = np.arange(n)
    if n > EXACT_SILHOUETTE:
        index = np.sort(np.random.default_rng(random_state).choice(n, EXACT_SILHOUETTE, replace=False))
    part = labels[index]
    if not 1 < len(np.unique(part)) < len(part):
        return np.zeros(len(index)), index, 0.0
    values = silhouette_samples(X[index], part)
    error = 0.0 if n <= EXACT_SILHOUETTE else float(values.std(ddof=1) / np.sqrt(len(values)))
    return values, index, error


class AutoKMeans(ClusterMixin, TransformerMixin, BaseEstimator):
    """K-Means that chooses k and says why.

    scikit-learn's K-Means, run to the bottom (many starts, tiny tolerance) on sorted rows, for every k of a range; the
    trials with their indices and bootstrap stability are kept, and `choose_k` decides. Clusters are numbered by their
    centre's last feature, largest first (for customers: by monetary value).

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

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
    labels_ : ndarray of shape (n_samples,)
    inertia_ : float
    n_iter_ : int
    n_clusters_ : int
    trials_ : tuple of Trial
    choice_ : Choice
    silhouettes_ : dict
        Cluster → silhouettes of its points (of a sample beyond 20,000), from high to low.
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
    ) -> None:
        self.n_clusters = n_clusters
        self.k_min = k_min
        self.k_max = k_max
        self.n_init = n_init
        self.n_bootstraps = n_bootstraps
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None, *, progress: Progress | None = None) -> Self:
        """Fit every k, measure, choose.

        Parameters
        ----------
        X
            Points, shape (n_samples, n_features), already scaled.
        y
            Ignored.
        progress
            Called with (trials done, trials in all).

        Raises
        ------
        NotEnoughDataError
            Fewer distinct points than clusters were asked for.
        """
        points: Floats = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        order = np.lexsort(points.T)
        points = points[order]
        distinct = len(np.unique(points, axis=0))
        wanted = self._wanted(distinct)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        attempts = self._fit_all(points, wanted, seed, progress)
        self.trials_ = tuple(attempts[k][1] for k in wanted)
        self.choice_ = self._choose(self.trials_)
        best, _, (values, index, _) = attempts[self.choice_.k]
        own = best.labels_[index]
        self.silhouettes_ = {k: np.sort(values[own == k])[::-1] for k in range(self.choice_.k)}
        self.n_clusters_ = self.choice_.k
        self.cluster_centers_ = best.cluster_centers_
        self.inertia_ = float(best.inertia_)
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
        self, points: Floats, wanted: Sequence[int], seed: int, progress: Progress | None
    ) -> dict[int, tuple[KMeans, Trial, Silhouettes]]:
        """Fit and measure every k, in one thread: on small matrices more threads only wait for each other."""
        attempts = {}
        with threadpool_limits(limits=1):
            for done, k in enumerate(wanted, 1):
                fit = self._fit_one(points, k, seed)
                found = silhouettes(points, fit.labels_, random_state=seed)
                attempts[k] = fit, self._trial(points, fit, found=found, seed=seed), found
                if progress is not None:
                    progress(done, len(wanted))
        return attempts

    def _fit_one(self, points: Floats, k: int, seed: int) -> KMeans:
        """Fit one k, its clusters numbered by the centre's last feature, largest first."""
        model = KMeans(k, n_init=self.n_init, max_iter=self.max_iter, tol=self.tol, random_state=seed).fit(points)
        centres = model.cluster_centers_
        rank = np.lexsort((*centres.T[:-1], -centres[:, -1]))
        model.cluster_centers_ = np.ascontiguousarray(centres[rank])
        model.labels_ = np.argsort(rank)[model.labels_].astype(np.int32)
        return model

    def _trial(self, points: Floats, fit: KMeans, *, found: Silhouettes, seed: int) -> Trial:
        labels, k = fit.labels_, fit.n_clusters
        sizes = np.bincount(labels, minlength=k)
        values, _, error = found
        several = 1 < k < len(points)
        return Trial(
            k=k,
            inertia=float(fit.inertia_),
            silhouette=float(values.mean()),
            silhouette_error=error,
            calinski_harabasz=float(calinski_harabasz_score(points, labels)) if several else 0.0,
            davies_bouldin=float(davies_bouldin_score(points, labels)) if several else 0.0,
            stability=self._stability(points, labels, k=k, seed=seed),
            smallest_share=float(sizes.min() / len(points)),
            smallest_size=int(sizes.min()),
        )

    def _stability(self, points: Floats, labels: Ints, *, k: int, seed: int) -> float:
        """Mean adjusted Rand index of `labels` and the labels that refits on bootstrap samples give to all points."""
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(self.n_bootstraps):
            drawn = np.bincount(rng.integers(len(points), size=len(points)), minlength=len(points))
            sample, weight = points[drawn > 0], drawn[drawn > 0]
            if len(np.unique(sample, axis=0)) < k:
                continue
            refit = KMeans(
                k,
                n_init=min(self.n_init, 5),
                max_iter=self.max_iter,
                tol=self.tol,
                random_state=int(rng.integers(2**31 - 1)),
            ).fit(sample, sample_weight=weight)
            found.append(adjusted_rand_score(labels, refit.predict(points)))
        return float(np.mean(found)) if found else 0.0

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
