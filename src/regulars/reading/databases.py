"""Order lines out of a database: read-only, in place where it is a DuckDB file, brought over piece by piece elsewhere."""

from __future__ import annotations

import difflib
import hashlib
import re
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis

from regulars.errors import OptionError, SourceError, listed
from regulars.reading.addresses import TITLES, Address, is_database, parse_address, quoted
from regulars.reading.cells import Opened, count
from regulars.reading.connecting import connect
from regulars.reading.sniffing import named
from regulars.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa
    from ibis.backends.duckdb import Backend as DuckDB

    from regulars.reading.connecting import Machine

PIECE = 64 * 2**20  # bytes that are brought over at a time
ROWS = 100_000  # rows at a time, where they come one by one
NULL = r"\N"
ONE_SELECT = "A query may only be one SELECT"
#: What a query begins with, after comments and brackets.
_SELECT = re.compile(r"(?is)(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:select|with|from|values|table)\b")
SOURCE = "regulars_source"  # what an attached DuckDB file is called
MARK = "_regulars_lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column that is brought over: its name, how it is asked for, and its type in DuckDB."""

    name: str
    asked: str
    kind: str


def open_database(source: object, *, query: str | Path | None, told: Machine) -> Opened:
    """Open a table or the answer to a query.

    Nothing is written there: PostgreSQL is asked in a read-only transaction, files are opened read-only.

    Parameters
    ----------
    source
        An address, such as ``postgres://me@host/shop?table=order_lines``.
    query
        SQL, or the path of a file with SQL, instead of a table.
    told
        What our own DuckDB may use.

    Errors
    ------
    SourceError
        No such database, table or file; a wrong password; a query that the database refuses; a connection that
        breaks off; a package that is not installed. No message has the password or the address.
    OptionError
        Both a table and a query, or a query for something that is no database.
    """
    if not isinstance(source, str) or not is_database(source):
        raise OptionError(
            "A query needs a database to ask.", hint="Give its address, such as postgres://me@host/shop, or no query."
        )
    address, text, where = _asked(source, query)
    match address.engine:
        case "postgres":
            return _from_postgres(address, text, where=where, told=told)
        case "sqlite":
            return _from_sqlite(address, text, where=where, told=told)
        case "duckdb":
            return _from_duckdb(address, text, where=where, told=told)
        case _:
            return _through_ibis(address, text, where=where, told=told)


def table_inside(source: str, *, query: str | Path | None) -> tuple[ibis.Table, str]:
    """A table, or the answer to a query, that stays in its database; and what it is called.

    What is asked of it later may keep temporary tables there, which go with the session.

    Errors
    ------
    SourceError, OptionError
        As for `open_database`.
    """
    address, text, where = _asked(source, query)
    with _said_by_ibis(address):
        return _ibis_table(address, text), where


def _asked(source: str, query: str | Path | None) -> tuple[Address, str | None, str]:
    """What is asked of which database, and what it is called in messages."""
    address, text = parse_address(source), None if query is None else _text(query)
    if text is not None and address.table:
        raise OptionError(
            "Both a table and a query are given.", hint="Leave table=… out of the address, or leave the query out."
        )
    what = ".".join(address.table) if text is None else "the query"
    return address, text, f"{what} in {address.title}" if what else address.title


def first_of_table(source: str, *, rows: int, told: Machine) -> Any:
    """The first rows of a table in a database, as an Arrow table, without bringing over the others.

    Errors
    ------
    SourceError
        As for `open_database`.
    """
    address = parse_address(source)
    if address.engine not in ("postgres", "sqlite", "duckdb"):
        with _said_by_ibis(address):
            return _ibis_table(address, None).limit(rows).to_pyarrow()
    asked = f"SELECT * FROM {'.'.join(quoted(name) for name in address.table)} LIMIT {rows}" if address.table else ""
    try:
        return open_database(_without_table(source), query=asked, told=told).table.to_pyarrow()
    except SourceError:
        found = open_database(source, query=None, told=told)  # says what is wrong in better words
    return found.table.limit(rows).to_pyarrow()


