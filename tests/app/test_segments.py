"""People of segments, groups, fields and lists: who they are, filters, pages, what to do, and lists for campaigns."""

import csv
import re
from datetime import date
from html import unescape
from urllib.parse import quote

import pandas as pd
import pytest

import regulars as rg
from regulars.app.lists import Wanted
from regulars.app.people import Filters, find_selection, list_people
from regulars.app.workspace import Workspace
from regulars.audiences import load_record
from regulars.errors import OptionError, SourceError

PART = {"hx-request": "true"}
ASKED = {"of": "everyone", "tool": "mailchimp", "holdout": "20", "seed": "7", "spend_from": "100"}


@pytest.fixture(scope="module")
def people(workspace_of_sample) -> pd.DataFrame:
    """The customers of the run, for counting by other means; most spent first."""
    return in_order(pd.read_parquet(workspace_of_sample / "sample" / "customers.parquet"))


@pytest.fixture(scope="module")
def with_addresses(workspace_of_contacts) -> pd.DataFrame:
    return in_order(pd.read_parquet(workspace_of_contacts / "contacts" / "customers.parquet"))


@pytest.fixture(scope="module")
def result(workspace_of_sample) -> rg.Segmentation:
    return rg.open_run(workspace_of_sample / "sample")


def in_order(people: pd.DataFrame) -> pd.DataFrame:
    people["monetary"] = people["monetary"].astype(float)
    return people.sort_values(["monetary", "customer_id"], ascending=[False, True], ignore_index=True)


