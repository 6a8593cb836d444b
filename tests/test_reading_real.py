"""The real file (UCI Online Retail), from Parquet, CSV and Excel: the same lines, to the cent and to the minute."""

import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from regulars.reading import read

DATA = Path(os.environ.get("REGULARS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
REAL = DATA / "online_retail.parquet"
LINES_IN_EXCEL = 10_000  # writing a workbook takes much longer than reading it

pytestmark = pytest.mark.skipif(not REAL.exists(), reason=f"the real file is not in {DATA} (REGULARS_TEST_DATA)")


def facts(path: Path) -> dict[str, object]:
    orders = read(path)
    lines = orders.table
    counted = lines.agg(
        rows=lines.count(),
        without_customer=lines.customer_id.isnull().sum(),
        amount=lines.amount.sum(),
        first=lines.ordered_at.min(),
        last=lines.ordered_at.max(),
    )
    assert orders.layout.name == "uci_online_retail"
    return counted.to_pyarrow().to_pylist()[0]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_whole_file(kind, tmp_path):
    path = REAL
    if kind == "csv":  # as it is handed around: Latin-1, month first
        path = tmp_path / "real.csv"
        pd.read_parquet(REAL).to_csv(
            path, index=False, encoding="latin-1", errors="replace", date_format="%m/%d/%Y %H:%M"
        )

    assert facts(path) == {
        "rows": 541_909,
        "without_customer": 135_080,
        "amount": Decimal("9747747.9340"),
        "first": datetime(2010, 12, 1, 8, 26),
        "last": datetime(2011, 12, 9, 12, 50),
    }


def test_a_workbook_gives_what_text_gives(tmp_path):
    frame = pd.read_parquet(REAL).head(LINES_IN_EXCEL)
    frame.to_excel(tmp_path / "real.xlsx", index=False, engine="xlsxwriter")
    frame.to_csv(tmp_path / "real.csv", index=False)

    found = facts(tmp_path / "real.xlsx")
    assert found == facts(tmp_path / "real.csv")
    assert found["rows"] == LINES_IN_EXCEL
