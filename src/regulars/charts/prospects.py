"""Charts of what comes next: how well the forecasts of the past held, and what is at risk now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars import captions
from regulars.charts.look import (
    HOVER,
    OUTLINE,
    add_names,
    escaped,
    faint,
    framed,
    in_money,
    listing,
    nothing,
    paid,
    stacked,
)
from regulars.charts.outcomes import MARGIN
from regulars.palette import colour
from regulars.wording import counted, day, percent

if TYPE_CHECKING:
    from datetime import date

    from regulars.backtesting import Backtest
    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation
    from regulars.profiling import SegmentOutlook


# ---- how well the forecasts held


def calibration(result: Segmentation) -> go.Figure:
    """The chance of an order that customers were given at the cut, against the share of them that bought, in ten bins.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result).forecasts
    bins = test.best.windows[0].bins
    said = [f"{percent(chance)} promised, {percent(share)} bought" for _, chance, share in bins]
    figure = framed(
        captions.calibration_title(captions.backtest_of(result)),
        alt=f"Chance of an order within {test.horizon_days} days from {day(test.cut)}, as the {test.best.title} gave it, "
        "against the share that bought, in bins of equally many customers. "
        + listing((f"bin {number}", words) for number, words in enumerate(said, 1)),
        table=(
            ("bin", "customers", "promised chance", "share that bought"),
            [(number, n, percent(chance), percent(share)) for number, (n, chance, share) in enumerate(bins, 1)],
        ),
        height=440,
        showlegend=False,
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": OUTLINE, "width": 1, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=[chance for _, chance, _ in bins],
        y=[share for *_, share in bins],
        mode="lines+markers",
        line={"color": colour(0), "width": 2.5},
        marker={"size": 10, "line": {"color": OUTLINE, "width": 1}},
        customdata=[stacked(counted(n, "customer"), words) for (n, *_), words in zip(bins, said, strict=True)],
        hovertemplate=HOVER,
        cliponaxis=False,
    )
    for x, y, side, words in (
        (0.02, 0.97, "left", "above the line: more bought than promised"),
        (0.98, 0.04, "right", "below: fewer"),
    ):
        figure.add_annotation(x=x, y=y, text=words, showarrow=False, xanchor=side, font={"size": 11})
    promised = f"promised chance of an order within {test.horizon_days} days"
    figure.update_xaxes(title=promised, tickformat=".0%", range=[0, 1.005])
    figure.update_layout(margin={"r": 28})
    figure.update_yaxes(title="share that bought", tickformat=".0%", range=[0, 1.02])
    return figure


