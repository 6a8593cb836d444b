"""Rule packs while they are written: which fields of the grid have a name, which have none, which have two."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from regulars.errors import PackError, RegularsError
from regulars.pipeline import Segmentation
from regulars.scoring import Group, RulePack, parse_pack

__all__ = ["Draft", "Field", "look_at_pack", "sizes_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the grid: one score for recency, one for the mean of orders and spend.

    Parameters
    ----------
    r, fm
        The scores.
    groups
        Names of its groups and how many of its combinations each has, most first.
    combinations
        How many combinations of F and M the field stands for.
    missing, double
        Combinations that no group has, and that several have.
    """

    r: int
    fm: int
    groups: tuple[tuple[str, int], ...]
    combinations: int
    missing: int
    double: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What can be said about a rule pack that may not be finished.

    Parameters
    ----------
    pack
        As it stands, also with gaps; `None` where the text cannot be read as a pack.
    problem
        What keeps it from being used; `None` where nothing does.
    rows
        The grid, best recency first, in each row worst to best orders and spend.
    """

    pack: RulePack | None
    problem: RegularsError | None
    rows: tuple[tuple[Field, ...], ...]

    @property
    def missing(self) -> int:
        """Combinations of scores without a group."""
        return sum(field.missing for row in self.rows for field in row)

    @property
    def double(self) -> int:
        """Combinations of scores in several groups."""
        return sum(field.double for row in self.rows for field in row)


def look_at_pack(text: str, *, source: str) -> Draft:
    r"""Check the text of a rule pack, and lay it out on the grid as far as it can be read.

    Parameters
    ----------
    text
        TOML.
    source
        What the pack is called in messages.

    Examples
    --------
    >>> draft = look_at_pack('levels = 2\n[[groups]]\nname = "Here"\nr = "2"', source="mine")
    >>> draft.missing, draft.rows[1][0].missing, draft.rows[0][0].groups
    (4, 1, (('Here', 1),))
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of thousands of digits
        words = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "something in it is too large"
        problem = PackError(
            f"The rule pack {source} is not valid TOML: {words}.", hint="Look at that line: quotes, brackets, =."
        )
        return Draft(pack=None, problem=problem, rows=())
    try:
        pack = parse_pack(data, source=source, prove=False)
    except PackError as error:
        return Draft(pack=None, problem=error, rows=())
    try:
        parse_pack(data, source=source)
    except PackError as error:
        return Draft(pack=pack, problem=error, rows=_grid(pack.groups, pack.levels))
    return Draft(pack=pack, problem=None, rows=_grid(pack.groups, pack.levels))


def sizes_of(pack: RulePack, result: Segmentation) -> dict[str, tuple[int, Decimal]] | None:
    """Customers and revenue that each group of a pack would have in a run; `None` where the run scored in another way."""
    fixed = result.model.pack.recency_days
    if pack.levels != result.cuts.levels or pack.recency_days != fixed:
        return None
    owner = {cell: group.name for group in pack.groups for cell in group.cells}
    people: Counter[str] = Counter()
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cell in result.cells:
        name = owner.get(f"{cell.r}{cell.f}{cell.m}", "")
        people[name] += cell.customers
        money[name] += cell.revenue
    return {group.name: (people[group.name], money[group.name]) for group in pack.groups}


def _grid(groups: Iterable[Group], levels: int) -> tuple[tuple[Field, ...], ...]:
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for group in groups:
        for cell in group.cells:
            owners[cell].append(group.name)
    scores = range(1, levels + 1)
    pairs: defaultdict[int, list[str]] = defaultdict(list)
    for f, m in product(scores, scores):
        pairs[(f + m + 1) // 2].append(f"{f}{m}")
    return tuple(
        tuple(_field(r, fm, [owners.get(f"{r}{pair}", []) for pair in pairs[fm]]) for fm in scores)
        for r in reversed(scores)
    )


def _field(r: int, fm: int, owners: list[list[str]]) -> Field:
    named = Counter(name for names in owners for name in dict.fromkeys(names))
    return Field(
        r=r,
        fm=fm,
        groups=tuple(sorted(named.items(), key=lambda item: (-item[1], item[0]))),
        combinations=len(owners),
        missing=sum(not names for names in owners),
        double=sum(len(names) > 1 for names in owners),
    )
