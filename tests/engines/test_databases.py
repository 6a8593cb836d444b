"""Databases: addresses, tables that are written, and a model as SQL."""

import json
import re
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import duckdb
import ibis
import pyarrow.parquet as pq
import pytest

import regulars as rg
from regulars.cli import main
from regulars.clustering import Scale
from regulars.databasing import postgres as writing_to_postgres
from regulars.databasing import run_id, write_table_to
from regulars.dialects import DIALECTS, to_sql
from regulars.errors import OptionError, OutputError, RegularsError, SourceError
from regulars.features import build_features
from regulars.model import SegmentModel
from regulars.profiling import Gaps
from regulars.reading import databases
from regulars.reading.addresses import parse_address, quoted
from regulars.reading.connecting import connect, machine
from regulars.schema import SCORES
from regulars.scoring import Cuts, load_pack
from servers import ENCODED, PASSWORD, fill, free_port, rows


@pytest.fixture(scope="module")
def expected(lines):
    """What files and frames give, which tests of their own hold against pandas."""
    cleaned = rg.clean(rg.read(lines))
    as_of = cleaned.audit.last_day + timedelta(days=1)
    people = build_features(cleaned, as_of=as_of).cache()
    model = rg.segment(lines, k=4, backtest=False).model
    return cleaned, as_of, people, model


@pytest.fixture(scope="module")
def online_retail(postgres, uci) -> str:
    """The address of a PostgreSQL that has the real file as the table online_retail."""
    fill(postgres, "online_retail", pq.read_table(uci))
    return postgres


# --- reading by address ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(lines, tmp_path_factory) -> Path:
    """A folder with shop.sqlite and shop.duckdb, both with the table order_lines."""
    folder = tmp_path_factory.mktemp("files")
    with closing(duckdb.connect(str(folder / "shop.duckdb"))) as con:
        con.register("cells", lines)
        con.execute("CREATE TABLE order_lines AS SELECT * FROM cells")
    with closing(sqlite3.connect(folder / "shop.sqlite")) as con:
        con.execute(f"CREATE TABLE order_lines ({', '.join(lines.column_names)})")
        cells = [[str(v) if isinstance(v, datetime) else v for v in row.values()] for row in lines.to_pylist()]
        con.executemany(f"INSERT INTO order_lines VALUES ({', '.join('?' * lines.num_columns)})", cells)
        con.commit()
    return folder


@pytest.fixture(params=["postgres", "sqlite", "duckdb"])
def shop_url(request, files, lines) -> str:
    """The address of a database with the table order_lines."""
    if request.param != "postgres":
        return f"{request.param}:///{files}/shop.{request.param}"
    url = request.getfixturevalue("postgres")
    fill(url, "order_lines", lines)
    return url


def test_a_table_by_address_gives_what_a_file_gives(shop_url, expected):
    orders = rg.read(f"{shop_url}?table=order_lines")
    assert orders.source.startswith("order_lines in the ")
    assert rg.clean(orders).audit == expected[0].audit
    assert rg.read(f"{shop_url}?table=order_lines").fingerprint == orders.fingerprint != ""


def test_customers_get_the_same_segments(shop_url, expected):
    *_, people, model = expected
    found = rg.assign(f"{shop_url}?table=order_lines", model)
    shown = ["customer_id", "recency_days", "frequency", "monetary", *SCORES, "segment_id", "segment"]
    assert rows(found.customers.select(shown)) == rows(model.assign(people).select(shown))


def test_the_work_stays_in_the_database_where_it_is_asked_to(files):
    orders = rg.read(f"duckdb:///{files}/shop.duckdb?table=order_lines", engine="database")
    assert orders.table.get_backend().con.execute("SELECT current_database()").fetchone() == ("shop",)
    assert orders.source == "order_lines in the DuckDB database shop.duckdb"
    with pytest.raises(SourceError, match="cannot be read"):
        rg.read(f"duckdb:///{files}/shop.duckdb?table=nothing", engine="database")
    with pytest.raises(OptionError, match="only be done inside a database"):
        rg.read("orders.csv", engine="database")
    with pytest.raises(OptionError, match="threads has no meaning for a database"):
        rg.read(f"duckdb:///{files}/shop.duckdb?table=order_lines", engine="database", threads=1)


