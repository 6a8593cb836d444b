"""Dates and times in text: evidence from a whole column, then one expression that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

CLOCK = r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)"
NOON = r"[AaPp]\.?[Mm]\.?"
ZONE = r"(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
TAIL = rf"(?:(?:T|,?\s)\s*{CLOCK} ?(?:{NOON})? ?{ZONE}?)?$"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

#: How dates are written; the groups are year, month and day in some order.
YEAR_FIRST = rf"^(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){TAIL}"
YEAR_LAST = rf"^(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}|\d{{2}}){TAIL}"
DOTTED = rf"^(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}}|\d{{2}}){TAIL}"
COMPACT = rf"^([12]\d{{3}})(\d{{2}})(\d{{2}})(?:\.0)?{TAIL}"
MONTH_NAME = rf"^([A-Za-z]{{3,9}})\.? (\d{{1,2}}),? (\d{{4}}){TAIL}"
NAMED_MONTH = rf"^(\d{{1,2}})\.?[ -]([A-Za-z]{{3,9}})\.?[ -](\d{{4}}){TAIL}"
SERIAL = r"^[2-7]\d{4}(\.\d+)?$"
SECONDS = r"^\d{9,10}(\.0+)?$"
MILLISECONDS = r"^\d{12,13}(\.0+)?$"
FORMS = {
    "year_first": YEAR_FIRST,
    "year_last": YEAR_LAST,
    "dotted": DOTTED,
    "compact": COMPACT,
    "month_name": MONTH_NAME,
    "named_month": NAMED_MONTH,
    "serial": SERIAL,
    "seconds": SECONDS,
    "milliseconds": MILLISECONDS,
}
SPOKEN = {
    "year_first": "year first (2010-12-31)",
    "dotted": "day.month.year (31.12.2010)",
    "compact": "year, month, day without signs (20101231)",
    "month_name": "with the month's name (Dec 31, 2010)",
    "named_month": "with the month's name (31 Dec 2010)",
    "serial": "Excel's day numbers (40543.35)",
    "seconds": "seconds since 1970",
    "milliseconds": "milliseconds since 1970",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DateStyle:
    """How the dates of a column are written: which forms occur, and what stands first in 1/2/2010.

    `day_first` is None while nothing decides.
    """

    forms: tuple[str, ...]
    only: bool
    day_first: bool | None
    noon: bool
    zone: bool
    short_year: bool
    note: str


def evidence(text: ir.StringValue) -> dict[str, ir.BooleanValue]:
    """Facts about a cell; their counts over a whole column decide how it is read."""
    forms = {name: text.re_search(pattern) for name, pattern in FORMS.items()}
    return forms | {
        "filled": text.notnull(),
        "day_first": shows_day_first(text),
        "month_first": shows_month_first(text),
        "differ": undecided(text),
        "noon": text.re_search(rf"\d ?{NOON}"),
        "zone": text.re_search(rf":\d{{2}}(?:\.\d+)? ?(?:{NOON})? ?{ZONE}$"),
        "short_year": text.re_search(r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}([T, ]|$)"),
    }


def shows_day_first(text: ir.StringValue) -> ir.BooleanValue:
    """Rows such as 13/12/2010: the first part cannot be a month, the second can."""
    return (_part(text, 1) > 12) & (_part(text, 2) <= 12)


def shows_month_first(text: ir.StringValue) -> ir.BooleanValue:
    """Rows such as 12/13/2010: the second part cannot be a month, the first can."""
    return (_part(text, 1) <= 12) & (_part(text, 2) > 12)


def undecided(text: ir.StringValue) -> ir.BooleanValue:
    """Rows such as 1/2/2010, which read differently with the day and with the month first."""
    first, second = _part(text, 1), _part(text, 2)
    return (first != second) & (first <= 12) & (second <= 12)


def style(counts: Mapping[str, int], *, dayfirst: bool | None, said: str = "as you said") -> DateStyle:
    """Decide from the counts how a column is written; `said` names who settles `dayfirst`.

    Examples
    --------
    >>> style({"filled": 9, "year_last": 9, "differ": 9, "month_first": 4}, dayfirst=None).note
    'Dates are month first (12/31/2010): the second part is above 12 in 4 of 9 cells.'
    """
    forms = tuple(name for name in FORMS if counts.get(name))
    first, second = counts.get("day_first", 0), counts.get("month_first", 0)
    decided = dayfirst
    notes = [f"Dates are written {SPOKEN[name]}." for name in forms if name in SPOKEN]
    if "year_last" in forms:
        why = said
        if dayfirst is None and bool(first) != bool(second):
            decided = first > 0
            part, cells = ("first", first) if decided else ("second", second)
            why = f"the {part} part is above 12 in {cells:,} of {counts['year_last']:,} cells"
        elif dayfirst is None and not first and not counts.get("differ"):
            decided, why = True, "no cell reads differently the other way"
        notes.append(f"Dates are {'day first (31/12/2010)' if decided else 'month first (12/31/2010)'}: {why}.")
    if counts.get("zone"):
        notes.append(f"Time zones are left out ({counts['zone']:,} cells): the clock time stays as it is written.")
    return DateStyle(
        forms=forms,
        only=len(forms) == 1 and counts[forms[0]] == counts["filled"],
        day_first=decided,
        noon=bool(counts.get("noon")),
        zone=bool(counts.get("zone")),
        short_year=bool(counts.get("short_year")),
        note=" ".join(notes),
    )


def read_dates(text: ir.StringValue, how: DateStyle) -> ir.TimestampValue:
    """Timestamps from text; null where a cell cannot be understood."""
    branches = [(text.re_search(FORMS[name]), _read(text, name, how=how)) for name in how.forms]
    if not branches:
        return ibis.null("timestamp")
    if how.only:
        return branches[0][1]
    return ibis.cases(*branches, else_=ibis.null("timestamp"))


def _read(text: ir.StringValue, form: str, *, how: DateStyle) -> ir.TimestampValue:
    if form == "serial":
        return _since_1970(((text.try_cast("float64") - 25569) * 86400).round().try_cast("int64"))
    if form in ("seconds", "milliseconds"):
        number = text.try_cast("float64").try_cast("int64")
        return _since_1970(number if form == "seconds" else number // 1000)
    parts = [text.re_extract(FORMS[form], place) for place in (1, 2, 3)]
    match form:
        case "year_first" | "compact":
            year, month, day = parts
        case "month_name":
            month, day, year = _month(parts[0]), parts[1], parts[2]
        case "year_last" if not how.day_first:
            month, day, year = parts
        case "named_month":
            day, month, year = parts[0], _month(parts[1]), parts[2]
        case _:
            day, month, year = parts
    if how.short_year and form in ("year_last", "dotted"):
        year = ibis.ifelse(year.length() == 2, ibis.ifelse(year < "70", "20", "19") + year, year)
    stamp = (year + "-" + month + "-" + day + " " + text.re_extract(FORMS[form], 4)).strip().try_cast("timestamp")
    return _noon(stamp, text) if how.noon else stamp


def _noon(stamp: ir.TimestampValue, text: ir.StringValue) -> ir.TimestampValue:
    """12:05 AM is five past midnight, 1:05 PM is 13:05."""
    afternoon = text.re_search(r"\d ?[Pp]\.?[Mm]") & (stamp.hour() < 12)
    midnight = text.re_search(r"\d ?[Aa]\.?[Mm]") & (stamp.hour() == 12)
    half_day = ibis.interval(hours=12)
    return ibis.cases((afternoon, stamp + half_day), (midnight, stamp - half_day), else_=stamp)


def _month(name: ir.StringValue) -> ir.StringValue:
    short = name.lower().substr(0, 3)
    return ibis.cases(*((short == month, f"{place:02d}") for place, month in enumerate(MONTHS, 1)), else_="0")


def _since_1970(seconds: ir.IntegerValue) -> ir.TimestampValue:
    return seconds.as_timestamp("s").cast("timestamp")


def _part(text: ir.StringValue, place: int) -> ir.IntegerValue:
    return text.re_extract(YEAR_LAST, place).try_cast("int64")
