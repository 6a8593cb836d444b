"""The door in: small files with every trap, and what must come out, worked out by hand."""

import gzip
import hashlib
import re
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from regulars.errors import ColumnError, NotEnoughDataError, OptionError, SourceError, UnreadableError
from regulars.reading import Layout, Match, layouts, read
from regulars.schema import Columns

LINES = """\
Client,Order,Date,Qty,Price
7,A1,2011-01-31 09:30,2,1.50
7,A1,2011-01-31 09:30,1,4
8,A2,2011-02-01 17:05,3,2.25
"""


def save(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def rows(source, *names: str, **options) -> list[tuple]:
    """The named columns of the order lines, in file order."""
    table = read(source, **options).table
    return [tuple(row[name] for name in names) for row in table.to_pyarrow().to_pylist()]


def column(source, name: str, **options) -> list:
    return [value for (value,) in rows(source, name, **options)]


def lines(tmp_path: Path, *, delimiter: str = ",", name: str = "orders.csv", **cells: list[str]) -> Path:
    """A file of order lines in which only the given columns differ from the usual."""
    count = max(len(values) for values in cells.values())
    usual = {"Client": "7", "Order": "A1", "Date": "2011-01-31", "Qty": "1", "Price": "2"}
    columns = {head: [value] * count for head, value in usual.items()} | cells
    quoted = [[f'"{value}"' for value in (head, *values)] for head, values in columns.items()]
    return save(tmp_path / name, "\n".join(delimiter.join(row) for row in zip(*quoted, strict=True)) + "\n")


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_plain_csv(tmp_path):
    orders = read(save(tmp_path / "orders.csv", LINES))

    assert orders.table.to_pyarrow().to_pylist()[2] == {
        "customer_id": "8",
        "order_id": "A2",
        "ordered_at": datetime(2011, 2, 1, 17, 5),
        "quantity": Decimal(3),
        "unit_price": Decimal("2.25"),
        "amount": Decimal("6.75"),
    }
    assert orders.source == "orders.csv"
    assert orders.fingerprint == hashlib.sha256(LINES.encode()).hexdigest()
    assert orders.layout.name == "generic"
    assert orders.matches[0] == Match(field="customer_id", column="Client", why="common name")
    assert (orders.has_order_id, orders.has_product, orders.has_quantity) == (True, False, True)


def test_the_facts_without_the_table_are_plain_values(tmp_path):
    facts = read(save(tmp_path / "orders.csv", LINES)).to_dict()

    assert facts["layout"] == "generic"
    assert facts["matches"][1] == {"field": "order_id", "column": "Order", "why": "common name"}
    assert "table" not in facts


def test_showing_orders_asks_no_engine(tmp_path, monkeypatch):
    orders = read(save(tmp_path / "orders.csv", LINES))
    monkeypatch.setattr(type(orders.table.get_backend()), "to_pyarrow", None)

    assert "orders.csv" in repr(orders)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path, delimiter):
    file = save(tmp_path / "orders.txt", LINES.replace(",", delimiter))

    assert column(file, "amount") == [Decimal(3), Decimal(4), Decimal("6.75")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(tmp_path, encoding):
    file = save(tmp_path / "orders.csv", LINES.replace("8,A2", "Zoë,A2"), encoding=encoding)

    assert column(file, "customer_id") == ["7", "7", "Zoë"]


def test_utf_16_with_the_high_byte_first(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_bytes(b"\xfe\xff" + LINES.replace("8,A2", "Zoë,A2").encode("utf-16-be"))

    assert column(file, "customer_id") == ["7", "7", "Zoë"]


def test_one_windows_byte_at_the_end_of_a_long_file(tmp_path):
    many = LINES + "9,A3,2011-02-02,1,1\n" * 20_000
    file = save(tmp_path / "orders.csv", many + "€uro,A4,2011-02-02,1,1\n", encoding="cp1252")

    assert column(file, "customer_id")[-1] == "€uro"


def test_gzipped(tmp_path):
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(gzip.compress(LINES.encode()))

    assert column(file, "customer_id") == ["7", "7", "8"]


@pytest.mark.parametrize("name", ["a b.csv", "or[1].csv", "what?.csv", "st*r.csv"])
def test_a_name_with_signs_of_a_pattern_is_a_file(tmp_path, name):
    assert len(rows(save(tmp_path / name, LINES), "customer_id")) == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    assert len(rows(save(tmp_path / "orders.csv", LINES.replace("\n", end)), "customer_id")) == 3


def test_line_ends_of_two_kinds(tmp_path):
    mixed = LINES.replace("\n", "\r\n", 2)

    assert len(rows(save(tmp_path / "orders.csv", mixed), "customer_id")) == 3


def test_quoted_cells_with_delimiters_quotes_and_line_breaks(tmp_path):
    text = 'Client,Date,Amount,Title\n7,2011-01-31,5,"a ""b"",\nc"\n8,2011-01-31,6,d\n'

    assert rows(save(tmp_path / "orders.csv", text), "customer_id", "product") == [("7", 'a "b",\nc'), ("8", "d")]


def test_excels_first_line_that_names_the_delimiter(tmp_path):
    file = save(tmp_path / "orders.csv", "sep=;\n" + LINES.replace(",", ";"))

    assert len(rows(file, "customer_id")) == 3


def test_blank_lines_are_left_out_and_nothing_else(tmp_path):
    file = save(tmp_path / "orders.csv", LINES + "\n,,,,\n  , ,,,\n" + "7,A1,2011-01-31 09:30,1,4\n")

    assert column(file, "customer_id") == ["7", "7", "8", "7"]
    assert "2 blank lines are left out." in read(file).notes


def test_the_folder_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read(save(tmp_path / "orders.csv", LINES, encoding="utf-16"))

    assert [file.name for file in tmp_path.iterdir()] == ["orders.csv"]


def test_a_folder_of_files_with_one_layout(tmp_path):
    save(tmp_path / "1.csv", LINES)
    save(tmp_path / "2.csv", "Order,Client,Date,Qty,Price\nB1,9,2011-03-01,1,1\n")
    save(tmp_path / ".hidden.csv", "x\n")
    save(tmp_path / "readme.md", "x\n")

    assert column(tmp_path, "customer_id") == ["7", "7", "8", "9"]
    assert column(str(tmp_path / "*.csv"), "customer_id") == ["7", "7", "8", "9"]


def test_the_fingerprint_of_a_folder_is_that_of_names_and_contents(tmp_path):
    save(tmp_path / "1.csv", LINES)
    save(tmp_path / "2.csv", LINES)
    first = read(tmp_path).fingerprint
    again = read(tmp_path).fingerprint
    save(tmp_path / "2.csv", LINES.replace("2.25", "2.26"))

    assert first == again != read(tmp_path).fingerprint


def test_parquet_stays_where_it_is(tmp_path):
    pq.write_table(
        pa.table({"Client": [7.0, None], "Date": [datetime(2011, 1, 31)] * 2, "Amount": [1.5, 2]}),
        tmp_path / "o.parquet",
    )

    assert rows(tmp_path / "o.parquet", "customer_id", "ordered_at", "amount") == [
        ("7", datetime(2011, 1, 31), Decimal("1.5")),
        (None, datetime(2011, 1, 31), Decimal(2)),
    ]


def test_parquet_with_dates_as_text(tmp_path):
    pq.write_table(pa.table({"Client": ["7"], "Date": ["31/01/2011"], "Amount": [1]}), tmp_path / "o.parquet")

    assert column(tmp_path / "o.parquet", "ordered_at") == [datetime(2011, 1, 31)]


# --- workbooks ------------------------------------------------------------------------------------------------------


def workbook(path: Path, **sheets: list[list]) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy hh:mm"}) as book:
        for name, cells in sheets.items():
            sheet = book.add_worksheet(name)
            for place, row in enumerate(cells):
                sheet.write_row(place, 0, row)
    return path


HEAD = ["Customer ID", "Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Country"]
LINE = [12346, 489434, "00085048", "LAMP", 12, datetime(2009, 12, 1, 7, 45), 6.95, "France"]


def test_a_workbook(tmp_path):
    orders = read(workbook(tmp_path / "o.xlsx", Orders=[HEAD, LINE]))

    assert orders.layout.name == "uci_online_retail_ii"
    assert orders.table.to_pyarrow().to_pylist() == [
        {
            "customer_id": "12346",
            "order_id": "489434",
            "ordered_at": datetime(2009, 12, 1, 7, 45),
            "quantity": Decimal(12),
            "unit_price": Decimal("6.95"),
            "amount": Decimal("83.40"),
            "product_id": "00085048",
            "product": "LAMP",
            "country": "France",
        }
    ]


def test_the_first_sheet_that_has_the_columns_below_its_titles(tmp_path):
    file = workbook(
        tmp_path / "o.xlsx",
        About=[["Exported by", "nobody"]],
        Orders=[["Sales 2009"], [], HEAD, LINE],
        More=[HEAD, [1, *LINE[1:]]],
    )

    assert column(file, "customer_id") == ["12346"]
    assert column(file, "customer_id", sheet="More") == ["1"]


def test_a_sheet_that_does_not_exist(tmp_path):
    with pytest.raises(SourceError, match=r"no sheet 'Order'.*Orders"):
        read(workbook(tmp_path / "o.xlsx", Orders=[HEAD, LINE]), sheet="Order")


def test_the_row_of_an_unreadable_cell_is_the_sheets(tmp_path):
    file = workbook(tmp_path / "o.xlsx", Orders=[["Sales 2009"], HEAD, LINE, [*LINE[:4], "many", *LINE[5:]]])

    with pytest.raises(UnreadableError, match=r"Row 4 of o\.xlsx, sheet 'Orders', column Quantity: .*'many'"):
        read(file)


def test_a_workbook_that_unpacks_to_too_much(tmp_path):
    with zipfile.ZipFile(tmp_path / "o.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 50_000_000)

    with pytest.raises(SourceError, match="would unpack to 50 MB"):
        read(tmp_path / "o.xlsx")


# --- frames and tables ----------------------------------------------------------------------------------------------

FRAME = {"Client": ["7", "8"], "Date": [datetime(2011, 1, 31), datetime(2011, 2, 1)], "Amount": [1.25, 2.5]}


@pytest.mark.parametrize(
    "source",
    [
        pd.DataFrame(FRAME),
        pl.DataFrame(FRAME),
        pl.DataFrame(FRAME).lazy(),
        pa.table(FRAME),
        ibis.memtable(pd.DataFrame(FRAME)),
    ],
    ids=["pandas", "polars", "polars lazy", "arrow", "ibis"],
)
def test_frames_and_tables(source):
    assert rows(source, "customer_id", "ordered_at", "amount") == [
        ("7", datetime(2011, 1, 31), Decimal("1.25")),
        ("8", datetime(2011, 2, 1), Decimal("2.5")),
    ]


def test_an_ibis_table_stays_on_its_own_backend():
    con = ibis.duckdb.connect()
    con.create_table("lines", pa.table(FRAME))

    assert read(con.table("lines")).table.get_backend() is con


def test_pandas_with_missing_float_ids_a_mixed_column_and_dates_in_the_index():
    frame = pd.DataFrame(
        {"Client": [17850.0, float("nan")], "Order": [536365, "C536379"], "Amount": [1.0, -1.0]},
        index=pd.Index([datetime(2011, 1, 31), datetime(2011, 2, 1)], name="Date"),
    )

    assert rows(frame, "customer_id", "order_id", "ordered_at") == [
        ("17850", "536365", datetime(2011, 1, 31)),
        (None, "C536379", datetime(2011, 2, 1)),
    ]


def test_clock_times_of_a_frame_are_the_shops():
    times = pd.to_datetime(["2011-01-31 23:30"]).tz_localize("Europe/Berlin")

    assert column(pd.DataFrame({"Client": ["7"], "Date": times, "Amount": [1]}), "ordered_at") == [
        datetime(2011, 1, 31, 23, 30)
    ]


def test_anything_else_is_no_source():
    with pytest.raises(SourceError, match="from an object of type list"):
        read([1, 2])


# --- columns --------------------------------------------------------------------------------------------------------


def test_the_layouts_that_come_along():
    known = {layout.name: layout for layout in layouts()}
    assert list(known) == sorted(known)
    assert {"generic", "uci_online_retail", "uci_online_retail_ii"} <= known.keys()
    uci = known["uci_online_retail"]
    assert isinstance(uci, Layout)
    assert (uci.cancelled_prefix, uci.currency, "POST" in uci.non_products) == ("C", "GBP", True)
    assert (known["generic"].cancelled_prefix, known["generic"].non_products) == ("", ())


@pytest.mark.parametrize(
    "header",
    [
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country",
        "INVOICE NO,STOCK CODE,DESCRIPTION,QUANTITY,INVOICE DATE,UNIT PRICE,CUSTOMER ID,COUNTRY",
    ],
)
def test_a_layout_is_recognised_however_its_headers_are_spelled(tmp_path, header):
    orders = read(save(tmp_path / "o.csv", f"{header}\n1,A,LAMP,2,2011-01-31,3,7,France\n"))

    assert (orders.layout.name, orders.currency) == ("uci_online_retail", "GBP")
    assert orders.unmatched == ()


@pytest.mark.parametrize(
    ("header", "customer"),
    [
        ("Customer-ID,Order Date,Total", "Customer-ID"),
        ("Kundennummer;Bestelldatum;Betrag", "Kundennummer"),
        ("N° client;Date commande;Montant", "N° client"),
        ("ID cliente;Fecha;Importe", "ID cliente"),
        ("Email Address,Created at,Total", "Email Address"),
        ("buyer,purchase_date,line.total", "buyer"),
    ],
)
def test_common_names(tmp_path, header, customer):
    mark = ";" if ";" in header else ","
    options = {"columns": Columns(customer_id=customer)} if customer.startswith("N°") else {}
    orders = read(save(tmp_path / "o.csv", f"{header}\n" + mark.join(["7", "2011-01-31", "5"]) + "\n"), **options)

    assert orders.matches[0].column == customer
    assert orders.table.amount.sum().to_pyarrow().as_py() == 5


def test_a_mapping_wins_over_what_would_be_recognised(tmp_path):
    file = save(tmp_path / "o.csv", "Client,Payer,When,Total\n7,8,2011-01-31,5\n")
    orders = read(file, columns=Columns(customer_id="Payer", ordered_at="when"))

    assert orders.table.customer_id.to_pyarrow().to_pylist() == ["8"]
    assert orders.unmatched == ("Client",)


def test_two_columns_that_could_be_the_customer_are_remarked(tmp_path):
    orders = read(save(tmp_path / "o.csv", "Client,Customer ID,Date,Total\n7,8,2011-01-31,5\n"))

    assert orders.table.customer_id.to_pyarrow().to_pylist() == ["8"]
    assert "customer_id is read from 'Customer ID'; Client could be it too." in orders.notes


def test_a_total_beside_a_price_is_kept_but_not_used(tmp_path):
    file = save(tmp_path / "o.csv", "Client,Date,Qty,Price,Total\n7,2011-01-31,2,3,99\n")

    assert rows(file, "amount", "Total") == [(Decimal(6), "99")]
    assert any("may be the total of the whole order" in note for note in read(file).notes)
    assert column(file, "amount", columns=Columns(amount="Total")) == [Decimal(99)]


def test_a_price_from_an_amount_and_pieces(tmp_path):
    file = save(tmp_path / "o.csv", "Client,Date,Qty,Total\n7,2011-01-31,4,10\n7,2011-01-31,0,10\n7,2011-01-31,2,-5\n")

    assert column(file, "unit_price") == [Decimal("2.5"), None, Decimal("2.5")]


def test_without_pieces_there_are_no_prices(tmp_path):
    orders = read(save(tmp_path / "o.csv", "Client,Date,Total\n7,2011-01-31,10\n"))

    assert orders.table.select("quantity", "unit_price").to_pyarrow().to_pylist() == [
        {"quantity": None, "unit_price": None}
    ]
    assert orders.has_quantity is False


def test_an_order_without_a_number_is_a_customers_day(tmp_path):
    file = save(
        tmp_path / "o.csv",
        "Client,Date,Total\n7,2011-01-31 08:00,1\n7,2011-01-31 18:00,1\n7,2011-02-01,1\n,2011-02-01,1\n",
    )
    made = column(file, "order_id")

    assert made[0] == made[1] != made[2]
    assert made[3] is None
    assert read(file).has_order_id is False


def test_other_columns_stay_and_never_clash_with_ours(tmp_path):
    file = save(tmp_path / "o.csv", "Client,Date,Total,AMOUNT,Unreadable,Shop\n7,2011-01-31,1,2,x,north\n")
    orders = read(file, columns=Columns(amount="Total"))

    assert orders.table.columns[-3:] == ("source_AMOUNT", "source_Unreadable", "Shop")
    assert orders.unmatched == ("AMOUNT", "Unreadable", "Shop")


def test_ids_are_text(tmp_path):
    file = lines(
        tmp_path, Client=["17850.0", " 00042 ", "", "nan", "NULL", "n/a", "A 7", "1e5"], Order=["536365.0"] * 8
    )

    assert column(file, "customer_id") == ["17850", "00042", None, None, None, None, "A 7", "1e5"]
    assert column(file, "order_id") == ["536365"] * 8


MY_SHOP = """\
name = "my_shop"
title = "My shop"
currency = "CHF"
cancelled_prefix = "X"
non_products = ["SHIP"]
optional = ["country"]

[columns]
customer_id = ["Wer"]
order_id = ["Beleg"]
ordered_at = ["Wann"]
amount = ["Wieviel"]
country = ["Wo"]
"""


def test_a_layout_of_ones_own_is_a_data_file(tmp_path):
    save(tmp_path / "my_shop.toml", MY_SHOP)
    orders = read(
        save(tmp_path / "o.csv", "Wer,Beleg,Wann,Wieviel\n7,1,2011-01-31,5\n"), layout=tmp_path / "my_shop.toml"
    )

    assert (orders.layout.title, orders.currency, orders.layout.non_products) == ("My shop", "CHF", ("SHIP",))
    assert orders.matches[0] == Match(field="customer_id", column="Wer", why="header of My shop")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("currency", "curency"), r"'.*my_shop\.toml' has the unknown key curency.*currency"),
        (('country = ["Wo"]', 'land = ["Wo"]'), r"unknown key columns\.land"),
        (('["Wer"]', '"Wer"'), r"columns\.customer_id is not a list of texts"),
        (("[columns]", "[columns"), "is not valid TOML"),
        (("[columns]", "[header]"), r"has no \[columns\]"),
    ],
)
def test_a_broken_layout_names_file_and_key(tmp_path, change, words):
    save(tmp_path / "my_shop.toml", MY_SHOP.replace(*change))

    with pytest.raises(OptionError, match=words):
        read(save(tmp_path / "o.csv", LINES), layout=tmp_path / "my_shop.toml")


