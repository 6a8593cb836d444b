"""The files of an audience: the list, and with a control group who is in which group and what was exported when."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from regulars.audiences.building import CONTROL, TREATED, Audience
from regulars.errors import OutputError, SourceError
from regulars.placing import whole_files
from regulars.restoring import restore
from regulars.wording import counted
from regulars.writing import for_spreadsheets

__all__ = ["Record", "files_of", "load_record", "write_audience"]

VERSION = 1

Groups = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was exported, for `measure_campaign`.

    Parameters
    ----------
    version
        Of this file.
    audience, kind, tool
        As in `Audience`.
    source, fingerprint, currency, as_of, returns, all_products
        Of the run.
    exported_on
        Day of the export.
    holdout, seed, counts
        Of the control group, and how many customers became what.
    treated, control
        Customers by the number of their stratum.
    """

    version: int
    audience: str
    kind: str
    tool: str
    source: str
    fingerprint: str
    currency: str | None
    as_of: date
    returns: str
    all_products: bool
    exported_on: date
    holdout: float
    seed: int
    counts: dict[str, int]
    treated: Groups
    control: Groups

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def files_of(path: Path) -> tuple[Path, Path]:
    """Names of the files beside a list: who is in which group, and the record."""
    return path.with_name(f"{path.stem}.control.csv"), path.with_name(f"{path.stem}.record.json")


def write_audience(audience: Audience, path: str | Path, *, day: date, replace: bool = False) -> tuple[Path, ...]:
    """Write a list, and with a control group its two files beside it; all of them or none.

    Text that a spreadsheet would run as a formula gets a leading ``'``. Phone numbers are a + and digits only, so they stay
    as they are.

    Parameters
    ----------
    audience
        From `build_audience`.
    path
        The list, with the ending ``.csv``.
    day
        Day of the export.
    replace
        Whether a list with a control group that is there already is replaced, with its two files; whatever else is there
        never is.

    Returns
    -------
    tuple of Path
        The list; with a control group also ``NAME.control.csv`` (`customer_id`, `group` of every customer of the audience)
        and ``NAME.record.json``, which `measure_campaign` reads.

    Raises
    ------
    OutputError
        The ending is another, a file is there already, or the place cannot be written.

    Examples
    --------
    >>> import tempfile, regulars as rg
    >>> from regulars.audiences import build_audience
    >>> result = rg.segment(rg.make_orders(customers=600, seed=1).orders)
    >>> audience = build_audience(result, "Loyal high-value", holdout=0.2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in write_audience(audience, f"{folder}/loyal.csv", day=date(2024, 12, 1))]
    ['loyal.csv', 'loyal.control.csv', 'loyal.record.json']
    """
    target = Path(path)
    if target.suffix.lower() != ".csv":
        raise OutputError(f"Cannot write {target.name}: a list has another ending.", hint="End it with .csv.")
    if target.is_dir():
        raise OutputError(f"{target} is a folder.", hint="Give the name of a file, such as audience.csv.")
    groups_file, record_file = files_of(target)
    _check_place(target, replace=replace)
    if not audience.holdout:
        with whole_files(target) as (draft,):
            for_spreadsheets(audience.table).to_csv(draft)
        for left in (record_file, groups_file):  # of the list that was replaced
            left.unlink(missing_ok=True)
        return (target,)
    with whole_files(groups_file, record_file, target) as (groups, record, draft):
        for_spreadsheets(audience.groups.select("customer_id", "group")).to_csv(groups)
        text = json.dumps(_record(audience, day).to_dict(), ensure_ascii=False, indent=1, default=str)
        record.write_text(text + "\n", "utf-8")
        for_spreadsheets(audience.table).to_csv(draft)
    return target, groups_file, record_file


