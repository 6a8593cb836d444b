"""The corridor: order lines in, every fact about the segments out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import numpy as np

from regulars.binning import bin_customers, learn_scale, polish
from regulars.cleaning import Audit, Cleaned, Returns, Rule, clean
from regulars.clustering import MIN_CUSTOMERS, AutoKMeans, Choice, Floats, Scale, Trial, fit_scale
from regulars.errors import NotEnoughDataError, OptionError
from regulars.features import build_features, find_gaps, purchase_gaps
from regulars.html import segmentation_html
from regulars.model import SegmentModel
from regulars.profiling import (
    Base,
    Cell,
    Gaps,
    Notable,
    Segment,
    Spending,
    at_risk_customers,
    count_cells,
    describe_base,
    describe_spending,
    high_value_customers,
    load_actions,
    measure_concentration,
    measure_gaps,
    name_segments,
    profile_segments,
    with_value_percentile,
)
from regulars.reading import Orders, read
from regulars.schema import CUSTOMERS, LABELS, MEASURES, SCORES, Columns
from regulars.scoring import Cuts, RulePack, learn_cuts, load_pack, score

__all__ = ["READING_OPTIONS", "Assignment", "Options", "Sample", "Segmentation", "assign", "segment"]

#: Called with the stage in words, steps done, and steps in all (0: not known).
Progress = Callable[[str, int, int], None]

SAMPLE = 5_000  # customers that scatter plots and histograms are drawn from
CELLS_FROM = 50_000  # customers; beyond, clusters are learned from weighted cells
ORDERS_UP_TO = 1_000_000  # customers; beyond, no list of orders is kept for their timelines
CELL_STARTS = 10  # starts of K-Means per k on cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run was asked for; recorded with its result.

    Parameters
    ----------
    returns, all_products
        See `regulars.clean`.
    as_of
        Day from which recency is counted; default: the day after the last day of the source.
    scale
        One of `clustering.SCALES`.
    k
        Number of segments; default: chosen by `choose_k`.
    groups
        Rule pack by name or path.
    actions
        Path of a TOML file with actions of your own.
    seed
        Seed of everything random.
    """

    returns: Returns = "net"
    all_products: bool = False
    as_of: date | None = None
    scale: str = "sqrt-log"
    k: int | None = None
    groups: str = "eleven"
    actions: str | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Customers for pictures, chosen by a hash of their id: one entry per customer in each tuple."""

    recency_days: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[float, ...]
    segment_id: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Every fact about one run. Figures, report and app read it; none computes.

    Parameters
    ----------
    source, layout, matches, notes
        Where the lines came from and how they were understood.
    currency
        Code or symbol of the money, or `None`.
    options
        What was asked for.
    audit
        What cleaning did.
    as_of
        Day from which recency is counted.
    customers_total, orders_total, revenue
        After cleaning.
    base
        All customers at a glance.
    cuts, cells, groups
        Score cut points; customers and money of every R-F-M cell; named groups with their customers and revenue, most
        revenue first.
    concentration
        Share of the revenue that the best 1 %, 2 %, … 100 % of the customers bring, by their spend.
    gaps
        The shop's rhythm.
    trials, choice
        All k that were tried, and the one that was taken.
    segments
        Highest value (mean percentile of orders and spend) first.
    silhouettes
        Segment id → silhouettes of its customers (of a sample beyond 20,000), sorted from high to low.
    high_value, at_risk
        Customers who stand out.
    spending
        How the shop sells.
    sample
        Points for pictures.
    model
        The learned numbers.
    customers
        Lazy table, one row per customer: the columns of `schema.CUSTOMERS`, `SCORES` and `LABELS`, and
        `value_percentile`.
    orders
        Lazy table, one row per order of which something is kept: `customer_id`, `order_id`, `ordered_at`, `amount`; `None`
        with more than a million customers.
    set_aside
        Lazy table of the rows that were set aside, each with its `reason`.
    """

    source: str
    fingerprint: str
    layout: str
    matches: tuple[dict[str, str], ...]
    notes: tuple[str, ...]
    currency: str | None
    options: Options
    audit: Audit
    as_of: date
    customers_total: int
    orders_total: int
    revenue: Decimal
    base: Base
    cuts: Cuts
    cells: tuple[Cell, ...]
    groups: tuple[tuple[str, str, int, Decimal], ...]
    concentration: tuple[float, ...]
    gaps: Gaps
    trials: tuple[Trial, ...]
    choice: Choice
    segments: tuple[Segment, ...]
    silhouettes: dict[int, tuple[float, ...]]
    high_value: Notable
    at_risk: Notable
    spending: Spending
    sample: Sample
    model: SegmentModel
    customers: ir.Table = field(repr=False)
    orders: ir.Table | None = field(repr=False)
    set_aside: ir.Table = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """All facts as plain values for JSON; without the tables."""
        plain = (
            "source",
            "fingerprint",
            "layout",
            "matches",
            "notes",
            "currency",
            "as_of",
            "customers_total",
        )
        facts: dict[str, Any] = {
            name: getattr(self, name) for name in (*plain, "orders_total", "revenue", "concentration", "silhouettes")
        }
        parts = ("options", "audit", "cuts", "gaps", "choice", "high_value", "at_risk", "spending", "sample")
        facts |= {name: getattr(self, name).to_dict() for name in parts}
        facts["base"] = asdict(self.base)
        facts["cells"] = [asdict(cell) for cell in self.cells]
        facts["groups"] = [
            {"name": name, "why": why, "customers": people, "revenue": money}
            for name, why, people, money in self.groups
        ]
        facts["trials"] = [trial.to_dict() for trial in self.trials]
        facts["segments"] = [segment.to_dict() for segment in self.segments]
        return facts

    def __str__(self) -> str:
        """Return the audit in a line, k and why, and a line per segment."""
        kept, raw = self.audit.kept, self.audit.raw
        width = max(len(segment.name) for segment in self.segments)
        lines = [
            f"{self.source}: {raw.rows_left:,} order lines, {kept.rows_left:,} kept; {self.customers_total:,} customers, "
            f"{self.orders_total:,} orders, net revenue {self.revenue:,.2f}{f' {self.currency}' if self.currency else ''}",
            f"k = {self.choice.k}: {self.choice.reason}",
        ]
        for each in self.segments:
            facts = each.profile
            lines.append(
                f"{each.name:<{width}}  {facts.customers:>7,} customers {facts.customer_share:>6.1%}  "
                f"revenue {facts.revenue_share:>6.1%}  → {each.action.action}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return a small table for notebooks; no query."""
        return segmentation_html(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Customers of another file, labelled by a saved model."""

    source: str
    audit: Audit
    as_of: date
    segments: tuple[tuple[str, int, Decimal], ...]
    unassigned: int
    customers: ir.Table = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without the table."""
        return {
            "source": self.source,
            "as_of": self.as_of,
            "audit": self.audit.to_dict(),
            "segments": [{"name": name, "customers": n, "revenue": money} for name, n, money in self.segments],
            "unassigned": self.unassigned,
        }


def segment(
    source: Any,
    *,
    columns: Columns | None = None,
    options: Options | None = None,
    rules: Sequence[Rule] = (),
    progress: Progress | None = None,
    **more: Any,
) -> Segmentation:
    """Turn order lines into customer segments: read, clean, count, score, cluster, describe.

    Parameters
    ----------
    source
        Anything that `regulars.read` takes, or what it returned.
    columns
        Your column names, where they are not recognised.
    options
        What to do; any field of `Options` can also be given by its own name (``k=3``, ``returns="drop"``).
    rules
        Cleaning rules of your own.
    progress
        Called with the stage in words, steps done and steps in all.
    **more
        Fields of `Options`, and reading options: `layout`, `sheet`, `dayfirst`, `currency`, `unreadable`, `memory_limit`,
        `threads`, `temp_dir`.

    Returns
    -------
    Segmentation
        All facts in memory; `customers` and `set_aside` stay lazy tables in the engine.

    Raises
    ------
    RegularsError
        The source, an option or the data do not fit; the message says what and what to do.

    Examples
    --------
    >>> import regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=600, seed=1).orders)
    >>> result.choice.k, [segment.name for segment in result.segments]
    (4, ['Loyal high-value', 'Occasional moderate', 'New / low-spend', 'Low-spend lapsed'])
    """
    asked, reading = _sorted_out(options, more)
    pack = load_pack(asked.groups)
    actions = load_actions(asked.actions)
    tell = progress or _silent
    tell("Reading", 0, 0)
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    tell("Cleaning", 0, 0)
    cleaned = clean(orders, returns=asked.returns, all_products=asked.all_products, as_of=asked.as_of, rules=rules)
    as_of = asked.as_of or cleaned.audit.last_day + timedelta(days=1)
    tell("Counting per customer", 0, 0)
    between = find_gaps(cleaned).cache()
    products = None if cleaned.products is None else cleaned.products.cache()  # the heaviest count, on its own
    counted = build_features(replace(cleaned, products=products), as_of=as_of, gaps=between)
    people = with_value_percentile(counted).cache()
    gaps = measure_gaps(purchase_gaps(between))
    for done in (between, products):
        if done is not None:
            done.release()
    cuts = learn_cuts(people, levels=pack.levels, recency_days=pack.recency_days)
    tell("Clustering", 0, 0)
    count = int(people.count().to_pyarrow().as_py())
    estimator = AutoKMeans(n_clusters=asked.k or "auto", random_state=asked.seed, n_jobs=reading.get("threads") or -1)
    scale, estimator = learn_clusters(
        people, count, asked.scale, estimator=estimator, progress=lambda done, total: tell("Clustering", done, total)
    )
    tell("Describing the segments", 0, 0)
    model = SegmentModel(
        as_of=as_of,
        returns=asked.returns,
        all_products=asked.all_products,
        scale=scale,
        centres=tuple((float(a), float(b), float(c)) for a, b, c in estimator.cluster_centers_),
        segments=tuple(str(i) for i in range(estimator.n_clusters_)),
        cuts=cuts,
        pack=pack,
        gaps=gaps,
    )
    return _described(
        orders,
        cleaned,
        asked,
        model=model,
        people=people,
        count=count,
        estimator=estimator,
        actions=actions,
    )


def assign(
    source: Any,
    model: SegmentModel,
    *,
    columns: Columns | None = None,
    as_of: date | None = None,
    **reading: Any,
) -> Assignment:
    """Label the customers of another file with a saved model; the lines are cleaned as they were for the model.

    Parameters
    ----------
    source
        Anything that `regulars.read` takes, or what it returned.
    model
        From `regulars.load_model` or `Segmentation.model`.
    columns
        Your column names, where they are not recognised.
    as_of
        Day from which recency is counted; default: the day after the last day of the source.
    **reading
        Reading options: `layout`, `sheet`, `dayfirst`, `currency`, `unreadable`, `memory_limit`, `threads`, `temp_dir`.
    """
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    cleaned = clean(orders, returns=model.returns, all_products=model.all_products, as_of=as_of)  # type: ignore[arg-type]
    day = as_of or cleaned.audit.last_day + timedelta(days=1)
    people = build_features(cleaned, as_of=day)
    labelled = _ordered(model.assign(people)).cache()
    table = labelled.group_by("segment_id", "segment").agg(n=labelled.count(), revenue=labelled["monetary"].sum())
    rows = table.order_by("segment_id").to_pyarrow().to_pylist()
    return Assignment(
        source=orders.source,
        audit=cleaned.audit,
        as_of=day,
        segments=tuple((row["segment"], row["n"], row["revenue"]) for row in rows if row["segment"] is not None),
        unassigned=sum(row["n"] for row in rows if row["segment"] is None),
        customers=labelled,
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


READING_OPTIONS = (
    "layout", "sheet", "dayfirst", "currency", "unreadable", "memory_limit", "threads", "temp_dir",
)  # fmt: skip


def _sorted_out(options: Options | None, more: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """Split loose options into those of the run and those of reading."""
    reading = {name: more[name] for name in READING_OPTIONS if name in more}
    own = {name: value for name, value in more.items() if name not in reading}
    base = (options or Options()).to_dict()
    if unknown := sorted(set(own) - set(base)):
        raise OptionError(
            f"There is no option {unknown[0]!r}.", hint=f"Options are {', '.join([*base, *READING_OPTIONS])}."
        )
    asked = Options(**(base | own))
    if asked.k is not None and (not isinstance(asked.k, int) or asked.k < 2):
        raise OptionError(f"k is {asked.k!r}.", hint="Ask for 2 segments or more, or leave k out.")
    return asked, reading


def learn_clusters(
    people: ir.Table,
    count: int,
    scaling: str,
    *,
    estimator: AutoKMeans,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Scale, AutoKMeans]:
    """Learn the scale and the clusters: from all customers, or from weighted cells where these are too many.

    Parameters
    ----------
    people
        Customers, with the columns `recency_days`, `frequency` and `monetary`.
    count
        How many they are.
    scaling
        One of `clustering.SCALES`.
    estimator
        Is fitted.
    progress
        As for `AutoKMeans.fit`.

    Raises
    ------
    NotEnoughDataError
        Fewer than ten customers, or all are the same.
    """
    if count < MIN_CUSTOMERS:
        raise NotEnoughDataError(
            f"Only {count} customer{'s are' if count != 1 else ' is'} left after cleaning; "
            f"segments need at least {MIN_CUSTOMERS}.",
            hint="Look at what cleaning set aside with 'regulars check SOURCE', or bring a longer export.",
        )
    if count <= CELLS_FROM:
        points = _points(people)
        _refuse_equal(len(np.unique(points, axis=0)), count)
        scale = fit_scale(points, scaling)
        return scale, estimator.fit(scale.transform(points), progress=progress)
    scale = learn_scale(people, scaling)
    cells = bin_customers(people, scale)
    _refuse_equal(len(cells.weights), count)
    estimator.set_params(n_init=CELL_STARTS)
    estimator.fit(cells.points, sample_weight=cells.weights, within=cells.within, progress=progress)
    estimator.cluster_centers_ = polish(people, scale, estimator.cluster_centers_)
    return scale, estimator


def _points(people: ir.Table) -> Floats:
    """Measures of all customers, shape (n, 3), without ids; one query."""
    table = people.select(**{name: people[name].cast("float64") for name in MEASURES}).to_pyarrow()
    return np.column_stack([table[name].to_numpy() for name in MEASURES])


def _refuse_equal(different: int, count: int) -> None:
    if different == 1:
        raise NotEnoughDataError(
            f"All {count:,} customers have the same recency, orders and spend: there is nothing to tell apart.",
            hint="Check that the customer, date and amount columns are the right ones with 'regulars check SOURCE'.",
        )


def _kept(table: ir.Table, customers: int) -> ir.Table:
    """Keep a table of customers inside the engine, unless these are so many that working it out again takes less."""
    return table.cache() if customers <= CELLS_FROM else table


def _ordered(labelled: ir.Table) -> ir.Table:
    """Columns in the order of the schema, further ones last."""
    known = [name for name in (*CUSTOMERS, *SCORES, *LABELS) if name in labelled.columns]
    return labelled.select(*known, *(name for name in labelled.columns if name not in known))


def _described(
    orders: Orders,
    cleaned: Cleaned,
    options: Options,
    *,
    model: SegmentModel,
    people: ir.Table,
    count: int,
    estimator: AutoKMeans,
    actions: Any,
) -> Segmentation:
    """Number the segments by value, name them, and gather every fact."""
    scored = score(people, model.cuts, pack=model.pack)
    numbered = _kept(model.label(scored).select(*CUSTOMERS, *SCORES, "value_percentile", "segment_id"), count)
    profiles = profile_segments(numbered, model.gaps)
    best_first = sorted(profiles, key=lambda p: (-p.value_percentile, p.id))
    order = [profile.id for profile in best_first]
    segments = name_segments([replace(p, id=i) for i, p in enumerate(best_first)], model.gaps, actions=actions)
    model = replace(
        model,
        centres=tuple(model.centres[old] for old in order),
        segments=tuple(segment.name for segment in segments),
    )
    labelled = _kept(_ordered(model.label(numbered.drop("segment_id"))), count)
    knives = {new: tuple(estimator.silhouettes_[old].round(4).tolist()) for new, old in enumerate(order)}
    spending = describe_spending(cleaned.orders, labelled)
    with_orders = count <= ORDERS_UP_TO
    if not with_orders:
        cleaned.release_orders()
    cells = count_cells(labelled)
    return Segmentation(
        source=orders.source,
        fingerprint=orders.fingerprint,
        layout=orders.layout.title,
        matches=tuple(asdict(match) for match in orders.matches),
        notes=orders.notes,
        currency=orders.currency,
        options=options,
        audit=cleaned.audit,
        as_of=model.as_of,
        customers_total=count,
        orders_total=sum(cell.orders for cell in cells),
        revenue=sum((cell.revenue for cell in cells), Decimal(0)),
        base=describe_base(labelled),
        cuts=model.cuts,
        cells=cells,
        groups=_groups(cells, model.pack),
        concentration=measure_concentration(labelled),
        gaps=model.gaps,
        trials=estimator.trials_,
        choice=estimator.choice_,
        segments=segments,
        silhouettes=knives,
        high_value=high_value_customers(labelled),
        at_risk=at_risk_customers(labelled, model.gaps),
        spending=spending,
        sample=_sample(labelled),
        model=model,
        customers=labelled,
        orders=_listed(cleaned.orders) if with_orders else None,
        set_aside=cleaned.set_aside,
    )


def _groups(cells: Sequence[Cell], pack: RulePack) -> tuple[tuple[str, str, int, Decimal], ...]:
    """Named groups: name, why, customers, revenue; most revenue first."""
    people: Counter[str] = Counter()
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cell in cells:
        people[cell.group] += cell.customers
        money[cell.group] += cell.revenue
    why = {group.name: group.why for group in pack.groups}
    names = sorted(people, key=lambda name: (-money[name], name))
    return tuple((name, why[name], people[name], money[name]) for name in names)


def _listed(orders: ir.Table) -> ir.Table:
    """Orders as they are handed on."""
    return orders.select("customer_id", "order_id", ordered_at=orders["first_at"], amount=orders["amount"])


def _sample(labelled: ir.Table) -> Sample:
    """Customers for pictures, the same ones every time: those whose ids have the smallest MD5; one query."""
    chosen = (
        labelled.mutate(_place=labelled["customer_id"].hexdigest("md5")).order_by("_place", "customer_id").limit(SAMPLE)
    )
    table = chosen.select(
        "recency_days", "frequency", chosen["monetary"].cast("float64").name("monetary"), "segment_id"
    ).to_pyarrow()
    return Sample(**{name: tuple(table[name].to_pylist()) for name in table.column_names})
