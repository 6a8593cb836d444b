"""Measure a campaign: a later export against those who were left out of a list."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import lists, pages
from regulars.app.forms import FormOf
from regulars.app.guarding import Session
from regulars.app.house import House, HouseOf, SessionOf
from regulars.app.measuring import Span, start_measuring
from regulars.app.sources import find_source
from regulars.app.uploads import ENDINGS
from regulars.errors import OptionError, RegularsError, SourceError
from regulars.planning import amount
from regulars.wording import money

router = APIRouter(include_in_schema=False)

HERE = "/segments"


@router.get("/runs/{run}/lists/{name}/measure")
def ask(request: Request, house: HouseOf, session: SessionOf, run: str, name: str) -> Response:
    """Ask for the later orders, and for the days that count."""
    return _form(request, house, session, _list(house, run, name), dict(request.query_params))


@router.post("/runs/{run}/lists/{name}/measure")
def begin(request: Request, house: HouseOf, session: SessionOf, run: str, name: str, form: FormOf) -> Response:
    """Begin to measure."""
    made = _list(house, run, name)
    try:
        source, span = find_source(house, session, form.get("source", "")), Span.from_form(form)
    except RegularsError as error:
        return _form(request, house, session, made, form, error=error)
    record = lists.path_of(house.workspace, made.files[-1])
    job = start_measuring(house, session, made, source, span, record=record)
    return RedirectResponse(f"{_address(made)}/{job.id}", status_code=303)


@router.get("/runs/{run}/lists/{name}/measure/{job_id}")
def show(request: Request, house: HouseOf, session: SessionOf, run: str, name: str, job_id: str) -> Response:
    """Show what came of a campaign, or that it is still being counted."""
    made, job = _list(house, run, name), house.jobs.get(job_id, session=session.id).still()
    if job.kind != "measure" or (job.spec["run"], job.spec["list"]) != (made.run, made.name):
        raise SourceError("There is no such measurement of this list.", hint="Measure it again.")
    if pages.is_partial(request) and job.ended:
        return Response(headers={"hx-refresh": "true"})
    found, currency = job.result, None if job.result is None else job.result["currency"]
    return pages.page(
        request,
        "measure_waits.html" if pages.is_partial(request) else "measured.html",
        run=house.workspace.run(run),
        here=HERE,
        made=made,
        job=job,
        found=found,
        first=None if found is None else date.fromisoformat(found["start"]),
        last=None if found is None else date.fromisoformat(found["last_day"]),
        paid=lambda value: money(float(value), currency),
        address=_address(made),
    )


def _form(
    request: Request, house: House, session: Session, made: lists.Campaign, asked: Mapping[str, str],
    *, error: RegularsError | None = None,
) -> Response:  # fmt: skip
    place = lists.path_of(house.workspace, made.files[0])
    facts: dict[str, Any] = {
        "uploads": house.uploads.of(session.id),
        "endings": ENDINGS,
        "limit": house.uploads.limit,
        "limit_in_words": amount(house.uploads.limit),
        "quoted": shlex.quote(str(place)),
    }
    return pages.page(
        request, "measure.html", run=house.workspace.run(made.run), here=HERE, status=200 if error is None else 400,
        made=made, asked=asked, error=error, address=_address(made), **facts,
    )  # fmt: skip


def _list(house: House, run: str, name: str) -> lists.Campaign:
    """A list that can be measured."""
    made = lists.find_list(house.workspace, house.workspace.run(run).name, name)
    if not made.holdout:
        raise OptionError(
            "Nobody was left out of this list: what the campaign changed cannot be known.",
            hint="Leave some out of the next list.",
        )
    return made


def _address(made: lists.Campaign) -> str:
    return f"/runs/{quote(made.run)}/lists/{quote(made.name)}/measure"