def test_a_layout_that_does_not_exist(tmp_path):
    with pytest.raises(OptionError, match=r"no layout 'uci'.*generic, .*uci_online_retail"):
        read(save(tmp_path / "o.csv", LINES), layout="uci")


# --- dates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2010-12-01", datetime(2010, 12, 1)),
        ("2010-12-01 08:26", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26:05", datetime(2010, 12, 1, 8, 26, 5)),
        ("2010-12-01 08:26:05.123", datetime(2010, 12, 1, 8, 26, 5, 123000)),
        ("2010-12-01T23:26:00Z", datetime(2010, 12, 1, 23, 26)),
        ("2010-12-01 23:26:00 -0500", datetime(2010, 12, 1, 23, 26)),
        ("2010-12-01T23:26:00+02:00", datetime(2010, 12, 1, 23, 26)),
        ("2010-12-01 23:26:00 UTC", datetime(2010, 12, 1, 23, 26)),
        ("2010/12/01", datetime(2010, 12, 1)),
        ("20101201", datetime(2010, 12, 1)),
        ("1.12.2010", datetime(2010, 12, 1)),
        ("01.12.10 8:26", datetime(2010, 12, 1, 8, 26)),
        ("12/31/2010 8:26", datetime(2010, 12, 31, 8, 26)),
        ("31/12/2010 8:26", datetime(2010, 12, 31, 8, 26)),
        ("31-12-2010", datetime(2010, 12, 31)),
        ("12/31/10", datetime(2010, 12, 31)),
        ("12/31/99", datetime(1999, 12, 31)),
        ("12/31/2010 08:26 AM", datetime(2010, 12, 31, 8, 26)),
        ("12/31/2010 08:26 pm", datetime(2010, 12, 31, 20, 26)),
        ("12/31/2010 12:05:00 AM", datetime(2010, 12, 31, 0, 5)),
        ("12/31/2010 12:05 PM", datetime(2010, 12, 31, 12, 5)),
        ("12/12/2010", datetime(2010, 12, 12)),
        ("Dec 1, 2010", datetime(2010, 12, 1)),
        ("1 December 2010 8:26", datetime(2010, 12, 1, 8, 26)),
        ("40513", datetime(2010, 12, 1)),
        ("40513.3513888889", datetime(2010, 12, 1, 8, 26)),
        ("1291191960", datetime(2010, 12, 1, 8, 26)),
        ("1291191960000", datetime(2010, 12, 1, 8, 26)),
    ],
)
def test_ways_to_write_a_date(tmp_path, text, stamp):
    assert column(lines(tmp_path, Date=[text]), "ordered_at") == [stamp]


