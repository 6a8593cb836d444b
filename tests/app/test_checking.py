"""Before a run: what was recognised, what is set aside, and what a user can change about it."""

import json
import sqlite3
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from starlette.testclient import TestClient

from regulars.app import create_app
from regulars.app.checking import look_at
from regulars.app.choices import ALLOWED, Choices, offered_layouts, offered_packs
from regulars.app.working import Teller
from regulars.clustering import SCALES
from regulars.errors import OptionError
from regulars.reading import preview

PLAIN = """Customer,Order,Date,Quantity,Price,Product,Country
7,A1,2024-01-31,2,1.50,Cup,France
7,A1,2024-01-31,1,4.00,Plate,France
8,A2,2024-02-01,3,2.00,Cup,Italy
8,A3,2024-02-02,-1,2.00,Cup,Italy
,A4,2024-02-03,1,9.00,Bowl,Italy
"""
OTHERS = "".join(f"{number},B{number},2024-02-03,1,2.00,Cup,Italy\n" for number in range(20, 30))  # enough for segments


@pytest.fixture
def look(tmp_path):
    """Look at a file as the process of a check does: what is found at once, and what at the end."""

    def at(path, **choices):
        spec = {"workspace": str(tmp_path), "source": "0", "title": path.name, "path": str(path), "choices": choices}
        found = look_at(spec, Teller(tmp_path))
        at_once = tmp_path / "found.json"
        return (json.loads(at_once.read_text()) if at_once.exists() else None), json.loads(
            json.dumps(found, default=str)
        )

    return at


