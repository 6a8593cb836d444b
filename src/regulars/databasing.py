"""Results for databases: the customers of a run as a table, written as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow.parquet as pq

from regulars.errors import OptionError, OutputError, listed
from regulars.pipeline import Segmentation
from regulars.reading.addresses import TITLES, Address, is_file_of, names_of, parse_address, quoted
from regulars.reading.bringing import bring_here
from regulars.reading.databases import connect_postgres
from regulars.schema import MONEY
from regulars.wording import counted

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

__all__ = ["Mode", "Written", "run_id", "write_table_to"]

Mode = Literal["new", "replace", "append"]

_MODES = ("new", "replace", "append")
BATCH = 50_000  # rows that are written at a time
_PATIENCE = 60  # seconds that a writer waits for another one
_TYPES = {
    "postgres": {
        "string": "text", "int": "bigint", "small": "smallint", "float": "double precision",
        "decimal": "numeric(18,4)", "date": "date", "timestamp": "timestamp without time zone", "bool": "boolean",
    },
    "sqlite": {
        "string": "TEXT", "int": "INTEGER", "small": "INTEGER", "float": "REAL",
        "decimal": "REAL", "date": "TEXT", "timestamp": "TEXT", "bool": "INTEGER",
    },
    "duckdb": {
        "string": "VARCHAR", "int": "BIGINT", "small": "TINYINT", "float": "DOUBLE",
        "decimal": "DECIMAL(18,4)", "date": "DATE", "timestamp": "TIMESTAMP", "bool": "BOOLEAN",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: the table and its database for people, the run, rows before and after."""

    table: str
    database: str
    run_id: str
    rows_before: int
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "table": self.table,
            "database": self.database,
            "run_id": self.run_id,
            "rows_before": self.rows_before,
            "rows": self.rows,
        }


