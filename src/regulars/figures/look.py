"""The look of all figures: colours, symbols, frame, and how numbers are written."""

from __future__ import annotations

import math
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib import font_manager, patheffects
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from regulars.palette import colour
from regulars.wording import counted, day, money, shortened

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")

INK, MUTED, GRID, BAND = "#1f2933", "#55606e", "#e2e6eb", "#eef1f5"
BAR = "#5c7389"  # for what belongs to no segment

WIDTH = 9.0  # inches; a README shows it at about 900 px
SMALL = 8.5  # points

_CJK = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "PingFang SC", "Hiragino Sans"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
)
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "regulars",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a $
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}
_LOCK = threading.RLock()  # Matplotlib's settings belong to the process


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, whatever the user's own settings are, and give those back unchanged."""
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        known = set(font_manager.get_font_names())
        families = ["DejaVu Sans", *(name for name in _CJK if name in known)]
        matplotlib.rcParams.update({**_STYLE, "font.family": families})
        yield


def drawn(draw: Callable[[Segmentation], Figure]) -> Callable[[Segmentation], Figure]:
    """Make a function draw in the house style; ticks and layout are settled before the style is left."""

    @wraps(draw)
    def styled(result: Segmentation) -> Figure:
        with house_style():
            figure = draw(result)
            settle(figure)
            return figure

    return styled


def settle(figure: Figure) -> None:
    """Lay a figure out, once: places in it can be measured from then on.

    They are rounded, as the solver's last digits differ from run to run.
    """
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.execute(figure)
        figure.set_layout_engine(None)  # not "none": that would draw everything twice
        for axes in figure.axes:
            axes.set_position(Bbox(axes.get_position(original=True).get_points().round(5)))


def framed(result: Segmentation, *, title: str, subtitle: str, height: float) -> Figure:
    """Start an empty figure: the finding on top, how to read it below, the source at the foot.

    `height` is what the axes get, in inches.
    """
    heading = wrapped(title, 78)
    reading = wrapped(subtitle, 128, even=False)
    top = 0.16 + 0.25 * (heading.count("\n") + 1)
    header = top + 0.17 * (reading.count("\n") + 1) + 0.14
    total = height + header + 0.3
    room = (0.006, 0.3 / total, 0.988, height / total)
    layout = ConstrainedLayoutEngine(rect=room, w_pad=0.06, h_pad=0.04, wspace=0.04, hspace=0.05)
    figure = Figure(figsize=(WIDTH, total), layout=layout)
    placing: dict[str, Any] = {"x": 0.012, "ha": "left", "in_layout": False}
    figure.suptitle(heading, y=1 - 0.12 / total, va="top", fontsize=13.5, fontweight="bold", **placing)
    figure.text(s=reading, y=1 - top / total, va="top", color=MUTED, **placing)
    source = shortened(result.source, 70)
    foot = f"{source} · {counted(result.customers_total, 'customer')} · as of {day(result.as_of)}"
    figure.text(s=foot, y=0.09 / total, va="bottom", color=MUTED, fontsize=SMALL, **placing)
    return figure


def marker(segment_id: int) -> str:
    """Symbol of a segment, the same in every figure."""
    return MARKERS[segment_id % len(MARKERS)]


def note(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    *,
    on_top: bool = False,
    rim: bool = True,
    **style: Any,
) -> Annotation:
    """Write a text beside a point, `offset` in points.

    With `on_top`, the second coordinate is a share of the height of the axes. A white `rim` lets a text be read on
    lines and bars, at some cost in the size of an SVG.
    """
    wanted: dict[str, Any] = {"fontsize": SMALL, "va": "center", "textcoords": "offset points"}
    if on_top:
        wanted["xycoords"] = ("data", "axes fraction")
    written = axes.annotate(text, at, offset, **(wanted | style))
    if rim:
        written.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])
    return written


def symbol(axes: Axes, segment_id: int, at: tuple[float, float], *, size: float = 7, **more: Any) -> None:
    """Draw the symbol of a segment in its colour, with a thin outline."""
    axes.plot(
        [at[0]],
        [at[1]],
        marker=marker(segment_id),
        color=colour(segment_id),
        markersize=size,
        markeredgecolor=INK,
        markeredgewidth=0.6 if size < 10 else 1.3,
        linestyle="none",
        **({"clip_on": False} | more),
    )


def mark_chosen(axes: Axes, k: int) -> None:
    """Draw the dashed line at the chosen k, named on top."""
    axes.axvline(k, color=INK, linestyle=(0, (4, 3)), linewidth=1.3, zorder=1.5, label=f"k = {k}")
    right = axes.get_xlim()[1]
    near_end = k > right - 1
    style: dict[str, Any] = {"ha": "right" if near_end else "left", "va": "top", "fontsize": 9.5, "fontweight": "bold"}
    note(axes, f"k = {k} chosen", (k, 1.0), (-4 if near_end else 4, -2), on_top=True, **style)


def sampled(result: Segmentation) -> str:
    """Say that points are a sample, where they are; else ``""``."""
    shown = len(result.sample.segment_id)
    return "" if shown >= result.customers_total else f" A sample of {shown:,} customers is shown."


def wrapped(text: str, width: int, *, most: int = 6, even: bool = True) -> str:
    r"""Break a text into at most `most` lines, about as long as each other where `even`.

    Examples
    --------
    >>> wrapped("Occasional moderate, more frequent", 20)
    'Occasional moderate,\nmore frequent'
    """
    words = " ".join(text.split())
    lines = textwrap.wrap(words, width, max_lines=most, placeholder=" …", break_on_hyphens=False)
    cut = " ".join(lines) != words
    for narrower in range(width - 1, 0, -1):
        fewer = textwrap.wrap(words, narrower, break_long_words=False, break_on_hyphens=False)
        if cut or not even or len(fewer) > len(lines) or any(len(line) > narrower for line in fewer):
            break
        lines = fewer
    return "\n".join(lines)


def money_ticks(currency: str | None) -> FuncFormatter:
    """Write money on an axis."""
    return FuncFormatter(lambda value, _: money(value, currency))


def money_axis(axis: Axis, limits: tuple[float, float], currency: str | None) -> None:
    """Put money on a log axis: at every power of ten, and in between where there are few."""
    decades = math.log10(limits[1] / limits[0])
    between = (1.0, 2.0, 5.0) if decades < 2 else (1.0, 3.0) if decades < 3.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=between, numticks=15))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(money_ticks(currency))


def headroom(axes: Axes, values: Sequence[float], *, share: float = 0.12) -> None:
    """Leave room for labels above bars or points that start at zero."""
    highest = max([*values, 0.0])
    axes.set_ylim(0, highest * (1 + share) if highest > 0 else 1)
