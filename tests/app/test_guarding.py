"""Who may come in: hosts, tokens, cookies, foreign pages, passwords, and how much may be sent."""

import json
import socket
import stat

import pytest
from starlette.testclient import TestClient

from app.conftest import ADDRESS, let_in
from regulars.app import create_app
from regulars.app.guarding import COOKIE, IDLE, Keys
from regulars.app.passwords import FREE, Doorman
from regulars.app.workspace import Workspace
from regulars.errors import OptionError, SourceError


@pytest.fixture
def app(tmp_path):
    return create_app(tmp_path / "workspace")


@pytest.fixture
def stranger(app):
    """A browser that has not been let in."""
    with TestClient(app, base_url=ADDRESS, headers={"origin": ADDRESS}) as client:
        yield client


@pytest.fixture
def token(app):
    return {"authorization": f"Bearer {app.state.house.workspace.token()}"}


# --- strangers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/settings", "/runs/sample", "/jobs/1", "/nowhere", "/check/sample"])
def test_a_stranger_sees_no_page(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert "open the address that" in answer.text


def test_a_stranger_gets_nothing_from_the_api(stranger):
    answer = stranger.get("/api/v1/runs")
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["error"]["hint"]
    assert stranger.get("/api/v1/runs", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get("/api/v1/openapi.json").status_code == 401


def test_a_stranger_cannot_upload(stranger, app):
    answer = stranger.put("/uploads", params={"name": "orders.csv"}, content=b"a,b\n1,2\n")
    assert answer.status_code == 401
    assert not list((app.state.house.workspace.own / "uploads").iterdir())


def test_the_start_address_works_once(app, stranger):
    start = app.state.house.keys.start
    assert stranger.get("/enter", params={"token": start}, follow_redirects=False).headers["location"] == "/"
    thief = TestClient(app, base_url=ADDRESS)
    answer = thief.get("/enter", params={"token": start})
    assert answer.status_code == 401
    assert "works once" in answer.text
    assert COOKIE not in answer.cookies


@pytest.mark.parametrize("token", ["", "x", "ä", "\x00", "a" * 5000])
def test_another_start_address_does_not_work(stranger, token):
    assert stranger.get("/enter", params={"token": token}).status_code == 401


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(app, stranger):
    answer = stranger.get("/enter", params={"token": app.state.house.keys.start}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize("cookie", ["x", "a=b; regulars", "regulars=; regulars=x", 'regulars="\\"', "\xff"])
def test_a_made_up_cookie_opens_nothing(stranger, cookie):
    assert stranger.get("/", headers={"cookie": cookie.encode("latin-1")}).status_code == 401


def test_a_session_ends_when_nobody_clicks():
    now = [0.0]
    keys = Keys(token="secret", clock=lambda: now[0])
    cookie = keys.admit()
    now[0] = IDLE - 1
    assert keys.session(cookie) is not None
    now[0] += IDLE - 1  # counted from the last click
    assert keys.session(cookie) is not None
    now[0] += IDLE + 1
    assert keys.session(cookie) is None


def test_after_logging_out_the_cookie_opens_nothing(app):
    with let_in(app) as browser:
        cookie = browser.cookies[COOKIE]
        assert browser.get("/").status_code == 200
        assert browser.post("/logout").status_code == 200
        assert browser.get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


# --- foreign names and foreign pages --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::2]"])
def test_a_foreign_name_of_this_server_is_refused(app, host):
    with let_in(app) as browser:
        answer = browser.get("/", headers={"host": host})
        assert answer.status_code == 400
        assert "not known by that name" in answer.text


@pytest.mark.parametrize("host", ["localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]:8000"])
def test_this_machine_has_several_names(app, host):
    with let_in(app) as browser:
        assert browser.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": ADDRESS, "sec-fetch-site": "cross-site"},
        {"origin": ADDRESS, "sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/logout"), ("PUT", "/uploads"), ("POST", "/runs")])
def test_a_foreign_page_changes_nothing(app, said, method, path):
    with let_in(app) as browser:
        answer = browser.request(method, path, headers=said, content=b"")
        assert answer.status_code == 403
        assert "Another site" in answer.text
        assert browser.get("/").status_code == 200


def test_a_change_that_does_not_say_where_it_comes_from_is_refused(app):
    with let_in(app) as browser:
        del browser.headers["origin"]
        assert browser.post("/logout").status_code == 403


def test_a_program_with_the_token_needs_no_page(app, stranger, token):
    del stranger.headers["origin"]
    assert stranger.get("/api/v1/runs", headers=token).status_code == 200


def test_the_token_is_readable_only_by_its_owner(app):
    own = app.state.house.workspace.own
    app.state.house.workspace.token()
    assert stat.S_IMODE((own / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_every_answer_says_what_a_page_may_do(app):
    with let_in(app) as browser:
        for path in ("/", "/nowhere", "/api/v1/nothing", "/static/app.css"):
            headers = browser.get(path).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe-eval" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "server" not in headers


# --- too much, and what is not there --------------------------------------------------------------------------------


def test_a_huge_body_is_refused(app, token, stranger):
    with let_in(app) as browser:
        assert browser.post("/login", content=b"x" * 1_100_000).status_code in (303, 413)
        assert browser.post("/logout", content=b"x" * 1_100_000).status_code in (200, 413)
    deep = "[" * 100_000 + "]" * 100_000
    answer = stranger.post("/api/v1/runs", headers=token | {"content-type": "application/json"}, content=deep)
    assert answer.status_code in (400, 413, 422)
    large = json.dumps({"source": "x" * 2_000_000})
    answer = stranger.post("/api/v1/runs", headers=token | {"content-type": "application/json"}, content=large)
    assert answer.status_code == 413
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2f..%2fetc%2fpasswd", ".regulars", "a%00b", "x" * 5000, "%5c..%5c", "~"]
)
def test_no_name_of_a_run_leads_out_of_the_workspace(app, name):
    with let_in(app) as browser:
        answer = browser.get(f"/runs/{name}")
        assert answer.status_code in (404, 414)
        assert "Traceback" not in answer.text
        assert browser.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("name", ["..", ".", "", "../x", "a/b", ".regulars", "a\0b", "a\\b"])
def test_a_workspace_opens_only_folders_in_it(tmp_path, name):
    for folder in (tmp_path, tmp_path / "workspace", tmp_path / "workspace" / ".regulars"):
        folder.mkdir(exist_ok=True)
        (folder / "facts.json").write_text('{"segments": []}')
    with pytest.raises(SourceError, match="There is no run"):
        Workspace(tmp_path / "workspace").run(name)


def test_a_run_that_leads_elsewhere_by_a_link_shows_only_that_run(app, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "facts.json").write_text('{"segments": [], "password": "hunter2"}')
    (app.state.house.workspace.folder / "link").symlink_to(tmp_path / "secret")
    with let_in(app) as browser:
        assert "hunter2" not in browser.get("/").text
        answer = browser.get("/runs/link")
        assert answer.status_code in (400, 404)
        assert "hunter2" not in answer.text


# --- passwords ------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path):
    """An app whose workspace has a password."""
    Doorman(Workspace(tmp_path / "guarded")).set_password("correct horse")
    with TestClient(create_app(tmp_path / "guarded"), base_url=ADDRESS, headers={"origin": ADDRESS}) as client:
        yield client


def test_who_knows_the_password_comes_in(guarded):
    assert guarded.get("/").url.path == "/login"
    answer = guarded.post("/login", data={"password": "correct horse"})
    assert answer.status_code == 200
    assert answer.url.path == "/"


def test_guessing_gets_slower_and_slower(guarded):
    codes = [guarded.post("/login", data={"password": f"guess {n}"}).status_code for n in range(FREE)]
    assert codes == [401] * FREE
    answer = guarded.post("/login", data={"password": "correct horse"})
    assert answer.status_code == 429
    assert "wait" in answer.text


def test_after_a_wait_the_right_password_works_again(tmp_path):
    now = [0.0]
    doorman = Doorman(Workspace(tmp_path), clock=lambda: now[0])
    doorman.set_password("correct horse")
    for _ in range(FREE):
        assert not doorman.check("wrong", address="a")
    assert doorman.wait("a") == 4.0
    assert doorman.wait("b") == 0.0
    assert not doorman.check("correct horse", address="a")
    now[0] = 4.1
    assert doorman.check("correct horse", address="a")
    assert doorman.wait("a") == 0.0


def test_the_password_is_not_kept_as_it_is(tmp_path):
    workspace = Workspace(tmp_path)
    Doorman(workspace).set_password("correct horse")
    kept = (workspace.own / "password.json").read_text()
    assert "correct horse" not in kept
    assert stat.S_IMODE((workspace.own / "password.json").stat().st_mode) == 0o600


def test_a_short_password_is_refused(tmp_path):
    with pytest.raises(OptionError, match="4 characters"):
        Doorman(Workspace(tmp_path)).set_password("1234")


def test_beyond_this_machine_a_password_is_needed(tmp_path, capsys):
    from regulars.app import serve

    with pytest.raises(OptionError, match="needs a password"):
        serve(tmp_path, host="0.0.0.0", browse=False)


def test_a_port_that_is_taken_is_told(tmp_path):
    from regulars.app import serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OptionError, match=r"Cannot listen on 127\.0\.0\.1"):
            serve(tmp_path, port=taken.getsockname()[1], browse=False)
