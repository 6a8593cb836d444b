"""Engines beside DuckDB: order lines in a PostgreSQL, and a Spark session that is waited for.

REGULARS_BENCH_POSTGRES is the address of a database in which the table `benchmark_lines` may be made,
`postgres://user:password@host:port/database`.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

TABLE = "benchmark_lines"
KINDS = {"BIGINT": "bigint", "INTEGER": "integer", "DOUBLE": "double precision"}


def postgres_address() -> str | None:
    """The address of the PostgreSQL for benchmarks, where there is one."""
    return os.environ.get("REGULARS_BENCH_POSTGRES")


def load_postgres(source: Path) -> None:
    """Put a Parquet file of order lines into PostgreSQL, in pieces of a million lines."""
    import psycopg

    lines = duckdb.connect()
    lines.execute(f"CREATE VIEW lines AS FROM '{source}'")
    columns = lines.execute("SELECT column_name, column_type FROM (DESCRIBE lines)").fetchall()
    kinds = {name: "timestamp" if kind.startswith("TIMESTAMP") else KINDS.get(kind, "text") for name, kind in columns}
    with psycopg.connect(postgres_address() or "") as con:
        con.execute(f"DROP TABLE IF EXISTS {TABLE}")
        shown = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
        con.execute(f"CREATE TABLE {TABLE} ({shown})")
        told = lines.sql("FROM lines").to_arrow_reader(1_000_000)
        with con.cursor().copy(f"COPY {TABLE} FROM STDIN") as copy:
            for piece in told:
                for row in zip(*(column.to_pylist() for column in piece.columns), strict=True):
                    copy.write_row(row)
    with psycopg.connect(postgres_address() or "", autocommit=True) as con:
        con.execute(f"VACUUM ANALYZE {TABLE}")


def postgres_lines() -> Any:
    """The order lines as an Ibis table: regulars then works inside PostgreSQL."""
    import ibis
    from psycopg.conninfo import conninfo_to_dict

    there = conninfo_to_dict(postgres_address() or "")
    con = ibis.postgres.connect(
        host=there["host"], port=int(there["port"]), user=there["user"], password=there["password"],
        database=there["dbname"],
    )  # fmt: skip
    return con.table(TABLE)


def end_spark() -> None:
    """Stop the session and wait for its Java, so that the system counts what that took to this process."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()
    if (gateway := SparkContext._gateway) is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            gateway.proc.wait(60)
