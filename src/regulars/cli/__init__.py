"""The command line: parse and print only."""

from regulars.cli.commands import main

__all__ = ["main"]
