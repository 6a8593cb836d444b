"""Customers: found by id or e-mail, and each on a page of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from regulars.app import pages
from regulars.app.house import House, HouseOf
from regulars.app.people import alike, search_people
from regulars.app.timeline import Timeline, draw_timeline
from regulars.app.workspace import Run
from regulars.cards import Card, Orders, fill_card
from regulars.wording import shortened

router = APIRouter(include_in_schema=False)

HERE = "/customers"
LONGEST = 500  # letters of an id that is looked for
SHORT = 60  # letters of an id in a title
SHOWN = 100  # orders in the table of a customer


def linker(run: Run) -> Callable[[str], str]:
    """A function from a customer's id to the address of their page; what a browser would shorten goes into the query."""

    def link(customer_id: str) -> str:
        if {".", ".."} & set(customer_id.replace("\\", "/").split("/")) or not customer_id.isprintable():
            return f"/runs/{quote(run.name)}/customer?{urlencode({'id': customer_id})}"
        return f"/runs/{quote(run.name)}/customer/{quote(customer_id, safe='')}"

    return link


def page_of(asked: Mapping[str, str]) -> int:
    """The page that was asked for; the first where it is no number."""
    text = asked.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


@router.get("/runs/{run}/customers")
def search(request: Request, house: HouseOf, run: str, q: str = "") -> Response:
    """Find customers by the beginning of their id or e-mail address."""
    found, text = house.workspace.run(run), q.strip()[:LONGEST]
    people = search_people(found, text, page=page_of(request.query_params))
    template = "customers_part.html" if pages.is_partial(request) else "customers.html"
    return pages.page(
        request, template, run=found, here=HERE, q=text, people=people, customer_url=linker(found),
        near=() if people.total else alike(found, text), address=f"/runs/{quote(run)}/customers",
        more=f"?{urlencode({'q': text})}&" if text else "?",
    )  # fmt: skip


@router.get("/runs/{run}/customer")
def customer_by_query(request: Request, house: HouseOf, run: str, id: str = "") -> Response:
    """Show the customer whose id cannot stand in a path."""
    return _customer(request, house, run, id)


@router.get("/runs/{run}/customer/{customer_id:path}")
def customer(request: Request, house: HouseOf, run: str, customer_id: str) -> Response:
    """Show a customer: orders, scores, why this segment, what would move them, value and chance."""
    return _customer(request, house, run, customer_id)


def _customer(request: Request, house: House, run: str, customer_id: str) -> Response:
    found, wanted = house.workspace.run(run), customer_id[:LONGEST]
    card = card_of(found, wanted)
    if card is None:
        return pages.page(
            request, "customer_unknown.html", run=found, here=HERE, status=404, wanted=shortened(wanted, SHORT),
            near=alike(found, wanted), customer_url=linker(found),
        )  # fmt: skip
    note = house.workspace.read_notes(run).get(card.segment or "", "")
    return pages.page(request, "customer.html", run=found, here=HERE, card=card, note=note, **_shown(found, card))


def card_of(run: Run, customer_id: str) -> Card | None:
    """The card of a customer, read straight from the files of the run; `None` where nobody has the id."""
    rows = _read(run, "customers.parquet", customer_id)
    if not rows:
        return None
    return fill_card(run.result, rows[0], _orders(run, customer_id))


def _orders(run: Run, customer_id: str) -> Orders | None:
    if run.result.orders is None:
        return None
    rows = _read(run, "orders.parquet", customer_id)
    orders = [(row["ordered_at"], row["order_id"], row["amount"]) for row in rows]
    return tuple(sorted(orders, key=lambda order: (order[0], order[1] or "")))


def _read(run: Run, file: str, customer_id: str) -> list[dict[str, Any]]:
    same = pc.field("customer_id") == customer_id
    return pq.read_table(run.folder / file, filters=same, partitioning=None).to_pylist()


def _shown(run: Run, card: Card) -> dict[str, Any]:
    """The timeline, the latest orders with the days since the one before, and the scores in words."""
    orders = card.orders or ()
    days = [(when.date() - orders[i - 1][0].date()).days if i else None for i, (when, *_) in enumerate(orders)]
    rows = [(*order, gap) for order, gap in zip(orders, days, strict=True)]
    timeline: Timeline | None = draw_timeline(orders, until=card.as_of) if orders else None
    segment = next((one for one in run.result.segments if one.name == card.segment), None)
    return {"timeline": timeline, "latest": rows[::-1][:SHOWN], "segment": segment}
