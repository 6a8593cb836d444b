"""The peer for reading text: DuckDB loads the file into the types that regulars gives it, told what they are.

Usage: python benchmarks/duckdb_csv.py LINES_CSV OUTPUT_FOLDER
"""

import sys

from clock import Clock

TYPES = {
    "InvoiceNo": "VARCHAR",
    "StockCode": "VARCHAR",
    "Description": "VARCHAR",
    "Quantity": "DECIMAL(18, 4)",
    "InvoiceDate": "TIMESTAMP",
    "UnitPrice": "DECIMAL(18, 4)",
    "CustomerID": "VARCHAR",
    "Country": "VARCHAR",
}


def main(source: str) -> None:
    clock = Clock("start")
    import duckdb

    clock.stage("read")
    con = duckdb.connect(config={"preserve_insertion_order": False})
    con.execute(f"CREATE TABLE lines AS FROM read_csv('{source}', header = true, columns = {TYPES})")
    clock.stage("count")
    clock.tell(lines=con.execute("SELECT count(*) FROM lines").fetchall()[0][0])


if __name__ == "__main__":
    main(sys.argv[1])
