"""Why this k: the elbow with the stability, and the silhouette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regulars.clustering import MIN_STABILITY
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.clustering import Choice, Trial
    from regulars.pipeline import Segmentation

#: What a shortcoming of a trial is called where there is little room.
_SHORT = {"two segments": "too coarse", "stability": "unstable", "its smallest": "tiny segment"}
_KNIFE_POINTS = 150  # are enough for the outline of a segment


@look.drawn
def elbow_method(result: Segmentation) -> Figure:
    """Draw the inertia by k with the knee, and the stability by k with its limit; the chosen k is dashed.

    Hollow points and hatched bars are the k that fail a check, with the reason.
    """
    choice = result.choice
    figure = look.framed(
        result, title=_elbow_title(choice), subtitle=f"{choice.reason} {choice.warning}".strip(), height=4.3
    )
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
        face = "white" if trial.shortcomings else look.BAR
        axes.plot([trial.k], [trial.inertia], "o", markersize=7, markerfacecolor=face, markeredgecolor=look.BAR, zorder=3)
        look.haloed(
            axes.annotate(
                look.amount(trial.inertia), (trial.k, trial.inertia), (-7, -5) if place else (8, 2),
                textcoords="offset points", ha="right" if place else "left", va="top" if place else "bottom", fontsize=look.SMALL,
            )  # fmt: skip
        )
    _ks(axes, ks)
    look.headroom(axes, inertias)
    _chord(axes, ks, inertias, choice.anchor)
    look.mark_chosen(axes, choice.k)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: look.amount(value)))
    axes.set_ylabel("inertia: squared distance to the centre,\nsummed over customers (scaled units²)")
    hollow = " (hollow: fails a check)" if any(trial.shortcomings for trial in trials) else ""
    axes.set_xlabel(f"number of segments k{hollow}")
    axes.set_title("Inertia")


def _chord(axes: Axes, ks: Sequence[int], inertias: Sequence[float], anchor: int | None) -> None:
    """Draw the chord from the first to the last point, and the knee below it."""
    if len(ks) < 2:  # noqa: PLR2004 - a chord has two ends
        return
    axes.plot([ks[0], ks[-1]], [inertias[0], inertias[-1]], color="#a6b0bc", linewidth=1, zorder=1.2, label="chord")
    if anchor is None:
        axes.text(0.5, 0.8, "no clear knee", transform=axes.transAxes, ha="left", fontstyle="italic", color=look.MUTED)
        return
    at = inertias[ks.index(anchor)]
    above = float(np.interp(anchor, [ks[0], ks[-1]], [inertias[0], inertias[-1]]))
    axes.plot([anchor, anchor], [at, above], color="#a6b0bc", linewidth=4, solid_capstyle="butt", zorder=1.1)
    axes.plot([anchor], [at], "o", markersize=15, markerfacecolor="none", markeredgecolor=look.INK, zorder=4, label="knee")
    note = axes.annotate(
        f"elbow: k = {anchor} lies farthest\nbelow the line between the ends", (anchor, (at + above) / 2), (0.985, 0.74),
        textcoords="axes fraction", ha="right", va="center", fontsize=9, zorder=5,
        arrowprops={"arrowstyle": "->", "color": look.MUTED, "linewidth": 0.9, "relpos": (0, 0.5)},
    )  # fmt: skip
    look.haloed(note)


def _stability(axes: Axes, trials: Sequence[Trial], choice: Choice) -> None:
    crowded = trials[-1].k - trials[0].k > 7  # noqa: PLR2004
    for trial in trials:
        fails = bool(trial.shortcomings)
        tone = look.INK if trial.k == choice.k else look.BAR
        axes.bar(
            trial.k, trial.stability, width=0.72, color="white" if fails else tone, edgecolor=tone, linewidth=0.9,
            hatch="///" if fails else None,
        )  # fmt: skip
        axes.annotate(
            f"{trial.stability:.2f}".removeprefix("0" if crowded else ""), (trial.k, trial.stability), (0, 2), textcoords="offset points", ha="center", fontsize=look.SMALL
        )
        words = ", ".join(_reasons(trial))
        look.haloed(axes.text(trial.k, 0.03, words, rotation=90, ha="center", va="bottom", fontsize=look.SMALL), 4)
    axes.axhline(MIN_STABILITY, color=look.INK, linewidth=1, linestyle=":", label="limit")
    _ks(axes, [trial.k for trial in trials])
    right = axes.get_xlim()[1]
    axes.annotate(f"limit\n{MIN_STABILITY}", (right, MIN_STABILITY), (3, 0), textcoords="offset points", va="center", fontsize=look.SMALL)
    axes.set_ylim(0, 1.09)
    axes.set_ylabel("mean adjusted Rand index\nof bootstrap refits (1 = the same)")
    hatched = " (hatched: fails a check)" if any(trial.shortcomings for trial in trials) else ""
    axes.set_xlabel(f"number of segments k{hatched}")
    axes.set_title("Stability")


def _reasons(trial: Trial) -> list[str]:
    """Shortcomings of a trial in a word or two, each once."""
    found = [
        next((short for start, short in _SHORT.items() if words.startswith(start)), "fails a check")
        for words in trial.shortcomings
    ]
    return list(dict.fromkeys(found))


def _ks(axes: Axes, ks: Sequence[int]) -> None:
    axes.set_xticks(ks)
    axes.set_xlim(ks[0] - 0.6, ks[-1] + 0.8)


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
        subtitle="How much nearer customers are to their own segment than to the next one: 1 is far apart, 0 on the border, "
        "below 0 nearer to another. It is shown, but does not decide: a prettier score is no sign of more useful segments.",
        height=max(4.3, 0.42 * len(result.segments) + 0.9),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    _scores(left, trials, k)
    _knives(right, result, own.silhouette)
    return figure


def _scores(axes: Axes, trials: Sequence[Trial], k: int) -> None:
    ks, scores = [trial.k for trial in trials], [trial.silhouette for trial in trials]
    errors = [2 * trial.silhouette_error for trial in trials]
    sampled = any(errors)
    axes.plot(ks, scores, color=look.BAR, marker="o", markersize=7, label="silhouette")
    if sampled:
        axes.errorbar(ks, scores, yerr=errors, fmt="none", ecolor=look.INK, elinewidth=1, capsize=4)
    for at, value in zip(ks, scores, strict=True):
        look.haloed(
            axes.annotate(f"{value:.2f}", (at, value), (3, 7), textcoords="offset points", ha="left", fontsize=look.SMALL)
        )
    _ks(axes, ks)
    axes.set_ylim(min(0.0, *scores) * 1.2, max(*scores, 0.05) * 1.22)
    look.mark_chosen(axes, k)
    axes.set_xlabel("number of segments k")
    axes.set_ylabel("mean silhouette (−1 to 1)" + ("\nbars: ± 2 standard errors of a sample" if sampled else ""))
    axes.set_title("Score by k", pad=16)


def _knives(axes: Axes, result: Segmentation, mean: float) -> None:
    total = sum(len(values) for values in result.silhouettes.values()) or 1
    least = 0.075 if len(result.segments) > 6 else 0.1  # noqa: PLR2004 - room for a name of two lines
    top, ticks, lowest = 0.0, [], 0.0
    for segment in result.segments:
        values = np.asarray(result.silhouettes.get(segment.id, ()), float)
        height = max(len(values) / total, least)
        if len(values):
            shown = values[np.linspace(0, len(values) - 1, min(len(values), _KNIFE_POINTS)).round().astype(int)]
            _knife(axes, shown, (top, top + height), segment.id)
            lowest = min(lowest, float(values[-1]))
        ticks.append((top + height / 2, look.wrapped(segment.name, 24, most=2)))
        top += height + 0.025
    axes.axvline(0, color=look.INK, linewidth=0.9)
    axes.axvline(mean, color=look.INK, linestyle=":", linewidth=1.4, label="mean")
    axes.annotate(
        f"mean {mean:.2f}", (mean, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
        va="bottom", fontsize=look.SMALL,
    )  # fmt: skip
    axes.set_ylim(top, -0.02)
    axes.set_xlim(min(lowest * 1.15, -0.05), None)
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=look.SMALL)
    for label, segment, (at, _) in zip(axes.get_yticklabels(), result.segments, ticks, strict=True):
        label.set_fontweight("bold")
        axes.plot(
            [-0.02], [at], marker=look.marker(segment.id), color=look.colour(segment.id), markersize=7, clip_on=False,
            markeredgecolor=look.INK, markeredgewidth=0.6, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.tick_params(axis="y", length=0, pad=12)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("silhouette of each customer (−1 to 1); hatched: below 0")
    axes.set_title(f"Customers of the {len(result.segments)} segments", pad=16)


def _knife(axes: Axes, values: np.ndarray, span: tuple[float, float], segment_id: int) -> None:
    """Draw one segment, its best-placed customers on top; the part below zero is hatched."""
    at = np.linspace(*span, len(values))
    tone = look.colour(segment_id)
    axes.fill_betweenx(at, 0, values, facecolor=tone, edgecolor=look.INK, linewidth=0.5)
    below = values < 0
    if below.any():
        axes.fill_betweenx(at[below], 0, values[below], facecolor=tone, edgecolor=look.INK, linewidth=0.5, hatch="////")
