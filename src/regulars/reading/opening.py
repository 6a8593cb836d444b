"""Open a source: any file, folder, frame or table becomes one Ibis table of cells, not yet understood."""

from __future__ import annotations

import difflib
import glob
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from regulars.errors import SourceError, listed
from regulars.reading.addresses import ENGINES, is_database, without_secrets
from regulars.reading.bringing import lacks_for_cleaning
from regulars.reading.cells import Opened, Part, append, count, name_of, same_columns
from regulars.reading.connecting import connect
from regulars.reading.databases import open_database, table_inside
from regulars.reading.fingerprints import fingerprinting
from regulars.reading.loading import open_text
from regulars.reading.sniffing import damaged, named
from regulars.reading.workbooks import read_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from regulars.reading.connecting import Machine
    from regulars.reading.loading import Known

TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv", ".dat")
PARQUET = (".parquet", ".pq")
WORKBOOK = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_DATABASE_FILES = {".duckdb": "duckdb", ".ddb": "duckdb", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite"}
ALLOWED = (*TEXT, *PARQUET, *WORKBOOK)
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def open_source(
    source: object,
    *,
    sheet: str | None = None,
    query: str | Path | None = None,
    told: Machine,
    known: Known,
    spark: bool = False,
    master: str | None = None,
    inside: bool = False,
) -> Opened:
    """Open whatever the user has.

    Text files and workbooks are copied into temporary tables of a private in-memory DuckDB; Parquet is
    scanned in place; an Ibis table stays on its own backend. Nothing is written beside the user's files.

    Parameters
    ----------
    source
        A path, folder or glob; the address of a database; a pandas, Polars or Arrow frame; an Ibis table.
    sheet
        The sheet of a workbook.
    query
        What a database is asked, instead of a table.
    told
        What our own DuckDB may use.
    known
        Recognises the columns of a header: None where needed ones are missing.
    spark, master
        Whether Spark opens files, and on which cluster.
    inside
        Whether the lines of a database stay there.

    Errors
    ------
    SourceError
        Missing, empty, damaged, of an unknown kind, or files that do not go together.
    """
    if inside:
        table, name = table_inside(str(source), query=query)
        return replace(_open_table(table, told=told), source=name)
    if query is not None or is_database(source):
        return open_database(source, query=query, told=told)
    if isinstance(source, ibis.Table):
        return _open_table(source, told=told)
    if isinstance(source, str | Path):
        if spark:
            return _open_with_spark(str(source), master=master, known=known)
        return _open_files(str(source), sheet=sheet, told=told, known=known)
    return _open_frame(source, told=told)


def _open_table(source: ibis.Table, *, told: Machine) -> Opened:
    """An Ibis table stays where it is, unless its engine cannot clean order lines."""
    name, engine = getattr(source.op(), "name", "the Ibis table"), source.get_backend()
    if engine.name == "pyspark":
        from regulars.reading.spark import refuse_connect

        refuse_connect(engine)
    if not (lacking := lacks_for_cleaning(source)):
        return Opened(table=source, source=name, fingerprint=str)
    opened = _open_frame(source.to_pyarrow(), told=told)
    rows = opened.parts[0].rows
    note = f"{engine.name} has no {' and no '.join(lacking)}: all order lines ({rows:,}) were brought over into DuckDB."
    return replace(opened, source=name, notes=(note,))


def _open_with_spark(source: str, *, master: str | None, known: Known) -> Opened:
    from regulars.reading.spark import open_with_spark

    if _ADDRESS.match(source):
        opened = open_with_spark(source, (), kind="parquet", master=master, known=known)
        return replace(opened, source=without_secrets(source))
    paths, kind, name = _files_of(source)
    return replace(open_with_spark(source, paths, kind=kind, master=master, known=known), source=name)


def _files_of(source: str) -> tuple[list[Path], str, str]:
    """The files of a source, which must be of one kind and can be opened; that kind; and a name for people."""
    paths = paths_of(source)
    kinds = {kind_of(path) for path in paths}
    if len(kinds) > 1:
        names = [next(path.name for path in paths if kind_of(path) == kind) for kind in sorted(kinds)]
        raise SourceError(
            f"{source} has files of several kinds: {listed(names)}.",
            hint="Read one kind at a time, with a pattern such as 'folder/*.csv'.",
        )
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            raise SourceError(
                f"{path.name} cannot be opened: {error.strerror or error}.",
                hint="Check that you may read it and that no program holds it.",
            ) from error
    return paths, kinds.pop(), paths[0].name if len(paths) == 1 else f"{source} ({len(paths)} files)"


def _open_files(source: str, *, sheet: str | None, told: Machine, known: Known) -> Opened:
    paths, kind, name = _files_of(source)
    match kind:
        case "text":
            found = open_text(paths, told=told, known=known)
        case "parquet":
            found = _open_parquet(paths, told=told)
        case _:
            found = _open_workbooks(paths, sheet=sheet, told=told, known=known)
    return replace(found, source=name)


def paths_of(source: str) -> list[Path]:
    """The files that a path, folder or pattern stands for, by name; hidden ones are left alone."""
    if (address := _ADDRESS.match(source)) is not None:
        web = address[0].lower() in ("http://", "https://", "ftp://")
        known = listed((f"{name}://" for name in ENGINES), most=20)
        why = "downloads are not supported yet" if web else f"{address[0]} is not known"
        raise SourceError(
            f"{without_secrets(source)!r} is an address that cannot be read: {why}.",
            hint=f"{'Save the file first. ' if web else ''}Databases begin with {known}.",
        )
    if not source.strip():
        raise SourceError("The source is an empty text.", hint="Give the path of a file or folder.")
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        visible = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith((".", "_"))]
        if found := [file for file in visible if kind_of(file, strict=False)]:
            return found
        raise SourceError(f"The folder {source} has no file that can be read.", hint=f"Allowed: {listed(ALLOWED)}.")
    if glob.has_magic(source):
        matched = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
        if found := [file for file in matched if file.is_file() and not file.name.startswith((".", "_"))]:
            return found
        raise SourceError(f"No file matches {source!r}.", hint="Check the folder and the pattern.")
    beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Check the path."
    raise SourceError(f"There is no file {source!r}.", hint=hint)


