"""The settings of a workspace: rule packs, actions, layouts, databases, the token for programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.actions import FIELDS, own_actions, write_actions
from regulars.app.forms import FormOf
from regulars.app.house import House, HouseOf
from regulars.app.packs import Draft, look_at_pack, sizes_of
from regulars.app.shelves import Shelf
from regulars.app.sources import Database, databases
from regulars.errors import OptionError, RegularsError
from regulars.profiling import load_actions
from regulars.reading import Layout, layouts
from regulars.reading.exports import parse_layout
from regulars.scoring import load_pack, pack_names
from regulars.wording import money

router = APIRouter(include_in_schema=False)

NEW_LAYOUT = """# An export of your own: which header is which. A header counts without capitals and blanks.
title = "Our till"

[columns]
customer_id = ["Card number"]
order_id = ["Receipt"]
ordered_at = ["Date"]
amount = ["Total"]
"""


def packs_of(house: House) -> Shelf:
    """The rule packs of a workspace."""
    return Shelf(kind="rule pack", folder=house.workspace.folder / "packs", package="packs")


def layouts_of(house: House) -> Shelf:
    """The layouts of a workspace."""
    return Shelf(kind="layout", folder=house.workspace.folder / "layouts", package="layouts")


@router.get("/settings")
def settings_page(request: Request, house: HouseOf) -> Response:
    """Show what can be set."""
    databases_, problem = _databases(house.workspace.folder)
    return pages.page(
        request, "settings.html", here="/settings", packs=[load_pack(name) for name in pack_names()],
        own_packs=packs_of(house).own, layouts=layouts(), own_layouts=layouts_of(house).own, databases=databases_,
        problem=problem, own_actions=(house.workspace.folder / "actions.toml").is_file(),
        token=house.workspace.own / "token", address=str(request.base_url).rstrip("/"),
        with_password=house.doorman.has_password,
    )  # fmt: skip


def _databases(workspace: Path) -> tuple[tuple[Database, ...], RegularsError | None]:
    try:
        return databases(workspace), None
    except OptionError as error:
        return (), error


# --- rule packs -------------------------------------------------------------------------------------------------------


@router.get("/settings/packs/{name}")
def pack_page(request: Request, house: HouseOf, name: str) -> Response:
    """Show a rule pack, to be looked at or changed."""
    query = request.query_params
    return _pack_page(request, house, name, packs_of(house).read(name), on=query.get("on", ""), saved="saved" in query)


@router.post("/settings/check-pack")
def check_pack(request: Request, house: HouseOf, form: FormOf) -> Response:
    """Say what is wrong with a rule pack while it is written, and show it on the grid."""
    facts = _pack_facts(house, form.get("text", ""), form.get("as", "") or "pack", form.get("on", ""))
    return pages.piece(request, "pack_checked.html", **facts)


@router.post("/settings/packs/{name}")
def save_pack(request: Request, house: HouseOf, form: FormOf, name: str) -> Response:
    """Keep a rule pack, delete it, or only check it, where there is no JavaScript."""
    shelf, text, wanted = packs_of(house), form.get("text", ""), form.get("as", "").strip()
    if form.get("do") == "delete":
        shelf.remove(name)
        return RedirectResponse("/settings#packs", status_code=303)
    if form.get("do") == "check":
        return _pack_page(request, house, name, text, wanted=wanted, on=form.get("on", ""))
    try:
        if (problem := look_at_pack(text, source=wanted).problem) is not None:
            raise problem
        shelf.write(wanted, text)
    except RegularsError as error:
        return _pack_page(request, house, name, text, wanted=wanted, on=form.get("on", ""), error=error)
    return RedirectResponse(f"/settings/packs/{quote(wanted)}?saved", status_code=303)


def _pack_page(
    request: Request, house: House, name: str, text: str, *, wanted: str | None = None, on: str = "",
    error: RegularsError | None = None, saved: bool = False,
) -> Response:  # fmt: skip
    shelf = packs_of(house)
    own = name in shelf.own
    facts = _pack_facts(house, text, name, on)
    return pages.page(
        request, "pack.html", here="/settings", status=400 if error else 200, name=name, text=text, own=own, saved=saved,
        wanted=_free(shelf, name) if wanted is None else wanted, error=error, on=on, entries=house.workspace.runs(),
        **facts,
    )  # fmt: skip


def _free(shelf: Shelf, name: str) -> str:
    """The name under which a text is saved, unless the user wants another: its own, or a free one."""
    if name in shelf.own:
        return name
    number, found = 1, f"my {name}"
    while found in shelf.own:
        number += 1
        found = f"my {name} {number}"
    return found


def _pack_facts(house: House, text: str, source: str, on: str) -> dict[str, Any]:
    """What is shown of a rule pack: the grid, and the sizes of its groups in a run."""
    draft: Draft = look_at_pack(text, source=source)
    tried = house.workspace.run(on) if on else None
    counted = None if tried is None or draft.pack is None else sizes_of(draft.pack, tried.result)
    currency = None if tried is None else tried.result.currency
    sizes = {name: (people, money(float(spent), currency)) for name, (people, spent) in (counted or {}).items()}
    numbers = {} if draft.pack is None else {group.name: i for i, group in enumerate(draft.pack.groups)}
    return {"draft": draft, "tried": tried, "sizes": sizes, "numbers": numbers}


# --- actions ----------------------------------------------------------------------------------------------------------


@router.get("/settings/actions")
def actions_page(request: Request, house: HouseOf) -> Response:
    """Show the texts of the actions, to be changed."""
    problem, known = None, load_actions()
    try:
        known = own_actions(house.workspace.folder / "actions.toml")
    except OptionError as error:
        problem = error
    return _actions_page(request, known, error=problem)


@router.post("/settings/actions")
def save_actions(request: Request, house: HouseOf, form: FormOf) -> Response:
    """Keep the texts that differ from those of regulars."""
    try:
        write_actions(house.workspace.folder / "actions.toml", form)
    except RegularsError as error:
        typed = {
            (tier, activity): {field: form.get(f"{tier}.{activity}.{field}", "") for field in FIELDS}
            for tier, activity in load_actions()
        }
        return _actions_page(request, typed, error=error)
    return RedirectResponse("/settings/actions?saved", status_code=303)


def _actions_page(request: Request, actions: Mapping[tuple[str, str], Any], *, error: RegularsError | None) -> Response:
    return pages.page(
        request, "actions.html", here="/settings", status=400 if error and request.method == "POST" else 200, error=error,
        actions=actions, shipped=load_actions(), fields=FIELDS, saved="saved" in request.query_params,
    )  # fmt: skip


# --- layouts ----------------------------------------------------------------------------------------------------------


@router.get("/settings/layouts/{name}")
def layout_page(request: Request, house: HouseOf, name: str) -> Response:
    """Show a layout, to be looked at or changed; ``new`` is an example."""
    shelf = layouts_of(house)
    text = NEW_LAYOUT if _is_new(shelf, name) else shelf.read(name)
    return _layout_page(request, house, name, text, saved="saved" in request.query_params)


def _is_new(shelf: Shelf, name: str) -> bool:
    """Whether an address means the example, not a layout of this name."""
    return name == "new" and name not in shelf.own


@router.post("/settings/check-layout")
def check_layout(request: Request, form: FormOf) -> Response:
    """Say what is wrong with a layout while it is written."""
    layout, problem = _layout(form.get("text", ""), form.get("as", ""))
    return pages.piece(request, "layout_checked.html", layout=layout, problem=problem)


@router.post("/settings/layouts/{name}")
def save_layout(request: Request, house: HouseOf, form: FormOf, name: str) -> Response:
    """Keep a layout, delete it, or only check it, where there is no JavaScript."""
    shelf, text, wanted = layouts_of(house), form.get("text", ""), form.get("as", "").strip()
    if form.get("do") == "delete":
        shelf.remove(name)
        return RedirectResponse("/settings#layouts", status_code=303)
    if form.get("do") == "check":
        return _layout_page(request, house, name, text, wanted=wanted)
    try:
        _, problem = _layout(text, wanted)
        if problem is not None:
            raise problem
        shelf.write(wanted, text)
    except RegularsError as error:
        return _layout_page(request, house, name, text, wanted=wanted, error=error)
    return RedirectResponse(f"/settings/layouts/{quote(wanted)}?saved", status_code=303)


def _layout_page(
    request: Request, house: House, name: str, text: str, *, wanted: str | None = None,
    error: RegularsError | None = None, saved: bool = False,
) -> Response:  # fmt: skip
    shelf = layouts_of(house)
    layout, problem = _layout(text, name)
    fresh = _is_new(shelf, name)
    proposed = "my layout" if fresh else _free(shelf, name)
    return pages.page(
        request, "layout.html", here="/settings", status=400 if error else 200, name=name, text=text, saved=saved,
        own=name in shelf.own, wanted=proposed if wanted is None else wanted, error=error, layout=layout, problem=problem,
        fresh=fresh,
    )  # fmt: skip


def _layout(text: str, name: str) -> tuple[Layout | None, RegularsError | None]:
    try:
        return parse_layout(text, file=f"{name or 'layout'}.toml"), None
    except RegularsError as error:
        return None, error
    except (ValueError, RecursionError):
        return None, OptionError("The layout holds something that is too large.", hint="Make it smaller.")
