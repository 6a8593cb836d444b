"""Text files → tables: typed in one pass where cells are plainly written, else all cells as text."""

from __future__ import annotations

import glob
import re
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import ibis

from regulars.errors import SourceError
from regulars.reading.cells import Opened, Part, append, count, name_of, same_columns
from regulars.reading.connecting import connect
from regulars.reading.fingerprints import fingerprinting
from regulars.reading.plain import plainly
from regulars.reading.sniffing import DELIMITERS, ENCODINGS, Dialect, sniff, transcode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ibis.backends.duckdb import Backend as DuckDB

    from regulars.reading.connecting import Machine
    from regulars.reading.plain import Settled
    from regulars.reading.recognising import Recognised

    Known = Callable[[tuple[str, ...]], Recognised | None]


def open_text(paths: Sequence[Path], *, told: Machine, known: Known) -> Opened:
    """Load text files, in one pass where they are plainly written.

    That is tried first, on what the start of each file shows. A cell that it does not expect, anywhere, leads
    to the careful way: the whole file decides its encoding, every cell is loaded as text and read afterwards.
    """
    fingerprint = fingerprinting(paths)
    con = connect(told)
    dialects = [sniff(path, fits=lambda header: known(header) is not None, whole=False) for path in paths]
    _same_kind(paths, dialects=dialects, known=known)
    same_columns(paths, [dialect.header for dialect in dialects])
    loaded: list[int] = []
    typed = _typed(con, paths, dialects=dialects, known=known, rows=loaded)
    if typed is not None:
        each = zip(paths, dialects, loaded, strict=True)
        several = len(paths) > 1 and not typed.blank  # blank rows are out, so that no row has its number any more
        return Opened(
            table=typed.table,
            source="",
            fingerprint=fingerprint,
            parts=tuple(_part(path, dialect, rows) for path, dialect, rows in each) if several else (),
            delimiter=dialects[0].delimiter,
            notes=(_spoken(dialects),),
            blank=typed.blank,
            dates=typed.note,
        )
    dialects = [sniff(path, fits=lambda header: known(header) is not None, whole=True) for path in paths]
    same_columns(paths, [dialect.header for dialect in dialects])
    cells, parts = None, []
    for path, dialect in zip(paths, dialects, strict=True):
        table = _load(con, path, dialect=dialect, told=told)
        parts.append(_part(path, dialect, count(table)))
        cells = append(con, table, to=cells)
    return Opened(
        table=cells,
        source="",
        fingerprint=fingerprint,
        parts=tuple(parts),
        copied=True,
        delimiter=dialects[0].delimiter,
        notes=(_spoken(dialects),),
    )


def _part(path: Path, dialect: Dialect, rows: int) -> Part:
    counted = " (counting the header as row 1)" if not (dialect.skip or dialect.lines) else ""
    return Part(name=path.name, rows=rows, first=1 if dialect.lines else 2 + dialect.skip, counted=counted)


def _same_kind(paths: Sequence[Path], *, dialects: Sequence[Dialect], known: Known) -> None:
    """Refuse exports of several kinds, by their names.

    Errors
    ------
    SourceError
        Two files have different layouts.
    """
    kinds = [found.layout.title if (found := known(dialect.header)) else None for dialect in dialects]
    for path, kind in zip(paths, kinds, strict=True):
        if kind and kinds[0] and kind != kinds[0]:
            raise SourceError(
                f"{paths[0].name} and {path.name} are exports of two kinds: {kinds[0]}, and {kind}.",
                hint="Read exports of one kind together, others on their own.",
            )


def _spoken(dialects: Sequence[Dialect]) -> str:
    """The encoding and the delimiter in words."""
    delimiter = dialects[0].delimiter
    encodings = " and ".join(sorted({ENCODINGS[dialect.encoding] for dialect in dialects}))
    return f"Text in {encodings}, cells separated by {DELIMITERS.get(delimiter, repr(delimiter))}."


