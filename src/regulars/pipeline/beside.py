"""Beside the corridor, on the same tables: the back-test on its own, and what every customer will probably bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir

from regulars.backtesting import Backtest, PastOptions, look_back_all, rehearse
from regulars.cleaning import Cleaned, Returns, Rule, clean
from regulars.errors import OptionError, listed
from regulars.features import build_histories, build_rfm
from regulars.keeping import keep
from regulars.pipeline.ahead import describe, learn_forecaster
from regulars.pipeline.facts import Valuation, check_horizon, check_k
from regulars.reading import Orders, read
from regulars.schema import FORECASTS, Columns
from regulars.valuing import PARAMETERS

__all__ = ["backtest", "value"]

MOST_DISCOUNT = 10  # a year, as a share: a tenth is left after one

#: Called with the stage in words, steps done, and steps in all (0: not known).
Progress = Callable[[str, int, int], None]


def backtest(
    source: Any,
    *,
    horizon_days: int | None = None,
    cut: date | None = None,
    k: int | None = None,
    scale: str = "sqrt-log",
    model: str = "mbg-nbd",
    columns: Columns | None = None,
    returns: Returns = "net",
    all_products: bool = False,
    rules: Sequence[Rule] = (),
    as_of: date | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **reading: Any,
) -> Backtest:
    """Hold the segments and forecasts of the past against what came after.

    Parameters
    ----------
    source
        Anything that `regulars.read` takes, or what it returned.
    horizon_days
        Days that are looked ahead; default: a quarter of the history, at most 91.
    cut
        Latest day that is looked ahead from; default: one horizon before the end.
    k
        Number of segments; default: what the rule takes from what was known at the latest cut.
    scale
        One of `clustering.SCALES`.
    model
        Purchase model: ``"mbg-nbd"``, ``"bg-nbd"`` or ``"pareto-nbd"``.
    columns, returns, all_products, rules, as_of, seed, progress
        As for `regulars.segment`.
    **reading
        Reading options, as for `regulars.segment`.

    Raises
    ------
    NotEnoughDataError
        The history is too short, or has too few customers; the message says how much there is and is needed.

    Examples
    --------
    >>> import regulars as rg
    >>> found = rg.backtest(rg.make_orders(customers=600, seed=1).orders, k=4)
    >>> found.horizon_days, str(found.cut), [(one.name, round(one.share, 2)) for one in found.segments][0]
    (89, '2024-09-27', ('Loyal high-value', 0.89))
    """
    _check(model=model, horizon_days=horizon_days)
    check_k(k)
    if cut is not None and not isinstance(cut, date):
        raise OptionError(f"cut is {cut!r}.", hint="Give a day, such as date(2024, 9, 1).")
    options = PastOptions(
        returns=returns, all_products=all_products, rules=tuple(rules), scale=scale, model=model, seed=seed
    )
    orders, cleaned, day = _cleaned(source, columns, as_of, options, progress, reading)
    tell = progress or _silent
    history = look_back_all(
        orders,
        cleaned,
        as_of=day,
        options=options,
        horizon_days=horizon_days,
        cut=cut,
        progress=lambda done, total: tell("Back-testing", done, total),
    )
    rehearsal = rehearse(history, k=k)
    chosen = rehearsal.choose() if k is None else k
    tell("Forecasting", 0, 0)
    return rehearsal.judge(chosen)


def value(
    source: Any,
    *,
    horizon_days: int | None = None,
    model: str = "mbg-nbd",
    margin: float = 1.0,
    discount: float = 0.0,
    columns: Columns | None = None,
    returns: Returns = "net",
    all_products: bool = False,
    rules: Sequence[Rule] = (),
    as_of: date | None = None,
    progress: Progress | None = None,
    **reading: Any,
) -> Valuation:
    """Forecast what every customer will probably do and bring, beside how the same forecast did in the past.

    Parameters
    ----------
    source
        Anything that `regulars.read` takes, or what it returned.
    horizon_days
        Days that are looked ahead; default: a quarter of the history, at most 91.
    model
        Purchase model: ``"mbg-nbd"``, ``"bg-nbd"`` or ``"pareto-nbd"``.
    margin
        Share of the revenue that is kept.
    discount
        Yearly rate at which later money counts less, 0.1 for 10 %.
    columns, returns, all_products, rules, as_of, progress
        As for `regulars.segment`.
    **reading
        Reading options, as for `regulars.segment`.

    Raises
    ------
    NotEnoughDataError
        The history is too short for a back-test, or has too few customers: no forecast is given without one.

    Examples
    --------
    >>> import regulars as rg
    >>> found = rg.value(rg.make_orders(customers=600, seed=1).orders)
    >>> found.customers_total, found.customers.columns[1:4]
    (594, ('recency_days', 'frequency', 'monetary'))
    """
    _check(model=model, margin=margin, discount=discount, horizon_days=horizon_days)
    options = PastOptions(returns=returns, all_products=all_products, rules=tuple(rules), model=model)
    orders, cleaned, day = _cleaned(source, columns, as_of, options, progress, reading)
    tell = progress or _silent
    history = look_back_all(
        orders,
        cleaned,
        as_of=day,
        options=options,
        horizon_days=horizon_days,
        progress=lambda done, total: tell("Back-testing", done, total),
    )
    tell("Forecasting", 0, 0)
    test = history.test_forecasts()
    people = build_rfm(cleaned, as_of=day)
    histories = build_histories(cleaned, as_of=day)
    people = keep(people.inner_join(histories, "customer_id"))
    forecaster, learned = learn_forecaster(people, history, test, margin=margin, discount=discount)
    forecast = keep(forecaster.forecast(people))
    everyone = describe(forecast.mutate(segment_id=0), learned, test, as_of=day)
    return Valuation(
        source=orders.source,
        currency=orders.currency,
        audit=cleaned.audit,
        customers_total=everyone.segments[0].customers,
        outlook=everyone,
        test=test,
        forecaster=forecaster.to_dict(),
        customers=forecast.select(
            "customer_id", "recency_days", "frequency", "monetary", "first_order", "last_order", "last_year", *FORECASTS
        ),
        histories=_for_pymc(people),
    )


def _check(*, model: str, horizon_days: int | None, margin: float = 1.0, discount: float = 0.0) -> None:
    """Refuse what cannot be before anything is read."""
    if model not in PARAMETERS:
        raise OptionError(f"There is no purchase model {model!r}.", hint=f"Choose one of {listed(PARAMETERS)}.")
    check_horizon(horizon_days)
    for name, number, least, most in (
        ("margin", margin, "above 0", 1),
        ("discount", discount, "from 0", MOST_DISCOUNT),
    ):
        fits = isinstance(number, int | float) and (0 if name == "discount" else 1e-9) <= number <= most
        if not fits:
            raise OptionError(f"{name} is {number!r}.", hint=f"Give a number {least} to {most}, such as 0.1.")


def _for_pymc(people: ir.Table) -> ir.Table:
    """Histories under the names that pymc-marketing and lifetimes read, in days."""
    return people.select(
        "customer_id",
        frequency=people["repeat_orders"],
        recency=people["active_days"],
        T=people["age_days"],
        monetary_value=people["repeat_value"].fill_null(0.0),
    )


def _cleaned(
    source: Any,
    columns: Columns | None,
    as_of: date | None,
    options: PastOptions,
    progress: Progress | None,
    reading: dict[str, Any],
) -> tuple[Orders, Cleaned, date]:
    """Read and clean the whole history."""
    tell = progress or _silent
    tell("Reading", 0, 0)
    orders = source if isinstance(source, Orders) else read(source, columns=columns, **reading)
    tell("Cleaning", 0, 0)
    cleaned = clean(
        orders, returns=options.returns, all_products=options.all_products, as_of=as_of, rules=options.rules
    )
    tell("Back-testing", 0, 0)
    return orders, cleaned, as_of or cleaned.audit.last_day + timedelta(days=1)


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""