def test_a_query_takes_the_place_of_a_table(shop_url, tmp_path):
    file = tmp_path / "lines.sql"
    file.write_text('SELECT * FROM order_lines WHERE "Quantity" > 0;\n')
    audit = rg.clean(rg.read(shop_url, query=file)).audit
    assert audit == rg.clean(rg.read(shop_url, query=file.read_text())).audit
    assert "return" in [line.rule for line in audit.lines if not line.rows]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1) AS a; DROP TABLE order_lines; SELECT * FROM (SELECT 1",
        "SELECT 1) AS a; COMMIT; DROP TABLE order_lines; SELECT * FROM (SELECT 1",
        "SELECT * FROM order_lines; DROP TABLE order_lines",
        "WITH gone AS (DELETE FROM order_lines RETURNING *) SELECT * FROM gone",
        "SELECT * FROM nowhere",
    ],
)
def test_a_query_cannot_write(shop_url, query, lines):
    for engine in ("duckdb", "database"):
        with pytest.raises(SourceError, match=r"refuses|cannot be read|may only be one SELECT"):
            rg.read(shop_url, query=query, engine=engine)
    assert rg.read(f"{shop_url}?table=order_lines").table.count().to_pyarrow().as_py() == lines.num_rows


@pytest.mark.parametrize("query", ["DROP TABLE order_lines", "-- SELECT\nINSERT INTO a VALUES (1)", "PRAGMA x"])
def test_what_is_not_a_select_is_refused_in_one_sentence(shop_url, query):
    begin = query.split()[0].replace("--", "INSERT")
    with pytest.raises(SourceError, match=f"A query may only be one SELECT, and this one begins with '{begin}'"):
        rg.read(shop_url, query=query)


def test_a_query_file_of_windows_is_read(shop_url, lines, tmp_path):
    (tmp_path / "lines.sql").write_text("SELECT * FROM order_lines;\r\n", "utf-8-sig")
    assert rg.read(shop_url, query=tmp_path / "lines.sql").table.count().to_pyarrow().as_py() == lines.num_rows


@pytest.mark.parametrize("begin", ["/* all */ (SELECT", "-- all\nWITH a AS (SELECT 1) (SELECT"])
def test_a_select_may_begin_with_a_comment_or_a_bracket(files, lines, begin):
    found = rg.read(f"duckdb:///{files / 'shop.duckdb'}", query=f"{begin} * FROM order_lines)")
    assert found.table.count().to_pyarrow().as_py() == lines.num_rows


def test_a_missing_table_is_told_with_what_is_there(shop_url):
    with pytest.raises(OptionError, match="has a parameter twice: table, table"):
        rg.read(f"{shop_url}?table=order_lines&table=other")
    with pytest.raises(SourceError, match=r"There is no table 'order_line' in .* Did you mean table=order_lines\?"):
        rg.read(f"{shop_url}?table=order_line")
    with pytest.raises(SourceError, match=r"No table of .* is named. Found: .*order_lines"):
        rg.read(shop_url)
    with pytest.raises(OptionError, match="Both a table and a query"):
        rg.read(f"{shop_url}?table=order_lines", query="SELECT 1")
    with pytest.raises(OptionError, match="A query needs a database"):
        rg.read("orders.csv", query="SELECT 1")


@pytest.mark.parametrize(
    ("name", "asked"),
    [("order_lines", "order_lines"), ('q4.lines & 5% "more"', "q4 lines 5 more")],
    ids=["schema", "odd"],
)
def test_a_table_that_is_meant_is_written_so_that_it_is_found(tmp_path, name, asked):
    with duckdb.connect(tmp_path / "shop.duckdb") as con:
        table = quoted(name)
        con.execute(f"CREATE SCHEMA sales; CREATE TABLE sales.{table} AS SELECT 'c' customer_id, '1' order_id")
    with pytest.raises(SourceError, match="There is no table") as told:
        rg.read(f"duckdb:///{tmp_path}/shop.duckdb?table={asked}")
    meant = re.search(r"Did you mean (table=.+)\?$", told.value.hint)[1]
    with pytest.raises(SourceError, match="No column for ordered_at"):  # it is found
        rg.read(f"duckdb:///{tmp_path}/shop.duckdb?{meant}")


NASTY = 'lines"; DROP TABLE order_lines; --'


def test_names_of_tables_and_columns_are_never_run(shop_url, lines):
    table, column = NASTY.replace('"', '""'), 'a"; DROP TABLE order_lines; --'
    statements = (
        f'DROP TABLE IF EXISTS "{table}"',
        f'CREATE TABLE "{table}" AS SELECT *, 1 AS "{column.replace(chr(34), chr(34) * 2)}" FROM order_lines LIMIT 500',
    )
    address = parse_address(shop_url)
    if address.engine == "postgres":
        import psycopg

        con = psycopg.connect(shop_url)
    else:
        con = {"duckdb": duckdb.connect, "sqlite": sqlite3.connect}[address.engine](str(address.path))
    with closing(con):
        for statement in statements:
            con.execute(statement)
        con.commit()
    orders = rg.read(f"{shop_url}?table={quote(f'{chr(34)}{table}{chr(34)}')}")
    assert orders.table.count().to_pyarrow().as_py() == 500
    assert column in orders.table.columns
    assert rg.read(f"{shop_url}?table=order_lines").table.count().to_pyarrow().as_py() == lines.num_rows


