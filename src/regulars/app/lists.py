"""Lists for campaigns: who is on one, its control group, and its files, which stay in the workspace."""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from regulars.app.people import Filters, Selection
from regulars.app.workspace import Run, Workspace
from regulars.audiences import TOOLS, Audience, build_audience, write_audience
from regulars.audiences.building import EVERYONE
from regulars.audiences.formats import FORMATS
from regulars.errors import OptionError, SourceError
from regulars.restoring import restore
from regulars.wording import slug

__all__ = [
    "PLACE",
    "USUAL_HOLDOUT",
    "Campaign",
    "Wanted",
    "build_list",
    "drop_lists",
    "find_list",
    "keep_list",
    "lists_of",
    "path_of",
    "same_list",
    "tools_of",
]

PLACE = "campaigns"  # the folder of the lists in a workspace
USUAL_HOLDOUT, MOST_HOLDOUT = 10.0, 90.0  # per cent
MOST_SEED = 2**31 - 1

_MAKING = threading.Lock()  # two lists that are made at once get two names


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list is to be: for which tool, which share is held out (0 to below 1), and which draw."""

    tool: str = "csv"
    holdout: float = USUAL_HOLDOUT / 100
    seed: int = 0

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Wanted:
        """Read what a form sent; `holdout` is per cent, the usual share where it is empty.

        Raises
        ------
        OptionError
            A field holds what cannot be meant.

        Examples
        --------
        >>> Wanted.from_query({"tool": "klaviyo", "holdout": "12.5", "seed": ""})
        Wanted(tool='klaviyo', holdout=0.125, seed=0)
        """
        tool = query.get("tool") or "csv"
        if tool not in TOOLS:
            raise OptionError(f"There is no list for {tool[:40]!r}.", hint=f"Choose one of {', '.join(TOOLS)}.")
        share, seed = query.get("holdout", "").strip().removesuffix("%"), query.get("seed", "").strip() or "0"
        share = share or f"{USUAL_HOLDOUT:g}"
        if not re.fullmatch(r"\d{1,2}(\.\d{1,6})?", share) or float(share) > MOST_HOLDOUT:
            raise OptionError(
                f"{share[:40]!r} cannot be left out: that is a number from 0 to {MOST_HOLDOUT:g} per cent.",
                hint=f"Write such as {USUAL_HOLDOUT:g}, or 0 to leave nobody out.",
            )
        if not re.fullmatch(r"\d{1,10}", seed):
            raise OptionError(f"{seed[:40]!r} is no draw number.", hint="Write a whole number, such as 0 or 1.")
        return cls(tool=tool, holdout=float(share) / 100, seed=min(int(seed), MOST_SEED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A list that was made.

    Parameters
    ----------
    name
        Of the file, without its ending.
    run, of
        The run, and the address of the people inside it.
    title, filters
        Of the audience: its name, and what narrowed it, in words.
    tool, made, holdout, seed, has_consent
        As asked for.
    counts
        Customers by what became of them.
    note
        What a control group of this size can show.
    files
        Names in the folder of lists: the list, and with a control group the two beside it.
    """

    name: str
    run: str
    of: str
    title: str
    filters: str
    tool: str
    made: date
    holdout: float
    seed: int
    has_consent: bool
    counts: dict[str, int]
    note: str
    files: tuple[str, ...]


def tools_of(run: Run) -> list[tuple[str, str, str]]:
    """Name and title of each tool, and what a run lacks for it; empty where it lacks nothing."""
    reached = bool({"email", "phone"} & set(run.result.customers.columns))
    return [(name, form.title, "" if reached else form.needs) for name, form in FORMATS.items()]