def test_ways_to_write_a_date_in_one_column(tmp_path):
    file = lines(tmp_path, Date=["2010-12-01", "31/12/2010", "1.2.2011", "", "20110301"])

    assert column(file, "ordered_at") == [
        datetime(2010, 12, 1),
        datetime(2010, 12, 31),
        datetime(2011, 2, 1),
        None,
        datetime(2011, 3, 1),
    ]


@pytest.mark.parametrize(
    ("dates", "first", "words"),
    [
        (["1/2/2011", "13/2/2011"], datetime(2011, 2, 1), "day first .* above 12 in 1 of 2 cells"),
        (["1/2/2011", "2/13/2011"], datetime(2011, 1, 2), "month first .* above 12 in 1 of 2 cells"),
    ],
)
def test_the_whole_column_says_what_comes_first(tmp_path, dates, first, words):
    orders = read(lines(tmp_path, Date=dates))

    assert orders.table.ordered_at.to_pyarrow().to_pylist()[0] == first
    assert re.search(words, " ".join(orders.notes))


def test_nothing_says_what_comes_first(tmp_path):
    file = lines(tmp_path, Date=["1/1/2011", "1/2/2011"])

    with pytest.raises(UnreadableError, match=r"'1/2/2011'.*--dayfirst.*--monthfirst"):
        read(file)
    assert column(file, "ordered_at", dayfirst=True)[1] == datetime(2011, 2, 1)
    assert column(file, "ordered_at", dayfirst=False)[1] == datetime(2011, 1, 2)


