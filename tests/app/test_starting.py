"""The start page: where to drop a file, what goes on, and the runs; and the runs that are deleted."""

import re
import shutil

import pytest
from starlette.testclient import TestClient

from regulars.app import create_app


@pytest.fixture
def own(workspace_of_sample, tmp_path):
    """A workspace that a test may change: a copy of the sample, and its app."""
    shutil.copytree(workspace_of_sample / "sample", tmp_path / "workspace" / "sample")
    return tmp_path / "workspace"


@pytest.fixture
def browse(own):
    """Open a browser in the workspace."""
    opened = []

    def open_it() -> TestClient:
        app = create_app(own, upload_limit=2_000_000_000)
        browser = TestClient(app, base_url="http://127.0.0.1", headers={"origin": "http://127.0.0.1"})
        browser.__enter__()
        opened.append(browser)
        browser.get("/enter", params={"token": app.state.house.keys.start})
        return browser

    yield open_it
    for browser in opened:
        browser.__exit__(None, None, None)


def test_everything_begins_here(client):
    page = client.get("/").text

    assert page.count("<h1>") == 1
    assert "CSV, Excel (.xlsx) or Parquet, up to 2 GB." in page
    assert re.search(r'<input type="file" id="file"[^>]*><label for="file"', page)
    assert re.search(r'action="/runs"><input type="hidden" name="source" value="sample">', page)
    row = re.search(r"<tr><th scope=\"row\">.*?</tr>", page)[0]
    assert 'href="/runs/sample"' in row
    assert re.search(r"<td class=\"number\">\d{3}</td>", row)  # customers: 400, without those who never bought
    assert 'href="/runs/sample/delete"' in row
    assert "interrupted" not in page


def test_htmx_asks_for_the_work_only(client):
    part = client.get("/", headers={"hx-request": "true"}).text
    assert part.startswith('<section id="work"')
    assert "<h1>" not in part


def test_a_run_is_deleted_after_a_question(browse, own):
    browser = browse()
    (own / ".regulars" / "sources").mkdir()
    (own / ".regulars" / "sources" / "sample.json").write_text("{}")
    form = {"of": "segments/0", "tool": "csv", "holdout": "20", "seed": "0"}
    assert browser.post("/runs/sample/lists", data=form).status_code == 200
    assert len(list((own / "campaigns").iterdir())) == 3
    question = browser.get("/runs/sample/delete").text
    assert "Delete the run sample?" in question
    assert "1 list for campaigns is deleted too" in question
    assert (own / "sample").is_dir()

    assert browser.post("/runs/sample/delete", follow_redirects=False).headers["location"] == "/"
    assert sorted(path.name for path in own.iterdir()) == [".regulars", "campaigns"]
    assert [*(own / "campaigns").iterdir(), *(own / ".regulars" / "lists").iterdir()] == []
    assert not (own / ".regulars" / "sources" / "sample.json").exists()
    assert "There are none yet." in browser.get("/").text
    assert browser.post("/runs/sample/delete").status_code == 404


@pytest.mark.parametrize("name", ["..", ".regulars", "..%2F..%2Fetc", "no-such", "%00", "sample%2F.."])
def test_nothing_else_can_be_deleted(client, workspace_of_sample, name):
    assert client.get(f"/runs/{name}/delete").status_code == 404
    assert client.post(f"/runs/{name}/delete").status_code == 404
    assert (workspace_of_sample / "sample").is_dir()


def test_names_of_runs_are_text(browse, own):
    (own / "sample").rename(own / "<b>&'\"%41 x")
    page = browse().get("/").text
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;&#39;&#34;%41 x</a>" in page
    assert 'href="/runs/%3Cb%3E%26%27%22%2541%20x"' in page


def test_a_broken_list_of_databases_says_so_and_stops_nothing(browse, own):
    (own / "databases.toml").write_text('[shop]\nadress = "postgres://me:secret@host/shop"')
    page = browse().get("/").text
    assert "&#39;shop&#39; is no database." in page
    assert "secret" not in page
    assert "Try the sample shop" in page

    (own / "databases.toml").write_text("[shop")
    assert "databases.toml of the workspace cannot be read." in browse().get("/").text


def test_what_was_interrupted_is_said_until_somebody_has_read_it(browse, own):
    """Work of a server that was killed: a run of 'May & June.csv', and an upload."""
    for place, text in [
        ("jobs/1/job.json", '{"kind": "run", "title": "May & June.csv", "state": "running"}'),
        ("jobs/2/job.json", '{"kind": "run", "title": "done.csv", "state": "done"}'),
        ("jobs/3/job.json", '{"kind": "check", "title": "look.csv", "state": "running"}'),
        ("uploads/4/coming", "big.csv"),
        ("uploads/4/big.csv", "Customer,Date"),
        ("uploads/5/whole.csv", "Customer,Date"),
    ]:
        path = own / ".regulars" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    browser = browse()
    page = browser.get("/").text
    assert "it interrupted the run of May &amp; June.csv and the upload of big.csv." in page
    assert [path for path in own.rglob("*.csv") if "sample" not in path.parts] == []

    assert "interrupted" not in browser.post("/interrupted").text
