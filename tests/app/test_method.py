"""The page "k and method": why so many segments, two settings side by side, and running again."""

import json
import shutil

import pytest

from app.conftest import let_in
from app.tables import tables_of
from regulars.app import create_app


@pytest.fixture(scope="module")
def folder(workspace_of_two, tmp_path_factory):
    """Two runs; the sample knows what it was made from."""
    place = tmp_path_factory.mktemp("method")
    for name in ("sample", "spring"):
        shutil.copytree(workspace_of_two / name, place / name)
    return place


@pytest.fixture(scope="module")
def client(folder):
    app = create_app(folder)
    origin = {"source": "sample", "title": "Sample shop", "choices": {"returns": "drop"}}
    app.state.house.workspace.write("sources/sample.json", origin)
    with let_in(app) as browser:
        yield browser


def test_every_k_that_was_tried_is_there(client, folder):
    facts = json.loads((folder / "sample" / "facts.json").read_text())
    page = client.get("/runs/sample/method").text

    header, *tried = tables_of(page)[0]

    assert header[:3] == ["k", "inertia", "silhouette"]
    assert [(int(row[0]), row[2]) for row in tried] == [
        (one["k"], f"{one['silhouette']:.3f}") for one in facts["trials"]
    ]
    assert facts["choice"]["reason"] in page
    for name in ("choice_of_k", "silhouette_knives", "gain_curves", "calibration", "audit_waterfall"):
        assert f'id="figure-{name}"' in page


def test_two_settings_stand_side_by_side(client, folder):
    facts = {name: json.loads((folder / name / "facts.json").read_text()) for name in ("sample", "spring")}
    page = client.get("/runs/sample/method?with=spring").text

    both = {what: values for what, *values in tables_of(page)[0]}

    assert both["Segments (k)"] == [f"{facts['sample']['choice']['k']} (chosen)", "3 (asked for)"]
    assert both["Scale"] == ["sqrt-log", "log"]
    assert both["Names"] == [
        "; ".join(segment["name"] for segment in facts[name]["segments"]) for name in ("sample", "spring")
    ]
    assert both["Forecast: AUC (0.5 is a coin, 1 is never wrong)"][1] == "no back-test"
    assert 'id="figure-choice_of_k_other"' in page


def test_a_run_without_a_back_test_says_so(client):
    page = client.get("/runs/spring/method").text

    assert "No back-test, and no forecasts" in page
    assert 'id="figure-calibration"' not in page


def test_running_again_starts_a_job_with_the_changes(client):
    house = client.app.state.house

    answer = client.post(
        "/runs/sample/method",
        data={"k": "5", "scale": "log", "groups": "shopify", "backtest": "yes"},
        follow_redirects=False,
    )

    assert answer.status_code == 303
    (job,) = house.jobs.pending("run")
    house.jobs.stop(job)
    assert answer.headers["location"] == f"/jobs/{job.id}"
    assert job.spec["choices"] == {"returns": "drop", "k": "5", "scale": "log", "groups": "shopify"}


@pytest.mark.parametrize(
    ("run", "form", "words"),
    [
        ("spring", {"k": "5"}, "is not known here"),
        ("sample", {"k": "five"}, "cannot be"),
        ("sample", {"k": "51"}, "Ask for 2 to 50 segments"),
        ("sample", {"scale": "../x"}, "There is no scale"),
        ("sample", {"groups": "../../secret"}, "There is no rule pack"),
    ],
)
def test_what_cannot_be_run_again_is_said(client, run, form, words):
    answer = client.post(f"/runs/{run}/method", data=form)

    assert answer.status_code == 400
    assert words in answer.text


def test_unknown_runs_are_not_found(client):
    assert client.get("/runs/nothing/method").status_code == 404
    assert client.get("/runs/sample/method?with=nothing").status_code == 404
