"""One self-contained page about a run: what a manager opens."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from regulars.backtesting import Backtest, ForecastTest
from regulars.charts import CONFIG, drawable
from regulars.errors import OutputError
from regulars.palette import colour
from regulars.pipeline import Segmentation
from regulars.placing import whole_files
from regulars.profiling import Notable, Outlook, Segment
from regulars.wording import counted, day, money, percent, slug, unit

__all__ = [
    "SegmentCard",
    "chart_data",
    "for_script",
    "new_environment",
    "people_rows",
    "render_report",
    "segment_card",
    "write_report",
]

#: Traces that the bundled build of plotly.js can draw.
BUNDLED = frozenset({"scatter", "bar", "heatmap", "treemap", "choropleth", "sankey"})
TURNED = "customer_map_3d"  # needs the whole plotly.js
LATELY = 3  # months
NUMBER = re.compile(r"[-−<]?[\d,]+(\.\d+)?%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCard:
    """What a page shows of a segment."""

    segment: Segment
    colour: str
    days: int
    orders: int
    spend: float
    months: int
    lately: float
    lately_share: float
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartData:
    """What a page needs to draw a chart, and to say what it shows."""

    title: str
    alt: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    height: int
    json: Markup
    traces: frozenset[str]


def write_report(result: Segmentation, path: str | Path, *, turnable: bool = False) -> Path:
    """Write the page of `render_report` as a file, in one step.

    Parameters
    ----------
    result
        The facts.
    path
        The file; an earlier one is replaced.
    turnable
        Add the map of customers in three directions: the page then carries the whole of plotly.js, 3 MB more.

    Raises
    ------
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=300, seed=1).orders)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rg.write_report(result, f"{folder}/report.html").name
    'report.html'
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", hint="Give the name of a file, such as report.html.")
    if path.suffix.lower() not in (".html", ".htm") or (path.exists() and not path.is_file()):
        raise OutputError(f"{path} cannot be a page.", hint="Give a name that ends with .html, such as report.html.")
    with whole_files(path) as (draft,):
        draft.write_text(render_report(result, turnable=turnable), encoding="utf-8")
    return path


def render_report(result: Segmentation, *, turnable: bool = False) -> str:
    """Make the page: HTML with its styles, charts and data, and no address outside; equal facts give equal bytes.

    Text and tables need no JavaScript. A policy in the page forbids every request.
    """
    figures = {name: chart_data(draw(result)) for name, draw in drawable(result).items() if turnable or name != TURNED}
    if not result.spending.countries:
        del figures["countries"], figures["country_map"]
    whole = frozenset[str]().union(*(figure.traces for figure in figures.values())) - BUNDLED
    page = new_environment(PackageLoader("regulars"), result.currency).get_template("report.html")
    return page.render(
        result=result,
        figures=figures,
        cards=[segment_card(result, segment) for segment in result.segments],
        regulars=max(result.segments, key=lambda segment: (segment.profile.revenue, -segment.id)),
        last_day=min(result.audit.last_day, result.as_of - timedelta(days=1)),
        matches=[(match["field"], match["column"], match["why"]) for match in result.matches],
        details=_details(result),
        css=Markup(_text("templates/report.css")),
        js=Markup(_text("templates/report.js")),
        plotly=Markup(_whole_plotly() if whole else _text("assets/plotly.min.js")),
        config=for_script(CONFIG),
        topology=_topology() if "country_map" in figures else "",
    )


def new_environment(loader: BaseLoader, currency: str | None) -> Environment:
    """Templates that escape every text, and the words that they use; `money` and `unit` are in a currency."""
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    environment.globals.update(
        counted=counted,
        day=day,
        money=lambda value: money(float(value), currency),
        percent=percent,
        unit=unit(currency),
        people=people_rows,
        windows=_windows,
        ways=_ways,
        parameters=_parameters,
        is_number=_is_number,
        written=_written,
    )
    return environment


def _text(name: str) -> str:
    return (files("regulars") / name).read_text("utf-8")


def _whole_plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _topology() -> Markup:
    return for_script(json.loads(_text("assets/world_110m.json")))


