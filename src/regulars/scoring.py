"""Scores by learned cut points, and named groups by rule packs.

A score is floor(levels × share of customers with a strictly smaller value) + 1, recency reversed: equal values always get
equal scores, whatever the order of the rows. It is learned as cut points in days, orders and money and applied as an
expression inside the engine.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.errors import OptionError, PackError, listed
from regulars.schema import MEASURES, MONEY

__all__ = ["Cuts", "Group", "RulePack", "learn_cuts", "load_pack", "pack_names", "score"]

Cut = int | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Cut points: what a customer needs for score 2, 3, … of each measure.

    Parameters
    ----------
    levels
        Highest score.
    recency_days
        At most this many days for score 2, 3, …; `None` where nobody reaches the score.
    frequency
        At least this many orders.
    monetary
        At least this much money.

    Examples
    --------
    >>> cuts = Cuts(levels=3, recency_days=(365, 180), frequency=(2, 2), monetary=(Decimal("50"), Decimal("200")))
    >>> cuts.empty("frequency")
    (2,)
    >>> cuts.ranges("recency_days")
    ((1, 366, None), (2, 181, 365), (3, None, 180))
    """

    levels: int
    recency_days: tuple[Cut, ...]
    frequency: tuple[Cut, ...]
    monetary: tuple[Cut, ...]

    def empty(self, measure: str) -> tuple[int, ...]:
        """Scores of a measure that ties make impossible."""
        cuts: tuple[Cut, ...] = getattr(self, measure)
        following = (*cuts[1:], object())
        return tuple(
            number
            for number, (cut, after) in enumerate(zip(cuts, following, strict=True), 2)
            if cut is None or cut == after
        )

    def ranges(self, measure: str) -> tuple[tuple[int, Cut, Cut], ...]:
        """Give `(score, from, to)` of the scores that exist, in the measure's own unit; `None` is open.

        Days and orders are whole numbers, `to` included; money runs up to, not including, `to`.
        """
        cuts: tuple[Cut, ...] = getattr(self, measure)
        gone = self.empty(measure)
        starts = [(1, None), *((n, cut) for n, cut in enumerate(cuts, 2) if n not in gone)]
        out: list[tuple[int, Cut, Cut]] = []
        for (number, cut), (_, after) in zip(starts, [*starts[1:], (0, None)], strict=True):
            if measure == "recency_days":
                out.append((number, None if after is None else after + 1, cut))
            elif measure == "frequency":
                out.append((number, cut, None if after is None else after - 1))
            else:
                out.append((number, cut, after))
        return tuple(out)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"levels": self.levels, **{name: list(getattr(self, name)) for name in MEASURES}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A named group: why, and the R-F-M cells that it covers, such as ``"554"``."""

    name: str
    why: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePack:
    """Named groups that cover every cell of R × F × M exactly once.

    `recency_days` are fixed cut points for R, where the pack does not learn them.
    """

    name: str
    title: str
    levels: int
    groups: tuple[Group, ...]
    recency_days: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the form that `load_pack` reads."""
        return {
            "name": self.name,
            "title": self.title,
            "levels": self.levels,
            "groups": [{"name": g.name, "why": g.why, "cells": list(g.cells)} for g in self.groups],
            **({} if self.recency_days is None else {"recency_days": list(self.recency_days)}),
        }


def pack_names() -> tuple[str, ...]:
    """Names of the packs that come with regulars.

    Examples
    --------
    >>> pack_names()
    ('eleven', 'klaviyo', 'shopify')
    """
    folder = files("regulars") / "packs"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_pack(pack: str | Path | RulePack) -> RulePack:
    """Load a pack by name, or your own from a TOML file, and prove that it covers every cell once.

    A pack that is loaded already is given back.

    Raises
    ------
    PackError
        The pack cannot be read, or has gaps, overlaps, or groups or cells that nothing reaches; the cells are named.

    Examples
    --------
    >>> pack = load_pack("shopify")
    >>> pack.groups[0].name, pack.groups[0].cells[:3]
    ('Champions', ('525', '534', '535'))
    >>> load_pack(pack) is pack
    True
    """
    if isinstance(pack, RulePack):
        return pack
    if str(pack) in pack_names():
        text = (files("regulars") / "packs" / f"{pack}.toml").read_text("utf-8")
    else:
        path = Path(pack)
        if not path.is_file():
            raise PackError(
                f"There is no rule pack {str(pack)!r}.",
                hint=f"Choose one of {listed(pack_names())}, or give the path of a TOML file.",
            )
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PackError(
                f"Cannot read the rule pack {path}: {error}.", hint="It must be a TOML file in UTF-8."
            ) from error
    try:
        return parse_pack(tomllib.loads(text), source=str(pack))
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"The rule pack {pack} is not valid TOML: {error}.", hint="See docs/extending.md.") from error


