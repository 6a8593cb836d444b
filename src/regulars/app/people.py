"""Who is in a segment, a named group, a field of the grid or a list: chosen, filtered, ordered, a page at a time.

A run's customers never change, so those columns that lists are made of are read once and kept, those who spent most first.
A question is then a mask over them: a few milliseconds, without a lock, for as many people as look at once.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from regulars.app.workspace import Run
from regulars.errors import OptionError, SourceError
from regulars.profiling import WORTH_KEEPING
from regulars.profiling.segments import HIGH, Segment
from regulars.wording import sign

__all__ = [
    "PAGE",
    "SORTS",
    "Filters",
    "People",
    "Selection",
    "alike",
    "countries_of",
    "everyone",
    "find_selection",
    "list_people",
    "search_people",
    "sorts_of",
]

PAGE = 50  # people on a page
MOST = Decimal(10**12)  # beyond, a number in a filter is a slip
ALIKE = 20_000  # ids that are looked through for one that is alike

COLUMNS = (
    "customer_id", "email", "country", "recency_days", "frequency", "monetary", "last_order", "rfm_score", "rfm_group",
    "segment_id", "segment", "value_percentile", "p_active", "expected_value", "revenue_at_risk",
)  # fmt: skip

#: Name → words, and the column that comes first; the next are money and id.
SORTS: dict[str, tuple[str, str, Literal["ascending", "descending"]]] = {
    "spend": ("most spent first", "monetary", "descending"),
    "recent": ("latest order first", "recency_days", "ascending"),
    "orders": ("most orders first", "frequency", "descending"),
    "chance": ("most likely to order first", "p_active", "descending"),
    "unlikely": ("least likely to order first", "p_active", "ascending"),
    "risk": ("most revenue at risk first", "revenue_at_risk", "descending"),
}

#: Column, what it is compared by, and with what: works on columns of Arrow and of Ibis alike.
Condition = tuple[str, Callable[[Any, Any], Any], Any]


def _among(column: Any, values: Iterable[Any]) -> Any:
    return column.isin(list(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """People who belong together.

    Parameters
    ----------
    of
        Its address inside the run, such as ``segments/3``, ``groups/Champions``, ``cells/5-4``, ``at-risk``.
    title, kind
        Its name, and what it is in words.
    audience
        The name under which `regulars.audiences.build_audience` knows it; ``"everyone"`` where it only knows all customers.
    conditions
        What its people have in common.
    segment
        The segment that it is, if it is one.
    why
        What a named group or a list is, in words.
    """

    of: str
    title: str
    kind: str
    audience: str
    conditions: tuple[Condition, ...]
    segment: Segment | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Who of a selection is shown; each end is included, `None` leaves it open. Chances are shares, 0 to 1.

    Examples
    --------
    >>> filters = Filters.from_query({"country": "France", "spend_from": "250", "chance_to": "12.5"})
    >>> filters.words("EUR")
    'France, spend from €250, chance up to 12.5%'
    """

    country: str | None = None
    spend_from: Decimal | None = None
    spend_to: Decimal | None = None
    recency_from: int | None = None
    recency_to: int | None = None
    chance_from: float | None = None
    chance_to: float | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Filters:
        """Read what a form sent; empty fields and unknown names are left out, chances are per cent.

        Raises
        ------
        OptionError
            A field holds no number that could be meant.
        """
        read: dict[str, Any] = {}
        for field in fields(cls):
            text = query.get(field.name, "").strip()
            if text:
                read[field.name] = text if field.name == "country" else _number(field.name, text)
        return cls(**read)

    def to_query(self) -> dict[str, str]:
        """Give the fields of a form that hold something."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_typed(name, value) for name, value in found.items() if value is not None}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What the people who are shown have in common."""
        columns = {"spend": "monetary", "recency": "recency_days", "chance": "p_active"}
        found: list[Condition] = [] if self.country is None else [("country", operator.eq, self.country)]
        for name, column in columns.items():
            for end, compare in (("from", operator.ge), ("to", operator.le)):
                value = getattr(self, f"{name}_{end}")
                if value is not None:
                    found.append((column, compare, value))
        return tuple(found)

    def words(self, currency: str | None) -> str:
        """Say what is shown; empty where everybody is."""
        told = [self.country] if self.country else []
        spend = [None if end is None else _exactly(end, currency) for end in (self.spend_from, self.spend_to)]
        days = [None if end is None else f"{end:,}" for end in (self.recency_from, self.recency_to)]
        chance = [None if end is None else f"{100 * end:g}%" for end in (self.chance_from, self.chance_to)]
        for what, (low, high), after in (
            ("spend", spend, ""),
            ("last order", days, " days ago"),
            ("chance", chance, ""),
        ):
            if low and high:
                told.append(f"{what} {low} to {high}{after}")
            elif low or high:
                told.append(f"{what} {'from' if low else 'up to'} {low or high}{after}")
        return ", ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A page of people, and the sums over all pages.

    Parameters
    ----------
    people
        Rows of `COLUMNS` as plain values, those that the run has.
    total, revenue
        How many are meant in all, and what they spent.
    page, pages
        This page, from 1, and how many there are.
    sort
        One of `SORTS`.
    """

    people: tuple[dict[str, Any], ...]
    total: int
    revenue: Decimal
    page: int
    pages: int
    sort: str


# --- who is meant ---------------------------------------------------------------------------------------------------


def find_selection(run: Run, of: str) -> Selection:
    """Find the people of an address such as ``segments/0``, ``groups/Champions``, ``cells/5-4``, ``at-risk``.

    Raises
    ------
    SourceError
        The run has no such segment, group, field or list.
    """
    kind, _, key = of.partition("/")
    found = _FINDERS[kind](run, key) if kind in _FINDERS else None
    if found is None:
        raise SourceError(
            f"There is nobody under {of[:80]!r} in this run.",
            hint="Choose a segment, a group or a field from the overview.",
        )
    return found


def _segment(run: Run, key: str) -> Selection | None:
    segments = {str(segment.id): segment for segment in run.result.segments}
    if key not in segments:
        return None
    segment = segments[key]
    return Selection(
        of=f"segments/{key}", title=segment.name, kind="segment", audience=segment.name,
        conditions=(("segment_id", operator.eq, segment.id),), segment=segment,
    )  # fmt: skip


def _group(run: Run, key: str) -> Selection | None:
    for name, why, *_ in run.result.groups:
        if name == key:
            same = name.casefold() in {segment.name.casefold() for segment in run.result.segments}
            return Selection(
                of=f"groups/{name}", title=name, kind="named group", audience="everyone" if same else name,
                conditions=(("rfm_group", operator.eq, name),), why=why,
            )  # fmt: skip
    return None


def _cell(run: Run, key: str) -> Selection | None:
    recency, _, value = key.partition("-")
    codes = tuple(
        f"{cell.r}{cell.f}{cell.m}"
        for cell in run.result.cells
        if (str(cell.r), str((cell.f + cell.m + 1) // 2)) == (recency, value)
    )
    if not codes:
        return None
    return Selection(
        of=f"cells/{key}", title=f"Recency {recency}, orders and spend {value}", kind="field of the grid",
        audience="everyone", conditions=(("rfm_score", _among, codes),),
        why=f"Score {recency} of {run.result.cuts.levels} for how lately they ordered, {value} for how often and how much "
        f"(mean of both scores); {run.result.cuts.levels} is best.",
    )  # fmt: skip


def _at_risk(run: Run, key: str) -> Selection | None:
    result = run.result
    conditions: tuple[Condition, ...] = (
        ("value_percentile", operator.ge, HIGH),
        ("recency_days", operator.gt, result.gaps.p75),
    )
    if result.outlook is not None:
        conditions = (
            ("value_percentile", operator.ge, WORTH_KEEPING),
            ("p_active", operator.le, result.outlook.at_risk_limit),
        )
    return _list("at-risk", "Worth keeping, at risk", conditions, result.at_risk.rule, key, audience="at-risk")


def _high_value(run: Run, key: str) -> Selection | None:
    conditions: tuple[Condition, ...] = (("value_percentile", operator.ge, HIGH),)
    return _list("high-value", "High-value customers", conditions, run.result.high_value.rule, key)


def _everyone(run: Run, key: str) -> Selection | None:
    return _list("everyone", "All customers", (), f"are in {run.result.source}", key)


def _list(
    of: str, title: str, conditions: tuple[Condition, ...], rule: str, key: str, *, audience: str = "everyone"
) -> Selection | None:
    if key:
        return None
    why = f"Customers who {'are ' if of == 'at-risk' else ''}{rule}."
    return Selection(of=of, title=title, kind="list", audience=audience, conditions=conditions, why=why)


_FINDERS: dict[str, Callable[[Run, str], Selection | None]] = {
    "segments": _segment,
    "groups": _group,
    "cells": _cell,
    "at-risk": _at_risk,
    "high-value": _high_value,
    "everyone": _everyone,
}


# --- who they are ---------------------------------------------------------------------------------------------------


def everyone(run: Run) -> pa.Table:
    """All customers of a run with those of `COLUMNS` that it has, most spent first; read once."""
    if "people" not in run.kept:
        path = run.folder / "customers.parquet"
        with run.lock:
            known = pq.read_schema(path).names
            table = pq.read_table(path, columns=[name for name in COLUMNS if name in known], partitioning=None)
            run.kept["people"] = table.sort_by(
                [("monetary", "descending"), ("customer_id", "ascending")]
            ).combine_chunks()
    return cast(pa.Table, run.kept["people"])


def sorts_of(run: Run) -> dict[str, str]:
    """The orders that a run's customers can stand in, with their words."""
    known = everyone(run).column_names
    return {name: words for name, (words, column, _) in SORTS.items() if column in known}


