"""The command line: parse and print only."""

from regulars.cli import comparing as comparing  # its command, and those of the next, join those of `commands`
from regulars.cli import databasing as databasing
from regulars.cli import foretelling as foretelling
from regulars.cli import inspecting as inspecting
from regulars.cli import serving as serving
from regulars.cli.commands import main

__all__ = ["main"]
