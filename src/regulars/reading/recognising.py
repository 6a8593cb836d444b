"""Which column is which: the layout that a header shows, and the user's own mapping on top."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.errors import ColumnError, listed
from regulars.reading.exports import GENERIC, ORDER_MONEY, Layout, layouts, normal
from regulars.schema import OPTIONAL_ORDERS, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AMOUNT = "amount (or quantity and unit_price)"
CORE = frozenset({"customer_id", "ordered_at", "quantity", "unit_price", "amount"})
NAMES = (*Columns.names(), *ORDER_MONEY)
SHARED = ({"customer_id", "email"}, {"customer_id", "phone"})


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
class Recognised:
    """The columns of one source.

    Parameters
    ----------
    layout, how_sure
        The layout, and what speaks for it, in words.
    matches, unmatched
        What was taken for our fields, and what was not.
    either
        Columns that are made of several, row by row → the columns, best first.
    notes
        Remarks.
    """

    layout: Layout
    matches: tuple[Match, ...]
    unmatched: tuple[str, ...]
    how_sure: str = ""
    either: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=())

    def column(self, name: str) -> str | None:
        """The source's column for one of our fields."""
        return next((match.column for match in self.matches if match.field == name), None)

    @property
    def arranged(self) -> bool:
        """Whether rows must be looked at together, or judged, before their cells are understood."""
        kind = self.layout
        return bool(self.either or kind.fill_down or kind.set_aside or kind.versions or kind.repeats)


def recognise(
    header: Sequence[str], *, columns: Columns, layout: Layout | None = None, source: str, complete: bool = True
) -> Recognised:
    """Match a source's header with our fields.

    Parameters
    ----------
    header
        The source's column names.
    columns
        The user's own names; they win field by field.
    layout
        The layout to use; `None` takes the most specific one whose telling and required headers are all there.
    source
        The source's name, for messages.
    complete
        Whether a header that lacks needed columns is an error; else what there is, is matched.

    Errors
    ------
    ColumnError
        A needed field has no column, a mapped column does not exist, or an export lacks what its kind always has.
    """
    given = {name: _mapped(name, theirs, header=header) for name, theirs in columns.given().items()}
    kind = layout or _detect(header)
    if complete and layout is None and kind.name == GENERIC and not given:
        _refuse_incomplete(header, source=source)
    matches = [Match(field=name, column=theirs, why="mapped by you") for name, theirs in given.items()]
    notes, either = [*_introduced(kind, header=header, asked=layout is not None)], dict[str, tuple[str, ...]]()
    why = "common name" if kind.name == GENERIC else f"header of {kind.title}"
    common = {name: wanted for name, wanted in _generic().columns.items() if name in OPTIONAL_ORDERS}
    for name, wanted in {**common, **kind.columns}.items():
        if name in given:
            continue
        taken = {normal(match.column) for match in matches if {match.field, name} not in SHARED}
        candidates = [theirs for theirs in present(wanted, header) if normal(theirs) not in taken]
        if name in kind.either and candidates:
            column = ", else ".join(candidates)
            either[column] = tuple(candidates)
            matches.append(Match(field=name, column=column, why=why))
        elif candidates:
            matches.append(Match(field=name, column=candidates[0], why=why if name in kind.columns else "common name"))
            if len(candidates) > 1 and name in ("customer_id", "order_id", "ordered_at") and not kind.telling:
                notes.append(f"{name} is read from {candidates[0]!r}; {listed(candidates[1:])} could be it too.")
    matches = _without_amount_twice(matches, given=given, notes=notes)
    matches.sort(key=lambda match: NAMES.index(match.field))
    if complete:
        _require({match.field for match in matches}, kind=kind, header=header, source=source)
    claimed = {column for match in matches for column in either.get(match.column, (match.column,))}
    forgotten = [name for name in header if _begins(name, kind.forget) and name not in claimed]
    if forgotten:
        notes.append(f"Left out and never kept: {listed(forgotten)}.")
    return Recognised(
        layout=kind,
        matches=tuple(matches),
        unmatched=tuple(name for name in header if name not in claimed and name not in forgotten),
        how_sure=_how_sure(kind, asked=layout is not None),
        either=either,
        notes=tuple(notes),
    )


def _how_sure(kind: Layout, *, asked: bool) -> str:
    """What speaks for a layout."""
    if asked:
        return "because you said so"
    if kind.name == GENERIC:
        return "by common names"
    if kind.telling:
        return f"sure: all {len(kind.telling)} headers that tell it from others are there"
    return f"likely: all {len(kind.required)} headers that it needs are there"


def _introduced(kind: Layout, *, header: Sequence[str], asked: bool) -> list[str]:
    """Remarks on an export: how sure it is, what its kind brings along, and which test has no column."""
    if kind.name == GENERIC or not kind.telling:
        return []
    notes = [f"Read as {kind.title} ({_how_sure(kind, asked=asked)}).", *kind.notes]
    blind = [rule for rule in kind.set_aside if not present(rule.column, header)]
    notes += [f"There is no column {rule.column[0]!r}: nothing is set aside as {rule.name!r}." for rule in blind]
    return notes


def _begins(name: str, beginnings: Sequence[str]) -> bool:
    return any(normal(name).startswith(normal(begin)) for begin in beginnings)


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
    if missing[:1] == ["customer_id"] and kind.no_customer:
        raise ColumnError(
            f"{source} is {kind.title}. {kind.no_customer}",
            hint="If a column of yours tells one buyer from another, map it with --map customer_id=COLUMN.",
        )
    if not fields_found & {"amount", "order_total"} and not {"quantity", "unit_price"} <= fields_found:
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


def present(wanted: Sequence[str], header: Sequence[str]) -> list[str]:
    """Headers that stand for a field, in the order of the layout's list."""
    keys = {normal(theirs): theirs for theirs in reversed(header)}
    return list(dict.fromkeys(keys[normal(name)] for name in wanted if normal(name) in keys))


def _detect(header: Sequence[str]) -> Layout:
    def found(layout: Layout) -> bool:
        return bool(layout.required) and not _lacking(layout, header)

    known = [layout for layout in layouts() if layout.name != GENERIC and found(layout)]
    return max(known, key=lambda layout: (len(layout.telling), len(layout.required)), default=_generic())


def _lacking(layout: Layout, header: Sequence[str]) -> list[str]:
    """What a file of this layout has and this header has not: telling headers, then fields by their first header."""
    needed = [name for name in layout.required if name != "customer_id" or not layout.no_customer]
    lists = [(name,) for name in layout.telling] + [layout.columns[name] for name in needed]
    return list(dict.fromkeys(wanted[0] for wanted in lists if not present(wanted, header)))


def _refuse_incomplete(header: Sequence[str], *, source: str) -> None:
    """Refuse an export that is surely of a known kind, but without a column that decides what counts."""
    for layout in layouts():
        signs, lacking = present(layout.telling, header), _lacking(layout, header)
        if len(signs) >= 3 and len(signs) >= len(layout.telling) - 1 and lacking:
            raise ColumnError(
                f"{source} looks like {layout.title} ({listed(signs)}), but has no column {listed(lacking)}.",
                hint="Export it again with all columns, or read it by common names with --layout generic.",
            )


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
