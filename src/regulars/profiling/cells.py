"""Where the customers are on the grid of scores, and how unevenly they spend."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

import ibis
import ibis.expr.types as ir

from regulars.schema import MEASURES

__all__ = ["Base", "Cell", "count_cells", "describe_base", "measure_concentration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """All customers at a glance: quartiles of days, orders and money, and how many ordered only once."""

    recency_days: tuple[float, float, float]
    frequency: tuple[float, float, float]
    monetary: tuple[float, float, float]
    ordered_once: int


def describe_base(labelled: ir.Table) -> Base:
    """Quartiles of the three measures over all customers, and those who ordered once; one query."""
    columns = {name: labelled[name].cast("float64").quantile([0.25, 0.5, 0.75]) for name in MEASURES}
    row = labelled.agg(**columns, ordered_once=(labelled["frequency"] == 1).sum()).to_pyarrow().to_pylist()[0]
    return Base(ordered_once=row["ordered_once"] or 0, **{name: tuple(row[name]) for name in MEASURES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The customers of one combination of R, F and M scores, and the named group that it belongs to."""

    r: int
    f: int
    m: int
    group: str
    customers: int
    orders: int
    revenue: Decimal


def count_cells(labelled: ir.Table) -> tuple[Cell, ...]:
    """Count customers, orders and money of every R-F-M cell that has any, from 111 up; one query.

    Parameters
    ----------
    labelled
        Customers with `r_score`, `f_score`, `m_score`, `rfm_group`, `frequency` and `monetary`.
    """
    table = labelled.group_by(
        r=labelled["r_score"], f=labelled["f_score"], m=labelled["m_score"], group=labelled["rfm_group"]
    ).agg(customers=labelled.count(), orders=labelled["frequency"].sum(), revenue=labelled["monetary"].sum())
    return tuple(Cell(**row) for row in table.order_by("r", "f", "m").to_pyarrow().to_pylist())


def measure_concentration(labelled: ir.Table) -> tuple[float, ...]:
    """Share of the revenue that the best 1 %, 2 %, … 100 % of the customers bring, by what they spent; one query.

    With fewer than 100 customers, some steps have nobody and add nothing.
    """
    ranked = labelled.select("monetary", _place=ibis.row_number().over(order_by=labelled["monetary"].desc()))
    everyone = labelled.count().as_scalar()
    ranked = ranked.mutate(_step=(ranked["_place"] * 100 // everyone).cast("int64"))
    steps = ranked.group_by("_step").agg(revenue=ranked["monetary"].sum()).to_pyarrow().to_pylist()
    money = {row["_step"]: row["revenue"] for row in steps}
    total = sum(money.values(), Decimal(0))
    sums = accumulate(money.get(step, Decimal(0)) for step in range(100))
    return tuple(round(float(part / total), 6) if total else 0.0 for part in sums)
