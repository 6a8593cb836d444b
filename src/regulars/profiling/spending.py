"""How the shop sells: by month, by weekday and hour, by country, by size of the order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

__all__ = ["Spending", "describe_spending"]

_BINS_PER_DECADE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Net revenue by month, weekday and hour, country and order size.

    Parameters
    ----------
    months
        (``"2010-12"``, revenue, orders, customers), in time order.
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
    weekday_hours: tuple[tuple[float, ...], ...]
    has_hours: bool
    countries: tuple[tuple[str, int, int, Decimal], ...]
    order_sizes: tuple[tuple[float, float, int], ...]
    median_order: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def describe_spending(orders: ir.Table) -> Spending:
    """Sum clean orders by month, weekday and hour, country and size; five small queries.

    Parameters
    ----------
    orders
        `Cleaned.orders`: `customer_id`, `first_at` (when an order counts), `amount`, and `country` where there is one.
    """
    at = orders["first_at"]
    grid = orders.group_by(day=at.day_of_week.index(), hour=at.hour()).agg(revenue=orders["amount"].sum())
    week = [[0.0] * 24 for _ in range(7)]
    for row in grid.to_pyarrow().to_pylist():
        week[row["day"]][row["hour"]] = float(row["revenue"])
    return Spending(
        months=_months(orders),
        weekday_hours=tuple(tuple(day) for day in week),
        has_hours=any(any(day[1:]) for day in week),
        countries=_countries(orders) if "country" in orders.columns else (),
        order_sizes=_order_sizes(orders),
        median_order=float(orders["amount"].cast("float64").median().to_pyarrow().as_py()),
    )


def _months(orders: ir.Table) -> tuple[tuple[str, Decimal, int, int], ...]:
    at = orders["first_at"]
    table = orders.group_by(year=at.year(), month=at.month()).agg(
        revenue=orders["amount"].sum(), orders=orders.count(), customers=orders["customer_id"].nunique()
    )
    rows = table.order_by("year", "month").to_pyarrow().to_pylist()
    return tuple((f"{r['year']}-{r['month']:02}", r["revenue"], r["orders"], r["customers"]) for r in rows)


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
