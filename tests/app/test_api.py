"""The API: what runs found out, files in, work, and who may ask."""

import shutil
from decimal import Decimal

import pandas as pd
import pytest
from starlette.testclient import TestClient

import regulars as rg
from regulars.app import create_app

ADDRESS = "http://127.0.0.1"


@pytest.fixture(scope="module")
def app(workspace_of_sample, tmp_path_factory):
    """A workspace of its own, so that lists can be made and runs deleted; files of up to 1,000 bytes are taken."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copytree(workspace_of_sample / "sample", folder / "sample")
    made = create_app(folder, upload_limit=1000)
    yield made
    made.state.house.jobs.close()


@pytest.fixture(scope="module")
def program(app):
    """A program: it knows the token, and has no cookie and no page that it comes from."""
    token = app.state.house.workspace.token()
    return TestClient(app, base_url=ADDRESS, headers={"authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def result(workspace_of_sample):
    return rg.open_run(workspace_of_sample / "sample")


@pytest.fixture(scope="module")
def people(workspace_of_sample):
    return pd.read_parquet(workspace_of_sample / "sample" / "customers.parquet")


def refusal(answer, status):
    """The words of an answer that is no success; both of them are there, and nothing else."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    error = answer.json()["error"]
    assert sorted(error) == ["hint", "message"]
    assert error["message"].endswith(".")
    return error


# --- what runs found out ----------------------------------------------------------------------------------------------


def test_runs_are_listed_and_shown(program, result):
    entries = program.get("/api/v1/runs").json()["runs"]
    run = program.get("/api/v1/runs/sample").json()

    assert [(entry["name"], entry["customers"]) for entry in entries] == [("sample", result.customers_total)]
    assert entries[0]["made"].endswith("Z")
    assert (run["k"], Decimal(run["revenue"])) == (len(result.segments), result.revenue)
    assert run["segments"] == [segment.name for segment in result.segments]


def test_segments_add_up_to_everyone(program, people):
    found = program.get("/api/v1/runs/sample/segments").json()

    assert {one["name"]: one["customers"] for one in found["segments"]} == people["segment"].value_counts().to_dict()
    assert {one["name"]: one["customers"] for one in found["groups"]} == people["rfm_group"].value_counts().to_dict()
    assert sum(Decimal(one["revenue"]) for one in found["segments"]) == people["monetary"].sum()
    assert program.get("/api/v1/runs/sample/segments/0").json() == found["segments"][0]


def test_customers_come_in_pages(program, people):
    best = people.sort_values(["monetary", "customer_id"], ascending=[False, True])["customer_id"].tolist()

    pages = [program.get("/api/v1/runs/sample/customers", params={"page": n, "size": 150}).json() for n in (1, 2, 3)]

    assert [one["customer_id"] for page in pages for one in page["customers"]] == best
    assert {(page["total"], page["pages"]) for page in pages} == {(len(people), 3)}
    assert Decimal(pages[0]["revenue"]) == people["monetary"].sum()


def test_customers_are_filtered_and_ordered(program, people):
    asked = {"of": "segments/0", "spend_from": 500.5, "chance_to": 0.9, "sort": "unlikely", "size": 5}
    wanted = people[(people["segment_id"] == 0) & (people["monetary"] >= 500.5) & (people["p_active"] <= 0.9)]
    wanted = wanted.sort_values(["p_active", "monetary", "customer_id"], ascending=[True, False, True])

    found = program.get("/api/v1/runs/sample/customers", params=asked).json()

    assert found["total"] == len(wanted) > 5
    assert [one["customer_id"] for one in found["customers"]] == wanted["customer_id"].tolist()[:5]


def test_one_customer_has_everything(program, people):
    row = people.sort_values("monetary").iloc[-1]

    card = program.get(f"/api/v1/runs/sample/customers/{row['customer_id']}").json()

    assert card["customer"]["segment"] == row["segment"]
    assert len(card["orders"]) == row["frequency"]
    assert sum(Decimal(order["amount"]) for order in card["orders"]) == row["monetary"]
    assert card["why"]


