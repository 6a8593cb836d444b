"""Real servers for tests: a PostgreSQL and a Spark cluster on 127.0.0.1, ended with everything that they started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

PASSWORD = "Ge:he/im#42"  # with what an address must not have as it is
ENCODED = "Ge%3Ahe%2Fim%2342"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rows(table, *by: str) -> list[dict]:
    """All rows of a table in the order of some columns, or of the customers, as engines give them in any."""
    return table.order_by(by or "customer_id").to_pyarrow().to_pylist()


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def _programs(folder: Path) -> tuple[list[str], Path]:
    """How the programs of PostgreSQL are called, and where they are."""
    found = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[::-1]), None)
    if found is None:
        pytest.skip(
            "There is no initdb: install PostgreSQL (apt-get install postgresql), or set REGULARS_TEST_POSTGRES."
        )
    if os.getuid() != 0:
        return [], Path(found)
    shutil.chown(folder, "postgres", "postgres")  # it refuses to run as root
    return ["runuser", "-u", "postgres", "--"], Path(found)


@contextmanager
def postgres_server() -> Iterator[str]:
    """`postgres://user:password@127.0.0.1:port`: that of REGULARS_TEST_POSTGRES, or one in a folder of its own."""
    if given := os.environ.get("REGULARS_TEST_POSTGRES"):
        yield given
        return
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="regulars-postgres-"))
    try:
        user, initdb = _programs(folder)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        told = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", folder / "password", "-E", "UTF8", "--locale=C"]
        subprocess.run([*user, initdb, "-D", folder / "data", *told], check=True, capture_output=True)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [*user, initdb.with_name("pg_ctl"), "-D", folder / "data", "-w"]
        log = ["-l", folder / "log", "-o", options]
        subprocess.run([*control, *log, "start"], check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgres://postgres:{ENCODED}@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], check=True, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill(url: str, name: str, cells: pa.Table) -> None:
    """Put a table into PostgreSQL without any code of ours."""
    import psycopg

    kinds = {"timestamp": "timestamp", "int": "bigint", "double": "double precision", "decimal": "numeric(18,4)"}
    with psycopg.connect(url) as con:
        columns = [
            f'"{each.name}" ' + next((kinds[kind] for kind in kinds if str(each.type).startswith(kind)), "text")
            for each in cells.schema
        ]
        con.execute(f'DROP TABLE IF EXISTS "{name}"')
        con.execute(f'CREATE TABLE "{name}" ({", ".join(columns)})')
        with con.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
            for row in cells.to_pylist():
                copy.write_row(list(row.values()))


# --- Spark ----------------------------------------------------------------------------------------------------------

#: For small tables: no compiling of what runs once, one task where 200 would do nothing.
SPARK_DEFAULTS = """
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.driver.memory 1g
spark.executor.memory 700m
spark.sql.shuffle.partitions 2
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.maxPlanStringLength 1000
"""


def stop_session() -> None:
    """End the session that is open: a process can have only one."""
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()


class Cluster(NamedTuple):
    """A standalone cluster: the master's address, and the processes of its workers."""

    address: str
    workers: list[subprocess.Popen]


@contextmanager
def spark_cluster(folder: Path) -> Iterator[Cluster]:
    """A master and two workers of one core each."""
    port = free_port()
    with ExitStack() as stack:
        told = ("--host", "127.0.0.1", "--port", port, "--webui-port", 0)
        _, log = stack.enter_context(_daemon(folder, "master.Master", *told))
        address = f"spark://127.0.0.1:{port}"
        _wait_for(log, "I have been elected leader")
        words = ("--host", "127.0.0.1", "--webui-port", 0, "-c", 1, "-m", "1g", "-d", folder, address)
        workers = [stack.enter_context(_daemon(folder, "worker.Worker", *words))[0] for _ in range(2)]
        _wait_for(log, "Registering worker", times=2)
        yield Cluster(address, workers)


@contextmanager
def _daemon(folder: Path, name: str, *words: object) -> Iterator[tuple[subprocess.Popen, Path]]:
    import pyspark

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
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL for a process and what it started, so that nothing can be said goodbye to."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
    )
    for pid in [*map(int, found.stdout.split()), process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def _wait_for(log: Path, words: str, *, times: int = 1) -> None:
    until = time.monotonic() + 90
    while len(re.findall(words, log.read_text())) < times:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
