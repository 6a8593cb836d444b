"""Charts of how the shop sells, who comes back, and what cleaning left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars.charts.look import (
    AMOUNTS,
    ASIDE,
    BAR,
    HOVER,
    OUTLINE,
    across,
    add_bins,
    currency,
    escaped,
    framed,
    in_money,
    listing,
    nothing,
    paid,
    powers,
    stacked,
)
from regulars.countries import iso_alpha3
from regulars.wording import counted, month, percent, unit

if TYPE_CHECKING:
    from regulars.cleaning import AuditLine
    from regulars.pipeline import Segmentation

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_COUNTRIES = 12
MOST_COHORTS = 24


def weekday_hours(result: Segmentation) -> go.Figure:
    """Net revenue by weekday and hour; by weekday alone where the source has no times of day."""
    week = result.spending.weekday_hours
    days = [sum(hours) for hours in week]
    total = sum(days) or 1.0
    facts: dict[str, Any] = {
        "alt": "Revenue by weekday. "
        + listing((name, paid(result, value)) for name, value in zip(WEEKDAYS, days, strict=True)),
        "table": (
            ("weekday", in_money(result, "revenue"), "share"),
            [(name, f"{value:,.2f}", percent(value / total)) for name, value in zip(WEEKDAYS, days, strict=True)],
        ),
    }
    draw = _hours if result.spending.has_hours else _weekdays
    return draw(result, facts)


def _weekdays(result: Segmentation, facts: dict[str, Any]) -> go.Figure:
    days = [round(sum(hours), 2) for hours in result.spending.weekday_hours]
    best = max(range(7), key=lambda day: days[day])
    figure = framed(f"Most revenue on {WEEKDAYS[best]}", height=320, showlegend=False, **facts)
    figure.add_bar(
        x=WEEKDAYS,
        y=days,
        marker={"color": BAR},
        customdata=[escaped(f"{name}: {paid(result, value)}") for name, value in zip(WEEKDAYS, days, strict=True)],
        hovertemplate=HOVER,
    )
    figure.update_yaxes(title=escaped(in_money(result, "net revenue")))
    figure.update_xaxes(showgrid=False)
    return figure


def _hours(result: Segmentation, facts: dict[str, Any]) -> go.Figure:
    week = result.spending.weekday_hours
    busy = [hour for hour in range(24) if any(day[hour] for day in week)]
    if not busy:
        return nothing(framed("No revenue yet", height=340, **facts), "No order has brought revenue")
    hours = range(busy[0], busy[-1] + 1)
    best = max(((day, hour) for day in range(7) for hour in hours), key=lambda place: week[place[0]][place[1]])
    figure = framed(f"Most revenue on {WEEKDAYS[best[0]]} at {best[1]}:00", height=340, **facts)
    figure.add_heatmap(
        x=list(hours),
        y=WEEKDAYS,
        z=[[round(day[hour], 2) or None for hour in hours] for day in week],
        customdata=[
            [escaped(f"{name} {hour}:00: {paid(result, day[hour])}") for hour in hours]
            for name, day in zip(WEEKDAYS, week, strict=True)
        ],
        colorscale=AMOUNTS,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": escaped(unit(currency(result)))}, "thickness": 12},
        hovertemplate=HOVER,
        hoverongaps=False,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(
        showgrid=False,
        title="hour of the day (empty: no orders)",
        ticksuffix=":00",
        dtick=3 if len(hours) > 3 else 1,
    )
    return figure


def order_sizes(result: Segmentation) -> go.Figure:
    """How many orders there are of each size."""
    sizes = result.spending.order_sizes
    names = [f"{paid(result, low)} to {paid(result, high)}" for low, high, _ in sizes]
    counts = [n for *_, n in sizes]
    figure = framed(
        f"Half of the orders are below {paid(result, result.spending.median_order)}",
        alt="Orders by size. " + listing((name, f"{n:,}") for name, n in zip(names, counts, strict=True)),
        table=((in_money(result, "order value"), "orders"), list(zip(names, counts, strict=True))),
        height=340,
        showlegend=False,
    )
    if not sizes:
        return nothing(figure, "No order has a value above zero")
    edges = [(math.log10(low), math.log10(high)) for low, high, _ in sizes]
    add_bins(figure, edges, counts, [stacked(name, counted(n, "order")) for name, n in zip(names, counts, strict=True)])
    figure.update_xaxes(
        title=escaped(f"{in_money(result, 'order value')} (log)"), showgrid=False, **powers(edges[0][0], edges[-1][1])
    )
    figure.update_yaxes(title="orders")
    return figure


def countries(result: Segmentation) -> go.Figure:
    """Net revenue by country, the largest ones."""
    rows = result.spending.countries
    total = float(sum(revenue for *_, revenue in rows)) or 1.0
    shown = rows[:MOST_COUNTRIES]
    figure = framed(
        f"{rows[0][0]} brings {percent(float(rows[0][3]) / total)} of the revenue" if rows else "Revenue by country",
        alt=f"Revenue by country, {_countries(len(rows))}. "
        + listing((name, paid(result, revenue)) for name, *_, revenue in shown),
        table=(
            ("country", "customers", "orders", in_money(result, "revenue")),
            [(name, people, orders, f"{revenue:,.2f}") for name, people, orders, revenue in rows],
        ),
        height=90 + 30 * max(len(shown), 2),
        showlegend=False,
    )
    if not rows:
        return nothing(figure, "The source has no country")
    values = [round(float(revenue), 2) for *_, revenue in shown]
    labels = [f"{paid(result, revenue)} · {people:,}" for _, people, _, revenue in shown]
    figure.add_bar(
        y=list(range(len(shown))),
        x=values,
        orientation="h",
        marker={"color": BAR},
        text=[escaped(label) for label in labels],
        textposition="outside",
        cliponaxis=False,
        customdata=[
            stacked(name, f"{paid(result, revenue)}, {counted(people, 'customer')}")
            for name, people, _, revenue in shown
        ],
        hovertemplate=HOVER,
    )
    across(figure, [name for name, *_ in shown], values, labels)
    figure.update_xaxes(title=escaped(f"{in_money(result, 'net revenue')} · customers"))
    return figure


def _countries(number: int) -> str:
    return "1 country" if number == 1 else f"{number} countries"


def country_map(result: Segmentation) -> go.Figure:
    """Net revenue by country on a map of the world; the table also has the countries that have no place on it."""
    rows = [(iso_alpha3(row[0]) or "", *row) for row in result.spending.countries]
    places = _places(rows)
    figure = framed(
        f"Customers in {_countries(len(places))}",
        alt="World map, darker where more revenue comes from. "
        + listing((each.name, paid(result, each.revenue)) for each in places[:10]),
        table=(
            ("country", "on the map as", "customers", in_money(result, "revenue")),
            [(name, code, people, f"{revenue:,.2f}") for code, name, people, _, revenue in rows],
        ),
        height=400,
        margin={"l": 4, "r": 4, "t": 56, "b": 4},
    )
    _add_places(figure, result, places)
    figure.update_geos(
        projection={"type": "natural earth"},
        fitbounds=False,
        showframe=False,
        showcoastlines=False,
        showland=True,
        landcolor="#d5dbe1",
        bgcolor="rgba(0,0,0,0)",
        lataxis={"range": [-57, 84]},
    )
    return figure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A country of the map; the source may have it under several names."""

    code: str
    name: str
    customers: int
    revenue: Decimal