def test_both_come_first(tmp_path):
    with pytest.raises(UnreadableError, match=r"Row 3 .*'13/2/2011'.*Row 4 .*'2/13/2011'"):
        read(lines(tmp_path, Date=["1/2/2011", "13/2/2011", "2/13/2011"]))


def test_an_unreadable_date_is_named_with_its_row(tmp_path):
    dates = ["31/12/2010", "31/31/2011", "soon", "29/02/2011"]

    with pytest.raises(UnreadableError) as caught:
        read(lines(tmp_path, Date=dates))
    assert caught.value.message == (
        "Row 3 of orders.csv (counting the header as row 1), column Date: "
        "cannot read the date '31/31/2011'. 3 such cells in all."
    )
    assert "--unreadable set-aside" in caught.value.hint


def test_unreadable_cells_can_be_set_aside(tmp_path):
    file = lines(tmp_path, Date=["31/12/2010", "31/31/2011"], Qty=["two", "2"])

    assert rows(file, "ordered_at", "quantity", "unreadable", unreadable="set_aside") == [
        (datetime(2010, 12, 31), None, "quantity 'two'"),
        (None, Decimal(2), "date '31/31/2011'"),
    ]


def test_the_file_of_an_unreadable_cell_is_named(tmp_path):
    save(tmp_path / "1.csv", LINES)
    save(tmp_path / "2.csv", LINES.replace("2011-02-01 17:05", "soon"))

    with pytest.raises(UnreadableError, match=r"Row 4 of 2\.csv"):
        read(tmp_path)


