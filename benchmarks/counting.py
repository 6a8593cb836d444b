"""Count what regulars asks of DuckDB: queries, scans of each table or file, and the Arrow bytes that come to Python.

Nothing runs twice: each query is explained (planned, not executed) just before it runs, and the plan's scans are counted.
A table that a query names twice but DuckDB reads once counts once; what scans nothing (settings, views, empty tables) is
no query.

    with counting() as queries:
        queries.stage = "clean"
        ...
    queries.by_stage()["clean"].scans["READ_PARQUET"]
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FILES = ("READ_PARQUET", "READ_CSV")
WORK = (
    "SELECT",
    "WITH",
    "FROM",
    "CREATE TABLE",
    "CREATE TEMP",
    "CREATE OR REPLACE T",
    "INSERT",
    "COPY",
    "UPDATE",
    "DELETE",
)
CATALOGUE = (
    "current_setting(",
    "current_database(",
    "current_schema(",
    "information_schema",
    "duckdb_",
    "CREATE TEMPORARY VIEW",
)
NO_TABLE = ("DUMMY_SCAN", "CTE_SCAN", "COLUMN_DATA_SCAN", "EMPTY_RESULT")
READS = ("to_arrow_table", "fetch_arrow_table", "arrow")


@dataclass(slots=True)
class Count:
    """What a stage asked for: queries, scans by file function or table, bytes that came to Python as Arrow tables."""

    queries: int = 0
    scans: Counter[str] = field(default_factory=Counter)
    arrow_bytes: int = 0

    @property
    def source_scans(self) -> int:
        """Scans of files: of what was read in place."""
        return sum(self.scans[name] for name in FILES)


@dataclass(slots=True)
class Query:
    """One statement that scanned something."""

    stage: str
    sql: str
    scans: Counter[str]
    arrow_bytes: int = 0


class Queries(list[Query]):
    """All statements that scanned something, in order; `stage` is what the next ones belong to."""

    stage = ""

    def by_stage(self) -> dict[str, Count]:
        """Sums per stage, in order."""
        counts: dict[str, Count] = {}
        for query in self:
            count = counts.setdefault(query.stage, Count())
            count.queries += 1
            count.scans += query.scans
            count.arrow_bytes += query.arrow_bytes
        return counts

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON."""
        return {
            stage: {
                "queries": count.queries,
                "source_scans": count.source_scans,
                "scans": dict(count.scans),
                "arrow_bytes": count.arrow_bytes,
            }
            for stage, count in self.by_stage().items()
        }


class Counted:
    """A DuckDB connection or relation that writes down its statements and what is fetched from it."""

    def __init__(self, inner: Any, queries: Queries) -> None:
        self._inner, self._queries = inner, queries
        self._last: Query | None = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._fetching(value) if name in READS else value

    def __enter__(self) -> "Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def execute(self, query: Any, *more: Any, **options: Any) -> "Counted":
        """Write a statement down and run it."""
        self._note(query)
        self._inner.execute(query, *more, **options)
        return self

    def sql(self, query: Any, *more: Any, **options: Any) -> "Counted":
        """Write a statement down and make its relation."""
        self._note(query)
        relation = Counted(self._inner.sql(query, *more, **options), self._queries)
        relation._last = self._last
        return relation

    def _note(self, query: Any) -> None:
        self._last = None
        if isinstance(query, str) and _works(query) and (scans := _scans(self._inner, query)):
            self._last = Query(self._queries.stage, query, scans)
            self._queries.append(self._last)

    def _fetching(self, fetch: Any) -> Any:
        def fetched(*args: Any, **options: Any) -> Any:
            table = fetch(*args, **options)
            if self._last is not None:
                self._last.arrow_bytes += getattr(table, "nbytes", 0)
            return table

        return fetched


@contextlib.contextmanager
def counting() -> Iterator[Queries]:
    """Count on every DuckDB connection that Ibis opens inside the block."""
    from ibis.backends.duckdb import Backend

    queries, connect = Queries(), Backend.do_connect

    def counted(self: Backend, *args: Any, **options: Any) -> None:
        connect(self, *args, **options)
        self.con = Counted(self.con, queries)

    Backend.do_connect = counted
    try:
        yield queries
    finally:
        Backend.do_connect = connect


def _works(query: str) -> bool:
    """Whether a statement reads or writes rows: not a setting, a view or a look into the catalogue."""
    start = " ".join(query[:200].split())
    return start.upper().startswith(WORK) and not any(word in start for word in CATALOGUE)


def _scans(con: Any, query: str) -> Counter[str]:
    """Scans in a statement's plan, by file function or table."""
    import duckdb

    try:
        plan = json.loads(con.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()[0][1])
    except duckdb.Error:  # its own run tells what is wrong with it
        return Counter()
    found: Counter[str] = Counter()
    steps = list(plan)
    while steps:
        step = steps.pop()
        steps += step["children"]
        facts = step["extra_info"]
        if "Table" in facts:
            found[str(facts["Table"]).rsplit(".", 1)[-1]] += 1
        elif (name := step["name"].strip()) in FILES or ("SCAN" in name and name not in NO_TABLE):
            found[name] += 1
    return found
