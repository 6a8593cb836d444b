"""Charts of customers: where they are, how their measures are spread, how unevenly they spend."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars.charts.look import (
    HOVER,
    HOVER_NAMED,
    INK,
    OUTLINE,
    add_bins,
    beside,
    currency,
    decades,
    escaped,
    framed,
    in_money,
    legend_name,
    listing,
    medians,
    on_log,
    paid,
    powers,
    sampled,
    stacked,
    symbol,
)
from regulars.palette import colour
from regulars.wording import counted, percent, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation
    from regulars.profiling import Segment
    from regulars.scoring import Cut

MOST_POINTS = 2_000  # in a scatter plot: each one is drawn by the browser as a shape of its own
BINS = 30
MARKED = (1, 5, 10, 20, 50)  # per cent of the customers, marked on the curve

Cloud = dict[str, list[Any]]


def customer_map(result: Segmentation) -> go.Figure:
    """Days since the last order against spend, one point per customer, sized by orders, coloured by segment."""
    clouds, axes = _clouds(result)
    figure = framed(
        "Customers by days since the last order and spend",
        alt=f"Scatter plot of customers: right is long silent, up is high spend. {_middles(result)}{_sample_note(result)}",
        table=_quartiles(result),
        height=480,
        **beside(result),
    )
    for each in result.segments:
        own = clouds[each.id]
        figure.add_scatter(
            x=own["days"],
            y=own["spend"],
            mode="markers",
            name=legend_name(each),
            marker={
                "color": colour(each.id),
                "symbol": symbol(each.id),
                "size": [round(5 + 3 * math.log1p(orders), 1) for orders in own["orders"]],
                "opacity": 0.75,
                "line": {"color": OUTLINE, "width": 0.5},
            },
            customdata=own["texts"],
            hovertemplate=HOVER_NAMED,
        )
    figure.update_layout(legend_itemsizing="constant")
    figure.update_xaxes(**axes["days"])
    figure.update_yaxes(**axes["spend"])
    return figure


def customer_map_3d(result: Segmentation) -> go.Figure:
    """Days, orders and spend at once, to be turned; for a notebook (it needs the whole Plotly and WebGL)."""
    clouds, axes = _clouds(result)
    figure = framed(
        "Customers by days since the last order, orders and spend",
        alt="Scatter plot of customers in three directions: long silent, many orders, high spend. "
        f"{_middles(result)}{_sample_note(result)}",
        table=_quartiles(result),
        height=560,
        scene=_scene(result, axes),
        margin={"l": 0, "r": 0, "t": 56, "b": 0},
        **beside(result),
    )
    for each in result.segments:
        own = clouds[each.id]
        figure.add_scatter3d(
            x=own["days"],
            y=own["orders"],
            z=own["spend"],
            mode="markers",
            name=legend_name(each),
            marker={"color": colour(each.id), "size": 3.5, "line": {"color": OUTLINE, "width": 0.3}},
            customdata=own["texts"],
            hovertemplate=HOVER_NAMED,
        )
    figure.update_layout(legend_itemsizing="constant")
    return figure


def _scene(result: Segmentation, axes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The room in which points stand: short titles, as they are aslant; a camera that sees all of it."""
    titles = {"days": "days", "orders": "orders", "spend": escaped(unit(currency(result)))}
    directions = {
        f"{axis}axis": {**axes[name], "title": {"text": words}, "color": OUTLINE, "gridcolor": OUTLINE}
        for axis, (name, words) in zip("xyz", titles.items(), strict=True)
    }
    camera = {"eye": {"x": 1.6, "y": 1.6, "z": 0.9}, "center": {"x": 0, "y": 0, "z": -0.12}}
    return {**directions, "aspectmode": "cube", "camera": camera}


