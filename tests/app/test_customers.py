"""Customers: found by the beginning of their id or address, and each on a page of their own."""

import re
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from urllib.parse import quote

import pandas as pd
import pytest

import regulars as rg
from app.conftest import ODD_IDS
from regulars.app.routes.customers import card_of, linker
from regulars.app.timeline import draw_timeline
from regulars.app.workspace import Workspace
from regulars.cards import customer_card

PART = {"hx-request": "true"}


@pytest.fixture(scope="module")
def people(workspace_of_contacts) -> pd.DataFrame:
    found = pd.read_parquet(workspace_of_contacts / "contacts" / "customers.parquet")
    found["monetary"] = found["monetary"].astype(float)
    return found.sort_values(["monetary", "customer_id"], ascending=[False, True], ignore_index=True)


def found_in(page: str) -> list[str]:
    part = page[page.index('<div id="found">') :]
    return [unescape(each) for each in re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', part)]


class TestSearch:
    def find(self, browser, text: str, **more) -> str:
        return browser.get("/runs/contacts/customers", params={"q": text, **more}).text

    def test_by_the_beginning_of_an_id(self, contacts, people):
        expected = people[people["customer_id"].str.startswith("100")]

        assert found_in(self.find(contacts, "100")) == expected["customer_id"].tolist()[:50]

    def test_by_an_address_whatever_the_capitals(self, contacts, people):
        email = people["email"].dropna().iloc[3]
        expected = people.loc[people["email"] == email, "customer_id"].tolist()

        for typed in (email.upper(), f"  {email.lower()} "):
            assert found_in(self.find(contacts, typed)) == expected

    def test_by_an_id_whatever_the_capitals(self, contacts):
        assert found_in(self.find(contacts, "zOË 日")) == ["Zoë 日本"]

    @pytest.mark.parametrize("odd", ["=1+1", "50%?q=1#x", "..", "<b>bold</b>", 'O\'Hara "Q"'])
    def test_signs_mean_themselves(self, contacts, odd):
        assert found_in(self.find(contacts, odd)) == [odd]

    def test_the_very_id_comes_first(self, contacts, people):
        poorest = people["customer_id"].iloc[-1]

        assert found_in(self.find(contacts, poorest))[0] == poorest

    def test_nothing_typed_is_everybody_page_by_page(self, contacts, people):
        shown = [one for number in (1, 2, 3) for one in found_in(self.find(contacts, "", page=number))]

        assert shown == people["customer_id"].tolist()

    def test_nobody_found_says_who_is_near(self, contacts, people):
        one = next(each for each in people["customer_id"] if each.isdigit())
        page = unescape(self.find(contacts, one[1:]))

        assert "0 customers" in page
        assert "Did you mean" in page
        assert f">{one}</a>" in page

    def test_only_the_table_is_sent_where_htmx_asks(self, contacts):
        part = contacts.get("/runs/contacts/customers", params={"q": "1"}, headers=PART).text

        assert part.strip().startswith('<div id="found">')
        assert "<html" not in part

    def test_what_was_typed_is_text(self, contacts):
        page = self.find(contacts, '"><script>alert(1)//')

        assert "<script>alert" not in page


class TestPage:
    @pytest.mark.parametrize("odd", ODD_IDS)
    def test_odd_ids_have_a_page_that_their_link_leads_to(self, contacts, workspace_of_contacts, odd):
        link = linker(Workspace(workspace_of_contacts).run("contacts"))(odd)
        response = contacts.get(link)

        assert response.status_code == 200
        assert unescape(re.search(r"<h1>(.*?)</h1>", response.text)[1]) == f"Customer {odd}"
        assert "<b>bold" not in response.text
        assert "<script>alert" not in response.text

    def test_everything_on_the_card_is_said(self, client, workspace_of_sample):
        result = rg.open_run(workspace_of_sample / "sample")
        card = customer_card(result, result.high_value.top[5].customer_id)
        page = unescape(client.get(f"/runs/sample/customer/{card.customer_id}").text)

        for sentence in (*card.why, *(move.sentence for move in card.moves), card.action, card.offer):
            assert sentence in page
        assert f"{card.numbers['p_active']:.0%}" in page
        assert card.segment in page
        assert card.group in page

    def test_the_card_is_that_of_the_library(self, workspace_of_sample):
        run = Workspace(workspace_of_sample).run("sample")
        wanted = run.result.at_risk.top[0].customer_id

        assert card_of(run, wanted) == customer_card(run.result, wanted)

    def test_the_orders_are_those_of_the_run_latest_first(self, client, workspace_of_sample):
        orders = pd.read_parquet(workspace_of_sample / "sample" / "orders.parquet")
        busiest = orders["customer_id"].value_counts().index[0]
        own = orders[orders["customer_id"] == busiest].sort_values(["ordered_at", "order_id"], ascending=False)
        page = client.get(f"/runs/sample/customer/{busiest}").text
        part = page[page.index('id="about-timeline"') :]
        rows = re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td><td class=\"number\">([^<]*)</td>", part)

        assert [(order, amount) for _, order, amount in rows] == [
            (order, f"{amount:,.2f}") for order, amount in zip(own["order_id"], own["amount"], strict=True)
        ]
        assert page.count("<line ") == len(own)

    def test_an_unknown_id_says_what_is_near(self, contacts, people):
        one = next(each for each in people["customer_id"] if each.isdigit())
        response = contacts.get(f"/runs/contacts/customer/{one}x")

        assert response.status_code == 404
        assert f"No customer is called “{one}x”" in response.text
        assert f">{one}</a>" in response.text

    @pytest.mark.parametrize("wanted", ["", "%00", "%ff%fe", "y" * 5000, "<script>alert(1)"])
    def test_what_no_id_is_has_no_page(self, contacts, wanted):
        response = contacts.get(f"/runs/contacts/customer/{wanted}")

        assert response.status_code == 404
        assert "<script>alert" not in response.text

    def test_what_the_user_says_is_to_be_done_stands_there(self, contacts, people):
        one = people[people["segment_id"] == 1].iloc[0]["customer_id"]
        link = f"/runs/contacts/customer?id={quote(one)}"
        contacts.post("/runs/contacts/segments/1/note", data={"note": "Ring <them> up"})
        told = contacts.get(link).text
        contacts.post("/runs/contacts/segments/1/note", data={"note": ""})

        assert "Ring &lt;them&gt; up" in told
        assert "Ring" not in contacts.get(link).text

    def test_the_orders_end_with_the_last_of_them(self, client, workspace_of_sample):
        orders = pd.read_parquet(workspace_of_sample / "sample" / "orders.parquet")
        days = orders.groupby("customer_id")["ordered_at"].agg(["min", "max", "size"])
        one = days[(days["size"] > 1) & (days["max"] < "2024-10-01")].iloc[0]
        first, last = (f"{when.day} {when:%b %Y}" for when in (one["min"], one["max"]))

        assert f"{one['size']} orders from {first} to {last}:" in client.get(f"/runs/sample/customer/{one.name}").text


class TestTimeline:
    def test_one_order_today(self):
        line = draw_timeline(((datetime(2024, 5, 1, 9), "A", Decimal(10)),), until=date(2024, 5, 1))

        assert (line.strokes, line.months) == (((0.0, 100.0),), ())

    def test_small_orders_are_still_seen_and_months_are_marked(self):
        orders = ((datetime(2024, 1, 1), "A", Decimal(1)), (datetime(2024, 3, 1), "B", Decimal(1000)))
        line = draw_timeline(orders, until=date(2024, 3, 31))

        assert line.strokes == ((0.0, 4.0), (666.7, 100.0))
        assert [words for _, words in line.months] == ["Feb 2024", "Mar 2024"]

    @pytest.mark.parametrize(("years", "marks"), [(1, 5), (2, 5), (5, 6), (13, 7)])
    def test_long_histories_have_few_marks(self, years, marks):
        orders = ((datetime(2010, 1, 15), "A", Decimal(5)),)

        assert 1 <= len(draw_timeline(orders, until=date(2010 + years, 1, 20)).months) <= marks
