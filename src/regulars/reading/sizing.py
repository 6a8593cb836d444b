"""How large a source is, before it is read: from footers, file sizes and a few samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from regulars.errors import RegularsError
from regulars.reading.opening import kind_of, paths_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of a sample, and how many are taken from a text file, evenly spread.
PIECE, PIECES = 1 << 16, 8
#: Gzip packs order lines to about an eighth.
UNPACKED = 8
#: Bytes of a workbook's line, packed as it is.
WORKBOOK_LINE = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of a source.

    Parameters
    ----------
    files
        How many files it has; 0 for a frame.
    bytes
        Their bytes on disk, or those of the frame in memory.
    lines
        Order lines.
    exact
        Whether `lines` is counted and not estimated.
    """

    files: int
    bytes: int
    lines: int
    exact: bool


def estimate_size(source: object) -> Size | None:
    """The size of a source, from what can be told without reading it.

    Parameters
    ----------
    source
        What `read` takes.

    Returns
    -------
    Size or None
        Counted for Parquet and frames; estimated from samples for text files and from bytes for workbooks. None
        for Ibis tables, and wherever nothing can be told: then `read` says why.

    Examples
    --------
    >>> import pyarrow as pa
    >>> estimate_size(pa.table({"Client": ["7", "8"]}))
    Size(files=0, bytes=10, lines=2, exact=True)
    """
    if isinstance(source, ibis.Table):
        return None
    if not isinstance(source, str | Path):
        return _of_frame(source)
    try:
        return _of_files(paths_of(str(source)))
    except (RegularsError, OSError, ValueError, EOFError):
        return None


def _of_frame(frame: Any) -> Size | None:
    size = next((getattr(frame, name) for name in ("nbytes", "estimated_size") if hasattr(frame, name)), None)
    try:
        lines = len(frame)
        usage = frame.memory_usage(index=False).sum() if size is None else size() if callable(size) else size
    except (TypeError, AttributeError):
        return None
    return Size(files=0, bytes=int(usage), lines=lines, exact=True)


def _of_files(paths: Sequence[Path]) -> Size | None:
    kinds = {kind_of(path) for path in paths}
    if len(kinds) > 1:
        return None
    kind = kinds.pop()
    count = {"parquet": _parquet_lines, "text": _text_lines}.get(kind, _workbook_lines)
    return Size(
        files=len(paths),
        bytes=sum(path.stat().st_size for path in paths),
        lines=sum(count(path) for path in paths),
        exact=kind == "parquet",
    )


def _parquet_lines(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _workbook_lines(path: Path) -> int:
    return max(path.stat().st_size // WORKBOOK_LINE, 1)


def _text_lines(path: Path) -> int:
    """Bytes divided by the mean length of the lines of a few samples; the line of column names is not counted."""
    if path.suffix.lower() == ".gz":
        return _packed_lines(path)
    size = path.stat().st_size
    if size <= PIECE * PIECES:
        return max(_breaks(path.read_bytes()) - 1, 0)
    seen = breaks = 0
    with path.open("rb") as stream:
        for place in range(PIECES):
            stream.seek((size - PIECE) * place // (PIECES - 1))
            piece = stream.read(PIECE)
            seen, breaks = seen + len(piece), breaks + piece.count(b"\n")
    return max(size * breaks // seen - 1, 0) if breaks else 0


def _packed_lines(path: Path) -> int:
    """Lines of a gzipped file: the mean length at its start, and the usual rate of packing."""
    import gzip

    with gzip.open(path) as stream:
        start = stream.read(PIECE * PIECES)
    if len(start) < PIECE * PIECES:
        return max(_breaks(start) - 1, 0)
    return path.stat().st_size * UNPACKED * start.count(b"\n") // len(start)


def _breaks(text: bytes) -> int:
    """Lines of a whole text, the last one with or without an end."""
    return text.count(b"\n") + (not text.endswith(b"\n"))