def _clouds(result: Segmentation) -> tuple[dict[int, Cloud], dict[str, dict[str, Any]]]:
    """Points of each segment, as places on log axes with what they say; and these axes."""
    sample, most = result.sample, MOST_POINTS
    days, days_note = on_log(sample.recency_days[:most])
    orders, orders_note = on_log(sample.frequency[:most])
    spend, spend_note = on_log(sample.monetary[:most])
    clouds: defaultdict[int, Cloud] = defaultdict(lambda: {"days": [], "orders": [], "spend": [], "texts": []})
    for i, segment_id in enumerate(sample.segment_id[:most]):
        own = clouds[segment_id]
        own["days"].append(days[i])
        own["orders"].append(orders[i])
        own["spend"].append(spend[i])
        own["texts"].append(
            stacked(
                f"last order {counted(sample.recency_days[i], 'day')} ago",
                f"{counted(sample.frequency[i], 'order')}, {paid(result, sample.monetary[i])}",
            )
        )
    shown = "; a sample" if _sample_note(result) else ""
    return clouds, {
        "days": _log_axis(f"days since the last order ({days_note}){shown}", days),
        "orders": _log_axis(f"orders ({orders_note})", orders),
        "spend": _log_axis(f"{in_money(result, 'spend')} ({spend_note})", spend),
    }


def _log_axis(words: str, values: Sequence[float]) -> dict[str, Any]:
    return {"type": "log", "title": {"text": escaped(words)}, **decades(values)}


def _sample_note(result: Segmentation) -> str:
    return sampled(result, min(len(result.sample.segment_id), MOST_POINTS))


def _quartiles(result: Segmentation) -> Table:
    names = ("recency_days", "frequency", "monetary")
    return (
        ("segment", "days since the last order: median (middle half)", "orders", in_money(result, "spend")),
        [(each.name, *(_quartile(each, name) for name in names)) for each in result.segments],
    )


def _quartile(segment: Segment, name: str) -> str:
    low, half, high = segment.profile.quartiles[name] or (0.0, 0.0, 0.0)
    return f"{half:,.0f} ({low:,.0f} to {high:,.0f})"


def _middles(result: Segmentation) -> str:
    middles = [(each.name, medians(each)) for each in result.segments]
    return listing(
        (name, f"half within {days:.0f} days, half above {paid(result, spend)}") for name, (days, _, spend) in middles
    )


def rfm_distributions(result: Segmentation) -> go.Figure:
    """How days, orders and spend are spread over the customers, with the cut points of the scores."""
    names = {
        "recency_days": "days since the last order",
        "frequency": "orders",
        "monetary": in_money(result, "spend"),
    }
    shown = len(result.sample.segment_id)
    rows = [(words, *(f"{value:,.0f}" for value in getattr(result.base, name))) for name, words in names.items()]
    figure = framed(
        f"Half of the customers ordered within {result.base.recency_days[1]:.0f} days, and spent up to "
        f"{paid(result, result.base.monetary[1])}",
        alt="Histograms. "
        + listing((words, f"median {half}, the middle half from {low} to {high}") for words, low, half, high in rows)
        + sampled(result, shown),
        table=(("measure", "a quarter below", "median", "a quarter above"), rows),
        height=620,
        showlegend=False,
        grid=make_subplots(rows=3, cols=1, vertical_spacing=0.14),
    )
    _add_histogram(figure, _day_bins(result), names["recency_days"], result.cuts.recency_days, row=1)
    _add_histogram(figure, _order_bins(result), names["frequency"], result.cuts.frequency, row=2)
    _add_histogram(figure, _money_bins(result), names["monetary"], result.cuts.monetary, row=3)
    figure.update_yaxes(title="customers" if shown >= result.customers_total else "customers<br>of the sample")
    return figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """A histogram: edges as places on the axis, customers between them, what each bar says, how the axis is scaled."""

    edges: list[float]
    counts: list[int]
    texts: list[str]
    note: str


def _add_histogram(figure: go.Figure, bins: _Bins, words: str, cuts: Sequence[Cut], *, row: int) -> None:
    add_bins(figure, list(pairwise(bins.edges)), bins.counts, bins.texts, row=row, col=1)
    for point in dict.fromkeys(float(cut) for cut in cuts if cut is not None):
        if point > 0 or not bins.note:
            place = math.log10(point) if bins.note else point
            figure.add_vline(x=round(place, 4), line={"color": INK, "width": 1, "dash": "dot"}, row=row, col=1)
    ticks = powers(bins.edges[0], bins.edges[-1]) if bins.note else {}
    title = f"{words} ({bins.note})" if bins.note else words
    figure.update_xaxes(title={"text": escaped(title), "standoff": 4}, showgrid=False, row=row, col=1, **ticks)


