"""What would move a customer: further orders, silence, or more money."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from regulars.explaining.places import UNITS, Number, Wholes, groups_of, place, rows_of, squared_distances, units
from regulars.explaining.words import full_money, long_day, more_orders

if TYPE_CHECKING:
    from regulars.model import SegmentModel

__all__ = ["Move", "what_moves"]

Kind = Literal["order", "silence", "spend"]

MOST_TIMES = 10  # more spend is looked for up to ten times what was spent: beyond, it is no advice

_TOO_MUCH = 10**14  # as many units of currency does no table hold


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
    >>> from datetime import date
    >>> from decimal import Decimal
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
    customer = _Customer(recency_days, frequency, units(monetary))
    ways = _Ways(model, _Step(now.segment_id, now.group), customer, currency)
    usual = customer.money // frequency if avg_order_value is None else units(avg_order_value)
    silences = ways.by_silence(as_of or model.as_of, most=horizon_days)
    moves = [*ways.by_orders(usual, silences, most=most_orders), *silences, *ways.by_spend()]
    return tuple(sorted(moves, key=_wish))


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
        way = self._way(rows_of(self.customer.recency_days + days, self.customer.frequency, self.customer.money))
        moves = []
        for step in _turns(way, to_better=False):
            last = as_of + timedelta(days=step - 1)
            moves.append(self._move("silence", step, way[step], by=last, doing=f"No order until {long_day(last)}"))
        return moves

    def by_orders(self, usual: int, silences: Sequence[Move], *, most: int) -> list[Move]:
        """Further orders of the usual value, fewest first; the customer is seen on the day after the last of them."""
        if usual <= 0:
            return []
        orders = np.arange(1, min(most, self._room() // usual) + 1)
        way = self._way(rows_of(1, self.customer.frequency + orders, self.customer.money + orders * usual))
        leaving = [silence for silence in silences if silence.better is not None]
        value = full_money(usual / UNITS, self.currency)
        moves = []
        for step in _turns(way, to_better=True):
            by = _deadline(silences if way[step].segment_id == self.now.segment_id else leaving)
            doing = f"{more_orders(step)} of about {value}{'' if step == 1 else ' each'}"
            moves.append(self._move("order", step, way[step], by=by, doing=doing))
        return moves

    def by_spend(self) -> list[Move]:
        """The least whole amount more, for the same orders, that changes the segment.

        The points that have the same nearest centre form a convex set: a customer who has left it by spending more does
        not come back by spending still more, so the border is found by halving.
        """
        recency_days, orders, money = self.customer
        most = min(money * (MOST_TIMES - 1), self._room()) // UNITS

        def spending(extra: int) -> _Step:
            return self._way(rows_of(recency_days, orders, money + extra * UNITS))[1]

        extra = bisect_left(range(most + 1), True, key=lambda extra: spending(extra).segment_id != self.now.segment_id)
        if extra > most:
            return []
        same = (
            "order" if orders == 1 else f"{orders:,} orders, about {full_money(extra / orders, self.currency)} an order"
        )
        doing = f"{full_money(extra, self.currency)} more on the same {same}"
        return [self._move("spend", extra, spending(extra), by=None, doing=doing)]

    def _room(self) -> int:
        """How much more money a table can hold."""
        return _TOO_MUCH * UNITS - 1 - self.customer.money

    def _way(self, rows: Wholes) -> list[_Step]:
        nearest = squared_distances(self.model, rows).argmin(axis=1).tolist()
        return [self.now, *map(_Step, nearest, groups_of(self.model, rows))]

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
