"""Charts of customers: where they are, how their measures are spread, how unevenly they spend."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars.charts.look import BAR, INK, MUTED, escaped, framed, sampled, symbol
from regulars.palette import colour
from regulars.wording import counted, money, percent, unit

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

MOST_POINTS = 2_000  # in a scatter plot: each one is drawn by the browser as a shape of its own
BINS = 30
MARKED = (1, 5, 10, 20, 50)  # per cent of the customers, marked on the curve


def customer_map(result: Segmentation) -> go.Figure:
    """Days since the last order against spend, one point per customer, sized by orders, coloured by segment."""
    points = _points(result)
    shown = len(points["segment_id"])
    figure = framed(
        "Customers by days since the last order and spend",
        alt="Scatter plot of customers: right is long silent, up is high spend. "
        + " ".join(_middle(result, each.id) for each in result.segments)
        + sampled(result, shown),
        table=_middles(result),
        height=480,
    )
    for each in result.segments:
        own = [i for i, number in enumerate(points["segment_id"]) if number == each.id]
        days, orders, spend = ([points[name][i] for i in own] for name in ("recency_days", "frequency", "monetary"))
        figure.add_scatter(
            x=days,
            y=[round(value, 2) for value in spend],
            mode="markers",
            name=escaped(each.name),
            marker={
                "color": colour(each.id),
                "symbol": symbol(each.id),
                "size": [round(5 + 3 * math.log1p(n), 1) for n in orders],
                "opacity": 0.75,
                "line": {"color": INK, "width": 0.4},
            },
            customdata=[
                f"{counted(n, 'order')}, {money(value, result.currency)}"
                for n, value in zip(orders, spend, strict=True)
            ],
            hovertemplate="%{x} days ago<br>%{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(
        type="log", title=f"days since the last order (log){'; a sample' if sampled(result, shown) else ''}", dtick=1
    )
    figure.update_yaxes(type="log", title=f"spend in {unit(result.currency)} (log)", dtick=1)
    return figure


def customer_map_3d(result: Segmentation) -> go.Figure:
    """Days, orders and spend at once, to be turned; for a notebook (it needs the whole Plotly and WebGL)."""
    points = _points(result)
    figure = framed(
        "Customers by days since the last order, orders and spend",
        alt="The same customers as in the flat map, with orders as the third direction.",
        table=_middles(result),
        height=620,
        scene={
            "xaxis": {"title": "days since the last order", "type": "log"},
            "yaxis": {"title": "orders", "type": "log"},
            "zaxis": {"title": f"spend in {unit(result.currency)}", "type": "log"},
        },
    )
    for each in result.segments:
        own = [i for i, number in enumerate(points["segment_id"]) if number == each.id]
        days, orders, spend = ([points[name][i] for i in own] for name in ("recency_days", "frequency", "monetary"))
        figure.add_scatter3d(
            x=days,
            y=orders,
            z=[round(value, 2) for value in spend],
            mode="markers",
            name=escaped(each.name),
            marker={"color": colour(each.id), "size": 3.5, "line": {"color": INK, "width": 0.3}},
            hovertemplate="%{x} days, %{y} orders, %{z:,.0f}<extra>%{fullData.name}</extra>",
        )
    return figure


def rfm_distributions(result: Segmentation) -> go.Figure:
    """How days, orders and spend are spread over the customers, with the cut points of the scores."""
    names = {
        "recency_days": "days since the last order",
        "frequency": "orders",
        "monetary": f"spend in {unit(result.currency)}",
    }
    shown = len(result.sample.segment_id)
    rows = [(words, *(f"{value:,.0f}" for value in getattr(result.base, name))) for name, words in names.items()]
    figure = framed(
        f"Half of the customers ordered within {result.base.recency_days[1]:.0f} days, and spent up to "
        f"{money(result.base.monetary[1], result.currency)}",
        alt="Histograms. "
        + ". ".join(f"{words}: median {half}, the middle half from {low} to {high}" for words, low, half, high in rows)
        + "."
        + sampled(result, shown),
        table=(("measure", "a quarter below", "median", "a quarter above"), rows),
        height=330,
        showlegend=False,
        grid=make_subplots(rows=1, cols=3, horizontal_spacing=0.07),
    )
    for column, (name, words) in enumerate(names.items(), 1):
        _histogram(figure, result, name, words, column)
    figure.update_yaxes(
        title="customers" if shown >= result.customers_total else "customers of the sample", row=1, col=1
    )
    return figure


def _histogram(figure: go.Figure, result: Segmentation, name: str, words: str, column: int) -> None:
    values = np.asarray(getattr(result.sample, name), dtype=float)
    log = name != "recency_days"
    scaled = np.log10(np.maximum(values, 0.01)) if log else values
    if name == "frequency":
        edges = np.log10(_whole_edges(values))
    else:
        edges = np.histogram_bin_edges(scaled, bins=min(BINS, max(len(set(scaled.tolist())), 1)))
    counts, _ = np.histogram(scaled, edges)
    places = (edges[:-1] + edges[1:]) / 2
    real = 10**edges if log else edges
    figure.add_bar(
        x=places.round(4).tolist(),
        y=counts.tolist(),
        width=np.diff(edges).round(4).tolist(),
        marker={"color": BAR, "line": {"color": "white", "width": 0.5}},
        customdata=[f"{low:,.0f} to {high:,.0f}" for low, high in pairwise(real)],
        hovertemplate=f"%{{customdata}} {escaped(words)}: %{{y:,}} customers<extra></extra>",
        row=1,
        col=column,
    )
    for cut in dict.fromkeys(getattr(result.cuts, name)):
        if cut is not None and float(cut) > 0:
            place = math.log10(float(cut)) if log else float(cut)
            figure.add_vline(x=round(place, 4), line={"color": INK, "width": 1, "dash": "dot"}, row=1, col=column)
    ticks: dict[str, Any] = {}
    if log:
        low, high = math.floor(scaled.min()), math.ceil(scaled.max())
        powers = range(low, high + 1)
        ticks = {
            "tickvals": list(powers),
            "ticktext": [f"{10.0**power:,g}" if power < 3 else f"{10 ** (power - 3):,}k" for power in powers],
        }
    figure.update_xaxes(title=f"{words}{' (log)' if log else ''}", showgrid=False, row=1, col=column, **ticks)


def _whole_edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bins for whole numbers on a log axis: one for each small number, wider ones for large numbers."""
    edges, step = [0.5], 1.0
    while edges[-1] < values.max():
        edges.append(edges[-1] + step)
        step = max(1.0, round(edges[-1] * 0.25))
    return np.array(edges)


