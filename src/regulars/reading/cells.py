"""The cells of a source in one table, and where its rows come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.errors import SourceError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import ibis
    from ibis.backends.duckdb import Backend as DuckDB


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a source: its rows in the table, and what the first of them is called."""

    name: str
    rows: int
    first: int
    counted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source's cells.

    Parameters
    ----------
    table
        The cells, under the source's column names, in the source's row order.
    source
        The name for people.
    fingerprint
        Waits for the sha256 of the content; of the schema and count for frames; empty for Ibis tables.
    parts
        The files, in order; empty where rows have no numbers (Ibis tables).
    copied
        Whether `table` is a temporary table of our own DuckDB.
    delimiter
        Of text files.
    notes
        What was found out about the files.
    blank, dates
        Of text files that were given types while they were loaded: so many blank rows are already out, and the remark
        on dates.
    """

    table: ibis.Table
    source: str
    fingerprint: Callable[[], str]
    parts: tuple[Part, ...] = ()
    copied: bool = False
    delimiter: str | None = None
    notes: tuple[str, ...] = ()
    blank: int = 0
    dates: str = ""

    def place(self, row: int) -> str:
        """A row, from 0, in words that let a person find it."""
        for part in self.parts:
            if row < part.rows:
                return f"Row {row + part.first:,} of {part.name}{part.counted}"
            row -= part.rows
        return f"A row of {self.source}"


def append(con: DuckDB, more: ibis.Table, *, to: ibis.Table | None) -> ibis.Table:
    """Put one file's cells behind those of the files before."""
    if to is None:
        return more
    con.insert(name_of(to), more.select(*to.columns))
    con.drop_table(name_of(more))
    return to


def name_of(table: ibis.Table) -> str:
    """A temporary table's own name: ibis puts DuckDB's `temp.main.` before it."""
    return str(table.get_name()).rsplit(".", 1)[-1]


def same_columns(paths: Sequence[Path], headers: Sequence[Sequence[str]]) -> None:
    """Refuse files that do not have the same columns.

    Errors
    ------
    SourceError
        Names the columns that only one of two files has.
    """
    for path, header in zip(paths, headers, strict=True):
        if Counter(header) != Counter(headers[0]):
            here, there = set(header) - set(headers[0]), set(headers[0]) - set(header)
            only = [
                f"only in {name}: {listed(sorted(names))}"
                for name, names in ((paths[0].name, there), (path.name, here))
                if names
            ]
            raise SourceError(
                f"{paths[0].name} and {path.name} have different columns ({'; '.join(only)}).",
                hint="Read files of one layout together, others on their own.",
            )


def count(table: ibis.Table) -> int:
    """The rows of a table; one query."""
    return int(table.count().to_pyarrow().as_py())
