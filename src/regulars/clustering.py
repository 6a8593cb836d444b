"""Customers as points: transform, K-Means run to the bottom, and an honest choice of k. Arrays only.

Rows are sorted by their values before anything is fitted, so neither the order of the rows nor the ids of the customers
change the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import yeojohnson, yeojohnson_normmax
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

from regulars.errors import NotEnoughDataError, OptionError, listed

__all__ = [
    "MIN_CUSTOMERS",
    "SCALES",
    "AutoKMeans",
    "Choice",
    "Scale",
    "Trial",
    "choose_k",
    "elbow",
    "fit_scale",
    "silhouettes",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
Progress = Callable[[int, int], None]

#: Scale name → functions of recency_days, frequency, monetary, and what centres and scales them afterwards.
SCALES: dict[str, tuple[tuple[str, str, str], str]] = {
    "sqrt-log": (("sqrt", "log1p", "log1p"), "standard"),
    "standard": (("identity",) * 3, "standard"),
    "minmax": (("identity",) * 3, "minmax"),
    "robust": (("identity",) * 3, "robust"),
    "log": (("log1p",) * 3, "standard"),
    "yeo-johnson": (("yeo-johnson",) * 3, "standard"),
}

MIN_CUSTOMERS = 10  # fewer do not make segments
MIN_STABILITY = 0.85  # mean adjusted Rand index of bootstrap refits
MIN_SHARE = 0.03  # of the customers, in the smallest segment
MIN_SIZE = 30  # customers in the smallest segment
KEEP_INFORMATION = 0.90  # of the best back-tested information
EXACT_SILHOUETTE = 20_000  # points; beyond, a sample


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one k gave.

    Parameters
    ----------
    k
        Number of clusters.
    inertia
        Sum of squared distances to the nearest centre.
    silhouette, silhouette_error
        Mean over the points, −1 to 1, and its standard error where it was sampled (0 where it is exact).
    calinski_harabasz, davies_bouldin
        The two other common indices: higher, lower is better.
    stability
        Mean adjusted Rand index between this clustering and refits on bootstrap samples.
    smallest_share, smallest_size
        The smallest cluster, as a share of the points and as a count.
    information
        Bits that the segments carry about who buys next, from the back-test; `None` where there is none.
    """

    k: int
    inertia: float
    silhouette: float
    silhouette_error: float
    calinski_harabasz: float
    davies_bouldin: float
    stability: float
    smallest_share: float
    smallest_size: int
    information: float | None = None

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Why this k is not admissible, in words; empty where it is."""
        out = []
        if self.k < 3:
            out.append("two segments only tell good from bad")
        if self.stability < MIN_STABILITY:
            out.append(f"stability {self.stability:.2f} is below {MIN_STABILITY}")
        if self.smallest_share < MIN_SHARE:
            out.append(f"its smallest segment has {self.smallest_share:.1%} of the customers, below {MIN_SHARE:.0%}")
        if self.smallest_size < MIN_SIZE:
            out.append(f"its smallest segment has {self.smallest_size} customers, below {MIN_SIZE}")
        return tuple(out)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"shortcomings": list(self.shortcomings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen k, the elbow that it started from (`None`: no clear knee), the reason in words, and a warning or ``""``."""

    k: int
    anchor: int | None
    reason: str
    warning: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def elbow(ks: Sequence[int], inertias: Sequence[float]) -> int | None:
    """Find the knee of the inertia curve: the k farthest below the chord from first to last point (kneedle).

    Returns
    -------
    int or None
        `None` with fewer than three points, or where no point lies below the chord.

    References
    ----------
    Satopää, Albrecht, Irwin, Raghavan (2011), "Finding a 'kneedle' in a haystack".

    Examples
    --------
    >>> elbow([2, 3, 4, 5, 6, 7, 8], [6602, 4483, 3443, 2917, 2527, 2311, 2119])
    4
    """
    if len(ks) < 3 or inertias[0] <= inertias[-1]:
        return None
    x = (np.asarray(ks, dtype=float) - ks[0]) / (ks[-1] - ks[0])
    y = (np.asarray(inertias, dtype=float) - inertias[-1]) / (inertias[0] - inertias[-1])
    below = 1 - x - y
    best = int(below.argmax())
    return int(ks[best]) if below[best] > 1e-9 else None  # else a straight line, but for rounding