def test_types_of_postgres_are_kept(postgres, ask):
    ask("DROP TABLE IF EXISTS kinds")
    ask(
        """CREATE TABLE kinds ("Customer" char(4), "Order" uuid, "Date" timestamptz, "Qty" smallint, "Price" numeric,
        "Total" money, remark text, flag boolean, extra jsonb)"""
    )
    ask(
        """INSERT INTO kinds VALUES
        ('a', '00000000-0000-0000-0000-000000000001', '2024-01-02 10:00+00', 2, 1.23456789012345, 2.50, '', true, '{}'),
        ('b', '00000000-0000-0000-0000-000000000002', '2024-01-03 10:00+00', 1, 3, 3, E'two\nlines, "quoted"', false, null),
        ('c', '00000000-0000-0000-0000-000000000003', '2024-01-04 10:00+00', 1, 'NaN', 4, E'\\\\N', null, null)"""
    )
    address = f"{postgres}?table=kinds"
    opened = databases.open_database(
        address, query=None, told=machine(memory_limit=None, threads=None, temp_dir=None)
    ).table.order_by("Customer")
    cells = opened.to_pyarrow().to_pydict()
    assert cells["Customer"] == ["a", "b", "c"]
    assert cells["Price"] == [Decimal("1.2345678901"), Decimal(3), None]
    assert cells["Total"] == [Decimal("2.5"), Decimal(3), Decimal(4)]
    assert cells["remark"] == ["", 'two\nlines, "quoted"', r"\N"]
    assert cells["flag"] == [True, False, None]
    assert cells["extra"] == ["{}", None, None]
    orders = rg.read(address)
    assert any("have a time zone: they are clock times of" in note for note in orders.notes)
    assert orders.table.count().to_pyarrow().as_py() == 3


def test_days_and_numbers_that_are_none_come_over_as_empty(postgres, ask, tmp_path, monkeypatch, capsys):
    ask("DROP TABLE IF EXISTS odd")
    ask('CREATE TABLE odd ("Customer" text, "Order" text, "Date" timestamp, "Day" date, "Amount" numeric)')
    ask(
        """INSERT INTO odd VALUES
        ('a', '1', '2024-01-02 10:00', '2024-01-02', 2.5), ('b', '2', 'infinity', '-infinity', 'NaN'),
        ('c', '3', '0044-03-15 BC', '0044-03-15 BC', 'Infinity'), ('d', '4', '12024-01-02', '12024-01-02', -3)"""
    )
    opened = databases.open_database(
        f"{postgres}?table=odd", query=None, told=machine(memory_limit=None, threads=None, temp_dir=None)
    ).table.order_by("Customer")
    cells = opened.to_pyarrow().to_pydict()
    assert cells["Date"] == [datetime(2024, 1, 2, 10), None, None, None]
    assert cells["Day"] == [date(2024, 1, 2), None, None, None]
    assert cells["Amount"] == [Decimal("2.5"), None, None, Decimal(-3)]
    inside = ["check", f"{postgres}?table=odd", "--map", "ordered_at=Date", "--engine", "database"]
    assert command_line(*inside, monkeypatch=monkeypatch) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "The database cannot go on: " in said
    assert "Leave '--engine database' out" in said


