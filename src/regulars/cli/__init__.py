"""The command line: parse and print only."""

from regulars.cli import foretelling as foretelling  # its commands, and the next one's, join those of `commands`
from regulars.cli import inspecting as inspecting
from regulars.cli.commands import main

__all__ = ["main"]
