"""Commands on a finished run: its report, one customer, tables to hand on."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from regulars.cli.commands import app
from regulars.cli.options import (
    AsJson,
    Currency,
    DayFirst,
    Engine,
    EngineName,
    LayoutName,
    Map,
    Master,
    MemoryLimit,
    OnUnreadable,
    Sheet,
    Source,
    TempDir,
    Threads,
    Unreadable,
    day_of,
    engine_words,
    machine_options,
    planned,
    print_json,
    reading_options,
    to_day,
)
from regulars.errors import OptionError
from regulars.wording import counted


class ToolName(StrEnum):
    """Tools that import lists, as in `audiences.TOOLS`."""

    klaviyo = "klaviyo"
    mailchimp = "mailchimp"
    shopify_tags = "shopify-tags"
    meta = "meta"
    google = "google"
    csv = "csv"


AUDIENCE, DATABASE = "Lists of customers", "Database"

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
    segment: Annotated[
        str | None,
        typer.Option(
            help="A list of the customers of this segment or group, at-risk, or everyone.",
            show_default=False,
            rich_help_panel=AUDIENCE,
        ),
    ] = None,
    tool: Annotated[
        ToolName, typer.Option("--for", help="The tool that imports the list.", rich_help_panel=AUDIENCE)
    ] = ToolName.csv,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The list; ends with .csv.", show_default=False, rich_help_panel=AUDIENCE),
    ] = None,
    holdout: Annotated[
        str | None,
        typer.Option(
            help="Share that is left out as a control group: 1% to 99%, such as 10%.",
            show_default=False,
            rich_help_panel=AUDIENCE,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another control group.", rich_help_panel=AUDIENCE)] = 0,
    to: Annotated[
        str | None,
        typer.Option(
            help="Address of a database, such as postgres://me@host/shop; the password comes from PGPASSWORD.",
            show_default=False,
            rich_help_panel=DATABASE,
        ),
    ] = None,
    table: Annotated[
        str, typer.Option(help="Table to write all customers into.", rich_help_panel=DATABASE)
    ] = "customer_segments",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Take the place of an earlier table of regulars, or of an earlier list with its control group.",
            rich_help_panel=DATABASE,
        ),
    ] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to an earlier one.", rich_help_panel=DATABASE)] = False,
    as_json: AsJson = False,
) -> None:
    """Write tables of a run for other people, lists of customers for other tools, and all customers into a database."""
    from regulars import runs, workbook

    if excel is None and segment is None and to is None:
        raise OptionError(
            "Nothing was asked for.",
            hint='Say what, such as --excel customers.xlsx, or --segment "At Risk" --for klaviyo -o at_risk.csv.',
        )
    if (segment is None) != (output is None):
        raise OptionError(
            "A list needs both --segment and -o.", hint='Such as --segment "At Risk" --for klaviyo -o at_risk.csv.'
        )
    if segment is None and holdout is not None:
        raise OptionError("--holdout is for a list.", hint='Say of whom, such as --segment "At Risk".')
    if replace and append:
        raise OptionError("Both --replace and --append were given.", hint="Give one of them.")
    share = _share(holdout)
    result = runs.open_run(run)
    if excel is not None:
        written = workbook.write_workbook(result, excel)
        if not as_json:
            typer.echo(f"{written} is written.")
    if segment is not None and output is not None:
        from regulars import audiences
        from regulars.cli import campaigns

        audience = audiences.build_audience(result, segment, tool=tool.value, holdout=share, seed=seed)
        files = audiences.write_audience(audience, output, day=date.today(), replace=replace)
        if as_json:
            print_json(audience.to_dict() | {"files": [str(file) for file in files]})
        else:
            campaigns.show_audience(audience, files)
    if to is not None:
        from regulars import databasing

        mode: databasing.Mode = "replace" if replace else "append" if append else "new"
        sent = databasing.write_table_to(result, to, table=table, mode=mode, tell=partial(typer.echo, err=True))
        if as_json:
            print_json(sent.to_dict())
        else:
            verb = "is" if sent.rows == 1 else "are"
            typer.echo(f"{counted(sent.rows, 'customer')} {verb} in {sent.table}, as run {sent.run_id}.")


@app.command()
def measure(
    source: Source,
    exported: Annotated[
        Path, typer.Option("--export", help="The list that was exported with --holdout.", show_default=False)
    ],
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=to_day,
            metavar="DAY",
            help="First day that counts; default: the day of the export.",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="How many days count; default: up to the last order.", show_default=False)
    ] = None,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Measure a campaign: later orders of those who got it against those of the control group. Writes nothing."""
    from regulars import audiences
    from regulars.cli import campaigns, progress

    record = audiences.load_record(exported)
    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(source, machine, stages=("Reading", "Cleaning"))
    with progress.stages(made, quiet=as_json) as tell, engine_words(machine):
        tell("Reading", 0, 0)
        found = audiences.measure_campaign(
            record,
            source,
            start=day_of(start),
            days=days,
            **reading_options(map_, layout, sheet, dayfirst, currency, unreadable),
            **machine,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        campaigns.show_campaign(found)


def _share(text: str | None) -> float:
    """Turn ``10%`` or ``0.1`` into a share."""
    if text is None:
        return 0.0
    plain = text.strip()
    try:
        share = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise OptionError(f"Cannot hold out {text!r}.", hint="Give 1% to 99%, such as 40% (not 40), or 0.4.")
    return share
