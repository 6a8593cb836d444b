"""One program, one process: seconds, peak memory, processor seconds and bytes read."""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OPENRETAILSCIENCE = HERE / ".venv-openretailscience" / "bin" / "python"
PINNED = "openretailscience==0.48.1"
CAP = 15 * 1024**3  # bytes of address space for programs that keep no limit of their own
PATIENCE = 3600  # seconds
FULL = re.compile(
    r"MemoryError|memory allocation|Unable to allocate|bad_alloc|[Oo]ut of memory|malloc of size|mmap failed"
)
KILLED = -9


class Program:
    """A script of the benchmark and how to run it.

    `entry` says what it reads: ``"lines"``, the same as ``"csv"``, or ``"customers"``, the result of raw-sql; `once`
    is said of a program that takes long, and is asked in the first round only.
    """

    def __init__(
        self,
        script: str,
        *arguments: str,
        what: str,
        python: Path = Path(sys.executable),
        own_limit: bool = False,
        entry: str = "lines",
        once: bool = False,
    ) -> None:
        self.script, self.arguments, self.what = script, arguments, what
        self.python, self.own_limit, self.entry, self.once = python, own_limit, entry, once

    def command(self, source: Path, folder: Path) -> list[str]:
        """The words of its command line."""
        return [str(self.python), str(HERE / self.script), str(source), str(folder), *self.arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took; `failed` says in words why there is no result."""

    wall: float
    processor: float
    peak_bytes: int
    read_bytes: int | None
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failed: str = ""

    def __str__(self) -> str:
        return self.failed or f"{self.wall:.2f} s, {self.peak_bytes / 1e6:,.0f} MB"


def measure(program: Program, source: Path, folder: Path) -> Run:
    """Run a program to its end."""
    if program.python == OPENRETAILSCIENCE and not OPENRETAILSCIENCE.exists():
        make_environment()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as complaints:
        start = time.perf_counter()
        process = subprocess.Popen(
            program.command(source, folder),
            stdout=out,
            stderr=complaints,
            preexec_fn=None if program.own_limit else _cap,
        )
        clock = threading.Timer(PATIENCE, process.kill)
        clock.start()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, but still there to be asked
        wall, read = time.perf_counter() - start, _bytes_read(process.pid)
        clock.cancel()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        out.seek(0)
        complaints.seek(0)
        printed, complaint = out.read().strip(), complaints.read()
    told = {} if code else json.loads(printed.splitlines()[-1])
    return Run(
        wall=wall,
        processor=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        read_bytes=read,
        seconds=told.get("seconds", {}),
        facts=told.get("facts", {}),
        failed=_why(program, code, complaint, wall=wall),
    )


def _why(program: Program, code: int, complaint: str, *, wall: float) -> str:
    if not code:
        return ""
    if wall >= PATIENCE:
        return f"not done in {PATIENCE // 60} minutes"
    if code == KILLED or FULL.search(complaint):
        return "did not fit"
    raise SystemExit(f"{program.script} failed with {code}:\n{complaint[-3000:]}")


def _cap() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (CAP, CAP))


def _bytes_read(pid: int) -> int | None:
    """Bytes that a process asked the system to read, from files or their cache; Linux only."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return int(dict(line.split(": ") for line in lines)["rchar"])


def make_environment() -> None:
    """Install openretailscience beside this file: it needs older pandas and DuckDB than regulars."""
    folder = OPENRETAILSCIENCE.parent.parent
    print(f"Installing {PINNED} into {folder} …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(OPENRETAILSCIENCE), "-m", "pip", "--disable-pip-version-check", "install", "-qq", PINNED]
    subprocess.run(pip, check=True)
