"""A made-up gift shop: order lines as a shop exports them, with known segments and known dirt.

Nothing is read from anywhere: `make_orders` draws everything from one seed. Inside, money is whole pence and time is
minutes since the first midnight of the file, so that the stated sums are exact.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regulars.errors import OptionError

__all__ = ["Dirt", "SampleShop", "make_orders"]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirt:
    """How many rows of the sample shop are what, and what the shop really earned.

    Every row is counted once, in the order in which a cleaner meets it, so that `lines` is the sum of `duplicates`,
    `without_customer`, `free`, `negative_price`, `services`, `returns` and `purchases`.

    Parameters
    ----------
    lines
        Rows of the table.
    duplicates
        Extra copies of a row, equal in every column.
    without_customer
        Rows with no `CustomerID`: guest orders and stock that was written off.
    free
        Rows with a price of zero.
    negative_price
        Rows with a price below zero: bad debts.
    services
        Rows that are not a product: postage, carriage, bank charges, discounts, manual entries.
    returns
        Rows of cancelled orders (`InvoiceNo` starts with C, `Quantity` < 0) of products.
    unmatched_returns
        Those of `returns` whose purchase lies before the first day: the customer never bought that product in the
        file. Each of the others takes back all or part of one earlier line: same customer, product and price.
    purchases
        Rows that are left: products that a known customer paid for.
    gross
        Money of `purchases`, to the cent.
    returned
        Money that matched returns gave back, as a positive number.
    net
        `gross` − `returned`: what netting has to find.
    unmatched
        Money on unmatched returns, as a positive number; in none of the sums above.
    """

    lines: int
    duplicates: int
    without_customer: int
    free: int
    negative_price: int
    services: int
    returns: int
    unmatched_returns: int
    purchases: int
    gross: Decimal
    returned: Decimal
    net: Decimal
    unmatched: Decimal

    def to_dict(self) -> dict[str, int | Decimal]:
        """Every count and sum by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleShop:
    """A made-up shop: what its export shows, and the truth behind it.

    Parameters
    ----------
    orders
        One row per order line, in time order, with the columns of the UCI Online Retail file: InvoiceNo (string),
        StockCode (string), Description (string), Quantity (int64, pieces), InvoiceDate (timestamp, whole minutes),
        UnitPrice (float64, pounds for one piece), CustomerID (int64, null for guests), Country (string).
    truth
        One row per customer, by CustomerID: CustomerID (int64) and kind (string: loyal, occasional, new or lapsed).
    dirt
        How many rows are what, and the true money.
    """

    orders: pa.Table
    truth: pa.Table
    dirt: Dirt

    def __repr__(self) -> str:
        counts = f"{self.dirt.lines:,} lines, {self.truth.num_rows:,} customers"
        return f"SampleShop({counts}, net {self.dirt.net:,})"


def make_orders(
    customers: int = 4000, days: int = 365, *, seed: int = 0, start: date = date(2024, 1, 1)
) -> SampleShop:
    """Make up a shop with four kinds of customers and the dirt of a real export.

    Loyal (12 %), occasional (33 %), new (28 %) and lapsed customers (27 %) differ in how often they order (Poisson with
    gamma-distributed rates), how much (log-normal) and when; they overlap as people do. A longer file tells the same
    story more slowly: the share of `days` in which somebody is new, and the orders per customer, stay the same.

    Parameters
    ----------
    customers
        Customers with a number, at least 20. About 38 order lines each.
    days
        Calendar days from `start`, 90 to 1500. The shop is closed on Saturdays and from Christmas to New Year.
    seed
        Same seed, same bytes. Zero or more.
    start
        First day of the file.

    Returns
    -------
    SampleShop
        The order lines, who is who, and how many rows are dirty.

    Raises
    ------
    OptionError
        Too few customers, too few or too many days, or a negative seed.

    Examples
    --------
    >>> shop = make_orders(customers=50, days=180, seed=1)
    >>> shop.orders.column_names
    ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID', 'Country']
    >>> shop.truth.num_rows
    50
    >>> shop.dirt.gross - shop.dirt.returned == shop.dirt.net
    True
    """
    _check(customers, days, seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    calendar = _open_days(np.datetime64(start, "D"), days)
    catalogue = _stock(rng)
    people = _hire(rng, customers)
    orders = _order(rng, people, calendar)
    guests = _visit(rng, orders, calendar)
    bought = _fill(rng, orders, catalogue)
    given_back = _give_back(rng, bought, calendar)
    lines = _join(
        bought,
        given_back,
        _fill(rng, guests, catalogue),
    )
    raise NotImplementedError
