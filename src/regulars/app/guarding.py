"""Who may come in: hosts, tokens, sessions, and no foreign pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard", "Keys", "Session"]

COOKIE = "regulars"
IDLE = 12 * 3600  # seconds without a request after which a session ends
OPEN = ("/static/", "/enter", "/login")  # paths without a session

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(slots=True)
class Session:
    """A browser, or a program, that has been let in."""

    id: str
    seen: float = field(default_factory=time.monotonic)


class Keys:
    """The tokens of one server and the sessions that came of them; nothing of it outlives the process.

    Parameters
    ----------
    token
        For programs: sent as ``Authorization: Bearer …`` it opens the API; all that know it share one session.
    clock
        Seconds, for tests.

    Examples
    --------
    >>> keys = Keys(token="secret")
    >>> cookie = keys.enter(keys.start)
    >>> keys.session(cookie) is not None, keys.enter(keys.start)  # the token of the start address works once
    (True, None)
    """

    def __init__(self, *, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.start = secrets.token_urlsafe(24)
        self._used = False
        self._clock = clock
        self._token = token
        self._program = Session(id="program", seen=clock())
        self._sessions: dict[str, Session] = {}

    def enter(self, token: str) -> str | None:
        """Give a cookie for the token of the start address, once."""
        if self._used or not hmac.compare_digest(token.encode(), self.start.encode()):
            return None
        self._used = True
        return self.admit()

    def admit(self) -> str:
        """Begin a session, and give its cookie."""
        now = self._clock()
        for key in [key for key, session in self._sessions.items() if now - session.seen > IDLE]:
            del self._sessions[key]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = Session(id=secrets.token_hex(8), seen=now)
        return cookie

    def session(self, cookie: str) -> Session | None:
        """Look up the session of a cookie."""
        session = self._sessions.get(_digest(cookie))
        if session is None or self._clock() - session.seen > IDLE:
            return None
        session.seen = self._clock()
        return session

    def program(self, token: str) -> Session | None:
        """Look up the session of a program by its token."""
        return self._program if hmac.compare_digest(token.encode(), self._token.encode()) else None

    def leave(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(cookie), None)


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


class Guard:
    """Middleware before everything else: what it lets through has a session and comes from our own pages.

    Parameters
    ----------
    app
        What it guards.
    keys
        Tokens and sessions.
    hosts
        Names by which this server may be called; another `Host` is refused, so that no foreign name leads here.
    with_password
        Whether a visitor without a session can log in.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, hosts: Iterable[str], with_password: bool) -> None:
        self._app, self._keys = app, keys
        self._hosts = frozenset(host.lower() for host in hosts)
        self._with_password = with_password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        refused = self._judge(scope)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _in_words(scope, receive, _with_headers(send)))

    def _judge(self, scope: Scope) -> Response | None:
        """Find a reason to refuse; remember the session otherwise."""
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return _refusal(scope, 400, "This server is not known by that name.", "Open the address that it printed.")
        session, by_token = self._session(headers)
        if session is None and not path.startswith(OPEN):
            return self._stranger(scope)
        scope.setdefault("state", {})["session"] = session
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return None
        if not by_token and not _own_page(headers, host):
            return _refusal(scope, 403, "Another site asked for this.", "Go back, reload the page and try again.")
        return None

    def _session(self, headers: Headers) -> tuple[Session | None, bool]:
        """Session of a request, and whether it came by a token."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._keys.program(token.strip()), True
        cookie = cookie_of(headers)
        return (None if cookie is None else self._keys.session(cookie)), False

    def _stranger(self, scope: Scope) -> Response:
        if self._with_password and scope["method"] == "GET" and not _for_programs(scope):
            return RedirectResponse("/login", status_code=303)
        hint = (
            "Look into the window in which 'regulars serve' runs and open the address that stands there. It works once, in "
            "one browser: where it has been used, end the server with Ctrl-C, start it again, and open the new address."
        )
        if _for_programs(scope):
            hint = "Send the header 'Authorization: Bearer TOKEN'; 'regulars serve' says where the token is."
        return _refusal(scope, 401, "You are not logged in, or not any more.", hint)


def cookie_of(headers: Headers) -> str | None:
    """Read the session's cookie."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _own_page(headers: Headers, host: str) -> bool:
    """Whether a change was asked for by a page of this very server; browsers always say where they come from."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin", "none"):
        return False
    if origin is None:
        return site is not None
    return origin.partition("://")[2] == host


def _name(host: str) -> str:
    """Name of a host without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.partition(":")[0].lower()


def _for_programs(scope: Scope) -> bool:
    return str(scope["path"]).startswith("/api/")


def _refusal(scope: Scope, status: int, message: str, hint: str) -> Response:
    if _for_programs(scope):
        return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=status)
    from regulars.app.pages import plain_page

    return plain_page(Request(scope), status=status, message=message, hint=hint)


def _in_words(scope: Scope, receive: Receive, send: Send) -> Send:
    """Say it in words where the framework says in two that a body is too large."""
    replaced = False

    async def saying(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 413:
            replaced = Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
            if replaced:
                words = _refusal(scope, 413, "That is too much at once.", "Send less, or a file as an upload.")
                await words(scope, receive, send)
        if not replaced:
            await send(message)

    return saying


def _with_headers(send: Send) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return adding
