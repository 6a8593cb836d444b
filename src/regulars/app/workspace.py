"""A workspace: a folder of runs, and beside them what the app keeps for itself."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from regulars.errors import OutputError, SourceError
from regulars.pipeline import Segmentation
from regulars.placing import explained, whole_files
from regulars.runs import open_run
from regulars.wording import slug

__all__ = ["Entry", "Run", "Workspace"]

OWN = ".regulars"  # the folder of the app's own files inside a workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run in the list of runs.

    Parameters
    ----------
    name
        Of its folder.
    source
        What it was made from.
    made
        When.
    customers, revenue, currency, segments
        What it found.
    """

    name: str
    source: str
    made: datetime
    customers: int
    revenue: float
    currency: str | None
    segments: int


class Run:
    """An open run: its facts, and a lock, because an engine answers one question at a time."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.result: Segmentation = open_run(folder)
        self.lock = threading.RLock()
        self.kept: dict[str, Any] = {}  # what pages have worked out of the facts, by name

    @cached_property
    def record(self) -> dict[str, Any]:
        """What run.json says: versions, options, seconds of each stage."""
        with suppress(OSError, ValueError):
            found = json.loads((self.folder / "run.json").read_text("utf-8"))
            return found if isinstance(found, dict) else {}
        return {}


class Workspace:
    """A folder of runs; those that `regulars segment -o` wrote there are among them.

    Parameters
    ----------
    folder
        Made where it is missing. The app's own files are in `.regulars` inside, readable only by the user.

    Raises
    ------
    OutputError
        It is a file, or cannot be written.

    Examples
    --------
    >>> import tempfile, regulars as rg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     workspace = Workspace(folder)
    ...     shop = rg.make_orders(customers=300, seed=1)
    ...     run = rg.write_run(rg.segment(shop.orders, k=3, backtest=False), f"{folder}/may", figures=False, report=False)
    ...     [(entry.name, entry.segments) for entry in workspace.runs()]
    [('may', 3)]
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder} is a file.", hint="Give a folder for the workspace.")
        with explained(self.folder, hint="Choose a folder that you may write to."):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.own = self.folder / OWN
            self.own.mkdir(mode=0o700, exist_ok=True)
            self.own.chmod(0o700)
        self._open: dict[str, tuple[tuple[int, int], Run]] = {}
        self._entries: dict[str, tuple[tuple[int, int], Entry | None]] = {}
        self._lock = threading.Lock()

    # --- runs -------------------------------------------------------------------------------------------------------

    def runs(self) -> list[Entry]:
        """List all runs, newest first."""
        places = [path for path in self.folder.glob("*/facts.json") if not path.parent.name.startswith(".")]
        found = [entry for path in places if (entry := self._entry(path)) is not None]
        return sorted(found, key=lambda entry: (entry.made, entry.name), reverse=True)

    def run(self, name: str) -> Run:
        """Open a run by the name of its folder; it stays open until it is made anew.

        Raises
        ------
        SourceError
            There is no such run, or it is damaged.
        """
        folder = self._place(name)
        stamp = _stamp(folder / "facts.json")
        with self._lock:
            known = self._open.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        run = Run(name, folder)
        with self._lock:
            self._open[name] = (stamp, run)
        return run

    def new_folder(self, title: str) -> Path:
        """Give a folder for a new run, named after its source; it does not exist yet."""
        base = slug(Path(title).stem)[:60] or "run"
        place, number = self.folder / base, 1
        while place.exists():
            number += 1
            place = self.folder / f"{base}-{number}"
        return place

    def remove(self, name: str) -> None:
        """Delete a run and what was noted about it."""
        folder = self._place(name)
        aside = self.own / f"removed-{secrets.token_hex(6)}"
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        with self._lock:
            self._open.pop(name, None)
        for kept in ("notes", "sources"):
            (self.own / kept / f"{name}.json").unlink(missing_ok=True)

    def _place(self, name: str) -> Path:
        if (
            not re.fullmatch(r"[^/\\\0]+", name)
            or name.startswith(".")
            or len(name.encode("utf-8", "replace")) > 255
            or not (self.folder / name / "facts.json").is_file()
        ):
            raise SourceError(f"There is no run {name[:80]!r}.", hint="Choose one from the list of runs.")
        return self.folder / name

    def _entry(self, facts: Path) -> Entry | None:
        """Read what the list shows of a run; `None` where the folder holds something else."""
        name = facts.parent.name
        with suppress(OSError, ValueError, KeyError, TypeError):
            stamp = _stamp(facts)
            if name not in self._entries or self._entries[name][0] != stamp:
                self._entries[name] = (stamp, _read_entry(facts))
            return self._entries[name][1]
        return None

    # --- what the app keeps ----------------------------------------------------------------------------------------

    def read_notes(self, run: str) -> dict[str, str]:
        """Read the texts that were written about a run's segments, by the segment's name."""
        found = self.read(f"notes/{run}.json")
        return {str(key): str(value) for key, value in found.items()}

    def write_note(self, run: str, segment: str, text: str) -> None:
        """Keep a text about a segment; an empty one takes it away."""
        self._place(run)
        notes = self.read_notes(run) | {segment: text}
        self.write(f"notes/{run}.json", {key: value for key, value in notes.items() if value})

    def read(self, name: str) -> dict[str, Any]:
        """Read one of the app's own JSON files; empty where it is missing or damaged."""
        with suppress(OSError, ValueError):
            found = json.loads((self.own / name).read_text("utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Write one of the app's own JSON files in one step, readable only by the user."""
        path = self.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_files(path) as (draft,):
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")

    def token(self) -> str:
        """The token for programs, made at the first call and kept in `.regulars/token`."""
        path = self.own / "token"
        with suppress(FileNotFoundError):
            return path.read_text("utf-8").strip()
        token = secrets.token_urlsafe(32)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
        return token

    def sweep(self) -> list[str]:
        """Remove what a server or a run left that was killed; the names of unfinished runs that were removed."""
        left = []
        drafts = ".*.partial-*"
        for place in [*self.folder.glob(drafts), *self.folder.glob(f"*/{drafts}"), *self.own.glob(f"*/{drafts}")]:
            owner = place.name.rpartition(".partial-")[2].partition("-")[0]
            if owner.isdigit() and not _alive(int(owner)):
                left.append(place.name.partition(".partial-")[0].removeprefix("."))
                shutil.rmtree(place, ignore_errors=True)
        for place in self.own.glob("removed-*"):
            shutil.rmtree(place, ignore_errors=True)
        return [name for name in left if Path(name).suffix not in (".csv", ".json", ".parquet", ".toml")]


def _stamp(facts: Path) -> tuple[int, int]:
    seen = facts.stat()
    return seen.st_mtime_ns, seen.st_ino


def _read_entry(facts: Path) -> Entry | None:
    found = json.loads(facts.read_text("utf-8"))
    if "segments" not in found or "choice" not in found:
        return None
    return Entry(
        name=facts.parent.name,
        source=str(found["source"]),
        made=datetime.fromtimestamp(facts.stat().st_mtime),
        customers=int(found["customers_total"]),
        revenue=float(found["revenue"]),
        currency=found["currency"],
        segments=len(found["segments"]),
    )


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
