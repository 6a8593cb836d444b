"""Lines counted per order and reason: the one pass over all lines that everything else starts from."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from regulars.cleaning.matching import can_hash, native, row_hash, same
from regulars.cleaning.rules import KEPT, RETURN, RETURNED
from regulars.keeping import keep
from regulars.schema import MONEY

__all__ = ["ORDER", "correct_orders", "count_losses", "group_orders", "number_countries"]

ORDER = ("customer_id", "order_id", "_reason")
_MASKS = 3  # bit masks per order; an order in which no mask shows a bit twice has no two equal lines


def number_countries(lines: ir.Table) -> ir.Table:
    """Number the countries by name, `_name` and `_number`: numbers are compared faster than texts."""
    names = keep(lines.select(_name="country").distinct())
    names = names.filter(names["_name"].notnull())
    return keep(names.mutate(_number=ibis.row_number().over(order_by="_name").cast("int32")))


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
        suspect = suspect & (native("bit_count", (dt.uint64,), dt.int64)(grouped[name]) < grouped["lines"])
    return grouped.mutate(
        amount=grouped["amount"].cast(MONEY), lines=grouped["lines"].cast("int32"), _suspect=suspect
    ).drop(*masks)


def correct_orders(grouped: ir.Table, *, losses: ir.Table | None, days: ir.Table | None) -> ir.Table:
    """Take copies and returns out of the orders.

    Parameters
    ----------
    grouped
        From `group_orders`.
    losses
        From `count_losses`.
    days
        `customer_id`, `order_id`, `first_at`, `last_at` of orders over several days that lost a line.

    Returns
    -------
    ibis.Table
        `customer_id`, `order_id`, `first_at`, `last_at`, `amount`, `_number` of the country and `_last`: `KEPT`, or
        why nothing is left.
    """
    orders = grouped.filter(grouped["_reason"] == KEPT).drop("_reason", "_suspect")
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


def count_losses(*, copies: ir.Table | None, changed: ir.Table | None) -> ir.Table | None:
    """Lines and money that kept orders lose: `_gone`, of these `_bought` (purchases taken back), and `_money`.

    Parameters
    ----------
    copies
        From `find_copies`.
    changed
        Lines that netting changed: `customer_id`, `order_id`, `_reason`, `amount` before, `_undone`.

    Returns
    -------
    ibis.Table or None
        One row per order that loses something, kept inside the engine.
    """
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
                gone=(changed["_reason"] != KEPT).ifelse(1, 0),
                bought=(changed["_reason"] == RETURNED).ifelse(1, 0),
                money=back.ifelse(changed["amount"], changed["_undone"]),
            )
        )
    if not parts:
        return None
    lost = ibis.union(*parts) if len(parts) > 1 else parts[0]
    lost = lost.group_by("customer_id", "order_id").agg(
        _gone=lost["_gone"].sum(), _bought=lost["_bought"].sum(), _money=lost["_money"].sum()
    )
    return keep(lost)


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
    keys = ["customer_id", "order_id"]
    return orders.left_join(facts, same(orders, facts, keys)).drop(f"{key}_right" for key in keys)
