"""The report in a real browser: drawn, quiet, readable for everybody, on every size, in the dark and on paper."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import regulars as rg
from regulars import charts, reporting

#: What Plotly draws for points, bars, lines, fields of a heat map or tree map, and countries.
MARKS = ".point path, path.point, .scatterlayer path, .heatmaplayer image, path.surface, .choroplethlayer path"
NAMES = [name for name in charts.CHARTS if name != "customer_map_3d"]


@pytest.fixture(scope="module")
def shop() -> rg.Segmentation:
    """The segments of the sample shop."""
    return rg.segment(rg.make_orders(customers=600, seed=1).orders)


@pytest.fixture(scope="module")
def demo(shop, tmp_path_factory) -> Path:
    """The report of the sample shop."""
    return reporting.write_report(shop, tmp_path_factory.mktemp("demo") / "report.html")


@pytest.fixture(scope="module")
def real(uci, tmp_path_factory) -> Path:
    """The report of the UCI file."""
    return reporting.write_report(rg.segment(uci), tmp_path_factory.mktemp("real") / "report.html")


@pytest.fixture(scope="module", params=["demo", "real"])
def report(request) -> Path:
    return request.getfixturevalue(request.param)


def drawn(opened):
    """The page with all charts drawn, also those out of sight."""
    opened.page.evaluate("drawAll()")
    return opened.page


def test_it_loads_in_silence_and_draws_every_chart(report, open_page):
    opened = open_page(report)
    page = drawn(opened)

    assert (opened.requests, opened.complaints) == ([], [])
    for name in NAMES:
        assert page.locator(f"#plot-{name} .main-svg").count() >= 1, name
        assert page.locator(f"#plot-{name}").locator(MARKS).count() >= 1, name


def test_charts_wait_until_they_are_seen(report, open_page):
    page = open_page(report).page
    page.wait_for_selector("#plot-segment_shares[data-drawn]")

    assert page.locator("#plot-audit_waterfall[data-drawn]").count() == 0
    page.locator("#plot-audit_waterfall").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-audit_waterfall[data-drawn]")


def test_hovering_shows_values(report, open_page):
    page = drawn(open_page(report))
    facts = json.loads(page.locator("#figure-segment_shares").text_content())

    page.locator("#plot-segment_shares .point").first.hover(force=True)
    shown = page.locator("#plot-segment_shares .hovertext").first.text_content()

    assert facts["data"][0]["text"][0] in shown


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_nobody_is_shut_out(demo, open_page, axe, width, dark):
    page = drawn(open_page(demo, width=width, dark=dark))

    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_keyboard_is_enough(demo, open_page):
    page = open_page(demo).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    page.locator("details.data summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.data").first.get_attribute("open") is not None
    assert page.locator("details.data table").first.is_visible()


def test_without_javascript_words_and_tables_are_there(demo, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(demo.as_uri())

    assert page.locator("h1").inner_text().startswith("Your customers on")
    page.locator("details.data summary").first.click()
    assert page.locator("details.data table").first.is_visible()
    assert page.get_by_text("The chart needs JavaScript").first.is_visible()
    context.close()


def test_it_prints_on_pages_of_paper(demo, open_page, tmp_path):
    page = drawn(open_page(demo, dark=True))
    pdf = page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)

    assert 6 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 30


def test_in_the_dark_letters_are_light(demo, open_page):
    page = drawn(open_page(demo, dark=True))

    colours = page.locator("#plot-segment_shares .xtick text").evaluate_all(
        "all => all.map(one => getComputedStyle(one).fill)"
    )
    assert set(colours) == {"rgb(232, 236, 241)"}


def test_names_that_are_html_stay_text(shop, open_page, tmp_path):
    evil = '<script>document.title = "hurt"</script>"><img src=x onerror="document.title = 1"><a href="http://example.org">'
    hurt = replace(
        shop,
        source=evil,
        segments=tuple(replace(segment, name=f"{segment.id} {evil}") for segment in shop.segments),
        spending=replace(shop.spending, countries=((evil, 1, 1, shop.revenue),)),
        at_risk=replace(shop.at_risk, top=tuple(replace(p, customer_id=evil) for p in shop.at_risk.top)),
    )
    opened = open_page(reporting.write_report(hurt, tmp_path / "report.html"))
    page = drawn(opened)
    page.locator("#plot-segment_shares .point").first.hover(force=True)

    assert (opened.requests, opened.complaints) == ([], [])
    assert page.title() != "hurt"
    assert page.locator("main img, main a[href^='http'], svg a").count() == 0
