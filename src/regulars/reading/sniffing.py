"""A text file's encoding, delimiter and header, from its bytes: no table is read here."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from regulars.errors import SourceError, listed
from regulars.reading.exports import Layout, layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SAMPLE = 1 << 16
CHUNK = 1 << 20
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Latin-1 / Windows-1252"}
FOREIGN = {
    b"PK\x03\x04": "a zip file (an .xlsx or .ods workbook?)",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a text file is written.

    Parameters
    ----------
    header
        Column names, trimmed; a column without a name is called by its place.
    delimiter
        What stands between the cells.
    encoding
        utf-8, utf-16 or cp1252 (Windows, which holds Latin-1).
    skip
        Lines before the header: 1 where Excel wrote `sep=;`.
    sample
        The cells of the first rows below the header.
    lines
        The pattern of whole lines, for a file without a header whose kind is known; `header` has the names then.
    """

    header: tuple[str, ...]
    delimiter: str
    encoding: str
    skip: int
    sample: tuple[tuple[str, ...], ...]
    lines: str = ""


def sniff(path: Path, *, fits: Callable[[tuple[str, ...]], bool], whole: bool) -> Dialect:
    """Find out how a text file is written.

    Parameters
    ----------
    path
        The file, also gzipped.
    fits
        Whether a header has the columns that are needed: decides between delimiters.
    whole
        Read the whole file once for its encoding; else its start decides, and the rest may be written otherwise.

    Errors
    ------
    SourceError
        Empty, not text, damaged gzip, or two columns with one name.
    """
    with opened(path) as stream:
        try:
            start = stream.read(SAMPLE)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(path, "a gzip file") from error
    _refuse_foreign(start, path)
    encoding = _encoding(_pieces(path) if whole else [start], start, path=path, ends=whole)
    text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("replace").decode(start)
    skip = 1 if re.match(r"sep=.\r?\n", text) else 0
    body = text.split("\n", 1)[1] if skip else text
    if len(start) == SAMPLE:
        body = body.rsplit("\n", 1)[0]
    if headless := _headless(body):
        return Dialect(header=headless.names, delimiter=" ", encoding=encoding, skip=0, sample=(), lines=headless.lines)
    delimiter, rows = _delimiter(body, told=text[4] if skip else None, fits=fits)
    return Dialect(
        header=named(rows[0] if rows else [], path.name),
        delimiter=delimiter,
        encoding=encoding,
        skip=skip,
        sample=tuple(tuple(row) for row in rows[1:]),
    )


def _headless(text: str) -> Layout | None:
    """The layout without a header that every line of the start fits, the first included."""
    lines = [line for line in text.splitlines()[:100] if line.strip()]
    known = (layout for layout in layouts() if layout.lines)
    return next((layout for layout in known if lines and all(re.search(layout.lines, line) for line in lines)), None)


def opened(path: Path) -> BinaryIO:
    """The file's bytes, unpacked where it is gzipped."""
    return cast("BinaryIO", gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb"))


def damaged(path: Path, kind: str) -> SourceError:
    """The error for a file that breaks off or is not what its name says."""
    return SourceError(
        f"{path.name} is damaged, or not {kind}.",
        hint="Export or copy it again, and check that it opens elsewhere.",
    )


def transcode(path: Path, target: Path, *, encoding: str) -> None:
    r"""Write a text file again as UTF-8 with `\n` line ends, piece by piece."""
    with opened(path) as raw, target.open("w", encoding="utf-8", newline="") as out:
        reader = io.TextIOWrapper(raw, encoding=encoding, errors="latin1" if encoding == "cp1252" else "strict")
        while piece := reader.read(CHUNK):
            out.write(piece)


def _undefined_as_latin1(error: UnicodeError) -> tuple[str, int]:
    """Five bytes have no meaning in Windows-1252; Latin-1 has control characters there."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("latin1", _undefined_as_latin1)


def named(cells: list[str], where: str) -> tuple[str, ...]:
    """Column names from the cells of a header.

    Errors
    ------
    SourceError
        Two columns have one name (capitals do not count).
    """
    names = tuple(" ".join(cell.split()) or f"column {place}" for place, cell in enumerate(cells, 1))
    counts = Counter(name.casefold() for name in names)
    if twice := [name for name in dict.fromkeys(names) if counts[name.casefold()] > 1]:
        raise SourceError(
            f"{where} has several columns with one name: {listed(twice)}.",
            hint="Rename one of them in the first row (capitals do not make a difference).",
        )
    return names


def _refuse_foreign(start: bytes, path: Path) -> None:
    if not start.strip():
        raise SourceError(f"{path.name} is empty.", hint="Export it again, or choose another file.")
    for magic, kind in FOREIGN.items():
        if start.startswith(magic):
            raise SourceError(
                f"{path.name} is not text but {kind}.", hint="Give it the ending that fits, or export as CSV."
            )
    if b"\0" in start and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(f"{path.name} is not a text file.", hint="Export the orders as CSV, Excel or Parquet.")


def _encoding(pieces: Iterable[bytes], start: bytes, *, path: Path, ends: bool) -> str:
    """The encoding that all bytes agree with."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=ends)
    except UnicodeDecodeError:
        return "cp1252"
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "a gzip file") from error
    return "utf-8"


def _pieces(path: Path) -> Iterator[bytes]:
    with opened(path) as stream:
        while piece := stream.read(CHUNK):
            yield piece


def _delimiter(text: str, *, told: str | None, fits: Callable[[tuple[str, ...]], bool]) -> tuple[str, list[list[str]]]:
    """The delimiter whose header has the needed columns, else the one that cuts most cells, evenly; and the rows."""
    best: tuple[tuple[bool, int], str, list[list[str]]] | None = None
    for mark in [told] if told else DELIMITERS:
        rows = [
            row for _, row in zip(range(100), csv.reader(io.StringIO(text, newline=""), delimiter=mark), strict=False)
        ]
        rows = [row for row in rows if row]
        header = rows[0] if rows else []
        even = sum(abs(len(row) - len(header)) <= 1 for row in rows) >= 0.8 * len(rows)
        rank = (fits(tuple(cell.strip() for cell in header)), len(header) if even else 1)
        if best is None or rank > best[0]:
            best = (rank, mark, rows)
    if best is None:  # pragma: no cover - DELIMITERS is not empty
        raise AssertionError
    return best[1], best[2]
