"""The peer for RFM: openretailscience's `RFMSegmentation`, on a pandas frame as its documentation shows, or on DuckDB.

RFM scores only: no duplicates, no returns, no audit. It runs in an environment of its own, which run.py makes.

Usage: python benchmarks/openretailscience_rfm.py INPUT OUTPUT_FOLDER --form pandas|duckdb [--threads N]
"""

import argparse
from pathlib import Path

from clock import Clock

COLUMNS = {"CustomerID": "customer_id", "InvoiceNo": "transaction_id", "InvoiceDate": "transaction_date"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", choices=["pandas", "duckdb"], required=True)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    target = asked.folder / "customers.parquet"
    clock = Clock("start")
    import ibis
    import pandas as pd
    from openretailscience.segmentation.rfm import RFMSegmentation

    clock.stage("read")
    if asked.form == "pandas":
        frame = pd.read_parquet(asked.source, columns=[*COLUMNS, "Quantity", "UnitPrice"])
        frame = frame.rename(columns=COLUMNS).dropna(subset="customer_id")
        frame["unit_spend"] = frame["Quantity"] * frame["UnitPrice"]
        today = (frame["transaction_date"].max() + pd.Timedelta(days=1)).date()
        clock.stage("count per customer")
        scores = RFMSegmentation(df=frame, current_date=today).df
        scores.to_parquet(target)
        customers = len(scores)
    else:
        con = ibis.duckdb.connect(threads=asked.threads, preserve_insertion_order="false")
        lines = con.read_parquet(asked.source)
        today = (lines.InvoiceDate.max().execute() + pd.Timedelta(days=1)).date()
        lines = lines.rename({new: old for old, new in COLUMNS.items()}).filter(lambda t: t.customer_id.notnull())
        lines = lines.mutate(unit_spend=lines.Quantity * lines.UnitPrice)
        clock.stage("count per customer")
        RFMSegmentation(lines, current_date=today).table.to_parquet(target)
        customers = con.read_parquet(target).count().execute()
    clock.tell(customers=int(customers))


if __name__ == "__main__":
    main()
