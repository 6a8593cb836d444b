"""Runs: begun, followed, stopped, made again; and a server that is killed in the middle of anything."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

import regulars as rg
from regulars.app import create_app
from regulars.app.choices import Choices
from regulars.app.guarding import Session
from regulars.app.sources import find_source, rerun, start_run
from regulars.errors import OptionError, SourceError
from regulars.writing import write_orders

ADDRESS = "http://127.0.0.1"
QUICK = {"k": "3", "backtest": "no"}


@pytest.fixture(scope="module")
def orders(tmp_path_factory) -> bytes:
    """A small file of order lines."""
    path = write_orders(rg.make_orders(customers=150, seed=2).orders, tmp_path_factory.mktemp("orders") / "orders.csv")
    return path.read_bytes()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def house(app):
    return app.state.house


@pytest.fixture(scope="module")
def browser(app, house):
    with TestClient(app, base_url=ADDRESS, headers={"origin": ADDRESS}, follow_redirects=False) as client:
        client.get("/enter", params={"token": house.keys.start})
        yield client


@pytest.fixture(scope="module")
def session(browser, house) -> Session:
    """The session of the browser."""
    return house.keys.session(browser.cookies["regulars"])


@pytest.fixture(scope="module")
def source(browser, orders) -> str:
    """The id of a file that has been sent."""
    return browser.put("/uploads", params={"name": "Spring orders.csv"}, content=orders).json()["id"]


@pytest.fixture(scope="module")
def made(browser, source, until) -> dict:
    """A run from its first click to its end: every page on the way, and where it led."""
    begun = browser.post("/runs", data={"source": source, **QUICK})
    place = begun.headers["location"]
    pages: list[str] = []

    def ended():
        answer = browser.get(place)
        pages.append(answer.text)
        return answer.headers.get("location")

    return {"begun": begun.status_code, "job": place, "pages": pages, "led_to": until(ended)}


# --- from the click to the run ----------------------------------------------------------------------------------------


def test_a_run_is_followed_by_stage_to_its_overview(made, browser, house):
    assert made["begun"] == 303
    assert made["led_to"] == "/runs/spring-orders"
    page = made["pages"][0]
    assert page.count("<h1>") == 1
    assert "Making the segments of Spring orders.csv" in page
    assert re.search(r'<label for="share">.*</label>\s*<progress id="share"', page)
    assert "Find groups of customers that are alike" in page
    assert "Test on the past" not in page  # it was not asked for
    assert any("Read the file<span" in page and "(now)" in page for page in made["pages"])
    assert house.workspace.runs()[0].segments == 3

    part = browser.get(made["job"], headers={"hx-request": "true"})
    assert part.headers["hx-redirect"] == "/runs/spring-orders"  # a second tab comes along


def test_a_run_knows_what_it_was_made_from(made, house, source):
    kept = house.workspace.read("sources/spring-orders.json")
    assert kept == {"source": source, "title": "Spring orders.csv", "choices": QUICK}


def test_it_is_made_again_with_another_k_under_another_name(made, house, session, source, until):
    job = rerun(house, session, "spring-orders", k=4)
    assert (job.kind, job.spec["source"], job.spec["run"]) == ("run", source, "spring-orders-2")
    assert job.spec["choices"] == {"k": "4", "backtest": "no"}
    third = rerun(house, session, "spring-orders", scale="log")
    assert third.spec["run"] == "spring-orders-3"  # though the second is not there yet
    house.jobs.stop(third)
    house.jobs.stop(job)
    until(lambda: job.ended)
    with pytest.raises(OptionError, match="k is 99"):
        rerun(house, session, "spring-orders", k=99)


def test_what_cannot_be_made_again_says_why(made, house, session):
    with pytest.raises(SourceError, match="not known here"):
        rerun(house, session, "made-by-hand", k=4)
    with pytest.raises(SourceError, match="not here any more"):
        rerun(house, Session(id="another"), "spring-orders", k=4)


def test_the_sample_shop_needs_no_file(browser, house, session):
    job = start_run(house, session, find_source(house, session, "sample"), Choices())
    assert (job.title, job.spec["run"], job.spec["path"]) == ("Sample shop", "sample-shop", None)
    house.jobs.stop(job)


def test_one_that_waits_says_its_place_and_can_be_stopped(browser, house, source, until):
    asked = [{"source": source, **QUICK}, {"source": source, **QUICK, "k": "4"}]
    first, second = (browser.post("/runs", data=form).headers["location"] for form in asked)
    assert browser.post("/runs", data=asked[1]).headers["location"] == second  # the same once more is that one
    assert "1 run is before this one." in until(lambda: re.search(".*is before.*", browser.get(second).text))[0]
    assert "waits; 1 run before it" in browser.get("/").text

    state, _, below = browser.get(first).text.partition('<form method="post"')
    assert state.count("<div") == state.count("</div>")  # the button is outside of what is asked for anew
    assert "Stop</button>" in below
    for place in (second, first):
        assert browser.post(f"{place}/stop").headers["location"] == place
    page = until(lambda: re.search("(?s).*It was stopped.*", browser.get(first).text))[0]
    assert "Nothing was written." in page
    assert f'href="/check/{source}?k=3&amp;backtest=no"' in page
    assert "hx-get" not in page  # nothing more to ask for
    assert "Stop</button>" not in page
    assert browser.get(first, headers={"hx-request": "true"}).headers["hx-refresh"] == "true"
    assert f'action="{first}/dismiss"' in browser.get("/").text
    assert browser.post(f"{first}/dismiss").headers["location"] == "/"
    assert first not in browser.get("/").text
    assert browser.get(first).status_code == 404
    assert [path.name for path in house.workspace.folder.iterdir() if "partial" in path.name] == []


def test_one_that_fails_says_what_to_do_and_leads_back(browser, until):
    text = b"Customer,Date,Amount\n7,2024-02-01,1\n8,never,2\n"
    source = browser.put("/uploads", params={"name": "tiny.csv"}, content=text).json()["id"]
    place = browser.post("/runs", data={"source": source}).headers["location"]
    page = until(lambda: re.search('(?s).*role="alert".*', browser.get(place).text))[0]
    assert "cannot read the date &#39;never&#39;" in page
    assert "Say under “How to read it” how dates are written" in page
    assert "<h1>No segments of tiny.csv</h1>" in page
    assert f'href="/check/{source}"' in page


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 404),
        ({"source": "nothing"}, 404),
        ({"source": "sample", "k": "0"}, 400),
        ({"source": "sample", "groups": "/etc/passwd"}, 400),
        ({"source": "sample", "layout": "../x.toml"}, 400),
        ({"source": "/etc/passwd"}, 404),
        ({"source": "database-x"}, 404),
    ],
)
def test_what_cannot_be_begun_is_refused_in_words(browser, house, form, status):
    before = len(house.jobs.pending("run"))
    answer = browser.post("/runs", data=form)
    assert (answer.status_code, len(house.jobs.pending("run"))) == (status, before)
    assert "Traceback" not in answer.text


def test_nobody_sees_or_stops_the_work_of_others(made, app, house):
    stranger = TestClient(app, base_url=ADDRESS, headers={"origin": ADDRESS})
    stranger.cookies.set("regulars", house.keys.admit())
    assert stranger.get(made["job"]).status_code == 404
    assert stranger.post(f"{made['job']}/stop").status_code == 404
    assert "Spring orders.csv" not in stranger.get("/").text.partition("<h2>Runs</h2>")[0]


# --- a server that is killed ------------------------------------------------------------------------------------------


class Server:
    """`regulars serve` as people start it."""

    def __init__(self, workspace: Path) -> None:
        command = [sys.executable, "-m", "regulars", "serve", str(workspace), "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        start = re.search(r"http\S+", self.process.stdout.readline())[0]
        self.address = start.partition("/enter")[0]
        self.browser = httpx.Client(base_url=self.address, headers={"origin": self.address}, follow_redirects=True)
        self.browser.get(start)

    def kill(self) -> None:
        """End it so hard that it can tidy up nothing."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End it, if that has not happened."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        self.browser.close()


