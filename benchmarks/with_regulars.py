"""The same steps with regulars, stage by stage.

Usage: python benchmarks/with_regulars.py INPUT OUTPUT_FOLDER   (prints seconds per stage as JSON)
"""

import json
import sys
import time

STAGES = {
    "Reading": "read",
    "Cleaning": "clean",
    "Counting per customer": "count per customer",
    "Clustering": "cluster",
    "Describing the segments": "describe",
    "Drawing figures": "figures",
}


def main(source: str, folder: str) -> None:
    clock = time.perf_counter
    start = clock()
    from regulars import figures, pipeline, reading, writing  # noqa: F401 - what is timed is the import

    seconds = {"start": clock() - start}
    stage, since = "", clock()

    def tell(name: str, done: int, total: int) -> None:
        nonlocal stage, since
        key = STAGES.get(name, "write")
        if key != stage:
            if stage:
                seconds[stage] = seconds.get(stage, 0.0) + clock() - since
            stage, since = key, clock()

    result = pipeline.segment(source, progress=tell)
    writing.write_run(result, folder, progress=tell)
    tell("", 0, 0)
    seconds[stage] = seconds.get(stage, 0.0) + clock() - since
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
