"""The server: where it listens, what it prints, and that it stops tidily."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvicorn

from regulars.app.house import LOCAL, UPLOAD_LIMIT, House, create_app
from regulars.errors import OptionError

__all__ = ["serve"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    workspace: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: tuple[str, ...] = (),
    upload_limit: int = UPLOAD_LIMIT,
    at_once: int = 1,
    browse: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a workspace until Ctrl-C.

    Parameters
    ----------
    workspace
        Folder of runs.
    host, port
        Where to listen; port 0 takes a free one. Another host than this machine needs a password.
    names
        Further names by which browsers call this server, such as that of a reverse proxy.
    upload_limit, at_once
        As for `create_app`.
    browse
        Whether to open the start address in a browser.
    say
        Is given the lines that the user should see.

    Raises
    ------
    OptionError
        The place to listen cannot be had, or a password is missing.
    OutputError
        The workspace cannot be written.
    """
    listening = _listen(host, port)
    house: House | None = None
    try:
        app = create_app(workspace, hosts=(*LOCAL, host, *names), upload_limit=upload_limit, at_once=at_once)
        house = cast(House, app.state.house)
        if host not in LOOPBACK and not house.doorman.has_password:
            raise OptionError(
                f"Beyond this machine ({host}) the workspace needs a password.",
                hint="Set one with 'regulars serve --set-password', then start again.",
            )
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        start = f"{address}/enter?token={house.keys.start}"
        for line in _first_words(house, start):
            say(line)
        if browse:
            webbrowser.open(start)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()
        for title in [] if house is None else house.jobs.cut_off():
            say(f"Interrupted: the run of {title}. Nothing of it was written; start it again.")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise OptionError(
            f"Cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}.",
            hint="Choose another --port, or leave it out to take a free one.",
        ) from error
    return listening


def _first_words(house: House, start: str) -> list[str]:
    lines = [f"Open {start}", "(It works once, in one browser. Stop with Ctrl-C.)"]
    if house.doorman.has_password:
        lines.append("Others log in with the workspace's password.")
    lines += [f"Interrupted when the server ended: {title}. Start it again." for title in house.jobs.interrupted]
    lines += [f"Interrupted when the server ended: the upload of {name}." for name in house.uploads.interrupted]
    lines.append(f"The token for programs is in {house.workspace.own / 'token'}")
    return lines
