"""How busy the next window will be: from the same window a year before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from regulars.backtesting.windows import Past, PastOptions, Window, look_back
from regulars.cleaning import Cleaned
from regulars.errors import NotEnoughDataError
from regulars.forecasting import Forecaster, learn_value
from regulars.reading import Orders

__all__ = ["Season", "find_season"]

YEAR = 364  # days: whole weeks, so that the weekdays agree
LEAST, MOST = 0.5, 2.0  # what a factor is held to


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Orders in a window against what a forecast without seasons expected, a year before.

    `at_cut` is the factor for the window of the back-test, `now` the one for the window that begins today. Both are 1 where
    the history is too short (`known` is false), or where the factor would have made the back-tested forecast worse
    (`helped` is false).
    """

    at_cut: float = 1.0
    now: float = 1.0
    known: bool = False
    helped: bool = False


def find_season(orders: Orders, cleaned: Cleaned, latest: Past, *, as_of: date, options: PastOptions) -> Season:
    """Find the factor of the latest window from the year before, and whether it helps; then that of the next window.

    Each factor cleans the lines before its cut once. Before that cut lies at least twice the horizon, so nothing is known
    with less than about a year and three quarters.
    """
    window = latest.window
    first_day = cleaned.audit.first_day
    if (window.cut - timedelta(days=YEAR) - first_day).days < 2 * window.horizon_days:
        return Season()
    at_cut = _factor(orders, cleaned, window.cut, window.horizon_days, options)
    if at_cut is None:
        return Season()
    plain, seasonal = (_off(latest, season, options) for season in (1.0, at_cut))
    if seasonal >= plain:
        return Season(known=True)
    now = _factor(orders, cleaned, as_of, window.horizon_days, options)
    return Season(at_cut=at_cut, now=now or 1.0, known=True, helped=True)


def _factor(orders: Orders, cleaned: Cleaned, day: date, horizon: int, options: PastOptions) -> float | None:
    """Orders that came in the window a year before a day, over those that a forecast had expected."""
    cut = day - timedelta(days=YEAR)
    try:
        past = look_back(orders, cleaned, Window(cut=cut, until=cut + timedelta(days=horizon)), options=options)
    except NotEnoughDataError:
        return None
    expected, came = _expected(past, 1.0, options), _came(past)
    return round(min(max(came / expected, LEAST), MOST), 6) if expected and came else None


def _off(past: Past, season: float, options: PastOptions) -> float:
    """How far expected orders were from those that came, as a log ratio."""
    return abs(math.log(_expected(past, season, options) / max(_came(past), 1)))


def _expected(past: Past, season: float, options: PastOptions) -> float:
    """Orders that all customers of a past were expected to place; three queries."""
    purchases = learn_value(past.people, model=options.model).purchases_
    forecaster = Forecaster(horizon_days=past.window.horizon_days, purchases=purchases, spend=None, season=season)
    people = forecaster.forecast(past.people)
    return float(people["expected_orders"].cast("decimal(38, 9)").sum().to_pyarrow().as_py() or 0)


def _came(past: Past) -> int:
    return int(past.people["orders_after"].sum().to_pyarrow().as_py())
