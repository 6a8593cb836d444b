"""The process in which long work is done: reads what is asked, tells how far it is, writes what came of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from regulars.app.jobs import GRACE, tidy_up
from regulars.app.saying import said
from regulars.errors import RegularsError
from regulars.failures import Stopped, in_plain_words, stoppable
from regulars.planning import Forecast, Plan

__all__ = ["KINDS", "Teller", "main"]

NICE = 10  # pages come first


class Teller:
    """Writes how far the work is into ``progress.json``, whenever a stage tells and twice a second in between.

    Parameters
    ----------
    place
        The job's folder.
    """

    def __init__(self, place: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._path = place / "progress.json"
        self._stage, self._since = "", time.perf_counter()
        self._forecast: Forecast | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._tick, daemon=True).start()

    def follow(self, plan: Plan | None) -> None:
        """Take the share that is done and the time that is left from a plan that begins now."""
        if plan is not None:
            self._forecast = Forecast(plan.seconds, now=time.perf_counter())

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell that `done` of `total` steps of a stage are done; a total of 0 is not known."""
        now = time.perf_counter()
        with self._lock:
            if stage != self._stage:
                if self._stage:
                    self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
                self._stage, self._since = stage, now
            if self._forecast is not None:
                self._forecast.tell(stage, done, total, now=now)
        self._write()

    def show(self, found: dict[str, Any]) -> None:
        """Tell what is known before the end."""
        _write(self._path.with_name("found.json"), found)

    def _tick(self) -> None:
        while True:
            time.sleep(0.5)
            self._write()

    def _write(self) -> None:
        now = time.perf_counter()
        with self._lock:
            known = self._forecast
            told = {
                "stage": self._stage,
                "share": None if known is None else min(known.share(now), 0.99),
                "left": None if known is None else known.left(now),
            }
            draft = self._path.with_suffix(".draft")
            with suppress(OSError):  # the job's folder may be gone: then nobody wants to know
                draft.write_text(json.dumps(told), "utf-8")
                draft.replace(self._path)


def check(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Look at a source: which column is what, the first rows, and what cleaning would set aside."""
    from regulars.app.checking import look_at  # each kind of work loads what it needs

    return look_at(spec, tell)


def run(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Segment a source into a run folder."""
    from regulars.app.checking import segment_into

    return segment_into(spec, tell)


def measure(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Hold later orders of those on a list against those who were left out."""
    from regulars.app.measuring import measure_list

    return measure_list(spec, tell)


#: What can be done: name → function of the specification that gives plain values.
KINDS: dict[str, Callable[[dict[str, Any], Teller], dict[str, Any]]] = {"check": check, "run": run, "measure": measure}


def main(kind: str, folder: str, server: str) -> None:
    """Do the work of a job folder for a server (its process): ``result.json`` or ``error.json`` says what came of it."""
    place = Path(folder)
    os.nice(NICE)
    _first_to_go()
    spec = json.loads((place / "spec.json").read_text("utf-8"))
    watch = (int(server), Path(spec.get("workspace", folder)))
    threading.Thread(target=_end_with, args=watch, daemon=True).start()
    try:
        with stoppable(), in_plain_words(memory_limit=spec.get("memory_limit")):
            _write(place / "result.json", KINDS[kind](spec, Teller(place)))
    except RegularsError as error:
        _write(place / "error.json", said(error))
        sys.exit(2)
    except Stopped as stopped:
        sys.exit(128 + stopped.number)


def _end_with(server: int, workspace: Path) -> None:
    """Stop when the server that asked for the work is gone: tidily, or by force where that takes too long."""
    while os.getppid() == server:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    tidy_up(workspace, os.getpid())
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _first_to_go() -> None:
    """Ask the system to end this process, not the server, where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", "ascii")


def _write(path: Path, data: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(data, ensure_ascii=False, default=str), "utf-8")
    draft.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
