"""Returns take back the purchases that they undo: last in, first out, in window functions."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from regulars.cleaning.rules import KEPT, RETURN, RETURNED
from regulars.keeping import keep, release
from regulars.schema import MONEY

__all__ = ["net_returns", "returned_pairs"]


def returned_pairs(lines: ir.Table, *, measure: str, has_product: bool) -> ir.Table:
    """(customer, product) pairs that have a return; `measure` is ``"quantity"`` or ``"amount"``."""
    back = lines.filter((lines["_reason"] == KEPT) & (lines[measure] < 0))
    return back.select("customer_id", *(["product_id"] if has_product else [])).distinct()


def net_returns(lines: ir.Table, *, measure: str, has_product: bool) -> ir.Table:
    """Let returns take back purchases, in two passes: first at the same unit price, then at any.

    Parameters
    ----------
    lines
        All lines of the pairs that have a return, each with its number `_id`.
    measure
        ``"quantity"``: pieces are taken back; ``"amount"``: money.
    has_product
        Whether a return only takes back its own product.

    Returns
    -------
    ibis.Table
        Kept inside the engine, one row per line that changed: `_id`, `_reason`, what is left of it (`_left_quantity`,
        `_left_amount`), what went back (`_undone`, `_undone_quantity`), and what of a return found no purchase
        (`_unmatched`, money).
    """
    keys: dict[str, ir.Value] = {"_customer": lines["customer_id"]}
    if has_product:
        keys["_product"] = lines["product_id"].fill_null("")
    price = lines["unit_price"] if measure == "quantity" else lines["amount"].abs()
    narrow = lines.select(
        "_id", "ordered_at", "order_id", "unit_price", "quantity", "amount", **keys, _q=lines[measure], _price=price
    )
    first = keep(_undo(narrow.mutate(_whole=narrow["_q"]), by=[*keys, "_price"]))
    open_pairs = first.filter((first["_whole"] < 0) & (first["_q"] < 0)).select(*keys).distinct()
    again = _undo(first.semi_join(open_pairs, list(keys)), by=list(keys))
    done = first.anti_join(open_pairs, list(keys)).union(again.select(first.columns))

    bought, left = done["_whole"] > 0, done["_q"]
    value = (done["amount"] * left / done["_whole"]).cast(MONEY)  # at the price paid: there may be a discount
    reason = ibis.cases(
        (~bought, ibis.literal(RETURN, "int16")),
        (left == 0, ibis.literal(RETURNED, "int16")),
        else_=ibis.literal(KEPT, "int16"),
    )
    quantity = left if measure == "quantity" else (done["quantity"] * left / done["_whole"])
    changed = done.filter(~bought | (left != done["_whole"])).select(
        "_id",
        _reason=reason,
        _left_quantity=bought.ifelse(quantity, done["quantity"]).cast(MONEY),
        _left_amount=bought.ifelse(value, done["amount"]).cast(MONEY),
        _undone=bought.ifelse(done["amount"] - value, 0).cast(MONEY),
        _undone_quantity=bought.ifelse(done["quantity"] - quantity, 0).cast(MONEY),
        _unmatched=bought.ifelse(0, -value).cast(MONEY),
    )
    changed = keep(changed)
    release(first)
    return changed


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
        lines["_id"],
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
