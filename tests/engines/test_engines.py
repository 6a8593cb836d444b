"""One test body, every engine: a whole run in it gives what a run in DuckDB gives, to the last digit of the money.

What a run in DuckDB gives is held against pandas, published figures and hand-made tables elsewhere.
"""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ibis
import numpy as np
import pyarrow.parquet as pq
import pytest
from ibis.common.exceptions import OperationNotDefinedError

import regulars as rg
from published import assert_figures_of_the_real_file
from regulars.reading.addresses import parse_address
from regulars.schema import MEASURES, MONEY, SCORES
from regulars.scoring import learn_cuts
from servers import fill, kill, rows, stop_session

#: What an engine cannot do in a test, and why: not in ibis (notimpl), not yet in the engine (notyet), or never.
#: It is expected to fail there, so that it is noticed once it no longer does.
GAPS = {("polars", "test_cut_points_are_learned_alike"): "notimpl: ibis has no window functions for Polars"}

#: What a whole run brings over into DuckDB because of such gaps; it is said, and the run is whole.
BROUGHT = {
    "polars": "polars has no window functions: all order lines (13,227) were brought over into DuckDB.",
    "sqlite": "sqlite has no median and no quantiles: lines are cleaned there, and orders are brought over into DuckDB.",
}


@dataclass(frozen=True)
class Case:
    """A run in an engine, and the run in DuckDB that it has to equal."""

    con: Any  # ibis' connection to the engine
    found: rg.Segmentation
    told: rg.Segmentation
    handed: list[int] = field(default_factory=list)  # rows of each table that Spark handed over to Python

    def people(self):
        """Recency, frequency and money as a table of the engine; floats in SQLite, which has no decimals."""
        cells = self.told.customers.select("customer_id", *MEASURES)
        if self.con.name == "sqlite":
            cells = cells.mutate(monetary=cells["monetary"].cast("float64"))
        name = ibis.util.gen_name("people")
        if self.con.name == "pyspark":
            return self.con.create_view(name, ibis.memtable(cells.to_pyarrow()))
        return self.con.create_table(name, cells.to_pyarrow())


def embedded(engine, ask_for):
    con = getattr(ibis, engine).connect()
    table = con.create_table("order_lines", ask_for("lines"))
    yield Case(con, rg.segment(table), ask_for("sample_result"))


def in_postgres(ask_for):
    address = ask_for("postgres")
    fill(address, "order_lines", ask_for("lines"))
    found = rg.segment(f"{address}?table=order_lines", engine="database")
    yield Case(found.customers.get_backend(), found, ask_for("sample_result"))


def real_file_in_postgres(ask_for):
    address, uci = ask_for("postgres"), ask_for("uci")
    fill(address, "online_retail", pq.read_table(uci))
    there = parse_address(address).options
    con = ibis.postgres.connect(**{"database" if n == "dbname" else n: value for n, value in there.items()})
    found = rg.segment(con.table("online_retail"), backtest=False)
    assert_figures_of_the_real_file(found)  # the published ones
    yield Case(con, found, ask_for("real_result"))


@contextmanager
def handed_over(con):
    """Rows of every table that an engine hands over to Python."""
    sizes: list[int] = []

    def watched(hand_over):
        def handing(*asked, **more):
            table = hand_over(*asked, **more)
            sizes.append(getattr(table, "num_rows", 1))
            return table

        return handing

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(con, "to_pyarrow", watched(con.to_pyarrow))
        patched.delattr(type(con), "to_pyarrow_batches")
        yield sizes


def in_spark(ask_for):
    """A session that is the user's."""
    con = ask_for("spark_here")
    con.read_parquet(ask_for("lines_file"), table_name="order_lines")
    with handed_over(con) as handed:
        found = rg.segment(con.table("order_lines"), backtest=False)  # with a back-test it takes twice as long
        yield Case(con, found, ask_for("without_backtest"), handed)


def real_file_on_a_cluster_that_loses_a_worker(ask_for):
    uci, cluster = ask_for("uci"), ask_for("cluster")
    stop_session()
    orders = rg.read(uci, engine="spark", master=cluster.address)
    con = orders.table.get_backend()
    con._session.conf.set("spark.sql.codegen.wholeStage", True)  # pays with half a million lines
    con._session.conf.set("spark.sql.codegen.factoryMode", "FALLBACK")
    executors = con._session.sparkContext._jsc.sc().getExecutorMemoryStatus
    lost: list[int] = []

    def lose_one(stage: str, done: int, total: int) -> None:
        if stage == "Counting per customer" and not lost:
            assert executors().size() == 3  # two, and the driver
            lost.append(cluster.workers[0].pid)
            kill(cluster.workers[0])

    with handed_over(con) as handed:
        found = rg.segment(orders, backtest=False, progress=lose_one)
        assert lost
        assert executors().size() == 2
        assert found.notes[0] == f"Read by Spark at {cluster.address}."
        assert_figures_of_the_real_file(found)  # the published ones
        yield Case(con, found, ask_for("real_result"), handed)


CASES = {
    "duckdb": lambda ask_for: embedded("duckdb", ask_for),
    "polars": lambda ask_for: embedded("polars", ask_for),
    "sqlite": lambda ask_for: embedded("sqlite", ask_for),
    "postgres": in_postgres,
    "postgres, real file": real_file_in_postgres,
    "spark": in_spark,
    "spark cluster, real file": real_file_on_a_cluster_that_loses_a_worker,
}


