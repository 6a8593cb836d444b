"""Charts of segments: how large, how much, what they are like, what they bring month by month."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars.charts.look import (
    HOVER,
    HOVER_NAMED,
    OUTLINE,
    across,
    beside,
    colours,
    currency,
    escaped,
    framed,
    in_money,
    legend_name,
    listing,
    medians,
    paid,
    stacked,
    symbol,
    tint,
)
from regulars.clustering import SCALES
from regulars.palette import colour
from regulars.wording import money, month, percent

if TYPE_CHECKING:
    from decimal import Decimal

    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation

FEW_MONTHS = 6  # up to here every month has its label
WIDE = 24 * 86_400_000  # of a month's bar: days in milliseconds
#: What the centres are measured in, by what centres and scales the measures.
UNITS = {
    "standard": "standard deviations above (+)<br>or below (−) the average customer",
    "robust": "widths of the middle half above (+)<br>or below (−) the median customer",
    "minmax": "0: smallest, 1: largest value<br>recency: 0 latest, −1 longest ago",
}


def segment_shares(result: Segmentation) -> go.Figure:
    """Share of the customers against share of the revenue, segment by segment."""
    rows = [
        (each.name, each.profile, percent(each.profile.customer_share), percent(each.profile.revenue_share))
        for each in result.segments
    ]
    name, _, people, money = max(rows, key=lambda row: row[1].revenue_share)
    figure = framed(
        f"{name}: {people} of the customers bring {money} of the revenue",
        alt=listing((name, f"{people} of customers, {money} of revenue") for name, _, people, money in rows),
        table=(
            ("segment", "customers", "share of customers", in_money(result, "revenue"), "share of revenue"),
            [(name, p.customers, people, f"{p.revenue:,.2f}", money) for name, p, people, money in rows],
        ),
        height=110 + 74 * len(rows),
        barmode="group",
        showlegend=False,
    )
    of_revenue = [f"{money} of revenue" for *_, money in rows]
    of_customers = [f"{people} of customers" for _, _, people, _ in rows]
    revenue = [p.revenue_share for _, p, *_ in rows]
    customers = [p.customer_share for _, p, *_ in rows]
    _add_shares(figure, result, revenue, of_revenue, paleness=0.0)
    _add_shares(figure, result, customers, of_customers, paleness=0.6)
    across(figure, [each.name for each in result.segments], [*revenue, *customers], [*of_revenue, *of_customers])
    figure.update_xaxes(tickformat=".0%", title="share")
    return figure


def _add_shares(
    figure: go.Figure, result: Segmentation, shares: list[float], labels: list[str], *, paleness: float
) -> None:
    figure.add_bar(
        y=list(range(len(shares))),
        x=shares,
        orientation="h",
        marker={
            "color": [tint(each, paleness) for each in colours(result)],
            "line": {"color": colours(result), "width": 1.5},
        },
        text=labels,
        textposition="outside",
        cliponaxis=False,
        customdata=[stacked(each.name, label) for each, label in zip(result.segments, labels, strict=True)],
        hovertemplate=HOVER,
    )


def segment_profiles(result: Segmentation) -> go.Figure:
    """Recency, frequency and monetary value of each segment's centre, against all customers."""
    figure = framed(
        "What sets the segments apart: recent, frequent, high-spending",
        alt="Median customer of each segment. "
        + listing(
            (each.name, f"last order {days:.0f} days ago, {orders:g} orders, {spend:,.2f} spent")
            for each in result.segments
            for days, orders, spend in [medians(each)]
        ),
        table=_middles(result),
        **beside(result),
    )
    for each, (recency, frequency, monetary) in zip(result.segments, result.model.centres, strict=True):
        days, orders, spend = medians(each)
        figure.add_scatter(
            x=("Recency", "Frequency", "Monetary value"),
            y=[round(value, 3) for value in (-recency, frequency, monetary)],  # recent is up
            mode="lines+markers",
            name=legend_name(each),
            line={"color": colour(each.id), "width": 2.5},
            marker={"symbol": symbol(each.id), "size": 11, "line": {"color": OUTLINE, "width": 0.7}},
            customdata=[
                f"{days:.0f} days since the last order (median)",
                f"{orders:g} orders (median)",
                escaped(f"{paid(result, spend)} spent (median)"),
            ],
            hovertemplate=HOVER_NAMED,
        )
    figure.update_yaxes(title=UNITS[SCALES[result.model.scale.name][1]], zeroline=True, zerolinecolor=OUTLINE)
    figure.update_xaxes(showgrid=False, range=[-0.2, 2.2])
    return figure


def _middles(result: Segmentation) -> Table:
    """The median customers, as a table."""
    rows = []
    for each in result.segments:
        days, orders, spend = medians(each)
        rows.append((each.name, f"{days:.0f}", f"{orders:g}", f"{spend:,.2f}"))
    titles = ("segment", "median days since the last order", "median orders", in_money(result, "median spend"))
    return titles, rows


def segment_trend(result: Segmentation) -> go.Figure:
    """Net revenue by month, stacked by the segment that the customers are in now."""
    months = result.spending.months
    best, most, *_ = max(months, key=lambda row: row[1])
    revenue_of = {(segment, name): revenue for segment, name, _, _, revenue in result.spending.segment_months}
    figure = framed(
        f"Revenue by month: most in {month(best)} ({paid(result, most)})",
        alt="Net revenue of each month. "
        + listing((month(name), paid(result, revenue)) for name, revenue, *_ in months[-24:]),
        table=_months_table(result, revenue_of),
        barmode="relative",
        height=400,
        **beside(result),
    )
    for each in result.segments:
        values = [float(revenue_of.get((each.id, name), 0)) for name, *_ in months]
        figure.add_bar(
            x=[f"{name}-01" for name, *_ in months],
            y=[round(value, 2) for value in values],
            xperiod="M1",
            xperiodalignment="middle",
            width=WIDE,
            name=legend_name(each),
            marker={"color": colour(each.id), "line": {"color": "white", "width": 0.5}},
            customdata=[
                escaped(f"{month(name)}: {money(value, currency(result), short=False)}")
                for (name, *_), value in zip(months, values, strict=True)
            ],
            hovertemplate=HOVER_NAMED,
        )
    after = date.fromisoformat(f"{months[-1][0]}-01") + timedelta(days=31)
    ticks: dict[str, Any] = {"tickformat": "%b\n%Y", "ticklabelmode": "period"}
    if len(months) <= FEW_MONTHS:
        ticks = {"tickvals": [f"{name}-16" for name, *_ in months], "ticktext": [month(name) for name, *_ in months]}
    figure.update_yaxes(title=escaped(in_money(result, "net revenue")), zeroline=True, zerolinecolor=OUTLINE)
    figure.update_xaxes(type="date", range=[f"{months[0][0]}-01", f"{after:%Y-%m}-01"], showgrid=False, **ticks)
    return figure


def _months_table(result: Segmentation, revenue_of: dict[tuple[int, str], Decimal]) -> Table:
    return (
        ("month", *(each.name for each in result.segments), "all", "orders", "customers"),
        [
            (
                name,
                *(f"{revenue_of.get((each.id, name), 0):,.2f}" for each in result.segments),
                f"{total:,.2f}",
                orders,
                people,
            )
            for name, total, orders, people in result.spending.months
        ],
    )
