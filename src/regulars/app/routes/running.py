"""Runs: begun, looked at while they go on, stopped."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.checking import stages_of
from regulars.app.choices import Choices
from regulars.app.house import HouseOf, SessionOf
from regulars.app.jobs import Job
from regulars.app.routes.checking import address_of, read_form
from regulars.app.sources import find_source, start_run
from regulars.planning import spoken

router = APIRouter(include_in_schema=False)

#: Stages by their names in `planning.COSTS`, in the words of people who have never seen them.
STAGES = {
    "Reading": "Read the file",
    "Cleaning": "Set aside what is no purchase",
    "Counting per customer": "Count orders and money of each customer",
    "Back-testing": "Test on the past: who came back?",
    "Clustering": "Find groups of customers that are alike",
    "Forecasting": "Forecast who will order",
    "Describing the segments": "Name and describe the segments",
    "Writing customers": "Write the lists of customers",
    "Writing what was set aside": "Write what was set aside",
    "Drawing": "Draw the pictures",
    "Making the report": "Make the report",
    "Writing the record": "Finish",
}


@router.post("/runs")
async def begin(request: Request, house: HouseOf, session: SessionOf) -> Response:
    """Put a run into the queue."""
    form = read_form(await request.body())
    source = find_source(house, session, form.get("source", ""))
    job = start_run(house, session, source, Choices.parse(form))
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)


@router.get("/jobs/{job_id}")
def show(request: Request, house: HouseOf, session: SessionOf, job_id: str) -> Response:
    """Show how far a run is; when it is done, go to it."""
    job = house.jobs.get(job_id, session=session.id).still()
    back = address_of(job)
    partial = pages.is_partial(request)
    if job.kind != "run" or job.state == "done":
        address = f"/runs/{quote(job.result['run'])}" if job.kind == "run" and job.result else back
        return Response(headers={"hx-redirect": address}) if partial else RedirectResponse(address, status_code=303)
    if partial and job.ended:  # what stands beside the state, the button, goes too
        return Response(headers={"hx-refresh": "true"})
    made = pages.piece if partial else pages.page
    return made(
        request,
        "job_state.html" if partial else "job.html",
        job=job,
        back=back,
        ahead=house.jobs.ahead_of(job) if job.state == "waiting" else 0,
        stages=_stages(job),
        stopping=house.jobs.is_stopping(job),
        left=None if job.left is None else spoken(job.left),
    )


@router.post("/jobs/{job_id}/stop")
def stop(house: HouseOf, session: SessionOf, job_id: str) -> Response:
    """Stop a run, or take it from the queue."""
    job = house.jobs.get(job_id, session=session.id)
    house.jobs.stop(job)
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)


@router.post("/jobs/{job_id}/dismiss")
def dismiss(house: HouseOf, session: SessionOf, job_id: str) -> Response:
    """Take a run that failed or was stopped from the start page."""
    house.jobs.forget(house.jobs.get(job_id, session=session.id))
    return RedirectResponse("/", status_code=303)


def _stages(job: Job) -> list[tuple[str, str]]:
    """Stages of a run in words, and whether they are done, going on or to come."""
    names = stages_of(Choices.parse(job.spec["choices"]))
    now = next((place for place, name in enumerate(names) if job.stage.startswith(name)), -1)
    states: dict[bool, Any] = {True: "done", False: "to come"}
    return [(STAGES[name], "now" if place == now else states[place < now]) for place, name in enumerate(names)]
