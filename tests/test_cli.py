"""The command line as people use it: screens, files, and what it says when something is wrong."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import regulars as rg
from regulars.cli import main
from regulars.errors import SourceError
from regulars.reading import Size
from regulars.writing import write_orders

STOPPED = "Stopped. Nothing was changed.\n"
#: What two runs of a file must have in common, byte for byte.
SAME = ("customers.csv", "segments.csv", "model.json")
LARGE_SIZE = Size(files=1, bytes=1_600_000_000, lines=100_000_000, exact=True)
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def regulars(*arguments: object) -> int:
    """Run the command line in this process; the exit code."""
    before = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["regulars", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before[0]
        signal.signal(signal.SIGTERM, before[1])
    return 0


@pytest.fixture(scope="module")
def shop_csv(tmp_path_factory):
    return write_orders(rg.make_orders(customers=150, seed=5).orders, tmp_path_factory.mktemp("shop") / "orders.csv")


@pytest.fixture(scope="module")
def large_csv(tmp_path_factory):
    """A million order lines with names so long that they do not fit into 200 MB."""
    path = tmp_path_factory.mktemp("large") / "orders.csv"
    name = "repeat(md5(range::VARCHAR), 9)"
    duckdb.execute(
        f"""COPY (SELECT range // 3 AS "InvoiceNo", 'P' || range % 5000 AS "StockCode", {name} AS "Description",
        1 + range % 9 AS "Quantity", strftime(TIMESTAMP '2024-01-01' + to_minutes(range // 3), '%Y-%m-%d %H:%M')
        AS "InvoiceDate", 2.5 AS "UnitPrice", 10000 + range // 30 AS "CustomerID", 'France' AS "Country"
        FROM range(1_050_000)) TO '{path}' (FORMAT CSV)"""
    )
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def run_folder(shop_csv):
    """One complete run, for tests that look at what it left."""
    folder = shop_csv.parent / "run"
    assert regulars("segment", shop_csv, "-o", folder) == 0
    return folder


@pytest.fixture(scope="module")
def again(run_folder, shop_csv, tmp_path_factory):
    """The same run once more, without pictures, into a folder with an older one and what its user put there."""
    folder = tmp_path_factory.mktemp("again") / "run"
    shutil.copytree(run_folder, folder)
    for name in SAME:
        (folder / name).write_text("older")
    (folder / "notes.txt").write_text("call them")
    (folder / "stale").mkdir()
    assert regulars("segment", shop_csv, "-o", folder, "--no-figures") == 0
    return folder


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A run as it was shown, and the folder that it made."""

    out: str
    err: str
    folder: Path


def shown_by(source: Path, folder: Path, *options: str) -> Shown:
    """A short run of a file that is said to be large."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr("regulars.reading.estimate_size", lambda source: LARGE_SIZE)
        short = ("--no-figures", "--no-backtest", "--no-report", "--no-csv")
        assert regulars("segment", source, "-o", folder, *short, *options) == 0
    return Shown(out=out.getvalue(), err=err.getvalue(), folder=folder)


@pytest.fixture(scope="module")
def large_run(shop_csv, tmp_path_factory):
    return shown_by(shop_csv, tmp_path_factory.mktemp("large") / "run")


class TestHelp:
    def test_version(self, capsys):
        assert regulars("--version") == 0
        assert capsys.readouterr().out == f"regulars {rg.__version__}\n"

    def test_help_names_every_command(self, capsys):
        assert regulars("--help") == 0
        shown = capsys.readouterr().out
        assert all(
            name in shown
            for name in (
                "demo",
                "check",
                "segment",
                "assign",
                "sample",
                "report",
                "customer",
                "export",
                "backtest",
                "value",
            )
        )

    def test_help_loads_nothing_heavy(self):
        code = (
            "import sys; sys.argv = ['regulars', 'segment', '--help']\n"
            "from regulars.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print([name for name in ('ibis', 'pandas', 'numpy', 'sklearn', 'matplotlib') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"

    def test_the_scales_are_those_of_clustering(self):
        from regulars.cli.commands import ScaleName
        from regulars.clustering import SCALES

        assert [scale.value for scale in ScaleName] == list(SCALES)


class TestRunFolder:
    def test_it_holds_what_the_docs_say(self, run_folder):
        assert sorted(entry.name for entry in run_folder.iterdir()) == [
            "at_risk.csv", "audiences", "customers.csv", "customers.parquet", "facts.json", "figures", "model.json",
            "orders.parquet", "report.html", "run.json", "segments.csv", "set_aside.parquet",
        ]  # fmt: skip
        names = [
            "calibration", "customer_clusters", "elbow_method", "gain_curves", "order_tracking", "revenue_at_risk",
            "rfm_distribution", "segment_outcomes", "silhouette_score", "spending_patterns",
        ]  # fmt: skip
        assert sorted(file.name for file in (run_folder / "figures").iterdir()) == sorted(
            f"{name}.{kind}" for name in names for kind in ("png", "svg")
        )

    def test_customers_csv(self, run_folder):
        rows = list(csv.DictReader((run_folder / "customers.csv").open(encoding="utf-8")))
        assert list(rows[0])[:9] == [
            "customer_id", "recency_days", "frequency", "monetary", "r_score", "f_score", "m_score", "rfm_group", "segment",
        ]  # fmt: skip
        ids = [row["customer_id"] for row in rows]
        assert ids == sorted(ids)
        assert all(len(row["monetary"].partition(".")[2]) == 2 for row in rows)

    def test_customers_parquet_holds_the_same_customers_with_exact_money(self, run_folder):
        table = pq.read_table(run_folder / "customers.parquet")
        assert pa.types.is_decimal(table.schema.field("monetary").type)
        facts = json.loads((run_folder / "facts.json").read_text("utf-8"))
        assert str(sum(table["monetary"].to_pylist())) == facts["revenue"]

    def test_segments_csv_adds_up_to_the_customers(self, run_folder):
        segments = list(csv.DictReader((run_folder / "segments.csv").open(encoding="utf-8")))
        customers = list(csv.DictReader((run_folder / "customers.csv").open(encoding="utf-8")))
        for segment in segments:
            members = [row for row in customers if row["segment"] == segment["name"]]
            assert len(members) == int(segment["customers"])
            assert sum(float(row["monetary"]) for row in members) == pytest.approx(float(segment["revenue"]), abs=0.5)
            assert segment["action"]
            assert segment["why"]
        assert sum(float(segment["revenue_share"]) for segment in segments) == pytest.approx(1, abs=0.001)

    def test_one_audience_per_segment_most_valuable_first(self, run_folder):
        segments = list(csv.DictReader((run_folder / "segments.csv").open(encoding="utf-8")))
        lists = sorted((run_folder / "audiences").iterdir())
        assert len(lists) == len(segments)
        for file in lists:
            money = [float(row["monetary"]) for row in csv.DictReader(file.open(encoding="utf-8"))]
            assert money == sorted(money, reverse=True)

    def test_every_row_that_was_set_aside_is_kept_with_its_reason(self, run_folder):
        table = pq.read_table(run_folder / "set_aside.parquet").to_pandas()
        audit = json.loads((run_folder / "facts.json").read_text("utf-8"))["audit"]
        counted = {line["rule"]: line["rows"] for line in audit["lines"] if line["rows"]}
        kept = table[table["reason"] != "returned part"]["reason"].value_counts().to_dict()
        assert kept == counted

    def test_run_json_says_what_was_run(self, run_folder):
        facts = json.loads((run_folder / "run.json").read_text("utf-8"))
        assert facts["options"]["returns"] == "net"
        assert facts["versions"]["regulars"] == rg.__version__
        assert facts["engine"] == {"name": "duckdb", "version": duckdb.__version__}
        assert len(facts["fingerprint"]) == 64
        assert facts["seconds"]["Cleaning"] > 0

    def test_two_runs_give_the_same_bytes(self, run_folder, again):
        for name in SAME:
            assert (again / name).read_bytes() == (run_folder / name).read_bytes(), name

    def test_a_file_of_the_users_survives_the_next_run(self, again):
        assert (again / "notes.txt").read_text() == "call them"
        assert (again / "stale").is_dir()
        assert not (again / "figures").exists()

    def test_formulas_are_made_harmless_in_csv_and_kept_in_parquet(self, tmp_path):
        shop = rg.make_orders(customers=60, seed=1).orders
        ids = pa.array([f"=HYPERLINK({i})" if i else None for i in shop["CustomerID"].to_pylist()])
        evil = shop.set_column(shop.schema.get_field_index("CustomerID"), "CustomerID", ids)
        rg.write_run(rg.segment(evil, k=2, backtest=False), tmp_path / "run", figures=False, report=False)
        rows = list(csv.DictReader((tmp_path / "run" / "customers.csv").open(encoding="utf-8")))
        assert all(row["customer_id"].startswith("'=") for row in rows)
        exact = pq.read_table(tmp_path / "run" / "customers.parquet")["customer_id"].to_pylist()
        assert all(name.startswith("=") for name in exact)


class TestScreens:
    def test_check_shows_columns_and_audit_and_writes_nothing(self, shop_csv, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert regulars("check", shop_csv) == 0
        shown = capsys.readouterr()
        assert "CustomerID" in shown.out
        assert "exact duplicates" in shown.out
        assert "reconcile to the cent" in shown.out
        assert list(tmp_path.iterdir()) == []
        assert shown.err == ""  # a small file needs no plan
        assert "\x1b" not in shown.out  # no colour in a pipe

    def test_segment_shows_segments_actions_and_customers_at_risk(self, large_run):
        for words in ("Loyal high-value", "What to do", "High-value:", "At risk:", "Results in"):
            assert words in large_run.out

    def test_json_is_json_and_nothing_else(self, shop_csv, tmp_path, capsys):
        shown = shown_by(shop_csv, tmp_path / "run", "--json", "--k", "3")
        facts = json.loads(shown.out)
        assert facts["folder"] == str(tmp_path / "run")
        assert facts["choice"]["k"] == len(facts["segments"]) == 3
        assert facts["plan"]["lines"] == 100_000_000
        assert shown.err == ""
        assert regulars("check", shop_csv, "--json") == 0
        assert json.loads(capsys.readouterr().out)["audit"]["reconciles"] is True

    def test_assign_gives_the_training_customers_their_segments(self, run_folder, shop_csv, tmp_path, capsys):
        assert regulars("assign", shop_csv, "--model", run_folder / "model.json", "-o", tmp_path / "new") == 0
        assert "Loyal high-value" in capsys.readouterr().out
        columns = ["customer_id", "r_score", "rfm_group", "segment", "runner_up"]
        trained, assigned = (
            pq.read_table(folder / "customers.parquet", columns=columns) for folder in (run_folder, tmp_path / "new")
        )
        assert trained.equals(assigned)

    def test_sample_writes_a_shop_that_segment_reads(self, tmp_path, capsys):
        assert regulars("sample", "-o", tmp_path / "o.csv", "--customers", 50, "--truth", tmp_path / "t.csv") == 0
        assert "regulars segment" in capsys.readouterr().out
        header = (tmp_path / "o.csv").read_text("utf-8").splitlines()[0].replace('"', "")
        assert header == HEADER
        assert regulars("check", tmp_path / "o.csv") == 0

    def test_map_names_a_column(self, tmp_path, capsys):
        (tmp_path / "o.csv").write_text(
            "Wer;Wann;Wert\n" + "".join(f"k{i};2024-01-{i + 1:02d};{i}.5\n" for i in range(20))
        )
        pairs = ["--map", "customer_id=Wer", "--map", "ordered_at=Wann", "--map", "amount=Wert"]
        assert regulars("check", tmp_path / "o.csv", *pairs) == 0
        assert "Wer" in capsys.readouterr().out


def uci(*lines: str) -> str:
    return "\n".join((HEADER, *lines)) + "\n"


GOOD = "1,A,mug,2,2024-01-05 10:00,3.50,7,France"

#: What is wrong → (file name, content), and the words that must be said.
BAD_FILES = {
    "empty file": ("o.csv", "", ["is empty"]),
    "header only": ("o.csv", HEADER + "\n", ["o.csv", "no "]),
    "binary junk": ("o.csv", bytes(range(256)) * 40, ["o.csv"]),
    "truncated parquet": ("o.parquet", b"PAR1" + b"\x00" * 100, ["o.parquet", "Parquet"]),
    "truncated xlsx": ("o.xlsx", b"PK\x03\x04" + b"\x00" * 100, ["o.xlsx"]),
    "unknown ending": ("o.docx", b"hello", ["docx"]),
    "wrong delimiter": ("o.csv", "customer~date~amount\nc~2024-01-01~3\n", ["No column for"]),
    "a column missing": ("o.csv", "Inv,Qty,When\n1,2,2024-01-01\n", ["No column for customer_id", "Inv, Qty, When"]),
    "all customers missing": ("o.csv", uci(*[GOOD.replace(",7,", ",,")] * 3), ["CustomerID"]),
    "a date unreadable in row 3": (
        "o.csv",
        uci(GOOD, GOOD.replace("2024-01-05 10:00", "soon")),
        ["Row 3", "'soon'", "InvoiceDate"],
    ),
    "an amount unreadable": ("o.csv", uci(GOOD, GOOD.replace("3.50", "three")), ["Row 3", "'three'", "UnitPrice"]),
    "day or month first": ("o.csv", uci(GOOD.replace("2024-01-05 10:00", "1/2/2024")), ["--dayfirst", "--monthfirst"]),
    "one customer only": ("o.csv", uci(GOOD), ["Only 1 customer", "at least 10"]),
    "two customers": ("o.csv", uci(GOOD, GOOD.replace(",7,", ",8,")), ["Only 2 customers", "at least 10"]),
    "all customers identical": (
        "o.csv",
        uci(*(f"{i},A,mug,2,2024-01-05 10:00,3.50,{i},France" for i in range(40))),
        ["All 40 customers have the same", "nothing to tell apart"],
    ),
}  # fmt: skip


class TestBadInput:
    @pytest.mark.parametrize("what", BAD_FILES)
    def test_says_what_is_wrong_and_what_to_do(self, what, tmp_path, capsys):
        name, content, words = BAD_FILES[what]
        source = tmp_path / name
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert regulars("segment", source, "-o", tmp_path / "run") == 2
        self.expect(capsys, *words)
        assert sorted(tmp_path.iterdir()) == [source]

    def expect(self, capsys, *words):
        shown = capsys.readouterr()
        said = " ".join(shown.err.split())
        assert said.startswith("Error: ")
        assert "→" in said
        assert "Traceback" not in said
        for each in words:
            assert each in said
        assert shown.out == ""

    def test_a_file_that_is_not_there(self, tmp_path, capsys):
        (tmp_path / "orders.csv").write_text("x")
        assert regulars("segment", tmp_path / "order.csv", "-o", tmp_path / "run") == 2
        self.expect(capsys, "order.csv", "orders.csv")

    def test_an_empty_folder(self, tmp_path, capsys):
        (tmp_path / "in").mkdir()
        assert regulars("segment", tmp_path / "in", "-o", tmp_path / "run") == 2
        self.expect(capsys, "in")

    def test_a_damaged_gzip(self, tmp_path, capsys):
        (tmp_path / "o.csv.gz").write_bytes(gzip.compress(uci(*[GOOD] * 500).encode())[:-20])
        assert regulars("segment", tmp_path / "o.csv.gz", "-o", tmp_path / "run") == 2
        self.expect(capsys, "o.csv.gz")

    def test_everything_is_after_as_of(self, shop_csv, tmp_path, capsys):
        assert regulars("segment", shop_csv, "-o", tmp_path / "run", "--as-of", "2001-01-01") == 2
        self.expect(capsys, "2001-01-01", "on or after")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--k", 1], ["k is 1"]),
            (["--groups", "seven"], ["seven", "eleven, klaviyo, shopify"]),
            (["--actions", "none.toml"], ["none.toml"]),
            (["--layout", "none"], ["none"]),
            (["--map", "customer=X"], ["customer=X", "customer_id"]),
            (["--map", "customer_id=X"], ["X"]),
        ],
    )
    def test_an_option_that_does_not_fit(self, options, words, shop_csv, tmp_path, capsys):
        assert regulars("segment", shop_csv, "-o", tmp_path / "run", *options) == 2
        self.expect(capsys, *words)

    def test_a_model_that_is_none(self, shop_csv, tmp_path, capsys):
        (tmp_path / "model.json").write_text("{")
        assert regulars("assign", shop_csv, "--model", tmp_path / "model.json", "-o", tmp_path / "new") == 2
        self.expect(capsys, "model.json", "cut off")


class TestOutputs:
    expect = TestBadInput.expect

    def test_the_output_is_a_file(self, shop_csv, tmp_path, capsys):
        (tmp_path / "run").write_text("mine")
        assert regulars("segment", shop_csv, "-o", tmp_path / "run") == 2
        self.expect(capsys, "is a file")
        assert (tmp_path / "run").read_text() == "mine"

    def test_the_output_is_a_folder_of_something_else(self, shop_csv, tmp_path, capsys):
        (tmp_path / "thesis.txt").write_text("mine")
        assert regulars("segment", shop_csv, "-o", tmp_path) == 2
        self.expect(capsys, "not a run of regulars")
        assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux' /proc, where nobody may write")
    def test_the_output_cannot_be_written(self, shop_csv, capsys):
        assert regulars("segment", shop_csv, "-o", "/proc/run") == 2
        self.expect(capsys, "Cannot write /proc/run")

    def test_a_failed_run_leaves_the_earlier_one(self, run_folder, tmp_path, capsys):
        earlier = tmp_path / "run"
        shutil.copytree(run_folder, earlier)
        (tmp_path / "bad.csv").write_text(uci(GOOD))
        assert regulars("segment", tmp_path / "bad.csv", "-o", earlier) == 2
        assert same_files(earlier, run_folder)
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.csv", "run"]

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_a_run_that_is_killed_leaves_the_earlier_one(self, how, run_folder, shop_csv, tmp_path):
        earlier = tmp_path / "run"
        shutil.copytree(run_folder, earlier)
        command = [
            sys.executable,
            "-m",
            "regulars",
            "segment",
            str(shop_csv),
            "-o",
            str(earlier),
            "--no-backtest",
            "--k",
            "2",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while not any(tmp_path.glob(".run.partial-*/customers.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(60) == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[how]
        said = process.stderr.read().decode()
        process.stderr.close()
        assert said == ("" if how is signal.SIGKILL else STOPPED)
        assert same_files(earlier, run_folder)
        if how is signal.SIGKILL:  # nobody could tidy up: the next run does
            short = ("--no-figures", "--no-backtest", "--no-report")
            assert regulars("segment", shop_csv, "-o", earlier, *short, "--k", 2) == 0
        assert [entry.name for entry in tmp_path.iterdir()] == ["run"]

    @pytest.mark.parametrize("when", ["Reading", "Cleaning"])
    def test_ctrl_c_in_the_middle_of_a_query_leaves_nothing(self, when, large_csv, tmp_path):
        for name in ("out", "spill"):
            (tmp_path / name).mkdir()
        command = [sys.executable, "-m", "regulars", "segment", str(large_csv), "-o", str(tmp_path / "out" / "run")]
        machine = ["--memory-limit", "200MB", "--temp-dir", str(tmp_path / "spill")]
        process = subprocess.Popen([*command, *machine], stderr=subprocess.PIPE, text=True)
        try:
            assert " million lines, " in process.stderr.readline()
            if when == "Reading":  # while it spills
                while not any(tmp_path.glob("spill/**/duckdb_temp*storage*")) and process.poll() is None:
                    time.sleep(0.01)
            else:  # a line says that the stage before has ended
                assert process.stderr.readline().startswith("Reading: ")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)[1]
        finally:
            process.kill()
        assert process.returncode == 130
        assert rest == STOPPED
        assert list(tmp_path.glob("*/*")) == []

    @pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0, reason="needs root, to mount a small disk (run the tests with sudo)"
    )
    def test_the_disk_is_full(self, run_folder, shop_csv, tmp_path, capsys):
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
        try:
            (disk / "run").mkdir()
            shutil.copy(run_folder / "run.json", disk / "run")
            (disk / "ballast").write_bytes(b"\0" * 960_000)
            assert regulars("segment", shop_csv, "-o", disk / "run", "--no-backtest", "--k", 2) == 2
            self.expect(capsys, "The disk is full", "Make room")
            assert sorted(entry.name for entry in disk.iterdir()) == ["ballast", "run"]
            assert [entry.name for entry in (disk / "run").iterdir()] == ["run.json"]
        finally:
            subprocess.run(["umount", str(disk)], check=True)


class TestMachine:
    expect = TestBadInput.expect

    def test_the_options_reach_the_engine(self, shop_csv, run_folder, tmp_path, monkeypatch):
        told = []
        monkeypatch.setattr("regulars.reading.read", lambda *source, **options: told.append(options) or stop())
        machine = ["--memory-limit", "300MB", "--threads", 1, "--temp-dir", tmp_path]
        for command in (["check"], ["segment", "-o", tmp_path / "run"], ["assign", "--model", run_folder]):
            assert regulars(command[0], shop_csv, *command[1:], *machine) == 2
        names = ("memory_limit", "threads", "temp_dir")
        assert [[options[name] for name in names] for options in told] == [["300MB", 1, tmp_path]] * 3

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--memory-limit", "900TB"], ["900,000 GB", "this machine has", "--memory-limit"]),
            (["--memory-limit", "much"], ["'much'", "2GB"]),
            (["--threads", 0], ["0 threads"]),
            (["--temp-dir", "nowhere"], ["nowhere", "--temp-dir"]),
        ],
    )
    def test_an_option_that_does_not_fit(self, options, words, shop_csv, tmp_path, capsys):
        assert regulars("segment", shop_csv, "-o", tmp_path / "run", *options) == 2
        self.expect(capsys, *words)
        assert list(tmp_path.iterdir()) == []

    def test_too_little_disk_is_said_before_anything_is_read(self, shop_csv, tmp_path, capsys, monkeypatch):
        huge = Size(files=1, bytes=16 * 10**11, lines=10**11, exact=True)
        monkeypatch.setattr("regulars.reading.estimate_size", lambda source: huge)
        monkeypatch.setattr("regulars.reading.read", lambda *source, **options: pytest.fail("was read"))
        monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 0, 10**9))
        assert regulars("segment", shop_csv, "-o", tmp_path / "run", "--temp-dir", tmp_path) == 2
        self.expect(capsys, "GB of disk in", "1 GB is free there", "--temp-dir")

    def test_a_large_run_says_beforehand_what_it_needs_and_then_a_line_per_stage(self, large_run):
        plan, *lines = large_run.err.splitlines()
        assert plan.startswith("orders.csv: 100 million lines, 1.6 GB. About ")
        assert "of memory" in plan
        assert "for the results" in plan
        assert [line.partition(":")[0] for line in lines][:3] == ["Reading", "Cleaning", "Counting per customer"]
        assert all(re.fullmatch(r"[A-Z][a-z -]+: [\d.]+ s", line) for line in lines)

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (
                duckdb.OutOfMemoryException("failed to allocate data of size 8.0 MiB (190 MiB/190 MiB used)"),
                ["memory limit of 300 MB is too small", "--memory-limit 600MB"],
            ),
            (
                duckdb.OutOfMemoryException(
                    "failed to offload data block of size 256.0 KiB (9.4 MiB/9.5 MiB used).\n"
                    "This limit was set by the 'max_temp_directory_size' setting."
                ),
                ["The disk is full", "{folder}", "free now", "--temp-dir"],
            ),
            (
                duckdb.IOException(
                    'Could not write file "/x/duckdb_temp_7_0_storage_S32K-0.tmp": No space left on device'
                ),
                ["The disk is full", "{folder}", "--temp-dir"],
            ),
            (MemoryError(), ["memory of this machine is used up", "--memory-limit"]),
        ],
        ids=["memory limit", "spill limit", "spill disk", "memory"],
    )
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_what_the_engine_lacks_is_said_in_plain_words(
        self, error, words, wrapped, shop_csv, tmp_path, capsys, monkeypatch
    ):
        def fail(*source, **options):
            if wrapped:
                raise SourceError("It cannot be read.", hint="Export it again.") from error
            raise error

        monkeypatch.setattr("regulars.reading.read", fail)
        machine = ["--memory-limit", "300MB", "--temp-dir", tmp_path]
        assert regulars("segment", shop_csv, "-o", tmp_path / "run", *machine) == 2
        self.expect(capsys, *(each.format(folder=tmp_path) for each in words))
        assert list(tmp_path.iterdir()) == []

    def test_a_memory_limit_that_is_really_too_small(self, tmp_path, capsys, monkeypatch):
        def greedy(*source, **options):
            con = duckdb.connect(config={"memory_limit": "20MB", "temp_directory": ""})
            con.execute("SELECT list(range) FROM range(10_000_000)").fetchall()

        (tmp_path / "o.csv").write_text(uci(GOOD))
        monkeypatch.setattr("regulars.reading.read", greedy)
        assert regulars("check", tmp_path / "o.csv", "--memory-limit", "300MB") == 2
        self.expect(capsys, "too small", "--memory-limit 600MB")


class TestAFinishedRun:
    """Commands on the folder that `segment` left."""

    @pytest.fixture
    def run(self, run_folder, tmp_path):
        return Path(shutil.copytree(run_folder, tmp_path / "run"))

    def test_the_report_is_made_anew_byte_for_byte(self, run, run_folder, capsys):
        (run / "report.html").unlink()

        assert regulars("report", run) == 0
        assert (run / "report.html").read_bytes() == (run_folder / "report.html").read_bytes()
        assert "report.html (" in capsys.readouterr().out

    def test_the_report_goes_where_it_is_asked_for(self, run, tmp_path):
        assert regulars("report", run, "-o", tmp_path / "new" / "page.html", "--turnable") == 0
        assert (tmp_path / "new" / "page.html").stat().st_size > (run / "report.html").stat().st_size + 2_000_000

    def test_neither_a_report_nor_csv_is_made_where_none_is_wanted(self, large_run):
        made = {entry.name for entry in large_run.folder.iterdir()}
        assert "customers.parquet" in made
        assert not made & {"report.html", "figures", "customers.csv"}

    def test_a_customer_on_the_screen_and_as_json(self, run, capsys):
        row = next(csv.DictReader((run / "customers.csv").open(encoding="utf-8")))

        assert regulars("customer", row["customer_id"], "--run", run) == 0
        shown = capsys.readouterr().out
        assert f"Customer {row['customer_id']}, as of" in shown
        assert f"{row['segment']} · group {row['rfm_group']}" in shown
        assert all(title in shown for title in ("Why", "What would move them", "What to do", "Orders"))

        assert regulars("customer", row["customer_id"], "--run", run, "--json") == 0
        card = json.loads(capsys.readouterr().out)
        assert (card["segment"], card["numbers"]["frequency"]) == (row["segment"], int(row["frequency"]))
        assert len(card["orders"]) == int(row["frequency"])

    def test_a_workbook(self, run, tmp_path):
        assert regulars("export", run, "--excel", tmp_path / "run.xlsx") == 0
        assert (tmp_path / "run.xlsx").read_bytes()[:2] == b"PK"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["customer", "nobody", "--run", "{run}"], "No customer of"),
            (["export", "{run}"], "Nothing was asked for"),
            (["export", "{run}", "--excel", "{run}/customers.csv"], "a workbook has another ending"),
            (["report", "{run}", "-o", "{run}/facts.json"], "cannot be a page"),
            (["report", "{run}/figures"], "is not a run of regulars"),
            (["report", "{run}/nowhere"], "does not exist"),
        ],
    )
    def test_what_cannot_be_done_is_said_and_changes_nothing(self, run, run_folder, capsys, arguments, words):
        assert regulars(*(each.format(run=run) for each in arguments)) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert words in said
        assert "Traceback" not in said
        assert same_files(run, run_folder)


def stop():
    raise SourceError("That is enough.", hint="It was a test.")


def same_files(one: Path, other: Path) -> bool:
    names = sorted(file.relative_to(one) for file in one.rglob("*") if file.is_file())
    return names == sorted(file.relative_to(other) for file in other.rglob("*") if file.is_file()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


class TestLookingAhead:
    def test_a_run_says_whether_the_segments_held_and_who_is_at_risk(self, run_folder):
        facts = json.loads((run_folder / "facts.json").read_text("utf-8"))
        rows = list(csv.DictReader((run_folder / "at_risk.csv").open(encoding="utf-8")))
        assert list(rows[0])[:3] == ["customer_id", "revenue_at_risk", "p_active"]
        risks = [float(row["revenue_at_risk"]) for row in rows]
        assert risks == sorted(risks, reverse=True)
        assert len(rows) == facts["at_risk"]["customers"]
        assert sum(risks) == pytest.approx(facts["at_risk"]["revenue_at_risk"], abs=0.01 * len(rows))
        assert facts["backtest"]["forecasts"]["used"] in ("mbg-nbd", "logistic")
        whole = list(csv.DictReader((run_folder / "customers.csv").open(encoding="utf-8")))
        per_segment = facts["outlook"]["segments"]
        assert sum(one["customers"] for one in per_segment) == len(whole)

    def test_backtest_shows_what_each_segment_did_next_and_writes_nothing(
        self, shop_csv, capsys, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        assert regulars("backtest", shop_csv, "--k", 3, "--horizon", 60) == 0
        shown = capsys.readouterr().out
        assert re.search(
            r"Looking ahead from \d{4}-\d\d-\d\d for 60 days: \d+ customers, of whom \d+ bought again", shown
        )
        for words in ("Bought again", "RFM sum", "Recency alone", "MBG/NBD", "AUC"):
            assert words in shown
        assert not list(tmp_path.iterdir())

        assert regulars("backtest", shop_csv, "--k", 3, "--json") == 0
        assert json.loads(capsys.readouterr().out)["k"] == 3

    def test_value_does_not_replace_a_run(self, shop_csv, run_folder, capsys):
        before = sorted(run_folder.iterdir())
        assert regulars("value", shop_csv, "-o", run_folder) == 2
        assert "holds what 'regulars segment' wrote" in capsys.readouterr().err
        assert sorted(run_folder.iterdir()) == before

    def test_value_writes_customers_and_what_pymc_marketing_reads(self, shop_csv, tmp_path, capsys):
        folder = tmp_path / "value"
        assert regulars("value", shop_csv, "-o", folder, "--horizon", 60, "--margin", 0.4) == 0
        shown = capsys.readouterr().out
        assert re.search(r"of \d+ customers \d+ are expected to order, \d+ orders for £", shown)
        assert sorted(entry.name for entry in folder.iterdir()) == [
            "customers.csv", "customers.parquet", "facts.json", "pymc_marketing.csv", "run.json",
        ]  # fmt: skip
        header = (folder / "pymc_marketing.csv").read_text("utf-8").splitlines()[0]
        assert header == "customer_id,frequency,recency,T,monetary_value"

        assert regulars("value", shop_csv, "-o", folder, "--json", "--model", "bg-nbd") == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["forecaster"]["purchases"]["kind"] == "bg-nbd"
        assert facts["test"]["ways"][0]["name"] == "bg-nbd"

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (("backtest", "--horizon", 0), "The horizon is 0 days"),
            (("backtest", "--horizon", 300), "a back-test of 300 days needs 900"),
            (("backtest", "--cut", "2030-01-01"), "A cut at 2030-01-01"),
            (("backtest", "--k", 1), "k is 1"),
            (("value", "--margin", -1), "margin is -1.0"),
            (("value", "--margin", "1e300"), "margin is 1e+300"),
            (("value", "--discount", "nan"), "discount is nan"),
            (("value", "--horizon", 200), "a back-test of 200 days needs 600"),
            (("segment", "--horizon", 0), "The horizon is 0 days"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_said_and_nothing_is_written(self, shop_csv, tmp_path, capsys, command, said):
        output = () if command[0] == "backtest" else ("-o", tmp_path / "out")
        assert regulars(command[0], shop_csv, *command[1:], *output) == 2
        told = capsys.readouterr()
        assert said in told.err
        assert told.out == ""
        assert not list(tmp_path.iterdir())
