"""How dates, numbers and ids are written, and what they are: whole columns, worked out by hand, in two queries each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.reading import dates, numbers, read
from regulars.reading.texts import as_id, as_text, filled

CON = ibis.duckdb.connect()


def evaluated(cells: list[str], read: Callable[[ibis.Table], ibis.Value]) -> list[object]:
    table = ibis.memtable({"place": range(len(cells)), "cell": cells}, schema={"place": "int64", "cell": "string"})
    return CON.to_pyarrow(table.select("place", value=read(table)).order_by("place"))["value"].to_pylist()


def counts(cells: list[str], evidence: Callable[[ibis.Value], dict[str, ibis.Value]]) -> dict[str, int]:
    table = ibis.memtable({"cell": cells}, schema={"cell": "string"})
    facts = evidence(filled(table.cell))
    row = CON.to_pyarrow(table.aggregate(**{name: fact.sum() for name, fact in facts.items()})).to_pylist()[0]
    return {name: int(count or 0) for name, count in row.items()}


def read_dates(cells: list[str], dayfirst: bool | None = None) -> list[object]:
    how = dates.style(counts(cells, dates.evidence), dayfirst=dayfirst)
    return evaluated(cells, lambda table: dates.read_dates(filled(table.cell), how))


def read_numbers(cells: list[str], delimiter: str | None = ",") -> list[object]:
    how = numbers.style(counts(cells, numbers.evidence), others={}, delimiter=delimiter, column="x")
    return evaluated(cells, lambda table: numbers.read_numbers(filled(table.cell), how))


def test_dates_in_many_writings_of_one_column():
    told = {
        "2010-12-01": datetime(2010, 12, 1),
        "2010-12-01 08:26": datetime(2010, 12, 1, 8, 26),
        "2010-12-01T08:26:30Z": datetime(2010, 12, 1, 8, 26, 30),
        "2010-12-01T23:26:00+05:00": datetime(2010, 12, 1, 23, 26),
        "2010-12-01T08:26:30.5": datetime(2010, 12, 1, 8, 26, 30, 500_000),
        "2010/12/01": datetime(2010, 12, 1),
        "12/1/2010 8:26": datetime(2010, 12, 1, 8, 26),
        "12/13/2010 1:05 PM": datetime(2010, 12, 13, 13, 5),
        "12/13/2010 12:05 am": datetime(2010, 12, 13, 0, 5),
        "12-13-2010": datetime(2010, 12, 13),
        "12/1/10": datetime(2010, 12, 1),
        "12/1/99": datetime(1999, 12, 1),
        "1.12.2010": datetime(2010, 12, 1),
        "01.12.2010 14:05": datetime(2010, 12, 1, 14, 5),
        "20101201": datetime(2010, 12, 1),
        "40543.35": datetime(2010, 12, 31, 8, 24),
        "Dec 1, 2010": datetime(2010, 12, 1),
        "1 December 2010": datetime(2010, 12, 1),
        "1291191960": datetime(2010, 12, 1, 8, 26),
        "2010-02-30": None,
        "12.13.2010": None,
        "soon": None,
        "n/a": None,
    }
    assert dict(zip(told, read_dates(list(told)), strict=True)) == told


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["13/1/2010", "2/1/2010"], datetime(2010, 1, 13)),
        (["1/13/2010", "2/1/2010"], datetime(2010, 1, 13)),
        (["1-2-2010"], datetime(2010, 2, 1)),
    ],
)
def test_one_telling_cell_decides_for_the_column(cells, first):
    assert read_dates(cells, dayfirst=True if cells == ["1-2-2010"] else None)[0] == first


def test_numbers_with_a_decimal_point():
    told = {
        "1,234.56": Decimal("1234.56"),
        "1 234.56": Decimal("1234.56"),
        "1\u00a0234.56": Decimal("1234.56"),
        "1'234.56": Decimal("1234.56"),
        "1,23,456.5": Decimal("123456.5"),
        "£12.50": Decimal("12.5"),
        "12.50 €": Decimal("12.5"),
        "EUR 12.50": Decimal("12.5"),
        "US$ 5": Decimal(5),
        "(12.50)": Decimal("-12.5"),
        "-£5": Decimal(-5),
        "£-5": Decimal(-5),
        "12.50-": Decimal("-12.5"),
        "1e3": Decimal(1000),
        ".5": Decimal("0.5"),
        "1,234": Decimal(1234),
        "(5": None,
        "1,2,3": None,
        "1.2.3": None,
        "twelve": None,
        "12 apples": None,
        "99999999999999999": None,
        "": None,
    }
    assert dict(zip(told, read_numbers(list(told)), strict=True)) == told


def test_numbers_with_a_decimal_comma():
    told = {
        "1.234,56": Decimal("1234.56"),
        "1 234,56 €": Decimal("1234.56"),
        "1.234.567": Decimal(1234567),
        "-0,5": Decimal("-0.5"),
        "1.234": Decimal(1234),
        "12": Decimal(12),
    }
    assert dict(zip(told, read_numbers(list(told)), strict=True)) == told


def test_a_comma_before_three_digits_follows_the_file():
    assert read_numbers(["1,234"], delimiter=",") == [Decimal(1234)]
    assert read_numbers(["1,234"], delimiter=";") == [Decimal("1.234")]


def test_one_odd_cell_does_not_turn_a_column():
    assert read_numbers(["12.50", "3.25", "1,5"]) == [Decimal("12.5"), Decimal("3.25"), None]


def test_ids_and_texts():
    cells = ["17850.0", " 00042 ", "1.50", "A.0", "\u00a0x y\u00a0", "NaN", " ", "-"]
    assert evaluated(cells, lambda t: as_id(t.cell)) == ["17850", "00042", "1.50", "A.0", "x y", None, None, None]
    assert evaluated(cells, lambda t: as_text(t.cell))[4:] == ["x y", "NaN", None, "-"]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.datetimes(datetime(1954, 10, 3), datetime(2119, 1, 10)), min_size=1, max_size=30))
def test_excel_serials_survive_to_the_second(moments):
    moments = [moment.replace(microsecond=0) for moment in moments]
    days = [(moment - datetime(1899, 12, 30)) / timedelta(days=1) for moment in moments]
    assert read_dates([f"{day:.8f}" for day in days]) == moments


def test_a_products_name_stands_in_for_its_code():
    orders = read(
        pa.table({"customer": ["a"], "date": ["2024-01-02"], "product": ["Blue mug"], "qty": [2], "price": [3.5]})
    )
    assert orders.has_product
    assert orders.table.product_id.to_pyarrow().to_pylist() == ["Blue mug"]
    assert "stands in" in orders.notes[-1]
