"""The commands and their options. Heavy modules are imported when a command runs, so that --help answers at once."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regulars import __version__
from regulars.cli.failures import Stopped, in_plain_words, stoppable
from regulars.errors import OptionError, RegularsError, listed

if TYPE_CHECKING:
    from regulars.planning import Plan
    from regulars.schema import Columns

app = typer.Typer(
    name="regulars",
    help="From raw order lines to customer segments that a shop can act on.",
    epilog="Start with 'regulars demo', or 'regulars check FILE' for a file of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ReturnsPolicy(StrEnum):
    """What to do with returns."""

    net = "net"
    drop = "drop"


class Unreadable(StrEnum):
    """What to do with cells that cannot be read."""

    error = "error"
    set_aside = "set-aside"


class ScaleName(StrEnum):
    """Names of the scales, as in `clustering.SCALES`."""

    sqrt_log = "sqrt-log"
    standard = "standard"
    minmax = "minmax"
    robust = "robust"
    log = "log"
    yeo_johnson = "yeo-johnson"


_READING, _CLEANING, _SEGMENTS, _MACHINE, _OUTPUT = "Reading", "Cleaning", "Segments", "Machine", "Output"

Source = Annotated[
    str, typer.Argument(help="CSV, Parquet or Excel file, a folder or a glob of files.", show_default=False)
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help='Your column for ours: --map customer_id="Customer ID".', rich_help_panel=_READING),
]
LayoutName = Annotated[
    str | None,
    typer.Option(help="Layout by name, or your own TOML file; recognised otherwise.", rich_help_panel=_READING),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file.", rich_help_panel=_READING)]
DayFirst = Annotated[
    bool | None,
    typer.Option(
        "--dayfirst/--monthfirst", help="How 1/2/2024 is meant.", show_default=False, rich_help_panel=_READING
    ),
]
Currency = Annotated[str | None, typer.Option(help="The currency to keep, such as GBP.", rich_help_panel=_READING)]
OnUnreadable = Annotated[
    Unreadable,
    typer.Option(help="Cells that cannot be read: stop, or set the rows aside.", rich_help_panel=_READING),
]
OnReturns = Annotated[
    ReturnsPolicy,
    typer.Option(help="net: a return takes back its purchase. drop: returns are ignored.", rich_help_panel=_CLEANING),
]
AllProducts = Annotated[
    bool,
    typer.Option("--all-products", help="Keep postage, fees and other service codes.", rich_help_panel=_CLEANING),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Day from which recency is counted; default: the day after the last day of the file.",
        rich_help_panel=_CLEANING,
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        help="Memory for the engine, such as 2GB; what does not fit goes to disk.",
        show_default=False,
        rich_help_panel=_MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads of the engine; default: one per core.", show_default=False, rich_help_panel=_MACHINE),
]
TempDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for what does not fit into memory; default: the system's.",
        show_default=False,
        rich_help_panel=_MACHINE,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.", rich_help_panel=_OUTPUT)]
RunFolder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Folder for results; an earlier run in it is replaced.", rich_help_panel=_OUTPUT
    ),
]


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
    from regulars.cli import screens

    with screens.stages(quiet=as_json) as tell, writing.open_folder(output) as place, in_plain_words():
        tell("Making a sample shop", 0, 0)
        shop = datasets.make_orders(customers, seed=seed)
        orders = writing.write_orders(shop.orders, place / "orders.csv")
        tell.follow(_planned(str(orders), {}, output=output))
        result, _ = _run(str(orders), place, tell, {})
    _report(result, output, as_json=as_json)


@app.command()
def check(
    source: Source,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    returns: OnReturns = ReturnsPolicy.net,
    all_products: AllProducts = False,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    as_json: AsJson = False,
) -> None:
    """Look at a file: which column is what, and what cleaning would set aside. Writes nothing."""
    from regulars.cleaning import clean
    from regulars.cli import screens
    from regulars.reading import read

    reading = _reading(layout, sheet, dayfirst, currency, unreadable)
    machine = _machine(memory_limit, threads, temp_dir)
    made = _planned(source, machine, stages=("Reading", "Cleaning"))
    with screens.stages(made, quiet=as_json) as tell, _engine(machine):
        tell("Reading", 0, 0)
        orders = read(source, columns=_columns(map_), **reading, **machine)
        tell("Cleaning", 0, 0)
        audit = clean(orders, returns=returns.value, all_products=all_products, as_of=_day(as_of)).audit
    if as_json:
        print_json(orders.to_dict() | {"audit": audit.to_dict()})
    else:
        screens.show_columns(orders)
        screens.show_audit(audit, currency=orders.currency)


@app.command()
def segment(
    source: Source,
    output: RunFolder = Path("run"),
    k: Annotated[
        int | None,
        typer.Option("--k", help="Number of segments; chosen otherwise.", rich_help_panel=_SEGMENTS),
    ] = None,
    scale: Annotated[
        ScaleName, typer.Option(help="How days, orders and money are scaled.", rich_help_panel=_SEGMENTS)
    ] = ScaleName.sqrt_log,
    groups: Annotated[
        str,
        typer.Option(help="Rule pack: eleven, shopify, klaviyo, or your own TOML file.", rich_help_panel=_SEGMENTS),
    ] = "eleven",
    actions: Annotated[
        str | None,
        typer.Option(help="TOML file with names and actions of your own.", rich_help_panel=_SEGMENTS),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", rich_help_panel=_SEGMENTS)] = 0,
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    returns: OnReturns = ReturnsPolicy.net,
    all_products: AllProducts = False,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    customers_csv: Annotated[
        bool | None,
        typer.Option(
            "--csv/--no-csv",
            help="Write customers.csv; default: up to a million.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    figures: Annotated[bool, typer.Option(help="Draw the figures.", rich_help_panel=_OUTPUT)] = True,
    report: Annotated[bool, typer.Option(help="Make report.html.", rich_help_panel=_OUTPUT)] = True,
    as_json: AsJson = False,
) -> None:
    """Turn order lines into customer segments, with everything in one folder."""
    from regulars import writing
    from regulars.cli import screens

    options = _reading(layout, sheet, dayfirst, currency, unreadable) | {
        "columns": _columns(map_),
        "k": k,
        "scale": scale.value,
        "groups": groups,
        "actions": actions,
        "seed": seed,
        "returns": returns.value,
        "all_products": all_products,
        "as_of": _day(as_of),
    }
    machine = _machine(memory_limit, threads, temp_dir)
    made = _planned(source, machine, output=output, figures=figures, report=report)
    if made is not None and not as_json:
        screens.show_plan(source, made)
    with screens.stages(made, quiet=as_json) as tell, writing.open_folder(output) as place, _engine(machine):
        wanted = {"customers_csv": customers_csv, "figures": figures, "report": report}
        result, orders = _run(source, place, tell, options | machine, **wanted)
    if not as_json:
        screens.show_columns(orders, briefly=True)
    _report(result, output, as_json=as_json, plan=None if made is None else made.to_dict())


@app.command()
def assign(
    source: Source,
    model: Annotated[Path, typer.Option(help="model.json of a run, or the run folder.", show_default=False)],
    output: RunFolder = Path("assigned"),
    map_: Map = None,
    layout: LayoutName = None,
    sheet: Sheet = None,
    dayfirst: DayFirst = None,
    currency: Currency = None,
    unreadable: OnUnreadable = Unreadable.error,
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    as_json: AsJson = False,
) -> None:
    """Label the customers of a file with the segments of an earlier run."""
    from regulars import pipeline, writing
    from regulars.cli import screens
    from regulars.model import load_model
    from regulars.reading import read

    learned = load_model(model)
    reading = _reading(layout, sheet, dayfirst, currency, unreadable)
    machine = _machine(memory_limit, threads, temp_dir)
    made = _planned(source, machine, output=output, stages=("Reading", "Assigning", "Writing customers"))
    with screens.stages(made, quiet=as_json) as tell, _engine(machine):
        tell("Reading", 0, 0)
        orders = read(source, columns=_columns(map_), **reading, **machine)
        tell("Assigning", 0, 0)
        result = pipeline.assign(orders, learned, as_of=_day(as_of))
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
    from regulars.cli import screens
    from regulars.datasets import make_orders
    from regulars.writing import write_orders

    with screens.stages() as tell:
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


def _planned(
    source: str, machine: dict[str, Any], *, figures: bool = True, report: bool = True, **more: Any
) -> Plan | None:
    """Plan a run; `None` where nothing is known about the source before it is read."""
    from regulars import planning
    from regulars.reading import estimate_size

    size = estimate_size(source)
    if size is None:
        return None
    left_out = {"Drawing": not figures, "Making the report": not report}
    stages = more.pop("stages", [name for name in planning.SEGMENTING if not left_out.get(name)])
    room = {name: machine[name] for name in ("memory_limit", "temp_dir") if name in machine}
    return planning.plan(size, stages=stages, **room, **more)


def _run(source: str, place: Path, tell: Any, options: dict[str, Any], **writing_options: Any) -> tuple[Any, Any]:
    """Read, segment and write into `place`; the seconds of each stage go into run.json."""
    from regulars import pipeline, writing
    from regulars.reading import read

    reading = {name: options.pop(name) for name in list(options) if name in ("columns", *pipeline.READING_OPTIONS)}
    tell("Reading", 0, 0)
    orders = read(source, **reading)
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


def _reading(
    layout: str | None, sheet: str | None, dayfirst: bool | None, currency: str | None, unreadable: Unreadable
) -> dict[str, Any]:
    return {
        "layout": layout,
        "sheet": sheet,
        "dayfirst": dayfirst,
        "currency": currency,
        "unreadable": unreadable.value.replace("-", "_"),
    }


def _machine(memory_limit: str | None, threads: int | None, temp_dir: Path | None) -> dict[str, Any]:
    return {"memory_limit": memory_limit, "threads": threads, "temp_dir": temp_dir}


def _engine(machine: dict[str, Any]) -> AbstractContextManager[None]:
    return in_plain_words(memory_limit=machine["memory_limit"], temp_dir=machine["temp_dir"])


def _columns(pairs: list[str] | None) -> Columns | None:
    """Turn ``customer_id=Customer ID`` into `Columns`."""
    from regulars.schema import Columns

    given: dict[str, str] = {}
    for pair in pairs or ():
        ours, equals, theirs = pair.partition("=")
        ours = ours.strip()
        if not equals or not theirs.strip() or ours not in Columns.names():
            raise OptionError(
                f"Cannot use --map {pair!r}.",
                hint=f'Write --map OURS=YOURS, such as --map customer_id="Customer ID". Ours are {listed(Columns.names())}.',
            )
        given[ours] = theirs.strip()
    return Columns(**given) if given else None


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def print_json(facts: dict[str, Any]) -> None:
    """Print facts for machines."""
    typer.echo(json.dumps(facts, indent=1, ensure_ascii=False, default=str))


__all__ = ["AsJson", "app", "main", "print_json"]