def for_script(data: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def chart_data(figure: Any) -> ChartData:
    """Take a Plotly figure apart: what is drawn, its title, its words and its table."""
    meta = figure.layout.meta
    drawn = json.loads(figure.to_json())
    drawn["layout"].pop("template", None)
    drawn["layout"].pop("meta", None)
    return ChartData(
        title=unescape(figure.layout.title.text),
        alt=meta["alt"],
        columns=meta["columns"],
        rows=meta["rows"],
        height=figure.layout.height,
        json=for_script(drawn),
        traces=frozenset(trace.type for trace in figure.data),
    )


def segment_card(result: Segmentation, segment: Segment) -> SegmentCard:
    """Gather what a page shows of a segment."""
    days, orders, spend = (segment.profile.median(name) or 0.0 for name in ("recency_days", "frequency", "monetary"))
    months, own, everyone = _lately(result, segment.id)
    return SegmentCard(
        segment=segment,
        colour=colour(segment.id),
        days=round(days),
        orders=round(orders),
        spend=spend,
        months=months,
        lately=own,
        lately_share=own / everyone if everyone else 0.0,
        file=f"{slug(segment.name)}.csv",
    )


def _lately(result: Segmentation, segment_id: int) -> tuple[int, float, float]:
    """How many of the last three whole months there are, and what the segment's customers and all customers brought then."""
    end = min(result.audit.last_day, result.as_of - timedelta(days=1))
    whole = f"{end if (end + timedelta(days=1)).day == 1 else end.replace(day=1) - timedelta(days=1):%Y-%m}"
    months = [name for name, *_ in result.spending.months if name <= whole][-LATELY:]
    everyone = sum(float(revenue) for name, revenue, *_ in result.spending.months if name in months)
    own = sum(
        float(revenue)
        for owner, name, _, _, revenue in result.spending.segment_months
        if owner == segment_id and name in months
    )
    return len(months), own, everyone


def people_rows(listed: Notable) -> list[tuple[Any, ...]]:
    """Rows of a table of customers who stand out."""
    return [
        (
            each.customer_id,
            *(() if each.chance is None else (f"{each.revenue_at_risk:,.2f}", percent(each.chance))),
            *(f"{each.monetary:,.2f}", each.frequency, each.recency_days, each.segment),
        )
        for each in listed.top
    ]


def _windows(backtest: Backtest) -> list[tuple[Any, ...]]:
    """Each cut: customers, share that bought again, and what the groupings knew."""
    return [
        (
            day(window.cut).replace(" ", "\u00a0"),
            window.customers,
            percent(window.bought / window.customers),
            *(f"{window.bits[one.name]:.3f}" for one in backtest.groupings),
        )
        for window in backtest.windows
    ]


def _ways(test: ForecastTest) -> list[tuple[Any, ...]]:
    """Each way to tell who orders next: how it did at the latest cut, and on average over the cuts that all have."""
    rows = []
    for way in test.ways:
        check = way.windows[0]
        measured = (check.auc, way.mean("auc", cuts=test.cuts), check.calibration_error, check.log_loss)
        rows.append(
            (
                f"{way.title} (used)" if way.name == test.used else way.title,
                *("" if value is None else f"{value:.3f}" for value in measured),
                len(test.cuts),
            )
        )
    return rows


def _parameters(outlook: Outlook) -> list[tuple[str, str, str]]:
    return [
        (name, f"{value:,.4g}", "" if error is None else f"{error:,.2g}") for name, value, error in outlook.parameters
    ]


def _details(result: Segmentation) -> list[tuple[str, str]]:
    options = result.options.to_dict()
    return [
        ("source", result.source),
        ("fingerprint (sha256)", result.fingerprint or "–"),
        ("layout", result.layout),
        ("currency", result.currency or "not known"),
        ("as of", day(result.as_of)),
        *(
            (name, "default" if value is None else _written(value))
            for name, value in options.items()
            if name != "as_of"
        ),
    ]


def _written(cell: object) -> str:
    if isinstance(cell, date):
        return day(cell)
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _is_number(rows: Sequence[Sequence[object]], column: int) -> bool:
    """Whether a column, but for the first, holds numbers, also written ones: those are aligned to the right."""
    if not column:
        return False
    cells = [str(row[column]) for row in rows if str(row[column])]
    return bool(cells) and all(NUMBER.fullmatch(cell) for cell in cells)
