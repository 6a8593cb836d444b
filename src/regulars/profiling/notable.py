"""Customers who stand out: the high-value ones, and those of them whom the shop is about to lose."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.profiling.segments import HIGH, Gaps

__all__ = ["Notable", "Person", "at_risk_customers", "high_value_customers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer of a list, with the numbers that put them there."""

    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notable:
    """A list of customers: how it is made, how many there are, what they spent, and the first of them by money."""

    rule: str
    customers: int
    revenue: Decimal
    revenue_share: float
    top: tuple[Person, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def high_value_customers(labelled: ir.Table, *, most: int = 20) -> Notable:
    """Customers whose mean percentile of orders and spend is at least .78, by money; two queries.

    Parameters
    ----------
    labelled
        Customers with `segment` and `value_percentile`.
    most
        How many are listed.
    """
    rule = f"rank above {HIGH:.0%} of all customers by orders and spend, on average"
    return _notable(labelled, labelled["value_percentile"] >= HIGH, rule=rule, most=most)


def at_risk_customers(labelled: ir.Table, gaps: Gaps, *, most: int = 20) -> Notable:
    """High-value customers who have been silent for longer than P75 of the shop's gaps, by money; two queries."""
    rule = f"high-value, and silent for more than {gaps.p75} days (three of four who come back do so sooner)"
    chosen = (labelled["value_percentile"] >= HIGH) & (labelled["recency_days"] > gaps.p75)
    return _notable(labelled, chosen, rule=rule, most=most)


def _notable(labelled: ir.Table, chosen: ir.BooleanValue, *, rule: str, most: int) -> Notable:
    labelled = labelled.mutate(_chosen=chosen)
    own = labelled["_chosen"]
    total = (
        labelled.agg(n=own.sum(), revenue=labelled["monetary"].sum(where=own), all=labelled["monetary"].sum())
        .to_pyarrow()
        .to_pylist()[0]
    )
    revenue = total["revenue"] or Decimal(0)
    top = labelled.filter(own).order_by(ibis.desc("monetary"), "customer_id").limit(most)
    rows = top.select("customer_id", "recency_days", "frequency", "monetary", "segment").to_pyarrow().to_pylist()
    return Notable(
        rule=rule,
        customers=total["n"] or 0,
        revenue=revenue,
        revenue_share=float(revenue / total["all"]) if total["all"] else 0.0,
        top=tuple(Person(**row) for row in rows),
    )
