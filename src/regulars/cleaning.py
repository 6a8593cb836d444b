"""Order lines → clean order lines and an audit: rules as data, returns, nothing lost.

Every row that is set aside has one reason, the first rule that asked for it. Rows and money reconcile to the cent:
rows in = rows kept + rows per reason; amount in = amount kept + amount per reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from regulars.errors import NotEnoughDataError, OptionError, listed
from regulars.reading import Orders
from regulars.schema import MONEY, OPTIONAL_ORDERS, ORDERS

__all__ = ["Audit", "AuditLine", "Cleaned", "Returns", "Rule", "clean", "rules_for"]

Returns = Literal["net", "drop"]

_KEPT = 100  # the reason number of a line that no rule asked for
_TAKEN = {"raw", "duplicate", "return", "returned purchase", "returned part"}  # names of steps that are no rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One reason to set an order line aside.

    Parameters
    ----------
    name
        Short name: it stands in the audit and in `set_aside.parquet`.
    title
        The same in words, for people.
    drop
        Order lines (Ibis table) → boolean column: true where the line is set aside; null counts as false.

    Examples
    --------
    >>> Rule(name="test_shop", title="orders of the test shop", drop=lambda t: t.country == "Testland").name
    'test_shop'
    """

    name: str
    title: str
    drop: Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """What one rule set aside, and what was left after it.

    `rows` counts whole rows; `amount` is in the source's currency. A purchase that was partly returned keeps its row:
    the line `returned purchase` then carries money without a row.
    """

    rule: str
    title: str
    rows: int
    amount: Decimal
    rows_left: int
    orders_left: int
    customers_left: int
    amount_left: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What cleaning did, rule by rule; the first line is the file as it came.

    `first_day` and `last_day` are those of the file as it came. `unmatched_returns` counts return lines that found no
    purchase to undo, or not enough of it; `unmatched_amount` is what they would have taken back. It is reported, not
    applied.
    """

    lines: tuple[AuditLine, ...]
    first_day: date
    last_day: date
    returns: str
    partly_returned: int
    unmatched_returns: int
    unmatched_amount: Decimal

    @property
    def raw(self) -> AuditLine:
        """The file as it came."""
        return self.lines[0]

    @property
    def kept(self) -> AuditLine:
        """What is left after the last rule."""
        return self.lines[-1]

    @property
    def reconciles(self) -> bool:
        """Whether rows and money in = kept + every reason, exactly."""
        rows = self.kept.rows_left + sum(line.rows for line in self.lines)
        amount = self.kept.amount_left + sum((line.amount for line in self.lines), Decimal(0))
        return rows == self.raw.rows_left and amount == self.raw.amount_left

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money as decimal text."""
        facts = asdict(self)
        facts["reconciles"] = self.reconciles
        return facts


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


def rules_for(
    orders: Orders,
    *,
    returns: Returns = "net",
    all_products: bool = False,
    as_of: date | None = None,
    rules: Iterable[Rule] = (),
) -> tuple[Rule, ...]:
    """Return the rules that fit these orders, in the order in which they are applied.

    `duplicate` and the netting of returns are not among them: they look at more than one line.
    """
    table, layout = orders.table, orders.layout
    chosen: list[Rule] = []
    if "unreadable" in table.columns:
        chosen.append(_rule("unreadable", "a cell that cannot be read", lambda t: t["unreadable"].notnull()))
    if "other_currency" in table.columns:
        chosen.append(_rule("other currency", "not in the chosen currency", lambda t: t["other_currency"]))
    chosen.append(_rule("no customer", "no customer", lambda t: t["customer_id"].isnull()))
    chosen.append(_rule("no date", "no date", lambda t: t["ordered_at"].isnull()))
    chosen.append(_rule("no amount", "no quantity, price or amount", lambda t: t["amount"].isnull()))
    if returns == "drop":
        chosen.append(_rule("return", "cancelled orders and returns", lambda t: _is_return(t, layout.cancelled_prefix)))
    else:
        chosen.append(_rule("zero quantity", "quantity of zero", lambda t: t["quantity"] == 0))
    chosen.append(_rule("no price", "price of zero or less", _has_no_price))
    if orders.has_product and not all_products and (layout.non_products or layout.non_product_prefixes):
        chosen.append(
            _rule(
                "not a product",
                "postage, fees, adjustments: not a product",
                lambda t: _is_service(t, layout.non_products, layout.non_product_prefixes),
            )
        )
    if as_of is not None:
        chosen.insert(0, _rule("after as-of", f"on or after {as_of}", lambda t: t["ordered_at"] >= _midnight(as_of)))
    names = [*(_TAKEN | {rule.name for rule in chosen})]
    chosen.extend(own := tuple(rules))
    names += [rule.name for rule in own]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise OptionError(
            f"Two cleaning rules have the same name: {listed(twice)}.", hint="Give each rule its own name."
        )
    return tuple(chosen)


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
    done = _net(tagged, by_pieces=by_pieces, has_product=orders.has_product) if returns == "net" else tagged
    done = done.cache()
    audit = _audit(orders, done, rules=chosen, returns=returns)
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
        table=done.filter(done["_reason"] == _KEPT).select(shown),
        audit=audit,
        set_aside=_set_aside(done, orders, rules=chosen),
        returned=undone.group_by("customer_id").agg(returned_amount=undone["_undone"].sum()),
    )


