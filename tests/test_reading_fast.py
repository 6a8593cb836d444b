"""The short ways of reading give what the careful way gives, cell by cell, or leave it to that."""

import dataclasses
import stat
import subprocess
import sys
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.errors import OptionError, RegularsError
from regulars.reading import connecting, estimate_size, loading, read, understanding

HEAD = ["Client", "Order", "Date", "SKU", "Description", "Qty", "Price", "Country", "Shop"]
USUAL = ["17850", "536365", "2010-12-01 08:26:00", "85123A", "LAMP", "6", "2.55", "France", "north"]
ODD = {
    "Client": ["", '""', "17850.0", " 7", "nan", "-", "00042", "N", "None", '" "', "a.0", "Ünal", "x\u00a0", "1.50", "\v7"],
    "Order": ["", "C1", "#5", "5.00", "null", "n/a ", "A\tB"],
    "Date": [
        "", "2010-12-01", "2010-12-01 08:26", "2010-12-01T08:26:30", "2010-12-01 08:26:3Z", "2010-12-01 08:26:00Z",
        "2010-12-01 08:26+02:00", "1/12/2010", "2010-13-01", "2010-12-1 8:26", "infinity", "0999-01-01", "20101201",
        "2010-12-01\t08:26:00", " 2010-12-01   08:26:00", "2010-1-2 8:26:00", "10-12-01 08:26:00", "\v2010-12-01 08:26:00",
    ],
    "SKU": ["", "POST", "M", "nan", "22.0"],
    "Description": ["", " LAMP", '"a, ""b"""', "é", "NaN", "LAMP\u00a0", "-", '"x\ny"'],
    "Qty": [
        "", "-6", "1,000", '"1,000"', "6.0", "1.5", "1e3", " 6", "+6", "6-", "nan", "1e17", "\v6",
        "1_000", "1_0_0.5_0", "1__0", "_1", "1_",
    ],
    "Price": ["", "0", "2.55555", ".5", "5.", "£2", "1.234", "2.5e-3", "(2)", "99999999999999", "NaN", "2,5", "0x1F"],
    "Country": ["", " ", "NA", "Côte d'Ivoire"],
    "Shop": ["", " south "],
}  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> str:
    """Files of plain rows, most of them with a few cells that are not."""
    rows = [list(USUAL) for _ in range(draw(st.integers(1, 6)))]
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(HEAD) - 1))
        draw(st.sampled_from(rows))[place] = draw(st.sampled_from(ODD[HEAD[place]]))
    if draw(st.booleans()):
        rows.insert(draw(st.integers(0, len(rows))), ["", " ", "", "", "", "", "", "", ""])
    mark = draw(st.sampled_from([",", ";", "\t"]))
    return "\n".join(mark.join(row) for row in [HEAD, *rows]) + "\n"


def outcome(source: object) -> object:
    """What reading gives, or the words of its error."""
    try:
        orders = read(source)
    except RegularsError as error:
        return str(error)
    table = orders.table.to_pyarrow()
    return [(name, str(kind.type)) for name, kind in zip(table.column_names, table.schema, strict=True)], (
        table.to_pylist(),
        orders.notes,
        orders.currency,
    )


def carefully(source: object) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "plainly", lambda *_: None)
        patch.setattr(understanding, "look", _without_proof)
        return outcome(source)


def _without_proof(opened, found, look=understanding.look):
    return dataclasses.replace(look(opened, found), plain=frozenset(), bounds={})


