"""A table in the file of a database, SQLite's or DuckDB's, that is written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.databasing.places import PATIENCE, Place, refused, rows_of
from regulars.errors import OptionError, OutputError
from regulars.reading.addresses import TITLES, Address, is_file_of, quoted

if TYPE_CHECKING:
    import pyarrow as pa


def check_file(address: Address) -> None:
    """Refuse what keeps nothing: a database in memory, and a file that is none, which DuckDB takes for a table."""
    title, path = TITLES[address.engine], address.path
    if path is None:
        return
    if path.name.startswith(":memory:"):
        raise OptionError(
            f"{address.title[0].upper()}{address.title[1:]} is in memory: nothing would be left of it.",
            hint=f"Name a file, such as {address.engine}:///marketing.{address.engine}.",
        )
    if path.is_file() and path.stat().st_size and not is_file_of(address):
        raise OutputError(
            f"{path} is not a database file of {title}. Nothing was changed.",
            hint=f"Name one, or a file that does not exist yet, such as {address.engine}:///marketing.{address.engine}.",
        )


@contextmanager
def in_sqlite(address: Address, names: tuple[str, ...]) -> Iterator[Place]:
    """Open a table in an SQLite file, in a transaction."""
    try:
        with closing(sqlite3.connect(str(address.path), timeout=PATIENCE, isolation_level=None)) as con:
            con.execute("BEGIN IMMEDIATE")
            try:
                yield _InSqlite(con, names)
            except BaseException:
                con.rollback()
                raise
            con.commit()
    except sqlite3.Error as error:
        raise refused(address, error) from None


class _InSqlite:
    def __init__(self, con: sqlite3.Connection, names: tuple[str, ...]) -> None:
        self.con, self.name = con, names[-1]
        self.sql = ".".join(map(quoted, names))

    def columns(self) -> dict[str, str]:
        row = self.con.execute("SELECT type FROM sqlite_master WHERE lower(name) = lower(?)", [self.name]).fetchone()
        if row and row[0] != "table":
            raise OutputError(f"{self.sql} is not a table.", hint="Choose another name.")
        return {row[1]: row[2] for row in self.con.execute(f"PRAGMA table_info({quoted(self.name)})")}

    def rows(self) -> int:
        return int(self.con.execute(f"SELECT count(*) FROM {self.sql}").fetchone()[0]) if self.columns() else 0

    def has_run(self, run: str) -> bool:
        return bool(self.con.execute(f"SELECT count(*) FROM {self.sql} WHERE run_id = ?", [run]).fetchone()[0])

    def run(self, statement: str) -> None:
        self.con.execute(statement)

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        places = ", ".join("?" for _ in names)
        put = f"INSERT INTO {self.sql} ({', '.join(map(quoted, names))}) VALUES ({places})"
        self.con.executemany(put, (tuple(map(_for_sqlite, row)) for row in rows_of(batches)))


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat(*((" ",) if hasattr(value, "hour") else ())) if isinstance(value, date) else value


@contextmanager
def in_duckdb(address: Address, names: tuple[str, ...]) -> Iterator[Place]:
    """Open a table in a DuckDB file, in a transaction."""
    try:
        with closing(duckdb.connect(str(address.path), config={"autoinstall_known_extensions": False})) as con:
            con.execute("BEGIN")
            try:
                yield _InDuckdb(con, names)
            except BaseException:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")
    except duckdb.Error as error:
        raise refused(address, error) from None


class _InDuckdb:
    def __init__(self, con: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> None:
        self.con, self.name = con, names[-1]
        self.schema = names[0] if len(names) > 1 else "main"
        self.sql = f"{quoted(self.schema)}.{quoted(self.name)}"

    def columns(self) -> dict[str, str]:
        where = """WHERE table_catalog = current_database()
            AND lower(table_schema) = lower(?) AND lower(table_name) = lower(?)"""
        given = [self.schema, self.name]
        kind = self.con.execute(f"SELECT table_type FROM information_schema.tables {where}", given).fetchall()
        if kind and kind[0][0] != "BASE TABLE":
            raise OutputError(f"{self.sql} is not a table.", hint="Choose another name.")
        listing = f"SELECT column_name, data_type FROM information_schema.columns {where} ORDER BY ordinal_position"
        return dict(self.con.execute(listing, given).fetchall())

    def rows(self) -> int:
        return self._one(f"SELECT count(*) FROM {self.sql}") if self.columns() else 0

    def has_run(self, run: str) -> bool:
        return self._one(f"SELECT count(*) FROM {self.sql} WHERE run_id = ?", [run]) > 0

    def run(self, statement: str) -> None:
        self.con.execute(statement)

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        for batch in batches:
            self.con.register("_regulars_batch", batch)
            self.con.execute(f"INSERT INTO {self.sql} ({', '.join(map(quoted, names))}) SELECT * FROM _regulars_batch")
            self.con.unregister("_regulars_batch")

    def _one(self, statement: str, values: Sequence[object] = ()) -> int:
        ((number,),) = self.con.execute(statement, values).fetchall()  # all: DuckDB does nothing else before
        return int(number)
