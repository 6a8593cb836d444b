"""What the tests of the app share: a workspace with one run of the sample shop, and a browser that has been let in."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import regulars as rg
from regulars.app import create_app

ADDRESS = "http://127.0.0.1"


def let_in(app) -> TestClient:
    """A browser that has opened the start address of an app; what it changes, it changes from the app's own pages."""
    client = TestClient(app, base_url=ADDRESS, headers={"origin": ADDRESS})
    assert client.get("/enter", params={"token": app.state.house.keys.start}, follow_redirects=False).status_code == 303
    return client


@pytest.fixture(scope="session")
def workspace_of_sample(sample_result, tmp_path_factory) -> Path:
    """A workspace with the run ``sample``: 400 customers, with a back-test. Leave it as it is: everybody reads it."""
    folder = tmp_path_factory.mktemp("workspace")
    rg.write_run(sample_result, folder / "sample", figures=False)
    return folder


@pytest.fixture(scope="session")
def workspace_of_two(workspace_of_sample, sample_shop, tmp_path_factory) -> Path:
    """The sample, and beside it ``spring``: the same shop on 1 July, three segments on another scale, no back-test."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(workspace_of_sample / "sample", folder / "sample")
    earlier = rg.segment(sample_shop.orders, as_of=date(2024, 7, 1), k=3, scale="log", backtest=False)
    rg.write_run(earlier, folder / "spring", figures=False, report=False)
    return folder


#: Ids that a page or an address could break on.
ODD_IDS = (
    "a/b//c", "..", "./x", "50%?q=1#x", "O'Hara \"Q\"", "Zoë 日本", "<b>bold</b>", "<script>alert(1)</script>", "=1+1",
    "x" * 300,
)  # fmt: skip


@pytest.fixture(scope="session")
def workspace_of_contacts(tmp_path_factory) -> Path:
    """A workspace with the run ``contacts``: 120 customers with e-mail addresses, ten with odd ids, no back-test."""
    folder = tmp_path_factory.mktemp("contacts")
    lines = rg.make_orders(customers=120, seed=3).orders.to_pandas()
    known = sorted(lines["CustomerID"].dropna().unique())
    lines["Email"] = lines["CustomerID"].map({one: f"Anna.{one}@example.org" for one in known[1:]})
    odd = dict(zip(known[::12], ODD_IDS, strict=False))
    lines["CustomerID"] = lines["CustomerID"].map(lambda one: odd.get(one, one))
    result = rg.segment(lines, columns=rg.Columns(email="Email"), k=3, backtest=False)
    rg.write_run(result, folder / "contacts", figures=False, report=False)
    return folder


@pytest.fixture(scope="module")
def contacts(workspace_of_contacts) -> Iterator[TestClient]:
    """A browser in the workspace with e-mail addresses and odd ids; lists may be made in it."""
    with let_in(create_app(workspace_of_contacts)) as browser:
        yield browser


@pytest.fixture(scope="module")
def client(workspace_of_sample) -> Iterator[TestClient]:
    """A browser in the workspace of the sample."""
    with let_in(create_app(workspace_of_sample)) as browser:
        yield browser


@pytest.fixture(scope="session")
def until() -> Callable:
    """Look until something is so, because another process does it; a minute at most."""

    def look(at):
        end = time.monotonic() + 60
        while not (found := at()):
            assert time.monotonic() < end, "It has not happened within a minute."
            time.sleep(0.02)
        return found

    return look
