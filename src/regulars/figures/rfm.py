"""Recency, frequency and monetary value of all customers, with the score cut points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from regulars import wording
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

_MOST_BARS = 16
_BARS: dict[str, Any] = {"color": look.BAR, "edgecolor": "white", "linewidth": 0.5}

Values = NDArray[np.float64]


@look.drawn
def rfm_distribution(result: Segmentation) -> Figure:
    """Draw how recency (days), frequency (orders) and monetary value (money) are distributed.

    The median is marked in each panel; light bands are the scores with their ranges in real units.
    """
    sample = result.sample
    days, orders, money = (np.asarray(v, float) for v in (sample.recency_days, sample.frequency, sample.monetary))
    middle = [float(np.median(values)) for values in (days, orders, money)]
    ago = "1 day" if middle[0] == 1 else f"{middle[0]:g} days"
    times = "1 order" if middle[1] == 1 else f"{middle[1]:g} orders"
    spent = wording.money(middle[2], result.currency)
    figure = look.framed(
        result,
        title=f"The median customer last ordered {ago} ago, placed {times} and spent {spent}",
        subtitle=f"Bars count customers. Bands are the scores, {result.cuts.levels} is best; the heavy line is the median."
        + look.sampled(result),
        height=6.9,
    )
    top, centre, bottom = figure.subplots(3, 1)
    _recency(top, result, days)
    _median(top, middle[0], f"median {ago}")
    place = _frequency(centre, result, orders)
    _median(centre, place(middle[1] + 0.5), f"median {times}")
    _monetary(bottom, result, money)
    if middle[2] > 0:
        _median(bottom, middle[2], f"median {spent}")
    figure.align_ylabels()
    return figure


def _recency(axes: Axes, result: Segmentation, days: Values) -> None:
    longest = int(days.max())
    width = next((step for step in (1, 2, 7, 14, 28, 91) if longest / step <= 60), 365)
    edges = np.arange(0.5, longest + width + 0.5, width)
    sns.histplot(x=days, bins=edges, ax=axes, alpha=1, **_BARS)
    axes.set_xlim(0.5, edges[-1])
    steps = [1, 3, 6, 10] if longest > 30 else [1, 2, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(13, steps=steps, integer=True))
    _finish(axes, "Recency", f"days since the last order (one bar {'a day' if width == 1 else f'per {width} days'})")
    _bands(axes, result, "recency_days", lambda value: value, _whole)


def _frequency(axes: Axes, result: Segmentation, orders: Values) -> Callable[[float], float]:
    """Draw bars of equal width, wide ranges of orders on the right; give the place of a number of orders."""
    starts = _order_bins(int(orders.max()))
    counts, _ = np.histogram(orders, bins=np.array(starts) - 0.5)
    places = np.arange(len(counts))
    axes.bar(places + 0.5, counts, width=1.0, **_BARS)
    names = [str(low) if low == high - 1 else f"{low}–{high - 1}" for low, high in pairwise(starts)]
    if len(names) == _MOST_BARS:
        names[-1] = f"{starts[-2]}+"
    axes.set_xticks(places + 0.5, names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(0, len(counts))
    several = "; bars on the right cover several" if starts[-1] - starts[-2] > 1 else ""
    _finish(axes, "Frequency", f"orders per customer{several}")

    def place(value: float) -> float:
        return float(np.interp(value, starts, np.arange(len(starts))))

    _bands(axes, result, "frequency", lambda value: place(value + 0.5), _whole)
    return place


def _order_bins(most: int) -> list[int]:
    """First order number of each bar, and the end of the last: every number at first, then wider and wider."""
    starts = [1]
    while starts[-1] <= most and len(starts) < _MOST_BARS:
        starts.append(max(starts[-1] + 1, round(starts[-1] * 1.3)))
    return starts if starts[-1] > most else [*starts, most + 1]


def _monetary(axes: Axes, result: Segmentation, money: Values) -> None:
    positive = money[money > 0]
    axes.set_xscale("log")
    if len(positive):
        low, high = math.floor(math.log10(positive.min()) * 8), math.floor(math.log10(positive.max()) * 8) + 1
        edges = 10 ** (np.arange(low, high + 1) / 8)
        counts, _ = np.histogram(positive, bins=edges)
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", **_BARS)
        axes.set_xlim(edges[0], edges[-1])
    look.money_axis(axes.xaxis, axes.get_xlim(), result.currency)
    missing = len(money) - len(positive)
    hidden = f"; {wording.counted(missing, 'customer')} at zero or less not shown" if missing else ""
    _finish(axes, "Monetary value", f"net revenue per customer in {wording.unit(result.currency)} (log scale{hidden})")
    write = lambda value: wording.money(value, result.currency, short=False)  # noqa: E731
    _bands(axes, result, "monetary", lambda value: value, write)


def _whole(value: float) -> str:
    """Write a number of days or orders."""
    return f"{value:,.0f}"


def _finish(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title, pad=26)
    axes.set_xlabel(label)
    axes.set_ylabel("customers")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    look.headroom(axes, [axes.dataLim.y1])


def _bands(
    axes: Axes, result: Segmentation, measure: str, place: Callable[[float], float], write: Callable[[float], str]
) -> None:
    """Shade the ranges of the scores in turn, and name each above the panel as far as there is room."""
    left, right = axes.get_xlim()
    half = 0.0 if measure == "monetary" else 0.5  # whole numbers part halfway
    for number, low, high in result.cuts.ranges(measure):
        starts = -math.inf if low is None else place(float(low) - half)
        ends = math.inf if high is None else place(float(high) + half)
        starts, ends = max(starts, left), min(ends, right)
        if starts >= ends:
            continue
        if number % 2:
            axes.axvspan(starts, ends, color=look.BAND, zorder=0, linewidth=0)
        for edge in (starts, ends):
            if left < edge < right:
                axes.axvline(edge, color="#c3cbd5", linewidth=0.8, zorder=0.5)
        _name_band(axes, f"{measure[0].upper()}{number}", _spans(measure, low, high, write), (starts, ends))


def _spans(measure: str, low: Any, high: Any, write: Callable[[float], str]) -> list[str]:
    """Write a range in full, and shorter with only the end that the score needs."""
    whole = measure != "monetary"
    low = 1 if whole and high == 1 else low
    needs_less = "" if high is None else f"{'≤' if whole else '<'}{write(float(high))}"
    needs_more = "" if low is None else f"≥{write(float(low))}"
    if not (needs_less and needs_more):
        return [needs_less or needs_more or "all"]
    full = write(float(low)) if low == high else f"{write(float(low))}–{write(float(high))}"
    return [full, needs_less if measure == "recency_days" else needs_more]


def _name_band(axes: Axes, name: str, spans: Sequence[str], ends: tuple[float, float]) -> None:
    """Write the name of a score and its range above its band, as far as there is room."""
    left, right = (float(axes.transData.transform((end, 0))[0]) for end in ends)
    box = axes.get_window_extent()
    inches = (right - left) / box.width * (look.WIDTH - 0.9)
    span = next((words for words in spans if len(words) * 0.065 < inches), "")
    shown = name if len(name) * 0.065 < inches else ""
    middle = (left + right - 2 * box.x0) / 2 / box.width
    style: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "bottom", "linespacing": 1.1}
    axes.text(middle, 1.02, f"{shown}\n{span}", style, color=look.MUTED, fontsize=8)


def _median(axes: Axes, place: float, label: str) -> None:
    axes.axvline(place, color=look.INK, linewidth=2.2, label=label)
    box, at = axes.get_window_extent(), axes.transData.transform((place, 0))[0]
    late = (at - box.x0) / box.width > 0.75
    style: dict[str, Any] = {"ha": "right" if late else "left", "va": "top", "fontsize": 9.5, "fontweight": "bold"}
    look.note(axes, label, (place, 0.95), (-6 if late else 6, 0), on_top=True, **style)
