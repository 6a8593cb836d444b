"""How a card writes numbers, days and money: longer and more exactly than figures do."""

from __future__ import annotations

from datetime import date

from regulars.explaining.places import Number
from regulars.wording import sign

__all__ = ["full_money", "how_many", "long_day", "more_orders", "plainly"]

_COUNTS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def more_orders(number: int) -> str:
    """Further orders, in a word up to twelve."""
    count = _COUNTS[number - 1] if number <= len(_COUNTS) else f"{number:,}"
    return f"{count} more order{'' if number == 1 else 's'}"


def how_many(number: Number, noun: str) -> str:
    """A number with its noun."""
    return f"{plainly(number)} {noun}{'' if number == 1 else 's'}"


def plainly(number: Number) -> str:
    """A count or a median without needless digits."""
    return f"{number:,.1f}".removesuffix(".0")


def long_day(value: date) -> str:
    """A day in words, whatever the locale."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def full_money(value: Number, currency: str | None, *, exact: bool = False) -> str:
    """Money with the symbol of the currency or its code: in whole units from ten on, unless it must be exact."""
    size = value if value >= 0 else -value
    text = f"{size:,.2f}".removesuffix(".00") if exact or size < 9.995 else f"{size:,.0f}"
    return f"{'−' if value < 0 else ''}{sign(currency)}{text}"
