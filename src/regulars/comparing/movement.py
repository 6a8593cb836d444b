"""Compare two dates of one history, or two runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

import ibis.expr.types as ir

from regulars.cleaning import Returns, Rule
from regulars.comparing.facts import GROUPINGS, Moment, Movement, Moves
from regulars.comparing.joining import common_order, count_flows, meet, nodes_of
from regulars.comparing.sides import Asked, Side, brought, count_side, judge, learn_side, places_of
from regulars.comparing.words import say
from regulars.errors import NotEnoughDataError, OptionError, listed
from regulars.keeping import keep
from regulars.model import SegmentModel
from regulars.profiling import Segment, load_actions
from regulars.reading import Orders, read
from regulars.schema import MEASURES, Columns
from regulars.scoring import RulePack, load_pack
from regulars.wording import counted, day, unit

__all__ = ["CUTS", "compare", "compare_runs"]

CUTS = ("earlier", "later", "each")
MOST_K = 50
HARDLY = 0.1  # of the customers who could be in both runs: fewer are doubted

#: Called with the stage in words, steps done, and steps in all (0: not known).
Progress = Callable[[str, int, int], None]


class Run(Protocol):
    """What is needed of a `regulars.Segmentation`."""

    @property
    def source(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def as_of(self) -> date: ...
    @property
    def model(self) -> SegmentModel: ...
    @property
    def segments(self) -> tuple[Segment, ...]: ...
    @property
    def customers(self) -> ir.Table: ...


def compare(
    source: Any,
    *,
    dates: tuple[date, date],
    cuts: Literal["earlier", "later", "each"] = "each",
    k: int | None = None,
    scale: str = "sqrt-log",
    groups: str | Path | RulePack = "eleven",
    actions: str | Path | None = None,
    columns: Columns | None = None,
    returns: Returns = "net",
    all_products: bool = False,
    rules: Sequence[Rule] = (),
    seed: int = 0,
    progress: Progress | None = None,
    **reading: Any,
) -> Movement:
    """Find out who moved between two dates of one history, and why; nothing needs to have been kept from the first date.

    For each date the lines before it are cleaned on their own, as a run on that day would have done: a return after it is
    not known yet. Scores, named groups and segments are learned from what is left, without a back-test.

    Parameters
    ----------
    source
        Anything that `regulars.read` takes, or what it returned.
    dates
        The earlier and the later one; lines on or after a date are not known at it.
    cuts
        ``"each"``: at each date customers are judged by the cut points and segments of that date, and a move is split into
        "the customer changed" and "the cut points moved". ``"earlier"``, ``"later"``: at both dates by those of one.
    k
        Number of segments; default: chosen at each date.
    scale, groups, actions, columns, returns, all_products, rules, seed, progress
        As for `regulars.segment`.
    **reading
        Reading options, as for `regulars.segment`.

    Returns
    -------
    Movement
        Facts in memory; `customers` stays a table in the engine.

    Raises
    ------
    OptionError
        The dates are swapped, or outside of the data.
    NotEnoughDataError
        Before a date there is nothing, or too little.

    Notes
    -----
    One query for the days of the source; per date those of `clean`, one to count the customers, and where its model is
    asked for about eight to learn it (some more for many customers); three to compare.

    Examples
    --------
    >>> import regulars as rg
    >>> from datetime import date
    >>> orders = rg.make_orders(customers=600, seed=1).orders
    >>> found = rg.compare(orders, dates=(date(2024, 7, 1), date(2024, 12, 25)), k=4)
    >>> print(found.segments.words[1])
    102 customers worth £13k moved down: 100 because they changed, 2 only because the borders of the segments moved.
    """
    earlier, later = _checked_dates(dates)
    _check(cuts=cuts, k=k)
    pack, known_actions = load_pack(groups), load_actions(actions)
    tell = progress or _silent
    tell("Reading", 0, 0)
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    _check_within(orders, earlier, later)
    asked = Asked(
        returns=returns,
        all_products=all_products,
        rules=tuple(rules),
        scale=scale,
        k=k,
        pack=pack,
        actions=known_actions,
        seed=seed,
        n_jobs=reading.get("threads") or -1,
    )
    days = (earlier, later)
    tell("Cleaning", 0, 0)
    counted = {one: count_side(orders, one, asked) for one in dict.fromkeys(days)}
    tell("Clustering", 0, 0)
    judges = {"earlier": (earlier, earlier), "later": (later, later), "each": days}[cuts]
    learned = {one: learn_side(orders.source, *counted[one], day=one, asked=asked) for one in dict.fromkeys(judges)}
    tell("Describing the segments", 0, 0)
    sides = [
        learned[by]
        if by == one
        else judge(orders.source, one, counted[one][1], model=learned[by].model, places=learned[by].places)
        for one, by in zip(days, judges, strict=True)
    ]
    return _movement(sides[0], sides[1], cuts=cuts, currency=orders.currency, notes=())


def compare_runs(earlier: Run, later: Run, *, cuts: Literal["earlier", "later", "each"] = "each") -> Movement:
    """Find out who moved between two runs, and why.

    Parameters
    ----------
    earlier, later
        From `regulars.open_run` or `regulars.segment`; they may have other numbers and names of segments.
    cuts
        As for `regulars.compare`; with ``"each"`` the segments are those of the runs.

    Raises
    ------
    OptionError
        The runs are swapped, are the same, have other currencies, or have no customer in common.

    Notes
    -----
    Three queries; one more where the runs are in different engines: the customers of the earlier one are brought over.

    Examples
    --------
    >>> import regulars as rg
    >>> from datetime import date
    >>> orders = rg.make_orders(customers=60, seed=1).orders
    >>> runs = [rg.segment(orders, as_of=day, k=2, backtest=False) for day in (date(2024, 9, 1), date(2024, 12, 1))]
    >>> found = rg.compare_runs(*runs)
    >>> found.before.customers + found.segments.total(direction="new").customers == found.after.customers
    True
    """
    _check(cuts=cuts, k=None)
    _check_runs(earlier, later)
    names = ("customer_id", "first_order", *MEASURES, "segment", "rfm_group")
    engine = later.customers.get_backend()
    sides = [
        Side(
            source=run.source,
            as_of=run.as_of,
            people=brought(run.customers, engine, names),
            model=run.model,
            places=places_of(run.model, run.segments),
        )
        for run in (earlier, later)
    ]
    if cuts != "each":
        by = sides[CUTS.index(cuts)]
        sides = [
            one if one is by else judge(one.source, one.as_of, one.people, model=by.model, places=by.places)
            for one in sides
        ]
    currency = later.currency or earlier.currency
    found = _movement(sides[0], sides[1], cuts=cuts, currency=currency, notes=_notes(earlier, later))
    return replace(found, notes=(*_almost_strangers(found), *found.notes))


def _movement(earlier: Side, later: Side, *, cuts: str, currency: str | None, notes: tuple[str, ...]) -> Movement:
    """Compare two sides in one engine; three queries."""
    people = keep(meet(earlier, later))
    found = {by: _moves(people, earlier, later, by=by, cuts=cuts, currency=currency) for by in GROUPINGS}
    everyone = found["groups"]
    known = everyone.total()
    new = everyone.total(direction="new") + everyone.total(direction="unseen")
    lost = everyone.total(direction="lost")
    if known.customers == new.customers + lost.customers:
        raise _strangers(earlier, later)
    return Movement(
        before=_moment(earlier, known.customers - new.customers, known.revenue_before),
        after=_moment(later, known.customers - lost.customers, known.revenue_after),
        currency=currency,
        cuts=cuts,
        segments=found["segments"],
        groups=everyone,
        notes=(*notes, *_names(earlier, later)),
        customers=people,
    )


def _moves(people: ir.Table, earlier: Side, later: Side, *, by: str, cuts: str, currency: str | None) -> Moves:
    order = common_order(earlier, later, by)
    flows = count_flows(people, by, order)
    moves = Moves(
        by=by,
        words=(),
        before=nodes_of(flows, earlier, by, order=order, later=False),
        after=nodes_of(flows, later, by, order=order, later=True),
        flows=flows,
    )
    return replace(moves, words=say(moves, cuts=cuts, days=(earlier.as_of, later.as_of), currency=currency))


def _moment(side: Side, customers: int, revenue: Decimal) -> Moment:
    return Moment(source=side.source, as_of=side.as_of, customers=customers, revenue=revenue)


def _names(earlier: Side, later: Side) -> tuple[str, ...]:
    """Say which segments only one side has: who is in them cannot have stayed."""
    before, after = set(earlier.places["segments"]), set(later.places["segments"])
    if before == after:
        return ()
    only = [
        f"on {day(side.as_of)} {listed(sorted(names))}"
        for side, names in ((earlier, before - after), (later, after - before))
        if names
    ]
    return (
        f"Segments are told apart by their names, and some are only on one side: {'; '.join(only)}. "
        "Whoever is in one of these counts as moved.",
    )


def _notes(earlier: Run, later: Run) -> tuple[str, ...]:
    """What differs between two runs beside the customers."""
    notes = []
    one, other = earlier.model, later.model
    if (one.returns, one.all_products) != (other.returns, other.all_products):
        notes.append(
            "The two runs were cleaned in different ways (returns, all_products): money may differ for that alone."
        )
    if one.pack != other.pack:
        notes.append(f"The named groups come from different rule packs: {one.pack.name} and {other.pack.name}.")
    if None in (earlier.currency, later.currency) and earlier.currency != later.currency:
        notes.append("Only one of the runs says its currency; the other is taken to have the same.")
    return tuple(notes)


# ---- what cannot be compared


def _check(*, cuts: str, k: int | None) -> None:
    if cuts not in CUTS:
        raise OptionError(f"cuts is {cuts!r}.", hint=f"Choose one of {listed(CUTS)}.")
    if k is not None and not (isinstance(k, int) and 2 <= k <= MOST_K):
        raise OptionError(f"k is {k!r}.", hint=f"Ask for 2 to {MOST_K} segments, or leave k out.")


def _checked_dates(dates: object) -> tuple[date, date]:
    days = tuple(dates) if isinstance(dates, tuple | list) else ()
    if len(days) != 2 or not all(isinstance(one, date) and not isinstance(one, datetime) for one in days):
        raise OptionError(
            f"dates is {dates!r}.", hint="Give two days, such as (date(2011, 6, 10), date(2011, 12, 10))."
        )
    if days[0] > days[1]:
        raise OptionError(
            f"The first date, {days[0]}, is after the second, {days[1]}.",
            hint=f"Give the earlier one first: {days[1]} {days[0]}.",
        )
    return days[0], days[1]


def _check_within(orders: Orders, *days: date) -> None:
    """Refuse dates before which there is nothing, or about which nothing is known; one query."""
    when = orders.table["ordered_at"]
    ends = orders.table.agg(first=when.min(), last=when.max()).to_pyarrow().to_pylist()[0]
    if ends["first"] is None:
        raise NotEnoughDataError(
            f"No line of {orders.source} has a date.", hint="Look at it with 'regulars check SOURCE'."
        )
    first, last = ends["first"].date(), ends["last"].date()
    end = min(last, date.max - timedelta(days=1)) + timedelta(days=1)
    for one in days:
        if not first < one or one - timedelta(days=1) > last:
            raise OptionError(
                f"The date {one} is outside of {orders.source}: its lines run from {first} to {last}.",
                hint=f"Give dates from {first + timedelta(days=1)} to {end}.",
            )


def _check_runs(earlier: Run, later: Run) -> None:
    same = all(getattr(earlier, name) == getattr(later, name) for name in ("fingerprint", "as_of", "model"))
    if same:
        raise OptionError(
            f"Both runs are the same: {earlier.source}, as of {earlier.as_of}, with the same model.",
            hint="Give two different runs, the earlier one first.",
        )
    if earlier.as_of > later.as_of:
        raise OptionError(
            f"The first run is of {earlier.as_of}, the second of {later.as_of}: they are swapped.",
            hint="Give the earlier run first.",
        )
    if earlier.currency and later.currency and unit(earlier.currency) != unit(later.currency):
        raise OptionError(
            f"The money of the first run is {earlier.currency}, that of the second {later.currency}.",
            hint="Compare runs in one currency: 'regulars segment --currency' chooses it.",
        )


def _strangers(earlier: Side, later: Side) -> OptionError:
    """Nobody is in both; two queries for examples."""
    ids = [side.people["customer_id"].min().to_pyarrow().as_py() for side in (earlier, later)]
    return OptionError(
        f"No customer is in both: ids of {earlier.source} look like {ids[0]!r}, those of {later.source} like {ids[1]!r}.",
        hint="Take customer_id from the same column in both (--map customer_id=…).",
    )


def _almost_strangers(found: Movement) -> tuple[str, ...]:
    """Ask whether the runs are of one shop, where hardly anybody who could be in both is in both.

    Everybody of the earlier side could be in the later one; of the later side those who had ordered before the first date,
    or, where its lines begin only then, everybody.
    """
    both = sum(found.groups.total(direction=one).customers for one in ("up", "down", "stayed"))
    unseen = found.groups.total(direction="unseen").customers
    possible = min(found.before.customers, both + unseen if unseen else found.after.customers)
    if both >= HARDLY * possible:
        return ()
    return (
        f"Are these two exports of the same shop? Only {both:,} of {counted(possible, 'customer')} who could be in both "
        f"{'is' if both == 1 else 'are'} in both. If they are not, nothing below means anything.",
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""
