"""What programs get from the API, as types: the document at ``/api/v1/openapi.json`` is made from these."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainSerializer

__all__ = [
    "ActionAnswer",
    "AudienceAnswer",
    "CardAnswer",
    "CustomerAnswer",
    "CustomersAnswer",
    "DatabaseAnswer",
    "DatabasesAnswer",
    "ErrorAnswer",
    "GroupAnswer",
    "JobAnswer",
    "JobsAnswer",
    "ListAnswer",
    "ListsAnswer",
    "MovementAnswer",
    "PersonAnswer",
    "RunAnswer",
    "RunEntryAnswer",
    "RunsAnswer",
    "SegmentAnswer",
    "SegmentsAnswer",
    "UploadAnswer",
]

#: Money leaves as text with a point, so that no program rounds it.
Money = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    Field(description="Money as decimal text, in the currency of the run.", examples=["1234.50"]),
]
Share = Annotated[float, Field(description="0 to 1.")]


class ErrorDetail(BaseModel):
    """What went wrong, and what to do."""

    message: str = Field(description="What was found, and where.")
    hint: str = Field(description="What to do next.")


class ErrorAnswer(BaseModel):
    """Every answer that is not a success."""

    error: ErrorDetail


# --- files and work ---------------------------------------------------------------------------------------------------


class UploadAnswer(BaseModel):
    """A file that came in; it is deleted after 12 hours and when the server stops."""

    id: str
    name: str
    bytes: int


class DatabaseAnswer(BaseModel):
    """A database that the administrator configured; its address is not told."""

    name: str
    title: str


class DatabasesAnswer(BaseModel):
    """Databases that runs can be made from."""

    databases: list[DatabaseAnswer]


class JobAnswer(BaseModel):
    """Long work."""

    id: str
    kind: str = Field(description="`check` or `run`.")
    title: str
    state: Literal["waiting", "running", "done", "failed", "stopped", "interrupted"]
    stage: str = Field(description="What is being done, in words.")
    share: float | None = Field(description="How much is done, 0 to 1; null where not known.")
    left: float | None = Field(description="Seconds left; null where not known.")
    ahead: int = Field(description="Jobs that come before this one while it waits.")
    found: dict[str, Any] | None = Field(description="What a check knows before its end: columns, first rows.")
    result: dict[str, Any] | None = Field(description="Of a check what was found; of a run its name, as `run`.")
    error: ErrorDetail | None


class JobsAnswer(BaseModel):
    """Your jobs, newest first."""

    jobs: list[JobAnswer]


# --- runs -------------------------------------------------------------------------------------------------------------


class RunEntryAnswer(BaseModel):
    """A run in the list."""

    name: str
    source: str
    made: datetime
    customers: int
    revenue: Money
    currency: str | None
    segments: int


class RunsAnswer(BaseModel):
    """All runs of the workspace, newest first."""

    runs: list[RunEntryAnswer]


class ActionAnswer(BaseModel):
    """What to do with a segment."""

    action: str
    who: str
    offer: str
    channel: str
    measure: str


class SegmentAnswer(BaseModel):
    """A segment: who they are, why it has this name, and what to do."""

    id: int
    name: str
    tier: str
    activity: str
    why: list[str]
    action: ActionAnswer
    note: str = Field(description="Your own text about the segment; empty where there is none.")
    customers: int
    customer_share: Share
    orders: int
    revenue: Money
    revenue_share: Share
    medians: dict[str, float | None] = Field(description="Of days, orders, money …, by column.")


class GroupAnswer(BaseModel):
    """A named group of the rule pack."""

    name: str
    why: str
    customers: int
    revenue: Money


class SegmentsAnswer(BaseModel):
    """Segments, highest value first, and named groups, most revenue first."""

    segments: list[SegmentAnswer]
    groups: list[GroupAnswer]


class RunAnswer(BaseModel):
    """A run at a glance."""

    name: str
    source: str
    as_of: date
    currency: str | None
    customers: int
    orders: int
    revenue: Money
    notes: list[str] = Field(description="What was found out about the source, and what to be careful about.")
    k: int
    why: str = Field(description="Why so many segments.")
    warning: str
    backtest: str = Field(description="Whether the segments of the past told who came back.")
    segments: list[str]
    groups: list[str]
    options: dict[str, Any]


# --- customers --------------------------------------------------------------------------------------------------------


class CustomerAnswer(BaseModel):
    """A customer's row; what the run does not have is null."""

    customer_id: str
    first_order: date
    last_order: date
    recency_days: int
    frequency: int
    monetary: Money
    tenure_days: int
    avg_order_value: float | None = None
    median_gap_days: float | None = None
    return_rate: float | None = None
    products: int | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    consent: str | None = None
    value_percentile: float | None = None
    r_score: int | None = None
    f_score: int | None = None
    m_score: int | None = None
    rfm_score: str | None = None
    rfm_group: str | None = None
    segment_id: int | None = None
    segment: str | None = None
    distance: float | None = None
    runner_up: str | None = None
    p_active: float | None = Field(None, description="Chance of an order within the horizon.")
    expected_orders: float | None = None
    order_value: float | None = None
    expected_value: float | None = None
    p_alive: float | None = None
    revenue_at_risk: float | None = None


