"""The value benchmark at a small size: customers are what they are said to be, and regulars finds their truth again."""

from types import SimpleNamespace

import duckdb
import numpy as np
import pytest

from clock import Clock
from make_histories import OLDEST, ORDERS, SPEND, live, make_histories
from measuring import Run
from value_regulars import value
from value_tables import END, START, record, show
from valuing.living import live as live_order_by_order

CUSTOMERS = 2_000


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """2,000 made customers as the benchmark makes them."""
    path = tmp_path_factory.mktemp("value") / "histories.parquet"
    make_histories(CUSTOMERS, path)
    return path


@pytest.fixture(scope="module")
def valued(histories, tmp_path_factory):
    """What the stages of regulars found and wrote."""
    folder = tmp_path_factory.mktemp("valued")
    machine = {"memory_limit": "500MB", "threads": 1, "temp_dir": None}
    clock = Clock("start")
    facts = value(histories, folder, model="mbg-nbd", machine=machine, clock=clock)
    return SimpleNamespace(facts=facts, stages=list(clock.seconds), forecasts=folder / "forecasts.parquet")


def test_the_same_number_gives_the_same_customers(histories, tmp_path):
    make_histories(CUSTOMERS, tmp_path / "again.parquet")

    assert (tmp_path / "again.parquet").read_bytes() == histories.read_bytes()


def test_every_history_can_be(histories):
    broken = duckdb.sql(
        f"""SELECT * FROM '{histories}' WHERE NOT (
            age_days BETWEEN 1 AND {OLDEST} AND repeat_orders BETWEEN 0 AND active_days AND active_days <= age_days
            AND (repeat_orders > 0) = (repeat_value IS NOT NULL) AND recency_days = age_days - active_days
            AND frequency = repeat_orders + 1 AND monetary > 0 AND abs(order_value * frequency - monetary) < 0.005
            AND last_year BETWEEN 0 AND monetary AND (age_days > 365 OR last_year = monetary) AND next_90_days >= 0)"""
    ).fetchall()
    ids = duckdb.sql(f"SELECT count(DISTINCT customer_id) FROM '{histories}'").fetchall()

    assert broken == []
    assert ids == [(CUSTOMERS,)]


def test_customers_live_as_those_who_are_made_order_by_order():
    at_once = live(np.random.default_rng(1), 20_000, oldest=399)
    stepwise = live_order_by_order("mbg-nbd", tuple(ORDERS.values()), customers=20_000, horizon=90, seed=2)

    for name, other in (
        ("age_days", stepwise.age),
        ("repeat_orders", stepwise.repeats),
        ("active_days", stepwise.active),
        ("next_90_days", stepwise.later),
    ):
        error = np.hypot(at_once[name].std(), other.std()) / np.sqrt(20_000)
        assert at_once[name].mean() == pytest.approx(other.mean(), abs=4 * error), name
    assert (at_once["repeat_orders"] == 0).mean() == pytest.approx((stepwise.repeats == 0).mean(), abs=0.02)


def test_the_truth_is_found(valued):
    found, errors = valued.facts["parameters"], valued.facts["standard errors"]

    assert valued.facts["customers"] == CUSTOMERS
    for name, truth in ORDERS.items():
        assert found[name] == pytest.approx(truth, abs=3 * errors[name]), name
    mean_rate, mean_chance_to_leave = found["r"] / found["alpha"], found["a"] / (found["a"] + found["b"])
    assert mean_rate == pytest.approx(0.5 / 45, rel=0.15)
    assert mean_chance_to_leave == pytest.approx(0.9 / 2.5, rel=0.15)
    for name, truth in SPEND.items():
        assert valued.facts["money"][name] == pytest.approx(truth, rel=0.25), name
    assert valued.facts["notes"] == []


def test_everybody_is_forecast_and_as_many_come_as_expected(valued, histories):
    facts = valued.facts
    both = f"'{valued.forecasts}' SEMI JOIN '{histories}' USING (customer_id)"

    assert duckdb.sql(f"SELECT count(DISTINCT customer_id) FROM {both}").fetchall() == [(CUSTOMERS,)]
    assert facts["forecast"] == facts["with a chance"] == facts["with a value"] == CUSTOMERS
    assert facts["expected"] == pytest.approx(facts["came"], rel=0.15)
    assert facts["expected to come"] == pytest.approx(facts["customers who came"], rel=0.15)


def test_the_stages_are_told_apart(valued):
    assert valued.stages == ["start", "group", "fit", "group money", "fit money", "score"]


def _run(seconds: float, **more) -> Run:
    stages = {"group": seconds, "fit": seconds, "score": seconds}
    facts = {"parameters": ORDERS, "expected": 11, "came": 10}
    return Run(wall=4 * seconds, processor=1, peak_bytes=10**8, read_bytes=None, seconds=stages, facts=facts, **more)


def test_ratios_and_what_failed_stand_in_the_table():
    runs = {"regulars": [_run(1)], "lifetimes": [_run(3)], "pymc-marketing": [_run(9, failed="did not fit")]}

    table = show(500, runs, dict.fromkeys(runs, "MBG/NBD"), rounds=1)

    assert "| regulars | MBG/NBD | 4.00 | 1.00 | 2.00 | 1.00 | 1.00 | 1.00 | 1.0 | 100 |" in table
    assert "| lifetimes | MBG/NBD | 12.00 | 3.00 | 6.00 | 3.00 | 3.00 | 3.00 | 1.0 | 100 |" in table
    assert "| pymc-marketing | MBG/NBD | did not fit |" in table
    assert "| regulars | r 0.5 · alpha 45 · a 0.9 · b 1.6 | 1.1000 |" in table


def test_a_section_takes_the_place_of_its_last_one(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Before\n\n{START}\n{END}\n\nAfter\n", "utf-8")

    for section in ("### 1,000 customers\n\nold\n", "### 20 customers\n\nfew\n", "### 1,000 customers\n\nnew\n"):
        record(readme, section)

    assert readme.read_text("utf-8") == (
        f"# Before\n\n{START}\n\n### 20 customers\n\nfew\n\n### 1,000 customers\n\nnew\n\n{END}\n\nAfter\n"
    )