def test_rows_are_counted_in_the_order_of_a_large_file(tmp_path):
    body = [f"{n},A{n},2011-01-31,1,1" for n in range(300_000)]
    body[271_828] = "7,A1,soon,1,1"

    with pytest.raises(UnreadableError, match=r"Row 271,830 of orders\.csv"):
        read(save(tmp_path / "orders.csv", "\n".join(["Client,Order,Date,Qty,Price", *body])))


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.50", "12.5"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1'234.50", "1234.5"),
        ("1.234.567", "1234567"),
        ("1,234,567", "1234567"),
        ("£12.50", "12.5"),
        ("12,50 €", "12.5"),
        ("EUR 12.50", "12.5"),
        ("$1,234.50", "1234.5"),
        ("(12.50)", "-12.5"),
        ("-£5", "-5"),
        ("£-5", "-5"),
        ("12.50-", "-12.5"),
        ("−12.50", "-12.5"),
        ("+3", "3"),
        ("1e3", "1000"),
        (".5", "0.5"),
        (",5", "0.5"),
        ("0,999", "0.999"),
    ],
)
def test_ways_to_write_a_number(tmp_path, text, number):
    assert column(lines(tmp_path, Price=[text]), "unit_price") == [Decimal(number)]


@pytest.mark.parametrize("text", ["many", "1,2,3", "12.5.0", "5 / 2", "(5", "99999999999999999", "inf"])
def test_what_is_no_number(tmp_path, text):
    with pytest.raises(UnreadableError, match="column Price: cannot read the unit price"):
        read(lines(tmp_path, Price=["1.50", text]))


