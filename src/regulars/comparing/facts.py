"""What a comparison found out: customers and money of every move, with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.errors import OptionError, listed

__all__ = [
    "ASIDE",
    "BECAUSE",
    "DIRECTIONS",
    "GROUPINGS",
    "LOST",
    "NEW",
    "UNSEEN",
    "Flow",
    "Moment",
    "Movement",
    "Moves",
    "Node",
    "Sums",
]

#: Where a customer is who is in no segment of a side.
NEW, UNSEEN, LOST, ASIDE = "(new)", "(not seen before)", "(lost from view)", "(not assignable)"
KINDS = {NEW: "new", UNSEEN: "unseen", LOST: "lost", ASIDE: "aside"}

#: Which way a move goes: better or worse in the fixed order; `unseen` are not new, but missing in the earlier side.
DIRECTIONS = ("up", "down", "stayed", "new", "unseen", "lost")

#: Reason → what it means.
BECAUSE: dict[str, str] = {
    "customer": "the customer changed",
    "cuts": "the cut points moved",
    "both": "the customer changed and the cut points moved",
    "stayed": "same group, same borders",
    "undone": "the customer changed, and the cut points moved along",
    "new": "no order before the first date",
    "unseen": "ordered before the first date, but was not in the earlier side",
    "lost": "not in the later side",
}

GROUPINGS = ("segments", "groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Customers, and their net revenue up to the earlier and up to the later date."""

    customers: int = 0
    revenue_before: Decimal = Decimal(0)
    revenue_after: Decimal = Decimal(0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            customers=self.customers + other.customers,
            revenue_before=self.revenue_before + other.revenue_before,
            revenue_after=self.revenue_after + other.revenue_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Customers who were in one place and are in another, or still in the same.

    Parameters
    ----------
    before, after
        Names of the nodes.
    direction
        One of `DIRECTIONS`.
    parts
        Reason (a key of `BECAUSE`) → customers and money.
    """

    before: str
    after: str
    direction: str
    parts: dict[str, Sums]

    @property
    def total(self) -> Sums:
        """All reasons together."""
        return sum(self.parts.values(), Sums())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | asdict(self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place on one side: a segment or group, or where those are who have none.

    Parameters
    ----------
    name
        Of the segment or group, or what stands for none.
    kind
        ``"segment"``, or why it is none: ``"new"``, ``"unseen"``, ``"lost"``, ``"aside"`` (not assignable).
    id
        Number of the segment in its run, of the group in its rule pack; `None` of what stands for none.
    customers, revenue
        Up to the side's own date; of those who are lost, up to the earlier one, of those who are new, up to the later one.
    """

    name: str
    kind: str
    id: int | None
    customers: int
    revenue: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Who moved between the segments, or between the named groups.

    Parameters
    ----------
    by
        One of `GROUPINGS`.
    words
        What there is to say, in sentences.
    before, after
        Nodes of the earlier and of the later side. Both have one order, best to worst: segments by value tier
        (high, moderate, low), in a tier by activity (active, new, cooling, lapsed), then by their mean percentile of orders
        and spend; groups as their rule pack lists them; then those who have none.
    flows
        In the order of the nodes, only those that have customers.
    """

    by: str
    words: tuple[str, ...]
    before: tuple[Node, ...]
    after: tuple[Node, ...]
    flows: tuple[Flow, ...]

    def total(self, *, direction: str | None = None, because: str | None = None) -> Sums:
        """Customers and money of one direction, of one reason, or of both at once; of all without either."""
        return sum(
            (
                sums
                for flow in self.flows
                for reason, sums in flow.parts.items()
                if direction in (None, flow.direction) and because in (None, reason)
            ),
            Sums(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "by": self.by,
            "words": list(self.words),
            "before": [asdict(node) for node in self.before],
            "after": [asdict(node) for node in self.after],
            "flows": [flow.to_dict() for flow in self.flows],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One side of a comparison: where its lines came from, its date, and all of its customers and their revenue."""

    source: str
    as_of: date
    customers: int
    revenue: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Who moved between two dates or two runs, in people and money, and why.

    Parameters
    ----------
    before, after
        The earlier and the later side.
    currency
        Code or symbol of the money, or `None`.
    cuts
        By which model customers were judged: that of the ``"earlier"`` side, of the ``"later"`` side, or at each
        date by that of the date (``"each"``).
    segments, groups
        Moves between the segments, and between the named groups.
    notes
        What to be careful about.
    customers
        Lazy table, one row per customer of either side: `customer_id`; for both groupings `…_from`, `…_to` and
        `…_because`; `revenue_before`, `revenue_after`.
    """

    before: Moment
    after: Moment
    currency: str | None
    cuts: str
    segments: Moves
    groups: Moves
    notes: tuple[str, ...]
    customers: ir.Table = field(repr=False)

    def by(self, grouping: str) -> Moves:
        """Give the moves of one of `GROUPINGS`.

        Raises
        ------
        OptionError
            There is no such grouping.
        """
        if grouping not in GROUPINGS:
            raise OptionError(f"Nothing moves between {grouping!r}.", hint=f"Choose one of {listed(GROUPINGS)}.")
        return self.segments if grouping == "segments" else self.groups

    def moved(self, grouping: str = "segments") -> ir.Table:
        """Give those who are not where they were, new and lost ones included, highest revenue first; no query.

        Returns
        -------
        ibis.Table
            `customer_id`, `from`, `to`, `because` (a key of `BECAUSE`), `revenue_before`, `revenue_after`; lazy.

        Raises
        ------
        OptionError
            There is no such grouping.
        """
        self.by(grouping)
        people = self.customers
        names = {name: people[f"{grouping}_{name}"] for name in ("from", "to", "because")}
        moved = people.select("customer_id", **names, revenue_before="revenue_before", revenue_after="revenue_after")
        moved = moved.filter(moved["from"] != moved["to"])
        return moved.order_by(ibis.desc("revenue_after"), ibis.desc("revenue_before"), "customer_id")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without the table."""
        return {
            "before": asdict(self.before),
            "after": asdict(self.after),
            "currency": self.currency,
            "cuts": self.cuts,
            "segments": self.segments.to_dict(),
            "groups": self.groups.to_dict(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Return what there is to say about the segments."""
        return "\n".join(self.segments.words)
