"""What the tests of the app share: a workspace with one run of the sample shop, and a browser that has been let in."""

from collections.abc import Iterator
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
def workspace_of_sample(tmp_path_factory) -> Path:
    """A workspace with the run ``sample``: 400 customers, with a back-test. Leave it as it is: everybody reads it."""
    folder = tmp_path_factory.mktemp("workspace")
    result = rg.segment(rg.make_orders(customers=400, seed=1).orders)
    rg.write_run(result, folder / "sample", figures=False)
    return folder


@pytest.fixture(scope="module")
def client(workspace_of_sample) -> Iterator[TestClient]:
    """A browser in the workspace of the sample."""
    with let_in(create_app(workspace_of_sample)) as browser:
        yield browser
