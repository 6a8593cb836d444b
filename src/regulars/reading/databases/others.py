"""Lines out of any database that ibis knows: asked there, or brought over through a file."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import sqlglot
from sqlglot import exp

from regulars.errors import SourceError
from regulars.reading.addresses import Address, quoted
from regulars.reading.connecting import connect
from regulars.reading.databases.files import file_of
from regulars.reading.databases.postgres import ask_for_columns
from regulars.reading.databases.receiving import ONE_SELECT, brought, missing_extra, no_table
from regulars.reading.sniffing import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibis.backends.duckdb import Backend as DuckDB

    from regulars.reading.cells import Opened
    from regulars.reading.connecting import Machine

_DIALECTS = {"mssql": "tsql", "motherduck": "duckdb"}
_WRITES = (exp.DML, exp.DDL, exp.Into, exp.Command, exp.Drop, exp.Alter, exp.TruncateTable)


def through_ibis(address: Address, query: str | None, *, where: str, told: Machine) -> Opened:
    """Any other database that ibis knows: its rows come over as Arrow batches."""
    with said_by_ibis(address):
        lines, con = ibis_table(address, query), connect(told)
        table = bring_over(lines, con, where=where, told=told)
    return brought(con, table, where=where, address=address, why="only reading is asked of it.")


@contextmanager
def said_by_ibis(address: Address) -> Iterator[None]:
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


def ibis_table(address: Address, query: str | None) -> ibis.Table:
    """The table of an address, or the answer to a query, still in its own engine."""
    if query is None and not address.table:
        raise no_table(address, ())
    if query is not None:
        _refuse_more_than_a_select(query, address)
        return _connected(address).sql(query)
    backend = _connected(address)
    *place, name = address.table
    return backend.table(name, **({"database": tuple(place) if len(place) > 1 else place[0]} if place else {}))


def _refuse_more_than_a_select(query: str, address: Address) -> None:
    """Refuse a query that is more than one statement, or that writes: ibis would hand it on as it is.

    PostgreSQL is asked itself, in a session that may not; the others are read for.
    """
    if address.engine == "postgres":
        ask_for_columns(address, query)
        return
    try:
        statements = sqlglot.parse(query, read=_DIALECTS.get(address.engine, address.engine))
    except sqlglot.errors.SqlglotError as error:
        raise SourceError(
            f"The query is not understood: {str(error).partition(chr(10))[0].rstrip('.')}.", hint=f"{ONE_SELECT}."
        ) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(*_WRITES):
        raise SourceError(f"{ONE_SELECT}, and this one is more.", hint="Nothing was asked of the database.")


def _connected(address: Address) -> Any:
    if address.engine == "motherduck":
        return ibis.duckdb.connect(f"md:{address.database}")
    if address.engine == "postgres":
        told = dict(address.options)
        return ibis.postgres.connect(database=told.pop("dbname", None), **told)
    if address.engine == "sqlite":
        return ibis.sqlite.connect(file_of(address))
    if address.engine == "duckdb":
        return ibis.duckdb.connect(file_of(address), read_only=True)
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
