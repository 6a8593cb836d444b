"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regulars.errors import OptionError, listed
from regulars.failures import in_plain_words

if TYPE_CHECKING:
    from regulars.planning import Plan
    from regulars.schema import Columns


class ReturnsPolicy(StrEnum):
    """What to do with returns."""

    net = "net"
    drop = "drop"


class Unreadable(StrEnum):
    """What to do with cells that cannot be read."""

    error = "error"
    set_aside = "set-aside"


class Engine(StrEnum):
    """What reads the source and does the work."""

    duckdb = "duckdb"
    spark = "spark"
    database = "database"


class ScaleName(StrEnum):
    """Names of the scales, as in `clustering.SCALES`."""

    sqrt_log = "sqrt-log"
    standard = "standard"
    minmax = "minmax"
    robust = "robust"
    log = "log"
    yeo_johnson = "yeo-johnson"


READING, CLEANING, SEGMENTS, AHEAD = "Reading", "Cleaning", "Segments", "Looking ahead"
MACHINE, OUTPUT = "Machine", "Output"

Source = Annotated[
    str,
    typer.Argument(
        help="CSV, Parquet or Excel file, a folder or a glob of files; or postgres://user@host/shop?table=order_lines.",
        show_default=False,
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help='Your column for ours: --map customer_id="Customer ID".', rich_help_panel=READING),
]
LayoutName = Annotated[
    str | None,
    typer.Option(help="Layout by name, or your own TOML file; recognised otherwise.", rich_help_panel=READING),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file.", rich_help_panel=READING)]
Query = Annotated[
    Path | None,
    typer.Option(
        help="File with a SELECT for a database, instead of a table.", show_default=False, rich_help_panel=READING
    ),
]
DayFirst = Annotated[
    bool | None,
    typer.Option("--dayfirst/--monthfirst", help="How 1/2/2024 is meant.", show_default=False, rich_help_panel=READING),
]
Currency = Annotated[str | None, typer.Option(help="The currency to keep, such as GBP.", rich_help_panel=READING)]
OnUnreadable = Annotated[
    Unreadable,
    typer.Option(help="Cells that cannot be read: stop, or set the rows aside.", rich_help_panel=READING),
]
OnReturns = Annotated[
    ReturnsPolicy,
    typer.Option(help="net: a return takes back its purchase. drop: returns are ignored.", rich_help_panel=CLEANING),
]
AllProducts = Annotated[
    bool,
    typer.Option("--all-products", help="Keep postage, fees and other service codes.", rich_help_panel=CLEANING),
]
SegmentCount = Annotated[
    int | None,
    typer.Option("--k", help="Number of segments; chosen otherwise.", rich_help_panel=SEGMENTS),
]
Scaling = Annotated[ScaleName, typer.Option(help="How days, orders and money are scaled.", rich_help_panel=SEGMENTS)]
ActionsFile = Annotated[
    str | None,
    typer.Option(help="TOML file with names and actions of your own.", rich_help_panel=SEGMENTS),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", rich_help_panel=SEGMENTS)]


def to_day(text: str) -> datetime:
    """Read a day of the command line."""
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day. Write the year first, such as 2011-12-31.") from None


AsOf = Annotated[
    datetime | None,
    typer.Option(
        parser=to_day,
        metavar="DAY",
        help="Day from which recency is counted; default: the day after the last day of the file.",
        rich_help_panel=CLEANING,
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(
        help="Days to look ahead; default: a quarter of the history, at most 91.",
        show_default=False,
        rich_help_panel=AHEAD,
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        help="Memory for the engine, such as 2GB; what does not fit goes to disk.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads of the engine; default: one per core.", show_default=False, rich_help_panel=MACHINE),
]
TempDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for what does not fit into memory; default: the system's.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
]
EngineName = Annotated[
    Engine,
    typer.Option(
        "--engine", help="What reads and does the work; database: lines stay where they are.", rich_help_panel=MACHINE
    ),
]
Master = Annotated[
    str | None,
    typer.Option(
        help="Cluster for --engine spark, such as spark://host:7077; default: all cores of this machine.",
        show_default=False,
        rich_help_panel=MACHINE,
    ),
]
SetAsideTo = Annotated[
    str | None,
    typer.Option(
        help="Where Spark writes lines that are set aside, such as s3a://shop/aside; default: into the run folder.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.", rich_help_panel=OUTPUT)]
RunFolder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Folder for results; an earlier run in it is replaced.", rich_help_panel=OUTPUT
    ),
]


def planned(
    source: str,
    machine: dict[str, Any],
    *,
    figures: bool = True,
    report: bool = True,
    backtest: bool = True,
    **more: Any,
) -> Plan | None:
    """Plan a run; `None` where nothing is known about the source before it is read."""
    from regulars import planning
    from regulars.reading import estimate_size

    size = None if machine.get("engine") == Engine.spark.value else estimate_size(source)
    if size is None:
        return None
    left_out = {"Drawing": not figures, "Making the report": not report, "Back-testing": not backtest}
    left_out["Forecasting"] = not backtest
    stages = more.pop("stages", [name for name in planning.SEGMENTING if not left_out.get(name)])
    room = {name: machine[name] for name in ("memory_limit", "temp_dir") if name in machine}
    return planning.plan(size, stages=stages, **room, **more)


def reading_options(
    map_: list[str] | None,
    layout: str | None,
    sheet: str | None,
    dayfirst: bool | None,
    currency: str | None,
    unreadable: Unreadable,
    *,
    query: Path | None = None,
) -> dict[str, Any]:
    """Options of `regulars.read`."""
    return {
        "columns": columns_of(map_),
        "layout": layout,
        "sheet": sheet,
        "query": query,
        "dayfirst": dayfirst,
        "currency": currency,
        "unreadable": unreadable.value.replace("-", "_"),
    }


def machine_options(
    memory_limit: str | None, threads: int | None, temp_dir: Path | None, engine: Engine, master: str | None
) -> dict[str, Any]:
    """Options of the machine, or of the cluster."""
    own = {"memory_limit": memory_limit, "threads": threads, "temp_dir": temp_dir}
    return own | {"engine": engine.value, "master": master}


def engine_words(machine: dict[str, Any]) -> AbstractContextManager[None]:
    """A context in which the engine's troubles with the machine, or a database's own, are told in plain words."""
    inside = machine["engine"] == Engine.database.value
    return in_plain_words(memory_limit=machine["memory_limit"], temp_dir=machine["temp_dir"], inside=inside)


def columns_of(pairs: list[str] | None) -> Columns | None:
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


def day_of(moment: datetime | None) -> date | None:
    """The day of a moment."""
    return None if moment is None else moment.date()


def print_json(facts: dict[str, Any]) -> None:
    """Print facts for machines."""
    typer.echo(json.dumps(facts, indent=1, ensure_ascii=False, default=str))
