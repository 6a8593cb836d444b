"""The API for programs: files in, checks, runs, and the jobs that make them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regulars.app import answers
from regulars.app.choices import Choices
from regulars.app.house import House, HouseOf, SessionOf
from regulars.app.jobs import Job
from regulars.app.routes.api import CHANGES, api_router
from regulars.app.saying import for_programs
from regulars.app.sources import databases, find_source, start_check, start_run
from regulars.pipeline.facts import MOST_K
from regulars.planning import amount

router = api_router()

UNLIMITED = 10**15  # bytes: the house counts them itself, and says in words what is too much
BODY = {
    "requestBody": {
        "required": True,
        "description": "The file as it is.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class CheckAsked(BaseModel):
    """A source, and how to read it; what is left out is recognised or has its usual value."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="`sample`, the id of an upload, or `database-` and the name of a database.")
    columns: dict[str, str] = Field({}, description="Our field → the source's column, such as `customer_id`.")
    layout: str = Field("", description="Name of a layout; empty: recognised.")
    sheet: str = Field("", description="Sheet of a workbook; empty: the first that fits.")
    dayfirst: bool | None = Field(None, description="Whether 1/2/2024 is in February; null: the column decides.")
    currency: str = Field("", pattern=r"^([A-Za-z]{3})?$", description="Three letters; empty: as the source says.")
    unreadable: Literal["error", "set_aside"] = "error"
    returns: Literal["net", "drop"] = "net"
    all_products: bool = False
    as_of: date | None = None


class RunAsked(CheckAsked):
    """A source, how to read it, and which segments to make."""

    k: int | None = Field(None, ge=2, le=MOST_K, description="Number of segments; null: chosen.")
    scale: Literal["sqrt-log", "standard", "minmax", "robust", "log", "yeo-johnson"] = "sqrt-log"
    groups: str = Field("eleven", description="A rule pack by name; those of the workspace, too.")
    backtest: bool = True
    horizon_days: int | None = Field(None, ge=1, le=10_000, description="Null: a quarter of the history, at most 91.")


@router.put(
    "/uploads",
    tags=["files and work"],
    status_code=201,
    responses=CHANGES,
    openapi_extra=BODY,
    max_body_size=UNLIMITED,
    response_model=answers.UploadAnswer,
)
async def upload(
    request: Request,
    house: HouseOf,
    session: SessionOf,
    name: Annotated[str, Query(description="What the file is called; its ending says what it is.", max_length=500)],
) -> Any:
    """Send a file (CSV, Excel or Parquet) as the body; its size must be announced."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdigit() else None
    if length is not None and length > house.uploads.limit:
        message = f"The file has {amount(length)}; at most {amount(house.uploads.limit)} are taken."
        hint = "Use 'regulars segment', which has no limit."
        return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=413)
    taken = await house.uploads.take(request.stream(), name=name, length=length, session=session.id)
    return answers.UploadAnswer(id=taken.id, name=taken.name, bytes=taken.bytes)


@router.delete(
    "/uploads/{upload_id}", tags=["files and work"], status_code=204, response_class=Response, responses=CHANGES
)
def delete_upload(house: HouseOf, session: SessionOf, upload_id: str) -> None:
    """Delete a file that came in."""
    house.uploads.drop(house.uploads.get(upload_id, session=session.id))


@router.get("/databases", tags=["files and work"])
def list_databases(house: HouseOf) -> answers.DatabasesAnswer:
    """List the databases that the administrator configured, by name."""
    known = databases(house.workspace.folder)
    return answers.DatabasesAnswer(
        databases=[answers.DatabaseAnswer(name=database.name, title=database.title) for database in known]
    )


@router.post("/checks", tags=["files and work"], status_code=202, responses=CHANGES)
def begin_check(house: HouseOf, session: SessionOf, asked: CheckAsked) -> answers.JobAnswer:
    """Look at a source: which column is what, and what cleaning would set aside. The job's `result` says it."""
    source = find_source(house, session, asked.source)
    return _answer(house, start_check(house, session, source, _choices(asked)))


@router.post("/runs", tags=["runs"], status_code=202, responses=CHANGES)
def begin_run(house: HouseOf, session: SessionOf, asked: RunAsked) -> answers.JobAnswer:
    """Make the segments of a source. The job's `result` has the name of the run."""
    source = find_source(house, session, asked.source)
    return _answer(house, start_run(house, session, source, _choices(asked)))


@router.get("/jobs", tags=["files and work"])
def list_jobs(house: HouseOf, session: SessionOf) -> answers.JobsAnswer:
    """List your jobs, newest first."""
    return answers.JobsAnswer(jobs=[_answer(house, job) for job in house.jobs.of(session.id)])


@router.get("/jobs/{job_id}", tags=["files and work"])
def get_job(house: HouseOf, session: SessionOf, job_id: str) -> answers.JobAnswer:
    """Say where a job is."""
    return _answer(house, house.jobs.get(job_id, session=session.id))


@router.delete("/jobs/{job_id}", tags=["files and work"], responses=CHANGES, response_model=answers.JobAnswer)
def stop_job(house: HouseOf, session: SessionOf, job_id: str) -> Any:
    """Stop a job that waits or runs; it ends within seconds and leaves nothing."""
    job = house.jobs.get(job_id, session=session.id)
    if job.ended:
        error = {"message": f"The job has ended already ({job.state}).", "hint": "There is nothing to stop."}
        return JSONResponse({"error": error}, status_code=409)
    house.jobs.stop(job)
    return _answer(house, job)


def _choices(asked: CheckAsked) -> Choices:
    return Choices(**asked.model_dump(exclude={"source"}))


def _answer(house: House, job: Job) -> answers.JobAnswer:
    ahead = house.jobs.ahead_of(job) if job.state == "waiting" else 0
    facts = job.to_dict() | {"ahead": ahead}
    if job.error is not None:
        facts["error"] = for_programs(job.error)
    if job.result is not None and job.result.get("error"):
        facts["result"] = job.result | {"error": for_programs(job.result["error"])}
    return answers.JobAnswer.model_validate(facts)
