"""Errors in the words of pages: hints that name options of the command line say what to do on a page instead."""

from __future__ import annotations

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

__all__ = ["said"]

#: The first that fits; a hint without options of the command line stays as it is.
HINTS: tuple[tuple[type[RegularsError], str], ...] = (
    (ColumnError, "Choose the right column for it, or another kind of file under “How to read it”. Then look again."),
    (SourceError, "Choose another sheet under “How to read it”, or another file."),
    (UnreadableError, "Say under “How to read it” how dates are written, or set such rows aside. Then look again."),
    (NotEnoughDataError, "Check which column is which, then look again."),
    (OptionError, "Choose another value under “How to read it” or “What counts”. Then look again."),
    (OutputError, "Ask whoever looks after this server to make room on its disk."),
    (MachineError, "Ask whoever looks after this server for more memory or disk, or choose a smaller file."),
)


def said(error: RegularsError) -> dict[str, str]:
    """Message and hint of an error, for pages and their JSON.

    Examples
    --------
    >>> said(SourceError("There is no sheet 'May'.", hint="Choose one with --sheet NAME."))["hint"]
    'Choose another sheet under “How to read it”, or another file.'
    >>> said(SourceError("orders.csv is empty.", hint="Export it again."))["hint"]
    'Export it again.'
    """
    hint = error.hint
    if "--" in hint or "Columns(" in hint or "'regulars " in hint or "with -o" in hint:
        hint = next((words for kind, words in HINTS if isinstance(error, kind)), hint)
    return {"kind": type(error).__name__, "message": error.message, "hint": hint}
