"""The segments in readable units, and their shares of customers and revenue."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox, ScaledTranslation

from regulars.figures import look

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation
    from regulars.profiling import Segment

_DAYS = (1, 7, 30, 90, 180, 365, 730, 1460, 2920, 5840)


@look.drawn
def customer_clusters(result: Segmentation) -> Figure:
    """Draw the segments: customers by days since the last order and money, and shares of customers and revenue.

    Large markers are the medians of all customers of a segment; points are the customers of the sample.
    """
    best = max(result.segments, key=lambda segment: segment.profile.revenue_share)
    shares = best.profile
    names = [look.wrapped(segment.name, 42, most=2) for segment in result.segments]
    figure = look.framed(
        result,
        title=f"{best.name}: {look.percent(shares.customer_share)} of the customers bring "
        f"{look.percent(shares.revenue_share)} of the revenue",
        subtitle="Left: each small symbol is a customer, each large one the median of a segment. "
        "Right: pale bars are shares of customers, full bars shares of revenue." + look.sampled(result),
        height=max(4.9, sum(_rows(names)) + 0.9),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.55, 1))
    _points(left, result)
    _shares(right, result.segments, names)
    figure.draw_without_rendering()  # settles where the axes are
    _name_medians(left, result.segments)
    return figure


def _points(axes: Axes, result: Segmentation) -> None:
    ids = np.asarray(result.sample.segment_id)
    days, money = np.asarray(result.sample.recency_days, float), np.asarray(result.sample.monetary)
    floor = min([value for value in result.sample.monetary if value > 0], default=1.0)
    money = np.maximum(money, floor)  # a log axis has no zero
    axes.set_yscale("log")
    axes.set_xscale("function", functions=(_root, np.square))
    for segment in result.segments:
        own = ids == segment.id
        sns.scatterplot(
            x=days[own],
            y=money[own],
            ax=axes,
            color=look.colour(segment.id),
            marker=look.marker(segment.id),
            s=15,
            alpha=0.6,
            linewidth=0.25,
            edgecolor="white",
            rasterized=True,
            label=segment.name,
            legend=False,
        )
    longest = float(days.max(initial=1))
    axes.set_xlim(0, longest * 1.04)
    axes.xaxis.set_major_locator(FixedLocator([value for value in _DAYS if value <= longest * 1.04]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    narrow = money.max(initial=floor) / floor < 1000  # noqa: PLR2004
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if narrow else (1.0,)))
    axes.yaxis.set_major_formatter(look.money_ticks(result.currency))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(visible=True, axis="both")
    axes.set_xlabel("days since the last order (square-root scale)")
    axes.set_ylabel(f"net revenue per customer in {look.unit(result.currency)} (log scale)")
    axes.set_title("Who is where")


def _root(values: Any) -> Any:
    return np.sqrt(np.maximum(values, 0))


def _medians(segment: Segment) -> tuple[float, float]:
    facts = segment.profile
    return facts.median("recency_days") or 0.0, max(facts.median("monetary") or 0.0, 0.01)


def _name_medians(axes: Axes, segments: Sequence[Segment]) -> None:
    """Mark the medians and put each name near its own, where it hides no other."""
    places = [_medians(segment) for segment in segments]
    for segment, (x, y) in zip(segments, places, strict=True):
        style: dict[str, Any] = {"marker": look.marker(segment.id), "markersize": 12, "linestyle": "none"}
        style |= {"markeredgecolor": look.INK, "markeredgewidth": 1.3}
        axes.plot([x], [y], color=look.colour(segment.id), zorder=6, **style)
    scale = axes.get_figure().dpi / 72  # type: ignore[union-attr]
    dots = [axes.transData.transform(place) for place in places]
    taken = [Bbox.from_extents(*(dot - 9 * scale), *(dot + 9 * scale)) for dot in dots]
    for segment, place, dot in zip(segments, places, dots, strict=True):
        text = axes.annotate(
            look.wrapped(segment.name, 20, most=4),
            place,
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=look.SMALL,
            fontweight="bold",
            linespacing=1.05,
            zorder=7,
            in_layout=False,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.85, "linewidth": 0},
            arrowprops={"arrowstyle": "-", "color": look.INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 7},
        )
        size = text.get_window_extent()
        free = _free_place(dot, (size.width + 6 * scale, size.height + 6 * scale), taken, axes.get_window_extent(), scale)
        taken.append(free)
        text.set_position(((free.x0 + free.x1) / 2 / scale - dot[0] / scale, (free.y0 + free.y1) / 2 / scale - dot[1] / scale))


def _free_place(dot: np.ndarray, size: tuple[float, float], taken: Sequence[Bbox], inside: Bbox, scale: float) -> Bbox:
    """Find the place nearest to a dot where a box of this size covers nothing, or covers least."""
    best, least = None, math.inf
    for box in _around(dot, size, scale):
        outside = box.width * box.height - _overlap(box, inside)
        hidden = outside * 4 + sum(_overlap(box, other) for other in taken)
        if hidden < least:
            best, least = box, hidden
        if hidden <= 0:
            break
    return best if best is not None else Bbox.from_bounds(*dot, *size)


def _around(dot: np.ndarray, size: tuple[float, float], scale: float) -> Iterator[Bbox]:
    width, height = size
    for reach in (10, 16, 24, 36, 50, 70, 95, 125, 160):
        for degrees in (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200):
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x = dot[0] + cos * (reach * scale + width / 2)
            y = dot[1] + sin * (reach * scale + height / 2)
            yield Bbox.from_bounds(x - width / 2, y - height / 2, width, height)


def _overlap(a: Bbox, b: Bbox) -> float:
    wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(wide, 0.0) * max(high, 0.0)


def _rows(names: Sequence[str]) -> list[float]:
    """Inches that each name and its pair of bars need."""
    return [0.62 + 0.15 * name.count("\n") for name in names]


def _shares(axes: Axes, segments: Sequence[Segment], names: Sequence[str]) -> None:
    """Draw a pair of bars per segment, the name above; the vertical unit is an inch where the figure is full."""
    bottoms = np.cumsum(_rows(names))
    above_bars = ScaledTranslation(0, 7 / 72, axes.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
    for bottom, segment, name in zip(bottoms, segments, names, strict=True):
        facts, tone = segment.profile, look.colour(segment.id)
        pairs = ((facts.customer_share, 0.38, 0.35, "customers"), (facts.revenue_share, 0.18, 1.0, "revenue"))
        for share, above, alpha, noun in pairs:
            axes.barh(bottom - above, share, height=0.18, color=tone, alpha=alpha, linewidth=0, label=f"{segment.name}: {noun}")
            axes.barh(bottom - above, share, height=0.18, fill=False, edgecolor=look.INK, linewidth=0.5)
            axes.annotate(
                f"{look.percent(share)} of {noun}", (share, bottom - above), (4, -0.5), textcoords="offset points",
                va="center", fontsize=look.SMALL,
            )  # fmt: skip
        axes.plot(
            [0], [bottom - 0.49], marker=look.marker(segment.id), color=tone, markersize=7, clip_on=False,
            markeredgecolor=look.INK, markeredgewidth=0.6, transform=axes.transData + above_bars,
        )  # fmt: skip
        axes.annotate(
            name, (0, bottom - 0.49), (8, 0), textcoords="offset points", va="bottom", fontsize=9, fontweight="bold",
            linespacing=1.05,
        )  # fmt: skip
    most = max(max(s.profile.customer_share, s.profile.revenue_share) for s in segments)
    axes.set_xlim(0, most * 1.62)
    axes.set_ylim(max(bottoms[-1], 2.0) + 0.12, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(most)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel("share of all (%)")
    axes.set_title("Customers and revenue")


def _ticks(most: float) -> list[float]:
    step = 0.25 if most > 0.5 else 0.1  # noqa: PLR2004
    return [step * i for i in range(int(most / step) + 1)]
