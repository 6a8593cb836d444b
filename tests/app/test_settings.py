"""The settings: rule packs that are checked while they are written, actions, layouts, and what else a workspace has."""

import re
import tomllib
from importlib.resources import files

import pandas as pd
import pytest

import regulars as rg
from app.conftest import let_in
from app.tables import tables_of
from regulars.app import create_app
from regulars.app.choices import Choices, offered_layouts, offered_packs
from regulars.app.packs import look_at_pack
from regulars.profiling import load_actions

SHOPIFY = (files("regulars") / "packs" / "shopify.toml").read_text("utf-8")

THREE = """
title = "Three groups"
levels = 5
[[groups]]
name = "Keep"
r = "3-5"
fm = "3-5"
[[groups]]
name = "Grow"
r = "3-5"
fm = "1-2"
[[groups]]
name = "Win back"
r = "1-2"
"""


@pytest.fixture
def client(tmp_path):
    """A browser in an empty workspace."""
    with let_in(create_app(tmp_path)) as browser:
        yield browser


@pytest.fixture
def folder(client):
    return client.app.state.house.workspace.folder


# --- the checker ------------------------------------------------------------------------------------------------------


def test_a_whole_pack_covers_every_field_once():
    draft = look_at_pack(THREE, source="three")

    assert draft.problem is None
    assert [[field.groups[0][0] for field in row] for row in draft.rows] == [
        ["Grow", "Grow", "Keep", "Keep", "Keep"],
        ["Grow", "Grow", "Keep", "Keep", "Keep"],
        ["Grow", "Grow", "Keep", "Keep", "Keep"],
        ["Win back"] * 5,
        ["Win back"] * 5,
    ]
    assert [field.combinations for field in draft.rows[0]] == [1, 5, 9, 7, 3]  # pairs of F and M with this mean


def test_gaps_and_overlaps_are_counted_field_by_field():
    text = THREE.replace('r = "1-2"', 'r = "2-3"')  # nobody has recency 1, two groups have recency 3

    draft = look_at_pack(text, source="three")

    assert [(row[0].r, sum(one.missing for one in row), sum(one.double for one in row)) for row in draft.rows] == [
        (5, 0, 0),
        (4, 0, 0),
        (3, 0, 25),
        (2, 0, 0),
        (1, 25, 0),
    ]
    assert (draft.missing, draft.double) == (25, 25)
    assert draft.rows[2][2].groups == (("Keep", 9), ("Win back", 9))


def test_single_cells_that_are_missing_are_found_inside_a_field():
    cells = [f"{r}{f}{m}" for r in (1, 2) for f in (1, 2) for m in (1, 2)]
    cells.remove("112")

    draft = look_at_pack(f'levels = 2\n[[groups]]\nname = "All"\ncells = {cells}', source="cells")

    field = draft.rows[1][1]  # r = 1, and the mean of F and M, rounded up, 2: 12, 21 and 22
    assert (field.combinations, field.missing, field.groups) == (3, 1, (("All", 2),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[groups", "not valid TOML"),
        ("a = " + "[" * 50_000, "too large"),
        ("a = " + "9" * 5_000, "too large"),
        ("levels = 40", "levels is 40"),
        ("levels = 5", r"no \[\[groups\]\]"),
        ('[[groups]]\nname = "x"\nr = "7"', "r is '7'"),
    ],
)
def test_what_is_no_pack_is_said(text, words):
    draft = look_at_pack(text, source="mine")

    assert (draft.pack, draft.rows) == (None, ())
    assert re.search(words, str(draft.problem))


def test_the_grid_follows_the_text(client):
    whole = client.post("/settings/check-pack", data={"text": THREE}).text
    broken = client.post("/settings/check-pack", data={"text": THREE.replace('r = "1-2"', 'r = "2-3"')}).text

    assert "has exactly one name" in whole
    assert 'class="missing"' not in whole
    assert broken.count('class="missing"') == 5
    assert broken.count('class="double"') == 5
    assert "25 combinations of scores without a name, 25 combinations with two names" in broken
    assert "no name" in broken
    assert "two names" in broken


def test_sizes_are_those_of_a_run(client, workspace_of_sample, folder):
    (folder / "sample").symlink_to(workspace_of_sample / "sample")
    people = pd.read_parquet(workspace_of_sample / "sample" / "customers.parquet")
    recent, value = people["r_score"] >= 3, (people["f_score"] + people["m_score"] + 1) // 2 >= 3

    page = client.post("/settings/check-pack", data={"text": THREE, "on": "sample"}).text
    klaviyo = client.get("/settings/packs/klaviyo?on=sample").text

    groups = next(rows for header, *rows in tables_of(page) if header[0] == "Group")
    assert [int(row[3]) for row in groups] == [(recent & value).sum(), (recent & ~value).sum(), (~recent).sum()]
    assert "was scored in another way" in klaviyo


# --- keeping packs ----------------------------------------------------------------------------------------------------


def test_a_pack_is_saved_and_offered(client, folder):
    answer = client.post("/settings/packs/shopify", data={"text": SHOPIFY, "as": "our pack", "do": "save"})

    assert "Saved." in answer.text
    assert "our pack" in offered_packs(folder)
    path = Choices(groups="our pack").segmenting(folder)["groups"]
    assert rg.load_pack(path).groups == rg.load_pack("shopify").groups
    assert "our pack" in client.get("/settings").text


def test_a_pack_with_gaps_is_not_saved_and_its_text_stays(client, folder):
    text = SHOPIFY.replace('r = "5"', 'r = "4"', 1)

    answer = client.post("/settings/packs/shopify", data={"text": text, "as": "gaps", "do": "save"})
    checked = client.post("/settings/packs/shopify", data={"text": text, "as": "gaps", "do": "check"})

    assert answer.status_code == 400
    assert "Not saved." in answer.text
    assert checked.status_code == 200
    assert "why = &#34;bought lately, often and much&#34;\nr = &#34;4&#34;" in answer.text
    assert not (folder / "packs").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "x" * 61, "eleven", "a\nb"])
