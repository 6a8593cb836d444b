"""Fields that were read → columns of order lines: amounts, prices and order numbers made where they are missing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import ibis

from regulars.reading import numbers
from regulars.reading.arranging import EXCLUDED
from regulars.reading.evidence import product
from regulars.reading.exports import ORDER_MONEY
from regulars.reading.sharing import REFUNDED, TOTAL
from regulars.reading.texts import attempt
from regulars.schema import MONEY, OPTIONAL_ORDERS, ORDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from regulars.reading.evidence import Bounds
    from regulars.reading.recognising import Recognised
    from regulars.reading.understanding import Reader

TAKEN = frozenset({*ORDERS, *OPTIONAL_ORDERS, "reason", "excluded", "unreadable", "other_currency"})
WIDE = "decimal(38, 4)"


def compose(
    table: ir.Table, readers: Sequence[Reader], *, bounds: Mapping[str, Bounds], found: Recognised
) -> dict[str, ir.Value]:
    """All columns of the order lines but the flags, in their order; then what is known of whole orders.

    Parameters
    ----------
    table
        Cells, and what the readers read from them.
    readers
        How fields are read.
    bounds
        Of numbers that have a type.
    found
        Which column is which.
    """
    layout = found.layout
    read = {reader.field: table[reader.value] for reader in readers if not reader.field.endswith("_sign")}
    if layout.minor_units:
        read |= _in_units(read, usual=layout.currency)
        bounds = {}
    nothing = ibis.null(MONEY)
    quantity, price = read.get("quantity", nothing), read.get("unit_price", nothing)
    if "amount" not in read:
        read["amount"] = nothing
        if {"quantity", "unit_price"} <= read.keys():
            given = {reader.field: table[reader.column] for reader in readers}
            lean = product(given["quantity"], given["unit_price"], bounds=bounds)
            read["amount"] = product_of(quantity, price) if lean is None else lean
        read["amount"] = _discounted(read)
    elif "quantity" in read:
        amount, pieces = _discounted(read), quantity.abs()
        read["unit_price"] = attempt(amount.abs() / pieces.nullif(0), MONEY)
        read["quantity"] = ibis.cases((amount < 0, -pieces), (amount > 0, pieces), else_=quantity)
        read["amount"] = amount
    if "order_id" not in read or layout.day_orders:
        day = read["customer_id"] + " " + read["ordered_at"].strftime("%Y-%m-%d")
        read["order_id"] = ibis.coalesce(read["order_id"], day) if "order_id" in read else day
    read = {"quantity": nothing, "unit_price": nothing} | read
    wanted = ORDERS | {name: kind for name, kind in OPTIONAL_ORDERS.items() if name in read}
    ours = {name: read[name].cast(kind) for name, kind in wanted.items()}
    ours |= {new: table[old] for old, new in _others(found.unmatched).items()}
    if layout.reasons:
        ours["excluded"] = table[EXCLUDED] if EXCLUDED in table.columns else ibis.null("string")
    return ours | {name: read[name[1:]] for name in (TOTAL, REFUNDED) if name[1:] in read}


def _discounted(read: Mapping[str, ir.Value]) -> ir.Value:
    """The amount less what was taken off the line."""
    if "discount" not in read:
        return read["amount"]
    return (read["amount"] - read["discount"].abs().fill_null(0)).cast(MONEY)


def _in_units(read: Mapping[str, ir.Value], *, usual: str | None) -> dict[str, ir.Value]:
    """Money in whole units of its currency: of dollars a hundredth is one, of yen the whole."""
    code = read.get("currency", ibis.literal(usual or ""))
    part = ibis.cases(
        *((code.isin(codes), ibis.literal(Decimal(unit), "decimal(5, 4)")) for unit, codes in numbers.MINOR.items()),
        else_=ibis.literal(Decimal("0.01"), "decimal(5, 4)"),
    )
    money = [name for name in ("unit_price", "amount", *ORDER_MONEY) if name in read]
    return {name: (read[name] * part).cast(MONEY) for name in money}


def is_priced(readers: Sequence[Reader]) -> bool:
    """Whether lines have amounts of their own."""
    fields = {reader.field for reader in readers}
    return "amount" in fields or {"quantity", "unit_price"} <= fields


def product_of(quantity: ir.Value, price: ir.Value) -> ir.Value:
    """Quantity × unit price, null where it is too large; wide enough in between that no engine overflows."""
    return attempt(quantity.cast(WIDE) * price, MONEY)


def _others(unmatched: Sequence[str]) -> dict[str, str]:
    """The names of further columns beside ours; engines do not tell capitals apart."""
    taken = {name.casefold() for name in unmatched} | TAKEN
    names = {}
    for name in unmatched:
        new = name
        if name.casefold() in TAKEN or name.startswith("_"):
            new = f"source_{name}"
            while new.casefold() in taken:
                new = f"source_{new}"
        taken.add(new.casefold())
        names[name] = new
    return names
