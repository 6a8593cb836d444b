"""Money that a source gives for whole orders, shared among their lines to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import ibis

from regulars.schema import MONEY

if TYPE_CHECKING:
    import ibis.expr.types as ir

TOTAL, REFUNDED = "_order_total", "_refunded"
CENT = Decimal("0.01")
#: What orders the lines of an order, dearest first, so that it is no matter in which order they stand in the file.
BY = ("product_id", "product", "quantity", "unit_price", "ordered_at")


def settle_orders(lines: ir.Table, *, priced: bool) -> ir.Table:
    """Share the totals and the refunds of orders among their lines.

    Parameters
    ----------
    lines
        Columns of `schema.ORDERS`, `excluded` where it is known, and `TOTAL` and `REFUNDED`, each where it is known: equal
        on all lines of an order, or null but on one.
    priced
        Whether lines have amounts of their own: a lower total of the order brings them down in proportion. Else the
        total is shared by pieces.

    Returns
    -------
    ibis.Table
        Without `TOTAL` and `REFUNDED`. A refund is taken from what counts of the order, in proportion, at most all of
        it: lines of which nothing is left are `excluded` as refunded; of the others the refunded part becomes a line
        of its own, with quantity 0, that is. Lazy.
    """
    if TOTAL in lines.columns:
        lines = _to_total(lines, priced=priced)
    return _without_refunds(lines) if REFUNDED in lines.columns else lines


def _to_total(lines: ir.Table, *, priced: bool) -> ir.Table:
    weight = _positive(lines["amount"]) if priced else lines["quantity"].abs().nullif(0).fill_null(1)
    lines = _weighed(lines, weight=weight, given=lines[TOTAL])
    part = _part(lines, limit=lines["_given"])
    amount = lines["amount"]
    if priced:
        lower = (lines["_given"] < lines["_whole"]) & (amount > 0)
        amount = ibis.ifelse(lower.fill_null(False), part, amount)
    else:
        amount = ibis.ifelse(lines["order_id"].isnull(), lines[TOTAL], part)
        price = (amount / lines["quantity"].abs().nullif(0)).cast(MONEY)
        lines = lines.mutate(unit_price=price)
    return lines.mutate(amount=amount.cast(MONEY)).drop("_weight", "_whole", "_given", "_until", TOTAL)


def _without_refunds(lines: ir.Table) -> ir.Table:
    kept = [name for name in lines.columns if name != REFUNDED]
    lines = _weighed(lines, weight=_positive(lines["amount"]), given=lines[REFUNDED].abs())
    lines = lines.mutate(_given=lines["_given"].fill_null(0))
    amount = lines["amount"]
    back = ibis.least(_part(lines, limit=ibis.least(lines["_given"], lines["_whole"])), amount)
    back = ibis.ifelse(lines["_given"] >= lines["_whole"], amount, back)
    counts = lines["excluded"].isnull() & (amount > 0) & (back > 0)
    lines = lines.mutate(_back=ibis.ifelse(counts.fill_null(False), back, 0).cast(MONEY))
    lines = lines.mutate(_gone=(lines["_back"] > 0) & (lines["_back"] == lines["amount"]))
    rest = lines.mutate(
        excluded=ibis.ifelse(lines["_gone"], ibis.literal("refunded"), lines["excluded"]),
        amount=ibis.ifelse(lines["_gone"], lines["amount"], lines["amount"] - lines["_back"]).cast(MONEY),
    )
    parts = lines.filter((lines["_back"] > 0) & ~lines["_gone"])
    parts = parts.mutate(
        excluded=ibis.literal("refunded"), amount=parts["_back"], quantity=(parts["quantity"] * 0).cast(MONEY)
    )
    return rest.select(kept).union(parts.select(kept))


def _positive(amount: ir.DecimalValue) -> ir.Value:
    return ibis.greatest(amount, 0).fill_null(0)


def _weighed(lines: ir.Table, *, weight: ir.Value, given: ir.Value) -> ir.Table:
    """Add each line's weight, the order's whole, what was given for the order, and the weight up to each line."""
    group = ["order_id", *(["excluded"] if "excluded" in lines.columns else [])]
    lines = lines.mutate(_weight=weight.cast(MONEY), _given=given)
    by = [lines["_weight"].desc(), *(lines[name] for name in BY if name in lines.columns)]
    until = ibis.window(group_by=group, order_by=by, preceding=(None, 0))
    return lines.mutate(
        _whole=lines["_weight"].sum().over(group_by=group),
        _given=ibis.ifelse(lines["order_id"].isnull(), ibis.null(MONEY), lines["_given"].max().over(group_by=group)),
        _until=lines["_weight"].sum().over(until),
    )


def _part(lines: ir.Table, *, limit: ir.Value) -> ir.Value:
    """The line's part of the limit, in cents: what is due up to it less what was due before, so that all add up."""
    cents = (limit * 100).round().cast("float64")

    def due(weight: ir.Value) -> ir.Value:
        share = (cents * weight.cast("float64") / lines["_whole"].cast("float64").nullif(0)).floor()
        return ibis.ifelse(weight == lines["_whole"], cents, share)

    before = lines["_until"] - lines["_weight"]
    return (due(lines["_until"]) - due(before)).cast("int64") * ibis.literal(CENT, "decimal(3, 2)")
