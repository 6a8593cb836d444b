"""The sample shop as its user sees it: `make_orders`, the export and the truth behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from regulars.datasets.setting import (
    COUNTRIES,
    COUNTRY_SHARES,
    KINDS,
    Ints,
    People,
    Random,
    Setting,
    draw_setting,
)
from regulars.datasets.steady import Visits, draw_visits
from regulars.datasets.trading import NOBODY, Batch, Sort, trade
from regulars.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Dirt", "SampleShop", "make_orders"]

FEWEST_CUSTOMERS = 20
FEWEST_DAYS, MOST_DAYS = 90, 1500

#: Share of rows that are written twice.
DUPLICATED = 0.01
FIRST_INVOICE = 500_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirt:
    """How many rows of the sample shop are what, and what the shop really earned.

    Every row is counted once, in the order in which a cleaner meets it, so that `lines` is the sum of
    `duplicates`, `without_customer`, `free`, `negative_price`, `services`, `returns` and `purchases`.

    Parameters
    ----------
    lines
        Rows of the table.
    duplicates
        Extra copies of a row, equal in every column.
    without_customer
        Rows with no CustomerID: guest orders and stock that was written off.
    free
        Rows with a price of zero.
    negative_price
        Rows with a price below zero: bad debts.
    services
        Rows that are not a product: postage, carriage, bank charges, discounts, manual entries.
    returns
        Rows of products on cancellations (InvoiceNo starts with C, Quantity is negative).
    unmatched_returns
        Those of `returns` whose purchase lies before the first day: the customer never bought that product in
        the file. Each of the others takes back all or part of one earlier line: same customer, product, price.
    purchases
        Rows that are left: products that a known customer ordered.
    gross
        Money of `purchases`, in pounds, to the cent.
    returned
        Money that the matched returns gave back, as a positive number.
    net
        `gross` − `returned`: what netting has to find.
    unmatched
        Money on the unmatched returns, as a positive number; in none of the three sums above.
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
        One row per order line, in time order, with the columns of the UCI Online Retail file: InvoiceNo
        (string), StockCode (string), Description (string), Quantity (int64, pieces), InvoiceDate (timestamp,
        whole minutes), UnitPrice (float64, pounds for one piece), CustomerID (int64, null for guests), Country
        (string).
    truth
        One row per customer, by CustomerID: CustomerID (int64) and kind (string: loyal, occasional, new or
        lapsed). Of a steady shop: kind is staying or left, at the end of the file, and chance (float64) is that of an
        order in the last quarter of the file (at most 91 days), given when they had ordered before it; null for those who
        joined in it.
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
    customers: int = 4000,
    days: int = 365,
    *,
    seed: int = 0,
    start: date = date(2024, 1, 1),
    steady: bool = False,
) -> SampleShop:
    """Make up a shop with four kinds of customers and the dirt of a real export.

    Loyal (12 %), occasional (33 %), new (28 %) and lapsed customers (27 %) differ in when they order, how
    often (Poisson with gamma-distributed rates) and how much (log-normal); they overlap as people do. A longer
    file tells the same story more slowly: the orders per customer, and the share of the file in which somebody is
    new, stay the same.

    Parameters
    ----------
    customers
        Customers with a number, at least 20. Each brings about 32 rows.
    days
        Calendar days from `start`, 90 to 1500. The shop is closed on Saturdays and from Christmas to New
        Year.
    seed
        Same seed, same bytes. Zero or more.
    start
        First day of the file.
    steady
        Instead of four kinds, customers who join at any time, order at their own rate and leave by chance, and no
        seasons: a shop in which everybody's chance to come back is known.

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
    _check(customers=customers, days=days, seed=seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    first_day = np.datetime64(start, "D")
    setting = draw_setting(rng, start=first_day, days=days, customers=customers)
    visits = draw_visits(rng, days=days, customers=customers) if steady else None
    batch = trade(rng, setting, visits=visits)
    count = len(batch.lines.event)
    copied = rng.choice(count, round(DUPLICATED * count), replace=False)
    rows = _in_time_order(rng, batch, rows=np.append(np.arange(count), copied))
    return SampleShop(
        orders=_export(rng, setting, batch=batch, rows=rows, first_day=first_day),
        truth=_truth(setting.people) if visits is None else _steady_truth(setting.people, visits),
        dirt=_dirt(batch, copies=len(copied)),
    )


def _check(*, customers: int, days: int, seed: int) -> None:
    if customers < FEWEST_CUSTOMERS:
        raise OptionError(
            f"A sample shop with customers={customers} is too small for four kinds of customers.",
            hint=f"Ask for at least customers={FEWEST_CUSTOMERS}.",
        )
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise OptionError(
            f"A sample shop cannot be open for days={days}.",
            hint=f"Ask for days={FEWEST_DAYS} to days={MOST_DAYS}.",
        )
    if seed < 0:
        raise OptionError(f"There is no seed={seed}.", hint="A seed is a whole number, zero or more.")


def _places(batch: Batch) -> Ints:
    """The place of each event in time."""
    places = np.empty_like(batch.events.minute)
    places[np.argsort(batch.events.minute, kind="stable")] = np.arange(len(places))
    return places


def _in_time_order(rng: Random, batch: Batch, *, rows: Ints) -> Ints:
    """Rows by invoice in time; the lines of an invoice lie in any order."""
    ordered: Ints = rows[np.lexsort((rng.random(len(rows)), _places(batch)[batch.lines.event[rows]]))]
    return ordered


def _export(rng: Random, setting: Setting, *, batch: Batch, rows: Ints, first_day: np.datetime64) -> pa.Table:
    """The table as a shop exports it; invoice numbers rise with time."""
    _, catalogue, people = setting
    events, lines = batch
    event, item = lines.event[rows], lines.item[rows]
    known = events.person != NOBODY
    anywhere = rng.choice(len(COUNTRIES), len(known), p=COUNTRY_SHARES)
    country = np.where(known, people.country[events.person], anywhere)
    numbers = zip(events.cancelled.tolist(), (FIRST_INVOICE + _places(batch)).tolist(), strict=True)
    invoices = [f"C{number}" if cancelled else str(number) for cancelled, number in numbers]
    moment = first_day.astype("datetime64[us]") + events.minute[event] * np.timedelta64(1, "m")
    customer = np.where(known, people.number[events.person], 0)[event]
    return pa.table(
        {
            "InvoiceNo": _texts(invoices, event),
            "StockCode": _texts(catalogue.codes, item),
            "Description": _texts(catalogue.names, item),
            "Quantity": pa.array(lines.quantity[rows], pa.int64()),
            "InvoiceDate": pa.array(moment, pa.timestamp("us")),
            "UnitPrice": pa.array(lines.pence[rows] / 100, pa.float64()),
            "CustomerID": pa.array(customer, pa.int64(), mask=~known[event]),
            "Country": _texts(COUNTRIES, country[event]),
        }
    )


def _truth(people: People) -> pa.Table:
    names = [kind.name for kind in KINDS]
    return pa.table({"CustomerID": pa.array(people.number, pa.int64()), "kind": _texts(names, people.kind)})


def _steady_truth(people: People, visits: Visits) -> pa.Table:
    return pa.table(
        {
            "CustomerID": pa.array(people.number, pa.int64()),
            "kind": _texts(["staying", "left"], visits.left),
            "chance": pa.array(visits.chance, pa.float64(), mask=np.isnan(visits.chance)),
        }
    )


def _texts(texts: Sequence[str], places: Ints) -> pa.StringArray:
    """The text at each place."""
    return pa.array(texts, pa.string()).take(places)


def _dirt(batch: Batch, *, copies: int) -> Dirt:
    """Counts and sums from what each line was made as, not from what the table looks like."""
    lines = batch.lines
    known = batch.events.person[lines.event] != NOBODY
    count = {sort: int(np.count_nonzero(known & (lines.sort == sort))) for sort in Sort}
    pence = {sort: int((lines.quantity * lines.pence)[known & (lines.sort == sort)].sum()) for sort in Sort}
    pounds = {sort: Decimal(total).scaleb(-2) for sort, total in pence.items()}
    return Dirt(
        lines=len(lines.event) + copies,
        duplicates=copies,
        without_customer=int(np.count_nonzero(~known)),
        free=count[Sort.FREE],
        negative_price=count[Sort.BAD_DEBT],
        services=count[Sort.SERVICE],
        returns=count[Sort.RETURN] + count[Sort.UNMATCHED],
        unmatched_returns=count[Sort.UNMATCHED],
        purchases=count[Sort.PURCHASE],
        gross=pounds[Sort.PURCHASE],
        returned=-pounds[Sort.RETURN],
        net=pounds[Sort.PURCHASE] + pounds[Sort.RETURN],
        unmatched=-pounds[Sort.UNMATCHED],
    )
