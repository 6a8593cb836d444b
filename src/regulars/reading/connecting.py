"""Our own DuckDB: how much memory, how many threads, and where it may spill."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from regulars.errors import OptionError

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend as DuckDB

UNITS = {
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
LEAST = 200 * 10**6
USUAL = 2_500 * 10**6
SHARE = 0.6
CONTAINER = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What DuckDB may use, checked.

    Parameters
    ----------
    memory
        Bytes.
    threads
        `None` takes all cores.
    folder
        The folder in which the spill folder is made.
    """

    memory: int
    threads: int | None
    folder: Path


MOST_THREADS = 512  # more only wait for each other, and thousands are refused by the system


def machine(*, memory_limit: str | None, threads: int | None, temp_dir: str | Path | None) -> Machine:
    """Check what the user says about the machine.

    Errors
    ------
    OptionError
        A limit that is no size or too small, no thread, or a folder that does not exist or cannot be written to.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise OptionError(
            f"{threads:,} threads cannot work.",
            hint=f"Give 1 to {MOST_THREADS}, or leave the number of threads out: then it is one per core.",
        )
    folder = Path(tempfile.gettempdir() if temp_dir is None else temp_dir).expanduser()
    if not folder.is_dir():
        raise OptionError(
            f"There is no folder {str(folder)!r} for temporary files.",
            hint="Make it, or choose another with --temp-dir (temp_dir=…).",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError(
            f"The folder {str(folder)!r} for temporary files cannot be written to.",
            hint="Choose another with --temp-dir (temp_dir=…).",
        )
    return Machine(memory=_memory(memory_limit), threads=threads, folder=folder)


def _memory(limit: str | None) -> int:
    """Bytes from a text such as 2GB; without one the usual limit, or less on a small machine.

    Examples
    --------
    >>> _memory("1.5 GB"), _memory("512MiB")
    (1500000000, 536870912)
    """
    if limit is None:
        known = machine_memory()
        return USUAL if known is None else max(min(USUAL, int(SHARE * known)), LEAST)
    size = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?B)\s*", limit.upper())
    if size is None:
        raise OptionError(
            f"The memory limit {limit!r} is not a size.", hint="Write a number and its unit: 500MB, 2GB, 1.5GB."
        )
    given = int(float(size[1]) * UNITS[size[2]])
    if given < LEAST:
        raise OptionError(
            f"The memory limit {limit!r} is too small to work with.",
            hint="Give at least 200MB; what does not fit is kept in the folder for temporary files.",
        )
    return given


def machine_memory() -> int | None:
    """Bytes that the machine, or the container around us, has; None where the system does not tell."""
    found = []
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):
        found.append(int(CONTAINER.read_text(encoding="ascii")))
    return min(found, default=None)


def connect(told: Machine) -> DuckDB:
    """A private in-memory DuckDB: it fetches no extension and spills only into a folder that nobody else can open.

    The folder is removed with the connection, at the latest when Python ends.
    """
    spill = tempfile.mkdtemp(prefix="regulars-", dir=told.folder)
    settings: dict[str, object] = {"memory_limit": f"{told.memory // 10**6}MB"}
    if told.threads is not None:
        settings["threads"] = told.threads
    try:
        con = ibis.duckdb.connect(
            temp_directory=str(Path(spill) / "duckdb"), autoinstall_known_extensions="false", **settings
        )
    except BaseException:
        shutil.rmtree(spill, ignore_errors=True)
        raise
    weakref.finalize(con, shutil.rmtree, spill, ignore_errors=True)
    # Switched off only where it is on: in a notebook without ipywidgets the setting itself is an error.
    if con.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        con.raw_sql("SET enable_progress_bar = false")
    return con


def forget_order(con: DuckDB) -> None:
    """Let queries give rows in any order, which needs less memory; what is sorted stays sorted."""
    con.raw_sql("SET preserve_insertion_order = false")