@settings(max_examples=10, deadline=None)
@given(text=files())
def test_text_files_are_read_alike_in_both_ways(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("both") / "orders.csv"
    file.write_text(text, encoding="utf-8")

    assert outcome(file) == carefully(file)


#: Columns whose cells can all be read: an odd one of each stands in one line. A date or number that cannot be read
#: would hide the others.
READABLE = ("Client", "Order", "SKU", "Description", "Country", "Shop")
NEEDED = ("Client", "Date", "Qty", "Price")


@pytest.mark.parametrize("columns", [("Date",), ("Qty",), ("Price",), READABLE], ids="-".join)
def test_every_odd_cell_is_read_alike_in_both_ways(tmp_path, columns):
    for place, cells in enumerate(zip_longest(*(ODD[column] for column in columns))):
        odd = {column: cell for column, cell in zip(columns, cells, strict=True) if cell is not None}
        usual = {name: cell for name, cell in zip(HEAD, USUAL, strict=True) if name in NEEDED or name in odd}
        file = tmp_path / f"orders {place}.csv"
        plain = [usual] * 151  # beyond the sample that decides
        file.write_text("\n".join(",".join(row) for row in [usual, *(row.values() for row in [*plain, usual | odd])]))

        shortly = in_short(file)
        assert shortly is LEFT or shortly == carefully(file), odd


LEFT = object()


def in_short(file: Path) -> object:
    """What the short way gives; `LEFT` where it leaves the file to the careful one, which begins by loading text."""

    class LeavingError(Exception):
        pass

    def leave(*_args: object, **_more: object) -> None:
        raise LeavingError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_load", leave)
        try:
            return outcome(file)
        except LeavingError:
            return LEFT


@pytest.mark.parametrize(
    "late",
    ["Zo\u00eb,1,2010-12-01,1,1\n".encode("cp1252"), b"7,1,2010-12-01,1\n", b"7,1,2010-12-01,1,1\r\n7,1,soon,1,1\r\n"],
)
def test_what_the_start_does_not_show_is_read_alike_in_both_ways(tmp_path, late):
    file = tmp_path / "orders.csv"
    file.write_bytes(b"Client,Order,Date,Qty,Price\n" + b"7,1,2010-12-01,1,1\n" * 5_000 + late)

    assert outcome(file) == carefully(file)


def test_a_plain_file_is_loaded_once_with_its_types(tmp_path, monkeypatch):
    file = tmp_path / "orders.csv"
    file.write_text("\n".join([",".join(HEAD), ",".join(USUAL)]), encoding="utf-8")
    monkeypatch.setattr(loading, "_load", None)  # the careful way

    [row] = read(file).table.to_pyarrow().to_pylist()
    assert (row["ordered_at"], float(row["amount"]), row["Shop"]) == (datetime(2010, 12, 1, 8, 26), 15.3, "north")


NUMBERS = {
    "whole": [6, -1, None, 0],
    "large": [2**62, 1],
    "float": [2.55, 0.00005, -7.25, None],
    "not a number": [float("nan"), 1.0],
    "infinite": [float("inf"), 1.0],
    "wide": [9e13, 1.5],
}


@pytest.mark.parametrize("price", NUMBERS)
@pytest.mark.parametrize("pieces", NUMBERS)
def test_typed_columns_are_read_alike_in_both_ways(tmp_path, pieces, price):
    rows = max(len(NUMBERS[pieces]), len(NUMBERS[price]))
    table = pa.table(
        {
            "Client": (NUMBERS["whole"] * rows)[:rows],
            "Order": ([" 1", "nan", "2.0", "A", None] * rows)[:rows],
            "SKU": (["1", "2"] * rows)[:rows],
            "Date": [datetime(2010, 12, 1)] * rows,
            "Qty": (NUMBERS[pieces] * rows)[:rows],
            "Price": (NUMBERS[price] * rows)[:rows],
        }
    )
    pq.write_table(table, tmp_path / "orders.parquet")

    assert outcome(tmp_path / "orders.parquet") == carefully(tmp_path / "orders.parquet")


@pytest.mark.parametrize(
    "clients", [[7.0, None], [7.5, 8.0], [float("nan"), 8.0], [1e300, 1.0], [-0.0, -7.0], [2.0**60, 1.0], [None, None]]
)
def test_customers_that_are_floats_are_read_alike_in_both_ways(tmp_path, clients):
    table = pa.table({"Client": pa.array(clients, "float64"), "Date": [datetime(2010, 12, 1)] * 2, "Amount": [1, 2]})
    pq.write_table(table, tmp_path / "orders.parquet")

    assert outcome(tmp_path / "orders.parquet") == carefully(tmp_path / "orders.parquet")


def test_typed_parquet_is_one_flat_select_of_casts(tmp_path):
    table = pa.table(
        {"Client": [7], "Order": ["A1"], "Date": [datetime(2010, 12, 1)], "Qty": [2], "Price": [1.5], "SKU": ["B"]}
    )
    pq.write_table(table, tmp_path / "orders.parquet")

    sql = str(ibis.to_sql(read(tmp_path / "orders.parquet").table)).upper()
    assert sql.count("SELECT") == 1
    assert not [word for word in ("TRY_CAST", "REGEXP", "CASE", "JOIN", "38") if word in sql]


# --- the machine ----------------------------------------------------------------------------------------------------

FRAME = pa.table({"Client": ["7"], "Date": ["2010-12-01"], "Amount": ["1"]})


def setting(orders, name: str) -> object:
    return orders.table.get_backend().raw_sql(f"SELECT current_setting('{name}')").fetchone()[0]


def test_the_engine_has_the_limits_that_you_give(tmp_path):
    orders = read(FRAME, memory_limit="0.5 gb", threads=1, temp_dir=tmp_path)

    assert setting(orders, "memory_limit") == "476.8 MiB"
    assert setting(orders, "threads") == 1
    [folder] = tmp_path.iterdir()
    assert folder in Path(str(setting(orders, "temp_directory"))).parents
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("machine", "limit"), [(2 * 10**9, "1.1 GiB"), (64 * 10**9, "2.3 GiB"), (None, "2.3 GiB")])
def test_without_a_limit_a_small_machine_keeps_a_share(monkeypatch, machine, limit):
    monkeypatch.setattr(connecting, "machine_memory", lambda: machine)

    assert setting(read(FRAME), "memory_limit") == limit


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_limit": "much"}, "The memory limit 'much' is not a size"),
        ({"memory_limit": "2"}, "The memory limit '2' is not a size"),
        ({"memory_limit": "199MB"}, "The memory limit '199MB' is too small"),
        ({"threads": 0}, "0 threads cannot work"),
        ({"threads": 100_000}, "100,000 threads cannot work"),
        ({"temp_dir": "/no/such/folder"}, "There is no folder '/no/such/folder'"),
    ],
)
def test_limits_that_do_not_work(options, words):
    with pytest.raises(OptionError, match=words):
        read(FRAME, **options)


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(connecting.os, "access", lambda *_: False)

    with pytest.raises(OptionError, match="cannot be written to"):
        read(FRAME, temp_dir=tmp_path)


