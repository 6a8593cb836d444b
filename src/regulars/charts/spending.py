"""Charts of how the shop sells, who comes back, and what cleaning left."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from regulars.charts.look import AMOUNTS, BAR, INK, MUTED, escaped, framed, lines
from regulars.countries import iso_alpha3
from regulars.wording import amount, counted, money, month, percent, unit

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_COUNTRIES = 12
MOST_COHORTS = 24


def weekday_hours(result: Segmentation) -> go.Figure:
    """Net revenue by weekday and hour; by weekday alone where the source has no times of day."""
    week = result.spending.weekday_hours
    days = [sum(hours) for hours in week]
    best = max(range(7), key=lambda day: days[day])
    table = (
        ("weekday", f"revenue in {unit(result.currency)}", "share"),
        [(WEEKDAYS[i], f"{value:,.2f}", percent(value / (sum(days) or 1.0))) for i, value in enumerate(days)],
    )
    alt = (
        "Revenue by weekday: "
        + ", ".join(f"{WEEKDAYS[i]} {money(value, result.currency)}" for i, value in enumerate(days))
        + "."
    )
    if not result.spending.has_hours:
        figure = framed(f"Most revenue on {WEEKDAYS[best]}", alt=alt, table=table, height=320, showlegend=False)
        figure.add_bar(
            x=list(WEEKDAYS),
            y=[round(value, 2) for value in days],
            marker={"color": BAR},
            customdata=[money(value, result.currency) for value in days],
            hovertemplate="%{x}: %{customdata}<extra></extra>",
        )
        figure.update_yaxes(title=f"net revenue in {unit(result.currency)}")
        return figure
    busy = [hour for hour in range(24) if any(day[hour] for day in week)]
    hours = range(busy[0], busy[-1] + 1)
    top = max(((day, hour) for day in range(7) for hour in hours), key=lambda place: week[place[0]][place[1]])
    figure = framed(f"Most revenue on {WEEKDAYS[top[0]]} at {top[1]}:00", alt=alt, table=table, height=340)
    figure.add_heatmap(
        x=[f"{hour}:00" for hour in hours],
        y=list(WEEKDAYS),
        z=[[round(week[day][hour], 2) or None for hour in hours] for day in range(7)],
        customdata=[[money(week[day][hour], result.currency) for hour in hours] for day in range(7)],
        colorscale=AMOUNTS,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": unit(result.currency)}, "thickness": 12},
        hovertemplate="%{y} %{x}: %{customdata}<extra></extra>",
        hoverongaps=False,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, title="hour of the day (empty: no orders)")
    return figure


def order_sizes(result: Segmentation) -> go.Figure:
    """How many orders there are of each size."""
    sizes = result.spending.order_sizes
    names = [f"{amount(low)} to {amount(high)}" for low, high, _ in sizes]
    figure = framed(
        f"Half of the orders are below {money(result.spending.median_order, result.currency)}",
        alt="Orders by size: " + ", ".join(f"{name}: {n:,}" for name, (*_, n) in zip(names, sizes, strict=True)) + ".",
        table=(
            (f"order value in {unit(result.currency)}", "orders"),
            [(name, n) for name, (*_, n) in zip(names, sizes, strict=True)],
        ),
        height=340,
        showlegend=False,
        bargap=0.05,
    )
    figure.add_bar(
        x=names,
        y=[n for *_, n in sizes],
        marker={"color": BAR},
        hovertemplate="%{x}: %{y:,} orders<extra></extra>",
    )
    figure.update_xaxes(
        title=f"order value in {unit(result.currency)} (each bar half as much again)", showgrid=False, nticks=12
    )
    figure.update_yaxes(title="orders")
    return figure


def countries(result: Segmentation) -> go.Figure:
    """Net revenue by country, the largest ones."""
    rows = result.spending.countries
    total = float(sum(value for *_, value in rows)) or 1.0
    shown = list(rows[:MOST_COUNTRIES])
    title = (
        f"{rows[0][0]} brings {percent(float(rows[0][3]) / total)} of the revenue"
        if rows
        else "The source has no country"
    )
    figure = framed(
        title,
        alt=f"Revenue by country, {counted(len(rows), 'country') if len(rows) == 1 else f'{len(rows)} countries'}: "
        + ", ".join(f"{name} {money(float(value), result.currency)}" for name, *_, value in shown)
        + ".",
        table=(
            ("country", "customers", "orders", f"revenue in {unit(result.currency)}"),
            [(name, people, orders, f"{value:,.2f}") for name, people, orders, value in rows],
        ),
        height=90 + 30 * max(len(shown), 2),
        showlegend=False,
    )
    figure.add_bar(
        y=[lines(name) for name, *_ in shown],
        x=[round(float(value), 2) for *_, value in shown],
        orientation="h",
        marker={"color": BAR},
        text=[
            f"{money(float(value), result.currency)} · {counted(people, 'customer')}" for _, people, _, value in shown
        ],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    most = max((float(value) for *_, value in shown), default=1.0)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title=f"net revenue in {unit(result.currency)}", range=[0, most * 1.35])
    return figure


def country_map(result: Segmentation) -> go.Figure:
    """Net revenue by country on a map of the world; countries that have no place on it are in the table."""
    money_of: dict[str, float] = {}
    people: dict[str, int] = {}
    named: dict[str, str] = {}
    for name, n, _, value in result.spending.countries:
        if (code := iso_alpha3(name)) is not None:
            money_of[code] = money_of.get(code, 0.0) + float(value)
            people[code] = people.get(code, 0) + n
            named.setdefault(code, name)
    codes = sorted((code for code in money_of if money_of[code] > 0), key=lambda code: -money_of[code])
    steps = [_power(money_of[code]) for code in codes]
    figure = framed(
        f"Customers in {len(codes)} countries",
        alt="World map, darker where more revenue comes from: "
        + ", ".join(f"{named[code]} {money(money_of[code], result.currency)}" for code in codes[:10])
        + ".",
        table=(
            ("country", "customers", f"revenue in {unit(result.currency)}"),
            [(named[code], people[code], f"{money_of[code]:,.2f}") for code in codes],
        ),
        height=420,
    )
    low, high = (min(steps), max(steps)) if steps else (0.0, 1.0)
    ticks = list(range(int(low), int(high) + 1))
    figure.add_choropleth(
        locations=codes,
        z=[round(step, 3) for step in steps],
        zmin=low,
        zmax=high if high > low else low + 1,
        colorscale="Blues",
        marker={"line": {"color": "white", "width": 0.5}},
        customdata=[
            [escaped(named[code]), money(money_of[code], result.currency), counted(people[code], "customer")]
            for code in codes
        ],
        hovertemplate="%{customdata[0]}: %{customdata[1]}, %{customdata[2]}<extra></extra>",
        colorbar={
            "title": {"text": f"{unit(result.currency)}<br>(log)"},
            "thickness": 12,
            "tickvals": ticks,
            "ticktext": [amount(10.0**tick) for tick in ticks],
        },
    )
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
    figure.update_layout(margin={"l": 4, "r": 4, "t": 56, "b": 4})
    return figure


def _power(value: float) -> float:
    return math.log10(max(value, 1.0))


def cohort_retention(result: Segmentation) -> go.Figure:
    """Share of the customers of each month of first orders who bought again, month by month."""
    bought = {(first, since): n for first, since, n in result.spending.cohorts}
    starts = sorted({first for first, _ in bought})[-MOST_COHORTS:]
    most = max((since for first, since in bought if first in starts), default=0)
    shares = [[bought.get((first, since), 0) / bought[first, 0] for since in range(1, most + 1)] for first in starts]
    last = max(_number(first) + since for first, since in bought)
    known = [[since <= last - _number(first) for since in range(1, most + 1)] for first in starts]
    seen = [
        share
        for row, there in zip(shares, known, strict=True)
        for share, is_known in zip(row, there, strict=True)
        if is_known
    ]
    figure = framed(
        f"On average {percent(sum(seen) / len(seen))} of a month's new customers buy in any later month"
        if seen
        else "No later month yet",
        alt=f"Table of {len(starts)} months of first orders: which share of these customers bought 1, 2, 3 … months later.",
        table=(
            ("first order in", "customers", *(f"+{since}" for since in range(1, most + 1))),
            [
                (
                    month(first),
                    bought[first, 0],
                    *(percent(share) if there else "" for share, there in zip(row, there_row, strict=True)),
                )
                for first, row, there_row in zip(starts, shares, known, strict=True)
            ],
        ),
        height=150 + 24 * max(len(starts), 3),
    )
    figure.add_heatmap(
        x=[f"+{since}" for since in range(1, most + 1)],
        y=[f"{month(first)} ({bought[first, 0]:,})" for first in starts],
        z=[
            [round(share, 4) if there else None for share, there in zip(row, there_row, strict=True)]
            for row, there_row in zip(shares, known, strict=True)
        ],
        colorscale="Blues",
        zmin=0,
        zmax=round(max(seen, default=1.0), 3) or 1.0,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "bought<br>again"}, "tickformat": ".0%", "thickness": 12},
        hovertemplate="first order in %{y}<br>%{x} months: %{z:.1%} bought<extra></extra>",
        hoverongaps=False,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, title="month of the first order (customers)")
    figure.update_xaxes(showgrid=False, title="months later", side="top", type="category")
    figure.update_layout(margin={"t": 96})
    return figure


def _number(name: str) -> int:
    return int(name[:4]) * 12 + int(name[5:]) - 1


def audit_waterfall(result: Segmentation) -> go.Figure:
    """Rows in, what each rule set aside, rows kept."""
    audit = result.audit
    steps = [line for line in audit.lines[1:] if line.rows]
    left = [audit.raw.rows_left]
    for line in steps:
        left.append(left[-1] - line.rows)
    names = ["rows in the source", *(line.title for line in steps), "rows kept"]
    figure = framed(
        f"{percent(audit.kept.rows_left / audit.raw.rows_left)} of the rows are kept",
        alt=f"{audit.raw.rows_left:,} rows came in; set aside: "
        + ", ".join(f"{line.title} {line.rows:,}" for line in steps)
        + f"; {audit.kept.rows_left:,} are kept.",
        table=(
            ("step", "rows", f"money in {unit(result.currency)}", "rows left", "customers left", "money left"),
            [
                (
                    line.title,
                    line.rows,
                    f"{line.amount:,.2f}",
                    line.rows_left,
                    line.customers_left,
                    f"{line.amount_left:,.2f}",
                )
                for line in audit.lines
            ],
        ),
        height=120 + 36 * len(names),
        showlegend=False,
    )
    widths = [audit.raw.rows_left, *(before - after for before, after in pairwise(left)), audit.kept.rows_left]
    figure.add_bar(
        y=[lines(name, 34) for name in names],
        x=widths,
        base=[0, *left[1:], 0],
        orientation="h",
        marker={"color": [BAR, *["#bd1f01"] * len(steps), BAR], "line": {"color": INK, "width": 0.5}},
        text=[f"{value:,}" if place in (0, len(names) - 1) else f"−{value:,}" for place, value in enumerate(widths)],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="rows", range=[0, audit.raw.rows_left * 1.14], color=MUTED)
    return figure
