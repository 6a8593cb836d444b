"""`read` on tables of other engines, and where quantity, price and amount meet."""

from datetime import datetime
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest

from regulars.errors import SourceError
from regulars.reading import read
from regulars.schema import ORDERS, Columns

WHEN = datetime(2010, 1, 2, 3, 4)


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_table_with_types_stays_on_its_engine(engine):
    con = getattr(ibis, engine).connect()
    rows = pa.table({"customer": [7.0], "order": [" 1.0"], "date": [WHEN], "qty": [2], "price": [1.5]})
    orders = read(con.create_table("lines", rows))
    assert orders.table.get_backend() is con
    assert orders.table.select(*ORDERS).to_pyarrow().to_pylist() == [
        {
            "customer_id": "7",
            "order_id": "1",
            "ordered_at": WHEN,
            "quantity": Decimal(2),
            "unit_price": Decimal("1.5"),
            "amount": Decimal(3),
        }
    ]
    assert (orders.source, orders.fingerprint) == ("lines", "")


TEXT = pa.table({"customer": ["1"], "date": ["2010-01-02"], "amount": ["5"]})


def test_an_engine_that_cannot_read_text_says_so():
    lines = ibis.sqlite.connect().create_table("lines", TEXT)
    with pytest.raises(SourceError, match=r"^sqlite, the engine of lines, cannot read dates or numbers from text"):
        read(lines)


def test_lines_of_an_engine_that_cannot_clean_are_brought_over():
    orders = read(ibis.polars.connect().create_table("lines", TEXT))
    assert orders.notes[0] == "polars has no window functions: all order lines (1) were brought over into DuckDB."
    assert orders.table.get_backend().name == "duckdb"
    assert orders.table["amount"].to_pyarrow().to_pylist() == [Decimal(5)]
    assert orders.source == "lines"


def test_an_empty_text_is_not_the_working_folder():
    with pytest.raises(SourceError, match="The source is an empty text"):
        read("")


def test_an_amount_that_you_map_decides_over_the_price():
    rows = pa.table({"customer": [1, 1], "date": [WHEN] * 2, "qty": [4, 1], "price": [3, 9], "total": [10, -9]})
    orders = read(rows, columns=Columns(amount="total", unit_price="price"))
    assert orders.table.select("quantity", "unit_price", "amount").to_pyarrow().to_pylist() == [
        {"quantity": Decimal(4), "unit_price": Decimal("2.5"), "amount": Decimal(10)},
        {"quantity": Decimal(-1), "unit_price": Decimal(9), "amount": Decimal(-9)},
    ]
    assert orders.table["price"].to_pyarrow().to_pylist() == [3, 9]
    assert (
        orders.notes[0] == "The unit price is 'total' / 'qty', because you mapped amount; 'price' is kept but not used."
    )
