"""Cells of known columns → typed order lines, by the evidence of whole columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

from regulars.errors import NotEnoughDataError, OptionError, UnreadableError, listed
from regulars.reading import dates, numbers
from regulars.reading.composing import compose, is_priced, product_of
from regulars.reading.evidence import (
    ALL_NUMBERS,
    EXACT,
    IDS,
    NUMBERS,
    Bounds,
    Facts,
    anything,
    look,
    number_as_text,
    product,
)
from regulars.reading.sharing import REFUNDED, TOTAL, settle_orders
from regulars.reading.texts import as_id, as_text, attempt, filled
from regulars.schema import MONEY
from regulars.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import ibis.expr.types as ir

    from regulars.reading.cells import Opened
    from regulars.reading.recognising import Recognised

    Counts = Mapping[str, int]
    Read = Callable[[ir.Value], ir.Value]

WORDS = {
    "ordered_at": "date",
    "quantity": "quantity",
    "unit_price": "unit price",
    "amount": "amount",
    "discount": "discount",
    "order_total": "total of the order",
    "refunded": "refund",
}
SPLIT = "A refund is taken from the lines of its order in proportion; what is refunded of a line is a line of its own."
MADE_ORDERS = "There is no order number: what a customer buys on one day counts as one order."
ROW = "_regulars_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Typed order lines, their currency, and what was decided on the way."""

    table: ir.Table
    currency: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the cells of one column become values of one field; `sure` where every cell is understood."""

    field: str
    column: str
    read: Read
    sure: bool = False

    @property
    def value(self) -> str:
        """The column with the values, on the way."""
        return f"_regulars_{self.field}"

    @property
    def text(self) -> str:
        """The column with the cells as text, null where empty; only for fields that may be unreadable."""
        return f"_regulars_{self.field}_text"

    @property
    def strict(self) -> bool:
        """Whether a cell that is neither empty nor understood is an error."""
        return self.field in WORDS and not self.sure

    def columns(self, cell: ir.Value) -> dict[str, ir.Value]:
        """Everything that is read from a cell."""
        read = {self.value: self.read(cell)}
        return read | {self.text: _shown(cell)} if self.field in WORDS else read


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Something that may not be understood: its name in messages, its column, its text, and the rows where it is not."""

    word: str
    column: str
    text: ir.StringValue
    bad: ir.BooleanValue


def _shown(cell: ir.Value) -> ir.StringValue:
    """A cell as it stands in messages; null where it is empty, or of a type that is always understood."""
    kind = cell.type()
    if isinstance(kind, dt.Temporal):
        return ibis.null("string")
    if isinstance(kind, dt.Floating) and cell.get_backend().has_operation(ops.IsNan):
        return ibis.ifelse(cell.isnan(), ibis.null("string"), cell.cast("string"))
    return cell.cast("string") if isinstance(kind, dt.Numeric) else filled(cell)


