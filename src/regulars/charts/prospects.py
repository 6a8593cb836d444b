"""Charts of what came and what comes next: what the segments knew, how well the forecasts held, what is at risk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars.charts.look import (
    BAR,
    HOVER,
    LETTER,
    OUTLINE,
    across,
    escaped,
    framed,
    in_money,
    lines,
    listing,
    nothing,
    paid,
    stacked,
    symbol,
    tint,
)
from regulars.errors import NotEnoughDataError
from regulars.palette import colour
from regulars.wording import counted, day, percent

if TYPE_CHECKING:
    from datetime import date

    from regulars.backtesting import Backtest, Grouping
    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation
    from regulars.profiling import Outlook, SegmentOutlook

#: Chart → the fact of a run that it needs.
NEEDS = {
    "segment_outcomes": "backtest",
    "gain_curves": "backtest",
    "calibration": "backtest",
    "order_tracking": "backtest",
    "revenue_at_risk": "outlook",
}
QUIET = ("solid", "dash", "dashdot", "dot")  # lines of the groupings beside the segments


def _backtest(result: Segmentation) -> Backtest:
    if result.backtest is None:
        raise NotEnoughDataError(
            f"There is no back-test to draw. {result.backtest_note}".strip(),
            hint="Charts of the back-test need a run with one: segment a longer history.",
        )
    return result.backtest


def _outlook(result: Segmentation) -> Outlook:
    if result.outlook is None:
        raise NotEnoughDataError(
            f"There is no forecast to draw. {result.backtest_note}".strip(),
            hint="Charts of what comes next need a run with a back-test: segment a longer history.",
        )
    return result.outlook


# ---- what each segment then did


def segment_outcomes(result: Segmentation) -> go.Figure:
    """What each segment of the cut then did: share that bought again above, net revenue per customer below.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = _backtest(result)
    shares = [(one.share, one.share_low, one.share_high) for one in test.segments]
    money = [(one.revenue, one.revenue_low, one.revenue_high) for one in test.segments]
    said = [f"{percent(value)} ({percent(low)} to {percent(high)})" for value, low, high in shares]
    worth = [f"{paid(result, value)} ({paid(result, low)} to {paid(result, high)})" for value, low, high in money]
    height = 210 + 76 * len(test.segments)
    figure = framed(
        _outcome_title(test),
        alt=f"Customers known on {day(test.cut)}, by segment: share that bought again within {test.horizon_days} days and "
        "net revenue per customer, with 95% intervals. "
        + listing((one.name, f"{a}, {b}") for one, a, b in zip(test.segments, said, worth, strict=True)),
        table=_outcomes(result, test),
        height=height,
        showlegend=False,
        grid=make_subplots(rows=2, cols=1, vertical_spacing=90 / height),
    )
    everyone = sum(one.revenue * one.customers for one in test.segments) / test.customers
    _add_outcomes(figure, result, shares, said, everyone=test.bought / test.customers, row=1)
    _add_outcomes(figure, result, money, worth, everyone=everyone, row=2)
    figure.update_layout(margin={"r": round(14 + LETTER * max(map(len, [*said, *worth])))})
    within = f"bought again within {test.horizon_days} days (dotted: all)"
    revenue = escaped(f"{in_money(result, 'net revenue per customer')} (dotted: all)")
    figure.update_xaxes(title={"text": within, "standoff": 4}, tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title={"text": revenue, "standoff": 4}, row=2, col=1)
    return figure


def _outcome_title(test: Backtest) -> str:
    best, worst = (choose(test.segments, key=lambda one: one.share) for choose in (max, min))
    within = f"bought again within {test.horizon_days} days"
    if best.share > worst.share:
        return f"{best.name}: {percent(best.share)} {within}; {worst.name}: {percent(worst.share)}"
    return f"{percent(best.share)} of every segment {within}"


def _outcomes(result: Segmentation, test: Backtest) -> Table:
    titles = ("segment at the cut", "customers", "bought again", "share", "95% interval")
    revenue = in_money(result, "net revenue per customer")
    return (*titles, revenue, "95% interval of revenue"), [
        (
            one.name,
            one.customers,
            one.bought,
            percent(one.share),
            f"{percent(one.share_low)} to {percent(one.share_high)}",
            f"{one.revenue:,.2f}",
            f"{one.revenue_low:,.2f} to {one.revenue_high:,.2f}",
        )
        for one in test.segments
    ]


