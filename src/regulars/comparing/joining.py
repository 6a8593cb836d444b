"""Customers of both sides, side by side inside the engine, and what is counted of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.comparing.facts import ASIDE, BECAUSE, GROUPINGS, KINDS, LOST, NEW, UNSEEN, Flow, Node, Sums
from regulars.comparing.sides import Side
from regulars.schema import MEASURES, MONEY

__all__ = ["common_order", "count_flows", "meet", "nodes_of"]

_LABELS = {"segments": "segment", "groups": "rfm_group"}
_ENDS = (ASIDE, NEW, UNSEEN, LOST)


def meet(earlier: Side, later: Side) -> ir.Table:
    """Put the customers of two sides in one engine side by side; no query.

    Between them stands the customer of the later side, judged by the model of the earlier one: from the first to the middle
    the customer changed, from the middle to the last the cut points and centres moved.

    Returns
    -------
    ibis.Table
        As `Movement.customers`; lazy.
    """
    was, now = earlier.people, later.people
    between = now
    if later.model != earlier.model:
        between = earlier.model.assign(now.select("customer_id", *MEASURES))
    before = was.select("customer_id", _revenue=was["monetary"], **_labels(was, "before"))
    after = now.select("customer_id", "first_order", _revenue=now["monetary"], **_labels(now, "after"))
    middle = between.select("customer_id", **_labels(between, "between"))
    after = after.inner_join(middle, "customer_id")
    both = before.outer_join(after, "customer_id", rname="{name}_later")
    here, there = both["customer_id"].notnull(), both["customer_id_later"].notnull()
    nothing = ibis.literal(0).cast(MONEY)
    moves: dict[str, ir.Value] = {}
    first = both["first_order"] >= ibis.date(earlier.as_of.isoformat())
    for by in GROUPINGS:
        before_, between_, after_ = (both[f"{by}_{when}"] for when in ("before", "between", "after"))
        moves[f"{by}_from"] = here.ifelse(before_, first.ifelse(NEW, UNSEEN))
        moves[f"{by}_to"] = there.ifelse(after_, LOST)
        changed, cut = before_ != between_, between_ != after_
        moves[f"{by}_because"] = ibis.cases(
            (~here, first.ifelse("new", "unseen")),
            (~there, "lost"),
            (changed & cut, (before_ == after_).ifelse("undone", "both")),
            (changed, "customer"),
            (cut, "cuts"),
            else_="stayed",
        )
    return both.select(
        customer_id=ibis.coalesce(both["customer_id"], both["customer_id_later"]),
        **moves,
        revenue_before=both["_revenue"].fill_null(nothing).cast(MONEY),
        revenue_after=both["_revenue_later"].fill_null(nothing).cast(MONEY),
    )


def common_order(earlier: Side, later: Side, by: str) -> tuple[str, ...]:
    """Names of both sides in one order, best to worst; then what stands for none."""
    places: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    for side in (earlier, later):
        for name, place in side.places[by].items():
            places[name].append(place)
    mean = {name: [-fmean(numbers) for numbers in zip(*both, strict=True)] for name, both in places.items()}
    return (*sorted(places, key=lambda name: (mean[name], name)), *_ENDS)


def count_flows(people: ir.Table, by: str, order: Sequence[str]) -> tuple[Flow, ...]:
    """Count the customers and the money of every move and reason; one query.

    Parameters
    ----------
    people
        From `meet`.
    by
        One of `GROUPINGS`.
    order
        From `common_order`.
    """
    keys = {name: people[f"{by}_{name}"] for name in ("from", "to", "because")}
    sums = {name: people[name].sum() for name in ("revenue_before", "revenue_after")}
    rows: list[dict[str, Any]] = people.group_by(**keys).agg(customers=people.count(), **sums).to_pyarrow().to_pylist()
    place = {name: i for i, name in enumerate(order)}
    reasons = list(BECAUSE)
    found: defaultdict[tuple[str, str], dict[str, Sums]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (place[row["from"]], place[row["to"]], reasons.index(row["because"]))):
        found[row["from"], row["to"]][row["because"]] = Sums(
            customers=row["customers"], revenue_before=row["revenue_before"], revenue_after=row["revenue_after"]
        )
    return tuple(
        Flow(before=before, after=after, direction=_direction(before, after, place), parts=parts)
        for (before, after), parts in found.items()
    )


def nodes_of(flows: Sequence[Flow], side: Side, by: str, *, order: Sequence[str], later: bool) -> tuple[Node, ...]:
    """Places of one side, in order: all of its segments or groups, and of what stands for none only those with customers."""
    people: defaultdict[str, Sums] = defaultdict(Sums)
    for flow in flows:
        name = flow.after if later else flow.before
        people[name] = people[name] + flow.total
    own = [name for name in order if name in side.places[by] or people[name].customers]
    return tuple(
        Node(
            name=name,
            kind=KINDS.get(name, "segment"),
            id=list(side.places[by]).index(name) if name in side.places[by] else None,
            customers=people[name].customers,
            revenue=_revenue(people[name], later=later != (name in (NEW, UNSEEN, LOST))),
        )
        for name in own
    )


def _revenue(sums: Sums, *, later: bool) -> Decimal:
    return sums.revenue_after if later else sums.revenue_before


def _direction(before: str, after: str, place: dict[str, int]) -> str:
    for name in (before, after):
        if name in (NEW, UNSEEN, LOST):
            return KINDS[name]
    if before == after:
        return "stayed"
    return "up" if place[after] < place[before] else "down"


def _labels(people: ir.Table, when: str) -> dict[str, ir.Value]:
    return {f"{by}_{when}": people[column].fill_null(ASIDE) for by, column in _LABELS.items()}
