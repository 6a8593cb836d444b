"""What the forecasts say, per segment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import ibis.expr.types as ir

__all__ = ["Outlook", "SegmentOutlook", "describe_outlook"]

_FINE = "decimal(38, 9)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOutlook:
    """What the customers of a segment are expected to do in the horizon.

    Parameters
    ----------
    segment_id, customers
        Which, and how many have a forecast.
    chance
        Mean chance of an order.
    expected_orders, expected_revenue
        Of all of them together.
    last_year
        Their revenue of the last 365 days.
    revenue_at_risk
        Revenue of the last 365 days × chance of no order, summed.
    """

    segment_id: int
    customers: int
    chance: float
    expected_orders: float
    expected_revenue: float
    last_year: float
    revenue_at_risk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the shop can expect from its customers.

    Parameters
    ----------
    as_of, horizon_days
        From which day, and how many days ahead.
    method
        What gives the chance of an order, in words.
    model
        The purchase model, which gives the number of orders.
    parameters
        Of the purchase model and of spending: name, value (times in days), standard error (`None` where nothing can be
        said).
    season
        Factor for a busier or quieter time, from a year before; 1 where nothing is known.
    at_risk_limit
        Chance of an order up to which a customer worth keeping is at risk.
    notes
        What to know about the fit, in words.
    segments
        In the order of the segments.
    """

    as_of: date
    horizon_days: int
    method: str
    model: str
    parameters: tuple[tuple[str, float, float | None], ...]
    season: float
    at_risk_limit: float
    notes: tuple[str, ...]
    segments: tuple[SegmentOutlook, ...]

    @property
    def expected_buyers(self) -> float:
        """Customers who are expected to order."""
        return sum(one.chance * one.customers for one in self.segments)

    def total(self, measure: str) -> float:
        """Sum of a measure over the segments."""
        return float(sum(getattr(one, measure) for one in self.segments))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def describe_outlook(labelled: ir.Table) -> tuple[SegmentOutlook, ...]:
    """Sum forecasts per segment; one query.

    Parameters
    ----------
    labelled
        Customers with `segment_id`, `last_year` and the columns of `schema.FORECASTS`; nulls are left out.
    """
    known = labelled.filter(labelled["p_active"].notnull(), labelled["segment_id"].notnull())
    sums = {
        "chance": "p_active",
        "expected_orders": "expected_orders",
        "expected_revenue": "expected_value",
        "last_year": "last_year",
        "revenue_at_risk": "revenue_at_risk",
    }
    table = known.group_by("segment_id").agg(
        customers=known.count(), **{name: known[column].cast(_FINE).sum() for name, column in sums.items()}
    )
    rows = table.order_by("segment_id").to_pyarrow().to_pylist()
    for row in rows:
        for name in sums:
            row[name] = round(float(row[name] or 0), 4)
        row["chance"] = round(row["chance"] / row["customers"], 6)
    return tuple(SegmentOutlook(**row) for row in rows)
