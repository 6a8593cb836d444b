"""Lines counted per order and reason: the one pass over all lines that everything else starts from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import Parameter, Signature
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from regulars.cleaning.rules import KEPT, RETURN, RETURNED
from regulars.schema import MONEY

__all__ = [
    "correct_orders",
    "find_copies",
    "group_orders",
    "number_countries",
    "numbered",
    "repeated",
    "surplus",
    "without",
]

ORDER = ("customer_id", "order_id", "_reason")
_MASKS = 3  # bit masks per order; an order in which no mask shows a bit twice has no two equal lines


def can_hash(table: ir.Table) -> bool:
    """Whether the table's engine has a fast 64-bit hash over several columns."""
    return bool(table.get_backend().name == "duckdb")


def row_hash(table: ir.Table, names: Sequence[str]) -> ir.IntegerValue:
    """64-bit hash of some columns: DuckDB's own, because ibis' `hash` takes a way through text."""
    cells = [table[name] for name in names]
    return _native("hash", tuple(cell.type() for cell in cells), dt.uint64)(*cells)


@cache
def _native(name: str, kinds: tuple[dt.DataType, ...], result: dt.DataType) -> Any:
    """A function of the engine itself, of arguments of these types."""

    def function(*cells: object) -> None: ...

    places = [Parameter(f"cell_{i}", Parameter.POSITIONAL_ONLY) for i in range(len(kinds))]
    function.__signature__ = Signature(places)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(name=name, signature=(kinds, result))(function)


def number_countries(lines: ir.Table) -> ir.Table:
    """Number the countries by name, `_name` and `_number`: numbers are compared faster than texts."""
    names = lines.select(_name="country").distinct().cache()
    names = names.filter(names["_name"].notnull())
    return names.mutate(_number=ibis.row_number().over(order_by="_name").cast("int32")).cache()


def group_orders(lines: ir.Table, *, with_copies: bool, countries: ir.Table | None) -> ir.Table:
    """Count lines and money per customer, order and reason.

    Parameters
    ----------
    lines
        Order lines with `_reason`, before anything is taken out.
    with_copies
        Whether exact copies of a line are to be found.
    countries
        From `number_countries`, where the lines have a country.

    Returns
    -------
    ibis.Table
        `ORDER`, `lines`, `amount` (decimal), `first_at`, `last_at`, `_number` of the country (the first by name, should an
        order have several), and `_suspect`: whether the order may hold a line twice.
    """
    masks: dict[str, ir.Value] = {}
    if with_copies and can_hash(lines):
        lines = lines.mutate(_cells=row_hash(lines, ("product_id", "quantity", "unit_price")))
        one = ibis.literal(1, "uint64")
        masks = {f"_bits{i}": (one << ((lines["_cells"] >> 6 * i) & 63)).bit_or() for i in range(_MASKS)}
    country: dict[str, ir.Value] = {}
    if countries is not None:
        lines = lines.left_join(countries, lines["country"] == countries["_name"])
        country = {"_number": lines["_number"].min()}
    grouped = lines.group_by(*ORDER).agg(
        lines=lines.count(),
        amount=lines["amount"].fill_null(0).sum(),
        first_at=lines["ordered_at"].min(),
        last_at=lines["ordered_at"].max(),
        **country,
        **masks,
    )
    suspect = grouped["lines"] > 1 if with_copies else ibis.literal(False)
    for name in masks:
        suspect = suspect & (_native("bit_count", (dt.uint64,), dt.int64)(grouped[name]) < grouped["lines"])
    return grouped.mutate(
        amount=grouped["amount"].cast(MONEY), lines=grouped["lines"].cast("int32"), _suspect=suspect
    ).drop(*masks)


