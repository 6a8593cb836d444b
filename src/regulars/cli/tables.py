"""Consoles, tables and words that several screens share."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from regulars.wording import SYMBOLS

__all__ = ["in_days", "in_money", "new_console", "new_table"]

_PIPE_WIDTH = 120  # columns where the output is not a terminal


def new_console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or 120 columns in a pipe."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=stderr)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, soft_wrap=stderr, width=_PIPE_WIDTH)
    return console


def new_table(*titles: str) -> Table:
    """Return an empty table; a title that begins with > is aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        right = title.startswith(">")
        table.add_column(title.removeprefix(">"), justify="right" if right else "left", no_wrap=right)
    return table


def in_days(number: int) -> str:
    """Days in words."""
    return f"{number:,} day{'s' if number != 1 else ''}"


def in_money(value: Decimal | float | None, currency: str | None, *, cents: bool = False) -> str:
    """Money with its sign; cents below a thousand, or where asked for."""
    if value is None:
        return ""
    symbol = SYMBOLS.get(currency or "", "")
    text = f"{abs(value):,.2f}" if cents or -1000 < value < 1000 else f"{abs(value):,.0f}"
    suffix = f" {currency}" if currency and not symbol else ""
    return f"{'-' if value < 0 else ''}{symbol}{text}{suffix}"
