"""Spark: files that it reads, what it keeps, and what goes wrong; its results are held in test_engines.py."""

import re
import signal
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import regulars as rg
from regulars.cli import main
from regulars.errors import MachineError, OptionError, OutputError, SourceError
from regulars.failures import in_plain_words
from regulars.reading import spark, staying
from servers import free_port, rows, stop_session

pytestmark = pytest.mark.usefixtures("java")


def test_given_back_tables_leave_the_executors(spark_here, lines_file):
    from regulars.keeping import keep, release

    table = spark_here.read_parquet(lines_file, table_name="lines")
    before = set(spark_here.list_tables())
    kept = keep(table.select("StockCode").distinct())
    assert len(set(spark_here.list_tables()) - before) == 1
    release(kept)
    assert set(spark_here.list_tables()) == before


def test_executors_write_to_another_place_where_one_is_given(spark_here, lines_file, tmp_path):
    lines = spark_here.read_parquet(lines_file, table_name="few").limit(500)
    staying.check_reach(lines, tmp_path, str(tmp_path / "elsewhere"))
    staying.write_lines(lines, tmp_path / "set_aside.parquet", str(tmp_path / "elsewhere"))
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    found = pq.read_table(tmp_path / "elsewhere")
    assert found.num_rows == 500
    assert found.schema.field("InvoiceDate").type == pa.timestamp("us")  # the clock of the shop, without a zone
    with pytest.raises(OutputError, match=r"There is something at .*elsewhere already"):
        staying.check_reach(lines, tmp_path, str(tmp_path / "elsewhere"))
    with pytest.raises(OutputError, match=r"Spark cannot write to nowhere://x: No FileSystem for scheme .nowhere"):
        staying.check_reach(lines, tmp_path, "nowhere://x")


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
    frame.loc[4, ["Description", "StockCode"]] = ["\vvery full of f\f", " v12v\t"]  # blanks at the ends, and letters
    folder = tmp_path / "exports"
    folder.mkdir()
    for part, some in (("1", frame[:1_000]), ("2", frame[1_000:])):
        some.to_csv(folder / f"{part}.csv", index=False, sep=";", encoding="cp1252")
    return folder


SHOPIFY = (
    Path(__file__).parents[1] / "layouts" / "shopify_orders.csv"
)  # what must come out of it: tests/test_layouts.py


def test_text_is_understood_as_elsewhere(java, folder_of_text):
    stop_session()
    ctrl_c = signal.getsignal(signal.SIGINT)
    for source in (folder_of_text, SHOPIFY):
        found, expected = rg.read(source, engine="spark", master="local[2]"), rg.read(source)
        assert found.notes[0] == "Read by Spark on this machine."
        assert found.fingerprint == expected.fingerprint
        assert rows(found.table, *found.table.columns) == rows(expected.table, *expected.table.columns)
    assert signal.getsignal(signal.SIGINT) == ctrl_c  # with Spark's own, a run that is stopped ends in tracebacks
    stop_session()


def test_another_place_is_for_spark_only(csv_file, tmp_path):
    with pytest.raises(OptionError, match="can be written to another place only by Spark"):
        staying.check_reach(rg.read(csv_file).table, tmp_path, "s3a://shop/aside")
