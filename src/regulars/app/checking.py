"""What the processes of jobs do: look at a source, and make segments of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.app.choices import Choices
from regulars.app.saying import said
from regulars.app.sources import opened
from regulars.cleaning import clean
from regulars.errors import NotEnoughDataError, RegularsError
from regulars.planning import SEGMENTING, Plan, plan
from regulars.reading import estimate_size, preview, read
from regulars.schema import MIN_CUSTOMERS
from regulars.wording import counted

if TYPE_CHECKING:
    from regulars.app.working import Teller

__all__ = ["LOOKING", "look_at", "segment_into"]

LOOKING = ("Reading", "Cleaning")  # stages of a check


def look_at(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Look at a source: first rows and header at once, then what cleaning would set aside of all rows.

    Returns
    -------
    dict
        Plain values. At once, told by `tell.show`: `columns`, `rows`, `sheets`, `sheet`, `layout`, `how_sure`, `matches`,
        `unmatched`, `lines` and `run_seconds` (estimates; `None` where nobody knows). At the end also `error` (as `said`
        has it, or `None`), and where cleaning was possible `doubts` (what to be careful about), `notes`, `currency` and
        `audit`; with too few customers left there are all of these.
    """
    workspace, choices = Path(spec["workspace"]), Choices.parse(spec["choices"])
    with opened(spec) as source:
        reading = choices.reading(workspace)
        tell.follow(_planned(source, LOOKING))
        tell("Reading", 0, 0)
        try:
            seen = preview(source, columns=reading["columns"], layout=reading["layout"], sheet=reading["sheet"])
        except RegularsError as error:
            return {"columns": [], "error": said(error)}
        facts = seen.to_dict() | _cost(source)
        tell.show(facts)
        if seen.problem is not None:
            return facts | {"error": said(seen.problem)}
        try:
            orders = read(source, **reading)
            tell("Cleaning", 0, 0)
            cleaned = clean(orders, **choices.cleaning())
        except RegularsError as error:
            return facts | {"error": said(error)}
        audit = cleaned.audit
        known, left = orders.to_dict(), audit.kept.customers_left
        return facts | {
            "error": _too_few(left) if left < MIN_CUSTOMERS else None,
            "doubts": cleaned.notes,
            "notes": known["notes"],
            "matches": known["matches"],
            "unmatched": known["unmatched"],
            "currency": orders.currency,
            "audit": audit.to_dict(),
        }


def segment_into(spec: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Make the segments of a source and write them as a run of the workspace, as a whole or not at all.

    Returns
    -------
    dict
        `run`, the name of its folder.
    """
    workspace, choices = Path(spec["workspace"]), Choices.parse(spec["choices"])
    folder = workspace / spec["run"]
    reading, segmenting = choices.reading(workspace), choices.segmenting(workspace)
    with opened(spec) as source:
        tell.follow(_planned(source, stages_of(choices), output=folder))
        tell("Reading", 0, 0)
        orders = read(source, **reading)
        from regulars.app.workspace import Workspace  # what neither a check nor an error of reading need wait for
        from regulars.pipeline import segment
        from regulars.writing import fill_run, open_folder

        with open_folder(folder) as place:
            result = segment(orders, progress=tell, **segmenting)
            fill_run(place, result, figures=choices.pictures, timings=tell.seconds, progress=tell)
    origin = {"source": spec["source"], "title": spec["title"], "choices": choices.written()}
    Workspace(workspace).write(f"sources/{folder.name}.json", origin)
    return {"run": folder.name}


def stages_of(choices: Choices) -> tuple[str, ...]:
    """Stages of a run in their order, by their names in `planning.COSTS`."""
    left_out = {
        "Drawing": not choices.pictures,
        "Back-testing": not choices.backtest,
        "Forecasting": not choices.backtest,
    }
    return tuple(name for name in SEGMENTING if not left_out.get(name))


def _too_few(customers: int) -> dict[str, str]:
    return said(
        NotEnoughDataError(
            f"Only {counted(customers, 'customer')} {'is' if customers == 1 else 'are'} left: "
            f"segments need at least {MIN_CUSTOMERS}.",
            hint="See below what is set aside and why, check which column is which, or bring a longer export.",
        )
    )


def _planned(source: str, stages: Iterable[str], *, output: Path | None = None) -> Plan | None:
    size = estimate_size(source)
    return None if size is None else plan(size, stages=stages, output=output)


def _cost(source: str) -> dict[str, Any]:
    """Lines and the seconds of a usual run; `None` where nobody knows."""
    size = estimate_size(source)
    return {
        "lines": None if size is None else size.lines,
        "exact": size is not None and size.exact,
        "run_seconds": None if size is None else plan(size, stages=stages_of(Choices())).total_seconds,
    }
