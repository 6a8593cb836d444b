"""What came of a list that was made here: later orders of those on it against those who were left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.app.choices import Choices
from regulars.app.sources import Source, opened
from regulars.errors import ColumnError, NotEnoughDataError, OptionError, UnreadableError

if TYPE_CHECKING:
    from regulars.app.guarding import Session
    from regulars.app.house import House
    from regulars.app.jobs import Job
    from regulars.app.lists import Campaign
    from regulars.app.working import Teller

__all__ = ["Span", "measure_list", "start_measuring"]

LONGEST = 3_660  # days

_SAME = "Export the orders as you did for this run, with the same columns and dates; then drop that file."
_LATER = (
    "Choose an export that reaches beyond the first day and has the customers of the list, or an earlier first day."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which orders count: from the first day on, so many days; `None` is the day of the list, and all there are."""

    start: date | None = None
    days: int | None = None

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Span:
        """Read what a form sent.

        Raises
        ------
        OptionError
            A field holds what cannot be meant.

        Examples
        --------
        >>> Span.from_form({"start": "2024-12-01", "days": ""})
        Span(start=datetime.date(2024, 12, 1), days=None)
        """
        start, days = form.get("start", "").strip(), form.get("days", "").strip()
        try:
            first = date.fromisoformat(start) if start else None
        except ValueError:
            raise OptionError(f"{start[:40]!r} is no day.", hint="Write it as 2024-12-31.") from None
        if days and not (re.fullmatch(r"[0-9]{1,4}", days) and 1 <= int(days) <= LONGEST):
            raise OptionError(
                f"{days[:40]!r} is no number of days.", hint=f"Write a number from 1 to {LONGEST:,}, such as 30."
            )
        return cls(start=first, days=int(days) if days else None)


def start_measuring(house: House, session: Session, made: Campaign, source: Source, span: Span, *, record: Path) -> Job:
    """Begin to measure a list, unless the same is being done or has been done; the file is read as that of the run was.

    Returns
    -------
    Job
        Its `result` is that of `measure_list`.
    """
    kept = house.workspace.read(f"sources/{made.run}.json").get("choices", {})
    spec = {
        "workspace": str(house.workspace.folder),
        "source": source.id,
        "title": source.title,
        "path": None if source.path is None else str(source.path),
        "choices": Choices.parse(kept).written(briefly=True),
        "run": made.run,
        "list": made.name,
        "record": str(record),
        "start": None if span.start is None else span.start.isoformat(),
        "days": span.days,
    }
    for job in house.jobs.of(session.id):
        if job.kind == "measure" and job.spec == spec and job.state in ("waiting", "running", "done"):
            return job
    return house.jobs.start("measure", title=made.title, spec=spec, session=session.id)


def measure_list(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Measure the list of a specification.

    Returns
    -------
    dict
        Plain values of `audiences.Measured`.
    """
    from regulars.audiences import load_record, measure_campaign

    start = None if spec["start"] is None else date.fromisoformat(spec["start"])
    reading = Choices.parse(spec["choices"]).reading(Path(spec["workspace"]))
    with opened(spec) as source:
        tell("Reading", 0, 0)
        try:
            found = measure_campaign(load_record(spec["record"]), source, start=start, days=spec["days"], **reading)
        except (ColumnError, UnreadableError, OptionError) as error:
            raise type(error)(error.message, hint=_SAME) from error
        except NotEnoughDataError as error:
            raise NotEnoughDataError(error.message, hint=_LATER) from error
    return found.to_dict()
