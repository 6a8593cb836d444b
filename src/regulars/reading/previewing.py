"""The first rows of a source and what its header shows, before everything is read."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.errors import ColumnError
from regulars.reading.addresses import is_database
from regulars.reading.connecting import machine
from regulars.reading.databases import first_of_table
from regulars.reading.exports import load_layout
from regulars.reading.opening import kind_of, open_source, paths_of
from regulars.reading.recognising import Match, recognise
from regulars.reading.sniffing import opened, sniff
from regulars.reading.workbooks import read_sheet, sheet_names
from regulars.schema import Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from regulars.reading.connecting import Machine
    from regulars.reading.sniffing import Dialect

ROWS = 20
LONGEST = 200  # characters of a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What can be told of a source at once.

    Parameters
    ----------
    columns
        Its column names.
    rows
        The cells of its first rows as text, cut where they are very long; `None` where there is nothing.
    sheets, sheet
        Of a workbook: all its sheets, and the one that is shown.
    layout, how_sure
        What the header looks like, and what speaks for it; for people.
    matches, unmatched
        Our fields and the columns that are taken for them; the columns that nothing claimed.
    problem
        Why it cannot be read like this, where the header shows it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    layout: str = ""
    how_sure: str = ""
    matches: tuple[Match, ...] = ()
    unmatched: tuple[str, ...] = ()
    problem: ColumnError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the problem."""
        return asdict(replace(self, problem=None))


def preview(
    source: str | Path,
    *,
    columns: Columns | None = None,
    layout: str | Path | None = None,
    sheet: str | None = None,
    rows: int = ROWS,
) -> Preview:
    r"""Look at the first rows of a file or of a table in a database, and at what its header shows.

    Of text files the first 64 KB are read, of Parquet and of databases the rows that are asked for; workbooks are
    unpacked as a whole.

    Parameters
    ----------
    source
        A file, or the address of a database with its table. Of several files the first is looked at.
    columns, layout, sheet
        As for `read`.
    rows
        So many at most.

    Raises
    ------
    SourceError
        As for `read`. A header that lacks needed columns is no error: `problem` says so.
    OptionError
        As for `read`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "orders.csv")
    ...     _ = path.write_text("Client,Date,Total\n7,2024-02-01,9.90\n")
    ...     seen = preview(path)
    >>> seen.rows, [(match.field, match.column) for match in seen.matches]
    ((('7', '2024-02-01', '9.90'),), [('customer_id', 'Client'), ('ordered_at', 'Date'), ('amount', 'Total')])
    """
    mapped, chosen = columns or Columns(), None if layout is None else load_layout(layout)

    def fits(header: tuple[str, ...]) -> bool:
        try:
            recognise(header, columns=mapped, layout=chosen, source="")
        except ColumnError:
            return False
        return True

    seen, name = _first_rows(str(source), sheet=sheet, rows=rows, fits=fits)
    problem = None
    try:
        found = recognise(seen.columns, columns=mapped, layout=chosen, source=name)
    except ColumnError as error:
        problem = error
        known = Columns(**{ours: theirs for ours, theirs in mapped.given().items() if theirs in seen.columns})
        found = recognise(seen.columns, columns=known, layout=chosen, source=name, complete=False)
    return replace(
        seen,
        layout=found.layout.title,
        how_sure=found.how_sure,
        matches=found.matches,
        unmatched=found.unmatched,
        problem=problem,
    )


def _first_rows(
    source: str, *, sheet: str | None, rows: int, fits: Callable[[tuple[str, ...]], bool]
) -> tuple[Preview, str]:
    """The columns and the first rows, and the name of the source."""
    told = machine(memory_limit=None, threads=None, temp_dir=None)
    if is_database(source):
        return _of_database(source, rows=rows, told=told), "the table"
    path = paths_of(source)[0]
    match kind_of(path):
        case "text":
            dialect = sniff(path, fits=fits, whole=False)
            cells = _cut(path, dialect) if dialect.lines else dialect.sample
            return Preview(columns=dialect.header, rows=_shown(cells[:rows], len(dialect.header))), path.name
        case "workbook":
            found = read_sheet(path, sheet=sheet, fits=fits, rows=rows)
            seen = _of_table(found.cells.slice(0, rows))
            return replace(seen, sheets=sheet_names(path), sheet=found.name), path.name
        case _:
            table = open_source(path, told=told, known=lambda header: None).table
            return _of_table(table.limit(rows).to_pyarrow()), path.name


def _of_database(source: str, *, rows: int, told: Machine) -> Preview:
    return _of_table(first_of_table(source, rows=rows, told=told))


def _of_table(cells: Any) -> Preview:
    columns = tuple(cells.column_names)
    rows = [tuple(row.values()) for row in cells.to_pylist()]
    return Preview(columns=columns, rows=_shown(rows, len(columns)))


def _cut(path: Path, dialect: Dialect) -> list[tuple[str, ...]]:
    """Cells of the first lines of a file without a header."""
    with opened(path) as stream:
        lines = stream.read(1 << 14).decode(dialect.encoding, "replace").splitlines()
    return [found.groups() for line in lines if (found := re.search(dialect.lines, line))]


def _text(cell: Any) -> str:
    """A cell as text: a time without parts of a second, a day without a time."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time.min else cell.isoformat(" ", "seconds")
    return str(cell)


def _shown(rows: Iterable[Iterable[Any]], width: int) -> tuple[tuple[str | None, ...], ...]:
    """Cells as text, as many in each row as there are columns."""
    written = [tuple(None if cell is None else _text(cell)[:LONGEST] for cell in row)[:width] for row in rows]
    return tuple(row + (None,) * (width - len(row)) for row in written)
