"""Which column is which: layouts as data files, and the user's own mapping on top."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.errors import ColumnError, OptionError, listed
from regulars.schema import OPTIONAL_ORDERS, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENERIC = "generic"
AMOUNT = "amount (or quantity and unit_price)"
CORE = frozenset({"customer_id", "ordered_at", "quantity", "unit_price", "amount"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One of our fields and the source's column that was taken for it.

    Parameters
    ----------
    field
        Our name.
    column
        The source's name.
    why
        Where the match comes from: a layout's header, a common name, or the user's mapping.
    """

    field: str
    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is known about the files of one kind of shop or export.

    Parameters
    ----------
    name, title
        The name for `layout=` and the name for people.
    columns
        Our field → the headers that stand for it, most telling first.
    optional
        Fields that a file of this layout may lack; all others in `columns` must be there.
    cancelled_prefix
        What the order number of a cancelled order starts with; empty where there is no such rule.
    non_products, non_product_prefixes
        Product codes that are postage, fees or adjustments.
    currency
        The currency of the amounts, where the export does not say it.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, ...]]
    optional: tuple[str, ...] = ()
    cancelled_prefix: str = ""
    non_products: tuple[str, ...] = ()
    non_product_prefixes: tuple[str, ...] = ()
    currency: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Fields without which a file is not of this layout."""
        return tuple(name for name in self.columns if name not in self.optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The columns of one source: its layout, what was matched, what was not, and remarks."""

    layout: Layout
    matches: tuple[Match, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def column(self, name: str) -> str | None:
        """The source's column for one of our fields."""
        return next((match.column for match in self.matches if match.field == name), None)


@cache
def layouts() -> tuple[Layout, ...]:
    """The layouts that come with the package, by name.

    Returns
    -------
    tuple of Layout

    Examples
    --------
    >>> [layout.name for layout in layouts()]
    ['generic', 'uci_online_retail', 'uci_online_retail_ii']
    """
    folder = resources.files("regulars") / "layouts"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(parse_layout(file.read_text(encoding="utf-8"), file=file.name) for file in files)


def load_layout(layout: str | Path) -> Layout:
    """A shipped layout by name, or the user's own from a TOML file.

    Errors
    ------
    OptionError
        No such layout or file, or the file is broken (named with the key).
    """
    shipped = {known.name: known for known in layouts()}
    if str(layout) in shipped:
        return shipped[str(layout)]
    path = Path(layout)
    if path.suffix.lower() != ".toml":
        raise OptionError(
            f"There is no layout {str(layout)!r}.",
            hint=f"Known layouts: {listed(shipped)}. Your own is a file that ends in .toml.",
        )
    try:
        return parse_layout(path.read_text(encoding="utf-8"), file=str(layout))
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            f"The layout file {str(layout)!r} cannot be read.",
            hint="Check the path; the file is TOML in UTF-8.",
        ) from error


def parse_layout(text: str, *, file: str) -> Layout:
    """Check the text of a layout file and make the value of it.

    Errors
    ------
    OptionError
        Broken TOML, an unknown or missing key, or a value of the wrong kind.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"The layout file {file!r} is not valid TOML: {error}.", hint="Correct it.") from error
    columns = data.get("columns")
    if not isinstance(columns, dict) or not columns:
        raise OptionError(f"The layout file {file!r} has no [columns].", hint="Say which headers are which.")
    kinds: dict[str, type] = {entry.name: tuple for entry in fields(Layout)} | dict.fromkeys(
        ("name", "title", "cancelled_prefix", "currency"), str
    )
    checked = {key: _typed(key, data[key], kind=kinds.get(key), file=file) for key in data if key != "columns"}
    if unknown := [key for key in columns if key not in Columns.names()]:
        raise OptionError(
            f"The layout file {file!r} has the unknown key columns.{unknown[0]}.",
            hint=f"Fields: {listed(Columns.names())}.",
        )
    headers = {key: _typed(f"columns.{key}", value, kind=tuple, file=file) for key, value in columns.items()}
    name = checked.pop("name", Path(file).stem)
    return Layout(**{"name": name, "title": name, "columns": headers} | checked)  # type: ignore[arg-type]


def _typed(key: str, value: object, *, kind: type | None, file: str) -> str | tuple[str, ...]:
    if kind is str and isinstance(value, str):
        return value
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if kind is None:
        raise OptionError(
            f"The layout file {file!r} has the unknown key {key}.",
            hint=f"Keys: {listed(entry.name for entry in fields(Layout))}.",
        )
    wanted = "a text" if kind is str else "a list of texts"
    raise OptionError(f"The layout file {file!r}: {key} is not {wanted}.", hint=f"Write {wanted}.")


def normal(name: str) -> str:
    """A header without case, accents and everything that is neither letter nor digit.

    Examples
    --------
    >>> normal(" Customer_ID "), normal("Order #"), normal("Menge (Stück)")
    ('customerid', 'order', 'mengestuck')
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "", "".join(char for char in plain if not unicodedata.combining(char)))


