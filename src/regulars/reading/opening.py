"""Open a source: any file, folder, frame or table becomes one Ibis table of cells, not yet understood."""

from __future__ import annotations

import difflib
import glob
import hashlib
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from regulars.errors import SourceError, listed
from regulars.reading.sniffing import DELIMITERS, ENCODINGS, Dialect, damaged, named, sniff, transcode
from regulars.reading.workbooks import read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from ibis.backends.duckdb import Backend as DuckDB

    Fits = Callable[[tuple[str, ...]], bool]

TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv", ".dat")
PARQUET = (".parquet", ".pq")
WORKBOOK = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
ALLOWED = (*TEXT, *PARQUET, *WORKBOOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a source: its rows in the table, and what the first of them is called."""

    name: str
    rows: int
    first: int
    counted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source's cells.

    Parameters
    ----------
    table
        The cells, under the source's column names, in the source's row order.
    source
        The name for people.
    fingerprint
        sha256 of the content; of the schema and count for frames; empty for Ibis tables.
    parts
        The files, in order; empty where rows have no numbers (Ibis tables).
    copied
        Whether `table` is a temporary table of our own DuckDB.
    delimiter
        Of text files.
    notes
        What was found out about the files.
    """

    table: ibis.Table
    source: str
    fingerprint: str
    parts: tuple[Part, ...] = ()
    copied: bool = False
    delimiter: str | None = None
    notes: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """A row, from 0, in words that let a person find it."""
        for part in self.parts:
            if row < part.rows:
                return f"Row {row + part.first:,} of {part.name}{part.counted}"
            row -= part.rows
        return f"A row of {self.source}"


def open_source(source: object, *, sheet: str | None = None, fits: Fits) -> Opened:
    """Open whatever the user has.

    Text files and workbooks are copied into temporary tables of a private in-memory DuckDB; Parquet is
    scanned in place; an Ibis table stays on its own backend. Nothing is written beside the user's files.

    Parameters
    ----------
    source
        A path, folder or glob; a pandas, Polars or Arrow frame; an Ibis table.
    sheet
        The sheet of a workbook.
    fits
        Whether a header has the columns that are needed.

    Errors
    ------
    SourceError
        Missing, empty, damaged, of an unknown kind, or files that do not go together.
    """
    if isinstance(source, ibis.Table):
        name = getattr(source.op(), "name", "the Ibis table")
        return Opened(table=source, source=name, fingerprint="")
    if isinstance(source, str | Path):
        return _open_files(str(source), sheet=sheet, fits=fits)
    return _open_frame(source)


def connect() -> DuckDB:
    """A private in-memory DuckDB: it fetches no extension and spills only into the temporary folder."""
    spill = Path(tempfile.gettempdir()) / ibis.util.gen_name("regulars")  # DuckDB makes it when needed, and removes it
    con = ibis.duckdb.connect(temp_directory=str(spill), autoinstall_known_extensions="false")
    # Switched off only where it is on: in a notebook without ipywidgets the setting itself is an error.
    if con.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        con.raw_sql("SET enable_progress_bar = false")
    return con


def _open_files(source: str, *, sheet: str | None, fits: Fits) -> Opened:
    paths = _paths(source)
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        names = [next(path.name for path in paths if _kind(path) == kind) for kind in sorted(kinds)]
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
    name = paths[0].name if len(paths) == 1 else f"{source} ({len(paths)} files)"
    match kinds.pop():
        case "text":
            found = _open_text(paths, fits)
        case "parquet":
            found = _open_parquet(paths)
        case _:
            found = _open_workbooks(paths, sheet=sheet, fits=fits)
    return replace(found, source=name)


def _paths(source: str) -> list[Path]:
    """The files that a path, folder or pattern stands for, by name; hidden ones are left alone."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source):
        raise SourceError(f"{source!r} is an address: downloads are not supported yet.", hint="Save the file first.")
    if not source.strip():
        raise SourceError("The source is an empty text.", hint="Give the path of a file or folder.")
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        visible = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith((".", "_"))]
        if found := [file for file in visible if _kind(file, strict=False)]:
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


def _kind(path: Path, *, strict: bool = True) -> str:
    name = path.name.lower()
    if name.removesuffix(".gz").endswith(TEXT):
        return "text"
    if name.endswith(PARQUET):
        return "parquet"
    if name.endswith(WORKBOOK):
        return "workbook"
    if not strict:
        return ""
    raise SourceError(
        f"{path.name} has an ending that is not supported.",
        hint=f"Allowed: {listed(ALLOWED)}; text also as .gz.",
    )


def _open_text(paths: Sequence[Path], fits: Fits) -> Opened:
    dialects = [sniff(path, fits=fits) for path in paths]
    _same_columns(paths, [dialect.header for dialect in dialects])
    con = connect()
    cells, parts = None, []
    for path, dialect in zip(paths, dialects, strict=True):
        table = _load_text(con, path, dialect=dialect)
        counted = " (counting the header as row 1)" if not dialect.skip else ""
        parts.append(Part(name=path.name, rows=_count(table), first=2 + dialect.skip, counted=counted))
        cells = _append(con, table, to=cells)
    delimiter = dialects[0].delimiter
    encodings = " and ".join(sorted({ENCODINGS[dialect.encoding] for dialect in dialects}))
    mark = DELIMITERS.get(delimiter, repr(delimiter))
    return Opened(
        table=cells,
        source="",
        fingerprint=_together(paths, [dialect.fingerprint for dialect in dialects]),
        parts=tuple(parts),
        copied=True,
        delimiter=delimiter,
        notes=(f"Text in {encodings}, cells separated by {mark}.",),
    )


def _load_text(con: DuckDB, path: Path, *, dialect: Dialect) -> ibis.Table:
    """Copy one text file into a temporary table, all cells as text.

    DuckDB moves casts of a view into its CSV reader and then stops at the first bad cell: hence the copy.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        clean = Path(folder) / "cells.csv"
        plain = dialect.encoding == "utf-8"
        if not plain:
            transcode(path, clean, encoding=dialect.encoding)
        try:
            return _copy(con, path if plain else clean, dialect=dialect)
        except duckdb.Error as error:
            if "invalid state" not in str(error):
                raise _broken(path, error) from error
        _one_line_end(path, clean, encoding=dialect.encoding)
        try:
            return _copy(con, clean, dialect=dialect)
        except duckdb.Error as error:
            raise _broken(path, error) from error


def _copy(con: DuckDB, path: Path, *, dialect: Dialect) -> ibis.Table:
    view = con.read_csv(
        glob.escape(str(path)),
        columns=dict.fromkeys(dialect.header, "VARCHAR"),
        auto_detect=False,
        hive_partitioning=False,
        header=True,
        skip=dialect.skip,
        delim=dialect.delimiter,
        quote='"',
        escape='"',
    )
    return con.create_table(ibis.util.gen_name("cells"), view, temp=True)


def _one_line_end(path: Path, target: Path, *, encoding: str) -> None:
    r"""Write the file with `\n` only: DuckDB refuses files that mix line ends."""
    transcode(path, target, encoding=encoding)
    with target.open(encoding="utf-8", newline=None) as mixed:
        text = mixed.read()
    target.write_text(text, encoding="utf-8", newline="\n")


def _broken(path: Path, error: Exception) -> SourceError:
    """DuckDB's complaint about a text file, in plain words."""
    text = str(error)
    line = re.search(r"Line: (\d+)", text)
    cells = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    where = f"Line {int(line[1]):,} of {path.name}" if line else path.name
    if cells:
        return SourceError(
            f"{where} has {cells[2]} cells, the header has {cells[1]}.",
            hint="Put quotation marks around cells that contain the delimiter, or export the file again.",
        )
    if "quote" in text:
        return SourceError(
            f"{where} has a quotation mark that is not closed.",
            hint="Close it, or double it inside of a cell.",
        )
    return SourceError(f"{where} cannot be read as a table of text.", hint="Export it again as CSV in UTF-8.")


def _open_parquet(paths: Sequence[Path]) -> Opened:
    import duckdb

    con, tables = connect(), []
    for path in paths:
        try:
            tables.append(con.read_parquet(glob.escape(str(path)), hive_partitioning=False))
        except duckdb.Error as error:
            raise (damaged(path, "a Parquet file") if path.stat().st_size else _empty(path)) from error
    _same_columns(paths, [table.columns for table in tables])
    parts = tuple(
        Part(name=path.name, rows=_count(table), first=1, counted="") for path, table in zip(paths, tables, strict=True)
    )
    table = tables[0] if len(tables) == 1 else ibis.union(*(table.select(*tables[0].columns) for table in tables))
    prints = []
    for path in paths:
        with path.open("rb") as stream:
            prints.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return Opened(table=table, source="", fingerprint=_together(paths, prints), parts=parts)


def _empty(path: Path) -> SourceError:
    return SourceError(f"{path.name} is empty.", hint="Export it again, or choose another file.")


def _open_workbooks(paths: Sequence[Path], *, sheet: str | None, fits: Fits) -> Opened:
    sheets = [read_sheet(path, sheet=sheet, fits=fits) for path in paths]
    _same_columns(paths, [found.cells.column_names for found in sheets])
    con, cells, parts = connect(), None, []
    for path, found in zip(paths, sheets, strict=True):
        table = con.create_table(ibis.util.gen_name("cells"), found.cells, temp=True)
        parts.append(
            Part(name=path.name, rows=found.cells.num_rows, first=found.row, counted=f", sheet {found.name!r}")
        )
        cells = _append(con, table, to=cells)
    prints = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return Opened(
        table=cells,
        source="",
        fingerprint=_together(paths, prints),
        parts=tuple(parts),
        copied=True,
        notes=(f"Sheet {sheets[0].name!r}, column names in row {sheets[0].row - 1}.",),
    )


def _append(con: DuckDB, more: ibis.Table, *, to: ibis.Table | None) -> ibis.Table:
    """Put one file's cells behind those of the files before."""
    if to is None:
        return more
    con.insert(_name(to), more.select(*to.columns))
    con.drop_table(_name(more))
    return to


def _name(table: ibis.Table) -> str:
    """A temporary table's own name: ibis puts DuckDB's `temp.main.` before it."""
    return str(table.get_name()).rsplit(".", 1)[-1]


def _same_columns(paths: Sequence[Path], headers: Sequence[Sequence[str]]) -> None:
    for path, header in zip(paths, headers, strict=True):
        if Counter(header) != Counter(headers[0]):
            here, there = set(header) - set(headers[0]), set(headers[0]) - set(header)
            only = [
                f"only in {name}: {listed(sorted(names))}"
                for name, names in ((paths[0].name, there), (path.name, here))
                if names
            ]
            raise SourceError(
                f"{paths[0].name} and {path.name} have different columns ({'; '.join(only)}).",
                hint="Read files of one layout together, others on their own.",
            )


def _together(paths: Sequence[Path], prints: Sequence[str]) -> str:
    """One fingerprint: the file's own, or that of all names and contents."""
    if len(prints) == 1:
        return prints[0]
    lines = sorted(f"{path.name} {found}" for path, found in zip(paths, prints, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _count(table: ibis.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def _open_frame(frame: Any) -> Opened:
    kind = type(frame).__module__.split(".")[0]
    known = {"pandas": "pandas DataFrame", "polars": "Polars DataFrame", "pyarrow": "Arrow table"}
    if kind not in known or not hasattr(frame, "columns" if kind != "polars" else "collect_schema"):
        raise SourceError(
            f"Orders cannot be read from an object of type {type(frame).__name__}.",
            hint="Give a path, a folder, a pattern, a pandas, Polars or Arrow table, or an Ibis table.",
        )
    cells = _as_arrow(frame, kind)
    con = connect()
    table = con.create_table(ibis.util.gen_name("frame"), cells, temp=True)
    digest = hashlib.sha256(
        f"{cells.schema.to_string(show_schema_metadata=False)}\n{cells.num_rows}".encode()
    ).hexdigest()
    part = Part(name=f"the {known[kind]}", rows=cells.num_rows, first=1, counted="")
    return Opened(table=table, source=known[kind], fingerprint=digest, parts=(part,), copied=True)


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
        opened.table.get_backend().drop_table(_name(opened.table))