def _places(rows: Sequence[tuple[str, str, int, int, Decimal]]) -> list[_Place]:
    """Countries that have a code and revenue, most revenue first."""
    together: dict[str, list[tuple[str, str, int, int, Decimal]]] = {}
    for row in rows:
        together.setdefault(row[0], []).append(row)
    places = [
        _Place(
            code=code,
            name=own[0][1],
            customers=sum(people for _, _, people, *_ in own),
            revenue=sum((revenue for *_, revenue in own), Decimal(0)),
        )
        for code, own in together.items()
    ]
    return sorted(
        (each for each in places if each.code and each.revenue > 0), key=lambda each: (-each.revenue, each.code)
    )


def _add_places(figure: go.Figure, result: Segmentation, places: list[_Place]) -> None:
    steps = [round(math.log10(max(float(each.revenue), 1.0)), 3) for each in places]
    low, high = min(steps, default=0.0), max(steps, default=1.0)
    figure.add_choropleth(
        locations=[each.code for each in places],
        z=steps,
        zmin=low,
        zmax=high if high > low else low + 1,
        colorscale=AMOUNTS,
        marker={"line": {"color": "white", "width": 0.5}},
        customdata=[
            stacked(each.name, f"{paid(result, each.revenue)}, {counted(each.customers, 'customer')}")
            for each in places
        ],
        hovertemplate=HOVER,
        colorbar={
            "title": {"text": f"{escaped(unit(currency(result)))}<br>(log)"},
            "thickness": 12,
            **powers(low, high),
        },
    )


