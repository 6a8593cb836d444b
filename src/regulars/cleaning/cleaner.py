"""Set aside what is not a purchase, take returns back, and account for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.cleaning.auditing import Audit, Counts, count_reasons, count_survivors, write_audit
from regulars.cleaning.contacts import has_contacts, latest_contacts
from regulars.cleaning.copies import find_copies, numbered, repeated, surplus, without
from regulars.cleaning.grouping import correct_orders, count_losses, group_orders, number_countries
from regulars.cleaning.matching import any_row, same
from regulars.cleaning.netting import net_returns, returned_pairs
from regulars.cleaning.rules import KEPT, RETURN, RETURNED, Returns, Rule, rules_for
from regulars.errors import NotEnoughDataError, OptionError, UnreadableError
from regulars.keeping import keep, release
from regulars.reading import Orders
from regulars.reading.bringing import bring_here, lacks_for_counting
from regulars.schema import MONEY, OPTIONAL_ORDERS, ORDERS
from regulars.wording import counted, day

__all__ = ["Cleaned", "clean"]

#: From here on a date stands for "never": days are added to dates, and the calendar ends with the year 9999.
NEVER = date(9000, 1, 1)
MANY = 20  # orders from which one can stand apart
_YEAR = 365  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Clean order lines and everything that was taken from them.

    Parameters
    ----------
    table
        Surviving order lines, columns of `schema.ORDERS` and the optional ones that the source has; `quantity` and
        `amount` are what is left after returns. Lazy: reading it goes through the source again.
    orders
        The same per order, kept inside the engine, or brought over into DuckDB where the engine cannot count what comes
        next: `customer_id`, `order_id`, `first_at`, `last_at`, `amount`, and `country` where the source has one.
    audit
        What was set aside, by rule.
    returned
        `customer_id`, `returned_amount`: money taken back per customer.
    products
        `customer_id`, `products`: how many different products are left; `None` where the source has none. Lazy.
    contacts
        `customer_id` and those of `schema.CONTACTS` that the source has: the latest that any line of the customer says,
        also one that was set aside; `None` where the source has none of them. Lazy.
    notes
        What to be careful about: days that look mistyped.
    """

    table: ir.Table
    orders: ir.Table
    audit: Audit
    returned: ir.Table
    products: ir.Table | None
    contacts: ir.Table | None
    _lines: _Lines = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def set_aside(self) -> ir.Table:
        """Every row that was set aside with its `reason`, the source's further columns kept; lazy.

        Of a partly returned purchase it has the part that went back (reason `returned part`). Where lines stood more than
        once, one query the first time.
        """
        return self._lines.set_aside()

    def release_orders(self) -> None:
        """Give back the memory of `orders`, when only `table` and `set_aside` are still needed."""
        release(self._lines.corrected)


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
        Clean lines and orders (kept inside the engine), audit, and what was set aside.

    Raises
    ------
    NotEnoughDataError
        No line is left.
    UnreadableError
        Lines are dated in the year 9000 or later, and no `as_of` sets them aside.

    Notes
    -----
    One pass over all lines counts them per order and reason. Where that shows that an order may hold a line twice, a second
    looks at such orders; where there are returns, one finds them and one takes the lines of these customers and products.
    All else works on these few. Equal lines are told by a 64-bit hash of all columns within one order, which is wrong
    less than once in 10¹⁰ files of 100 million lines.

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
    if as_of is not None and as_of > NEVER:
        raise OptionError(f"Orders cannot be counted up to {as_of}.", hint=f"Give a day up to {NEVER}.")
    chosen = rules_for(orders, returns=returns, all_products=all_products, as_of=as_of, rules=rules)
    lines = _Lines(orders, chosen)
    grouped = keep(group_orders(lines.tagged, with_copies=lines.with_copies, countries=lines.countries))
    lines.look_closer(grouped, net=returns == "net")
    reasons, whole = count_reasons(grouped, copies=lines.copies, changed=lines.changed, source=orders.source)
    if as_of is not None and as_of <= whole["first"].date():
        first, last = whole["first"].date(), whole["last"].date()
        raise NotEnoughDataError(
            f"All lines of {orders.source} are on or after {as_of}; they run from {first} to {last}.",
            hint="Give a later --as-of (as_of=), or leave it out: then it is the day after the last day.",
        )
    if as_of is None and whole["last"].date() >= NEVER:
        raise _never(orders, whole["last"].date())
    strays = _strays(grouped, whole) if as_of is None else ()
    losses = count_losses(copies=lines.copies, changed=lines.changed)
    corrected = lines.corrected = keep(correct_orders(grouped, losses=losses, days=lines.days(grouped)))
    release(losses)
    others = keep(grouped.filter(grouped["_reason"] != KEPT).select("customer_id", "order_id", "_reason"))
    release(grouped)
    counts = Counts(reasons=reasons, survivors=count_survivors(others, corrected), **whole)
    release(others)
    audit = write_audit(counts, rules=chosen, returns=returns, with_copies=lines.with_copies)
    if audit.kept.rows_left == 0:
        raise NotEnoughDataError(
            f"No order line is left after cleaning. Set aside: {_losses(audit)}.",
            hint="Look at the columns and rules with 'regulars check SOURCE'.",
        )
    cleaned = Cleaned(
        table=lines.kept(),
        orders=lines.with_country(corrected.filter(corrected["_last"] == KEPT).drop("_last")),
        audit=audit,
        returned=lines.returned(),
        products=lines.products(),
        contacts=latest_contacts(orders.table, as_of=as_of) if has_contacts(orders.table) else None,
        _lines=lines,
        notes=(*strays, *audit.doubts(as_of)),
    )
    return _brought_over(cleaned) if lacks_for_counting(orders.table) else cleaned


