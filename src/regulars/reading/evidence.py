"""What decides over whole columns how they are read: counts of cells in text, bounds of numbers, in one query."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

from regulars.reading import dates, numbers, texts
from regulars.reading.exports import ORDER_MONEY
from regulars.schema import MONEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import ibis.expr.types as ir

    from regulars.reading.cells import Opened
    from regulars.reading.recognising import Recognised

    Counts = Mapping[str, int]

NUMBERS = ("quantity", "unit_price", "amount")
ALL_NUMBERS = (*NUMBERS, *ORDER_MONEY)
IDS = ("customer_id", "order_id", "product_id")
TEXTS = ("product", "country", "email", "phone", "consent")
FEW = ("product_id", "product", "country")
MOST = Decimal(90_000_000_000_000)
EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and greatest value of a column of numbers, and whether all are whole.

    `low` and `high` are None where there is no value; `fits` says that all values fit into money.
    """

    low: Decimal | None
    high: Decimal | None
    fits: bool
    whole: bool

    @property
    def most(self) -> Decimal:
        """The greatest value without its sign."""
        return max(abs(self.low or Decimal(0)), abs(self.high or Decimal(0)))

    @property
    def width(self) -> int:
        """Digits that hold every value, those behind the point included (none for whole numbers)."""
        return len(str(int(self.most) + 1)) + (0 if self.whole else 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the columns before they are read.

    Parameters
    ----------
    rows, blank
        Rows, and how many of them are completely blank.
    customers
        Rows with a customer.
    counts
        Field → evidence, for dates and numbers in text.
    bounds
        Field → bounds, for numbers that have a type, and ids that are floats.
    plain
        Fields of ids and text whose cells may be taken as they are.
    """

    rows: int
    blank: int
    customers: int
    counts: Mapping[str, Counts]
    bounds: Mapping[str, Bounds]
    plain: frozenset[str]


def look(opened: Opened, found: Recognised) -> Facts:
    """Count what decides how the columns are read; one query, two where nearly every customer needs care."""
    source = opened.table
    columns = {match.field: source[match.column] for match in found.matches}
    asked = [
        field for field in ("ordered_at", *ALL_NUMBERS) if field in columns and is_text(columns[field], field=field)
    ]
    typed = [field for field in (*ALL_NUMBERS, *IDS) if field in columns and _has_bounds(columns[field], field=field)]
    cells = {
        field: columns[field]
        for field in (*IDS, *TEXTS)
        if field in columns and isinstance(columns[field].type(), dt.String)
    }
    customer = columns["customer_id"]
    facts = {".rows": source.count(), ".customers": customer.count()}
    facts[".blank"] = (~anything(source, source.columns)).sum() if opened.copied else ibis.literal(0)
    for field in typed:
        facts |= {f"{field}.{name}": value for name, value in _bounds(columns[field], field=field).items()}
    few = [field for field in FEW if field in cells]
    facts |= {f"{field}.care": _care(cells[field], field=field).sum() for field in cells if field not in few}
    counts = source.agg(**facts)
    for field in few:
        once = source.select(cell=cells[field]).distinct()
        counts = counts.cross_join(once.agg(**{f"{field}.care": _care(once["cell"], field=field).sum()}))
    for field in asked:
        counts = counts.cross_join(_counted(source, columns[field], field=field))
    told: dict[str, dict[str, Any]] = {}
    for key, value in counts.to_pyarrow().to_pylist()[0].items():
        field, name = key.split(".")
        told.setdefault(field, {})[name] = value
    plain = {field for field in cells if not told[field]["care"]}
    plain |= {field for field in IDS if field in columns and isinstance(columns[field].type(), dt.Integer)}
    customers = int(told[""]["customers"]) - int(told.get("customer_id", {}).get("care") or 0)
    if customers <= 0 or not (isinstance(customer.type(), dt.String) or "customer_id" in plain):
        customers = int(texts.as_id(customer).count().to_pyarrow().as_py()) if told[""]["rows"] else 0
    return Facts(
        rows=int(told[""]["rows"]),
        blank=int(told[""]["blank"] or 0),
        customers=customers,
        counts={field: {name: int(count or 0) for name, count in told[field].items()} for field in asked},
        bounds={field: _settled(told[field], columns[field].type()) for field in typed},
        plain=frozenset(plain),
    )


def anything(table: ir.Table, names: Sequence[str]) -> ir.BooleanValue:
    """Rows in which any cell holds anything."""
    cells = (table[name] for name in names)
    held = (cell.re_search(r"\S") if isinstance(cell.type(), dt.String) else cell.notnull() for cell in cells)
    return reduce(or_, (ibis.coalesce(each, ibis.literal(False)) for each in held))


def is_text(cell: ir.Value, *, field: str) -> bool:
    """Whether a field's cells must be read from text: they have no type that fits."""
    fitting = (dt.Timestamp, dt.Date) if field == "ordered_at" else (dt.Integer, dt.Floating, dt.Decimal)
    return not isinstance(cell.type(), fitting)


def number_as_text(cell: ir.Value) -> ir.Value:
    """Numbers in a column of dates: 20101201.0 is 20101201."""
    return texts.as_id(cell) if isinstance(cell.type(), dt.Floating | dt.Decimal) else cell


def _has_bounds(cell: ir.Value, *, field: str) -> bool:
    """Bounds help where a cast can be proven to fit, on engines that would try it otherwise."""
    able = cell.get_backend().has_operation(ops.TryCast)
    return able and isinstance(
        cell.type(), (dt.Integer, dt.Floating, dt.Decimal) if field in ALL_NUMBERS else dt.Floating
    )


def _bounds(cell: ir.Value, *, field: str) -> dict[str, ir.Value]:
    kind = cell.type()
    told: dict[str, ir.Value] = {"low": cell.min(), "high": cell.max()}
    if isinstance(kind, dt.Floating):
        told["odd"] = cell.isnan().sum()
    if isinstance(kind, dt.Floating | dt.Decimal) and field in ("quantity", *IDS):
        told["broken"] = (cell % 1 != 0).sum()
    return told


def _settled(told: Mapping[str, Any], kind: dt.DataType) -> Bounds:
    """Bounds from the query's answer; NaN and infinity fit nowhere."""
    low, high = (None if told[name] is None else Decimal(told[name]) for name in ("low", "high"))
    finite = all(value is None or value.is_finite() for value in (low, high))
    if told.get("odd") or not finite:
        return Bounds(low=None, high=None, fits=False, whole=False)
    fits = all(value is None or abs(value) < MOST for value in (low, high))
    whole = isinstance(kind, dt.Integer) or ("broken" in told and not told["broken"])
    return Bounds(low=low, high=high, fits=fits, whole=whole)


def _care(cell: ir.StringValue, *, field: str) -> ir.BooleanValue:
    """Cells that are not taken as they are."""
    if field in IDS:
        return ibis.ifelse(texts.is_bare_id(cell), ibis.literal(False), texts.id_needs_care(cell))
    if (
        cell.get_backend().name == "pyspark"
    ):  # in its SQL a text cannot have every blank, as `is_bare_text` asks for them
        return texts.text_needs_care(cell)
    return ibis.ifelse(texts.is_bare_text(cell), ibis.literal(False), texts.text_needs_care(cell))


def _counted(source: ir.Table, cell: ir.Value, *, field: str) -> ir.Table:
    """Evidence on dates or numbers in text, looking at each different cell once."""
    evidence: Callable[[ir.StringValue], dict[str, ir.BooleanValue]]
    evidence = dates.evidence if field == "ordered_at" else numbers.evidence
    cells = source.group_by(cell=cell).agg(n=source.count())
    cells = cells.select("n", text=texts.filled(number_as_text(cells["cell"])))
    shown = evidence(cells["text"])
    return cells.agg(**{f"{field}.{name}": ibis.ifelse(says, cells["n"], 0).sum() for name, says in shown.items()})


def product(quantity: ir.Value, price: ir.Value, *, bounds: Mapping[str, Bounds]) -> ir.Value | None:
    """Quantity × unit price where the bounds prove that it fits into money; None where they do not."""
    pieces, each = bounds.get("quantity"), bounds.get("unit_price")
    if pieces is None or each is None or not (pieces.fits and each.fits) or pieces.most * each.most >= MOST:
        return None
    if pieces.width + each.width > 18:
        return None
    narrow = quantity.cast(_decimal(pieces)) * price.cast(_decimal(each))
    return narrow.cast(MONEY)


def _decimal(bounds: Bounds) -> dt.Decimal:
    return dt.Decimal(bounds.width, 0 if bounds.whole else 4)
