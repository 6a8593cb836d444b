"""Spark: the same customers, scores and segments, on this machine and on a real cluster that loses a worker."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import ibis
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import regulars as rg
from published import assert_figures_of_the_real_file
from regulars.cli import main
from regulars.errors import MachineError, OptionError, SourceError
from regulars.failures import in_plain_words
from regulars.reading import spark
from regulars.schema import SCORES

pyspark = pytest.importorskip("pyspark", reason="pip install 'regulars[spark]'")

#: For small tables: no compiling of what runs once, one task where 200 would do nothing.
DEFAULTS = """
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.driver.memory 1g
spark.executor.memory 700m
spark.sql.shuffle.partitions 2
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.maxPlanStringLength 1000
"""


@pytest.fixture(scope="module", autouse=True)
def java(tmp_path_factory):
    """Skip where there is no Java; else Spark finds its settings in a folder of ours."""
    try:
        spark._check_java()
    except SourceError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text(DEFAULTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARK_CONF_DIR", str(folder))
        patched.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield


def stop_session() -> None:
    """Only one session can be open in a process."""
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- a run on this machine ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines_file(sample_shop, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "lines.parquet"
    pq.write_table(sample_shop.orders, path)
    return path


@pytest.fixture(scope="module")
def con(lines_file):
    """A session that is the user's, with the table `lines`."""
    from pyspark.sql import SparkSession

    con = ibis.pyspark.connect(
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    )
    con.read_parquet(lines_file, table_name="lines")
    yield con
    stop_session()


@pytest.fixture(scope="module")
def result(con):
    """The corridor, without a back-test, which would take as long again."""
    return rg.segment(con.table("lines"), backtest=False)


@pytest.fixture(scope="module")
def expected(sample_shop):
    """The same in DuckDB."""
    return rg.segment(sample_shop.orders, backtest=False)


SHOWN = ["customer_id", "recency_days", "frequency", "monetary", *SCORES, "segment_id", "segment"]


def rows(table) -> list[dict]:
    return table.select(SHOWN).order_by("customer_id").to_pyarrow().to_pylist()


def nearly(facts):
    """Facts to compare with, floats within 10⁻⁹."""
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


def test_every_fact_is_that_of_a_run_in_duckdb(result, expected):
    assert result.customers.get_backend().name == "pyspark"
    assert result.audit == expected.audit
    assert rows(result.customers) == rows(expected.customers)
    own = ("source", "fingerprint")
    found, told = ({n: f for n, f in each.to_dict().items() if n not in own} for each in (result, expected))
    assert listed(found) == nearly(told)


def test_a_run_folder_has_the_same_customers_to_the_byte(result, expected, tmp_path):
    there = rg.write_run(result, tmp_path / "spark", figures=False, report=False)
    here = rg.write_run(expected, tmp_path / "duckdb", figures=False, report=False)
    names = ["segments.csv", "audiences/loyal-high-value.csv"]
    assert [(there / name).read_bytes() for name in names] == [(here / name).read_bytes() for name in names]
    again = rg.open_run(there)
    assert rows(again.customers) == rows(expected.customers)
    aside = [
        run.set_aside.group_by("reason").agg(n=ibis._.count(), money=ibis._.amount.sum()) for run in (again, expected)
    ]
    first, second = (sorted(map(tuple, (row.values() for row in table.to_pyarrow().to_pylist()))) for table in aside)
    assert first == second


def test_a_model_labels_customers_there(result, expected):
    people = result.customers.select("customer_id", "recency_days", "frequency", "monetary")
    assert rows(expected.model.assign(people)) == rows(expected.customers)


def test_given_back_tables_leave_the_executors(con):
    from regulars.keeping import keep, release

    before = set(con.list_tables())
    kept = keep(con.table("lines").select("StockCode").distinct())
    assert len(set(con.list_tables()) - before) == 1
    release(kept)
    assert set(con.list_tables()) == before


# --- what goes wrong before Spark starts ----------------------------------------------------------------------------


@pytest.fixture
def csv_file(sample_shop, tmp_path) -> Path:
    path = tmp_path / "lines.csv"
    pyarrow.csv.write_csv(sample_shop.orders.slice(0, 50), path)
    return path


def test_without_pyspark_the_error_says_how_to_get_it(csv_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(SourceError, match=re.escape("pip install 'regulars[spark]'")):
        rg.read(csv_file, engine="spark", master="local[1]")


def test_without_java_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"Spark needs Java, and there is none on this machine. Install Java 17"):
        spark._check_java()


def test_an_old_java_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"Spark needs Java 17 or newer; .* is Java 8"):
        spark._check_java()