def understand(
    opened: Opened, found: Recognised, *, dayfirst: bool | None, currency: str | None, set_aside: bool
) -> Lines:
    """Give the columns of a source their types.

    Parameters
    ----------
    opened
        Cells of any type, mostly text.
    found
        Which column is which.
    dayfirst
        The user's word on 1/2/2010; `None` lets the column decide.
    currency
        The user's choice among several.
    set_aside
        Mark rows with a cell that is not understood instead of raising.

    Returns
    -------
    Lines
        Copied sources are a temporary table of our own DuckDB, all others are lazy.

    Notes
    -----
    Two queries: what decides over whole columns, and a count of cells that are not understood. One more where
    amounts have currencies, one that writes the table where the source was copied, and up to two before an
    error, for its words.
    """
    facts = look(opened, found)
    _refuse_nothing(opened, found, facts=facts)
    readers, notes = _readers(opened, found, facts=facts, dayfirst=dayfirst)
    table = _apply(opened.table, readers, copied=opened.copied)
    chosen, other, said = _currency(table, readers, opened=opened, found=found, currency=currency)
    columns = compose(table, readers, bounds=facts.bounds, found=found)
    if other is not None:
        columns["other_currency"] = other
    if flaws := _flaws(table, readers, bounds=facts.bounds):
        columns["unreadable"] = _unreadable(flaws)
    if facts.blank:
        table = table.filter(anything(table, opened.table.columns))
    if blank := facts.blank + opened.blank:
        notes.insert(0, f"{blank:,} blank {'line is' if blank == 1 else 'lines are'} left out.")
    table = table.select(**columns)
    if {TOTAL, REFUNDED} & columns.keys():
        table = settle_orders(table, priced=is_priced(readers))
        notes.append(SPLIT if REFUNDED in columns else "")
    if opened.copied:
        table = opened.table.get_backend().create_table(ibis.util.gen_name("orders"), table, temp=True)
    if flaws and not int(table["unreadable"].count().to_pyarrow().as_py()):
        table = table.drop("unreadable")
    elif flaws and not set_aside:
        raise _first_unreadable(opened, readers, bounds=facts.bounds)
    if "order_id" not in {reader.field for reader in readers}:
        notes.append(MADE_ORDERS)
    return Lines(table=table, currency=chosen, notes=tuple(note for note in (*notes, *said) if note))


def _refuse_nothing(opened: Opened, found: Recognised, *, facts: Facts) -> None:
    rows = facts.rows - facts.blank
    if not rows:
        raise NotEnoughDataError(
            f"{opened.source} has column names but no rows.",
            hint="Export it again, or choose another file."
            if opened.parts or opened.delimiter
            else "Choose another table, or another query.",
        )
    if not facts.customers:
        raise NotEnoughDataError(
            f"None of the {counted(rows, 'row')} of {opened.source} has a customer: "
            f"the column {found.column('customer_id')} is empty.",
            hint="Map another column with --map customer_id=COLUMN or Columns(customer_id=…).",
        )


def _readers(
    opened: Opened, found: Recognised, *, facts: Facts, dayfirst: bool | None
) -> tuple[list[Reader], list[str]]:
    """Choose for every field how its cells are read, and say why."""
    readers, notes = [], []
    for match in found.matches:
        field, note = match.field, ""
        read: Read = as_text
        sure = False
        if field in facts.plain:
            read = _as_it_is
        elif field in IDS:
            read = _whole_id if _is_whole(facts.bounds.get(field)) else as_id
        elif field == "currency":
            read = _code
        elif field == "ordered_at":
            told = found.layout.day_first if dayfirst is None else dayfirst
            said = "as you said" if dayfirst is not None else f"as {found.layout.title} has it"
            read, note = _date(opened, match.column, counts=facts.counts.get(field), dayfirst=told, said=said)
            sure = field not in facts.counts
        elif field in ALL_NUMBERS:
            read, note = _number(opened, match.column, facts=facts, field=field)
            sure = field in facts.bounds and facts.bounds[field].fits
            if facts.counts.get(field, {}).get("marked"):
                readers.append(Reader(field=f"{field}_sign", column=match.column, read=_sign))
        readers.append(Reader(field=field, column=match.column, read=read, sure=sure))
        notes.append(note)
    return readers, notes


def _as_it_is(cell: ir.Value) -> ir.Value:
    return cell.cast("string")


def _whole_id(cell: ir.Value) -> ir.Value:
    return cell.cast("int64").cast("string")


def _is_whole(bounds: Bounds | None) -> bool:
    """Whether floats are whole numbers that int64 holds exactly."""
    return bounds is not None and bounds.fits and bounds.whole and bounds.most < EXACT


def _code(cell: ir.Value) -> ir.StringValue:
    return numbers.code(filled(cell))


def _sign(cell: ir.Value) -> ir.StringValue:
    return numbers.sign_in(filled(cell))