def test_the_whole_column_says_what_the_comma_is(tmp_path):
    assert column(lines(tmp_path, Price=["1,234", "1,5"]), "unit_price") == [Decimal("1.234"), Decimal("1.5")]
    assert column(lines(tmp_path, Price=["1,234", "1.5"]), "unit_price") == [Decimal(1234), Decimal("1.5")]


@pytest.mark.parametrize(("delimiter", "number"), [(",", 1234), (";", Decimal("1.234"))])
def test_where_nothing_says_what_the_comma_is_the_delimiter_does(tmp_path, delimiter, number):
    orders = read(lines(tmp_path, Price=["1,234"], delimiter=delimiter))

    assert orders.table.unit_price.to_pyarrow().to_pylist() == [number]
    assert any("Numbers such as 1,234 in 'Price'" in note for note in orders.notes)


def test_a_product_that_is_too_large(tmp_path):
    file = lines(tmp_path, Qty=["1e6", "1e9"], Price=["1e5", "1e9"])

    with pytest.raises(UnreadableError, match=r"Row 3 .*column Qty × Price: cannot read the amount '1e9 × 1e9'"):
        read(file)
    assert rows(file, "amount", "unreadable", unreadable="set_aside") == [
        (Decimal("1e11"), None),
        (None, "amount '1e9 × 1e9'"),
    ]