def find_copies(lines: ir.Table, grouped: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Find lines that stand more than once, all columns equal, in the suspect orders only.

    Returns
    -------
    ibis.Table
        One row per such line: `ORDER`, its key (`_row`, a 64-bit hash of all columns; where the engine has none, all
        columns), `amount`, and `copies`, how often it stands.
    """
    suspects = grouped.filter(grouped["_suspect"]).select(_order=grouped["order_id"].fill_null("")).distinct()
    suspects = suspects.cache()
    near = lines.semi_join(suspects, lines["order_id"].fill_null("") == suspects["_order"])
    if not can_hash(lines):
        found = near.group_by(*columns, "_reason").agg(copies=near.count())
        return found.filter(found["copies"] > 1)
    near = near.select(*ORDER, _line=ibis.struct({"row": row_hash(near, columns), "amount": near["amount"]}))
    per_order = near.group_by(*ORDER).agg(_all=near["_line"].collect(), _count=near.count())
    different = _native("list_unique", (per_order["_all"].type(),), dt.int64)(per_order["_all"])
    twice = per_order.filter(different < per_order["_count"])
    each = twice.select(*ORDER, _line=twice["_all"].unnest())
    each = each.select(*ORDER, _row=each["_line"]["row"], amount=each["_line"]["amount"])
    found = each.group_by(*ORDER, "_row").agg(copies=each.count(), amount=each["amount"].max())
    return found.filter(found["copies"] > 1)


def numbered(lines: ir.Table) -> ir.Table:
    """Keep lines inside the engine, each with a number `_id`: its place in the table, where the engine knows that."""
    if lines.get_backend().has_operation(ops.RowID):
        kept = lines.cache()
        return kept.mutate(_id=kept.rowid())
    return lines.mutate(_id=ibis.row_number()).cache()


def without(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Leave out the lines that stand more than once, all of them; `copies` is from `find_copies`."""
    if not can_hash(lines):
        placed = _placed(lines, columns)
        return placed.filter(placed["_times"] == 1).drop("_times", "_place")
    marked = lines.mutate(_row=row_hash(lines, columns))
    return marked.anti_join(copies, _same(marked, copies)).drop("_row")


def repeated(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Give the lines that stand more than once, each with its `_place` among its like, from 0."""
    if can_hash(lines):
        near = lines.semi_join(copies, lines["order_id"].fill_null("") == copies["order_id"].fill_null(""))
        near = near.mutate(_row=row_hash(near, columns))
        lines = near.semi_join(copies, _same(near, copies))
        placed = _placed(lines, ("order_id", "_row")).drop("_row")
    else:
        placed = _placed(lines, columns)
    return placed.filter(placed["_times"] > 1).drop("_times")


def surplus(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Find the lines beyond the first of each that stands more than once: a table of their `_id`."""
    again = repeated(lines, copies, columns=columns)
    return again.filter(again["_place"] > 0).select("_id")


def _same(lines: ir.Table, copies: ir.Table) -> tuple[ir.BooleanValue, ir.BooleanValue]:
    return lines["_row"] == copies["_row"], lines["order_id"].fill_null("") == copies["order_id"].fill_null("")


def _placed(lines: ir.Table, by: Sequence[str]) -> ir.Table:
    """Number lines among their like: `_place` from 0, and `_times`, how often they stand."""
    order = "_id" if "_id" in lines.columns else None
    return lines.mutate(
        _place=ibis.row_number().over(group_by=by, order_by=order), _times=lines.count().over(group_by=by)
    )


def correct_orders(
    grouped: ir.Table, *, copies: ir.Table | None, changed: ir.Table | None, days: ir.Table | None
) -> ir.Table:
    """Take copies and returns out of the orders.

    Parameters
    ----------
    grouped
        From `group_orders`.
    copies
        From `find_copies`.
    changed
        Lines that netting changed: `customer_id`, `order_id`, `_reason`, `amount` before, `_undone`.
    days
        `customer_id`, `order_id`, `first_at`, `last_at` of orders over several days that lost a line.

    Returns
    -------
    ibis.Table
        `customer_id`, `order_id`, `first_at`, `last_at`, `amount`, `_number` of the country and `_last`: `KEPT`, or
        why nothing is left.
    """
    orders = grouped.filter(grouped["_reason"] == KEPT).drop("_reason", "_suspect")
    losses = _losses(copies, changed)
    if losses is not None:
        orders = _join(orders, losses)
        left = orders["lines"] - orders["_gone"].fill_null(0)
        orders = orders.mutate(
            amount=(orders["amount"] - orders["_money"].fill_null(0)).cast(MONEY),
            _last=ibis.cases(
                (left > 0, ibis.literal(KEPT, "int16")),
                (orders["_bought"] > 0, ibis.literal(RETURNED, "int16")),
                else_=ibis.literal(RETURN, "int16"),
            ),
        ).drop("_gone", "_money", "_bought")
    else:
        orders = orders.mutate(_last=ibis.literal(KEPT, "int16"))
    if days is not None:
        orders = _join(orders, days.rename(_first="first_at", _until="last_at"))
        orders = orders.mutate(
            first_at=ibis.coalesce(orders["_first"], orders["first_at"]),
            last_at=ibis.coalesce(orders["_until"], orders["last_at"]),
        ).drop("_first", "_until")
    return orders.drop("lines")


def _losses(copies: ir.Table | None, changed: ir.Table | None) -> ir.Table | None:
    """Lines and money that kept orders lose: `_gone`, of these `_bought` (purchases taken back), and `_money`."""
    parts = []
    if copies is not None:
        twice = copies.filter(copies["_reason"] == KEPT)
        more = twice["copies"] - 1
        parts.append(_loss(twice, gone=more, bought=ibis.literal(0), money=more * twice["amount"]))
    if changed is not None:
        back = changed["_reason"] == RETURN
        parts.append(
            _loss(
                changed,
                gone=(changed["_reason"] != KEPT).cast("int64"),
                bought=(changed["_reason"] == RETURNED).cast("int64"),
                money=back.ifelse(changed["amount"], changed["_undone"]),
            )
        )
    if not parts:
        return None
    lost = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return lost.group_by("customer_id", "order_id").agg(
        _gone=lost["_gone"].sum(), _bought=lost["_bought"].sum(), _money=lost["_money"].sum()
    )


def _loss(table: ir.Table, *, gone: ir.Value, bought: ir.Value, money: ir.Value) -> ir.Table:
    return table.select(
        "customer_id",
        "order_id",
        _gone=gone.cast("int64"),
        _bought=bought.cast("int64"),
        _money=money.cast("decimal(38, 4)"),
    )


def _join(orders: ir.Table, facts: ir.Table) -> ir.Table:
    """Add facts to orders; an order without a number is one order."""
    facts = facts.rename(_customer="customer_id", _order="order_id")
    same = (
        orders["customer_id"] == facts["_customer"],
        orders["order_id"].fill_null("") == facts["_order"].fill_null(""),
    )
    return orders.left_join(facts, same).drop("_customer", "_order")
