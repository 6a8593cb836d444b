"""One customer on one card: the numbers, where they are and why, what would move them, and their orders."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from regulars.errors import CustomerError
from regulars.explaining import Move, describe_place, what_moves
from regulars.pipeline import Segmentation
from regulars.wording import money, percent

__all__ = ["Card", "Orders", "customer_card", "fill_card"]

Orders = tuple[tuple[datetime, str | None, Decimal], ...]

SEARCHED = 100_000  # ids that are looked through for one that is alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything about one customer.

    Parameters
    ----------
    customer_id
        As in the source.
    as_of
        The day from which recency is counted.
    segment, group
        Their names; `segment` is `None` where the customer could not be assigned.
    action, offer, channel
        What to do with the segment.
    numbers
        The customer's row of `customers`, by column.
    why
        Sentences: how near the next segment is, each measure against the segment's, the scores.
    ahead
        Sentences: what the customer will probably do; empty where there is no forecast.
    moves
        What would change the segment or the group, most useful first.
    orders
        (when, order, amount), earliest first; `None` where the run keeps no orders.
    """

    customer_id: str
    as_of: date
    currency: str | None
    segment: str | None
    group: str | None
    action: str
    offer: str
    channel: str
    numbers: dict[str, Any]
    why: tuple[str, ...]
    ahead: tuple[str, ...]
    moves: tuple[Move, ...]
    orders: Orders | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def customer_card(result: Segmentation, customer_id: str) -> Card:
    """Put the card of one customer together; two queries, three where the id is not known.

    Parameters
    ----------
    result
        From `regulars.segment` or `regulars.open_run`.
    customer_id
        As in the source.

    Raises
    ------
    CustomerError
        Nobody has this id; the message names one that is alike, if there is one.

    Examples
    --------
    >>> import regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=300, seed=1).orders)
    >>> card = customer_card(result, result.high_value.top[0].customer_id)
    >>> card.segment in [segment.name for segment in result.segments], len(card.orders) == card.numbers["frequency"]
    (True, True)
    """
    wanted = customer_id.strip()
    people = result.customers
    found = people.filter(people["customer_id"] == wanted).limit(1).to_pyarrow().to_pylist()
    if not found:
        raise _unknown(result, wanted)
    return fill_card(result, found[0], _orders(result, wanted))


def fill_card(result: Segmentation, row: dict[str, Any], orders: Orders | None) -> Card:
    """Put the card of one customer together from what was read; no query.

    Parameters
    ----------
    result
        The run.
    row
        The customer's row of `customers`.
    orders
        (when, order, amount), earliest first; `None` where the run keeps no orders.
    """
    measures = {name: row[name] for name in ("recency_days", "frequency", "monetary")}
    segment = None if row["segment_id"] is None else result.segments[row["segment_id"]]
    return Card(
        customer_id=row["customer_id"],
        as_of=result.as_of,
        currency=result.currency,
        segment=row["segment"],
        group=row["rfm_group"],
        action="" if segment is None else segment.action.action,
        offer="" if segment is None else segment.action.offer,
        channel="" if segment is None else segment.action.channel,
        numbers={name: value for name, value in row.items() if name != "customer_id"},
        why=describe_place(
            result.model, None if segment is None else segment.profile, **measures, currency=result.currency
        ),
        ahead=_ahead(row, result),
        moves=what_moves(result.model, **measures, currency=result.currency, as_of=result.as_of),
        orders=orders,
    )


def _ahead(row: dict[str, Any], result: Segmentation) -> tuple[str, ...]:
    """What the customer will probably do, in words."""
    if result.outlook is None or row.get("p_active") is None:
        return ()
    chance, orders, risk = row["p_active"], row["expected_orders"], row["revenue_at_risk"]
    worth = "" if row["expected_value"] is None else f" for {money(row['expected_value'], result.currency)}"
    return (
        f"{percent(chance)} chance of an order in the next {result.outlook.horizon_days} days; "
        f"{orders:.1f} expected{worth}.",
        f"{money(risk, result.currency)} of the last 365 days' revenue is at risk.",
    )


def _orders(result: Segmentation, customer_id: str) -> Orders | None:
    if result.orders is None:
        return None
    own = result.orders.filter(result.orders["customer_id"] == customer_id).order_by("ordered_at", "order_id")
    rows = own.select("ordered_at", "order_id", "amount").to_pyarrow().to_pylist()
    return tuple((row["ordered_at"], row["order_id"], row["amount"]) for row in rows)


def _unknown(result: Segmentation, wanted: str) -> CustomerError:
    ids = result.customers.select("customer_id").order_by("customer_id").limit(SEARCHED).to_pyarrow()
    close = difflib.get_close_matches(wanted, ids["customer_id"].to_pylist(), n=1)
    alike = f"Did you mean {close[0]}? " if close else ""
    return CustomerError(
        f"No customer of {result.source} is called {wanted!r}.",
        hint=f"{alike}The ids are in customers.parquet; those that cleaning left out are in set_aside.parquet.",
    )