def test_float_money_is_rounded_to_four_places():
    frame = pd.DataFrame(FRAME | {"Amount": [0.1 + 0.2, 2.00005]})

    assert column(frame, "amount") == [Decimal("0.3"), Decimal("2.0001")]


# --- currencies -----------------------------------------------------------------------------------------------------


def test_a_sign_beside_the_amounts_is_the_currency(tmp_path):
    assert read(lines(tmp_path, Price=["£1", "£2"])).currency == "GBP"
    assert read(lines(tmp_path, Price=["$1", "$2"])).currency == "$"


def test_a_column_and_a_sign_can_say_the_same(tmp_path):
    assert read(lines(tmp_path, Price=["$1", "$2"], Currency=["USD", "usd"])).currency == "USD"


def test_several_currencies_need_a_choice(tmp_path):
    file = lines(tmp_path, Currency=["GBP", "EUR", "GBP", "gbp"])

    with pytest.raises(OptionError, match=r"several currencies: GBP \(3 rows\), EUR \(1 rows?\).*--currency"):
        read(file)
    assert column(file, "other_currency", currency="GBP") == [False, True, False, False]


def test_a_currency_that_no_row_has(tmp_path):
    with pytest.raises(OptionError, match=r"USD.*EUR"):
        read(lines(tmp_path, Currency=["EUR"]), currency="USD")


def test_a_single_currency_adds_no_column(tmp_path):
    orders = read(lines(tmp_path, Currency=["EUR", "EUR"]), currency="eur")

    assert orders.currency == "EUR"
    assert "other_currency" not in orders.table.columns


# --- errors ---------------------------------------------------------------------------------------------------------


def junk(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * 20)
    return path


def half(path: Path, whole: bytes) -> Path:
    path.write_bytes(whole[: len(whole) // 2])
    return path


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(FRAME), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: save(p / "order.csv", LINES).with_name("orders.csv"), r"no file '.*orders\.csv'.*'order\.csv'"),
        (lambda p: p, "has no file that can be read"),
        (lambda p: p / "*.csv", "No file matches"),
        (lambda p: save(p / "o.csv", ""), r"o\.csv is empty"),
        (lambda p: save(p / "o.parquet", ""), r"o\.parquet is empty"),
        (lambda p: save(p / "o.xlsx", ""), r"o\.xlsx is empty"),
        (lambda p: junk(p / "o.csv"), r"o\.csv is not a text file"),
        (lambda p: junk(p / "o.parquet"), r"o\.parquet is damaged"),
        (lambda p: junk(p / "o.xlsx"), r"o\.xlsx is damaged"),
        (lambda p: half(p / "o.parquet", parquet_bytes()), r"o\.parquet is damaged"),
        (lambda p: half(p / "o.csv.gz", gzip.compress(LINES.encode())), r"o\.csv\.gz is damaged"),
        (lambda p: half(p / "o.xlsx", workbook(p / "w.xlsx", A=[HEAD, LINE]).read_bytes()), r"o\.xlsx is damaged"),
        (lambda p: workbook(p / "w.xlsx", A=[HEAD, LINE]).rename(p / "o.csv"), "not text but a zip file"),
        (lambda p: save(p / "o.pdf", LINES), r"o\.pdf .*not supported.*\.csv.*\.parquet.*\.xlsx"),
        (lambda p: "https://example.org/o.csv", "downloads are not supported yet.*Save the file first"),
        (lambda p: "oracle://me@host/shop?table=a", "cannot be read.*Databases begin with postgres://, .*, trino://"),
        (lambda p: save(p / "o.csv", LINES + "7,A1,2011-01-31\n"), r"Line 5 of o\.csv has 3 cells, the header has 5"),
        (lambda p: save(p / "o.csv", LINES + '7,A1,2011-01-31,1,"4\n'), r"quotation mark that is not closed"),
        (
            lambda p: save(p / "o.csv", "Client,Date,client,Total\n7,2011-01-31,7,1\n"),
            "several columns with one name: Client",
        ),
    ],
)
def test_sources_that_cannot_be_read(tmp_path, make, words):
    with pytest.raises(SourceError, match=words):
        read(make(tmp_path))