def cohort_retention(result: Segmentation) -> go.Figure:
    """Share of the customers of each month of first orders who bought again, month by month."""
    bought = {(_number(first), since): n for first, since, n in result.spending.cohorts}
    last = max((first + since for first, since in bought), default=0)
    starts = sorted({first for first, _ in bought})[-MOST_COHORTS:]
    names = [month(f"{first // 12}-{first % 12 + 1}") for first in starts]
    sizes = [bought.get((first, 0), 0) for first in starts]
    most = last - starts[0] if starts else 0
    shares = [
        [
            bought.get((first, since), 0) / max(size, 1) if first + since <= last else None
            for since in range(1, most + 1)
        ]
        for first, size in zip(starts, sizes, strict=True)
    ]
    known = [share for row in shares for share in row if share is not None]
    figure = framed(
        f"On average {percent(sum(known) / len(known))} of a month's new customers buy in any later month"
        if known
        else "No later month yet",
        alt=f"Table of {counted(len(starts), 'month')} of first orders: which share of these customers bought "
        "1, 2, 3 … months later.",
        table=(
            ("first order in", "customers", *(f"+{since}" for since in range(1, most + 1))),
            [
                (name, size, *("" if share is None else percent(share) for share in row))
                for name, size, row in zip(names, sizes, shares, strict=True)
            ],
        ),
        height=150 + 24 * max(len(starts), 3),
        margin={"l": 10, "r": 16, "t": 96, "b": 10},
    )
    if not known:
        return nothing(figure, "No customer could buy in a later month yet")
    _add_cohorts(figure, names, sizes, shares)
    return figure


def _number(name: str) -> int:
    """Months from year 0."""
    return int(name[:4]) * 12 + int(name[5:]) - 1


def _add_cohorts(figure: go.Figure, names: list[str], sizes: list[int], shares: list[list[float | None]]) -> None:
    most = len(shares[0])
    figure.add_heatmap(
        x=list(range(1, most + 1)),
        y=list(range(len(names))),
        z=[[None if share is None else round(share, 4) for share in row] for row in shares],
        colorscale=AMOUNTS,
        zmin=0,
        zmax=round(max(share or 0.0 for row in shares for share in row), 3) or 1.0,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "share who bought again", "side": "right"}, "tickformat": ".0%", "thickness": 12},
        customdata=[
            [
                stacked(
                    f"first order in {name}: {counted(size, 'customer')}",
                    f"{counted(since, 'month')} later {percent(share or 0.0)} bought",
                )
                for since, share in enumerate(row, 1)
            ]
            for name, size, row in zip(names, sizes, shares, strict=True)
        ],
        hovertemplate=HOVER,
        hoverongaps=False,
    )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[f"{name} ({size:,})" for name, size in zip(names, sizes, strict=True)],
        autorange="reversed",
        showgrid=False,
        title={"text": "month of the first order (customers)", "standoff": 12},
    )
    figure.update_xaxes(
        showgrid=False, title="months later", side="top", tickprefix="+", tick0=1, dtick=math.ceil(most / 6)
    )


def audit_waterfall(result: Segmentation) -> go.Figure:
    """Rows in, what each rule set aside, rows kept."""
    audit = result.audit
    rows_in, rows_kept = audit.raw.rows_left, audit.kept.rows_left
    steps = [line for line in audit.lines[1:] if line.rows]
    figure = framed(
        f"{percent(rows_kept / max(rows_in, 1))} of the rows are kept",
        alt=f"{rows_in:,} rows came in; {rows_kept:,} are kept. Set aside: "
        + listing((line.title, f"{line.rows:,}") for line in steps),
        table=(
            ("step", "rows", in_money(result, "money"), "rows left", "customers left", "money left"),
            [_audit_row(line) for line in audit.lines],
        ),
        height=120 + 36 * (len(steps) + 2),
        showlegend=False,
    )
    names = ["rows in the source", *(line.title for line in steps), "rows kept"]
    labels = [f"{rows_in:,}", *(f"−{line.rows:,}" for line in steps), f"{rows_kept:,}"]
    figure.add_bar(
        y=list(range(len(names))),
        x=[rows_in, *(line.rows for line in steps), rows_kept],
        base=[0, *(rows_in - taken for taken in accumulate(line.rows for line in steps)), 0],
        orientation="h",
        marker={"color": [BAR, *[ASIDE] * len(steps), BAR], "line": {"color": OUTLINE, "width": 0.5}},
        text=labels,
        textposition="outside",
        cliponaxis=False,
        customdata=[stacked(name, f"{label} rows") for name, label in zip(names, labels, strict=True)],
        hovertemplate=HOVER,
    )
    across(figure, names, [rows_in], labels, width=28)
    figure.update_xaxes(title="rows")
    return figure


def _audit_row(line: AuditLine) -> tuple[str, int, str, int, int, str]:
    return (
        line.title,
        line.rows,
        f"{line.amount:,.2f}",
        line.rows_left,
        line.customers_left,
        f"{line.amount_left:,.2f}",
    )
