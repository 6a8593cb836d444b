"""Commands that look ahead: whether the segments meant anything, and what each customer will bring."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from regulars.cli.commands import app
from regulars.cli.options import (
    AHEAD,
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


class PurchaseModelName(StrEnum):
    """Names of the purchase models, as in `valuing.PARAMETERS`."""

    mbg_nbd = "mbg-nbd"
    bg_nbd = "bg-nbd"
    pareto_nbd = "pareto-nbd"


Model = Annotated[PurchaseModelName, typer.Option("--model", help="Purchase model.", rich_help_panel=AHEAD)]


@app.command()
def backtest(
    source: Source,
    horizon: Horizon = None,
    cut: Annotated[
        datetime | None,
        typer.Option(
            parser=to_day,
            metavar="DAY",
            help="Day to look ahead from; default: one horizon before the end.",
            show_default=False,
            rich_help_panel=AHEAD,
        ),
    ] = None,
    model: Model = PurchaseModelName.mbg_nbd,
    k: SegmentCount = None,
    scale: Scaling = ScaleName.sqrt_log,
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
    as_of: AsOf = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    temp_dir: TempDir = None,
    engine: EngineName = Engine.duckdb,
    master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Did segments mean anything? Hold those of the past against what came after. Writes nothing."""
    from regulars import pipeline
    from regulars.cli import outlooks, progress

    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(source, machine, stages=("Reading", "Cleaning", "Back-testing", "Forecasting"))
    with progress.stages(made, quiet=as_json) as tell, engine_words(machine):
        found = pipeline.backtest(
            source,
            horizon_days=horizon,
            cut=day_of(cut),
            k=k,
            scale=scale.value,
            model=model.value,
            returns=returns.value,
            all_products=all_products,
            as_of=day_of(as_of),
            seed=seed,
            progress=tell,
            **reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query),
            **machine,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        outlooks.show_backtest(found)


@app.command()
def value(
    source: Source,
    output: RunFolder = Path("value"),
    horizon: Horizon = None,
    model: Model = PurchaseModelName.mbg_nbd,
    margin: Annotated[float, typer.Option(help="Share of the revenue that is kept.", rich_help_panel=AHEAD)] = 1.0,
    discount: Annotated[
        float, typer.Option(help="Yearly rate at which later money counts less.", rich_help_panel=AHEAD)
    ] = 0.0,
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
    """Forecast what every customer will bring, beside how the same forecast did in the past."""
    from regulars import pipeline, writing
    from regulars.cli import outlooks, progress

    machine = machine_options(memory_limit, threads, temp_dir, engine, master)
    made = planned(
        source,
        machine,
        output=output,
        stages=("Reading", "Cleaning", "Back-testing", "Forecasting", "Writing customers"),
    )
    with (
        progress.stages(made, quiet=as_json) as tell,
        writing.open_folder(output, made_by="value") as place,
        engine_words(machine),
    ):
        found = pipeline.value(
            source,
            horizon_days=horizon,
            model=model.value,
            margin=margin,
            discount=discount,
            returns=returns.value,
            all_products=all_products,
            as_of=day_of(as_of),
            progress=tell,
            **reading_options(map_, layout, sheet, dayfirst, currency, unreadable, query=query),
            **machine,
        )
        tell("Writing customers", 0, 0)
        writing.fill_valuation(place, found)
    if as_json:
        print_json(found.to_dict() | {"folder": str(output)})
    else:
        outlooks.show_valuation(found, output)
