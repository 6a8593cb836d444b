"""Lines that stand more than once, all columns equal: found order by order, in the few orders that may have some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from regulars.cleaning.grouping import ORDER
from regulars.cleaning.matching import can_hash, native, row_hash, same
from regulars.keeping import keep, release

__all__ = ["find_copies", "numbered", "repeated", "surplus", "without"]


def find_copies(
    lines: ir.Table, grouped: ir.Table, *, tag: Callable[[ir.Table], ir.Table], columns: Sequence[str]
) -> ir.Table:
    """Find lines that stand more than once, all columns equal, in the suspect orders only.

    Parameters
    ----------
    lines
        All lines.
    grouped
        From `group_orders`.
    tag
        Adds the `_reason` to lines.
    columns
        The columns of the source.

    Returns
    -------
    ibis.Table
        Kept inside the engine, one row per such line: `ORDER`, its key (`_row`, a 64-bit hash of all columns; where the
        engine has none, all columns), `amount`, and `copies`, how often it stands.
    """
    suspects = keep(grouped.filter(grouped["_suspect"]).select("order_id").distinct())
    near = tag(lines.semi_join(suspects, same(lines, suspects, ["order_id"])))
    if not can_hash(lines):
        found = near.group_by(*columns, "_reason").agg(copies=near.count())
        return _finished(found.filter(found["copies"] > 1), suspects)
    near = near.select(*ORDER, _line=ibis.struct({"row": row_hash(near, columns), "amount": near["amount"]}))
    per_order = near.group_by(*ORDER).agg(_all=near["_line"].collect(include_null=True), _count=near.count())
    different = native("list_unique", (per_order["_all"].type(),), dt.int64)(per_order["_all"])
    twice = per_order.filter(different < per_order["_count"])
    each = twice.select(*ORDER, _line=twice["_all"].unnest())
    each = each.select(*ORDER, _row=each["_line"]["row"], amount=each["_line"]["amount"])
    found = each.group_by(*ORDER, "_row").agg(copies=each.count(), amount=each["amount"].max())
    return _finished(found.filter(found["copies"] > 1), suspects)


def _finished(found: ir.Table, helper: ir.Table) -> ir.Table:
    """Keep a result inside the engine, and give back what it was made with."""
    kept = keep(found)
    release(helper)
    return kept


def numbered(lines: ir.Table, *, by: Sequence[str]) -> ir.Table:
    """Keep lines inside the engine, each with an `_id`: its place in the table, where the engine knows that.

    Elsewhere it is made of the columns `by`, texts, and of the place among the lines that have the same there, in the
    order of all columns: an engine that works out a part again gives every line the `_id` that it had, and no line has
    to stand in one row with all others.
    """
    if lines.get_backend().has_operation(ops.RowID):
        kept = keep(lines)
        return kept.mutate(_id=kept.rowid())
    keys = [lines[name].fill_null("") for name in by]
    place = ibis.row_number().over(group_by=keys, order_by=lines.columns)
    parts = [piece for key in keys for piece in (key.length().cast("string"), ibis.literal(":"), key)]
    return keep(lines.mutate(_id=reduce(add, parts, place.cast("string") + ":")))


def without(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Leave out the lines that stand more than once, all of them; `copies` is from `find_copies`."""
    if not can_hash(lines):
        placed = _placed(lines, columns)
        return placed.filter(placed["_times"] == 1).drop("_times", "_place")
    marked = lines.mutate(_row=row_hash(lines, columns))
    return marked.anti_join(copies, _same_row(marked, copies)).drop("_row")


def repeated(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Give the lines that stand more than once, each with its `_place` among its like, from 0."""
    if can_hash(lines):
        near = lines.semi_join(copies, same(lines, copies, ["order_id"]))
        near = near.mutate(_row=row_hash(near, columns))
        lines = near.semi_join(copies, _same_row(near, copies))
        placed = _placed(lines, ("order_id", "_row")).drop("_row")
    else:
        placed = _placed(lines, columns)
    return placed.filter(placed["_times"] > 1).drop("_times")


def surplus(lines: ir.Table, copies: ir.Table, *, columns: Sequence[str]) -> ir.Table:
    """Find the lines beyond the first of each that stands more than once: a table of their `_id`."""
    again = repeated(lines, copies, columns=columns)
    return again.filter(again["_place"] > 0).select("_id")


def _same_row(lines: ir.Table, copies: ir.Table) -> list[ir.BooleanValue]:
    return [lines["_row"] == copies["_row"], *same(lines, copies, ["order_id"])]


def _placed(lines: ir.Table, by: Sequence[str]) -> ir.Table:
    """Number lines among their like: `_place` from 0, and `_times`, how often they stand."""
    order = "_id" if "_id" in lines.columns else None
    return lines.mutate(
        _place=ibis.row_number().over(group_by=by, order_by=order), _times=lines.count().over(group_by=by)
    )
