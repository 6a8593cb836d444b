"""Make order lines in the UCI shape, as many as wanted: two years and 5.5 million customers for 100 million lines.

All kinds of dirt are in: lines exported twice (beside each other, and again at the end of the file), orders without a
customer, cancellations that undo a purchase in whole or in part, returns without a purchase, prices and quantities of
zero, postage and fees, customers who buy from two countries. The same number of lines always gives the same rows (with
the same DuckDB: its `hash` is the source of chance).

Usage: python benchmarks/make_lines.py 1_000_000 lines.parquet [--shuffle SEED]   (also .csv; --shuffle: other order)
"""

import argparse
from pathlib import Path

import duckdb

LINES_PER_ORDER, LINES_PER_CUSTOMER = 5.5, 16.5

MACROS = """
CREATE MACRO u(i, salt) AS (hash(xor(hash(i), hash(salt))) % 9007199254740992) / 9007199254740992.0;
"""

#: Orders in the order of time: the newest customers buy most, every twentieth is a regular and buys more.
ORDERS = """
CREATE VIEW chosen AS
SELECT i, i / {orders} AS f, floor({customers} * (i / {orders} + 0.2) / 1.2 * (1 - u(i, 1) ** 2))::BIGINT AS c
FROM (SELECT range::BIGINT AS i FROM range({orders}));
CREATE VIEW orders AS
SELECT i, f, CASE WHEN u(i, 2) < 0.25 THEN c // 20 * 20 ELSE c END AS c,
       least(80, 1 + floor(-ln(1 - u(i, 3)) * 5))::INT AS lines,
       TIMESTAMP '2023-01-01 00:00:00'
         + to_seconds(floor(f * 730)::BIGINT * 86400 + 28800 + floor(43200 * f * 730 % 43200)::BIGINT) AS moment
FROM chosen;
"""

LINES = """
CREATE VIEW bought AS
SELECT i, c, moment, l, hash(i * 128 + l) AS h, floor(20000 * u(i * 128 + l, 5) ** 2)::INT AS p,
       (1 + floor(u(i * 128 + l, 6) ** 3 * 12))::INT AS q
FROM (SELECT *, unnest(range(lines)) AS l FROM orders);

CREATE VIEW sold AS
SELECT i, l, h, c, p,
       (536365 + i)::VARCHAR AS "InvoiceNo",
       CASE WHEN u(h, 7) < 0.003 THEN 'POST' WHEN u(h, 7) < 0.004 THEN 'M'
            ELSE (10000 + p)::VARCHAR || CASE p % 3 WHEN 0 THEN '' WHEN 1 THEN 'A' ELSE 'B' END END AS "StockCode",
       'GIFT ARTICLE NUMBER ' || p || CASE p % 4 WHEN 0 THEN ' RED' WHEN 1 THEN ' BLUE' WHEN 2 THEN ' VINTAGE' ELSE '' END
         AS "Description",
       CASE WHEN u(h, 8) < 0.0005 THEN 0 ELSE q END AS "Quantity",
       moment AS "InvoiceDate",
       CASE WHEN u(h, 9) < 0.001 THEN 0 ELSE (29 + floor(u(p, 10) ** 4 * 5000)) / 100 END::DOUBLE AS "UnitPrice",
       CASE WHEN u(i, 11) < 0.06 THEN NULL ELSE 12346 + c END AS "CustomerID",
       CASE WHEN u(c, 12) < 0.85 OR (u(c, 13) < 0.1 AND u(i, 14) < 0.5) THEN 'United Kingdom'
            ELSE ['Germany', 'France', 'EIRE', 'Spain', 'Netherlands', 'Belgium', 'Switzerland', 'Portugal'][1 + c % 8] END
         AS "Country"
FROM bought;

CREATE VIEW returned AS
SELECT i, l, h, c, p, 'C' || "InvoiceNo" AS "InvoiceNo", "StockCode", "Description",
       -CASE WHEN u(h, 16) < 0.6 THEN "Quantity" ELSE 1 END * CASE WHEN u(h, 17) < 0.05 THEN 100 ELSE 1 END AS "Quantity",
       "InvoiceDate" + to_seconds(600 + floor(u(i, 18) * 2592000)::BIGINT) AS "InvoiceDate",
       "UnitPrice", "CustomerID", "Country"
FROM sold WHERE u(i, 15) < 0.06 AND u(h, 19) < 0.4;
"""

#: Copies beside the line, then what was exported a second time.
ALL = """
SELECT {columns} FROM (SELECT *, unnest(range(CASE WHEN u(h, 20) < 0.006 THEN 2 ELSE 1 END)) FROM sold)
UNION ALL SELECT {columns} FROM returned
UNION ALL SELECT {columns} FROM sold WHERE i > {orders} * 0.998
"""

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


def make_lines(lines: int, path: Path, *, shuffle: int | None = None) -> int:
    """Write about `lines` order lines; returns how many they are."""
    orders = round(lines / LINES_PER_ORDER * 0.96)
    facts = {
        "orders": orders,
        "customers": round(lines / LINES_PER_CUSTOMER),
        "columns": ", ".join(f'"{name}"' for name in COLUMNS),
    }
    kind = "CSV" if path.suffix == ".csv" else "PARQUET"
    with duckdb.connect() as con:
        con.execute(MACROS + (ORDERS + LINES).format(**facts))
        query = ALL.format(**facts)
        if shuffle is not None:
            query = f"SELECT * FROM ({query}) ORDER BY hash(hash(COLUMNS(*))), {shuffle}"
        return int(con.execute(f"COPY ({query}) TO '{path}' (FORMAT {kind})").fetchall()[0][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--shuffle", type=int)
    asked = parser.parse_args()
    print(f"{make_lines(asked.lines, asked.path, shuffle=asked.shuffle):,} lines in {asked.path}")


if __name__ == "__main__":
    main()
