"""What is known about the exports of shops: layouts as data files, and their loader."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.errors import OptionError, listed
from regulars.schema import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERIC = "generic"
#: Money beside the amount that only layouts know: taken off a line, the worth of a whole order, given back of an order.
ORDER_MONEY = ("discount", "order_total", "refunded")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Rows that the platform itself does not count as a purchase; the first that asks for a row names its reason.

    A cell is compared without capitals, and blanks, hyphens and underscores are one. An empty cell only fits
    `filled = false`.

    Parameters
    ----------
    name, title
        The reason in the audit, short and in words.
    column
        The headers that it looks at; the first that a file has.
    among, outside
        Words: rows with one of them, or with any other (`is` and `is_not` in the file).
    like
        A pattern that the cell contains.
    filled
        Rows where the cell says anything, or (false) nothing.
    """

    name: str
    title: str
    column: tuple[str, ...]
    among: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    like: str = ""
    filled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is known about the files of one kind of shop or export.

    Parameters
    ----------
    name, title
        The name for `layout=` and the name for people.
    columns
        Our field → the headers that stand for it, most telling first. Beside the fields of orders: `discount` (taken
        off a line), `order_total` (what the goods of the whole order cost in the end), `refunded` (given back of it).
    optional
        Fields that a file of this layout may lack; all others in `columns` must be there.
    cancelled_prefix
        What the order number of a cancelled order starts with; empty where there is no such rule.
    non_products, non_product_prefixes
        Product codes that are postage, fees or adjustments.
    currency
        The currency of the amounts, where the export does not say it.
    telling
        Headers that no other export has: the signature.
    either
        Fields that are read row by row from the first of their columns that says something.
    fill_down
        Headers of cells that stand only on the first row of an order.
    set_aside
        What the platform does not count as a purchase.
    versions
        Whether an order that stands in several files counts as the last file has it.
    repeats
        A header: of the rows of an order only those with its smallest value count.
    day_orders
        Whether rows without an order number are made orders by customer and day.
    day_first
        What stands first in 1/2/2010, where the platform settles it.
    minor_units
        Whether money is in cents (or the like, by currency).
    lines
        A pattern of whole lines, for files without a header; its groups are the cells of `names`.
    names
        The names of the columns of such files.
    forget
        How headers begin that must never be kept.
    no_customer
        Why a file has no customer, in words, where it has none.
    notes
        Remarks for whoever reads such a file.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, ...]]
    optional: tuple[str, ...] = ()
    cancelled_prefix: str = ""
    non_products: tuple[str, ...] = ()
    non_product_prefixes: tuple[str, ...] = ()
    currency: str | None = None
    telling: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    fill_down: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    versions: bool = False
    repeats: str = ""
    day_orders: bool = False
    day_first: bool | None = None
    minor_units: bool = False
    lines: str = ""
    names: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    no_customer: str = ""
    notes: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Fields without which a file is not of this layout."""
        return tuple(name for name in self.columns if name not in self.optional)

    @property
    def reasons(self) -> dict[str, str]:
        """Every reason for which reading marks rows of such files, and its words, in the order of the audit."""
        own = {"earlier version": "of an order that a later file has again"} if self.versions else {}
        own |= {rule.name: rule.title for rule in self.set_aside}
        own |= {"repeated": "an order that was reported again"} if self.repeats else {}
        if "refunded" in self.columns:
            own.setdefault("refunded", "refunded")
        return own


TEXT = ("name", "title", "cancelled_prefix", "currency", "repeats", "lines", "no_customer", "column", "like")
FLAGS = ("versions", "day_orders", "day_first", "minor_units", "filled")
SPOKEN = {str: "a text", bool: "true or false", tuple: "a list of texts"}


@cache
def layouts() -> tuple[Layout, ...]:
    """The layouts that come with the package, by name.

    Returns
    -------
    tuple of Layout

    Examples
    --------
    >>> [layout.name for layout in layouts()][-2:]
    ['woocommerce_items', 'woocommerce_orders']
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
            hint=f"Known layouts: {listed(shipped, most=len(shipped))}. Your own is a file that ends in .toml.",
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
    known = [entry.name for entry in fields(Layout)]
    plain = {key: value for key, value in data.items() if key not in ("columns", "set_aside")}
    checked = {key: _typed(key, value, known=known, file=file) for key, value in plain.items()}
    allowed = (*Columns.names(), *ORDER_MONEY)
    for key in (*columns, *data.get("either", ())):
        if key not in allowed:
            raise OptionError(
                f"The layout file {file!r} has the unknown key columns.{key}.",
                hint=f"Fields: {listed(allowed, most=len(allowed))}.",
            )
    headers = {key: _typed(f"columns.{key}", value, known=[], file=file) for key, value in columns.items()}
    rules = tuple(_rule(rule, file=file) for rule in _tables(data.get("set_aside", []), file=file))
    _pattern("lines", data.get("lines", ""), cells=len(data.get("names", ())), file=file)
    name = checked.pop("name", Path(file).stem)
    return Layout(**{"name": name, "title": name, "columns": headers, "set_aside": rules} | checked)  # type: ignore[arg-type]


