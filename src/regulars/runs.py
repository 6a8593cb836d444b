"""A run folder, read again: the same facts, without the order lines."""

from __future__ import annotations

import json
import typing
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq

from regulars.errors import SourceError
from regulars.model import load_model
from regulars.pipeline import Segmentation
from regulars.restoring import restore
from regulars.wording import counted

__all__ = ["open_run"]

_SET_ASIDE = "set_aside.parquet"


def open_run(folder: str | Path) -> Segmentation:
    """Read a run folder that `regulars.write_run` made; no query until one of the tables is asked.

    Parameters
    ----------
    folder
        The folder, or its `facts.json`.

    Returns
    -------
    Segmentation
        As it was when the run ended; the tables read the Parquet files of the folder.

    Raises
    ------
    SourceError
        There is no such folder, it is not a run, or a file in it is missing or damaged.

    Examples
    --------
    >>> import tempfile, regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=300, seed=1).orders)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = rg.open_run(rg.write_run(result, f"{folder}/run", figures=False))
    ...     print(again.segments == result.segments, again.customers.count().to_pyarrow().as_py())
    True 297
    """
    place = Path(folder)
    place = place.parent if place.name == "facts.json" else place
    facts = _facts(place)
    model = load_model(place / "model.json")
    known: dict[str, Any] = {
        "model": model,
        "cuts": model.cuts,
        "gaps": model.gaps,
        "customers": _customers(place / "customers.parquet", facts.get("customers_total")),
        "orders": _table(place / "orders.parquet") if (place / "orders.parquet").is_file() else None,
        "set_aside": _set_aside(place),
    }
    hints = typing.get_type_hints(Segmentation)
    others = [each.name for each in fields(Segmentation) if each.name not in known]
    try:
        groups = [[each[name] for name in ("name", "why", "customers", "revenue")] for each in facts["groups"]]
        rest = {name: restore(hints[name], groups if name == "groups" else facts[name]) for name in others}
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise SourceError(
            f"{place / 'facts.json'} is damaged, or was written by another version of regulars: {error!r}.",
            hint="Make the run again with 'regulars segment'.",
        ) from error
    return Segmentation(**known, **rest)


def _facts(place: Path) -> dict[str, Any]:
    if not place.is_dir():
        what = "is not a folder" if place.exists() else "does not exist"
        raise SourceError(
            f"The folder {str(place)!r} {what}.", hint="Give the folder that 'regulars segment -o' wrote."
        )
    try:
        facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{place} is not a run of regulars: its facts.json is missing or damaged.",
            hint="Give the folder that 'regulars segment -o' wrote.",
        ) from error
    if not isinstance(facts, dict) or "segments" not in facts:
        raise SourceError(
            f"{place} holds no segments (the result of 'regulars assign' has none of its own).",
            hint="Give the folder that 'regulars segment -o' wrote.",
        )
    return facts


def _customers(path: Path, told: Any) -> ir.Table:
    """Open the customers, which must be as many as the facts say: parts of two runs would give wrong numbers."""
    table = _table(path)
    if isinstance(told, int) and (rows := pq.read_metadata(path).num_rows) != told:
        raise SourceError(
            f"{path.parent} holds parts of two runs: customers.parquet has {counted(rows, 'customer')}, "
            f"facts.json tells of {told:,}.",
            hint="Copy the folder again as a whole, or make the run again with 'regulars segment'.",
        )
    return table


def _set_aside(place: Path) -> ir.Table | None:
    """Lines that were set aside; `None` where Spark wrote them to another place."""
    with suppress(OSError, ValueError):
        if json.loads((place / "run.json").read_text("utf-8")).get("set_aside", _SET_ASIDE) != _SET_ASIDE:
            return None
    return _table(place / _SET_ASIDE)


def _table(path: Path) -> ir.Table:
    """Open a Parquet file, or the folder of them that Spark wrote."""
    if not path.exists():
        raise SourceError(f"{path} is missing.", hint="Make the run again with 'regulars segment'.")
    con = ibis.duckdb.connect()
    con.raw_sql("SET enable_progress_bar = false")
    try:
        return con.read_parquet(path / "*.parquet" if path.is_dir() else path, hive_partitioning=False)
    except duckdb.Error as error:
        raise SourceError(f"{path} is damaged.", hint="Make the run again with 'regulars segment'.") from error
