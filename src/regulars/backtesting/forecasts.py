"""What the forecasts said at a cut, beside what came true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np

from regulars.backtesting.measures import area_under_curve, calibration_error, log_loss
from regulars.backtesting.windows import Past
from regulars.cleaning import Cleaned
from regulars.features import purchase_days
from regulars.forecasting import Forecaster, learn_chances, learn_value
from regulars.keeping import keep
from regulars.profiling import WORTH_KEEPING, at_risk, at_risk_limit, with_value_percentile
from regulars.valuing import ChanceModel, PurchaseModel, expected_orders

__all__ = [
    "Check",
    "Checked",
    "Listed",
    "Tracking",
    "best_forecast",
    "check_forecasts",
    "common_cuts",
    "learned_before",
    "list_at_risk",
    "track_orders",
]

_CELL = 0.002  # chances that are counted together
_POINTS = 120  # of the tracking curve, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A forecast of one window beside what came true.

    Parameters
    ----------
    cut, customers, bought
        The cut, the customers that it knew, and those of them who bought in the horizon.
    auc
        Chance that of two customers, of whom one bought, that one was given the higher chance; `None` where all or none
        did.
    calibration_error
        Mean absolute difference between promised chance and share that bought, over ten bins of equal size; `None` for a
        ranking without chances.
    log_loss
        Mean of −ln of the chance that was given to what happened; `None` for a ranking without chances.
    bins
        (customers, promised chance, share that bought), lowest chance first.
    expected_orders, orders, expected_revenue, revenue
        Of all these customers in the horizon.
    """

    cut: date
    customers: int
    bought: int
    auc: float | None
    calibration_error: float | None = None
    log_loss: float | None = None
    bins: tuple[tuple[int, float, float], ...] = ()
    expected_orders: float | None = None
    orders: int | None = None
    expected_revenue: float | None = None
    revenue: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One way to tell who buys next, in every window where it could be tested, the latest first."""

    name: str
    title: str
    windows: tuple[Check, ...]

    def mean(self, measure: str, *, cuts: Container[date] | None = None) -> float | None:
        """Mean of a measure over the windows that have it, or over those of them at some cuts."""
        windows = [window for window in self.windows if cuts is None or window.cut in cuts]
        values = [value for window in windows if (value := getattr(window, measure)) is not None]
        return sum(values) / len(values) if values else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        means = {f"mean_{name}": self.mean(name) for name in ("auc", "calibration_error", "log_loss")}
        return asdict(self) | means


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What an at-risk list of the cut would have been worth: whom it had named, and how many of them stayed away."""

    customers: int
    stayed_away: int
    worth_keeping: int
    worth_keeping_stayed_away: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Repeat orders of the customers known at the cut, added up over time.

    `points` are (day, orders before it as they came, as the purchase model fitted at the cut expected them).
    """

    cut: date
    points: tuple[tuple[date, int, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def learned_before(pasts: Sequence[Past], past: Past) -> ChanceModel | None:
    """A chance model that was known at a past: learned from the latest window that ended by then; one query."""
    earlier = [other for other in pasts if other.window.until <= past.window.cut]
    return learn_chances(max(earlier, key=lambda other: other.window.cut).people) if earlier else None


def best_forecast(ways: Sequence[Checked]) -> str:
    """Name of the way with the smaller log loss in the windows where all were tested."""
    cuts = common_cuts(ways)
    losses = {one.name: loss for one in ways if (loss := one.mean("log_loss", cuts=cuts)) is not None}
    return min(losses, key=lambda name: losses[name])


def common_cuts(ways: Sequence[Checked]) -> set[date]:
    """Cuts at which all ways were tested."""
    return set.intersection(*({window.cut for window in one.windows} for one in ways))


def check_forecasts(
    past: Past, *, chances: ChanceModel | None, model: str, season: float
) -> tuple[dict[str, Check], Forecaster]:
    """Forecast at a past with what was known then, and compare with what came; nine queries or fewer.

    Returns
    -------
    found, forecaster
        By name: ``recency`` alone, the purchase model, and ``logistic`` where a chance model is given; and the purchase
        model as it was fitted.
    """
    value = learn_value(past.people, model=model)
    horizon = past.window.horizon_days
    forecaster = Forecaster(horizon_days=horizon, purchases=value.purchases_, spend=value.spend_, season=season)
    ranks = past.people.group_by("recency_days").agg(n=past.people.count(), bought=past.people["bought"].sum())
    rows = ranks.order_by("recency_days").to_pyarrow().to_pydict()
    found = {"recency": _seen(past, auc=area_under_curve(rows["n"], rows["bought"]))}
    ways = {model: forecaster}
    if chances is not None:
        ways["logistic"] = forecaster.with_chances(chances)
    return found | {name: _checked(past, own) for name, own in ways.items()}, forecaster


def _seen(past: Past, **measures: Any) -> Check:
    return Check(cut=past.window.cut, customers=past.customers, bought=past.bought, **measures)


def _checked(past: Past, forecaster: Forecaster) -> Check:
    """One query counts the customers by the chance that they were given, highest first."""
    people = forecaster.forecast(past.people)
    people = people.mutate(_cell=(people["p_active"] / _CELL).floor().cast("int64"))
    fine = "decimal(38, 9)"
    cells = people.group_by("_cell").agg(
        n=people.count(),
        bought=people["bought"].sum(),
        chance=people["p_active"].cast(fine).sum(),
        expected=people["expected_orders"].cast(fine).sum(),
        orders=people["orders_after"].sum(),
        value=people["expected_value"].cast(fine).sum(),
        revenue=people["revenue_after"].sum(),
    )
    rows = cells.filter(cells["_cell"].notnull()).order_by(ibis.desc("_cell")).to_pyarrow().to_pylist()
    n, bought = [row["n"] for row in rows], [row["bought"] for row in rows]
    mean = [float(row["chance"] / row["n"]) for row in rows]
    error, bins = calibration_error(mean[::-1], n[::-1], bought[::-1])
    return _seen(
        past,
        auc=area_under_curve(n, bought),
        calibration_error=error,
        log_loss=log_loss(mean, n, bought),
        bins=bins,
        expected_orders=float(sum(row["expected"] for row in rows)),
        orders=sum(row["orders"] for row in rows),
        expected_revenue=None if forecaster.spend is None else float(sum(row["value"] for row in rows)),
        revenue=float(sum(row["revenue"] for row in rows)),
    )


def list_at_risk(past: Past, forecaster: Forecaster) -> Listed:
    """Make the at-risk list of a past, and see who stayed away; two queries."""
    people = keep(with_value_percentile(forecaster.forecast(past.people)))
    people = people.filter(people["value_percentile"] >= WORTH_KEEPING)
    listed = at_risk(people, at_risk_limit(people))
    away = people["bought"] == 0
    facts = people.agg(
        customers=listed.sum(),
        stayed_away=(listed & away).sum(),
        worth_keeping=people.count(),
        worth_keeping_stayed_away=away.sum(),
    )
    return Listed(**{name: value or 0 for name, value in facts.to_pyarrow().to_pylist()[0].items()})


def track_orders(past: Past, cleaned: Cleaned, purchases: PurchaseModel) -> Tracking:
    """Add up the repeat orders of the customers of a past, day by day to the end of its window; three queries."""
    cut, until = past.window.cut, past.window.until
    known = past.people.filter(past.people["age_days"].notnull())
    ages = known.group_by("age_days").agg(n=known.count())
    born = {cut - timedelta(days=row["age_days"]): row["n"] for row in ages.to_pyarrow().to_pylist()}
    before = _counted(purchase_days(past.cleaned))
    after = purchase_days(cleaned)
    after = after.filter(after["day"] >= ibis.date(cut.isoformat()), after["day"] < ibis.date(until.isoformat()))
    after = after.semi_join(known, "customer_id")
    repeats = Counter(before)
    repeats.subtract(born)
    repeats.update(_counted(after))
    start = min(born)
    span = (until - start).days
    step = max(7, -(-span // _POINTS))
    marks = sorted({*range(step, span, step), (cut - start).days, span})
    days = np.array([(day - start).days for day in born])
    newcomers = np.array(list(born.values()), dtype=float)
    kind, params, new = purchases.kind, purchases.parameters, [0.0]
    curve = expected_orders(kind, params, new, new, new, np.arange(span + 1, dtype=float).tolist())[0]
    points = []
    for mark in marks:
        seen = days < mark
        expected = float(newcomers[seen] @ curve[mark - days[seen]])
        orders = sum(n for day, n in repeats.items() if (day - start).days < mark)
        points.append((start + timedelta(days=mark), orders, round(expected, 4)))
    return Tracking(cut=cut, points=tuple(points))


def _counted(days: ir.Table) -> dict[date, int]:
    """Orders by day; one query."""
    table = days.group_by("day").agg(n=days.count()).to_pyarrow()
    return dict(zip(table["day"].to_pylist(), table["n"].to_pylist(), strict=True))
