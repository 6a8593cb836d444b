"""What can be segmented: files that came in, databases of the administrator, the sample shop; and the work on it."""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from regulars.app.choices import Choices
from regulars.errors import OptionError, SourceError, listed
from regulars.planning import amount

if TYPE_CHECKING:
    from regulars.app.guarding import Session
    from regulars.app.house import House
    from regulars.app.jobs import Job

__all__ = ["SAMPLE", "Database", "Source", "databases", "find_source", "opened", "rerun", "start_check", "start_run"]

SAMPLE = "sample"
DATABASE = "database-"
SAMPLE_CUSTOMERS = 2500
MB = 1_000_000

_starting = threading.Lock()  # one run takes its name at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that can be segmented.

    Parameters
    ----------
    id
        As in the addresses of pages: of an upload, ``"sample"``, or ``"database-"`` and its name.
    title
        For people; runs are named after it.
    about
        Where it is from and how large it is, in words.
    path
        Of a file that came in; `None` for others.
    """

    id: str
    title: str
    about: str
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that the administrator wrote into `databases.toml` of the workspace.

    Parameters
    ----------
    name, title
        What it is called in the file, and for people.
    address
        With its table. It may say how to log in: never shown, and never kept elsewhere.
    """

    name: str
    title: str
    address: str

    def __repr__(self) -> str:
        return f"Database({self.name!r})"


def databases(workspace: Path) -> tuple[Database, ...]:
    r"""Read `databases.toml` of a workspace; none where there is no such file.

    Raises
    ------
    OptionError
        The file cannot be read; the message never has an address.

    Examples
    --------
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "databases.toml").write_text(
    ...         '[shop]\ntitle = "Web shop"\naddress = "postgres://me@host/shop?table=order_lines"'
    ...     )
    ...     databases(Path(folder))[0].title
    'Web shop'
    """
    path, form = workspace / "databases.toml", 'Write [shop] and, below it, address = "postgres://…?table=order_lines".'
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise OptionError(
            "databases.toml of the workspace cannot be read.", hint=f"It is TOML in UTF-8. {form}"
        ) from None
    known = []
    for name, entry in found.items():
        address = entry.get("address") if isinstance(entry, dict) else None
        if not isinstance(address, str) or not re.fullmatch(r"[\w-]{1,60}", name):
            raise OptionError(f"databases.toml of the workspace: {name[:60]!r} is no database.", hint=form)
        known.append(Database(name=name, title=str(entry.get("title", name)), address=address))
    return tuple(known)


def find_source(house: House, session: Session, source_id: str) -> Source:
    """Find a source by its id.

    Raises
    ------
    SourceError
        There is none, it is another session's, or it is gone.
    """
    if source_id == SAMPLE:
        return Source(id=SAMPLE, title="Sample shop", about=f"a made-up shop with {SAMPLE_CUSTOMERS:,} customers")
    if source_id.startswith(DATABASE):
        database = _database(house.workspace.folder, source_id.removeprefix(DATABASE))
        return Source(id=source_id, title=database.title, about="a database of the workspace")
    upload = house.uploads.get(source_id, session=session.id)
    size = amount(upload.bytes) if upload.bytes >= MB else "less than 1 MB"
    return Source(id=upload.id, title=upload.name, about=f"a file of {size}", path=upload.path)


def _database(workspace: Path, name: str) -> Database:
    known = databases(workspace)
    found = next((database for database in known if database.name == name), None)
    if found is None:
        names = f"There are {listed(database.name for database in known)}." if known else "There is none."
        raise SourceError(
            f"There is no database {name[:60]!r}.", hint=f"{names} They stand in databases.toml of the workspace."
        )
    return found


# --- the work on it -------------------------------------------------------------------------------------------------


def start_check(house: House, session: Session, source: Source, choices: Choices, *, instead_of: str = "") -> Job:
    """Begin to look at a source, unless that is being done or has been done; other looks at it are stopped.

    Parameters
    ----------
    house, session, source, choices
        Where, for whom, at what, and how it is read.
    instead_of
        The id of a look that broke off, to look again.

    Returns
    -------
    Job
        `found` has what the header and the first rows show, as soon as that is known; `result` has the audit. What cannot
        be read is no failure: `result["error"]` says what and why.
    """
    spec = _spec(house, source, choices) | {"choices": choices.written(briefly=True)}
    looks = [job for job in house.jobs.of(session.id) if job.kind == "check" and job.spec["source"] == source.id]
    for job in looks:
        if job.spec == spec and job.state != "stopped" and job.id != instead_of:
            return job
    for job in looks:
        house.jobs.stop(job)
    return house.jobs.start("check", title=source.title, spec=spec, session=session.id)


def start_run(house: House, session: Session, source: Source, choices: Choices) -> Job:
    """Put a run into the queue, unless the session has the same there already.

    Its folder gets a name that no other run has or will have.

    Returns
    -------
    Job
        Its `result["run"]` is the name of the run in the workspace.

    Raises
    ------
    OptionError
        A layout or rule pack that is not there.
    """
    choices.reading(house.workspace.folder)
    choices.segmenting(house.workspace.folder)
    with _starting:
        spec = _spec(house, source, choices)
        for job in house.jobs.pending("run"):
            same = job.session == session.id and {**job.spec, **spec} == job.spec
            if same and not house.jobs.is_stopping(job):
                return job
        taken = {job.spec["run"] for job in house.jobs.pending("run")}
        name, number = house.workspace.new_folder(source.title).name, 1
        while name in taken:
            number += 1
            name = house.workspace.new_folder(f"{Path(source.title).stem} {number}").name
        return house.jobs.start("run", title=source.title, spec=spec | {"run": name}, session=session.id)


def rerun(house: House, session: Session, run_name: str, **changes: Any) -> Job:
    """Make the segments again from the source of an earlier run, as a new run, with some choices changed.

    Parameters
    ----------
    house, session
        As for `start_run`.
    run_name
        Of the earlier run.
    **changes
        Fields of `Choices`, such as ``k=5`` or ``scale="log"``.

    Raises
    ------
    SourceError
        Nobody knows what the run was made from, or it is gone.
    OptionError
        A choice that cannot be.
    """
    kept = house.workspace.read(f"sources/{run_name}.json")
    if not kept:
        raise SourceError(
            f"The file of the run {run_name[:80]!r} is not known here.",
            hint="It was made outside of this app, or by an earlier server. Drop its file on the start page.",
        )
    source = find_source(house, session, str(kept["source"]))
    return start_run(house, session, source, replace(Choices.parse(kept["choices"]), **changes))


def _spec(house: House, source: Source, choices: Choices) -> dict[str, Any]:
    """What the process of a job is told: a database by its name only, so that no address is written anywhere."""
    return {
        "workspace": str(house.workspace.folder),
        "source": source.id,
        "title": source.title,
        "path": None if source.path is None else str(source.path),
        "choices": choices.written(),
    }


@contextmanager
def opened(spec: dict[str, Any]) -> Iterator[str]:
    """Give what `regulars.read` takes for the source of a job: a path, or an address."""
    source = str(spec["source"])
    if source == SAMPLE:
        from regulars.datasets import make_orders
        from regulars.writing import write_orders

        with TemporaryDirectory(prefix="regulars-sample-") as folder:
            yield str(write_orders(make_orders(SAMPLE_CUSTOMERS).orders, Path(folder, "sample_shop.csv")))
    elif source.startswith(DATABASE):
        yield _database(Path(spec["workspace"]), source.removeprefix(DATABASE)).address
    else:
        yield str(spec["path"])
