"""What a customer will probably do next: chance of an order, expected orders and value. Arrays only.

`CustomerValue` learns and predicts; `PurchaseModel` and `SpendModel` are what it has learned, as plain numbers. The
functions `log_likelihood`, `p_alive`, `p_active`, `expected_orders` and `expected_order_value` are the mathematics, for
arrays.

SciPy's optimisers are loaded when something is fitted; `CustomerValue`, and scikit-learn with it, when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from regulars.valuing.chances import ChanceModel, fit_chances
from regulars.valuing.learning import IDENTIFIED_GAIN
from regulars.valuing.models import PARAMETERS, PurchaseModel, expected_orders, log_likelihood, p_active, p_alive
from regulars.valuing.spending import SpendModel, expected_order_value

if TYPE_CHECKING:
    from regulars.valuing.estimator import FORECAST, CustomerValue

__all__ = [
    "FORECAST",
    "IDENTIFIED_GAIN",
    "PARAMETERS",
    "ChanceModel",
    "CustomerValue",
    "PurchaseModel",
    "SpendModel",
    "expected_order_value",
    "expected_orders",
    "fit_chances",
    "log_likelihood",
    "p_active",
    "p_alive",
]


def __getattr__(name: str) -> Any:
    if name not in ("CustomerValue", "FORECAST"):
        raise AttributeError(f"module 'regulars.valuing' has no attribute {name!r}")
    return getattr(import_module("regulars.valuing.estimator"), name)
