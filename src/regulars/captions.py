"""What a picture of the back-test, of the forecasts or of a comparison says in its title, whichever library draws it."""

from __future__ import annotations

from collections.abc import Sequence

from regulars.backtesting import Backtest
from regulars.comparing import Moves
from regulars.errors import NotEnoughDataError
from regulars.pipeline import Segmentation
from regulars.profiling import Outlook, SegmentOutlook
from regulars.wording import counted, day, money, percent

__all__ = [
    "backtest_of",
    "calibration_title",
    "gain_title",
    "movement_title",
    "outcome_title",
    "outlook_of",
    "risk_title",
    "tracking_title",
]


def backtest_of(result: Segmentation) -> Backtest:
    """The back-test of a run; an error that says why there is none."""
    if result.backtest is None:
        raise NotEnoughDataError(
            f"There is no back-test to draw. {result.backtest_note}".strip(),
            hint="Pictures of the back-test need a run with one: segment a longer history.",
        )
    return result.backtest


def outlook_of(result: Segmentation) -> Outlook:
    """The outlook of a run; an error that says why there is none."""
    if result.outlook is None:
        raise NotEnoughDataError(
            f"There is no forecast to draw. {result.backtest_note}".strip(),
            hint="Pictures of what comes next need a run with a back-test: segment a longer history.",
        )
    return result.outlook


def outcome_title(test: Backtest) -> str:
    """Which segment came back most, and which least."""
    best, worst = (choose(test.segments, key=lambda one: one.share) for choose in (max, min))
    within = f"bought again within {test.horizon_days} days"
    if best.share > worst.share:
        return f"{best.name}: {percent(best.share)} {within}; {worst.name}: {percent(worst.share)}"
    return f"{percent(best.share)} of every segment {within}"


def gain_title(test: Backtest) -> str:
    """The lift of the segments, beside the best of the other groupings."""
    own = test.grouping("segments")
    rival = max((one for one in test.groupings if one is not own), key=lambda one: one.lift)
    return (
        f"Best tenth by segments: bought again {own.lift:.2f} times as often as all customers "
        f"({rival.title}: {rival.lift:.2f} times)"
    )


def calibration_title(test: Backtest) -> str:
    """How far promised chances were off, and how well they ranked."""
    check, alone = test.forecasts.best.windows[0], test.forecasts.way("recency").windows[0]
    off = 100 * (check.calibration_error or 0.0)
    ranked = "" if check.auc is None else f"; AUC {check.auc:.2f}"
    beside = "" if alone.auc is None else f" (recency alone {alone.auc:.2f})"
    return f"Promised chances were off by {off:.1f} percentage points on average{ranked}{beside if ranked else ''}"


def tracking_title(test: Backtest) -> str:
    """Repeat orders since the cut, as they came and as expected."""
    tracking = test.forecasts.tracking
    known = [point for point in tracking.points if point[0] <= tracking.cut]
    since, came, expected = known[-1] if known else (tracking.cut, 0, 0.0)
    _, all_came, all_expected = tracking.points[-1]
    return (
        f"From {day(since)} on, {counted(all_came - came, 'repeat order')} came; "
        f"{all_expected - expected:,.0f} were expected"
    )


def risk_title(result: Segmentation, rows: Sequence[tuple[str, SegmentOutlook]]) -> str:
    """How much revenue is at risk, and in which segment most."""
    outlook = outlook_of(result)
    if not rows:
        return "No revenue at risk: no customer has a forecast"
    name, most = max(rows, key=lambda row: row[1].revenue_at_risk)
    sums = (outlook.total("revenue_at_risk"), outlook.total("last_year"), most.revenue_at_risk)
    at_risk, last_year, worst = (money(value, result.currency) for value in sums)
    return f"{at_risk} of the last year's {last_year} is at risk, the most in {name} ({worst})"


def movement_title(moves: Moves) -> str:
    """How many customers moved up, moved down, stayed, and are new or lost."""
    people = {name: moves.total(direction=name).customers for name in ("up", "down", "stayed", "new", "lost")}
    gone = f", {people['lost']:,} lost from view" if people["lost"] else ""
    return (
        f"{counted(people['up'], 'customer')} moved up, {people['down']:,} down, {people['stayed']:,} stayed; "
        f"{people['new']:,} new{gone}"
    )
