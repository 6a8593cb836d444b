"""Make customers whose truth is known: they order as MBG/NBD tells, and spend as Gamma-Gamma tells.

Every customer has a rate of orders (gamma distributed) and a chance to leave after each order (beta distributed), the first
one included. Histories are counted until today, at most one order a day, days as whole numbers; `next_90_days` is what came
after. The same number of customers always gives the same rows (with the same numpy).

Usage: python benchmarks/make_histories.py 1_000_000 histories.parquet
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ORDERS = {"r": 0.5, "alpha": 45.0, "a": 0.9, "b": 1.6}  # alpha in days: near what is published for the shop CDNOW
SPEND = {"p": 6.0, "q": 4.0, "gamma": 15.0}  # an order is worth 30 on average
OLDEST, HORIZON, YEAR = 730, 90, 365  # days
CHUNK, SEED = 250_000, 20111210

MONEY = pa.decimal128(18, 4)
COLUMNS: dict[str, pa.DataType] = {
    "customer_id": pa.string(),
    "repeat_orders": pa.int64(),
    "active_days": pa.int64(),
    "age_days": pa.int64(),
    "order_value": pa.float64(),
    "repeat_value": pa.float64(),
    "last_year": MONEY,
    "recency_days": pa.int64(),
    "frequency": pa.int64(),
    "monetary": MONEY,
    "next_90_days": pa.int64(),
}
SCHEMA = pa.schema(COLUMNS)

Column = NDArray[np.int64] | NDArray[np.float64]


def make_histories(customers: int, path: Path) -> None:
    """Write one row per customer: `schema.HISTORIES`, the three measures, and the orders of the next 90 days."""
    with pq.ParquetWriter(path, SCHEMA) as file:
        for number, start in enumerate(range(0, customers, CHUNK)):
            rng, size = np.random.default_rng((SEED, number)), min(CHUNK, customers - start)
            lives = live(rng, size)
            file.write_table(_table(lives | spend(rng, lives), start=start))


def live(rng: np.random.Generator, customers: int, *, oldest: int = OLDEST) -> dict[str, Column]:
    """Let customers live as MBG/NBD tells: when they first came, how often until today, and in the next 90 days."""
    age = rng.integers(1, oldest + 1, customers)
    rate = rng.gamma(ORDERS["r"], 1 / ORDERS["alpha"], customers)
    allowed = rng.geometric(rng.beta(ORDERS["a"], ORDERS["b"], customers)) - 1  # repeat orders until they leave
    wished = rng.poisson(rate * age)
    repeats = np.minimum(np.minimum(wished, allowed), age)
    some = np.maximum(repeats, 1)
    last = age * rng.beta(some, np.maximum(wished - some, 0) + 1)  # of that many random moments
    active = np.where(repeats > 0, np.clip(np.rint(last), repeats, age), 0).astype(np.int64)
    later = np.minimum(rng.poisson(rate * HORIZON), np.maximum(allowed - wished, 0))
    return {"repeat_orders": repeats, "active_days": active, "age_days": age, "next_90_days": later}


def spend(rng: np.random.Generator, lives: dict[str, Column]) -> dict[str, Column]:
    """Give every order a value as Gamma-Gamma tells, in whole cents; spending is spread evenly from first to last order."""
    repeats, active, age = lives["repeat_orders"], lives["active_days"], lives["age_days"]
    usual = 1 / rng.gamma(SPEND["q"], 1 / SPEND["gamma"], len(age))
    first = np.maximum(np.rint(rng.gamma(SPEND["p"], usual) * 100), 1) / 100
    others = np.rint(rng.gamma(SPEND["p"] * repeats, usual) * 100) / 100
    spent = first + others
    recency = age - active
    share = np.clip((YEAR - recency) / np.maximum(active, 1), 0, 1)
    share = np.where(age <= YEAR, 1.0, np.where(recency > YEAR, 0.0, share))
    return {
        "order_value": spent / (repeats + 1),
        "repeat_value": np.where(repeats > 0, others / np.maximum(repeats, 1), np.nan),
        "last_year": np.rint(spent * share * 100) / 100,
        "recency_days": recency,
        "frequency": repeats + 1,
        "monetary": spent,
    }


def _table(lives: dict[str, Column], *, start: int) -> pa.Table:
    ids = np.arange(start, start + len(lives["age_days"])) + 100_000_000
    columns = {"customer_id": ids} | lives
    return pa.table(
        [pa.array(columns[name], from_pandas=True).cast(kind) for name, kind in COLUMNS.items()], schema=SCHEMA
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("customers", type=int)
    parser.add_argument("path", type=Path)
    asked = parser.parse_args()
    make_histories(asked.customers, asked.path)
    print(f"{asked.customers:,} customers in {asked.path}")


if __name__ == "__main__":
    main()
