"""Who moved, as a file or a folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow.parquet as pq

from regulars.comparing import GROUPINGS, Movement
from regulars.errors import OutputError
from regulars.placing import explained, whole_files
from regulars.writing import for_spreadsheets, open_folder

__all__ = ["write_movement"]


#: The columns of a file of who moved.
COLUMNS = ("customer_id", "from", "to", "because", "revenue_before", "revenue_after")


def write_movement(found: Movement, path: str | Path, *, by: str = "segments", replace: bool = False) -> Path:
    """Write who moved, and why; the engine writes the customers.

    Parameters
    ----------
    found
        From `regulars.compare` or `regulars.compare_runs`.
    path
        Ends in ``.csv`` or ``.parquet``: one file with those who are not where they were, new and lost ones included,
        highest revenue first: `customer_id`, `from`, `to`, `because`, `revenue_before`, `revenue_after`. Else a folder.
    by
        ``"segments"`` or ``"groups"``: what the file is about; a folder has both.
    replace
        Whether an earlier file of who moved is replaced; any other file never is.

    Returns
    -------
    Path
        The file; or the folder, with `customers.csv` and `customers.parquet` (everybody, by segments and by groups),
        `movement.csv` (customers and money of every move and reason), `facts.json` and `run.json`. CSV files
        have money to the cent.

    Raises
    ------
    OutputError
        The place belongs to something else, cannot be written, or is full. Nothing is left behind then.
    """
    path = Path(path)
    writers: dict[str, Callable[[ir.Table, Path], Any]] = {
        ".csv": lambda table, draft: for_spreadsheets(table).to_csv(draft),
        ".parquet": lambda table, draft: table.to_parquet(draft),
    }
    if path.suffix.lower() in writers:
        if path.is_dir():
            raise OutputError(f"{path} is a folder.", hint="Give the name of a file, such as movement.csv.")
        _check_file(path, replace=replace)
        with explained(path), whole_files(path) as (draft,):
            writers[path.suffix.lower()](found.moved(by), draft)
        return path
    with open_folder(path, made_by="compare") as place:
        everybody = found.customers.order_by("customer_id")
        for ending, write in writers.items():
            write(everybody, place / f"customers{ending}")
        _write_flows(place / "movement.csv", found)
        _write_json(place / "facts.json", found.to_dict())
        _write_json(place / "run.json", {"made_by": "compare", "source": found.after.source})
    return path


def _check_file(path: Path, *, replace: bool) -> None:
    """Refuse to replace what is no table of who moved, and one unless that was asked for."""
    if not path.exists():
        return
    try:
        ours = _columns_of(path) == COLUMNS
    except (OSError, ValueError, csv.Error):  # no text, or no Parquet file
        ours = False
    if not ours:
        raise OutputError(f"{path} is there already, and does not say who moved.", hint="Choose another name.")
    if not replace:
        raise OutputError(
            f"{path} is there already.", hint="Take its place with --replace (replace=True), or choose another name."
        )


def _columns_of(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".parquet":
        return tuple(pq.read_schema(path).names)
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(next(csv.reader(file), ()))


def _write_flows(path: Path, found: Movement) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["by", "from", "to", "direction", "because", "customers", "revenue_before", "revenue_after"])
        for by in GROUPINGS:
            for flow in found.by(by).flows:
                for because, sums in flow.parts.items():
                    money = [f"{amount:.2f}" for amount in (sums.revenue_before, sums.revenue_after)]
                    rows.writerow([by, flow.before, flow.after, flow.direction, because, sums.customers, *money])


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")
