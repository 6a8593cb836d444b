"""Long work in processes of its own: one after the other, seen by its own session, and gone when it is stopped."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from regulars.app.jobs import Job, Jobs
from regulars.app.workspace import Workspace
from regulars.errors import SourceError
from regulars.writing import write_orders


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def jobs(workspace):
    queue = Jobs(workspace)
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def orders(tmp_path_factory, sample_shop):
    """A file with the sample shop."""
    return write_orders(sample_shop.orders, tmp_path_factory.mktemp("orders") / "orders.csv")


@pytest.fixture
def spec(workspace, orders):
    def of(**choices):
        known = {"source": "x", "title": "orders.csv", "path": str(orders), "run": "orders"}
        return {"workspace": str(workspace.folder), "choices": choices, **known}

    return of


def processes_of(workspace) -> list[int]:
    """Processes that work for a workspace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if "regulars.app.working" in (said := (process / "cmdline").read_text()) and str(workspace.folder) in said:
                found.append(int(process.name))
    return found


def left_of(workspace) -> list[str]:
    """What a run that did not end may have left beside the runs."""
    return [path.name for path in workspace.folder.iterdir() if path.name != ".regulars"]


def test_runs_wait_for_each_other_and_checks_do_not(jobs, spec, until):
    first, second, third = (jobs.start("run", title="orders", spec=spec(), session="mine") for _ in range(3))
    look = jobs.start("check", title="orders", spec=spec(), session="mine")

    until(lambda: first.state == "running" and look.state != "waiting")
    assert (second.state, third.state) == ("waiting", "waiting")
    assert (jobs.ahead_of(second), jobs.ahead_of(third)) == (1, 2)
    jobs.stop(second)
    assert (second.state, jobs.ahead_of(third)) == ("stopped", 1)
    jobs.stop(first)
    until(lambda: first.state == "stopped" and third.state == "running")
    jobs.stop(third)
    until(lambda: look.state == "done")
    assert look.result["audit"]["reconciles"]


def test_a_run_that_is_stopped_is_gone(jobs, spec, workspace, until):
    job = jobs.start("run", title="orders", spec=spec(), session="mine")
    until(lambda: any(workspace.folder.glob(".orders.partial-*")))
    assert len(processes_of(workspace)) == 1

    jobs.stop(job)
    until(lambda: job.state == "stopped")
    assert (processes_of(workspace), left_of(workspace)) == ([], [])
    assert sorted(path.name for path in workspace.own.glob("jobs/*/*")).count("temporary") == 0


def test_a_run_that_does_not_listen_is_ended_by_force_and_leaves_nothing(jobs, spec, workspace, until, monkeypatch):
    monkeypatch.setattr("regulars.app.jobs.GRACE", 0.0)
    job = jobs.start("run", title="orders", spec=spec(), session="mine")
    (process,) = until(lambda: processes_of(workspace))
    os.kill(process, signal.SIGSTOP)  # it hears nothing any more
    (workspace.folder / f".orders.partial-{process}-x").mkdir()

    jobs.stop(job)
    until(lambda: job.state == "stopped")
    assert (processes_of(workspace), left_of(workspace)) == ([], [])


def test_work_that_is_killed_says_so(jobs, spec, workspace, until):
    job = jobs.start("run", title="orders", spec=spec(), session="mine")
    (process,) = until(lambda: processes_of(workspace))
    os.kill(process, signal.SIGKILL)

    until(lambda: job.ended)
    assert (job.state, job.error["message"]) == ("failed", "The work ended without a result (exit code -9).")


def test_an_error_of_the_user_is_told_in_words(jobs, spec, workspace, until):
    job = jobs.start("run", title="orders", spec=spec(groups="ours"), session="mine")
    until(lambda: job.ended)
    assert (job.state, job.error["kind"], job.error["message"]) == (
        "failed",
        "OptionError",
        "There is no rule pack 'ours'.",
    )
    assert left_of(workspace) == []


def test_an_error_of_ours_goes_to_the_log_and_not_to_the_page(jobs, spec, until, caplog):
    job = jobs.start("check", title="orders", spec={"workspace": "x"}, session="mine")
    until(lambda: job.ended)
    assert (job.state, job.error["message"]) == ("failed", "Something went wrong inside regulars.")
    assert "KeyError" in caplog.text


def test_what_closing_interrupts_is_told_to_the_next_server_and_what_was_stopped_is_not(workspace, spec, until):
    jobs = Jobs(workspace)
    running, waiting, stopped = (
        jobs.start("run", title=title, spec=spec(), session="mine") for title in ("May.csv", "June.csv", "no.csv")
    )
    until(lambda: running.state == "running")
    jobs.stop(stopped)

    jobs.close()

    assert [job.state for job in (running, waiting, stopped)] == ["interrupted", "interrupted", "stopped"]
    assert jobs.cut_off() == ["May.csv", "June.csv"]
    assert (processes_of(workspace), left_of(workspace)) == ([], [])
    later = Jobs(workspace)
    assert sorted(later.interrupted) == ["June.csv", "May.csv"]
    later.close()


def test_nobody_sees_the_work_of_others(jobs, spec):
    job = jobs.start("check", title="orders", spec=spec(), session="mine")
    assert jobs.of("another") == []
    with pytest.raises(SourceError, match="no such job"):
        jobs.get(job.id, session="another")
    assert "spec" not in job.to_dict()
    assert "session" not in job.to_dict()


def test_a_page_sees_a_job_as_it_is_at_one_moment():
    job = Job(id="1", session="a", kind="check", title="orders.csv", spec={}, state="running", found={"columns": []})
    seen = job.still()
    job.result, job.state = {"error": None}, "done"
    assert (seen.state, seen.ended, seen.result) == ("running", False, None)
