"""A customer's orders as strokes on a line of time: places only, drawn by the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from regulars.cards import Orders
from regulars.wording import day

__all__ = ["Timeline", "draw_timeline"]

WIDTH, HEIGHT, LEAST = 1000.0, 100.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Strokes of orders.

    Parameters
    ----------
    strokes
        Place from the left (0 to 1000) and height (up to 100) of each order, earliest first.
    months
        Place and words of the marks below.
    first, latest
        Days of the first and of the latest order.
    last
        The end of the line: the day to which days are counted.
    """

    strokes: tuple[tuple[float, float], ...]
    months: tuple[tuple[float, str], ...]
    first: date
    latest: date
    last: date


def draw_timeline(orders: Orders, *, until: date) -> Timeline:
    """Place the orders of a customer between the first of them and a day; the tallest stroke is the largest order.

    Examples
    --------
    >>> from datetime import datetime
    >>> from decimal import Decimal
    >>> orders = ((datetime(2024, 1, 1), "A", Decimal(50)), (datetime(2024, 1, 6), "B", Decimal(100)))
    >>> draw_timeline(orders, until=date(2024, 1, 11)).strokes
    ((0.0, 50.0), (500.0, 100.0))
    """
    first = orders[0][0].date()
    latest = orders[-1][0].date()
    last = max(until, latest)
    span = max(1, (last - first).days)
    most = max((amount for *_, amount in orders), default=0) or 1

    def place(when: date) -> float:
        return round(WIDTH * (when - first).days / span, 1)

    return Timeline(
        strokes=tuple(
            (place(when.date()), round(max(LEAST, HEIGHT * float(amount / most)), 1)) for when, _, amount in orders
        ),
        months=tuple((place(when), day(when)[2:].strip()) for when in _months(first, last)),
        first=first,
        latest=latest,
        last=last,
    )


def _months(first: date, last: date) -> list[date]:
    """A few firsts of months between two days, evenly apart."""
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((step for step in (1, 2, 3, 6, 12, 24, 60) if months / step <= 5), 120)
    found = [first.month - 1 + number for number in range(1, months + 1)]
    days = [date(first.year + number // 12, number % 12 + 1, 1) for number in found]
    return [
        when for when in days if (when.month - 1) % min(step, 12) == 0 and (step <= 12 or when.year % (step // 12) == 0)
    ]
