"""The API for programs: what runs found out."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from regulars.app import answers
from regulars.app.house import HouseOf
from regulars.app.lists import drop_lists, lists_of
from regulars.app.movements import Cuts, moves_between_dates, moves_between_runs
from regulars.app.people import PAGE, Filters, find_selection, list_people
from regulars.cards import customer_card
from regulars.errors import SourceError, listed
from regulars.profiling import Segment

__all__ = ["CHANGES", "READS", "RunName", "Who", "api_router", "router"]


class _Text(PathConvertor):
    """All of the rest of an address, line breaks included: ids of customers may have any letter."""

    regex = "(?s:.*)"


register_url_convertor("text", _Text())

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The token that stands in `.regulars/token` of the workspace. A browser that is logged in needs none.",
)


def _errors(reasons: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": answers.ErrorAnswer, "description": words} for status, words in reasons.items()}


#: What can go wrong with any question.
READS = _errors(
    {
        400: "Something does not fit; the message says what.",
        401: "The token is missing or wrong.",
        404: "There is no such run, customer, job or file.",
        422: "A parameter is missing or of the wrong kind.",
    }
)
#: What can go wrong with any change, beside.
CHANGES = _errors(
    {
        403: "Another site asked for this.",
        409: "Not in the state that things are in.",
        413: "More bytes than are taken.",
        507: "The server's disk is full or cannot be written.",
    }
)


def _known_only(request: Request) -> None:
    """Refuse parameters that the document does not know: a misspelt filter would be no filter."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    if unknown := [name for name in request.query_params if name not in known]:
        words = f"There is no such parameter; there {f'are {listed(sorted(known))}' if known else 'is none'}"
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", unknown[0]), "msg": words}])


def api_router() -> APIRouter:
    """Begin a part of the API."""

    def name_of(route: APIRoute) -> str:
        return route.name

    return APIRouter(
        prefix="/api/v1",
        responses=READS,
        dependencies=[Security(_bearer), Depends(_known_only)],
        generate_unique_id_function=name_of,
    )


router = api_router()

RunName = Annotated[str, Path(description="Name of a run: that of its folder in the workspace.")]


# --- runs -------------------------------------------------------------------------------------------------------------


@router.get("/runs", tags=["runs"])
def list_runs(house: HouseOf) -> answers.RunsAnswer:
    """List the runs of the workspace, newest first."""
    entries = [asdict(entry) | {"made": entry.made.astimezone(UTC)} for entry in house.workspace.runs()]
    return answers.RunsAnswer.model_validate({"runs": entries})


@router.get("/runs/{run}", tags=["runs"])
def get_run(house: HouseOf, run: RunName) -> answers.RunAnswer:
    """Show a run at a glance."""
    found = house.workspace.run(run)
    result = found.result
    return answers.RunAnswer(
        name=found.name,
        source=result.source,
        as_of=result.as_of,
        currency=result.currency,
        customers=result.customers_total,
        orders=result.orders_total,
        revenue=result.revenue,
        notes=list(result.notes),
        k=result.choice.k,
        why=result.choice.reason,
        warning=result.choice.warning,
        backtest=" ".join(result.backtest.verdict) if result.backtest else result.backtest_note,
        segments=[segment.name for segment in result.segments],
        groups=[name for name, *_ in result.groups],
        options=result.options.to_dict(),
    )


@router.delete("/runs/{run}", tags=["runs"], status_code=204, response_class=Response, responses=CHANGES)
def delete_run(house: HouseOf, run: RunName) -> None:
    """Delete a run, its files, what was noted about it, and its lists: campaigns can then not be measured."""
    lists = lists_of(house.workspace, run)
    house.workspace.remove(run)
    drop_lists(house.workspace, lists)


@router.get("/runs/{run}/segments", tags=["runs"])
def list_segments(house: HouseOf, run: RunName) -> answers.SegmentsAnswer:
    """List segments and named groups."""
    found = house.workspace.run(run)
    notes = house.workspace.read_notes(run)
    return answers.SegmentsAnswer(
        segments=[_segment(segment, notes) for segment in found.result.segments],
        groups=[
            answers.GroupAnswer(name=name, why=why, customers=customers, revenue=revenue)
            for name, why, customers, revenue in found.result.groups
        ],
    )


@router.get("/runs/{run}/segments/{segment_id}", tags=["runs"])
def get_segment(
    house: HouseOf, run: RunName, segment_id: Annotated[int, Path(description="From 0, the one of highest value.")]
) -> answers.SegmentAnswer:
    """Show one segment by its number."""
    found = house.workspace.run(run)
    for segment in found.result.segments:
        if segment.id == segment_id:
            return _segment(segment, house.workspace.read_notes(run))
    raise SourceError(f"The run has no segment {segment_id}.", hint=f"They are 0 to {len(found.result.segments) - 1}.")