def _rule(name: str, title: str, drop: Callable[[ir.Table], ir.BooleanValue]) -> Rule:
    return Rule(name=name, title=title, drop=drop)


def _midnight(day: date) -> ir.TimestampScalar:
    return ibis.timestamp(f"{day.isoformat()}T00:00:00")


def _has_no_price(table: ir.Table) -> ir.BooleanValue:
    return ibis.coalesce(table["unit_price"] <= 0, table["amount"] == 0)


def _is_return(table: ir.Table, cancelled_prefix: str) -> ir.BooleanValue:
    backwards = ibis.coalesce(table["quantity"] <= 0, table["amount"] < 0)
    if not cancelled_prefix:
        return backwards
    return backwards | table["order_id"].upper().startswith(cancelled_prefix.upper())


def _is_service(table: ir.Table, codes: Sequence[str], prefixes: Sequence[str]) -> ir.BooleanValue:
    code = table["product_id"].strip().upper()
    found = code.isin([listed_code.upper() for listed_code in codes])
    for prefix in prefixes:
        found = found | code.startswith(prefix.upper())
    return found


def _tag(orders: Orders, rules: Sequence[Rule]) -> ir.Table:
    """Give every distinct line its number of copies and the number of the first rule that asks for it.

    Adds `_copies`, `_reason` (index into `rules`, or `_KEPT`) and, zero so far, `_undone` (money taken back),
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
        _reason=ibis.cases(*cases, else_=ibis.literal(_KEPT, "int16")),
        _undone=none,
        _undone_quantity=none,
        _unmatched=none,
    ).cache()


_RETURN, _RETURNED = _KEPT - 2, _KEPT - 1  # reason numbers of return lines and of purchases wholly taken back


def _net(tagged: ir.Table, *, by_pieces: bool, has_product: bool) -> ir.Table:
    """Let returns take back purchases, in two passes; only (customer, product) pairs with a return are looked at."""
    measure = "quantity" if by_pieces else "amount"
    tagged = tagged.mutate(_q=tagged[measure])
    keys = {"_customer": tagged["customer_id"]}
    if has_product:
        keys["_product"] = tagged["product_id"].fill_null("")
    live = tagged.filter(tagged["_reason"] == _KEPT).mutate(**keys)
    pairs = live.filter(live["_q"] < 0).select(*keys).distinct()
    touched = live.semi_join(pairs, list(keys))
    price = touched["unit_price"] if by_pieces else touched["amount"].abs()
    touched = touched.mutate(_price=price, _whole=touched["_q"])
    touched = _undo(touched, by=[*keys, "_price"])
    touched = _undo(touched, by=list(keys))

    bought, left = touched["_whole"] > 0, touched["_q"]
    value = (touched["amount"] * left / touched["_whole"]).cast(MONEY)  # at the price paid: there may be a discount
    reason = ibis.cases(
        (~bought, ibis.literal(_RETURN, "int16")),
        (left == 0, ibis.literal(_RETURNED, "int16")),
        else_=ibis.literal(_KEPT, "int16"),
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
    rest = tagged.filter(tagged["_reason"] != _KEPT).union(live.anti_join(pairs, list(keys)).select(tagged.columns))
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


def _audit(orders: Orders, done: ir.Table, *, rules: Sequence[Rule], returns: str) -> Audit:
    """Count rows, orders, customers and money per reason; three queries."""
    source = orders.table
    amount = source["amount"].fill_null(0)
    raw = (
        source.agg(
            rows=source.count(),
            amount=amount.sum(),
            first=source["ordered_at"].min(),
            last=source["ordered_at"].max(),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    if raw["first"] is None:
        raise NotEnoughDataError(
            f"{orders.source} has no order line with a date.",
            hint="Check the columns with 'regulars check SOURCE'.",
        )
    per_reason = _per_reason(done)
    survivors = {name: _survivors(done, name) for name in ("order_id", "customer_id")}

    steps = [(rule.name, rule.title, number) for number, rule in enumerate(rules)]
    if orders.has_order_id and orders.has_product:
        place = 1 if rules[0].name == "after as-of" else 0
        steps.insert(place, ("duplicate", "exact duplicates", -1))
    if returns == "net":
        steps.append(("return", "returns", _RETURN))
        steps.append(("returned purchase", "purchases taken back by returns", _RETURNED))
    everything = _line(("raw", "as it came", -2), rows=0, amount=Decimal(0))
    lines = [
        replace(
            everything,
            rows_left=raw["rows"],
            amount_left=raw["amount"] or Decimal(0),
            orders_left=sum(survivors["order_id"].values()),
            customers_left=sum(survivors["customer_id"].values()),
        )
    ]
    for step in steps:
        rows, money = _taken(step, per_reason, copies_first=rules[0].name == "after as-of")
        lines.append(_after(lines[-1], step, rows=rows, amount=money, survivors=survivors))
    kept = per_reason.get(_KEPT, _NOTHING)
    lines[-1] = replace(lines[-1], rows_left=kept["rows"], amount_left=kept["amount"])
    unmatched = per_reason.get(_RETURN, _NOTHING)
    return Audit(
        lines=tuple(lines),
        first_day=raw["first"].date(),
        last_day=raw["last"].date(),
        returns=returns,
        partly_returned=kept["undone_lines"],
        unmatched_returns=unmatched["unmatched_lines"],
        unmatched_amount=unmatched["unmatched"],
    )


_Facts = dict[str, Any]
_NOTHING: _Facts = dict.fromkeys(("rows", "copies", "undone_lines", "unmatched_lines"), 0) | dict.fromkeys(
    ("amount", "copies_amount", "undone", "unmatched"), Decimal(0)
)


def _per_reason(done: ir.Table) -> dict[int, _Facts]:
    amount = done["amount"].fill_null(0)
    table = done.group_by("_reason").agg(
        rows=done.count(),
        amount=amount.sum(),
        copies=(done["_copies"] - 1).sum(),
        copies_amount=((done["_copies"] - 1) * (amount + done["_undone"])).sum(),
        undone=done["_undone"].sum(),
        undone_lines=(done["_undone"] > 0).sum(),
        unmatched=done["_unmatched"].sum(),
        unmatched_lines=(done["_unmatched"] > 0).sum(),
    )
    return {facts.pop("_reason"): facts for facts in table.to_pyarrow().to_pylist()}


def _survivors(done: ir.Table, name: str) -> dict[int, int]:
    """Count orders or customers by the last rule that they outlive: the highest reason number among their lines."""
    known = done.filter(done[name].notnull())
    last = known.group_by(name).agg(_last=known["_reason"].max())
    table = last.group_by("_last").agg(n=last.count())
    return {facts["_last"]: facts["n"] for facts in table.to_pyarrow().to_pylist()}


_Step = tuple[str, str, int]


def _taken(step: _Step, per_reason: dict[int, _Facts], *, copies_first: bool) -> tuple[int, Decimal]:
    """Rows and money that a step set aside; copies of a line belong to `duplicate`, unless `after as-of` came first."""
    name, _, number = step
    own = per_reason.get(number, _NOTHING)
    if name == "duplicate":
        others = [facts for reason, facts in per_reason.items() if not (copies_first and reason == 0)]
        return (
            sum(int(facts["copies"]) for facts in others),
            sum((Decimal(facts["copies_amount"]) for facts in others), Decimal(0)),
        )
    if name == "after as-of":
        return own["rows"] + own["copies"], own["amount"] + own["copies_amount"]
    if name == "returned purchase":
        return own["rows"], own["undone"] + per_reason.get(_KEPT, _NOTHING)["undone"]
    return own["rows"], own["amount"]


def _line(step: _Step, *, rows: int, amount: Decimal) -> AuditLine:
    return AuditLine(
        rule=step[0],
        title=step[1],
        rows=rows,
        amount=amount,
        rows_left=0,
        orders_left=0,
        customers_left=0,
        amount_left=Decimal(0),
    )


def _after(
    before: AuditLine, step: _Step, *, rows: int, amount: Decimal, survivors: dict[str, dict[int, int]]
) -> AuditLine:
    """Audit line of a step, given the line before it."""
    left = {name: sum(n for last, n in counts.items() if last > step[2]) for name, counts in survivors.items()}
    return replace(
        _line(step, rows=rows, amount=amount),
        rows_left=before.rows_left - rows,
        amount_left=before.amount_left - amount,
        orders_left=left["order_id"],
        customers_left=left["customer_id"],
    )


def _losses(audit: Audit) -> str:
    return ", ".join(f"{line.rows:,} rows {line.rule}" for line in audit.lines if line.rows)


def _set_aside(done: ir.Table, orders: Orders, *, rules: Sequence[Rule]) -> ir.Table:
    """Every row that was set aside, with its `reason`; duplicates as often as they were dropped."""
    names = [(number, rule.name) for number, rule in enumerate(rules)]
    names += [(_RETURN, "return"), (_RETURNED, "returned purchase")]
    words = [(done["_reason"] == number, ibis.literal(name)) for number, name in names]

    before = {
        "quantity": done["quantity"] + done["_undone_quantity"],
        "amount": done["amount"] + done["_undone"],
    }
    done = done.mutate(**{f"_{name}": value.cast(MONEY) for name, value in before.items()})
    whole = done.filter(done["_reason"] != _KEPT).mutate(
        reason=ibis.cases(*words), quantity=ibis._["_quantity"], amount=ibis._["_amount"]
    )
    part = done.filter((done["_reason"] == _KEPT) & (done["_undone"] > 0)).mutate(
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
