"""Measure a campaign: a later export is dropped, and the page says what the list changed."""

import csv
import io
import re
from html import unescape

import pytest

from regulars.app.measuring import measure_list
from regulars.errors import ColumnError, NotEnoughDataError

PART = {"hx-request": "true"}
BUYERS = {"treated": 40, "control": 5}  # each for 10.00; nobody else orders in May


@pytest.fixture(scope="module")
def campaign(contacts) -> str:
    """The address of a list of everybody, of whom a third is left out."""
    made = contacts.post("/runs/contacts/lists", data={"of": "everyone", "tool": "csv", "holdout": "33", "seed": "3"})
    return made.url.path


@pytest.fixture(scope="module")
def sides(contacts, campaign) -> dict[str, list[str]]:
    """The customers of both groups, as the file beside the list names them."""
    link = re.findall(r'href="([^"]+\.csv)" download', contacts.get(campaign).text)[1]
    rows = [*csv.DictReader(contacts.get(link).text.splitlines())]
    return {side: [row["customer_id"] for row in rows if row["group"] == side] for side in ("treated", "control")}


def export(rows: list[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(
        [("Customer ID", "Order", "Date", "Total")] + [(who, n, *rest) for n, (who, *rest) in enumerate(rows)]
    )
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def later(contacts, sides) -> str:
    """An upload in which 40 of those on the list and 5 of those left out bought for 10 in May; a stranger bought in June."""
    plain = {side: [one for one in ids if one.isdigit()] for side, ids in sides.items()}
    bought = [(one, "2025-05-10", "10.00") for side, most in BUYERS.items() for one in plain[side][:most]]
    rows = [*bought, ("stranger", "2025-06-30", "99.00")]
    return contacts.put("/uploads", params={"name": "<May>.csv"}, content=export(rows)).json()["id"]


def test_a_dropped_file_leads_back_to_the_page(contacts, campaign, later):
    page = contacts.get(f"{campaign}/measure", params={"source": later}).text

    assert f'href="{campaign}/measure"' in contacts.get(campaign).text
    assert f'data-back="{campaign}/measure"' in page
    assert f'<option value="{later}" selected>&lt;May&gt;.csv</option>' in page
    assert "data-back" not in contacts.get("/").text


def test_both_groups_and_what_the_campaign_changed_are_said(contacts, campaign, sides, later, until):
    asked = {"source": later, "start": "2025-05-01", "days": "31"}
    begun = contacts.post(f"{campaign}/measure", data=asked, follow_redirects=False).headers["location"]
    again = contacts.post(f"{campaign}/measure", data=asked, follow_redirects=False).headers["location"]
    until(lambda: "hx-refresh" in contacts.get(begun, headers=PART).headers)
    page = unescape(contacts.get(begun).text)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page)

    assert again == begun
    got, left = (len(sides[side]) for side in ("treated", "control"))
    shares = [BUYERS["treated"] / got, BUYERS["control"] / left]
    assert [cells[0], cells[1], cells[4]] == [str(got), "40", "£400"]
    assert [cells[6], cells[7], cells[10]] == [str(left), "5", "£50"]
    assert f"+{100 * (shares[0] - shares[1]):.1f} points" in page
    assert f'<div class="value">{got * (shares[0] - shares[1]):+.0f}</div>' in page
    assert "The campaign made customers buy:" in page
    assert "What it brought in money cannot be told: too few customers bought." in page
    assert "orders from 1 May 2025 to 31 May 2025 in <May>.csv" in page


def test_what_cannot_be_measured_says_what_to_do_on_the_page(workspace_of_contacts, campaign, tmp_path):
    record = workspace_of_contacts / "campaigns" / f"{campaign.rpartition('/')[2]}.record.json"
    spec = {"workspace": str(workspace_of_contacts), "source": "x", "path": str(tmp_path / "other.csv"), "choices": {}}
    spec |= {"record": str(record), "start": "2025-05-01", "days": None}
    (tmp_path / "other.csv").write_bytes(export([(f"stranger {n}", "2025-05-10", "10.00") for n in range(20)]))
    with pytest.raises(NotEnoughDataError, match=r"is among the customers of other\.csv") as strangers:
        measure_list(spec, lambda *_: None)
    (tmp_path / "other.csv").write_text("Name,Colour\nAnna,red\n")
    with pytest.raises(ColumnError) as foreign:
        measure_list(spec, lambda *_: None)

    assert "has the customers of the list" in strangers.value.hint
    assert "Export the orders as you did for this run" in foreign.value.hint


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "soon"}, "'soon' is no day."),
        ({"days": "0"}, "'0' is no number of days."),
        ({"days": "many"}, "'many' is no number of days."),
        ({"source": "x"}, "The file is not here any more"),
    ],
)
def test_what_cannot_be_meant_is_told(contacts, campaign, later, asked, words):
    response = contacts.post(f"{campaign}/measure", data={"source": later} | asked)

    assert response.status_code == 400
    assert words in unescape(response.text)


def test_without_a_control_group_nothing_can_be_measured(contacts):
    made = contacts.post("/runs/contacts/lists", data={"of": "everyone", "tool": "csv", "holdout": "0"}).url.path
    response = contacts.get(f"{made}/measure")

    assert response.status_code == 400
    assert "Nobody was left out of this list" in response.text
    assert f"{made}/measure" not in contacts.get(made).text


def test_what_came_of_a_list_is_shown_with_it_only(contacts, campaign, later):
    begun = contacts.post(f"{campaign}/measure", data={"source": later, "start": "2025-05-01"}, follow_redirects=False)
    job = begun.headers["location"].rpartition("/")[2]
    again = {"of": "everyone", "tool": "csv", "holdout": "33", "seed": "3", "again": "1"}
    other = contacts.post("/runs/contacts/lists", data=again).url.path

    assert contacts.get(f"{campaign}/measure/{job}").status_code == 200
    assert contacts.get(f"{other}/measure/{job}").status_code == 404
    assert contacts.get(f"{campaign}/measure/nothing").status_code == 404
