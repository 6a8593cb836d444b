"""What comes next: the past is held against what came after, and what did best there forecasts from today."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir

from regulars.backtesting import (
    TITLES,
    Backtest,
    ForecastTest,
    History,
    PastOptions,
    Rehearsal,
    look_back_all,
    rehearse,
)
from regulars.cleaning import Cleaned, Rule
from regulars.errors import NotEnoughDataError
from regulars.forecasting import Forecaster, learn_chances, learn_value
from regulars.pipeline.facts import Options
from regulars.profiling import Outlook, describe_outlook
from regulars.reading import Orders
from regulars.valuing import CustomerValue

__all__ = ["Ahead", "describe", "learn_forecaster", "look_ahead"]

Progress = Callable[[str, int, int], None]

LEFT_OUT = "The back-test was left out, so there are no forecasts either."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The rehearsal of a run, or why there is none."""

    rehearsal: Rehearsal | None
    note: str

    @property
    def information(self) -> dict[int, float] | None:
        """Number of clusters → bits about who bought again; `None` without a back-test."""
        return None if self.rehearsal is None else self.rehearsal.information

    def judge(self, k: int) -> tuple[Backtest | None, str]:
        """Measure everything about one k; or say why not."""
        if self.rehearsal is None:
            return None, self.note
        if not any(k in one.clusters for one in self.rehearsal.known):
            return None, f"No cut of the history has {k} different customers."
        return self.rehearsal.judge(k), ""


def look_ahead(
    orders: Orders,
    cleaned: Cleaned,
    *,
    as_of: date,
    options: Options,
    rules: Sequence[Rule],
    n_jobs: int,
    progress: Progress,
) -> Ahead:
    """Rehearse every cut of the history; too little of it is no error, but said."""
    if not options.backtest:
        return Ahead(rehearsal=None, note=LEFT_OUT)
    progress("Back-testing", 0, 0)
    past_options = PastOptions(
        returns=options.returns,
        all_products=options.all_products,
        rules=tuple(rules),
        scale=options.scale,
        seed=options.seed,
        n_jobs=n_jobs,
    )
    try:
        history = look_back_all(
            orders,
            cleaned,
            as_of=as_of,
            options=past_options,
            horizon_days=options.horizon_days,
            progress=lambda done, total: progress("Back-testing", done, total),
        )
        return Ahead(rehearsal=rehearse(history, k=options.k), note="")
    except NotEnoughDataError as error:
        return Ahead(rehearsal=None, note=f"{error.message} {error.hint}")


def learn_forecaster(
    histories: ir.Table,
    history: History,
    test: ForecastTest,
    *,
    margin: float = 1.0,
    discount: float = 0.0,
) -> tuple[Forecaster, CustomerValue]:
    """Learn from today's customers what did best in the back-test; up to five queries.

    Parameters
    ----------
    histories
        Of all customers as of today.
    history, test
        The pasts, and how forecasts did there.
    margin, discount
        As for `Forecaster`.
    """
    value = learn_value(histories, model=history.options.model)
    forecaster = Forecaster(
        horizon_days=test.horizon_days,
        purchases=value.purchases_,
        spend=value.spend_,
        chances=learn_chances(history.pasts[0].people) if test.used == "logistic" else None,
        season=test.season.now,
        margin=margin,
        discount=discount,
    )
    return forecaster, value


def describe(
    labelled: ir.Table, value: CustomerValue, test: ForecastTest, *, as_of: date, limit: float = 0.0
) -> Outlook:
    """Say what is expected of each segment, and what that is based on; one query."""
    errors = value.standard_errors_ | (value.spend_standard_errors_ or {})
    parameters = value.parameters_ | (value.spend_parameters_ or {})
    return Outlook(
        as_of=as_of,
        horizon_days=test.horizon_days,
        method=test.best.title,
        model=TITLES[value.model],
        parameters=tuple((name, number, _finite(errors[name])) for name, number in parameters.items()),
        season=test.season.now,
        at_risk_limit=limit,
        notes=value.notes_,
        segments=describe_outlook(labelled),
    )


def _finite(error: float) -> float | None:
    return error if math.isfinite(error) else None