def _add_outcomes(
    figure: go.Figure,
    result: Segmentation,
    spans: Sequence[tuple[float, float, float]],
    labels: Sequence[str],
    *,
    everyone: float,
    row: int,
) -> None:
    """Add a point with its interval per segment, and the value of all customers."""
    test, places = _backtest(result), list(range(len(spans)))
    ids = _numbers(result, test)
    figure.add_scatter(
        x=[value for _, low, high in spans for value in (low, high, None)],
        y=[place for i in places for place in (i, i, None)],
        mode="lines",
        line={"color": OUTLINE, "width": 3},
        hoverinfo="skip",
        row=row,
        col=1,
    )
    figure.add_scatter(
        x=[high for *_, high in spans],
        y=places,
        mode="text",
        text=[f" {escaped(label)}" for label in labels],
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
        row=row,
        col=1,
    )
    figure.add_scatter(
        x=[value for value, *_ in spans],
        y=places,
        mode="markers",
        marker={
            "color": [colour(number) for number in ids],
            "symbol": [symbol(number) for number in ids],
            "size": 15,
            "line": {"color": OUTLINE, "width": 1},
        },
        customdata=[stacked(one.name, label) for one, label in zip(test.segments, labels, strict=True)],
        hovertemplate=HOVER,
        cliponaxis=False,
        row=row,
        col=1,
    )
    figure.add_vline(x=everyone, line={"color": OUTLINE, "width": 1, "dash": "dot"}, row=row, col=1)
    lowest, highest = min(0.0, *(low for _, low, _ in spans)), max(high for *_, high in spans)
    figure.update_xaxes(range=[lowest, highest if highest > lowest else lowest + 1], row=row, col=1)
    figure.update_yaxes(
        tickvals=places,
        ticktext=[lines(one.name) for one in test.segments],
        range=[len(spans) - 0.5, -0.5],
        showgrid=False,
        row=row,
        col=1,
    )


def _numbers(result: Segmentation, test: Backtest) -> list[int]:
    """Which colour and symbol a segment of the cut has: those of today's segment of that name, or of none of today's."""
    today = {each.name: each.id for each in result.segments}
    free = count(len(today))
    return [today[one.name] if one.name in today else next(free) for one in test.segments]


# ---- what the groupings knew


