"""README and guides are run: Python examples, files that they show, and commands with the output that they print."""

import doctest
import os
import re
import subprocess
import sys
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
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }
        done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if shown.strip():
            assert plain(done.stdout) == plain(shown), command


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
