"""Files that browsers send: as a whole or not at all, for nobody else, and gone when nobody needs them."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from regulars.app import create_app, uploads
from regulars.app.uploads import Uploads
from regulars.app.workspace import Workspace
from regulars.errors import OptionError, OutputError, SourceError

LINES = b"Customer,Date,Amount\n7,2024-02-01,9.90\n8,2024-02-02,12.50\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(tmp_path_factory.mktemp("workspace"), upload_limit=100_000)


@pytest.fixture(scope="module")
def browser(app):
    with TestClient(app, base_url="http://127.0.0.1", headers={"origin": "http://127.0.0.1"}) as client:
        client.get("/enter", params={"token": app.state.house.keys.start})
        yield client


def kept(app) -> list[str]:
    """Names of all files of uploads on the disk."""
    folder = app.state.house.workspace.own / "uploads"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path) -> Uploads:
    """A place for files of at most a thousand bytes."""
    return Uploads(Workspace(tmp_path / "workspace"), limit=1000)


def waited_for(coroutine):
    """What a coroutine gives, in a thread of its own: Playwright may have a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def take(store, *pieces: bytes, name="orders.csv", length=None, ends_with=None):
    """Hand over a file piece by piece; perhaps the sender is gone at the end."""

    async def stream():
        for piece in pieces:
            yield piece
        if ends_with is not None:
            raise ends_with

    return waited_for(store.take(stream(), name=name, length=length, session="mine"))


# --- what arrives -----------------------------------------------------------------------------------------------------


def test_a_file_arrives_whole_and_private(app, browser):
    answer = browser.put("/uploads", params={"name": "My orders.csv"}, content=LINES)

    assert answer.status_code == 201
    facts = answer.json()
    assert facts == {"id": facts["id"], "name": "My orders.csv", "bytes": len(LINES), "check": f"/check/{facts['id']}"}
    (path,) = app.state.house.workspace.own.glob(f"uploads/{facts['id']}/*")
    assert path.read_bytes() == LINES
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.parent.parent.stat().st_mode & 0o077 == 0
    assert kept(app) == ["My_orders.csv"]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\me\\Orders 2024.XLSX", "Orders_2024.xlsx"),
        ("\u202egnp.csv\x00.parquet", "gnp.csv.parquet"),
        ("<b>x</b>.csv", "b.csv"),
        ("..csv", "orders.csv"),
        (".csv", "orders.csv"),
        ("a" * 5000 + ".csv", "a" * 60 + ".csv"),
        ("Bücher 日本.csv.gz", "Bücher_日本.csv.gz"),
    ],
)
def test_no_name_leads_out_of_the_folder(store, tmp_path, name, stored):
    upload = take(store, LINES, name=name, length=len(LINES))
    assert (upload.path.name, upload.path.parent.parent) == (stored, tmp_path / "workspace" / ".regulars" / "uploads")


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_file_that_is_too_big_is_refused_before_it_is_read(app, browser):
    before = kept(app)
    answer = browser.put("/uploads", params={"name": "orders.csv"}, content=b"x" * 100_001)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "The file has 1 MB; at most 1 MB are taken."
    assert kept(app) == before


def test_a_file_without_a_size_is_refused(browser):
    answer = browser.put("/uploads", params={"name": "orders.csv"}, content=iter([LINES]))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The size of the file is not announced.")


@pytest.mark.parametrize("name", ["", "orders", "orders.exe", "orders.xls", "orders.csv.zip"])
def test_a_file_of_another_kind_is_refused(app, browser, name):
    before = kept(app)
    answer = browser.put("/uploads", params={"name": name}, content=LINES)
    assert (answer.status_code, kept(app)) == (400, before)
    hint = "save it as .xlsx" if name.endswith(".xls") else "CSV, Excel (.xlsx) or Parquet"
    assert hint in answer.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("sent", "announced", "ends_with", "message"),
    [
        ([LINES], 500, None, "The upload broke off."),
        ([LINES], 500, ClientDisconnect(), "The upload broke off."),
        ([b"x" * 600, b"x" * 600], 900, None, "More than 1 MB came."),
        ([LINES], 2, None, "The upload broke off."),
    ],
)
def test_what_is_not_what_was_announced_leaves_nothing(store, tmp_path, sent, announced, ends_with, message):
    with pytest.raises(OptionError) as refused:
        take(store, *sent, length=announced, ends_with=ends_with)
    assert refused.value.message == message
    assert list((tmp_path / "workspace" / ".regulars" / "uploads").iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(store, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=uploads.ROOM + 899))
    with pytest.raises(OutputError, match="no room"):
        take(store, LINES, length=900)
    assert list((tmp_path / "workspace" / ".regulars" / "uploads").iterdir()) == []


def test_files_that_come_at_the_same_time_share_the_disk(store, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=uploads.ROOM + 1000))

    async def both():
        async def slow():
            yield b"x" * 600
            second = store.take(quick(), name="b.csv", length=600, session="mine")
            with pytest.raises(OutputError, match="no room"):
                await second

        async def quick():
            yield b"x" * 600

        return await store.take(slow(), name="a.csv", length=600, session="mine")

    assert waited_for(both()).bytes == 600


# --- whose it is, and how long ----------------------------------------------------------------------------------------


def test_a_file_is_seen_by_its_own_session_only(store):
    upload = take(store, LINES, length=len(LINES))
    assert store.get(upload.id, session="mine").name == "orders.csv"
    with pytest.raises(SourceError, match="not here any more"):
        store.get(upload.id, session="another")


def test_old_files_go_when_a_new_one_comes(store, monkeypatch):
    old = take(store, LINES, length=len(LINES))
    monkeypatch.setattr(uploads, "KEPT", -1)
    new = take(store, LINES, length=len(LINES))
    assert (old.path.exists(), new.path.exists()) == (False, True)


def test_nothing_stays_when_the_server_stops(store):
    upload = take(store, LINES, length=len(LINES))
    store.close()
    assert not upload.path.exists()