def ids_in(page: str) -> list[str]:
    """Ids in the table of people of a page, from the top."""
    part = page[page.index('<div id="people">') :]
    return [unescape(each) for each in re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', part)]


def words_in(page: str) -> str:
    """What a page says above the table of people."""
    said = re.search(r'<div id="people">.*?<p data-say>(.*?)</p>', page, re.DOTALL)[1]
    return unescape(re.sub(r"<[^>]+>", "", said))


class TestWhoTheyAre:
    def test_a_segment(self, client, people, result):
        segment = result.segments[1]
        own = people[people["segment_id"] == segment.id]
        page = client.get(f"/runs/sample/segments/{segment.id}").text

        assert ids_in(page) == own["customer_id"].tolist()[:50]
        assert words_in(page).startswith(f"{len(own):,} customers, £{own['monetary'].sum() / 1000:.0f}k spent")
        assert all(reason in unescape(page) for reason in segment.why)

    def test_a_field_of_the_grid(self, client, people):
        mean = (people["f_score"] + people["m_score"] + 1) // 2
        own = people[(people["r_score"] == 5) & (mean == 5)]

        assert ids_in(client.get("/runs/sample/cells/5-5").text) == own["customer_id"].tolist()[:50]

    def test_a_named_group(self, client, people):
        own = people[people["rfm_group"] == "At Risk"]
        page = client.get("/runs/sample/groups/At%20Risk").text

        assert ids_in(page) == own["customer_id"].tolist()[:50]
        assert "<h1>At Risk</h1>" in page

    @pytest.mark.parametrize("name", ["at_risk", "high_value"])
    def test_a_list_of_the_run(self, client, result, name):
        listed = getattr(result, name)
        page = client.get(f"/runs/sample/{name.replace('_', '-')}").text

        assert words_in(page).startswith(f"{listed.customers:,} customers")

    def test_at_risk_without_a_forecast(self, contacts, workspace_of_contacts):
        listed = rg.open_run(workspace_of_contacts / "contacts").at_risk
        page = contacts.get("/runs/contacts/at-risk").text

        assert ids_in(page) == [person.customer_id for person in listed.top]

    def test_every_page_together_is_everybody_once(self, client, people):
        pages = [client.get("/runs/sample/everyone", params={"page": number}).text for number in range(1, 9)]

        assert [one for page in pages for one in ids_in(page)] == people["customer_id"].tolist()
        assert "Page 2 of 8" in pages[1]

    @pytest.mark.parametrize("page", ["0", "99", "-1", "²", "9" * 40, "x"])
    def test_a_page_that_is_none_is_the_nearest(self, client, page):
        assert client.get("/runs/sample/everyone", params={"page": page}).status_code == 200

    @pytest.mark.parametrize("of", ["segments/99", "segments/x", "cells/9-9", "cells/5", "groups/Nobody"])
    def test_unknown_people_are_told(self, client, of):
        response = client.get(f"/runs/sample/{of}")

        assert response.status_code == 404
        assert "There is nobody under" in response.text

    @pytest.mark.parametrize("of", ["", "everyone/x", "at-risk/1", "../..", "segments"])
    def test_an_address_that_is_none_is_told(self, workspace_of_sample, of):
        with pytest.raises(SourceError, match="There is nobody under"):
            find_selection(Workspace(workspace_of_sample).run("sample"), of)

    def test_all_segments_groups_and_lists_are_listed(self, client, result):
        page = client.get("/runs/sample/segments").text

        for segment in result.segments:
            assert f'href="/runs/sample/segments/{segment.id}"' in page
        for name, *_ in result.groups:
            assert f'href="/runs/sample/groups/{quote(name)}"' in page


class TestFilters:
    def test_all_at_once(self, client, people):
        query = {"country": "United Kingdom", "spend_from": "100", "spend_to": "900.5", "recency_from": "10"}
        query |= {"recency_to": "200", "chance_from": "5", "chance_to": "95.5"}
        own = people[
            (people["country"] == "United Kingdom")
            & people["monetary"].between(100, 900.5)
            & people["recency_days"].between(10, 200)
            & people["p_active"].between(0.05, 0.955)
        ]
        page = client.get("/runs/sample/everyone", params=query).text

        assert ids_in(page) == own["customer_id"].tolist()[:50]
        assert words_in(page) == (
            f"{len(own)} customers, £{own['monetary'].sum() / 1000:.0f}k spent – United Kingdom, spend £100 to £900.50, "
            f"last order 10 to 200 days ago, chance 5% to 95.5%: {len(own) / len(people):.0%} of the {len(people)} "
            f"customers with {own['monetary'].sum() / people['monetary'].sum():.0%} of the money. Show all. "
            "Make a list of them."
        )

    def test_ends_are_included(self, client, people):
        one = people.iloc[7]
        query = {"spend_from": str(one["monetary"]), "spend_to": str(one["monetary"])}

        assert one["customer_id"] in ids_in(client.get("/runs/sample/everyone", params=query).text)

    @pytest.mark.parametrize(
        ("sort", "columns", "ascending"),
        [
            ("recent", ["recency_days", "monetary"], [True, False]),
            ("orders", ["frequency", "monetary"], [False, False]),
            ("unlikely", ["p_active", "monetary"], [True, False]),
            ("risk", ["revenue_at_risk", "monetary"], [False, False]),
        ],
    )
    def test_other_orders(self, client, people, sort, columns, ascending):
        expected = people.sort_values([*columns, "customer_id"], ascending=[*ascending, True])

        assert ids_in(client.get("/runs/sample/everyone", params={"sort": sort}).text) == list(
            expected["customer_id"][:50]
        )

    def test_what_was_asked_stays_in_the_form_and_in_the_links(self, client):
        page = client.get("/runs/sample/everyone", params={"spend_from": "50", "sort": "risk"}).text

        assert 'name="spend_from" value="50"' in page
        assert '<option value="risk" selected>' in page
        assert 'href="/runs/sample/everyone?spend_from=50&amp;sort=risk&amp;page=2"' in page

    def test_only_the_table_is_sent_where_htmx_asks(self, client):
        part = client.get("/runs/sample/everyone", params={"spend_from": "500"}, headers=PART).text

        assert part.strip().startswith('<div id="people">')
        assert "<html" not in part

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"spend_from": "lots"}, "Spend, from: 'lots' is no number."),
            ({"recency_to": "1e99"}, "Days since the last order, to: '1e99' is no number."),
            ({"chance_from": "NaN"}, "Chance of an order, from: 'NaN' is no number."),
            ({"sort": "<b>"}, "There is no order '<b>'."),
        ],
    )
    @pytest.mark.parametrize("headers", [{}, PART])
    def test_what_cannot_be_meant_is_told(self, client, query, words, headers):
        response = client.get("/runs/sample/everyone", params=query, headers=headers)

        assert response.status_code == 400
        assert f'role="alert"><b>{words}</b>' in unescape(response.text)
        assert "<b></b>" not in response.text

    def test_nobody_left_says_what_to_do(self, client):
        page = client.get("/runs/sample/everyone", params={"spend_from": "99999999"}).text

        assert "Nobody is left by these filters." in page

    def test_a_run_without_chances_has_no_such_filter(self, contacts, workspace_of_contacts):
        assert "chance_from" not in contacts.get("/runs/contacts/everyone").text
        run = Workspace(workspace_of_contacts).run("contacts")
        with pytest.raises(OptionError, match="This run has no chances of an order"):
            list_people(run, find_selection(run, "everyone"), Filters(chance_from=0.5))


