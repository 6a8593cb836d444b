"""Many customers → few weighted cells, inside the engine: what clusters are learned from when customers are too many.

Sums are taken over decimals: sums of floating numbers depend on the order in which threads come by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ibis.expr.types as ir
import numpy as np

from regulars.cleaning.matching import md5
from regulars.clustering import MIN_CUSTOMERS, SCALES, AutoKMeans, Cells, Floats, Scale, cluster_centres, fit_scale
from regulars.errors import NotEnoughDataError
from regulars.keeping import apart
from regulars.model import nearest_centre, points_of
from regulars.schema import MEASURES

__all__ = ["bin_customers", "each_clustering", "learn_clusters", "learn_scale", "many", "polish"]

CELLS_FROM = 50_000  # customers; beyond, clusters are learned from weighted cells
CELL_STARTS = 10  # starts of K-Means per k on cells
GRID = 0.06  # standard deviations: inertia is within 1.0003 of that of all customers
MOST_CELLS = 100_000
SAMPLE = 200_000  # customers from which the power of a Yeo-Johnson scale is learned
_FINE = "decimal(38, 9)"
_AXES = ("_x0", "_x1", "_x2")


def many(customers: int) -> bool:
    """Whether customers are so many that clusters are learned from cells, and DuckDB keeps no table of them."""
    return customers > CELLS_FROM


def learn_clusters(
    people: ir.Table,
    count: int,
    scaling: str,
    *,
    estimator: AutoKMeans,
    information: Mapping[int, float] | None = None,
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
    information, progress
        As for `AutoKMeans.fit`.

    Raises
    ------
    NotEnoughDataError
        Fewer than ten customers, or all are the same.
    """
    scale, cells = _points(people, count, scaling)
    if not many(count):
        return scale, estimator.fit(cells.points, information=information, progress=progress)
    estimator.set_params(n_init=CELL_STARTS)
    estimator.fit(
        cells.points, sample_weight=cells.weights, within=cells.within, information=information, progress=progress
    )
    estimator.cluster_centers_ = polish(people, scale, estimator.cluster_centers_)
    return scale, estimator


def each_clustering(
    people: ir.Table, count: int, scaling: str, *, ks: Sequence[int], seed: int, n_jobs: int
) -> tuple[Scale, dict[int, Floats]]:
    """Learn the centres of several k without measuring them; those of which there are too few customers are left out.

    Raises
    ------
    NotEnoughDataError
        As for `learn_clusters`.
    """
    scale, cells = _points(people, count, scaling)
    centres = cluster_centres(cells.points, ks, sample_weight=cells.weights, random_state=seed, n_jobs=n_jobs)
    return scale, centres


def _points(people: ir.Table, count: int, scaling: str) -> tuple[Scale, Cells]:
    """Customers as scaled points, each of weight one, or as cells; one query, or some for cells."""
    if count < MIN_CUSTOMERS:
        raise NotEnoughDataError(
            f"Only {count} customer{'s are' if count != 1 else ' is'} left after cleaning; "
            f"segments need at least {MIN_CUSTOMERS}.",
            hint="Look at what cleaning set aside with 'regulars check SOURCE', or bring a longer export.",
        )
    if many(count):
        scale = learn_scale(people, scaling)
        cells = bin_customers(people, scale)
        _refuse_equal(len(cells.weights), count)
        return scale, cells
    table = people.select(**{name: people[name].cast("float64") for name in MEASURES}).to_pyarrow()
    points = np.column_stack([table[name].to_numpy() for name in MEASURES])
    _refuse_equal(len(np.unique(points, axis=0)), count)
    scale = fit_scale(points, scaling)
    return scale, Cells(points=scale.transform(points), weights=np.ones(count, dtype=np.int64), within=0.0)


def _refuse_equal(different: int, count: int) -> None:
    if different == 1:
        raise NotEnoughDataError(
            f"All {count:,} customers have the same recency, orders and spend: there is nothing to tell apart.",
            hint="Check that the customer, date and amount columns are the right ones with 'regulars check SOURCE'.",
        )


