"""How the shop sells: by month and segment, by weekday and hour, by country, by size of the order; and who comes back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

__all__ = ["Spending", "describe_spending"]

_BINS_PER_DECADE = 6
COHORTS = 36  # months of first orders that are followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Net revenue by month, weekday and hour, country and order size.

    Parameters
    ----------
    months
        (``"2010-12"``, revenue, orders, customers), in time order.
    segment_months
        (segment id, month, customers who bought, orders, revenue), by segment and time; a customer counts where they are
        now.
    cohorts
        (month of the first order, months since then, customers who bought), of those who began in the last 36 months.
    weekday_hours
        Revenue by weekday (0 = Monday) and hour, 7 × 24.
    has_hours
        Whether the source has times of day.
    countries
        (country, customers, orders, revenue), most revenue first; empty where the source has none.
    order_sizes
        (from, to, orders): number of orders by value, six bins to a factor of ten.
    median_order
        Median value of an order.
    """

    months: tuple[tuple[str, Decimal, int, int], ...]
    segment_months: tuple[tuple[int, str, int, int, Decimal], ...]
    cohorts: tuple[tuple[str, int, int], ...]
    weekday_hours: tuple[tuple[float, ...], ...]
    has_hours: bool
    countries: tuple[tuple[str, int, int, Decimal], ...]
    order_sizes: tuple[tuple[float, float, int], ...]
    median_order: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def describe_spending(orders: ir.Table, labelled: ir.Table) -> Spending:
    """Sum clean orders by month, segment, weekday and hour, country and size; five small queries.

    Parameters
    ----------
    orders
        `Cleaned.orders`: `customer_id`, `first_at` (when an order counts), `amount`, and `country` where there is one.
    labelled
        Their customers: `customer_id`, `first_order` and `segment_id`.
    """
    history = _history(orders, labelled)
    at = orders["first_at"]
    grid = orders.group_by(day=at.day_of_week.index(), hour=at.hour()).agg(revenue=orders["amount"].sum())
    week = [[0.0] * 24 for _ in range(7)]
    for row in grid.to_pyarrow().to_pylist():
        week[row["day"]][row["hour"]] = float(row["revenue"])
    return Spending(
        months=_months(history),
        segment_months=_segment_months(history),
        cohorts=_cohorts(history),
        weekday_hours=tuple(tuple(day) for day in week),
        has_hours=any(any(day[1:]) for day in week),
        countries=_countries(orders) if "country" in orders.columns else (),
        order_sizes=_order_sizes(orders),
        median_order=float(orders["amount"].cast("float64").median().to_pyarrow().as_py()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Month:
    """What the customers of one segment who began in one month bought in another; months are counted from year 0."""

    segment_id: int | None
    first: int
    month: int
    customers: int
    orders: int
    revenue: Decimal


def _history(orders: ir.Table, labelled: ir.Table) -> list[_Month]:
    """Customers, orders and money by segment, month of the first order, and month; one query."""
    monthly = orders.group_by("customer_id", month=_month(orders["first_at"])).agg(
        orders=orders.count(), revenue=orders["amount"].sum()
    )
    people = labelled.select("customer_id", "segment_id", first=_month(labelled["first_order"]))
    both = monthly.inner_join(people, "customer_id")
    table = both.group_by("segment_id", "first", "month").agg(
        customers=both.count(), orders=both["orders"].sum(), revenue=both["revenue"].sum()
    )
    return [_Month(**row) for row in table.order_by("segment_id", "first", "month").to_pyarrow().to_pylist()]


def _month(moment: ir.TimestampValue | ir.DateValue) -> ir.IntegerValue:
    return moment.year() * 12 + moment.month() - 1


def _named(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02}"


def _months(history: Iterable[_Month]) -> tuple[tuple[str, Decimal, int, int], ...]:
    revenue: defaultdict[int, Decimal] = defaultdict(Decimal)
    orders, customers = Counter[int](), Counter[int]()
    for each in history:
        revenue[each.month] += each.revenue
        orders[each.month] += each.orders
        customers[each.month] += each.customers
    return tuple((_named(month), revenue[month], orders[month], customers[month]) for month in sorted(revenue))


def _segment_months(history: Iterable[_Month]) -> tuple[tuple[int, str, int, int, Decimal], ...]:
    found: defaultdict[tuple[int, int], list[Any]] = defaultdict(lambda: [0, 0, Decimal(0)])
    for each in history:
        if each.segment_id is not None:
            sums = found[each.segment_id, each.month]
            sums[0] += each.customers
            sums[1] += each.orders
            sums[2] += each.revenue
    return tuple((segment, _named(month), *found[segment, month]) for segment, month in sorted(found))


def _cohorts(history: Sequence[_Month]) -> tuple[tuple[str, int, int], ...]:
    last = max((each.month for each in history), default=0)
    found = Counter[tuple[int, int]]()
    for each in history:
        if each.first > last - COHORTS:
            found[each.first, each.month - each.first] += each.customers
    return tuple((_named(first), since, found[first, since]) for first, since in sorted(found))


def _countries(orders: ir.Table) -> tuple[tuple[str, int, int, Decimal], ...]:
    named = orders.mutate(country=orders["country"].fill_null("not given"))
    table = named.group_by("country").agg(
        customers=named["customer_id"].nunique(), orders=named.count(), revenue=named["amount"].sum()
    )
    rows = table.order_by(ibis.desc("revenue"), "country").to_pyarrow().to_pylist()
    return tuple((row["country"], row["customers"], row["orders"], row["revenue"]) for row in rows)


def _order_sizes(orders: ir.Table) -> tuple[tuple[float, float, int], ...]:
    placed = orders.filter(orders["amount"] > 0)
    bins = (placed["amount"].cast("float64").log10() * _BINS_PER_DECADE).floor().cast("int64")
    table = placed.group_by(bin=bins).agg(n=placed.count()).order_by("bin")
    return tuple(
        (10 ** (row["bin"] / _BINS_PER_DECADE), 10 ** ((row["bin"] + 1) / _BINS_PER_DECADE), row["n"])
        for row in table.to_pyarrow().to_pylist()
    )
