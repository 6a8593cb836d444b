"""The page "Compare": what can be compared, what comes of it, and the people of every move."""

import io
import re
import shutil
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from app.conftest import let_in
from app.tables import tables_of
from regulars.app import create_app
from regulars.app.movements import days_of, moves_between_dates, people_of

THEN = date(2024, 7, 1)  # the day of the run “spring”


@pytest.fixture(scope="module")
def folder(workspace_of_two):
    """The sample, and the same shop as it was half a year before."""
    return workspace_of_two


@pytest.fixture(scope="module")
def client(folder):
    with let_in(create_app(folder)) as browser:
        yield browser


@pytest.fixture(scope="module")
def first_orders(folder) -> pd.Series:
    """When each customer ordered first, from the file of orders."""
    orders = pd.read_parquet(folder / "sample" / "orders.parquet")
    return orders.groupby("customer_id")["ordered_at"].min()


def moves_of(page: str) -> list[list[str]]:
    """Rows of the table of moves: from, to, customers, why, spent before, spent after."""
    return next(rows for header, *rows in tables_of(page) if header[-1] == "People")


def test_the_page_offers_the_other_run_and_two_dates(client):
    page = client.get("/runs/sample/compare").text

    assert '<option value="spring" selected>' in page  # the same customers
    assert '<option value="sample"' not in page
    assert 'type="date" id="from" name="from" value="2024-06-29" min="2024-01-03" max="2024-12-25"' in page


def test_two_runs_say_who_moved_whichever_is_open(client, folder, first_orders):
    was, now = (pd.read_parquet(folder / name / "customers.parquet") for name in ("spring", "sample"))
    both = was.merge(now, on="customer_id", suffixes=("_was", "_now"))
    expected = both.groupby(["rfm_group_was", "rfm_group_now"]).size()

    pages = [
        client.get(address).text for address in ("/runs/sample/compare?with=spring", "/runs/spring/compare?with=sample")
    ]

    for page in pages:
        moves = {(row[0], row[1].lstrip("↑↓ ")): int(row[2]) for row in moves_of(page)}
        assert {key: n for key, n in moves.items() if key[0] != "(new)"} == expected.to_dict()
        assert sum(n for (before, _), n in moves.items() if before == "(new)") == len(now) - len(both)


def test_two_dates_reconcile_with_the_run(client, folder, first_orders):
    people = pd.read_parquet(folder / "sample" / "customers.parquet")
    page = client.get(f"/runs/sample/compare?from={THEN}&to=2024-12-25").text

    moves = moves_of(page)
    assert sum(int(row[2]) for row in moves) == len(people)
    assert sum(int(row[2]) for row in moves if row[0] == "(new)") == (first_orders >= pd.Timestamp(THEN)).sum()
    assert sum(Decimal(row[5].replace(",", "")) for row in moves) == people["monetary"].sum()


def test_the_people_of_a_move_are_a_file(client):
    page = client.get("/runs/sample/compare?with=spring").text
    moves = moves_of(page)
    addresses = [address.replace("&amp;", "&") for address in re.findall(r'href="([^"]+people\.csv[^"]+)"', page)]

    assert len(addresses) == 1 + len(moves)
    everyone, *some = [
        pd.read_csv(io.StringIO(client.get(one).text), dtype={"customer_id": str}) for one in addresses[:6]
    ]

    assert len(everyone) == sum(int(row[2]) for row in moves if row[0] != row[1].lstrip("↑↓ "))
    assert [(people["from"][0], len(people)) for people in some] == [(row[0], int(row[2])) for row in moves[:5]]
    assert all(people["revenue_after"].is_monotonic_decreasing for people in some)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2024-12-25&to=2024-07-01", "is after the second"),
        ("from=1999-01-01&to=2024-07-01", "is outside of"),
        ("from=soon&to=2024-07-01", "is no date"),
        ("from=2024-07-01", "is no date"),
        ("with=sample", "Both runs are the same"),
        ("with=../etc", "There is no run"),
        ("with=spring&by=age", "Choose one of segments, groups"),
        ("with=spring&cuts=mine", "Choose one of earlier, later, each"),
    ],
)
def test_what_cannot_be_compared_is_said(client, query, words):
    answer = client.get(f"/runs/sample/compare?{query}")

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert words in answer.text
    assert "Compare the two dates" in answer.text  # the choice stays


def test_the_app_says_what_to_do_in_its_own_words(client):
    page = client.get("/runs/sample/compare?from=2024-12-25&to=2024-07-01").text
    assert "Give the earlier one first, under “From”." in page


def test_a_run_of_another_shop_is_not_proposed_and_doubted_first(folder, tmp_path):
    for name in ("sample", "spring"):
        shutil.copytree(folder / name, tmp_path / name)
    customers = pd.read_parquet(tmp_path / "spring" / "customers.parquet")
    ours = pd.read_parquet(tmp_path / "sample" / "customers.parquet", columns=["customer_id"])["customer_id"]
    kept = customers["customer_id"].isin(sorted(set(ours) & set(customers["customer_id"]))[:3])
    customers["customer_id"] = customers["customer_id"].where(kept, "other-" + customers["customer_id"])
    customers.to_parquet(tmp_path / "spring" / "customers.parquet")

    with let_in(create_app(tmp_path)) as browser:
        choice = browser.get("/runs/sample/compare").text
        page = browser.get("/runs/sample/compare?with=spring").text

    assert '<option value="">Choose a run</option>' in choice
    assert '<option value="spring">' in choice
    assert re.search(r"(?s)same shop\? Only 3 of .* are in both.*Moved up", page)


def test_only_moves_that_are_there_have_people(client):
    query = "/runs/sample/compare/people.csv?with=spring&before=Champions"

    assert client.get(f"{query}&after=Nobody").status_code == 400
    assert client.get(f"{query}&after=Champions&because=magic").status_code == 400
    assert client.get("/runs/sample/compare/people.csv").status_code == 400


def test_a_comparison_is_worked_out_once(client):
    run = client.app.state.house.workspace.run("sample")
    asked = (THEN, date(2024, 12, 25))

    first, again = (moves_between_dates(run, asked) for _ in range(2))

    assert first is again
    flow = next(flow for flow in first.movement.groups.flows if flow.before == "(new)")
    people = people_of(first.movement, "groups", before=flow.before, after=flow.after, because="new")
    assert people.count().to_pyarrow().as_py() == flow.total.customers


def test_the_proposed_dates_are_half_the_history_apart_where_that_is_short(client):
    first, last, (middle, end) = days_of(client.app.state.house.workspace.run("sample"))

    assert (first, last) == (date(2024, 1, 3), date(2024, 12, 25))  # 357 days: half a year would be more than half
    assert (middle, end) == (first + timedelta(days=178), last)


def test_a_run_without_orders_says_so(folder, tmp_path):
    shutil.copytree(folder / "sample", tmp_path / "large")
    (tmp_path / "large" / "orders.parquet").unlink()

    with let_in(create_app(tmp_path)) as browser:
        page = browser.get("/runs/large/compare").text
        asked = browser.get("/runs/large/compare?from=2024-07-01&to=2024-12-25")

    assert "Two dates of this run" not in page
    assert "There is no other run" in page
    assert asked.status_code == 400
    assert "keeps no orders" in asked.text
