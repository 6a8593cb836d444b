"""The peer for value: lifetimes' `ModifiedBetaGeoFitter` or `BetaGeoFitter`, with a row per customer.

It runs in an environment of its own, which value.py makes.

Usage: python benchmarks/value_lifetimes.py HISTORIES OUTPUT_FOLDER [--model mbg-nbd | bg-nbd]
"""

from importlib.metadata import version
from typing import Any

import value_peers
from clock import Clock


def forecast(people: Any, model: str, *, clock: Clock) -> tuple[Any, dict[str, Any]]:
    """Fit, and expect orders for every customer."""
    clock.stage("start")
    import lifetimes
    from lifetimes.utils import ConvergenceError

    facts = {"version": f"lifetimes {version('lifetimes')}"}
    fitter = {"mbg-nbd": lifetimes.ModifiedBetaGeoFitter, "bg-nbd": lifetimes.BetaGeoFitter}[model]()
    row = people["repeat_orders"], people["active_days"], people["age_days"]
    clock.stage("fit")
    try:
        fitter.fit(*row)
    except ConvergenceError as error:
        return None, facts | {"failed": f"does not converge: {str(error).strip().splitlines()[0]}"}
    clock.stage("score")
    orders = fitter.conditional_expected_number_of_purchases_up_to_time(value_peers.HORIZON, *row)
    return orders, facts | {"parameters": {name: float(value) for name, value in fitter.params_.items()}}


if __name__ == "__main__":
    value_peers.run(forecast, __doc__)
