"""Figures show the facts: titles, bars, marks and labels are checked against a segmentation that is built by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from by_hand import BINS, FOLLOWED, GROUPINGS, a_backtest, an_outlook
from regulars import charts
from regulars.cleaning import Audit, AuditLine
from regulars.clustering import Choice, Trial
from regulars.errors import NotEnoughDataError, OptionError, OutputError
from regulars.figures import (
    FIGURES,
    customer_clusters,
    draw_figures,
    drawable,
    elbow_method,
    look,
    rfm_distribution,
    silhouette_score,
    spending_patterns,
)
from regulars.palette import PALETTE, colour
from regulars.pipeline import Options, Sample, Segmentation
from regulars.profiling import Action, Gaps, Notable, Profile, Segment, Spending
from regulars.scoring import Cuts

NAMES = ("Loyal high-value", "Occasional moderate", "New / low-spend", "Low-spend lapsed")
WITHOUT_MONEY = {"elbow_method", "silhouette_score", "gain_curves", "calibration", "order_tracking"}
PROSPECTS = ("segment_outcomes", "gain_curves", "calibration", "order_tracking", "revenue_at_risk")
DAYS, MONEY = (8, 30, 45, 230), (4500.0, 1300.0, 330.0, 290.0)


def a_segment(number: int, name: str, *, of: int) -> Segment:
    spread = {
        "recency_days": (1.0, float(DAYS[number % 4] + number), 300.0),
        "monetary": (1.0, MONEY[number % 4] / (1 + number // 4), 9000.0),
    }
    profile = Profile(
        id=number,
        customers=100,
        orders=200,
        revenue=Decimal(6000) if number == 0 else Decimal(4000) / (of - 1),
        customer_share=1 / of,
        revenue_share=0.6 if number == 0 else 0.4 / (of - 1),
        value_percentile=0.9 - number / 20,
        new_share=0.1,
        quartiles=spread,
        groups=(),
    )
    action = Action(name=name, action="Act", who="", offer="", channel="", measure="")
    return Segment(id=number, name=name, tier="high", activity="active", why=(), action=action, profile=profile)


def a_trial(k: int, **more: Any) -> Trial:
    facts: dict[str, Any] = {
        "inertia": 12000 / k**1.3,
        "silhouette": 0.5 - k / 40,
        "silhouette_error": 0.0,
        "calinski_harabasz": 1.0,
        "davies_bouldin": 1.0,
        "stability": 0.95 if k < 7 else 0.7,
        "smallest_share": 0.1,
        "smallest_size": 99,
    }
    return Trial(k=k, **(facts | more))


def a_result(*, names: tuple[str, ...] = NAMES, customers: int = 400, **changes: Any) -> Segmentation:
    """A shop of four segments by default; every fact that figures read, and nothing else."""
    k = len(names)
    rng = np.random.default_rng(5)
    line = AuditLine(
        rule="raw", title="raw", rows=0, amount=Decimal(0), rows_left=900, orders_left=800,
        customers_left=customers, amount_left=Decimal(10000),
    )  # fmt: skip
    week = [[0.0] * 24 for _ in range(7)]
    week[0][9], week[3][12], week[4][15] = 3000.0, 5000.0, 2000.0
    nobody = Notable(rule="", customers=0, revenue=Decimal(0), revenue_share=0.0, top=())
    facts: dict[str, Any] = {
        "source": "orders.csv", "fingerprint": "", "layout": "generic", "matches": (), "notes": (), "currency": "GBP",
        "options": Options(), "as_of": date(2011, 12, 10), "customers_total": customers, "orders_total": 800,
        "revenue": Decimal(10000), "groups": (), "cells": (), "concentration": (), "base": None,
        "gaps": Gaps(p75=30, p90=60, p95=90, count=9),
        "audit": Audit(
            lines=(line,), first_day=date(2011, 10, 1), last_day=date(2011, 12, 9), returns="net",
            partly_returned=0, unmatched_returns=0, unmatched_amount=Decimal(0),
        ),
        "cuts": Cuts(
            levels=5, recency_days=(180, 72, 33, 14), frequency=(2, 3, 4, 6),
            monetary=(Decimal(243), Decimal(473), Decimal(911), Decimal(1999)),
        ),
        "trials": tuple(a_trial(n) for n in sorted({*range(2, 9), k})),
        "choice": Choice(k=k, anchor=4, reason=f"The elbow is at {k}."),
        "segments": tuple(a_segment(i, name, of=k) for i, name in enumerate(names)),
        "silhouettes": {i: tuple(np.linspace(0.6, -0.1, customers // k).tolist()) for i in range(k)},
        "high_value": nobody, "at_risk": nobody,
        "backtest": a_backtest(), "backtest_note": "", "outlook": an_outlook(k),
        "spending": Spending(
            months=(("2011-10", Decimal(3000), 9, 9), ("2011-11", Decimal(5000), 9, 9), ("2011-12", Decimal(2000), 9, 9)),
            segment_months=(), cohorts=(),
            weekday_hours=tuple(map(tuple, week)), has_hours=True,
            countries=tuple((f"Country {i}", 1, 1, Decimal(5500 - 500 * i)) for i in range(10)),
            order_sizes=((10.0, 31.6, 300), (31.6, 100.0, 500)), median_order=42.0,
        ),
        "sample": Sample(
            recency_days=tuple((rng.integers(1, 370, customers)).tolist()),
            frequency=tuple((rng.geometric(0.3, customers)).tolist()),
            monetary=tuple(np.exp(rng.normal(6, 1.2, customers)).tolist()),
            segment_id=tuple((np.arange(customers) % k).tolist()),
        ),
        "model": None, "customers": None, "orders": None, "set_aside": None,
    }  # fmt: skip
    return Segmentation(**(facts | changes))


@pytest.fixture(scope="module")
def result() -> Segmentation:
    return a_result()


@pytest.fixture(scope="module")
def figures(result: Segmentation) -> dict[str, Figure]:
    """All of them, drawn once; tests only look at them."""
    return {name: draw(result) for name, draw in FIGURES.items()}


def title(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.findobj(Text) if text.get_text()]


def heights(axes: Any) -> list[float]:
    return [round(bar.get_height(), 6) for bars in axes.containers for bar in bars]


def widths(axes: Any) -> list[float]:
    return [round(bar.get_width(), 6) for bars in axes.containers for bar in bars]


# ---- what the figures say


def test_rfm_title_has_the_medians(result: Segmentation) -> None:
    sample = Sample(
        recency_days=(51, 51, 51), frequency=(2, 2, 2), monetary=(652.41, 652.41, 652.41), segment_id=(0, 1, 2)
    )
    figure = rfm_distribution(replace(result, sample=sample, customers_total=3))
    assert title(figure) == "The median customer last ordered 51 days ago, placed 2 orders and spent £652"
    assert {"median 51 days", "median 2 orders", "median £652"} <= set(texts(figure))


def test_rfm_bars_count_every_customer_and_axes_have_units(figures: dict[str, Figure]) -> None:
    figure = figures["rfm_distribution"]
    for axes in figure.axes:
        assert sum(heights(axes)) == 400
        assert axes.get_ylabel() == "customers"
    days, orders, money = (axes.get_xlabel() for axes in figure.axes)
    assert days == "days since the last order (one bar per 7 days)"
    assert orders.startswith("orders per customer")
    assert money == "net revenue per customer in £ (log scale)"


def test_rfm_names_the_scores_with_their_ranges(figures: dict[str, Figure]) -> None:
    found = texts(figures["rfm_distribution"])
    assert {
        "R1 ≥181",
        "R2 73–180",
        "R3 34–72",
        "R5 ≤14",
        "F1 1",
        "F4 4–5",
        "F5 ≥6",
        "M1 <£243",
        "M5 ≥£1,999",
    } <= set(found)


def test_rfm_bars_of_orders_are_whole_numbers(result: Segmentation) -> None:
    figure = rfm_distribution(replace(result, sample=replace(result.sample, frequency=(1, 2, 3, 400) * 100)))
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels[:6] == ["1", "2", "3", "4", "5", "6–7"]
    assert labels[-1] == "83+"
    assert heights(figure.axes[1])[:4] == [100, 100, 100, 0]
    assert heights(figure.axes[1])[-1] == 100


def test_clusters_title_bars_and_points(figures: dict[str, Figure]) -> None:
    figure = figures["customer_clusters"]
    assert title(figure) == "Loyal high-value: 25% of the customers bring 60% of the revenue"
    points, shares = figure.axes
    assert [artist.get_label() for artist in points.collections] == list(NAMES)
    assert [len(artist.get_offsets()) for artist in points.collections] == [100] * 4
    assert widths(shares) == pytest.approx([0.25, 0.6, *[0.25, 0.4 / 3] * 3], abs=1e-5)
    assert "days" in points.get_xlabel()
    assert "in £" in points.get_ylabel()
    assert shares.get_xlabel() == "share of all (%)"


def test_clusters_medians_are_those_of_the_profiles(result: Segmentation, figures: dict[str, Figure]) -> None:
    points = figures["customer_clusters"].axes[0]
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in points.lines]  # type: ignore[index]
    assert drawn == [(s.profile.median("recency_days"), s.profile.median("monetary")) for s in result.segments]


@pytest.mark.parametrize("k", [2, 8, 12])
def test_clusters_labels_do_not_cover_each_other(k: int) -> None:
    names = tuple(f"{NAMES[i % 4]}, more frequent {i}" for i in range(k))
    figure = customer_clusters(a_result(names=names))
    labels = [text for text in figure.axes[0].texts if text.get_text()]
    assert len(labels) == k
    boxes = [Text.get_window_extent(label) for label in labels]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_elbow_marks_k_knee_limit_and_failing_k(result: Segmentation, figures: dict[str, Figure]) -> None:
    figure = figures["elbow_method"]
    assert title(figure) == "The elbow is at k = 4: from there on, more segments add little"
    inertia, stability = figure.axes
    lines = {line.get_label(): line for line in inertia.lines}
    assert list(lines["inertia"].get_ydata()) == [trial.inertia for trial in result.trials]
    assert list(lines["k = 4"].get_xdata()) == [4, 4]
    assert lines["k = 4"].get_linestyle() == "--"
    assert list(lines["knee"].get_xdata()) == [4]
    assert heights(stability) == [0.95] * 5 + [0.7] * 2
    assert [bar.get_hatch() for bars in stability.containers for bar in bars] == ["///", *[None] * 4, "///", "///"]  # type: ignore[attr-defined]
    assert stability.lines[0].get_ydata()[0] == 0.85  # type: ignore[index]
    assert [text for text in texts(figure) if text in {"too coarse", "unstable"}] == [
        "too coarse",
        "unstable",
        "unstable",
    ]


def test_elbow_without_a_knee_says_so(result: Segmentation) -> None:
    figure = elbow_method(replace(result, choice=Choice(k=3, anchor=None, reason="No knee.", warning="Take care.")))
    assert title(figure) == "No clear knee in the inertia; k = 3 is taken"
    assert "no clear knee" in texts(figure)
    assert "No knee. Take care." in texts(figure)
    assert "knee" not in [line.get_label() for line in figure.axes[0].lines]


def test_every_shortcoming_has_a_short_name() -> None:
    tiny = a_trial(2, stability=0.5, smallest_share=0.01, smallest_size=3)
    figure = elbow_method(a_result(trials=(tiny, *(a_trial(k) for k in range(3, 9)))))
    assert len(tiny.shortcomings) == 4
    assert "too coarse, unstable, tiny segment" in texts(figure)


def test_silhouette_shows_scores_and_knives(result: Segmentation, figures: dict[str, Figure]) -> None:
    figure = figures["silhouette_score"]
    assert title(figure) == "Silhouette 0.40 at the chosen k = 4 (highest at k = 2 with 0.45)"
    assert any("does not decide" in text for text in texts(figure))
    scores, knives = figure.axes
    assert list(scores.lines[0].get_ydata()) == [trial.silhouette for trial in result.trials]
    assert not scores.containers
    assert [label.get_text() for label in knives.get_yticklabels()] == list(NAMES)
    assert len(knives.collections) == 8  # four segments, four parts below zero
    assert knives.get_xlim()[0] < -0.1
    assert next(line for line in knives.lines if line.get_label() == "mean").get_xdata()[0] == 0.4  # type: ignore[index]


def test_silhouette_of_a_sample_has_error_bars(result: Segmentation) -> None:
    trials = tuple(replace(trial, silhouette_error=0.01) for trial in result.trials)
    scores = silhouette_score(replace(result, trials=trials)).axes[0]
    assert len(scores.containers) == 1
    assert "standard errors" in scores.get_ylabel()


def test_spending_bars_are_the_facts(figures: dict[str, Figure]) -> None:
    figure = figures["spending_patterns"]
    assert title(figure) == "£10k from 800 orders: best month Nov 2011 (£5k), median order £42"
    months, week, countries, sizes = figure.axes[:4]
    assert heights(months) == [3000, 5000, 2000]
    assert widths(countries) == [5500 - 500 * i for i in range(8)] + [1500 + 1000]
    assert heights(sizes) == [300, 500]
    assert week.get_xlabel() == "hour of the day (grey: no orders)"
    assert week.get_title(loc="left") == "By weekday and hour: most on Thu 12:00"
    assert "2 other" in texts(figure)
    assert all("£" in label for label in (months.get_ylabel(), countries.get_xlabel(), sizes.get_xlabel()))


@pytest.mark.parametrize(
    ("first", "last", "as_of", "said"),
    [
        (date(2011, 10, 1), date(2011, 12, 31), date(2012, 1, 1), "month"),
        (date(2011, 10, 1), date(2011, 12, 9), date(2011, 12, 10), "month (hatched: data to 9 Dec 2011)"),
        (
            date(2011, 10, 5),
            date(2011, 12, 31),
            date(2011, 12, 20),
            "month (hatched: data from 5 Oct 2011 to 19 Dec 2011)",
        ),
    ],
)
def test_spending_hatches_incomplete_months(
    result: Segmentation, first: date, last: date, as_of: date, said: str
) -> None:
    audit = replace(result.audit, first_day=first, last_day=last)
    months = spending_patterns(replace(result, audit=audit, as_of=as_of)).axes[0]
    hatched = [bar.get_hatch() is not None for bars in months.containers for bar in bars]  # type: ignore[attr-defined]
    assert hatched == ["from" in said, False, "to" in said.removeprefix("month")]
    assert months.get_xlabel() == said


def test_spending_without_hours_and_countries(result: Segmentation) -> None:
    week = tuple((100.0 * (day + 1), *[0.0] * 23) for day in range(7))
    spending = replace(result.spending, has_hours=False, countries=(), weekday_hours=week)
    _, days, segments, _ = spending_patterns(replace(result, spending=spending)).axes
    assert heights(days) == [100, 200, 300, 400, 500, 600, 700]
    assert "no times of day" in days.get_xlabel()
    assert widths(segments) == pytest.approx([float(s.profile.revenue) for s in result.segments], abs=1e-5)


def test_spending_fills_months_without_orders_and_stands_a_single_month(result: Segmentation) -> None:
    gap = replace(result.spending, months=(("2011-09", Decimal(5), 1, 1), ("2011-12", Decimal(7), 1, 1)))
    assert heights(spending_patterns(replace(result, spending=gap)).axes[0]) == [5, 0, 0, 7]
    audit = replace(result.audit, first_day=date(2011, 12, 3))
    one = replace(result.spending, months=(("2011-12", Decimal(7), 1, 1),))
    months = spending_patterns(replace(result, spending=one, audit=audit)).axes[0]
    assert heights(months) == [7]
    assert months.get_xlabel() == "month (hatched: data from 3 Dec 2011 to 9 Dec 2011)"


# ---- what came, and what comes next


@pytest.mark.parametrize("name", PROSPECTS)
def test_titles_are_the_same_words_as_those_of_the_charts(name: str, result: Segmentation, figures: Any) -> None:
    assert title(figures[name]) == charts.CHARTS[name](result).layout.title.text


def test_outcomes_have_a_row_per_segment_with_its_interval(figures: dict[str, Figure]) -> None:
    figure = figures["segment_outcomes"]
    for axes, column in zip(figure.axes, (3, 4), strict=True):
        points = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
        spans = [line for line in axes.lines if line.get_label() == "interval"]
        assert [float(line.get_xdata()[0]) for line in points] == [row[column][0] for row in FOLLOWED]  # type: ignore[index]
        assert [tuple(line.get_xdata()) for line in spans] == [row[column][1:] for row in FOLLOWED]  # type: ignore[arg-type]
    everyone = [line for axes in figure.axes for line in axes.lines if line.get_label() == "all"]
    assert [line.get_xdata()[0] for line in everyone] == [0.5, 66.25]  # type: ignore[index]
    assert title(figure) == "Loyal high-value: 90% bought again within 90 days; Low-spend lapsed: 27%"
    assert {"90% (82% to 96%)", "£300 (£200 to £420)"} <= set(texts(figure))


def test_a_segment_of_the_past_has_the_colour_of_its_namesake_or_one_that_none_has_today(figures: Any) -> None:
    axes = figures["segment_outcomes"].axes[0]
    points = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    assert [to_hex(line.get_color()) for line in points] == [colour(0), colour(1), colour(4), colour(3)]


def test_gain_curves_are_those_of_the_groupings_and_information_has_its_range(figures: dict[str, Figure]) -> None:
    figure = figures["gain_curves"]
    curves, rows = figure.axes
    drawn = {str(line.get_label()).split(":")[0]: line for line in curves.lines}
    for _, name, _, _, _, middle in GROUPINGS:
        x, y = drawn[name].get_data()
        assert [*zip(x, y, strict=True)] == [(0, 0), *middle, (1, 1)]  # type: ignore[arg-type]
    legend = [text.get_text() for text in curves.get_legend().get_texts()]  # type: ignore[union-attr]
    assert legend[0] == "RFM sum: lift 1.85"
    assert len(legend) == 5
    ranges = [tuple(line.get_xdata()) for line in rows.lines if line.get_label() == "range"]
    assert ranges == [(0.15, 0.17), (0.12, 0.16), (0.12, 0.14), (0.05, 0.07), (0.02, 0.08)]  # most on average first
    assert "0.140 (0.120 to 0.160)" in texts(figure)
    assert title(figure).endswith("bought again 1.80 times as often as all customers (RFM sum: 1.85 times)")


def test_information_of_one_cut_has_no_range(result: Segmentation) -> None:
    one = replace(a_backtest(), windows=a_backtest().windows[:1])
    words = texts(FIGURES["gain_curves"](replace(result, backtest=one)))
    assert "0.160" in words
    assert any("in bits (of one cut)" in text for text in words)


def test_calibration_compares_promises_with_what_came_true(figures: dict[str, Figure]) -> None:
    figure = figures["calibration"]
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "came true"]
    assert list(line.get_xdata()) == [chance for _, chance, _ in BINS]  # type: ignore[arg-type]
    assert list(line.get_ydata()) == [share for *_, share in BINS]  # type: ignore[arg-type]
    promised = "Promised chances were off by 6.0 percentage points on average"
    assert title(figure) == f"{promised}; AUC 0.78 (recency alone 0.71)"
    assert figure.axes[0].get_xlabel() == "promised chance of an order within 90 days (%)"


def test_tracking_marks_where_the_hold_out_begins(figures: dict[str, Figure]) -> None:
    figure = figures["order_tracking"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["came"].get_ydata()) == [0, 400, 1000, 1150, 1350]  # type: ignore[arg-type]
    assert list(lines["expected"].get_ydata()) == [0, 420, 950, 1080, 1200]  # type: ignore[arg-type]
    assert lines["cut"].get_xdata()[0] == date(2011, 9, 1).toordinal()  # type: ignore[index]
    assert title(figure) == "From 1 Sep 2011 on, 350 repeat orders came; 250 were expected"
    assert {"hold-out from 1 Sep 2011", "1,350 came", "1,200 expected", "May 2011"} <= set(texts(figure))


def test_risk_is_the_full_part_of_the_last_year(figures: dict[str, Figure]) -> None:
    figure = figures["revenue_at_risk"]
    assert widths(figure.axes[0]) == [8000, 72000, 16000, 24000, 10000, 10000, 8000, 2000]
    assert title(figure) == "£42k of the last year's £150k is at risk, the most in Occasional moderate (£16k)"
    assert "£8k of £80k · 90% come" in texts(figure)


def test_without_a_back_test_the_rest_is_drawn(result: Segmentation, tmp_path: Any) -> None:
    none = replace(result, backtest=None, outlook=None, backtest_note="The history has 9 days.")
    assert list(drawable(none)) == [name for name in FIGURES if name not in PROSPECTS]
    assert len(draw_figures(none, tmp_path, formats=("svg",))) == 5
    for name in PROSPECTS:
        with pytest.raises(NotEnoughDataError, match=r"The history has 9 days\. .*segment a longer history"):
            FIGURES[name](none)


# ---- one look


def test_a_segment_has_one_colour_everywhere(result: Segmentation, figures: dict[str, Figure]) -> None:
    points, shares = figures["customer_clusters"].axes
    knives = figures["silhouette_score"].axes[1]
    no_country = replace(result, spending=replace(result.spending, countries=()))
    places = spending_patterns(no_country).axes[2]
    expected = list(PALETTE[:4])
    assert [to_hex(artist.get_facecolor()[0]) for artist in points.collections] == expected  # type: ignore[index]
    assert [to_hex(bars[0].get_facecolor()) for bars in shares.containers[1::2]] == expected  # type: ignore[index]
    assert [to_hex(knife.get_facecolor()[0]) for knife in knives.collections[::2]] == expected  # type: ignore[index]
    assert [to_hex(bars[0].get_facecolor()) for bars in places.containers] == expected  # type: ignore[index]
    assert len({look.marker(i) for i in range(12)}) == len({colour(i) for i in range(12)}) == 12


@pytest.mark.parametrize("name", FIGURES)
def test_settings_of_the_user_are_left_alone(result: Segmentation, name: str) -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black", "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        figure = FIGURES[name](result)
        assert dict(matplotlib.rcParams) == before
    assert to_hex(figure.axes[0].get_facecolor()) in {"#ffffff", look.BAND}
    assert figure.axes[0].xaxis.label.get_fontsize() < 12


def test_threads_do_not_leak_settings(result: Segmentation) -> None:
    before = dict(matplotlib.rcParams)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda draw: draw(result), [elbow_method, silhouette_score] * 2))
    assert [title(figure) for figure in drawn[:2]] == [title(figure) for figure in drawn[2:]]
    assert dict(matplotlib.rcParams) == before


# ---- files


def test_files_have_the_same_bytes_every_time(result: Segmentation, tmp_path: Any) -> None:
    told: list[tuple[str, int, int]] = []
    first = draw_figures(result, tmp_path / "new" / "one", dpi=60, progress=lambda *step: told.append(step))
    second = draw_figures(result, tmp_path / "two", dpi=60)
    assert [path.name for path in first] == [f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert told[0] == ("Drawing rfm distribution", 0, 10)
    assert b"Software" not in first[0].read_bytes()
    assert "<dc:date>" not in first[1].read_text("utf-8")


def test_scatter_of_a_full_sample_stays_small(tmp_path: Any) -> None:
    figure = customer_clusters(a_result(customers=5000))
    path = tmp_path / "clusters.svg"
    figure.savefig(path, dpi=85)
    assert path.stat().st_size < 400_000


def test_errors_say_what_to_do(result: Segmentation, tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutputError, match=r"Cannot write figures to .*file.*Choose a folder"):
        draw_figures(result, file)
    with pytest.raises(OptionError, match=r"no figure format 'bmp'\. Choose from png, svg"):
        draw_figures(result, tmp_path, formats=("bmp",))


# ---- unusual shops


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", FIGURES)
def test_names_are_text_and_nothing_else(name: str, tmp_path: Any) -> None:
    names = (r"Big $pend_ers$ & \frac{1}{2}", "常連のお客様", "a_b^c $x$ $", "x" * 90)
    countries = tuple((country, 1, 1, Decimal(5)) for country in ("$a$_b", "日本", "y" * 80))
    shop = a_result(names=names, source="$old$_orders.csv", currency="USD")
    figure = FIGURES[name](replace(shop, spending=replace(shop.spending, countries=countries)))
    for kind in ("png", "svg"):
        figure.savefig(tmp_path / f"out.{kind}", dpi=40)
    assert not any(text.get_parse_math() for text in figure.findobj(Text))
    assert any("$old$_orders.csv" in text for text in texts(figure))


@pytest.mark.parametrize("name", FIGURES)
def test_tiny_shop(name: str) -> None:
    sample = Sample(recency_days=(1,) * 10, frequency=(1,) * 10, monetary=(*[5.0] * 9, 0.0), segment_id=(*[0] * 9, 1))
    cuts = Cuts(levels=5, recency_days=(1, 1, 1, 1), frequency=(None, None, None, None), monetary=(Decimal(5),) * 4)
    week = ((0.0,) * 24,) * 7
    spending = Spending(
        months=(("2011-12", Decimal(45), 10, 10),), weekday_hours=week, has_hours=False, countries=(),
        order_sizes=(), median_order=0.0, segment_months=(), cohorts=(),
    )  # fmt: skip
    figure = FIGURES[name](
        a_result(
            names=("A", "B"),
            customers=10,
            sample=sample,
            cuts=cuts,
            spending=spending,
            currency=None,
            silhouettes={0: (0.5,) * 9, 1: (0.0,)},
            trials=(a_trial(2, smallest_size=1),),
            choice=Choice(k=2, anchor=None, reason="As asked."),
        )
    )
    assert "money" in " ".join(texts(figure)) or name in WITHOUT_MONEY


def test_a_sample_is_called_a_sample(result: Segmentation) -> None:
    for draw in (rfm_distribution, customer_clusters):
        assert any(
            "A sample of 400 customers is shown." in t for t in texts(draw(replace(result, customers_total=9000)))
        )
