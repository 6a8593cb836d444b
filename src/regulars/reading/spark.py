"""A Spark session of our own, and files that Spark itself reads."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
import weakref
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis

from regulars.errors import MachineError, OptionError, SourceError, listed
from regulars.reading.cells import Opened, same_columns
from regulars.reading.fingerprints import fingerprinting
from regulars.reading.sniffing import sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ibis.backends.pyspark import Backend as Spark

    from regulars.reading.loading import Known

__all__ = ["HERE", "connect_spark", "first_line", "open_with_spark", "refuse_connect"]

HERE = "local[*]"  # Spark inside this process, with all cores
LEAST_JAVA = 17
SECONDS = 10  # until a master has to answer
PATIENCE = 60  # seconds until a cluster has to give an executor
#: What suits queries of this kind; each can be set otherwise in spark-defaults.conf or with `spark-submit --conf`.
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.legacy.javaCharsets": "true",  # else it refuses Windows-1252
}
_STANDALONE = re.compile(r"spark://(.+)")
_ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "windows-1252"}
_OURS: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def open_with_spark(source: str, paths: Sequence[Path], *, kind: str, master: str | None, known: Known) -> Opened:
    """Open Parquet or text files with Spark; text is read as text, its columns are understood afterwards.

    Parameters
    ----------
    source
        What the user gave: for messages, and the address where there are no paths.
    paths
        The files, which every executor reads under the same path; none for an address such as ``s3a://…``, whose content
        is Parquet.
    kind
        ``"parquet"`` or ``"text"``.
    master
        Address of the cluster; `None` takes the session that is open, else this machine.
    known
        Recognises the columns of a header.

    Errors
    ------
    SourceError
        Damaged files, files that do not go together, of a kind that Spark does not read, or written in a way that it does
        not understand; pyspark or Java is missing; the master does not answer.
    """
    if kind not in ("parquet", "text"):
        raise SourceError(
            f"Spark does not read {paths[0].name}.", hint="Give it CSV or Parquet, or leave the engine out."
        )
    fingerprint = fingerprinting(paths) if paths else str
    options = [_text_options(path, known=known) for path in paths] if kind == "text" else []
    con = connect_spark(master)
    names = [str(path.absolute()) for path in paths] or [source]
    try:
        if options:
            tables = [con.read_csv(name, **how) for name, how in zip(names, options, strict=True)]
        else:
            tables = [con.read_parquet(name) for name in names]
    except Exception as error:  # of Spark, through Java
        raise SourceError(
            f"Spark cannot read {source}: {first_line(error)}.",
            hint="Check that the files are whole, and that every worker finds them under the same path.",
        ) from error
    if paths:
        same_columns(paths, [table.columns for table in tables])
    table = tables[0] if len(tables) == 1 else ibis.union(*(each.select(tables[0].columns) for each in tables))
    where = "on this machine" if _master_of(con).startswith("local") else f"at {_master_of(con)}"
    return Opened(
        table=table,
        source="",
        fingerprint=fingerprint,
        delimiter=options[0]["sep"] if options else None,
        notes=(f"Read by Spark {where}.",),
    )


def _text_options(path: Path, *, known: Known) -> dict[str, Any]:
    """How Spark reads a text file; the whole file decides its encoding."""
    dialect = sniff(path, fits=lambda header: known(header) is not None, whole=True)
    if dialect.skip or dialect.lines:
        raise SourceError(
            f"{path.name} does not begin with the names of its columns, which Spark needs.",
            hint="Remove what stands above them, or leave the engine out.",
        )
    return {
        "inferSchema": False,
        "schema": ", ".join(f"`{name.replace('`', '``')}` STRING" for name in dialect.header),
        "header": True,
        "sep": dialect.delimiter,
        "encoding": _ENCODINGS[dialect.encoding],
        "quote": '"',
        "escape": '"',
        "multiLine": True,
        "mode": "FAILFAST",
    }


def connect_spark(master: str | None) -> Spark:
    """The session that is open, or one of our own, which is stopped when nothing of it is used any more.

    Errors
    ------
    SourceError
        pyspark or Java is missing, the master does not answer, or the session is one of Spark Connect.
    OptionError
        A session is open with another master.
    MachineError
        The cluster gives no executor.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise SourceError(
            "Spark needs a package that is not installed.", hint="Install it with: pip install 'regulars[spark]'."
        ) from None
    ours = _OURS.get("session")
    if ours is not None and ours._session.sparkContext._jsc is not None and master in (None, _master_of(ours)):
        return ours
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    open_now = SparkSession.getActiveSession()
    if open_now is not None:
        theirs = open_now.conf.get("spark.master", "")
        if master not in (None, theirs):
            raise OptionError(
                f"A session of Spark is open with the master {theirs}; there is no room for {master}.",
                hint="Stop it first, or leave the master out.",
            )
        con = ibis.pyspark.connect(open_now)
        refuse_connect(con)
        return con
    _check_java()
    address = master or HERE
    _check_master(address)
    con = ibis.pyspark.connect(_started(SparkSession.builder.appName("regulars").master(address), address))
    weakref.finalize(con, con._session.stop)
    _OURS["session"] = con
    if _STANDALONE.fullmatch(address):
        _wait_for_executor(con._session, address)
    return con


