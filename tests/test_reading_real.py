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

pytestmark = pytest.mark.skipif(not REAL.exists(), reason=f"the real file is not in {DATA} (REGULARS_TEST_DATA)")


@pytest.fixture(scope="module", params=["parquet", "csv", "xlsx"])
def file(request, tmp_path_factory) -> Path:
    if request.param == "parquet":
        return REAL
    path = tmp_path_factory.mktemp("real") / f"real.{request.param}"
    frame = pd.read_parquet(REAL)
    if request.param == "csv":
        frame.to_csv(path, index=False, encoding="latin-1", errors="replace", date_format="%m/%d/%Y %H:%M")
    else:
        frame.to_excel(path, index=False, engine="xlsxwriter", engine_kwargs={"options": {"constant_memory": True}})
    return path


def test_the_same_lines_from_every_kind_of_file(file):
    orders = read(file)
    lines = orders.table
    facts = lines.agg(
        rows=lines.count(),
        without_customer=lines.customer_id.isnull().sum(),
        amount=lines.amount.sum(),
        first=lines.ordered_at.min(),
        last=lines.ordered_at.max(),
    )

    assert orders.layout.name == "uci_online_retail"
    assert facts.to_pyarrow().to_pylist() == [
        {
            "rows": 541_909,
            "without_customer": 135_080,
            "amount": Decimal("9747747.9340"),
            "first": datetime(2010, 12, 1, 8, 26),
            "last": datetime(2011, 12, 9, 12, 50),
        }
    ]
