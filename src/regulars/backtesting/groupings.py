"""What the segments knew at a cut, beside simpler ways to group the same customers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import numpy as np

from regulars.backtesting.measures import bootstrap_means, gain_curve, information_bits, lift
from regulars.backtesting.windows import Past
from regulars.binning import each_clustering
from regulars.clustering import Floats, Scale
from regulars.features import find_gaps, purchase_gaps
from regulars.keeping import apart, keep
from regulars.model import nearest_centre, points_of
from regulars.profiling import Segment, measure_gaps, name_segments, profile_segments, with_value_percentile
from regulars.scoring import learn_cuts, load_pack, score

__all__ = ["Followed", "Grouping", "Known", "follow_segments", "group_past", "measure_groupings"]

_FINE = 200  # revenues within half a percent of each other are taken together


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What one way to group the customers knew about who would buy again.

    Parameters
    ----------
    name, title
        For machines and for people.
    groups
        How many groups have a customer.
    bits
        Mutual information between group and "bought again" (Miller–Madow), 0 to 1.
    lift
        How many times more of the best tenth of the customers bought again than of all.
    gain
        Points (share of the customers, share of those who bought again), groups with the higher mean RFM sum first.
    """

    name: str
    title: str
    groups: int
    bits: float
    lift: float
    gain: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a segment of the past did next.

    Parameters
    ----------
    name
        As a run at the cut would have named it.
    customers, bought
        Members at the cut, and those of them who bought again.
    share, share_low, share_high
        Share that bought again, and its 95 % bootstrap interval.
    revenue, revenue_low, revenue_high
        Net revenue per member in the horizon, and its interval.
    """

    name: str
    customers: int
    bought: int
    share: float
    share_low: float
    share_high: float
    revenue: float
    revenue_low: float
    revenue_high: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A past, scored and clustered with what was known then; inside the engine.

    Parameters
    ----------
    past
        What was known and what came after.
    people
        Its customers with scores of `eleven`, and `_k<n>`, their cluster of n.
    clusters
        n → (scale, centres).
    information
        n → bits of its clusters about who bought again.
    """

    past: Past
    people: ir.Table
    clusters: dict[int, tuple[Scale, Floats]]
    information: dict[int, float]


def group_past(past: Past, *, scale: str, ks: Sequence[int], seed: int, n_jobs: int) -> Known:
    """Score and cluster the customers of a past, and measure every k; three queries, some more for many customers.

    Raises
    ------
    NotEnoughDataError
        There are too few customers to cluster, or all are the same.
    """
    people = score(past.people, learn_cuts(past.people), pack=load_pack("eleven"))
    learned, centres = each_clustering(past.people, past.customers, scale, ks=ks, seed=seed, n_jobs=n_jobs)
    people = people.mutate(rfm_sum=people["r_score"] + people["f_score"] + people["m_score"])
    people = keep(_numbered(people, learned, {f"_k{k}": found for k, found in centres.items()}))
    names = [f"_k{k}" for k in centres]
    rows = _contingency(people, names)
    return Known(
        past=past,
        people=people,
        clusters={k: (learned, found) for k, found in centres.items()},
        information={k: round(information_bits(_table(rows, f"_k{k}")), 6) for k in centres},
    )


def measure_groupings(known: Known, k: int, *, seed: int, n_jobs: int) -> tuple[Grouping, ...]:
    """Measure the segments of one k beside recency alone, the RFM sum, the named groups, and K-Means on raw values.

    Two queries, some more for many customers.
    """
    past = known.past
    scale, centres = each_clustering(past.people, past.customers, "standard", ks=[k], seed=seed, n_jobs=n_jobs)
    people = _numbered(known.people, scale, {"_raw": centres[k]})
    ways: dict[str, tuple[str, str, Callable[[dict[str, Any]], float] | None]] = {
        "segments": ("Segments", f"_k{k}", None),
        "rfm_sum": ("RFM sum", "rfm_sum", None),
        "eleven": ("Eleven named groups", "rfm_group", None),
        "recency": ("Recency alone", "r_score", lambda row: float(row["r_score"])),
        "raw": ("K-Means on raw values", "_raw", None),
    }
    rows = _contingency(people, [column for _, column, _ in ways.values()])
    return tuple(
        _grouping(name, title, rows, column=column, promise=promise) for name, (title, column, promise) in ways.items()
    )


