"""The door out: a run folder that is there as a whole or not at all."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from regulars.errors import OutputError
from regulars.pipeline import Assignment, Segmentation, Valuation
from regulars.placing import explained, whole_files
from regulars.profiling import at_risk
from regulars.reading.addresses import without_secrets
from regulars.reading.bringing import bring_here
from regulars.reading.staying import check_reach, write_lines
from regulars.reporting import write_report
from regulars.wording import FORMULA, slug

__all__ = [
    "fill_run",
    "fill_valuation",
    "for_spreadsheets",
    "most_read_first",
    "open_folder",
    "write_assignment",
    "write_orders",
    "write_run",
    "write_valuation",
]

Progress = Callable[[str, int, int], None]

#: What a run folder holds; anything else in it is the user's and is kept.
OWN = frozenset(
    {
        "at_risk.csv",
        "audiences",
        "customers.csv",
        "customers.parquet",
        "facts.json",
        "figures",
        "model.json",
        "movement.csv",
        "orders.csv",
        "orders.parquet",
        "pymc_marketing.csv",
        "report.html",
        "run.json",
        "segments.csv",
        "set_aside.parquet",
    }
)

CSV_LIMIT = 1_000_000  # customers; beyond, customers.csv is written only when asked for

_FIRST = (
    "customer_id", "recency_days", "frequency", "monetary", "r_score", "f_score", "m_score", "rfm_group", "segment",
)  # fmt: skip
_DECIMALS = {
    "avg_order_value": 2,
    "median_gap_days": 1,
    "return_rate": 4,
    "distance": 4,
    "value_percentile": 4,
    "p_active": 4,
    "expected_orders": 3,
    "order_value": 2,
    "expected_value": 2,
    "p_alive": 4,
    "revenue_at_risk": 2,
    "monetary_value": 4,
}
_VERSIONS = ("regulars", "ibis-framework", "duckdb", "scikit-learn", "numpy", "pyarrow", "matplotlib", "plotly")


def write_run(
    result: Segmentation,
    folder: str | Path,
    *,
    customers_csv: bool | None = None,
    figures: bool = True,
    report: bool = True,
    set_aside_to: str | None = None,
    timings: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write everything about a run into a folder; it replaces an earlier run at the end, in one step.

    Parameters
    ----------
    result
        From `regulars.segment`.
    folder
        Where to. An earlier run is replaced; files in it that are not regulars' own are kept.
    customers_csv
        Whether to write `customers.csv` beside `customers.parquet`; default: up to a million customers.
    figures
        Whether to draw `figures/`.
    report
        Whether to write `report.html`.
    set_aside_to
        Where the executors of Spark write the lines that were set aside, such as ``s3a://bucket/folder``; default: into the
        run folder, whose disk they must share then.
    timings
        Seconds per stage, for `run.json`.
    progress
        Called with the stage in words, steps done and steps in all.

    Returns
    -------
    Path
        The folder, with `report.html`, `customers.parquet`, `customers.csv` (money to the cent, sorted by customer_id),
        `orders.parquet` (up to a million customers), `segments.csv`, `audiences/`, `at_risk.csv` (with a back-test: whom
        the shop is about to lose, most revenue at risk first), `set_aside.parquet`, `model.json`, `facts.json`, `run.json`
        and `figures/`.

    Raises
    ------
    OutputError
        The place is a file, belongs to something else, cannot be written, or is full. Nothing is left behind then.
    OptionError
        `set_aside_to` was given, and the run was not made by Spark.
    """
    with open_folder(folder) as place:
        if result.set_aside is not None:
            check_reach(result.set_aside, place, set_aside_to)
        fill_run(
            place,
            result,
            customers_csv=customers_csv,
            figures=figures,
            report=report,
            set_aside_to=set_aside_to,
            timings=timings,
            progress=progress,
        )
    return Path(folder)