def test_who_moved_between_two_dates(program, result, workspace_of_sample):
    orders = pd.read_parquet(workspace_of_sample / "sample" / "orders.parquet")
    first = orders.groupby("customer_id")["ordered_at"].min()
    dates = {"earlier": "2024-07-01", "later": str(result.as_of), "cuts": "later"}

    found = program.get("/api/v1/runs/sample/compare", params=dates).json()

    assert found["before"]["customers"] == (first < "2024-07-01").sum()
    assert (found["after"]["customers"], Decimal(found["after"]["revenue"])) == (result.customers_total, result.revenue)
    new = sum(flow["customers"] for flow in found["groups"]["flows"] if flow["direction"] == "new")
    assert new == (first >= "2024-07-01").sum()


# --- lists for campaigns ----------------------------------------------------------------------------------------------


def test_a_list_is_counted_made_and_fetched(program, result):
    asked = {"of": "segments/0", "tool": "csv", "holdout": 0.2, "seed": 7}

    counted = program.get("/api/v1/runs/sample/audience", params=asked).json()
    made = program.post("/api/v1/runs/sample/lists", json=asked)

    assert made.status_code == 201
    assert made.json()["counts"]["written"] == counted["written"]
    assert counted["members"] == result.segments[0].profile.customers == counted["written"] + counted["held_out"]
    listed = program.get("/api/v1/runs/sample/lists").json()["lists"]
    assert [one["name"] for one in listed] == [made.json()["name"]]
    files = {name: program.get(f"/api/v1/runs/sample/lists/{listed[0]['name']}/{name}") for name in listed[0]["files"]}
    assert [file.status_code for file in files.values()] == [200, 200, 200]
    rows = files[listed[0]["files"][0]].text.splitlines()
    assert len(rows) == 1 + counted["written"]


@pytest.mark.parametrize("name", ["../token", "..%2F..%2F.regulars%2Ftoken", "facts.json"])
def test_only_files_of_the_list_are_given(program, name):
    made = program.post("/api/v1/runs/sample/lists", json={"of": "everyone"}).json()

    answer = program.get(f"/api/v1/runs/sample/lists/{made['name']}/{name}")

    assert answer.status_code == 404


# --- files and work ---------------------------------------------------------------------------------------------------

LINES = b"customer,order,date,amount\n" + b"".join(b"c%d,o%d,2024-01-%02d,9.50\n" % (i, i, 1 + i) for i in range(20))


def test_a_run_is_begun_with_what_was_asked(program, app):
    asked = {
        "source": "sample",
        "k": 5,
        "scale": "log",
        "groups": "shopify",
        "returns": "drop",
        "columns": {"email": "Mail"},
    }

    begun = program.post("/api/v1/runs", json=asked)

    assert begun.status_code == 202
    (job,) = app.state.house.jobs.pending("run")
    app.state.house.jobs.stop(job)
    assert begun.json()["id"] == job.id
    assert job.spec["choices"] == {
        "column.email": "Mail", "returns": "drop", "k": "5", "scale": "log", "groups": "shopify"
    }  # fmt: skip


def test_a_file_is_sent_looked_at_and_deleted(program, app):
    sent = program.put("/api/v1/uploads", params={"name": "orders.csv"}, content=LINES)
    upload = sent.json()

    job = program.post("/api/v1/checks", json={"source": upload["id"], "returns": "drop"}).json()

    assert (sent.status_code, upload["name"], upload["bytes"]) == (201, "orders.csv", len(LINES))
    assert (job["kind"], job["error"]) == ("check", None)
    assert program.get("/api/v1/jobs").json()["jobs"][0]["id"] == job["id"]
    stopped = program.delete(f"/api/v1/jobs/{job['id']}")
    assert stopped.status_code == 200
    app.state.house.jobs.close()
    assert program.get(f"/api/v1/jobs/{job['id']}").json()["state"] == "stopped"
    assert "ended" in refusal(program.delete(f"/api/v1/jobs/{job['id']}"), 409)["message"]
    assert program.delete(f"/api/v1/uploads/{upload['id']}").status_code == 204
    refusal(program.delete(f"/api/v1/uploads/{upload['id']}"), 404)