def half_an_upload(server: Server) -> socket.socket:
    """Begin to send a file, and do not end."""
    host, port = server.address.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)))
    cookie = server.browser.cookies["regulars"]
    head = f"PUT /uploads?name=big.csv HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {server.address}\r\n"
    line.sendall(f"{head}Cookie: regulars={cookie}\r\nContent-Length: 9000000\r\n\r\n".encode() + b"x" * 3_000_000)
    return line


def drafts(workspace: Path) -> list[str]:
    """Everything that is not whole, anywhere in the workspace."""
    return [str(path) for path in workspace.rglob("*") if "partial" in path.name or path.suffix == ".draft"]


def test_a_server_that_is_killed_starts_again_and_says_what_was_interrupted(
    workspace_of_sample, orders, tmp_path, until
):
    """In the middle of a run, of an upload, and of writing one of the app's own files."""
    workspace = tmp_path / "workspace"
    (workspace / "sample").parent.mkdir()
    (workspace / "sample").symlink_to(workspace_of_sample / "sample")
    own = workspace / ".regulars"
    server = Server(workspace)
    try:
        line = half_an_upload(server)
        until(lambda: any(own.glob("uploads/*/big.csv")))
        line.close()  # the browser is gone: nothing stays of it
        until(lambda: not list(own.glob("uploads/*")))
        source = server.browser.put("/uploads", params={"name": "orders.csv"}, content=orders).json()["id"]
        server.browser.post("/runs", data={"source": source})
        until(lambda: any(workspace.glob(".orders.partial-*")))
        line = half_an_upload(server)
        until(lambda: any(path.stat().st_size > 1_000_000 for path in own.glob("uploads/*/big.csv")))
    finally:
        server.kill()
    line.close()
    (own / "notes").mkdir()
    (own / "notes" / "sample.json").write_text('{"New": "before"}')
    writer = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(workspace)], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert len(drafts(workspace)) >= 1
    until(lambda: not any(workspace.glob(".orders.partial-*")))  # the run's own process has seen it and tidied up

    server = Server(workspace)
    try:
        page = server.browser.get("/").text
        assert "it interrupted the run of orders.csv and the upload of big.csv." in page
        assert 'href="/runs/sample"' in page
        assert server.browser.get("/runs/sample").status_code == 200
        assert (drafts(workspace), list(own.glob("uploads/*")), list(own.glob("jobs/*"))) == ([], [], [])
        assert sorted(path.name for path in workspace.iterdir()) == [".regulars", "sample"]
        assert json.loads((own / "notes" / "sample.json").read_text()) == {"New": "before"}
    finally:
        server.close()
    assert server.process.returncode == 0


KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
from regulars.placing import whole_files
with whole_files(pathlib.Path(sys.argv[1], ".regulars", "notes", "sample.json")) as (draft,):
    draft.write_text('{"New": "hal')
    os.kill(os.getpid(), signal.SIGKILL)
"""
