"""What the peers for the value models share: the histories as a pandas frame, and the forecasts as Parquet."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clock import Clock

HORIZON = 90  # days
COLUMNS = ("customer_id", "repeat_orders", "active_days", "age_days", "next_90_days")

#: A frame of histories, the name of a model and the clock → expected orders of each customer, and facts.
Forecast = Callable[..., tuple[Any, dict[str, Any]]]


def run(forecast: Forecast, doc: str | None) -> None:
    """Read the command line and the histories, forecast, write the result, and tell."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=["mbg-nbd", "bg-nbd"], default="mbg-nbd")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    clock = Clock("start")
    import pandas as pd

    clock.stage("read")
    people = pd.read_parquet(asked.source, columns=list(COLUMNS))
    orders, facts = forecast(people, asked.model, clock=clock)
    if orders is not None:
        orders = pd.Series(orders)
        people.assign(expected_orders=orders)[["customer_id", "expected_orders"]].to_parquet(
            asked.folder / "forecasts.parquet"
        )
        clock.stage("check")
        came = int(people["next_90_days"].sum())
        facts |= {"forecast": int(orders.notna().sum()), "expected": float(orders.sum()), "came": came}
    clock.tell(customers=len(people), **facts)
