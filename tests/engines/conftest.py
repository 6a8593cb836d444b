"""What the tests of engines share: servers, and the sample shop inside them."""

import gc
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regulars.errors import SourceError
from servers import SPARK_DEFAULTS, Cluster, postgres_server, spark_cluster, stop_session


@pytest.fixture(scope="session")
def postgres():
    """The address of an empty database, dropped at the end."""
    psycopg = pytest.importorskip("psycopg", reason="pip install 'regulars[postgres]'")
    name = f"regulars_{os.getpid()}"
    with postgres_server() as server, psycopg.connect(f"{server}/postgres", autocommit=True) as con:
        con.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        gc.collect()  # kept tables are given back while there is somebody to take them
        con.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ask(postgres):
    """Ask the PostgreSQL database, and get all rows."""
    import psycopg

    def asking(statement, *values):
        with psycopg.connect(postgres, autocommit=True) as con:
            cursor = con.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return asking


@pytest.fixture(scope="session")
def java(tmp_path_factory):
    """Skip where there is no Spark or no Java; else Spark finds its settings in a folder of ours."""
    pytest.importorskip("pyspark", reason="pip install 'regulars[spark]'")
    from regulars.reading import spark

    try:
        spark._check_java()
    except SourceError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text(SPARK_DEFAULTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARK_CONF_DIR", str(folder))
        patched.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield
        stop_session()


@pytest.fixture(scope="module")
def spark_here(java):
    """ibis' connection to a session on this machine that is the user's."""
    import ibis
    from pyspark.sql import SparkSession

    stop_session()
    few = {"spark.ui.enabled": "false", "spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}
    session = SparkSession.builder.master("local[2]").config(map=few).getOrCreate()  # the cluster has the defaults
    yield ibis.pyspark.connect(session)
    stop_session()


@pytest.fixture(scope="module")
def cluster(java, tmp_path_factory) -> Cluster:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started
        stop_session()


@pytest.fixture(scope="session")
def lines(sample_shop) -> pa.Table:
    """The lines of the sample shop as they come: dates, whole numbers, floats."""
    return sample_shop.orders


@pytest.fixture(scope="session")
def lines_file(lines, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "lines.parquet"
    pq.write_table(lines, path)
    return path
