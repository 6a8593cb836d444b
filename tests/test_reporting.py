"""The page of a run, as text: facts, structure, safety. How it looks and moves is asked in tests/browser."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise

import pytest

import regulars as rg
from by_hand import a_backtest, an_outlook
from regulars import charts, reporting
from regulars.errors import OutputError
from regulars.profiling import Notable, Person

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


class Outline(HTMLParser):
    """Tags, texts and attributes of a page, read as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self._inside, self._script = "", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        self._script = dict(attrs).get("id") or ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[self._script] = data
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module")
def result(sample_result) -> rg.Segmentation:
    return sample_result


@pytest.fixture(scope="module")
def page(result) -> str:
    return reporting.render_report(result)


@pytest.fixture(scope="module")
def outline(page) -> Outline:
    return Outline(page)


def test_the_five_numbers_and_the_sentences_are_those_of_the_facts(result, outline):
    facts = json.loads(json.dumps(result.to_dict(), default=str))
    text = outline.text

    assert f"Customers {facts['customers_total']:,} " in text
    assert f"Orders {facts['orders_total']:,} " in text
    assert f"Net revenue £{float(facts['revenue']) / 1000:.0f}k " in text
    assert f"Best 20% of customers {facts['concentration'][19]:.0%} " in text
    assert f"Worth keeping, at risk {facts['at_risk']['customers']} " in text
    richest = max(facts["segments"], key=lambda each: float(each["profile"]["revenue"]))
    said = f"{richest['name']} – {richest['profile']['customer_share']:.0%} of the customers bring "
    assert f"{said}{richest['profile']['revenue_share']:.0%} of the revenue" in text
    assert f"ordered within the last {facts['base']['recency_days'][1]:.0f} days" in text


@pytest.fixture(scope="module")
def foretold(result) -> rg.Segmentation:
    """The shop with a back-test, an outlook and an at-risk list that are made by hand."""
    person = Person(
        customer_id="10042", recency_days=80, frequency=3, monetary=Decimal(700), segment="Occasional moderate",
        chance=0.37, revenue_at_risk=441.0,
    )  # fmt: skip
    risk = Notable(
        rule="good, and unlikely to order", customers=31, revenue=Decimal(9000), revenue_share=0.06, top=(person,),
        revenue_at_risk=5200.0,
    )  # fmt: skip
    return replace(result, backtest=a_backtest(), outlook=an_outlook(), at_risk=risk)


def tables(page: str) -> dict[str, list[list[str]]]:
    """The rows of every table by what the table is called, the titles of its columns first."""
    found = {}
    for label, inside in re.findall(r'(?s)role="region" aria-label="(.*?)">\n<table>(.*?)</table>', page):
        rows = re.findall(r"(?s)<tr>(.*?)</tr>", inside)
        found[label] = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    return found


def test_it_says_whether_the_segments_meant_anything(foretold):
    page = reporting.render_report(foretold)
    text, found = Outline(page).text, tables(page)

    assert "Of the best, most came back. Simple rules do as well here." in text
    assert "Of the 400 customers who were known then, 200 (50%) bought again within 90 days." in text
    outcomes = next(rows for label, rows in found.items() if label.startswith("Loyal high-value: 90% bought"))
    assert outcomes[1] == ["Loyal high-value", "50", "45", "90%", "82% to 96%", "300.00", "200.00 to 420.00"]
    groupings = next(rows for label, rows in found.items() if label.startswith("Best tenth by segments"))
    assert groupings[2] == ["RFM sum", "13", "0.150", "0.160", "0.150", "0.170", "1.85"]
    cuts = found["Information at every cut"]
    assert cuts[0][3:] == ["Segments", "RFM sum", "Eleven named groups", "Recency alone", "K-Means on raw values"]
    assert [cell.replace("\u00a0", " ") for cell in cuts[2]] == [
        *("3 Jun 2011", "300", "40%", "0.120", "0.170", "0.140", "0.020", "0.070"),
    ]


