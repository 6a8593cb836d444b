"""README and guides are run: Python examples, files that they show, and commands with the output that they print."""

import doctest
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)[ ]?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_a_page_run(page, in_folder):
    text = page.read_text("utf-8")
    for language, name, content in FENCE.findall(text):
        if language in ("toml", "csv") and name:
            Path(name).write_text(content, "utf-8")
    for language, _, content in FENCE.findall(text):
        if language == "console":
            run_console(content)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert not failed, f"examples of {page.name} do not print what the page says"


def run_console(content: str) -> None:
    """Run each `$ regulars …` of a block; where the block shows output, it must be equal."""
    for command, shown in re.findall(r"^\$ (regulars .*)\n((?:(?!\$ ).*\n)*)", content, re.MULTILINE):
        by_shell = command == "regulars demo" or any(sign in command for sign in "|>")
        code, printed, said = (run_in_shell if by_shell else run_here)(command)
        assert code == 0, f"{command}: {said}"
        if shown.strip():
            assert plain(printed) == plain(shown), command


def run_in_shell(command: str) -> tuple[int, str, str]:
    """Run a command as people do: exit code, what it printed, and what it said was wrong."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


def run_here(command: str) -> tuple[int, str, str]:
    """The same in this process, which has everything loaded."""
    from regulars.cli import main

    code: object = 0
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr(sys, "argv", shlex.split(command))
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        finally:
            signal.signal(signal.SIGTERM, before)
    return int(str(code)), out.getvalue(), err.getvalue()


def plain(text: str) -> list[str]:
    """Lines without the blanks at their ends and without empty ones."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_every_command_is_in_the_docs():
    from regulars.cli.commands import app

    text = (ROOT / "docs" / "command_line.md").read_text("utf-8")
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert len(names) >= 5
    missing = [name for name in names if f"regulars {name}" not in text]
    assert not missing


def test_every_option_is_in_the_docs():
    from typer.main import get_command

    from regulars.cli import commands

    shown = "\n".join((ROOT / "docs" / name).read_text("utf-8") for name in ("command_line.md", "reading.md"))
    options = {
        (name, option)
        for name, command in get_command(commands.app).commands.items()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--") and option != "--help"
    }
    assert ("value", "--margin") in options
    assert [each for each in sorted(options) if not re.search(rf"{each[1]}\b", shown)] == []


def test_links_between_pages_lead_somewhere():
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
    ]
    assert links
    assert [f"{page.name} → {target}" for page, target in links if not (page.parent / target).exists()] == []
