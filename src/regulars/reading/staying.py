"""Lines that stay with their engine: a cluster writes them itself, they do not pass through this process."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from regulars.errors import OptionError, OutputError
from regulars.keeping import keep, release
from regulars.reading.bringing import bring_here
from regulars.reading.spark import first_line

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["check_reach", "write_lines"]

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_SHARED = (
    "Choose a folder with -o on a disk that all workers share, or let them write elsewhere with --set-aside-to, such as "
    "s3a://bucket/folder."
)


def check_reach(table: ir.Table, folder: Path, to: str | None) -> None:
    """See, before anything is worked out, that the engine of order lines can write those that will be set aside.

    Parameters
    ----------
    table
        Order lines. Only of a cluster is anything asked: its executors write a row each into the folder, one query.
    folder
        A folder of this machine that exists.
    to
        Another place, for Spark only: an address that Spark can write to, or a folder that all workers share.

    Raises
    ------
    OptionError
        Another place was given, and the engine is not Spark.
    OutputError
        The executors do not share the folder's disk, or there is something at the other place already.
    """
    engine = table.get_backend()
    if engine.name != "pyspark":
        if to is not None:
            raise OptionError(
                "Lines that are set aside can be written to another place only by Spark.",
                hint="Leave --set-aside-to out, or add --engine spark.",
            )
        return
    if to is not None:
        if not to.strip():
            raise OptionError("The place for lines that are set aside is empty.", hint="Name one, or leave it out.")
        _refuse_existing(engine._session, to)
        return
    context = engine._session.sparkContext
    if context.master.startswith("local"):
        return
    parts = min(2 * context.defaultParallelism, 200)
    probe = folder / ".probe"
    try:
        _write(engine._session.range(0, parts, 1, parts), probe.as_uri(), where=folder.parent)
        if _rows(probe) != parts:
            raise OutputError(
                f"The executors at {context.master} do not write to the disk of {folder.parent}.", hint=_SHARED
            )
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def write_lines(table: ir.Table, path: Path, to: str | None = None) -> None:
    """Write lines as Parquet: one file; from Spark a folder of files, which its executors write.

    Parameters
    ----------
    table
        The lines.
    path
        Where to, on this machine.
    to
        Another place, for Spark only; then nothing is written to `path`.

    Raises
    ------
    OutputError
        The executors do not share the disk of `path`, or cannot write to the other place.
    """
    engine = table.get_backend()
    if engine.name != "pyspark":
        bring_here(table).to_parquet(path)
        return
    kept = keep(table)
    rows = int(kept.count().to_pyarrow().as_py())
    _write(
        engine._session.table(kept.op().name), path.as_uri() if to is None else _address(to), where=to or path.parent
    )
    release(kept)
    if to is not None:
        return
    for sums in path.glob(".*.crc"):
        sums.unlink()
    if _rows(path) != rows:
        raise OutputError(f"Not every executor of Spark writes to the disk of {path.parent.parent}.", hint=_SHARED)


def _write(frame: Any, address: str, *, where: Path | str) -> None:
    clock = [each.name for each in frame.schema if each.dataType.typeName() == "timestamp"]
    frame = frame.withColumns({name: frame[name].cast("timestamp_ntz") for name in clock})  # no zone, as elsewhere
    try:
        frame.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(address)
    except Exception as error:  # of Spark, through Java
        raise OutputError(
            f"The executors of Spark cannot write to {where}: {first_line(error)}.", hint=_SHARED
        ) from error


def _rows(folder: Path) -> int:
    """Rows of the Parquet files that this machine sees in a folder."""
    return sum(pq.read_metadata(file).num_rows for file in folder.glob("*.parquet"))


def _address(to: str) -> str:
    return to if _ADDRESS.match(to) else Path(to).absolute().as_uri()


def _refuse_existing(session: Any, to: str) -> None:
    try:
        place = session._jvm.org.apache.hadoop.fs.Path(_address(to))
        found = place.getFileSystem(session._jsc.hadoopConfiguration()).exists(place)
    except Exception as error:  # of Java, in many kinds
        raise OutputError(f"Spark cannot write to {to}: {first_line(error)}.", hint="Check the address.") from error
    if found:
        raise OutputError(f"There is something at {to} already.", hint="Choose another place with --set-aside-to.")
