"""The page "Compare": who moved between two runs, or between two dates of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from regulars import charts
from regulars.app import pages
from regulars.app.downloads import csv_of
from regulars.app.house import House, HouseOf
from regulars.app.movements import (
    Compared,
    Cuts,
    days_of,
    likeliest,
    moves_between_dates,
    moves_between_runs,
    people_of,
)
from regulars.app.saying import hint_for_people
from regulars.app.workspace import Run
from regulars.comparing import BECAUSE, CUTS, GROUPINGS, Moves
from regulars.errors import OptionError, RegularsError, listed
from regulars.reporting import chart_data
from regulars.wording import day, slug

router = APIRouter(include_in_schema=False)

#: What a move is called in the table of reasons: direction → words.
MOVED = {"up": "moved up", "down": "moved down", "stayed": "stayed"}
REASONS = ("customer", "cuts", "both", "undone", "stayed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address of the page asks for.

    Parameters
    ----------
    other
        Name of the run to compare with, or ``""``.
    dates
        The two dates, or `None`.
    by, cuts
        One of `comparing.GROUPINGS`, one of `comparing.CUTS`.
    """

    other: str
    dates: tuple[date, date] | None
    by: str
    cuts: Cuts

    def query(self, **changes: str) -> str:
        """Give the address of the same comparison, with changes."""
        own = {"with": self.other} if self.other else {}
        if self.dates is not None:
            own = {"from": self.dates[0].isoformat(), "to": self.dates[1].isoformat()}
        return urlencode(own | {"by": self.by, "cuts": self.cuts} | changes)


def _asked(query: Mapping[str, str]) -> Asked:
    """Read the address.

    Raises
    ------
    OptionError
        A date is no date, or a choice does not exist.
    """
    by, cuts = query.get("by", "groups"), query.get("cuts", "each")
    for name, value, allowed in (("by", by, GROUPINGS), ("cuts", cuts, CUTS)):
        if value not in allowed:
            raise OptionError(f"{name} is {value[:40]!r}.", hint=f"Choose one of {listed(allowed)}.")
    texts = [query.get(name, "").strip() for name in ("from", "to")]
    dates = (_day(texts[0]), _day(texts[1])) if any(texts) else None
    if dates is not None and dates[0] > dates[1]:
        words = f"The first day, {day(dates[0])}, is after the second, {day(dates[1])}."
        raise OptionError(words, hint="Give the earlier one first, under “From”.")
    return Asked(other=query.get("with", ""), dates=dates, by=by, cuts=cast(Cuts, cuts))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise OptionError(f"{text[:40]!r} is no date.", hint="Choose both days, such as 2024-06-30.") from error


@router.get("/runs/{run}/compare")
def compare_page(request: Request, house: HouseOf, run: str) -> Response:
    """Show the choice of what to compare with, and who moved."""
    found = house.workspace.run(run)
    asked = Asked(other="", dates=None, by="groups", cuts="each")
    try:
        asked = _asked(request.query_params)
        compared = _compared(house, found, asked)
    except RegularsError as error:
        return _page(request, house, found, asked, None, error=error, status=400)
    return _page(request, house, found, asked, compared)


@router.get("/runs/{run}/compare/people.csv")
def people_file(request: Request, house: HouseOf, run: str) -> Response:
    """Give the customers of one move, or of all, as a file."""
    query = request.query_params
    asked = _asked(query)
    compared = _compared(house, house.workspace.run(run), asked)
    if compared is None:
        raise OptionError("Nothing is compared yet.", hint="Choose another run or two dates first.")
    if "before" not in query:
        people, name = compared.movement.moved(asked.by), "moved"
    else:
        before, after = query["before"], query.get("after", "")
        people = people_of(compared.movement, asked.by, before=before, after=after, because=query.get("because"))
        name = f"{slug(before)}-to-{slug(after)}"
    with compared.lock:
        return csv_of(people, f"{name}.csv")


def _compared(house: House, run: Run, asked: Asked) -> Compared | None:
    """Compare what is asked for; `None` where nothing is yet."""
    if asked.other:
        return moves_between_runs(run, house.workspace.run(asked.other), cuts=asked.cuts)
    if asked.dates is not None:
        return moves_between_dates(run, asked.dates, cuts=asked.cuts)
    return None


def _page(
    request: Request, house: House, run: Run, asked: Asked, compared: Compared | None,
    *, error: RegularsError | None = None, status: int = 200,
) -> Response:  # fmt: skip
    first, last, proposed = days_of(run)
    others = [entry for entry in house.workspace.runs() if entry.name != run.name]
    if error is not None:
        error = OptionError(error.message, hint=hint_for_people(error))
    facts: dict[str, Any] = {}
    if compared is not None:
        moves = compared.movement.by(asked.by)
        figure = chart_data(charts.movement(compared.movement, asked.by))
        facts = {"movement": compared.movement, "moves": moves, "reasons": _reasons(moves)}
        facts["notes"] = [note for note in compared.movement.notes if asked.by == "segments" or "Segments" not in note]
        facts["order"] = list(dict.fromkeys(one.name for one in moves.after if one.kind == "segment"))
        facts["figures"] = {"movement": figure}
    return pages.page(
        request, "compare.html", run=run, status=status, here="/compare", asked=asked, error=error,
        others=others, preselected=asked.other or likeliest(house.workspace, run, others),
        first=first, last=last, dates=asked.dates or proposed, because=BECAUSE, **facts,
    )  # fmt: skip


def _reasons(moves: Moves) -> list[tuple[str, str, Any]]:
    """Direction, reason and sums of everyone who is on both sides; only those with customers."""
    return [
        (words, BECAUSE[reason], total)
        for direction, words in MOVED.items()
        for reason in REASONS
        if (total := moves.total(direction=direction, because=reason)).customers
    ]