def test_a_file_that_is_too_big_is_refused_before_it_is_sent(program):
    answer = program.put("/api/v1/uploads", params={"name": "orders.csv"}, content=b"x" * 1001)

    assert "at most" in refusal(answer, 413)["message"]


def test_what_does_not_fit_is_said(program):
    unknown = program.post("/api/v1/checks", json={"source": "nothing"})
    column = program.post("/api/v1/checks", json={"source": "sample", "columns": {"age": "Age"}})
    many = program.post("/api/v1/runs", json={"source": "sample", "k": 500})
    extra = program.post("/api/v1/runs", json={"source": "sample", "path": "/etc/passwd"})

    refusal(unknown, 404)
    assert "'age'" in refusal(column, 400)["message"]
    assert refusal(many, 422)["message"].startswith("k: ")
    refusal(extra, 422)


def test_databases_are_told_by_name_only(program, app):
    place = app.state.house.workspace.folder / "databases.toml"
    place.write_text('[shop]\ntitle = "Web shop"\naddress = "postgres://me:secret@host/shop?table=lines"\n')

    answer = program.get("/api/v1/databases")

    assert answer.json() == {"databases": [{"name": "shop", "title": "Web shop"}]}
    place.unlink()


def test_what_is_misspelt_or_missing_is_refused_in_words(program):
    misspelt = refusal(program.get("/api/v1/runs/sample/customers", params={"spend_form": 5}), 422)
    assert misspelt["message"].startswith("spend_form: There is no such parameter; there are chance_from, ")
    assert refusal(program.post("/api/v1/runs/sample/lists", json={}), 422)["message"] == "of: Field required."
    broken = program.post("/api/v1/runs", content=b"{nope", headers={"content-type": "application/json"})
    assert refusal(broken, 422)["message"].startswith("The body is no JSON: ")
    assert (
        refusal(program.post("/api/v1/runs", content=b"x" * 1_000_001), 413)["message"] == "That is too much at once."
    )
    assert refusal(program.get("/api/v1/jobs/none"), 404)["hint"] == "See /api/v1/docs for what there is."


# --- who may ask ------------------------------------------------------------------------------------------------------


def test_nobody_asks_without_the_token(app):
    stranger = TestClient(app, base_url=ADDRESS)

    assert "TOKEN" in refusal(stranger.get("/api/v1/runs"), 401)["hint"]
    refusal(stranger.get("/api/v1/runs", headers={"authorization": "Bearer wrong"}), 401)
    refusal(stranger.get("/api/v1/openapi.json"), 401)
    refusal(stranger.delete("/api/v1/runs/sample"), 401)


def test_a_foreign_page_cannot_use_the_cookie(app):
    house = app.state.house
    browser = TestClient(app, base_url=ADDRESS, cookies={"regulars": house.keys.admit()})

    assert browser.get("/api/v1/runs").status_code == 200
    refusal(browser.delete("/api/v1/runs/sample", headers={"origin": "https://evil.example"}), 403)
    refusal(browser.delete("/api/v1/runs/sample"), 403)
    refusal(browser.get("/api/v1/runs", headers={"host": "evil.example"}), 400)


def test_the_document_declares_every_error_and_is_a_page_too(program):
    document = program.get("/api/v1/openapi.json").json()
    page = program.get("/api/v1/docs")

    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert all({"400", "401", "404", "422"} <= set(one["responses"]) for one in operations)
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert all(path in page.text for path in document["paths"])
    assert "<script>" not in page.text
    assert "http://" not in page.text.replace(ADDRESS, "")


def test_a_run_is_deleted(program, app):
    folder = app.state.house.workspace.folder
    shutil.copytree(folder / "sample", folder / "copy")

    assert program.delete("/api/v1/runs/copy").status_code == 204
    refusal(program.get("/api/v1/runs/copy"), 404)
    assert not (folder / "copy").exists()
    assert program.get("/api/v1/runs/sample").status_code == 200
