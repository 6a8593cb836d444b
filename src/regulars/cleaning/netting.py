"""Returns take back the purchases that they undo: last in, first out, in window functions."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from regulars.cleaning.rules import KEPT, RETURN, RETURNED
from regulars.schema import MONEY

__all__ = ["net_returns"]


def net_returns(tagged: ir.Table, *, by_pieces: bool, has_product: bool) -> ir.Table:
    """Let returns take back purchases, in two passes; only (customer, product) pairs with a return are looked at."""
    measure = "quantity" if by_pieces else "amount"
    tagged = tagged.mutate(_q=tagged[measure])
    keys = {"_customer": tagged["customer_id"]}
    if has_product:
        keys["_product"] = tagged["product_id"].fill_null("")
    live = tagged.filter(tagged["_reason"] == KEPT).mutate(**keys)
    pairs = live.filter(live["_q"] < 0).select(*keys).distinct()
    touched = live.semi_join(pairs, list(keys))
    price = touched["unit_price"] if by_pieces else touched["amount"].abs()
    touched = touched.mutate(_price=price, _whole=touched["_q"])
    touched = _undo(touched, by=[*keys, "_price"])
    touched = _undo(touched, by=list(keys))

    bought, left = touched["_whole"] > 0, touched["_q"]
    value = (touched["amount"] * left / touched["_whole"]).cast(MONEY)  # at the price paid: there may be a discount
    reason = ibis.cases(
        (~bought, ibis.literal(RETURN, "int16")),
        (left == 0, ibis.literal(RETURNED, "int16")),
        else_=ibis.literal(KEPT, "int16"),
    )
    quantity = left if by_pieces else (touched["quantity"] * left / touched["_whole"])
    touched = touched.mutate(
        _reason=reason,
        _undone=bought.ifelse(touched["amount"] - value, 0).cast(MONEY),
        _undone_quantity=bought.ifelse(touched["quantity"] - quantity, 0).cast(MONEY),
        _unmatched=bought.ifelse(0, -value).cast(MONEY),
        quantity=bought.ifelse(quantity, touched["quantity"]).cast(MONEY),
        amount=bought.ifelse(value, touched["amount"]).cast(MONEY),
    )
    rest = tagged.filter(tagged["_reason"] != KEPT).union(live.anti_join(pairs, list(keys)).select(tagged.columns))
    return rest.union(touched.select(tagged.columns)).drop("_q")


def _undo(lines: ir.Table, *, by: Sequence[str]) -> ir.Table:
    """One pass of last-in-first-out netting over `_q` (purchases > 0, returns < 0) within each group of `by`.

    With C the running sum and S = C − min(0, C₁ … C) the stock, held at zero where a return finds nothing, a purchase
    keeps max(0, min(S from here on) − S before it), and a return undoes S before it − S.
    """
    order = [
        lines["ordered_at"],
        lines["_q"] < 0,
        lines["order_id"],
        lines["_q"].abs(),  # small ones first, purchases and returns
        lines["unit_price"],
        lines["amount"],
    ]
    past = ibis.window(group_by=list(by), order_by=order, preceding=(None, 0))
    lines = lines.mutate(_run=lines["_q"].sum().over(past))
    lines = lines.mutate(_stock=lines["_run"] - ibis.least(0, lines["_run"].min().over(past)))
    lines = lines.mutate(
        _before=lines["_stock"].lag(1).over(group_by=list(by), order_by=order).fill_null(0),
        _lowest=lines["_stock"].min().over(ibis.window(group_by=list(by), order_by=order, following=(0, None))),
    )
    kept = ibis.greatest(0, lines["_lowest"] - lines["_before"])
    unmatched = lines["_q"] + lines["_before"] - lines["_stock"]
    left = (lines["_q"] > 0).ifelse(kept, unmatched).cast(MONEY)
    return lines.mutate(_q=left).drop("_run", "_stock", "_before", "_lowest")
