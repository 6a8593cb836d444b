"""What is asked of which database: an address, and a table or a query; each kind of database has its own room."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.errors import OptionError, SourceError
from regulars.reading.addresses import Address, is_database, parse_address, quoted
from regulars.reading.databases.files import from_duckdb, from_sqlite
from regulars.reading.databases.others import ibis_table, said_by_ibis, through_ibis
from regulars.reading.databases.postgres import from_postgres
from regulars.reading.databases.receiving import ONE_SELECT

if TYPE_CHECKING:
    import ibis

    from regulars.reading.cells import Opened
    from regulars.reading.connecting import Machine

#: What a query begins with, after comments and brackets.
_BEGINS = re.compile(r"(?s)(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)")
_SELECT = ("select", "with", "from", "values", "table")


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
            return from_postgres(address, text, where=where, told=told)
        case "sqlite":
            return from_sqlite(address, text, where=where, told=told)
        case "duckdb":
            return from_duckdb(address, text, where=where, told=told)
        case _:
            return through_ibis(address, text, where=where, told=told)


def table_inside(source: str, *, query: str | Path | None) -> tuple[ibis.Table, str]:
    """A table, or the answer to a query, that stays in its database; and what it is called.

    What is asked of it later may keep temporary tables there, which go with the session.

    Errors
    ------
    SourceError, OptionError
        As for `open_database`.
    """
    address, text, where = _asked(source, query)
    with said_by_ibis(address):
        return ibis_table(address, text), where


def first_of_table(source: str, *, rows: int, told: Machine) -> Any:
    """The first rows of a table in a database, as an Arrow table, without bringing over the others.

    Errors
    ------
    SourceError
        As for `open_database`.
    """
    address = parse_address(source)
    if address.engine not in ("postgres", "sqlite", "duckdb"):
        with said_by_ibis(address):
            return ibis_table(address, None).limit(rows).to_pyarrow()
    asked = f"SELECT * FROM {'.'.join(quoted(name) for name in address.table)} LIMIT {rows}" if address.table else ""
    try:
        return open_database(_without_table(source), query=asked, told=told).table.to_pyarrow()
    except SourceError:
        found = open_database(source, query=None, told=told)  # says what is wrong in better words
    return found.table.limit(rows).to_pyarrow()


def _asked(source: str, query: str | Path | None) -> tuple[Address, str | None, str]:
    """What is asked of which database, and what it is called in messages."""
    address, text = parse_address(source), None if query is None else _text(query)
    if text is not None and address.table:
        raise OptionError(
            "Both a table and a query are given.", hint="Leave table=… out of the address, or leave the query out."
        )
    what = ".".join(address.table) if text is None else "the query"
    return address, text, f"{what} in {address.title}" if what else address.title


def _without_table(source: str) -> str:
    """An address without its table."""
    begin, mark, rest = source.partition("?")
    kept = [pair for pair in rest.split("&") if pair and pair.partition("=")[0] not in ("table", "schema")]
    return begin + (mark + "&".join(kept) if kept else "")


def _text(query: str | Path) -> str:
    if isinstance(query, Path):
        try:
            query = query.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"The query {query} cannot be read: {error}.", hint="Give a text file of SQL.") from error
    if not (text := query.strip().rstrip(";").rstrip()):
        raise SourceError("The query is empty.", hint="Write a SELECT that gives one row per order line.")
    begin = _BEGINS.match(text)
    if begin is None or begin[1].lower() not in _SELECT:
        raise SourceError(
            f"{ONE_SELECT}, and this one begins with {begin[1] or text[:10]!r}." if begin else f"{ONE_SELECT}.",
            hint="Write one that gives one row per order line; nothing is ever written there.",
        )
    return text
