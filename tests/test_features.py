"""One row per customer, against counting by hand and against pandas."""

from datetime import date, datetime
from decimal import Decimal

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import oracles
import regulars as rg
from regulars.features import find_gaps, purchase_gaps
from regulars.schema import CUSTOMERS

AS_OF = date(2024, 3, 1)
COLUMNS = ("customer_id", "order_id", "ordered_at", "amount", "product_id", "country")


@pytest.fixture(scope="module")
def lines(con):
    """Rows of `COLUMNS` → clean order lines."""

    def table(rows, *, without=()) -> ibis.Table:
        kinds = {"ordered_at": pa.timestamp("us"), "amount": pa.decimal128(18, 4)}
        cells = {
            name: pa.array(map(Decimal, map(str, cells)) if name == "amount" else cells, kinds.get(name, pa.string()))
            for name, cells in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        }
        return con.create_table(ibis.util.gen_name("lines"), pa.table(cells)).drop(*without)

    return table


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"2024-{day}")


ANN = [
    ("ann", "1", at("01-01 23:59"), 10, "mug", "France"),
    ("ann", "1", at("01-01 23:59"), 5, "cup", "France"),
    ("ann", "2", at("01-02 00:01"), 30, "mug", "Spain"),  # two minutes later, and the next day
    ("ann", "3", at("01-12 12:00"), 15, "pot", "France"),
    ("ann", "4", at("01-15 12:00"), 40, "mug", "France"),
]
BOB = [("bob", "9", at("02-29 08:00"), 7.5, "mug", "Spain")]


def customers(table: ibis.Table, **options) -> dict[str, dict]:
    rows = rg.build_features(table, **({"as_of": AS_OF} | options)).to_pyarrow().to_pylist()
    return {row["customer_id"]: row for row in rows}


def test_two_customers_by_hand(lines):
    found = customers(lines(ANN + BOB))

    assert found["ann"] == {
        "customer_id": "ann",
        "first_order": date(2024, 1, 1),
        "last_order": date(2024, 1, 15),
        "recency_days": 46,  # 16 in January, 29 in February of a leap year, 1
        "frequency": 4,
        "monetary": Decimal("100.0000"),
        "tenure_days": 60,
        "avg_order_value": 25.0,
        "median_gap_days": 3.0,  # of 1, 10 and 3
        "return_rate": None,
        "products": 3,
        "country": "France",  # 70 against 30
    }
    assert found["bob"]["recency_days"] == found["bob"]["tenure_days"] == 1
    assert found["bob"]["median_gap_days"] is None


def test_columns_are_those_of_the_schema(lines):
    table = rg.build_features(lines(BOB), as_of=AS_OF)

    assert dict(table.schema().items()) == {name: ibis.dtype(kind) for name, kind in CUSTOMERS.items()}


def test_midnight_belongs_to_the_new_day(lines):
    evening = customers(lines([("ann", "1", at("02-28 23:59"), 1, "mug", "France")]))
    midnight = customers(lines([("ann", "1", at("02-29 00:00"), 1, "mug", "France")]))

    assert (evening["ann"]["recency_days"], midnight["ann"]["recency_days"]) == (2, 1)


def test_lines_on_or_after_as_of_are_left_out(lines):
    at_midnight = [("ann", "5", at("01-15 00:00"), 1, "mug", "France")]

    found = customers(lines(ANN + at_midnight + BOB), as_of=date(2024, 1, 15))

    assert set(found) == {"ann"}
    assert (found["ann"]["frequency"], found["ann"]["recency_days"]) == (3, 3)


def test_equal_money_from_two_countries_goes_to_the_first_by_name(lines):
    tie = [
        ("ann", str(i), at("01-01 10:00"), 5, "mug", country) for i, country in enumerate(["Spain", "France", "Malta"])
    ]

    assert customers(lines(tie))["ann"]["country"] == "France"


def test_what_the_source_lacks_is_null(lines):
    found = customers(lines(ANN, without=("product_id", "country")))["ann"]

    assert (found["products"], found["country"]) == (None, None)


