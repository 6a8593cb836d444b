"""The start page: where to drop a file, the work that goes on, and the runs of the workspace."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.house import House, HouseOf, SessionOf
from regulars.app.lists import drop_lists, lists_of
from regulars.app.sources import databases
from regulars.app.uploads import ENDINGS
from regulars.errors import RegularsError
from regulars.planning import amount
from regulars.wording import money

router = APIRouter(include_in_schema=False)


@router.get("/")
def start(request: Request, house: HouseOf, session: SessionOf) -> Response:
    """Show where to drop a file, the work that goes on, and the runs."""
    seen = [job.still() for job in house.jobs.of(session.id)]
    jobs = [job for job in seen if job.kind == "run" and job.state != "done"]
    facts: dict[str, Any] = {
        "jobs": jobs[:5],
        "ahead_of": house.jobs.ahead_of,
        "busy": any(not job.ended for job in jobs),
    }
    if pages.is_partial(request):
        return pages.piece(request, "start_work.html", **facts)
    entries = [(entry, money(entry.revenue, entry.currency)) for entry in house.workspace.runs()]
    return pages.page(
        request,
        "start.html",
        here="/",
        entries=entries,
        endings=ENDINGS,
        limit=house.uploads.limit,
        limit_in_words=amount(house.uploads.limit),
        interrupted=_interrupted(house),
        **_databases(house),
        **facts,
    )


@router.post("/interrupted")
def take_note(house: HouseOf) -> Response:
    """Forget what the end of the server before this one interrupted: somebody has read it."""
    house.jobs.interrupted.clear()
    house.uploads.interrupted.clear()
    return RedirectResponse("/", status_code=303)


@router.get("/runs/{run}/delete")
def ask(request: Request, house: HouseOf, run: str) -> Response:
    """Ask whether a run is really to be deleted."""
    found = next((entry for entry in house.workspace.runs() if entry.name == run), None)
    name = house.workspace.run(run).name
    return pages.page(request, "delete.html", name=name, entry=found, lists=lists_of(house.workspace, name))


@router.post("/runs/{run}/delete")
def delete(house: HouseOf, run: str) -> Response:
    """Delete a run and its lists."""
    lists = lists_of(house.workspace, run)
    house.workspace.remove(run)
    drop_lists(house.workspace, lists)
    return RedirectResponse("/", status_code=303)


def _databases(house: House) -> dict[str, Any]:
    """The databases that can be chosen, or what is wrong with their file."""
    try:
        return {"databases": databases(house.workspace.folder), "wrong": None}
    except RegularsError as error:
        return {"databases": (), "wrong": error}


def _interrupted(house: House) -> list[str]:
    """What the end of the server before this one interrupted, in words."""
    runs = [f"the run of {title}" for title in house.jobs.interrupted]
    return runs + [f"the upload of {name}" for name in house.uploads.interrupted]
