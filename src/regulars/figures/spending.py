"""How the shop sells: by month, by weekday and hour, by country, by order size."""

from __future__ import annotations

import math
from calendar import monthrange
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regulars import palette, wording
from regulars.figures import look

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOST_COUNTRIES = 8


@look.drawn
def spending_patterns(result: Segmentation) -> Figure:
    """Draw net revenue by month, by weekday and hour, and by country (or segment), and the sizes of orders."""
    spending, currency = result.spending, result.currency
    month, most, *_ = max(spending.months, key=lambda row: row[1])
    earned, best, order = (
        wording.money(float(value), currency) for value in (result.revenue, most, spending.median_order)
    )
    figure = look.framed(
        result,
        title=f"{earned} from {wording.counted(result.orders_total, 'order')}: best month {_month(month)} ({best}), "
        f"median order {order}",
        subtitle="Net revenue, after cleaning and returns.",
        height=6.6,
    )
    (months, week), (places, sizes) = figure.subplots(2, 2)
    _months(months, result)
    (_hours if spending.has_hours else _days)(week, result)
    (_countries if spending.countries else _segments)(places, result)
    _order_sizes(sizes, result)
    return figure


def _month(text: str) -> str:
    year, month = text.split("-")
    return f"{wording.MONTHS[int(month) - 1]} {year}"


def _months(axes: Axes, result: Segmentation) -> None:
    known = {row[0]: float(row[1]) for row in result.spending.months}
    every = _every_month(min(known), max(known))
    partial = _incomplete(result)
    for place, month in enumerate(every):
        style: dict[str, Any] = {"color": "white", "hatch": "////"} if month in partial else {"color": look.BAR}
        axes.bar(place, known.get(month, 0.0), width=0.8, linewidth=0.8, edgecolor=look.BAR, **style)
    step = next((s for s in (1, 2, 3, 6, 12) if len(every) / s <= 8), math.ceil(len(every) / 8))
    shown = range(0, len(every), step)
    years = [i for i in shown if i == 0 or every[i][:4] != every[i - step][:4]]
    names = [wording.MONTHS[int(every[i][5:]) - 1] + (f"\n{every[i][:4]}" if i in years else "") for i in shown]
    axes.set_xticks(list(shown), names, fontsize=look.SMALL)
    axes.set_xlim(-0.7, max(len(every) - 0.3, 2.7))
    look.headroom(axes, list(known.values()), share=0.06)
    axes.yaxis.set_major_formatter(look.money_ticks(result.currency))
    axes.set_ylabel(f"revenue in {wording.unit(result.currency)}")
    covered = " ".join(partial[month] for month in every if month in partial)
    axes.set_xlabel(f"month (hatched: data {covered})" if covered else "month", fontsize=9)
    axes.set_title("By month")


def _every_month(first: str, last: str) -> list[str]:
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, end + 1)]


def _incomplete(result: Segmentation) -> dict[str, str]:
    """Months that the source covers in part, with the reason in words."""
    first, last = result.audit.first_day, min(result.audit.last_day, result.as_of - timedelta(days=1))
    found: dict[str, str] = {}
    if first.day > 1:
        found[f"{first:%Y-%m}"] = f"from {wording.day(first)}"
    if last.day < monthrange(last.year, last.month)[1]:
        month = f"{last:%Y-%m}"
        found[month] = f"{found.get(month, '')} to {wording.day(last)}".strip()
    return found


def _hours(axes: Axes, result: Segmentation) -> None:
    week = np.array(result.spending.weekday_hours)
    busy = np.flatnonzero(week.any(axis=0))
    hours = range(int(busy[0]), int(busy[-1]) + 1) if len(busy) else range(24)
    part = week[:, list(hours)]
    sns.heatmap(
        part,
        ax=axes,
        mask=part == 0,
        cmap="cividis",
        linewidths=0.4,
        linecolor="white",
        xticklabels=[str(hour) for hour in hours],
        yticklabels=list(_WEEKDAYS),
        cbar_kws={
            "format": look.money_ticks(result.currency),
            "label": f"revenue in {wording.unit(result.currency)}",
            "pad": 0.02,
        },
    )
    axes.set_facecolor(look.BAND)
    axes.grid(visible=False)
    axes.tick_params(axis="both", length=0, labelsize=look.SMALL)
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(axis="x", rotation=0)
    if len(hours) > 14:
        axes.set_xticks(np.arange(0, len(hours), 2) + 0.5, [str(hour) for hour in hours][::2], rotation=0)
    day, hour = np.unravel_index(int(part.argmax()), part.shape)
    empty = " (grey: no orders)" if (part == 0).any() else ""
    axes.set_xlabel(f"hour of the day{empty}", fontsize=9)
    axes.set_ylabel("weekday")
    axes.set_title(f"By weekday and hour: most on {_WEEKDAYS[day]} {hours[int(hour)]}:00")


