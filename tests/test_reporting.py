"""The page of a run, as text: facts, structure, safety. How it looks and moves is asked in tests/browser."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

import regulars as rg
from regulars import charts, reporting
from regulars.errors import OutputError

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
def result() -> rg.Segmentation:
    return rg.segment(rg.make_orders(customers=300, seed=1).orders)


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
    assert f"High-value, at risk {facts['at_risk']['customers']} " in text
    richest = max(facts["segments"], key=lambda each: float(each["profile"]["revenue"]))
    said = f"{richest['name']} – {richest['profile']['customer_share']:.0%} of the customers bring "
    assert f"{said}{richest['profile']['revenue_share']:.0%} of the revenue" in text
    assert f"ordered within the last {facts['base']['recency_days'][1]:.0f} days" in text


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


def test_names_from_outside_stay_text(result, page):
    evil = replace(
        result,
        source=EVIL,
        notes=(EVIL,),
        matches=({"field": "customer_id", "column": EVIL, "why": EVIL},),
        segments=tuple(replace(segment, name=EVIL, why=(EVIL,)) for segment in result.segments),
        spending=replace(result.spending, countries=((EVIL, 1, 1, result.revenue),)),
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
