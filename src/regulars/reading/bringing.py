"""Tables of any engine, brought over into a DuckDB of our own: for files, and where an engine lacks an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from regulars.keeping import pieces
from regulars.reading.connecting import connect, machine

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB

__all__ = ["bring_here", "is_here", "our_duckdb"]


def is_here(table: ir.Table) -> bool:
    """Whether a table is in a DuckDB of this process: nothing has to be brought over to be written into files."""
    return bool(table.get_backend().name == "duckdb")


def our_duckdb() -> DuckDB:
    """A private DuckDB with the usual limits."""
    return connect(machine(memory_limit=None, threads=None, temp_dir=None))


def bring_here(table: ir.Table, *, con: DuckDB | None = None) -> ir.Table:
    """Bring a table over, piece by piece, with the types that it has; one that is here already stays as it is.

    Parameters
    ----------
    table
        Of any engine.
    con
        Where to; `None` takes a DuckDB of its own.
    """
    if con is None and is_here(table):
        return table
    con = con or our_duckdb()
    kinds = table.schema()
    name = ibis.util.gen_name("brought")
    brought = con.create_table(name, schema=kinds, temp=True)
    for piece in pieces(table):
        con.con.register("_regulars_piece", piece.cast(kinds.to_pyarrow()))
        con.raw_sql(f"INSERT INTO {name} SELECT * FROM _regulars_piece")
        con.con.unregister("_regulars_piece")
    return brought
