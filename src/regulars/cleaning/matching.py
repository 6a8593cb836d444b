"""Which lines belong together: hashes of the engine, and joins with a few."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import Parameter, Signature
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

__all__ = ["any_row", "can_hash", "md5", "native", "row_hash", "same"]


def can_hash(table: ir.Table) -> bool:
    """Whether the table's engine has a fast 64-bit hash over several columns.

    Asked by name: ibis knows no such operation, and functions of that name in other engines have 32 bits or one argument.
    """
    return bool(table.get_backend().name == "duckdb")


def row_hash(table: ir.Table, names: Sequence[str]) -> ir.IntegerValue:
    """64-bit hash of some columns: DuckDB's own, because ibis' `hash` takes a way through text."""
    cells = [table[name] for name in names]
    return native("hash", tuple(cell.type() for cell in cells), dt.uint64)(*cells)


@cache
def native(name: str, kinds: tuple[dt.DataType, ...], result: dt.DataType) -> Any:
    """A function of the engine itself, of arguments of these types."""

    def function(*cells: object) -> None: ...

    places = [Parameter(f"cell_{i}", Parameter.POSITIONAL_ONLY) for i in range(len(kinds))]
    function.__signature__ = Signature(places)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(name=name, signature=(kinds, result))(function)


def md5(cell: ir.StringValue) -> ir.StringValue:
    """MD5 of a text as hexadecimal digits, the same on every engine; by the engine's own function where ibis has none."""
    if cell.get_backend().has_operation(ops.HexDigest):
        return cell.hexdigest("md5")
    return native("md5", (dt.string,), dt.string)(cell)


def any_row(table: ir.Table) -> bool:
    """Whether a table has a row; one query."""
    return bool(table.limit(1).count().to_pyarrow().as_py())


def same(lines: ir.Table, few: ir.Table, names: Sequence[str]) -> list[ir.BooleanValue]:
    """Conditions of a join of many lines with a few on columns of text, where null equals null; one small query.

    Where the few have no null, plain equality says the same, and engines compare it faster.
    """
    nulls = few.agg(**{name: few[name].isnull().any() for name in names}).to_pyarrow().to_pylist()[0]
    return [
        lines[name].fill_null("") == few[name].fill_null("") if nulls[name] else lines[name] == few[name]
        for name in names
    ]