def refuse_connect(con: Any) -> None:
    """Refuse a session of Spark Connect: its tables cannot be kept so that their plans begin anew.

    Errors
    ------
    SourceError
        The session is one of Spark Connect.
    """
    if not hasattr(con._session, "_jsparkSession"):
        raise SourceError(
            "This is a session of Spark Connect, which has no way to keep what is used again.",
            hint="Use a session in the process of the driver, or read the table by the address of a database.",
        )


def _started(builder: Any, master: str) -> Any:
    from pyspark import SparkConf

    given = SparkConf()
    settings = SETTINGS | {name: given.get(name) for name in SETTINGS if given.contains(name)}
    if _STANDALONE.fullmatch(master) and not given.contains("spark.driver.host"):
        settings["spark.driver.host"] = _address_towards(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        with _quietly(), _same_ctrl_c():
            session = builder.getOrCreate()
    except Exception as error:  # of Java, in many kinds
        raise SourceError(
            f"No session of Spark can be opened at {master}: {first_line(error)}.",
            hint="Check the master; Spark's own messages stand above.",
        ) from error
    return session


@contextmanager
def _same_ctrl_c() -> Iterator[None]:
    """Keep what Ctrl-C does: Spark's own way asks Java in the middle of another question, and both are lost."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


@contextmanager
def _quietly() -> Iterator[None]:
    """Let a Java that starts log errors only, unless the user has said how it logs."""
    told = Path(os.environ.get("SPARK_CONF_DIR", ""), "log4j2.properties").is_file()
    if told or "SPARK_SUBMIT_OPTS" in os.environ:
        yield
        return
    with resources.as_file(resources.files("regulars.reading") / "log4j2.properties") as file:
        os.environ["SPARK_SUBMIT_OPTS"] = f'-Dlog4j2.configurationFile="{file}"'
        try:
            yield
        finally:
            del os.environ["SPARK_SUBMIT_OPTS"]


def _check_java() -> None:
    """Refuse to start without Java, or with one that is too old, before Spark does so in its own words."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    hint = f"Install Java {LEAST_JAVA} or newer (openjdk-{LEAST_JAVA}-jre-headless), and set JAVA_HOME to it."
    if java is None:
        where = f"in JAVA_HOME={home}" if home else "on this machine"
        raise SourceError(f"Spark needs Java, and there is none {where}.", hint=hint)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is not None and int(version[1]) < LEAST_JAVA:
        raise SourceError(f"Spark needs Java {LEAST_JAVA} or newer; {java} is Java {version[1]}.", hint=hint)


def _hosts(master: str) -> list[tuple[str, int]]:
    """Host and port of every master of a standalone cluster; none for other kinds of cluster."""
    found = _STANDALONE.fullmatch(master)
    if found is None:
        return []
    pairs = [each.rpartition(":") for each in found[1].split(",")]
    if not all(host and port.isdigit() and int(port) < 2**16 for host, _, port in pairs):
        raise OptionError(f"{master} is no address of a master.", hint="Write spark://HOST:7077.")
    return [(host, int(port)) for host, _, port in pairs]


def _check_master(master: str) -> None:
    """Knock at the door of a standalone cluster: Spark itself would try for minutes."""
    if not (hosts := _hosts(master)):
        if not re.match(r"local(\[.*\])?$|local-cluster\[.*\]$|yarn$|k8s://", master):
            raise OptionError(
                f"{master} is no master of Spark.",
                hint="Give spark://HOST:7077, local[4], yarn or k8s://https://HOST:PORT.",
            )
        return
    why = []
    for host, port in hosts:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except OSError as error:
            why.append(f"{host}:{port}: {error.strerror or error}")
        else:
            return
    raise SourceError(
        f"The master {master} does not answer ({listed(why)}).",
        hint="Check host and port, and that the cluster runs.",
    )


def _address_towards(master: str) -> str:
    """The address under which the cluster reaches this machine."""
    with socket.create_connection(_hosts(master)[0], timeout=SECONDS) as line:
        return str(line.getsockname()[0])


def _wait_for_executor(session: Any, master: str) -> None:
    """Wait until the cluster gives an executor: without one every query would wait for ever."""
    until = time.monotonic() + PATIENCE
    while session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the first is this process
        if time.monotonic() > until:
            session.stop()
            raise MachineError(
                f"The cluster at {master} gave no executor in {PATIENCE} seconds.",
                hint="Check that workers run, and that one has the cores and the memory of spark.executor.memory free.",
            )
        time.sleep(0.1)


def _master_of(con: Any) -> str:
    return str(con._session.conf.get("spark.master", ""))


def first_line(error: object) -> str:
    """What Spark or Java says, in its first line."""
    text = str(error).strip()
    java = re.search(r"^: (?:[\w.$]+: )?(.+)$", text, re.MULTILINE)
    return (java[1] if java else text.partition("\n")[0]).strip().rstrip(".")
