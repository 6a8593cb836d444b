"""The back-test as a whole: what every k knew at every cut, then everything about the one that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from statistics import fmean
from typing import Any

from regulars.backtesting.forecasts import (
    Checked,
    Listed,
    Tracking,
    best_forecast,
    check_forecasts,
    common_cuts,
    learned_before,
    list_at_risk,
    track_orders,
)
from regulars.backtesting.groupings import Followed, Grouping, Known, follow_segments, group_past, measure_groupings
from regulars.backtesting.seasons import Season, find_season
from regulars.backtesting.windows import Past, PastOptions, Window, look_back, plan_windows
from regulars.binning import learn_clusters
from regulars.cleaning import Cleaned
from regulars.clustering import AutoKMeans
from regulars.errors import NotEnoughDataError
from regulars.reading import Orders
from regulars.wording import counted, day

__all__ = ["TITLES", "Backtest", "ForecastTest", "History", "Measured", "Rehearsal", "look_back_all", "rehearse"]

KS = range(2, 9)
LEAST_CUSTOMERS, LEAST_OUTCOMES = 50, 10  # at a cut: customers, and of these who bought again and who did not
EQUAL = 0.9  # share of the information of another grouping from which both do about as well
WELL_CALIBRATED = 0.05
TITLES = {
    "mbg-nbd": "MBG/NBD",
    "bg-nbd": "BG/NBD",
    "pareto-nbd": "Pareto/NBD",
    "logistic": "logistic model of recency, orders and spend",
    "recency": "recency alone",
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the groupings knew in one window: bits by the name of the grouping."""

    cut: date
    until: date
    customers: int
    bought: int
    bits: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastTest:
    """Whether the forecasts held.

    Parameters
    ----------
    horizon_days, cut, until
        The latest window: what lies before `cut` was known, and was held against what came from `cut` to before `until`.
    ways
        Ways to tell who buys next, in every window where they could be tested.
    used
        Name of the one that did best, and makes the forecasts from today.
    season
        How busy the latest window and the next one are, from a year before.
    at_risk
        What the at-risk list of the cut would have been worth.
    tracking
        Repeat orders over time, as they came and as expected.
    warnings
        What to be careful about.
    """

    horizon_days: int
    cut: date
    until: date
    ways: tuple[Checked, ...]
    used: str
    season: Season
    at_risk: Listed
    tracking: Tracking
    warnings: tuple[str, ...]

    def way(self, name: str) -> Checked:
        """One of the ways by its name."""
        return next(one for one in self.ways if one.name == name)

    @property
    def cuts(self) -> set[date]:
        """Cuts at which all ways were tested: what can be compared."""
        return common_cuts(self.ways)

    @property
    def best(self) -> Checked:
        """The way that is used."""
        return self.way(self.used)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"ways": [one.to_dict() for one in self.ways]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Whether the segments meant anything.

    Parameters
    ----------
    horizon_days, cut, until
        The latest window: what lies before `cut` was known, and was held against what came from `cut` to before `until`.
    k
        Number of segments.
    customers, bought
        Customers known at the cut, and those of them who bought again in the horizon.
    segments
        What each segment of the cut did next, most valuable first.
    groupings
        The segments beside simpler ways to group the same customers, in the latest window.
    windows
        The same in every window, the latest first.
    verdict
        Two sentences.
    forecasts
        Whether the forecasts held.
    """

    horizon_days: int
    cut: date
    until: date
    k: int
    customers: int
    bought: int
    segments: tuple[Followed, ...]
    groupings: tuple[Grouping, ...]
    windows: tuple[Measured, ...]
    verdict: tuple[str, str]
    forecasts: ForecastTest

    def grouping(self, name: str) -> Grouping:
        """One of the groupings by its name."""
        return next(one for one in self.groupings if one.name == name)

    def bits(self, name: str) -> tuple[float, float, float]:
        """Information of a grouping over the windows: mean, least, most."""
        found = [window.bits[name] for window in self.windows]
        return fmean(found), min(found), max(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        bits = {one.name: [round(value, 6) for value in self.bits(one.name)] for one in self.groupings}
        return asdict(self) | {"forecasts": self.forecasts.to_dict(), "bits_mean_least_most": bits}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The lines, the whole history, clean, the day after its last, and its pasts, the latest first; inside the engine."""

    orders: Orders
    cleaned: Cleaned
    as_of: date
    pasts: tuple[Past, ...]
    options: PastOptions

    def test_forecasts(self) -> ForecastTest:
        """Forecast at every past with what was known then, and compare with what came."""
        options, latest = self.options, self.pasts[0]
        season = find_season(self.orders, self.cleaned, latest, as_of=self.as_of, options=options)
        found: dict[str, list[Any]] = {}
        for past in self.pasts:
            chances = learned_before(self.pasts, past)
            factor = season.at_cut if past is latest else 1.0
            checks, forecaster = check_forecasts(past, chances=chances, model=options.model, season=factor)
            for name, check in checks.items():
                found.setdefault(name, []).append(check)
            if past is latest:
                fitted, learned = forecaster, chances
        order = [name for name in (options.model, "logistic", "recency") if name in found]
        ways = tuple(Checked(name=name, title=TITLES[name], windows=tuple(found[name])) for name in order)
        used = best_forecast(ways)
        window = latest.window
        return ForecastTest(
            horizon_days=window.horizon_days,
            cut=window.cut,
            until=window.until,
            ways=ways,
            used=used,
            season=season,
            at_risk=list_at_risk(latest, fitted.with_chances(learned if used == "logistic" else None)),
            tracking=track_orders(latest, self.cleaned, fitted.purchases),
            warnings=_warnings(ways, used),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Every window of a back-test, scored and clustered, the latest first; inside the engine."""

    history: History
    known: tuple[Known, ...]

    @property
    def information(self) -> dict[int, float]:
        """Number of clusters → bits about who bought again, on average over the windows that have so many."""
        return {
            k: fmean(one.information[k] for one in self.known if k in one.information)
            for k in self.known[0].information
        }

    def choose(self) -> int:
        """Take k by the rule, from what was known at the latest cut."""
        past, options = self.known[0].past, self.history.options
        estimator = AutoKMeans(random_state=options.seed, n_jobs=options.n_jobs)
        _, found = learn_clusters(
            past.people, past.customers, options.scale, estimator=estimator, information=self.information
        )
        return found.n_clusters_

    def judge(self, k: int) -> Backtest:
        """Measure everything about one k."""
        options = self.history.options
        having = [one for one in self.known if k in one.clusters]
        measured = [measure_groupings(one, k, seed=options.seed, n_jobs=options.n_jobs) for one in having]
        windows = tuple(_measured(one.past, found) for one, found in zip(having, measured, strict=True))
        segments = follow_segments(having[0], k, seed=options.seed)
        past = having[0].past
        return Backtest(
            horizon_days=past.window.horizon_days,
            cut=past.window.cut,
            until=past.window.until,
            k=k,
            customers=past.customers,
            bought=past.bought,
            segments=segments,
            groupings=measured[0],
            windows=windows,
            verdict=_verdict(segments, windows, past.window),
            forecasts=self.history.test_forecasts(),
        )


def look_back_all(
    orders: Orders,
    cleaned: Cleaned,
    *,
    as_of: date,
    options: PastOptions,
    horizon_days: int | None = None,
    cut: date | None = None,
    progress: Progress | None = None,
) -> History:
    """Go back to every cut of the history, and count what was known there.

    Parameters
    ----------
    orders, cleaned
        The lines, and the whole history, clean.
    as_of
        The day after the last day of the history.
    options
        How the pasts are cleaned, clustered and forecast.
    horizon_days, cut
        As for `plan_windows`.
    progress
        Called with (windows done, windows in all).

    Raises
    ------
    NotEnoughDataError
        The history is too short, or too few customers are in it; the message says how much there is and is needed.
    """
    audit = cleaned.audit
    windows = plan_windows(audit.first_day, as_of, horizon_days=horizon_days, cut=cut, lines=audit.raw.rows_left)
    pasts: list[Past] = []
    for done, window in enumerate(windows):
        try:
            past = look_back(orders, cleaned, window, options=options)
            _refuse_few(past)
        except NotEnoughDataError:
            if not pasts:
                raise
            break  # earlier windows have even less
        pasts.append(past)
        if progress is not None:
            progress(done + 1, len(windows))
    return History(orders=orders, cleaned=cleaned, as_of=as_of, pasts=tuple(pasts), options=options)


def rehearse(history: History, *, k: int | None = None) -> Rehearsal:
    """Score and cluster every past as a run on that day would have, and measure what each number of clusters knew.

    Parameters
    ----------
    history
        From `look_back_all`.
    k
        A number of clusters to try beside 2 to 8.

    Raises
    ------
    NotEnoughDataError
        All customers of the latest past are the same.
    """
    options = history.options
    ks = sorted({*KS, *([] if k is None else [k])})
    known: list[Known] = []
    for past in history.pasts:
        try:
            known.append(group_past(past, scale=options.scale, ks=ks, seed=options.seed, n_jobs=options.n_jobs))
        except NotEnoughDataError:
            if not known:
                raise
    return Rehearsal(history=history, known=tuple(known))


def _refuse_few(past: Past) -> None:
    stayed_away = past.customers - past.bought
    if past.customers < LEAST_CUSTOMERS or min(past.bought, stayed_away) < LEAST_OUTCOMES:
        raise NotEnoughDataError(
            f"On {past.window.cut} there were {counted(past.customers, 'customer')}, of whom {past.bought:,} bought in the "
            f"{past.window.horizon_days} days after and {stayed_away:,} did not; a back-test needs {LEAST_CUSTOMERS} "
            f"customers, and {LEAST_OUTCOMES} of each kind.",
            hint="Bring a longer export, a later cut or another horizon.",
        )


def _measured(past: Past, groupings: Sequence[Grouping]) -> Measured:
    return Measured(
        cut=past.window.cut,
        until=past.window.until,
        customers=past.customers,
        bought=past.bought,
        bits={one.name: one.bits for one in groupings},
    )


def _verdict(segments: Sequence[Followed], windows: Sequence[Measured], window: Window) -> tuple[str, str]:
    """Two plain sentences: what the segments knew, and whether simpler rules knew as much."""
    bits = {name: fmean(one.bits[name] for one in windows) for name in windows[0].bits}
    own = bits["segments"]
    best, worst = max(segments, key=lambda one: one.share), min(segments, key=lambda one: one.share)
    cut, days = day(window.cut), window.horizon_days
    several = f" on average over {len(windows)} cuts" if len(windows) > 1 else ""
    first = (
        f"Of the customers who were {best.name} on {cut}, {best.share:.0%} bought again within {days} days; "
        f"of {worst.name}, {worst.share:.0%} ({own:.3f} bit of information{several})."
        if best.share > worst.share
        else f"On {cut} the segments told nothing about who would buy again within {days} days."
    )
    rules = {
        "rfm_sum": "the sum of the R, F and M scores",
        "eleven": "the eleven named groups",
        "recency": "recency alone",
    }
    name = max(rules, key=lambda rule: bits[rule])
    rival = f"{rules[name]} told {bits[name]:.3f} bit"
    if own * EQUAL >= bits[name]:
        return first, f"No simple rule knew as much: {rival}."
    if own >= bits[name] * EQUAL:
        return first, f"Simple rules do as well here: {rival}."
    return first, f"Simple rules do better here: {rival}. Use the segments for the message, the scores to choose whom."


def _warnings(ways: Sequence[Checked], used: str) -> tuple[str, ...]:
    check = next(one for one in ways if one.name == used).windows[0]
    if (check.calibration_error or 0.0) <= WELL_CALIBRATED:
        return ()
    promised = sum(n * chance for n, chance, _ in check.bins) / sum(n for n, _, _ in check.bins)
    return (
        f"At the last cut the chances were off by {100 * (check.calibration_error or 0):.1f} percentage points on average: "
        f"{promised:.0%} of the customers were expected to buy, {check.bought / check.customers:.0%} did. A change of "
        "season is often the reason; trust who comes before whom more than the numbers.",
    )