def choose_k(trials: Sequence[Trial]) -> Choice:
    """Choose k: the admissible one nearest to the elbow.

    Admissible is a k of at least 3 whose stability is at least 0.85 and whose smallest segment has at least 3 % of the
    customers and 30 of them. Where trials carry back-tested information and that k keeps less than 90 % of the best, the
    smallest admissible k that keeps it is taken. None admissible: the most stable, with a warning. The silhouette is
    shown and never decides.

    Examples
    --------
    >>> facts = dict(silhouette_error=0, calinski_harabasz=1, davies_bouldin=1, smallest_share=0.1, smallest_size=99)
    >>> trials = [Trial(k=k, inertia=i, silhouette=s, stability=b, **facts)
    ...     for k, i, s, b in [(2, 66, .5, 1), (3, 45, .4, .95), (4, 34, .3, .6), (5, 29, .3, .9), (6, 25, .3, .9)]]
    >>> choice = choose_k(trials)
    >>> choice.k, choice.anchor
    (5, 4)
    >>> print(choice.reason)
    The elbow is at 4, where stability 0.60 is below 0.85; 5 is the nearest k that passes every check.
    """
    ordered = sorted(trials, key=lambda trial: trial.k)
    anchor = elbow([trial.k for trial in ordered], [trial.inertia for trial in ordered])
    good = [trial for trial in ordered if not trial.shortcomings]
    if not good:
        best = max(ordered, key=lambda trial: (trial.k >= 3, trial.stability, -trial.k))
        return Choice(
            k=best.k,
            anchor=anchor,
            reason=f"No k passes every check; {best.k} is the most stable ({best.stability:.2f}).",
            warning=f"Take these segments with care: with k = {best.k}, {'; '.join(best.shortcomings)}.",
        )
    start = anchor if anchor is not None else good[0].k
    nearest = min(good, key=lambda trial: (abs(trial.k - start), -trial.k))
    keeping = _keeps_information(good, nearest)
    if keeping is not nearest:
        reason = (
            f"{nearest.k} is nearest to the elbow but keeps less than {KEEP_INFORMATION:.0%} of what segments told about "
            f"the next purchases; {keeping.k} is the smallest k that keeps it."
        )
        return Choice(k=keeping.k, anchor=anchor, reason=reason)
    if anchor is None:
        reason = f"The inertia has no clear knee; {nearest.k} is the smallest k that passes every check."
    elif nearest.k == anchor:
        reason = (
            f"The elbow is at {anchor}, it is stable (adjusted Rand index {nearest.stability:.2f}) and its smallest segment "
            f"has {nearest.smallest_share:.0%} of the customers."
        )
    else:
        at_anchor = next(trial for trial in ordered if trial.k == anchor)
        reason = (
            f"The elbow is at {anchor}, where {' and '.join(at_anchor.shortcomings)}; "
            f"{nearest.k} is the nearest k that passes every check."
        )
    return Choice(k=nearest.k, anchor=anchor, reason=reason)


def _keeps_information(good: Sequence[Trial], nearest: Trial) -> Trial:
    """Smallest admissible trial that keeps enough of the best back-tested information; `nearest` where it does."""
    known = [trial for trial in good if trial.information is not None]
    if nearest.information is None or not known:
        return nearest
    needed = KEEP_INFORMATION * max(trial.information or 0.0 for trial in known)
    return nearest if nearest.information >= needed else next(t for t in known if (t.information or 0.0) >= needed)


def silhouettes(X: Floats, labels: Ints, *, random_state: int = 0) -> tuple[Floats, Ints, float]:
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
        fits, trials = self._fit_all(points, wanted, seed, progress)
        self.trials_ = trials
        self.choice_ = self._choose(trials)
        best = fits[self.choice_.k]
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
    ) -> tuple[dict[int, KMeans], tuple[Trial, ...]]:
        """Fit and measure every k, one thread a k: threads inside a fit cost more than they bring on small matrices."""

        def attempt(k: int) -> tuple[KMeans, Trial]:
            with threadpool_limits(limits=1):  # OpenMP's limit belongs to the thread
                fit = self._fit_one(points, k, seed)
                return fit, self._trial(points, fit, seed)

        fits, trials = {}, {}
        with threadpool_limits(limits=1), ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = {pool.submit(attempt, k): k for k in wanted}
            for done, job in enumerate(as_completed(jobs), 1):
                fits[jobs[job]], trials[jobs[job]] = job.result()
                if progress is not None:
                    progress(done, len(wanted))
        return fits, tuple(trials[k] for k in wanted)

    def _fit_one(self, points: Floats, k: int, seed: int) -> KMeans:
        """Fit one k, its clusters numbered by the centre's last feature, largest first."""
        model = KMeans(k, n_init=self.n_init, max_iter=self.max_iter, tol=self.tol, random_state=seed).fit(points)
        centres = model.cluster_centers_
        rank = np.lexsort((*centres.T[:-1], -centres[:, -1]))
        model.cluster_centers_ = np.ascontiguousarray(centres[rank])
        model.labels_ = np.argsort(rank)[model.labels_].astype(np.int32)
        return model

    def _trial(self, points: Floats, fit: KMeans, seed: int) -> Trial:
        labels, k = fit.labels_, fit.n_clusters
        sizes = np.bincount(labels, minlength=k)
        values, _, error = silhouettes(points, labels, random_state=seed)
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
