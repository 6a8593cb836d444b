"""Plainly written text files: ISO dates and numbers without marks get their types while they are loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import ibis

from regulars.reading import dates, numbers, texts
from regulars.reading.evidence import IDS, MOST, NUMBERS, TEXTS, anything
from regulars.schema import MONEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from regulars.reading.recognising import Recognised
    from regulars.reading.sniffing import Dialect

ISO = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?$"
#: What may follow a single digit at the end of a time that DuckDB understands.
LOOSE_ENDS = (" ", ".", ":", "Z", "z")
#: Shows that the dot is the decimal mark, in a file in which it need not be.
DECIMALS = r"\.\d{1,2}$"
#: Names of helping columns. Ours begin with an underscore, as no column of a source keeps to do in the result.
BLANK, CARE = "_regulars_blank", "_regulars_care"
#: DuckDB reads shorter years too.
FIRST = datetime(1000, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A loaded table with types, how many blank rows were left out, and the remark on its dates."""

    table: ir.Table
    blank: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """How a plainly written file is loaded: our fields, their columns, and the shape of its dates."""

    columns: Mapping[str, str]
    shape: str

    def typed(self, view: ir.Table) -> ir.Table:
        """The file's columns with types, and two more: blank rows, and rows that need more care than this."""
        read: dict[str, ir.Value] = {}
        odd: list[ir.BooleanValue] = []
        for field, column in self.columns.items():
            cell = view[column]
            if field == "ordered_at":
                read[column] = self._date(cell)
                odd.append(cell.notnull() & read[column].isnull())
            elif field in NUMBERS:
                read[column] = cell.try_cast(MONEY)
                odd.append(cell.notnull() & (read[column].isnull() | _unusual(cell)))
            elif field in IDS:
                read[column] = ibis.ifelse(texts.is_bare_id(cell), cell, texts.as_id(cell))
            else:
                read[column] = ibis.ifelse(texts.is_bare_text(cell), cell, texts.as_text(cell))
        strict = [view[column] for field, column in self.columns.items() if field in ("ordered_at", *NUMBERS)]
        empty = reduce(lambda one, other: one & other, (cell.isnull() for cell in strict))
        blank = ibis.ifelse(empty, ~anything(view, view.columns), ibis.literal(False))
        care = ibis.coalesce(reduce(or_, odd), ibis.literal(False))
        others = {name: read.get(name, view[name]) for name in view.columns}
        return view.select(**others, **{BLANK: blank, CARE: care})

    def settled(self, table: ir.Table) -> Settled | None:
        """The loaded lines, or None where any of them needs more care; one query."""
        when = table[self.columns["ordered_at"]]
        facts = {"care": table[CARE].sum(), "blank": table[BLANK].sum(), "first": when.min(), "dates": when.count()}
        figures = [column for field, column in self.columns.items() if field in NUMBERS]
        facts |= {f"most_{place}": table[column].abs().max() for place, column in enumerate(figures)}
        row = table.agg(**facts).to_pyarrow().to_pylist()[0]
        most = [row[f"most_{place}"] or 0 for place in range(len(figures))]
        if row["care"] or (row["first"] is not None and row["first"] < FIRST) or max(most) >= MOST:
            return None
        if "amount" not in self.columns and most[0] * most[1] >= MOST:
            return None
        blank = int(row["blank"] or 0)
        lines = table.filter(~table[BLANK]) if blank else table
        note = dates.style({"filled": row["dates"], "year_first": row["dates"]}, dayfirst=None).note
        return Settled(table=lines.drop(BLANK, CARE), blank=blank, note=note)

    def _date(self, cell: ir.StringValue) -> ir.TimestampValue:
        ends = reduce(or_, (cell.endswith(end) for end in LOOSE_ENDS))
        iso = ibis.ifelse(cell.like(self.shape) & ~ends, ibis.literal(True), cell.re_search(ISO))
        return ibis.ifelse(iso, cell.try_cast("timestamp"), ibis.null("timestamp"))


def _unusual(cell: ir.StringValue) -> ir.BooleanValue:
    """Signs that DuckDB takes in a number and careful reading does not: 1_000, and blanks of an old kind."""
    return cell.contains("_") | (cell < " ") | cell.endswith("\v")


def plainly(dialect: Dialect, found: Recognised | None) -> Plain | None:
    """How to load a file if its first rows are plainly written: UTF-8, ISO dates, numbers without marks."""
    if found is None or dialect.encoding != "utf-8":
        return None
    columns = {match.field: match.column for match in found.matches}
    if not set(columns) <= {"ordered_at", *NUMBERS, *IDS, *TEXTS} or len(set(columns.values())) < len(columns):
        return None
    cells = {field: _sampled(dialect, column) for field, column in columns.items()}
    times = [cell for cell in cells["ordered_at"] if cell]
    figures = [cell for field in NUMBERS for cell in cells.get(field, ()) if cell]
    if not times or not all(re.search(ISO, cell) for cell in times):
        return None
    if not all(re.search(numbers.PLAIN, cell) for cell in figures):
        return None
    if dialect.delimiter == ";" and not any(re.search(DECIMALS, cell) for cell in figures):
        return None
    return Plain(columns=columns, shape=re.sub(r"\d", "_", times[0]))


def _sampled(dialect: Dialect, column: str) -> Sequence[str]:
    place = dialect.header.index(column)
    return [row[place].strip() for row in dialect.sample if place < len(row)]