def countries_of(run: Run, selection: Selection) -> tuple[str, ...]:
    """The countries that the people of a selection are from, by name."""
    table = everyone(run)
    if "country" not in table.column_names:
        return ()
    return tuple(sorted(filter(None, pc.unique(_chosen(table, selection.conditions)["country"]).to_pylist())))


def list_people(
    run: Run, selection: Selection, filters: Filters, *, sort: str = "spend", page: int = 1, size: int = PAGE
) -> People:
    """Find the people of a selection that the filters leave, a page of them.

    Raises
    ------
    OptionError
        The run has no such order, or nothing to compare a filter with.
    """
    table = everyone(run)
    missing = [column for column, *_ in filters.conditions if column not in table.column_names]
    if missing:
        what = {"country": "countries", "p_active": "chances of an order"}[missing[0]]
        raise OptionError(f"This run has no {what}.", hint="Leave this filter empty.")
    return _paged(_chosen(table, (*selection.conditions, *filters.conditions)), sort=sort, page=page, size=size)


def search_people(run: Run, text: str, *, page: int = 1, size: int = PAGE) -> People:
    """Find customers whose id or e-mail address begins with a text, capitals or not; an id that is the very text first."""
    table, wanted = everyone(run), text.strip()
    if not wanted:
        return _paged(table, sort="spend", page=page, size=size)
    found, same = table.filter(_begins(table, wanted)), pc.field("customer_id") == wanted
    first = pa.concat_tables([found.filter(same), found.filter(~same)])
    return _paged(first, sort="spend", page=page, size=size)


