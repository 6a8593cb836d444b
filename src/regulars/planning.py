"""What a run will ask of the machine, before it begins, and how much is left, while it runs."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regulars.errors import MachineError
from regulars.reading import Size
from regulars.reading.connecting import machine, machine_memory

__all__ = ["LARGE", "SEGMENTING", "Forecast", "Plan", "amount", "larger_limit", "plan", "spoken"]

MB, GB = 10**6, 10**9

#: Lines from which a run takes long enough to say beforehand what it will need.
LARGE = 1_000_000

BASE_MEMORY = 500 * MB  # Python, its libraries, the points of the customers and the figures
WORKING_BYTES = 36  # a line's share of what the engine holds of orders and customers
SPILLING = 4  # disk that is used for each byte beyond the memory limit: spilled pages are written more than once
COPIED_BYTES = 90  # a line of a text file or workbook as a row of typed columns in the engine
RESULT_BYTES = 9  # a line's share of customers.parquet, audiences and set_aside.parquet; customers.csv adds 7
RESULT_BASE = 3 * MB  # figures and facts

#: Share of a plan that counts as if it had gone as expected: one slow stage does not make all others slow.
TRUST = 0.5

#: A run is refused if there is less than this share of what it is thought to need: estimates are rough.
REFUSED_BELOW = 0.5

#: Disk that is not asked for beforehand: so little may well be made room for while the run goes on.
LITTLE = 100 * MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of a stage on two cores: at any size, for a million lines, for those that are copied first, and at most."""

    base: float
    per_million: float
    per_million_copied: float = 0.0
    most: float = math.inf


#: Stages by the name, or the first word, that they are told by; in the order in which they run.
COSTS: Mapping[str, Cost] = {
    "Reading": Cost(base=0.7, per_million=0.12, per_million_copied=0.7),
    "Cleaning": Cost(base=2.0, per_million=0.9),
    "Counting per customer": Cost(base=0.5, per_million=0.8),
    "Back-testing": Cost(base=4.0, per_million=1.2),
    "Clustering": Cost(base=3.0, per_million=12.0, most=15.0),  # grows with the customers, until cells stand for them
    "Forecasting": Cost(base=3.0, per_million=0.3),
    "Describing the segments": Cost(base=1.0, per_million=0.25),
    "Assigning": Cost(base=3.0, per_million=1.7),
    "Writing customers": Cost(base=0.7, per_million=0.3),
    "Writing what was set aside": Cost(base=0.4, per_million=0.45),
    "Drawing": Cost(base=5.0, per_million=0.0),
    "Making the report": Cost(base=2.0, per_million=0.0),
    "Writing the record": Cost(base=0.1, per_million=0.0),
}

