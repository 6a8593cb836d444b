"""The files of an audience: the list, and with a control group who is in which group and what was exported when."""

from __future__ import annotations

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


def write_audience(audience: Audience, path: str | Path, *, day: date) -> tuple[Path, ...]:
    """Write a list, and with a control group its two files beside it; all of them or none.

    Text that a spreadsheet would run as a formula gets a leading ``'``. Phone numbers are a + and digits only, so they stay
    as they are.

    Parameters
    ----------
    audience
        From `build_audience`.
    path
        The list, with the ending ``.csv``; earlier files are replaced.
    day
        Day of the export.

    Returns
    -------
    tuple of Path
        The list; with a control group also ``NAME.control.csv`` (`customer_id`, `group` of every customer of the audience)
        and ``NAME.record.json``, which `measure_campaign` reads.

    Raises
    ------
    OutputError
        The ending is another, or the place cannot be written.

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
    if not audience.holdout:
        with whole_files(target) as (draft,):
            for_spreadsheets(audience.table).to_csv(draft)
        return (target,)
    groups_file, record_file = files_of(target)
    with whole_files(groups_file, record_file, target) as (groups, record, draft):
        for_spreadsheets(audience.groups.select("customer_id", "group")).to_csv(groups)
        text = json.dumps(_record(audience, day).to_dict(), ensure_ascii=False, indent=1, default=str)
        record.write_text(text + "\n", "utf-8")
        for_spreadsheets(audience.table).to_csv(draft)
    return target, groups_file, record_file


def load_record(path: str | Path) -> Record:
    """Read the record of an export.

    Parameters
    ----------
    path
        The list that was written, or the record beside it.

    Raises
    ------
    SourceError
        There is no record, or it is damaged, foreign, or of another version.
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
    return record


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
