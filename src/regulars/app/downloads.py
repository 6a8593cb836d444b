"""Tables as files that a browser keeps."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import quote

import ibis.expr.types as ir
import pyarrow.csv as pa_csv
from starlette.responses import Response

from regulars.writing import for_spreadsheets

__all__ = ["csv_of"]


def csv_of(table: ir.Table, name: str) -> Response:
    """Give a table as a CSV file, money to the cent and without formulas; one query, and nothing is left on disk."""
    sink = BytesIO()
    pa_csv.write_csv(for_spreadsheets(table).to_pyarrow(), sink)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(sink.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
