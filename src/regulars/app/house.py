"""The app put together: the guard at the door, the routes, and what goes wrong in words."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from regulars import __version__
from regulars.app import pages
from regulars.app.guarding import Guard, Keys, Session
from regulars.app.jobs import Jobs
from regulars.app.passwords import Doorman
from regulars.app.saying import hint_for_people, hint_for_programs
from regulars.app.uploads import Uploads
from regulars.app.workspace import Workspace
from regulars.errors import CustomerError, OutputError, RegularsError, SourceError

__all__ = ["House", "HouseOf", "SessionOf", "create_app"]

LOCAL = ("127.0.0.1", "localhost", "::1")
UPLOAD_LIMIT = 2_000_000_000  # bytes of a file
MOST_BODY = 1_000_000  # bytes of any other request

#: The framework can report requests to a collector; here nothing leaves the machine.
SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}

log = logging.getLogger("regulars.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every route works with."""

    workspace: Workspace
    jobs: Jobs
    uploads: Uploads
    keys: Keys
    doorman: Doorman
    swept: tuple[str, ...]


def house_of(request: Request) -> House:
    """The house that a request came to."""
    return cast(House, request.app.state.house)


def session_of(request: Request) -> Session:
    """The session of a request."""
    return cast(Session, request.state.session)


#: Parameters of routes.
HouseOf = Annotated[House, Depends(house_of)]
SessionOf = Annotated[Session, Depends(session_of)]


def create_app(
    workspace: str | Path, *, hosts: Iterable[str] = LOCAL, upload_limit: int = UPLOAD_LIMIT, at_once: int = 1
) -> FastAPI:
    """Build the app over a workspace.

    Parameters
    ----------
    workspace
        Folder of runs; made where it is missing.
    hosts
        Names by which browsers may call this server.
    upload_limit
        Bytes of a file that is uploaded.
    at_once
        Runs at the same time; more wait.

    Returns
    -------
    FastAPI
        ``app.state.house`` has the keys: ``house.keys.start`` is the token of the start address.

    Raises
    ------
    OutputError
        The workspace cannot be written.
    """
    from regulars.app.routes import ROUTERS

    place = Workspace(workspace)
    swept = place.sweep()
    doorman = Doorman(place)
    house = House(
        workspace=place,
        jobs=Jobs(place, at_once=at_once),
        uploads=Uploads(place, limit=upload_limit),
        keys=Keys(token=place.token()),
        doorman=doorman,
        swept=tuple(swept),
    )

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        house.jobs.close()
        house.uploads.close()

    app = FastAPI(
        title="regulars", version=__version__, description="From order lines to customer segments, for programs.",
        docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json",
        lifespan=life, telemetry=SILENT,
    )  # fmt: skip
    app.state.house = house
    for router in ROUTERS:
        app.include_router(router, max_body_size=MOST_BODY)
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    app.add_exception_handler(RegularsError, _in_words)
    app.add_exception_handler(HTTPException, _http_in_words)
    app.add_exception_handler(RequestValidationError, _invalid_in_words)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Guard, keys=house.keys, hosts=tuple(hosts), with_password=doorman.has_password)
    return app


# --- what goes wrong ------------------------------------------------------------------------------------------------


def _for_programs(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(request: Request, status: int, message: str, hint: str) -> Response:
    if _for_programs(request):
        return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=status)
    return pages.plain_page(request, status=status, message=message, hint=hint)


def _in_words(request: Request, error: Exception) -> Response:
    found = cast(RegularsError, error)
    missing = type(found) in (SourceError, CustomerError)
    hint = hint_for_programs(found) if _for_programs(request) else hint_for_people(found)
    return _answer(request, 404 if missing else 507 if isinstance(found, OutputError) else 400, found.message, hint)


def _http_in_words(request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    message = {404: "There is no such page.", 405: "That cannot be done here.", 413: "That is too much at once."}.get(
        found.status_code, str(found.detail)
    )
    hint = "See /api/v1/docs for what there is." if _for_programs(request) else "Go back to the start page."
    response = _answer(request, found.status_code, message, hint)
    for name, value in (found.headers or {}).items():
        response.headers[name] = value
    return response


def _invalid_in_words(request: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    if first["type"] == "json_invalid":
        said, place = first.get("ctx", {}).get("error", "it breaks off"), first["loc"][-1]
        return _answer(request, 422, f"The body is no JSON: {said} (character {place}).", "Send one JSON object.")
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return _answer(request, 422, f"{where}: {first['msg']}.", "Change it, and send it again.")


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    message = "Something went wrong inside regulars."
    return _answer(request, 500, message, "What it was is in the window in which 'regulars serve' runs.")


# --- files of the pages ---------------------------------------------------------------------------------------------

_HERE, _SHARED = Path(__file__).parent / "static", Path(__file__).parents[1]

#: Name → file; nothing else is given out.
STATIC = {
    "app.css": _HERE / "app.css",
    "app.js": _HERE / "app.js",
    "htmx.min.js": _HERE / "htmx.min.js",
    "report.css": _SHARED / "templates" / "report.css",
    "charts.js": _SHARED / "templates" / "report.js",
    "plotly.min.js": _SHARED / "assets" / "plotly.min.js",
    "world_110m.json": _SHARED / "assets" / "world_110m.json",
}


def _static(name: str) -> Response:
    if name not in STATIC:
        raise HTTPException(404)
    return FileResponse(STATIC[name], headers={"cache-control": "private, max-age=3600"})
