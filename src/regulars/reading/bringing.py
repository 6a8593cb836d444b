"""Tables of any engine, brought over into a DuckDB of our own: for files, and where an engine lacks an operation."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.operations as ops

from regulars.keeping import pieces
from regulars.reading.connecting import connect, machine

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB

__all__ = ["bring_here", "lacks_for_cleaning", "lacks_for_counting"]

#: Engine → our DuckDB beside it: what is brought over from one engine can be joined.
_BESIDE: weakref.WeakKeyDictionary[Any, DuckDB] = weakref.WeakKeyDictionary()

#: What cleaning is made of, and what comes after it, in words: an engine is asked whether it can, never for its name.
CLEANING = {"window functions": ops.WindowFunction}
COUNTING = {"median": ops.Median, "quantiles": ops.MultiQuantile}


def lacks_for_cleaning(table: ir.Table) -> tuple[str, ...]:
    """What the engine of order lines cannot do, of what cleaning needs: then lines are brought over."""
    return _lacking(table, CLEANING)


def lacks_for_counting(table: ir.Table) -> tuple[str, ...]:
    """What the engine cannot do, of what comes after cleaning: then orders are brought over."""
    return _lacking(table, COUNTING)


def _lacking(table: ir.Table, needed: dict[str, type[ops.Value]]) -> tuple[str, ...]:
    engine = table.get_backend()
    return tuple(words for words, operation in needed.items() if not engine.has_operation(operation))


def bring_here(table: ir.Table) -> ir.Table:
    """Bring a table over, piece by piece, with the types that it has; one that is in a DuckDB already stays as it is.

    All tables of one engine come into one DuckDB of our own, with the usual limits.
    """
    engine = table.get_backend()
    if engine.name == "duckdb":
        return table
    con = _BESIDE.get(engine)
    if con is None:
        con = _BESIDE[engine] = connect(machine(memory_limit=None, threads=None, temp_dir=None))
    kinds = table.schema()
    name = ibis.util.gen_name("brought")
    brought = con.create_table(name, schema=kinds, temp=True)
    for piece in pieces(table):
        con.con.register("_regulars_piece", piece.cast(kinds.to_pyarrow()))
        con.raw_sql(f"INSERT INTO {name} SELECT * FROM _regulars_piece")
        con.con.unregister("_regulars_piece")
    return brought