def file(tmp_path, text, name="orders.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


# --- what a look finds ------------------------------------------------------------------------------------------------


def test_first_rows_and_header_come_first_then_the_audit_of_all(look, tmp_path):
    at_once, found = look(file(tmp_path, PLAIN))

    assert at_once["columns"] == ["Customer", "Order", "Date", "Quantity", "Price", "Product", "Country"]
    assert at_once["rows"][0] == ["7", "A1", "2024-01-31", "2", "1.50", "Cup", "France"]
    assert at_once["lines"] == 5
    assert "audit" not in at_once
    assert {match["field"]: match["column"] for match in found["matches"]}["customer_id"] == "Customer"
    lines = {line["rule"]: (line["rows"], line["amount"]) for line in found["audit"]["lines"]}
    assert lines["no customer"] == (1, "9.0000")  # the bowl
    assert lines["return"] == (1, "-2.0000")
    assert lines["returned purchase"] == (0, "2.0000")  # one of three cups
    assert found["audit"]["lines"][-1]["amount_left"] == "11.0000"  # 3 + 4 + 6 − 2
    assert found["audit"]["reconciles"]


def test_too_few_customers_for_segments_are_said_before_a_run(look, tmp_path):
    _, found = look(file(tmp_path, PLAIN))
    assert found["error"]["message"] == "Only 2 customers are left: segments need at least 10."
    assert found["audit"]["reconciles"]  # the table shows where the others are


def test_a_day_years_after_the_last_order_is_doubted(look, tmp_path):
    _, found = look(file(tmp_path, PLAIN), as_of="2034-02-05")
    assert "counted from 5 Feb 2034, 10.0 years after the last order line (3 Feb 2024)" in found["doubts"][0]
    _, found = look(file(tmp_path, PLAIN), as_of="2026-02-03")
    assert found["doubts"] == []


def test_a_number_that_cannot_be_read_is_no_matter_of_dates(look, tmp_path):
    _, found = look(file(tmp_path, PLAIN.replace("4.00", "four")))
    assert "cannot read the unit price 'four'" in found["error"]["message"]
    assert "set such lines aside" in found["error"]["hint"]
    assert "dates" not in found["error"]["hint"]


def test_a_date_that_stands_for_never_is_refused_with_what_to_do(look, tmp_path):
    never = file(tmp_path, PLAIN + "9,A5,9999-12-31,1,1.00,Cup,Italy\n")
    _, found = look(never)
    assert "1 line of orders.csv is dated in the year 9000 or later, up to 9999-12-31" in found["error"]["message"]
    assert "“Count up to, not including”" in found["error"]["hint"]
    assert "as_of" in found["error"]["api_hint"]
    _, found = look(never, as_of="2024-02-04")
    assert found["audit"]["lines"][-1]["amount_left"] == "11.0000"


def test_what_is_chosen_counts(look, tmp_path):
    path = file(tmp_path, PLAIN)
    _, found = look(path, **{"returns": "drop", "as_of": "2024-02-03", "column.customer_id": "Product"})
    assert found["audit"]["lines"][-1]["amount_left"] == "13.0000"  # 3 + 4 + 6; not the return, not the bowl
    assert found["matches"][0] == {"field": "customer_id", "column": "Product", "why": "mapped by you"}


@pytest.mark.parametrize(
    ("text", "choices", "error", "message"),
    [
        (
            "Ref;Wann;Amount\n7;31.12.2023;9,90\n",
            {},
            "ColumnError",
            "No column for customer_id, ordered_at. Found: Ref",
        ),
        (PLAIN, {"column.customer_id": "Client"}, "ColumnError", "There is no column 'Client' to map customer_id to."),
        ("Customer,Date,Amount\n7,never,1\n", {}, "UnreadableError", "Row 2 of orders.csv"),
        ("Customer,Date,Amount\n7,1/2/2024,1\n", {}, "UnreadableError", "may have the day or the month first"),
        ("Customer,Date,Amount\n7,2024-02-01,€1\n7,2024-02-01,$1\n", {}, "OptionError", "in several currencies"),
        ("Customer,Date,Amount\n,2024-02-01,1\n", {}, "NotEnoughDataError", "has a customer"),
    ],
)
def test_what_is_wrong_is_said_and_the_file_is_still_shown(look, tmp_path, text, choices, error, message):
    _, found = look(file(tmp_path, text), **choices)
    assert found["error"]["kind"] == error
    assert message in found["error"]["message"]
    assert "--" not in found["error"]["hint"]  # pages have no options of the command line
    assert len(found["rows"]) >= 1


def test_a_column_that_is_chosen_mends_it(look, tmp_path):
    path = file(tmp_path, "Ref;Wann;Amount\n7;31.12.2023;9,90\n")
    _, found = look(path, **{"column.customer_id": "Ref", "column.ordered_at": "Wann"})
    assert found["audit"]["lines"][-1]["amount_left"] == "9.9000"


def test_a_file_that_cannot_be_opened_says_so(look, tmp_path):
    at_once, found = look(file(tmp_path, "", name="orders.xlsx"))
    assert at_once is None
    assert (found["columns"], found["error"]["message"]) == ([], "orders.xlsx is empty.")


def test_sheets_of_a_workbook_are_shown(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "orders.xlsx") as book:
        for name, money in [("Notes", None), ("May", 5), ("June", 7)]:
            sheet = book.add_worksheet(name)
            rows = [["Customer", "Date", "Amount"], ["7", "2024-05-01", money]] if money else [["Nothing here"]]
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    seen = preview(tmp_path / "orders.xlsx")
    assert (seen.sheets, seen.sheet) == (("Notes", "May", "June"), "May")
    june = preview(tmp_path / "orders.xlsx", sheet="June")
    assert (june.sheet, june.rows) == ("June", (("7", "2024-05-01", "7"),))


def test_parquet_and_lines_without_a_header_are_shown_as_text(tmp_path):
    table = pa.table({"Customer": [7, None], "Date": ["2024-05-01", "x" * 500], "Amount": [1.5, 2.0]})
    pq.write_table(table, tmp_path / "orders.parquet")
    assert preview(tmp_path / "orders.parquet").rows == (("7", "2024-05-01", "1.5"), (None, "x" * 200, "2.0"))

    times = [datetime(2024, 5, 1), datetime(2024, 5, 1, 9, 30, 1, 250_000)]
    pq.write_table(pa.table({"Customer": [7, 8], "Date": times, "Amount": [1.5, 2.0]}), tmp_path / "times.parquet")
    assert [row[1] for row in preview(tmp_path / "times.parquet").rows] == ["2024-05-01", "2024-05-01 09:30:01"]

    cdnow = preview(file(tmp_path, " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n", name="cdnow.txt"))
    assert (cdnow.layout, cdnow.rows[0]) == ("CDNOW", ("00001", "19970101", "1", "11.77"))


# --- choices ----------------------------------------------------------------------------------------------------------


def test_choices_come_back_as_they_were():
    values = {
        "column.customer_id": " Client ", "dayfirst": "month", "currency": "EUR", "as_of": "2024-12-31", "k": "5",
        "all_products": "yes", "backtest": "no", "horizon_days": "30", "groups": "shopify", "returns": "drop",
    }  # fmt: skip
    choices = Choices.parse(values)
    assert (choices.k, choices.dayfirst, choices.backtest, choices.columns["customer_id"]) == (
        5,
        False,
        False,
        " Client ",
    )
    assert choices.written() == values
    assert Choices.parse(choices.written()) == choices
    assert Choices().written() == Choices.parse({"k": "", "source": "x", "returns": "net"}).written() == {}


@pytest.mark.parametrize(
    "values",
    [
        {"k": "1"}, {"k": "51"}, {"k": "many"}, {"horizon_days": "0"}, {"horizon_days": "9" * 30}, {"returns": "keep"},
        {"unreadable": "x"}, {"scale": "x"}, {"dayfirst": "year"}, {"as_of": "31.12.2024"}, {"currency": "Euros"},
        {"column.password": "x"}, {"sheet": "x" * 301},
    ],
)  # fmt: skip
def test_choices_that_cannot_be_are_refused(values):
    with pytest.raises(OptionError):
        Choices.parse(values)


def test_the_scales_are_those_of_the_engine():
    assert set(ALLOWED["scale"]) == set(SCALES)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "..", "ours/../../x", "x.toml", "no such"])