def test_a_table_that_may_not_be_read_is_told(postgres, ask, lines):
    fill(postgres, "order_lines", lines)
    there = parse_address(postgres).options
    name = f"nobody_in_{there['dbname']}"
    ask(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    address = f"postgres://{name}:x@{there['host']}:{there['port']}/{there['dbname']}"
    try:
        with pytest.raises(SourceError, match="You may not read order_lines in the PostgreSQL database"):
            rg.read(f"{address}?table=order_lines")
    finally:
        ask(f"DROP ROLE {name}")


def test_a_table_of_another_schema_is_offered_with_it(postgres, ask):
    ask("DROP SCHEMA IF EXISTS aside CASCADE; CREATE SCHEMA aside; CREATE TABLE aside.late_lines (id text)")
    with pytest.raises(SourceError, match=r"There is no table 'late_lines' .* Did you mean table=aside\.late_lines\?"):
        rg.read(f"{postgres}?table=late_lines")


def test_a_name_that_postgres_would_cut_is_refused(postgres, ask, sample_result):
    with pytest.raises(OutputError, match="is too long for the name of a table: 64 bytes"):
        write_table_to(sample_result, postgres, table="a" * 64)
    assert ask("SELECT count(*) FROM pg_class WHERE relname LIKE 'aaaa%'") == [(0,)]


def test_large_tables_come_over_in_pieces(postgres, ask, monkeypatch):
    ask("DROP TABLE IF EXISTS many")
    ask(
        """CREATE TABLE many AS SELECT n % 100 AS customer, n AS "order", DATE '2024-01-01' + n % 300 AS date,
        n::numeric(18,4) / 100 AS amount FROM generate_series(1, 20000) AS n"""
    )
    monkeypatch.setattr(databases.postgres, "PIECE", 50_000)
    orders = rg.read(f"{postgres}?table=many")
    found = orders.table.agg(n=orders.table.count(), amount=orders.table["amount"].sum()).to_pyarrow().to_pylist()[0]
    assert found == {"n": 20_000, "amount": Decimal("2000100")}  # 1 + … + 20,000 = 200,010,000 hundredths


def test_a_broken_connection_while_reading_is_told(postgres, ask, lines, monkeypatch):
    fill(postgres, "order_lines", lines)
    pieces = databases.postgres._pieces

    def kill(rows, file):
        for _ in pieces(rows, file):
            ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%'")
            yield

    monkeypatch.setattr(databases.postgres, "PIECE", 10_000)
    monkeypatch.setattr(databases.postgres, "_pieces", kill)
    big = "SELECT l.* FROM order_lines AS l, generate_series(1, 200)"
    with pytest.raises(SourceError, match=r"The connection to the PostgreSQL database regulars_.* broke off"):
        rg.read(postgres, query=big)


def test_any_backend_of_ibis_comes_over(lines):
    told = machine(memory_limit=None, threads=None, temp_dir=None)
    con = connect(told)
    there = ibis.polars.connect().create_table("lines", lines)
    copied = con.table(databases.bring_over(there, con, where="lines", told=told))
    assert copied.count().to_pyarrow().as_py() == lines.num_rows
    assert rg.clean(rg.read(copied)).audit == rg.clean(rg.read(lines)).audit


# --- addresses ------------------------------------------------------------------------------------------------------


def test_files_are_found_from_here_and_from_the_root(tmp_path, monkeypatch):
    (tmp_path / "shop.duckdb").touch()
    monkeypatch.chdir(tmp_path)
    assert parse_address("duckdb:///shop.duckdb?table=a").path == Path("shop.duckdb")
    assert parse_address(f"duckdb:///{tmp_path}/shop.duckdb").path == tmp_path / "shop.duckdb"
    with pytest.raises(SourceError, match=r"There is no SQLite file 'nix.db'. Check the path: three slashes"):
        rg.read("sqlite:///nix.db?table=a")
    with pytest.raises(SourceError, match=r"shop.duckdb cannot be read|no table"):
        rg.read("duckdb:///shop.duckdb?table=a")


@pytest.mark.parametrize(
    "address",
    [
        f"postgres://me:{PASSWORD}@host/shop?table=a",
        "postgres://me:12/Geheim@host/shop?table=a",
        "postgres://me:12?Geheim@host/shop?table=a",
        "https://me:Geheim@host/orders.csv?token=Geheim",
        "postgres://me:Geheim@host/shop?table=a&nix=1",
        "mysql://me:Geheim@127.0.0.1:1/shop?table=a",
        "snowflake://me:Geheim@account/shop/public?warehouse=w&table=a",
        "postgres://me:Geheim@127.0.0.1:1/shop?table=a&connect_timeout=1",
        "postgres://127.0.0.1:1/shop?table=a&connect_timeout=1&user=me&password=Geheim",
        "postgres:/me:Geheim@host/shop?table=a",
        "postgres:me:Geheim@host/shop?table=a",
        "postgres//me:Geheim@host/shop?table=a",
        " postgres://me:Geheim@host/shop?table=a",
        "postgres:/host/shop?user=me&password=Geheim&table=a",
        "s3a://me:Geheim@bucket/orders.parquet",
    ],
)
def test_no_error_has_the_password(address):
    with pytest.raises(RegularsError) as caught:
        rg.read(address)
    told = "".join([str(caught.value), repr(caught.value.__cause__)])
    assert not any(part in told for part in ("Geheim", PASSWORD, "he/im", "Ge:he"))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["bigquery", "snowflake", "databricks", "trino", "mssql", "clickhouse"])
def test_a_package_that_is_missing_is_named(scheme, monkeypatch):
    def missing(url):
        raise ImportError(scheme)

    monkeypatch.setattr(ibis, "connect", missing)
    with pytest.raises(SourceError, match=rf"needs a package .* pip install 'regulars\[{scheme}\]'"):
        rg.read(f"{scheme}://host/shop?table=lines")


