"""What the segments are: facts, names from facts, reasons, and one action each."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from regulars.errors import OptionError, listed

__all__ = [
    "Action",
    "Gaps",
    "Profile",
    "Segment",
    "load_actions",
    "measure_gaps",
    "name_segments",
    "profile_segments",
    "with_value_percentile",
]

Tier = Literal["high", "moderate", "low"]
Activity = Literal["active", "new", "cooling", "lapsed"]

HIGH, LOW = 0.78, 0.40  # mean percentile of frequency and monetary value
NEW_SHARE = 0.60  # of the members first bought within P90 of the gaps
NO_GAPS = (30, 60, 90)  # days, where nobody came twice

#: Columns whose quartiles describe a segment, with their units.
DESCRIBED: dict[str, str] = {
    "recency_days": "days",
    "frequency": "orders",
    "monetary": "money",
    "avg_order_value": "money",
    "tenure_days": "days",
    "median_gap_days": "days",
    "return_rate": "share",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """The shop's own rhythm: quantiles of the days between a customer's consecutive purchase days.

    `count` is how many gaps there are; with none, 30, 60 and 90 days stand in.
    """

    p75: int
    p90: int
    p95: int
    count: int

    def activity(self, recency_days: float) -> Activity:
        """``active`` up to P75 of the gaps, ``cooling`` up to P95, ``lapsed`` beyond."""
        if recency_days <= self.p75:
            return "active"
        return "cooling" if recency_days <= self.p95 else "lapsed"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure_gaps(gaps: Mapping[int, int]) -> Gaps:
    """Quantiles of counted gaps: the smallest gap that at least 75, 90, 95 % of them do not exceed.

    Examples
    --------
    >>> measure_gaps({1: 75, 10: 15, 20: 5, 40: 5})
    Gaps(p75=1, p90=10, p95=20, count=100)
    """
    total = sum(gaps.values())
    if not total:
        return Gaps(p75=NO_GAPS[0], p90=NO_GAPS[1], p95=NO_GAPS[2], count=0)
    found = []
    for percent in (75, 90, 95):
        seen = 0
        for gap in sorted(gaps):
            seen += gaps[gap]
            if 100 * seen >= percent * total:
                found.append(gap)
                break
    return Gaps(p75=found[0], p90=found[1], p95=found[2], count=total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What to do with a segment: name of the segment, the action, for whom, what to offer, where, and what to measure."""

    name: str
    action: str
    who: str
    offer: str
    channel: str
    measure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Facts about one segment, without a name.

    Parameters
    ----------
    id
        Number of the segment; in a result 0 is the one with the highest value.
    customers, orders, revenue
        Totals; revenue as decimal.
    customer_share, revenue_share
        Of all, 0 to 1.
    value_percentile
        Mean over the members of the mid-percentile of frequency and monetary value, 0 to 1.
    new_share
        Share of members who first bought within P90 of the shop's gaps.
    quartiles
        Column → (lower quartile, median, upper quartile); `None` where nobody has a value.
    groups
        Named groups inside, most customers first: (name, customers).
    """

    id: int
    customers: int
    orders: int
    revenue: Decimal
    customer_share: float
    revenue_share: float
    value_percentile: float
    new_share: float
    quartiles: dict[str, tuple[float, float, float] | None]
    groups: tuple[tuple[str, int], ...]

    def median(self, column: str) -> float | None:
        """Median of a described column."""
        found = self.quartiles[column]
        return None if found is None else found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named segment: its facts, why it has this name, and what to do."""

    id: int
    name: str
    tier: str
    activity: str
    why: tuple[str, ...]
    action: Action
    profile: Profile

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def with_value_percentile(customers: ir.Table) -> ir.Table:
    """Add `value_percentile`: mean of the mid-percentiles of frequency and monetary value, 0 to 1; no query."""
    for measure in ("frequency", "monetary"):
        values = customers.group_by(_value=customers[measure]).agg(_n=customers.count())
        up_to = values["_n"].sum().over(order_by="_value", rows=(None, 0)).cast("float64")
        everyone = values["_n"].sum().over().cast("float64")
        place = ((up_to - values["_n"]) / everyone + up_to / everyone) / 2
        places = values.select("_value", **{f"_{measure}_place": place})
        customers = customers.left_join(places, customers[measure] == places["_value"]).drop("_value")
    both = (customers["_frequency_place"] + customers["_monetary_place"]) / 2
    return customers.mutate(value_percentile=both).drop("_frequency_place", "_monetary_place")


