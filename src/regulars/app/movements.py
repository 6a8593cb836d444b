"""Who moved, for pages and programs: comparisons of runs and of dates, worked out once and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import ibis
import ibis.expr.types as ir

from regulars.app.workspace import Entry, Run, Workspace
from regulars.comparing import BECAUSE, Movement, compare, compare_runs
from regulars.errors import NotEnoughDataError, OptionError, listed
from regulars.pipeline import Segmentation
from regulars.reading import Orders, read
from regulars.runs import open_run
from regulars.schema import Columns

__all__ = ["Compared", "Cuts", "days_of", "likeliest", "moves_between_dates", "moves_between_runs", "people_of"]

Cuts = Literal["earlier", "later", "each"]

KEPT = 6  # comparisons of a run; each holds a table of its customers
ALIKE = 0.1  # of the customers; where fewer are in both runs, none is proposed
NEWEST = 6  # runs that are looked at for one to propose
USUAL_STEP = 182  # days between the two dates that are proposed

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison, with an engine of its own: pages of the run need not wait for it.

    Parameters
    ----------
    movement
        The facts.
    of
        The run that was compared with, as it was then; `None` for two dates.
    lock
        Held while the engine answers.
    """

    movement: Movement
    of: Run | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


def moves_between_runs(one: Run, other: Run, *, cuts: Cuts = "each") -> Compared:
    """Compare two runs, whichever is the earlier.

    Raises
    ------
    OptionError
        They cannot be compared; the message says why.
    """

    def work() -> Compared:
        runs = sorted((one, other), key=lambda run: (run.result.as_of, run is one))
        earlier, later = (open_run(run.folder) for run in runs)
        return Compared(movement=compare_runs(earlier, later, cuts=cuts), of=other)

    return _kept(one, ("runs", other.name, cuts), work, of=other)


def moves_between_dates(run: Run, dates: tuple[date, date], *, cuts: Cuts = "each") -> Compared:
    """Compare two dates of a run's own orders, with as many segments as the run has.

    The orders are those that the run kept, less what was returned of them until the run was made: returns are as known at
    the run, not as known at each date.

    Raises
    ------
    OptionError
        The dates are swapped, or outside of the data.
    NotEnoughDataError
        The run keeps no orders, or there is too little before a date.
    """

    def work() -> Compared:
        result = open_run(run.folder)
        options = result.options
        own = options.actions if options.actions and Path(options.actions).is_file() else None
        found = compare(
            _orders(result), dates=dates, cuts=cuts, k=result.choice.k, scale=options.scale,
            groups=result.model.pack, actions=own, seed=options.seed,
        )  # fmt: skip
        return Compared(movement=found)

    return _kept(run, ("dates", *dates, cuts), work, of=None)


def days_of(run: Run) -> tuple[date, date, tuple[date, date]]:
    """First and last date that can be compared, and two dates to begin with."""
    first, last = run.result.audit.first_day + timedelta(days=1), run.result.as_of
    middle = max(last - timedelta(days=USUAL_STEP), first + (last - first) / 2)
    return first, last, (middle, last)


def likeliest(workspace: Workspace, run: Run, others: Sequence[Entry]) -> str:
    """Name of the run that a run is most likely to be compared with, or ``""``; one query per run the first time.

    It is the one with most customers alike among the newest; of equals that of the same source, then the newest.
    """
    shares = [
        (_alike(workspace, run, entry), entry.source == run.result.source, entry.name) for entry in others[:NEWEST]
    ]
    share, _, name = max(shares, key=lambda one: one[:2], default=(0.0, False, ""))
    return name if share >= ALIKE else ""


def _alike(workspace: Workspace, run: Run, other: Entry) -> float:
    """How many of the smaller of two runs are in both: 0 to 1, and 0 where the other one cannot be read."""
    key = f"alike {other.name} {other.made.isoformat()}"
    if key not in run.kept:
        both = 0
        with suppress(duckdb.Error, OSError):
            con = ibis.duckdb.connect()
            own, theirs = (
                con.read_parquet(folder / "customers.parquet", hive_partitioning=False).select("customer_id")
                for folder in (run.folder, workspace.folder / other.name)
            )
            both = own.semi_join(theirs, "customer_id").count().to_pyarrow().as_py()
        run.kept[key] = both / max(min(run.result.customers_total, other.customers), 1)
    share: float = run.kept[key]
    return share


def people_of(movement: Movement, by: str, *, before: str, after: str, because: str | None = None) -> ir.Table:
    """Give the customers of one move, highest revenue first; no query.

    Parameters
    ----------
    movement
        The facts.
    by
        ``"segments"`` or ``"groups"``.
    before, after
        Names of the places, as in `Moves`.
    because
        Only those with this reason, a key of `comparing.BECAUSE`.

    Raises
    ------
    OptionError
        There is no such move or reason.
    """
    moves = movement.by(by)
    if not any((flow.before, flow.after) == (before, after) for flow in moves.flows):
        raise OptionError(f"Nobody moved from {before!r} to {after!r}.", hint="Choose a move from the table.")
    if because is not None and because not in BECAUSE:
        raise OptionError(f"There is no reason {because!r}.", hint=f"Choose one of {listed(BECAUSE)}.")
    people = movement.customers
    asked = (people[f"{by}_from"] == before) & (people[f"{by}_to"] == after)
    if because is not None:
        asked = asked & (people[f"{by}_because"] == because)
    chosen = people.filter(asked)
    names: dict[str, Any] = {name: chosen[f"{by}_{name}"] for name in ("from", "to", "because")}
    chosen = chosen.select("customer_id", **names, revenue_before="revenue_before", revenue_after="revenue_after")
    return chosen.order_by(chosen["revenue_after"].desc(), chosen["revenue_before"].desc(), "customer_id")


def _kept(run: Run, key: tuple[object, ...], work: Callable[[], Compared], *, of: Run | None) -> Compared:
    """Work something out unless it is known already; only one comparison is worked out at a time."""
    name = f"moves {key}"
    with _one_at_a_time:
        known: Compared | None = run.kept.get(name)
        if known is None or known.of is not of:
            known = work()
            for old in [other for other in run.kept if other.startswith("moves ")][: 1 - KEPT]:
                del run.kept[old]
            run.kept[name] = known
    return known


def _orders(result: Segmentation) -> Orders:
    """The orders that a run kept, as lines: each order is one, with the money that is left of it."""
    if result.orders is None:
        raise NotEnoughDataError(
            "The run keeps no orders: it has more than a million customers.",
            hint="Compare two runs, or use 'regulars compare SOURCE --dates' where the lines are.",
        )
    names = Columns(customer_id="customer_id", order_id="order_id", ordered_at="ordered_at", amount="amount")
    return replace(read(result.orders, columns=names), source=result.source, currency=result.currency)