def _without_table(source: str) -> str:
    """An address without its table."""
    begin, mark, rest = source.partition("?")
    kept = [pair for pair in rest.split("&") if pair and pair.partition("=")[0] not in ("table", "schema")]
    return begin + (mark + "&".join(kept) if kept else "")


def _text(query: str | Path) -> str:
    if isinstance(query, Path):
        try:
            query = query.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"The query {query} cannot be read: {error}.", hint="Give a text file of SQL.") from error
    if not (text := query.strip().rstrip(";").rstrip()):
        raise SourceError("The query is empty.", hint="Write a SELECT that gives one row per order line.")
    if not _SELECT.match(text):
        raise SourceError(
            f"{ONE_SELECT}.", hint="Write one that gives one row per order line; nothing is ever written there."
        )
    return text


def _no_table(address: Address, names: Sequence[str]) -> SourceError:
    """The error where no table is named, or none of that name is there."""
    found = f"Found: {listed(names)}." if names else "Nothing that you may read is in it."
    if not address.table:
        return SourceError(
            f"No table of {address.title} is named.",
            hint=f"{found} Write ?table=NAME behind the address, and quotation marks around the whole; "
            "or give a query with --query FILE (query=…).",
        )
    close = difflib.get_close_matches(address.table[-1], [name.rpartition(".")[2] for name in names], n=1)
    return SourceError(
        f"There is no table {'.'.join(address.table)!r} in {address.title}.",
        hint=f"Did you mean {close[0]!r}?"
        if close
        else f"{found} Write table=SCHEMA.NAME where it is in another schema.",
    )


def _brought(con: DuckDB, table: str, *, where: str, address: Address, why: str) -> Opened:
    """What was copied, with a remark that says so."""
    cells = con.table(table)
    rows = count(cells)
    return Opened(
        table=cells,
        source=where,
        fingerprint=partial(_fingerprint, cells.schema(), rows),
        copied=True,
        notes=(
            f"{counted(rows, 'row')} {'was' if rows == 1 else 'were'} brought over from {TITLES[address.engine]}: {why}",
        ),
    )


def _fingerprint(schema: ibis.Schema, rows: int) -> str:
    """sha256 of schema and row count."""
    columns = "\n".join(f"{name} {kind}" for name, kind in schema.items())
    return hashlib.sha256(f"{columns}\n{rows}".encode()).hexdigest()


def _new_table(con: DuckDB, columns: Sequence[_Column], *, where: str) -> str:
    """Make the table that takes what is brought over."""
    names = named([column.name for column in columns], where)
    table = str(ibis.util.gen_name("cells"))
    shown = ", ".join(f"{quoted(name)} {column.kind}" for name, column in zip(names, columns, strict=True))
    con.raw_sql(f"CREATE TEMP TABLE {quoted(table)} ({shown})")
    return table


def _insert(con: DuckDB, table: str, piece: pa.Table | pa.RecordBatch) -> None:
    raw = con.con
    raw.register("_regulars_piece", piece)
    try:
        raw.execute(f"INSERT INTO {quoted(table)} SELECT * FROM _regulars_piece")
    finally:
        raw.unregister("_regulars_piece")


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


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
        raise SourceError(
            f"There is no way into {address.title}: {address.hide(error)}.",
            hint="Check host, port, user and database; the password is taken from PGPASSWORD or the file ~/.pgpass.",
        ) from None
    if read_only:
        con.read_only = True
        con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # one state of the table from look to last row
    return con


def missing_extra(address: Address) -> SourceError:
    """The error for a database whose package is not installed."""
    title, extra = TITLES[address.engine], address.engine
    return SourceError(
        f"{title} needs a package that is not installed.", hint=f"Install it with: pip install 'regulars[{extra}]'."
    )