def _date(opened: Opened, column: str, *, counts: Counts | None, dayfirst: bool | None, said: str) -> tuple[Read, str]:
    """How dates are read; one or two queries before an error."""
    if counts is None:
        zone = getattr(opened.table[column].type(), "timezone", None)
        note = f"Times in {column!r} have a time zone: their clock time is the engine's." if zone else opened.dates
        return (lambda cell: cell.cast("timestamp")), note
    how = dates.style(counts, dayfirst=dayfirst, said=said)
    if "year_last" in how.forms and how.day_first is None:
        raise _ambiguous(opened, column, counts=counts)
    return (lambda cell: dates.read_dates(filled(number_as_text(cell)), how)), how.note


def _ambiguous(opened: Opened, column: str, *, counts: Counts) -> UnreadableError:
    hint = "Say --dayfirst or --monthfirst; in Python dayfirst=True or dayfirst=False."
    if counts["day_first"] and counts["month_first"]:
        day, cell = _first(opened, column, condition=dates.shows_day_first)
        month, other = _first(opened, column, condition=dates.shows_month_first)
        return UnreadableError(
            f"The column {column} has dates with the day first and with the month first. "
            f"{day}: {cell!r}. {month}: {other!r}.",
            hint=f"Write all in one way. {hint}",
        )
    place, cell = _first(opened, column, condition=dates.undecided)
    return UnreadableError(
        f"{place}, column {column}: {cell!r} may have the day or the month first, "
        "and no cell of the column tells which.",
        hint=hint,
    )


def _first(opened: Opened, column: str, *, condition: Callable[[ir.StringValue], ir.BooleanValue]) -> tuple[str, str]:
    """The place and the text of the first cell for which a condition holds; one query."""
    rows = opened.table.select(cell=filled(opened.table[column]), row=ibis.row_number())
    hit = rows.filter(condition(rows["cell"])).order_by("row").limit(1).to_pyarrow().to_pylist()[0]
    return opened.place(hit["row"]), hit["cell"]


def _number(opened: Opened, column: str, *, facts: Facts, field: str) -> tuple[Read, str]:
    if field in facts.bounds and facts.bounds[field].fits:
        return _fitting_number, ""
    if field not in facts.counts:
        return _typed_number, ""
    rest = [facts.counts[other] for other in NUMBERS if other != field and other in facts.counts]
    others = {mark: sum(counts[mark] for counts in rest) for mark in ("comma", "dot")}
    how = numbers.style(facts.counts[field], others=others, delimiter=opened.delimiter, column=column)
    return (lambda cell: numbers.read_numbers(filled(cell), how)), how.note


def _fitting_number(cell: ir.Value) -> ir.Value:
    return cell.cast(MONEY)


def _typed_number(cell: ir.Value) -> ir.Value:
    return attempt(cell, MONEY)


def _apply(source: ir.Table, readers: Sequence[Reader], *, copied: bool) -> ir.Table:
    """Add what the readers read; in a copied source each different text is read once and joined."""
    table = source
    for reader in readers:
        cell = source[reader.column]
        if not (copied and isinstance(cell.type(), dt.String)):
            table = table.mutate(**reader.columns(table[reader.column]))
            continue
        key = f"{reader.value}_key"
        once = source.select(**{key: cell}).distinct()
        once = once.mutate(**reader.columns(once[key]))
        table = table.left_join(once, table[reader.column] == once[key]).drop(key)
    return table


