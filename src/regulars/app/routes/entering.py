"""In and out: the start address, the log-in, the log-out."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.guarding import COOKIE, IDLE, cookie_of
from regulars.app.house import HouseOf
from regulars.planning import spoken

router = APIRouter(include_in_schema=False)


def _let_in(request: Request, cookie: str) -> Response:
    response = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, cookie, max_age=IDLE, httponly=True, samesite="strict", secure=secure)
    return response


@router.get("/enter")
def enter(request: Request, house: HouseOf, token: str = "") -> Response:
    """Let in whoever has the token of the start address; it works once."""
    cookie = house.keys.enter(token)
    if cookie is None:
        if request.state.session is not None:
            return RedirectResponse("/", status_code=303)
        return pages.plain_page(
            request,
            status=401,
            message="This address has been used, or is not the right one.",
            hint="Each start of 'regulars serve' prints an address that works once. In the window in which it runs, end it "
            "with Ctrl-C, start it again, and open the new address.",
        )
    return _let_in(request, cookie)


@router.get("/login")
def log_in_page(request: Request, house: HouseOf) -> Response:
    """Ask for the password."""
    if not house.doorman.has_password:
        return RedirectResponse("/", status_code=303)
    return pages.page(request, "login.html", wrong="")


@router.post("/login")
async def log_in(request: Request, house: HouseOf) -> Response:
    """Let in whoever knows the password; those who guess have to wait."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    address = request.client.host if request.client else ""
    if waiting := house.doorman.wait(address):
        wrong = f"Too many wrong passwords: wait {spoken(waiting)}, then try again."
        return pages.page(request, "login.html", status=429, wrong=wrong)
    if house.doorman.check(form.get("password", [""])[0], address=address):
        return _let_in(request, house.keys.admit())
    return pages.page(request, "login.html", status=401, wrong="That is not the password.")


@router.post("/logout")
def log_out(request: Request, house: HouseOf) -> Response:
    """End the session."""
    cookie = cookie_of(request.headers)
    if cookie is not None:
        house.keys.leave(cookie)
    response = pages.plain_page(request, status=200, message="You are logged out.", hint="You can close this page.")
    response.delete_cookie(COOKIE)
    return response