def learn_scale(people: ir.Table, name: str) -> Scale:
    """Learn a scale from all customers, without bringing them over; one to three queries.

    As `clustering.fit_scale`; only the power of a Yeo-Johnson scale is learned from a sample of 200,000, chosen by a hash
    of the id.
    """
    start = fit_scale(np.zeros((1, 3)), name)
    if "yeo-johnson" in start.functions:
        chosen = people.order_by(md5(people["customer_id"]), "customer_id").limit(SAMPLE)
        table = chosen.select(**{m: chosen[m].cast("float64") for m in MEASURES}).to_pyarrow()
        start = fit_scale(np.column_stack([table[m].to_numpy() for m in MEASURES]), name)
    plain = replace(start, offsets=(0.0, 0.0, 0.0), divisors=(1.0, 1.0, 1.0))
    points = people.select(**points_of(people, plain))
    centring = SCALES[name][1]
    if centring == "standard":
        offsets, divisors = _moments(points)
    elif centring == "minmax":
        ends = {f"{x}_{how}": getattr(points[x], how)() for how in ("min", "max") for x in _AXES}
        found = _row(points, ends)
        offsets, divisors = found[:3], [high - low for low, high in zip(found[:3], found[3:], strict=True)]
    else:
        quartiles: list[Any] = _row(points, {x: points[x].quantile([0.25, 0.5, 0.75]) for x in _AXES})
        offsets, divisors = [q[1] for q in quartiles], [q[2] - q[0] for q in quartiles]
    return replace(
        plain,
        offsets=(offsets[0], offsets[1], offsets[2]),
        divisors=(divisors[0] or 1.0, divisors[1] or 1.0, divisors[2] or 1.0),
    )


def bin_customers(people: ir.Table, scale: Scale) -> Cells:
    """Put customers into cells of 0.06 standard deviations, each at the mean of its customers; three queries.

    Where that gives more than 100,000 cells, they are made coarser, by one more query at a time.
    """
    points = people.select(**points_of(people, scale))
    _, spreads = _moments(points)
    grid, table = GRID, _cells(points, [GRID * (spread or 1.0) for spread in spreads])
    while len(table) > MOST_CELLS:
        grid *= 1.5
        table = _cells(points, [grid * (spread or 1.0) for spread in spreads])
    weights = np.array([row["n"] for row in table])
    means = np.array([[row[x] for x in _AXES] for row in table], dtype=float) / weights[:, None]
    squares = math.fsum(float(row["squares"]) for row in table)
    within = squares - math.fsum((weights[:, None] * means**2).ravel())
    return Cells(points=means, weights=weights, within=max(within, 0.0))


def polish(people: ir.Table, scale: Scale, centres: Floats, *, steps: int = 3) -> Floats:
    """Move centres by exact steps of Lloyd's algorithm over all customers; one query a step."""
    points = apart(people.select(**points_of(people, scale)))
    for _ in range(steps):
        near = points.mutate(_nearest=nearest_centre(points, centres.tolist()))
        sums = {x: near[x].cast(_FINE).sum() for x in _AXES}
        rows = near.group_by("_nearest").agg(n=near.count(), **sums).to_pyarrow().to_pylist()
        centres = centres.copy()
        for row in rows:
            centres[row["_nearest"]] = [float(row[x] / row["n"]) for x in _AXES]
    return centres


def _moments(points: ir.Table) -> tuple[list[float], list[float]]:
    """Mean and population standard deviation of each axis; two queries."""
    count, *sums = _row(points, {"n": points.count(), **{x: points[x].cast(_FINE).sum() for x in _AXES}})
    means = [float(total / count) for total in sums]
    away = {x: (points[x] - mean) * (points[x] - mean) for x, mean in zip(_AXES, means, strict=True)}
    squares = _row(points, {x: value.cast(_FINE).sum() for x, value in away.items()})
    return means, [math.sqrt(total / count) for total in squares]


def _cells(points: ir.Table, steps: list[float]) -> list[dict[str, Any]]:
    """Count and sum the customers of each cell; one query."""
    keys = {
        f"_k{i}": (points[x] / step).floor().cast("int64") for i, (x, step) in enumerate(zip(_AXES, steps, strict=True))
    }
    square = sum((points[x] * points[x] for x in _AXES[1:]), points[_AXES[0]] * points[_AXES[0]])
    table = points.group_by(**keys).agg(
        n=points.count(), squares=square.cast(_FINE).sum(), **{x: points[x].cast(_FINE).sum() for x in _AXES}
    )
    rows: list[dict[str, Any]] = table.order_by(*keys).to_pyarrow().to_pylist()
    return rows


def _row(table: ir.Table, facts: dict[str, ir.Value]) -> list[Any]:
    """Facts over all rows; one query."""
    row = table.agg(**facts).to_pyarrow().to_pylist()[0]
    return [row[name] for name in facts]
