"""The command line: parse and print only."""

from regulars.cli import databasing as databasing  # its command, and those of the next modules,, join those of `commands`
from regulars.cli import foretelling as foretelling
from regulars.cli import inspecting as inspecting
from regulars.cli import serving as serving
from regulars.cli.commands import main

__all__ = ["main"]
