"""Columns, types and units of every table, and `Columns`: the user's names for ours.

Tables are Ibis tables with these names. Money is decimal until it leaves the engine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

__all__ = [
    "CONTACTS",
    "CUSTOMERS",
    "FORECASTS",
    "HISTORIES",
    "LABELS",
    "MEASURES",
    "MIN_CUSTOMERS",
    "MONEY",
    "OPTIONAL_ORDERS",
    "ORDERS",
    "SCORES",
    "Columns",
]

MONEY = "decimal(18, 4)"

MIN_CUSTOMERS = 10  # fewer do not make segments

#: One row per order line. Always present; `quantity` and `unit_price` are null where a source has amounts only.
ORDERS: dict[str, str] = {
    "customer_id": "string",
    "order_id": "string",
    "ordered_at": "timestamp",
    "quantity": MONEY,
    "unit_price": MONEY,
    "amount": MONEY,
}

#: Present where the source has them.
OPTIONAL_ORDERS: dict[str, str] = {
    "product_id": "string",
    "product": "string",
    "country": "string",
    "currency": "string",
    "email": "string",
    "phone": "string",
    "consent": "string",
}

#: The three measures that scores and clusters are made of: days, orders, money.
MEASURES: tuple[str, str, str] = ("recency_days", "frequency", "monetary")

#: One row per customer. Days are calendar days; money is in the source's currency.
CUSTOMERS: dict[str, str] = {
    "customer_id": "string",
    "first_order": "date",
    "last_order": "date",
    "recency_days": "int64",
    "frequency": "int64",
    "monetary": MONEY,
    "tenure_days": "int64",
    "avg_order_value": "float64",
    "median_gap_days": "float64",
    "return_rate": "float64",
    "products": "int64",
    "country": "string",
}

#: How a customer can be reached, where the source says it: the latest that is not empty.
CONTACTS: dict[str, str] = {"email": "string", "phone": "string", "consent": "string"}

#: Added by scoring: 1 is worst, 5 (or the pack's highest level) is best.
SCORES: dict[str, str] = {
    "r_score": "int8",
    "f_score": "int8",
    "m_score": "int8",
    "rfm_score": "string",
    "rfm_group": "string",
}

#: Added by a model: the segment, the distance to its centre (in standard deviations) and the second nearest.
LABELS: dict[str, str] = {
    "segment_id": "int64",
    "segment": "string",
    "distance": "float64",
    "runner_up": "string",
}


#: One row per customer: the days on which they bought for more than nothing, which forecasts are made from. An order is a
#: calendar day here. `active_days` runs from the first to the last order, `age_days` from the first to today.
HISTORIES: dict[str, str] = {
    "customer_id": "string",
    "repeat_orders": "int64",
    "active_days": "int64",
    "age_days": "int64",
    "order_value": "float64",  # mean over all orders
    "repeat_value": "float64",  # mean over all but the first, null with one
    "last_year": MONEY,  # spent within the last 365 days
}

#: Added by a forecast, for a stated number of days: the chance of an order, expected orders, their mean value, what they
#: bring, the chance that the customer has not left (null where the data cannot tell), and revenue of the last 365 days ×
#: chance of no order.
FORECASTS: dict[str, str] = {
    "p_active": "float64",
    "expected_orders": "float64",
    "order_value": "float64",
    "expected_value": "float64",
    "p_alive": "float64",
    "revenue_at_risk": "float64",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The user's column names for ours; `None` leaves a column to be recognised.

    Parameters
    ----------
    customer_id, order_id, ordered_at, quantity, unit_price, amount
        Who bought, in which order, when, how many, at which price each, for how much in all.
    product_id, product, country, currency, email, phone, consent
        Optional; `consent` is whether the customer agreed to marketing, as the source says it.

    Examples
    --------
    >>> Columns(customer_id="Client", ordered_at="When", amount="Total").given()
    {'customer_id': 'Client', 'ordered_at': 'When', 'amount': 'Total'}
    """

    customer_id: str | None = None
    order_id: str | None = None
    ordered_at: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    amount: str | None = None
    product_id: str | None = None
    product: str | None = None
    country: str | None = None
    currency: str | None = None
    email: str | None = None
    phone: str | None = None
    consent: str | None = None

    def given(self) -> dict[str, str]:
        """Only the columns that were named, by our name."""
        return {ours: theirs for ours, theirs in asdict(self).items() if theirs is not None}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All names that can be mapped."""
        return tuple(field.name for field in fields(cls))
