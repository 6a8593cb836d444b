"""The check page: what was recognised, what cleaning would set aside, and everything that can be changed about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.choices import COLUMN, Choices, offered_layouts, offered_packs
from regulars.app.house import HouseOf, SessionOf
from regulars.app.jobs import Job
from regulars.app.sources import find_source, start_check
from regulars.errors import OptionError
from regulars.planning import spoken
from regulars.wording import day, sign
from regulars.wording import money as in_words

router = APIRouter(include_in_schema=False)

MOST_COLUMNS = 30  # of the preview
LONGEST_NAME = 40  # letters of the name of a column

#: What `checking.look_at` gives, while nothing of it is known.
NOTHING: dict[str, Any] = {
    "columns": [], "rows": [], "sheets": [], "sheet": "", "layout": "", "how_sure": "", "matches": [], "unmatched": [],
    "lines": None, "exact": False, "run_seconds": None, "error": None, "doubts": [], "notes": [], "currency": None,
    "audit": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of ours as the page shows it: its name for people, what it is for, and whether nothing goes without it."""

    name: str
    title: str
    about: str
    needed: bool = False


FIELDS = (
    Field(
        name="customer_id",
        title="Customer",
        about="Who bought: a number, an id or an e-mail address. Needed.",
        needed=True,
    ),
    Field(name="ordered_at", title="Date", about="When it was bought. Needed.", needed=True),
    Field(
        name="order_id", title="Order", about="Which lines belong together; without it, a customer's day is one order."
    ),
    Field(name="quantity", title="Quantity", about="How many pieces; below zero for a return."),
    Field(name="unit_price", title="Price of one piece", about="Needed with the quantity, unless there is an amount."),
    Field(name="amount", title="Amount", about="Money of the whole line; it takes the place of quantity × price."),
    Field(name="product_id", title="Product code", about="Finds the purchase that a return takes back."),
    Field(name="product", title="Product", about="Its name."),
    Field(name="country", title="Country", about="For filters, and for the map in the report."),
    Field(name="currency", title="Currency", about="Where amounts are in several."),
    Field(name="email", title="E-mail", about="For lists that a mail tool imports."),
    Field(name="phone", title="Phone", about="For lists that an ad tool imports."),
    Field(name="consent", title="Consent", about="Whether the customer agreed to marketing."),
)


#: Scales of `clustering.SCALES` in words; the usual one first.
SCALES = {
    "sqrt-log": "Usual: square root of days, logarithm of orders and money",
    "standard": "As they are",
    "minmax": "From 0 to 1",
    "robust": "As they are, but extremes count less",
    "log": "Logarithms",
    "yeo-johnson": "Yeo-Johnson transform",
}


