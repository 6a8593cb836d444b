"""Make the pictures of the tour from the sample shop: ``python docs/tour/pictures.py`` (needs Chromium)."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import regulars as rg
from regulars.writing import write_orders

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1100, 760  # pixels of the window
COLOURS = 128  # of a picture, which makes it half the size


def main() -> None:
    """Go the way of a file through the app, and photograph each page of it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is missing. On Debian or Ubuntu: sudo apt install chromium fonts-dejavu-core")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "shop") as start,
        sync_playwright() as playwright,
    ):
        orders = write_orders(rg.make_orders(customers=1500, seed=1).orders, Path(folder) / "orders.csv")
        opened = playwright.chromium.launch(executable_path=browser, args=root)
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(start)
        photograph(page, "start")
        page.set_input_files("#file", orders)
        page.wait_for_url("**/check/**")
        page.get_by_text("lines and money add up to the cent").wait_for()
        photograph(page, "check")
        page.get_by_role("button", name="Make the segments").first.click()
        page.wait_for_url("**/jobs/**")
        page.locator("[aria-current=step]").wait_for()
        photograph(page, "run")
        page.wait_for_url("**/runs/**")
        run = page.url
        photograph(page, "overview", whole=True)
        page.goto(f"{run}/segments/0")
        photograph(page, "segment")
        page.get_by_role("button", name="Make the list").click()
        page.get_by_role("link", name="Download the list").wait_for()
        photograph(page, "list")
        page.goto(f"{run}/at-risk")
        page.locator("table.people a").first.click()
        page.locator("h1").wait_for()
        photograph(page, "customer", whole=True)
        page.goto(f"{run}/compare")
        page.get_by_role("button", name="Compare the two dates").click()
        page.locator("#found").wait_for()
        photograph(page, "compare", whole=True)
        page.goto(f"{run}/method")
        photograph(page, "method")
        page.goto(f"{run.partition('/runs/')[0]}/settings")
        photograph(page, "settings")
        opened.close()


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """A server over a workspace; gives its start address."""
    command = [sys.executable, "-m", "regulars", "serve", str(workspace), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    try:
        found = re.search(r"http\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def photograph(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep what the window shows, or the whole page down to twice its height."""
    page.wait_for_load_state("networkidle")
    page.evaluate("window.drawAll && drawAll()")
    page.wait_for_timeout(300)
    height = min(page.evaluate("document.documentElement.scrollHeight"), 2 * HEIGHT) if whole else HEIGHT
    page.set_viewport_size({"width": WIDTH, "height": height})
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    path = HERE / f"{name}.png"
    picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
