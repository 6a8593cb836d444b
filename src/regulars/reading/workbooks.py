"""Excel and OpenDocument workbooks: the sheet and the row with the column names."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regulars.errors import SourceError, listed
from regulars.reading.sniffing import damaged, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

MOST_BYTES = 1_000_000_000
MOST_RATIO = 100
TITLE_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The cells below a header row, as text; `row` is the number of the first of them in the sheet."""

    name: str
    cells: pa.Table
    row: int


def read_sheet(
    path: Path, *, sheet: str | None, fits: Callable[[tuple[str, ...]], bool], rows: int | None = None
) -> Sheet:
    """The first sheet that has the needed columns, or the one asked for; of many rows only the first, where `rows` says so.

    Errors
    ------
    SourceError
        Damaged, protected by a password, unreasonably large, no such sheet, nothing in it.
    """
    import fastexcel

    book = _open_book(path)
    names = book.sheet_names
    if sheet is not None and sheet not in names:
        raise SourceError(
            f"{path.name} has no sheet {sheet!r}. Sheets: {listed(names)}.",
            hint="Choose one with --sheet NAME.",
        )
    first: Sheet | None = None
    most = None if rows is None else TITLE_ROWS + rows
    for name in names if sheet is None else [sheet]:
        try:
            raw = book.load_sheet(name, header_row=None, skip_rows=0, n_rows=most, dtypes="string").to_arrow()
        except fastexcel.FastExcelError as error:
            raise damaged(path, "a workbook") from error
        found, fitting = _below_header(raw, name, path=path, fits=fits)
        if found is not None and fitting:
            return found
        first = first or found
    if first is None:
        raise SourceError(f"{path.name} is empty.", hint="Choose another file, or another sheet with --sheet NAME.")
    return first


def sheet_names(path: Path) -> tuple[str, ...]:
    """The names of a workbook's sheets."""
    return tuple(_open_book(path).sheet_names)


def _open_book(path: Path) -> Any:
    import fastexcel

    _refuse_bomb(path)
    try:
        return fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise damaged(path, "a workbook") from error


def _below_header(
    raw: pa.RecordBatch, name: str, *, path: Path, fits: Callable[[tuple[str, ...]], bool]
) -> tuple[Sheet | None, bool]:
    """Cut a sheet at the first top row that has the needed columns, else at the first that has cells."""
    import pyarrow as pa

    top = [[str(cell or "").strip() for cell in row.values()] for row in raw.slice(0, TITLE_ROWS).to_pylist()]
    filled = [place for place, row in enumerate(top) if any(row)]
    if not filled:
        return None, False
    place = next((place for place in filled if fits(tuple(top[place]))), None)
    header = top[filled[0] if place is None else place]
    body = raw.slice((filled[0] if place is None else place) + 1)
    kept = [i for i, cell in enumerate(header) if cell or body.column(i).null_count < body.num_rows]
    names = named([header[i] for i in kept], path.name)
    cells = pa.table({label: body.column(i) for label, i in zip(names, kept, strict=True)})
    row = (filled[0] if place is None else place) + 2
    return Sheet(name=name, cells=cells, row=row), place is not None


def _refuse_bomb(path: Path) -> None:
    """Look into the zip's directory before anything is unpacked."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    if not magic:
        raise SourceError(f"{path.name} is empty.", hint="Export it again, or choose another file.")
    if path.suffix.lower() == ".xls":
        return
    if magic == b"\xd0\xcf\x11\xe0":
        raise SourceError(
            f"{path.name} is protected by a password, or an old .xls file under a new name.",
            hint="Open it in Excel and save it without a password as .xlsx.",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            packed = sum(entry.compress_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise damaged(path, "a workbook") from error
    if unpacked > MOST_BYTES or unpacked > MOST_RATIO * max(packed, 1):
        raise SourceError(
            f"{path.name} would unpack to {unpacked / 1e6:,.0f} MB, {unpacked // max(packed, 1)} times its size.",
            hint="At most 1,000 MB and 100 times are read from a workbook: export it as CSV or Parquet.",
        )
