"""The peer for value: pymc-marketing's `ModifiedBetaGeoModel` or `BetaGeoModel` at the maximum a posteriori, usual priors.

It runs in an environment of its own, which value.py makes.

Usage: python benchmarks/value_pymc.py HISTORIES OUTPUT_FOLDER [--model mbg-nbd | bg-nbd]
"""

from importlib.metadata import version
from typing import Any

import value_peers
from clock import Clock

NAMES = {"repeat_orders": "frequency", "active_days": "recency", "age_days": "T"}
PARAMETERS = ("r", "alpha", "a", "b")


def forecast(people: Any, model: str, *, clock: Clock) -> tuple[Any, dict[str, Any]]:
    """Fit, and expect orders for every customer."""
    clock.stage("start")
    from pymc_marketing import clv

    data = people[["customer_id", *NAMES]].rename(columns=NAMES)
    clock.stage("fit")
    fitted = {"mbg-nbd": clv.ModifiedBetaGeoModel, "bg-nbd": clv.BetaGeoModel}[model](data=data)
    fitted.fit(method="map", progressbar=False)
    clock.stage("score")
    orders = fitted.expected_purchases(future_t=value_peers.HORIZON).to_numpy().ravel()
    found = fitted.fit_result
    return orders, {
        "version": f"pymc-marketing {version('pymc-marketing')}",
        "parameters": {name: float(found[name].mean()) for name in PARAMETERS},
    }


if __name__ == "__main__":
    value_peers.run(forecast, __doc__)
