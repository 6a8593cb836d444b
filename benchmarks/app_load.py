"""How the browser app bears load: a large upload, and many people who browse while a run goes on.

Starts `regulars serve` on a workspace of its own with a run of the sample shop. While a CSV of the size asked for comes in,
other pages are opened one after the other. Then a run of that file is begun, and people browse, each with a pause of one
to three seconds between two pages. Prints a JSON line for each part; the server's memory is what the system says of it.

Usage: python benchmarks/app_load.py LINES.csv [--megabytes 200] [--people 20] [--seconds 40]
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

import regulars as rg

PIECE = 1 << 16
UPLOADS = 3  # one after the other: a single one is over too soon to open many pages meanwhile


class Server:
    """`regulars serve` in a process of its own, and a browser that has been let in."""

    def __init__(self, workspace: Path) -> None:
        command = [sys.executable, "-m", "regulars", "serve", str(workspace), "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        start = re.search(r"http\S+", self.process.stdout.readline())
        assert start is not None
        self.address = start[0].partition("/enter")[0]
        with httpx.Client() as browser:
            browser.get(start[0])
            self.cookies = dict(browser.cookies)

    def browser(self) -> httpx.Client:
        """A browser of the session."""
        return httpx.Client(
            base_url=self.address,
            cookies=self.cookies,
            headers={"origin": self.address},
            timeout=60,
            follow_redirects=True,
        )

    def peak(self) -> float:
        """Most megabytes of memory that the server has held so far."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        return int(found[1]) / 1000 if found else float("nan")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


class Visitor(threading.Thread):
    """Somebody who opens pages in turn until it is enough; seconds of each page, and what went wrong."""

    def __init__(
        self, server: Server, pages: Iterable[str], *, enough: threading.Event, seed: int, pause: float
    ) -> None:
        super().__init__(daemon=True)
        self.seconds: list[tuple[str, float]] = []
        self.errors: list[str] = []
        self._server, self._pages, self._enough = server, list(pages), enough
        self._chance, self._pause = random.Random(seed), pause

    def run(self) -> None:
        """Open page after page."""
        with self._server.browser() as browser:
            while not self._enough.wait(self._chance.uniform(0.5, 1.5) * self._pause):
                page = self._chance.choice(self._pages)
                since = time.perf_counter()
                try:
                    status = browser.get(page).status_code
                except httpx.HTTPError as error:
                    self.errors.append(f"{page}: {error}")
                    continue
                self.seconds.append((page, time.perf_counter() - since))
                if status != 200:
                    self.errors.append(f"{page}: {status}")


def visits(visitors: Iterable[Visitor]) -> dict[str, Any]:
    """Figures of all pages that were opened."""
    known = list(visitors)
    seconds = sorted(taken for visitor in known for _, taken in visitor.seconds)
    slowest = max(
        (visit for visitor in known for visit in visitor.seconds), key=lambda visit: visit[1], default=("", 0.0)
    )
    place = {name: seconds[min(int(share * len(seconds)), len(seconds) - 1)] for name, share in QUANTILES.items()}
    return {
        "pages": len(seconds),
        "errors": [error for visitor in known for error in visitor.errors],
        **{name: round(value, 3) for name, value in place.items()},
        "slowest": [slowest[0], round(slowest[1], 3)],
    }


QUANTILES = {"median": 0.5, "p95": 0.95, "most": 1.0}


def first_bytes(path: Path, size: int) -> Iterator[bytes]:
    """The first bytes of a file, piece by piece."""
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece


def upload(server: Server, lines: Path, size: int, pages: list[str]) -> tuple[dict[str, Any], str]:
    """Send the file while somebody opens pages; the figures, and the id of the file."""
    before, enough = server.peak(), threading.Event()
    visitor = Visitor(server, pages, enough=enough, seed=0, pause=0.05)
    with server.browser() as browser:
        for page in pages:
            browser.get(page)
        visitor.start()
        since = time.perf_counter()
        for _ in range(UPLOADS):
            answer = browser.put(
                "/uploads?name=lines.csv", content=first_bytes(lines, size), headers={"content-length": str(size)}
            )
        took = time.perf_counter() - since
    enough.set()
    visitor.join()
    facts = {"part": "upload", "megabytes": size // 10**6, "seconds_each": round(took / UPLOADS, 2)}
    memory = {"server_peak_mb": round(server.peak()), "server_peak_before_mb": round(before)}
    return facts | memory | visits([visitor]), answer.json()["id"]


def browse(server: Server, source: str, pages: list[str], *, people: int, seconds: float) -> dict[str, Any]:
    """Let people browse while a run goes on."""
    with server.browser() as browser:
        job = browser.post("/runs", data={"source": source}).url.path
        enough = threading.Event()
        visitors = [Visitor(server, [*pages, job], enough=enough, seed=seed, pause=2.0) for seed in range(people)]
        for visitor in visitors:
            visitor.start()
        time.sleep(seconds)
        enough.set()
        for visitor in visitors:
            visitor.join()
        went_on = browser.get(job).url.path == job
        browser.post(f"{job}/stop")
    facts = {"part": "browsing", "people": people, "seconds": seconds, "run_went_on": went_on}
    return facts | {"server_peak_mb": round(server.peak())} | visits(visitors)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path, help="a CSV of order lines, at least as large as --megabytes")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=40.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="app-load-") as folder:
        result = rg.segment(rg.make_orders(customers=2500).orders)
        rg.write_run(result, Path(folder, "sample"), figures=False)
        someone = result.high_value.top[0].customer_id
        pages = ["/", "/runs/sample", "/runs/sample/segments/0", f"/runs/sample/customer/{someone}"]
        server = Server(Path(folder))
        try:
            facts, source = upload(server, asked.lines, asked.megabytes * 10**6, pages)
            print(json.dumps(facts), flush=True)
            print(json.dumps(browse(server, source, pages, people=asked.people, seconds=asked.seconds)), flush=True)
        finally:
            server.close()


if __name__ == "__main__":
    main()