def _from_postgres(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    with closing(connect_postgres(address, read_only=True)) as postgres, _said_by_postgres(address):
        postgres.execute("SET LOCAL datestyle = 'ISO, YMD'")
        asked = f"({query}\n)" if query is not None else _table_in_postgres(postgres, address)
        columns, notes = _postgres_columns(postgres, asked)
        con = connect(told)
        table = _new_table(con, columns, where=where)
        _copy_out(postgres, con, table, columns, asked=asked, told=told)
    why = "its session is read-only, and cleaning keeps tables on the way (--engine database lets it)."
    found = _brought(con, table, where=where, address=address, why=why)
    return replace(found, notes=(*found.notes, *notes))


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
    raise _no_table(address, [table if visible else f"{place}.{table}" for place, table, visible in found])


def _postgres_columns(con: psycopg.Connection, asked: str) -> tuple[list[_Column], tuple[str, ...]]:
    """How each column is asked for and kept; a remark on times with a zone."""
    look = f"SELECT * FROM {asked} AS {MARK} LIMIT 0"
    cursor = con.execute(look.encode(), binary=True)  # which lets PostgreSQL refuse more than one statement
    columns, zoned = [], []
    for each in cursor.description or ():
        known = con.adapters.types.get(each.type_code)
        kind, cell = known.name if known else "", quoted(each.name)
        if kind == "timestamptz":
            zoned.append(each.name)
        asking, keeping = _kept_as(kind, cell, each.precision, each.scale)
        columns.append(_Column(name=each.name, asked=asking, kind=keeping))
    notes: tuple[str, ...] = ()
    if zoned:
        zone = con.info.parameter_status("TimeZone")
        notes = (f"Times in {listed(map(repr, zoned))} have a time zone: they are clock times of {zone} (set PGTZ).",)
    return columns, notes


_PLAIN_KINDS = {
    "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "DOUBLE", "float8": "DOUBLE",
    "bool": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP",
}  # fmt: skip


def _kept_as(kind: str, cell: str, precision: int | None, scale: int | None) -> tuple[str, str]:
    """SQL that asks for a cell, and its type in DuckDB; money stays decimal."""
    if kind in _PLAIN_KINDS:
        return cell, _PLAIN_KINDS[kind]
    if kind == "numeric":
        fits = precision is not None and scale is not None and 0 <= scale <= precision <= 38
        return f"NULLIF({cell}, 'NaN')", f"DECIMAL({precision}, {scale})" if fits else "DECIMAL(38, 10)"
    if kind == "money":
        return f"{cell}::numeric", "DECIMAL(38, 10)"
    if kind == "timestamptz":
        return f"{cell}::timestamp", "TIMESTAMP"
    return f"{cell}::text", "VARCHAR"


def _copy_out(
    postgres: psycopg.Connection, con: DuckDB, table: str, columns: Sequence[_Column], *, asked: str, told: Machine
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


# --- SQLite ---------------------------------------------------------------------------------------------------------


def _from_sqlite(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    import sqlite3

    path = _file_of(address)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as sqlite:
            sqlite.isolation_level = None
            sqlite.execute("BEGIN")
            asked = f"({query}\n)" if query is not None else _table_in_sqlite(sqlite, address)
            columns = _sqlite_columns(sqlite, asked)
            con = connect(told)
            table = _new_table(con, columns, where=where)
            cursor = sqlite.execute(f"SELECT {', '.join(column.asked for column in columns)} FROM {asked}")
            while rows := cursor.fetchmany(ROWS):
                _insert(con, table, _as_batch(rows, columns))
    except sqlite3.Error as error:
        raise SourceError(
            f"{address.title[0].upper()}{address.title[1:]} cannot be read: {address.hide(error)}.",
            hint=f"Check the file, the table and the query. {ONE_SELECT}; nothing is ever written there.",
        ) from None
    return _brought(con, table, where=where, address=address, why="it has no dates, no decimals and no median.")


def _file_of(address: Address) -> Path:
    path = address.path or Path()
    if not path.is_file():
        raise SourceError(
            f"There is no {TITLES[address.engine]} file {str(path)!r}.",
            hint=f"Check the path: three slashes before one from here, {address.engine}:////… before one from the root.",
        )
    return path


def _table_in_sqlite(con: Any, address: Address) -> str:
    found = con.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")
    names = [name for (name,) in found]
    given = (address.table or ("",))[-1]
    name = next((name for name in names if name.lower() == given.lower()), None)
    if name is None:
        raise _no_table(address, sorted(names))
    return quoted(name)


def _sqlite_columns(con: Any, asked: str) -> list[_Column]:
    """The types that the cells of each column really have; one query."""
    names = [each[0] for each in con.execute(f"SELECT * FROM {asked} LIMIT 0").description]
    kinds = ("text", "blob", "real", "integer")
    told = ", ".join(f"max(typeof({quoted(name)}) = '{kind}')" for name in names for kind in kinds)
    row = con.execute(f"SELECT {told} FROM {asked}").fetchone()
    columns = []
    for place, name in enumerate(names):
        text, blob, real, integer = row[place * 4 : place * 4 + 4]
        if text or blob or not (real or integer):
            columns.append(_Column(name=name, asked=f"CAST({quoted(name)} AS TEXT)", kind="VARCHAR"))
        elif real:
            columns.append(_Column(name=name, asked=f"CAST({quoted(name)} AS REAL)", kind="DOUBLE"))
        else:
            columns.append(_Column(name=name, asked=quoted(name), kind="BIGINT"))
    return columns


def _as_batch(rows: Sequence[tuple[Any, ...]], columns: Sequence[_Column]) -> pa.Table:
    import pyarrow as pa

    kinds = {"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    cells = zip(*rows, strict=True)
    arrays = [pa.array(column, kinds[each.kind]) for column, each in zip(cells, columns, strict=True)]
    return pa.table(arrays, names=[f"c{place}" for place in range(len(columns))])


# --- DuckDB ---------------------------------------------------------------------------------------------------------


def _from_duckdb(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """A table is read where it is; the answer to a query is kept, so that it is the same every time."""
    path, con = _file_of(address), connect(told)
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
            return _brought(con, name, where=where, address=address, why="the query is asked once.")
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
            return Opened(table=table, source=where, fingerprint=partial(_fingerprint, table.schema(), count(table)))
    raise _no_table(address, [name if place == "main" else f"{place}.{name}" for place, name in found])


# --- all others -----------------------------------------------------------------------------------------------------


def _through_ibis(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """Any other database that ibis knows: its rows come over as Arrow batches."""
    with _said_by_ibis(address):
        lines, con = _ibis_table(address, query), connect(told)
        table = bring_over(lines, con, where=where, told=told)
    return _brought(con, table, where=where, address=address, why="only reading is asked of it.")


@contextmanager
def _said_by_ibis(address: Address) -> Iterator[None]:
    """Turn what an engine says into one error, without the address."""
    try:
        yield
    except ImportError:
        raise missing_extra(address) from None
    except SourceError:
        raise
    except Exception as error:  # each engine has errors of its own
        raise SourceError(
            f"{address.title[0].upper()}{address.title[1:]} cannot be read: {address.hide(error)}.",
            hint="Check the address, the table or query, and that you may read it.",
        ) from None


def _ibis_table(address: Address, query: str | None) -> ibis.Table:
    """The table of an address, or the answer to a query, still in its own engine."""
    if query is None and not address.table:
        raise _no_table(address, ())
    backend = _connected(address)
    if query is not None:
        return backend.sql(query)
    *place, name = address.table
    return backend.table(name, **({"database": tuple(place) if len(place) > 1 else place[0]} if place else {}))


def _connected(address: Address) -> Any:
    if address.engine == "motherduck":
        return ibis.duckdb.connect(f"md:{address.database}")
    if address.engine == "postgres":
        told = dict(address.options)
        return ibis.postgres.connect(database=told.pop("dbname", None), **told)
    if address.engine == "sqlite":
        return ibis.sqlite.connect(_file_of(address))
    if address.engine == "duckdb":
        return ibis.duckdb.connect(_file_of(address), read_only=True)
    return ibis.connect(address.url)


def bring_over(lines: ibis.Table, con: DuckDB, *, where: str, told: Machine) -> str:
    """Copy any ibis table into our DuckDB, through a file that nobody else can open; the name of the table there."""
    named(list(lines.columns), where)
    table = str(ibis.util.gen_name("cells"))
    with tempfile.TemporaryDirectory(prefix="regulars-", dir=told.folder) as folder:
        file = Path(folder, "lines.parquet")
        lines.to_parquet(file)
        con.con.execute(f"CREATE TEMP TABLE {quoted(table)} AS SELECT * FROM read_parquet(?)", [str(file)])
    return table