def _days(axes: Axes, result: Segmentation) -> None:
    totals = [sum(hours) for hours in result.spending.weekday_hours]
    axes.bar(_WEEKDAYS, totals, width=0.8, color=look.BAR)
    look.headroom(axes, totals, share=0.06)
    axes.yaxis.set_major_formatter(look.money_ticks(result.currency))
    axes.set_ylabel(f"revenue in {wording.unit(result.currency)}")
    axes.set_xlabel("weekday (the source has no times of day)", fontsize=9)
    axes.set_title(f"By weekday: most on {_WEEKDAYS[totals.index(max(totals))]}")


def _countries(axes: Axes, result: Segmentation) -> None:
    rows = [(name, float(revenue)) for name, _, _, revenue in result.spending.countries]
    shown, rest = rows[:_MOST_COUNTRIES], rows[_MOST_COUNTRIES:]
    if rest:
        shown.append((f"{len(rest)} other", sum(revenue for _, revenue in rest)))
    _ranked(axes, result, [(name, revenue, look.BAR) for name, revenue in shown])
    axes.set_title(
        f"By country: {wording.shortened(rows[0][0], 22)} first of {len(rows)}" if len(rows) > 1 else "By country"
    )


def _segments(axes: Axes, result: Segmentation) -> None:
    _ranked(axes, result, [(s.name, float(s.profile.revenue), palette.colour(s.id)) for s in result.segments])
    axes.set_title("By segment (the source has no country)")


def _ranked(axes: Axes, result: Segmentation, rows: list[tuple[str, float, str]]) -> None:
    """Draw horizontal bars in the given order, with the amount and the share of all beside each."""
    total = float(result.revenue) or 1.0
    for place, (_, revenue, tone) in enumerate(rows):
        axes.barh(place, revenue, height=0.74, color=tone, edgecolor=look.INK, linewidth=0.4)
        label = f"{wording.money(revenue, result.currency)} · {wording.percent(revenue / total)}"
        look.note(axes, label, (max(revenue, 0), place), (4, -0.5), rim=False)
    axes.set_yticks(range(len(rows)), [look.wrapped(name, 22, most=2) for name, *_ in rows], fontsize=look.SMALL)
    axes.set_ylim(max(len(rows), 3) - 0.4, -0.6)
    most = max(revenue for _, revenue, _ in rows)
    axes.set_xlim(0, most * 1.42 if most > 0 else 1)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(look.money_ticks(result.currency))
    axes.set_xlabel(f"revenue in {wording.unit(result.currency)}, and share of all (%)", fontsize=9)


def _order_sizes(axes: Axes, result: Segmentation) -> None:
    spending = result.spending
    axes.set_xscale("log")
    for low, high, orders in spending.order_sizes:
        axes.bar(low, orders, high - low, align="edge", color=look.BAR, edgecolor="white", linewidth=0.5)
    look.headroom(axes, [orders for *_, orders in spending.order_sizes], share=0.16)
    if spending.order_sizes:
        low, high = spending.order_sizes[0][0], spending.order_sizes[-1][1]
        axes.set_xlim(low, high)
        look.money_axis(axes.xaxis, (low, high), result.currency)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.amount(value)))
    if spending.median_order > 0:
        axes.axvline(spending.median_order, color=look.INK, linewidth=2, label="median")
        label = f"median {wording.money(spending.median_order, result.currency)}"
        style: dict[str, Any] = {"va": "top", "fontsize": 9.5, "fontweight": "bold"}
        look.note(axes, label, (spending.median_order, 0.98), (5, 0), on_top=True, **style)
    axes.set_ylabel("orders")
    axes.set_xlabel(f"value of an order in {wording.unit(result.currency)} (log scale)", fontsize=9)
    axes.set_title("By order size")