def fill_run(
    place: Path,
    result: Segmentation,
    *,
    customers_csv: bool | None = None,
    figures: bool = True,
    report: bool = True,
    set_aside_to: str | None = None,
    timings: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the files of a run into an empty folder; see `write_run`."""
    tell = progress or (lambda stage, done, total: None)
    tell("Writing customers", 0, 0)
    result = replace(
        result,
        customers=bring_here(result.customers),
        orders=None if result.orders is None else bring_here(result.orders),
    )
    with_csv = result.customers_total <= CSV_LIMIT if customers_csv is None else customers_csv
    _write_customers(place, result.customers, with_csv=with_csv)
    _write_audiences(place / "audiences", result)
    if result.outlook is not None:
        _write_at_risk(place / "at_risk.csv", result, limit=result.outlook.at_risk_limit)
    if result.orders is not None:
        result.orders.order_by("customer_id", "ordered_at", "order_id").to_parquet(place / "orders.parquet")
    tell("Writing what was set aside", 0, 0)
    if result.set_aside is None:
        raise OutputError("The lines that were set aside are not in this run.", hint="Copy the run folder instead.")
    write_lines(result.set_aside, place / "set_aside.parquet", set_aside_to)
    engine = result.set_aside.get_backend()
    _write_segments(place / "segments.csv", result)
    result.model.save(place / "model.json")
    _write_json(place / "facts.json", result.to_dict())
    if figures:
        from regulars.figures import draw_figures  # takes a second and 50 MB, and is not always wanted

        draw_figures(result, place / "figures", progress=tell)
    if report:
        tell("Making the report", 0, 0)
        write_report(result, place / "report.html")
    tell("Writing the record", 0, 0)  # ends the stage before it, so that its seconds are known
    _write_json(
        place / "run.json",
        {
            "made_by": "segment",
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
            "engine": {"name": engine.name, "version": engine.version},
            "source": result.source,
            "fingerprint": result.fingerprint,
            "set_aside": "set_aside.parquet" if set_aside_to is None else without_secrets(set_aside_to),
            "options": result.options.to_dict(),
            "seconds": {stage: round(seconds, 2) for stage, seconds in (timings or {}).items()},
        },
    )


def write_assignment(result: Assignment, folder: str | Path) -> Path:
    """Write labelled customers (`customers.parquet`, `customers.csv`) and `facts.json` into a folder, in one step.

    Raises
    ------
    OutputError
        As for `write_run`.
    """
    with open_folder(folder, made_by="assign") as place:
        people = sum(n for _, n, _ in result.segments) + result.unassigned
        _write_customers(place, bring_here(result.customers), with_csv=people <= CSV_LIMIT)
        _write_json(place / "facts.json", result.to_dict())
        _write_json(
            place / "run.json",
            {"made_by": "assign", "versions": {name: version(name) for name in _VERSIONS}, "source": result.source},
        )
    return Path(folder)


def write_valuation(result: Valuation, folder: str | Path) -> Path:
    """Write a forecast into a folder, in one step: customers, what pymc-marketing reads, and the facts.

    Returns
    -------
    Path
        The folder, with `customers.parquet`, `customers.csv`, `pymc_marketing.csv` (`customer_id`, `frequency`, `recency`,
        `T` in days, `monetary_value`), `facts.json` and `run.json`.

    Raises
    ------
    OutputError
        As for `write_run`.
    """
    with open_folder(folder, made_by="value") as place:
        fill_valuation(place, result)
    return Path(folder)


def fill_valuation(place: Path, result: Valuation) -> None:
    """Write the files of a forecast into an empty folder; see `write_valuation`."""
    table = bring_here(result.customers).order_by("customer_id")
    table.to_parquet(place / "customers.parquet")
    if result.customers_total <= CSV_LIMIT:
        for_spreadsheets(table).to_csv(place / "customers.csv")
    bring_here(result.histories).order_by("customer_id").to_csv(place / "pymc_marketing.csv")
    _write_json(place / "facts.json", result.to_dict())
    _write_json(
        place / "run.json",
        {"made_by": "value", "versions": {name: version(name) for name in _VERSIONS}, "source": result.source},
    )


def write_orders(table: pa.Table, path: str | Path) -> Path:
    """Write order lines as `.csv` or `.parquet`, by the ending of the path, in one step.

    Raises
    ------
    OutputError
        Another ending, or the file cannot be written.
    """
    path = Path(path)
    writers: dict[str, Callable[[pa.Table, Path], None]] = {".csv": pa_csv.write_csv, ".parquet": pq.write_table}
    if path.suffix.lower() not in writers:
        raise OutputError(f"Cannot write {path.name}: its ending is not known.", hint="End it with .csv or .parquet.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", hint="Give the name of a file, such as orders.csv.")
    with whole_files(path) as (draft,):
        writers[path.suffix.lower()](table, draft)
    return path


@contextmanager
def open_folder(folder: str | Path, *, made_by: str = "segment") -> Iterator[Path]:
    """Give an empty folder beside `folder`, and put it in place at the end; on any error nothing has changed.

    What another command than `made_by` wrote there is not replaced.

    Raises
    ------
    OutputError
        Before anything is done: the place is a file, holds something that is not a run, or cannot be written. At the end:
        the disk is full.
    """
    target = Path(folder).absolute()
    _check_place(target, made_by=made_by)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        place = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-{os.getpid()}-", dir=target.parent))
    try:
        place.chmod(0o777 & ~_umask())
        with explained(target):
            yield place
            _keep_foreign(target, place)
            _swap(place, target)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _check_place(target: Path, *, made_by: str) -> None:
    if target.is_dir():
        if not any(target.iterdir()):
            return
        if not (target / "run.json").is_file():
            raise OutputError(
                f"The folder {target} is not empty and is not a run of regulars.",
                hint="Choose a new folder with -o, so that nothing of yours is replaced.",
            )
        before = _maker(target / "run.json")
        if before != made_by:
            raise OutputError(
                f"The folder {target} holds what 'regulars {before}' wrote.",
                hint="Choose another folder with -o, so that it is not replaced.",
            )
    elif target.exists() or target.is_symlink():
        raise OutputError(f"{target} is a file.", hint="Choose a folder with -o.")


def _maker(record: Path) -> str:
    """The command that wrote a folder, from its run.json."""
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads(record.read_text("utf-8")).get("made_by", "segment"))
    return "segment"


def _sweep(target: Path) -> None:
    """Remove what runs left beside the target that were killed so hard that they could not tidy up."""
    if os.name != "posix":
        return  # only there can a process be asked for without touching it
    for left in target.parent.glob(f".{target.name}.partial-*-*"):
        owner = left.name.removeprefix(f".{target.name}.partial-").partition("-")[0]
        with suppress(ValueError, PermissionError):
            try:
                os.kill(int(owner), 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)


def _keep_foreign(target: Path, place: Path) -> None:
    """Copy what the user put into an earlier run folder."""
    for entry in target.iterdir() if target.is_dir() else ():
        if entry.name not in OWN:
            copy = shutil.copytree if entry.is_dir() and not entry.is_symlink() else shutil.copy2
            copy(entry, place / entry.name)


def _swap(place: Path, target: Path) -> None:
    """Put `place` where `target` is, in one step where the system can exchange two folders, in two elsewhere."""
    if not target.exists():
        place.rename(target)
        return
    exchange, here = 2, -100  # RENAME_EXCHANGE, AT_FDCWD
    with suppress(AttributeError, OSError):
        if ctypes.CDLL(None).renameat2(here, os.fsencode(place), here, os.fsencode(target), exchange) == 0:
            return
    old = place.with_name(f"{place.name}.old")
    target.rename(old)
    try:
        place.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _write_customers(place: Path, customers: ir.Table, *, with_csv: bool) -> None:
    table = customers.select(most_read_first(customers.columns)).order_by("customer_id")
    table.to_parquet(place / "customers.parquet")
    if with_csv:
        for_spreadsheets(table).to_csv(place / "customers.csv")


def _write_audiences(folder: Path, result: Segmentation) -> None:
    """Write one list per segment, most valuable customers first."""
    folder.mkdir()
    names = [name for name in (*_FIRST, "country", "email") if name in result.customers.columns]
    for segment in result.segments:
        members = result.customers.filter(result.customers["segment_id"] == segment.id)
        members = members.order_by(members["monetary"].desc(), "customer_id").select(names)
        for_spreadsheets(members).to_csv(folder / f"{slug(segment.name)}.csv")


def _write_at_risk(path: Path, result: Segmentation, *, limit: float) -> None:
    """Write the customers whom the shop is about to lose, most revenue at risk first."""
    people = result.customers.filter(at_risk(result.customers, limit))
    names = ["customer_id", "revenue_at_risk", "p_active", "recency_days", "frequency", "monetary", "segment"]
    names += [name for name in ("country", "email") if name in people.columns]
    people = people.order_by(people["revenue_at_risk"].desc(), people["monetary"].desc(), "customer_id").select(names)
    for_spreadsheets(people).to_csv(path)


def most_read_first(columns: Iterable[str]) -> list[str]:
    """Columns of the customers in the order in which they are written.

    Examples
    --------
    >>> most_read_first(["country", *_FIRST[::-1], "email"])[-3:]
    ['segment', 'country', 'email']
    """
    return [*_FIRST, *(name for name in columns if name not in _FIRST)]


def for_spreadsheets(table: ir.Table) -> ir.Table:
    """Money to the cent, other numbers rounded, and no text that a spreadsheet would run as a formula; no query."""
    changed: dict[str, ir.Value] = {}
    for name, kind in table.schema().items():
        if kind.is_decimal():
            changed[name] = table[name].cast("decimal(18, 2)")
        elif kind.is_floating():
            changed[name] = table[name].round(_DECIMALS.get(name, 4))
        elif kind.is_string():
            text = table[name]
            formula = text.re_search(FORMULA)
            begins = text.left(1).isin(["=", "@", "\t", "\r", "+", "-"])  # told in a tenth of the time
            changed[name] = (begins & formula).ifelse("'" + text, text)
    return table.mutate(**changed)


def _write_segments(path: Path, result: Segmentation) -> None:
    medians = ("recency_days", "frequency", "monetary", "avg_order_value", "tenure_days", "median_gap_days")
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["id", "name", "customers", "customer_share", "revenue", "revenue_share", "orders"]
            + [f"median_{name}" for name in medians]
            + ["value_tier", "activity", "action", "offer", "channel", "measure", "why"]
        )
        for each in result.segments:
            facts, action = each.profile, each.action
            middle = [facts.median(name) for name in medians]
            rows.writerow(
                [each.id, each.name, facts.customers, f"{facts.customer_share:.4f}", f"{facts.revenue:.2f}"]
                + [f"{facts.revenue_share:.4f}", facts.orders]
                + ["" if value is None else f"{value:.2f}".removesuffix(".00") for value in middle]
                + [each.tier, each.activity, action.action, action.offer, action.channel, action.measure]
                + ["; ".join(each.why)]
            )


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")