def _tables(value: object, *, file: str) -> list[dict[str, object]]:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise OptionError(f"The layout file {file!r}: set_aside is not a list of tables.", hint="Write [[set_aside]].")


def _rule(table: dict[str, object], *, file: str) -> SetAside:
    """One [[set_aside]]: a reason, a column, and one test."""
    renamed = {"is": "among", "is_not": "outside"}
    words = {key: [value] if key == "column" and isinstance(value, str) else value for key, value in table.items()}
    known = ["name", "title", "column", "is", "is_not", "like", "filled"]
    checked = {
        renamed.get(key, key): _typed(
            f"set_aside.{key}", value, known=[f"set_aside.{name}" for name in known], file=file
        )
        for key, value in words.items()
    }
    tests = [key for key in ("among", "outside", "like", "filled") if key in checked]
    if not {"name", "column"} <= checked.keys() or len(tests) != 1:
        raise OptionError(
            f"The layout file {file!r}: a [[set_aside]] needs a name, a column and one test.",
            hint="The tests are is, is_not, like and filled.",
        )
    _pattern("set_aside.like", table.get("like", ""), cells=None, file=file)
    return SetAside(**{"title": checked["name"]} | checked)  # type: ignore[arg-type]


def _pattern(key: str, pattern: object, *, cells: int | None, file: str) -> None:
    """Refuse a pattern that is none, or whose groups are not the cells."""
    try:
        groups = re.compile(str(pattern)).groups
    except re.error as error:
        raise OptionError(f"The layout file {file!r}: {key} is not a pattern: {error}.", hint="Correct it.") from error
    if cells is not None and groups != cells:
        raise OptionError(
            f"The layout file {file!r}: {key} has {groups} groups, names has {cells} entries.",
            hint="Put each cell of a line into one pair of round brackets.",
        )


def _typed(key: str, value: object, *, known: list[str], file: str) -> str | bool | tuple[str, ...]:
    """A value as its key wants it; without `known` keys any key is one of a list of texts."""
    if known and key not in known:
        raise OptionError(f"The layout file {file!r} has the unknown key {key}.", hint=f"Keys: {listed(known)}.")
    name = key.removeprefix("set_aside.")
    kind = str if known and name in TEXT and key != "set_aside.column" else bool if known and name in FLAGS else tuple
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if kind is not tuple and isinstance(value, kind):
        return value
    raise OptionError(f"The layout file {file!r}: {key} is not {SPOKEN[kind]}.", hint=f"Write {SPOKEN[kind]}.")


@lru_cache(maxsize=10_000)
def normal(name: str) -> str:
    """A header without case, accents and everything that is neither letter nor digit.

    Examples
    --------
    >>> normal(" Customer_ID "), normal("Order #"), normal("Menge (Stück)")
    ('customerid', 'order', 'mengestuck')
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "", "".join(char for char in plain if not unicodedata.combining(char)))
