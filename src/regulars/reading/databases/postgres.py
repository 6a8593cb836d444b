"""Lines out of PostgreSQL: asked for in a read-only transaction, brought over piece by piece."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from regulars.errors import SourceError, listed
from regulars.reading.addresses import Address, quoted
from regulars.reading.connecting import connect
from regulars.reading.databases.receiving import MARK, ONE_SELECT, Column, brought, missing_extra, new_table, no_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    from ibis.backends.duckdb import Backend as DuckDB

    from regulars.reading.cells import Opened
    from regulars.reading.connecting import Machine

PIECE = 64 * 2**20  # bytes that are brought over at a time
NULL = r"\N"


def connect_postgres(address: Address, *, read_only: bool) -> psycopg.Connection:
    """Connect to PostgreSQL; what the address leaves out is taken from PGPASSWORD and its like, or the password file.

    Raises
    ------
    SourceError
        psycopg is not installed, or there is no way in.
    """
    try:
        import psycopg
    except ImportError:
        raise missing_extra(address) from None
    try:
        con = psycopg.connect(**{"connect_timeout": "20", **address.options, "client_encoding": "UTF8"})  # type: ignore[arg-type]
    except (psycopg.Error, ValueError, UnicodeError) as error:
        session = getattr(error, "pgconn", None)
        asked = session is not None and (session.needs_password or session.used_password)
        password = "; the password is taken from PGPASSWORD or the file ~/.pgpass" if asked else ""
        raise SourceError(
            f"There is no way into {address.title}: {address.hide(error)}.",
            hint=f"Check host, port, user, database and the parameters behind the address{password}.",
        ) from None
    if read_only:
        con.read_only = True
        con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # one state of the table from look to last row
    return con


def from_postgres(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """A table or view, or the answer to a query, is brought over; nothing is written there."""
    with closing(connect_postgres(address, read_only=True)) as postgres, _said_by_postgres(address):
        postgres.execute("SET LOCAL datestyle = 'ISO, YMD'")
        asked = f"({query}\n)" if query is not None else _table_in_postgres(postgres, address)
        columns, notes = _postgres_columns(postgres, asked)
        con = connect(told)
        table = new_table(con, columns, where=where)
        _copy_out(postgres, con, table, columns, asked=asked, told=told)
    why = "its session is read-only, and cleaning keeps tables on the way (--engine database lets it)."
    found = brought(con, table, where=where, address=address, why=why)
    return replace(found, notes=(*found.notes, *notes))


def ask_for_columns(address: Address, query: str) -> None:
    """Let PostgreSQL refuse a query that is more than one SELECT, or that writes; nothing is written, no row is read.

    Raises
    ------
    SourceError
        It refuses.
    """
    with closing(connect_postgres(address, read_only=True)) as postgres, _said_by_postgres(address):
        _look(postgres, f"({query}\n)")


@contextmanager
def _said_by_postgres(address: Address) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        raise SourceError(
            f"The connection to {address.title} broke off: {address.hide(error)}.",
            hint="Nothing was changed. Try again, or ask who runs the database.",
        ) from None
    except psycopg.Error as error:
        raise SourceError(
            f"{address.title[0].upper()}{address.title[1:]} refuses: {address.hide(error)}.",
            hint=f"Check the table and the query, and that you may read them. {ONE_SELECT}; the session is read-only.",
        ) from None
    except duckdb.DataError as error:
        raise SourceError(
            f"A value in {address.title} cannot be taken over: {address.hide(error)}.",
            hint="Cast or filter it in a query, and give that with --query FILE (query=…).",
        ) from None


def _table_in_postgres(con: psycopg.Connection, address: Address) -> str:
    """A table or view as SQL, if it is there."""
    listing = """SELECT n.nspname, c.relname, pg_table_is_visible(c.oid) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1, 2"""
    found = con.execute(listing).fetchall()
    *schema, name = address.table or ("",)
    for place, table, visible in found:
        if table == name and (place == schema[-1] if schema else visible):
            return f"{quoted(place)}.{quoted(table)}"
    there = """SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relname = %s
        AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))"""
    if con.execute(f"{there} AND nspname = %s" if schema else there, (name, *schema[-1:])).fetchone():
        raise SourceError(
            f"You may not read {'.'.join(address.table)} in {address.title}.",
            hint="Ask who runs the database for the right to SELECT from it, or come as another user.",
        )
    raise no_table(address, [(table,) if visible else (place, table) for place, table, visible in found])


def _look(con: psycopg.Connection, asked: str) -> psycopg.Cursor:
    look = f"SELECT * FROM {asked} AS {MARK} LIMIT 0"
    return con.execute(look.encode(), binary=True)  # which lets PostgreSQL refuse more than one statement


def _postgres_columns(con: psycopg.Connection, asked: str) -> tuple[list[Column], tuple[str, ...]]:
    """How each column is asked for and kept; a remark on times with a zone."""
    cursor = _look(con, asked)
    columns, zoned = [], []
    for each in cursor.description or ():
        known = con.adapters.types.get(each.type_code)
        kind, cell = known.name if known else "", quoted(each.name)
        if kind == "timestamptz":
            zoned.append(each.name)
        asking, keeping = _kept_as(kind, cell, each.precision, each.scale)
        columns.append(Column(name=each.name, asked=asking, kind=keeping))
    notes: tuple[str, ...] = ()
    if zoned:
        zone = con.info.parameter_status("TimeZone")
        notes = (f"Times in {listed(map(repr, zoned))} have a time zone: they are clock times of {zone} (set PGTZ).",)
    return columns, notes


_PLAIN_KINDS = {
    "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "DOUBLE", "float8": "DOUBLE",
    "bool": "BOOLEAN",
}  # fmt: skip
#: Days of a calendar; others, and what is no number, come over as empty, and cleaning counts the rows.
_DAYS = "'0001-01-01' AND '9999-12-31'"


def _kept_as(kind: str, cell: str, precision: int | None, scale: int | None) -> tuple[str, str]:
    """SQL that asks for a cell, and its type in DuckDB; money stays decimal."""
    if kind in _PLAIN_KINDS:
        return cell, _PLAIN_KINDS[kind]
    if kind == "numeric":
        fits = precision is not None and scale is not None and 0 <= scale <= precision <= 38
        number = f"CASE WHEN abs({cell}) < 1e1000 THEN {cell} END"  # which NaN and the infinities are not
        return number, f"DECIMAL({precision}, {scale})" if fits else "DECIMAL(38, 10)"
    if kind == "money":
        return f"{cell}::numeric", "DECIMAL(38, 10)"
    if kind in ("date", "timestamp", "timestamptz"):
        kept = "date" if kind == "date" else "timestamp"
        day = f"CASE WHEN isfinite({cell}) AND {cell}::date BETWEEN {_DAYS} THEN {cell}::{kept} END"
        return day, kept.upper()
    return f"{cell}::text", "VARCHAR"


def _copy_out(
    postgres: psycopg.Connection, con: DuckDB, table: str, columns: Sequence[Column], *, asked: str, told: Machine
) -> None:
    """Bring rows over in pieces: each is written to a file that nobody else can open, loaded, and removed."""
    shown = ", ".join(column.asked for column in columns)
    statement = f"COPY (SELECT {shown} FROM {asked} AS {MARK}) TO STDOUT (FORMAT csv, NULL '{NULL}')"
    kinds = ", ".join(f"'c{place}': '{column.kind}'" for place, column in enumerate(columns))
    with tempfile.TemporaryDirectory(prefix="regulars-", dir=told.folder) as folder:
        file = Path(folder, "piece.csv")
        load = f"""INSERT INTO {quoted(table)} SELECT * FROM read_csv(?, header = false, auto_detect = false,
            delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '{NULL}', allow_quoted_nulls = false,
            columns = {{{kinds}}}, parallel = false)"""
        with postgres.cursor() as cursor, cursor.copy(statement.encode()) as rows:
            for _ in _pieces(rows, file):
                con.con.execute(load, [str(file)])


def _pieces(rows: psycopg.Copy, file: Path) -> Iterator[None]:
    """Write rows to a file until it is large, again and again; PostgreSQL hands over whole rows."""
    open_for_more = True
    rows_left = iter(rows)
    while open_for_more:
        size = 0
        with file.open("wb") as out:
            open_for_more = False
            for row in rows_left:
                size += out.write(row)
                if size >= PIECE:
                    open_for_more = True
                    break
        if size:
            yield
