"""A run at a glance: its numbers, the links to its people, its files."""

import io
import json
import re

import openpyxl
import pandas as pd
import pytest

import regulars as rg


@pytest.fixture(scope="module")
def people(workspace_of_sample) -> pd.DataFrame:
    """The customers of the run, for counting by other means."""
    return pd.read_parquet(workspace_of_sample / "sample" / "customers.parquet")


@pytest.fixture(scope="module")
def result(workspace_of_sample) -> rg.Segmentation:
    return rg.open_run(workspace_of_sample / "sample")


@pytest.fixture(scope="module")
def page(client) -> str:
    response = client.get("/runs/sample")
    assert response.status_code == 200
    return response.text


def test_key_numbers_are_those_of_the_customers(page, people):
    values = re.findall(r'<div class="value">([^<]*)</div>', page)

    assert values[0] == f"{len(people):,}"
    assert values[1] == f"{people['frequency'].sum():,}"
    assert values[2] == f"£{people['monetary'].astype(float).sum() / 1000:.0f}k"


def test_every_segment_has_a_card_that_leads_to_its_people(page, result):
    for segment in result.segments:
        assert f'<a href="/runs/sample/segments/{segment.id}">{segment.name}</a>' in page
        assert f"<b>{segment.profile.customers:,}</b> customers" in page


def test_every_field_of_the_grid_has_a_link_with_its_customers(page, people):
    mean = (people["f_score"] + people["m_score"] + 1) // 2
    expected = people.groupby([people["r_score"], mean]).size()
    links = re.findall(r'<a href="/runs/sample/cells/(\d)-(\d)">([\d,]+) customers?</a>', page)

    assert {(int(r), int(fm)): int(n.replace(",", "")) for r, fm, n in links} == expected.to_dict()


def test_charts_are_there_as_data_and_in_words(page):
    for name in ("segment_shares", "rfm_grid", "segment_trend"):
        figure = re.search(rf'<script type="application/json" id="figure-{name}">(.*?)</script>', page)[1]
        assert json.loads(figure)["data"]
        assert f'data-chart="{name}"' in page
    assert page.count("The chart needs JavaScript. What it shows:") == 3


def test_the_verdict_of_the_past_is_said(page, result):
    assert result.backtest.verdict[0].replace("'", "&#39;") in page


def test_a_run_without_a_test_says_why(contacts):
    page = contacts.get("/runs/contacts").text

    assert "No test against the past, and no forecasts" in page
    assert "High-value, at risk" in page
    assert ">Chance</th>" not in page


def test_whom_to_call_first_stands_in_the_order_of_the_run(page, result):
    part = page[page.index('id="first"') :]
    found = re.findall(r'<th scope="row"><a href="/runs/sample/customer/([^"]+)">', part)

    expected = [person.customer_id for listed in (result.at_risk, result.high_value) for person in listed.top[:10]]
    assert found == expected


def test_what_the_user_will_do_stands_on_the_card(contacts):
    contacts.post("/runs/contacts/segments/0/note", data={"note": "Call them & say <thanks>"})
    page = contacts.get("/runs/contacts").text

    assert "→ Call them &amp; say &lt;thanks&gt;</p>" in page
    contacts.post("/runs/contacts/segments/0/note", data={"forget": "1"})
    assert "say &lt;thanks&gt;" not in contacts.get("/runs/contacts").text


class TestFiles:
    @pytest.mark.parametrize("name", ["report.html", "customers.csv", "segments.csv", "at_risk.csv"])
    def test_each_is_given_as_it_is_to_be_kept(self, client, page, workspace_of_sample, name):
        response = client.get(f"/runs/sample/files/{name}")

        assert response.content == (workspace_of_sample / "sample" / name).read_bytes()
        assert response.headers["content-disposition"] == f'attachment; filename="sample-{name}"'
        assert f'href="/runs/sample/files/{name}"' in page

    def test_the_workbook_has_all_customers(self, client, people):
        response = client.get("/runs/sample/files/customers.xlsx")
        book = openpyxl.load_workbook(io.BytesIO(response.content), read_only=True)

        assert response.headers["content-disposition"] == 'attachment; filename="customers.xlsx"'
        assert len(list(book["Customers"].iter_rows())) == len(people) + 1

    @pytest.mark.parametrize(
        "name", ["facts.json", "model.json", "..%2Fsample%2Ffacts.json", "customers.parquet", "run.json"]
    )
    def test_others_are_not_given(self, client, name):
        assert client.get(f"/runs/sample/files/{name}").status_code == 404

    def test_what_a_run_lacks_is_not_offered(self, contacts):
        assert "report.html" not in contacts.get("/runs/contacts").text
        assert contacts.get("/runs/contacts/files/report.html").status_code == 404


def test_an_unknown_run_is_told(client):
    response = client.get("/runs/nothing")

    assert response.status_code == 404
    assert "There is no run &#39;nothing&#39;." in response.text
