"""Did the segments mean anything, and did the forecasts hold? The past is held against what came after.

The lines before a cut are cleaned on their own (a return after the cut is not known yet), counted, scored and clustered as a
run on that day would have done it. `look_back_all` counts what was known at every cut, `rehearse` says what each number of
clusters knew, and `Rehearsal.judge` measures everything about one of them.
"""

from regulars.backtesting.forecasts import Check, Checked, Listed, Tracking
from regulars.backtesting.groupings import Followed, Grouping
from regulars.backtesting.rehearsing import (
    TITLES,
    Backtest,
    ForecastTest,
    History,
    Measured,
    Rehearsal,
    look_back_all,
    rehearse,
)
from regulars.backtesting.seasons import Season
from regulars.backtesting.windows import Past, PastOptions, Window, default_horizon, look_back, plan_windows

__all__ = [
    "TITLES",
    "Backtest",
    "Check",
    "Checked",
    "Followed",
    "ForecastTest",
    "Grouping",
    "History",
    "Listed",
    "Measured",
    "Past",
    "PastOptions",
    "Rehearsal",
    "Season",
    "Tracking",
    "Window",
    "default_horizon",
    "look_back",
    "look_back_all",
    "plan_windows",
    "rehearse",
]
