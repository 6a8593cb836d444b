"""Errors: what was found, what is allowed, and what to do next.

::

    RegularsError                 everything a user can cause; the command line prints it and exits with 2
    ├── SourceError               the source is missing, empty, damaged, or not a table
    │   └── ColumnError           a needed column is missing or could be several
    ├── UnreadableError           a date, number or id that cannot be understood, with its row
    ├── CustomerError             a customer whom nobody knows
    ├── NotEnoughDataError        nothing, or too little, is left to work with
    ├── OptionError               an option, layout, rule or scale that does not exist or does not fit
    ├── PackError                 a rule pack with gaps, overlaps or groups that nothing reaches
    ├── ModelError                a model file that is damaged, foreign, or of another version
    ├── OutputError               the result cannot be written where it was asked for
    └── MachineError              the machine has not enough memory or disk for the run

Every error has two parts: `message` says what was found and where, `hint` says what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "ColumnError",
    "CustomerError",
    "MachineError",
    "ModelError",
    "NotEnoughDataError",
    "OptionError",
    "OutputError",
    "PackError",
    "RegularsError",
    "SourceError",
    "UnreadableError",
    "listed",
]

#: ``scheme://user:password@``, also with a slash or the colon left out; parameters that hold a secret.
_PEOPLE = re.compile(r"([A-Za-z][\w+.-]*(?::/{0,2}|//))[^\s'\"@]*:[^\s'\"]*@")
_TOKENS = re.compile(r"(?i)\b((?:\w*password|\w*token|secret|private_key)=)[^&\s'\"]+")


class RegularsError(Exception):
    """Base of all errors that a user can cause.

    Parameters
    ----------
    message
        What was found, and where. A full sentence.
    hint
        What is allowed, and what to do next. A full sentence.

    Examples
    --------
    >>> print(SourceError("There is no file 'order.csv'.", hint="Check the path: 'orders.csv' is near."))
    There is no file 'order.csv'. Check the path: 'orders.csv' is near.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        self.message, self.hint = _without_passwords(message), _without_passwords(hint)
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


def _without_passwords(text: str) -> str:
    """A sentence in which no address, however it was mistyped, shows a user, a password or a token.

    Examples
    --------
    >>> _without_passwords("No file matches 'postgres:/me:secret@host/shop?table=a&password=b'.")
    "No file matches 'postgres:/…@host/shop?table=a&password=…'."
    """
    return _TOKENS.sub(r"\1…", _PEOPLE.sub(r"\1…@", text))


class SourceError(RegularsError):
    """The source is missing, empty, damaged, or not a table."""


class ColumnError(SourceError):
    """A needed column is missing or could be several."""


class UnreadableError(RegularsError):
    """A date, number or id cannot be understood."""


class CustomerError(RegularsError):
    """No customer has this id."""


class NotEnoughDataError(RegularsError):
    """Nothing, or too little, is left to work with."""


class OptionError(RegularsError):
    """An option, layout, rule or scale does not exist or does not fit."""


class PackError(RegularsError):
    """A rule pack has gaps, overlaps or groups that nothing reaches."""


class ModelError(RegularsError):
    """A model file is damaged, foreign, or of another version."""


class OutputError(RegularsError):
    """The result cannot be written where it was asked for."""


class MachineError(RegularsError):
    """The machine has not enough memory or disk for the run."""


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Names for a message, cut where a list would hide the point.

    Examples
    --------
    >>> listed(["Inv", "Qty", "When"])
    'Inv, Qty, When'
    >>> listed(range(30), most=3)
    '0, 1, 2 and 27 more'
    """
    shown = [str(name) for name in names]
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{', '.join(shown[:most])} and {len(shown) - most} more"