#: The stages of `regulars.segment` and `regulars.write_run`.
SEGMENTING = tuple(name for name in COSTS if name != "Assigning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is thought to need; everything in bytes but the seconds.

    Parameters
    ----------
    size
        Of the source.
    memory
        Most memory that the run will hold at a time.
    memory_limit
        What the engine may use of it; beyond, it spills to disk.
    spill, temp_dir
        Disk that it needs for spilling, and where.
    results, output
        Disk that the results need, and where; `None` if nothing is written.
    seconds
        Stage → seconds, in the order of the stages.
    """

    size: Size
    memory: int
    memory_limit: int
    spill: int
    temp_dir: Path
    results: int
    output: Path | None
    seconds: tuple[tuple[str, float], ...]

    @property
    def total_seconds(self) -> float:
        """Seconds of all stages."""
        return sum(seconds for _, seconds in self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "files": self.size.files,
            "bytes": self.size.bytes,
            "lines": self.size.lines,
            "exact": self.size.exact,
            "memory": self.memory,
            "memory_limit": self.memory_limit,
            "spill": self.spill,
            "temp_dir": str(self.temp_dir),
            "results": self.results,
            "output": None if self.output is None else str(self.output),
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds},
        }


def plan(
    size: Size,
    *,
    memory_limit: str | None = None,
    temp_dir: str | Path | None = None,
    output: str | Path | None = None,
    stages: Iterable[str] = SEGMENTING,
) -> Plan:
    """Estimate the memory, the disk and the time of a run, and refuse it where it cannot end well.

    No query, and no file is opened. The estimates are rough: a run is refused only if the disk has less than half
    of what it is thought to need.

    Parameters
    ----------
    size
        From `reading.estimate_size`. Lines that are not counted exactly are those of text files and workbooks, which
        the engine copies.
    memory_limit, temp_dir
        As for `regulars.read`.
    output
        The folder for the results; `None` if nothing is written.
    stages
        Those that will run, by their names in `COSTS`.

    Raises
    ------
    MachineError
        The memory limit is greater than the memory, or there is not enough free disk to spill or for the results.
    OptionError
        The memory limit is no size or too small, or the temporary folder is not there or cannot be written to.
    """
    told = machine(memory_limit=memory_limit, threads=None, temp_dir=temp_dir)
    limit = told.memory
    held = size.lines * (WORKING_BYTES + (0 if size.exact else COPIED_BYTES))
    made = Plan(
        size=size,
        memory=BASE_MEMORY + min(held, limit),
        memory_limit=limit,
        spill=SPILLING * max(0, held - limit),
        temp_dir=told.folder,
        results=RESULT_BASE + size.lines * RESULT_BYTES if output is not None else 0,
        output=None if output is None else Path(output),
        seconds=tuple((stage, _seconds(size, COSTS[stage])) for stage in stages),
    )
    _check_memory(made)
    _check_spill(made)
    _check_results(made)
    return made


def larger_limit(limit: int) -> str | None:
    """Twice a memory limit, as a value of --memory-limit; `None` if the machine has not that much to give."""
    there = machine_memory()
    return None if there is not None and 2 * limit > 0.8 * there else _option(2 * limit)


def _seconds(size: Size, cost: Cost) -> float:
    each = cost.per_million + (0.0 if size.exact else cost.per_million_copied)
    return min(cost.base + each * size.lines / 1e6, cost.most)


def _check_memory(made: Plan) -> None:
    there = machine_memory()
    if there is not None and made.memory_limit > there:
        raise MachineError(
            f"The memory limit of {amount(made.memory_limit)} is more than the {amount(there)} that this machine has.",
            hint=f"Give less with --memory-limit, such as --memory-limit {_option(0.6 * there)}, or leave it out.",
        )


def _check_spill(made: Plan) -> None:
    free = _free(made.temp_dir)
    if free is None or not _too_little(free, made.spill):
        return
    there, enough = machine_memory(), made.memory_limit + made.spill // SPILLING
    more = f", or give more memory with --memory-limit {_option(enough)}" if there and enough < 0.8 * there else ""
    raise MachineError(
        f"Beyond its {amount(made.memory_limit)} of memory the run needs about {amount(made.spill)} of disk in "
        f"{made.temp_dir}; {amount(free)} {_is(free)} free there.",
        hint=f"Make room, name a folder on a larger disk with --temp-dir{more}.",
    )


def _check_results(made: Plan) -> None:
    free = None if made.output is None else _free(made.output.absolute().parent)
    if free is not None and _too_little(free, made.results):
        raise MachineError(
            f"The results need about {amount(made.results)} in {made.output}; {amount(free)} {_is(free)} free there.",
            hint="Make room, or choose a folder on another disk with -o.",
        )


def _too_little(free: int, needed: int) -> bool:
    return needed >= LITTLE and free < REFUSED_BELOW * needed


def _free(folder: Path) -> int | None:
    """Free bytes on the disk of a folder that may not be there yet; `None` if nobody knows."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    try:
        usage = None if there is None else shutil.disk_usage(there)
    except OSError:
        return None
    return usage.free if usage is not None and usage.total else None  # /proc and its like have no size


def amount(size: float) -> str:
    """Bytes in words: two digits, and more where they are whole.

    Examples
    --------
    >>> amount(1_653_848_341), amount(15_894_645), amount(24_000_000_000), amount(0)
    ('1.7 GB', '16 MB', '24 GB', '0 MB')
    """
    if size >= 0.9995 * GB:
        return f"{size / GB:.1f} GB".replace(".0 ", " ") if size < 9.95 * GB else f"{size / GB:,.0f} GB"
    return f"{math.ceil(size / MB)} MB"


def _is(size: float) -> str:
    return "is" if amount(size).startswith("1 ") else "are"


def _option(size: float) -> str:
    """Bytes as a value of --memory-limit, in whole gigabytes where there are some."""
    return f"{math.ceil(size / GB)}GB" if size >= 2 * GB else f"{math.ceil(size / MB / 100) * 100}MB"


def spoken(seconds: float) -> str:
    """Seconds as one says them.

    Examples
    --------
    >>> [spoken(each) for each in (0.2, 44, 118, 3_000, 8_000)]
    ['a few seconds', 'about 40 seconds', 'about 2 minutes', 'about 50 minutes', 'about 2 hours']
    """
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    number, unit = (round(seconds / 60), "minute") if seconds < 5_400 else (round(seconds / 3600), "hour")
    return f"about {number} {unit}{'s' if number != 1 else ''}"


class Forecast:
    """How far a run is and how long it will take, from the seconds of its plan and the pace of the stages so far.

    Every method is told the time, in seconds from any start, so that a run can be played through without a clock.

    Parameters
    ----------
    seconds
        Stage → expected seconds, in the order of the stages.
    now
        The time at which the run begins.
    """

    def __init__(self, seconds: Iterable[tuple[str, float]], *, now: float) -> None:
        expected = dict(seconds)
        self._stages, self._expected = tuple(expected), tuple(expected.values())
        self._place, self._since = 0, now
        self._done, self._told = 0.0, now  # share of the stage that it told of, and when
        self._looked, self._share = now, 0.0
        self._took = self._planned = TRUST * sum(self._expected)

    def tell(self, stage: str, done: int, total: int, *, now: float) -> None:
        """Take in that a stage has done so many steps. A stage that is not planned is part of the one before it."""
        place = next((i for i, name in enumerate(self._stages) if stage.startswith(name)), None)
        if place is None or place < self._place:
            return
        if place > self._place:
            self._took += now - self._since
            self._planned += self._expected[self._place]
            self._place, self._since = place, now
            self._done, self._told = 0.0, now
        if total and done / total > self._done:
            self._done, self._told = done / total, now

    def left(self, now: float) -> float:
        """Seconds until the end, never less than one."""
        pace = self._took / self._planned
        gone = now - self._since
        whole = (self._told - self._since) / self._done if self._done else self._expected[self._place] * pace
        rest = max(whole - gone, 0.1 * gone)  # a stage that takes longer than thought may well take longer still
        return max(1.0, rest + pace * sum(self._expected[self._place + 1 :]))

    def share(self, now: float) -> float:
        """Share of the run that is done, from 0 to below 1. It never goes back: it heads for 1 at the expected end."""
        gone = max(0.0, now - self._looked)
        self._share += (1 - self._share) * gone / (gone + self.left(now))
        self._looked = max(now, self._looked)
        return self._share
