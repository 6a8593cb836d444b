"""Rules as data: one reason each to set an order line aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir

from regulars.errors import OptionError, listed
from regulars.keeping import keep
from regulars.reading import Orders

__all__ = ["KEPT", "RETURN", "RETURNED", "Returns", "Rule", "rules_for"]

Returns = Literal["net", "drop"]

KEPT = 100  # the reason number of a line that no rule asked for
RETURN, RETURNED = KEPT - 2, KEPT - 1  # of return lines, and of purchases wholly taken back
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


def rules_for(
    orders: Orders,
    *,
    returns: Returns = "net",
    all_products: bool = False,
    as_of: date | None = None,
    rules: Iterable[Rule] = (),
) -> tuple[Rule, ...]:
    """Return the rules that fit these orders, in the order in which they are applied; at most two queries.

    `duplicate` and the netting of returns are not among them: they look at more than one line.
    """
    table, layout = orders.table, orders.layout
    chosen: list[Rule] = []
    if "unreadable" in table.columns:
        chosen.append(_rule("unreadable", "a cell that cannot be read", lambda t: t["unreadable"].notnull()))
    if "other_currency" in table.columns:
        chosen.append(_rule("other currency", "not in the chosen currency", lambda t: t["other_currency"]))
    if "excluded" in table.columns:
        chosen.extend(_rule(name, title, _is_excluded(name)) for name, title in layout.reasons.items())
    chosen.append(_rule("no customer", "no customer", lambda t: t["customer_id"].isnull()))
    chosen.append(_rule("no date", "no date", lambda t: t["ordered_at"].isnull()))
    chosen.append(_rule("no amount", "no quantity, price or amount", _no_amount(orders)))
    if returns == "drop":
        chosen.append(_rule("return", "cancelled orders and returns", lambda t: _is_return(t, layout.cancelled_prefix)))
    else:
        chosen.append(_rule("zero quantity", "quantity of zero", lambda t: t["quantity"] == 0))
    chosen.append(_rule("no price", "price of zero or less", _has_no_price))
    if orders.has_product and not all_products and (layout.non_products or layout.non_product_prefixes):
        chosen.append(_rule("not a product", "postage, fees, adjustments: not a product", _no_product(orders)))
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


def _rule(name: str, title: str, drop: Callable[[ir.Table], ir.BooleanValue]) -> Rule:
    return Rule(name=name, title=title, drop=drop)


def _is_excluded(reason: str) -> Callable[[ir.Table], ir.BooleanValue]:
    """Lines that the layout of the export says are no purchase, for this reason."""
    return lambda t: t["excluded"] == reason


def _midnight(day: date) -> ir.TimestampScalar:
    return ibis.timestamp(f"{day.isoformat()}T00:00:00")


def _has_no_price(table: ir.Table) -> ir.BooleanValue:
    return ibis.coalesce(table["unit_price"] <= 0, table["amount"] == 0)


def _is_return(table: ir.Table, cancelled_prefix: str) -> ir.BooleanValue:
    backwards = ibis.coalesce(table["quantity"] <= 0, table["amount"] < 0)
    if not cancelled_prefix:
        return backwards
    return backwards | table["order_id"].upper().startswith(cancelled_prefix.upper())


def _no_amount(orders: Orders) -> Callable[[ir.Table], ir.BooleanValue]:
    if orders.has_quantity:
        return lambda t: t["amount"].isnull() | t["quantity"].isnull()
    return lambda t: t["amount"].isnull()


def _no_product(orders: Orders) -> Callable[[ir.Table], ir.BooleanValue]:
    """Find the codes of this source that are no products, so that lines are compared with a few texts; two queries."""
    layout = orders.layout
    codes = keep(orders.table.select("product_id").distinct())  # an engine would ask every line, else
    services = codes.filter(_is_service(codes, layout.non_products, layout.non_product_prefixes))
    found = sorted(services.to_pyarrow()["product_id"].to_pylist())
    return lambda t: t["product_id"].isin(found) if found else ibis.literal(False)


def _is_service(table: ir.Table, codes: Sequence[str], prefixes: Sequence[str]) -> ir.BooleanValue:
    code = table["product_id"].strip().upper()
    found = code.isin([listed_code.upper() for listed_code in codes])
    for prefix in prefixes:
        found = found | code.startswith(prefix.upper())
    return found
