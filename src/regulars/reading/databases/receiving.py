"""What every database needs: the table of ours that takes what comes over, and words for what is missing there."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ibis

from regulars.errors import SourceError, listed
from regulars.reading.addresses import TITLES, Address, as_parameter, quoted
from regulars.reading.cells import Opened, count
from regulars.reading.sniffing import named
from regulars.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ibis.backends.duckdb import Backend as DuckDB

ONE_SELECT = "A query may only be one SELECT"
MARK = "_regulars_lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that is brought over: its name, how it is asked for, and its type in DuckDB."""

    name: str
    asked: str
    kind: str


def new_table(con: DuckDB, columns: Sequence[Column], *, where: str) -> str:
    """Make the table that takes what is brought over."""
    names = named([column.name for column in columns], where)
    table = str(ibis.util.gen_name("cells"))
    shown = ", ".join(f"{quoted(name)} {column.kind}" for name, column in zip(names, columns, strict=True))
    con.raw_sql(f"CREATE TEMP TABLE {quoted(table)} ({shown})")
    return table


def brought(con: DuckDB, table: str, *, where: str, address: Address, why: str) -> Opened:
    """What was copied, with a remark that says so."""
    cells = con.table(table)
    rows = count(cells)
    return Opened(
        table=cells,
        source=where,
        fingerprint=partial(fingerprint, cells.schema(), rows),
        copied=True,
        notes=(
            f"{counted(rows, 'row')} {'was' if rows == 1 else 'were'} brought over from {TITLES[address.engine]}: {why}",
        ),
    )


def fingerprint(schema: ibis.Schema, rows: int) -> str:
    """sha256 of schema and row count."""
    columns = "\n".join(f"{name} {kind}" for name, kind in schema.items())
    return hashlib.sha256(f"{columns}\n{rows}".encode()).hexdigest()


def no_table(address: Address, tables: Sequence[tuple[str, ...]]) -> SourceError:
    """The error where no table is named, or none of that name is there; what is there, as an address has it."""
    found = f"Found: {listed(map(as_parameter, tables))}." if tables else "Nothing that you may read is in it."
    if not address.table:
        return SourceError(
            f"No table of {address.title} is named.",
            hint=f"{found} Write ?table=NAME behind the address, and quotation marks around the whole; "
            "or give a query with --query FILE (query=…).",
        )
    close = difflib.get_close_matches(address.table[-1], [table[-1] for table in tables], n=1)
    meant = next((as_parameter(table) for table in tables if [table[-1]] == close), None)
    return SourceError(
        f"There is no table {'.'.join(address.table)!r} in {address.title}.",
        hint=f"Did you mean table={meant}?" if meant else f"{found} Write table=SCHEMA.NAME for one in another schema.",
    )


def missing_extra(address: Address) -> SourceError:
    """The error for a database whose package is not installed."""
    title, extra = TITLES[address.engine], address.engine
    return SourceError(
        f"{title} needs a package that is not installed.", hint=f"Install it with: pip install 'regulars[{extra}]'."
    )
