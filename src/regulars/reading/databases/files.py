"""Lines out of the file of a database, opened read-only: DuckDB's in place, SQLite's brought over."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis

from regulars.errors import SourceError
from regulars.reading.addresses import TITLES, Address, quoted
from regulars.reading.cells import Opened, count
from regulars.reading.connecting import connect
from regulars.reading.databases.receiving import MARK, ONE_SELECT, Column, brought, fingerprint, new_table, no_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from ibis.backends.duckdb import Backend as DuckDB

    from regulars.reading.connecting import Machine

ROWS = 100_000  # rows at a time, where they come one by one
SOURCE = "regulars_source"  # what an attached DuckDB file is called


def file_of(address: Address) -> Path:
    """The file of an address, if it is there."""
    path = address.path or Path()
    if not path.is_file():
        raise SourceError(
            f"There is no {TITLES[address.engine]} file {str(path)!r}.",
            hint=f"Check the path: three slashes before one from here, {address.engine}:////… before one from the root.",
        )
    return path


def from_sqlite(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """A table, or the answer to a query, is brought over with the types that its cells really have."""
    import sqlite3

    path = file_of(address)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as sqlite:
            sqlite.isolation_level = None
            sqlite.execute("BEGIN")
            asked = f"({query}\n)" if query is not None else _table_in_sqlite(sqlite, address)
            columns = _sqlite_columns(sqlite, asked)
            con = connect(told)
            table = new_table(con, columns, where=where)
            cursor = sqlite.execute(f"SELECT {', '.join(column.asked for column in columns)} FROM {asked}")
            while rows := cursor.fetchmany(ROWS):
                _insert(con, table, _as_batch(rows, columns))
    except sqlite3.Error as error:
        raise SourceError(
            f"{address.title[0].upper()}{address.title[1:]} cannot be read: {address.hide(error)}.",
            hint=f"Check the file, the table and the query. {ONE_SELECT}; nothing is ever written there.",
        ) from None
    return brought(con, table, where=where, address=address, why="it has no dates, no decimals and no median.")


def _table_in_sqlite(con: Any, address: Address) -> str:
    found = con.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")
    names = [name for (name,) in found]
    given = (address.table or ("",))[-1]
    name = next((name for name in names if name.lower() == given.lower()), None)
    if name is None:
        raise no_table(address, [(name,) for name in sorted(names)])
    return quoted(name)


def _sqlite_columns(con: Any, asked: str) -> list[Column]:
    """The types that the cells of each column really have; one query."""
    names = [each[0] for each in con.execute(f"SELECT * FROM {asked} LIMIT 0").description]
    kinds = ("text", "blob", "real", "integer")
    told = ", ".join(f"max(typeof({quoted(name)}) = '{kind}')" for name in names for kind in kinds)
    row = con.execute(f"SELECT {told} FROM {asked}").fetchone()
    columns = []
    for place, name in enumerate(names):
        text, blob, real, integer = row[place * 4 : place * 4 + 4]
        if text or blob or not (real or integer):
            columns.append(Column(name=name, asked=f"CAST({quoted(name)} AS TEXT)", kind="VARCHAR"))
        elif real:
            columns.append(Column(name=name, asked=f"CAST({quoted(name)} AS REAL)", kind="DOUBLE"))
        else:
            columns.append(Column(name=name, asked=quoted(name), kind="BIGINT"))
    return columns


def _as_batch(rows: Sequence[tuple[Any, ...]], columns: Sequence[Column]) -> pa.Table:
    import pyarrow as pa

    kinds = {"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    cells = zip(*rows, strict=True)
    arrays = [pa.array(column, kinds[each.kind]) for column, each in zip(cells, columns, strict=True)]
    return pa.table(arrays, names=[f"c{place}" for place in range(len(columns))])


def _insert(con: DuckDB, table: str, piece: pa.Table | pa.RecordBatch) -> None:
    raw = con.con
    raw.register("_regulars_piece", piece)
    try:
        raw.execute(f"INSERT INTO {quoted(table)} SELECT * FROM _regulars_piece")
    finally:
        raw.unregister("_regulars_piece")


def from_duckdb(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """A table is read where it is; the answer to a query is kept, so that it is the same every time."""
    path, con = file_of(address), connect(told)
    file = str(path.absolute()).replace("'", "''")
    try:
        con.raw_sql(f"ATTACH '{file}' AS {SOURCE} (READ_ONLY, TYPE duckdb)")
        if query is not None:
            name, here = ibis.util.gen_name("cells"), con.current_catalog
            keep = f"CREATE TEMP TABLE {quoted(name)} AS SELECT * FROM ({query}\n) AS {MARK}"
            if len(con.con.extract_statements(keep)) > 1:
                raise duckdb.ParserException("it is more than one statement")
            con.raw_sql(f"USE {SOURCE}")
            con.raw_sql(keep)
            con.raw_sql(f"USE {quoted(here)}")
            return brought(con, name, where=where, address=address, why="the query is asked once.")
        listing = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY ALL"
        found = con.con.execute(listing, [SOURCE]).fetchall()
    except duckdb.Error as error:
        raise SourceError(
            f"{address.title[0].upper()}{address.title[1:]} cannot be read: {address.hide(error)}.",
            hint=f"Check that it is a DuckDB file, that no other program writes to it, and the query. {ONE_SELECT}.",
        ) from None
    *schema, given = address.table or ("",)
    wanted = (schema[-1] if schema else "main").lower()
    for place, name in found:
        if (place.lower(), name.lower()) == (wanted, given.lower()):
            table = con.table(name, database=(SOURCE, place))
            return Opened(table=table, source=where, fingerprint=partial(fingerprint, table.schema(), count(table)))
    raise no_table(address, [(name,) if place == "main" else (place, name) for place, name in found])
