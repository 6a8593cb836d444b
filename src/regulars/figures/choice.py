"""Why this k: the elbow with the stability, and the silhouette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from regulars import palette, wording
from regulars.clustering import MIN_STABILITY
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.clustering import Choice, Trial
    from regulars.pipeline import Segmentation

#: Start of a shortcoming of a trial → what it is called where there is little room.
_SHORT = {"two segments": "too coarse", "stability": "unstable", "its smallest": "tiny segment"}
_PALE = "#a6b0bc"
_KNIFE_POINTS = 150  # are enough for the outline of a segment


@look.drawn
def elbow_method(result: Segmentation) -> Figure:
    """Draw the inertia by k with the knee, and the stability by k with its limit; the chosen k is dashed.

    Hollow points and hatched bars are the k that fail a check, with the reason.
    """
    choice = result.choice
    reason = f"{choice.reason} {choice.warning}".strip()
    figure = look.framed(result, title=_elbow_title(choice), subtitle=reason, height=4.3)
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
    _inertia(left, result.trials, choice)
    _stability(right, result.trials, choice)
    return figure


def _elbow_title(choice: Choice) -> str:
    if choice.anchor is None:
        return f"No clear knee in the inertia; k = {choice.k} is taken"
    if choice.anchor == choice.k:
        return f"The elbow is at k = {choice.k}: from there on, more segments add little"
    return f"The elbow is at k = {choice.anchor}, but k = {choice.k} is taken"


def _inertia(axes: Axes, trials: Sequence[Trial], choice: Choice) -> None:
    ks, inertias = [trial.k for trial in trials], [trial.inertia for trial in trials]
    axes.plot(ks, inertias, color=look.BAR, zorder=2, label="inertia")
    for place, trial in enumerate(trials):
        at = (trial.k, trial.inertia)
        face = "white" if trial.shortcomings else look.BAR
        axes.plot(*at, "o", markersize=7, markerfacecolor=face, markeredgecolor=look.BAR, zorder=3)
        if place:
            look.note(axes, wording.amount(trial.inertia), at, (-7, -5), ha="right", va="top")
        else:
            look.note(axes, wording.amount(trial.inertia), at, (8, 6))
    _ks(axes, trials, "hollow")
    look.headroom(axes, inertias)
    _chord(axes, ks, inertias, choice.anchor, right=0.86 if choice.k == ks[-1] else 0.985)
    look.mark_chosen(axes, choice.k)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.amount(value)))
    axes.set_ylabel("inertia: squared distance to the centre,\nsummed over customers (scaled units²)")
    axes.set_title("Inertia")


def _chord(axes: Axes, ks: Sequence[int], inertias: Sequence[float], anchor: int | None, *, right: float) -> None:
    """Draw the chord from the first to the last point, and the knee below it, explained left of `right`."""
    ends = [ks[0], ks[-1]], [inertias[0], inertias[-1]]
    axes.plot(*ends, color=_PALE, linewidth=1, zorder=1.2, label="chord")
    if anchor is None:
        axes.text(right, 0.77, "no clear knee", transform=axes.transAxes, ha="right", fontstyle="italic")
        return
    at, above = inertias[ks.index(anchor)], float(np.interp(anchor, *ends))
    axes.plot([anchor, anchor], [at, above], color=_PALE, linewidth=4, solid_capstyle="butt", zorder=1.1)
    ring: dict[str, Any] = {"markersize": 15, "markerfacecolor": "none", "markeredgecolor": look.INK}
    axes.plot([anchor], [at], "o", label="knee", zorder=4, **ring)
    look.note(
        axes,
        f"elbow: k = {anchor} lies farthest\nbelow the line between the ends",
        (anchor, (at + above) / 2),
        (right, 0.77),
        textcoords="axes fraction",
        ha="right",
        fontsize=9,
        zorder=5,
        arrowprops={"arrowstyle": "->", "color": look.MUTED, "linewidth": 0.9, "relpos": (0, 0.5)},
    )


def _stability(axes: Axes, trials: Sequence[Trial], choice: Choice) -> None:
    crowded = trials[-1].k - trials[0].k > 7
    for trial in trials:
        fails = bool(trial.shortcomings)
        tone = look.INK if trial.k == choice.k else look.BAR
        style: dict[str, Any] = {"color": "white", "hatch": "///"} if fails else {"color": tone}
        axes.bar(trial.k, trial.stability, width=0.72, edgecolor=tone, linewidth=0.9, **style)
        words = f"{trial.stability:.2f}".removeprefix("0" if crowded else "")
        look.note(axes, words, (trial.k, trial.stability), (0, 2), ha="center", va="bottom")
        look.note(axes, ", ".join(_reasons(trial)), (trial.k, 0.0), (0, 5), ha="center", va="bottom", rotation=90)
    axes.axhline(MIN_STABILITY, color=look.INK, linewidth=1, linestyle=":", label="limit")
    _ks(axes, trials, "hatched")
    look.note(axes, f"limit\n{MIN_STABILITY}", (axes.get_xlim()[1], MIN_STABILITY), (3, 0), rim=False)
    axes.set_ylim(0, 1.09)
    axes.set_ylabel("mean adjusted Rand index\nof bootstrap refits (1 = the same)")
    axes.set_title("Stability")


def _reasons(trial: Trial) -> list[str]:
    """Shortcomings of a trial in a word or two, each once."""
    found = [
        next((short for start, short in _SHORT.items() if words.startswith(start)), "fails a check")
        for words in trial.shortcomings
    ]
    return list(dict.fromkeys(found))


def _ks(axes: Axes, trials: Sequence[Trial], failing: str = "") -> None:
    """Put the k that were tried on the axis, and say how those that fail a check look."""
    axes.set_xticks([trial.k for trial in trials])
    axes.set_xlim(trials[0].k - 0.6, trials[-1].k + 0.8)
    told = f" ({failing}: fails a check)" if failing and any(trial.shortcomings for trial in trials) else ""
    axes.set_xlabel(f"number of segments k{told}")


@look.drawn
def silhouette_score(result: Segmentation) -> Figure:
    """Draw the mean silhouette by k, and the silhouettes of all customers at the chosen k, sorted per segment.

    Shown, not decisive: see `regulars.clustering.choose_k`.
    """
    trials, k = result.trials, result.choice.k
    own = next(trial for trial in trials if trial.k == k)
    best = max(trials, key=lambda trial: trial.silhouette)
    beside = "the highest of all k" if best.k == k else f"highest at k = {best.k} with {best.silhouette:.2f}"
    figure = look.framed(
        result,
        title=f"Silhouette {own.silhouette:.2f} at the chosen k = {k} ({beside})",
        subtitle="How much nearer customers are to their own segment than to the next one: 1 is far apart, 0 on the "
        "border, below 0 nearer to another. It is shown, but does not decide: a prettier score is no sign of more "
        "useful segments.",
        height=max(4.3, 0.42 * len(result.segments) + 0.9),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    _scores(left, trials, k)
    _knives(right, result, own.silhouette)
    return figure


def _scores(axes: Axes, trials: Sequence[Trial], k: int) -> None:
    ks, scores = [trial.k for trial in trials], [trial.silhouette for trial in trials]
    errors = [2 * trial.silhouette_error for trial in trials]
    axes.plot(ks, scores, color=look.BAR, marker="o", markersize=7, label="silhouette")
    if any(errors):
        axes.errorbar(ks, scores, yerr=errors, fmt="none", ecolor=look.INK, elinewidth=1, capsize=4)
    for k_tried, score, following in zip(ks, scores, [*scores[1:], -1.0], strict=True):
        rises = following > score  # the line leaves to the upper right
        look.note(axes, f"{score:.2f}", (k_tried, score), (4, -10 if rises else 10))
    _ks(axes, trials)
    axes.set_ylim(min(0.0, *scores) * 1.2, max(*scores, 0.05) * 1.22)
    look.mark_chosen(axes, k)
    axes.set_ylabel("mean silhouette (−1 to 1)" + ("\nbars: ± 2 standard errors of a sample" if any(errors) else ""))
    axes.set_title("Score by k", pad=16)


def _knives(axes: Axes, result: Segmentation, mean: float) -> None:
    total = sum(len(values) for values in result.silhouettes.values()) or 1
    least = 0.075 if len(result.segments) > 6 else 0.1  # room for a name of two lines
    top, middles, lowest = 0.0, [], 0.0
    for segment in result.segments:
        values = np.asarray(result.silhouettes.get(segment.id, ()), float)
        bottom = top + max(len(values) / total, least)
        if len(values):
            shown = np.linspace(0, len(values) - 1, min(len(values), _KNIFE_POINTS)).round().astype(int)
            _knife(axes, values[shown], (top, bottom), segment.id)
            lowest = min(lowest, float(values[-1]))
        middles.append((top + bottom) / 2)
        look.symbol(axes, segment.id, (-0.02, middles[-1]), transform=axes.get_yaxis_transform())
        top = bottom + 0.025
    axes.axvline(0, color=look.INK, linewidth=0.9)
    axes.axvline(mean, color=look.INK, linestyle=":", linewidth=1.4, label="mean")
    look.note(axes, f"mean {mean:.2f}", (mean, 1), (0, 2), on_top=True, rim=False, ha="center", va="bottom")
    axes.set_ylim(top, -0.02)
    axes.set_xlim(min(lowest * 1.15, -0.05), None)
    names = [look.wrapped(segment.name, 24, most=2) for segment in result.segments]
    axes.set_yticks(middles, names, fontsize=look.SMALL, fontweight="bold")
    axes.tick_params(axis="y", length=0, pad=12)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("silhouette, −1 to 1 (hatched: below 0)")
    axes.set_title(f"Customers of the {len(result.segments)} segments", pad=16)


def _knife(axes: Axes, values: NDArray[np.float64], span: tuple[float, float], segment_id: int) -> None:
    """Draw one segment, its best-placed customers on top; the part below zero is hatched."""
    at = np.linspace(*span, len(values))
    style: dict[str, Any] = {"facecolor": palette.colour(segment_id), "edgecolor": look.INK, "linewidth": 0.5}
    axes.fill_betweenx(at, 0, values, **style)
    below = values < 0
    if below.any():
        axes.fill_betweenx(at[below], 0, values[below], hatch="////", **style)