def profile_segments(labelled: ir.Table, gaps: Gaps) -> tuple[Profile, ...]:
    """Count and describe every segment, in the order of their numbers.

    Parameters
    ----------
    labelled
        Customers with `segment_id`, `rfm_group` and `value_percentile`.
    gaps
        The shop's rhythm.

    Notes
    -----
    Two queries, a row per segment and a row per segment and group.
    """
    labelled = labelled.filter(labelled["segment_id"].notnull())
    columns = [name for name in DESCRIBED if name in labelled.columns]
    quartiles = {name: labelled[name].cast("float64").quantile([0.25, 0.5, 0.75]) for name in columns}
    facts = labelled.group_by("segment_id").agg(
        customers=labelled.count(),
        orders=labelled["frequency"].sum(),
        revenue=labelled["monetary"].sum(),
        value_percentile=labelled["value_percentile"].mean(),
        new_share=(labelled["tenure_days"] <= gaps.p90).ifelse(1, 0).cast("float64").mean(),
        **{f"_{name}": value for name, value in quartiles.items()},
    )
    rows = facts.order_by("segment_id").to_pyarrow().to_pylist()
    inside = labelled.group_by("segment_id", "rfm_group").agg(n=labelled.count())
    groups: dict[int, list[tuple[str, int]]] = {}
    for row in inside.order_by("segment_id", ibis.desc("n"), "rfm_group").to_pyarrow().to_pylist():
        groups.setdefault(row["segment_id"], []).append((row["rfm_group"], row["n"]))
    people = sum(row["customers"] for row in rows)
    money = sum((row["revenue"] for row in rows), Decimal(0))
    return tuple(
        Profile(
            id=row["segment_id"],
            customers=row["customers"],
            orders=row["orders"],
            revenue=row["revenue"],
            customer_share=row["customers"] / people,
            revenue_share=float(row["revenue"] / money) if money else 0.0,
            value_percentile=round(row["value_percentile"], 9),  # a mean of floats over threads
            new_share=row["new_share"],
            quartiles={name: _three(row[f"_{name}"]) for name in columns},
            groups=tuple(groups[row["segment_id"]]),
        )
        for row in rows
    )


def _three(quartiles: Sequence[float] | None) -> tuple[float, float, float] | None:
    return None if quartiles is None else (quartiles[0], quartiles[1], quartiles[2])


def load_actions(path: str | Path | None = None) -> dict[tuple[str, str], Action]:
    """Names and actions by (value tier, activity); a file of your own replaces the cells that it names.

    Raises
    ------
    OptionError
        The file cannot be read, or names a cell or a key that does not exist.

    Examples
    --------
    >>> load_actions()["high", "active"].name
    'Loyal high-value'
    """
    shipped = tomllib.loads((files("regulars") / "actions.toml").read_text("utf-8"))
    actions = {(tier, state): Action(**entry) for tier, cells in shipped.items() for state, entry in cells.items()}
    if path is None:
        return actions
    try:
        own = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(
            f"Cannot read the actions file {path}: {error}.",
            hint="It must be a TOML file in UTF-8 (docs/extending.md).",
        ) from error
    keys = set(Action.__dataclass_fields__)
    for tier, cells in own.items():
        for state, entry in cells.items() if isinstance(cells, dict) else [("", {})]:
            if (tier, state) not in actions:
                raise OptionError(
                    f"Actions file {path}: there is no cell [{tier}.{state}].",
                    hint=f"Cells are {listed('.'.join(cell) for cell in actions)}.",
                )
            if (
                not isinstance(entry, dict)
                or set(entry) - keys
                or not all(isinstance(v, str) and v for v in entry.values())
            ):
                raise OptionError(
                    f"Actions file {path}: [{tier}.{state}] has something else than text under {listed(sorted(keys))}.",
                    hint="See docs/extending.md for an example.",
                )
            actions[tier, state] = replace(actions[tier, state], **entry)
    return actions


