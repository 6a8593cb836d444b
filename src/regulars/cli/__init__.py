"""The command line: parse and print only."""

from regulars.cli import inspecting as inspecting  # its commands join those of `commands`
from regulars.cli.commands import main

__all__ = ["main"]