def _check_place(target: Path, *, replace: bool) -> None:
    """Refuse to replace what is no list of regulars, and a list with a control group unless that was asked for."""
    groups_file, record_file = files_of(target)
    there = [file for file in (target, groups_file, record_file) if file.exists()]
    if not there:
        return
    try:
        record = load_record(record_file)
    except SourceError:
        raise OutputError(
            f"{there[0]} is there already, and no record beside it tells of a list with a control group.",
            hint="Choose another name, or remove it yourself.",
        ) from None
    if not replace:
        raise OutputError(
            f"{target} is the list of a campaign that may be going on: {record.audience}, exported on {record.exported_on}, "
            f"with {counted(record.counts.get('held_out', 0), 'customer')} held out.",
            hint="Choose another name; or take its place with --replace (replace=True): it can then no longer be measured.",
        )


def load_record(path: str | Path) -> Record:
    """Read the record of an export.

    Parameters
    ----------
    path
        The list that was written, or the record beside it. Of a list, the files must be those that the record tells of.

    Raises
    ------
    SourceError
        There is no record, or it is damaged, foreign, or of another version; or the files do not belong together.
    """
    path = Path(path)
    place = path if path.suffix.lower() == ".json" else files_of(path)[1]
    try:
        plain = json.loads(place.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SourceError(
            f"There is no record {place} of an export with a control group.",
            hint="Give the list that 'regulars export --segment … --holdout 10%' wrote; its record must lie beside it.",
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(place) from error
    try:
        record: Record = restore(Record, plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(place) from error
    if record.version != VERSION:
        raise SourceError(
            f"{place} was written by another version of regulars.", hint="Measure with the version that exported it."
        )
    _check_together(record, place, path)
    return record


def _check_together(record: Record, place: Path, path: Path) -> None:
    """Refuse a record whose groups, or whose files beside it, have other customers than it counted."""
    drawn = {"written": record.treated, "held_out": record.control}
    if any(sum(map(len, groups.values())) != record.counts.get(name) for name, groups in drawn.items()):
        raise _damaged(place)
    if path == place:
        return
    groups_file, hint = (
        files_of(path)[0],
        f"Give the files of one export; or, if the list was changed by hand, {place}.",
    )
    if path.is_file() and (rows := len(_rows(path))) != record.counts["written"]:
        raise SourceError(
            f"{path} and {place.name} do not belong together: the list has {counted(rows, 'customer')}, "
            f"the record tells of {record.counts['written']:,}.",
            hint=hint,
        )
    if groups_file.is_file():
        found = {_plain(row.get("customer_id") or "") for row in _rows(groups_file) if row.get("group") == CONTROL}
        if found != {_plain(one) for ids in record.control.values() for one in ids}:
            raise SourceError(
                f"{groups_file} and {place.name} do not belong together: they hold different customers out.", hint=hint
            )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path} cannot be read: {error}.", hint="Give the list that 'regulars export' wrote."
        ) from error


def _plain(customer_id: str) -> str:
    """An id without the sign that keeps spreadsheets from running it."""
    return customer_id.removeprefix("'")


def _damaged(place: Path) -> SourceError:
    return SourceError(
        f"{place} is not a record of an export, or is damaged.",
        hint="Give the list that 'regulars export --segment … --holdout 10%' wrote.",
    )


def _record(audience: Audience, day: date) -> Record:
    result = audience.result
    groups: dict[str, defaultdict[str, list[str]]] = {TREATED: defaultdict(list), CONTROL: defaultdict(list)}
    table = audience.groups.to_pyarrow()
    for customer, group, stratum in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        if group in groups:
            groups[group][str(stratum)].append(customer)
    return Record(
        version=VERSION,
        audience=audience.name,
        kind=audience.kind,
        tool=audience.tool,
        source=result.source,
        fingerprint=result.fingerprint,
        currency=result.currency,
        as_of=result.as_of,
        returns=result.options.returns,
        all_products=result.options.all_products,
        exported_on=day,
        holdout=audience.holdout,
        seed=audience.seed,
        counts=audience.counts(),
        treated={name: tuple(ids) for name, ids in sorted(groups[TREATED].items())},
        control={name: tuple(ids) for name, ids in sorted(groups[CONTROL].items())},
    )
