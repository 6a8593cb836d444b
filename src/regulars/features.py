"""Clean order lines → one row per customer: recency, frequency, monetary value and what describes them beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir

from regulars.schema import CUSTOMERS

__all__ = ["build_features", "purchase_gaps"]


def build_features(lines: ir.Table, *, as_of: date, returned: ir.Table | None = None) -> ir.Table:
    """Count what every customer bought.

    Parameters
    ----------
    lines
        Clean order lines: `Cleaned.table`.
    as_of
        The day from which recency is counted; lines on or after it are left out.
    returned
        `Cleaned.returned`; without it `return_rate` is null.

    Returns
    -------
    ibis.Table
        One row per customer, columns of `schema.CUSTOMERS`, lazy. `recency_days`: calendar days from the last purchase to
        `as_of`; `frequency`: distinct orders; `monetary`: net revenue, decimal; `tenure_days`: days from the first
        purchase to `as_of`; `median_gap_days`: between purchase days, null with one; `return_rate`: returned ÷ bought, by
        value; `products`: distinct, null where the source has none; `country`: where most of the money came from.

    Notes
    -----
    No query runs here.

    Examples
    --------
    >>> import ibis, datetime as dt
    >>> lines = ibis.memtable({"customer_id": ["a", "a", "b"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": [dt.datetime(2024, 1, d, 10) for d in (1, 8, 3)], "amount": [5.0, 7.5, 3.0]})
    >>> table = build_features(lines, as_of=dt.date(2024, 1, 10)).order_by("customer_id")
    >>> table.select("customer_id", "recency_days", "frequency", "monetary").to_pyarrow().to_pylist()[0]
    {'customer_id': 'a', 'recency_days': 2, 'frequency': 2, 'monetary': Decimal('12.5000')}
    """
    lines = lines.filter(lines["ordered_at"] < ibis.timestamp(f"{as_of.isoformat()}T00:00:00"))
    orders = lines.group_by("customer_id", "order_id").agg(
        _first=lines["ordered_at"].min(), _last=lines["ordered_at"].max(), _amount=lines["amount"].sum()
    )
    people = orders.group_by("customer_id").agg(
        first_order=orders["_first"].min().date(),
        last_order=orders["_last"].max().date(),
        frequency=orders.count(),
        monetary=orders["_amount"].sum(),
    )
    today = ibis.date(as_of.isoformat())
    people = people.mutate(
        recency_days=today.delta(people["last_order"], unit="day"),
        tenure_days=today.delta(people["first_order"], unit="day"),
        avg_order_value=people["monetary"].cast("float64") / people["frequency"],
    )
    gaps = _gaps(lines)
    people = _join(people, gaps.group_by("customer_id").agg(median_gap_days=gaps["gap"].median()))
    people = _join(people, _main_country(lines)) if "country" in lines.columns else people.mutate(country=None)
    if "product_id" in lines.columns:
        people = _join(people, lines.group_by("customer_id").agg(products=lines["product_id"].nunique()))
    else:
        people = people.mutate(products=None)
    if returned is None:
        people = people.mutate(return_rate=None)
    else:
        people = _join(people, returned)
        back = people["returned_amount"].fill_null(0).cast("float64")
        people = people.mutate(return_rate=back / (back + people["monetary"].cast("float64")))
    return people.select(**_typed(people, CUSTOMERS))


def purchase_gaps(lines: ir.Table) -> dict[int, int]:
    """Count the gaps between a customer's consecutive purchase days, over all customers.

    Returns
    -------
    dict
        Gap in days → how many such gaps; empty where nobody came twice. One query, one row per distinct gap.
    """
    gaps = _gaps(lines)
    table = gaps.group_by("gap").agg(n=gaps.count()).order_by("gap").to_pyarrow()
    return dict(zip(table["gap"].to_pylist(), table["n"].to_pylist(), strict=True))


def _gaps(lines: ir.Table) -> ir.Table:
    """`customer_id`, `gap`: days between consecutive purchase days."""
    days = lines.select("customer_id", day=lines["ordered_at"].date()).distinct()
    before = days["day"].lag(1).over(group_by="customer_id", order_by="day")
    gaps = days.mutate(gap=days["day"].delta(before, unit="day"))
    return gaps.filter(gaps["gap"].notnull()).select("customer_id", "gap")


def _main_country(lines: ir.Table) -> ir.Table:
    """`customer_id`, `country`: where most of the money came from; equal money: first by name."""
    spent = lines.group_by("customer_id", "country").agg(_spent=lines["amount"].sum())
    place = ibis.row_number().over(group_by="customer_id", order_by=[ibis.desc("_spent"), "country"])
    spent = spent.mutate(_place=place)
    return spent.filter(spent["_place"] == 0).select("customer_id", "country")


def _join(people: ir.Table, facts: ir.Table) -> ir.Table:
    return people.left_join(facts, "customer_id").drop("customer_id_right")


def _typed(table: ir.Table, columns: Mapping[str, str]) -> dict[str, ir.Value]:
    return {name: table[name].cast(kind) for name, kind in columns.items()}
