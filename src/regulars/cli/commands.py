"""The commands and their options. Heavy modules are imported when a command runs, so that --help answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from regulars import __version__
from regulars.cli.options import (
    AHEAD,
    OUTPUT,
    SEGMENTS,
    ActionsFile,
    AllProducts,
    AsJson,
    AsOf,
    Currency,
    DayFirst,
    Engine,
    EngineName,
    Horizon,
    LayoutName,
    Map,
    Master,
    MemoryLimit,
    OnReturns,
    OnUnreadable,
    Query,
    ReturnsPolicy,
    RunFolder,
    ScaleName,
    Scaling,
    Seed,
    SegmentCount,
    SetAsideTo,
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
)
from regulars.errors import RegularsError
from regulars.failures import Stopped, in_plain_words, stoppable

app = typer.Typer(
    name="regulars",
    help="From raw order lines to customer segments that a shop can act on.",
    epilog="Start with 'regulars demo', or 'regulars check FILE' for a file of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"regulars {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """From raw order lines to customer segments that a shop can act on."""


@app.command()
def demo(
    output: RunFolder = Path("regulars-demo"),
    customers: Annotated[int, typer.Option(help="Size of the sample shop.")] = 2500,
    seed: Annotated[int, typer.Option(help="Another seed, another shop.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show everything on a made-up shop: no file needed."""
    from regulars import datasets, writing
    from regulars.cli import progress

    with progress.stages(quiet=as_json) as tell, writing.open_folder(output) as place, in_plain_words():
        tell("Making a sample shop", 0, 0)
        shop = datasets.make_orders(customers, seed=seed)
        orders = writing.write_orders(shop.orders, place / "orders.csv")
        tell.follow(planned(str(orders), {}, output=output))
        result, _ = _run(str(orders), place, tell, {})
    _report(result, output, as_json=as_json)


@app.command()
def check(
    source: Source,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    query: Query = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    returns: OnReturns = ReturnsPolicy.net,
    all_products: AllProducts = False,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Look at a file: which column is what, and what cleaning would set aside. Writes nothing."""
    from regulars.cleaning import clean
    from regulars.cli import progress, screens
    from regulars.reading import read

    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(source, machine, stages=("Reading", "Cleaning"))
    with progress.stages(made, quiet=as_json) as tell, engine_words(machine):
        tell("Reading", 0, 0)
        reading = reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query)
        orders = read(source, **reading, **machine)
        tell("Cleaning", 0, 0)
        cleaned = clean(orders, returns=returns.value, all_products=all_products, as_of=day_of(as_of))
    if as_json:
        print_json(orders.to_dict() | {"audit": cleaned.audit.to_dict(), "doubts": cleaned.notes})
    else:
        screens.show_columns(orders)
        screens.show_audit(cleaned.audit, currency=orders.currency)
        screens.show_doubts(cleaned.notes)


@app.command()
def segment(
    source: Source,
    output: RunFolder = Path("run"),
    k: SegmentCount = None,
    scale: Scaling = ScaleName.sqrt_log,
    groups: Annotated[
        str,
        typer.Option(help="Rule pack: eleven, shopify, klaviyo, or your own TOML file.", rich_help_panel=SEGMENTS),
    ] = "eleven",
    actions: ActionsFile = None,
    seed: Seed = 0,
    backtest: Annotated[
        bool,
        typer.Option(
            "--backtest/--no-backtest",
            help="Hold the past against what came after, and forecast; without it, no forecasts.",
            rich_help_panel=AHEAD,
        ),
    ] = True,
    horizon: Horizon = None,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    query: Query = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    returns: OnReturns = ReturnsPolicy.net,
    all_products: AllProducts = False,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    customers_csv: Annotated[
        bool | None,
        typer.Option(
            "--csv/--no-csv",
            help="Write customers.csv; default: up to a million.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures.", rich_help_panel=OUTPUT)] = True,
    report: Annotated[bool, typer.Option(help="Make report.html.", rich_help_panel=OUTPUT)] = True,
    set_aside_to: SetAsideTo = None,
    as_json: AsJson = False,
) -> None:
    """Turn order lines into customer segments, with everything in one folder."""
    from regulars import writing
    from regulars.cli import progress, screens

    options = reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query) | {
        "k": k,
        "scale": scale.value,
        "groups": groups,
        "actions": actions,
        "seed": seed,
        "backtest": backtest,
        "horizon_days": horizon,
        "returns": returns.value,
        "all_products": all_products,
        "as_of": day_of(as_of),
    }
    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(source, machine, output=output, figures=figures, report=report, backtest=backtest)
    if made is not None and not as_json:
        screens.show_plan(source, made)
    with progress.stages(made, quiet=as_json) as tell, writing.open_folder(output) as place, engine_words(machine):
        wanted = {"customers_csv": customers_csv, "figures": figures, "report": report, "set_aside_to": set_aside_to}
        result, orders = _run(source, place, tell, options | machine, **wanted)
    if not as_json:
        screens.show_columns(orders, briefly=True)
        screens.show_doubts(result.notes[len(orders.notes) :])
    _report(result, output, as_json=as_json, plan=None if made is None else made.to_dict())


@app.command()
def assign(
    source: Source,
    model: Annotated[Path, typer.Option(help="model.json of a run, or the run folder.", show_default=False)],
    output: RunFolder = Path("assigned"),
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    query: Query = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Label the customers of a file with the segments of an earlier run."""
    from regulars import pipeline, writing
    from regulars.cli import progress, screens
    from regulars.model import load_model
    from regulars.reading import read

    learned = load_model(model)
    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(source, machine, output=output, stages=("Reading", "Assigning", "Writing customers"))
    with progress.stages(made, quiet=as_json) as tell, engine_words(machine):
        tell("Reading", 0, 0)
        reading = reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query)
        orders = read(source, **reading, **machine)
        tell("Assigning", 0, 0)
        result = pipeline.assign(orders, learned, as_of=day_of(as_of))
        tell("Writing customers", 0, 0)
        writing.write_assignment(result, output)
    if as_json:
        print_json(result.to_dict() | {"folder": str(output)})
    else:
        screens.show_assignment(result, output)


