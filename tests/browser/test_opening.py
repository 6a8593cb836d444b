"""The tools of the browser tests themselves: they must notice what they are there to notice."""

import pytest


def page(body: str) -> str:
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title><main><h1>Page</h1>{body}</main>'


def test_a_quiet_page_asks_for_nothing_and_complains_about_nothing(open_page):
    opened = open_page(page("<p>Hello</p><img alt='' src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>"))
    assert opened.page.locator("p").inner_text() == "Hello"
    assert (opened.requests, opened.complaints) == ([], [])


def test_a_request_is_noticed(open_page):
    opened = open_page(page("<img alt='' src='https://example.com/a.png'>"))
    assert opened.requests == ["https://example.com/a.png"]
    assert any("ERR_INTERNET_DISCONNECTED" in said for said in opened.complaints)


def test_what_a_script_prints_or_throws_is_noticed(open_page):
    opened = open_page(page("<script>console.log('a'); console.warn('b'); throw Error('c')</script>"))
    assert opened.console == ["log: a", "warning: b"]
    assert opened.errors == ["c"]
    assert opened.complaints == ["c", "warning: b"]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "screen and (width: 1280px) and (height: 900px) and (prefers-color-scheme: light)"),
        ({"width": 390, "height": 844}, "screen and (width: 390px) and (height: 844px)"),
        ({"dark": True}, "screen and (prefers-color-scheme: dark)"),
        ({"print": True}, "print"),
    ],
)
def test_a_page_is_opened_as_asked_for(open_page, options, query):
    opened = open_page(page(""), **options)
    assert opened.page.evaluate("query => matchMedia(query).matches", query)


def test_a_file_is_opened_where_it_stands(open_page, tmp_path):
    path = tmp_path / "a page.html"
    path.write_text(page("<p>é</p>"), encoding="utf-8")
    assert open_page(path).page.locator("p").inner_text() == "é"


def test_axe_finds_what_shuts_people_out(open_page, axe):
    assert axe(open_page(page("<img src='data:,' alt='A cat'>")).page) == []
    (fault,) = axe(open_page(page("<img src='data:,'>")).page)
    assert fault == "image-alt (critical): Images must have alternative text: img"
