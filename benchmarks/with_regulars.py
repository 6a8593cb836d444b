"""The same steps with regulars, stage by stage: a whole run, or only reading, cleaning and RFM, or the clusters.

Usage: python benchmarks/with_regulars.py INPUT OUTPUT_FOLDER [--only read | clean-rfm | clusters] [--count]
       [--memory-limit 2GB] [--threads N] [--temp-dir DIR] [--engine spark] [--master local[2]]

INPUT is a file of order lines, or `postgres` for the table that run.py has filled (engines.py).
"""

import argparse
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from clock import Clock
from counting import Queries, counting
from engines import end_spark, postgres_lines

STAGES = {
    "Reading": "read",
    "Cleaning": "clean",
    "Counting per customer": "count per customer",
    "Clustering": "cluster",
    "Describing the segments": "describe",
}


def stage_of(words: str) -> str:
    """The benchmark's name of a stage that regulars tells in words."""
    for start, name in (("Drawing", "figures"), ("Writing", "write")):
        if words.startswith(start):
            return name
    return STAGES.get(words, words.lower())


def whole_run(source: Any, folder: Path, *, clock: Clock, queries: Queries, machine: dict[str, Any]) -> dict[str, Any]:
    """Everything that `regulars segment --no-backtest` does."""
    from regulars import figures, pipeline, reading, writing  # noqa: F401 - what is timed is the import

    def tell(words: str, done: int, total: int) -> None:
        queries.stage = stage_of(words)
        clock.stage(queries.stage)

    result = pipeline.segment(source, progress=tell, backtest=False, **machine)
    writing.write_run(result, folder, progress=tell)
    return {
        "lines": result.audit.kept.rows_left,
        "orders": result.orders_total,
        "customers": result.customers_total,
        "revenue": result.revenue,
        "segments": result.choice.k,
    }


def clean_rfm(source: Any, folder: Path, *, clock: Clock, queries: Queries, machine: dict[str, Any]) -> dict[str, Any]:
    """Cleaning, netting, audit and RFM: what raw_sql.py does."""
    import regulars
    from regulars.reading.bringing import bring_here

    def begin(stage: str) -> None:
        queries.stage = stage
        clock.stage(stage)

    begin("read")
    orders = regulars.read(source, **machine)
    begin("clean")
    cleaned = regulars.clean(orders)
    audit = cleaned.audit
    begin("count per customer")
    people = regulars.build_rfm(cleaned, as_of=audit.last_day + timedelta(days=1))
    folder.mkdir(parents=True, exist_ok=True)
    people = people.select("customer_id", "recency_days", "frequency", "monetary")
    bring_here(people).to_parquet(folder / "customers.parquet")
    return {
        "lines": audit.kept.rows_left,
        "orders": audit.kept.orders_left,
        "customers": audit.kept.customers_left,
        "revenue": audit.kept.amount_left,
        "unmatched_returns": audit.unmatched_returns,
        "unmatched_amount": audit.unmatched_amount,
    }


def read(source: Any, folder: Path, *, clock: Clock, queries: Queries, machine: dict[str, Any]) -> dict[str, Any]:
    """Reading only: what duckdb_csv.py does."""
    import ibis

    import regulars

    ibis.duckdb.connect().disconnect()  # what is timed as start is the import
    queries.stage = "read"
    clock.stage("read")
    orders = regulars.read(source, **machine)
    clock.stage("count")
    return {"lines": orders.table.count().to_pyarrow().as_py()}


def clusters(source: Any, folder: Path, *, clock: Clock, queries: Queries, machine: dict[str, Any]) -> dict[str, Any]:
    """The clustering stage on a file of customers: what sklearn_all_points.py does, with stability and a choice of k."""
    import ibis

    from regulars.binning import learn_clusters
    from regulars.clustering import AutoKMeans

    queries.stage = "read"
    clock.stage("read")
    con = ibis.duckdb.connect()
    con.raw_sql("SET enable_progress_bar = false")
    people = con.read_parquet(source).cache()
    count = people.count().to_pyarrow().as_py()
    queries.stage = "cluster"
    clock.stage("cluster")
    _, found = learn_clusters(people, count, "sqrt-log", estimator=AutoKMeans(n_jobs=-1))
    return {"customers": count, "inertias": {trial.k: trial.inertia for trial in found.trials_}}


RUNS = {"read": read, "clean-rfm": clean_rfm, "clusters": clusters}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=RUNS)
    parser.add_argument(
        "--count", action="store_true", help="count queries and scans; planning each twice takes a little time"
    )
    parser.add_argument("--memory-limit")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--temp-dir")
    parser.add_argument("--engine", choices=("duckdb", "spark"))
    parser.add_argument("--master")
    asked = parser.parse_args()
    names = ("memory_limit", "threads", "temp_dir", "engine", "master")
    machine = {name: value for name in names if (value := getattr(asked, name)) is not None}
    source = postgres_lines() if asked.source == "postgres" else asked.source
    run = RUNS.get(asked.only, whole_run)
    clock = Clock("start")
    with counting() if asked.count else contextlib.nullcontext(Queries()) as queries:
        facts = run(source, asked.folder, clock=clock, queries=queries, machine=machine)
    if asked.count:
        facts["asked of the engine"] = queries.to_dict()
    if asked.engine == "spark":
        end_spark()
    clock.tell(**facts)


if __name__ == "__main__":
    main()