def recognise(header: Sequence[str], *, columns: Columns, layout: Layout | None = None, source: str) -> Recognised:
    """Match a source's header with our fields.

    Parameters
    ----------
    header
        The source's column names.
    columns
        The user's own names; they win field by field.
    layout
        The layout to use; `None` takes the most specific one whose required headers are all there.
    source
        The source's name, for messages.

    Errors
    ------
    ColumnError
        A needed field has no column, or a mapped column does not exist.
    """
    given = {name: _mapped(name, theirs, header=header) for name, theirs in columns.given().items()}
    kind = layout or _detect(header)
    matches = [Match(field=name, column=theirs, why="mapped by you") for name, theirs in given.items()]
    notes: list[str] = []
    why = "common name" if kind.name == GENERIC else f"header of {kind.title}"
    common = {name: wanted for name, wanted in _generic().columns.items() if name in OPTIONAL_ORDERS}
    for name, wanted in {**common, **kind.columns}.items():
        if name in given:
            continue
        taken = {normal(match.column) for match in matches if {match.field, name} != {"customer_id", "email"}}
        candidates = [theirs for theirs in _present(wanted, header) if normal(theirs) not in taken]
        if candidates:
            matches.append(Match(field=name, column=candidates[0], why=why if name in kind.columns else "common name"))
        if len(candidates) > 1 and name in ("customer_id", "order_id", "ordered_at"):
            notes.append(f"{name} is read from {candidates[0]!r}; {listed(candidates[1:])} could be it too.")
    matches = _without_amount_twice(matches, given=given, notes=notes)
    order = {name: place for place, name in enumerate(Columns.names())}
    matches.sort(key=lambda match: order[match.field])
    _require({match.field for match in matches}, kind=kind, header=header, source=source)
    claimed = {match.column for match in matches}
    unmatched = tuple(name for name in header if name not in claimed)
    return Recognised(layout=kind, matches=tuple(matches), unmatched=unmatched, notes=tuple(notes))


def _without_amount_twice(matches: list[Match], *, given: Mapping[str, str], notes: list[str]) -> list[Match]:
    """Keep amount or unit price: a total beside a price is often the order's, repeated on each line."""
    found = {match.field: match.column for match in matches}
    if not {"quantity", "unit_price", "amount"} <= found.keys():
        return matches
    if "amount" in given:
        drop = "unit_price"
        notes.append(
            f"The unit price is {found['amount']!r} / {found['quantity']!r}, because you mapped amount; "
            f"{found['unit_price']!r} is kept but not used."
        )
    else:
        drop = "amount"
        notes.append(
            f"The amount is {found['quantity']!r} × {found['unit_price']!r}; {found['amount']!r} is kept but not "
            "used: it may be the total of the whole order, repeated. Map amount to use it."
        )
    return [match for match in matches if match.field != drop]


def _require(fields_found: set[str], *, kind: Layout, header: Sequence[str], source: str) -> None:
    missing = [name for name in ("customer_id", "ordered_at") if name not in fields_found]
    if "amount" not in fields_found and not {"quantity", "unit_price"} <= fields_found:
        missing.append(AMOUNT)
    missing += [name for name in kind.required if name not in fields_found | CORE]
    if not missing:
        return
    if len(header) == 1 and (mark := re.search(r"[;,\t|]", header[0])):
        sign = "a tab" if mark[0] == "\t" else repr(mark[0])
        raise ColumnError(
            f"{source} has a single column, {header[0]!r}, whose name contains {sign}: "
            "wrong delimiter, the cells were not separated.",
            hint=f"Save it with {sign} between the cells and without quotation marks around whole lines.",
        )
    text = f"No column for {', '.join(missing)}. Found: {listed(header)}."
    if any(re.fullmatch(r"[\d\s.,:/-]+", name) for name in header):
        text += " The first row looks like data, not like column names."
    name = missing[0].split()[0]
    raise ColumnError(text, hint=f"Map it with --map {name}=COLUMN or Columns({name}=…).")


def _present(wanted: Sequence[str], header: Sequence[str]) -> list[str]:
    """Headers that stand for a field, in the order of the layout's list."""
    keys = {normal(theirs): theirs for theirs in reversed(header)}
    return list(dict.fromkeys(keys[normal(name)] for name in wanted if normal(name) in keys))


def _detect(header: Sequence[str]) -> Layout:
    def found(layout: Layout) -> bool:
        return bool(layout.required) and all(_present(layout.columns[name], header) for name in layout.required)

    known = [layout for layout in layouts() if found(layout)]
    return max(known, key=lambda layout: len(layout.required), default=_generic())


def _generic() -> Layout:
    return next(layout for layout in layouts() if layout.name == GENERIC)


def _mapped(name: str, theirs: str, *, header: Sequence[str]) -> str:
    """The column that the user means: as written, else the only one that differs in case or signs."""
    if theirs in header:
        return theirs
    near = [column for column in header if normal(column) == normal(theirs)]
    if len(near) == 1 and normal(theirs):
        return near[0]
    close = difflib.get_close_matches(theirs, header, n=1, cutoff=0.6)
    question = f" Did you mean {close[0]!r}?" if close else ""
    raise ColumnError(
        f"There is no column {theirs!r} to map {name} to.{question} Found: {listed(header)}.",
        hint=f"Map it with --map {name}=COLUMN or Columns({name}=…).",
    )