def read_form(body: bytes) -> dict[str, str]:
    """Values of a form; of several with one name the last counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=200))


def address_of(job: Job) -> str:
    """The check page with the choices that a job was begun with."""
    return f"/check/{quote(job.spec['source'])}?{urlencode(job.spec['choices'])}".rstrip("?")


@router.get("/check/{source_id}")
def check(request: Request, house: HouseOf, session: SessionOf, source_id: str) -> Response:
    """Show a source as the choices in the address read it; a look at it is begun where there was none."""
    source = find_source(house, session, source_id)
    given = dict(request.query_params)
    try:
        choices, wrong = Choices.parse(given), None
        choices.reading(house.workspace.folder)
        choices.segmenting(house.workspace.folder)
    except OptionError as error:
        choices, wrong = Choices(), error
    job = start_check(house, session, source, choices, instead_of=given.get("instead_of", "")).still()
    if "instead_of" in given:
        return RedirectResponse(address_of(job), status_code=303)
    known = job.result or job.found
    seen = NOTHING | (known or {})
    facts: dict[str, Any] = {
        "source": source,
        "job": job,
        "seen": seen,
        "error": _in_titles(_briefly(seen["error"] or job.error, seen["columns"])),
        "here_again": f"{request.url.path}?{request.url.query}".rstrip("?"),
        "left": None if job.left is None else spoken(job.left),
        "takes": None if seen["run_seconds"] is None else _takes(seen["run_seconds"]),
        "audit": _audit(seen),
    }
    if pages.is_partial(request):
        if request.headers.get("hx-target") != "findings":  # the first look is over: show the whole page
            return Response(headers={"hx-refresh": "true"}) if known or job.ended else _looking(request, facts)
        return pages.piece(request, "check_findings.html", **facts)
    if not known and not job.ended:
        return _looking(request, facts)
    shown = seen["columns"][:MOST_COLUMNS]
    return pages.page(
        request,
        "check.html",
        wrong=wrong,
        choices=choices,
        written=given if wrong else choices.written(),
        fields=[(field, _taken(field.name, seen)) for field in FIELDS],
        column=COLUMN,
        longest=LONGEST_NAME,
        shown=shown,
        first_rows=[row[: len(shown)] for row in seen["rows"]],
        examples=_examples(seen),
        taken={match["column"]: match["field"] for match in seen["matches"]},
        titles={field.name: field.title for field in FIELDS},
        layouts=offered_layouts(house.workspace.folder),
        packs=[(name, name) for name in offered_packs(house.workspace.folder)],
        sheets=[("", "The first that fits"), *((name, name) for name in seen["sheets"])],
        scales=list(SCALES.items()),
        **facts,
    )


def _takes(seconds: float) -> str:
    """How long a run takes; short ones depend on what else the machine does, so nothing shorter is promised."""
    return "about half a minute, longer on a busy machine" if seconds < 45 else spoken(seconds)


def _looking(request: Request, facts: dict[str, Any]) -> Response:
    template = "check_looking.html" if pages.is_partial(request) else "check_first.html"
    return pages.page(request, template, **facts)


def _briefly(error: Mapping[str, str] | None, columns: Iterable[str]) -> Mapping[str, str] | None:
    """An error that names columns, with the first letters of very long names."""
    if error is None:
        return None
    message = error["message"]
    for name in columns:
        if len(name) > LONGEST_NAME:
            message = message.replace(name, f"{name[: LONGEST_NAME - 1]}…")
    return {**error, "message": message}


def _in_titles(error: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """An error that names missing fields, with their names for people."""
    if error is None or not error["message"].startswith("No column for "):
        return error
    missing, found, rest = error["message"].partition(". Found: ")
    for field in FIELDS:
        missing = re.sub(rf"\b{field.name}\b", field.title, missing)
    return {**error, "message": missing + found + rest}


def _taken(name: str, seen: Mapping[str, Any]) -> tuple[str, str]:
    """The column that was taken for a field, and why."""
    return next(((match["column"], match["why"]) for match in seen["matches"] if match["field"] == name), ("", ""))


def _examples(seen: Mapping[str, Any]) -> dict[str, str]:
    """The first cells of each column that say something, for people who choose between columns."""
    rows = seen["rows"]
    found = {}
    for place, column in enumerate(seen["columns"]):
        cells = dict.fromkeys(row[place][:30] for row in rows if row[place] and row[place].strip())
        found[column] = ", ".join(list(cells)[:3])
    return found


def _audit(seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """The audit as the page shows it: a line for each reason that set something aside, money to the cent."""
    if seen["audit"] is None:
        return None
    audit, lines = seen["audit"], seen["audit"]["lines"]
    before = sign(seen["currency"])

    def money(text: str) -> str:
        value = float(text)
        return f"{'−' if value < 0 else ''}{before}{abs(value):,.2f}"

    def whole(text: str) -> str:
        return in_words(float(text), seen["currency"], short=False)

    raw, kept = lines[0], lines[-1]
    reasons = [line for line in lines[1:] if line["rows"] or float(line["amount"])]
    return {
        "rows": [(line["title"], f"{line['rows']:,}", money(line["amount"])) for line in reasons],
        "raw": (f"{raw['rows_left']:,}", money(raw["amount_left"])),
        "revenue": (whole(raw["amount_left"]), whole(kept["amount_left"])),
        "kept": (f"{kept['rows_left']:,}", money(kept["amount_left"])),
        "customers": kept["customers_left"],
        "orders": kept["orders_left"],
        "first": day(date.fromisoformat(audit["first_day"])),
        "last": day(date.fromisoformat(audit["last_day"])),
        "reconciles": audit["reconciles"],
        "unmatched": (audit["unmatched_returns"], money(audit["unmatched_amount"])),
    }
