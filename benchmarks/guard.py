"""What a run may ask of the engine: queries, scans of the source and bytes brought to Python, stage by stage, as recorded.

Counts, not times: they are the same on every machine. tests/test_cost.py compares them with guard.json.

Usage: python benchmarks/guard.py      (measures, and writes guard.json anew)
"""

import json
import tempfile
from pathlib import Path

from counting import counting
from make_lines import make_lines
from with_regulars import stage_of

RECORD = Path(__file__).with_suffix(".json")
LINES, CELLS_FROM = 20_000, 500  # few lines, but the way of many customers
COUNTED = ("queries", "source_scans", "arrow_bytes")


def measure(folder: Path) -> dict[str, dict[str, int]]:
    """Segment made lines in `folder`; stage → what is counted."""
    from regulars import binning, pipeline, reading, writing
    from regulars.backtesting import windows

    source = folder / "lines.parquet"
    make_lines(LINES, source)
    usual, binning.CELLS_FROM = binning.CELLS_FROM, CELLS_FROM
    most, windows.MOST_WINDOWS = windows.MOST_WINDOWS, 1  # each costs the same, so one is enough
    try:
        with counting() as queries:

            def tell(words: str, done: int, total: int) -> None:
                queries.stage = stage_of(words)

            tell("Reading", 0, 0)
            orders = reading.read(source)
            result = pipeline.segment(orders, progress=tell)
            writing.write_run(result, folder / "run", figures=False, customers_csv=False, progress=tell)
    finally:
        binning.CELLS_FROM, windows.MOST_WINDOWS = usual, most
    return {stage: {name: facts[name] for name in COUNTED} for stage, facts in queries.to_dict().items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        RECORD.write_text(json.dumps(measure(Path(scratch)), indent=1) + "\n", "utf-8")
    print(RECORD.read_text("utf-8"))
