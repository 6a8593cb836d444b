"""Customers who stand out: the high-value ones, and the good ones whom the shop is about to lose."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.profiling.segments import HIGH, Gaps

__all__ = [
    "WORTH_KEEPING",
    "Notable",
    "Person",
    "at_risk",
    "at_risk_customers",
    "at_risk_limit",
    "high_value_customers",
]

WORTH_KEEPING = 0.5  # value percentile from which a customer is worth keeping
LEAST_LIKELY = 0.25  # share of those worth keeping who are at risk: the least likely to order


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer of a list, with the numbers that put them there.

    `chance` of an order within the horizon and `revenue_at_risk` (revenue of the last 365 days × chance of no order) are
    `None` where there is no forecast.
    """

    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    segment: str
    chance: float | None = None
    revenue_at_risk: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notable:
    """A list of customers: how it is made, how many there are, what they spent, and the first of them by money.

    `revenue_at_risk` is that of all on the list, `None` where there is no forecast.
    """

    rule: str
    customers: int
    revenue: Decimal
    revenue_share: float
    top: tuple[Person, ...]
    revenue_at_risk: float | None = None

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


def at_risk_customers(
    labelled: ir.Table,
    gaps: Gaps,
    *,
    horizon_days: int | None = None,
    limit: float | None = None,
    most: int = 20,
) -> Notable:
    """Good customers whom the shop is about to lose; two queries.

    Parameters
    ----------
    labelled
        Customers with `segment`, `value_percentile`, and with a forecast the columns of `schema.FORECASTS`.
    gaps
        The shop's rhythm.
    horizon_days
        Where there is a forecast, the days that it looks ahead: then these are the quarter of the better half by orders and
        spend who are least likely to order, by revenue at risk. Else high-value customers who have been silent for longer
        than P75 of the shop's gaps, by money.
    limit
        From `at_risk_limit`, where there is a forecast.
    most
        How many are listed.
    """
    if horizon_days is None or limit is None:
        rule = f"high-value, and silent for more than {gaps.p75} days (three of four who come back do so sooner)"
        chosen = (labelled["value_percentile"] >= HIGH) & (labelled["recency_days"] > gaps.p75)
        return _notable(labelled, chosen, rule=rule, most=most)
    rule = f"of the better half by orders and spend, the quarter least likely to order in the next {horizon_days} days"
    return _notable(labelled, at_risk(labelled, limit), rule=rule, most=most, forecast=True)


def at_risk_limit(labelled: ir.Table) -> float:
    """Chance of an order that a quarter of the customers worth keeping do not exceed; one query.

    A share, not a fixed chance: where the season changes, chances of all are off, but not who comes before whom.
    """
    worth_keeping = labelled.filter(labelled["value_percentile"] >= WORTH_KEEPING)
    found = worth_keeping.agg(limit=worth_keeping["p_active"].quantile(LEAST_LIKELY)).to_pyarrow()["limit"][0].as_py()
    return 0.0 if found is None else float(found)


def at_risk(labelled: ir.Table, limit: float) -> ir.BooleanValue:
    """Whether a customer with a forecast is worth keeping (of the better half), and no likelier to order than a limit."""
    return (labelled["value_percentile"] >= WORTH_KEEPING) & (labelled["p_active"] <= limit)


def _notable(labelled: ir.Table, chosen: ir.BooleanValue, *, rule: str, most: int, forecast: bool = False) -> Notable:
    labelled = labelled.mutate(_chosen=chosen.fill_null(False))
    own = labelled["_chosen"]
    sums = {"n": own.sum(), "revenue": labelled["monetary"].sum(where=own), "all": labelled["monetary"].sum()}
    first = ["monetary"]
    columns = {name: name for name in ("customer_id", "recency_days", "frequency", "monetary", "segment")}
    if forecast:
        sums["risk"] = labelled["revenue_at_risk"].cast("decimal(38, 9)").sum(where=own)
        first = ["revenue_at_risk", "monetary"]
        columns |= {"chance": "p_active", "revenue_at_risk": "revenue_at_risk"}
    total = labelled.agg(**sums).to_pyarrow().to_pylist()[0]
    revenue = total["revenue"] or Decimal(0)
    top = labelled.filter(own).order_by(*map(ibis.desc, first), "customer_id").limit(most)
    rows = top.select(**columns).to_pyarrow().to_pylist()
    return Notable(
        rule=rule,
        customers=total["n"] or 0,
        revenue=revenue,
        revenue_share=float(revenue / total["all"]) if total["all"] else 0.0,
        top=tuple(Person(**row) for row in rows),
        revenue_at_risk=float(total["risk"] or 0) if forecast else None,
    )