def test_it_says_who_comes_next_beside_how_well_that_held(foretold):
    page = reporting.render_report(foretold)
    text, found = Outline(page).text, tables(page)

    assert (
        "In the 90 days from 10 Dec 2011 about 226 of 500 customers are expected to order: 375 orders for about £32k. "
        "Of the £150k that came in during the last 365 days, £42k is at risk." in text
    )
    assert "in 78 of 100 cases (AUC 0.78); going by recency alone, this was so in 71." in text
    assert "chances were off by 6.0 percentage points on average, and it expected 300 orders where 350 came." in text
    assert "Read with care: At the last cut the chances were off by 6% on average." in text
    assert "These orders do not show whether customers leave for good." in text
    assert found["Ways to tell who comes next"][1:] == [
        ["MBG/NBD", "0.760", "0.760", "0.100", "0.600", "1"],
        ["logistic model of recency, orders and spend (used)", "0.780", "0.780", "0.060", "0.550", "1"],
        ["recency alone", "0.710", "0.710", "", "", "1"],
    ]
    assert found["The numbers of the MBG/NBD model"][1:] == [["r", "0.525", "0.02"], ["alpha", "43.28", ""]]
    risk = next(rows for label, rows in found.items() if label.startswith("£42k of the last year"))
    assert risk[-1] == ["all", "500", "45%", "375", "32,000", "150,000", "42,000"]


def test_the_at_risk_list_has_chances_and_what_such_a_list_would_have_been_worth(foretold):
    page = reporting.render_report(foretold)
    text, found = Outline(page).text, tables(page)

    assert "Worth keeping, least likely to order: 31 customers, £5.2k at risk" in text
    assert "Customers who are good, and unlikely to order. The 1 with the most revenue at risk" in text
    assert found["Worth keeping, least likely to order"] == [
        [
            *("customer", "revenue at risk in £", "chance of an order", "spend in £", "orders"),
            *("days since the last order", "segment"),
        ],
        ["10042", "441.00", "37%", "700.00", "3", "80", "Occasional moderate"],
    ]
    assert (
        "on 1 Sep 2011 it would have named 50 customers, of whom 30 (60%) then stayed away; of all 200 of the better half, "
        "30% did." in text
    )


def test_one_cut_has_no_table_of_cuts(foretold):
    one = replace(a_backtest(), windows=a_backtest().windows[:1])
    page = reporting.render_report(replace(foretold, backtest=one))

    assert "Information at every cut" not in page
    assert ["RFM sum", "13", "0.150", "1.85"] in [row for rows in tables(page).values() for row in rows]


def test_without_money_in_the_forecast_no_money_is_promised(foretold):
    test = a_backtest()
    unpriced = tuple(
        replace(way, windows=tuple(replace(each, expected_revenue=None) for each in way.windows))
        for way in test.forecasts.ways
    )
    bare = replace(test, forecasts=replace(test.forecasts, ways=unpriced))
    text = Outline(reporting.render_report(replace(foretold, backtest=bare))).text

    assert "are expected to order: 375 orders. Of the" in text


def test_without_a_back_test_it_says_why_and_lists_the_silent(result):
    note = "The history has 9 days; a back-test needs 90."
    silent = replace(result.at_risk, rule="high-value, and silent for long", customers=7, top=(), revenue_at_risk=None)
    page = reporting.render_report(
        replace(result, backtest=None, outlook=None, backtest_note=note, at_risk=silent, high_value=silent)
    )
    outline = Outline(page)

    assert f"No back-test, and no forecasts: {note}" in outline.text
    assert "High-value, at risk 7 " in outline.text
    assert "Customers who are high-value, and silent for long." in outline.text
    assert "Who comes next" not in outline.text
    places = [attributes["data-chart"] for _, attributes in outline.tags if "data-chart" in attributes]
    assert len(places) == len(charts.CHARTS) - 5 - 1  # of the back-test and the forecast; the turnable map
    targets = {attributes.get("id") for _, attributes in outline.tags}
    assert {str(a["href"])[1:] for _, a in outline.tags if a.get("href")} <= targets


def test_links_lead_to_places(outline):
    targets = {attributes.get("id") for _, attributes in outline.tags}

    assert {str(a["href"])[1:] for _, a in outline.tags if a.get("href")} <= targets


def test_every_segment_has_a_card_with_its_facts(result, outline):
    for segment in result.segments:
        assert segment.name in outline.text
        assert f"{segment.profile.customers:,} (" in outline.text
        assert f"→ {segment.action.action}" in outline.text
        for reason in segment.why:
            assert reason in outline.text
    cards = [attributes for tag, attributes in outline.tags if tag == "article"]
    assert len(cards) == len(result.segments)


