"""What every customer will do next, inside the engine: learned from counted histories, applied as an expression.

Histories are counted into distinct rows by the engine (`group_histories`), the mathematics works on these
(`regulars.valuing`), and what was learned goes back as an expression (`Forecaster.forecast`), so customers stay where they
are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from regulars.binning import SAMPLE
from regulars.cleaning.matching import md5
from regulars.keeping import keep
from regulars.schema import FORECASTS, MEASURES
from regulars.valuing import (
    ChanceModel,
    CustomerValue,
    PurchaseModel,
    SpendModel,
    expected_orders,
    fit_chances,
    p_active,
    p_alive,
)

__all__ = ["Forecaster", "group_histories", "group_spend", "learn_chances", "learn_value"]

Floats = NDArray[np.float64]

MOST_ROWS = 300_000  # distinct histories that are fitted as they are; beyond, coarser ones
_COARSER = (2, 4, 7, 14, 28, 56)  # days taken together, where there are more
_MONEY_STEP = 0.01  # order values within a hundredth of each other are taken together, where there are more
_SERIES_ERROR = 1e-10  # of the series for expected orders, relative
_MOST_TERMS = 160
_SURE = 700.0  # ln of odds that leave no doubt, and that a float still holds

_ROW = ("repeat_orders", "active_days", "age_days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster:
    """Everything that was learned about who orders next: apply it as an expression, save it as JSON.

    Parameters
    ----------
    horizon_days
        Days that are looked ahead.
    purchases
        Who orders how often, and who has left.
    spend
        What an order is worth; `None` without money.
    chances
        Where it did better in the back-test: chance of an order from recency, frequency and spend. Expected orders are
        then what `purchases` expects of those who order, times this chance.
    season
        Orders in the horizon against those in an average time of the same length; from the same window a year before.
    margin
        Share of the revenue that is kept.
    discount
        Yearly rate at which later money counts less.
    """

    horizon_days: int
    purchases: PurchaseModel
    spend: SpendModel | None
    chances: ChanceModel | None = None
    season: float = 1.0
    margin: float = 1.0
    discount: float = 0.0

    def forecast(self, people: ir.Table) -> ir.Table:
        """Add the columns of `schema.FORECASTS`; no query.

        Pareto/NBD is scored by a joined table, as are BG/NBD and MBG/NBD where the horizon is too long for an expression;
        that takes one query.

        Parameters
        ----------
        people
            Columns of `schema.HISTORIES` and `schema.MEASURES`. Where a history is null, the forecast is null.
        """
        columns = [name for name in people.columns if name not in FORECASTS]
        own = people["order_value"].name("_own_value")  # what an order was worth, before the forecast of the same name
        people = people.mutate(own)
        terms = None if self.purchases.kind == "pareto-nbd" else _Parts.of(self.purchases).terms(self._days)
        people = self._joined(people) if terms is None else self._expressed(people, terms=terms)
        p_active, orders = people["_p_active"], people["_orders"]
        if self.chances is not None:
            learned = people["_p_active"].isnull().ifelse(None, _chance(people, self.chances))
            orders = orders / people["_p_active"].nullif(0.0) * learned
            orders = ibis.coalesce(orders, learned)
            p_active = learned
        people = people.mutate(_p=p_active, _n=orders)
        value = ibis.null("float64") if self.spend is None else _order_value(people, self.spend)
        people = people.mutate(_value=value)
        forecasts = {
            "p_active": people["_p"],
            "expected_orders": people["_n"],
            "order_value": people["_value"],
            "expected_value": people["_n"] * people["_value"] * self._worth(),
            "p_alive": people["_p_alive"] if self._tells_alive else ibis.null("float64"),
            "revenue_at_risk": (1 - people["_p"]) * people["last_year"].cast("float64"),
        }
        kept = [name for name in columns if name != "order_value"]
        return people.select(*kept, **{name: value.cast("float64") for name, value in forecasts.items()})

    def with_chances(self, chances: ChanceModel | None) -> Forecaster:
        """Use a chance model, or none."""
        return replace(self, chances=chances)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "horizon_days": self.horizon_days,
            "purchases": self.purchases.to_dict(),
            "spend": None if self.spend is None else self.spend.to_dict(),
            "chances": None if self.chances is None else self.chances.to_dict(),
            "season": self.season,
            "margin": self.margin,
            "discount": self.discount,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Forecaster:
        """Build from plain values.

        Raises
        ------
        KeyError, TypeError, ValueError
            Something is missing or not a number that fits.
        """
        return cls(
            horizon_days=int(data["horizon_days"]),
            purchases=PurchaseModel.from_dict(data["purchases"]),
            spend=None if data["spend"] is None else SpendModel.from_dict(data["spend"]),
            chances=None if data["chances"] is None else ChanceModel.from_dict(data["chances"]),
            season=float(data["season"]),
            margin=float(data["margin"]),
            discount=float(data["discount"]),
        )

    @property
    def _tells_alive(self) -> bool:
        """Whether the data show who has left; a chance model knows nothing of it, and would contradict."""
        return self.purchases.leaving_identified and self.chances is None

    @property
    def _days(self) -> float:
        """The horizon in days of average trade."""
        return self.horizon_days * self.season

    def _worth(self) -> float:
        """What a unit of revenue in the middle of the horizon is worth today."""
        return float(self.margin * (1 + self.discount) ** (-self.horizon_days / 2 / 365.25))

    def _expressed(self, people: ir.Table, *, terms: int) -> ir.Table:
        """Add `_p_alive`, `_p_active`, `_orders` as expressions of BG/NBD or MBG/NBD."""
        parts = _Parts.of(self.purchases)
        x, active, age = (people[name].cast("float64") for name in _ROW)
        rate, longer = age + parts.alpha, (age + (parts.alpha + self._days)).ln() - (age + parts.alpha).ln()
        orders = x + parts.r
        people = people.mutate(
            _odds=parts.log_odds_left(x) + orders * (rate.ln() - (active + parts.alpha).ln()),
            _longer=longer,
            _none=(-orders * longer).exp(),
            _if_alive=parts.expected_if_alive(x, longer=longer, z=self._days / (rate + self._days), terms=terms),
        )
        people = people.mutate(_p_alive=1 / (1 + ibis.least(people["_odds"], _SURE).exp()))
        return people.mutate(
            _p_active=people["_p_alive"] * (1 - people["_none"]), _orders=people["_p_alive"] * people["_if_alive"]
        )

    def _joined(self, people: ir.Table) -> ir.Table:
        """Add the same from a table of all distinct histories; one query."""
        rows = people.filter(people["age_days"].notnull()).select(_ROW).distinct().order_by(_ROW).to_pyarrow()
        x, active, age = (rows[name].to_numpy().astype(float) for name in _ROW)
        kind, params = self.purchases.kind, self.purchases.parameters
        found = {
            "_p_alive": p_alive(kind, params, x, active, age),
            "_p_active": p_active(kind, params, x, active, age, self._days),
            "_orders": expected_orders(kind, params, x, active, age, self._days),
        }
        for name, values in found.items():
            rows = rows.append_column(name, [values])
        table = ibis.memtable(rows)
        joined = people.left_join(table, _ROW)
        return joined.drop([f"{name}_right" for name in _ROW])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """BG/NBD or MBG/NBD with its numbers: what an expression is made of."""

    r: float
    alpha: float
    a: float
    b: float
    first: int

    @classmethod
    def of(cls, model: PurchaseModel) -> _Parts:
        r, alpha, a, b = model.parameters
        return cls(r=r, alpha=alpha, a=a, b=b, first=0 if model.kind == "bg-nbd" else 1)

    def log_odds_left(self, x: ir.Value) -> ir.Value:
        """Log odds to have left at the last of the chances to leave; 700 below zero where there was none."""
        odds = math.log(self.a) - (x + (self.b + self.first - 1)).ln()
        return odds if self.first else (x > 0).ifelse(odds, -_SURE)

    def expected_if_alive(self, x: ir.Value, *, longer: ir.Value, z: ir.Value, terms: int) -> ir.Value:
        """Expected orders in the horizon of a customer who has not left.

        The mean over p ~ Beta(a, b + k) of (1 - (1 + p h)^-(r + x)) / p is, with c = a + b + k - 1, z = h / (1 + h),
        L = ln(1 + h) and φ = (1 - e^-(a-1)L) / (a - 1) ::

            c · ( φ - e^-(a-1)L · S ),    S = Σ (a)_(n-1) (c - r - x)_n / ((c)_n n!) z^n,  n = 1, 2, …

        which is Euler's transformation of the closed form with ₂F₁, with its division by a - 1 done beforehand.
        """
        c = x + (self.a + self.b + self.first - 1)
        shrink = ((1 - self.a) * longer).exp()
        phi = longer if self.a == 1 else (1 - shrink) / (self.a - 1)
        ratios = [z * ((self.a + n - 1) * (self._rest + n) / (n + 1)) / (c + n) for n in range(1, terms)]
        series = z * self._rest / c * (1 + _sum_of_products(ratios))
        return c * (phi - shrink * series)

    @property
    def _rest(self) -> float:
        return self.a + self.b + self.first - 1 - self.r

    def terms(self, days: float) -> int | None:
        """How many terms the series needs for the youngest customer without a repeat order; `None`: too many or large."""
        if abs(self.a - 1) * math.log1p(days / self.alpha) > _SURE / 2:
            return None
        z, c = days / (self.alpha + days), self.a + self.b + self.first - 1
        term = total = abs(z * self._rest / c) if c > 0 else math.inf
        for n in range(1, _MOST_TERMS):
            if term <= _SERIES_ERROR * (1 - z) * max(total, _SERIES_ERROR):
                return n + 1
            term *= abs(z * (self.a + n - 1) * (self._rest + n) / ((n + 1) * (c + n)))
            total += term
        return None


def learn_value(histories: ir.Table, *, model: str = "mbg-nbd") -> CustomerValue:
    """Fit a model to all customers; two to four queries.

    Parameters
    ----------
    histories
        Columns of `schema.HISTORIES`; nulls are left out.
    model
        As for `CustomerValue`.
    """
    known = histories.filter(histories["age_days"].notnull())
    rows, weights = group_histories(known)
    spend, spend_weights = group_spend(known)
    return CustomerValue(model=model).fit(rows, sample_weight=weights, spend=spend, spend_weight=spend_weights)


def group_histories(histories: ir.Table) -> tuple[Floats, Floats]:
    """Distinct histories and how many customers have each, shapes (n, 3) and (n,); three queries, one of them of customers.

    Beyond 300,000 distinct rows, days are taken together in twos, fours, weeks …, each row at the mean of its customers;
    one more small query each time. Only the fit sees these.
    """
    each = keep(histories.group_by(list(_ROW)).agg(customers=histories.count()))
    x, active, age, n = (each[name] for name in (*_ROW, "customers"))
    for days in (1, *_COARSER):
        keys = {"x": x, "t": (active / days).floor().cast("int64"), "age": (age / days).floor().cast("int64")}
        if each.select(**keys).distinct().count().to_pyarrow().as_py() <= MOST_ROWS:
            break
    table = each.group_by(**keys).agg(n=n.sum(), active=(n * active).sum(), whole=(n * age).sum())
    found = table.order_by("x", "t", "age").to_pyarrow()
    weights = found["n"].to_numpy().astype(float)
    means = [found[name].to_numpy() / weights for name in ("active", "whole")]
    return np.column_stack([found["x"].to_numpy(), *means]), weights


def group_spend(histories: ir.Table) -> tuple[Floats, Floats]:
    """Number of orders and mean order value, and how many customers have each pair, shapes (n, 2) and (n,); one query.

    Beyond 300,000 customers, values within a hundredth of each other are taken together, each at their mean.
    """
    orders, value = histories["repeat_orders"] + 1, histories["order_value"]
    few = histories.count().to_pyarrow().as_py() <= MOST_ROWS
    key = value if few else (value.ln() / _MONEY_STEP).floor().cast("int64")
    table = histories.group_by(orders=orders, key=key).agg(
        n=histories.count(), total=value.cast("decimal(38, 9)").sum()
    )
    found = table.order_by("orders", "key").to_pyarrow()
    n = found["n"].to_numpy().astype(float)
    mean = found["key"].to_numpy() if few else found["total"].cast("float64").to_numpy() / n
    return np.column_stack([found["orders"].to_numpy().astype(float), mean]), n


def learn_chances(people: ir.Table) -> ChanceModel:
    """Learn the chance of an order from customers with `bought` (0 or 1); one query.

    From all customers, or from 200,000 chosen by a hash of their id.
    """
    chosen = people.order_by(md5(people["customer_id"]), "customer_id").limit(SAMPLE)
    table = chosen.select("bought", **{name: chosen[name].cast("float64") for name in MEASURES}).to_pyarrow()
    return fit_chances(np.column_stack([table[name].to_numpy() for name in MEASURES]), table["bought"].to_numpy())


def _chance(people: ir.Table, model: ChanceModel) -> ir.Value:
    """Logistic chance of an order as an expression: `ChanceModel.predict`."""
    total: ir.Value = ibis.literal(model.intercept)
    for name, weight, centre, spread in zip(MEASURES, model.weights, model.centres, model.spreads, strict=True):
        total = total + ((people[name].cast("float64") + 1).ln() - centre) * (weight / spread)
    return 1 / (1 + (-total).exp())


def _order_value(people: ir.Table, spend: SpendModel) -> ir.Value:
    """Expected value of an order as an expression: `valuing.expected_order_value`."""
    orders = people["repeat_orders"].cast("float64") + 1
    spent = people["_own_value"] * orders
    if spend.heavy_tailed:
        return (spend.q * spend.mean + spend.p * spent) / (spend.q + spend.p * orders)
    return (spend.p * spend.gamma + spend.p * spent) / (spend.p * orders + (spend.q - 1))


def _sum_of_products(ratios: list[ir.Value]) -> ir.Value:
    """ρ₁ + ρ₁ρ₂ + ρ₁ρ₂ρ₃ + …, put together from halves: nested one by one it would be too deep for an engine."""

    def halves(part: list[ir.Value]) -> tuple[ir.Value, ir.Value]:
        if len(part) == 1:
            return part[0], part[0]
        middle = len(part) // 2
        (left, begun), (right, rest) = halves(part[:middle]), halves(part[middle:])
        return left * right, begun + left * rest

    return halves(ratios)[1] if ratios else ibis.literal(0.0)