def build_list(run: Run, selection: Selection, filters: Filters, wanted: Wanted) -> Audience:
    """Find who is on a list; some queries, about half a second.

    Raises
    ------
    OptionError, NotEnoughDataError
        The tool cannot be served, or nobody is left.
    """
    conditions = filters.conditions
    if selection.audience == EVERYONE:
        conditions = (*selection.conditions, *conditions)

    def where(people: ir.Table) -> ir.BooleanValue:
        found: ir.BooleanValue = reduce(
            operator.and_, (compare(people[column], value) for column, compare, value in conditions)
        )
        return found

    name = ", ".join(filter(None, (selection.title, filters.words(run.result.currency))))
    with run.lock:
        return build_audience(
            run.result, selection.audience, tool=wanted.tool, holdout=wanted.holdout, seed=wanted.seed,
            where=where if conditions else None, name=name,
        )  # fmt: skip


def keep_list(
    workspace: Workspace, run: Run, selection: Selection, filters: Filters, audience: Audience, *, today: date
) -> Campaign:
    """Write a list, and with a control group its two files, into the workspace; all or none.

    Raises
    ------
    OutputError
        The place cannot be written.
    """
    with _MAKING:
        name = _new_name(workspace, f"{run.name} {selection.title} {audience.tool}")
        files = write_audience(audience, workspace.folder / PLACE / f"{name}.csv", day=today)
        campaign = Campaign(
            name=name,
            run=run.name,
            of=selection.of,
            title=selection.title,
            filters=filters.words(run.result.currency),
            tool=audience.tool,
            made=today,
            holdout=audience.holdout,
            seed=audience.seed,
            has_consent=audience.has_consent,
            counts=audience.counts(),
            note=audience.size_note(),
            files=tuple(file.name for file in files),
        )
        workspace.write(f"lists/{name}.json", asdict(campaign))
    return campaign


def lists_of(workspace: Workspace, run: str) -> list[Campaign]:
    """The lists that were made of a run, the latest first."""
    names = sorted(path.stem for path in (workspace.own / "lists").glob("*.json"))
    found = [campaign for name in names if (campaign := _read(workspace, name)) is not None and campaign.run == run]
    return sorted(found, key=lambda campaign: campaign.made, reverse=True)


def drop_lists(workspace: Workspace, campaigns: Iterable[Campaign]) -> None:
    """Delete lists with their control groups and records: they can be measured no more."""
    for campaign in campaigns:
        for file in campaign.files:
            path_of(workspace, Path(file).name).unlink(missing_ok=True)
        (workspace.own / "lists" / f"{campaign.name}.json").unlink(missing_ok=True)


def same_list(
    workspace: Workspace, run: Run, selection: Selection, filters: Filters, wanted: Wanted
) -> Campaign | None:
    """Find the latest list of a run that was made with the same choices, so that it holds the same customers."""
    asked = (selection.of, filters.words(run.result.currency), wanted.tool, wanted.holdout, wanted.seed)
    made = lists_of(workspace, run.name)
    return next((one for one in made if (one.of, one.filters, one.tool, one.holdout, one.seed) == asked), None)


def find_list(workspace: Workspace, run: str, name: str) -> Campaign:
    """Find a list of a run by its name.

    Raises
    ------
    SourceError
        There is no such list.
    """
    campaign = _read(workspace, name) if re.fullmatch(r"[^/\\\0.][^/\\\0]*", name) else None
    if campaign is None or campaign.run != run:
        raise SourceError(f"There is no list {name[:80]!r} of this run.", hint="Choose one from the page of segments.")
    return campaign


def _read(workspace: Workspace, name: str) -> Campaign | None:
    plain: dict[str, Any] = workspace.read(f"lists/{name}.json")
    try:
        campaign: Campaign = restore(Campaign, plain)
    except (KeyError, TypeError, ValueError):
        return None
    return campaign


def _new_name(workspace: Workspace, words: str) -> str:
    base = slug(words) or "list"
    name, number = base, 1
    while (workspace.folder / PLACE / f"{name}.csv").exists() or (workspace.own / "lists" / f"{name}.json").exists():
        number += 1
        name = f"{base}-{number}"
    return name


def path_of(workspace: Workspace, file: str) -> Path:
    """Where a file of a list lies."""
    return workspace.folder / PLACE / file
