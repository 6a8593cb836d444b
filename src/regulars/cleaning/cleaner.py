"""Set aside what is not a purchase, take returns back, and account for every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from regulars.cleaning.auditing import Audit, count_lines
from regulars.cleaning.netting import net_returns
from regulars.cleaning.rules import KEPT, RETURN, RETURNED, Returns, Rule, rules_for
from regulars.errors import NotEnoughDataError, OptionError
from regulars.reading import Orders
from regulars.schema import MONEY, OPTIONAL_ORDERS, ORDERS

__all__ = ["Cleaned", "clean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Clean order lines and everything that was taken from them.

    Parameters
    ----------
    table
        Surviving order lines, columns of `schema.ORDERS` and the optional ones that the source has; `quantity` and
        `amount` are what is left after returns.
    audit
        What was set aside, by rule.
    set_aside
        Every row that was set aside with its `reason`, the source's further columns kept; of a partly returned purchase
        the part that went back (reason `returned part`).
    returned
        `customer_id`, `returned_amount`: money taken back per customer.
    """

    table: ir.Table
    audit: Audit
    set_aside: ir.Table
    returned: ir.Table


def clean(
    orders: Orders,
    *,
    returns: Returns = "net",
    all_products: bool = False,
    as_of: date | None = None,
    rules: Sequence[Rule] = (),
) -> Cleaned:
    """Set aside what is not a purchase, take returns back, and account for every row.

    Order: lines on or after `as_of` → exact duplicates (all columns equal, one kept; only where the source has order and
    product columns) → unreadable, no customer, no date, no amount → no price → not a product → your own `rules` → returns.

    Parameters
    ----------
    orders
        From `regulars.read`.
    returns
        ``"net"``: a return takes back the purchase that it undoes, last in first out per customer and product, first at the
        same unit price, then at any price; what finds no purchase is reported, not applied. Without product or quantity,
        money takes the place of pieces. ``"drop"``: returns and cancelled orders are ignored, the purchases stay.
    all_products
        Keep postage, fees and other codes that the layout lists as not a product.
    as_of
        Lines on or after this day are set aside; `None` keeps all.
    rules
        Further rules of your own, applied before returns.

    Returns
    -------
    Cleaned
        Clean lines (one table kept inside the engine), audit, and what was set aside.

    Raises
    ------
    NotEnoughDataError
        No line is left.

    Notes
    -----
    Five queries: lines with their reason, lines after netting, and three small aggregates for the audit.

    Examples
    --------
    >>> import pandas as pd, regulars as rg
    >>> lines = pd.DataFrame({"customer": ["a", "a", None], "order": ["1", "2", "3"], "sku": ["x", "x", "y"],
    ...     "date": ["2024-01-02", "2024-01-05", "2024-01-06"], "qty": [3, -1, 1], "price": ["2.50", "2.50", "9.99"]})
    >>> audit = rg.clean(rg.read(lines)).audit
    >>> [(line.rule, line.rows, str(line.amount)) for line in audit.lines if line.rows or line.amount]
    [('no customer', 1, '9.9900'), ('return', 1, '-2.5000'), ('returned purchase', 0, '2.5000')]
    >>> audit.kept.amount_left, audit.reconciles
    (Decimal('5.0000'), True)
    """
    if returns not in ("net", "drop"):
        raise OptionError(f"There is no returns policy {returns!r}.", hint="Choose 'net' or 'drop'.")
    chosen = rules_for(orders, returns=returns, all_products=all_products, as_of=as_of, rules=rules)
    tagged = _tag(orders, chosen)
    by_pieces = orders.has_product and orders.has_quantity
    done = net_returns(tagged, by_pieces=by_pieces, has_product=orders.has_product) if returns == "net" else tagged
    done = done.cache()
    audit = count_lines(orders, done, rules=chosen, returns=returns)
    if as_of is not None and as_of <= audit.first_day:
        raise NotEnoughDataError(
            f"All lines of {orders.source} are on or after {as_of}; they run from {audit.first_day} to {audit.last_day}.",
            hint="Give a later --as-of (as_of=), or leave it out: then it is the day after the last day.",
        )
    if audit.kept.rows_left == 0:
        raise NotEnoughDataError(
            f"No order line is left after cleaning: {_losses(audit)}.",
            hint="Look at the columns and rules with 'regulars check SOURCE'.",
        )
    shown = [name for name in (*ORDERS, *OPTIONAL_ORDERS) if name in done.columns]
    undone = done.filter(done["_undone"] > 0)
    return Cleaned(
        table=done.filter(done["_reason"] == KEPT).select(shown),
        audit=audit,
        set_aside=_set_aside(done, orders, rules=chosen),
        returned=undone.group_by("customer_id").agg(returned_amount=undone["_undone"].sum()),
    )