class TestAction:
    def test_the_text_is_kept_until_it_is_forgotten(self, contacts):
        first = contacts.get("/runs/contacts/segments/1").text
        kept = contacts.post("/runs/contacts/segments/1/note", data={"note": " Write in May \r\n<b>twice</b> "})

        assert "A suggestion: write what you will really do." in first
        assert "Write in May \n&lt;b&gt;twice&lt;/b&gt;</textarea>" in kept.text
        assert "<b>Kept.</b>" in kept.text
        assert "Write in May" in contacts.get("/runs/contacts/segments").text

        contacts.post("/runs/contacts/segments/1/note", data={"note": "x", "forget": "1"})
        assert "Write in May" not in contacts.get("/runs/contacts/segments/1").text

    def test_a_book_is_refused(self, contacts):
        response = contacts.post("/runs/contacts/segments/1/note", data={"note": "x" * 4001})

        assert response.status_code == 400
        assert "The text is not kept: it has 4,001 letters." in response.text
        assert f"{'x' * 4001}</textarea>" in response.text
        assert "maxlength" not in response.text

    def test_other_sites_change_nothing(self, contacts):
        response = contacts.post(
            "/runs/contacts/segments/1/note", data={"note": "hello"}, headers={"origin": "http://elsewhere.example"}
        )

        assert response.status_code == 403


