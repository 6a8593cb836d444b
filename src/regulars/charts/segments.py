"""Charts of segments and named groups: how large, how much, what they are like, how they overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from regulars.charts.look import INK, colours, escaped, framed, lines, symbol, tint
from regulars.palette import PALETTE, colour
from regulars.wording import amount, counted, money, month, percent, unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.pipeline import Segmentation
    from regulars.profiling import Profile


def segment_shares(result: Segmentation) -> go.Figure:
    """Share of the customers against share of the revenue, segment by segment."""
    rows = [(each.name, each.profile) for each in result.segments]
    richest = max(rows, key=lambda row: row[1].revenue_share)
    title = (
        f"{richest[0]}: {percent(richest[1].customer_share)} of the customers bring "
        f"{percent(richest[1].revenue_share)} of the revenue"
    )
    table = (
        ("segment", "customers", "share of customers", f"revenue in {unit(result.currency)}", "share of revenue"),
        [
            (name, p.customers, percent(p.customer_share), f"{p.revenue:,.2f}", percent(p.revenue_share))
            for name, p in rows
        ],
    )
    figure = framed(
        title,
        alt=_said(result, lambda p: f"{percent(p.customer_share)} of customers, {percent(p.revenue_share)} of revenue"),
        table=table,
        height=110 + 74 * len(rows),
        barmode="group",
        showlegend=False,
    )
    names = [lines(name) for name, _ in rows]
    for share, words, fill in (("revenue_share", "of revenue", 0.0), ("customer_share", "of customers", 0.6)):
        values = [getattr(p, share) for _, p in rows]
        figure.add_bar(
            y=names,
            x=values,
            orientation="h",
            marker={
                "color": [tint(each, fill) for each in colours(result)],
                "line": {"color": colours(result), "width": 1.5},
            },
            text=[f"{percent(value)} {words}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
            name=words,
        )
    most = max(max(p.customer_share, p.revenue_share) for _, p in rows)
    figure.update_xaxes(tickformat=".0%", range=[0, most * 1.45], title="share")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def segment_profiles(result: Segmentation) -> go.Figure:
    """Recency, frequency and monetary value of each segment's centre, in standard deviations from the average."""
    measures = ("Recency", "Frequency", "Monetary value")
    signs = (-1, 1, 1)  # recent is up
    rows = []
    for each in result.segments:
        days, orders, spend = (each.profile.median(name) or 0.0 for name in ("recency_days", "frequency", "monetary"))
        rows.append((each.name, f"{days:.0f}", f"{orders:g}", f"{spend:,.2f}"))
    figure = framed(
        "What sets the segments apart: recent, frequent, high-spending",
        alt="Median customer of each segment. "
        + " ".join(f"{name}: last order {days} days ago, {n} orders, {spend} spent." for name, days, n, spend in rows),
        table=(
            (
                "segment",
                "median days since the last order",
                "median orders",
                f"median spend in {unit(result.currency)}",
            ),
            rows,
        ),
    )
    for each, centre, (_, days, orders, spend) in zip(result.segments, result.model.centres, rows, strict=True):
        real = (
            f"{days} days since the last order",
            f"{orders} orders",
            f"{money(float(spend.replace(',', '')), result.currency)} spent",
        )
        figure.add_scatter(
            x=measures,
            y=[round(sign * value, 3) for sign, value in zip(signs, centre, strict=True)],
            mode="lines+markers",
            name=escaped(each.name),
            line={"color": colour(each.id), "width": 2.5},
            marker={"symbol": symbol(each.id), "size": 11, "line": {"color": INK, "width": 0.7}},
            customdata=real,
            hovertemplate="%{customdata} (median)<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(title="above (+) or below (−) the average customer<br>in standard deviations", zeroline=True)
    figure.update_xaxes(showgrid=False, range=[-0.2, 2.2])
    return figure


def segment_trend(result: Segmentation) -> go.Figure:
    """Net revenue by month, stacked by the segment that the customers are in now."""
    months = [name for name, *_ in result.spending.months]
    money_of = {(segment, name): float(revenue) for segment, name, _, _, revenue in result.spending.segment_months}
    best = max(result.spending.months, key=lambda row: row[1])
    figure = framed(
        f"Revenue by month: most in {month(best[0])} ({money(float(best[1]), result.currency)})",
        alt="Net revenue of each month: "
        + ", ".join(
            f"{month(name)} {money(float(value), result.currency)}" for name, value, *_ in result.spending.months[-24:]
        ),
        table=(
            ("month", *(each.name for each in result.segments), "all", "orders", "customers"),
            [
                (
                    name,
                    *(f"{money_of.get((each.id, name), 0.0):,.2f}" for each in result.segments),
                    f"{total:,.2f}",
                    orders,
                    people,
                )
                for name, total, orders, people in result.spending.months
            ],
        ),
        barmode="stack",
        height=400,
    )
    for each in result.segments:
        values = [round(money_of.get((each.id, name), 0.0), 2) for name in months]
        figure.add_bar(
            x=[month(name) for name in months],
            y=values,
            name=escaped(each.name),
            marker={"color": colour(each.id), "line": {"color": "white", "width": 0.5}},
            customdata=[money(value, result.currency, short=False) for value in values],
            hovertemplate="%{x}: %{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(title=f"net revenue in {unit(result.currency)}")
    figure.update_xaxes(showgrid=False)
    return figure


def group_treemap(result: Segmentation) -> go.Figure:
    """Named groups by number of customers, each with its share of the revenue."""
    tints = group_tints(result)
    total = float(result.revenue) or 1.0
    largest = max(result.groups, key=lambda row: row[2])
    figure = framed(
        f"{largest[0]} is the largest named group: {counted(largest[2], 'customer')}",
        alt="Named groups. "
        + "; ".join(
            f"{name}: {counted(n, 'customer')}, {percent(float(value) / total)} of revenue"
            for name, _, n, value in result.groups
        ),
        table=(
            ("group", "why", "customers", f"revenue in {unit(result.currency)}", "share of revenue"),
            [(name, why, n, f"{value:,.2f}", percent(float(value) / total)) for name, why, n, value in result.groups],
        ),
        height=430,
    )
    figure.add_treemap(
        labels=[escaped(name) for name, *_ in result.groups],
        parents=[""] * len(result.groups),
        values=[n for _, _, n, _ in result.groups],
        text=[
            f"{counted(n, 'customer')}<br>{percent(float(value) / total)} of revenue"
            for _, _, n, value in result.groups
        ],
        customdata=[escaped(why) for _, why, *_ in result.groups],
        marker={"colors": [tints[name] for name, *_ in result.groups], "line": {"color": "white", "width": 2}},
        textfont={"color": INK, "size": 14},
        hovertemplate="<b>%{label}</b><br>%{text}<br>%{customdata}<extra></extra>",
        tiling={"pad": 2},
    )
    figure.update_layout(margin={"l": 4, "r": 4, "t": 56, "b": 4})
    return figure


def rfm_grid(result: Segmentation) -> go.Figure:
    """Customers and revenue by recency score and the mean of frequency and monetary score, coloured by named group."""
    levels = result.cuts.levels
    people: dict[tuple[int, int], int] = {}
    value: dict[tuple[int, int], float] = {}
    inside: dict[tuple[int, int], dict[str, int]] = {}
    for cell in result.cells:
        place = cell.r, (cell.f + cell.m + 1) // 2
        people[place] = people.get(place, 0) + cell.customers
        value[place] = value.get(place, 0.0) + float(cell.revenue)
        own = inside.setdefault(place, {})
        own[cell.group] = own.get(cell.group, 0) + cell.customers
    main = {place: max(own, key=lambda name: (own[name], name)) for place, own in inside.items()}
    best = people.get((levels, levels), 0)
    total = float(result.revenue) or 1.0
    figure = framed(
        f"{counted(best, 'customer')} are recent, frequent and high-spending at once: "
        f"{percent(value.get((levels, levels), 0.0) / total)} of the revenue",
        alt=f"Grid of {levels} recency scores by {levels} scores of frequency and money. The best corner has {counted(best, 'customer')}.",
        table=(
            (
                "recency score",
                "frequency and money score",
                "most are",
                "customers",
                f"revenue in {unit(result.currency)}",
            ),
            [(r, fm, main[r, fm], people[r, fm], f"{value[r, fm]:,.2f}") for r, fm in sorted(people, reverse=True)],
        ),
        height=520,
    )
    tints = group_tints(result)
    names = list(tints)
    scores = list(range(1, levels + 1))
    steps = [(edge / len(names), tints[name]) for i, name in enumerate(names) for edge in (i, i + 1)]
    hover = {
        place: f"<b>{escaped(main[place])}</b><br>{counted(people[place], 'customer')}<br>{money(value[place], result.currency)} "
        f"({percent(value[place] / total)} of revenue)<br>"
        + "<br>".join(
            f"{escaped(name)}: {n:,}" for name, n in sorted(inside[place].items(), key=lambda row: (-row[1], row[0]))
        )
        for place in people
    }
    figure.add_heatmap(
        x=scores,
        y=scores,
        z=[[names.index(main[r, fm]) + 0.5 if (r, fm) in main else None for r in scores] for fm in scores],
        zmin=0,
        zmax=len(names),
        colorscale=steps,
        showscale=False,
        xgap=3,
        ygap=3,
        customdata=[[hover.get((r, fm), "nobody") for r in scores] for fm in scores],
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
    )
    for (r, fm), n in people.items():
        figure.add_annotation(
            x=r,
            y=fm,
            text=f"<b>{lines(main[r, fm], 12)}</b><br>{amount(n)} · {percent(value[r, fm] / total)}",
            showarrow=False,
            font={"color": INK, "size": 11},
        )
    figure.update_xaxes(
        tickvals=scores,
        ticktext=_recency_ticks(result),
        title="days since the last order → more recent",
        showgrid=False,
        range=[0.5, levels + 0.5],
    )
    figure.update_yaxes(
        tickvals=scores,
        ticktext=_value_ticks(result),
        title="orders and spend (mean of both scores) → more",
        showgrid=False,
        range=[0.5, levels + 0.5],
    )
    return figure


def crosswalk(result: Segmentation) -> go.Figure:
    """How the segments (clusters) and the named groups (rules) overlap: share of each segment in each group."""
    names = [name for name, *_ in result.groups]
    shares = [
        [dict(each.profile.groups).get(name, 0) / each.profile.customers for name in names] for each in result.segments
    ]
    counts = [[dict(each.profile.groups).get(name, 0) for name in names] for each in result.segments]
    figure = framed(
        "How the learned segments and the named groups overlap",
        alt=_said(
            result, lambda p: "mostly " + ", ".join(f"{name} ({percent(n / p.customers)})" for name, n in p.groups[:3])
        ),
        table=(
            ("segment", *names),
            [(each.name, *row) for each, row in zip(result.segments, counts, strict=True)],
        ),
        height=190 + 56 * len(result.segments),
    )
    figure.add_heatmap(
        x=[lines(name, 12) for name in names],
        y=[lines(each.name) for each in result.segments],
        z=[[round(share, 4) if share else None for share in row] for row in shares],
        customdata=counts,
        text=[[percent(share) if share else "" for share in row] for row in shares],
        texttemplate="%{text}",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": "share of<br>the segment"}, "tickformat": ".0%", "thickness": 12},
        hovertemplate="%{y}<br>in %{x}: %{customdata:,} customers (%{text})<extra></extra>",
        hoverongaps=False,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, side="bottom", tickangle=0 if len(names) <= 6 else -40)
    return figure


def group_tints(result: Segmentation) -> dict[str, str]:
    """Light colours of the named groups, by their order in the rule pack."""
    return {group.name: tint(PALETTE[i % len(PALETTE)]) for i, group in enumerate(result.model.pack.groups)}


def _recency_ticks(result: Segmentation) -> list[str]:
    shown = {score: (low, high) for score, low, high in result.cuts.ranges("recency_days")}
    out = []
    for score in range(1, result.cuts.levels + 1):
        low, high = shown.get(score, (None, None))
        words = "nobody" if score not in shown else f"over {low - 1}" if high is None else f"up to {high}"  # type: ignore[operator]
        out.append(f"{score}<br>{words} days" if score in shown else f"{score}<br>{words}")
    return out


def _value_ticks(result: Segmentation) -> list[str]:
    orders = {score: low for score, low, _ in result.cuts.ranges("frequency")}
    spend = {score: low for score, low, _ in result.cuts.ranges("monetary")}
    out = []
    for score in range(1, result.cuts.levels + 1):
        parts = [
            f"{orders[score]}+ orders" if orders.get(score) is not None else "",
            f"{money(float(spend[score] or 0), result.currency)}+" if spend.get(score) is not None else "",
        ]
        out.append("<br>".join([str(score), *(part for part in parts if part)]))
    return out


def _said(result: Segmentation, words: Callable[[Profile], str]) -> str:
    return ". ".join(f"{each.name}: {words(each.profile)}" for each in result.segments) + "."
