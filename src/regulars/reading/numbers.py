"""Numbers and money in text: evidence from a whole column, then one expression that reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import ibis

from regulars.schema import MONEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

#: Signs of currencies and the codes that they may stand for; a sign with one code is that code.
SIGNS: dict[str, tuple[str, ...]] = {
    "£": ("GBP",),
    "€": ("EUR",),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "zł": ("PLN",),
    "Kč": ("CZK",),
    "R$": ("BRL",),
    "US$": ("USD",),
    "CA$": ("CAD",),
    "AU$": ("AUD",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
}
#: Parts of a unit in which some currencies are counted by payment services; all others in hundredths.
MINOR: dict[str, tuple[str, ...]] = {
    "1": (
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
    ),
    "0.001": ("BHD", "JOD", "KWD", "OMR", "TND"),
}  # fmt: skip
CURRENCY = f"(?:[A-Z]{{3}}|{'|'.join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))})"
GAP = "[ \u00a0\u202f]"  # blank, no-break space, narrow no-break space
GROUP = "[ \u00a0\u202f'’]"
DIGITS = "((?:[0-9][0-9.,'’ \u00a0\u202f]*)?[0-9][.,]?(?:[eE][+-]?[0-9]+)?|[.,][0-9]+)"
MONEYLIKE = (
    rf"^[-−+(]?{GAP}*[-−+]?{GAP}*{CURRENCY}?{GAP}*[-−+]?{GAP}*{DIGITS}"
    rf"{GAP}*[-−)]?{GAP}*{CURRENCY}?{GAP}*[-−)]?$"
)
PLAIN = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStyle:
    """How the numbers of a column are written."""

    comma_decimal: bool
    plain: bool
    marked: bool
    note: str = ""


def evidence(text: ir.StringValue) -> dict[str, ir.BooleanValue]:
    """Facts about a cell; their counts over a whole column decide how it is read."""
    text = _joined(text)
    return {
        "filled": text.notnull(),
        "plain": text.re_search(PLAIN),
        "marked": text.re_search(CURRENCY),
        "comma": decimal_mark(text, ","),
        "dot": decimal_mark(text, "."),
        "comma_3": _three(text, ","),
        "dot_3": _three(text, "."),
    }


def _joined(text: ir.StringValue) -> ir.StringValue:
    """1_000 is 1000, as DuckDB reads it."""
    between = ~text.re_search("^_|_$|[^0-9]_|_[^0-9]")
    return cast("ir.StringValue", ibis.ifelse(text.contains("_") & between, text.replace("_", ""), text))


def decimal_mark(text: ir.StringValue, mark: str) -> ir.BooleanValue:
    """Rows in which a mark can only be the decimal mark: 1,5 and 1.234,567 and 1.234.567 for the comma."""
    one, other = ("," if mark == "," else r"\."), (r"\." if mark == "," else ",")
    return text.re_search(
        rf"^[^{mark}]*{one}([0-9]{{1,2}}|[0-9]{{4,}})([^0-9]*|[eE].*)$|^[^0-9]*0{one}[0-9]|^[^0-9]*{one}[0-9]"
        rf"|[0-9]{{4}}{one}[0-9]|{other}[0-9]+{one}|{other}[0-9]{{3}}{other}"
    )


def _three(text: ir.StringValue, mark: str) -> ir.BooleanValue:
    """Rows that read both ways: 1,234."""
    return text.re_search(rf"^[^0-9]*[1-9][0-9]{{0,2}}[{mark}][0-9]{{3}}[^0-9]*$")


def style(counts: Mapping[str, int], *, others: Mapping[str, int], delimiter: str | None, column: str) -> NumberStyle:
    """Decide from the counts how a column is written.

    Its own evidence decides, by the greater number of cells; else that of the other number columns; else a
    comma is the decimal mark where the file's cells are separated by semicolons, and the dot anywhere else.

    Examples
    --------
    >>> style({"filled": 3, "comma": 2}, others={}, delimiter=";", column="Preis").note
    "Numbers in 'Preis' have a decimal comma (2 of 3 cells show it)."
    >>> style({"filled": 3, "comma_3": 3}, others={}, delimiter=",", column="Sales").note
    "Numbers such as 1,234 in 'Sales' are read as thousands: nothing in the file shows another decimal mark."
    """
    filled, commas, dots = counts["filled"], counts.get("comma", 0), counts.get("dot", 0)
    if commas or dots:
        comma = commas > dots
        note = f"Numbers in {column!r} have a decimal comma ({commas:,} of {filled:,} cells show it)." if comma else ""
    else:
        elsewhere = bool(others.get("comma")) != bool(others.get("dot"))
        comma = bool(others.get("comma")) if elsewhere else delimiter == ";"
        unsure = counts.get("comma_3") or counts.get("dot_3")
        why = "as in the other columns" if elsewhere else "nothing in the file shows another decimal mark"
        sample = "1,234" if counts.get("comma_3") else "1.234"
        kind = "thousands" if (sample == "1,234") != comma else "decimals"
        note = f"Numbers such as {sample} in {column!r} are read as {kind}: {why}." if unsure else ""
        plain_decimals = kind == "decimals" and sample == "1.234"
        note = "" if plain_decimals else note
    plain = counts.get("plain", 0) == filled and not (comma and counts.get("dot_3"))
    return NumberStyle(comma_decimal=comma, plain=plain, marked=bool(counts.get("marked")), note=note)


def read_numbers(text: ir.StringValue, how: NumberStyle) -> ir.DecimalValue:
    """Decimals from text; null where a cell cannot be understood or is too large."""
    text = _joined(text)
    if how.plain:
        return text.try_cast(MONEY)
    digits = text.re_extract(MONEYLIKE, 1)
    mark, other = (",", r"\.") if how.comma_decimal else (r"\.", ",")
    group = rf"(?:{other}|{GROUP})"
    shape = rf"^([0-9]+|[0-9]{{1,3}}({group}[0-9]{{2,3}})*{group}[0-9]{{3}})?({mark}[0-9]*)?([eE][-+]?[0-9]+)?$"
    plain = digits.re_replace(group, "")
    plain = plain.replace(",", ".") if how.comma_decimal else plain
    value = ibis.ifelse(text.re_search(MONEYLIKE) & digits.re_search(shape), plain, ibis.null("string")).try_cast(MONEY)
    opened, closed = text.contains("("), text.contains(")")
    minus = text.re_search(r"^[^0-9]*[-−]|[-−][^0-9]*$") | (opened & closed)
    return ibis.cases((opened != closed, ibis.null(MONEY)), (minus, -value), else_=value).cast(MONEY)


def sign_in(text: ir.StringValue) -> ir.StringValue:
    """The currency that is written beside a number, as a code where the sign has only one."""
    found = text.re_extract(f"({CURRENCY})", 1).nullif("")
    return code(found)


def code(currency: ir.StringValue) -> ir.StringValue:
    """A currency's code in capitals; signs that stand for one code become it, others stay."""
    single = [(currency == sign, codes[0]) for sign, codes in SIGNS.items() if len(codes) == 1]
    kept = [(currency == sign, sign) for sign, codes in SIGNS.items() if len(codes) > 1]
    return ibis.cases(*single, *kept, else_=currency.upper())


def same_currency(one: str, other: str) -> bool:
    """Whether two names can be one currency: EUR and €, USD and $.

    Examples
    --------
    >>> same_currency("usd", "$"), same_currency("EUR", "$")
    (True, False)
    """
    if one.upper() == other.upper():
        return True
    return one.upper() in SIGNS.get(other, ()) or other.upper() in SIGNS.get(one, ())
