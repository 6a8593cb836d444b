"""What each k gave, and which one to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["MIN_STABILITY", "Choice", "Trial", "choose_k", "elbow"]

MIN_STABILITY = 0.85  # mean adjusted Rand index of bootstrap refits
MIN_SHARE = 0.03  # of the customers, in the smallest segment
MIN_SIZE = 30  # customers in the smallest segment
KEEP_INFORMATION = 0.90  # of the best back-tested information


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one k gave.

    Parameters
    ----------
    k
        Number of clusters.
    inertia
        Sum of squared distances to the nearest centre, over all customers.
    silhouette, silhouette_error
        Mean over the customers, −1 to 1, and its standard error where it was sampled (0 where it is exact).
    calinski_harabasz, davies_bouldin
        The two other common indices: higher, lower is better.
    stability
        Mean adjusted Rand index between this clustering and refits on bootstrap samples.
    smallest_share, smallest_size
        The smallest cluster, as a share of the customers and as a count.
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
            shown = f"{self.stability:.2f}" if self.stability < MIN_STABILITY - 0.005 else f"{self.stability:.4f}"
            out.append(f"stability {shown} is below {MIN_STABILITY}")
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
