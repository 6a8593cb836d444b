"""What came of a campaign: later orders of those who got it against those who were held out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from regulars.audiences.recording import Record
from regulars.cleaning import clean
from regulars.errors import NotEnoughDataError, OptionError
from regulars.reading import Orders, read
from regulars.schema import Columns
from regulars.uplift import Uplift, measure_uplift
from regulars.wording import counted, day, money, percent

__all__ = ["Measured", "measure_campaign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a campaign.

    Parameters
    ----------
    audience, tool, source, currency
        Which audience, for which tool; where the later orders came from.
    start, last_day
        First and last day of the orders that count.
    treated_revenue, control_revenue
        Money of these orders, of all customers of each group.
    uplift
        Buyers and money per group, what the campaign changed, and how sure that is.
    notes
        What to know about these numbers.
    """

    audience: str
    tool: str
    source: str
    currency: str | None
    start: date
    last_day: date
    treated_revenue: Decimal
    control_revenue: Decimal
    uplift: Uplift
    notes: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Say in two sentences whether the campaign had an effect, and what it brought."""
        return _effect_in_words(self.uplift), _money_in_words(self.uplift, self.currency)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = ("audience", "tool", "source", "currency", "start", "last_day", "treated_revenue", "control_revenue")
        return {name: getattr(self, name) for name in plain} | {
            "uplift": self.uplift.to_dict(),
            "words": list(self.words),
            "notes": list(self.notes),
        }


def measure_campaign(
    record: Record,
    source: Any,
    *,
    start: date | None = None,
    days: int | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    **reading: Any,
) -> Measured:
    """Compare what those who got a campaign bought after it with what those who were held out bought.

    Everybody counts in the group that they were drawn into, whether a message reached them or not: who is left out
    afterwards is not left out by chance.

    Parameters
    ----------
    record
        From `load_record`.
    source
        Later orders: anything that `regulars.read` takes, or what it returned. They are cleaned as those of the run were;
        earlier orders may be among them.
    start
        First day that counts; default: the day of the export.
    days
        How many days count; default: all up to the last order of the source.
    columns, **reading
        As for `regulars.read`.
    seed
        Seed of the bootstrap.

    Raises
    ------
    OptionError
        `days` is less than 1, or `start` is before the day of the run.
    NotEnoughDataError
        There is no order in these days, or nobody of the audience is among the customers of the source.
    """
    if days is not None and days < 1:
        raise OptionError(f"The number of days is {days}.", hint="Give a number such as 30.")
    if start is not None and start < record.as_of:
        raise OptionError(
            f"The first day is {start}, but the run knows all orders before {record.as_of}: the list was made from them.",
            hint=f"Give {record.as_of} or a later day with --from (start=…), best the day on which the campaign began.",
        )
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    cleaned = clean(orders, returns=record.returns, all_products=record.all_products)  # type: ignore[arg-type]
    first, last = start or record.exported_on, cleaned.audit.last_day
    until = last if days is None else first + timedelta(days=days - 1)
    if last < first:
        raise NotEnoughDataError(
            f"There is no order on or after {first} in {orders.source}: the last one is of {last}.",
            hint="Give the orders that came after the campaign, or its first day with --from.",
        )
    people = _people(record)
    bought = _bought(cleaned.orders, people, first=first, until=until, source=orders.source)
    revenue = [Decimal(0) if value is None else value for value in bought["amount"].to_pylist()]
    treated = np.asarray(bought["treated"].to_pylist(), dtype=bool)
    return Measured(
        audience=record.audience,
        tool=record.tool,
        source=orders.source,
        currency=orders.currency or record.currency,
        start=first,
        last_day=min(last, until),
        treated_revenue=sum((value for value, side in zip(revenue, treated, strict=True) if side), Decimal(0)),
        control_revenue=sum((value for value, side in zip(revenue, treated, strict=True) if not side), Decimal(0)),
        uplift=measure_uplift(
            treated,
            np.asarray([value > 0 for value in revenue], dtype=bool),
            np.asarray(revenue, dtype=float),
            np.asarray(bought["stratum"].to_pylist(), dtype=int),
            seed=seed,
        ),
        notes=_notes(record, orders, first=first, until=until, last=last),
    )


def _people(record: Record) -> pa.Table:
    """`customer_id`, `treated`, `stratum` of everyone who was drawn, sorted by id."""
    rows = [
        (customer, side, int(stratum))
        for side, groups in ((True, record.treated), (False, record.control))
        for stratum, ids in groups.items()
        for customer in ids
    ]
    rows.sort()
    names = ("customer_id", "treated", "stratum")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _bought(orders: ir.Table, people: pa.Table, *, first: date, until: date, source: str) -> pa.Table:
    """Add `amount`, what everyone bought for from one day to another, null for nothing; two queries."""
    drawn = ibis.memtable(people)
    own = orders.semi_join(drawn, "customer_id")
    if not own.limit(1).count().to_pyarrow().as_py():
        raise NotEnoughDataError(
            f"Nobody of the {counted(len(people), 'customer')} of the audience is among the customers of {source}.",
            hint="Give orders with the same customer ids as those of the run, and among them the run's own customers.",
        )
    when = own["first_at"].date()
    own = own.filter(when >= ibis.date(first.isoformat()), when <= ibis.date(until.isoformat()))
    spent = own.group_by("customer_id").agg(amount=own["amount"].sum()).to_pyarrow()
    amounts = dict(zip(spent["customer_id"].to_pylist(), spent["amount"].to_pylist(), strict=True))
    return people.append_column("amount", pa.array([amounts.get(one) for one in people["customer_id"].to_pylist()]))


def _notes(record: Record, orders: Orders, *, first: date, until: date, last: date) -> tuple[str, ...]:
    notes = []
    if until > last:
        notes.append(f"The orders end on {day(last)}: the days asked for are not over.")
    if first < record.exported_on:
        notes.append(f"Counted from {day(first)}, before the export of {day(record.exported_on)}.")
    if record.currency and orders.currency and record.currency != orders.currency:
        notes.append(f"The run was in {record.currency}, these orders are in {orders.currency}.")
    return tuple(notes)


def _effect_in_words(found: Uplift) -> str:
    given, held = percent(found.treated.share), percent(found.control.share)
    shares = f"{given} of those who got it bought, {held} of the control group"
    between = f"between {_points(found.low)} and {_points(found.high)} points"
    if found.low > 0:
        return f"The campaign made customers buy: {shares}; the difference is {between} (95%)."
    if found.high < 0:
        return f"The campaign kept customers from buying: {shares}; the difference is {between} (95%)."
    seen = (
        ""
        if found.smallest is None
        else f" Groups of this size show a rise of {100 * found.smallest:.1f} points or more."
    )
    return f"No effect can be told: {shares}; the difference may be anything {between} (95%).{seen}"


def _money_in_words(found: Uplift, currency: str | None) -> str:
    if found.revenue_low is None or found.revenue_high is None:
        return "What it brought in money cannot be told: too few customers bought."
    low, high = (money(end, currency) for end in (found.revenue_low, found.revenue_high))
    if found.revenue_low > 0:
        return f"It brought about {money(found.extra_revenue, currency)} more (95%: {low} to {high})."
    if found.revenue_high < 0:
        return f"It cost about {money(-found.extra_revenue, currency)} of revenue (95%: {low} to {high})."
    return f"More or less revenue cannot be told: it may be anything between {low} and {high} (95%)."


def _points(share: float) -> str:
    return f"{'−' if share < 0 else '+'}{abs(100 * share):.1f}"