def test_packs_and_layouts_are_names_and_never_paths(tmp_path, name):
    (tmp_path / "x.toml").write_text("title = 'beside the folder of packs'")
    (tmp_path / "packs").mkdir()
    with pytest.raises(OptionError, match="There is no rule pack"):
        Choices(groups=name).segmenting(tmp_path)
    with pytest.raises(OptionError, match="There is no layout"):
        Choices(layout=name).reading(tmp_path)


def test_packs_layouts_and_actions_of_the_workspace_are_used(tmp_path):
    for place in ("packs/ours.toml", "layouts/our shop.toml", "actions.toml"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("")
    assert offered_packs(tmp_path) == ["eleven", "klaviyo", "shopify", "ours"]
    assert offered_layouts(tmp_path)[-1] == ("our shop", "our shop")
    chosen = Choices(groups="ours", layout="our shop")
    assert chosen.segmenting(tmp_path)["groups"] == str(tmp_path / "packs" / "ours.toml")
    assert chosen.reading(tmp_path)["layout"] == str(tmp_path / "layouts" / "our shop.toml")
    assert chosen.segmenting(tmp_path)["actions"] == str(tmp_path / "actions.toml")
    assert Choices().segmenting(tmp_path)["groups"] == "eleven"


# --- the page ---------------------------------------------------------------------------------------------------------

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    return create_app(folder)


@pytest.fixture(scope="module")
def browser(app):
    with TestClient(app, base_url="http://127.0.0.1", headers={"origin": "http://127.0.0.1"}) as client:
        client.get("/enter", params={"token": app.state.house.keys.start})
        yield client


@pytest.fixture(scope="module")
def checked(browser, until):
    """Send a file, or choose a source, and wait until the check page says everything."""

    def page(text=None, *, address="", name="orders.csv"):
        if text is not None:
            address = browser.put("/uploads", params={"name": name}, content=text.encode()).json()["check"]
        return address, until(lambda: finished(browser.get(address)))

    def finished(response):
        assert response.status_code == 200, response.text
        return "" if "hx-get" in response.text else response.text

    return page


@pytest.fixture(scope="module")
def plain(checked):
    """The check of the plain file: its address and its page."""
    return checked(PLAIN + OTHERS)


def test_the_page_shows_what_was_found_and_lets_everything_be_changed(plain, browser):
    address, page = plain
    for words in ("Check orders.csv", "What will be used", "Every line of the file is either used or in this table"):
        assert words in page
    assert '<option value="Customer"' in page
    for name in ("column.consent", "dayfirst", "currency", "unreadable", "layout", "returns", "as_of", "all_products"):
        assert f'name="{name}"' in page
    for name in ("k", "groups", "backtest", "horizon_days", "scale"):
        assert f'name="{name}"' in page
    assert 'formaction="/runs"' in page
    assert page.count("<h1>") == 1

    again = browser.get(address, headers={"hx-request": "true", "hx-target": "findings"}).text
    assert "<h1>" not in again
    assert "What will be used" in again


def test_an_error_stands_on_top_and_choosing_mends_it(checked, browser):
    others = "".join(f"{number};01.01.2024;5,00;x\n" for number in range(8, 20))
    address, page = checked(f"Ref;Wann;Summe;{'long ' * 30}\n7;31.12.2023;9,90;x\n{others}")
    assert 'role="alert"' in page
    assert page.index("No column for Customer, Date.") < page.index("Which column is which")
    assert f"Found: Ref, Wann, Summe, {'long ' * 7}long…" in page
    assert "recognised by their names" not in page
    assert "formaction" not in page

    _, mended = checked(address=f"{address}?column.customer_id=Ref&column.ordered_at=Wann")
    assert "What will be used" in mended
    assert '<option value="Ref" selected>' in mended


def test_a_wrong_choice_is_said_and_the_page_still_stands(plain, checked):
    address, _ = plain
    _, page = checked(address=f"{address}?k=77&currency=Euros")
    assert "&#39;Euros&#39; is no currency." in page


def test_the_same_choices_are_looked_at_once(app, plain, checked):
    address, _ = plain
    count = len(app.state.house.jobs._jobs)
    checked(address=address)
    checked(address=f"{address}?k=4&scale=log")  # nothing that a check would see
    assert len(app.state.house.jobs._jobs) == count


def test_text_of_the_file_is_never_run(checked):
    _, page = checked(f'Customer,Date,Amount,"{EVIL.replace(chr(34), chr(34) * 2)}"\n7,2024-02-01,1,"<b>bold</b>"\n')
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_nobody_looks_at_the_files_of_others(app, browser, plain):
    address, _ = plain
    stranger = TestClient(app, base_url="http://127.0.0.1")
    stranger.cookies.set("regulars", app.state.house.keys.admit())
    assert stranger.get(address).status_code == 404
    assert browser.get("/check/../../etc").status_code == 404
    assert browser.get("/check/nothing").status_code == 404


def test_a_database_is_read_without_showing_its_address(app, checked, browser, tmp_path):
    with sqlite3.connect(tmp_path / "secret-place.sqlite") as con:
        con.execute("CREATE TABLE lines (Customer, Date, Amount)")
        con.executemany("INSERT INTO lines VALUES (?, ?, 9.9)", [(one, f"2024-02-{one:02}") for one in range(1, 13)])
    address = f"sqlite:///{tmp_path}/secret-place.sqlite?table=lines"
    settings = app.state.house.workspace.folder / "databases.toml"
    settings.write_text(f'[shop]\ntitle = "Our <shop>"\naddress = "{address}"\n')

    start = browser.get("/").text
    assert "Our &lt;shop&gt;" in start
    _, page = checked(address="/check/database-shop")
    assert "What will be used" in page
    assert "secret-place" not in start + page
    assert not any("secret-place" in path.read_text() for path in app.state.house.workspace.own.rglob("*.json"))
    assert browser.get("/check/database-other").status_code == 404


def test_addresses_have_the_choices_in_them(plain, browser):
    """So that reloading, a second tab and the way back from a run show the same."""
    address, _ = plain
    job = browser.post("/runs", data={"source": address.rpartition("/")[2], "k": "3", "returns": "drop", "groups": "x"})
    assert job.status_code == 400
    job = browser.post(
        "/runs", data={"source": address.rpartition("/")[2], "k": "3", "returns": "drop"}, follow_redirects=False
    )
    place = job.headers["location"]
    browser.post(f"{place}/stop")
    page = browser.get(place).text
    back = page.partition('href="/check')[2].partition('"')[0].replace("&amp;", "&")
    assert parse_qs(urlsplit(back).query) == {"k": ["3"], "returns": ["drop"]}