@pytest.mark.parametrize("option", [{"memory_limit": "1GB"}, {"threads": 2}, {"temp_dir": "."}])
def test_an_ibis_table_has_an_engine_of_its_own(option):
    with pytest.raises(OptionError, match=f"{next(iter(option))} has no meaning for an Ibis table"):
        read(ibis.memtable(FRAME), **option)


SCRIPT = """
import sys, pathlib, pyarrow as pa
from regulars.errors import UnreadableError
from regulars.reading import read
lines = pa.table({"Client": ["7"], "Date": ["2010-12-01"], "Amount": ["1"]})
first, second = read(lines, temp_dir=sys.argv[1]), read(lines, temp_dir=sys.argv[1])
try:
    read(lines.set_column(1, "Date", pa.array(["soon"])), temp_dir=sys.argv[1])
except UnreadableError:
    print(len(list(pathlib.Path(sys.argv[1]).iterdir())) >= 2)
raise KeyboardInterrupt
"""


def test_spill_folders_do_not_collide_and_are_gone_at_the_end_also_after_errors(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode != 0) == ("True\n", True)
    assert list(tmp_path.iterdir()) == []


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_sizes_of_files_and_frames(tmp_path):
    line = ",".join(USUAL) + "\n"
    (tmp_path / "small.csv").write_text(line * 4)
    (tmp_path / "large.csv").write_text(line * 50_000)
    pq.write_table(FRAME, tmp_path / "orders.parquet")

    small, large = estimate_size(tmp_path / "small.csv"), estimate_size(str(tmp_path / "large.csv"))
    assert (small.files, small.bytes, small.lines, small.exact) == (1, 4 * len(line), 3, False)
    assert large.lines == pytest.approx(50_000, rel=0.01)
    parquet = estimate_size(tmp_path / "orders.parquet")
    assert (parquet.files, parquet.lines, parquet.exact) == (1, 1, True)
    assert estimate_size(str(tmp_path / "*.csv")).files == 2
    assert (estimate_size(FRAME).lines, estimate_size(FRAME.to_pandas()).lines) == (1, 1)


@pytest.mark.parametrize("name", ["none.csv", "broken.parquet", "a.docx"])
def test_where_reading_will_say_what_is_wrong_there_is_no_size(tmp_path, name):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "a.docx").write_bytes(b"")

    assert estimate_size(tmp_path / name) is None
    assert estimate_size(tmp_path) is None
    assert estimate_size(ibis.memtable(FRAME)) is None