def alike(run: Run, text: str, *, most: int = 5) -> tuple[str, ...]:
    """Ids that hold a text, or else look like it: what to offer where nobody was found."""
    ids, wanted = everyone(run).select(["customer_id"]), text.strip()
    if not wanted:
        return ()
    holding = ids.filter(pc.match_substring(pc.field("customer_id"), wanted, ignore_case=True)).slice(0, most)
    if holding.num_rows:
        return tuple(map(str, holding["customer_id"].to_pylist()))
    return tuple(difflib.get_close_matches(wanted, map(str, ids.slice(0, ALIKE)["customer_id"].to_pylist()), n=most))


def _begins(table: pa.Table, wanted: str) -> pc.Expression:
    found = pc.starts_with(pc.field("customer_id"), wanted, ignore_case=True)
    if "email" in table.column_names:
        found = found | pc.starts_with(pc.field("email"), wanted, ignore_case=True)
    return found


def _chosen(table: pa.Table, conditions: Iterable[Condition]) -> pa.Table:
    for column, compare, value in conditions:
        typed = value if compare is _among else pa.scalar(value, table.schema.field(column).type)
        table = table.filter(compare(pc.field(column), typed))
    return table


def _paged(table: pa.Table, *, sort: str, page: int, size: int) -> People:
    if sort not in SORTS or SORTS[sort][1] not in table.column_names:
        raise OptionError(f"There is no order {sort[:40]!r}.", hint=f"Choose one of {', '.join(SORTS)}.")
    _, column, direction = SORTS[sort]
    if sort != "spend":
        table = table.sort_by([(column, direction), ("monetary", "descending"), ("customer_id", "ascending")])
    pages = max(1, -(-table.num_rows // size))
    page = min(max(1, page), pages)
    return People(
        people=tuple(table.slice((page - 1) * size, size).to_pylist()),
        total=table.num_rows,
        revenue=pc.sum(table["monetary"]).as_py() or Decimal(0),
        page=page,
        pages=pages,
        sort=sort,
    )


# --- what was typed -------------------------------------------------------------------------------------------------

_TITLES = {"spend": "Spend", "recency": "Days since the last order", "chance": "Chance of an order"}


def _number(name: str, text: str) -> Decimal | int | float:
    what, _, end = name.partition("_")
    try:
        value = Decimal(text.replace(",", "").removesuffix("%"))
        if not abs(value) <= MOST:
            raise InvalidOperation
    except InvalidOperation as error:
        raise OptionError(
            f"{_TITLES[what]}, {end}: {text[:40]!r} is no number.", hint="Write digits, such as 250 or 99.50."
        ) from error
    if what == "spend":
        return value.quantize(Decimal("0.0001"))
    if what == "recency":
        return int(value.to_integral_value())
    return float(value / 100)


def _exactly(value: Decimal, currency: str | None) -> str:
    return f"{'−' if value < 0 else ''}{sign(currency)}{abs(value):,.2f}".removesuffix(".00")


def _as_typed(name: str, value: Any) -> str:
    if name.startswith("chance"):
        return f"{100 * value:g}"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
