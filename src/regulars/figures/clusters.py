"""The segments in readable units, and their shares of customers and revenue."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox, ScaledTranslation
from numpy.typing import NDArray

from regulars import palette, wording
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation
    from regulars.profiling import Segment

Floats = NDArray[np.float64]

_DAYS = (1, 7, 30, 90, 180, 365, 730, 1460, 2920, 5840)


@look.drawn
def customer_clusters(result: Segmentation) -> Figure:
    """Draw the segments: customers by days since the last order and money, and shares of customers and revenue.

    Large markers are the medians of all customers of a segment; points are the customers of the sample.
    """
    best = max(result.segments, key=lambda segment: segment.profile.revenue_share)
    shares = best.profile
    names = [look.wrapped(segment.name, 40, most=2) for segment in result.segments]
    figure = look.framed(
        result,
        title=f"{best.name}: {wording.percent(shares.customer_share)} of the customers bring "
        f"{wording.percent(shares.revenue_share)} of the revenue",
        subtitle="Left: each small symbol is a customer, each large one the median of a segment. "
        "Right: pale bars are shares of customers, full bars shares of revenue." + look.sampled(result),
        height=max(4.9, sum(_rows(names)) + 0.9),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.55, 1))
    _points(left, result)
    _shares(right, result.segments, names)
    look.settle(figure)
    _name_medians(left, result.segments)
    return figure


def _points(axes: Axes, result: Segmentation) -> None:
    ids = np.asarray(result.sample.segment_id)
    days, money = np.asarray(result.sample.recency_days, float), np.asarray(result.sample.monetary, float)
    floor = min([value for value in result.sample.monetary if value > 0], default=1.0)
    money = np.maximum(money, floor)  # a log axis has no zero
    axes.set_yscale("log")
    axes.set_xscale("function", functions=(_root, np.square))
    style: dict[str, Any] = {"s": 15, "alpha": 0.6, "linewidth": 0.25, "edgecolor": "white", "rasterized": True}
    for segment in result.segments:
        own = ids == segment.id
        style |= {"color": palette.colour(segment.id), "marker": look.marker(segment.id), "label": segment.name}
        sns.scatterplot(x=days[own], y=money[own], ax=axes, legend=False, **style)
    longest = max(days.max(initial=1), *(_medians(segment)[0] for segment in result.segments)) * 1.04
    axes.set_xlim(0, longest)
    axes.xaxis.set_major_locator(FixedLocator([value for value in _DAYS if value <= longest]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    look.money_axis(axes.yaxis, axes.get_ylim(), result.currency)
    axes.grid(visible=True, axis="both")
    axes.set_xlabel("days since the last order (square-root scale)")
    axes.set_ylabel(f"net revenue per customer in {wording.unit(result.currency)} (log scale)")
    axes.set_title("Who is where")


def _root(values: Any) -> Any:
    return np.sqrt(np.maximum(values, 0))


def _medians(segment: Segment) -> tuple[float, float]:
    facts = segment.profile
    return facts.median("recency_days") or 0.0, max(facts.median("monetary") or 0.0, 0.01)


def _name_medians(axes: Axes, segments: Sequence[Segment]) -> None:
    """Mark the medians and put each name near its own, where it hides no other."""
    places = [_medians(segment) for segment in segments]
    scale = axes.get_figure().dpi / 72  # type: ignore[union-attr]
    dots = [axes.transData.transform(place) for place in places]
    taken = [Bbox.from_extents(*(dot - 9 * scale), *(dot + 9 * scale)) for dot in dots]
    style: dict[str, Any] = {"ha": "center", "fontweight": "bold", "linespacing": 1.05, "zorder": 7, "rim": False}
    style["in_layout"] = False
    style["bbox"] = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.85, "linewidth": 0}
    style["arrowprops"] = {"arrowstyle": "-", "color": look.INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 7}
    for segment, place, dot in zip(segments, places, dots, strict=True):
        look.symbol(axes, segment.id, place, size=12, zorder=6, clip_on=True)
        text = look.note(axes, look.wrapped(segment.name, 20, most=4), place, (0, 0), **style)
        size = text.get_window_extent()
        needed = (size.width + 6 * scale, size.height + 6 * scale)
        free = _free_place(dot, needed, taken, inside=axes.get_window_extent(), scale=scale)
        taken.append(free)
        text.set_position((((free.x0 + free.x1) / 2 - dot[0]) / scale, ((free.y0 + free.y1) / 2 - dot[1]) / scale))


def _free_place(dot: Floats, size: tuple[float, float], taken: Sequence[Bbox], *, inside: Bbox, scale: float) -> Bbox:
    """Find the place nearest to a dot where a box of this size covers nothing, or covers least."""
    best, least = inside, math.inf
    for box in _around(dot, size, scale):
        outside = box.width * box.height - _overlap(box, inside)
        hidden = outside * 4 + sum(_overlap(box, other) for other in taken)
        if hidden < least - 0.01:
            best, least = box, hidden
        if hidden <= 0.01:
            break
    return best


def _around(dot: Floats, size: tuple[float, float], scale: float) -> Iterator[Bbox]:
    """Boxes around a dot, near ones first, beside it before above and below it."""
    width, height = size
    for reach in (10, 16, 24, 36, 50, 70, 95, 125, 160):
        for degrees in (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200):
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x = dot[0] + cos * (reach * scale + width / 2)
            y = dot[1] + sin * (reach * scale + height / 2)
            yield Bbox.from_extents(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _overlap(a: Bbox, b: Bbox) -> float:
    wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return float(max(wide, 0.0) * max(high, 0.0))


def _rows(names: Sequence[str]) -> list[float]:
    """Inches that each name and its pair of bars need."""
    return [0.62 + 0.15 * name.count("\n") for name in names]


def _shares(axes: Axes, segments: Sequence[Segment], names: Sequence[str]) -> None:
    """Draw a pair of bars per segment, the name above; the vertical unit is an inch where the figure is full."""
    bottoms = np.cumsum(_rows(names))
    above_bars = ScaledTranslation(0, 5.5 / 72, axes.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
    heading: dict[str, Any] = {"va": "bottom", "fontsize": 9, "fontweight": "bold", "linespacing": 1.05, "rim": False}
    for bottom, segment, name in zip(bottoms, segments, names, strict=True):
        facts, tone = segment.profile, palette.colour(segment.id)
        pairs = ((facts.customer_share, 0.38, 0.35, "customers"), (facts.revenue_share, 0.18, 1.0, "revenue"))
        for share, above, alpha, noun in pairs:
            at, fill = bottom - above, to_rgba(tone, alpha)
            axes.barh(at, share, height=0.18, color=fill, edgecolor=look.INK, linewidth=0.5, label=noun)
            look.note(axes, f"{wording.percent(share)} of {noun}", (share, at), (4, -0.5), rim=False)
        look.symbol(axes, segment.id, (0, bottom - 0.49), transform=axes.transData + above_bars)
        look.note(axes, name, (0, bottom - 0.49), (8, 0), **heading)
    most = max(max(s.profile.customer_share, s.profile.revenue_share) for s in segments)
    axes.set_xlim(0, most * 1.62)
    axes.set_ylim(max(bottoms[-1], 2.0) + 0.12, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    step = 0.25 if most > 0.5 else 0.1
    axes.xaxis.set_major_locator(FixedLocator(list(np.arange(0, most + 0.001, step))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.set_xlabel("share of all (%)")
    axes.set_title("Customers and revenue")
