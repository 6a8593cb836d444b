"""Clean orders → one row per customer: recency, frequency, monetary value and what describes them beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir

from regulars.cleaning import Cleaned, has_contacts, latest_contacts
from regulars.cleaning.matching import any_row, same
from regulars.keeping import keep
from regulars.reading.bringing import bring_here
from regulars.schema import CUSTOMERS, HISTORIES

__all__ = ["build_features", "build_histories", "build_rfm", "find_gaps", "purchase_days", "purchase_gaps"]

_YEAR = 365  # days


def build_features(bought: ir.Table | Cleaned, *, as_of: date, gaps: ir.Table | None = None) -> ir.Table:
    """Count what every customer bought.

    Parameters
    ----------
    bought
        From `regulars.clean`, or order lines of your own with the columns of `schema.ORDERS`.
    as_of
        The day from which recency is counted; lines on or after it are left out.
    gaps
        From `find_gaps`, where it is already known.

    Returns
    -------
    ibis.Table
        One row per customer, columns of `schema.CUSTOMERS`, lazy. `recency_days`: calendar days from the last purchase to
        `as_of`; `frequency`: distinct orders; `monetary`: net revenue, decimal; `tenure_days`: days from the first
        purchase to `as_of`; `median_gap_days`: between purchase days, null with one; `return_rate`: returned ÷ bought, by
        value, null for lines of your own; `products`: distinct, null where the source has none; `country`: where most of
        the money came from. Then those of `schema.CONTACTS` that the source has.

    Notes
    -----
    One small query, where `bought` is a `Cleaned` and `gaps` is not given; else none.

    Examples
    --------
    >>> import ibis, datetime as dt
    >>> lines = ibis.memtable({"customer_id": ["a", "a", "b"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": [dt.datetime(2024, 1, d, 10) for d in (1, 8, 3)], "amount": [5.0, 7.5, 3.0]})
    >>> table = build_features(lines, as_of=dt.date(2024, 1, 10)).order_by("customer_id")
    >>> table.select("customer_id", "recency_days", "frequency", "monetary").to_pyarrow().to_pylist()[0]
    {'customer_id': 'a', 'recency_days': 2, 'frequency': 2, 'monetary': Decimal('12.5000')}
    """
    cut = _cut(bought, as_of)
    people = build_rfm(cut, as_of=as_of)
    orders, products = (cut.orders, cut.products) if isinstance(cut, Cleaned) else (_orders(cut), _products(cut))
    gaps = find_gaps(cut) if gaps is None else gaps
    people = _join(people, gaps.group_by("customer_id").agg(median_gap_days=gaps["gap"].median()))
    people = _join(people, _main_country(orders)) if "country" in orders.columns else people.mutate(country=None)
    people = people.mutate(products=None) if products is None else _join(people, products)
    if isinstance(bought, Cleaned):
        people = _join(people, bought.returned)
        back = people["returned_amount"].fill_null(0).cast("float64")
        people = people.mutate(return_rate=back / (back + people["monetary"].cast("float64")))
    else:
        people = people.mutate(return_rate=None)
    contacts = _contacts(cut)
    if contacts is None:
        return people.select(**_typed(people, CUSTOMERS))
    return _join(people.select(**_typed(people, CUSTOMERS)), contacts)


def build_rfm(bought: ir.Table | Cleaned, *, as_of: date) -> ir.Table:
    """Count only recency, frequency and monetary value; the columns mean the same as in `build_features`; no query.

    Returns
    -------
    ibis.Table
        `customer_id`, `first_order`, `last_order`, `recency_days`, `frequency`, `monetary`, `tenure_days`,
        `avg_order_value`; lazy.

    Examples
    --------
    >>> import ibis, datetime as dt
    >>> lines = ibis.memtable({"customer_id": ["a", "a", "b"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": [dt.datetime(2024, 1, d, 10) for d in (1, 8, 3)], "amount": [5.0, 7.5, 3.0]})
    >>> people = build_rfm(lines, as_of=dt.date(2024, 1, 10)).order_by("customer_id")
    >>> people.select("recency_days", "frequency", "tenure_days").to_pyarrow().to_pylist()
    [{'recency_days': 2, 'frequency': 2, 'tenure_days': 9}, {'recency_days': 7, 'frequency': 1, 'tenure_days': 7}]
    """
    cut = _cut(bought, as_of)
    orders = cut.orders if isinstance(cut, Cleaned) else _orders(cut)
    people = orders.group_by("customer_id").agg(
        first_order=orders["first_at"].min().date(),
        last_order=orders["last_at"].max().date(),
        frequency=orders.count(),
        monetary=orders["amount"].sum(),
    )
    today = ibis.date(as_of.isoformat())
    people = people.mutate(
        recency_days=today.delta(people["last_order"], unit="day"),
        tenure_days=today.delta(people["first_order"], unit="day"),
        avg_order_value=people["monetary"].cast("float64") / people["frequency"],
    )
    names = [name for name in CUSTOMERS if name in people.columns]
    return people.select(**_typed(people, {name: CUSTOMERS[name] for name in names}))


def purchase_days(bought: ir.Table | Cleaned) -> ir.Table:
    """`customer_id`, `day`, `amount`: the calendar days on which a customer bought for more than nothing; no query.

    Parameters
    ----------
    bought
        From `regulars.clean`, or order lines of your own. An order counts on the day of its first line.
    """
    orders = bought.orders if isinstance(bought, Cleaned) else _orders(bought)
    days = orders.select("customer_id", "amount", day=orders["first_at"].date())
    days = days.group_by("customer_id", "day").agg(amount=days["amount"].sum())
    return days.filter(days["amount"] > 0)


def build_histories(bought: ir.Table | Cleaned, *, as_of: date) -> ir.Table:
    """Count what forecasts are made from: when and how often every customer bought; no query.

    Parameters
    ----------
    bought
        From `regulars.clean`, or order lines of your own.
    as_of
        Today; lines on or after it are left out.

    Returns
    -------
    ibis.Table
        One row per customer with a purchase of more than nothing, columns of `schema.HISTORIES`, lazy.

    Examples
    --------
    >>> import ibis, datetime as dt
    >>> lines = ibis.memtable({"customer_id": ["a", "a", "b"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": [dt.datetime(2024, 1, d, 10) for d in (1, 8, 3)], "amount": [5.0, 7.0, 3.0]})
    >>> histories = build_histories(lines, as_of=dt.date(2024, 1, 10)).order_by("customer_id")
    >>> histories.select("repeat_orders", "active_days", "age_days", "order_value").to_pyarrow().to_pylist()[0]
    {'repeat_orders': 1, 'active_days': 7, 'age_days': 9, 'order_value': 6.0}
    """
    days = purchase_days(_cut(bought, as_of))
    today = ibis.date(as_of.isoformat())
    facts = days.group_by("customer_id").agg(
        n=days.count(),
        first=days["day"].min(),
        last=days["day"].max(),
        spent=days["amount"].sum(),
        first_spent=days["amount"].argmin(days["day"]),
        last_year=days["amount"].sum(where=today.delta(days["day"], unit="day") <= _YEAR),
    )
    repeat = facts["n"] - 1
    facts = facts.mutate(
        repeat_orders=repeat,
        active_days=facts["last"].delta(facts["first"], unit="day"),
        age_days=today.delta(facts["first"], unit="day"),
        order_value=facts["spent"].cast("float64") / facts["n"],
        repeat_value=(facts["spent"] - facts["first_spent"]).cast("float64") / repeat.nullif(0),
        last_year=facts["last_year"].fill_null(0),
    )
    return facts.select(**_typed(facts, HISTORIES))


def find_gaps(bought: ir.Table | Cleaned) -> ir.Table:
    """`customer_id`, `gap`: days between a customer's consecutive purchase days; one small query.

    Parameters
    ----------
    bought
        From `regulars.clean`, or order lines of your own.
    """
    days = _days(bought).distinct()
    before = days["day"].lag(1).over(group_by="customer_id", order_by="day")
    gaps = days.mutate(gap=days["day"].delta(before, unit="day"))
    return gaps.filter(gaps["gap"].notnull()).select("customer_id", "gap")


def purchase_gaps(gaps: ir.Table) -> dict[int, int]:
    """Count the gaps over all customers: gap in days → how many; empty where nobody came twice. One query.

    Parameters
    ----------
    gaps
        From `find_gaps`.
    """
    table = gaps.group_by("gap").agg(n=gaps.count()).order_by("gap").to_pyarrow()
    return dict(zip(table["gap"].to_pylist(), table["n"].to_pylist(), strict=True))


def _cut(bought: ir.Table | Cleaned, as_of: date) -> ir.Table | Cleaned:
    """What was bought before a day: clean lines that end before it stay what they are."""
    if isinstance(bought, Cleaned):
        if as_of > bought.audit.last_day:
            return bought
        bought = bought.table
    return bought.filter(bought["ordered_at"] < ibis.timestamp(f"{as_of.isoformat()}T00:00:00"))


def _days(bought: ir.Table | Cleaned) -> ir.Table:
    """`customer_id`, `day` of purchases; the lines are only looked at for orders that run over several days."""
    if not isinstance(bought, Cleaned):
        return bought.select("customer_id", day=bought["ordered_at"].date())
    orders, lines = bought.orders, bought.table
    first, last = orders["first_at"].date(), orders["last_at"].date()
    days = orders.select("customer_id", day=first)
    keys = ["customer_id", "order_id"]
    long = keep(orders.filter(first != last).select(keys))
    if not any_row(long):
        return days
    elsewhere = lines.get_backend() is not orders.get_backend()
    few = ibis.memtable(long.to_pyarrow()) if elsewhere else long
    more = lines.semi_join(few, same(lines, few, keys))
    more = more.select("customer_id", day=more["ordered_at"].date())
    return days.union(bring_here(more) if elsewhere else more)


def _orders(lines: ir.Table) -> ir.Table:
    country = {"country": lines["country"].min()} if "country" in lines.columns else {}
    return lines.group_by("customer_id", "order_id").agg(
        first_at=lines["ordered_at"].min(), last_at=lines["ordered_at"].max(), amount=lines["amount"].sum(), **country
    )


def _products(lines: ir.Table) -> ir.Table | None:
    if "product_id" not in lines.columns:
        return None
    return lines.group_by("customer_id").agg(products=lines["product_id"].nunique())


def _contacts(bought: ir.Table | Cleaned) -> ir.Table | None:
    if isinstance(bought, Cleaned):
        return bought.contacts
    return latest_contacts(bought) if has_contacts(bought) else None


def _main_country(orders: ir.Table) -> ir.Table:
    """`customer_id`, `country`: whence most of the money of their orders came; equal money: first by name."""
    spent = orders.group_by("customer_id", "country").agg(_spent=orders["amount"].sum())
    place = ibis.row_number().over(group_by="customer_id", order_by=[ibis.desc("_spent"), "country"])
    spent = spent.mutate(_place=place)
    return spent.filter(spent["_place"] == 0).select("customer_id", "country")


def _join(people: ir.Table, facts: ir.Table) -> ir.Table:
    return people.left_join(facts, "customer_id").drop("customer_id_right")


def _typed(table: ir.Table, columns: Mapping[str, str]) -> dict[str, ir.Value]:
    return {name: table[name].cast(kind) for name, kind in columns.items()}
