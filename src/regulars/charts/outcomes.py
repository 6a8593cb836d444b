"""Charts of the back-test: what each segment of the past then did, and what each grouping knew about it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars import captions
from regulars.charts.look import (
    HOVER,
    OUTLINE,
    add_names,
    escaped,
    framed,
    in_money,
    listing,
    paid,
    stacked,
    symbol,
)
from regulars.palette import colour
from regulars.wording import day, percent

if TYPE_CHECKING:
    from regulars.backtesting import Backtest, Grouping
    from regulars.charts.look import Table
    from regulars.pipeline import Segmentation

ROW = 46  # pixels
MARGIN = {"l": 10, "r": 28, "t": 56, "b": 10}
QUIET = ("solid", "dash", "dashdot", "dot")  # lines of the groupings beside the segments


# ---- what each segment then did


def segment_outcomes(result: Segmentation) -> go.Figure:
    """What each segment of the cut then did: share that bought again above, net revenue per customer below.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result)
    shares = [(one.share, one.share_low, one.share_high) for one in test.segments]
    money = [(one.revenue, one.revenue_low, one.revenue_high) for one in test.segments]
    said = [f"{percent(value)} ({percent(low)} to {percent(high)})" for value, low, high in shares]
    worth = [f"{paid(result, value)} ({paid(result, low)} to {paid(result, high)})" for value, low, high in money]
    height = 190 + 2 * ROW * max(len(test.segments), 2)
    figure = framed(
        captions.outcome_title(test),
        alt=f"Customers known on {day(test.cut)}, by segment: share that bought again within {test.horizon_days} days and "
        "net revenue per customer, with 95% intervals. "
        + listing((one.name, f"{a}, {b}") for one, a, b in zip(test.segments, said, worth, strict=True)),
        table=_outcomes(result, test),
        height=height,
        margin=MARGIN,
        showlegend=False,
        grid=make_subplots(rows=2, cols=1, vertical_spacing=80 / height),
    )
    everyone = sum(one.revenue * one.customers for one in test.segments) / test.customers
    _add_outcomes(figure, result, shares, said, everyone=test.bought / test.customers, row=1)
    _add_outcomes(figure, result, money, worth, everyone=everyone, row=2)
    within = f"bought again within {test.horizon_days} days (dotted: all)"
    revenue = escaped(f"{in_money(result, 'net revenue per customer')} (dotted: all)")
    figure.update_xaxes(title={"text": within, "standoff": 4}, tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title={"text": revenue, "standoff": 4}, row=2, col=1)
    return figure


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
    test = captions.backtest_of(result)
    ids = _numbers(result, test)
    lowest, highest = min(0.0, *(low for _, low, _ in spans)), max(high for *_, high in spans)
    _add_spans(figure, [(low, high) for _, low, high in spans], row=row)
    figure.add_scatter(
        x=[value for value, *_ in spans],
        y=list(range(len(spans))),
        mode="markers",
        marker={
            "color": [colour(number) for number in ids],
            "symbol": [symbol(number) for number in ids],
            "size": 14,
            "line": {"color": OUTLINE, "width": 1},
        },
        customdata=[stacked(one.name, label) for one, label in zip(test.segments, labels, strict=True)],
        hovertemplate=HOVER,
        cliponaxis=False,
        row=row,
        col=1,
    )
    figure.add_vline(x=everyone, line={"color": OUTLINE, "width": 1, "dash": "dot"}, row=row, col=1)
    add_names(figure, list(zip((one.name for one in test.segments), labels, strict=True)), x=lowest, row=row, col=1)
    figure.update_xaxes(range=[lowest, highest if highest > lowest else lowest + 1], row=row, col=1)


def _add_spans(figure: go.Figure, spans: Sequence[tuple[float, float]], *, row: int) -> None:
    """Add intervals, one below the other."""
    figure.add_scatter(
        x=[value for low, high in spans for value in (low, high, None)],
        y=[place for i in range(len(spans)) for place in (i, i, None)],
        mode="lines",
        line={"color": OUTLINE, "width": 3},
        showlegend=False,
        hoverinfo="skip",
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
    test = captions.backtest_of(result)
    best_first = sorted(test.groupings, key=lambda one: -test.bits(one.name)[0])
    figure = framed(
        captions.gain_title(test),
        alt=f"Gain curves of {len(best_first)} ways to group the customers known on {day(test.cut)}, and their information "
        f"about who bought again within {test.horizon_days} days. "
        + listing(_knowledge(test, one) for one in best_first),
        table=_groupings(test),
        height=720,
        margin=MARGIN,
        legend={"x": 0.99, "xanchor": "right", "y": 0.47, "yanchor": "bottom"},
        grid=make_subplots(rows=2, cols=1, row_heights=[0.62, 0.38], vertical_spacing=0.12),
    )
    _add_curves(figure, best_first)
    _add_information(figure, test, best_first)
    figure.update_xaxes(title="customers, those ranked best first", tickformat=".0%", range=[0, 1.005], row=1, col=1)
    figure.update_yaxes(title="of those who bought again", tickformat=".0%", range=[0, 1.03], row=1, col=1)
    return figure


def _knowledge(test: Backtest, one: Grouping) -> tuple[str, str]:
    """A grouping, and its information and lift in words."""
    return one.title, f"{_bits(test, one)}, lift {one.lift:.2f}"


def _bits(test: Backtest, one: Grouping) -> str:
    mean, least, most = test.bits(one.name)
    return f"{mean:.3f} bit" + (f" ({least:.3f} to {most:.3f})" if len(test.windows) > 1 else "")


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
            name=escaped(f"{one.title}: lift {one.lift:.2f}"),
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
    """Add a row per grouping: its information, and the range of it over the cuts."""
    found = [test.bits(one.name) for one in groupings]
    _add_spans(figure, [(least, most) for _, least, most in found], row=2)
    figure.add_scatter(
        x=[mean for mean, *_ in found],
        y=list(range(len(found))),
        mode="markers",
        marker={
            "color": [colour(0) if one.name == "segments" else OUTLINE for one in groupings],
            "size": 11,
            "line": {"color": OUTLINE, "width": 1},
        },
        customdata=[escaped(": ".join(_knowledge(test, one))) for one in groupings],
        hovertemplate=HOVER,
        cliponaxis=False,
        showlegend=False,
        row=2,
        col=1,
    )
    add_names(figure, [(one.title, _bits(test, one)) for one in groupings], x=0, row=2, col=1)
    over = f", mean and range of {len(test.windows)} cuts" if len(test.windows) > 1 else ""
    highest = max(most for *_, most in found)
    figure.update_xaxes(title=f"information in bits{over}", range=[0, highest * 1.04 or 1], row=2, col=1)