class PersonAnswer(BaseModel):
    """A customer in a list; what the run does not have is null."""

    customer_id: str
    email: str | None = None
    country: str | None = None
    recency_days: int
    frequency: int
    monetary: Money
    last_order: date
    rfm_score: str | None = None
    rfm_group: str | None = None
    segment_id: int | None = None
    segment: str | None = None
    value_percentile: float | None = None
    p_active: float | None = Field(None, description="Chance of an order within the horizon.")
    expected_value: float | None = None
    revenue_at_risk: float | None = None


class CustomersAnswer(BaseModel):
    """A page of customers, and how many there are with these filters."""

    customers: list[PersonAnswer]
    total: int
    revenue: Money
    page: int
    pages: int


class MoveAnswer(BaseModel):
    """What would lead a customer to another segment or group."""

    kind: str
    amount: int
    by: date | None
    segment_before: str
    segment_after: str
    group_before: str | None
    group_after: str | None
    better: bool | None
    sentence: str


class OrderAnswer(BaseModel):
    """An order of a customer, less what was returned of it."""

    ordered_at: str = Field(
        description="Day and time as in the source, without a zone.", examples=["2024-06-30T12:05:00"]
    )
    order_id: str | None
    amount: Money


class CardAnswer(BaseModel):
    """Everything about one customer."""

    customer: CustomerAnswer
    as_of: date
    currency: str | None
    action: str
    offer: str
    channel: str
    why: list[str]
    ahead: list[str]
    moves: list[MoveAnswer]
    orders: list[OrderAnswer] | None = Field(description="Earliest first; null where the run keeps no orders.")


class AudienceAnswer(BaseModel):
    """A list for a campaign, counted; `members` is the sum of the four after it."""

    name: str
    kind: str
    tool: str
    members: int
    no_address: int
    no_consent: int
    held_out: int
    written: int
    unknown_consent: int
    bad_emails: int
    bad_phones: int
    has_consent: bool
    holdout: Share
    seed: int
    chance: float | None
    horizon_days: int | None
    size_note: str = Field(description="Which effect a control group of this size can show.")


class ListAnswer(BaseModel):
    """A list that was made; it stays in the folder `campaigns` of the workspace."""

    name: str
    run: str
    of: str
    title: str
    filters: str = Field(description="What narrowed it, in words.")
    tool: str
    made: date
    holdout: Share
    seed: int
    has_consent: bool
    counts: dict[str, int]
    note: str
    files: list[str] = Field(description="The list; with a control group also who is in which group, and the record.")


class ListsAnswer(BaseModel):
    """Lists of a run, the latest first."""

    lists: list[ListAnswer]


# --- who moved --------------------------------------------------------------------------------------------------------


class MomentAnswer(BaseModel):
    """One side of a comparison."""

    source: str
    as_of: date
    customers: int
    revenue: Money


class NodeAnswer(BaseModel):
    """A place on one side: a segment or group, or what stands for none."""

    name: str
    kind: str
    customers: int
    revenue: Money


class SumsAnswer(BaseModel):
    """Customers, and their net revenue up to the earlier and up to the later date."""

    customers: int
    revenue_before: Money
    revenue_after: Money


class FlowAnswer(SumsAnswer):
    """Customers who were in one place and are in another, or still in the same."""

    before: str
    after: str
    direction: str
    parts: dict[str, SumsAnswer] = Field(description="By reason: `customer`, `cuts`, `both`, `stayed`, …")


class MovesAnswer(BaseModel):
    """Who moved between the segments, or between the named groups."""

    by: str
    words: list[str]
    before: list[NodeAnswer]
    after: list[NodeAnswer]
    flows: list[FlowAnswer]


class MovementAnswer(BaseModel):
    """Who moved between two dates or two runs, in people and money, and why."""

    before: MomentAnswer
    after: MomentAnswer
    currency: str | None
    cuts: str
    segments: MovesAnswer
    groups: MovesAnswer
    notes: list[str]
