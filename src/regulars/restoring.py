"""Plain values from JSON back to the frozen values that they were made of, told by their types."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

__all__ = ["restore"]


def restore(kind: Any, plain: Any) -> Any:
    """Build a value of a type from what `to_dict` and JSON made of it; what a dataclass does not name is left out.

    Parameters
    ----------
    kind
        A dataclass, a tuple, a dictionary, `Decimal`, `date`, or a plain type; also one of several of these and `None`.
    plain
        What JSON holds.

    Raises
    ------
    KeyError, TypeError, ValueError
        The values do not fit the type.

    Examples
    --------
    >>> restore(tuple[tuple[str, Decimal], ...], [["2010-12", "554604.02"]])
    (('2010-12', Decimal('554604.02')),)
    >>> restore(dict[int, date | None], {"3": "2011-12-10", "4": None})
    {3: datetime.date(2011, 12, 10), 4: None}
    """
    origin = typing.get_origin(kind)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{each.name: restore(hints[each.name], plain[each.name]) for each in fields(kind)})  # type: ignore[operator]
    if origin in (typing.Union, types.UnionType):
        choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
        return None if plain is None else restore(choices[0], plain)
    if origin is tuple:
        return _tuple(typing.get_args(kind), plain)
    if origin in (dict, Mapping):
        key, value = typing.get_args(kind)
        return {restore(key, name): restore(value, held) for name, held in plain.items()}
    if kind is date:
        return date.fromisoformat(plain)
    if kind in (Decimal, int, float, bool, str):
        return kind(plain)
    if kind is Any or origin is Literal:
        return plain
    raise TypeError(f"{kind} cannot be restored")


def _tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if kinds[1:] == (Ellipsis,):
        return tuple(restore(kinds[0], each) for each in plain)
    return tuple(restore(kind, each) for kind, each in zip(kinds, plain, strict=True))
