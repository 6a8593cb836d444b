"""What a user chose for a source: which column is what, how to read it, what counts, and which segments to make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

from regulars.errors import OptionError, listed
from regulars.reading import layouts
from regulars.schema import Columns
from regulars.scoring import pack_names

__all__ = ["Choices", "offered_layouts", "offered_packs"]

COLUMN = "column."  # what the names of form fields for columns begin with
LONGEST = 300  # characters of a text
ALLOWED: dict[str, tuple[str, ...]] = {
    "unreadable": ("error", "set_aside"),
    "returns": ("net", "drop"),
    "scale": ("sqrt-log", "standard", "minmax", "robust", "log", "yeo-johnson"),
}
SEGMENTS = ("k", "scale", "groups", "backtest", "horizon_days", "pictures")  # what a check does not need


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a user chose; everything has a default.

    Parameters
    ----------
    columns
        Our fields → the source's columns; those that are not named are recognised.
    layout, groups
        A layout and a rule pack by name: those of regulars, or the user's own in `layouts` and `packs` of the workspace.
        Never a path, so that nobody reads other files with them.
    sheet, currency, dayfirst, unreadable
        As for `regulars.read`; an empty text leaves it to the source.
    returns, all_products, as_of
        As for `regulars.clean`.
    k, scale, backtest, horizon_days
        As for `regulars.segment`.
    pictures
        Whether to draw pictures (PNG) beside the report.

    Raises
    ------
    OptionError
        A value that cannot be, in words.

    Examples
    --------
    >>> Choices.parse({"column.customer_id": "Client", "k": "4", "returns": "net"}).written()
    {'column.customer_id': 'Client', 'k': '4'}
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    layout: str = ""
    sheet: str = ""
    dayfirst: bool | None = None
    currency: str = ""
    unreadable: str = "error"
    returns: str = "net"
    all_products: bool = False
    as_of: date | None = None
    k: int | None = None
    scale: str = "sqrt-log"
    groups: str = "eleven"
    backtest: bool = True
    horizon_days: int | None = None
    pictures: bool = False

    def __post_init__(self) -> None:
        for name, allowed in ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise OptionError(
                    f"There is no {name} {getattr(self, name)!r}.", hint=f"Choose one of {listed(allowed)}."
                )
        if unknown := [name for name in self.columns if name not in Columns.names()]:
            raise OptionError(f"There is no field {unknown[0]!r}.", hint=f"Fields are {listed(Columns.names())}.")
        if not re.fullmatch(r"[A-Za-z]{3}|[^\w\s]?", self.currency):
            raise OptionError(f"{self.currency!r} is no currency.", hint="Write its three letters, such as EUR.")
        if any(len(text) > LONGEST for text in (*self.columns.values(), self.sheet, self.layout, self.groups)):
            raise OptionError("A name is too long.", hint=f"At most {LONGEST} characters are read.")
        if self.k is not None or self.horizon_days is not None:
            from regulars.pipeline.facts import check_horizon, check_k  # only here, so that a check begins at once

            check_k(self.k)
            check_horizon(self.horizon_days)

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Choices:
        """Read the values of a form; an empty one is as good as none, and what is not known is left alone.

        Raises
        ------
        OptionError
            A value that cannot be.
        """
        given = {name: text.strip() for name, text in values.items() if text.strip()}
        columns = {
            name.removeprefix(COLUMN): values[name] for name in given if name.startswith(COLUMN)
        }  # names of columns as they are, with their blanks
        read = {one.name: _READERS.get(one.name, str)(given[one.name]) for one in fields(cls) if one.name in given}
        return cls(columns=columns, **cast("dict[str, Any]", read))

    def written(self, *, briefly: bool = False) -> dict[str, str]:
        """The values of a form that says the same; only those that are not the default.

        Parameters
        ----------
        briefly
            Only what a check needs, without what is about segments.
        """
        shown = {f"{COLUMN}{name}": text for name, text in sorted(self.columns.items())}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "columns" and value != one.default and not (briefly and one.name in SEGMENTS):
                shown[one.name] = _written(one.name, value)
        return shown

    def reading(self, workspace: Path) -> dict[str, Any]:
        """Options of `regulars.read`."""
        return {
            "columns": Columns(**self.columns) if self.columns else None,
            "layout": _found(self.layout, workspace / "layouts", [known.name for known in layouts()], "layout"),
            "sheet": self.sheet or None,
            "dayfirst": self.dayfirst,
            "currency": self.currency or None,
            "unreadable": self.unreadable,
        }

    def cleaning(self) -> dict[str, Any]:
        """Options of `regulars.clean`."""
        return {
            "returns": cast("Literal['net', 'drop']", self.returns),
            "all_products": self.all_products,
            "as_of": self.as_of,
        }

    def segmenting(self, workspace: Path) -> dict[str, Any]:
        """Options of `regulars.segment` beside those of reading; the workspace's own actions are used where it has some."""
        actions = workspace / "actions.toml"
        return self.cleaning() | {
            "k": self.k,
            "scale": self.scale,
            "groups": _found(self.groups, workspace / "packs", pack_names(), "rule pack"),
            "actions": str(actions) if actions.is_file() else None,
            "backtest": self.backtest,
            "horizon_days": self.horizon_days,
        }


def offered_packs(workspace: Path) -> list[str]:
    """Names of the rule packs that can be chosen: those of regulars, then the workspace's own."""
    return _with_own(pack_names(), workspace / "packs")


def offered_layouts(workspace: Path) -> list[tuple[str, str]]:
    """Name and title of the layouts that can be chosen: those of regulars, then the workspace's own."""
    titles = {known.name: known.title for known in layouts()}
    return [(name, titles.get(name, name)) for name in _with_own(tuple(titles), workspace / "layouts")]


def _with_own(shipped: tuple[str, ...], folder: Path) -> list[str]:
    own = sorted(path.stem for path in folder.glob("*.toml") if path.is_file() and _NAME.fullmatch(path.stem))
    return [*shipped, *(name for name in own if name not in shipped)]


def _found(name: str, folder: Path, shipped: tuple[str, ...] | list[str], what: str) -> str | None:
    """A name that regulars knows, or the path of the workspace's own file of that name."""
    if not name or name in shipped:
        return name or None
    if not _NAME.fullmatch(name) or not (folder / f"{name}.toml").is_file():
        raise OptionError(
            f"There is no {what} {name!r}.", hint=f"Choose one of {listed(_with_own(tuple(shipped), folder))}."
        )
    return str(folder / f"{name}.toml")


_NAME = re.compile(r"[\w][\w .-]{0,99}")


def _whole(text: str) -> Any:
    """A whole number; other text as it is, for the check that says what is allowed."""
    return int(text) if re.fullmatch(r"\d{1,9}", text) else text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OptionError(f"{text!r} is no day.", hint="Write it as year, month and day: 2024-12-31.") from None


def _yes(text: str) -> bool:
    return text.lower() in ("yes", "on", "true", "1")


def _first_part(text: str) -> bool:
    if text not in ("day", "month"):
        raise OptionError(f"A date cannot begin with {text!r}.", hint="Choose day or month.")
    return text == "day"


_READERS = {
    "dayfirst": _first_part,
    "all_products": _yes,
    "as_of": _day,
    "k": _whole,
    "backtest": _yes,
    "pictures": _yes,
    "horizon_days": _whole,
}


def _written(name: str, value: Any) -> str:
    if name == "dayfirst":
        return "day" if value else "month"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
