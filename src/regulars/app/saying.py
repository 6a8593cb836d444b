"""Errors in the words of pages and of programs: hints that name options of the command line say what to do there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regulars.errors import (
    ColumnError,
    MachineError,
    NotEnoughDataError,
    OptionError,
    OutputError,
    RegularsError,
    SourceError,
    UnreadableError,
)

__all__ = ["for_programs", "hint_for_people", "hint_for_programs", "said"]

#: Part of a hint → what it is on pages, and for programs. The first that fits.
PARTS: tuple[tuple[str, str, str], ...] = (
    (
        "Give a later --as-of",
        "Choose a later day under “Count up to, not including”, or leave it empty.",
        "Give a later as_of, or leave it out.",
    ),
    (
        "--as-of",
        "Correct them in the file, or choose a day after all other lines under “Count up to, not including”: what is later "
        "is then set aside.",
        "Correct them in the file, or give as_of, a day after all other lines: what is later is then set aside.",
    ),
    (
        "--currency",
        "Write one currency under “Currency” when you check the file: only lines in it count.",
        "Give one as currency: only lines in it count.",
    ),
    (
        "--dayfirst",
        "Say under “How to read it” what stands first in a date. Then look again.",
        "Give dayfirst: true or false.",
    ),
    (
        "from the same column in both",
        "Choose the same column for “Customer” when you check the files.",
        'Give columns: {"customer_id": COLUMN}, the same in both.',
    ),
    ("--sheet", "Choose another sheet under “How to read it”, or another file.", "Give sheet, or another file."),
    (
        "Make the run again",
        "Make the segments again from its file, and delete this run.",
        "Make it again: POST /api/v1/runs.",
    ),
    (
        "'regulars compare SOURCE --dates'",
        "Compare two runs instead.",
        "Compare two runs instead: GET /api/v1/compare.",
    ),
    ("on the start page", "", "Send it again: PUT /api/v1/uploads."),
    ("Go back to the start page", "", "See /api/v1/docs for what there is."),
    ("from the list of runs", "", "GET /api/v1/runs lists them."),
    ("from the page of segments", "", "GET /api/v1/runs/RUN/lists lists them."),
)

#: What to do about what a check or a run found wrong, where no part of the hint fits.
HINTS: tuple[tuple[type[RegularsError], str, str], ...] = (
    (
        ColumnError,
        "Choose the right column for it, or another kind of file under “How to read it”. Then look again.",
        "Give it in columns, or another layout.",
    ),
    (SourceError, "Choose another sheet under “How to read it”, or another file.", "Give another sheet or file."),
    (
        UnreadableError,
        "Correct it in the file, or set such lines aside under “How to read it”. Then look again.",
        'Correct it in the file, or give unreadable: "set_aside".',
    ),
    (
        NotEnoughDataError,
        "Check which column is which, then look again.",
        "Look at it with POST /api/v1/checks, and give columns.",
    ),
    (
        OptionError,
        "Choose another value under “How to read it” or “What counts”. Then look again.",
        "Give another value.",
    ),
    (
        OutputError,
        "Ask whoever looks after this server to make room on its disk.",
        "Ask whoever looks after this server to make room on its disk.",
    ),
    (
        MachineError,
        "Ask whoever looks after this server for more memory or disk, or choose a smaller file.",
        "Ask whoever looks after this server for more memory or disk, or send a smaller file.",
    ),
)


def said(error: RegularsError) -> dict[str, str]:
    """Message and hint of what a check or a run found wrong, for pages; `api_hint` is that for programs.

    Examples
    --------
    >>> said(SourceError("There is no sheet 'May'.", hint="Choose one with --sheet NAME."))["hint"]
    'Choose another sheet under “How to read it”, or another file.'
    >>> said(SourceError("orders.csv is empty.", hint="Export it again."))["hint"]
    'Export it again.'
    """
    people, programs = hint_for_people(error), hint_for_programs(error)
    if "cannot read the date" in error.message:
        people = "Say under “How to read it” how dates are written, or set such lines aside. Then look again."
    for kind, on_pages, by_programs in HINTS:
        if isinstance(error, kind):
            people = on_pages if _of_commands(people) else people
            programs = by_programs if _of_commands(programs) else programs
            break
    return {"kind": type(error).__name__, "message": error.message, "hint": people, "api_hint": programs}


def for_programs(told: Mapping[str, Any]) -> dict[str, Any]:
    """What `said` gave, as programs get it.

    Examples
    --------
    >>> for_programs(said(SourceError("There is no sheet 'May'.", hint="Choose one with --sheet NAME.")))["hint"]
    'Give sheet, or another file.'
    """
    own = {key: value for key, value in told.items() if key != "api_hint"}
    return own | {"hint": told.get("api_hint", told["hint"])}


def hint_for_people(error: RegularsError) -> str:
    """The hint of an error on any page.

    Examples
    --------
    >>> hint_for_people(OptionError("The money is EUR and £.", hint="'regulars segment --currency' chooses it."))
    'Write one currency under “Currency” when you check the file: only lines in it count.'
    """
    return next((people for part, people, _ in PARTS if people and part in error.hint), error.hint)


def hint_for_programs(error: RegularsError) -> str:
    """The hint of an error for a program.

    Examples
    --------
    >>> hint_for_programs(SourceError("There is no run 'x'.", hint="Choose one from the list of runs."))
    'GET /api/v1/runs lists them.'
    """
    return next((programs for part, _, programs in PARTS if part in error.hint), error.hint)


def _of_commands(hint: str) -> bool:
    return "--" in hint or "Columns(" in hint or "'regulars " in hint or "with -o" in hint
