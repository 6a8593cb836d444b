"""What each segment then did, what the groupings knew, how the forecasts held, and what is at risk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regulars import captions, palette, wording
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.backtesting import Backtest, Grouping
    from regulars.pipeline import Segmentation

_QUIET: tuple[Any, ...] = ("-", (0, (6, 3)), (0, (5, 2, 1, 2)), (0, (1.5, 1.5)))  # lines beside the segments
_GREY = "#76818d"
_SHARES = FuncFormatter(lambda value, _: f"{value:.0%}")
_NUMBERS = FuncFormatter(lambda value, _: wording.amount(value))


# ---- what each segment then did


@look.drawn
def segment_outcomes(result: Segmentation) -> Figure:
    """Draw what each segment of the cut then did: share that bought again, and net revenue per customer.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result)
    figure = look.framed(
        result,
        title=captions.outcome_title(test),
        subtitle=f"{wording.counted(test.customers, 'customer')} known on {wording.day(test.cut)}, in the segments of that "
        f"day, and the {test.horizon_days} days that followed. Lines: where the true value is likely to lie (95%); dotted: "
        "all customers.",
        height=1.0 + 0.5 * max(len(test.segments), 2),
    )
    left, right = figure.subplots(1, 2)
    money = lambda value: wording.money(value, result.currency)  # noqa: E731
    shares = [(one.share, one.share_low, one.share_high) for one in test.segments]
    revenue = [(one.revenue, one.revenue_low, one.revenue_high) for one in test.segments]
    _outcomes(left, result, shares, _told(shares, wording.percent), test.bought / test.customers)
    everyone = sum(one.revenue * one.customers for one in test.segments) / test.customers
    _outcomes(right, result, revenue, _told(revenue, money), everyone)
    left.xaxis.set_major_formatter(_SHARES)
    left.set_xlabel(f"share of the segment (%), within {test.horizon_days} days")
    left.set_title("Bought again")
    right.xaxis.set_major_formatter(look.money_ticks(result.currency))
    right.set_xlabel(f"{wording.unit(result.currency)} in {test.horizon_days} days, returns taken off")
    right.set_title("Net revenue per customer")
    return figure


def _told(spans: Sequence[tuple[float, float, float]], write: Any) -> list[str]:
    return [f"{write(value)} ({write(low)} to {write(high)})" for value, low, high in spans]


def _outcomes(
    axes: Axes,
    result: Segmentation,
    spans: Sequence[tuple[float, float, float]],
    labels: Sequence[str],
    everyone: float,
) -> None:
    """Draw a row per segment: its name and value in words, below them the point with its interval."""
    test = captions.backtest_of(result)
    today = {each.name: each.id for each in result.segments}
    free = count(len(today))
    low, high = min(0.0, *(span[1] for span in spans)), max(span[2] for span in spans)
    axes.axvline(everyone, color=look.INK, linewidth=1.1, linestyle=":", zorder=1, label="all")
    for row, (one, (value, *ends), label) in enumerate(zip(test.segments, spans, labels, strict=True)):
        number = today[one.name] if one.name in today else next(free)
        axes.plot(ends, [row, row], color=_GREY, linewidth=2.4, solid_capstyle="butt", zorder=2, label="interval")
        look.symbol(axes, number, (value, row), size=9, zorder=3)
        _name(axes, one.name, label, row, x=low)
    _rows(axes, len(spans))
    axes.set_xlim(low, low + (high - low) * 1.03 if high > low else low + 1)


def _name(axes: Axes, name: str, words: str, row: int, *, x: float) -> None:
    """Write a name and what belongs to it above a row."""
    heavy = look.note(axes, look.wrapped(name, 30, most=1), (x, row - 0.4), (2, 0), fontweight="bold")
    look.note(axes, words, (1, 0.5), (4, 0), xycoords=heavy)