@pytest.fixture(scope="module")
def without_backtest(lines):
    return rg.segment(lines, backtest=False)


@pytest.fixture(scope="module")
def real_result(uci):
    return rg.segment(uci, backtest=False)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Every test is asked of one engine before the next one is opened."""
    yield from CASES[request.param](request.getfixturevalue)


@pytest.fixture(autouse=True)
def gaps(request):
    if "case" not in request.fixturenames:
        return
    case = request.getfixturevalue("case")
    why = GAPS.get((case.con.name, request.node.originalname))
    if why is not None:
        request.applymarker(pytest.mark.xfail(strict=True, raises=OperationNotDefinedError, reason=why))


LOOK = """
import sys
from pathlib import Path
from regulars.reading import spark, staying

master, lines, folder = sys.argv[1:]
staying.check_reach(spark.connect_spark(master).read_parquet(lines), Path(folder), None)
"""


def test_a_disk_that_executors_do_not_share_is_found_out_before_a_run(cluster, lines_file, tmp_path):
    """Another file system is mounted over the folder, in a space of mounts that only the driver is in."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("Mounts of one's own need root and unshare (apt-get install util-linux).")
    mounted = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && mkdir "$0/run" && "$@"', tmp_path]
    command = [sys.executable, "-c", LOOK, cluster.address, lines_file, tmp_path / "run"]
    said = subprocess.run([*mounted, *command], check=False, capture_output=True, text=True).stderr
    assert f"OutputError: The executors at {cluster.address} do not write to the disk of {tmp_path}." in said
    assert "--set-aside-to" in said


def exactly(found: list[dict], told: list[dict]) -> None:
    """Equal rows: money, counts and words bit for bit, floats within 10⁻⁹."""
    assert len(found) == len(told)
    for name in told[0]:
        ours, theirs = ([row[name] for row in table] for table in (found, told))
        if any(isinstance(value, float) for value in theirs):
            np.testing.assert_allclose(np.array(ours, float), np.array(theirs, float), rtol=1e-9, err_msg=name)
        else:
            assert ours == theirs, name


def nearly(facts):
    """Facts to compare with: lists for tuples, floats within 10⁻⁹."""
    if isinstance(facts, dict):
        return {name: nearly(fact) for name, fact in facts.items()}
    if isinstance(facts, list | tuple):
        return [nearly(fact) for fact in facts]
    return pytest.approx(facts, rel=1e-9) if isinstance(facts, float) else facts


def listed(facts):
    """The same with lists for tuples."""
    if isinstance(facts, dict):
        return {name: listed(fact) for name, fact in facts.items()}
    return [listed(fact) for fact in facts] if isinstance(facts, list | tuple) else facts


def test_the_work_is_done_there_or_it_is_said_what_was_brought_over(case):
    note = BROUGHT.get(case.con.name)
    assert case.found.customers.get_backend().name == ("duckdb" if note else case.con.name)
    assert [each for each in case.found.notes if "brought over" in each] == ([note] if note else [])


def aside(run) -> list[dict]:
    """Rows and money that were set aside for each reason."""
    table = run.set_aside.group_by("reason").agg(n=ibis._.count(), money=ibis._.amount.sum().cast(MONEY))
    return rows(table, "reason")


def test_lines_are_cleaned_alike(case):
    assert case.found.audit == case.told.audit
    assert aside(case.found) == aside(case.told)


def test_orders_have_the_same_money(case):
    pair = ("customer_id", "order_id")
    assert rows(case.found.orders, *pair) == rows(case.told.orders, *pair)


def test_customers_have_the_same_features_scores_groups_and_segments(case):
    exactly(rows(case.found.customers), rows(case.told.customers))


def test_every_other_fact_is_the_same(case):
    own = ("source", "fingerprint", "notes")
    found, told = ({n: fact for n, fact in run.to_dict().items() if n not in own} for run in (case.found, case.told))
    assert listed(found) == nearly(told)


def test_cut_points_are_learned_alike(case):
    assert learn_cuts(case.people()) == case.told.cuts


def test_a_model_scores_and_labels_customers_there(case):
    model, shown = case.told.model, ["customer_id", *SCORES, "segment_id", "segment", "runner_up", "distance"]
    exactly(rows(model.assign(case.people()).select(shown)), rows(case.told.customers.select(shown)))


def test_a_run_folder_has_the_same_lists_to_the_byte(case, tmp_path):
    folders = [
        rg.write_run(run, tmp_path / name, figures=False, report=False)
        for name, run in (("found", case.found), ("told", case.told))
    ]
    first, second = ({file.name: file.read_bytes() for file in folder.rglob("*.csv")} for folder in folders)
    assert first == second
    assert len(first) >= 6
    again, told = map(rg.open_run, folders)
    exactly(rows(again.customers), rows(told.customers))
    assert aside(again) == aside(case.told)
    engine = json.loads((folders[0] / "run.json").read_text("utf-8"))["engine"]
    assert engine["name"] == ("duckdb" if case.con.name == "polars" else case.con.name)  # where lines were cleaned
    assert engine["version"]
    if case.con.name == "pyspark":
        lines_never_came(case.handed, folders[0], case.told)


def lines_never_came(handed, folder, told):
    """Nothing that came to the driver has more rows than there are orders; executors wrote what was set aside."""
    assert len(handed) > 40
    assert max(handed) == told.orders_total < told.audit.raw.rows_left
    assert (folder / "set_aside.parquet").is_dir()
