"""Plainly written text files: ISO dates and numbers without marks get their types while they are loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import ibis

from regulars.reading import dates, numbers
from regulars.reading.evidence import IDS, MOST, NUMBERS, TEXTS, anything
from regulars.schema import MONEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import ibis.expr.types as ir

    from regulars.reading.recognising import Recognised
    from regulars.reading.sniffing import Dialect

#: How plainly written dates look, and what DuckDB calls that.
ISO = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?$"
DAY, CLOCKS = "%Y-%m-%d", {0: "", 5: "%H:%M", 8: "%H:%M:%S"}
#: Shows that the dot is the decimal mark, in a file in which it need not be.
DECIMALS = r"\.\d{1,2}$"
#: DuckDB also reads shorter years, and infinity.
FIRST, LAST = datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A loaded table with types, how many blank rows were left out, and the remark on its dates."""

    table: ir.Table
    blank: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """How a plainly written file is loaded: our fields and their columns, and the form of its dates."""

    columns: Mapping[str, str]
    form: str

    @property
    def types(self) -> dict[str, str]:
        """Column → DuckDB's type, of columns that are not text."""
        kinds = dict.fromkeys(NUMBERS, str(MONEY).upper()) | {"ordered_at": "TIMESTAMP"}
        return {column: kinds[field] for field, column in self.columns.items() if field in kinds}

    def settled(self, table: ir.Table) -> Settled | None:
        """The loaded lines, or None where they need more care after all; one query."""
        when = table[self.columns["ordered_at"]]
        figures = [table[column] for field, column in self.columns.items() if field in NUMBERS]
        empty = reduce(and_, (cell.isnull() for cell in (when, *figures)))
        blank = ibis.ifelse(empty, ~anything(table, table.columns), ibis.literal(False))
        facts = {"blank": blank.sum(), "odd": (~when.between(FIRST, LAST)).sum(), "dates": when.count()}
        facts |= {f"most_{place}": cell.abs().max() for place, cell in enumerate(figures)}
        row = table.agg(**facts).to_pyarrow().to_pylist()[0]
        most = [row[f"most_{place}"] or 0 for place in range(len(figures))]
        if row["odd"] or max(most) >= MOST:
            return None
        if "amount" not in self.columns and most[0] * most[1] >= MOST:
            return None
        left_out = int(row["blank"] or 0)
        note = dates.style({"filled": row["dates"], "year_first": row["dates"]}, dayfirst=None).note
        return Settled(table=table.filter(~blank) if left_out else table, blank=left_out, note=note)


def plainly(dialect: Dialect, found: Recognised | None) -> Plain | None:
    """How to load a file if its first rows are plainly written: UTF-8, ISO dates, numbers without marks."""
    if found is None or found.arranged or dialect.encoding != "utf-8":
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
    mark, clock = times[0][10:11], CLOCKS[len(times[0][11:])]
    return Plain(columns=columns, form=f"{DAY}{mark}{clock}")


def _sampled(dialect: Dialect, column: str) -> Sequence[str]:
    place = dialect.header.index(column)
    return [row[place].strip() for row in dialect.sample if place < len(row)]
