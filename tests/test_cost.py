"""What a run asks of the engine does not grow unnoticed: counts per stage, as recorded in benchmarks/guard.json."""

import json

from guard import RECORD, measure


def test_no_stage_asks_for_more_than_is_recorded(tmp_path):
    recorded = json.loads(RECORD.read_text("utf-8"))

    counted = measure(tmp_path)

    assert list(counted) == list(recorded)
    for stage, limits in recorded.items():
        for name, limit in limits.items():
            most = limit * 1.05 if name == "arrow_bytes" else limit
            assert counted[stage][name] <= most, (
                f"{stage}: {counted[stage][name]} {name}, recorded are {limit}; if meant, run benchmarks/guard.py"
            )
