"""The look of all charts: frame, axes, labels, and the facts behind each one as a table and in words."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars.palette import colour
from regulars.wording import amount, money, unit

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation
    from regulars.profiling import Segment

INK, MUTED, GRID, BAR = "#1f2933", "#55606e", "#dfe4ea", "#5c7389"
OUTLINE = "#76818d"  # of marks and arrows: seen on white and on black
ASIDE = "#bd1f01"  # for what is taken away
#: For amounts: read alike with every kind of colour vision, and both ends are seen on white and on black.
AMOUNTS = ((0.0, "#b9d6ea"), (0.5, "#4a98c9"), (1.0, "#08458c"))
#: For shares with a text on them: dark text can be read on every one.
SHARES = ((0.0, "#d9e8f4"), (1.0, "#5ba3d4"))
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
#: A hover text that is written out for each mark; the second one says beside it which segment that is.
HOVER, HOVER_NAMED = "%{customdata}<extra></extra>", "%{customdata}<extra>%{fullData.name}</extra>"
LETTER = 7.4  # pixels of a letter, at most, on average
LEGEND_NAME, CURRENCY = 32, 8  # letters
IN_A_LINE = 5  # segments
ABOVE, SHORT = 0.42, 28  # of names above rows: how far, in rows, and how many letters

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
    axis = {"gridcolor": GRID, "linecolor": MUTED, "ticks": "outside", "tickcolor": GRID, "zeroline": False}
    frame: dict[str, Any] = {
        "title": {
            "text": escaped(title),
            "x": 0.01,
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 12},
            "font": {"size": 16},
        },
        "height": height,
        "meta": meta,
        "font": {"family": "system-ui, 'DejaVu Sans', Arial, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 10, "r": 16, "t": 56, "b": 10},
        "hoverlabel": {"align": "left", "namelength": -1},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "bargap": 0.25,
    }
    figure = go.Figure() if grid is None else grid
    figure.update_layout({**frame, **layout})
    figure.update_xaxes(automargin=True, **axis)
    figure.update_yaxes(automargin=True, **axis)
    return figure


def nothing(figure: go.Figure, words: str) -> go.Figure:
    """Say in the middle of a chart why it is empty."""
    figure.add_annotation(x=0.5, y=0.5, xref="paper", yref="paper", text=escaped(words), showarrow=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def beside(result: Segmentation) -> dict[str, Any]:
    """Where the legend is with more segments than fit into a line above the chart."""
    return {"legend": {"orientation": "v"}} if len(result.segments) > IN_A_LINE else {}


def across(
    figure: go.Figure, names: Sequence[str], values: Sequence[float], labels: Iterable[str], *, width: int = 20
) -> None:
    """Lay out horizontal bars at 0, 1, 2 … from the top: names at their left, room for labels at the end of the longest.

    The room is in the margin, so that a label of `labels` is whole however narrow the chart is drawn.
    """
    low, high = min([0.0, *values]), max([0.0, *values])
    figure.update_layout(margin={"r": round(14 + LETTER * max(map(len, labels), default=0))})
    figure.update_xaxes(range=[low * 1.4, high if high > low else low + 1])
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[lines(name, width) for name in names],
        range=[max(len(names), 1) - 0.5, -0.5],
        showgrid=False,
    )


def add_bins(
    figure: go.Figure, edges: Sequence[tuple[float, float]], counts: Sequence[int], texts: list[str], **place: int
) -> None:
    """Add a histogram: a bar from edge to edge with its count and what it says."""
    figure.add_bar(
        x=[round((low + high) / 2, 4) for low, high in edges],
        y=list(counts),
        width=[round(high - low, 4) for low, high in edges],
        marker={"color": BAR, "line": {"color": "white", "width": 0.5}},
        customdata=texts,
        hovertemplate=HOVER,
        **place,
    )


def add_names(figure: go.Figure, texts: Sequence[tuple[str, str]], *, x: float, **place: int) -> None:
    """Write names, with what belongs to each, above rows 0, 1, 2 … from the top: beside, they would take half a phone."""
    figure.add_scatter(
        x=[x] * len(texts),
        y=[row - ABOVE for row in range(len(texts))],
        mode="text",
        text=[f"<b>{escaped(cut(name, SHORT))}</b>\u00a0{escaped(words)}" for name, words in texts],
        textposition="middle right",
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
        **place,
    )
    lowest = max(len(texts), 2) - 0.6
    figure.update_yaxes(showticklabels=False, ticks="", showgrid=False, range=[lowest, -0.8], **place)


# ---- texts


def escaped(text: str) -> str:
    """A text that Plotly shows as it is: it takes tags in labels for links, pictures and styles.

    Examples
    --------
    >>> escaped('<a href="http://x">A & B</a>')
    '&lt;a href="http://x"&gt;A &amp; B&lt;/a&gt;'
    """
    return html.escape(text, quote=False)


def stacked(*texts: str) -> str:
    """Texts below each other, escaped: what a mark says when it is pointed at."""
    return "<br>".join(escaped(text) for text in texts)


def lines(text: str, width: int = 20) -> str:
    """A label, escaped, in two lines of at most `width` letters where it is long; what is longer still ends in "…".

    Examples
    --------
    >>> lines("Loyal"), lines("Occasional moderate spenders", 12)
    ('Loyal', 'Occasional<br>moderate sp…')
    """
    words, first = text.split(), ""
    while words and len(f"{first} {words[0]}".strip()) <= width:
        first = f"{first} {words.pop(0)}".strip()
    rest = cut(" ".join(words), width)
    return stacked(*filter(None, (first, rest)))


def cut(text: str, most: int) -> str:
    """Cut a text at its end.

    Examples
    --------
    >>> cut("Loyal", 5), cut("Loyalty", 5)
    ('Loyal', 'Loya…')
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def legend_name(segment: Segment) -> str:
    """Name of a segment in a legend."""
    return escaped(cut(segment.name, LEGEND_NAME))