class TestLists:
    def test_it_is_counted_before_it_is_made(self, contacts, with_addresses, workspace_of_contacts):
        chosen = with_addresses[with_addresses["monetary"] >= 100]
        part = contacts.get("/runs/contacts/lists/count", params=ASKED, headers=PART).text
        page = contacts.get("/runs/contacts/lists/count", params=ASKED).text

        for shown in (part, page):
            assert f"<dt>All customers, spend from £100</dt><dd>{len(chosen)} customers</dd>" in shown
            assert "Needed in the control group" in shown or "the most that helps" in shown
        assert '<input type="hidden" form="make-list" name="spend_from" value="100">' in page
        assert not list((workspace_of_contacts / "campaigns").glob("*100*"))

    def test_it_holds_those_whom_the_filters_leave(self, contacts, with_addresses, workspace_of_contacts):
        chosen = with_addresses[(with_addresses["monetary"] >= 100) & with_addresses["email"].notna()]
        page = contacts.post("/runs/contacts/lists", data=ASKED)
        links = re.findall(r'href="(/runs/contacts/lists/[^"]+\.csv)" download', page.text)
        written, groups = ([*csv.DictReader(contacts.get(link).text.splitlines())] for link in links)
        side = {row["customer_id"].lstrip("'"): row["group"] for row in groups}

        assert page.status_code == 200
        held = {one for one, group in side.items() if group == "control"}
        treated = chosen[~chosen["customer_id"].isin(held)]
        assert sorted(row["Email Address"] for row in written) == sorted(treated["email"].str.lower())
        assert {row["Tags"] for row in written} == {"All customers spend from £100"}
        assert len(held) == pytest.approx(0.2 * len(chosen), abs=1)

    def test_its_record_is_kept_where_the_page_says(self, contacts, workspace_of_contacts):
        page = contacts.post("/runs/contacts/lists", data=ASKED | {"of": "segments/0", "spend_from": ""})
        place = unescape(re.search(r"regulars measure --export (.*?) ORDERS.csv", page.text)[1])
        record = load_record(place)

        assert place.startswith(str(workspace_of_contacts / "campaigns"))
        assert (record.kind, record.tool, record.holdout, record.seed) == ("segment", "mailchimp", 0.2, 7)
        assert record.exported_on == date.today()

    def test_the_same_choices_lead_to_the_list_that_exists(self, contacts):
        asked = ASKED | {"of": "groups/Loyal", "spend_from": ""}
        first = contacts.post("/runs/contacts/lists", data=asked).url.path
        again = contacts.post("/runs/contacts/lists", data=asked)

        assert "Such a list exists:" in again.text
        assert f'href="{first}"' in again.text
        assert "Make it once more" in again.text
        assert (
            "Such a list exists:" not in contacts.get("/runs/contacts/lists/count", params=asked | {"seed": "8"}).text
        )

    def test_a_second_list_does_not_take_the_place_of_the_first(self, contacts):
        asked = ASKED | {"of": "cells/5-5", "again": "1"}
        one, two = (contacts.post("/runs/contacts/lists", data=asked).url.path for _ in "ab")
        page = contacts.get("/runs/contacts/segments").text

        assert two == f"{one}-2"
        assert f'href="{one}"' in page
        assert f'href="{two}"' in page

    def test_without_a_control_group_there_is_only_the_list(self, contacts):
        page = contacts.post("/runs/contacts/lists", data={"of": "high-value", "tool": "csv", "holdout": "0"}).text

        assert "Nobody was left out: what this campaign changes will not be known." in page
        assert "Who is in which group" not in page

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({"tool": "pigeons"}, "There is no list for 'pigeons'."),
            ({"holdout": "100"}, "'100' cannot be left out: that is a number from 0 to 90 per cent."),
            ({"holdout": "90.5"}, "'90.5' cannot be left out: that is a number from 0 to 90 per cent."),
            ({"holdout": "-5"}, "'-5' cannot be left out"),
            ({"seed": "one"}, "'one' is no draw number."),
        ],
    )
    def test_what_cannot_be_made_is_told_and_leaves_nothing(self, contacts, workspace_of_contacts, asked, words):
        before = sorted(workspace_of_contacts.rglob("*"))
        response = contacts.post("/runs/contacts/lists", data=ASKED | asked)

        assert response.status_code == 400
        assert words in unescape(response.text)
        assert "Make the list" in response.text
        assert sorted(workspace_of_contacts.rglob("*")) == before

    def test_a_list_of_nobody_is_not_offered(self, contacts):
        nobody = ASKED | {"spend_from": "99999999"}
        response = contacts.post("/runs/contacts/lists", data=nobody)

        assert response.status_code == 400
        assert "The filters leave nobody:" in response.text
        assert "Make the list" not in response.text
        assert "data-nobody" in contacts.get("/runs/contacts/everyone", params={"spend_from": "99999999"}).text

    def test_an_empty_share_is_the_usual_one(self):
        assert (Wanted.from_query({"holdout": ""}).holdout, Wanted.from_query({"holdout": "0"}).holdout) == (0.1, 0.0)

    def test_tools_that_cannot_be_served_cannot_be_chosen(self, client, contacts):
        assert '<option value="klaviyo" disabled>' in client.get("/runs/sample/segments/0").text
        assert '<option value="klaviyo">' in contacts.get("/runs/contacts/segments/0").text

    @pytest.mark.parametrize("name", ["nothing", "..%2F..%2Ftoken", ".hidden", "%2Fetc%2Fpasswd"])
    def test_other_files_are_not_given(self, contacts, name):
        assert contacts.get(f"/runs/contacts/lists/{name}").status_code == 404
        assert contacts.get(f"/runs/contacts/lists/{name}/token").status_code == 404

    def test_other_files_beside_a_list_are_not_given(self, contacts):
        made = contacts.post("/runs/contacts/lists", data=ASKED).url.path

        assert contacts.get(f"{made}/..%2Fcontacts%2Ffacts.json").status_code == 404
        assert contacts.get(f"{made}/other.csv").status_code == 404