def _brought_over(cleaned: Cleaned) -> Cleaned:
    """What is left per order and per customer, in our DuckDB; lines stay in their engine."""
    return replace(
        cleaned,
        orders=bring_here(cleaned.orders),
        returned=bring_here(cleaned.returned),
        products=None if cleaned.products is None else bring_here(cleaned.products),
        contacts=None if cleaned.contacts is None else bring_here(cleaned.contacts),
    )


def _losses(audit: Audit) -> str:
    return ", ".join(f"{counted(line.rows, 'row')} ({line.title})" for line in audit.lines if line.rows)


def _strays(grouped: ir.Table, whole: Mapping[str, Any]) -> tuple[str, ...]:
    """A note where very few orders are dated long after all others; one query where there are more than two years."""
    if (whole["last"] - whole["first"]).days <= 2 * _YEAR:
        return ()
    border = ibis.timestamp((whole["last"] - timedelta(days=_YEAR)).isoformat())
    late = grouped["last_at"] > border
    found = grouped.agg(
        orders=grouped.count(),
        late=late.sum(),
        begin=grouped["first_at"].min(where=late),
        end=grouped["last_at"].max(where=~late),
    )
    orders, few, begin, end = found.to_pyarrow().to_pylist()[0].values()
    if few > max(1, orders // 1000) or orders < MANY or (begin - end).days <= _YEAR / 2:
        return ()
    return (
        f"{counted(few, 'order')} {'is' if few == 1 else 'are'} dated {day(begin.date())} or later, while all others end "
        f"on {day(end.date())}, and days since the last order are counted from the latest date. If it is mistyped, correct "
        f"it, or leave such orders out: as-of {end.date() + timedelta(days=1)} (--as-of, as_of=).",
    )


def _never(orders: Orders, last: date) -> UnreadableError:
    """Dates from which no days can be counted; one query."""
    late = orders.table.filter(orders.table["ordered_at"] >= ibis.timestamp(f"{NEVER}T00:00:00"))
    lines = int(late.count().to_pyarrow().as_py())
    return UnreadableError(
        f"{counted(lines, 'line')} of {orders.source} {'is' if lines == 1 else 'are'} dated in the year {NEVER.year} or "
        f"later, up to {last}: such a date stands for “never”, and the days since an order cannot be counted from it.",
        hint="Correct them where they come from, or set them aside with --as-of DAY (as_of=), a day after all other lines.",
    )


class _Lines:
    """Order lines on their way: all of them, lazy, and the few that need a closer look, kept inside the engine.

    `copies` are lines that stand more than once; `near` the lines of the pairs that have a return, one of each;
    `changed` those of them that netting changed; `again` all copies. They are `None` where there are none. `corrected` are
    the orders without what was taken from them.
    """

    def __init__(self, orders: Orders, rules: Sequence[Rule]) -> None:
        self.orders, self.rules = orders, rules
        self.columns = orders.table.columns
        self.tagged = self.tag(orders.table)
        self.with_copies = orders.has_order_id and orders.has_product
        self.countries = number_countries(orders.table) if "country" in self.columns else None
        self.copies: ir.Table | None = None
        self.pairs: ir.Table | None = None
        self.near: ir.Table | None = None
        self.changed: ir.Table | None = None
        self.again: ir.Table | None = None
        self.corrected: ir.Table | None = None

    def tag(self, lines: ir.Table) -> ir.Table:
        """Add `_reason`: the number of the first rule that asks for a line, or `KEPT`."""
        cases = [(rule.drop(lines), ibis.literal(number, "int16")) for number, rule in enumerate(self.rules)]
        return lines.mutate(_reason=ibis.cases(*cases, else_=ibis.literal(KEPT, "int16")))

    def look_closer(self, grouped: ir.Table, *, net: bool) -> None:
        """Find copies, and let returns take back what they undo."""
        if self.with_copies and any_row(grouped.filter(grouped["_suspect"])):
            copies = find_copies(self.orders.table, grouped, tag=self.tag, columns=self.columns)
            self.copies = copies if any_row(copies) else None
        if not net:
            return
        measure = "quantity" if self.orders.has_product and self.orders.has_quantity else "amount"
        pairs = keep(returned_pairs(self.tagged, measure=measure, has_product=self.orders.has_product))
        if not any_row(pairs):
            return
        self.pairs = pairs
        near = numbered(self.tag(self._of_pairs(self.orders.table)), by=pairs.columns)
        near = near.filter(near["_reason"] == KEPT)  # only now: engines ask all lines for their reason first, else
        if self.copies is not None:
            extra = keep(surplus(near, self.copies, columns=self.columns))
            near = near.anti_join(extra, "_id") if any_row(extra) else near
        net_lines = net_returns(near, measure=measure, has_product=self.orders.has_product)
        self.near, self.changed = near, near.drop("_reason").inner_join(net_lines, "_id")

    def kept(self) -> ir.Table:
        """Clean lines: those that were never in doubt, and what is left of the others."""
        lines = self.orders.table
        if self.pairs is not None:
            lines = self._of_pairs(lines, others=True)
        lines = self._purchases(lines)
        if self.copies is not None:
            once = repeated(lines, self.copies, columns=self.columns)
            once = once.filter(once["_place"] == 0).drop("_place")
            lines = without(lines, self.copies, columns=self.columns).union(once)
        shown = [name for name in (*ORDERS, *OPTIONAL_ORDERS) if name in self.columns]
        lines = lines.select(shown)
        if self.near is None or self.changed is None:
            return lines
        same = self.near.anti_join(self.changed, "_id")
        return ibis.union(lines, *(_like(lines, piece) for piece in (same, self._left())))

    def days(self, grouped: ir.Table) -> ir.Table | None:
        """First and last time of orders that run over several days and lost a line to returns; one query where any do."""
        if self.changed is None:
            return None
        keys = ["customer_id", "order_id"]
        gone = self.changed.filter(self.changed["_reason"] != KEPT).select(keys).distinct()
        long = grouped.filter((grouped["_reason"] == KEPT) & (grouped["first_at"].date() != grouped["last_at"].date()))
        long = keep(long.semi_join(gone, same(long, gone, keys)).select(keys))
        if not any_row(long):
            return None
        left = self.kept()
        left = left.semi_join(long, same(left, long, keys))
        return left.group_by(keys).agg(first_at=left["ordered_at"].min(), last_at=left["ordered_at"].max())

    def with_country(self, orders: ir.Table) -> ir.Table:
        """Orders with the name of their country instead of its number."""
        if self.countries is None:
            return orders
        named = orders.left_join(self.countries, "_number")
        return named.mutate(country=named["_name"]).drop("_name", "_number", "_number_right")

    def returned(self) -> ir.Table:
        """Money taken back per customer."""
        if self.changed is None:
            nobody = self.orders.table.filter(ibis.literal(False))
            return nobody.select("customer_id", returned_amount=ibis.literal(0).cast(MONEY))
        undone = self.changed.filter(self.changed["_undone"] > 0)
        return undone.group_by("customer_id").agg(returned_amount=undone["_undone"].sum())

    def products(self) -> ir.Table | None:
        """How many different products each customer keeps: all that were bought, less those wholly taken back."""
        if not self.orders.has_product:
            return None
        bought = self._purchases(self.orders.table)
        counted = bought.group_by("customer_id").agg(products=bought["product_id"].nunique())
        if self.near is None or self.changed is None:
            return counted
        alive = self.near.anti_join(self.changed.filter(self.changed["_reason"] != KEPT), "_id")
        pairs = ["customer_id", "product_id"]
        lost = self.near.select(pairs).distinct().anti_join(alive.select(pairs).distinct(), pairs)
        lost = lost.filter(lost["product_id"].notnull())
        lost = lost.group_by("customer_id").agg(_lost=lost.count())
        counted = counted.left_join(lost, "customer_id").drop("customer_id_right")
        return counted.mutate(products=counted["products"] - counted["_lost"].fill_null(0)).drop("_lost")

    def set_aside(self) -> ir.Table:
        """Every row that was set aside, with its `reason`; copies as often as they were dropped."""
        names = [(number, rule.name) for number, rule in enumerate(self.rules)]
        names += [(RETURN, "return"), (RETURNED, "returned purchase")]
        nothing = ibis.literal(0).cast(MONEY)
        dropped = self.tagged.filter(self.tagged["_reason"] != KEPT)
        pieces = []
        if self.copies is not None:
            dropped = without(dropped, self.copies, columns=self.columns)
            if self.again is None:  # kept: engines work out all lines first where a query names them twice
                self.again = keep(self.tag(repeated(self.orders.table, self.copies, columns=self.columns)))
            again = self.again.filter((self.again["_reason"] != KEPT) | (self.again["_place"] > 0))
            first = again["_place"] == 0
            if self.rules[0].name == "after as-of":
                first = first | (again["_reason"] == 0)
            word = first.ifelse(_named(again, names), "duplicate")
            pieces.append(again.mutate(reason=word, unmatched_amount=nothing))
        pieces.append(dropped.mutate(reason=_named(dropped, names), unmatched_amount=nothing))
        if self.changed is not None:
            whole = self.changed.filter(self.changed["_reason"] != KEPT)
            pieces.append(whole.mutate(reason=_named(whole, names), unmatched_amount=whole["_unmatched"]))
            part = self.changed.filter(self.changed["_reason"] == KEPT)
            pieces.append(
                part.mutate(
                    reason=ibis.literal("returned part"),
                    quantity=part["_undone_quantity"],
                    amount=part["_undone"],
                    unmatched_amount=nothing,
                )
            )
        columns = [*self.columns, "reason", "unmatched_amount"]
        first = pieces[0].select(columns)
        return ibis.union(first, *(_like(first, piece) for piece in pieces[1:])) if len(pieces) > 1 else first

    def _purchases(self, lines: ir.Table) -> ir.Table:
        """Lines that no rule asks for; returns are still among them."""
        tagged = self.tag(lines)
        return tagged.filter(tagged["_reason"] == KEPT)

    def _of_pairs(self, lines: ir.Table, *, others: bool = False) -> ir.Table:
        """Lines of the pairs that have a return, or all others."""
        assert self.pairs is not None
        conditions = same(lines, self.pairs, self.pairs.columns)
        return lines.anti_join(self.pairs, conditions) if others else lines.semi_join(self.pairs, conditions)

    def _left(self) -> ir.Table:
        """Changed lines of which something is left."""
        assert self.changed is not None
        part = self.changed.filter(self.changed["_reason"] == KEPT)
        return part.mutate(quantity=part["_left_quantity"], amount=part["_left_amount"])


def _named(lines: ir.Table, names: Sequence[tuple[int, str]]) -> ir.StringValue:
    return ibis.cases(*((lines["_reason"] == number, ibis.literal(name)) for number, name in names))


def _like(first: ir.Table, other: ir.Table) -> ir.Table:
    """The columns of a table as another has them."""
    return other.select(**{name: other[name].cast(kind) for name, kind in first.schema().items()})