def test_a_master_that_does_not_answer_is_told_at_once(csv_file, monkeypatch, capsys):
    master = f"spark://127.0.0.1:{free_port()}"
    monkeypatch.setattr(sys, "argv", ["regulars", "check", str(csv_file), "--engine", "spark", "--master", master])
    stop_session()
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert f"The master {master} does not answer" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "flink"}, "There is no engine 'flink'"),
        ({"master": "local[2]"}, "A master was given, but no Spark"),
        ({"engine": "spark", "memory_limit": "1GB"}, "memory_limit has no meaning for Spark"),
        ({"engine": "spark", "master": "host:7077"}, "host:7077 is no master of Spark"),
        ({"engine": "spark", "master": "spark://host"}, "spark://host is no address of a master"),
    ],
)
def test_options_that_do_not_fit_are_refused(csv_file, options, words):
    stop_session()
    with pytest.raises(OptionError, match=re.escape(words)):
        rg.read(csv_file, **options)


def test_what_spark_does_not_read_is_refused(sample_shop, tmp_path):
    with pytest.raises(OptionError, match="Spark reads files and folders"):
        rg.read(sample_shop.orders, engine="spark")
    workbook = tmp_path / "lines.xlsx"
    workbook.write_bytes(b"PK")
    with pytest.raises(SourceError, match=re.escape("Spark does not read lines.xlsx")):
        rg.read(workbook, engine="spark")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Py4JJavaError: … java.lang.OutOfMemoryError: Java heap space", "The memory of Spark is used up"),
        ("Job aborted: … ExecutorLostFailure (executor 1 exited caused by …)", "Executors of Spark were lost"),
    ],
)
def test_memory_of_spark_is_told_in_words(said, words):
    with pytest.raises(MachineError, match=words) as told, in_plain_words():
        raise RuntimeError(said)
    assert "spark.executor.memory" in told.value.hint


# --- files that Spark reads -----------------------------------------------------------------------------------------


@pytest.fixture
def folder_of_text(sample_shop, tmp_path) -> Path:
    """Two files as a till exports them: semicolons, Latin-1, day first, a cell over two lines."""
    frame = sample_shop.orders.slice(0, 3_000).to_pandas()
    frame["InvoiceDate"] = frame["InvoiceDate"].dt.strftime("%d/%m/%Y %H:%M")
    frame.loc[3, "Description"] = 'a "large" box;\nin blue, für Gäste'
    folder = tmp_path / "exports"
    folder.mkdir()
    for part, rows in (("1", frame[:1_000]), ("2", frame[1_000:])):
        rows.to_csv(folder / f"{part}.csv", index=False, sep=";", encoding="cp1252")
    return folder


def test_text_is_understood_as_elsewhere(folder_of_text):
    found, expected = rg.read(folder_of_text, engine="spark", master="local[2]"), rg.read(folder_of_text)
    assert found.notes[0] == "Read by Spark on this machine."
    assert found.fingerprint == expected.fingerprint
    assert rg.clean(found).audit == rg.clean(expected).audit
    stop_session()


# --- a real cluster -------------------------------------------------------------------------------------------------


def children_of(pid: int) -> list[int]:
    """Processes that a process has started, from the system's own list."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


@contextmanager
def daemon(folder: Path, name: str, *words: object):
    """A master or worker of a standalone cluster; ended with everything that it started."""
    home = Path(pyspark.__file__).parent
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m"}
    environment |= {"SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *map(str, words)]
    log = folder / f"{free_port()}.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        yield process, log
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """SIGKILL for a process and what it started, so that nothing can be said goodbye to."""
    for pid in [*children_of(process.pid), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def wait_for(log: Path, words: str, *, times: int = 1) -> None:
    until = time.monotonic() + 90
    while len(re.findall(words, log.read_text())) < times:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A master and two workers of one core each: the master's address, and the workers' processes."""
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    with ExitStack() as stack:
        told = ("--host", "127.0.0.1", "--port", port, "--webui-port", 0)
        _, log = stack.enter_context(daemon(folder, "master.Master", *told))
        address = f"spark://127.0.0.1:{port}"
        wait_for(log, "I have been elected leader")
        words = ("--host", "127.0.0.1", "--webui-port", 0, "-c", 1, "-m", "1g", "-d", folder, address)
        workers = [stack.enter_context(daemon(folder, "worker.Worker", *words))[0] for _ in range(2)]
        wait_for(log, "Registering worker", times=2)
        stop_session()
        yield address, workers


def test_the_real_file_on_a_cluster_that_loses_a_worker(cluster, uci):
    address, workers = cluster
    orders = rg.read(uci, engine="spark", master=address)
    executors = orders.table.get_backend()._session.sparkContext._jsc.sc().getExecutorMemoryStatus
    lost = []

    def kill_one(stage: str, done: int, total: int) -> None:
        if stage == "Counting per customer" and not lost:
            assert executors().size() == 3  # two, and the driver
            lost.append(workers[0].pid)
            end(workers[0])

    result = rg.segment(orders, backtest=False, progress=kill_one)

    assert lost
    assert executors().size() == 2
    assert orders.notes[0] == f"Read by Spark at {address}."
    assert_figures_of_the_real_file(result)
    stop_session()