def test_names_that_cannot_be_are_refused(client, folder, name):
    answer = client.post("/settings/packs/shopify", data={"text": SHOPIFY, "as": name, "do": "save"})

    assert answer.status_code == 400
    assert not list(folder.rglob("*.toml"))


def test_an_own_pack_is_changed_and_deleted(client, folder):
    for text in (SHOPIFY, THREE):
        client.post("/settings/packs/shopify", data={"text": text, "as": "ours", "do": "save"})
    assert (folder / "packs" / "ours.toml").read_text() == THREE.replace("\r\n", "\n")

    gone = client.post("/settings/packs/ours", data={"do": "delete"}, follow_redirects=False)
    shipped = client.post("/settings/packs/shopify", data={"do": "delete"})

    assert (gone.status_code, shipped.status_code) == (303, 404)
    assert offered_packs(folder) == ["eleven", "klaviyo", "shopify"]


def test_names_of_groups_are_shown_as_they_are(client):
    text = THREE.replace("Win back", "<script>alert(1)</script>")

    for page in (
        client.post("/settings/check-pack", data={"text": text}).text,
        client.post("/settings/packs/eleven", data={"text": text, "as": "<img src=x>", "do": "check"}).text,
    ):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


# --- actions ----------------------------------------------------------------------------------------------------------


def test_only_texts_of_your_own_are_kept(client, folder):
    shipped = load_actions()
    form = {
        f"{tier}.{state}.{field}": getattr(action, field)
        for (tier, state), action in shipped.items()
        for field in ("name", "action", "who", "offer", "channel", "measure")
    }
    form |= {
        "high.active.name": 'Friends "of" the \\ house',
        "low.lapsed.offer": "the catalogue,\nonce",
        "low.new.name": "",
    }

    answer = client.post("/settings/actions", data=form)

    assert "Saved." in answer.text
    assert tomllib.loads((folder / "actions.toml").read_text()) == {
        "high": {"active": {"name": 'Friends "of" the \\ house'}},
        "low": {"lapsed": {"offer": "the catalogue, once"}},
    }
    assert load_actions(folder / "actions.toml")["high", "active"].name == 'Friends "of" the \\ house'
    assert Choices().segmenting(folder)["actions"] == str(folder / "actions.toml")
    client.post("/settings/actions", data={})
    assert not (folder / "actions.toml").exists()


def test_a_text_that_is_too_long_is_said(client, folder):
    answer = client.post("/settings/actions", data={"high.active.name": "x" * 501})

    assert answer.status_code == 400
    assert "is too long" in answer.text
    assert "x" * 501 in answer.text


def test_a_damaged_file_of_actions_is_said(client, folder):
    (folder / "actions.toml").write_text("[high.sleeping]\n")

    page = client.get("/settings/actions")

    assert "there is no cell [high.sleeping]" in page.text


# --- layouts, and the rest --------------------------------------------------------------------------------------------


def test_a_layout_is_written_checked_and_offered(client, folder):
    example = client.get("/settings/layouts/new").text
    text = '[columns]\ncustomer_id = ["Card"]\nordered_at = ["Day"]\namount = ["Total"]\n'

    bad = client.post("/settings/check-layout", data={"text": '[columns]\nage = ["Age"]'}).text
    good = client.post("/settings/check-layout", data={"text": text}).text
    refused = client.post("/settings/layouts/new", data={"text": "[", "as": "till", "do": "save"})
    saved = client.post("/settings/layouts/new", data={"text": text, "as": "till", "do": "save"})

    assert "A layout that can be used." in example
    assert "unknown key columns.age" in bad
    assert [row[0] for row in tables_of(good)[0][1:]] == ["customer_id", "ordered_at", "amount"]
    assert (refused.status_code, saved.status_code) == (400, 200)
    assert ("till", "till") in offered_layouts(folder)


def test_settings_tell_where_the_token_is_but_not_the_token(client, folder):
    (folder / "databases.toml").write_text(
        '[shop]\ntitle = "Web shop"\naddress = "postgres://me:secret@host/x?table=y"\n'
    )
    page = client.get("/settings").text

    assert str(folder / ".regulars" / "token") in page
    assert (folder / ".regulars" / "token").read_text().strip() not in page
    assert "Web shop" in page
    assert "secret" not in page


def test_databases_that_cannot_be_read_are_said(client, folder):
    (folder / "databases.toml").write_text("shop = 1\n")

    assert "is no database" in client.get("/settings").text


def test_logging_out_ends_the_session(client):
    assert client.get("/settings").status_code == 200
    client.post("/logout")
    assert client.get("/settings").status_code == 401