def listing(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with what belongs to each, as a sentence.

    Examples
    --------
    >>> listing([("Mon", "£5"), ("Tue", "£7")])
    'Mon: £5; Tue: £7.'
    """
    return "; ".join(f"{name}: {words}" for name, words in pairs) + "."


def paid(result: Segmentation, value: float | Decimal) -> str:
    """Write money of the run, in short."""
    return money(float(value), currency(result))


def in_money(result: Segmentation, words: str) -> str:
    """Name an axis or a column of money: ``"revenue in £"``."""
    return f"{words} in {unit(currency(result))}"


def currency(result: Segmentation) -> str:
    """Code or symbol of the money; people may have written anything there."""
    return cut(result.currency or "", CURRENCY)


def sampled(result: Segmentation, shown: int) -> str:
    """Say that points are a sample, where they are; else ``""``."""
    return (
        ""
        if shown >= result.customers_total
        else f" A sample of {shown:,} of {result.customers_total:,} customers is shown."
    )


def medians(segment: Segment) -> tuple[float, float, float]:
    """Days since the last order, orders and spend of the median customer of a segment."""
    days, orders, spend = (segment.profile.median(name) for name in ("recency_days", "frequency", "monetary"))
    return days or 0.0, orders or 0.0, spend or 0.0


# ---- colours and log axes


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


def faint(tone: str, opacity: float) -> str:
    """A colour through which the page is seen: pale on white, dim on black.

    Examples
    --------
    >>> faint("#ff0080", 0.3)
    'rgba(255,0,128,0.3)'
    """
    red, green, blue = (int(tone[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def on_log(values: Sequence[float]) -> tuple[list[float], str]:
    """Places on a log axis, and what its title says: zero or less, which has no place there, goes to the lower edge.

    Examples
    --------
    >>> on_log([10.0, 250.0])
    ([10.0, 250.0], 'log')
    >>> on_log([-5.0, 0.0, 10.0, 250.0])
    ([5.0, 5.0, 10.0, 250.0], 'log; zero or less at the edge')
    """
    floor = min((value for value in values if value > 0), default=2.0) / 2
    if all(value > 0 for value in values):
        return [round(value, 4) for value in values], "log"
    return [round(value, 4) if value > 0 else floor for value in values], "log; zero or less at the edge"


def decades(values: Sequence[float]) -> dict[str, list[Any]]:
    """Ticks of a log axis at the powers of ten about some values.

    Examples
    --------
    >>> decades([8.0, 250.0])
    {'tickvals': [1, 10, 100, 1000], 'ticktext': ['1', '10', '100', '1k']}
    """
    ticks = powers(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    return {"tickvals": [10**place for place in ticks["tickvals"]], "ticktext": ticks["ticktext"]}


def powers(low: float, high: float) -> dict[str, list[Any]]:
    """Ticks at the powers of ten between two logarithms; at these themselves where there is none.

    Examples
    --------
    >>> powers(0.9, 3.2)
    {'tickvals': [1, 2, 3], 'ticktext': ['10', '100', '1k']}
    """
    found: list[float] = list(range(math.ceil(low), math.floor(high) + 1)) or sorted({low, high})
    return {"tickvals": found, "ticktext": [amount(10.0**place) for place in found]}
