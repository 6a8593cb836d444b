"""The workbook for managers: written, then read back with openpyxl and fastexcel, which share no code with the writer."""

from __future__ import annotations

import csv
import errno
import os
import time
import zipfile
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from xml.etree import ElementTree

import fastexcel
import openpyxl
import pyarrow as pa
import pytest
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from regulars.cleaning import Audit, AuditLine
from regulars.errors import OptionError, OutputError
from regulars.pipeline import Assignment
from regulars.profiling import Action, Profile, Segment
from regulars.workbook import write_workbook
from regulars.writing import write_assignment

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x.example","a")')
HARMLESS = (
    "-5", "+49 170 123", "A=B", "00123", "1e5", "http://x.example", "mailto:a@x.example", "{=1}", "TRUE", "O'Hara",
)  # fmt: skip
LETTERS = ("\x00\x01\x1f", "\ufffe\uffff", '<&>"]]>', "  spaces  ", "_x0041_", "日本語 😀", "a\nb")


def a_segment(number: int, name: str, **texts: str) -> Segment:
    middle = {"recency_days": 12.5, "frequency": 3.0, "monetary": 410.256, "avg_order_value": 120.0}
    profile = Profile(
        id=number,
        customers=1200,
        orders=4800,
        revenue=Decimal("54321.5"),
        customer_share=0.25,
        revenue_share=0.612,
        value_percentile=0.9,
        new_share=0.1,
        quartiles={column: (0.0, value, 9999.0) for column, value in middle.items()},
        groups=(),
    )
    says = {"action": "Say thanks", "offer": "Early access", "channel": "A call", "measure": "Orders in 60 days"}
    action = Action(name=name, who="", **(says | texts))
    return Segment(id=number, name=name, tier="", activity="", why=("high", "active"), action=action, profile=profile)


def an_audit(**changes) -> Audit:
    """1,500 lines worth 9,000.50; 200 without a customer and 100 returns are set aside."""
    steps = (
        ("raw", "as it came", 0, "0", 1500, 700, 80, "9000.50"),
        ("no customer", "no customer", 200, "1000.25", 1300, 600, 80, "8000.25"),
        ("return", "returns", 100, "-500", 1200, 580, 75, "8500.25"),
    )
    names = ("rule", "title", "rows", "amount", "rows_left", "orders_left", "customers_left", "amount_left")
    lines = [dict(zip(names, step, strict=True)) for step in steps]
    for line in lines:
        line |= {"amount": Decimal(line["amount"]), "amount_left": Decimal(line["amount_left"])}
    facts = {
        "lines": tuple(AuditLine(**line) for line in lines),
        "first_day": date(2024, 1, 2),
        "last_day": date(2024, 12, 24),
        "returns": "net",
        "partly_returned": 0,
        "unmatched_returns": 0,
        "unmatched_amount": Decimal(0),
    }
    return Audit(**(facts | changes))


PEOPLE = """
customer_id  segment_id  segment   recency_days  frequency  monetary   avg_order_value  first_order  last_order  country
00017        1           Sleepers  230           1          99.99      99.99            2024-05-08   2024-05-08  France
B            0           Regulars  3             12         12345.675  1028.806         2024-01-02   2024-12-21  France
D            1           Sleepers  80            2          99.99      49.995           2024-02-29   2024-10-05  -
C            0           Regulars  30            4          5000.5     1250.125         2023-12-31   2024-11-24  Spain
"""


def people(con, *, ids: tuple[str, ...] = (), countries: bool = True):
    """Table of customers: those of `PEOPLE`, or one for each id."""
    titles, *lines = (line.split() for line in PEOPLE.strip().splitlines())
    rows = [dict(zip(titles, cells, strict=True)) for cells in lines]
    if ids:
        rows = [rows[0] | {"customer_id": name} for name in ids]
    for row in rows:
        if not countries or row["country"] == "-":
            row["country"] = None
        row |= {"r_score": 5, "f_score": 4, "m_score": 3, "rfm_group": "Champions"}
    kinds = {
        **dict.fromkeys(("segment_id", "recency_days", "frequency"), "int64"),
        **dict.fromkeys(("r_score", "f_score", "m_score"), "int8"),
        **dict.fromkeys(("first_order", "last_order"), "date"),
        "monetary": "decimal(18, 4)",
        "avg_order_value": "float64",
    }
    columns = {name: pa.array([row[name] for row in rows], pa.string() if name in titles else None) for name in rows[0]}
    table = con.create_table(f"people_{time.monotonic_ns()}", pa.table(columns))
    return table.mutate(**{name: table[name].cast(kind) for name, kind in kinds.items()})


