"""A run at a glance, and its files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from regulars.app import pages
from regulars.app.house import HouseOf
from regulars.app.people import Filters, People, find_selection, list_people
from regulars.app.routes.customers import linker
from regulars.app.workspace import Run
from regulars.charts.groups import group_tints
from regulars.pipeline import Segmentation
from regulars.reporting import SegmentCard, segment_card

router = APIRouter(include_in_schema=False)

FIRST = 10  # customers of the lists that are shown
#: Files of a run that can be kept, with their words.
FILES = {
    "report.html": "The report, one page to pass on",
    "customers.csv": "All customers with their scores and segments (CSV)",
    "segments.csv": "The segments (CSV)",
    "at_risk.csv": "Customers worth keeping who are at risk (CSV)",
}
WORKBOOK = "customers.xlsx"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/runs/{run}")
def overview(request: Request, house: HouseOf, run: str) -> Response:
    """Show the key numbers, the segments, the grid, the trend, the verdict, and whom to call first."""
    found = house.workspace.run(run)
    result = found.result
    test = result.backtest
    grid = pages.figure_of(found, "rfm_grid")
    named = {row[2] for row in grid.rows}
    return pages.page(
        request,
        "overview.html",
        run=found,
        here="",
        figures={name: pages.figure_of(found, name) for name in ("segment_shares", "rfm_grid", "segment_trend")},
        cards=cards_of(found),
        notes=house.workspace.read_notes(run),
        regulars=max(result.segments, key=lambda segment: (segment.profile.revenue, -segment.id)),
        last_day=last_day(result),
        priced=test is not None and test.forecasts.best.windows[0].expected_revenue is not None,
        fields={(row[0], row[1]): row[2:] for row in grid.rows},
        tints={name: tint for name, tint in group_tints(result).items() if name in named},
        at_risk=_first_of(found, "at-risk", "spend" if result.outlook is None else "risk"),
        high_value=_first_of(found, "high-value", "spend"),
        files={name: words for name, words in FILES.items() if (found.folder / name).is_file()},
        customer_url=linker(found),
    )


@router.get("/runs/{run}/files/{name}")
def download(house: HouseOf, run: str, name: str) -> Response:
    """Give out one of the files of a run."""
    found = house.workspace.run(run)
    if name == WORKBOOK:
        headers = {"content-disposition": f'attachment; filename="{WORKBOOK}"'}
        return Response(_workbook(found), media_type=EXCEL, headers=headers)
    if name not in FILES or not (found.folder / name).is_file():
        raise HTTPException(404)
    return FileResponse(found.folder / name, filename=f"{run}-{name}")


def _workbook(run: Run) -> bytes:
    from regulars.workbook import write_workbook

    with TemporaryDirectory() as folder, run.lock:
        return write_workbook(run.result, Path(folder) / WORKBOOK).read_bytes()


def last_day(result: Segmentation) -> object:
    """The last day of the orders that count."""
    return min(result.audit.last_day, result.as_of - timedelta(days=1))


def cards_of(run: Run) -> list[SegmentCard]:
    """What pages show of the segments, worked out once."""
    if "cards" not in run.kept:
        run.kept["cards"] = [segment_card(run.result, segment) for segment in run.result.segments]
    cards: list[SegmentCard] = run.kept["cards"]
    return cards


def _first_of(run: Run, of: str, sort: str) -> People:
    return list_people(run, find_selection(run, of), Filters(), sort=sort, size=FIRST)
