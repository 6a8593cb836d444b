"""Segments, named groups, fields of the grid and lists: who is in them, what to do with them, and lists for campaigns."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from regulars.app import lists, pages
from regulars.app.forms import FormOf
from regulars.app.house import House, HouseOf
from regulars.app.people import Filters, Selection, countries_of, find_selection, list_people, sorts_of
from regulars.app.routes.customers import linker, page_of
from regulars.app.routes.overview import cards_of
from regulars.app.workspace import Run
from regulars.errors import OptionError, RegularsError

router = APIRouter(include_in_schema=False)

HERE = "/segments"
LONGEST_NOTE = 4_000  # letters


@router.get("/runs/{run}/segments")
def all_segments(request: Request, house: HouseOf, run: str) -> Response:
    """List segments, named groups and lists, and the campaign lists that were made."""
    found = house.workspace.run(run)
    outlook = found.result.outlook
    ahead = {} if outlook is None else {one.segment_id: one for one in outlook.segments}
    return pages.page(
        request, "segments.html", run=found, here=HERE, cards=cards_of(found), ahead=ahead,
        notes=house.workspace.read_notes(run), campaigns=lists.lists_of(house.workspace, run),
    )  # fmt: skip


@router.get("/runs/{run}/segments/{segment}")
def one_segment(request: Request, house: HouseOf, run: str, segment: str) -> Response:
    """Show a segment and its people."""
    return _people_page(request, house, run, f"segments/{segment}")


@router.get("/runs/{run}/cells/{place}")
def one_cell(request: Request, house: HouseOf, run: str, place: str) -> Response:
    """Show the people of a field of the grid, recency score and mean of the others: ``5-4``."""
    return _people_page(request, house, run, f"cells/{place}")


@router.get("/runs/{run}/groups/{name:path}")
def one_group(request: Request, house: HouseOf, run: str, name: str) -> Response:
    """Show the people of a named group."""
    return _people_page(request, house, run, f"groups/{name}")


@router.get("/runs/{run}/at-risk")
def at_risk(request: Request, house: HouseOf, run: str) -> Response:
    """Show the customers worth keeping who are at risk."""
    return _people_page(request, house, run, "at-risk")


@router.get("/runs/{run}/high-value")
def high_value(request: Request, house: HouseOf, run: str) -> Response:
    """Show the customers who order and spend most."""
    return _people_page(request, house, run, "high-value")


@router.get("/runs/{run}/everyone")
def everyone(request: Request, house: HouseOf, run: str) -> Response:
    """Show all customers."""
    return _people_page(request, house, run, "everyone")


@router.post("/runs/{run}/segments/{segment}/note")
def note(request: Request, house: HouseOf, run: str, segment: str, form: FormOf) -> Response:
    """Keep what the user says is to be done with a segment; the suggestion comes back with an empty text."""
    found = find_selection(house.workspace.run(run), f"segments/{segment}")
    text = "" if "forget" in form else form.get("note", "").strip()
    if len(text) > LONGEST_NOTE:
        error = OptionError(
            f"The text is not kept: it has {len(text):,} letters.", hint=f"Shorten it to {LONGEST_NOTE:,} at most."
        )
        return _people_page(request, house, run, found.of, typed=text, note_error=error)
    house.workspace.write_note(run, found.title, text)
    return RedirectResponse(f"{_address(run, found)}?kept=1#action", status_code=303)


# --- lists ----------------------------------------------------------------------------------------------------------


@router.get("/runs/{run}/lists/count")
def count_list(request: Request, house: HouseOf, run: str) -> Response:
    """Count who would be on a list, before it is made."""
    return _counted(request, house, run, request.query_params)


@router.post("/runs/{run}/lists")
def make_list(request: Request, house: HouseOf, run: str, form: FormOf) -> Response:
    """Make a list, and show where it is; where there is such a list already, ask whether another is meant."""
    found = house.workspace.run(run)
    selection = find_selection(found, form.get("of", ""))
    try:
        filters, wanted = Filters.from_query(form), lists.Wanted.from_query(form)
        if "again" not in form and lists.same_list(house.workspace, found, selection, filters, wanted):
            return _counted(request, house, run, form)
        audience = lists.build_list(found, selection, filters, wanted)
    except RegularsError:
        return _counted(request, house, run, form)
    made = lists.keep_list(house.workspace, found, selection, filters, audience, today=date.today())
    return RedirectResponse(f"/runs/{quote(run)}/lists/{quote(made.name)}", status_code=303)


@router.get("/runs/{run}/lists/{name}")
def one_list(request: Request, house: HouseOf, run: str, name: str) -> Response:
    """Show a list that was made: who is on it, its files, and how to see later what it changed."""
    found = house.workspace.run(run)
    made = lists.find_list(house.workspace, run, name)
    place = lists.path_of(house.workspace, made.files[0])
    titles = {tool: title for tool, title, _ in lists.tools_of(found)}
    return pages.page(
        request, "list.html", run=found, here=HERE, made=made, titles=titles,
        place=place, quoted=shlex.quote(str(place)), address=f"/runs/{quote(run)}/{quote(made.of)}",
    )  # fmt: skip


@router.get("/runs/{run}/lists/{name}/{file}")
def list_file(house: HouseOf, run: str, name: str, file: str) -> Response:
    """Give out a file of a list."""
    made = lists.find_list(house.workspace, run, name)
    place = lists.path_of(house.workspace, file)
    if file not in made.files or not place.is_file():
        raise HTTPException(404)
    return FileResponse(place, filename=file)


def _counted(request: Request, house: House, run: str, query: Mapping[str, str]) -> Response:
    """Who would be on a list, or why there can be none: as a part, or as a page with the form."""
    found = house.workspace.run(run)
    selection = find_selection(found, query.get("of", ""))
    facts: dict[str, Any] = {"audience": None, "error": None, "filters": Filters(), "nobody": False, "earlier": None}
    try:
        facts["filters"] = Filters.from_query(query)
        facts["nobody"] = not list_people(found, selection, facts["filters"], size=1).total
        wanted = lists.Wanted.from_query(query)
        facts["earlier"] = lists.same_list(house.workspace, found, selection, facts["filters"], wanted)
        facts["audience"] = lists.build_list(found, selection, facts["filters"], wanted)
    except RegularsError as error:
        facts["error"] = error
    status = 200 if facts["error"] is None else 400
    template = "list_counts.html" if pages.is_partial(request) else "list_count.html"
    return pages.page(
        request, template, run=found, here=HERE, status=status, selection=selection, asked=dict(query),
        tools=lists.tools_of(found), address=_address(run, selection), **facts,
    )  # fmt: skip


# --- people ---------------------------------------------------------------------------------------------------------


def _people_page(
    request: Request, house: House, run: str, of: str, *, typed: str = "", note_error: OptionError | None = None
) -> Response:
    """The page of a selection; for htmx only the table of its people. `typed` is a text that could not be kept."""
    found = house.workspace.run(run)
    selection, asked = find_selection(found, of), dict(request.query_params)
    facts: dict[str, Any] = {
        "people": None,
        "error": None,
        "filters": Filters(),
        "typed": typed,
        "note_error": note_error,
    }
    try:
        facts["filters"] = Filters.from_query(asked)
        sort = asked.get("sort") or "spend"
        facts["people"] = list_people(found, selection, facts["filters"], sort=sort, page=page_of(asked))
    except OptionError as error:
        facts["error"] = error
    whole = list_people(found, selection, Filters(), size=1)
    facts |= {"whole": whole, "asked": asked, "sorts": sorts_of(found), "customer_url": linker(found)}
    facts |= {"selection": selection, "address": _address(run, selection), "more": _more(asked)}
    status = 200 if (facts["error"] or note_error) is None else 400
    if pages.is_partial(request):
        return pages.piece(request, "people_part.html", run=found, status=status, **facts)
    return pages.page(
        request, "people.html", run=found, here=HERE, status=status, countries=countries_of(found, selection),
        tools=lists.tools_of(found), **_about(house, found, selection), **facts,
    )  # fmt: skip


def _about(house: House, run: Run, selection: Selection) -> dict[str, Any]:
    """What a page says of a segment beside its people."""
    segment, outlook = selection.segment, run.result.outlook
    if segment is None:
        return {"card": None, "note": "", "ahead": None}
    ahead = None if outlook is None else next((one for one in outlook.segments if one.segment_id == segment.id), None)
    note = house.workspace.read_notes(run.name).get(segment.name, "")
    return {"card": cards_of(run)[segment.id], "note": note, "ahead": ahead}


def _address(run: str, selection: Selection) -> str:
    return f"/runs/{quote(run)}/{quote(selection.of)}"


def _more(asked: Mapping[str, str]) -> str:
    """What was asked for, but for the page, as the end of an address."""
    kept = {name: value for name, value in asked.items() if value and name not in ("page", "kept")}
    return f"?{urlencode(kept)}&" if kept else "?"
