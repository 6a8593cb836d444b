"""The command that serves the browser app."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from regulars.cli.commands import app
from regulars.errors import OptionError
from regulars.failures import Stopped


@app.command()
def serve(
    workspace: Annotated[Path, typer.Argument(help="Folder of runs; made where it is missing.")] = Path("workspace"),
    host: Annotated[str, typer.Option(help="Where to listen; beyond this machine it needs a password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A further name of this server, such as that of a reverse proxy; may be repeated."),
    ] = None,
    upload_limit: Annotated[int, typer.Option(help="Most megabytes of a file.", min=1)] = 2000,
    at_once: Annotated[int, typer.Option(help="Runs at the same time; more wait.", min=1)] = 1,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    set_password: Annotated[
        bool, typer.Option("--set-password", help="Ask for a password for the workspace, keep its hash, and end.")
    ] = False,
) -> None:
    """Open the browser app: from a file to a list for a campaign, without commands."""
    try:
        from regulars.app import serve as run_server
        from regulars.app.passwords import Doorman
        from regulars.app.workspace import Workspace
    except ModuleNotFoundError as error:
        raise OptionError(
            f"The browser app needs {error.name}, which is not installed.", hint="Run: pip install 'regulars[app]'"
        ) from error
    if set_password:
        password = typer.prompt("Password for this workspace", hide_input=True, confirmation_prompt=True)
        Doorman(Workspace(workspace)).set_password(password)
        typer.echo(f"The password of {workspace} is set. Next: regulars serve {workspace}")
        return
    with suppress(Stopped):  # Ctrl-C is how a server ends
        run_server(
            workspace,
            host=host,
            port=port,
            names=tuple(name or ()),
            upload_limit=upload_limit * 1_000_000,
            at_once=at_once,
            browse=browser,
            say=typer.echo,
        )
    typer.echo("The server has stopped.")
