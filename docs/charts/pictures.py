"""Make the pictures of these pages from the sample shop: ``python docs/charts/pictures.py`` (needs Chromium)."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import regulars as rg
from regulars.charts import CHARTS

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH = 900  # pixels of the page
COLOURS = 192  # of a picture, which makes it half the size


def main() -> None:
    """Write the report of the sample shop and keep a picture of each chart in it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is missing. On Debian or Ubuntu: sudo apt install chromium fonts-dejavu-core")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = rg.write_report(rg.segment(rg.make_orders().orders), Path(folder) / "report.html", turnable=True)
        opened = playwright.chromium.launch(executable_path=browser, args=["--enable-unsafe-swiftshader", *root])
        page = opened.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(report.as_uri())
        page.evaluate("drawAll()")
        for name in CHARTS:
            photograph(page, name)
        opened.close()


def photograph(page: Page, name: str) -> None:
    """Keep what the page shows of one chart."""
    figure = page.locator(f"figure:has(#plot-{name})")
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(f"#plot-{name}[data-drawn]")
    page.wait_for_timeout(500)  # what turns is drawn a frame later
    picture = Image.open(io.BytesIO(figure.screenshot(animations="disabled")))
    path = HERE / f"{name}.png"
    picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
