"""Commands on a finished run: its report, one customer, tables to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regulars.cli.commands import app
from regulars.cli.options import AsJson, print_json
from regulars.errors import OptionError

RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.", show_default=True)]


@app.command()
def report(
    run: RunArgument = Path("run"),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page; default: report.html in the folder.", show_default=False),
    ] = None,
    turnable: Annotated[
        bool, typer.Option("--turnable", help="Add the map of customers in three directions (3 MB more).")
    ] = False,
) -> None:
    """Make the report of a run: one page that opens everywhere, without a network."""
    from regulars import reporting, runs

    page = reporting.write_report(runs.open_run(run), output or run / "report.html", turnable=turnable)
    typer.echo(f"{page} ({page.stat().st_size / 1e6:.1f} MB): open it in a browser.")


@app.command()
def customer(
    customer_id: Annotated[
        str, typer.Argument(metavar="ID", help="The customer's id, as in your data.", show_default=False)
    ],
    run: Annotated[Path, typer.Option(help="Folder of a run.")] = Path("run"),
    as_json: AsJson = False,
) -> None:
    """Show one customer: numbers, segment and why, what would move them, orders."""
    from regulars import cards, runs
    from regulars.cli import screens

    card = cards.customer_card(runs.open_run(run), customer_id)
    if as_json:
        print_json(card.to_dict())
    else:
        screens.show_card(card)


@app.command()
def export(
    run: RunArgument = Path("run"),
    excel: Annotated[
        Path | None,
        typer.Option(help="An Excel workbook: segments, customers, audit, definitions.", show_default=False),
    ] = None,
) -> None:
    """Write tables of a run for other people."""
    from regulars import runs, workbook

    if excel is None:
        raise OptionError("Nothing was asked for.", hint="Say where to, such as --excel customers.xlsx.")
    written = workbook.write_workbook(runs.open_run(run), excel)
    typer.echo(f"{written} is written.")
