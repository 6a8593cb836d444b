"""A run folder is read again as it was."""

import dataclasses
import json
import shutil

import pytest

import regulars as rg
from regulars.errors import RegularsError


@pytest.fixture(scope="module")
def result(sample_result) -> rg.Segmentation:
    return sample_result


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    return rg.write_run(result, tmp_path_factory.mktemp("runs") / "run", figures=False, report=False)


def test_every_fact_comes_back(result, folder):
    again = rg.open_run(folder)

    tables = {"customers", "orders", "set_aside"}
    for fact in dataclasses.fields(result):
        if fact.name not in tables:
            assert getattr(again, fact.name) == getattr(result, fact.name), fact.name
    assert again.to_dict() == result.to_dict()


def test_the_tables_come_back(result, folder):
    again = rg.open_run(folder)

    for name, keys in {"customers": ["customer_id"], "orders": ["customer_id", "ordered_at", "order_id"]}.items():
        one, other = (getattr(each, name).order_by(keys).to_pyarrow() for each in (result, again))
        assert other.select(one.column_names).to_pylist() == one.to_pylist()
    assert again.set_aside.count().to_pyarrow().as_py() == result.set_aside.count().to_pyarrow().as_py()


def test_the_orders_are_those_of_the_customers(result):
    orders = result.orders.to_pandas()

    assert len(orders) == result.orders_total
    assert orders["amount"].sum() == result.revenue


def test_facts_json_stands_for_its_folder(folder):
    assert rg.open_run(folder / "facts.json").customers_total > 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: run.rename(run.with_name("gone")), "does not exist"),
        (lambda run: (run / "facts.json").unlink(), "is not a run of regulars"),
        (lambda run: (run / "facts.json").write_text("{"), "is not a run of regulars"),
        (lambda run: (run / "facts.json").write_text("[]"), "holds no segments"),
        (lambda run: (run / "customers.parquet").unlink(), "customers.parquet is missing"),
        (lambda run: (run / "customers.parquet").write_bytes(b"PAR1 and no more"), "customers.parquet is damaged"),
        (lambda run: shutil.copy(run / "orders.parquet", run / "customers.parquet"), "holds parts of two runs"),
        (lambda run: (run / "orders.parquet").write_bytes(b""), "orders.parquet is damaged"),
        (lambda run: without(run, "groups"), "is damaged, or was written by another version"),
        (lambda run: without(run, "revenue"), "is damaged, or was written by another version"),
        (lambda run: (run / "model.json").write_text("{}"), "is not a model"),
    ],
)
def test_what_is_missing_is_named(result, tmp_path, spoil, words):
    run = rg.write_run(result, tmp_path / "run", figures=False, report=False)
    spoil(run)

    with pytest.raises(RegularsError, match=words):
        rg.open_run(run)


def without(run, name: str) -> None:
    facts = json.loads((run / "facts.json").read_text("utf-8"))
    del facts[name]
    (run / "facts.json").write_text(json.dumps(facts), "utf-8")