def kind_of(path: Path, *, strict: bool = True) -> str:
    """What a file is by its ending: text, parquet or workbook; nothing or an error if none of them."""
    name = path.name.lower()
    if name.removesuffix(".gz").endswith(TEXT):
        return "text"
    if name.endswith(PARQUET):
        return "parquet"
    if name.endswith(WORKBOOK):
        return "workbook"
    if not strict:
        return ""
    scheme = _DATABASE_FILES.get(path.suffix.lower())
    if scheme is not None:
        raise SourceError(
            f"{path.name} looks like a database.", hint=f"Give its address: '{scheme}:///{path}?table=NAME'."
        )
    raise SourceError(
        f"{path.name} has an ending that is not supported.",
        hint=f"Allowed: {listed(ALLOWED)}; text also as .gz.",
    )


def _open_parquet(paths: Sequence[Path], *, told: Machine) -> Opened:
    import duckdb

    con, tables, fingerprint = connect(told), [], fingerprinting(paths)
    for path in paths:
        try:
            tables.append(con.read_parquet(glob.escape(str(path)), hive_partitioning=False))
        except duckdb.Error as error:
            raise (damaged(path, "a Parquet file") if path.stat().st_size else _empty(path)) from error
    same_columns(paths, [table.columns for table in tables])
    parts = tuple(
        Part(name=path.name, rows=count(table), first=1, counted="") for path, table in zip(paths, tables, strict=True)
    )
    table = tables[0] if len(tables) == 1 else ibis.union(*(table.select(*tables[0].columns) for table in tables))
    return Opened(table=table, source="", fingerprint=fingerprint, parts=parts)


