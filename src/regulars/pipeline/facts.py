"""What a run was asked for, and everything that it found out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from regulars.backtesting import Backtest, ForecastTest
from regulars.cleaning import Audit, Returns
from regulars.clustering import Choice, Trial
from regulars.errors import OptionError
from regulars.html import segmentation_html
from regulars.model import SegmentModel
from regulars.profiling import Base, Cell, Gaps, Notable, Outlook, Segment, Spending
from regulars.scoring import Cuts

__all__ = ["Assignment", "Options", "Sample", "Segmentation", "Valuation", "check_horizon", "check_k"]

MOST_K = 50  # segments; nobody acts on more, and each makes every question to the engine longer


def check_k(k: object) -> None:
    """Refuse a number of segments that cannot be.

    Raises
    ------
    OptionError
        It is no whole number from 2 to 50.
    """
    if k is not None and not (isinstance(k, int) and 2 <= k <= MOST_K):
        raise OptionError(f"k is {k!r}.", hint=f"Ask for 2 to {MOST_K} segments, or leave k out.")


def check_horizon(days: object) -> None:
    """Refuse a horizon that is no whole number of days.

    Raises
    ------
    OptionError
        It is not a whole number from 1.
    """
    if days is not None and not (isinstance(days, int) and days >= 1):
        raise OptionError(f"The horizon is {days} days.", hint="Give a whole number of days such as 91.")


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
    backtest
        Whether to hold segments and forecasts of the past against what came after; without it there are no forecasts.
    horizon_days
        Days that the back-test and the forecasts look ahead; default: a quarter of the history, at most 91.
    """

    returns: Returns = "net"
    all_products: bool = False
    as_of: date | None = None
    scale: str = "sqrt-log"
    k: int | None = None
    groups: str = "eleven"
    actions: str | None = None
    seed: int = 0
    backtest: bool = True
    horizon_days: int | None = None

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
    backtest, backtest_note
        Whether segments and forecasts of the past held; `None` with the reason where there is no back-test.
    outlook
        What is expected of the customers; `None` without a back-test.
    spending
        How the shop sells.
    sample
        Points for pictures.
    model
        The learned numbers.
    customers
        Lazy table, one row per customer: the columns of `schema.CUSTOMERS`, `SCORES` and `LABELS`,
        `value_percentile`, and with a back-test those of `schema.FORECASTS`.
    orders
        Lazy table, one row per order of which something is kept: `customer_id`, `order_id`, `ordered_at`, `amount`; `None`
        with more than a million customers.
    set_aside
        Lazy table of the rows that were set aside, each with its `reason`; `None` in a run folder of which Spark wrote them
        to another place.
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
    backtest: Backtest | None
    backtest_note: str
    outlook: Outlook | None
    spending: Spending
    sample: Sample
    model: SegmentModel
    customers: ir.Table = field(repr=False)
    orders: ir.Table | None = field(repr=False)
    set_aside: ir.Table | None = field(repr=False)

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
        facts["backtest"] = None if self.backtest is None else self.backtest.to_dict()
        facts["backtest_note"] = self.backtest_note
        facts["outlook"] = None if self.outlook is None else self.outlook.to_dict()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What every customer will probably do and bring, and how the same forecast did in the past.

    Parameters
    ----------
    source, currency, audit
        Where the lines came from, and what cleaning did.
    customers_total
        Customers with a forecast: those with a purchase of more than nothing.
    outlook
        What is expected of all of them together, and what that is based on.
    test
        Whether such forecasts held.
    forecaster
        The learned numbers.
    customers
        Lazy table, one row per customer: days, orders and money, and the columns of `schema.FORECASTS`.
    histories
        Lazy table `customer_id`, `frequency` (orders after the first), `recency` (days from the first to the last order),
        `T` (days from the first order to today), `monetary_value` (mean of the orders after the first, 0 without): what
        pymc-marketing and lifetimes read.
    """

    source: str
    currency: str | None
    audit: Audit
    customers_total: int
    outlook: Outlook
    test: ForecastTest
    forecaster: dict[str, Any]
    customers: ir.Table = field(repr=False)
    histories: ir.Table = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without the tables."""
        return {
            "source": self.source,
            "currency": self.currency,
            "audit": self.audit.to_dict(),
            "customers_total": self.customers_total,
            "outlook": self.outlook.to_dict(),
            "test": self.test.to_dict(),
            "forecaster": self.forecaster,
        }