def test_what_came_in_lately_adds_up(result, outline):
    """The shares of the segments in the last three whole months make 100 %, up to rounding."""
    shares = [float(share) for share in re.findall(r"whole months: ([\d.]+)% of what came in then", outline.text)]

    assert len(shares) == len(result.segments)
    assert sum(shares) == pytest.approx(100, abs=len(shares) * 0.5)


def test_every_chart_is_there_with_words_and_numbers(result, outline):
    names = [name for name in charts.CHARTS if name != "customer_map_3d"]

    places = [attributes["data-chart"] for _, attributes in outline.tags if "data-chart" in attributes]
    assert sorted(places) == sorted(names)
    for name in names:
        figure = json.loads(outline.scripts[f"figure-{name}"])
        assert figure["data"]
        assert charts.CHARTS[name](result).layout.meta["alt"] in " ".join(outline.texts)
    assert sum(tag == "figcaption" for tag, _ in outline.tags) == len(names)


def test_headings_are_in_order(outline):
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_points_outside(page, outline):
    policy = next(a["content"] for tag, a in outline.tags if a.get("http-equiv") == "Content-Security-Policy")

    assert policy.startswith("default-src 'none'")
    assert not any(attributes.get("src") for _, attributes in outline.tags)
    assert {a["href"][0] for _, a in outline.tags if a.get("href")} == {"#"}
    assert "url(" not in re.sub(r"(?s)<script>.*?</script>", "", page)


def test_the_same_facts_give_the_same_bytes(result, page):
    assert reporting.render_report(result) == page
    assert len(page) < 3_000_000


def hurt_backtest():
    """A back-test in which every text is HTML."""
    test = a_backtest()
    return replace(
        test,
        segments=tuple(replace(each, name=EVIL) for each in test.segments),
        groupings=tuple(replace(each, title=EVIL) for each in test.groupings),
        verdict=(EVIL, EVIL),
        forecasts=replace(
            test.forecasts, ways=tuple(replace(way, title=EVIL) for way in test.forecasts.ways), warnings=(EVIL,)
        ),
    )


def test_names_from_outside_stay_text(result, page):
    evil = replace(
        result,
        source=EVIL,
        notes=(EVIL,),
        matches=({"field": "customer_id", "column": EVIL, "why": EVIL},),
        segments=tuple(replace(segment, name=EVIL, why=(EVIL,)) for segment in result.segments),
        spending=replace(result.spending, countries=((EVIL, 1, 1, result.revenue),)),
        backtest=hurt_backtest(),
        outlook=replace(an_outlook(), method=EVIL, model=EVIL, notes=(EVIL,), parameters=((EVIL, 1.0, None),)),
        high_value=replace(result.high_value, top=tuple(replace(p, customer_id=EVIL) for p in result.high_value.top)),
    )
    attacked = reporting.render_report(evil)
    outline = Outline(attacked)

    assert "<script>alert" not in attacked
    assert not [a for _, a in outline.tags if "onerror" in a]
    assert EVIL in outline.text
    scripts = [sum(tag == "script" for tag, _ in each.tags) for each in (outline, Outline(page))]
    assert scripts[0] == scripts[1]
    for name, text in outline.scripts.items():
        if name.startswith("figure-"):
            assert "<" not in text
            assert "<img" not in json.dumps(json.loads(text)["data"])


def test_a_source_without_countries_has_no_map(result):
    page = reporting.render_report(replace(result, spending=replace(result.spending, countries=())))

    assert 'id="figure-country_map"' not in page
    assert 'id="topology"' not in page


def test_the_turnable_map_needs_the_whole_of_plotly(result, page):
    turnable = reporting.render_report(result, turnable=True)

    assert 'id="figure-customer_map_3d"' in turnable
    assert len(turnable) > len(page) + 2_000_000


def test_it_is_written_in_one_step(result, page, tmp_path):
    path = reporting.write_report(result, tmp_path / "new" / "report.html")

    assert path.read_text("utf-8") == page
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(OutputError, match="is a folder"):
        reporting.write_report(result, tmp_path)
    with pytest.raises(OutputError, match="cannot be a page"):
        reporting.write_report(result, tmp_path / "facts.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        reporting.write_report(result, tmp_path / "file" / "report.html")