def gain_curves(result: Segmentation) -> go.Figure:
    """How many of those who bought again are among the customers that each grouping ranks first; below, its information.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = _backtest(result)
    best_first = sorted(test.groupings, key=lambda one: -test.bits(one.name)[0])
    figure = framed(
        _gain_title(test),
        alt=f"Gain curves of {len(best_first)} ways to group the customers known on {day(test.cut)}, and their information "
        f"about who bought again within {test.horizon_days} days. "
        + listing(_knowledge(test, one) for one in best_first),
        table=_groupings(test),
        height=720,
        margin={"r": 28},
        legend={"x": 0.99, "xanchor": "right", "y": 0.47, "yanchor": "bottom"},
        grid=make_subplots(rows=2, cols=1, row_heights=[0.62, 0.38], vertical_spacing=0.12),
    )
    _add_curves(figure, best_first)
    _add_information(figure, test, best_first)
    figure.update_xaxes(title="customers, those ranked best first", tickformat=".0%", range=[0, 1.005], row=1, col=1)
    figure.update_yaxes(title="of those who bought again", tickformat=".0%", range=[0, 1.03], row=1, col=1)
    return figure


def _gain_title(test: Backtest) -> str:
    own = test.grouping("segments")
    rival = max((one for one in test.groupings if one is not own), key=lambda one: one.lift)
    return (
        f"Best tenth by segments: bought again {own.lift:.1f} times as often as all customers "
        f"({rival.title}: {rival.lift:.1f} times)"
    )


def _knowledge(test: Backtest, one: Grouping) -> tuple[str, str]:
    """A grouping, and its information and lift in words."""
    mean, least, most = test.bits(one.name)
    spread = f" ({least:.3f} to {most:.3f})" if len(test.windows) > 1 else ""
    return one.title, f"{mean:.3f} bit{spread}, lift {one.lift:.2f}"


def _groupings(test: Backtest) -> Table:
    several = len(test.windows) > 1
    spread = (f"mean of {len(test.windows)} cuts", "least", "most") if several else ()
    return ("grouping", "groups", "information in bits", *spread, "lift of the best tenth"), [
        (
            one.title,
            one.groups,
            f"{one.bits:.3f}",
            *((f"{value:.3f}" for value in test.bits(one.name)) if several else ()),
            f"{one.lift:.2f}",
        )
        for one in test.groupings
    ]


def _add_curves(figure: go.Figure, groupings: Sequence[Grouping]) -> None:
    dashes = iter(QUIET)
    for one in groupings:
        own = one.name == "segments"
        line = (
            {"color": colour(0), "width": 4} if own else {"color": OUTLINE, "width": 1.6, "dash": next(dashes, "solid")}
        )
        figure.add_scatter(
            x=[x for x, _ in one.gain],
            y=[y for _, y in one.gain],
            mode="lines+markers" if own else "lines",
            name=escaped(one.title),
            line=line,
            marker={"size": 9, "line": {"color": OUTLINE, "width": 1}},
            zorder=2 if own else 1,
            customdata=[
                stacked(one.title, f"{percent(x)} of the customers: {percent(y)} of those who bought")
                for x, y in one.gain
            ],
            hovertemplate=HOVER,
            row=1,
            col=1,
        )
    chance = {"color": OUTLINE, "width": 1, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=chance, showlegend=False, hoverinfo="skip", row=1, col=1)
    figure.add_annotation(
        x=0.5,
        y=0.5,
        text="by chance",
        showarrow=False,
        xanchor="left",
        xshift=8,
        yshift=-8,
        font={"size": 11},
        row=1,
        col=1,
    )


def _add_information(figure: go.Figure, test: Backtest, groupings: Sequence[Grouping]) -> None:
    """Add a row per grouping: its information, the range of it over the cuts, and what that is in words."""
    found = [test.bits(one.name) for one in groupings]
    places = list(range(len(groupings)))
    tones = [colour(0) if one.name == "segments" else OUTLINE for one in groupings]
    texts = [": ".join(_knowledge(test, one)) for one in groupings]
    quiet: dict[str, Any] = {"showlegend": False, "row": 2, "col": 1}
    figure.add_scatter(
        x=[value for _, least, most in found for value in (least, most, None)],
        y=[place for i in places for place in (i, i, None)],
        mode="lines",
        line={"color": OUTLINE, "width": 3},
        hoverinfo="skip",
        **quiet,
    )
    figure.add_scatter(
        x=[mean for mean, *_ in found],
        y=places,
        mode="markers",
        marker={"color": tones, "size": 11, "line": {"color": OUTLINE, "width": 1}},
        customdata=[escaped(text) for text in texts],
        hovertemplate=HOVER,
        cliponaxis=False,
        **quiet,
    )
    figure.add_scatter(
        x=[0] * len(places),
        y=[place - 0.4 for place in places],
        mode="text",
        text=[escaped(text) for text in texts],
        textposition="middle right",
        hoverinfo="skip",
        **quiet,
    )
    over = f", mean and range of {len(test.windows)} cuts" if len(test.windows) > 1 else ""
    highest = max(most for *_, most in found)
    figure.update_xaxes(title=f"information in bits{over}", range=[0, highest * 1.04 or 1], row=2, col=1)
    figure.update_yaxes(showticklabels=False, ticks="", showgrid=False, range=[len(places) - 0.6, -0.8], row=2, col=1)


# ---- how well the forecasts held


def calibration(result: Segmentation) -> go.Figure:
    """The chance of an order that customers were given at the cut, against the share of them that bought, in ten bins.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = _backtest(result).forecasts
    bins = test.best.windows[0].bins
    said = [f"{percent(chance)} promised, {percent(share)} bought" for _, chance, share in bins]
    figure = framed(
        _calibration_title(_backtest(result)),
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


def _calibration_title(test: Backtest) -> str:
    check, alone = test.forecasts.best.windows[0], test.forecasts.way("recency").windows[0]
    off = 100 * (check.calibration_error or 0.0)
    ranked = "" if check.auc is None else f"; AUC {check.auc:.2f}"
    beside = "" if alone.auc is None else f" (recency alone {alone.auc:.2f})"
    return f"Promised chances were off by {off:.1f} percentage points on average{ranked}{beside if ranked else ''}"


def order_tracking(result: Segmentation) -> go.Figure:
    """Repeat orders added up over time: as they came, and as the model that was fitted at the cut expected them.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = _backtest(result)
    tracking = test.forecasts.tracking
    days, came, expected = (list(column) for column in zip(*tracking.points, strict=True))
    model = _model(test)
    figure = framed(
        _tracking_title(test),
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
        figure, days, expected, name="expected", line={"color": BAR, "width": 2.5, "dash": "dash"}, above=not ahead
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


def _tracking_title(test: Backtest) -> str:
    tracking = test.forecasts.tracking
    known = [point for point in tracking.points if point[0] <= tracking.cut]
    since, came, expected = known[-1] if known else (tracking.cut, 0, 0.0)
    _, all_came, all_expected = tracking.points[-1]
    return (
        f"From {day(since)} on, {counted(all_came - came, 'repeat order')} came; "
        f"{all_expected - expected:,.0f} were expected"
    )


# ---- what is at risk


def revenue_at_risk(result: Segmentation) -> go.Figure:
    """The last year's revenue of each segment, and the part of it that stays away if the chances come true.

    Raises
    ------
    NotEnoughDataError
        The run has no forecast.
    """
    outlook = _outlook(result)
    names = {each.id: each.name for each in result.segments}
    rows = [(names[one.segment_id], one) for one in outlook.segments]
    labels = [f"{paid(result, one.revenue_at_risk)} of {paid(result, one.last_year)}" for _, one in rows]
    figure = framed(
        _risk_title(result, rows),
        alt="Revenue of the last 365 days by segment, and the part at risk: that revenue times the chance of no order "
        f"within {outlook.horizon_days} days. "
        + listing(
            (name, f"{label} at risk, mean chance of an order {percent(one.chance)}")
            for (name, one), label in zip(rows, labels, strict=True)
        ),
        table=_prospects(result, rows),
        height=130 + 56 * max(len(rows), 2),
        barmode="relative",
        showlegend=False,
    )
    if not rows:
        return nothing(figure, "No customer has a forecast")
    risk = [round(one.revenue_at_risk, 2) for _, one in rows]
    safe = [round(one.last_year - one.revenue_at_risk, 2) for _, one in rows]
    strong = [colour(one.segment_id) for _, one in rows]
    _add_parts(
        figure, risk, [stacked(name, f"{words} at risk") for (name, _), words in zip(rows, labels, strict=True)], strong
    )
    texts = [f"{label} · {percent(one.chance)}" for label, (_, one) in zip(labels, rows, strict=True)]
    expected = [
        stacked(name, f"{paid(result, value)} of customers who are expected to order")
        for (name, _), value in zip(rows, safe, strict=True)
    ]
    _add_parts(figure, safe, expected, strong, texts=texts)
    across(figure, [name for name, _ in rows], [one.last_year for _, one in rows], texts)
    figure.update_xaxes(title=escaped(f"{in_money(result, 'revenue of the last 365 days')}: full colour at risk"))
    return figure


def _risk_title(result: Segmentation, rows: Sequence[tuple[str, SegmentOutlook]]) -> str:
    outlook = _outlook(result)
    at_risk, last_year = outlook.total("revenue_at_risk"), outlook.total("last_year")
    if not rows:
        return "No revenue at risk: no customer has a forecast"
    name, most = max(rows, key=lambda row: row[1].revenue_at_risk)
    return (
        f"{paid(result, at_risk)} of the last year's {paid(result, last_year)} is at risk, the most in {name} "
        f"({paid(result, most.revenue_at_risk)})"
    )


def _prospects(result: Segmentation, rows: Sequence[tuple[str, SegmentOutlook]]) -> Table:
    titles = ("segment", "customers", "mean chance of an order", "expected orders")
    money = ("expected revenue", "revenue of the last 365 days", "revenue at risk")
    outlook = _outlook(result)
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
    figure: go.Figure, values: Sequence[float], said: Sequence[str], tones: Sequence[str], *, texts: Sequence[str] = ()
) -> None:
    """Add a part of each bar: full where it has no text, else pale, with a text at its end."""
    fill = [tint(tone, 0.65) for tone in tones] if texts else list(tones)
    figure.add_bar(
        y=list(range(len(values))),
        x=list(values),
        orientation="h",
        marker={"color": fill, "line": {"color": list(tones), "width": 1.5}},
        text=[escaped(text) for text in texts] or None,
        textposition="outside" if texts else "none",
        cliponaxis=False,
        customdata=list(said),
        hovertemplate=HOVER,
    )
