"""The floor: read the columns that cleaning needs, and do nothing with them but a sum.

Usage: python benchmarks/scan.py INPUT OUTPUT_FOLDER [--threads N]
"""

import argparse

from clock import Clock

SCAN = """
SELECT count(*), bit_xor(hash("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"))
FROM read_parquet(?)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    clock = Clock("start")
    import duckdb

    clock.stage("scan")
    with duckdb.connect(config={"threads": asked.threads}) as con:
        lines, _ = con.execute(SCAN, [asked.source]).fetchall()[0]
    clock.tell(lines=lines)


if __name__ == "__main__":
    main()
