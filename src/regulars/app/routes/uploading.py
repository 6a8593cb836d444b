"""Files that browsers send: as a raw body, straight to disk."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regulars.app.house import HouseOf, SessionOf
from regulars.app.saying import said
from regulars.errors import OutputError, RegularsError

router = APIRouter(include_in_schema=False)

#: Beyond any upload limit: `Uploads` refuses what is too big before a byte of it is read.
MOST = 10**15


@router.put("/uploads", max_body_size=MOST)
async def upload(request: Request, house: HouseOf, session: SessionOf, name: str = "") -> Response:
    """Take a file; the answer says where it is checked, or what was wrong with it."""
    length = request.headers.get("content-length")
    try:
        taken = await house.uploads.take(
            request.stream(), name=name, length=None if length is None else int(length), session=session.id
        )
    except RegularsError as error:
        return JSONResponse({"error": said(error)}, status_code=507 if isinstance(error, OutputError) else 400)
    address = f"/check/{taken.id}"
    facts = {"id": taken.id, "name": taken.name, "bytes": taken.bytes, "check": address}
    return JSONResponse(facts, status_code=201, headers={"location": address})