@app.command()
def sample(
    output: Annotated[Path, typer.Option("--output", "-o", help="orders.csv or orders.parquet.")] = Path("orders.csv"),
    customers: Annotated[int, typer.Option(help="How many customers.")] = 4000,
    days: Annotated[int, typer.Option(help="How many days of trade.")] = 365,
    seed: Annotated[int, typer.Option(help="Another seed, another shop.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(help="Also write which kind each customer is, as .csv or .parquet.")
    ] = None,
) -> None:
    """Write the order lines of a made-up shop, to try things on."""
    from regulars.cli import progress
    from regulars.datasets import make_orders
    from regulars.writing import write_orders

    with progress.stages() as tell:
        tell("Making a sample shop", 0, 0)
        shop = make_orders(customers, days, seed=seed)
        write_orders(shop.orders, output)
        if truth is not None:
            write_orders(shop.truth, truth)
    typer.echo(f"{shop.orders.num_rows:,} order lines of {customers:,} customers in {output}")
    typer.echo(f"Next: regulars segment {output}")


def main() -> None:
    """Run the command line: errors in plain words on stderr and exit code 2, no traceback for a user's mistake."""
    try:
        with stoppable():
            app()
    except RegularsError as error:
        from regulars.cli import screens

        screens.show_error(error)
        sys.exit(2)
    except Stopped as stopped:
        typer.echo("Stopped. Nothing was changed.", err=True)
        sys.exit(128 + stopped.number)


def _run(source: str, place: Path, tell: Any, options: dict[str, Any], **writing_options: Any) -> tuple[Any, Any]:
    """Read, segment and write into `place`; the seconds of each stage go into run.json."""
    from regulars import pipeline, writing
    from regulars.reading import read
    from regulars.reading.staying import check_reach

    reading = {name: options.pop(name) for name in list(options) if name in ("columns", *pipeline.READING_OPTIONS)}
    tell("Reading", 0, 0)
    orders = read(source, **reading)
    check_reach(orders.table, place, writing_options.get("set_aside_to"))
    result = pipeline.segment(orders, progress=tell, **options)
    writing.fill_run(place, result, timings=tell.seconds, progress=tell, **writing_options)
    return result, orders


def _report(result: Any, output: Path, *, as_json: bool, **more: Any) -> None:
    from regulars.cli import screens

    if as_json:
        facts = result.to_dict()
        for bulky in ("sample", "silhouettes"):
            del facts[bulky]
        print_json(facts | more | {"folder": str(output)})
    else:
        screens.show_result(result, output)


__all__ = ["app", "main"]