@pytest.fixture(scope="module")
def result(con, sample_result):
    """Four customers in two segments, and an audit, made by hand; what else there is comes from the sample shop."""
    return replace(
        sample_result,
        source="shop.csv",
        currency="EUR",
        as_of=date(2024, 12, 24),
        segments=(a_segment(0, "Regulars"), a_segment(1, "Sleepers")),
        audit=an_audit(),
        customers_total=4,
        customers=people(con),
    )


@pytest.fixture(scope="module")
def book(result, tmp_path_factory):
    return openpyxl.load_workbook(write_workbook(result, tmp_path_factory.mktemp("book") / "shop.xlsx"))


def rows(sheet) -> list[tuple]:
    return list(sheet.iter_rows(values_only=True))


def texts(path) -> list[str]:
    """All text of a workbook; it must have no cell that is anything but text, a number or a date."""
    cells = [cell for sheet in openpyxl.load_workbook(path) for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert not any(cell.hyperlink for cell in cells)
    return [cell.value for cell in cells if cell.data_type == "s"]


class TestSheets:
    def test_there_are_four_and_others_read_them_too(self, result, tmp_path):
        path = write_workbook(result, tmp_path / "shop.xlsx")

        assert path == tmp_path / "shop.xlsx"
        assert fastexcel.read_excel(path).sheet_names == ["Segments", "Customers", "Audit", "Definitions"]

    def test_headers_are_bold_and_stay_in_sight_and_every_table_has_filters(self, book):
        for sheet, table in {"Segments": "A1:O3", "Customers": "A1:M5", "Audit": "A1:G4"}.items():
            assert all(cell.font.bold for cell in book[sheet][1])
            assert book[sheet].freeze_panes == "B2"
            assert book[sheet].auto_filter.ref == table
        assert book["Definitions"].freeze_panes == "A2"
        assert book["Definitions"].auto_filter.ref == book["Definitions"].dimensions

    def test_columns_are_as_wide_as_what_is_in_them(self, book):
        wide = {
            (sheet.title, number): columns.width
            for sheet in book
            for columns in sheet.column_dimensions.values()
            for number in range(columns.min, columns.max + 1)
        }

        longest = {2: "Regulars", 4: "last order", 6: "12,345.68", 8: "2024-01-02"}
        assert all(wide["Customers", number] >= len(shown) for number, shown in longest.items())
        assert max(wide.values()) < 61

    def test_sentences_are_wrapped(self, book):
        assert book["Segments"]["L2"].alignment.wrap_text
        assert book["Definitions"]["D2"].alignment.wrap_text


class TestSegments:
    def test_a_row_per_segment(self, book):
        titles, first, second = rows(book["Segments"])

        assert titles == (
            *("Segment", "Customers", "Share of customers", "Revenue (EUR)", "Share of revenue", "Orders"),
            *("Median days since last order", "Median orders", "Median spend (EUR)", "Median order value (EUR)"),
            *("What to do", "Offer", "Channel", "What to measure", "Why this name"),
        )
        assert first == (
            *("Regulars", 1200, 0.25, 54321.5, 0.612, 4800, 12.5, 3, 410.26, 120),
            *("Say thanks", "Early access", "A call", "Orders in 60 days", "high; active"),
        )
        assert second[0] == "Sleepers"

    def test_numbers_look_like_what_they_are(self, book):
        formats = [cell.number_format for cell in book["Segments"][2]]

        assert formats[1:6] == ["#,##0", "0.0%", "#,##0.00", "0.0%", "#,##0"]
        assert formats[6:10] == ["#,##0.0", "#,##0.0", "#,##0.00", "#,##0.00"]

    def test_a_name_has_the_colour_of_its_segment_thinned_to_a_quarter(self, book):
        # #3f90da at 25 % on white: 255 − (255 − 63) / 4 = 207, 255 − 27 = 228, 255 − 9 = 246
        names = [book["Segments"]["A2"], book["Customers"]["B2"]]

        assert {cell.fill.fgColor.rgb for cell in names} == {"FFCFE4F6"}
        assert {cell.border.left.color.rgb for cell in names} == {"FF3F90DA"}

    def test_a_median_that_nobody_has_leaves_its_cell_empty(self, result, tmp_path):
        segment = result.segments[0]
        nobody = dict.fromkeys(segment.profile.quartiles)
        without = replace(segment, profile=replace(segment.profile, quartiles=nobody))
        path = write_workbook(replace(result, segments=(without, result.segments[1])), tmp_path / "shop.xlsx")

        assert rows(openpyxl.load_workbook(path)["Segments"])[1][6:10] == (None,) * 4


class TestCustomers:
    def test_most_spend_comes_first_and_equal_spend_goes_by_id(self, book):
        titles, *people = rows(book["Customers"])

        assert titles == (
            *("Customer", "Segment", "RFM group", "Days since last order", "Orders", "Spend (EUR)"),
            *("Average order (EUR)", "First order", "Last order", "R", "F", "M", "Country"),
        )
        assert [row[0] for row in people] == ["B", "C", "00017", "D"]
        assert people[0] == (
            *("B", "Regulars", "Champions", 3, 12, 12345.675, 1028.81),
            *(datetime(2024, 1, 2), datetime(2024, 12, 21), 5, 4, 3, "France"),
        )
        assert people[3][12] is None

    def test_days_are_dates_and_ids_are_text(self, book):
        first = book["Customers"]["H4"]

        assert first.is_date
        assert first.number_format == "yyyy-mm-dd"
        assert book["Customers"]["A4"].data_type == "s"

    def test_customers_beyond_the_most_are_counted_and_said_where_they_are(self, result, tmp_path):
        path = write_workbook(result, tmp_path / "shop.xlsx", most_customers=1)
        sheet = openpyxl.load_workbook(path)["Customers"]

        assert [row[0] for row in rows(sheet)] == [
            "Customer",
            "B",
            None,
            "Left out here: 3 customers with the lowest spend. All 4 are in customers.parquet.",
        ]
        assert sheet.auto_filter.ref == "A1:M2"

    def test_without_anybody_left_out_there_is_no_such_line(self, book):
        assert len(rows(book["Customers"])) == 5

    def test_no_customer_at_all_can_be_asked_for(self, result, tmp_path):
        path = write_workbook(result, tmp_path / "shop.xlsx", most_customers=0)
        titles, _, line = rows(openpyxl.load_workbook(path)["Customers"])

        assert titles[0] == "Customer"
        assert line[0].startswith("Left out here: 4 customers")

    def test_a_source_without_countries_has_no_such_column(self, con, result, tmp_path):
        without = replace(result, customers=people(con, countries=False))
        book = openpyxl.load_workbook(write_workbook(without, tmp_path / "shop.xlsx"))

        assert rows(book["Customers"])[0][-1] == "M"
        assert not [row for row in rows(book["Definitions"]) if row[1] == "Country"]

    def test_all_of_the_sample_shop(self, sample_result, tmp_path):
        sheet = fastexcel.read_excel(write_workbook(sample_result, tmp_path / "shop.xlsx")).load_sheet("Customers")
        found = sheet.to_polars()

        assert len(found) == sample_result.customers_total
        assert found["Spend (GBP)"].sum() == pytest.approx(float(sample_result.revenue))
        assert found["Orders"].sum() == sample_result.orders_total
        assert found["Spend (GBP)"].is_sorted(descending=True)
        assert found["Chance of an order"].is_between(0, 1).all()
        at_risk = sample_result.outlook.total("revenue_at_risk")
        assert found["Revenue at risk (GBP)"].sum() == pytest.approx(at_risk, abs=0.01 * len(found))


class TestAudit:
    def test_a_row_per_step_and_they_reconcile(self, book):
        titles, *steps = rows(book["Audit"])[:4]

        assert titles == (
            *("Step", "Rows set aside", "Money set aside (EUR)", "Rows left"),
            *("Orders left", "Customers left", "Money left (EUR)"),
        )
        assert steps == [
            ("as it came", None, None, 1500, 700, 80, 9000.5),
            ("no customer", 200, 1000.25, 1300, 600, 80, 8000.25),
            ("returns", 100, -500, 1200, 580, 75, 8500.25),
        ]
        assert rows(book["Audit"])[5][0] == (
            "Rows and money reconcile: 1,500 rows in = 300 set aside + 1,200 kept; 9,000.50 = 500.25 + 8,500.25."
        )

    def test_it_says_when_they_do_not(self, result, tmp_path):
        lines = result.audit.lines
        wrong = replace(result, audit=an_audit(lines=(*lines[:-1], replace(lines[-1], rows_left=1201))))
        sheet = openpyxl.load_workbook(write_workbook(wrong, tmp_path / "shop.xlsx"))["Audit"]

        assert rows(sheet)[-1][0] == "Rows and money do NOT reconcile."

    def test_returns_without_a_purchase_are_reported(self, result, tmp_path):
        more = replace(result, audit=an_audit(unmatched_returns=12, unmatched_amount=Decimal("270.49")))
        sheet = openpyxl.load_workbook(write_workbook(more, tmp_path / "shop.xlsx"))["Audit"]

        assert rows(sheet)[-1][0].startswith("12 returns (270.49) found no purchase")


class TestDefinitions:
    def test_every_column_of_every_sheet_is_explained_with_its_unit(self, book):
        explained = {(where, what): (unit, words) for where, what, unit, words in rows(book["Definitions"])}
        columns = [(name, cell.value) for name in ("Segments", "Customers", "Audit") for cell in book[name][1]]

        assert all(all(explained[column]) for column in columns)
        assert explained["Customers", "Spend (EUR)"][0] == "EUR"
        assert explained["Customers", "R"] == ("score", "Recency: 1 is longest ago, 5 is latest.")

    def test_the_run_is_described(self, result, book):
        run = {what: value for where, what, value, _ in rows(book["Definitions"]) if where == "This run"}

        assert run["Source"] == "shop.csv"
        assert run["Counted back from"] == datetime(2024, 12, 24)
        assert run["Customers"] == "4 of 4"
        assert run["Option returns"] == "net"
        assert run["Option all_products"] == "no"
        options = {name.removeprefix("Option ") for name in run if name.startswith("Option ")}
        assert options == set(result.options.to_dict()) - {"as_of"}

    def test_named_groups_are_explained(self, result, book):
        found = {what: words for where, what, _, words in rows(book["Definitions"]) if where == "RFM groups"}

        assert found == {name: why for name, why, *_ in result.groups}

    def test_money_without_a_currency_names_none(self, result, tmp_path):
        book = openpyxl.load_workbook(write_workbook(replace(result, currency=None), tmp_path / "shop.xlsx"))

        assert book["Segments"]["D1"].value == "Revenue"
        run = {row[1]: row[2] for row in rows(book["Definitions"]) if row[0] == "This run"}
        assert run["Currency"] == "not stated"


class TestText:
    @pytest.mark.parametrize("text", [*FORMULAS, "-1\n+cmd|' /C calc'!A0"])
    def test_what_a_spreadsheet_would_run_gets_an_apostrophe(self, con, result, tmp_path, text):
        said = dict.fromkeys(("action", "offer", "channel", "measure"), text)
        evil = replace(
            result,
            source=text,
            segments=(a_segment(0, text, **said), result.segments[1]),
            customers=people(con, ids=(text,)),
            customers_total=1,
        )
        found = texts(write_workbook(evil, tmp_path / "shop.xlsx"))

        assert not [cell for cell in found if cell[:1] in tuple("=@\t\r")]
        # as a name and four times in Segments, once as a customer, once as the source
        assert len([cell for cell in found if cell.startswith(f"'{text[0]}".replace("\r", "_x000D_"))]) == 7

    def test_other_text_stays_as_it_is_and_stays_text(self, con, result, tmp_path):
        other = replace(result, customers=people(con, ids=HARMLESS), customers_total=len(HARMLESS))
        path = write_workbook(other, tmp_path / "shop.xlsx")

        ids = [row[0] for row in rows(openpyxl.load_workbook(path)["Customers"])[1:]]
        assert ids == sorted(HARMLESS)
        assert set(HARMLESS) <= set(texts(path))

    def test_the_rule_is_that_of_the_csv_files(self, con, result, tmp_path):
        ids = (*FORMULAS, *HARMLESS, "-", "+", "+1a", "- (", "")
        evil = replace(result, customers=people(con, ids=ids), customers_total=len(ids))
        labelled = Assignment(
            source="", audit=an_audit(), as_of=evil.as_of, segments=(), unassigned=0, customers=evil.customers
        )
        folder = write_assignment(labelled, tmp_path / "labelled")
        with (folder / "customers.csv").open(encoding="utf-8", newline="") as file:
            wanted = sorted(row["customer_id"] for row in csv.DictReader(file))

        path = write_workbook(evil, tmp_path / "shop.xlsx")
        found = [row[0] or "" for row in rows(openpyxl.load_workbook(path)["Customers"])[1:]]

        assert sorted(cell.replace("_x000D_", "\r") for cell in found) == wanted

    def test_there_is_no_formula_and_no_way_out_in_any_part_of_the_file(self, con, result, tmp_path):
        evil = replace(result, customers=people(con, ids=(*FORMULAS, *HARMLESS)))
        with zipfile.ZipFile(write_workbook(evil, tmp_path / "shop.xlsx")) as file:
            parts = {name: ElementTree.fromstring(file.read(name)) for name in file.namelist()}

        tags = {node.tag.rpartition("}")[2] for tree in parts.values() for node in tree.iter()}
        assert tags.isdisjoint({"f", "hyperlink", "hyperlinks", "externalReference", "ddeLink", "oleLink"})
        assert not [name for name in parts if "external" in name.lower() or "vba" in name.lower()]

    @pytest.mark.parametrize("text", LETTERS)
    def test_no_letter_damages_the_file(self, result, tmp_path, text):
        path = write_workbook(replace(result, source=f"a{text}b"), tmp_path / "shop.xlsx")

        with zipfile.ZipFile(path) as file:
            for name in file.namelist():
                ElementTree.fromstring(file.read(name))
        assert rows(openpyxl.load_workbook(path)["Definitions"])[1][2]

    def test_a_file_name_that_is_no_text_is_shown_with_question_marks(self, result, tmp_path):
        path = write_workbook(replace(result, source="caf\udce9.csv"), tmp_path / "shop.xlsx")

        assert rows(openpyxl.load_workbook(path)["Definitions"])[1][2] == "caf?.csv"

    def test_what_is_longer_than_a_cell_is_cut_and_shows_it(self, result, tmp_path):
        path = write_workbook(replace(result, source="x" * 40_000), tmp_path / "shop.xlsx")
        shown = rows(openpyxl.load_workbook(path)["Definitions"])[1][2]

        assert len(shown) == 32_767
        assert shown.endswith("x…")

    def test_days_that_excel_does_not_know_are_text(self, result, tmp_path):
        path = write_workbook(replace(result, audit=an_audit(first_day=date(1899, 5, 1))), tmp_path / "shop.xlsx")

        run = {row[1]: row[2] for row in rows(openpyxl.load_workbook(path)["Definitions"])}
        assert run["First day"] == "1899-05-01"


class TestFile:
    def test_the_same_run_gives_the_same_bytes_whenever_and_wherever_it_is_written(self, result, tmp_path, monkeypatch):
        first = write_workbook(result, tmp_path / "a.xlsx").read_bytes()
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        before = os.umask(0o077)
        try:
            again = write_workbook(result, tmp_path / "b.xlsx").read_bytes()
        finally:
            os.umask(before)
            monkeypatch.undo()
            time.tzset()

        assert first == again

    def test_it_was_made_on_the_day_that_the_run_counts_from(self, book):
        assert book.properties.created == book.properties.modified == datetime(2024, 12, 24)

    def test_an_earlier_file_is_replaced_and_nothing_else_is_left(self, result, tmp_path):
        (tmp_path / "shop.xlsx").write_text("old")
        write_workbook(result, tmp_path / "shop.xlsx")

        assert zipfile.is_zipfile(tmp_path / "shop.xlsx")
        assert [path.name for path in tmp_path.iterdir()] == ["shop.xlsx"]

    def test_folders_on_the_way_are_made(self, result, tmp_path):
        assert write_workbook(result, str(tmp_path / "a" / "b" / "SHOP.XLSX")).is_file()

    def test_another_ending_is_refused(self, result, tmp_path):
        with pytest.raises(OutputError, match=r"Cannot write shop\.csv: .* End it with \.xlsx\."):
            write_workbook(result, tmp_path / "shop.csv")

    def test_a_folder_is_refused(self, result, tmp_path):
        (tmp_path / "shop.xlsx").mkdir()

        with pytest.raises(OutputError, match=r"is a folder\. Give the name of a file"):
            write_workbook(result, tmp_path / "shop.xlsx")

    def test_a_place_that_cannot_be_is_explained(self, result, tmp_path):
        (tmp_path / "file").write_text("")

        with pytest.raises(OutputError, match=r"Cannot write .*shop\.xlsx: .* Close the file if it is open in Excel"):
            write_workbook(result, tmp_path / "file" / "shop.xlsx")

    @pytest.mark.parametrize("wrap", [lambda error: error, FileCreateError])
    def test_a_full_disk_is_explained_and_the_earlier_file_stays(self, result, tmp_path, monkeypatch, wrap):
        def full(_book):
            raise wrap(OSError(errno.ENOSPC, "No space left on device"))

        monkeypatch.setattr(xlsxwriter.Workbook, "close", full)
        (tmp_path / "shop.xlsx").write_text("old")

        with pytest.raises(OutputError, match=r"The disk is full: .* Nothing was changed\. Make room"):
            write_workbook(result, tmp_path / "shop.xlsx")
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("shop.xlsx", "old")]

    @pytest.mark.parametrize("most", [-1, 1_048_574, 2.5])
    def test_more_customers_than_a_sheet_can_hold_are_refused(self, result, tmp_path, most):
        with pytest.raises(OptionError, match=r"most_customers is .*\. Ask for 0 to 1,048,573"):
            write_workbook(result, tmp_path / "shop.xlsx", most_customers=most)
        assert list(tmp_path.iterdir()) == []