def _tag(orders: Orders, rules: Sequence[Rule]) -> ir.Table:
    """Give every distinct line its number of copies and the number of the first rule that asks for it.

    Adds `_copies`, `_reason` (index into `rules`, or `KEPT`) and, zero so far, `_undone` (money taken back),
    `_undone_quantity` and `_unmatched` (money).
    """
    lines = orders.table
    if orders.has_order_id and orders.has_product:
        lines = lines.group_by(lines.columns).agg(_copies=lines.count())
    else:
        lines = lines.mutate(_copies=ibis.literal(1, "int64"))
    cases = [(rule.drop(lines), ibis.literal(number, "int16")) for number, rule in enumerate(rules)]
    none = ibis.literal(0).cast(MONEY)
    return lines.mutate(
        _reason=ibis.cases(*cases, else_=ibis.literal(KEPT, "int16")),
        _undone=none,
        _undone_quantity=none,
        _unmatched=none,
    ).cache()


def _losses(audit: Audit) -> str:
    return ", ".join(f"{line.rows:,} rows {line.rule}" for line in audit.lines if line.rows)


def _set_aside(done: ir.Table, orders: Orders, *, rules: Sequence[Rule]) -> ir.Table:
    """Every row that was set aside, with its `reason`; duplicates as often as they were dropped."""
    names = [(number, rule.name) for number, rule in enumerate(rules)]
    names += [(RETURN, "return"), (RETURNED, "returned purchase")]
    words = [(done["_reason"] == number, ibis.literal(name)) for number, name in names]

    before = {
        "quantity": done["quantity"] + done["_undone_quantity"],
        "amount": done["amount"] + done["_undone"],
    }
    done = done.mutate(**{f"_{name}": value.cast(MONEY) for name, value in before.items()})
    whole = done.filter(done["_reason"] != KEPT).mutate(
        reason=ibis.cases(*words), quantity=ibis._["_quantity"], amount=ibis._["_amount"]
    )
    part = done.filter((done["_reason"] == KEPT) & (done["_undone"] > 0)).mutate(
        reason=ibis.literal("returned part"), quantity=ibis._["_undone_quantity"], amount=ibis._["_undone"]
    )
    columns = [*orders.table.columns, "reason", "_unmatched"]
    pieces = [whole, part]
    if orders.has_order_id and orders.has_product:
        again = done.filter(done["_copies"] > 1)
        cut = [(again["_reason"] == 0, ibis.literal(rules[0].name))] if rules[0].name == "after as-of" else []
        again = again.mutate(_copy=ibis.range(1, again["_copies"]).unnest()).mutate(
            reason=ibis.cases(*cut, else_="duplicate") if cut else ibis.literal("duplicate"),
            quantity=ibis._["_quantity"],
            amount=ibis._["_amount"],
            _unmatched=ibis.literal(0).cast(MONEY),
        )
        pieces.append(again)
    return ibis.union(*(piece.select(columns) for piece in pieces)).rename(unmatched_amount="_unmatched")
