"""Long work in processes of its own: a queue, progress that anybody may look at again, and a stop that stops."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from regulars.errors import SourceError

if TYPE_CHECKING:
    from regulars.app.workspace import Workspace

__all__ = ["GRACE", "Job", "Jobs", "tidy_up"]

State = Literal["waiting", "running", "done", "failed", "stopped", "interrupted"]

SETTLED = ("done", "failed", "stopped")  # ends that nobody need be told of later
ENDED = (*SETTLED, "interrupted")
GRACE = 5.0  # seconds from the request to stop to the end by force
KEPT = 12 * 3600  # seconds that a job that has ended is remembered
POLL = 0.1  # seconds between two looks at the processes
OTHERS = 2  # checks and measurements at the same time
TOLD = 4000  # characters of what Python said of work that broke off

log = logging.getLogger("regulars.app")


@dataclass(slots=True, kw_only=True)
class Job:
    """A piece of long work.

    Parameters
    ----------
    id
        A random name.
    session
        The session that began it; nobody else sees it.
    kind
        What is done: ``"check"``, ``"run"`` …, one of `working.KINDS`.
    title
        What it is about, for people.
    spec
        Everything that the work needs to know; plain values.
    state
        Where it is; the last four are ends.
    stage, share, left
        What is being done, how much of it all is done (0 … 1), and the seconds left; `None` where not known.
    found
        What is known before the end; plain values.
    result, error
        What came of it: plain values; or `message` and `hint`.
    """

    id: str
    session: str
    kind: str
    title: str
    spec: dict[str, Any]
    state: State = "waiting"
    stage: str = ""
    share: float | None = None
    left: float | None = None
    found: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    made: float = field(default_factory=time.time)

    def still(self) -> Job:
        """A copy that stays as it is, so that all parts of a page say the same.

        The state is read before the result: what has ended has its result.
        """
        return replace(self)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without the session and the specification."""
        names = ("id", "kind", "title", "state", "stage", "share", "left", "found", "result", "error")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """Work that waits, runs and has ended; a thread starts what is due and reads how far it is.

    Parameters
    ----------
    workspace
        Its `.regulars/jobs` holds a folder for each job.
    at_once
        Runs at the same time; other work has places of its own, so that nobody waits for a run to look at a file.

    Attributes
    ----------
    interrupted
        Titles of the runs that the end of the server before this one interrupted.
    """

    def __init__(self, workspace: Workspace, *, at_once: int = 1) -> None:
        self._workspace, self._folder = workspace.folder, workspace.own / "jobs"
        self._at_once = at_once
        self._jobs: dict[str, Job] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping: dict[str, float] = {}
        self._lock = threading.RLock()
        self._cut: set[str] = set()  # ids of what closing interrupts
        self._closed = threading.Event()
        self.interrupted = self._take_over()
        self._thread = threading.Thread(target=self._look_after, name="jobs", daemon=True)
        self._thread.start()

    # --- what pages ask ---------------------------------------------------------------------------------------------

    def start(self, kind: str, *, title: str, spec: dict[str, Any], session: str) -> Job:
        """Put work into the queue; it begins as soon as there is a place."""
        job = Job(id=secrets.token_hex(8), session=session, kind=kind, title=title, spec=spec)
        place = self._folder / job.id
        place.mkdir(parents=True, mode=0o700)
        (place / "spec.json").write_text(json.dumps(spec, default=str), "utf-8")
        with self._lock:
            self._jobs[job.id] = job
            self._keep(job)
        return job

    def get(self, job_id: str, *, session: str) -> Job:
        """Find a job of a session.

        Raises
        ------
        SourceError
            There is none, or it is another session's.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.session != session:
            raise SourceError("There is no such job, or not any more.", hint="Go back to the start page.")
        return job

    def of(self, session: str) -> list[Job]:
        """Jobs of a session, newest first."""
        with self._lock:
            return sorted((job for job in self._jobs.values() if job.session == session), key=lambda job: -job.made)

    def pending(self, kind: str) -> list[Job]:
        """All jobs of a kind, whosever they are, that wait or run."""
        with self._lock:
            return [job for job in self._jobs.values() if job.kind == kind and not job.ended]

    def ahead_of(self, job: Job) -> int:
        """How many jobs come before a waiting one, those that run included."""
        with self._lock:
            return sum(
                self._lane(other) == self._lane(job) and (other.state == "running" or other.made < job.made)
                for other in self._jobs.values()
                if not other.ended and other is not job
            )

    def stop(self, job: Job) -> None:
        """Stop a job: one that waits is taken from the queue, one that runs is told to tidy up and end."""
        with self._lock:
            if job.state == "waiting":
                self._end(job, "stopped")
            elif job.state == "running" and job.id not in self._stopping:
                self._stopping[job.id] = time.monotonic() + GRACE
                _signal(self._processes[job.id], signal.SIGTERM)

    def is_stopping(self, job: Job) -> bool:
        """Whether a job has been told to stop, and has not ended yet."""
        return job.id in self._stopping

    def forget(self, job: Job) -> None:
        """Drop a job that has ended."""
        with self._lock:
            if job.ended:
                self._drop(job)

    def cut_off(self) -> list[str]:
        """Titles of the runs that closing has interrupted."""
        with self._lock:
            runs = [job for job in self._jobs.values() if job.kind == "run"]
            return [job.title for job in sorted(runs, key=lambda job: job.made) if job.state not in SETTLED]

    def close(self) -> None:
        """Interrupt everything, and wait until it has ended; the next server says what that was."""
        with self._lock:
            self._cut = {job.id for job in self._jobs.values() if not job.ended and not self.is_stopping(job)}
            for job in self._jobs.values():
                self.stop(job)
        deadline = time.monotonic() + GRACE + 2
        while self._processes and time.monotonic() < deadline:
            time.sleep(POLL)
        self._closed.set()
        self._thread.join(timeout=2)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        while not self._closed.wait(POLL):
            try:
                with self._lock:
                    self._look_round()
            except OSError:  # a full disk, no more processes: the next look may find it better
                log.exception("Jobs cannot be looked after.")

    def _look_round(self) -> None:
        for job in list(self._jobs.values()):
            if job.state == "running":
                self._look_at(job)
            elif job.ended and time.time() - job.made > KEPT:
                self._drop(job)
        self._begin_what_is_due()

    def _begin_what_is_due(self) -> None:
        running = [self._lane(job) for job in self._jobs.values() if job.state == "running"]
        waiting = sorted((job for job in self._jobs.values() if job.state == "waiting"), key=lambda job: job.made)
        for job in waiting:
            if running.count(self._lane(job)) < (OTHERS if self._lane(job) else self._at_once):
                self._begin(job)
                running.append(self._lane(job))

    def _begin(self, job: Job) -> None:
        place = self._folder / job.id
        spare = place / "temporary"  # goes with the job, however it ends
        spare.mkdir(exist_ok=True)
        with (place / "log.txt").open("wb") as told:
            self._processes[job.id] = subprocess.Popen(
                [sys.executable, "-m", "regulars.app.working", job.kind, str(place), str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True,
                env={**os.environ, "TMPDIR": str(spare)},
            )  # fmt: skip
        job.state = "running"
        self._keep(job)

    def _look_at(self, job: Job) -> None:
        """Read how far a job is, and whether it has ended."""
        place, process = self._folder / job.id, self._processes[job.id]
        if found := _read(place / "progress.json"):
            job.stage, job.share, job.left = found["stage"], found["share"], found["left"]
        job.found = job.found or _read(place / "found.json")
        if process.poll() is None:
            if time.monotonic() > self._stopping.get(job.id, float("inf")):
                _signal(process, signal.SIGKILL)
            return
        del self._processes[job.id]
        tidy_up(self._workspace, process.pid)
        shutil.rmtree(place / "temporary", ignore_errors=True)
        stopped = self._stopping.pop(job.id, None) is not None
        if (result := _read(place / "result.json")) is not None:  # it may have been done before it was told to stop
            job.result = result
            self._end(job, "done")
        elif stopped:
            self._end(job, "stopped")
        else:
            job.error = _read(place / "error.json") or _unexpected(place / "log.txt", process.returncode)
            self._end(job, "failed")

    def _end(self, job: Job, state: State) -> None:
        if state == "stopped" and job.id in self._cut:
            state = "interrupted"
        job.state, job.left = state, None
        self._keep(job)

    @staticmethod
    def _lane(job: Job) -> bool:
        return job.kind != "run"

    # --- what is on disk --------------------------------------------------------------------------------------------

    def _keep(self, job: Job) -> None:
        """Write down what a job is, so that the next server knows that it was interrupted."""
        path = self._folder / job.id / "job.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps({"kind": job.kind, "title": job.title, "state": job.state}), "utf-8")
        draft.replace(path)

    def _drop(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        shutil.rmtree(self._folder / job.id, ignore_errors=True)

    def _take_over(self) -> list[str]:
        """Clear away the jobs of a server before this one; the titles of those that it did not end itself."""
        found = [_read(path) or {} for path in sorted(self._folder.glob("*/job.json"))]
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        return [
            str(job.get("title", "")) for job in found if job.get("state") not in SETTLED and job.get("kind") == "run"
        ]


def _read(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _unexpected(told: Path, code: int) -> dict[str, str]:
    """What is said of work that ended with no word of its own; what Python said of it goes to the server's log."""
    if code == 1:
        with suppress(OSError):
            log.error("A job broke off.\n%s", told.read_text("utf-8", "replace")[-TOLD:])
        message = "Something went wrong inside regulars."
        return {"message": message, "hint": "What it was is in the window in which 'regulars serve' runs."}
    return {
        "message": f"The work ended without a result (exit code {code}).",
        "hint": "Perhaps the machine ran out of memory: close other programs, or choose a smaller file.",
    }


def tidy_up(workspace: Path, process: int) -> None:
    """Remove the unfinished run of a process that had no time to do it."""
    for left in workspace.glob(f".*.partial-{process}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
