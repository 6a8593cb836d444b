"""What the tests share: one engine, tables written as text, the sample shop, and the real file where it exists."""

import gc
import os
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

import regulars as rg

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("REGULARS_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a file on one worker: they share runs that take a while."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # else the files with the most tests go first, whatever they take
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items):
    """The files that take longest go first, so that no worker is left with one of them at the end."""
    longest = (
        "test_engines.py", "test_spark.py", "test_databases.py", "test_app.py", "test_cli.py", "test_layouts.py",
        "test_docs.py", "test_cleaning.py", "test_backtesting.py", "test_large.py", "test_reading.py", "test_uci.py",
        "test_comparing.py", "test_audiences.py", "test_report.py", "test_pipeline.py", "test_figures.py", "test_cost.py",
    )  # fmt: skip
    items.sort(key=lambda item: longest.index(item.path.name) if item.path.name in longest else len(longest))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Let scikit-learn, when a test asks it, work without threads: on small matrices they only wait for each other."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module", autouse=True)
def rare_garbage():
    """Look for garbage once a module: looking all the time takes a fifth of what the tests take."""
    gc.disable()
    yield
    gc.collect()


@pytest.fixture(scope="module")
def con():
    """One engine for all small tables of a module."""
    return ibis.duckdb.connect()


# --- small tables, written as text ----------------------------------------------------------------------------------

_KINDS = {"Quantity": int, "qty": int, "UnitPrice": float, "price": float, "amount": float}
_TIMES = ("InvoiceDate", "date")


def written(text: str) -> pd.DataFrame:
    """A frame from lines of text: columns stand apart by two spaces or more, ``-`` is a missing cell."""
    header, *rows = [line.split("  ") for line in text.strip().splitlines()]
    names = [cell.strip() for cell in header if cell.strip()]
    columns: dict[str, list] = {name: [] for name in names}
    for row in rows:
        cells = [cell.strip() for cell in row if cell.strip()]
        assert len(cells) == len(names), f"{cells} does not fit {names}"
        for name, cell in zip(names, cells, strict=True):
            read = datetime.fromisoformat if name in _TIMES else _KINDS.get(name, str)
            columns[name].append(None if cell == "-" else read(cell))
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


@pytest.fixture(scope="module")
def shop(con) -> Callable[..., rg.Orders]:
    """Text or rows → `Orders`, read by `regulars.read` in the module's engine."""

    def open_shop(source: str | pd.DataFrame | list[dict], **options) -> rg.Orders:
        frame = written(source) if isinstance(source, str) else pd.DataFrame(source)
        cells = {name: pa.array(frame[name].tolist(), _arrow_type(name)) for name in frame.columns}
        return rg.read(con.create_table(ibis.util.gen_name("lines"), pa.table(cells)), **options)

    return open_shop


def _arrow_type(name: str) -> pa.DataType | None:
    if name in _TIMES or name == "ordered_at":
        return pa.timestamp("us")
    if name in _KINDS:
        return pa.int64() if _KINDS[name] is int else pa.float64()
    return None if name in ("quantity", "unit_price", "amount") else pa.string()


@pytest.fixture
def no_queries(monkeypatch) -> Callable:
    """A context in which an engine that is asked anything raises."""

    @contextmanager
    def refusing():
        def refuse(*_args, **_more):
            raise AssertionError("a query was run")

        with monkeypatch.context() as patched:
            for door in ("execute", "to_pyarrow", "to_pyarrow_batches", "raw_sql", "create_table"):
                patched.setattr(ibis.backends.duckdb.Backend, door, refuse)
            yield

    return refusing


# --- the sample shop ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sample_shop():
    """400 made-up customers, about 15,000 order lines."""
    return rg.make_orders(400, seed=5)


@pytest.fixture(scope="session")
def sample_result(sample_shop):
    """The sample shop, segmented; nobody may change it."""
    return rg.segment(sample_shop.orders)


# --- the real file --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def uci() -> Path:
    """UCI Online Retail as Parquet; tests that need it are skipped where it is not."""
    path = REAL_DATA / "online_retail.parquet"
    if not path.exists():
        pytest.skip(f"There is no {path}: set REGULARS_TEST_DATA to the folder that has it.")
    return path


@pytest.fixture(scope="session")
def uci_csv(uci, tmp_path_factory) -> Path:
    """The same lines as users find them: CSV in Latin-1, dates such as 12/1/2010 8:26, whole numbers for customers."""
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    table = duckdb.sql(
        f"""SELECT InvoiceNo, StockCode, Description, Quantity, strftime(InvoiceDate, '%-m/%-d/%Y %-H:%M') AS InvoiceDate,
        UnitPrice, CustomerID::BIGINT AS CustomerID, Country FROM '{uci}'"""
    )
    utf8 = path.with_suffix(".utf8")
    table.write_csv(str(utf8))
    path.write_bytes(utf8.read_text("utf-8").encode("latin-1"))
    return path


@pytest.fixture(scope="session")
def uci_xlsx(uci, tmp_path_factory) -> Path:
    """The same lines as a workbook, as Excel has them: numbers where an id looks like one, dates as day numbers."""
    path = tmp_path_factory.mktemp("xlsx") / "Online Retail.xlsx"
    text = "'<c t=\"inlineStr\"><is><t>' || replace(replace({0}, '&', '&amp;'), '<', '&lt;') || '</t></is></c>'"
    number = "'<c><v>' || {0} || '</v></c>'"
    number_or_text = f"CASE WHEN regexp_full_match({{0}}, '[1-9][0-9]*') THEN {number} ELSE {text} END"
    cells = {
        "InvoiceNo": number_or_text,
        "StockCode": number_or_text,
        "Description": text,
        "Quantity": number,
        "InvoiceDate": "'<c s=\"1\"><v>' || (epoch({0}) / 86400 + 25569) || '</v></c>'",
        "UnitPrice": number,
        "CustomerID": "CASE WHEN {0} IS NULL THEN '<c/>' ELSE '<c><v>' || {0}::BIGINT || '</v></c>' END",
        "Country": text,
    }
    row = " || ".join(f"({xml.format(name)})" for name, xml in cells.items())
    header = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in cells)
    rows = duckdb.sql(f"SELECT '<row>' || {row} || '</row>' AS xml FROM '{uci}'").to_arrow_table()["xml"].to_pylist()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, content in _WORKBOOK.items():
            book.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + content)
        sheet = f'<worksheet xmlns="{_MAIN}"><sheetData><row>{header}</row>{"".join(rows)}</sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"

#: All parts of a workbook but the sheet itself; style 1 is a date with its time.
_WORKBOOK = {
    "[Content_Types].xml": f"""<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/xl/workbook.xml" ContentType="{_SHEETS}.sheet.main+xml"/>
<Override PartName="/xl/styles.xml" ContentType="{_SHEETS}.styles+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEETS}.worksheet+xml"/></Types>""",
    "_rels/.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/workbook.xml": f"""<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">
<sheets><sheet name="Online Retail" sheetId="1" r:id="rId1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>""",
    "xl/styles.xml": f"""<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>
<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>
<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>""",
}
