"""One side of a comparison: its customers, the model that judges them, and how good each segment and group is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.binning import learn_clusters
from regulars.cleaning import Cleaned, Returns, Rule, clean
from regulars.clustering import AutoKMeans
from regulars.errors import NotEnoughDataError
from regulars.features import build_rfm, find_gaps, purchase_gaps
from regulars.keeping import keep
from regulars.model import SegmentModel
from regulars.profiling import Action, Segment, measure_gaps, with_value_percentile
from regulars.profiling.numbering import number_segments
from regulars.reading import Orders
from regulars.schema import MEASURES
from regulars.scoring import RulePack, learn_cuts

__all__ = ["Asked", "Side", "brought", "count_side", "judge", "learn_side", "places_of"]

#: Grouping → name → how good, as numbers that are compared one after the other; more is better.
Places = dict[str, dict[str, tuple[float, ...]]]

TIERS = ("low", "moderate", "high")
ACTIVITIES = ("lapsed", "cooling", "new", "active")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How lines are cleaned and segments are learned; see `regulars.segment`."""

    returns: Returns
    all_products: bool
    rules: tuple[Rule, ...]
    scale: str
    k: int | None
    pack: RulePack
    actions: Mapping[tuple[str, str], Action]
    seed: int
    n_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Customers at a date, judged by a model.

    Parameters
    ----------
    source, as_of
        Where they came from, and the date.
    people
        Columns `customer_id`, `first_order`, those of `schema.MEASURES`, `segment`, `rfm_group`.
    model
        What they are judged by.
    places
        From `places_of`.
    """

    source: str
    as_of: date
    people: ir.Table
    model: SegmentModel
    places: Places


def count_side(orders: Orders, day: date, asked: Asked) -> tuple[Cleaned, ir.Table]:
    """Clean the lines before a date on their own, as of that date, and count them per customer.

    The table stays inside the engine.
    """
    before = orders.table.filter(orders.table["ordered_at"] < ibis.timestamp(f"{day.isoformat()}T00:00:00"))
    cleaned = clean(
        replace(orders, table=before), returns=asked.returns, all_products=asked.all_products, rules=asked.rules
    )
    people = with_value_percentile(build_rfm(cleaned, as_of=day))
    return cleaned, keep(people)


def learn_side(source: str, cleaned: Cleaned, people: ir.Table, *, day: date, asked: Asked) -> Side:
    """Learn cut points and segments as a run at that date would, without its back-test; about eight queries.

    Raises
    ------
    NotEnoughDataError
        There are too few customers before the date.
    """
    gaps = measure_gaps(purchase_gaps(find_gaps(cleaned)))
    own: dict[str, Any] = {} if asked.k is None else {"k_min": asked.k, "k_max": asked.k, "n_bootstraps": 1}
    estimator = AutoKMeans(n_clusters=asked.k or "auto", random_state=asked.seed, n_jobs=asked.n_jobs, **own)
    try:
        count = int(people.count().to_pyarrow().as_py())
        scale, estimator = learn_clusters(people, count, asked.scale, estimator=estimator)
    except NotEnoughDataError as error:
        raise NotEnoughDataError(f"Before {day}: {error.message}", hint="Choose a later date.") from error
    centres = [(float(a), float(b), float(c)) for a, b, c in estimator.cluster_centers_]
    model = SegmentModel(
        as_of=day,
        returns=asked.returns,
        all_products=asked.all_products,
        scale=scale,
        centres=tuple(centres),
        segments=tuple(map(str, range(len(centres)))),
        cuts=learn_cuts(people, levels=asked.pack.levels, recency_days=asked.pack.recency_days),
        pack=asked.pack,
        gaps=gaps,
    )
    named, before = number_segments(model.assign(people), gaps, actions=asked.actions)
    model = replace(model, centres=tuple(centres[old] for old in before), segments=tuple(one.name for one in named))
    return judge(source, day, people, model=model, places=places_of(model, named))


def judge(source: str, day: date, people: ir.Table, *, model: SegmentModel, places: Places) -> Side:
    """Label customers by a model; no query."""
    labelled = model.assign(people.select("customer_id", "first_order", *MEASURES))
    return Side(source=source, as_of=day, people=labelled, model=model, places=places)


def places_of(model: SegmentModel, segments: Sequence[Segment]) -> Places:
    """How good each segment is, by value tier, activity and value, and each group, by its place in the rule pack."""
    return {
        "segments": {
            one.name: (TIERS.index(one.tier), ACTIVITIES.index(one.activity), one.profile.value_percentile)
            for one in segments
        },
        "groups": {group.name: (1 - i / len(model.pack.groups),) for i, group in enumerate(model.pack.groups)},
    }


def brought(people: ir.Table, engine: Any, names: Sequence[str]) -> ir.Table:
    """Columns of a table in another engine, by way of a Parquet file; itself where it is there already."""
    people = people.select(*names)
    if people.get_backend() is engine:
        return people
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.parquet"
        people.to_parquet(path)
        return keep(engine.read_parquet(path))
