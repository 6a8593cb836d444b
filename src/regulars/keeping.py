"""What is used more than once is worked out once, and kept inside the engine."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

__all__ = ["apart", "keep", "pieces", "release"]

_MORE_THAN_ALL = 2**63 - 1  # rows
_PIECE = 100_000  # rows: from PostgreSQL they come as objects of Python
_RELEASES: weakref.WeakKeyDictionary[Any, weakref.finalize[..., Any]] = weakref.WeakKeyDictionary()


def keep(table: ir.Table) -> ir.Table:
    """Keep a table inside its engine until nobody needs it, or until `release`.

    Elsewhere it is a temporary table. Spark keeps it in the executors' memory, and on their disks what does not fit there;
    what a lost executor had is worked out again. Its plan begins anew there: what is asked of a table that was made of
    kept tables would otherwise repeat all plans that they were made by, and grow out of hand.
    """
    backend = table.get_backend()
    return _keep_in_spark(backend, table) if backend.name == "pyspark" else table.cache()


def release(*tables: ir.Table | None) -> None:
    """Give back the memory of kept tables, where there are any; what was made of them and is kept itself stays."""
    for table in tables:
        if isinstance(table, ir.CachedTable):
            table.release()
        elif table is not None and (given_back := _RELEASES.get(table.op())) is not None:
            given_back()


def apart(table: ir.Table) -> ir.Table:
    """Let PostgreSQL work a table out before what is asked of it; elsewhere the table as it is.

    PostgreSQL writes a query into the one around it, and with it what a column is made of at every place where the column
    is named: a few steps that name theirs several times become thousands of times the work. It leaves a query alone that
    has a limit, even one that no table reaches.
    """
    engines = {source.source.name for source in table.op().find(ops.DatabaseTable)}
    return table.limit(_MORE_THAN_ALL) if engines == {"postgres"} else table


@ibis.udf.scalar.builtin(name="spark_partition_id")  # type: ignore[untyped-decorator]
def _partition() -> int:  # type: ignore[empty-body]
    """Part of a table in which a row is."""


def pieces(table: ir.Table) -> Iterator[pa.Table]:
    """Hand a table over piece by piece, so that it is never in Python's memory as a whole.

    From Spark, which would hand it over as a whole, each piece is what one task has worked out.
    """
    if table.get_backend().name != "pyspark":
        yield from map(pa.Table.from_batches, ([batch] for batch in table.to_pyarrow_batches(chunk_size=_PIECE)))
        return
    kept = keep(table)
    parts = kept.select(part=_partition()).distinct().to_pyarrow()["part"].to_pylist()
    for part in sorted(parts):
        yield kept.filter(_partition() == part).to_pyarrow()
    release(kept)


def _keep_in_spark(backend: Any, table: ir.Table) -> ir.Table:
    name = ibis.util.gen_name("kept")
    if table.op().find(ops.InMemoryTable):  # by making a view, ibis hands these over; by compiling it does not
        backend.create_view(name, table)
    frame = backend.raw_sql(backend.compile(table))
    session = frame.sparkSession
    rows, kinds = frame._jdf.toJavaRDD(), frame._jdf.schema()  # rows stay where they are: only Java sees them
    kept = type(frame)(session._jsparkSession.createDataFrame(rows, kinds), session).persist()
    kept.count()  # worked out now: what it was made of may be given back
    kept.createOrReplaceTempView(name)
    found = backend.table(name)
    _RELEASES[found.op()] = weakref.finalize(found.op(), _forget, session, kept, name)
    return found


def _forget(session: Any, kept: Any, name: str) -> None:
    if session.sparkContext._jsc is not None:  # a session that was stopped has forgotten it already
        session.catalog.dropTempView(name)
        kept.unpersist()