def _day_bins(result: Segmentation) -> _Bins:
    """Bins of equally many whole days."""
    days = result.sample.recency_days
    width = math.ceil((max(days) - min(days) + 1) / BINS)
    edges = [min(days) - 0.5 + width * i for i in range(BINS + 1) if min(days) + width * (i - 1) <= max(days)]
    counts = np.histogram(days, edges)[0].tolist()
    return _Bins(edges=edges, counts=counts, texts=_said(edges, counts, "day"), note="")


def _order_bins(result: Segmentation) -> _Bins:
    """Bins of whole numbers on a log axis: one for each small number, wider ones for large numbers."""
    orders = result.sample.frequency
    edges = [0.5]
    while edges[-1] < max(orders):
        edges.append(edges[-1] + max(1, round(edges[-1] * 0.25)))
    counts = np.histogram(orders, edges)[0].tolist()
    return _Bins(
        edges=[math.log10(edge) for edge in edges], counts=counts, texts=_said(edges, counts, "order"), note="log"
    )


def _money_bins(result: Segmentation) -> _Bins:
    """Bins of equal width on a log axis."""
    spend, note = on_log(result.sample.monetary)
    heights, places = np.histogram(np.log10(spend), bins=min(BINS, len(set(spend))))
    counts, edges = heights.tolist(), places.tolist()
    real = [paid(result, 10**place) for place in edges]
    texts = [
        stacked(f"{low} to {high}", counted(n, "customer"))
        for (low, high), n in zip(pairwise(real), counts, strict=True)
    ]
    return _Bins(edges=edges, counts=counts, texts=texts, note=note)


def _said(edges: Sequence[float], counts: Sequence[int], noun: str) -> list[str]:
    """What bars of whole numbers say."""
    texts = []
    for (low, high), n in zip(pairwise(edges), counts, strict=True):
        first, last = math.ceil(low), math.floor(high)
        span = counted(first, noun) if first == last else f"{first:,} to {last:,} {noun}s"
        texts.append(stacked(span, counted(n, "customer")))
    return texts


def revenue_concentration(result: Segmentation) -> go.Figure:
    """Share of the revenue that the best customers bring, from the best 1 % to all."""
    shares = (0.0, *result.concentration)
    figure = framed(
        f"The best 20% of the customers bring {percent(shares[20])} of the revenue",
        alt="Curve of revenue by customers, best first. "
        + listing((f"the best {mark}% bring", percent(shares[mark])) for mark in MARKED),
        table=(
            ("best customers", "share of the revenue"),
            [(f"{mark}%", percent(shares[mark])) for mark in range(5, 101, 5)],
        ),
        showlegend=False,
    )
    figure.add_scatter(
        x=list(range(101)),
        y=list(shares),
        mode="lines",
        line={"color": colour(0), "width": 3},
        customdata=[f"best {mark}%: {percent(share)} of the revenue" for mark, share in enumerate(shares)],
        hovertemplate=HOVER,
    )
    figure.add_scatter(
        x=[0, 100], y=[0, 1], mode="lines", line={"color": OUTLINE, "width": 1, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=list(MARKED),
        y=[shares[mark] for mark in MARKED],
        mode="markers+text",
        marker={"color": colour(0), "size": 9, "line": {"color": OUTLINE, "width": 1}},
        text=[f"{mark}% → {percent(shares[mark])}" for mark in MARKED],
        textposition="bottom right",
        hoverinfo="skip",
    )
    figure.add_annotation(x=60, y=0.5, text="if all spent the same", showarrow=False, xanchor="left", font={"size": 11})
    figure.update_xaxes(title="customers, highest spend first", ticksuffix="%", range=[0, 100])
    figure.update_yaxes(title="share of the revenue", tickformat=".0%", range=[0, 1.03])
    figure.update_layout(margin={"r": 28})
    return figure