def order_tracking(result: Segmentation) -> go.Figure:
    """Repeat orders added up over time: as they came, and as the model that was fitted at the cut expected them.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result)
    tracking = test.forecasts.tracking
    days, came, expected = (list(column) for column in zip(*tracking.points, strict=True))
    model = _model(test)
    figure = framed(
        captions.tracking_title(test),
        alt=f"Repeat orders of the customers known on {day(tracking.cut)}, added up from {day(days[0])} to {day(days[-1])}: "
        f"{came[-1]:,} came in all, {model} expected {expected[-1]:,.0f}. Only what lies after {day(tracking.cut)} was "
        "unknown to the model.",
        table=(
            ("before", "repeat orders that came", "expected"),
            [(f"{when}", f"{orders:,}", f"{wanted:,.0f}") for when, orders, wanted in tracking.points],
        ),
        height=420,
        showlegend=False,
    )
    ahead = came[-1] >= expected[-1]
    _add_course(figure, days, came, name="came", line={"color": colour(0), "width": 3}, above=ahead)
    _add_course(
        figure, days, expected, name="expected", line={"color": OUTLINE, "width": 2.5, "dash": "dash"}, above=not ahead
    )
    figure.add_shape(
        type="line", x0=f"{tracking.cut}", x1=f"{tracking.cut}", y0=0, y1=1, yref="paper",
        line={"color": OUTLINE, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    figure.add_annotation(
        x=f"{tracking.cut}", y=1, yref="paper", text=f"hold-out from {day(tracking.cut)}", showarrow=False,
        xanchor="right", yanchor="top", xshift=-5, font={"size": 11},
    )  # fmt: skip
    figure.update_layout(margin={"r": 80})
    figure.update_xaxes(type="date", showgrid=False, range=[f"{days[0]}", f"{days[-1]}"])
    figure.update_yaxes(title="repeat orders, added up", range=[0, max(came[-1], expected[-1], 1) * 1.1])
    return figure


def _add_course(
    figure: go.Figure, days: list[date], values: list[float], *, name: str, line: dict[str, Any], above: bool
) -> None:
    """Add a line over time, and at its end what it is."""
    figure.add_scatter(
        x=[f"{when}" for when in days],
        y=values,
        mode="lines",
        name=name,
        line=line,
        customdata=[f"{value:,.0f} {name} before {day(when)}" for when, value in zip(days, values, strict=True)],
        hovertemplate=HOVER,
    )
    figure.add_scatter(
        x=[f"{days[-1]}"],
        y=[values[-1]],
        mode="text",
        text=[f" {values[-1]:,.0f}<br> {name}"],
        textposition=f"{'top' if above else 'bottom'} right",
        cliponaxis=False,
        hoverinfo="skip",
    )


def _model(test: Backtest) -> str:
    """The purchase model, which gives the number of orders."""
    return next(one.title for one in test.forecasts.ways if one.name not in ("logistic", "recency"))


# ---- what is at risk


def revenue_at_risk(result: Segmentation) -> go.Figure:
    """The last year's revenue of each segment, and the part of it that stays away if the chances come true.

    Raises
    ------
    NotEnoughDataError
        The run has no forecast.
    """
    outlook = captions.outlook_of(result)
    names = {each.id: each.name for each in result.segments}
    rows = [(names[one.segment_id], one) for one in outlook.segments]
    labels = [f"{paid(result, one.revenue_at_risk)} of {paid(result, one.last_year)}" for _, one in rows]
    chances = [f"mean chance of an order {percent(one.chance)}" for _, one in rows]
    figure = framed(
        captions.risk_title(result, rows),
        alt="Revenue of the last 365 days by segment, and the part at risk: that revenue times the chance of no order "
        f"within {outlook.horizon_days} days. "
        + listing((name, f"{a} at risk, {b}") for (name, _), a, b in zip(rows, labels, chances, strict=True)),
        table=_prospects(result, rows),
        height=120 + 56 * max(len(rows), 2),
        margin=MARGIN,
        barmode="relative",
        showlegend=False,
    )
    if not rows:
        return nothing(figure, "No customer has a forecast")
    risk = [round(one.revenue_at_risk, 2) for _, one in rows]
    rest = [round(one.last_year - one.revenue_at_risk, 2) for _, one in rows]
    texts = [stacked(name, f"{a} at risk", b) for (name, _), a, b in zip(rows, labels, chances, strict=True)]
    tones = [colour(one.segment_id) for _, one in rows]
    _add_parts(figure, risk, texts, tones=tones, opacity=1.0)
    _add_parts(figure, rest, texts, tones=tones, opacity=0.3)
    ends = [0.0, *(one.last_year for _, one in rows), *risk]
    said = [(name, f"{label} · {percent(one.chance)} come") for (name, one), label in zip(rows, labels, strict=True)]
    add_names(figure, said, x=min(ends))
    figure.update_xaxes(
        title=escaped(f"{in_money(result, 'revenue of the last 365 days')} (full: at risk)"),
        range=[min(ends), max(ends) if max(ends) > min(ends) else 1],
    )
    return figure


def _prospects(result: Segmentation, rows: Sequence[tuple[str, SegmentOutlook]]) -> Table:
    titles = ("segment", "customers", "mean chance of an order", "expected orders")
    money = ("expected revenue", "revenue of the last 365 days", "revenue at risk")
    outlook = captions.outlook_of(result)
    people = sum(one.customers for _, one in rows)
    sums = [outlook.total(name) for name in ("expected_orders", "expected_revenue", "last_year", "revenue_at_risk")]
    everyone = ("all", people, percent(outlook.expected_buyers / max(people, 1)), *sums)
    listed = [
        (
            *(name, one.customers, percent(one.chance)),
            *(one.expected_orders, one.expected_revenue, one.last_year, one.revenue_at_risk),
        )
        for name, one in rows
    ]
    return (*titles, *(in_money(result, words) for words in money)), [
        (*row[:3], *(f"{value:,.0f}" for value in row[3:])) for row in [*listed, everyone]
    ]


def _add_parts(
    figure: go.Figure, values: Sequence[float], said: Sequence[str], *, tones: Sequence[str], opacity: float
) -> None:
    """Add a part of each bar."""
    figure.add_bar(
        y=list(range(len(values))),
        x=list(values),
        width=0.44,
        orientation="h",
        marker={"color": [faint(tone, opacity) for tone in tones], "line": {"color": list(tones), "width": 1.5}},
        customdata=list(said),
        hovertemplate=HOVER,
    )