def parse_pack(data: Mapping[str, Any], *, source: str, prove: bool = True) -> RulePack:
    """Build a pack from plain values; `source` is for messages.

    Unless `prove` is false, which is for drafts, a pack that does not cover every cell exactly once is refused.
    """
    levels = data.get("levels", 5)
    if not isinstance(levels, int) or not 2 <= levels <= 9:
        raise PackError(f"Rule pack {source}: levels is {levels!r}.", hint="Give a whole number from 2 to 9.")
    entries = data.get("groups")
    if not isinstance(entries, list) or not all(
        isinstance(g, dict) and isinstance(g.get("name"), str) for g in entries
    ):
        raise PackError(
            f"Rule pack {source} has no [[groups]], or one without a name.",
            hint="See docs/extending.md for an example.",
        )
    fixed = data.get("recency_days")
    whole = isinstance(fixed, list) and len(fixed) == levels - 1 and all(type(days) is int for days in fixed)
    if fixed is not None and not (whole and fixed == sorted(fixed, reverse=True)):
        raise PackError(
            f"Rule pack {source}: recency_days is {fixed!r}.",
            hint=f"Give {levels - 1} whole numbers of days, largest first: for R 2, R 3, … .",
        )
    groups = tuple(
        Group(name=g["name"], why=str(g.get("why", "")), cells=_cells(g, levels=levels, source=source)) for g in entries
    )
    if prove:
        _prove(groups, levels=levels, source=source)
    return RulePack(
        name=str(data.get("name", source)),
        title=str(data.get("title", data.get("name", source))),
        levels=levels,
        groups=groups,
        recency_days=None if fixed is None else tuple(fixed),
    )


def learn_cuts(customers: ir.Table, *, levels: int = 5, recency_days: tuple[int, ...] | None = None) -> Cuts:
    """Learn the cut points of these customers; one query.

    Parameters
    ----------
    customers
        Columns `recency_days`, `frequency`, `monetary`.
    levels
        Highest score.
    recency_days
        Fixed cut points for recency instead of learned ones.

    Examples
    --------
    >>> import ibis
    >>> people = ibis.memtable({"recency_days": [1, 2, 3, 4], "frequency": [9, 1, 1, 1], "monetary": [10, 20, 30, 40]})
    >>> cuts = learn_cuts(people, levels=2)
    >>> cuts.recency_days, cuts.frequency, cuts.monetary
    ((2,), (9,), (Decimal('30.0000'),))
    """
    counted = [
        _counted(customers, measure, levels=levels, best="max" if measure == "recency_days" else "min")
        for measure in MEASURES
    ]
    found = counted[0].cross_join(*counted[1:]).to_pyarrow().to_pylist()[0]
    learned = {name: tuple(found[f"{name}_{number}"] for number in range(2, levels + 1)) for name in MEASURES}
    if recency_days is not None:
        learned["recency_days"] = recency_days
    return Cuts(levels=levels, **learned)


def _counted(customers: ir.Table, measure: str, *, levels: int, best: str) -> ir.Table:
    """Cut points of one measure in one row: from how many customers have each value, not from a rank of every customer."""
    values = customers.group_by(measure).agg(_n=customers.count())
    order = ibis.desc(measure) if best == "max" else ibis.asc(measure)
    values = values.mutate(
        _worse=values["_n"].sum().over(order_by=order, rows=(None, 0)) - values["_n"],
        _all=values["_n"].sum().over(),
    )
    reached = {n: values["_worse"] * levels >= values["_all"] * (n - 1) for n in range(2, levels + 1)}
    kind = MONEY if measure == "monetary" else "int64"
    value = values[measure]
    return values.agg(
        **{
            f"{measure}_{n}": (value.max(where=enough) if best == "max" else value.min(where=enough)).cast(kind)
            for n, enough in reached.items()
        }
    )