def test_the_password_stands_nowhere_in_a_run(postgres, lines, tmp_path, monkeypatch, capsys):
    fill(postgres, "order_lines", lines)
    address = f"{postgres}?table=order_lines"
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["regulars", "segment", address, "-o", str(run), "--no-figures", "--no-backtest"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    said = "".join(capsys.readouterr())
    assert json.loads((run / "facts.json").read_text())["source"].startswith("order_lines in the PostgreSQL database")
    for secret in (parse_address(address).options["password"], ENCODED):
        assert secret not in said
        for file in run.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_the_password_comes_from_the_environment(postgres, lines, monkeypatch):
    fill(postgres, "order_lines", lines)
    there = parse_address(postgres).options
    address = f"postgres://{there['user']}@{there['host']}:{there['port']}/{there['dbname']}?table=order_lines"
    monkeypatch.setenv("PGPASSWORD", there["password"])
    assert rg.read(address).table.count().to_pyarrow().as_py() == lines.num_rows
    monkeypatch.setenv("PGPASSWORD", "wrong-Geheim")
    with pytest.raises(SourceError, match="There is no way into the PostgreSQL database") as caught:
        rg.read(address)
    assert "Geheim" not in str(caught.value)
    assert "the password is taken from PGPASSWORD" in caught.value.hint
    with pytest.raises(SourceError, match="Connection refused") as caught:
        rg.read(f"postgres://127.0.0.1:{free_port()}/shop?table=order_lines")
    assert "password" not in caught.value.hint


def test_the_real_file_on_postgres(online_retail):
    cleaned = rg.clean(rg.read(f"{online_retail}?table=online_retail"), returns="drop", all_products=True)
    people = cleaned.orders["customer_id"].nunique().to_pyarrow().as_py()
    assert (people, cleaned.audit.kept.orders_left) == (4_338, 18_532)
    assert cleaned.audit.kept.amount_left == Decimal("8887208.8940")


# --- writing a table ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["postgres", "sqlite", "duckdb"])
def target(request, tmp_path):
    """An address to write to, and a way to ask it."""
    if request.param == "postgres":
        url, asking = request.getfixturevalue("postgres"), request.getfixturevalue("ask")
        asking("DROP TABLE IF EXISTS customer_segments")
        return url, asking
    path = tmp_path / f"shop.{request.param}"
    opened = sqlite3.connect if request.param == "sqlite" else duckdb.connect

    def asking(statement):
        with closing(opened(str(path))) as con:
            found = con.execute(statement).fetchall()
            con.commit()
            return found

    return f"{request.param}:///{path}", asking


@pytest.fixture(scope="module")
def other_result(lines):
    """The same shop with two segments."""
    return rg.segment(lines, k=2, backtest=False)


COUNT = "SELECT count(*), count(DISTINCT run_id), min(run_id) FROM customer_segments"


def test_a_table_is_written_as_a_whole(target, sample_result):
    url, ask = target
    told = []
    written = write_table_to(sample_result, url, table="customer_segments", tell=told.append)
    mine, people = run_id(sample_result), sample_result.customers_total
    assert told == [
        f"customer_segments in {written.database} will be made, with {people:,} customers of the run {mine}."
    ]
    assert (written.rows, written.rows_before, written.run_id) == (people, 0, mine)
    found = ask("SELECT customer_id, run_id, as_of, monetary, segment FROM customer_segments ORDER BY customer_id")
    ours = rows(sample_result.customers)
    assert [(a, b, str(c), float(d), e) for a, b, c, d, e in found] == [
        (row["customer_id"], mine, str(sample_result.as_of), float(row["monetary"]), row["segment"]) for row in ours
    ]
    if not url.startswith("sqlite"):
        assert [row[3] for row in found] == [row["monetary"] for row in ours]  # decimal, bit for bit


def test_nothing_is_replaced_unasked(target, sample_result, other_result):
    url, ask = target
    write_table_to(sample_result, url, table="customer_segments")
    with pytest.raises(OutputError, match=r"There is a table customer_segments already, with .* rows. Take its place"):
        write_table_to(other_result, url, table="customer_segments")
    assert ask(COUNT) == [(sample_result.customers_total, 1, run_id(sample_result))]


def test_replace_takes_the_place(target, sample_result, other_result):
    url, ask = target
    write_table_to(sample_result, url, table="customer_segments")
    told = []
    write_table_to(other_result, url, table="customer_segments", mode="replace", tell=told.append)  # fewer columns
    assert told[0].startswith(f"The {sample_result.customers_total:,} rows of customer_segments in the ")
    assert ask(COUNT) == [(other_result.customers_total, 1, run_id(other_result))]
    write_table_to(other_result, url, table="customer_segments", mode="replace")  # the same columns
    assert ask(COUNT) == [(other_result.customers_total, 1, run_id(other_result))]


def test_append_adds_each_run_once(target, sample_result, other_result):
    url, ask = target
    write_table_to(sample_result, url, table="customer_segments")
    write_table_to(other_result, url, table="customer_segments", mode="append")
    both = sample_result.customers_total + other_result.customers_total
    assert ask(COUNT)[0][:2] == (both, 2)
    with pytest.raises(OutputError, match=f"The run {run_id(other_result)} is already in customer_segments"):
        write_table_to(other_result, url, table="customer_segments", mode="append")
    write_table_to(other_result, url, table="customer_segments", mode="replace")
    with pytest.raises(OutputError, match=r"The table customer_segments has no column .*p_active"):
        write_table_to(sample_result, url, table="customer_segments", mode="append")


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_table_of_the_shop_is_never_touched(target, sample_result, mode):
    url, ask = target
    ask("DROP TABLE IF EXISTS invoices")
    ask("CREATE TABLE invoices (id integer)")
    with pytest.raises(OutputError, match="The table invoices was not written by regulars"):
        write_table_to(sample_result, url, table="invoices", mode=mode)


def test_names_and_values_are_never_run_when_writing(target, sample_result):
    url, ask = target
    nasty = "Robert'); DROP TABLE customer_segments; --"
    people = sample_result.customers.mutate(customer_id=ibis.literal(nasty) + sample_result.customers["customer_id"])
    column = 'x"; DROP TABLE customer_segments; --'
    run = replace(sample_result, customers=people.mutate(**{column: ibis.literal("y'); --")}))
    write_table_to(sample_result, url, table="customer_segments")
    name = 'a"; DROP TABLE customer_segments; --'
    ask('DROP TABLE IF EXISTS "a""; DROP TABLE customer_segments; --"')
    write_table_to(run, url, table=f'"{name.replace(chr(34), chr(34) * 2)}"')
    found = ask('SELECT count(*), min(substr(customer_id, 1, 42)) FROM "a""; DROP TABLE customer_segments; --"')
    assert found == [(sample_result.customers_total, nasty)]
    assert ask(COUNT)[0][0] == sample_result.customers_total


def test_what_is_not_a_database_or_a_name_is_refused(sample_result, tmp_path):
    with pytest.raises(OptionError, match="regulars does not write to BigQuery"):
        write_table_to(sample_result, "bigquery://project/shop", table="a")
    with pytest.raises(OptionError, match="There is no mode 'both'"):
        write_table_to(sample_result, f"sqlite:///{tmp_path}/a.sqlite", table="a", mode="both")
    with pytest.raises(SourceError, match="is not the name of a table"):
        write_table_to(sample_result, f"sqlite:///{tmp_path}/a.sqlite", table='a"b')
    assert not (tmp_path / "a.sqlite").exists()


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_what_would_keep_nothing_is_refused(sample_result, tmp_path, scheme):
    with pytest.raises(OptionError, match="is in memory: nothing would be left of it"):
        write_table_to(sample_result, f"{scheme}:///:memory:", table="a")
    for name in ("x.csv", "x.parquet", "x.json"):
        file = tmp_path / name
        file.write_text("a,b\n1,2\n")
        with pytest.raises(OutputError, match=f"{name} is not a database file of"):
            write_table_to(sample_result, f"{scheme}:///{file}", table="a")
        assert file.read_text() == "a,b\n1,2\n"


def test_a_run_that_is_opened_again_has_the_same_id(sample_result, tmp_path):
    folder = rg.write_run(sample_result, tmp_path / "run", figures=False, report=False)
    assert run_id(rg.open_run(folder)) == run_id(sample_result)


def _at_once(url, first, second, *, mode):
    """Two writers: the second comes while the first is about to write; what each of them got."""
    inside, errors = threading.Event(), {}

    def write(run, tell):
        try:
            write_table_to(run, url, table="customer_segments", mode=mode, tell=tell)
        except RegularsError as error:
            errors[run_id(run)] = error

    def pause(_):
        inside.set()
        late.start()
        late.join(1)  # it waits for us, however long we take
        assert late.is_alive()

    late = threading.Thread(target=write, args=(second, None))
    early = threading.Thread(target=write, args=(first, pause))
    early.start()
    assert inside.wait(30)
    early.join(60)
    late.join(60)
    return errors


@pytest.mark.parametrize("target", ["postgres", "sqlite"], indirect=True)
def test_of_two_new_tables_at_once_one_is_refused(target, sample_result, other_result):
    url, ask = target
    errors = _at_once(url, sample_result, other_result, mode="new")
    assert list(errors) == [run_id(other_result)]
    assert "There is a table customer_segments already" in str(errors[run_id(other_result)])
    assert ask(COUNT) == [(sample_result.customers_total, 1, run_id(sample_result))]


@pytest.mark.parametrize("target", ["postgres", "sqlite"], indirect=True)
def test_of_two_replacing_at_once_the_last_one_stays(target, sample_result, other_result):
    url, ask = target
    write_table_to(sample_result, url, table="customer_segments")
    assert _at_once(url, sample_result, other_result, mode="replace") == {}
    assert ask(COUNT) == [(other_result.customers_total, 1, run_id(other_result))]


def test_a_connection_that_is_killed_leaves_the_table_as_it_was(
    postgres, ask, sample_result, other_result, monkeypatch
):
    ask("DROP TABLE IF EXISTS customer_segments")
    write_table_to(sample_result, postgres, table="customer_segments")
    all_rows = writing_to_postgres.rows_of

    def kill(batches):
        for place, row in enumerate(all_rows(batches)):
            if place == 50:
                ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY %FROM STDIN'")
            yield row

    monkeypatch.setattr(writing_to_postgres, "rows_of", kill)
    with pytest.raises(OutputError, match=r"broke off: .* Nothing was changed"):
        write_table_to(other_result, postgres, table="customer_segments", mode="replace")
    assert ask(COUNT) == [(sample_result.customers_total, 1, run_id(sample_result))]


@pytest.mark.parametrize("target", ["sqlite", "duckdb"], indirect=True)
def test_a_writer_that_fails_leaves_the_table_as_it_was(target, sample_result, other_result):
    url, ask = target
    write_table_to(sample_result, url, table="customer_segments")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table_to(other_result, url, table="customer_segments", mode="replace", tell=stop)
    assert ask(COUNT) == [(sample_result.customers_total, 1, run_id(sample_result))]


# --- a model as SQL -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_the_sql_does_what_assign_does(engine, request, expected):
    *_, people, model = expected
    people = people.select("customer_id", "recency_days", "frequency", "monetary")
    text = to_sql(model, dialect=engine, table="people")
    if engine == "postgres":
        import psycopg

        fill(address := request.getfixturevalue("postgres"), "people", people.to_pyarrow())
        opened = psycopg.connect(address)
    else:
        opened = duckdb.connect()
        opened.register("people", people.to_pyarrow())
    with closing(opened) as con:
        found = _rows_of(con if engine == "duckdb" else con.cursor(), text)
    ours = rows(model.assign(people))
    assert [row["segment"] for row in found] == [row["segment"] for row in ours]
    for theirs, row in zip(found, ours, strict=True):
        assert theirs == row | {"distance": pytest.approx(row["distance"], rel=1e-9)}


def test_postgres_works_every_step_out_once(postgres, ask, expected):
    """Left to itself it writes steps into each other: logarithms a thousand times, and minutes for seconds."""
    *_, people, model = expected
    fill(postgres, "people", people.select("customer_id", "recency_days", "frequency", "monetary").to_pyarrow())
    there = parse_address(postgres).options
    con = ibis.postgres.connect(**{"database" if name == "dbname" else name: value for name, value in there.items()})
    for text in (to_sql(model, dialect="postgres", table="people"), ibis.to_sql(model.assign(con.table("people")))):
        plan = "".join(line for (line,) in ask(f"EXPLAIN (VERBOSE) {text}"))
        assert text.count("LN(") == 2
        assert 2 <= plan.count("ln(") <= 4  # a limit is shown with what it passes on


def _rows_of(cursor, text) -> list[dict]:
    cursor.execute(text)
    names = [each[0] for each in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return sorted(found, key=lambda row: row["customer_id"])


SMALL = SegmentModel(
    as_of=date(2024, 1, 1),
    returns="net",
    all_products=False,
    scale=Scale(
        name="sqrt-log",
        functions=("sqrt", "log1p", "log1p"),
        lambdas=(1.0, 1.0, 1.0),
        offsets=(8.0, 1.25, 5.5),
        divisors=(4.0, 0.5, 2.0),
    ),
    centres=((-0.5, 1.0, 1.0), (0.5, -0.5, -0.5)),
    segments=("Loyal", r"It's \ gone"),
    cuts=Cuts(levels=5, recency_days=(9, 8, 7, 6), frequency=(2, 3, 4, 5), monetary=(Decimal(9), None, None, None)),
    pack=load_pack("eleven"),
    gaps=Gaps(p75=1, p90=2, p95=3, count=4),
)

#: The lines in which the dialects differ: money, logarithms, and text with a quote and a backslash.
SNAPSHOTS = {
    "bigquery": r"""
THEN 'It\'s \\ gone'
LN(IF(CAST(t2.monetary AS FLOAT64) > -1, CAST(t2.monetary AS FLOAT64), NULL) + 1) - 5.5,
CAST(IF(t0.monetary IS NULL, NULL, 1) + IF(t0.monetary >= CAST('9.0000' AS NUMERIC), 1, 0) AS INT64) AS m_score
FROM shop.customers AS t0""",
    "snowflake": r"""
THEN 'It\'s \\ gone'
LN(IFF(CAST(t2.monetary AS DOUBLE) > -1, CAST(t2.monetary AS DOUBLE), NULL) + 1) - 5.5
CAST(IFF(t0.monetary IS NULL, NULL, 1) + IFF(t0.monetary >= CAST('9.0000' AS DECIMAL(18, 4)), 1, 0) AS TINYINT) AS m_score
FROM shop.customers AS t0""",
    "databricks": r"""
THEN 'It\'s \\ gone'
LN(IF(CAST(t2.monetary AS DOUBLE) > -1, CAST(t2.monetary AS DOUBLE), NULL) + 1) - 5.5,
CAST(IF(t0.monetary IS NULL, NULL, 1) + IF(t0.monetary >= CAST('9.0000' AS DECIMAL(18, 4)), 1, 0) AS TINYINT) AS m_score
FROM shop.customers AS t0""",
    "trino": r"""
THEN 'It''s \ gone'
LN(IF(CAST(t2.monetary AS DOUBLE) > -1, CAST(t2.monetary AS DOUBLE), NULL) + 1) - CAST(5.5 AS DOUBLE)
CAST(IF(t0.monetary IS NULL, NULL, 1) + IF(t0.monetary >= CAST('9.0000' AS DECIMAL(18, 4)), 1, 0) AS TINYINT) AS m_score
FROM shop.customers AS t0""",
}


@pytest.mark.parametrize("dialect", SNAPSHOTS)
def test_the_sql_of_warehouses(dialect):
    text = to_sql(SMALL, dialect=dialect, table="shop.customers")
    wanted = re.compile(r"THEN 'It|LN\(.*monetary|.* AS m_score$|FROM shop")
    shown = dict.fromkeys(line.strip() for line in text.splitlines() if wanted.match(line.strip()))
    assert list(shown) == [line.strip() for line in SNAPSHOTS[dialect].strip().splitlines()]


def test_dialects_are_refused_or_known(expected):
    model = expected[-1]
    for dialect in DIALECTS:
        text = to_sql(model, dialect=dialect, table="{{ ref('customers') }}")
        assert "FROM {{ ref('customers') }} AS t0" in text
    with pytest.raises(OptionError, match="There is no dialect 'oracle'"):
        to_sql(model, dialect="oracle")


def test_the_name_of_a_table_is_never_run(expected):
    text = to_sql(expected[-1], dialect="postgres", table='"customers; DROP TABLE a; --"')
    assert 'FROM "customers; DROP TABLE a; --" AS t0' in text
    assert 'FROM "order" AS t0' in to_sql(expected[-1], dialect="postgres", table="order")
    text = to_sql(expected[-1], dialect="postgres", table="{{ ref('a') }} ; DROP TABLE b")
    assert "FROM \"{{ ref('a') }} ; DROP TABLE b\" AS t0" in text


def test_the_command_prints_it(sample_result, tmp_path, monkeypatch, capsys):
    sample_result.model.save(tmp_path / "model.json")
    monkeypatch.setattr("sys.argv", ["regulars", "sql", "--model", str(tmp_path), "--dialect", "snowflake"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == to_sql(sample_result.model, dialect="snowflake")


def command_line(*arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", ["regulars", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_the_command_line_writes_a_run_into_a_database_and_refuses_a_second_time(
    tmp_path, capsys, sample_result, monkeypatch
):
    folder = rg.write_run(sample_result, tmp_path / "run", figures=False, report=False)
    address = f"sqlite:///{tmp_path / 'shop.db'}"

    def export(*options):
        return command_line("export", folder, "--to", address, *options, monkeypatch=monkeypatch)

    assert export("--table", "segments") == 0
    assert f"{sample_result.customers_total:,} customers are in segments" in capsys.readouterr().out
    assert export("--table", "segments") == 2
    assert "--replace" in capsys.readouterr().err
    assert export("--table", "segments", "--replace") == 0
    assert export("--replace", "--append") == 2

    with closing(sqlite3.connect(tmp_path / "shop.db")) as con:
        assert con.execute("SELECT count(*) FROM segments").fetchone() == (sample_result.customers_total,)
