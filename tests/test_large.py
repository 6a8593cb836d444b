"""Many lines and many customers: the same results as a person would count, whatever the machine.

The lines are made by `benchmarks/make_lines.py`, with all kinds of dirt.
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import oracles
import regulars as rg
from make_lines import make_lines
from regulars import binning
from regulars.binning import learn_scale
from regulars.cleaning import copies, grouping
from regulars.clustering import fit_scale

SERVICES = ["POST", "M"]  # those that make_lines writes


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """About 420,000 lines of 21,000 customers."""
    path = tmp_path_factory.mktemp("large") / "lines.parquet"
    make_lines(420_000, path)
    return path


@pytest.fixture(scope="module")
def fewer(tmp_path_factory) -> Path:
    """About 120,000 lines of 6,000 customers."""
    path = tmp_path_factory.mktemp("large") / "fewer.parquet"
    make_lines(120_000, path)
    return path


def person(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Recency, orders and money of each customer, and the rows that each step leaves, counted with pandas."""
    lines = pd.read_parquet(path)
    left = {"raw": len(lines)}
    lines = lines.drop_duplicates()
    left["duplicate"] = len(lines)
    last_day = lines["InvoiceDate"].max().normalize()
    for step, drop in (
        ("no customer", lambda t: t["CustomerID"].isna()),
        ("zero quantity", lambda t: t["Quantity"] == 0),
        ("no price", lambda t: t["UnitPrice"] <= 0),
        ("not a product", lambda t: t["StockCode"].isin(SERVICES)),
    ):
        lines = lines[~drop(lines)]
        left[step] = len(lines)
    lines = lines.rename(columns={"InvoiceDate": "ordered_at", "InvoiceNo": "order_id", "Quantity": "q"})
    lines["price"] = (lines["UnitPrice"] * 100).round().astype(int)
    pair = ["CustomerID", "StockCode"]
    returned = lines.loc[lines["q"] < 0, pair].drop_duplicates()
    touched = lines.reset_index().merge(returned, on=pair).set_index("index")
    after = pd.Series(oracles.take_back(touched, by=pair), index=touched.index)
    lines["left"] = after.reindex(lines.index).fillna(lines["q"]).astype(int)
    kept = lines[(lines["q"] > 0) & (lines["left"] > 0)]
    left["returned purchase"] = len(kept)
    kept = kept.assign(cents=kept["left"] * kept["price"])
    people = kept.groupby("CustomerID").agg(
        last=("ordered_at", "max"), frequency=("order_id", "nunique"), cents=("cents", "sum")
    )
    people["recency_days"] = (last_day + pd.Timedelta(days=1) - people["last"].dt.normalize()).dt.days
    return people, left


def found(cleaned: rg.Cleaned) -> pd.DataFrame:
    people = rg.build_features(cleaned, as_of=cleaned.audit.last_day + timedelta(days=1))
    return people.order_by("customer_id").to_pandas()


def test_every_customer_is_as_pandas_counts_them(tmp_path):
    million = tmp_path / "lines.parquet"
    make_lines(1_000_000, million)
    truth, left = person(million)

    cleaned = rg.clean(rg.read(million))
    people = found(cleaned)

    rows = {line.rule: line.rows_left for line in cleaned.audit.lines}
    assert {step: rows[step] for step in left} == left
    assert cleaned.audit.reconciles
    truth.index = truth.index.astype(int).astype(str)
    truth = truth.sort_index()
    assert list(people["customer_id"]) == list(truth.index)
    assert list(people["recency_days"]) == list(truth["recency_days"])
    assert list(people["frequency"]) == list(truth["frequency"])
    assert list(people["monetary"]) == [Decimal(int(cents)) / 100 for cents in truth["cents"]]


