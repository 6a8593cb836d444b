"""A real browser without a network: it keeps what a page asks for and complains about.

Debian's Chromium and Playwright open pages, axe-core (npm) looks for faults that shut people out. Where one of them is
missing, the tests that need it are skipped and say how to get it; in CI, where CI=true, they fail instead.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")
INSIDE = ("data:", "blob:")  # never leave the page


def require(found: object, what: str, command: str) -> None:
    """Skip the test, or fail it in CI, where something that it needs is missing."""
    if not found:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop(f"{what} is missing: {command}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a worker."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    packages = "chromium fonts-dejavu-core fonts-liberation"
    require(chromium, "Chromium", f"sudo apt-get install -y --no-install-recommends {packages}")
    require(find_spec("playwright"), "Playwright", ".venv/bin/python -m pip install playwright")
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=root)
        yield opened
        opened.close()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A page that is loaded, and everything it did since it began to load."""

    page: Page
    requests: list[str] = field(default_factory=list)  # addresses, also those that a policy blocked
    console: list[str] = field(default_factory=list)  # "error: …", "warning: …", "log: …"
    errors: list[str] = field(default_factory=list)  # exceptions that nothing caught

    @property
    def complaints(self) -> list[str]:
        """What a developer would see in red or yellow."""
        return [*self.errors, *(said for said in self.console if said.startswith(("error:", "warning:")))]

    def note_request(self, request: Request) -> None:
        """Keep the address, unless it is the page itself or inside of it."""
        if not (
            request.is_navigation_request() and request.frame == self.page.main_frame
        ) and not request.url.startswith(INSIDE):
            self.requests.append(request.url)

    def note_console(self, message: ConsoleMessage) -> None:
        """Keep what was printed."""
        self.console.append(f"{message.type}: {message.text}")


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """A function that opens a file, or HTML as text, and waits until it is loaded."""
    contexts: list[BrowserContext] = []

    def open_it(
        source: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False, print: bool = False
    ) -> Opened:
        path = source if isinstance(source, Path) else tmp_path / f"page_{len(contexts)}.html"
        if isinstance(source, str):
            path.write_text(source, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", offline=True
        )
        contexts.append(context)
        opened = Opened(page=context.new_page())
        opened.page.on("request", lambda request: opened.note_request(request))
        opened.page.on("console", lambda message: opened.note_console(message))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.emulate_media(media="print" if print else "screen")
        opened.page.goto(path.resolve().as_uri())
        return opened

    yield open_it
    for context in contexts:
        context.close()


#: What Plotly draws for points, bars, lines, fields of a heat map or tree map, and countries.
MARKS = ".point path, path.point, .scatterlayer path, .heatmaplayer image, path.surface, .choroplethlayer path"


@pytest.fixture(scope="session")
def look_through() -> Callable[[Opened], None]:
    """A function that makes sure of a report: every chart is drawn, in silence, and shows its values to the mouse."""
    from regulars import charts

    def look(opened: Opened) -> None:
        page = opened.page
        page.evaluate("drawAll()")
        for name in charts.CHARTS:
            if name != "customer_map_3d":
                assert page.locator(f"#plot-{name} .main-svg").count() >= 1, name
                assert page.locator(f"#plot-{name}").locator(MARKS).count() >= 1, name
        facts = json.loads(page.locator("#figure-segment_shares").text_content() or "")
        page.locator("#plot-segment_shares .point").first.hover(force=True)
        shown = page.locator("#plot-segment_shares .hovertext").first.text_content()
        assert facts["data"][0]["text"][0] in (shown or "")
        assert (opened.requests, opened.complaints) == ([], [])

    return look


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """A function that lists the serious and critical faults of a page: rule, impact, what is meant, where."""
    require(AXE.exists(), "axe-core", "npm ci --prefix tests/browser (without npm: sudo apt-get install -y npm)")
    script = AXE.read_text("utf-8")

    def violations(page: Page) -> list[str]:
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [described(fault) for fault in found if fault["impact"] in ("serious", "critical")]

    return violations


def described(fault: dict[str, Any]) -> str:
    """A fault on one line, with the first five places where it is."""
    places = ", ".join(str(node["target"][-1]) for node in fault["nodes"][:5])
    return f"{fault['id']} ({fault['impact']}): {fault['help']}: {places}"
