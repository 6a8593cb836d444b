"""Where the history is cut, and what was known and what came after at each cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.cleaning import Cleaned, Returns, Rule, clean
from regulars.errors import NotEnoughDataError, OptionError
from regulars.features import build_histories, build_rfm, purchase_days
from regulars.keeping import keep
from regulars.reading import Orders
from regulars.wording import counted

__all__ = ["MOST_WINDOWS", "Past", "PastOptions", "Window", "default_horizon", "look_back", "plan_windows"]

MOST_HORIZON = 91  # days: a quarter
LEAST_HISTORY = 60  # days; less tells nothing about a next quarter
LONG = 730  # days; from then on windows are monthly
MONTH = 30  # days
EARLIER = 1.5  # horizons before a cut that is not the latest
MOST_WINDOWS = 12
MOST_LINES = 60_000_000  # that all windows together may go through


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A cut through the history: what lies before `cut` is known, what lies from `cut` to before `until` is to come."""

    cut: date
    until: date

    @property
    def horizon_days(self) -> int:
        """Days from the cut to the end."""
        return (self.until - self.cut).days


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOptions:
    """How the pasts are cleaned (see `regulars.clean`), clustered and forecast, as the present is."""

    returns: Returns = "net"
    all_products: bool = False
    rules: tuple[Rule, ...] = ()
    scale: str = "sqrt-log"
    model: str = "mbg-nbd"
    seed: int = 0
    n_jobs: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was known at a cut, and what came after, inside the engine.

    Parameters
    ----------
    window
        The cut.
    people
        One row per customer: recency, frequency and monetary value at the cut, the columns of `schema.HISTORIES` (null
        where no purchase was worth more than nothing), and what came after: `bought` (0 or 1), `orders_after` (days with
        an order) and `revenue_after`.
    customers
        How many.
    bought
        Those of them who bought again.
    cleaned
        The lines before the cut, clean.
    """

    window: Window
    people: ir.Table
    customers: int
    bought: int
    cleaned: Cleaned


def default_horizon(history_days: int) -> int:
    """A quarter of the history, at most 91 days.

    Examples
    --------
    >>> default_horizon(373), default_horizon(120)
    (91, 30)
    """
    return min(MOST_HORIZON, history_days // 4)


def plan_windows(
    first_day: date, as_of: date, *, horizon_days: int | None = None, cut: date | None = None, lines: int = 0
) -> tuple[Window, ...]:
    """Choose the cuts, the latest first: one horizon back from the end, and where the history allows, more before it.

    From two years of history on, there is a cut every 30 days, at most twelve; with less, one more, a horizon earlier.
    Before the latest cut lies at least twice the horizon, before earlier ones one and a half times. Files of many lines
    get fewer: all windows together go through at most 60 million.

    Parameters
    ----------
    first_day, as_of
        First day of the history, and the day after its last.
    horizon_days
        Days that are looked ahead; default: `default_horizon`.
    cut
        The latest cut, instead of one horizon before the end.
    lines
        Order lines of the source.

    Raises
    ------
    NotEnoughDataError
        The history is too short: the message says how long it is and how long it should be.
    OptionError
        The horizon is not a number of days, or a cut does not leave it.

    Examples
    --------
    >>> [str(window.cut) for window in plan_windows(date(2010, 12, 1), date(2011, 12, 10))]
    ['2011-09-10', '2011-06-11']
    """
    history = (as_of - first_day).days
    if horizon_days is not None and horizon_days < 1:
        raise OptionError(f"The horizon is {horizon_days} days.", hint="Give a number of days such as 91.")
    if history < LEAST_HISTORY:
        raise NotEnoughDataError(
            f"The history is {counted(history, 'day')} long; a back-test needs at least {LEAST_HISTORY}.",
            hint="Bring a longer export.",
        )
    horizon = horizon_days or default_horizon(history)
    last = as_of - timedelta(days=horizon) if cut is None else cut
    if cut is not None and not (first_day < cut and cut + timedelta(days=horizon) <= as_of):
        raise OptionError(
            f"A cut at {cut} with {horizon} days after it does not fit: the history runs from {first_day} to "
            f"{as_of - timedelta(days=1)}.",
            hint=f"Cut after {first_day}, and at {as_of - timedelta(days=horizon)} at the latest.",
        )
    if cut is None and history < 3 * horizon:
        raise NotEnoughDataError(
            f"The history is {history} days long; a back-test of {horizon:,} days needs {3 * horizon:,} days: twice as much "
            "before the cut as after it.",
            hint=f"Ask for at most {history // 3} days, or bring a longer export.",
        )
    step, most = (MONTH, MOST_WINDOWS) if history >= LONG else (horizon, 2)
    most = min(most, max(1, MOST_LINES // max(lines, 1)))
    cuts = [last - timedelta(days=i * step) for i in range(most)]
    cuts = [last, *(day for day in cuts[1:] if (day - first_day).days >= EARLIER * horizon)]
    return tuple(Window(cut=day, until=day + timedelta(days=horizon)) for day in cuts)


def look_back(orders: Orders, cleaned: Cleaned, window: Window, *, options: PastOptions) -> Past:
    """Clean, count and describe what was known at a cut, and what its customers did after.

    The lines before the cut are cleaned on their own: a return after the cut is not known yet. What came after is taken
    from the orders of the whole history, in which returns have found their purchases.

    Parameters
    ----------
    orders
        From `regulars.read`.
    cleaned
        The whole history, clean.
    window
        The cut.
    options
        How to clean.

    Raises
    ------
    NotEnoughDataError
        Nothing is left before the cut.
    """
    before = orders.table.filter(orders.table["ordered_at"] < _midnight(window.cut))
    past = clean(
        replace(orders, table=before),
        returns=options.returns,
        all_products=options.all_products,
        rules=options.rules,
    )
    people = build_rfm(past, as_of=window.cut)
    people = _join(people, build_histories(past, as_of=window.cut))
    people = _join(people, _after(cleaned, window))
    nothing: dict[str, ir.Value] = {
        "bought": people["orders_after"].notnull().ifelse(1, 0),
        "orders_after": people["orders_after"].fill_null(0),
        "revenue_after": people["revenue_after"].fill_null(0),
    }
    people = keep(people.mutate(**nothing))
    total: dict[str, Any] = people.agg(n=people.count(), bought=people["bought"].sum()).to_pyarrow().to_pylist()[0]
    return Past(
        window=window,
        people=people,
        customers=total["n"],
        bought=total["bought"] or 0,
        cleaned=past,
    )


def _after(cleaned: Cleaned, window: Window) -> ir.Table:
    """`customer_id`, `orders_after`, `revenue_after` of those who bought in the window."""
    days = purchase_days(cleaned)
    inside = days.filter(
        days["day"] >= ibis.date(window.cut.isoformat()), days["day"] < ibis.date(window.until.isoformat())
    )
    return inside.group_by("customer_id").agg(orders_after=inside.count(), revenue_after=inside["amount"].sum())


def _join(people: ir.Table, facts: ir.Table) -> ir.Table:
    return people.left_join(facts, "customer_id").drop("customer_id_right")


def _midnight(day: date) -> ir.TimestampScalar:
    return ibis.timestamp(f"{day.isoformat()}T00:00:00")
