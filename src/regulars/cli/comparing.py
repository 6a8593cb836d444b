"""The command that compares two dates or two runs, and what it shows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from regulars.cli.commands import app
from regulars.cli.options import (
    OUTPUT,
    SEGMENTS,
    ActionsFile,
    AllProducts,
    AsJson,
    Currency,
    DayFirst,
    Engine,
    EngineName,
    LayoutName,
    Map,
    Master,
    MemoryLimit,
    OnReturns,
    OnUnreadable,
    Query,
    ReturnsPolicy,
    ScaleName,
    Scaling,
    Seed,
    Sheet,
    TempDir,
    Threads,
    Unreadable,
    engine_words,
    machine_options,
    planned,
    print_json,
    reading_options,
    to_day,
)
from regulars.cli.tables import in_money, new_console, new_table
from regulars.errors import OptionError

if TYPE_CHECKING:
    from regulars.comparing import Flow, Movement

STAGES = ("Reading", "Cleaning", "Clustering", "Describing the segments")


class By(StrEnum):
    """What customers move between, as in `comparing.GROUPINGS`."""

    segments = "segments"
    groups = "groups"


class CutsOf(StrEnum):
    """Whose cut points and segments judge, as in `comparing.CUTS`."""

    each = "each"
    earlier = "earlier"
    later = "later"


@app.command()
def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_A RUN_B | SOURCE",
            help="Two run folders, the earlier one first; or order lines, with --dates.",
            show_default=False,
        ),
    ],
    dates: Annotated[
        tuple[datetime, datetime] | None,
        typer.Option(
            parser=to_day,
            metavar="DAY DAY",
            help="The two days, the earlier one first; both are worked out from the history.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[By, typer.Option(help="What is shown: moves between segments, or named groups.")] = By.segments,
    cuts: Annotated[
        CutsOf, typer.Option(help="Whose cut points and segments judge: those of each date, or of one for both.")
    ] = CutsOf.each,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Who moved, as .csv or .parquet; or a folder for everything.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Take the place of an earlier file of who moved.", rich_help_panel=OUTPUT),
    ] = False,
    k: Annotated[
        int | None,
        typer.Option("--k", help="Number of segments; chosen at each date otherwise.", rich_help_panel=SEGMENTS),
    ] = None,
    scale: Scaling = ScaleName.sqrt_log,
    groups: Annotated[
        str, typer.Option(help="Rule pack by name, or your own TOML file.", rich_help_panel=SEGMENTS)
    ] = "eleven",
    actions: ActionsFile = None,
    seed: Seed = 0,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    query: Query = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    returns: OnReturns = ReturnsPolicy.net,
    all_products: AllProducts = False,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Who moved between two dates or two runs, and why: the customer changed, or the cut points moved."""
    from regulars import comparing
    from regulars.cli import progress

    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    if dates is None:
        with engine_words(machine):
            found = comparing.compare_runs(*_runs(what), cuts=cuts.value)
            _hand_out(found, by.value, output, replace=replace, as_json=as_json)
        return
    if len(what) != 1:
        raise OptionError(
            f"--dates compares two dates of one source; {len(what)} were given.",
            hint="Give one source with --dates, or two run folders without.",
        )
    made = planned(what[0], machine, stages=STAGES)
    with progress.stages(made, quiet=as_json) as tell, engine_words(machine):
        found = comparing.compare(
            what[0],
            dates=(dates[0].date(), dates[1].date()),
            cuts=cuts.value,
            k=k,
            scale=scale.value,
            groups=groups,
            actions=actions,
            seed=seed,
            returns=returns.value,
            all_products=all_products,
            progress=tell,
            **reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query),
            **machine,
        )
        tell.close()
        _hand_out(found, by.value, output, replace=replace, as_json=as_json)


def _runs(what: list[str]) -> tuple[Any, Any]:
    if len(what) != 2:
        raise OptionError(
            f"{len(what)} run folder{' was' if len(what) == 1 else 's were'} given, and no --dates.",
            hint="Give two run folders, the earlier one first; or one source with --dates 2011-06-10 2011-12-10.",
        )
    from regulars import runs

    return runs.open_run(what[0]), runs.open_run(what[1])


def _hand_out(found: Movement, by: str, output: Path | None, *, replace: bool, as_json: bool) -> None:
    """Write, then show or print."""
    if output is not None:
        from regulars import movements

        movements.write_movement(found, output, by=by, replace=replace)
    if as_json:
        print_json(found.to_dict() | ({} if output is None else {"output": str(output)}))
        return
    show_movement(found, by)
    if output is not None:
        new_console().print(Text.assemble(("Written: ", "bold"), str(output)))


def show_movement(found: Movement, by: str) -> None:
    """Show in sentences, then as a table, who moved from where to where, best to worst."""
    console = new_console()
    moves, before, after = found.by(by), found.before, found.after
    for moment in (before, after):
        money = in_money(moment.revenue, found.currency)
        facts = f"{moment.customers:,} customers, net revenue {money} ({moment.source})"
        console.print(Text.assemble((f"{moment.as_of}: ", "bold"), facts))
    console.print()
    for note in found.notes:
        console.print(Text(note, style="yellow"))
    for sentence in moves.words:
        console.print(Text(sentence))
    console.print()
    split = (">They changed", ">Cut points moved", ">Both") if found.cuts == "each" else ()
    table = new_table(f"On {before.as_of}", f"On {after.as_of}", ">Customers", *split, ">Revenue before", ">After")
    for flow in moves.flows:
        total = flow.total
        table.add_row(
            escape(flow.before),
            escape(flow.after) if flow.before != flow.after else "stayed",
            f"{total.customers:,}",
            *(_split(flow) if split else ()),
            "" if flow.direction in ("new", "unseen") else in_money(total.revenue_before, found.currency),
            "" if flow.direction == "lost" else in_money(total.revenue_after, found.currency),
        )
    console.print(table)


def _split(flow: Flow) -> tuple[str, ...]:
    parts = [flow.parts.get(because) for because in ("customer", "cuts", "both")]
    return tuple("" if sums is None else f"{sums.customers:,}" for sums in parts)