def score(customers: ir.Table, cuts: Cuts, *, pack: RulePack) -> ir.Table:
    """Add `r_score`, `f_score`, `m_score` (1 worst, `cuts.levels` best), `rfm_score` and `rfm_group`; no query.

    Raises
    ------
    OptionError
        The pack needs another number of levels than the cut points have.

    Examples
    --------
    >>> import ibis
    >>> people = ibis.memtable({"recency_days": [3, 400], "frequency": [9, 1], "monetary": [500, 20]})
    >>> cuts = Cuts(levels=3, recency_days=(365, 180), frequency=(2, 5), monetary=(Decimal(50), Decimal(200)))
    >>> score(people, cuts, pack=load_pack("klaviyo")).select("rfm_score", "rfm_group").to_pyarrow().to_pylist()
    [{'rfm_score': '333', 'rfm_group': 'Champions'}, {'rfm_score': '111', 'rfm_group': 'Inactive'}]
    """
    if pack.levels != cuts.levels:
        raise OptionError(
            f"The pack {pack.name} needs scores from 1 to {pack.levels}, the cut points give 1 to {cuts.levels}.",
            hint=f"Learn them with learn_cuts(customers, levels={pack.levels}).",
        )
    scored = customers.mutate(
        r_score=_points(customers["recency_days"], cuts.recency_days, smaller_is_better=True),
        f_score=_points(customers["frequency"], cuts.frequency),
        m_score=_points(customers["monetary"], cuts.monetary),
    )
    scored = scored.mutate(
        rfm_score=scored["r_score"].cast("string") + scored["f_score"].cast("string") + scored["m_score"].cast("string")
    )
    named = [(scored["rfm_score"].isin(group.cells), ibis.literal(group.name)) for group in pack.groups]
    return scored.mutate(rfm_group=ibis.cases(*named))


def _points(value: ir.Value, cuts: tuple[Cut, ...], *, smaller_is_better: bool = False) -> ir.Value:
    points = value.isnull().ifelse(None, 1)
    for cut in cuts:
        if cut is not None:
            limit = ibis.literal(cut, MONEY if isinstance(cut, Decimal) else "int64")
            points = points + (value <= limit if smaller_is_better else value >= limit).ifelse(1, 0)
    return points.cast("int8")


def _cells(group: Mapping[str, Any], *, levels: int, source: str) -> tuple[str, ...]:
    """All R-F-M codes of a group: listed as `cells`, or as ranges of `r` with `fm`, or of `r`, `f` and `m`."""
    name = group["name"]
    unknown = set(group) - {"name", "why", "cells", "r", "f", "m", "fm"}
    if unknown:
        raise PackError(
            f"Rule pack {source}, group {name!r}: unknown key {listed(sorted(unknown))}.",
            hint="Allowed are name, why, and cells, or r with fm, or r, f and m.",
        )
    where = f"Rule pack {source}, group {name!r}"
    if "cells" in group:
        if not isinstance(group["cells"], list):
            raise PackError(f"{where}, cells is {group['cells']!r}.", hint='Give a list such as ["554", "555"].')
        return tuple(str(cell) for cell in group["cells"])
    asked = ("r", "fm") if "fm" in group else ("r", "f", "m")
    spans = {key: _span(group.get(key, f"1-{levels}"), levels=levels, where=f"{where}, {key}") for key in asked}
    if "fm" not in group:
        return tuple(f"{r}{f}{m}" for r, f, m in product(spans["r"], spans["f"], spans["m"]))
    scores = range(1, levels + 1)
    return tuple(f"{r}{f}{m}" for r, f, m in product(spans["r"], scores, scores) if (f + m + 1) // 2 in spans["fm"])


def _span(text: object, *, levels: int, where: str) -> range:
    """Turn ``"3"`` or ``"2-4"`` into whole numbers."""
    scores = [str(score) for score in range(1, levels + 1)]
    first, dash, last = (part.strip() for part in str(text).partition("-"))
    last = last if dash else first
    if first not in scores or last not in scores or first > last:
        raise PackError(
            f"{where} is {text!r}.",
            hint=f"Give a score from 1 to {levels}, or a range of scores such as '1-{levels}'.",
        )
    return range(int(first), int(last) + 1)


def _prove(groups: tuple[Group, ...], *, levels: int, source: str) -> None:
    """Refuse a pack that does not cover every cell exactly once, or has what nothing reaches."""
    cells = {"".join(map(str, cell)) for cell in product(range(1, levels + 1), repeat=3)}
    named = Counter(cell for group in groups for cell in group.cells)
    problems = []
    if gaps := sorted(cells - set(named)):
        problems.append(f"no group has {_some(gaps)}")
    for cell in sorted(cell for cell, times in named.items() if times > 1)[:5]:
        owners = [group.name for group in groups if cell in group.cells]
        problems.append(f"{cell} is in {listed(owners)}")
    if outside := sorted(set(named) - cells):
        problems.append(f"nothing reaches {_some(outside)} with scores from 1 to {levels}")
    if never := [group.name for group in groups if not group.cells]:
        problems.append(f"nothing reaches {listed(never)}")
    names = Counter(group.name for group in groups)
    if twice := [name for name, times in names.items() if times > 1]:
        problems.append(f"the name {listed(twice)} is used twice")
    if problems:
        raise PackError(
            f"Rule pack {source} does not cover every R-F-M cell exactly once: {'; '.join(problems)}.",
            hint="Give every cell to one group (docs/extending.md).",
        )


def _some(cells: list[str]) -> str:
    return f"{listed(cells)} ({len(cells)} cells)" if len(cells) > 1 else cells[0]
