"""Where customers are: the nearest centre, the scores and the group, for one or for many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from regulars.schema import MEASURES

if TYPE_CHECKING:
    from regulars.clustering import Floats
    from regulars.model import SegmentModel

__all__ = ["UNITS", "Number", "Place", "Wholes", "groups_of", "place", "rows_of", "squared_distances", "units"]

Number = Decimal | float | int
Wholes = NDArray[np.int64]

UNITS = 10_000  # money has four digits after the point: counted in whole numbers, every comparison is exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a customer is.

    Parameters
    ----------
    segment_id, segment
        Number and name of the segment; `None`, as all about segments, where the customer is not assignable.
    distance
        To the centre of the segment, in the scale's units (standard deviations by default).
    runner_up_id, runner_up, runner_up_distance
        The segment with the second nearest centre; `None` where there is one segment only.
    r_score, f_score, m_score
        1 is worst; `None` where the measure is missing.
    group
        The named group of the three scores; `None` where one is missing.
    """

    segment_id: int | None = None
    segment: str | None = None
    distance: float | None = None
    runner_up_id: int | None = None
    runner_up: str | None = None
    runner_up_distance: float | None = None
    r_score: int | None
    f_score: int | None
    m_score: int | None
    group: str | None


def place(model: SegmentModel, *, recency_days: int | None, frequency: int | None, monetary: Number | None) -> Place:
    """Find the segment and the group of one customer, as `SegmentModel.assign` does for tables.

    Parameters
    ----------
    model
        The learned numbers.
    recency_days, frequency, monetary
        Days, orders and money, as in `schema.CUSTOMERS`; `None` where unknown.

    Examples
    --------
    >>> from datetime import date
    >>> from decimal import Decimal
    >>> import regulars as rg
    >>> from regulars.profiling import Gaps
    >>> model = rg.SegmentModel(
    ...     as_of=date(2024, 3, 1), returns="net", all_products=False, segments=("Loyal", "Rare"),
    ...     scale=rg.fit_scale([[10, 9, 900.0], [40, 1, 100.0]]), centres=((-1.0, 1.0, 1.0), (1.0, -1.0, -1.0)),
    ...     cuts=rg.Cuts(levels=3, recency_days=(60, 20), frequency=(2, 6), monetary=(Decimal(50), Decimal(500))),
    ...     pack=rg.load_pack("klaviyo"), gaps=Gaps(p75=20, p90=40, p95=60, count=99))
    >>> found = place(model, recency_days=10, frequency=9, monetary=900)
    >>> found.segment, round(found.distance, 3), found.runner_up, round(found.runner_up_distance, 3), found.group
    ('Loyal', 0.0, 'Rare', 3.464, 'Champions')
    """
    measures = (recency_days, frequency, None if monetary is None else units(monetary))
    known = None not in measures
    row = rows_of(*(value or 0 for value in measures))
    scores = _scores(model, row)[0].tolist()
    r, f, m = (None if value is None else score for value, score in zip(measures, scores, strict=True))
    scored = Place(r_score=r, f_score=f, m_score=m, group=groups_of(model, row)[0] if known else None)
    squares = squared_distances(model, row)[0]
    if not known or np.isnan(squares).any():
        return scored
    first = int(squares.argmin())
    labelled = replace(scored, segment_id=first, segment=model.segments[first], distance=float(np.sqrt(squares[first])))
    if len(squares) == 1:
        return labelled
    second = int(np.where(np.arange(len(squares)) == first, np.inf, squares).argmin())
    distance = float(np.sqrt(squares[second]))
    return replace(labelled, runner_up_id=second, runner_up=model.segments[second], runner_up_distance=distance)


def units(money: Number) -> int:
    """Money in ten-thousandths."""
    return int((Decimal(str(money)) * UNITS).to_integral_value())


def rows_of(recency_days: Any, frequency: Any, money: Any) -> Wholes:
    """One row per customer from arrays or single numbers; money in ten-thousandths."""
    columns = np.broadcast_arrays(*(np.atleast_1d(values) for values in (recency_days, frequency, money)))
    return np.column_stack(columns).astype(np.int64)


def squared_distances(model: SegmentModel, rows: Wholes) -> Floats:
    """To every centre in the scale's units, shape (n, k); NaN where a measure is outside the scale's domain."""
    measures = rows / np.array([1, 1, UNITS])
    inside = [_inside(function, measures[:, i]) for i, function in enumerate(model.scale.functions)]
    with np.errstate(all="ignore"):
        points = np.where(np.column_stack(inside), model.scale.transform(measures), np.nan)
        away = points[:, None, :] - np.array(model.centres)
        return np.asarray(away[:, :, 0] ** 2 + away[:, :, 1] ** 2 + away[:, :, 2] ** 2, dtype=float)


def _inside(function: str, values: Floats) -> NDArray[np.bool_]:
    """Where a function of a scale has a value."""
    if function == "sqrt":
        return np.asarray(values >= 0)
    return np.asarray(values > -1) if function == "log1p" else np.ones(len(values), dtype=bool)


def _scores(model: SegmentModel, rows: Wholes) -> Wholes:
    """R, F and M of every row, shape (n, 3): one more for every cut point that is reached."""
    scores = np.ones_like(rows)
    for i, measure in enumerate(MEASURES):
        for cut in getattr(model.cuts, measure):
            if cut is not None:
                limit = units(cut) if measure == "monetary" else cut
                scores[:, i] += rows[:, i] <= limit if measure == "recency_days" else rows[:, i] >= limit
    return scores


def groups_of(model: SegmentModel, rows: Wholes) -> list[str | None]:
    """The named group of every row."""
    names = {cell: group.name for group in model.pack.groups for cell in group.cells}
    return [names.get(f"{r}{f}{m}") for r, f, m in _scores(model, rows).tolist()]
