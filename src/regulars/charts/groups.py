"""Charts of named groups: where they are on the grid of scores, how large they are, how they overlap with the segments."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from regulars.charts.look import (
    HOVER,
    INK,
    SHARES,
    cut,
    escaped,
    framed,
    in_money,
    lines,
    listing,
    paid,
    stacked,
    tint,
)
from regulars.palette import PALETTE
from regulars.wording import amount, counted, percent

if TYPE_CHECKING:
    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation
    from regulars.profiling import Cell, Profile

GROUP_NAME, HOVER_NAME = 18, 40  # letters of a name on an axis, in a hover text
LEAST_TEXT = 9  # pixels; smaller texts in a treemap are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A field of the grid: its customers, their money, and the groups that they are in, largest first."""

    customers: int
    revenue: Decimal
    groups: tuple[tuple[str, int], ...]

    @property
    def main(self) -> str:
        """The group that most of its customers are in."""
        return self.groups[0][0]


Fields = dict[tuple[int, int], _Field]


def rfm_grid(result: Segmentation) -> go.Figure:
    """Customers and revenue by recency score and the mean of frequency and monetary score, coloured by named group."""
    levels = result.cuts.levels
    fields = _fields(result)
    best = fields.get((levels, levels), _Field(customers=0, revenue=Decimal(0), groups=()))
    people = counted(best.customers, "customer")
    figure = framed(
        f"{people} {'is' if best.customers == 1 else 'are'} recent, frequent and high-spending at once: "
        f"{_share(result, best.revenue)} of the revenue",
        alt=f"Grid of {levels} recency scores by {levels} scores of frequency and money. The best corner has {people}.",
        table=_fields_table(result, fields),
        height=520,
    )
    _add_fields(figure, result, fields)
    for (r, fm), field in fields.items():
        figure.add_annotation(
            x=r,
            y=fm,
            text=f"<b>{lines(field.main, 12)}</b><br>{amount(field.customers)} · {_share(result, field.revenue)}",
            showarrow=False,
            font={"color": INK, "size": 11},
        )
    scores = list(range(1, levels + 1))
    shared = {"tickvals": scores, "showgrid": False, "range": [0.5, levels + 0.5]}
    figure.update_xaxes(ticktext=_recency_ticks(result), title="days since the last order → more recent", **shared)
    figure.update_yaxes(
        ticktext=_value_ticks(result),
        title={"text": "orders and spend (mean of both scores) → more", "standoff": 12},
        **shared,
    )
    return figure


