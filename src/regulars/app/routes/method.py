"""The page "k and method": why so many segments, how well they hold, and the same with other choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from regulars.app import pages
from regulars.app.choices import offered_packs
from regulars.app.forms import FormOf
from regulars.app.house import HouseOf, SessionOf
from regulars.app.sources import rerun
from regulars.app.workspace import Run
from regulars.charts import drawable
from regulars.clustering import MIN_STABILITY, SCALES
from regulars.errors import OptionError, RegularsError
from regulars.pipeline import Segmentation
from regulars.schema import MEASURES
from regulars.wording import counted, percent

router = APIRouter(include_in_schema=False)

MOST_K = 12  # in the list; more than a team can act on
BESIDE = ("choice_of_k", "silhouette_knives")
CHARTS = (*BESIDE, "segment_profiles", "gain_curves", "calibration", "order_tracking", "audit_waterfall")

#: Scale → what it means, for people.
SCALE_WORDS = {
    "sqrt-log": "square root of days, logarithm of orders and money (usual)",
    "standard": "as they are, less the mean, by the standard deviation",
    "minmax": "as they are, from 0 to 1: a few very large customers decide",
    "robust": "as they are, less the median, by the quartiles",
    "log": "logarithm of all three",
    "yeo-johnson": "the power that makes each most even (Yeo–Johnson)",
}


@router.get("/runs/{run}/method")
def method_page(request: Request, house: HouseOf, run: str) -> Response:
    """Show why so many segments, and beside them another run."""
    found = house.workspace.run(run)
    name = request.query_params.get("with", "")
    return _page(request, house, found, house.workspace.run(name) if name else None)


@router.post("/runs/{run}/method")
def again(request: Request, house: HouseOf, session: SessionOf, form: FormOf, run: str) -> Response:
    """Make the segments again with other choices."""
    found = house.workspace.run(run)
    try:
        job = rerun(house, session, run, **_changes(form))
    except RegularsError as error:
        return _page(request, house, found, None, error=error, status=400)
    return RedirectResponse(f"/jobs/{quote(job.id)}", status_code=303)


def _changes(form: dict[str, str]) -> dict[str, Any]:
    k = form.get("k", "")
    if k and not (k.isascii() and k.isdigit() and len(k) < 4):
        raise OptionError(f"{k[:40]!r} segments cannot be.", hint="Choose a number, or let it be chosen.")
    return {
        "k": int(k) if k else None,
        "scale": form.get("scale", "sqrt-log"),
        "groups": form.get("groups", "eleven"),
        "backtest": form.get("backtest") == "yes",
    }


def _page(
    request: Request,
    house: HouseOf,
    run: Run,
    other: Run | None,
    *,
    error: RegularsError | None = None,
    status: int = 200,
) -> Response:
    known = drawable(run.result)
    figures = {name: pages.figure_of(run, name) for name in CHARTS if name in known}
    if other is not None:
        figures |= {f"{name}_other": pages.figure_of(other, name) for name in BESIDE}
    return pages.page(
        request, "method.html", run=run, status=status, here="/method", error=error, figures=figures, other=other,
        others=[entry for entry in house.workspace.runs() if entry.name != run.name],
        kept=house.workspace.read(f"sources/{run.name}.json"), ks=range(2, MOST_K + 1),
        scales={name: SCALE_WORDS.get(name, name) for name in SCALES}, packs=offered_packs(house.workspace.folder),
        rows=[] if other is None else beside(run.result, other.result), facts=_facts(run),
        stability=MIN_STABILITY, cut_points=_cut_points(run.result), centres=_centres(run.result),
        matched=[(match["field"], match["column"], match["why"]) for match in run.result.matches],
    )  # fmt: skip


# --- tables -----------------------------------------------------------------------------------------------------------


def beside(one: Segmentation, other: Segmentation) -> list[tuple[str, str, str]]:
    """What there is to compare of two runs: what, the one, the other."""
    told: dict[str, Callable[[Segmentation], str]] = {
        "Segments (k)": lambda result: f"{result.choice.k} ({'asked for' if result.options.k else 'chosen'})",
        "Scale": lambda result: result.options.scale,
        "Customers": lambda result: f"{result.customers_total:,}",
        "Silhouette: how clearly customers belong (−1 to 1)": lambda result: f"{_own(result).silhouette:.3f}",
        "Stability: how well segments are found again (0 to 1)": lambda result: f"{_own(result).stability:.3f}",
        "Inertia (comparable with the same scale and customers only)": lambda result: f"{_own(result).inertia:,.0f}",
        "Smallest segment": lambda result: (
            f"{counted(_own(result).smallest_size, 'customer')}, {percent(_own(result).smallest_share)}"
        ),
        "What segments told about who buys again, in bits": lambda result: _or_none(
            result.backtest and result.backtest.bits("segments")[0]
        ),
        "Forecast: AUC (0.5 is a coin, 1 is never wrong)": lambda result: _or_none(
            result.backtest and result.backtest.forecasts.best.windows[0].auc
        ),
        "Names": lambda result: "; ".join(segment.name for segment in result.segments),
    }
    return [(what, tell(one), tell(other)) for what, tell in told.items()]


def _own(result: Segmentation) -> Any:
    return next(trial for trial in result.trials if trial.k == result.choice.k)


def _or_none(value: Any) -> str:
    return "no back-test" if value is None else f"{value:.3f}"


def _cut_points(result: Segmentation) -> list[tuple[Any, ...]]:
    """For each score what it takes, worst first."""
    ranges = {measure: {number: span for number, *span in result.cuts.ranges(measure)} for measure in MEASURES}
    return [
        (score, *(_span(ranges[measure].get(score)) for measure in MEASURES))
        for score in range(1, result.cuts.levels + 1)
    ]


def _span(span: Any) -> str:
    if span is None:
        return "nobody"
    low, high = ("" if end is None else f"{end:,.2f}".removesuffix(".00") for end in span)
    if low and high:
        return low if low == high else f"{low} to {high}"
    return f"from {low}" if low else f"up to {high}" if high else "any"


def _centres(result: Segmentation) -> list[tuple[Any, ...]]:
    """The centre of each segment, in standard deviations of the scale."""
    return [
        (name, *(f"{value:.3f}" for value in centre))
        for name, centre in zip(result.model.segments, result.model.centres, strict=True)
    ]


def _facts(run: Run) -> list[tuple[str, str]]:
    """How the run was made."""
    result, record = run.result, run.record
    options = {name: "default" if value is None else str(value) for name, value in result.options.to_dict().items()}
    seconds = record.get("seconds") or record.get("timings") or {}
    versions = record.get("versions") or {}
    return [
        ("source", result.source),
        ("fingerprint (sha256)", result.fingerprint or "–"),
        ("layout", result.layout),
        *options.items(),
        *((f"seconds: {name}", f"{value:.1f}") for name, value in seconds.items() if isinstance(value, int | float)),
        *((f"version of {name}", str(value)) for name, value in versions.items()),
    ]
