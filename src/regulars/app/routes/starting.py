"""The start page: the runs of the workspace, and the ways to begin a new one."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from regulars.app import pages
from regulars.app.house import HouseOf, SessionOf

router = APIRouter(include_in_schema=False)


@router.get("/")
def start(request: Request, house: HouseOf, session: SessionOf) -> Response:
    """Show the runs, the work that goes on, and where to drop a file."""
    return pages.page(request, "start.html", here="/", entries=house.workspace.runs(), jobs=house.jobs.of(session.id))
