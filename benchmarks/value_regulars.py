"""The value models with regulars, stage by stage: distinct histories, fit, and a forecast for every customer as Parquet.

Usage: python benchmarks/value_regulars.py HISTORIES OUTPUT_FOLDER [--model mbg-nbd | bg-nbd | pareto-nbd]
       [--memory-limit 2500MB] [--threads N] [--temp-dir DIR]
"""

import argparse
from pathlib import Path
from typing import Any

from clock import Clock

HORIZON = 90  # days
MODELS = ("mbg-nbd", "bg-nbd", "pareto-nbd")


def value(source: Path, folder: Path, *, model: str, machine: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Learn from all customers and forecast each; the result goes to `folder` / forecasts.parquet."""
    import scipy.optimize  # noqa: F401 - what is timed as start is the import

    from regulars.forecasting import Forecaster, group_histories, group_spend
    from regulars.reading import connecting
    from regulars.schema import FORECASTS
    from regulars.valuing import CustomerValue
    from regulars.valuing.learning import learn_spend

    con = connecting.connect(connecting.machine(**machine))
    connecting.forget_order(con)
    people = con.read_parquet(source)
    clock.stage("group")
    rows, weights = group_histories(people)
    clock.stage("fit")
    learned = CustomerValue(model=model).fit(rows, sample_weight=weights)
    clock.stage("group money")
    spend, spend_weights = group_spend(people)
    clock.stage("fit money")
    money = learn_spend(spend[:, 0], spend[:, 1], spend_weights, max_iter=learned.max_iter, tol=learned.tol)
    clock.stage("score")
    folder.mkdir(parents=True, exist_ok=True)
    forecaster = Forecaster(horizon_days=HORIZON, purchases=learned.purchases_, spend=money.model)
    forecasts = forecaster.forecast(people).select("customer_id", *FORECASTS)
    forecasts.to_parquet(folder / "forecasts.parquet")
    clock.stage("check")
    return {
        "customers": int(learned.customers_),
        "rows": len(rows),
        "money rows": len(spend),
        "parameters": learned.parameters_,
        "standard errors": learned.standard_errors_,
        "money": {name: getattr(money.model, name) for name in ("p", "q", "gamma")},
        "notes": [*learned.notes_, *money.notes],
        **_sums(con, source, folder),
    }


def _sums(con: Any, source: Path, folder: Path) -> dict[str, Any]:
    """Forecasts and what came, over all customers."""
    found = con.raw_sql(
        f"SELECT count(*), count(p_active), count(expected_value), sum(expected_orders), sum(p_active) "
        f"FROM '{folder / 'forecasts.parquet'}'"
    ).fetchone()
    came, some = con.raw_sql(f"SELECT sum(next_90_days), count_if(next_90_days > 0) FROM '{source}'").fetchone()
    names = ("forecast", "with a chance", "with a value", "expected", "expected to come")
    return dict(zip(names, found, strict=True)) | {"came": int(came), "customers who came": some}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=MODELS, default="mbg-nbd")
    parser.add_argument("--memory-limit", default="2500MB")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--temp-dir")
    asked = parser.parse_args()
    machine = {name: getattr(asked, name) for name in ("memory_limit", "threads", "temp_dir")}
    clock = Clock("start")
    clock.tell(**value(asked.source, asked.folder, model=asked.model, machine=machine, clock=clock))


if __name__ == "__main__":
    main()