def _typed(
    con: DuckDB, paths: Sequence[Path], *, dialects: Sequence[Dialect], known: Known, rows: list[int]
) -> Settled | None:
    """Load the files with types, and note the rows of each; None where a date or number of any file needs more care."""
    import duckdb

    plans = [plainly(dialect, known(dialect.header)) for dialect in dialects]
    ready = [plan for plan in plans if plan is not None]
    if len(ready) < len(plans):
        return None
    loaded: ibis.Table | None = None
    for path, dialect, plan in zip(paths, dialects, ready, strict=True):
        view = _view(con, path, dialect=dialect, types=plan.types, timestampformat=plan.form)
        try:
            table = con.create_table(ibis.util.gen_name("lines"), view, temp=True)
            rows.append(count(table))
            loaded = append(con, table, to=loaded)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            _drop(con, loaded)
            return None
        finally:
            con.drop_view(name_of(view), force=True)
    if loaded is None:  # pragma: no cover - there is always a file
        return None
    settled = ready[0].settled(loaded)
    if settled is None:
        _drop(con, loaded)
    return settled


def _drop(con: DuckDB, table: ibis.Table | None) -> None:
    if table is not None:
        con.drop_table(name_of(table))


def _load(con: DuckDB, path: Path, *, dialect: Dialect, told: Machine) -> ibis.Table:
    """Copy one text file into a temporary table, all cells as text; without a header its lines are cut by their pattern.

    DuckDB moves casts of a view into its CSV reader and then stops at the first bad cell: hence the copy.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="regulars-", dir=told.folder) as folder:
        clean = Path(folder) / "cells.csv"
        plain = dialect.encoding == "utf-8"
        if not plain:
            transcode(path, clean, encoding=dialect.encoding)
        try:
            return _copy(con, path if plain else clean, dialect=dialect)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if "invalid state" not in str(error):
                raise _broken(path, error) from error
        _one_line_end(path, clean, encoding=dialect.encoding)
        try:
            return _copy(con, clean, dialect=dialect)
        except duckdb.Error as error:
            raise _broken(path, error) from error


def _copy(con: DuckDB, path: Path, *, dialect: Dialect) -> ibis.Table:
    if dialect.lines:
        return _cut(con, path, dialect=dialect)
    return con.create_table(ibis.util.gen_name("cells"), _view(con, path, dialect=dialect), temp=True)


def _cut(con: DuckDB, path: Path, *, dialect: Dialect) -> ibis.Table:
    """Copy the lines of a file without a header, cut into cells.

    Errors
    ------
    SourceError
        A line does not fit the pattern (named by its number).
    """
    whole = con.read_csv(
        glob.escape(str(path)),
        columns={"line": "VARCHAR"},
        auto_detect=False,
        header=False,
        delim="\x1f",
        quote="",
        escape="",
        null_padding=False,
    )
    lines = con.create_table(ibis.util.gen_name("lines"), whole, temp=True)
    con.drop_view(name_of(whole), force=True)
    odd = lines.mutate(row=ibis.row_number()).filter(
        lambda t: ~t.line.re_search(dialect.lines) & t.line.re_search(r"\S")
    )
    if wrong := odd.order_by("row").limit(1).to_pyarrow().to_pylist():
        raise SourceError(
            f"Line {wrong[0]['row'] + 1:,} of {path.name} is not like the lines before it: {wrong[0]['line'][:60]!r}.",
            hint=f"Each line has {', '.join(dialect.header)}, with blanks between; correct or remove it.",
        )
    cells = {name: lines["line"].re_extract(dialect.lines, place) for place, name in enumerate(dialect.header, 1)}
    return con.create_table(ibis.util.gen_name("cells"), lines.select(**cells), temp=True)


def _view(
    con: DuckDB, path: Path, *, dialect: Dialect, types: Mapping[str, str] = MappingProxyType({}), **options: str
) -> ibis.Table:
    return con.read_csv(
        glob.escape(str(path)),
        columns={**dict.fromkeys(dialect.header, "VARCHAR"), **types},
        auto_detect=False,
        hive_partitioning=False,
        header=True,
        skip=dialect.skip,
        delim=dialect.delimiter,
        quote='"',
        escape='"',
        **options,
    )


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