def _rows(axes: Axes, number: int) -> None:
    """Room for rows 0, 1, 2 … from the top, each with its name above."""
    axes.set_ylim(max(number, 2) - 0.6, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


# ---- what the groupings knew


@look.drawn
def gain_curves(result: Segmentation) -> Figure:
    """Draw how many of those who bought again each grouping ranks first, and how many bits it told about them.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result)
    best_first = sorted(test.groupings, key=lambda one: -test.bits(one.name)[0])
    cuts = f"mean and range of {len(test.windows)} cuts" if len(test.windows) > 1 else "of one cut"
    figure = look.framed(
        result,
        title=captions.gain_title(test),
        subtitle=f"Customers known on {wording.day(test.cut)}, and the {test.horizon_days} days that followed. Left: the "
        "steeper a curve begins, the better it told who would come back. Right: how much each grouping told about that, "
        f"in bits ({cuts}); 0 is nothing.",
        height=4.3,
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _curves(left, best_first)
    _information(right, test, best_first)
    return figure


def _curves(axes: Axes, groupings: Sequence[Grouping]) -> None:
    dashes = iter(_QUIET)
    for one in groupings:
        label = f"{one.title}: lift {one.lift:.2f}"
        x, y = zip(*one.gain, strict=True)
        if one.name == "segments":
            style: dict[str, Any] = {
                "color": palette.colour(0),
                "linewidth": 3,
                "marker": "o",
                "markersize": 6,
                "zorder": 3,
            }
        else:
            style = {"color": _GREY, "linewidth": 1.3, "linestyle": next(dashes, "-"), "zorder": 2}
        axes.plot(x, y, label=label, clip_on=False, **style)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":", label="_chance", zorder=1)
    look.note(axes, "by chance", (0.5, 0.5), (6, -7))
    axes.legend(loc="lower right", fontsize=look.SMALL, frameon=False, handlelength=3.2, borderaxespad=0.2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(visible=True, axis="both")
    axes.xaxis.set_major_formatter(_SHARES)
    axes.yaxis.set_major_formatter(_SHARES)
    axes.set_xlabel("customers, those ranked best first (%)")
    axes.set_ylabel("of those who bought again (%)")
    axes.set_title("Gain (lift: of the best tenth)")


def _information(axes: Axes, test: Backtest, groupings: Sequence[Grouping]) -> None:
    several, highest = len(test.windows) > 1, 0.0
    for row, one in enumerate(groupings):
        mean, least, most = test.bits(one.name)
        tone = palette.colour(0) if one.name == "segments" else _GREY
        axes.plot([least, most], [row, row], color=_GREY, linewidth=2.4, solid_capstyle="butt", label="range")
        axes.plot(mean, row, "o", color=tone, markersize=8, markeredgecolor=look.INK, markeredgewidth=0.6, label="mean")
        _name(axes, one.title, f"{mean:.3f}" + (f" ({least:.3f} to {most:.3f})" if several else ""), row, x=0)
        highest = max(highest, most)
    _rows(axes, len(groupings))
    axes.set_xlim(0, highest * 1.05 or 1)
    axes.set_xlabel("information about who bought again (bits)")
    axes.set_title("Information")


# ---- how well the forecasts held


@look.drawn
def calibration(result: Segmentation) -> Figure:
    """Draw the chance of an order that customers were given at the cut against the share of them that bought.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result).forecasts
    bins = test.best.windows[0].bins
    figure = look.framed(
        result,
        title=captions.calibration_title(captions.backtest_of(result)),
        subtitle=f"Customers known on {wording.day(test.cut)}, lined up by the chance that the {test.best.title} gave them "
        "and cut into ten equal parts. On the dotted line, promises came true.",
        height=4.4,
    )
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=look.INK, linewidth=1.1, linestyle=":", label="_as promised")
    chances, shares = [chance for _, chance, _ in bins], [share for *_, share in bins]
    axes.plot(
        chances,
        shares,
        color=palette.colour(0),
        marker="o",
        markersize=7,
        linewidth=2,
        clip_on=False,
        label="came true",
    )
    for chance, share in zip(chances, shares, strict=True):
        above = share >= chance
        look.note(axes, wording.percent(share), (chance, share), (0, 11 if above else -11), ha="center")
    look.note(axes, "above the line: more bought than promised", (0.02, 0.97), (0, 0), color=look.MUTED)
    look.note(axes, "below: fewer", (0.98, 0.04), (0, 0), ha="right", color=look.MUTED)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(visible=True, axis="both")
    axes.xaxis.set_major_formatter(_SHARES)
    axes.yaxis.set_major_formatter(_SHARES)
    axes.set_xlabel(f"promised chance of an order within {test.horizon_days} days (%)")
    axes.set_ylabel("share that bought (%)")
    return figure