def _segment(segment: Segment, notes: dict[str, str]) -> answers.SegmentAnswer:
    facts = segment.profile
    return answers.SegmentAnswer(
        id=segment.id,
        name=segment.name,
        tier=segment.tier,
        activity=segment.activity,
        why=list(segment.why),
        action=answers.ActionAnswer.model_validate(asdict(segment.action)),
        note=notes.get(segment.name, ""),
        customers=facts.customers,
        customer_share=facts.customer_share,
        orders=facts.orders,
        revenue=facts.revenue,
        revenue_share=facts.revenue_share,
        medians={name: facts.median(name) for name in facts.quartiles},
    )


# --- customers --------------------------------------------------------------------------------------------------------

Spend = Annotated[float, Field(ge=-1e12, le=1e12, description="Money, to four decimals.")]


class Who(BaseModel):
    """Which customers."""

    of: str = Field(
        "everyone",
        description="`everyone`, `high-value`, `at-risk`, `segments/NUMBER`, `groups/NAME`, or `cells/R-FM` of the grid.",
    )
    country: str | None = None
    spend_from: Spend | None = None
    spend_to: Spend | None = None
    recency_from: int | None = Field(None, ge=0, le=100_000, description="Days since the last order, from.")
    recency_to: int | None = Field(None, ge=0, le=100_000, description="Days since the last order, up to.")
    chance_from: float | None = Field(None, ge=0, le=1, description="Chance of an order, from.")
    chance_to: float | None = Field(None, ge=0, le=1, description="Chance of an order, up to.")

    @property
    def filters(self) -> Filters:
        """The same, as pages ask it."""
        asked = self.model_dump(include={field.name for field in fields(Filters)})
        for end in ("spend_from", "spend_to"):
            if asked[end] is not None:
                asked[end] = Decimal(f"{asked[end]:.4f}")
        return Filters(**asked)


class CustomersAsked(Who):
    """Which customers, in which order."""

    sort: Literal["spend", "recent", "orders", "chance", "unlikely", "risk"] = "spend"
    page: int = Field(1, ge=1, le=10_000_000)
    size: int = Field(PAGE, ge=1, le=1000, description="Customers on a page.")


@router.get("/runs/{run}/customers", tags=["customers"])
def list_customers(house: HouseOf, run: RunName, asked: Annotated[CustomersAsked, Query()]) -> answers.CustomersAnswer:
    """List customers, a page at a time, with how many there are and what they spent."""
    found = house.workspace.run(run)
    selection = find_selection(found, asked.of)
    page = list_people(found, selection, asked.filters, sort=asked.sort, page=asked.page, size=asked.size)
    return answers.CustomersAnswer(
        customers=[answers.PersonAnswer.model_validate(person) for person in page.people],
        total=page.total,
        revenue=page.revenue,
        page=page.page,
        pages=page.pages,
    )


@router.get("/runs/{run}/customers/{customer_id:text}", tags=["customers"])
def get_customer(
    house: HouseOf, run: RunName, customer_id: Annotated[str, Path(description="As in the source.")]
) -> answers.CardAnswer:
    """Show everything about one customer: numbers, why they are where they are, what would move them, their orders."""
    found = house.workspace.run(run)
    with found.lock:
        card = customer_card(found.result, customer_id)
    orders = [
        answers.OrderAnswer(ordered_at=when.isoformat(), order_id=order, amount=amount)
        for when, order, amount in card.orders or ()
    ]
    return answers.CardAnswer(
        customer=answers.CustomerAnswer.model_validate({"customer_id": card.customer_id} | card.numbers),
        as_of=card.as_of,
        currency=card.currency,
        action=card.action,
        offer=card.offer,
        channel=card.channel,
        why=list(card.why),
        ahead=list(card.ahead),
        moves=[answers.MoveAnswer.model_validate(asdict(move)) for move in card.moves],
        orders=None if card.orders is None else orders,
    )


# --- who moved --------------------------------------------------------------------------------------------------------


@router.get("/compare", tags=["who moved"])
def compare_runs(
    house: HouseOf,
    one: Annotated[str, Query(description="Name of a run.")],
    other: Annotated[str, Query(description="Name of another run.")],
    cuts: Annotated[Cuts, Query(description="Whose cut points judge: `each` splits moves by why.")] = "each",
) -> answers.MovementAnswer:
    """Say who moved between two runs, the earlier one first."""
    found = moves_between_runs(house.workspace.run(one), house.workspace.run(other), cuts=cuts).movement
    return answers.MovementAnswer.model_validate(found.to_dict())


@router.get("/runs/{run}/compare", tags=["who moved"])
def compare_dates(
    house: HouseOf,
    run: RunName,
    earlier: Annotated[date, Query(description="A day of the run's history.")],
    later: Annotated[date, Query(description="A later day, at most the one after its last order.")],
    cuts: Annotated[Cuts, Query(description="Whose cut points judge: `each` splits moves by why.")] = "each",
) -> answers.MovementAnswer:
    """Say who moved between two dates of the orders of a run; returns are as known when the run was made."""
    found = moves_between_dates(house.workspace.run(run), (earlier, later), cuts=cuts).movement
    return answers.MovementAnswer.model_validate(found.to_dict())