def test_a_workbook_with_a_password(tmp_path):
    (tmp_path / "o.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))

    with pytest.raises(SourceError, match="protected by a password"):
        read(tmp_path / "o.xlsx")


def test_a_file_that_may_not_be_opened(tmp_path, monkeypatch):
    file = save(tmp_path / "o.csv", LINES)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(SourceError, match=r"o\.csv cannot be opened: Permission denied"):
        read(file)


@pytest.mark.parametrize("text", ["Client,Date,Total\n", "Client,Date,Total\n\n,,\n"])
def test_a_header_without_rows(tmp_path, text):
    with pytest.raises(NotEnoughDataError, match=r"o\.csv has column names but no rows"):
        read(save(tmp_path / "o.csv", text))


def test_files_that_do_not_go_together(tmp_path):
    save(tmp_path / "1.csv", LINES)
    save(tmp_path / "2.csv", LINES.replace("Qty", "Pieces"))

    with pytest.raises(SourceError, match=r"1\.csv and 2\.csv .*1\.csv: Qty.*2\.csv: Pieces"):
        read(tmp_path)


def test_order_numbers_of_two_shops_in_one_folder_are_remarked(tmp_path):
    header = "Order,Customer,Date,Amount\n"
    save(tmp_path / "shopA.csv", f"{header}#1,ann,2024-01-01,5\n#2,bob,2024-01-02,5\n#3,cat,2024-01-03,5\n")
    save(tmp_path / "shopB.csv", f"{header}#3,dan,2024-05-01,5\n#4,eve,2024-05-02,5\n")
    (note,) = (note for note in read(tmp_path).notes if "two shops" in note)
    assert note.startswith("1 order number of one file comes again in another with another customer and another day")
    assert "'#3' in shopA.csv and shopB.csv" in note

    save(tmp_path / "shopB.csv", f"{header}#3,cat,2024-01-03,2\n#2,bob the second,2024-01-02,5\n#1,ann,2024-01-09,5\n")
    assert not [note for note in read(tmp_path).notes if "two shops" in note]  # the same orders, with corrections


def test_files_of_two_kinds(tmp_path):
    save(tmp_path / "1.csv", LINES)
    pq.write_table(pa.table(FRAME), tmp_path / "2.parquet")

    with pytest.raises(SourceError, match=r"several kinds: .*2\.parquet"):
        read(tmp_path)


def test_a_missing_column(tmp_path):
    with pytest.raises(ColumnError) as caught:
        read(save(tmp_path / "o.csv", "Inv,Qty,When\n1,2,3\n"), columns=Columns(ordered_at="When", amount="Qty"))

    assert caught.value.message == "No column for customer_id. Found: Inv, Qty, When."
    assert caught.value.hint == "Map it with --map customer_id=COLUMN or Columns(customer_id=…)."


def test_amounts_may_be_missing_in_two_ways(tmp_path):
    with pytest.raises(ColumnError, match=r"No column for amount \(or quantity and unit_price\)"):
        read(save(tmp_path / "o.csv", "Client,Date,Qty\n1,2011-01-31,3\n"))


def test_a_mapped_column_that_does_not_exist(tmp_path):
    with pytest.raises(ColumnError, match=r"no column 'Clint'.*Did you mean 'Client'\?.*Found: Client, Order"):
        read(save(tmp_path / "o.csv", LINES), columns=Columns(customer_id="Clint"))


def test_cells_that_were_not_separated():
    with pytest.raises(ColumnError, match=r"a single column.*contains ';'"):
        read(pd.DataFrame({"Client;Date;Total": ["7;2011-01-31;1"]}))


def test_data_where_the_column_names_should_be(tmp_path):
    with pytest.raises(ColumnError, match="The first row looks like data"):
        read(save(tmp_path / "o.csv", "7,2011-01-31,5\n8,2011-01-31,6\n"))


def test_all_customers_missing(tmp_path):
    with pytest.raises(NotEnoughDataError, match=r"2 rows of orders\.csv .*Client.*--map customer_id="):
        read(lines(tmp_path, Client=["", "nan"]))


def test_an_option_that_does_not_exist(tmp_path):
    with pytest.raises(OptionError, match=r"'ignore'.*'error' or 'set_aside'"):
        read(save(tmp_path / "o.csv", LINES), unreadable="ignore")
