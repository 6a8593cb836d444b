"""Why a customer is where they are, and what would move them: a few numbers in, plain sentences out.

A customer is in the segment whose centre is nearest in the units of the scale, and in the group that the scores name.
`place` says where that is, `what_moves` which orders, silence or money would change it, `describe_place` why it is so.
Numbers only: no table, no query.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regulars.schema import MEASURES
from regulars.wording import sign

if TYPE_CHECKING:
    from regulars.clustering import Floats
    from regulars.model import SegmentModel
    from regulars.profiling import Profile
    from regulars.scoring import Cut

__all__ = ["Move", "Place", "describe_place", "place", "what_moves"]

Kind = Literal["order", "silence", "spend"]
Number = Decimal | float | int

CLEARLY, ONLY_JUST = 0.5, 0.9  # share of the way from the centre to the border with the runner-up
MOST_TIMES = 10  # more spend is looked for up to ten times what was spent: beyond, it is no advice

_UNITS = 10_000  # money has four digits after the point: counted in whole numbers, every comparison is exact
_TOO_MUCH = 10**14  # as many units of currency does no table hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a customer is.

    Parameters
    ----------
    segment_id, segment
        Number and name of the segment; `None`, as all about segments, where the customer is not assignable.
    distance
        To the centre of the segment, in the scale's units (standard deviations by default).
    runner_up_id, runner_up, runner_up_distance
        The segment with the second nearest centre; `None` where there is one segment only.
    r_score, f_score, m_score
        1 is worst; `None` where the measure is missing.
    group
        The named group of the three scores; `None` where one is missing.
    """

    segment_id: int | None = None
    segment: str | None = None
    distance: float | None = None
    runner_up_id: int | None = None
    runner_up: str | None = None
    runner_up_distance: float | None = None
    r_score: int | None
    f_score: int | None
    m_score: int | None
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change that leads a customer to another segment or group.

    Parameters
    ----------
    kind
        ``order``: further orders; ``silence``: days without an order; ``spend``: more money for the same orders.
    amount
        Orders, days, or whole units of money; with one less, the customer would be elsewhere.
    by
        For silence the last day before the change: an order on this day is in time. For orders the last day on which a
        customer who orders nothing is still in the present segment (where only the group changes: in both): until then
        there is something to keep, an order afterwards leads to the same place. `None` for spend, and where silence
        takes nothing away.
    segment_before, segment_after, group_before, group_after
        Names.
    better
        Whether the new segment is of more value; `None` where only the group changes.
    sentence
        In plain words.
    """

    kind: Kind
    amount: int
    by: date | None
    segment_before: str
    segment_after: str
    group_before: str | None
    group_after: str | None
    better: bool | None
    sentence: str


def place(model: SegmentModel, *, recency_days: int | None, frequency: int | None, monetary: Number | None) -> Place:
    """Find the segment and the group of one customer, as `SegmentModel.assign` does for tables.

    Parameters
    ----------
    model
        The learned numbers.
    recency_days, frequency, monetary
        Days, orders and money, as in `schema.CUSTOMERS`; `None` where unknown.

    Examples
    --------
    >>> import regulars as rg
    >>> from regulars.profiling import Gaps
    >>> model = rg.SegmentModel(
    ...     as_of=date(2024, 3, 1), returns="net", all_products=False, segments=("Loyal", "Rare"),
    ...     scale=rg.fit_scale([[10, 9, 900.0], [40, 1, 100.0]]), centres=((-1.0, 1.0, 1.0), (1.0, -1.0, -1.0)),
    ...     cuts=rg.Cuts(levels=3, recency_days=(60, 20), frequency=(2, 6), monetary=(Decimal(50), Decimal(500))),
    ...     pack=rg.load_pack("klaviyo"), gaps=Gaps(p75=20, p90=40, p95=60, count=99))
    >>> found = place(model, recency_days=10, frequency=9, monetary=900)
    >>> found.segment, round(found.distance, 3), found.runner_up, round(found.runner_up_distance, 3), found.group
    ('Loyal', 0.0, 'Rare', 3.464, 'Champions')
    """
    measures = (recency_days, frequency, None if monetary is None else _units(monetary))
    known = None not in measures
    row = _rows(*(value or 0 for value in measures))
    scores = _scores(model, row)[0].tolist()
    r, f, m = (None if value is None else score for value, score in zip(measures, scores, strict=True))
    scored = Place(r_score=r, f_score=f, m_score=m, group=_groups(model, row)[0] if known else None)
    squares = _squared_distances(model, row)[0]
    if not known or np.isnan(squares).any():
        return scored
    first = int(squares.argmin())
    labelled = replace(scored, segment_id=first, segment=model.segments[first], distance=float(np.sqrt(squares[first])))
    if len(squares) == 1:
        return labelled
    second = int(np.where(np.arange(len(squares)) == first, np.inf, squares).argmin())
    distance = float(np.sqrt(squares[second]))
    return replace(labelled, runner_up_id=second, runner_up=model.segments[second], runner_up_distance=distance)


def what_moves(
    model: SegmentModel,
    *,
    recency_days: int | None,
    frequency: int | None,
    monetary: Number | None,
    avg_order_value: Number | None = None,
    most_orders: int = 12,
    horizon_days: int = 365,
    currency: str | None = None,
    as_of: date | None = None,
) -> tuple[Move, ...]:
    """Find the nearest changes that lead a customer to another segment or group.

    Parameters
    ----------
    model
        The learned numbers.
    recency_days, frequency, monetary
        Days, orders and money of the customer today.
    avg_order_value
        The value of a further order; default: money ÷ orders.
    most_orders, horizon_days
        How many further orders and days of silence are looked at.
    currency
        Code or symbol for the sentences.
    as_of
        The day that recency was counted to; default: the model's.

    Returns
    -------
    tuple
        Orders that lead to a segment of more value, then those that change the group only, fewest first; then what
        silence brings, soonest first; then more money that leads to a segment of more value; then the rest. Empty for a
        customer who is not assignable or has no order.

    Notes
    -----
    Looked for are the fewest orders that change the segment, that change it to one of more value, and that change the
    group only (the customer is seen on the day after the last of them: recency is 1); the fewest days of silence that
    change the segment, that change it to one of less value, and that change the group only; the least whole amount of
    money that changes the segment, up to ten times what was spent.

    Examples
    --------
    >>> import regulars as rg
    >>> from regulars.profiling import Gaps
    >>> model = rg.SegmentModel(
    ...     as_of=date(2024, 3, 1), returns="net", all_products=False, segments=("Loyal", "Rare"),
    ...     scale=rg.fit_scale([[10, 9, 900.0], [40, 1, 100.0]]), centres=((-1.0, 1.0, 1.0), (1.0, -1.0, -1.0)),
    ...     cuts=rg.Cuts(levels=3, recency_days=(60, 20), frequency=(2, 6), monetary=(Decimal(50), Decimal(500))),
    ...     pack=rg.load_pack("klaviyo"), gaps=Gaps(p75=20, p90=40, p95=60, count=99))
    >>> for move in what_moves(model, recency_days=30, frequency=2, monetary=200, currency="GBP"):
    ...     print(move.sentence)
    One more order of about £100 → Loyal.
    No order until 31 March 2024 → group At Risk.
    £662 more on the same 2 orders, about £331 an order → Loyal.
    """
    if recency_days is None or frequency is None or monetary is None:
        return ()
    now = place(model, recency_days=recency_days, frequency=frequency, monetary=monetary)
    if now.segment_id is None or frequency < 1:
        return ()
    customer = _Customer(recency_days, frequency, _units(monetary))
    ways = _Ways(model, _Step(now.segment_id, now.group), customer, currency)
    usual = customer.money // frequency if avg_order_value is None else _units(avg_order_value)
    silences = ways.by_silence(as_of or model.as_of, most=horizon_days)
    moves = [*ways.by_orders(usual, silences, most=most_orders), *silences, *ways.by_spend()]
    return tuple(sorted(moves, key=_wish))


def describe_place(
    model: SegmentModel,
    profile: Profile | None,
    *,
    recency_days: int | None,
    frequency: int | None,
    monetary: Number | None,
    currency: str | None = None,
) -> tuple[str, ...]:
    """Say why a customer is where they are: how near to the border, each measure beside the segment's, and the scores.

    Parameters
    ----------
    model
        The learned numbers.
    profile
        Facts of the customer's segment, for its quartiles; `None` leaves these sentences out.
    recency_days, frequency, monetary
        Days, orders and money of the customer.
    currency
        Code or symbol.

    Examples
    --------
    >>> import regulars as rg
    >>> from regulars.profiling import Gaps
    >>> model = rg.SegmentModel(
    ...     as_of=date(2024, 3, 1), returns="net", all_products=False, segments=("Loyal", "Rare"),
    ...     scale=rg.fit_scale([[10, 9, 900.0], [40, 1, 100.0]]), centres=((-1.0, 1.0, 1.0), (1.0, -1.0, -1.0)),
    ...     cuts=rg.Cuts(levels=3, recency_days=(60, 20), frequency=(2, 6), monetary=(Decimal(50), Decimal(500))),
    ...     pack=rg.load_pack("klaviyo"), gaps=Gaps(p75=20, p90=40, p95=60, count=99))
    >>> for sentence in describe_place(model, None, recency_days=15, frequency=5, monetary=500, currency="GBP"):
    ...     print(sentence)
    Loyal: 54% of the way from its centre to the border with Rare.
    R 3 (up to 20 days), F 2 (2 to 5 orders), M 3 (from £500) → group Champions: bought lately, often and much.
    """
    customer = {"recency_days": recency_days, "frequency": frequency, "monetary": monetary}
    found = place(model, recency_days=recency_days, frequency=frequency, monetary=monetary)
    sentences = [_nearness(model, found)]
    quartiles = {} if profile is None or found.segment is None else profile.quartiles
    for measure, value in customer.items():
        three = quartiles.get(measure)
        if value is not None and three is not None:
            sentences.append(_beside(measure, value, three, currency))
    if found.group is not None:
        sentences.append(_scored(model, found, currency))
    return tuple(sentences)


# --- places of many at once -----------------------------------------------------------------------------------------

Wholes = NDArray[np.int64]


def _units(money: Number) -> int:
    """Money in ten-thousandths."""
    return int((Decimal(str(money)) * _UNITS).to_integral_value())


def _rows(recency_days: Any, frequency: Any, money: Any) -> Wholes:
    """One row per customer from arrays or single numbers; money in ten-thousandths."""
    columns = np.broadcast_arrays(*(np.atleast_1d(values) for values in (recency_days, frequency, money)))
    return np.column_stack(columns).astype(np.int64)


def _squared_distances(model: SegmentModel, rows: Wholes) -> Floats:
    """To every centre in the scale's units, shape (n, k); NaN where a measure is outside the scale's domain."""
    measures = rows / np.array([1, 1, _UNITS])
    inside = [_inside(function, measures[:, i]) for i, function in enumerate(model.scale.functions)]
    with np.errstate(all="ignore"):
        points = np.where(np.column_stack(inside), model.scale.transform(measures), np.nan)
        away = points[:, None, :] - np.array(model.centres)
        return np.asarray(away[:, :, 0] ** 2 + away[:, :, 1] ** 2 + away[:, :, 2] ** 2, dtype=float)


def _inside(function: str, values: Floats) -> NDArray[np.bool_]:
    """Where a function of a scale has a value."""
    if function == "sqrt":
        return np.asarray(values >= 0)
    return np.asarray(values > -1) if function == "log1p" else np.ones(len(values), dtype=bool)


def _scores(model: SegmentModel, rows: Wholes) -> Wholes:
    """R, F and M of every row, shape (n, 3): one more for every cut point that is reached."""
    scores = np.ones_like(rows)
    for i, measure in enumerate(MEASURES):
        for cut in getattr(model.cuts, measure):
            if cut is not None:
                limit = _units(cut) if measure == "monetary" else cut
                scores[:, i] += rows[:, i] <= limit if measure == "recency_days" else rows[:, i] >= limit
    return scores


def _groups(model: SegmentModel, rows: Wholes) -> list[str | None]:
    """The named group of every row."""
    names = {cell: group.name for group in model.pack.groups for cell in group.cells}
    return [names.get(f"{r}{f}{m}") for r, f, m in _scores(model, rows).tolist()]


# --- moves ----------------------------------------------------------------------------------------------------------


class _Customer(NamedTuple):
    """Days, orders, and money in ten-thousandths."""

    recency_days: int
    frequency: int
    money: int


class _Step(NamedTuple):
    """Where a customer is after a step of a way."""

    segment_id: int
    group: str | None


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways of one customer out of their present place; step 0 of each is now."""

    model: SegmentModel
    now: _Step
    customer: _Customer
    currency: str | None

    def by_silence(self, as_of: date, *, most: int) -> list[Move]:
        """Days without an order, fewest first."""
        days = np.arange(1, most + 1)
        way = self._way(_rows(self.customer.recency_days + days, self.customer.frequency, self.customer.money))
        moves = []
        for step in _turns(way, to_better=False):
            last = as_of + timedelta(days=step - 1)
            moves.append(self._move("silence", step, way[step], by=last, doing=f"No order until {_day(last)}"))
        return moves

    def by_orders(self, usual: int, silences: Sequence[Move], *, most: int) -> list[Move]:
        """Further orders of the usual value, fewest first; the customer is seen on the day after the last of them."""
        if usual <= 0:
            return []
        orders = np.arange(1, min(most, self._room() // usual) + 1)
        way = self._way(_rows(1, self.customer.frequency + orders, self.customer.money + orders * usual))
        leaving = [silence for silence in silences if silence.better is not None]
        value = _money(usual / _UNITS, self.currency)
        moves = []
        for step in _turns(way, to_better=True):
            by = _deadline(silences if way[step].segment_id == self.now.segment_id else leaving)
            doing = f"{_more_orders(step)} of about {value}{'' if step == 1 else ' each'}"
            moves.append(self._move("order", step, way[step], by=by, doing=doing))
        return moves

    def by_spend(self) -> list[Move]:
        """The least whole amount more, for the same orders, that changes the segment.

        The points that have the same nearest centre form a convex set: a customer who has left it by spending more does
        not come back by spending still more, so the border is found by halving.
        """
        recency_days, orders, money = self.customer
        most = min(money * (MOST_TIMES - 1), self._room()) // _UNITS

        def spending(extra: int) -> _Step:
            return self._way(_rows(recency_days, orders, money + extra * _UNITS))[1]

        extra = bisect_left(range(most + 1), True, key=lambda extra: spending(extra).segment_id != self.now.segment_id)
        if extra > most:
            return []
        same = "order" if orders == 1 else f"{orders:,} orders, about {_money(extra / orders, self.currency)} an order"
        doing = f"{_money(extra, self.currency)} more on the same {same}"
        return [self._move("spend", extra, spending(extra), by=None, doing=doing)]

    def _room(self) -> int:
        """How much more money a table can hold."""
        return _TOO_MUCH * _UNITS - 1 - self.customer.money

    def _way(self, rows: Wholes) -> list[_Step]:
        nearest = _squared_distances(self.model, rows).argmin(axis=1).tolist()
        return [self.now, *map(_Step, nearest, _groups(self.model, rows))]

    def _move(self, kind: Kind, amount: int, step: _Step, *, by: date | None, doing: str) -> Move:
        names, before, after = self.model.segments, self.now.segment_id, step.segment_id
        better = None if after == before else after < before
        where = f"group {step.group}" if better is None else names[after]
        if better is (kind == "silence"):  # not what one would expect
            where += f", a segment of {'more' if better else 'less'} value"
        return Move(
            kind=kind,
            amount=amount,
            by=by,
            segment_before=names[before],
            segment_after=names[after],
            group_before=self.now.group,
            group_after=step.group,
            better=better,
            sentence=f"{doing} → {where}.",
        )


def _turns(way: Sequence[_Step], *, to_better: bool) -> list[int]:
    """First steps into another segment, into one of more (or of less) value, and into another group of the same segment."""
    now = way[0]
    others = [step.segment_id != now.segment_id for step in way]
    aims = [step.segment_id < now.segment_id if to_better else step.segment_id > now.segment_id for step in way]
    groups = [step.segment_id == now.segment_id and step.group != now.group for step in way]
    return sorted({signs.index(True) for signs in (others, aims, groups) if True in signs})


def _deadline(silences: Sequence[Move]) -> date | None:
    """The last day before the first change by silence, unless that is one to more value."""
    return silences[0].by if silences and not silences[0].better else None


def _wish(move: Move) -> tuple[int, int]:
    """Sort key: what orders win, what silence loses, what more money wins, the rest."""
    wishes: tuple[tuple[Kind, bool | None], ...] = (
        ("order", True),
        ("order", None),
        ("silence", None),
        ("silence", False),
        ("spend", True),
        ("silence", True),
        ("order", False),
        ("spend", False),
    )
    return wishes.index((move.kind, move.better)), move.amount


# --- words ----------------------------------------------------------------------------------------------------------

_COUNTS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _more_orders(number: int) -> str:
    count = _COUNTS[number - 1] if number <= len(_COUNTS) else f"{number:,}"
    return f"{count} more order{'' if number == 1 else 's'}"


def _counted(number: Number, noun: str) -> str:
    return f"{_plain(number)} {noun}{'' if number == 1 else 's'}"


def _plain(number: Number) -> str:
    """A count or a median without needless digits."""
    return f"{number:,.1f}".removesuffix(".0")


def _day(value: date) -> str:
    """A day in words, whatever the locale."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _money(value: Number, currency: str | None, *, exact: bool = False) -> str:
    """Money with the symbol of the currency or its code: in whole units from ten on, unless it must be exact."""
    size = value if value >= 0 else -value
    text = f"{size:,.2f}".removesuffix(".00") if exact or size < 9.995 else f"{size:,.0f}"
    return f"{'−' if value < 0 else ''}{sign(currency)}{text}"


def _nearness(model: SegmentModel, found: Place) -> str:
    """How sure the segment is: how far the customer is on the way from its centre to the border with the runner-up."""
    if found.segment_id is None or found.distance is None:
        return "In no segment: a measure is missing, or is one that the segments were not learned for."
    if found.runner_up_id is None or found.runner_up_distance is None:
        return f"{found.segment}: there is no other segment."
    own, other = (np.array(model.centres[i]) for i in (found.segment_id, found.runner_up_id))
    between = float(((own - other) ** 2).sum())
    share = 1 - (found.runner_up_distance**2 - found.distance**2) / between if between else 1.0
    if share <= 0:
        return (
            f"Clearly {found.segment}: on the far side of its centre, away from {found.runner_up}, the second nearest."
        )
    sure = "Clearly " if share < CLEARLY else "Only just " if share >= ONLY_JUST else ""
    return (
        f"{sure}{found.segment}: {int(100 * share)}% of the way from its centre to the border with {found.runner_up}."
    )


def _beside(measure: str, value: Number, quartiles: Sequence[float], currency: str | None) -> str:
    """One measure beside the quartiles of the segment."""
    middle = quartiles[1]
    if measure == "recency_days":
        what, more, less = f"Last order {_counted(float(value), 'day')} ago", "longer ago", "more recent"
        median = _counted(middle, "day")
    elif measure == "frequency":
        what, more, less, median = _counted(float(value), "order"), "more", "fewer", _plain(middle)
    else:
        what, more, less = f"{_money(value, currency)} spent", "more", "less"
        median = _money(middle, currency)
    return f"{what}: {_compared(float(value), quartiles, more=more, less=less)} (median {median})."


def _compared(value: float, quartiles: Sequence[float], *, more: str, less: str) -> str:
    low, middle, high = quartiles
    if value == middle:
        return "right in the middle of this segment"
    if low <= value <= high:
        return f"{more if value > middle else less} than half of this segment"
    return f"{more if value > high else less} than three of four in this segment"


def _scored(model: SegmentModel, found: Place, currency: str | None) -> str:
    """The scores with the ranges that they stand for, and the group that they name."""
    scores = {"recency_days": found.r_score, "frequency": found.f_score, "monetary": found.m_score}
    parts = []
    for letter, (measure, score) in zip("RFM", scores.items(), strict=True):
        (low, high), *_ = [ends for number, *ends in model.cuts.ranges(measure) if number == score]
        if measure == "monetary":
            reach = _between_amounts(low, high, currency)
        else:
            reach = _between_counts(low, high, "day" if measure == "recency_days" else "order")
        parts.append(f"{letter} {score} ({reach})")
    why = next(group.why for group in model.pack.groups if group.name == found.group)
    return f"{', '.join(parts)} → group {found.group}{f': {why}' if why else ''}."


def _between_counts(low: Cut, high: Cut, noun: str) -> str:
    """Words for a range of whole numbers, both ends included."""
    if high is None:
        return "any" if low is None else f"from {_counted(low, noun)}"
    lowest = 1 if low is None else low
    start = "" if lowest == high else "up to " if low is None else f"{_plain(low)} to "
    return start + _counted(high, noun)


def _between_amounts(low: Cut, high: Cut, currency: str | None) -> str:
    """Words for a range of money up to, not including, its end."""
    if high is None:
        return "any" if low is None else f"from {_money(low, currency, exact=True)}"
    start = "" if low is None else f"{_money(low, currency, exact=True)} to "
    return f"{start}below {_money(high, currency, exact=True)}"