def name_segments(
    profiles: Sequence[Profile], gaps: Gaps, *, actions: Mapping[tuple[str, str], Action] | None = None
) -> tuple[Segment, ...]:
    """Name the segments from their facts, never from their numbers; names are unique.

    Value tier by the mean percentile of frequency and monetary value (high from .78, low below .40; with three segments or
    fewer, by order). Activity by the shop's own gaps between purchase days: new where at least 60 % of the members first
    bought within P90 of the gaps; else active where the median recency is within P75, cooling within P95, lapsed beyond.
    Where two names collide, each gets what sets it apart.
    """
    cells = load_actions() if actions is None else actions
    tiers = _tiers(profiles)
    states = [_activity(profile, gaps) for profile in profiles]
    chosen = [cells[tier, state] for tier, state in zip(tiers, states, strict=True)]
    names = _told_apart([action.name for action in chosen], profiles)
    return tuple(
        Segment(
            id=profile.id,
            name=name,
            tier=tier,
            activity=state,
            why=_why(profile, gaps, tier=tier, state=state, by_order=len(profiles) <= 3),
            action=action,
            profile=profile,
        )
        for profile, name, tier, state, action in zip(profiles, names, tiers, states, chosen, strict=True)
    )


def _tiers(profiles: Sequence[Profile]) -> list[Tier]:
    by_order: dict[int, tuple[Tier, ...]] = {
        1: ("moderate",),
        2: ("high", "low"),
        3: ("high", "moderate", "low"),
    }
    if len(profiles) in by_order:
        ranked = sorted(profiles, key=lambda profile: (-profile.value_percentile, profile.id))
        found = {profile.id: tier for profile, tier in zip(ranked, by_order[len(profiles)], strict=True)}
        return [found[profile.id] for profile in profiles]
    return [
        "high" if p.value_percentile >= HIGH else "low" if p.value_percentile < LOW else "moderate" for p in profiles
    ]


def _activity(profile: Profile, gaps: Gaps) -> Activity:
    if profile.new_share >= NEW_SHARE:
        return "new"
    return gaps.activity(profile.median("recency_days") or 0.0)


def _why(profile: Profile, gaps: Gaps, *, tier: str, state: str, by_order: bool) -> tuple[str, ...]:
    place = f"on average its customers rank above {profile.value_percentile:.0%} of all by orders and spend"
    limits = {
        "high": f"high from {HIGH:.0%}",
        "low": f"low below {LOW:.0%}",
        "moderate": f"between {LOW:.0%} and {HIGH:.0%}",
    }
    value = f"{tier} value: {place} ({'by order among the segments' if by_order else limits[tier]})"
    recency = f"half of them bought within {profile.median('recency_days'):.0f} days"
    if state == "new":
        return (
            value,
            f"new: {profile.new_share:.0%} of them first bought within {gaps.p90} days (60% is enough)",
        )
    rhythm = {
        "active": f"three of four customers who come back do so within {gaps.p75} days",
        "cooling": f"three of four customers who come back do so within {gaps.p75} days, 95% within {gaps.p95}",
        "lapsed": f"95% of customers who come back do so within {gaps.p95} days",
    }
    return value, f"{state}: {recency}; {rhythm[state]}"


CLEAR_LEAD = 0.2  # as a log ratio: about a fifth more

#: What can set two segments of the same name apart: column, whether more of it is meant, words.
_QUALIFIERS = (
    ("frequency", True, "more frequent"),
    ("avg_order_value", True, "bigger baskets"),
    ("recency_days", False, "recent"),
    ("tenure_days", True, "long-standing"),
    ("frequency", False, "less frequent"),
    ("avg_order_value", False, "smaller baskets"),
    ("recency_days", True, "longer ago"),
    ("tenure_days", False, "newer"),
)


def _told_apart(names: Sequence[str], profiles: Sequence[Profile]) -> list[str]:
    """Add a qualifier to names that collide: the first that clearly holds, or holds, each one once; else a number."""
    out = list(names)
    for name, times in Counter(names).items():
        if times == 1:
            continue
        members = [i for i, other in enumerate(names) if other == name]
        claims = sorted(
            (lead < CLEAR_LEAD, order, -lead, i, words)
            for i in members
            for order, (column, more, words) in enumerate(_QUALIFIERS)
            if (lead := _lead(profiles, members, i, column, more)) > 0
        )
        given: dict[int, str] = {}
        for *_, i, words in claims:
            if i not in given and words not in given.values():
                given[i] = words
        for i in members:
            out[i] = f"{name}, {given.get(i, members.index(i) + 1)}"
    return out


def _lead(profiles: Sequence[Profile], members: Sequence[int], i: int, column: str, more: bool) -> float:
    """How far a segment is ahead of the others of the same name in the median of a column, as a log ratio."""
    logs = {j: math.log1p(max(profiles[j].median(column) or 0.0, 0.0)) for j in members}
    others = [value for j, value in logs.items() if j != i]
    lead = logs[i] - sum(others) / len(others)
    return round(lead if more else -lead, 12)
