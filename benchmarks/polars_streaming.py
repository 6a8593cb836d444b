"""The peer for data frames beyond memory: Polars' streaming engine, cleaning as tutorials do it, then RFM.

Exact duplicates, lines without a customer, cancelled orders and bad prices are dropped; money is exact. No netting, no
audit.

Usage: python benchmarks/polars_streaming.py INPUT OUTPUT_FOLDER
"""

import sys
from pathlib import Path

from clock import Clock


def main(source: str, folder: str) -> None:
    clock = Clock("start")
    import polars as pl

    clock.stage("clean and count")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    price = (pl.col("UnitPrice") * 10_000).round().cast(pl.Int64)
    lines = (
        pl.scan_parquet(source)
        .filter(
            pl.col("CustomerID").is_not_null(),
            ~pl.col("InvoiceNo").str.starts_with("C"),
            pl.col("Quantity") > 0,
            pl.col("UnitPrice") > 0,
        )
        .unique()
    )
    orders = lines.group_by("CustomerID", "InvoiceNo").agg(
        last=pl.col("InvoiceDate").max(), amount=(pl.col("Quantity").cast(pl.Int64) * price).sum(), lines=pl.len()
    )
    people = orders.group_by("CustomerID").agg(
        last=pl.col("last").max(), frequency=pl.len(), amount=pl.col("amount").sum(), lines=pl.col("lines").sum()
    )
    table = people.collect(engine="streaming")
    today = table["last"].max()
    shown = table.select(
        customer_id="CustomerID",
        recency_days=(pl.lit(today).dt.date() - pl.col("last").dt.date()).dt.total_days() + 1,
        frequency="frequency",
        monetary=pl.col("amount") / 10_000,
    )
    shown.write_parquet(target / "customers.parquet")
    clock.tell(
        lines=table["lines"].sum(),
        orders=table["frequency"].sum(),
        customers=table.height,
        revenue=table["amount"].sum() / 10_000,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
