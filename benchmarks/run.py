"""Run every program of the benchmark in turn, and print and record what each took.

Each run is a process of its own; its time is the wall clock from start to end, its peak memory, processor seconds and
bytes read are the operating system's figures. Programs take turns, so that what else the machine does falls on all.

Usage: python benchmarks/run.py [--lines 1_000_000 10_000_000] [--rounds 3] [--only NAME …] [--data FOLDER]
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import duckdb

from engines import load_postgres, postgres_address
from make_lines import make_lines
from measuring import OPENRETAILSCIENCE, Program, Run, measure
from tables import record, show

HERE = Path(__file__).parent
PROGRAMS = {
    "scan": Program("scan.py", what="reads the columns that cleaning needs, nothing else", own_limit=True),
    "raw-sql": Program("raw_sql.py", what="clean, net, audit, RFM: hand-written DuckDB SQL", own_limit=True),
    "regulars-rfm": Program(
        "with_regulars.py", "--only", "clean-rfm", what="clean, net, audit, RFM: regulars", own_limit=True
    ),
    "polars": Program("polars_streaming.py", what="simple cleaning, RFM: Polars, streaming"),
    "openretailscience-duckdb": Program(
        "openretailscience_rfm.py", "--form", "duckdb", python=OPENRETAILSCIENCE, what="RFM scores only, on DuckDB"
    ),
    "openretailscience-pandas": Program(
        "openretailscience_rfm.py", "--form", "pandas", python=OPENRETAILSCIENCE, what="RFM scores only, on pandas"
    ),
    "regulars": Program("with_regulars.py", what="the whole run: segments, names, figures, files", own_limit=True),
    "duckdb-csv": Program(
        "duckdb_csv.py", what="reads CSV into the same types: DuckDB, told the types", own_limit=True, entry="csv"
    ),
    "regulars-csv": Program(
        "with_regulars.py", "--only", "read", what="reads the same CSV: regulars", own_limit=True, entry="csv"
    ),
    "notebook": Program("notebook_pandas.py", what="simple cleaning, RFM, K-Means, four pictures: pandas"),
    "regulars-clusters": Program(
        "with_regulars.py",
        "--only",
        "clusters",
        what="the clustering stage alone, k = 2…8, with stability",
        own_limit=True,
        entry="customers",
    ),
    "sklearn": Program(
        "sklearn_all_points.py",
        what="K-Means for k = 2…8 on all customers, 10 starts each",
        entry="customers",
        once=True,
    ),
}
SPARK = ("--engine", "spark", "--master", "local[2]")
PROGRAMS |= {
    "regulars-rfm-postgres": Program(
        "with_regulars.py", "--only", "clean-rfm", what="clean, net, audit, RFM: regulars inside PostgreSQL",
        own_limit=True, entry="postgres",
    ),
    "regulars-postgres": Program(
        "with_regulars.py", what="the whole run: regulars inside PostgreSQL", own_limit=True, entry="postgres"
    ),
    "regulars-rfm-spark": Program(
        "with_regulars.py", "--only", "clean-rfm", *SPARK, what="clean, net, audit, RFM: regulars on Spark, local[2]",
        own_limit=True,
    ),
    "regulars-spark": Program(
        "with_regulars.py", *SPARK, what="the whole run: regulars on Spark, local[2]", own_limit=True
    ),
}  # fmt: skip
CSV_UP_TO = 500_000_000  # bytes of the Parquet file; more would need much disk as CSV
EQUAL = ("lines", "orders", "customers", "revenue")
ALIKE = ("raw-sql", *(f"regulars{what}{where}" for what in ("", "-rfm") for where in ("", "-postgres", "-spark")))


def apart(work: Callable[..., object], *given: object) -> None:
    """Do what takes memory in a process of its own: a program inherits the peak of the process that starts it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *given).result()


def write_csv(source: Path, target: Path) -> None:
    """Write a Parquet file as CSV."""
    duckdb.execute(f"COPY (FROM '{source}') TO '{target}'")


def compare(source: Path, names: list[str], *, rounds: int, scratch: Path) -> dict[str, list[Run]]:
    """Run the programs in turn; one that failed for want of memory or time is not asked again."""
    entries = {"lines": source, "csv": scratch / "lines.csv", "customers": scratch / "customers.parquet"}
    entries["postgres"] = Path("postgres")
    needed = {PROGRAMS[name].entry for name in names}
    if "postgres" in needed:
        apart(load_postgres, source)
    if "customers" in needed:
        measure(PROGRAMS["raw-sql"], source, scratch)
    if "csv" in needed:
        if source.stat().st_size > CSV_UP_TO:
            names = [name for name in names if PROGRAMS[name].entry != "csv"]
        else:
            apart(write_csv, source, entries["csv"])
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            program = PROGRAMS[name]
            if runs[name] and (program.once or runs[name][-1].failed):
                continue
            run = measure(program, entries[program.entry], scratch / f"{name}-{number}")
            runs[name].append(run)
            print(f"  {source.name}, round {number + 1}: {name} {run}", file=sys.stderr, flush=True)
    return runs


def is_available(name: str) -> bool:
    """Whether the engine of a program is there: nobody has to install Spark and PostgreSQL for the others."""
    if PROGRAMS[name].entry == "postgres":
        return postgres_address() is not None
    return "spark" not in name or find_spec("pyspark") is not None


def check_equal(runs: dict[str, list[Run]]) -> None:
    """Stop where regulars and the hand-written SQL do not agree."""
    told = {
        name: {fact: str(run[-1].facts[fact]) for fact in EQUAL}
        for name, run in runs.items()
        if name in ALIKE and not run[-1].failed
    }
    if len({tuple(facts.values()) for facts in told.values()}) > 1:
        raise SystemExit(f"The programs do not agree: {told}")


def sources(lines: list[int], folder: Path) -> list[Path]:
    """The real file where it is there, then made ones; what is missing is made."""
    data = Path(os.environ.get("REGULARS_TEST_DATA", HERE.parent.parent / "shared" / "data"))
    found = [path for path in [data / "online_retail.parquet"] if path.exists()]
    if not found:
        print(
            f"{data} has no online_retail.parquet; set REGULARS_TEST_DATA to the folder that has it.", file=sys.stderr
        )
    folder.mkdir(parents=True, exist_ok=True)
    for number in lines:
        name = f"{number // 1_000_000}m" if number % 1_000_000 == 0 else str(number)
        path = folder / f"{name}.parquet"
        if not path.exists():
            print(f"Making {path} …", file=sys.stderr, flush=True)
            part = path.with_suffix(".part.parquet")
            apart(make_lines, number, part)
            part.rename(path)
        found.append(path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, metavar="NAME", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--data", type=Path, default=HERE / "results", help="where order lines are kept, or made")
    asked = parser.parse_args()
    names = asked.only or [name for name in PROGRAMS if is_available(name)]
    for source in sources(asked.lines, asked.data):
        with tempfile.TemporaryDirectory() as folder:
            runs = compare(source, names, rounds=asked.rounds, scratch=Path(folder))
        check_equal(runs)
        section = show(source, runs, {name: PROGRAMS[name].what for name in names}, rounds=asked.rounds)
        print(section, flush=True)
        if not asked.only:
            record(HERE / "README.md", section)


if __name__ == "__main__":
    main()