def revenue_concentration(result: Segmentation) -> go.Figure:
    """Share of the revenue that the best customers bring, from the best 1 % to all."""
    shares = (0.0, *result.concentration)
    figure = framed(
        f"The best 20% of the customers bring {percent(shares[20])} of the revenue",
        alt="Curve of revenue by customers, best first. "
        + ", ".join(f"the best {mark}% bring {percent(shares[mark])}" for mark in MARKED)
        + ".",
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
        hovertemplate="best %{x}%: %{y:.1%} of the revenue<extra></extra>",
    )
    figure.add_scatter(
        x=[0, 100], y=[0, 1], mode="lines", line={"color": MUTED, "width": 1, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=list(MARKED),
        y=[shares[mark] for mark in MARKED],
        mode="markers+text",
        marker={"color": colour(0), "size": 9, "line": {"color": INK, "width": 1}},
        text=[f"{mark}% → {percent(shares[mark])}" for mark in MARKED],
        textposition="bottom right",
        hoverinfo="skip",
    )
    figure.add_annotation(x=62, y=0.56, text="if all spent the same", showarrow=False, font={"size": 11})
    figure.update_xaxes(title="customers, highest spend first", ticksuffix="%", range=[0, 100])
    figure.update_yaxes(title="share of the revenue", tickformat=".0%", range=[0, 1.03])
    return figure


def _points(result: Segmentation) -> dict[str, tuple[Any, ...]]:
    sample = result.sample
    return {
        name: getattr(sample, name)[:MOST_POINTS] for name in ("recency_days", "frequency", "monetary", "segment_id")
    }


def _middles(result: Segmentation) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows = []
    for each in result.segments:
        cells = [each.name]
        for name in ("recency_days", "frequency", "monetary"):
            quartiles = each.profile.quartiles[name]
            low, half, high = quartiles or (0.0, 0.0, 0.0)
            cells.append(f"{half:,.0f} ({low:,.0f} to {high:,.0f})")
        rows.append(tuple(cells))
    return (
        "segment",
        "days since the last order: median (middle half)",
        "orders",
        f"spend in {unit(result.currency)}",
    ), rows


def _middle(result: Segmentation, number: int) -> str:
    profile = result.segments[number].profile
    days, spend = profile.median("recency_days") or 0.0, profile.median("monetary") or 0.0
    return f"{result.segments[number].name}: half within {days:.0f} days, half above {money(spend, result.currency)}."