def _empty(path: Path) -> SourceError:
    return SourceError(f"{path.name} is empty.", hint="Export it again, or choose another file.")


def _open_workbooks(paths: Sequence[Path], *, sheet: str | None, told: Machine, known: Known) -> Opened:
    sheets = [read_sheet(path, sheet=sheet, fits=lambda header: known(header) is not None) for path in paths]
    same_columns(paths, [found.cells.column_names for found in sheets])
    con, cells, parts = connect(told), None, []
    for path, found in zip(paths, sheets, strict=True):
        table = con.create_table(ibis.util.gen_name("cells"), found.cells, temp=True)
        parts.append(
            Part(name=path.name, rows=found.cells.num_rows, first=found.row, counted=f", sheet {found.name!r}")
        )
        cells = append(con, table, to=cells)
    return Opened(
        table=cells,
        source="",
        fingerprint=fingerprinting(paths),
        parts=tuple(parts),
        copied=True,
        notes=(f"Sheet {sheets[0].name!r}, column names in row {sheets[0].row - 1}.",),
    )


def _open_frame(frame: Any, *, told: Machine) -> Opened:
    kind = type(frame).__module__.split(".")[0]
    known = {"pandas": "pandas DataFrame", "polars": "Polars DataFrame", "pyarrow": "Arrow table"}
    if kind not in known or not hasattr(frame, "columns" if kind != "polars" else "collect_schema"):
        raise SourceError(
            f"Orders cannot be read from an object of type {type(frame).__name__}.",
            hint="Give a path, a folder, a pattern, a pandas, Polars or Arrow table, or an Ibis table.",
        )
    cells = _as_arrow(frame, kind)
    con = connect(told)
    table = con.create_table(ibis.util.gen_name("frame"), cells, temp=True)
    digest = hashlib.sha256(
        f"{cells.schema.to_string(show_schema_metadata=False)}\n{cells.num_rows}".encode()
    ).hexdigest()
    part = Part(name=f"the {known[kind]}", rows=cells.num_rows, first=1, counted="")
    return Opened(table=table, source=known[kind], fingerprint=lambda: digest, parts=(part,), copied=True)


def _as_arrow(frame: Any, kind: str) -> pa.Table:
    """A frame as an Arrow table of plain columns: names as text, clock times as the shop saw them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "pandas":
        cells = _from_pandas(frame)
    elif kind == "polars":
        cells = (frame.collect() if hasattr(frame, "collect") else frame).to_arrow()
    else:
        cells = frame if isinstance(frame, pa.Table) else pa.Table.from_batches([frame])
    cells = cells.rename_columns(list(named([str(name) for name in cells.column_names], "The table")))
    for place, column in enumerate(cells.schema):
        values: Any = cells.column(place)
        if pa.types.is_dictionary(column.type):
            values = values.cast(column.type.value_type)
        elif pa.types.is_timestamp(column.type) and column.type.tz:
            values = pc.local_timestamp(values)
        elif pa.types.is_null(column.type):
            values = values.cast(pa.string())
        else:
            continue
        cells = cells.set_column(place, column.name, values)
    return cells


def _from_pandas(frame: Any) -> pa.Table:
    """A pandas frame; a named index is a column, and cells of several types in one column become text."""
    import pyarrow as pa

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    named([str(name) for name in frame.columns], "The pandas DataFrame")
    columns: dict[str, Any] = {}
    for name in frame.columns:
        try:
            columns[str(name)] = pa.Array.from_pandas(frame[name])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[str(name)] = pa.Array.from_pandas(frame[name].map(str, na_action="ignore"))
    return pa.table(columns)


def drop(opened: Opened) -> None:
    """Give back the memory of copied cells, after they were understood."""
    if opened.copied:
        opened.table.get_backend().drop_table(name_of(opened.table))
