"""Pages: templates, charts as data, and errors in words."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from regulars import __version__
from regulars.app.saying import hint_for_people
from regulars.app.workspace import Run
from regulars.charts import CONFIG, drawable
from regulars.errors import RegularsError
from regulars.palette import colour
from regulars.reporting import ChartData, chart_data, for_script, new_environment

__all__ = ["figure_of", "is_partial", "page", "piece", "plain_page", "refused"]


@cache
def _environment(currency: str | None) -> Environment:
    loader = ChoiceLoader([PackageLoader("regulars.app"), PackageLoader("regulars")])
    environment = new_environment(loader, currency)
    environment.globals.update(version=__version__, config=for_script(CONFIG), colour=colour)
    return environment


def page(request: Request, template: str, *, run: Run | None = None, status: int = 200, **facts: Any) -> HTMLResponse:
    """Make a whole page.

    Parameters
    ----------
    request
        What asked for it.
    template
        Its name in `app/templates`; it extends ``base.html``.
    run
        The run that it is about: its currency is that of `money`, and its name stands in the navigation.
    status
        HTTP status.
    **facts
        What the template shows; `figures` (name → `figure_of`) are drawn by ``chart(name, reading)`` of ``pieces.html``.
    """
    known: dict[str, Any] = {"figures": {}, "topology": "", "run": run, "result": None if run is None else run.result}
    made = _environment(None if run is None else run.result.currency).get_template(template)
    return HTMLResponse(made.render(request=request, **(known | facts)), status_code=status)


def piece(request: Request, template: str, *, run: Run | None = None, status: int = 200, **facts: Any) -> HTMLResponse:
    """Make a part of a page, for htmx: as `page`, with a template of its own."""
    return page(request, template, run=run, status=status, **facts)


def figure_of(run: Run, name: str) -> ChartData:
    """Chart of a run by its name in `charts.CHARTS`, drawn once.

    Raises
    ------
    KeyError
        The run has no such chart: without a back-test there are fewer.
    """
    key = f"chart {name}"
    with run.lock:
        if key not in run.kept:
            run.kept[key] = chart_data(drawable(run.result)[name](run.result))
        found: ChartData = run.kept[key]
    return found


def is_partial(request: Request) -> bool:
    """Whether htmx asks, and only wants a part of the page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def refused(request: Request, error: RegularsError, *, status: int = 400) -> HTMLResponse:
    """Say what was found and what to do: as a page, or as a part where htmx asks."""
    return plain_page(request, status=status, message=error.message, hint=hint_for_people(error))


def plain_page(request: Request, *, status: int, message: str, hint: str) -> HTMLResponse:
    """A page that says one thing, and what to do next."""
    if is_partial(request):
        part = Markup('<p class="warning" role="alert"><b>{}</b> {}</p>').format(message, hint)
        return HTMLResponse(str(part), status_code=status)
    alone = status == 401  # every other page would lead back here
    return page(request, "plain.html", status=status, message=message, hint=hint, alone=alone)
