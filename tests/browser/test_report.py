"""The report in a real browser: drawn, quiet, readable for everybody, on every size, in the dark and on paper."""

from dataclasses import replace
from pathlib import Path

import pytest

from regulars import reporting


@pytest.fixture(scope="module")
def demo(sample_result, tmp_path_factory) -> Path:
    """The report of the sample shop; that of the real file is looked at in test_app.py."""
    return reporting.write_report(sample_result, tmp_path_factory.mktemp("demo") / "report.html")


def drawn(opened):
    """The page with all charts drawn, also those out of sight."""
    opened.page.evaluate("drawAll()")
    return opened.page


def test_charts_wait_until_they_are_seen_and_are_drawn_in_silence(demo, open_page, look_through):
    opened = open_page(demo)
    page = opened.page
    page.wait_for_selector("#plot-segment_shares[data-drawn]")

    assert page.locator("#plot-audit_waterfall[data-drawn]").count() == 0
    page.locator("#plot-audit_waterfall").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-audit_waterfall[data-drawn]")

    look_through(opened)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_nobody_is_shut_out(demo, open_page, axe, width, dark):
    page = drawn(open_page(demo, width=width, dark=dark))

    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.locator("#plot-segment_shares .xtick text").evaluate_all(
        "all => all.map(one => getComputedStyle(one).fill)"
    )
    assert (set(colours) == {"rgb(232, 236, 241)"}) is dark  # letters are light


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


def test_names_that_are_html_stay_text(sample_result, open_page, tmp_path):
    evil = '<script>document.title = "hurt"</script>"><img src=x onerror="document.title = 1"><a href="http://example.org">'
    hurt = replace(
        sample_result,
        source=evil,
        segments=tuple(replace(segment, name=f"{segment.id} {evil}") for segment in sample_result.segments),
        spending=replace(sample_result.spending, countries=((evil, 1, 1, sample_result.revenue),)),
        at_risk=replace(
            sample_result.at_risk, top=tuple(replace(p, customer_id=evil) for p in sample_result.at_risk.top)
        ),
    )
    opened = open_page(reporting.write_report(hurt, tmp_path / "report.html"))
    page = drawn(opened)
    page.locator("#plot-segment_shares .point").first.hover(force=True)

    assert (opened.requests, opened.complaints) == ([], [])
    assert page.title() != "hurt"
    assert page.locator("main img, main a[href^='http'], svg a").count() == 0
