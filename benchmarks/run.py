"""Time each stage of a run beside the plain-pandas notebook, both in turn, and print ratios.

Inputs: the UCI file (REGULARS_TEST_DATA, default ../shared/data) where it exists, and about a million lines of the sample
shop. Every run is a process of its own; its peak memory is the operating system's figure.

Usage: python benchmarks/run.py [--rounds 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {"regulars": HERE / "with_regulars.py", "notebook": HERE / "notebook_pandas.py"}


def one_run(script: Path, source: Path, folder: Path) -> dict[str, float]:
    process = subprocess.Popen(
        [sys.executable, str(script), str(source), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{script.name} failed on {source}")
    return json.loads(printed.strip().splitlines()[-1]) | {
        "peak memory, MB": usage.ru_maxrss / 1024,
        "processor seconds": usage.ru_utime + usage.ru_stime,
    }


def compare(source: Path, rounds: int, scratch: Path) -> None:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SCRIPTS}
    for number in range(rounds):
        for name, script in SCRIPTS.items():
            found[name].append(one_run(script, source, scratch / f"{name}-{number}"))
    middle = {
        name: {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
        for name, runs in found.items()
    }
    for facts in middle.values():
        facts["whole run"] = sum(
            value for stage, value in facts.items() if stage not in ("peak memory, MB", "processor seconds")
        )
    print(f"\n## {source.name}, median of {rounds}\n")
    print("| stage | regulars | notebook | ratio |\n|---|---|---|---|")
    for stage, ours in middle["regulars"].items():
        theirs = middle["notebook"].get(stage)
        unit = "" if "memory" in stage else " s"
        digits = 0 if "memory" in stage else 2
        peer, ratio = ("–", "–") if theirs is None else (f"{theirs:.{digits}f}{unit}", f"{ours / theirs:.2f}")
        print(f"| {stage} | {ours:.{digits}f}{unit} | {peer} | {ratio} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    data = Path(os.environ.get("REGULARS_TEST_DATA", HERE.parent.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        uci = data / "online_retail.parquet"
        if uci.exists():
            compare(uci, rounds, scratch)
        else:
            print(f"{uci} is not there; set REGULARS_TEST_DATA to the folder that has it.")
        from regulars import make_orders
        from regulars.writing import write_orders

        shop = make_orders(customers=28_000, seed=1)
        orders = write_orders(shop.orders, scratch / f"sample_{shop.orders.num_rows}_lines.csv")
        compare(orders, rounds, scratch)


if __name__ == "__main__":
    main()