def run_id(run: Segmentation) -> str:
    """Twelve letters and digits that stand for a run: the same for the same data, options and model.

    Examples
    --------
    >>> import regulars as rg
    >>> orders = rg.make_orders(customers=100, seed=1).orders
    >>> first, second = (rg.segment(orders, k=2, seed=seed, backtest=False) for seed in (0, 0))
    >>> run_id(first) == run_id(second), len(run_id(first))
    (True, 12)
    """
    facts = {
        "fingerprint": run.fingerprint,
        "options": run.options.to_dict(),
        "model": run.model.to_dict(),
        "customers": run.customers_total,
        "revenue": f"{run.revenue:.4f}",
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def write_table_to(
    run: Segmentation,
    url: str,
    *,
    table: str,
    mode: Mode = "new",
    tell: Callable[[str], None] | None = None,
) -> Written:
    """Write the customers of a run into a table of a database, in one transaction: all of them or none.

    Parameters
    ----------
    run
        From `regulars.segment` or `regulars.open_run`.
    url
        ``postgres://user@host/db``, ``sqlite:///file.db`` or ``duckdb:///file.duckdb``; the password comes from
        PGPASSWORD or ~/.pgpass.
    table
        Its name, or ``schema.name``.
    mode
        ``"new"`` refuses a table that is already there; ``"replace"`` takes the place of an earlier table of regulars,
        and of no other; ``"append"`` adds to one.
    tell
        Called with a sentence that says what will be touched, before it is.

    Returns
    -------
    Written

    Raises
    ------
    SourceError
        The address cannot be understood, or there is no way into the database.
    OptionError
        There is no such mode, or this kind of database cannot be written to.
    OutputError
        The table is there already, is not one of regulars, has other columns or this run already; or the database
        refuses, or the connection breaks off. Nothing was changed then.

    Notes
    -----
    Columns: `run_id`, `as_of`, then those of `run.customers`. A second writer waits for the first and then sees what
    it wrote. Where the columns are the same, the table itself stays, with its rights, indexes and views.
    """
    if mode not in _MODES:
        raise OptionError(f"There is no mode {mode!r}.", hint=f"Choose one of {listed(_MODES)}.")
    address = parse_address(url)
    if address.table:
        raise OptionError("The address names a table.", hint="Leave table=… out of it and give the name with --table.")
    if address.engine not in _TYPES:
        raise OptionError(
            f"regulars does not write to {TITLES[address.engine]}.",
            hint="Load customers.parquet of the run there, or let 'regulars sql' label the customers where they are.",
        )
    names = names_of(table)
    if not names or len(names) > 2:
        raise OptionError(f"{table!r} is not the name of a table.", hint="Give NAME or SCHEMA.NAME.")
    _check_file(address)
    kinds = _columns(run.customers, _TYPES[address.engine])
    with _open(address, names) as place:
        found, rows_before = place.columns(), place.rows()
        mine = _check(place, found, kinds=kinds, run=run, mode=mode, table=table)
        rows = int(run.customers.count().to_pyarrow().as_py())
        if tell is not None:
            tell(_sentence(table, address, run=mine, rows=rows, before=rows_before, there=bool(found), mode=mode))
        if mode == "replace" and found:
            if found == kinds:
                place.run(f"DELETE FROM {place.sql}")
            else:
                place.run(f"DROP TABLE {place.sql}")
                found = {}
        if not found:
            shown = ", ".join(f"{quoted(name)} {kind}" for name, kind in kinds.items())
            place.run(f"CREATE TABLE {place.sql} ({shown})")
        place.insert(list(kinds), _batches(run, mine))
    return Written(table=table, database=address.title, run_id=mine, rows_before=rows_before, rows=rows)


def _check_file(address: Address) -> None:
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


def _columns(customers: ir.Table, types: dict[str, str]) -> dict[str, str]:
    """Every column and its type there."""
    own = {"run_id": types["string"], "as_of": types["date"]}
    return own | {name: types[_kind(kind)] for name, kind in customers.schema().items()}


def _kind(kind: dt.DataType) -> str:
    if isinstance(kind, dt.Integer):
        return "small" if isinstance(kind, dt.Int8) else "int"
    known = {
        dt.Boolean: "bool",
        dt.Floating: "float",
        dt.Decimal: "decimal",
        dt.Date: "date",
        dt.Timestamp: "timestamp",
    }
    return next((name for each, name in known.items() if isinstance(kind, each)), "string")


def _check(
    place: _Place, found: dict[str, str], *, kinds: dict[str, str], run: Segmentation, mode: Mode, table: str
) -> str:
    """Refuse what must not be touched; the id of the run."""
    mine = run_id(run)
    if not found:
        return mine
    if mode == "new":
        raise OutputError(
            f"There is a table {table} already, with {counted(place.rows(), 'row')}.",
            hint="Take its place with --replace, add to it with --append, or choose another name.",
        )
    if not {"run_id", "as_of", "customer_id"} <= set(found):
        raise OutputError(
            f"The table {table} was not written by regulars: it has no column run_id, as_of or customer_id.",
            hint="Choose another name; regulars replaces and adds to its own tables only.",
        )
    if mode == "append":
        if lacking := [name for name in kinds if name not in found]:
            raise OutputError(
                f"The table {table} has no column {listed(lacking)}.",
                hint="Add it there, or take the place of the table with --replace.",
            )
        if place.has_run(mine):
            raise OutputError(f"The run {mine} is already in {table}.", hint="Nothing is to be done.")
    return mine


def _sentence(table: str, address: Address, *, run: str, rows: int, before: int, there: bool, mode: Mode) -> str:
    where = f"{table} in {address.title}"
    if not there:
        return f"{where} will be made, with {counted(rows, 'customer')} of the run {run}."
    if mode == "replace":
        return (
            f"The {counted(before, 'row')} of {where} will be replaced by {counted(rows, 'customer')} of the run {run}."
        )
    return f"{counted(rows, 'customer')} of the run {run} will be added to the {counted(before, 'row')} of {where}."


def _batches(run: Segmentation, mine: str) -> Iterator[pa.RecordBatch]:
    """The rows in batches, by customer, from a file of their own: no query stays open while they are written."""
    table = bring_here(run.customers)
    money = [name for name, kind in table.schema().items() if kind.is_decimal()]
    shown = table.select(
        ibis.literal(mine).name("run_id"),
        ibis.date(run.as_of.isoformat()).name("as_of"),
        *(table[name].cast(MONEY).name(name) if name in money else table[name] for name in table.columns),
    )
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        file = Path(folder, "customers.parquet")
        shown.order_by("customer_id").to_parquet(file)
        with pq.ParquetFile(file) as rows:
            yield from rows.iter_batches(BATCH)


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class _Place(Protocol):
    """A table of a database, inside a transaction; `sql` is its name, quoted."""

    sql: str

    def columns(self) -> dict[str, str]:
        """Give the columns and types of the table; nothing where it is not there."""

    def rows(self) -> int:
        """Count its rows; none where it is not there."""

    def has_run(self, run: str) -> bool:
        """Whether rows of a run are in it."""

    def run(self, statement: str) -> None:
        """Run a statement."""

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        """Put rows in."""


def _open(address: Address, names: tuple[str, ...]) -> AbstractContextManager[_Place]:
    """Open the place in a transaction of its own: at the end of the context all is there, on any error nothing is."""
    return {"postgres": _postgres, "sqlite": _sqlite, "duckdb": _duckdb}[address.engine](address, names)


def _refused(address: Address, error: Exception, *, broke_off: bool = False) -> OutputError:
    title = address.title
    if broke_off:
        return OutputError(
            f"The connection to {title} broke off: {address.hide(error)}. Nothing was changed.",
            hint="Try again, or ask who runs the database.",
        )
    return OutputError(
        f"{title[0].upper()}{title[1:]} refuses: {address.hide(error)}. Nothing was changed.",
        hint="Check the name of the table and your rights, and that no other program holds it.",
    )


@contextmanager
def _postgres(address: Address, names: tuple[str, ...]) -> Iterator[_Place]:
    import psycopg

    with closing(connect_postgres(address, read_only=False)) as con:
        con.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # after waiting, see what the other writer did
        try:
            with con.transaction():
                yield _InPostgres(con, names)
        except psycopg.errors.LockNotAvailable:
            raise OutputError(
                f"Another program has held {'.'.join(names)} for {_PATIENCE} seconds. Nothing was changed.",
                hint="Try again when it is done.",
            ) from None
        except psycopg.OperationalError as error:
            raise _refused(address, error, broke_off=True) from None
        except psycopg.Error as error:
            raise _refused(address, error) from None


class _InPostgres:
    def __init__(self, con: psycopg.Connection, names: tuple[str, ...]) -> None:
        self.con = con
        con.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_PATIENCE}s"])
        row = con.execute(
            "SELECT coalesce(%s::text, current_schema())", [names[0] if len(names) > 1 else None]
        ).fetchone()
        self.schema, self.name = (row[0] if row else None) or "public", names[-1]
        self.sql = f"{quoted(self.schema)}.{quoted(self.name)}"
        con.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"regulars {self.sql}"])

    def columns(self) -> dict[str, str]:
        listing = """SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relkind::text FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
        found = self.con.execute(listing, [self.schema, self.name]).fetchall()
        if found and found[0][2] not in ("r", "p"):
            raise OutputError(f"{self.sql} is not a table.", hint="Choose another name.")
        return {name: kind for name, kind, _ in found}

    def rows(self) -> int:
        return self._count("") if self.columns() else 0

    def has_run(self, run: str) -> bool:
        return self._count(f" WHERE run_id = '{run}'") > 0  # an id has letters and digits only

    def run(self, statement: str) -> None:
        self.con.execute(statement.encode())

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        copying = f"COPY {self.sql} ({', '.join(map(quoted, names))}) FROM STDIN"
        with self.con.cursor() as cursor, cursor.copy(copying.encode()) as copy:
            for row in _rows(batches):
                copy.write_row(row)

    def _count(self, which: str) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {self.sql}{which}".encode()).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def _sqlite(address: Address, names: tuple[str, ...]) -> Iterator[_Place]:
    try:
        with closing(sqlite3.connect(str(address.path), timeout=_PATIENCE, isolation_level=None)) as con:
            con.execute("BEGIN IMMEDIATE")
            try:
                yield _InSqlite(con, names)
            except BaseException:
                con.rollback()
                raise
            con.commit()
    except sqlite3.Error as error:
        raise _refused(address, error) from None


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
        self.con.executemany(put, (tuple(map(_for_sqlite, row)) for row in _rows(batches)))


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat(*((" ",) if hasattr(value, "hour") else ())) if isinstance(value, date) else value


@contextmanager
def _duckdb(address: Address, names: tuple[str, ...]) -> Iterator[_Place]:
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
        raise _refused(address, error) from None


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