def test_the_lazy_lines_say_the_same_as_the_audit(many):
    cleaned = rg.clean(rg.read(many))
    lines, aside = cleaned.table, cleaned.set_aside

    kept = lines.agg(rows=lines.count(), amount=lines["amount"].sum()).to_pyarrow().to_pylist()[0]
    assert (kept["rows"], kept["amount"]) == (cleaned.audit.kept.rows_left, cleaned.audit.kept.amount_left)
    own = rg.build_features(lines, as_of=cleaned.audit.last_day + timedelta(days=1)).order_by("customer_id").to_pandas()
    pd.testing.assert_frame_equal(own.drop(columns="return_rate"), found(cleaned).drop(columns="return_rate"))
    reasons = aside.group_by("reason").agg(rows=aside.count(), amount=aside["amount"].sum()).to_pyarrow().to_pylist()
    rows = {line.rule: line.rows for line in cleaned.audit.lines if line.rows}
    assert {r["reason"]: r["rows"] for r in reasons if r["reason"] != "returned part"} == rows
    assert sum(r["amount"] for r in reasons) + kept["amount"] == cleaned.audit.raw.amount_left


def test_an_engine_without_a_hash_gives_the_same(tmp_path, monkeypatch):
    source = tmp_path / "lines.parquet"
    make_lines(20_000, source)
    usual = rg.clean(rg.read(source))

    for room in (copies, grouping):
        monkeypatch.setattr(room, "can_hash", lambda lines: False)
    other = rg.clean(rg.read(source))

    assert other.audit == usual.audit
    assert next(line.rows for line in usual.audit.lines if line.rule == "duplicate") > 50
    for name in ("table", "set_aside", "orders"):
        one, two = (getattr(cleaned, name).to_pandas() for cleaned in (usual, other))
        columns = list(one.columns)
        one, two = (frame.sort_values(columns, ignore_index=True) for frame in (one, two))
        pd.testing.assert_frame_equal(one, two)


def test_neither_threads_nor_memory_nor_the_order_of_rows_change_a_result(fewer, tmp_path, monkeypatch):
    monkeypatch.setattr(binning, "CELLS_FROM", 1_000)  # through cells, as with many customers
    shuffled = tmp_path / "shuffled.parquet"
    order = 'ORDER BY hash("InvoiceNo", "StockCode")'
    duckdb.execute(f"COPY (SELECT * FROM '{fewer}' {order}) TO '{shuffled}' (ROW_GROUP_SIZE 20_000)")

    usual = rg.segment(fewer, backtest=False, threads=1)
    other = rg.segment(shuffled, backtest=False, threads=3, memory_limit="250MB")

    assert other.audit == usual.audit
    assert other.model.to_json() == usual.model.to_json()
    assert other.segments == usual.segments
    assert other.trials == usual.trials
    assert (other.spending, other.sample, other.groups) == (usual.spending, usual.sample, usual.groups)


def test_cells_give_the_segments_that_all_customers_give(many, monkeypatch):
    exact = rg.segment(many, backtest=False)

    monkeypatch.setattr(binning, "CELLS_FROM", 1_000)
    cells = rg.segment(many, k=exact.choice.k, backtest=False)

    assert exact.customers_total > 20_000
    one, other = (
        result.customers.order_by("customer_id").select("customer_id", "segment").to_pandas()
        for result in (exact, cells)
    )
    assert list(one["customer_id"]) == list(other["customer_id"])
    assert adjusted_rand_score(one["segment"], other["segment"]) >= 0.97
    np.testing.assert_allclose(
        [trial.inertia for trial in cells.trials], [trial.inertia for trial in exact.trials], rtol=0.0005
    )


@pytest.mark.parametrize("scale", ["sqrt-log", "standard", "minmax", "robust", "log", "yeo-johnson"])
def test_a_scale_learned_in_the_engine_is_the_scale_of_all_customers(many, scale):
    cleaned = rg.clean(rg.read(many))
    people = rg.build_rfm(cleaned, as_of=cleaned.audit.last_day + timedelta(days=1)).cache()
    points = people.select("recency_days", "frequency", "monetary").to_pandas().astype(float).to_numpy()

    learned, expected = learn_scale(people, scale), fit_scale(points, scale)

    for part in ("lambdas", "offsets", "divisors"):
        np.testing.assert_allclose(getattr(learned, part), getattr(expected, part), rtol=1e-6)