def _fields(result: Segmentation) -> Fields:
    """The cells of the three scores, those with the same recency score and mean of the others (rounded up) together."""
    together: defaultdict[tuple[int, int], list[Cell]] = defaultdict(list)
    for cell in result.cells:
        together[cell.r, (cell.f + cell.m + 1) // 2].append(cell)
    return {place: _merged(cells) for place, cells in sorted(together.items(), reverse=True)}


def _merged(cells: list[Cell]) -> _Field:
    groups = Counter[str]()
    for cell in cells:
        groups[cell.group] += cell.customers
    return _Field(
        customers=groups.total(),
        revenue=sum((cell.revenue for cell in cells), Decimal(0)),
        groups=tuple(sorted(groups.items(), key=lambda row: (-row[1], row[0]))),
    )


def _fields_table(result: Segmentation, fields: Fields) -> Table:
    return (
        ("recency score", "frequency and money score", "most are", "customers", in_money(result, "revenue")),
        [(r, fm, field.main, field.customers, f"{field.revenue:,.2f}") for (r, fm), field in fields.items()],
    )


def _add_fields(figure: go.Figure, result: Segmentation, fields: Fields) -> None:
    tints = group_tints(result)
    names = list(tints)
    scores = range(1, result.cuts.levels + 1)
    shown = {place: names.index(field.main) + 0.5 for place, field in fields.items()}
    said = {place: _field_text(result, field) for place, field in fields.items()}
    figure.add_heatmap(
        x=list(scores),
        y=list(scores),
        z=[[shown.get((r, fm)) for r in scores] for fm in scores],
        zmin=0,
        zmax=len(names),
        colorscale=[(edge / len(names), tints[name]) for i, name in enumerate(names) for edge in (i, i + 1)],
        showscale=False,
        xgap=3,
        ygap=3,
        customdata=[[said.get((r, fm), "nobody") for r in scores] for fm in scores],
        hovertemplate=HOVER,
        hoverongaps=False,
    )


def _field_text(result: Segmentation, field: _Field) -> str:
    money = f"{paid(result, field.revenue)} ({_share(result, field.revenue)} of revenue)"
    groups = (f"{cut(name, HOVER_NAME)}: {n:,}" for name, n in field.groups)
    facts = stacked(counted(field.customers, "customer"), money, *groups)
    return f"<b>{escaped(cut(field.main, HOVER_NAME))}</b><br>{facts}"


def _share(result: Segmentation, revenue: Decimal) -> str:
    return percent(float(revenue / result.revenue)) if result.revenue else "0%"


def _recency_ticks(result: Segmentation) -> list[str]:
    """Recency scores with their days."""
    days: dict[int, str] = {}
    for score, low, high in result.cuts.ranges("recency_days"):
        over = "all" if low is None else f"> {low - 1}"
        days[score] = over if high is None else f"≤ {high}"
    return [stacked(str(score), days.get(score, "nobody")) for score in range(1, result.cuts.levels + 1)]


def _value_ticks(result: Segmentation) -> list[str]:
    """Frequency and monetary scores with the orders and the money from which they begin."""
    orders = {score: f"{low}+ orders" for score, low, _ in result.cuts.ranges("frequency") if low is not None}
    spend = {score: f"{paid(result, low)}+" for score, low, _ in result.cuts.ranges("monetary") if low is not None}
    return [
        stacked(str(score), *(words[score] for words in (orders, spend) if score in words))
        for score in range(1, result.cuts.levels + 1)
    ]


def group_treemap(result: Segmentation) -> go.Figure:
    """Named groups by number of customers, each with its share of the revenue."""
    tints = group_tints(result)
    name, _, most, _ = max(result.groups, key=lambda row: row[2])
    words = [f"{_share(result, revenue)} of revenue" for *_, revenue in result.groups]
    figure = framed(
        f"{name} is the largest named group: {counted(most, 'customer')}",
        alt="Named groups. "
        + listing(
            (name, f"{counted(n, 'customer')}, {share}")
            for (name, _, n, _), share in zip(result.groups, words, strict=True)
        ),
        table=(
            ("group", "why", "customers", in_money(result, "revenue"), "share of revenue"),
            [(name, why, n, f"{revenue:,.2f}", _share(result, revenue)) for name, why, n, revenue in result.groups],
        ),
        height=430,
        margin={"l": 4, "r": 4, "t": 56, "b": 4},
        uniformtext={"minsize": LEAST_TEXT, "mode": "hide"},
    )
    figure.add_treemap(
        ids=[str(i) for i in range(len(result.groups))],
        labels=[lines(name, GROUP_NAME) for name, *_ in result.groups],
        parents=[""] * len(result.groups),
        values=[n for _, _, n, _ in result.groups],
        text=[stacked(counted(n, "customer"), share) for (_, _, n, _), share in zip(result.groups, words, strict=True)],
        customdata=[escaped(why) for _, why, *_ in result.groups],
        marker={
            "colors": [tints[name] for name, *_ in result.groups],
            "line": {"width": 0},
            "pad": {"t": 0, "l": 0, "r": 0, "b": 0},
        },
        root={"color": "rgba(0,0,0,0)"},
        textfont={"color": INK, "size": 14},
        hovertemplate="<b>%{label}</b><br>%{text}<br>%{customdata}<extra></extra>",
        tiling={"pad": 3},
        pathbar={"visible": False},
    )
    return figure


def crosswalk(result: Segmentation) -> go.Figure:
    """How the segments (clusters) and the named groups (rules) overlap: share of each segment in each group."""
    names = [name for name, *_ in result.groups]
    counts = [[dict(each.profile.groups).get(name, 0) for name in names] for each in result.segments]
    figure = framed(
        "How the learned segments and the named groups overlap",
        alt=listing((each.name, _mostly(each.profile)) for each in result.segments),
        table=(
            ("segment", *names),
            [(each.name, *row) for each, row in zip(result.segments, counts, strict=True)],
        ),
        height=170 + 52 * len(result.segments),
    )
    _add_overlap(figure, result, names, counts)
    figure.update_yaxes(
        tickvals=list(range(len(counts))),
        ticktext=[lines(each.name) for each in result.segments],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(
        tickvals=list(range(len(names))),
        ticktext=[escaped(cut(name, GROUP_NAME)) for name in names],
        autotickangles=[0, -40, -90],
        showgrid=False,
        title="share of the segment's customers",
    )
    return figure


def _mostly(profile: Profile) -> str:
    """The largest named groups in a segment."""
    return "mostly " + ", ".join(f"{name} ({percent(n / profile.customers)})" for name, n in profile.groups[:3])


def _add_overlap(figure: go.Figure, result: Segmentation, names: list[str], counts: list[list[int]]) -> None:
    rows = list(zip(result.segments, counts, strict=True))
    figure.add_heatmap(
        x=list(range(len(names))),
        y=list(range(len(counts))),
        z=[[round(n / each.profile.customers, 4) if n else None for n in row] for each, row in rows],
        customdata=[
            [
                stacked(
                    cut(each.name, HOVER_NAME),
                    f"in {cut(name, HOVER_NAME)}: {counted(n, 'customer')} ({percent(n / each.profile.customers)})",
                )
                for name, n in zip(names, row, strict=True)
            ]
            for each, row in rows
        ],
        text=[[_whole_percent(n / each.profile.customers) if n else "" for n in row] for each, row in rows],
        texttemplate="%{text}",
        textfont={"color": INK},
        colorscale=SHARES,
        showscale=False,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        hovertemplate=HOVER,
        hoverongaps=False,
    )


def _whole_percent(share: float) -> str:
    """A share in few letters, for narrow fields."""
    return "<1%" if share < 0.005 else f"{share:.0%}"


def group_tints(result: Segmentation) -> dict[str, str]:
    """Light colours of the named groups, by their order in the rule pack."""
    return {group.name: tint(PALETTE[i % len(PALETTE)]) for i, group in enumerate(result.model.pack.groups)}
