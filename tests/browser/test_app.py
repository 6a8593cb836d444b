"""The browser app as people use it, in a real browser: from a file to a list for a campaign, on a desk and on a phone."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

import regulars as rg
from regulars.writing import write_orders

SECONDS = 120  # that a run may take on a busy machine


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server of its own, in a process of its own."""

    address: str
    workspace: Path
    state: dict  # of the browser that was let in


@pytest.fixture(scope="module")
def served(browser, tmp_path_factory) -> Iterator[Served]:
    """`regulars serve`, and a browser that has opened the start address that it printed."""
    workspace = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "regulars", "serve", str(workspace), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        start = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+)(/enter\?token=\S+)\n", process.stdout.readline())
        wait_for(start[1], process)
        context = browser.new_context()
        context.new_page().goto(start[1] + start[2])
        yield Served(address=start[1], workspace=workspace, state=context.storage_state())
        context.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def wait_for(address: str, process: subprocess.Popen) -> None:
    """Wait until the server listens: it prints its address a moment before."""
    host, port = address.removeprefix("http://").split(":")
    while process.poll() is None:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return


@dataclass(kw_only=True)
class Visit:
    """A page of the app, and everything that it asked for elsewhere or complained about."""

    page: object
    address: str
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page, and wait until its charts are drawn."""
        self.page.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("window.drawAll && drawAll()")

    def note_request(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def note_console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def visit(browser, served) -> Iterator[Callable[..., Visit]]:
    """A function that opens a browser window of some width; at the end nothing may have been asked for elsewhere."""
    opened: list[tuple[object, Visit]] = []

    def visiting(*, width: int = 1280, dark: bool = False) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            storage_state=served.state,
            accept_downloads=True,
        )
        context.set_default_timeout(30_000)
        one = Visit(page=context.new_page(), address=served.address)
        one.page.on("request", one.note_request)
        one.page.on("console", one.note_console)
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        opened.append((context, one))
        return one

    yield visiting
    for context, one in opened:
        context.close()
        assert one.elsewhere == []
        assert one.complaints == []


@pytest.fixture(scope="module")
def export(uci, tmp_path_factory) -> Path:
    """The real file as CSV, with a name for the customer that nobody can guess."""
    path = tmp_path_factory.mktemp("export") / "orders 2011.csv"
    duckdb.sql(f"COPY (SELECT * EXCLUDE CustomerID, CustomerID::BIGINT AS Wer FROM '{uci}') TO '{path}'")
    return path


@pytest.fixture(scope="module")
def made(served, browser, export) -> str:
    """The way of a file: dropped, its columns mapped, segmented. The path of its run."""
    context = browser.new_context(storage_state=served.state)
    page = context.new_page()
    page.goto(served.address)
    page.set_input_files("#file", export)
    page.wait_for_url("**/check/**")
    alert = page.get_by_role("alert")
    alert.wait_for(timeout=SECONDS * 1000)
    assert "No column for Customer" in alert.inner_text()
    page.locator("select[name='column.customer_id']").select_option("Wer")
    page.get_by_label("Kind of file").select_option("uci_online_retail")
    page.get_by_role("button", name="Look again").first.click()
    page.get_by_text("lines and money add up to the cent").wait_for(timeout=SECONDS * 1000)
    assert "541,909" in page.locator("#findings").inner_text()
    page.get_by_role("button", name="Make the segments").first.click()
    page.wait_for_url("**/jobs/**")
    page.reload()  # survives it
    page.wait_for_url("**/runs/**", timeout=SECONDS * 1000)
    context.close()
    return page.url.removeprefix(served.address)


def test_from_a_file_to_segments(made, visit, served):
    """The overview has the figures of the whole file (docs/how_it_works.md says where they come from)."""
    desk = visit()
    desk.go(made)
    shown = desk.page.locator("main").inner_text()
    assert "4,324" in shown
    assert "18,276" in shown
    assert "Loyal high-value" in shown
    assert desk.page.locator("#plot-segment_shares .point").count() >= 4
    assert desk.page.locator("#plot-rfm_grid .heatmaplayer image, #plot-rfm_grid .heatmaplayer path").count() >= 1
    assert not list(served.workspace.glob(".*partial*"))


def test_its_report_draws_every_chart_in_silence(made, served, open_page, look_through):
    look_through(open_page(served.workspace / made.removeprefix("/runs/") / "report.html"))


def test_from_a_segment_to_a_list(made, visit, axe, tmp_path):
    """Every customer of the segment is on the list or in the control group, once."""
    desk = visit()
    desk.go(made)
    desk.page.locator(".card h3 a").first.click()
    desk.settle()
    size = int(desk.page.locator(".numbers .value").first.inner_text().replace(",", ""))
    desk.page.locator("#holdout").fill("20")
    desk.page.get_by_role("button", name="Make the list").click()
    desk.settle()
    files = []
    for name in ("Download the list", "Who is in which group"):
        with desk.page.expect_download() as waiting:
            desk.page.get_by_role("link", name=name).click()
        files.append(tmp_path / waiting.value.suggested_filename)
        waiting.value.save_as(files[-1])
    listed, groups = ([row["customer_id"] for row in csv.DictReader(path.open())] for path in files)
    assert len(groups) == len(set(groups)) == size
    assert set(listed) < set(groups)
    assert len(listed) == pytest.approx(0.8 * size, abs=10)
    assert axe(desk.page) == []
    desk.page.get_by_role("link", name="measure this campaign").click()
    desk.settle()
    assert axe(desk.page) == []


def test_two_dates_of_the_run_are_compared(made, visit, axe):
    desk = visit()
    desk.go(made + "/compare")
    desk.page.get_by_label("From", exact=True).fill("2011-06-10")
    desk.page.get_by_label("To", exact=True).fill("2011-12-10")
    desk.page.get_by_role("button", name="Compare the two dates").click()
    desk.page.locator("#found").wait_for(timeout=SECONDS * 1000)
    desk.settle()
    assert "10 Jun 2011 → 10 Dec 2011" in desk.page.locator("#found").inner_text()
    assert desk.page.locator("#plot-movement .sankey-link").count() > 10
    assert axe(desk.page) == []


PAGES = (
    "",
    "/segments",
    "/segments/0",
    "/cells/5-5",
    "/customers",
    "/customers?q=1234",
    "/compare",
    "/method",
    "/at-risk",
)


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_no_page_shuts_anybody_out(made, visit, axe, served, width, dark):
    """On a desk in the dark and on a phone by day: nothing serious, nothing that leaves the screen at its side."""
    one = visit(width=width, dark=dark)
    ids = duckdb.sql(f"SELECT customer_id FROM '{served.workspace}/*/customers.parquet' ORDER BY monetary DESC LIMIT 1")
    customer = f"/customer/{ids.fetchall()[0][0]}"
    for path in ("/", "/settings", "/check/sample", *(made + page for page in (*PAGES, customer))):
        one.go(path)
        assert one.page.locator("h1").count() == 1, path
        assert axe(one.page) == [], path
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_on_a_phone_a_list_is_made_too(made, visit):
    phone = visit(width=390)
    phone.go(made)
    phone.page.locator(".card").first.get_by_role("link", name="Make a list").click()
    phone.page.get_by_role("button", name="Make the list").click()
    with phone.page.expect_download():
        phone.page.get_by_role("link", name="Download the list").click()


def test_a_slow_click_is_not_lost_while_a_page_looks_again(visit, served):
    page = visit().page
    page.goto(served.address)
    page.evaluate(
        """() => {
          document.querySelector("main").innerHTML =
            '<div hx-get="/" hx-trigger="load delay:100ms" hx-swap="outerHTML"><button>Dismiss</button></div>';
          document.querySelector("main button").addEventListener("click", () => { document.title = "clicked"; });
        }"""
    )
    button = page.get_by_role("button", name="Dismiss")
    button.hover()
    page.mouse.down()
    with page.expect_response(served.address + "/"):
        page.evaluate("htmx.process(document.querySelector('main'))")
    page.wait_for_load_state("networkidle")
    assert button.count() == 1
    page.mouse.up()
    assert page.title() == "clicked"
    button.wait_for(state="detached")  # and then the page goes on looking


def tab_to(page, wanted: str, *, most: int = 150) -> None:
    """Press Tab until what has the focus reads so."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "(e => ((e.labels && e.labels[0] ? e.labels[0] : e).innerText || '').trim())(document.activeElement)"
        )
        if said.startswith(wanted):
            return
    pytest.fail(f"Tab does not lead to {wanted!r}.")


def test_a_keyboard_is_enough(visit, tmp_path, served):
    """From the file to the list without a mouse."""
    path = write_orders(rg.make_orders(customers=80, seed=2).orders, tmp_path / "small shop.csv")
    page = visit().page
    page.goto(served.address)
    tab_to(page, "Choose a file")
    with page.expect_file_chooser() as waiting:
        page.keyboard.press("Enter" if page.evaluate("document.activeElement.tagName") != "INPUT" else "Space")
    waiting.value.set_files(path)
    page.wait_for_url("**/check/**")
    page.get_by_text("lines and money add up to the cent").wait_for(timeout=SECONDS * 1000)
    tab_to(page, "Make the segments")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/small-shop*", timeout=SECONDS * 1000)
    tab_to(page, "Make a list")
    page.keyboard.press("Enter")
    page.wait_for_url("**/segments/**")
    tab_to(page, "Make the list")
    page.keyboard.press("Enter")
    page.wait_for_url("**/lists/**")
    tab_to(page, "Download the list")
    with page.expect_download():
        page.keyboard.press("Enter")
