"""The API for programs: lists for campaigns, their control groups, and their files."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import ConfigDict, Field
from starlette.responses import FileResponse

from regulars.app import answers
from regulars.app.house import HouseOf
from regulars.app.lists import MOST_SEED, USUAL_HOLDOUT, Wanted, build_list, find_list, keep_list, lists_of, path_of
from regulars.app.people import Selection, find_selection, list_people
from regulars.app.routes.api import CHANGES, RunName, Who, api_router
from regulars.app.workspace import Run
from regulars.audiences import Audience
from regulars.errors import SourceError

router = api_router()


class ListAsked(Who):
    """Who is to be on a list, for which tool, and how many are held out to see what the campaign does."""

    model_config = ConfigDict(extra="forbid")

    tool: str = Field("csv", description="`csv`, `klaviyo`, `mailchimp`, `shopify-tags`, `meta` or `google`.")
    of: str = Field(description="As for the customers; here it must be said, such as `everyone`.")
    holdout: float = Field(USUAL_HOLDOUT / 100, ge=0, lt=1, description="Share of the control group; 0: none.")
    seed: int = Field(0, ge=0, le=MOST_SEED, description="Another seed, another draw.")


@router.get("/runs/{run}/audience", tags=["lists for campaigns"])
def count_audience(house: HouseOf, run: RunName, asked: Annotated[ListAsked, Query()]) -> answers.AudienceAnswer:
    """Count who would be on a list, and who not for which reason; nothing is written."""
    found = house.workspace.run(run)
    _, audience = _built(found, asked)
    return answers.AudienceAnswer.model_validate(audience.to_dict())


@router.get("/runs/{run}/lists", tags=["lists for campaigns"])
def list_lists(house: HouseOf, run: RunName) -> answers.ListsAnswer:
    """Show the lists that were made of a run, the latest first."""
    found = lists_of(house.workspace, house.workspace.run(run).name)
    return answers.ListsAnswer(lists=[answers.ListAnswer.model_validate(asdict(one)) for one in found])


@router.post("/runs/{run}/lists", tags=["lists for campaigns"], status_code=201, responses=CHANGES)
def make_list(house: HouseOf, run: RunName, asked: ListAsked) -> answers.ListAnswer:
    """Make a list and keep it in the workspace; with a control group also who is in which group, and the record."""
    found = house.workspace.run(run)
    selection, audience = _built(found, asked)
    kept = keep_list(house.workspace, found, selection, asked.filters, audience, today=date.today())
    return answers.ListAnswer.model_validate(asdict(kept))


@router.get(
    "/runs/{run}/lists/{name}/{file}",
    tags=["lists for campaigns"],
    response_class=FileResponse,
    responses={200: {"description": "The file.", "content": {"text/csv": {}, "application/json": {}}}},
)
def get_file(
    house: HouseOf,
    run: RunName,
    name: Annotated[str, Path(description="Name of the list.")],
    file: Annotated[str, Path(description="One of its `files`.")],
) -> Any:
    """Give a file of a list."""
    campaign = find_list(house.workspace, run, name)
    path = path_of(house.workspace, file)
    if file not in campaign.files or not path.is_file():
        raise SourceError(f"The list has no file {file[:80]!r}.", hint="Choose one of its files.")
    kind = "application/json" if path.suffix == ".json" else "text/csv"
    return FileResponse(path, media_type=kind, filename=path.name)


def _built(run: Run, asked: ListAsked) -> tuple[Selection, Audience]:
    selection = find_selection(run, asked.of)
    list_people(run, selection, asked.filters, size=1)  # refuses filters that the run has nothing for
    wanted = Wanted(tool=asked.tool, holdout=asked.holdout, seed=asked.seed)
    return selection, build_list(run, selection, asked.filters, wanted)
