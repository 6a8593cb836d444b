"""The corridor: order lines in, every fact about the segments out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from regulars.backtesting import Backtest
from regulars.binning import learn_clusters, many
from regulars.cleaning import Cleaned, Rule, clean
from regulars.cleaning.matching import md5
from regulars.clustering import AutoKMeans
from regulars.errors import OptionError
from regulars.features import build_features, build_histories, find_gaps, purchase_gaps
from regulars.forecasting import Forecaster
from regulars.keeping import keep, release
from regulars.model import SegmentModel
from regulars.pipeline.ahead import Ahead, describe, learn_forecaster, look_ahead
from regulars.pipeline.facts import Assignment, Options, Sample, Segmentation, check_horizon, check_k
from regulars.profiling import (
    Cell,
    Gaps,
    Notable,
    Outlook,
    at_risk_customers,
    at_risk_limit,
    count_cells,
    describe_base,
    describe_spending,
    high_value_customers,
    load_actions,
    measure_concentration,
    measure_gaps,
    with_value_percentile,
)
from regulars.profiling.numbering import number_segments
from regulars.reading import Orders, read
from regulars.schema import CONTACTS, CUSTOMERS, FORECASTS, HISTORIES, LABELS, SCORES, Columns
from regulars.scoring import RulePack, learn_cuts, load_pack, score

__all__ = ["READING_OPTIONS", "assign", "segment"]

#: Called with the stage in words, steps done, and steps in all (0: not known).
Progress = Callable[[str, int, int], None]

SAMPLE = 5_000  # customers that scatter plots and histograms are drawn from
ORDERS_UP_TO = 1_000_000  # customers; beyond, no list of orders is kept for their timelines


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
        Fields of `Options`, and reading options: `layout`, `sheet`, `query`, `dayfirst`, `currency`, `unreadable`,
        `memory_limit`, `threads`, `temp_dir`, `engine`, `master`.

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
    between = keep(find_gaps(cleaned))
    products = None if cleaned.products is None else keep(cleaned.products)  # the heaviest count, on its own
    counted = build_features(replace(cleaned, products=products), as_of=as_of, gaps=between)
    people = keep(with_value_percentile(counted))
    gaps = measure_gaps(purchase_gaps(between))
    release(between, products)
    cuts = learn_cuts(people, levels=pack.levels, recency_days=pack.recency_days)
    n_jobs = reading.get("threads") or -1
    ahead = look_ahead(orders, cleaned, as_of=as_of, options=asked, rules=rules, n_jobs=n_jobs, progress=tell)
    tell("Clustering", 0, 0)
    count = int(people.count().to_pyarrow().as_py())
    estimator = AutoKMeans(n_clusters=asked.k or "auto", random_state=asked.seed, n_jobs=n_jobs)
    scale, estimator = learn_clusters(
        people,
        count,
        asked.scale,
        estimator=estimator,
        information=ahead.information,
        progress=lambda done, total: tell("Clustering", done, total),
    )
    if ahead.rehearsal is not None:
        tell("Forecasting", 0, 0)
    judged = ahead.judge(estimator.n_clusters_)
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
        ahead=ahead,
        judged=judged,
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
        Reading options: `layout`, `sheet`, `query`, `dayfirst`, `currency`, `unreadable`, `memory_limit`, `threads`,
        `temp_dir`, `engine`, `master`.
    """
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    cleaned = clean(orders, returns=model.returns, all_products=model.all_products, as_of=as_of)  # type: ignore[arg-type]
    day = as_of or cleaned.audit.last_day + timedelta(days=1)
    people = build_features(cleaned, as_of=day)
    labelled = keep(_ordered(model.assign(people)))
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
    "layout", "sheet", "query", "dayfirst", "currency", "unreadable", "memory_limit", "threads", "temp_dir",
    "engine", "master",
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
    check_k(asked.k)
    check_horizon(asked.horizon_days)
    return asked, reading


def _kept(table: ir.Table, customers: int) -> ir.Table:
    """Keep a table of customers inside the engine; a DuckDB works it out anew, and faster, where they are many."""
    return table if many(customers) and table.get_backend().name == "duckdb" else keep(table)


def _ordered(labelled: ir.Table) -> ir.Table:
    """Columns in the order of the schema, further ones last."""
    known = [name for name in (*CUSTOMERS, *SCORES, *LABELS) if name in labelled.columns]
    others = [name for name in labelled.columns if name in FORECASTS or name not in {*known, *HISTORIES}]
    return labelled.select(*known, *others)


def _with_forecast(labelled: ir.Table, histories: ir.Table, forecaster: Forecaster) -> ir.Table:
    """Customers with their histories and forecasts."""
    return forecaster.forecast(labelled.left_join(histories, "customer_id").drop("customer_id_right"))


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
    ahead: Ahead,
    judged: tuple[Backtest | None, str],
) -> Segmentation:
    """Number the segments by value, name them, and gather every fact."""
    backtest, note = judged
    scored = score(people, model.cuts, pack=model.pack)
    contacts = [name for name in CONTACTS if name in people.columns]
    numbered = _kept(
        model.label(scored).select(*CUSTOMERS, *contacts, *SCORES, "value_percentile", "segment_id"), count
    )
    segments, order = number_segments(numbered, model.gaps, actions=actions)
    model = replace(
        model,
        centres=tuple(model.centres[old] for old in order),
        segments=tuple(segment.name for segment in segments),
    )
    labelled = model.label(numbered.drop("segment_id"))
    outlook = None
    if ahead.rehearsal is not None and backtest is not None:
        histories = keep(build_histories(cleaned, as_of=model.as_of))
        forecaster, value = learn_forecaster(histories, ahead.rehearsal.history, backtest.forecasts)
        labelled = _kept(_with_forecast(labelled, histories, forecaster), count)
        limit = at_risk_limit(labelled)
        outlook = describe(labelled, value, backtest.forecasts, as_of=model.as_of, limit=limit)
    labelled = _kept(_ordered(labelled), count)
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
        notes=(*orders.notes, *cleaned.notes),
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
        at_risk=_at_risk(labelled, model.gaps, outlook),
        backtest=backtest,
        backtest_note=note,
        outlook=outlook,
        spending=spending,
        sample=_sample(labelled),
        model=model,
        customers=labelled,
        orders=_listed(cleaned.orders) if with_orders else None,
        set_aside=cleaned.set_aside,
    )


def _at_risk(labelled: ir.Table, gaps: Gaps, outlook: Outlook | None) -> Notable:
    if outlook is None:
        return at_risk_customers(labelled, gaps)
    return at_risk_customers(labelled, gaps, horizon_days=outlook.horizon_days, limit=outlook.at_risk_limit)


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
    chosen = labelled.mutate(_place=md5(labelled["customer_id"])).order_by("_place", "customer_id").limit(SAMPLE)
    table = chosen.select(
        "recency_days", "frequency", chosen["monetary"].cast("float64").name("monetary"), "segment_id"
    ).to_pyarrow()
    return Sample(**{name: tuple(table[name].to_pylist()) for name in table.column_names})
