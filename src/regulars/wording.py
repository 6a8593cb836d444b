"""How numbers, money and days are written for people: in figures, charts, the report and the app."""

from __future__ import annotations

from datetime import date

__all__ = [
    "FORMULA",
    "MONTHS",
    "SYMBOLS",
    "amount",
    "counted",
    "day",
    "money",
    "month",
    "percent",
    "shortened",
    "sign",
    "slug",
    "unit",
]

#: Text that a spreadsheet would run: it gets a leading '. Numbers and what looks like a phone number stay.
FORMULA = r"(?s)^([=@\t\r]|[+-][^0-9 ()]|[+-].*[A-Za-z(!+*/^=])"

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def shortened(text: str, most: int) -> str:
    """Cut a text in its middle, where both ends tell most (a path)."""
    return text if len(text) <= most else f"{text[: most // 3]}…{text[-(most - most // 3 - 1) :]}"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "order"), counted(18276, "order")
    ('1 order', '18,276 orders')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share, 0 to 1, with two digits that count.

    Examples
    --------
    >>> percent(0.126), percent(0.054), percent(0.0004), percent(0.0)
    ('13%', '5.4%', '<0.1%', '0%')
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"


def amount(value: float) -> str:
    """Write a number in short: thousands as k, millions as M; two digits where they are not whole.

    Examples
    --------
    >>> [amount(number) for number in (0, 2.9, 652.41, 1234, 2987, 3000, 45_600, 8_289_382)]
    ['0', '2.90', '652', '1.2k', '3.0k', '3k', '46k', '8.3M']
    """
    if value < 0:
        return f"−{amount(-value)}"
    if value < 9.995 and value != round(value):
        return f"{value:.2f}"
    for limit, divisor, letter in ((999.5, 1, ""), (999.5e3, 1e3, "k"), (999.5e6, 1e6, "M"), (float("inf"), 1e9, "bn")):
        if value < limit:
            short = value / divisor
            digits = 1 if divisor > 1 and short < 9.95 else 0
            return (f"{short:,.0f}" if short == round(short) else f"{short:,.{digits}f}") + letter
    return f"{value:g}"


SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def sign(currency: str | None) -> str:
    """Write what stands before an amount: the symbol of the currency, or its code and a blank.

    Examples
    --------
    >>> sign("gbp"), sign("CHF"), sign(None)
    ('£', 'CHF ', '')
    """
    known = SYMBOLS.get((currency or "").upper(), currency or "")
    return f"{known} " if known[-1:].isalpha() else known


def money(value: float, currency: str | None, *, short: bool = True) -> str:
    """Write money with the symbol of the currency or its code, in short or in whole units.

    Examples
    --------
    >>> money(652.41, "GBP"), money(1234, "CHF"), money(-5, "€"), money(12, None)
    ('£652', 'CHF 1.2k', '−€5', '12')
    """
    size = abs(value)
    return f"{'−' if value < 0 else ''}{sign(currency)}{amount(size) if short or size < 10 else f'{size:,.0f}'}"


def unit(currency: str | None) -> str:
    """Name the money of an axis: symbol or code, or ``"money"``."""
    return SYMBOLS.get((currency or "").upper(), currency or "") or "money"


def day(value: date) -> str:
    """Write a day in words, whatever the locale: ``9 Dec 2011``."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def month(text: str) -> str:
    """Write a month in words.

    Examples
    --------
    >>> month("2011-11")
    'Nov 2011'
    """
    year, number = text.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def slug(name: str) -> str:
    """Turn a name into the name of a file.

    Examples
    --------
    >>> slug("New / low-spend")
    'new-low-spend'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower())
    return "-".join(words.split())[:80]