def test_return_rate_is_returned_by_bought(shop):
    orders = shop(
        """
        invoice  date        customer  product  quantity  price
        1        2024-01-01  ann       mug      10        10
        2        2024-01-02  ann       cup      5         5
        C3       2024-01-03  ann       cup      -5        5
        4        2024-01-01  bob       mug      1         7.50
        5        2024-01-01  gone      mug      1         9
        C6       2024-01-02  gone      mug      -1        9
        """
    )

    found = customers(rg.clean(orders))

    assert found["ann"]["return_rate"] == pytest.approx(25 / 125)
    assert found["ann"]["products"] == 1  # all cups went back
    assert found["bob"]["return_rate"] == 0
    assert "gone" not in found


def test_an_order_over_two_days_that_loses_its_second_day(shop):
    orders = shop(
        """
        invoice  date              customer  product  quantity  price
        1        2024-01-01 10:00  ann       mug      1         10
        1        2024-01-20 10:00  ann       cup      1         5
        C2       2024-01-21 10:00  ann       cup      -1        5
        3        2024-01-01 10:00  bob       mug      1         10
        3        2024-01-05 10:00  bob       pot      1         10
        3        2024-01-20 10:00  bob       cup      1         5
        """
    )

    found = customers(rg.clean(orders))

    assert found["ann"]["last_order"] == date(2024, 1, 1)
    assert (found["bob"]["last_order"], found["bob"]["median_gap_days"]) == (date(2024, 1, 20), 9.5)  # 4 and 15


def test_lines_without_an_order_number_are_one_order_over_its_days(shop):
    orders = shop(
        """
        invoice  date              customer  product  quantity  price
        -        2024-01-01 10:00  ann       mug      1         10
        -        2024-01-05 10:00  ann       pot      1         10
        -        2024-01-20 10:00  ann       cup      1         5
        -        2024-01-20 11:00  ann       cup      -1        5
        7        2024-01-01 10:00  bob       mug      1         10
        """
    )

    found = customers(rg.clean(orders))["ann"]

    assert (found["frequency"], found["last_order"], found["median_gap_days"]) == (1, date(2024, 1, 5), 4.0)


def test_without_order_numbers_an_order_is_a_day(shop):
    orders = shop(
        """
        date              customer  amount
        2024-01-01 00:00  a         5
        2024-01-01 23:59  a         6
        2024-01-02 00:00  a         7
        2024-01-01 12:00  b         8
        """
    )

    found = customers(rg.clean(orders))

    assert {name: row["frequency"] for name, row in found.items()} == {"a": 2, "b": 1}


def test_gaps_are_between_purchase_days_not_orders(lines):
    same_day = [("ann", "5", at("01-15 18:00"), 1, "mug", "France")]

    assert purchase_gaps(find_gaps(lines(ANN + same_day + BOB))) == {1: 1, 3: 1, 10: 1}


def test_nobody_came_twice(lines):
    assert purchase_gaps(find_gaps(lines(BOB))) == {}


line = st.tuples(
    st.sampled_from("abcdef"),
    st.sampled_from("123456"),
    st.datetimes(datetime(2024, 1, 1), datetime(2024, 3, 5)).map(lambda t: t.replace(microsecond=0)),
    st.decimals("0.01", "99", places=2),
    st.sampled_from(["mug", "cup", "pot"]),
    st.sampled_from(["France", "Spain"]),
)


# No shrinking: with an engine behind each try it would take minutes.
@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(rows=st.lists(line, min_size=20, max_size=80))
def test_features_equal_those_of_pandas(lines, rows):
    truth = oracles.features(pd.DataFrame(rows, columns=COLUMNS), as_of=AS_OF)

    found = rg.build_features(lines(rows), as_of=AS_OF).order_by("customer_id").to_pyarrow().to_pylist()

    assert [row["customer_id"] for row in found] == list(truth.index)
    for row, expected in zip(found, truth.to_dict("records"), strict=True):
        expected = {name: None if pd.isna(value) else value for name, value in expected.items()}
        assert {name: row[name] for name in expected} == expected | {
            "avg_order_value": pytest.approx(expected["avg_order_value"])
        }