def _currency(
    table: ir.Table, readers: Sequence[Reader], *, opened: Opened, found: Recognised, currency: str | None
) -> tuple[str | None, ir.BooleanValue | None, list[str]]:
    """The currency of the amounts, the rows that are in another one (None if none is), and remarks.

    One query, only where the cells name a currency.
    """
    named = [table[reader.value] for reader in readers if reader.field == "currency"]
    named += [
        ibis.ifelse(table[reader.value.removesuffix("_sign")].notnull(), table[reader.value], ibis.null("string"))
        for reader in readers
        if reader.field.endswith("_sign")
    ]
    usual = currency.strip().upper() if currency else found.layout.currency
    if not named:
        return usual, None, []
    name = ibis.coalesce(*named)
    rows = table.group_by(name=name).agg(n=table.count()).to_pyarrow().to_pylist()
    counts = {row["name"]: row["n"] for row in rows if row["name"] is not None}
    if not counts:
        return usual, None, []
    told = sorted(counts, key=lambda known: (-counts[known], known))
    shown = listed(f"{known} ({counted(counts[known], 'row')})" for known in told)
    if currency is None:
        longest = max(told, key=len)
        if any(not numbers.same_currency(known, longest) for known in told):
            raise OptionError(
                f"{opened.source} has amounts in several currencies: {shown}.",
                hint="Choose one with --currency CODE or currency=…; rows in others are marked.",
            )
        return longest, None, [f"Amounts are in {longest}."]
    same = [known for known in told if numbers.same_currency(known, str(usual))]
    if not same:
        raise OptionError(
            f"{opened.source} has no amounts in {usual}. Found: {shown}.",
            hint="Choose one of these with --currency CODE.",
        )
    if len(same) == len(told):
        return usual, None, [f"Amounts are in {usual}."]
    rest = sum(row["n"] for row in rows if row["name"] not in same)
    note = f"Amounts are in {usual}, as you said; {counted(rest, 'row')} in another currency or without one."
    return usual, ~name.isin(same).fill_null(False), [note]


def _flaws(table: ir.Table, readers: Sequence[Reader], *, bounds: Mapping[str, Bounds]) -> list[Flaw]:
    """What may not be understood: cells of dates and numbers, and a product that is too large."""
    flaws = [
        Flaw(
            word=WORDS[reader.field],
            column=reader.column,
            text=table[reader.text],
            bad=table[reader.text].notnull() & table[reader.value].isnull(),
        )
        for reader in readers
        if reader.strict
    ]
    by_field = {reader.field: reader for reader in readers}
    if "amount" not in by_field and is_priced(readers):
        quantity, price = by_field["quantity"], by_field["unit_price"]
        if product(table[quantity.column], table[price.column], bounds=bounds) is not None:
            return flaws
        factors = table[quantity.value].notnull() & table[price.value].notnull()
        flaws.append(
            Flaw(
                word="amount",
                column=f"{quantity.column} × {price.column}",
                text=table[quantity.text] + " × " + table[price.text],
                bad=factors & product_of(table[quantity.value], table[price.value]).isnull(),
            )
        )
    return flaws


def _unreadable(flaws: Sequence[Flaw]) -> ir.StringValue:
    """The first cell of a row that is not understood, as in "date '31/31/2011'"; null where all are."""
    told = ((flaw.bad, ibis.literal(f"{flaw.word} '") + flaw.text + "'") for flaw in flaws)
    return ibis.cases(*told, else_=ibis.null("string"))


def _first_unreadable(opened: Opened, readers: Sequence[Reader], *, bounds: Mapping[str, Bounds]) -> UnreadableError:
    """Find the first cell that is not understood, and count those of its column; two queries."""
    strict = [reader for reader in readers if reader.field in WORDS]
    rows = _apply(opened.table.mutate(**{ROW: ibis.row_number()}), strict, copied=False)
    flaws = _flaws(rows, strict, bounds=bounds)
    first = rows.filter(reduce(or_, (flaw.bad for flaw in flaws))).order_by(ROW).limit(1)
    shown = {f"bad_{place}": flaw.bad for place, flaw in enumerate(flaws)}
    shown |= {f"text_{place}": flaw.text for place, flaw in enumerate(flaws)}
    hit = first.select(ROW, **shown).to_pyarrow().to_pylist()[0]
    place, flaw = next((place, flaw) for place, flaw in enumerate(flaws) if hit[f"bad_{place}"])
    count = int(flaw.bad.sum().to_pyarrow().as_py())
    many = f"{count:,} such cells in all." if count > 1 else "It is the only such cell."
    return UnreadableError(
        f"{opened.place(hit[ROW])}, column {flaw.column}: cannot read the {flaw.word} {hit[f'text_{place}']!r}. {many}",
        hint="Correct it, or set such rows aside with --unreadable set-aside (unreadable='set_aside').",
    )
