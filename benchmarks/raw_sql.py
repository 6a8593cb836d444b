"""The yardstick: cleaning, netting, audit and RFM in hand-written DuckDB SQL (`clean_rfm.sql`), nothing else.

Usage: python benchmarks/raw_sql.py INPUT OUTPUT_FOLDER [--threads N] [--memory-limit 2500MB] [--temp-dir DIR]
"""

import argparse
import tempfile
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clock import Clock

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
LAYOUT = HERE.parent / "src" / "regulars" / "layouts" / "uci_online_retail.toml"
MARK = "-- stage: "
SERVICES = """
SELECT code FROM (SELECT DISTINCT "StockCode" AS code FROM read_parquet(?))
WHERE upper(trim(code)) IN (SELECT unnest(?))
   OR len(list_filter(?, lambda prefix: starts_with(upper(trim(code)), prefix))) > 0
ORDER BY code
"""
AUDIT = "SELECT rule, rows, amount, orders_left, customers_left FROM audit ORDER BY reason"
UNMATCHED = "SELECT count(*), coalesce(-sum(left_2 * pr), 0) FROM netted WHERE q < 0 AND left_2 < 0"


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def service_codes(con: "duckdb.DuckDBPyConnection", source: str) -> list[str]:
    """The source's own spellings of the codes that are not products."""
    layout = tomllib.loads(LAYOUT.read_text(encoding="utf-8"))
    listed = [source, layout["non_products"], layout["non_product_prefixes"]]
    return [code for (code,) in con.execute(SERVICES, listed).fetchall()]


def stages(text: str) -> list[tuple[str, str]]:
    """The stages of an SQL file: name and statements."""
    parts = (part.partition("\n") for part in text.split(MARK)[1:])
    return [(name.strip(), statements) for name, _, statements in parts]


def money(value: int) -> Decimal:
    """Ten-thousandths as decimal."""
    return Decimal(value).scaleb(-4)


def facts(con: "duckdb.DuckDBPyConnection") -> dict[str, Any]:
    """What run.py compares with the other programs' results, and the whole audit."""
    rows = con.execute(AUDIT).fetchall()
    _, lines, kept, orders, customers = rows[-1]
    unmatched, value = con.execute(UNMATCHED).fetchall()[0]
    return {
        "lines": lines,
        "orders": orders,
        "customers": customers,
        "revenue": money(kept),
        "unmatched_returns": unmatched,
        "unmatched_amount": money(value),
        "audit": [(rule, n, money(amount), *left) for rule, n, amount, *left in rows],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="2500MB")
    parser.add_argument("--temp-dir", default=tempfile.gettempdir())
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    clock = Clock("start")
    import duckdb

    settings = {"threads": asked.threads, "memory_limit": asked.memory_limit, "preserve_insertion_order": "false"}
    with (
        tempfile.TemporaryDirectory(dir=asked.temp_dir) as spill,
        duckdb.connect(config=settings | {"temp_directory": spill}) as con,
    ):
        con.execute("SET enable_progress_bar = false")
        clock.stage("services")
        codes = service_codes(con, asked.source)
        put = {
            "source": f"read_parquet({quoted(asked.source)})",
            "services": ", ".join(map(quoted, codes)) or "NULL",
            "target": quoted(str(asked.folder / "customers.parquet")),
        }
        for name, statements in stages((HERE / "clean_rfm.sql").read_text(encoding="utf-8")):
            clock.stage(name)
            con.execute(statements.format(**put))
        clock.tell(**facts(con))


if __name__ == "__main__":
    main()
