"""What happens in the sample shop: orders and their lines, what comes back, and the rest of an export."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from regulars.datasets.setting import (
    KINDS,
    MINUTES,
    SERVICES,
    Calendar,
    Catalogue,
    Floats,
    Ints,
    Random,
    Setting,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regulars.datasets.steady import Visits

__all__ = ["NOBODY", "Batch", "Sort", "together", "trade"]

#: Stands for a customer where there is none.
NOBODY = -1

STEADY_LINES, STEADY_PIECES = 8.0, 3.2  # of an order of a steady shop, as occasional customers have them
SIZES = np.array([1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 36, 48, 72, 96, 144])
BULK = 12

#: Guest orders and written-off stock, for each order with a customer.
GUESTS, WRITE_OFFS = 0.15, 0.01
#: Shares of orders that are cancelled whole, and of the other lines that come back.
CANCELLED, SENT_BACK = 0.012, 0.02
#: Share of customers who return what they bought before the file starts.
#: Shares of orders with a free piece, with a bad debt.
FROM_BEFORE, FREE, BAD_DEBT = 0.02, 0.004, 0.001
#: Shares of orders with each service.
ABROAD_POSTED, MANUAL, CARRIED, CHARGED, ONLINE, DISCOUNTED = 0.7, 0.006, 0.002, 0.002, 0.25, 0.1


class Sort(IntEnum):
    """What a line is."""

    PURCHASE = 0
    RETURN = 1
    UNMATCHED = 2
    FREE = 3
    BAD_DEBT = 4
    SERVICE = 5
    WRITE_OFF = 6


class Events(NamedTuple):
    """Orders and cancellations: who (place in `People`, or `NOBODY`), when, and which of the two it is."""

    person: Ints
    minute: Ints
    cancelled: NDArray[np.bool_]


class Lines(NamedTuple):
    """Lines: of which event, which item of the catalogue, how many, at which price each, and what it is."""

    event: Ints
    item: Ints
    quantity: Ints
    pence: Ints
    sort: Ints


class Batch(NamedTuple):
    """Events and their lines."""

    events: Events
    lines: Lines

    def plus(self, *more: Lines) -> Batch:
        """The same events with more lines."""
        return Batch(self.events, Lines(*map(np.concatenate, zip(self.lines, *more, strict=True))))


def together(*batches: Batch) -> Batch:
    """One batch; events are numbered through."""
    offsets = np.cumsum([0, *(len(batch.events.person) for batch in batches[:-1])])
    moved = [
        batch.lines._replace(event=batch.lines.event + offset) for batch, offset in zip(batches, offsets, strict=True)
    ]
    events = Events(*map(np.concatenate, zip(*(batch.events for batch in batches), strict=True)))
    return Batch(events, Lines(*map(np.concatenate, zip(*moved, strict=True))))


def trade(rng: Random, setting: Setting, *, visits: Visits | None = None) -> Batch:
    """Everything that happens in the file; `visits` are the orders of a steady shop."""
    orders = _orders(rng, setting) if visits is None else _steady_orders(rng, setting, visits)
    count = len(orders.events.person)
    guests = _guests(rng, setting, count=round(GUESTS * count))
    returns = _returns(rng, setting.calendar, orders=orders)
    unmatched = _unmatched(rng, setting, bought=orders)
    write_offs = _write_offs(rng, setting, count=max(1, round(WRITE_OFFS * count)))
    orders = _with_extras(rng, setting, orders=orders)
    online = _some(rng, np.arange(len(guests.events.person)), share=ONLINE)
    guests = guests.plus(_service(rng, setting.catalogue, code="DOT", event=online))
    cheaper = _some(rng, np.arange(len(returns.events.person)), share=DISCOUNTED)
    discounts = _service(rng, setting.catalogue, code="D", event=cheaper)
    returns = returns.plus(discounts._replace(quantity=-discounts.quantity))
    return together(orders, guests, returns, unmatched, write_offs)


def _orders(rng: Random, setting: Setting) -> Batch:
    """Orders of the customers, each kind in its own time, number and size."""
    calendar, catalogue, people = setting

    def of(name: str) -> Floats:
        return np.array([getattr(kind, name) for kind in KINDS], dtype=np.float64)[people.kind]

    begin, end = (calendar.days * np.clip(rng.uniform(*of(bound).T), 0, 1) for bound in ("begin", "end"))
    rate = rng.gamma(of("evenness"), of("more") / of("evenness"))
    orders = of("least").astype(np.int64) + rng.poisson(rate)
    person = np.repeat(np.arange(len(orders)), orders)
    minute = calendar.moments(rng, begin=begin[person], end=end[person])
    pieces = of("pieces") * people.appetite
    lines = _basket(rng, catalogue, lines=of("lines")[person], pieces=pieces[person])
    return Batch(Events(person, minute, np.zeros(len(person), dtype=np.bool_)), lines)


def _steady_orders(rng: Random, setting: Setting, visits: Visits) -> Batch:
    """Orders that are given; all of them of the same typical size."""
    count = len(visits.person)
    pieces = STEADY_PIECES * setting.people.appetite[visits.person]
    lines = _basket(rng, setting.catalogue, lines=np.full(count, STEADY_LINES), pieces=pieces)
    return Batch(Events(visits.person, visits.minute, np.zeros(count, dtype=np.bool_)), lines)


def _with_extras(rng: Random, setting: Setting, *, orders: Batch) -> Batch:
    """The orders with services, bad debts and free pieces, each on a share of them."""
    catalogue, home = setting.catalogue, setting.people.country == 0
    abroad = np.flatnonzero(~home[orders.events.person])
    anywhere = np.arange(len(orders.events.person))
    return orders.plus(
        _service(rng, catalogue, code="POST", event=_some(rng, abroad, share=ABROAD_POSTED)),
        _service(rng, catalogue, code="M", event=_some(rng, anywhere, share=MANUAL)),
        _service(rng, catalogue, code="C2", event=_some(rng, anywhere, share=CARRIED)),
        _service(rng, catalogue, code="BANK CHARGES", event=_some(rng, anywhere, share=CHARGED)),
        _bad_debts(rng, catalogue, event=_some(rng, anywhere, share=BAD_DEBT)),
        _free(rng, catalogue, event=_some(rng, anywhere, share=FREE)),
    )


def _guests(rng: Random, setting: Setting, *, count: int) -> Batch:
    """Orders without a customer number, at any time."""
    minute = _any_time(rng, setting.calendar, count=count)
    lines = _basket(rng, setting.catalogue, lines=np.full(count, 7.0), pieces=np.full(count, 1.5))
    return Batch(Events(np.full(count, NOBODY), minute, np.zeros(count, dtype=np.bool_)), lines)


def _any_time(rng: Random, calendar: Calendar, *, count: int, until: float = 1.0) -> Ints:
    """Minutes of trade from the first day to a share of the file."""
    return calendar.moments(rng, begin=np.zeros(count), end=np.full(count, until * calendar.days))


def _basket(rng: Random, catalogue: Catalogue, *, lines: Floats, pieces: Floats) -> Lines:
    """Products of each order, each once; dear things in small numbers, large numbers at a lower price."""
    drawn = np.repeat(np.arange(len(lines)), 1 + rng.poisson(lines - 1))
    pairs = np.sort(drawn * catalogue.products + catalogue.pick(rng, count=len(drawn)))
    event, item = np.divmod(pairs[np.append(True, np.diff(pairs) > 0)], catalogue.products)
    wanted = pieces[event] * np.exp(rng.normal(0, 0.6, len(event))) * np.sqrt(500 / catalogue.pence[item])
    quantity = SIZES[np.maximum(np.searchsorted(SIZES, wanted, side="right") - 1, 0)]
    pence = np.where(quantity >= BULK, catalogue.bulk_pence[item], catalogue.pence[item])
    return Lines(event, item, quantity, pence, np.full(len(event), Sort.PURCHASE))


def _returns(rng: Random, calendar: Calendar, *, orders: Batch) -> Batch:
    """Some orders cancelled whole within two hours, some lines sent back days later, all or in part."""
    bought, minute = orders.lines, orders.events.minute
    whole = rng.random(len(minute)) < CANCELLED
    day = minute // MINUTES + rng.geometric(1 / 10, len(minute))
    begin = day.astype(np.float64)
    later = calendar.moments(rng, begin=begin, end=begin + np.float64(7))
    back_at = np.where(whole, minute + rng.integers(5, 120, len(minute)), later)
    in_time = (whole | (later >= day * MINUTES))[bought.event]
    chance = rng.random(len(bought.event))
    chosen = in_time & (whole[bought.event] | (chance <= max(SENT_BACK, chance[in_time].min())))
    part = np.where(rng.random(len(chance)) < 0.5, rng.random(len(chance)), 0)
    quantity = np.where(whole[bought.event], bought.quantity, np.ceil((1 - part) * bought.quantity))
    order, event = np.unique(bought.event[chosen], return_inverse=True)
    events = Events(orders.events.person[order], back_at[order], np.ones(len(order), dtype=np.bool_))
    back = -quantity[chosen].astype(np.int64)
    sort = np.full(len(event), Sort.RETURN)
    return Batch(events, Lines(event, bought.item[chosen], back, bought.pence[chosen], sort))


def _unmatched(rng: Random, setting: Setting, *, bought: Batch) -> Batch:
    """Early returns, by older customers, of products that they never bought in the file."""
    calendar, catalogue, people = setting
    older = np.flatnonzero(np.isin(people.kind, [1, 3]))
    person = rng.choice(older, max(1, round(FROM_BEFORE * len(people.kind))), replace=False)
    theirs = np.isin(bought.events.person, person)[bought.lines.event]
    event, product = bought.lines.event[theirs], bought.lines.item[theirs]
    known = bought.events.person[event] * catalogue.products + product
    tries = rng.integers(0, catalogue.products, (len(person), 64))
    strange = ~np.isin(person[:, None] * catalogue.products + tries, known)
    item = tries[np.arange(len(person)), strange.argmax(axis=1)]
    minute = _any_time(rng, calendar, count=len(person), until=0.12)
    quantity = -rng.integers(1, 7, len(person))
    events = Events(person, minute, np.ones(len(person), dtype=np.bool_))
    sort = np.full(len(person), Sort.UNMATCHED)
    return Batch(events, Lines(np.arange(len(person)), item, quantity, catalogue.pence[item], sort))


def _write_offs(rng: Random, setting: Setting, *, count: int) -> Batch:
    """Broken or missing stock: no customer, no price, a negative quantity, and no C on the number."""
    minute = _any_time(rng, setting.calendar, count=count)
    events = Events(np.full(count, NOBODY), minute, np.zeros(count, dtype=np.bool_))
    item, quantity = setting.catalogue.pick(rng, count=count), -rng.integers(1, 100, count)
    sort = np.full(count, Sort.WRITE_OFF)
    return Batch(events, Lines(np.arange(count), item, quantity, np.zeros(count, dtype=np.int64), sort))


def _some(rng: Random, events: Ints, *, share: float) -> Ints:
    """A share of the events, each once, but at least one of any."""
    count = min(len(events), max(1, round(share * len(events))))
    return rng.choice(events, count, replace=False)


def _service(rng: Random, catalogue: Catalogue, *, code: str, event: Ints) -> Lines:
    """One line of a service for each event."""
    _, least, most = SERVICES[code]
    item = np.full(len(event), catalogue.codes.index(code))
    pence = rng.integers(least, most + 1, len(event))
    return Lines(event, item, np.ones(len(event), dtype=np.int64), pence, np.full(len(event), Sort.SERVICE))


def _bad_debts(rng: Random, catalogue: Catalogue, *, event: Ints) -> Lines:
    """One line below zero for each event."""
    lines = _service(rng, catalogue, code="B", event=event)
    return lines._replace(pence=-lines.pence, sort=np.full(len(event), Sort.BAD_DEBT))


def _free(rng: Random, catalogue: Catalogue, *, event: Ints) -> Lines:
    """One piece without a price for each event."""
    nothing, one = np.zeros(len(event), dtype=np.int64), np.ones(len(event), dtype=np.int64)
    return Lines(event, catalogue.pick(rng, count=len(event)), one, nothing, np.full(len(event), Sort.FREE))