@look.drawn
def order_tracking(result: Segmentation) -> Figure:
    """Draw repeat orders added up over time: as they came, and as the model fitted at the cut expected them.

    Raises
    ------
    NotEnoughDataError
        The run has no back-test.
    """
    test = captions.backtest_of(result)
    tracking = test.forecasts.tracking
    model = next(one.title for one in test.forecasts.ways if one.name not in ("logistic", "recency"))
    figure = look.framed(
        result,
        title=captions.tracking_title(test),
        subtitle=f"Repeat orders of the {wording.counted(test.customers, 'customer')} known on {wording.day(tracking.cut)}, "
        f"added up. {model} saw what lies left of the dashed line; what it expected on the right is a forecast.",
        height=3.9,
    )
    axes = figure.subplots()
    days, came, expected = zip(*tracking.points, strict=True)
    places = [when.toordinal() for when in days]
    ahead = came[-1] >= expected[-1]
    strong: dict[str, Any] = {"color": palette.colour(0), "linewidth": 2.4}
    quiet: dict[str, Any] = {"color": _GREY, "linewidth": 2, "linestyle": (0, (5, 2.5))}
    for name, values, above, style in (("came", came, ahead, strong), ("expected", expected, not ahead, quiet)):
        axes.plot(places, values, label=name, **style)
        text = f"{values[-1]:,.0f}\n{name}"
        look.note(axes, text, (places[-1], values[-1]), (5, 0), va="bottom" if above else "top", fontweight="bold")
    cut = tracking.cut.toordinal()
    axes.axvline(cut, color=look.INK, linewidth=1.3, linestyle=(0, (4, 3)), label="cut")
    look.note(
        axes, f"hold-out from {wording.day(tracking.cut)}", (cut, 0.98), (-5, 0), on_top=True, ha="right", va="top"
    )
    axes.set_xlim(places[0], places[-1])
    starts = _months(days[0], days[-1])
    axes.set_xticks([start.toordinal() for start in starts], [wording.month(f"{start:%Y-%m}") for start in starts])
    look.headroom(axes, [came[-1], expected[-1]], share=0.1)
    axes.yaxis.set_major_formatter(_NUMBERS)
    axes.set_ylabel("repeat orders, added up")
    return figure


def _months(first: date, last: date) -> list[date]:
    """First days of at most eight months between two days, as far from each other as the next."""
    numbers = range(first.year * 12 + first.month, last.year * 12 + last.month)
    step = next((n for n in (1, 2, 3, 6, 12) if len(numbers) <= 8 * n), 24)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers if number % step == 0]


# ---- what is at risk


@look.drawn
def revenue_at_risk(result: Segmentation) -> Figure:
    """Draw the last year's revenue of each segment, and the part that stays away if the chances come true.

    Raises
    ------
    NotEnoughDataError
        The run has no forecast.
    """
    outlook = captions.outlook_of(result)
    names = {each.id: each.name for each in result.segments}
    rows = [(names[one.segment_id], one) for one in outlook.segments]
    figure = look.framed(
        result,
        title=captions.risk_title(result, rows),
        subtitle="Bars: net revenue of the last 365 days. Full colour: that revenue times the chance of no order within "
        f"{outlook.horizon_days} days. Beside them: the mean chance of an order ({outlook.method}).",
        height=0.9 + 0.58 * max(len(rows), 2),
    )
    axes = figure.subplots()
    ends = [0.0]
    for row, (name, one) in enumerate(rows):
        tone, rest = palette.colour(one.segment_id), one.last_year - one.revenue_at_risk
        edge: dict[str, Any] = {"height": 0.4, "edgecolor": look.INK, "linewidth": 0.5}
        axes.barh(row, one.revenue_at_risk, color=tone, label="at risk", **edge)
        axes.barh(row, rest, left=one.revenue_at_risk, color=to_rgba(tone, 0.3), label="rest", **edge)
        ends += [one.revenue_at_risk, one.last_year]
        money = [wording.money(value, result.currency) for value in (one.revenue_at_risk, one.last_year)]
        _name(axes, name, f"{money[0]} of {money[1]} · {wording.percent(one.chance)} come", row, x=min(ends))
    _rows(axes, len(rows))
    axes.set_xlim(min(ends), max(ends) * 1.02 if max(ends) > min(ends) else 1)
    axes.xaxis.set_major_formatter(look.money_ticks(result.currency))
    axes.set_xlabel(f"revenue of the last 365 days in {wording.unit(result.currency)}")
    return figure
