"""The customers of a run as a table of a database: what is checked, said and written, whichever database it is."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow.parquet as pq

from regulars.databasing.files import check_file, in_duckdb, in_sqlite
from regulars.databasing.places import Place
from regulars.databasing.postgres import in_postgres
from regulars.errors import OptionError, OutputError, listed
from regulars.pipeline import Segmentation
from regulars.reading.addresses import TITLES, Address, names_of, parse_address, quoted
from regulars.reading.bringing import bring_here
from regulars.schema import MONEY
from regulars.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["new", "replace", "append"]

_MODES = ("new", "replace", "append")
BATCH = 50_000  # rows that are written at a time
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
    check_file(address)
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
    place: Place, found: dict[str, str], *, kinds: dict[str, str], run: Segmentation, mode: Mode, table: str
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


def _open(address: Address, names: tuple[str, ...]) -> AbstractContextManager[Place]:
    """Open the place in a transaction of its own: at the end of the context all is there, on any error nothing is."""
    return {"postgres": in_postgres, "sqlite": in_sqlite, "duckdb": in_duckdb}[address.engine](address, names)