def follow_segments(known: Known, k: int, *, seed: int) -> tuple[Followed, ...]:
    """Name the segments of a past as a run at its cut would have, and say what each did next; five queries."""
    people = with_value_percentile(known.people.mutate(segment_id=known.people[f"_k{k}"]))
    gaps = measure_gaps(purchase_gaps(find_gaps(known.past.cleaned)))
    segments = name_segments(profile_segments(people, gaps), gaps)
    best_first = sorted(segments, key=lambda segment: (-segment.profile.value_percentile, segment.id))
    spent = people["revenue_after"].cast("float64")
    cells = people.group_by("segment_id", "bought", _cell=((spent + 1).ln() * _FINE).floor().cast("int64")).agg(
        n=people.count(), total=people["revenue_after"].sum()
    )
    per_segment: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in cells.order_by("segment_id", "bought", "_cell").to_pyarrow().to_pylist():
        per_segment[row["segment_id"]].append(row)
    return tuple(_followed(segment, per_segment[segment.id], seed=seed) for segment in best_first)


def _followed(segment: Segment, cells: Sequence[Mapping[str, Any]], *, seed: int) -> Followed:
    counts = np.array([cell["n"] for cell in cells])
    bought = sum(cell["n"] for cell in cells if cell["bought"])
    customers = int(counts.sum())
    means = np.array([float(cell["total"] / cell["n"]) for cell in cells])
    yes_no = np.array([customers - bought, bought])
    share_low, share_high = bootstrap_means(np.array([0.0, 1.0]), yes_no, seed=seed)
    low, high = bootstrap_means(means, counts, seed=seed)
    return Followed(
        name=segment.name,
        customers=customers,
        bought=bought,
        share=round(bought / customers, 6),
        share_low=round(share_low, 6),
        share_high=round(share_high, 6),
        revenue=round(float(sum((cell["total"] for cell in cells), Decimal(0)) / customers), 2),
        revenue_low=round(low, 2),
        revenue_high=round(high, 2),
    )


def _grouping(
    name: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    column: str,
    promise: Callable[[dict[str, Any]], float] | None,
) -> Grouping:
    people: defaultdict[Any, int] = defaultdict(int)
    bought: defaultdict[Any, int] = defaultdict(int)
    promised: defaultdict[Any, float] = defaultdict(float)
    for row in rows:
        group = row[column]
        people[group] += row["n"]
        bought[group] += row["bought"] * row["n"]
        promised[group] += row["n"] * (row["rfm_sum"] if promise is None else promise(dict(row)))
    order = sorted(people, key=lambda group: (-promised[group] / people[group], str(group)))
    curve = gain_curve([people[group] for group in order], [bought[group] for group in order])
    return Grouping(
        name=name,
        title=title,
        groups=len(people),
        bits=round(information_bits(_table(rows, column)), 6),
        lift=round(lift(curve), 4),
        gain=curve,
    )


def _numbered(people: ir.Table, scale: Scale, centres: Mapping[str, Floats]) -> ir.Table:
    """Add the number of the nearest centre for each of several sets of centres."""
    columns = people.columns
    points = apart(people.mutate(**points_of(people, scale)))
    return points.select(*columns, **{name: nearest_centre(points, found.tolist()) for name, found in centres.items()})


def _contingency(people: ir.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Count the customers by several groupings, the RFM sum and whether they bought again; one query."""
    keys = list(dict.fromkeys([*names, "rfm_sum", "bought"]))
    table = people.group_by(keys).agg(n=people.count())
    rows: list[dict[str, Any]] = table.order_by(keys).to_pyarrow().to_pylist()
    return rows


def _table(rows: Sequence[Mapping[str, Any]], column: str) -> Any:
    """Counts by group and outcome, shape (groups, 2)."""
    counts: defaultdict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        counts[row[column]][row["bought"]] += row["n"]
    return np.array(list(counts.values()))
