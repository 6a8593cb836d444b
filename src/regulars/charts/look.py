"""The look of all charts: frame, axes, labels, and the facts behind each one as a table and in words."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars.palette import colour

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

INK, MUTED, GRID, BAR, EMPTY = "#1f2933", "#55606e", "#dfe4ea", "#5c7389", "#eef1f5"
AMOUNTS = "Cividis"  # for amounts: read alike with every kind of colour vision
#: Plotly's names of the symbols that the figures use, segment by segment.
SYMBOLS = (
    *("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "triangle-left", "triangle-right"),
    *("pentagon", "hexagon", "diamond-tall"),
)
#: What a page or a notebook gives to Plotly: no upload, no logo, no buttons but those that help to look.
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "plotlyServerURL": "",
    "showSendToCloud": False,
    "responsive": True,
    "displayModeBar": False,
}

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]


def framed(
    title: str, *, alt: str, table: Table, height: int = 380, grid: go.Figure | None = None, **layout: Any
) -> go.Figure:
    """Start an empty chart.

    Parameters
    ----------
    title
        The finding, in a sentence.
    alt
        What the chart shows, in words, for people who do not see it.
    table
        Names of columns and rows: the facts behind the chart. They are kept, with `alt`, in `layout.meta`.
    height
        In pixels.
    grid
        A grid of plots from `make_subplots`; one plot without it.
    **layout
        Of Plotly's layout.
    """
    columns, rows = table
    meta = {"alt": alt, "columns": list(columns), "rows": [list(row) for row in rows]}
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": MUTED, "ticks": "outside", "tickcolor": GRID}
    frame: dict[str, Any] = {
        "title": {"text": escaped(title), "x": 0.01, "xanchor": "left", "font": {"size": 16}},
        "height": height,
        "meta": meta,
        "font": {"family": "system-ui, 'DejaVu Sans', Arial, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 10, "r": 16, "t": 56, "b": 10},
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "bargap": 0.25,
    }
    figure = go.Figure() if grid is None else grid
    figure.update_layout({**frame, **layout})
    figure.update_xaxes(automargin=True, **axis)
    figure.update_yaxes(automargin=True, **axis)
    return figure


def escaped(text: str) -> str:
    """A text that Plotly shows as it is: it takes tags in labels for links, pictures and styles.

    Examples
    --------
    >>> escaped('<a href="http://x">A & B</a>')
    '&lt;a href="http://x"&gt;A &amp; B&lt;/a&gt;'
    """
    return html.escape(text, quote=False)


def lines(text: str, width: int = 24) -> str:
    """A label, escaped, in two lines where it is long."""
    words, first = text.split(), ""
    while words and len(first) + len(words[0]) < width:
        first = f"{first} {words.pop(0)}".strip()
    rest = " ".join(words)
    return escaped(first) + (f"<br>{escaped(rest)}" if first and rest else escaped(rest))


def colours(result: Segmentation) -> list[str]:
    """Colours of the segments, in their order."""
    return [colour(segment.id) for segment in result.segments]


def symbol(segment_id: int) -> str:
    """Symbol of a segment, the same in every chart."""
    return SYMBOLS[segment_id % len(SYMBOLS)]


def tint(colour_: str, share: float = 0.55) -> str:
    """A colour mixed with white, on which dark text can be read.

    Examples
    --------
    >>> tint("#000000", 0.5), tint("#ff0000", 1.0)
    ('#808080', '#ffffff')
    """
    parts = (int(colour_[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def sampled(result: Segmentation, shown: int) -> str:
    """Say that points are a sample, where they are; else ``""``."""
    return (
        ""
        if shown >= result.customers_total
        else f" A sample of {shown:,} of {result.customers_total:,} customers is shown."
    )
