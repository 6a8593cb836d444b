"""Interactive charts show the facts: marks and texts against sums over the customers and orders of a small shop."""

from __future__ import annotations

import doctest
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from by_hand import BINS, EXPECTED, FOLLOWED, GROUPINGS, a_backtest, an_outlook
from regulars import charts
from regulars.charts import CHARTS, CONFIG
from regulars.cleaning import AuditLine
from regulars.datasets import make_orders
from regulars.errors import NotEnoughDataError
from regulars.palette import colour
from regulars.pipeline import Sample, Segmentation, segment
from regulars.profiling import Cell
from regulars.reporting import BUNDLED
from regulars.scoring import Cuts

DOCS = Path(__file__).parents[1] / "docs" / "charts"
WITHOUT_NAMES = {
    *("rfm_distributions", "revenue_concentration", "cohort_retention", "weekday_hours", "order_sizes"),
    *("gain_curves", "calibration", "order_tracking"),
}
EVIL = ("<script>alert(1)</script>", '"><img onerror=alert(1) src=x>', '<a href="https://example.com">&amp; %{x}</a>')
LONG = "Customers who came in by the spring catalogue and have since then only bought what was on offer " * 2


@pytest.fixture(scope="module")
def result(sample_result: Segmentation) -> Segmentation:
    """297 customers, all of them in the sample; nobody may change it."""
    return sample_result


@pytest.fixture(scope="module")
def people(result: Segmentation) -> pd.DataFrame:
    """One row per customer: the truth that charts are compared with."""
    table: pd.DataFrame = result.customers.to_pandas().astype({"monetary": float})
    return table


@pytest.fixture(scope="module")
def orders(result: Segmentation, people: pd.DataFrame) -> pd.DataFrame:
    """One row per order, with the segment of its customer and the months of this order and of the first one."""
    assert result.orders is not None
    table: pd.DataFrame = result.orders.to_pandas().astype({"amount": float})
    table = table.merge(people[["customer_id", "segment", "first_order"]], on="customer_id")
    table["month"] = table["ordered_at"].dt.strftime("%Y-%m")
    table["number"] = table["ordered_at"].dt.year * 12 + table["ordered_at"].dt.month
    table["begun"] = table["first_order"].dt.year * 12 + table["first_order"].dt.month
    return table


@pytest.fixture(scope="module")
def figures(result: Segmentation) -> dict[str, go.Figure]:
    """All charts, drawn once; tests only look at them."""
    return {name: draw(result) for name, draw in CHARTS.items()}


def title(figure: go.Figure) -> str:
    return str(figure.layout.title.text)


def rows(figure: go.Figure) -> list[list[Any]]:
    return [list(row) for row in figure.layout.meta["rows"]]


def plain(figure: go.Figure) -> dict[str, Any]:
    """What the browser gets; a number that JSON does not have is an error."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in a chart")

    drawn: dict[str, Any] = json.loads(figure.to_json(), parse_constant=refuse)
    return drawn


def strings(value: Any) -> list[str]:
    """Every text in nested values."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inside for text in strings(each)]


def about_sum(values: Any) -> float:
    return float(sum(value for value in values if value is not None))


# ---- what holds for every chart


def test_the_page_draws_charts_by_their_names() -> None:
    assert list(CHARTS) == [draw.__name__ for draw in CHARTS.values()]
    assert set(CHARTS) | {"CHARTS", "CONFIG", "drawable", "movement"} == set(charts.__all__)


def test_no_chart_offers_to_send_data_away() -> None:
    assert (CONFIG["showSendToCloud"], CONFIG["plotlyServerURL"], CONFIG["displaylogo"]) == (False, "", False)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_also_there_in_words_and_as_a_table(name: str, figures: dict[str, go.Figure]) -> None:
    meta = figures[name].layout.meta
    assert len(meta["alt"]) > 40
    assert meta["alt"].endswith(".")
    assert len(set(meta["columns"])) == len(meta["columns"]) > 1
    assert meta["rows"]
    assert {len(row) for row in meta["rows"]} == {len(meta["columns"])}
    assert not [text for text in strings([meta["alt"], rows(figures[name])]) if "<br>" in text or "&amp;" in text]


@pytest.mark.parametrize("name", CHARTS)
def test_the_browser_can_draw_a_chart_under_a_strict_policy(name: str, figures: dict[str, go.Figure]) -> None:
    kinds = {trace.type for trace in figures[name].data}
    assert kinds <= ({"scatter3d"} if name == "customer_map_3d" else BUNDLED)
    assert "scattergl" not in kinds


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_the_same_every_time(name: str, result: Segmentation, figures: dict[str, go.Figure]) -> None:
    assert CHARTS[name](result).to_json() == figures[name].to_json()


@pytest.mark.parametrize("name", CHARTS)
def test_pointing_at_a_mark_gives_a_text_that_is_written_out(name: str, figures: dict[str, go.Figure]) -> None:
    for trace in figures[name].data:
        if trace.hoverinfo != "skip":
            assert "%{customdata}" in trace.hovertemplate
            said = np.ravel(np.array(trace.customdata, dtype=object)).tolist()
            assert said
            assert all(isinstance(text, str) and text for text in said)


# ---- segments


def test_shares_are_those_of_the_customers(
    result: Segmentation, people: pd.DataFrame, figures: dict[str, go.Figure]
) -> None:
    figure = figures["segment_shares"]
    of_revenue, of_customers = figure.data
    names = [each.name for each in result.segments]
    by_segment = people.groupby("segment")
    assert list(of_customers.x) == pytest.approx((by_segment.size() / len(people))[names].tolist())
    money = by_segment["monetary"].sum() / people["monetary"].sum()
    assert list(of_revenue.x) == pytest.approx(money[names].tolist())
    assert list(of_revenue.text) == [
        f"{share:.1%} of revenue" if share < 0.0995 else f"{share:.0%} of revenue" for share in money[names]
    ]
    assert list(of_revenue.marker.color) == [colour(i) for i in range(len(names))]
    assert [row[:2] for row in rows(figure)] == [[name, int(by_segment.size()[name])] for name in names]
    assert title(figure).startswith(f"{money.idxmax()}: ")


def test_labels_at_the_end_of_bars_have_room_however_narrow_the_page(figures: dict[str, go.Figure]) -> None:
    for name in ("segment_shares", "countries", "audit_waterfall"):
        layout = figures[name].layout
        longest = max(len(text) for trace in figures[name].data for text in trace.text)
        assert layout.margin.r >= 7 * longest  # a digit of 13 px is about 8 px wide, other letters less
        assert not figures[name].data[0].cliponaxis


def test_trend_adds_up_the_orders_of_each_segment_and_month(
    result: Segmentation, orders: pd.DataFrame, figures: dict[str, go.Figure]
) -> None:
    figure = figures["segment_trend"]
    months = sorted(orders["month"].unique())
    table = orders.pivot_table(index="segment", columns="month", values="amount", aggfunc="sum", fill_value=0.0)
    for trace, each in zip(figure.data, result.segments, strict=True):
        assert trace.name == each.name
        assert list(trace.x) == [f"{month}-01" for month in months]
        assert list(trace.y) == pytest.approx(list(table.loc[each.name][months]), abs=0.006)
    best = str(orders.groupby("month")["amount"].sum().idxmax())
    assert f"most in {pd.Timestamp(best):%b %Y}" in title(figure)
    assert [row[0] for row in rows(figure)] == months
    assert sum(row[-2] for row in rows(figure)) == len(orders)


def test_profiles_are_the_mean_places_of_the_members(
    result: Segmentation, people: pd.DataFrame, figures: dict[str, go.Figure]
) -> None:
    raw = np.column_stack(
        [np.sqrt(people["recency_days"]), np.log1p(people["frequency"]), np.log1p(people["monetary"])]
    )
    standard = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    for trace, each in zip(figures["segment_profiles"].data, result.segments, strict=True):
        days, orders, spend = standard[people["segment"] == each.name].mean(axis=0)
        assert list(trace.y) == pytest.approx([-days, orders, spend], abs=0.002)
        own = people[people["segment"] == each.name]
        assert trace.customdata[0] == f"{own['recency_days'].median():.0f} days since the last order (median)"
        assert trace.customdata[1] == f"{own['frequency'].median():g} orders (median)"


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ("sqrt-log", "standard deviations"),
        ("robust", "middle half"),
        ("minmax", "0: smallest, 1: largest"),
    ],
)
def test_profiles_say_what_they_are_measured_in(result: Segmentation, scale: str, words: str) -> None:
    model = replace(result.model, scale=replace(result.model.scale, name=scale))
    assert words in charts.segment_profiles(replace(result, model=model)).layout.yaxis.title.text


# ---- customers


@pytest.mark.parametrize(
    ("name", "axes", "columns"),
    [
        ("customer_map", ("x", "y"), ["recency_days", "monetary"]),
        ("customer_map_3d", ("x", "y", "z"), ["recency_days", "frequency", "monetary"]),
    ],
)
def test_each_customer_is_a_point(
    name: str, axes: tuple[str, ...], columns: list[str],
    result: Segmentation, people: pd.DataFrame, figures: dict[str, go.Figure],
) -> None:  # fmt: skip
    for trace, each in zip(figures[name].data, result.segments, strict=True):
        points = sorted(zip(*(getattr(trace, axis) for axis in axes), strict=True))
        own = people.loc[people["segment"] == each.name, columns].sort_values(columns)
        assert np.array(points) == pytest.approx(own.to_numpy(dtype=float))
        assert trace.marker.color == colour(each.id)


def test_a_map_draws_at_most_two_thousand_points_and_says_so(result: Segmentation) -> None:
    many = 4_500
    sample = Sample(
        recency_days=(3,) * many, frequency=(2,) * many, monetary=(50.0,) * many,
        segment_id=tuple(i % len(result.segments) for i in range(many)),
    )  # fmt: skip
    for draw in (charts.customer_map, charts.customer_map_3d):
        figure = draw(replace(result, sample=sample, customers_total=9_000))
        assert sum(len(trace.x) for trace in figure.data) == 2_000
        assert "A sample of 2,000 of 9,000 customers" in figure.layout.meta["alt"]


def test_log_axes_have_amounts_at_their_ticks(result: Segmentation) -> None:
    sample = Sample(recency_days=(1, 12), frequency=(1, 3), monetary=(0.5, 2500.0), segment_id=(0, 0))
    axis = charts.customer_map(replace(result, sample=sample)).layout.yaxis
    assert axis.tickvals == (0.1, 1, 10, 100, 1000, 10000)
    assert axis.ticktext == ("0.10", "1", "10", "100", "1k", "10k")


def test_a_point_tells_the_customer_behind_it(result: Segmentation) -> None:
    sample = Sample(recency_days=(1, 12), frequency=(1, 3), monetary=(0.0, 250.0), segment_id=(0, 0))
    trace = charts.customer_map(replace(result, sample=sample)).data[0]
    assert list(trace.customdata) == [
        "last order 1 day ago<br>1 order, £0",
        "last order 12 days ago<br>3 orders, £250",
    ]


def test_zero_has_a_place_on_a_log_axis_at_its_edge(result: Segmentation) -> None:
    sample = Sample(recency_days=(1, 12, 5), frequency=(1, 3, 1), monetary=(0.0, 250.0, -9.0), segment_id=(0, 0, 0))
    figure = charts.customer_map(replace(result, sample=sample))
    assert list(figure.data[0].y) == [125.0, 250.0, 125.0]
    assert figure.layout.yaxis.title.text == "spend in £ (log; zero or less at the edge)"
    histogram = charts.rfm_distributions(replace(result, sample=sample))
    assert about_sum(histogram.data[2].y) == 3
    assert histogram.layout.xaxis3.title.text == "spend in £ (log; zero or less at the edge)"


def test_distributions_count_every_customer_once(people: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    days, orders, spend = figures["rfm_distributions"].data
    for bars, values in (
        (days, people["recency_days"].to_numpy(float)),
        (orders, np.log10(people["frequency"].to_numpy(float))),
        (spend, np.log10(people["monetary"].to_numpy(float))),
    ):
        assert sum(bars.y) == len(people)
        for place, width, count in list(zip(bars.x, bars.width, bars.y, strict=True))[:-1]:
            inside = (values >= place - width / 2 - 1e-4) & (values < place + width / 2 + 1e-4)
            assert abs(inside.sum() - count) <= 1  # places are rounded


def test_bars_of_whole_numbers_name_them(result: Segmentation) -> None:
    sample = Sample(
        recency_days=(1, 1, 2, 61), frequency=(1, 1, 2, 9), monetary=(5.0, 5.0, 5.0, 5.0), segment_id=(0, 0, 0, 0)
    )
    days, orders, _ = charts.rfm_distributions(replace(result, sample=sample)).data
    assert days.customdata[0] == "1 to 3 days<br>3 customers"
    assert days.customdata[-1] == "61 to 63 days<br>1 customer"
    assert orders.customdata[:2] == ("1 order<br>2 customers", "2 orders<br>1 customer")
    assert orders.customdata[-1] == "9 to 10 orders<br>1 customer"


def test_dotted_lines_are_the_cut_points(result: Segmentation) -> None:
    cuts = Cuts(
        levels=4, recency_days=(90, 30, 10), frequency=(2, 2, None),
        monetary=(Decimal(0), Decimal(100), Decimal(1000)),
    )  # fmt: skip
    shapes = charts.rfm_distributions(replace(result, cuts=cuts)).layout.shapes
    assert [shape.x0 for shape in shapes] == [90, 30, 10, round(math.log10(2), 4), 2.0, 3.0]


def test_concentration_is_that_of_the_customers(people: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    figure = figures["revenue_concentration"]
    spend = people["monetary"].sort_values(ascending=False).to_numpy()
    curve = figure.data[0]
    for mark in (1, 5, 10, 20, 50, 100):
        best = spend[: math.ceil(len(spend) * mark / 100)]
        assert curve.y[mark] == pytest.approx(best.sum() / spend.sum(), abs=1e-4)
    assert title(figure) == f"The best 20% of the customers bring {curve.y[20]:.0%} of the revenue"
    assert [text.split(" → ")[0] for text in figure.data[2].text] == ["1%", "5%", "10%", "20%", "50%"]


# ---- named groups


def test_grid_counts_customers_and_money_of_each_field(
    result: Segmentation, people: pd.DataFrame, figures: dict[str, go.Figure]
) -> None:
    figure = figures["rfm_grid"]
    mean = np.ceil((people["f_score"] + people["m_score"]) / 2).astype(int)
    fields = people.groupby([people["r_score"], mean])
    expected = [
        [r, fm, len(own), f"{own['monetary'].sum():,.2f}"]
        for (r, fm), own in sorted(fields, key=lambda row: row[0])[::-1]
    ]
    assert [[r, fm, n, revenue] for r, fm, _, n, revenue in rows(figure)] == expected
    assert sum(row[3] for row in rows(figure)) == len(people)
    best = fields.get_group((5, 5))
    share = f"{best['monetary'].sum() / people['monetary'].sum():.0%}"
    assert (
        title(figure) == f"{len(best)} customers are recent, frequent and high-spending at once: {share} of the revenue"
    )
    for r, fm, main, n, _ in rows(figure):
        own = fields.get_group((r, fm))["rfm_group"].value_counts()
        assert own[main] == own.max()
        (note,) = [note for note in figure.layout.annotations if (note.x, note.y) == (r, fm)]
        assert note.text.replace("<br>", " ").startswith(f"<b>{main}</b> {n} · ")


def test_grid_says_how_many_customers_of_which_group_a_field_has(result: Segmentation) -> None:
    cells = (
        Cell(r=5, f=5, m=5, group="Champions", customers=1, orders=9, revenue=Decimal(800)),
        Cell(r=5, f=4, m=5, group="Champions", customers=2, orders=9, revenue=Decimal(200)),
        Cell(r=5, f=5, m=4, group="Loyal", customers=4, orders=9, revenue=Decimal(1000)),
    )
    figure = charts.rfm_grid(replace(result, cells=cells, revenue=Decimal(4000), currency="EUR"))
    corner = figure.data[0].customdata[4][4]
    assert corner == "<b>Loyal</b><br>7 customers<br>€2k (50% of revenue)<br>Loyal: 4<br>Champions: 3"
    assert figure.data[0].customdata[0][0] == "nobody"
    assert figure.data[0].z[0][0] is None
    one = charts.rfm_grid(replace(result, cells=cells[:1]))
    assert title(one).startswith("1 customer is recent")


def test_grid_has_real_units_on_its_axes(result: Segmentation) -> None:
    cuts = Cuts(
        levels=5, recency_days=(180, 72, 72, 14), frequency=(2, 3, 4, None),
        monetary=(Decimal(243), Decimal(473), Decimal(911), Decimal(1999)),
    )  # fmt: skip
    layout = charts.rfm_grid(replace(result, cuts=cuts)).layout
    assert layout.xaxis.ticktext == ("1<br>&gt; 180", "2<br>≤ 180", "3<br>nobody", "4<br>≤ 72", "5<br>≤ 14")
    assert layout.yaxis.ticktext[0] == "1"
    assert layout.yaxis.ticktext[1] == "2<br>2+ orders<br>£243+"
    assert layout.yaxis.ticktext[4] == "5<br>£2.0k+"


def test_grid_where_all_customers_have_the_same_recency(result: Segmentation) -> None:
    cuts = replace(result.cuts, recency_days=(None,) * 4)
    ticks = charts.rfm_grid(replace(result, cuts=cuts)).layout.xaxis.ticktext
    assert ticks == ("1<br>all", *(f"{score}<br>nobody" for score in range(2, 6)))


def test_treemap_is_as_large_as_the_groups(people: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    figure = figures["group_treemap"]
    counts = people["rfm_group"].value_counts()
    assert dict(zip((row[0] for row in rows(figure)), figure.data[0]["values"], strict=True)) == counts.to_dict()
    assert title(figure).endswith(f"is the largest named group: {counts.max()} customers")


def test_crosswalk_is_the_table_of_segments_by_groups(
    result: Segmentation, people: pd.DataFrame, figures: dict[str, go.Figure]
) -> None:
    figure = figures["crosswalk"]
    names = figure.layout.meta["columns"][1:]
    counts = pd.crosstab(people["segment"], people["rfm_group"]).loc[[each.name for each in result.segments], names]
    assert [row[1:] for row in rows(figure)] == counts.to_numpy().tolist()
    shares = counts.div(counts.sum(axis=1), axis=0).to_numpy()
    drawn = np.array([[share or 0.0 for share in row] for row in figure.data[0].z])
    assert drawn == pytest.approx(shares, abs=1e-4)


# ---- how the shop sells


def test_weekdays_and_hours_add_up_the_orders(orders: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    heat = figures["weekday_hours"].data[0]
    table = orders.groupby([orders["ordered_at"].dt.day_of_week, orders["ordered_at"].dt.hour])["amount"].sum()
    for day, row in enumerate(heat.z):
        for hour, revenue in zip(heat.x, row, strict=True):
            assert (revenue or 0.0) == pytest.approx(table.get((day, hour), 0.0), abs=0.006)
    day, hour = max(((day, hour) for day in range(7) for hour in range(24)), key=lambda place: table.get(place, 0.0))
    assert title(figures["weekday_hours"]) == f"Most revenue on {heat.y[day]} at {hour}:00"


def test_without_times_of_day_there_are_bars_of_weekdays(result: Segmentation) -> None:
    week = tuple((float(day), *[0.0] * 23) for day in range(7))
    spending = replace(result.spending, weekday_hours=week, has_hours=False)
    figure = charts.weekday_hours(replace(result, spending=spending))
    assert title(figure) == "Most revenue on Sun"
    assert (figure.data[0].type, list(figure.data[0].y)) == ("bar", [0, 1, 2, 3, 4, 5, 6])


def test_order_sizes_count_the_orders(orders: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    bars = figures["order_sizes"].data[0]
    assert sum(bars.y) == (orders["amount"] > 0).sum()
    logs = np.log10(orders.loc[orders["amount"] > 0, "amount"])
    for place, width, count in zip(bars.x, bars.width, bars.y, strict=True):
        assert width == pytest.approx(1 / 6, abs=1e-3)
        assert count == ((logs * 6).apply(math.floor) == round((place - width / 2) * 6)).sum()
    assert f"£{orders['amount'].median():.0f}" in title(figures["order_sizes"])


def with_countries(result: Segmentation, *listed: tuple[str, int, int, int]) -> Segmentation:
    found = tuple((name, people, orders, Decimal(revenue)) for name, people, orders, revenue in listed)
    return replace(result, spending=replace(result.spending, countries=found))


def test_countries_are_bars_and_all_of_them_are_in_the_table(result: Segmentation) -> None:
    listed = [(f"Country {i}", 1, 2, 1500 - 100 * i) for i in range(14)]
    figure = charts.countries(with_countries(result, *listed))
    assert title(figure) == "Country 0 brings 13% of the revenue"  # 1,500 of 11,900
    assert list(figure.data[0].x) == [1500 - 100 * i for i in range(12)]
    assert figure.data[0].text[1] == "£1.4k · 1"
    assert figure.data[0].customdata[1] == "Country 1<br>£1.4k, 1 customer"
    assert rows(figure)[-1] == ["Country 13", 1, 2, "200.00"]


def test_the_map_has_iso_codes_of_the_whole_world(figures: dict[str, go.Figure]) -> None:
    figure = figures["country_map"]
    assert all(re.fullmatch("[A-Z]{3}", code) for code in figure.data[0].locations)
    assert figure.data[0].locations[0] == "GBR"
    assert figure.data[0].locationmode in (None, "ISO-3")
    assert figure.layout.geo.fitbounds is False


def test_names_of_one_country_are_added_up_on_the_map(result: Segmentation) -> None:
    shop = with_countries(
        result, ("UK", 7, 9, 900), ("Great Britain", 3, 9, 100), ("Atlantis", 1, 1, 50),
        ("France", 1, 1, 10), ("Italy", 1, 1, -5),
    )  # fmt: skip
    figure = charts.country_map(shop)
    assert list(figure.data[0].locations) == ["GBR", "FRA"]
    assert list(figure.data[0].z) == [3.0, 1.0]
    assert figure.data[0].customdata[0] == "UK<br>£1k, 10 customers"
    assert title(figure) == "Customers in 2 countries"
    assert rows(figure)[2] == ["Atlantis", "", 1, "50.00"]


def test_cohorts_are_customers_who_came_back(orders: pd.DataFrame, figures: dict[str, go.Figure]) -> None:
    figure = figures["cohort_retention"]
    heat = figure.data[0]
    sizes = orders.groupby("begun")["customer_id"].nunique()
    back = orders.groupby(["begun", orders["number"] - orders["begun"]])["customer_id"].nunique()
    last = orders["number"].max()
    known = []
    for begun, row in zip(sorted(sizes.index), heat.z, strict=True):
        for since, share in zip(heat.x, row, strict=True):
            if begun + since > last:
                assert share is None
            else:
                known.append(back.get((begun, since), 0) / sizes[begun])
                assert share == pytest.approx(known[-1], abs=1e-4)
    assert (
        title(figure) == f"On average {sum(known) / len(known):.0%} of a month's new customers buy in any later month"
    )
    assert [row[1] for row in rows(figure)] == sizes.tolist()


# ---- what came, and what comes next


@pytest.fixture(scope="module")
def foretold(result: Segmentation) -> Segmentation:
    """The shop with a back-test and an outlook that are made by hand."""
    return replace(result, backtest=a_backtest(), outlook=an_outlook())


def test_outcomes_have_a_point_and_an_interval_for_each_segment(foretold: Segmentation) -> None:
    figure = charts.segment_outcomes(foretold)
    share_spans, shares, share_names, revenue_spans, revenues, revenue_names = figure.data
    for spans, points, column in ((share_spans, shares, 3), (revenue_spans, revenues, 4)):
        assert list(points.x) == [row[column][0] for row in FOLLOWED]
        assert list(spans.x) == [value for row in FOLLOWED for value in (*row[column][1:], None)]
    assert shares.customdata[0] == "Loyal high-value<br>90% (82% to 96%)"
    assert share_names.text[3] == "<b>Low-spend lapsed</b>\u00a027% (20% to 34%)"
    assert revenue_names.text[0] == "<b>Loyal high-value</b>\u00a0£300 (£200 to £420)"
    assert [shape.x0 for shape in figure.layout.shapes] == [0.5, 66.25]  # of all customers
    assert title(figure) == "Loyal high-value: 90% bought again within 90 days; Low-spend lapsed: 27%"
    assert rows(figure)[1] == [
        *("Occasional moderate", 100, 70, "70%", "60% to 79%", "80.00", "60.00 to 100.00"),
    ]


def test_a_segment_of_the_past_has_the_colour_of_its_namesake_or_one_that_none_has_today(
    foretold: Segmentation,
) -> None:
    own = foretold.segments
    names = ("Low-spend lapsed", "Loyal high-value", "Elsewhere", "Occasional moderate")
    today = replace(foretold, segments=tuple(replace(each, name=names[i]) for i, each in enumerate(own)))
    marks = charts.segment_outcomes(today).data[1].marker
    assert list(marks.color) == [colour(1), colour(3), colour(4), colour(0)]  # nobody is "Big baskets, cooling" today


def test_segments_that_did_not_differ_are_not_ranked(foretold: Segmentation) -> None:
    equal = tuple(replace(each, share=0.5) for each in a_backtest().segments)
    figure = charts.segment_outcomes(replace(foretold, backtest=replace(a_backtest(), segments=equal)))
    assert title(figure) == "50% of every segment bought again within 90 days"


def test_gain_curves_stand_beside_chance_and_say_their_lift(foretold: Segmentation) -> None:
    figure = charts.gain_curves(foretold)
    curves = {str(trace.name).split(":")[0]: trace for trace in figure.data if trace.name}
    for _, name, _, _, lift, middle in GROUPINGS:
        assert [*zip(curves[name].x, curves[name].y, strict=True)] == [(0, 0), *middle, (1, 1)]
        assert curves[name].name == f"{name}: lift {lift:.2f}"
    assert list(curves) == ["RFM sum", "Segments", "Eleven named groups", "K-Means on raw values", "Recency alone"]
    assert len({(curve.line.dash, curve.line.color) for curve in curves.values()}) == 5
    assert curves["Segments"].line.width > 2 * max(curves[name].line.width for name in curves if name != "Segments")
    assert curves["Segments"].customdata[1] == "Segments<br>12% of the customers: 22% of those who bought"


def test_information_has_its_mean_and_range_over_the_cuts(foretold: Segmentation) -> None:
    figure = charts.gain_curves(foretold)
    spans, means, names = figure.data[-3:]
    assert list(means.x) == pytest.approx([0.16, 0.14, 0.13, 0.06, 0.05])
    assert list(spans.x)[:2] == [0.15, 0.17]
    assert names.text[1] == "<b>Segments</b>\u00a00.140 bit (0.120 to 0.160)"
    assert rows(figure)[0] == ["Segments", 4, "0.160", "0.140", "0.120", "0.160", "1.80"]
    assert "Recency alone: 0.050 bit (0.020 to 0.080), lift 1.30" in figure.layout.meta["alt"]
    one = replace(a_backtest(), windows=a_backtest().windows[:1])
    assert charts.gain_curves(replace(foretold, backtest=one)).data[-1].text[0] == "<b>Segments</b>\u00a00.160 bit"


def test_calibration_compares_promises_with_what_came_true(foretold: Segmentation) -> None:
    figure = charts.calibration(foretold)
    diagonal, line = figure.data
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert [*zip(line.x, line.y, strict=True)] == [bin_[1:] for bin_ in BINS]
    promised = "Promised chances were off by 6.0 percentage points on average"
    assert title(figure) == f"{promised}; AUC 0.78 (recency alone 0.71)"
    assert rows(figure)[0] == [1, 40, "5.0%", "15%"]
    assert line.customdata[0] == "40 customers<br>5.0% promised, 15% bought"


def test_tracking_marks_where_the_hold_out_begins(foretold: Segmentation) -> None:
    figure = charts.order_tracking(foretold)
    came, _, expected, _ = figure.data
    assert list(came.y) == [0, 400, 1000, 1150, 1350]
    assert list(expected.y) == [0, 420, 950, 1080, 1200]
    assert [shape.x0 for shape in figure.layout.shapes] == ["2011-09-01"]
    assert title(figure) == "From 1 Sep 2011 on, 350 repeat orders came; 250 were expected"
    assert [note.text for note in figure.layout.annotations] == ["hold-out from 1 Sep 2011"]
    assert "MBG/NBD expected 1,200" in figure.layout.meta["alt"]


def test_risk_is_the_full_part_of_the_last_year(foretold: Segmentation) -> None:
    figure = charts.revenue_at_risk(foretold)
    at_risk, rest, names = figure.data
    assert list(at_risk.x) == [row[5] for row in EXPECTED]
    assert [a + b for a, b in zip(at_risk.x, rest.x, strict=True)] == [row[4] for row in EXPECTED]
    assert title(figure) == f"£42k of the last year's £150k is at risk, the most in {foretold.segments[1].name} (£16k)"
    assert names.text[0] == f"<b>{foretold.segments[0].name}</b>\u00a0£8k of £80k · 90% come"
    assert rows(figure)[-1] == ["all", 500, "45%", "375", "32,000", "150,000", "42,000"]


def test_without_a_back_test_the_rest_is_drawn(result: Segmentation) -> None:
    none = replace(result, backtest=None, outlook=None, backtest_note="The history has 9 days.")
    missing = [name for name in CHARTS if name not in charts.drawable(none)]
    assert missing == ["segment_outcomes", "gain_curves", "calibration", "order_tracking", "revenue_at_risk"]
    for name in missing:
        with pytest.raises(NotEnoughDataError, match=r"The history has 9 days\. .*segment a longer history"):
            CHARTS[name](none)


# ---- k and data quality


def test_every_k_that_was_tried_is_drawn(result: Segmentation, figures: dict[str, go.Figure]) -> None:
    figure, facts = figures["choice_of_k"], result.to_dict()["trials"]
    inertia, stability, silhouette, information = figure.data
    assert list(inertia.x) == [trial["k"] for trial in facts]
    assert list(inertia.y) == pytest.approx([trial["inertia"] for trial in facts], abs=0.06)
    assert list(stability.y) == pytest.approx([trial["stability"] for trial in facts], abs=1e-4)
    assert list(silhouette.y) == pytest.approx([trial["silhouette"] for trial in facts], abs=1e-4)
    assert list(information.y) == pytest.approx([trial["information"] for trial in facts], abs=1e-4)
    assert [row[5] for row in rows(figure)] == [f"{trial['information']:.3f}" for trial in facts]
    assert {shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1} == {result.choice.k}
    assert result.choice.reason in figure.layout.meta["alt"]


def test_without_a_back_test_nothing_is_said_about_information(result: Segmentation) -> None:
    trials = tuple(replace(trial, information=None) for trial in result.trials)
    figure = charts.choice_of_k(replace(result, trials=trials))
    assert [trace.name for trace in figure.data] == ["inertia: sum of squared distances", "stability", "silhouette"]
    assert "information in bits" not in figure.layout.meta["columns"]


@pytest.mark.parametrize(("anchor", "notes"), [(3, ["knee at 3"]), (None, [])])
def test_the_knee_is_marked_where_there_is_one(result: Segmentation, anchor: int | None, notes: list[str]) -> None:
    figure = charts.choice_of_k(replace(result, choice=replace(result.choice, anchor=anchor)))
    assert [note.text for note in figure.layout.annotations if "knee" in note.text] == notes


def test_knives_keep_the_order_and_the_ends_of_the_silhouettes(result: Segmentation) -> None:
    high = tuple(np.linspace(0.8, -0.2, 1000).round(4).tolist())
    knives = {each.id: high if each.id == 0 else (0.5, 0.25, -0.25, -0.5) for each in result.segments}
    figure = charts.silhouette_knives(replace(result, silhouettes=knives))
    first, second = figure.data[:2]
    assert (len(first.x), first.x[0], first.x[-1]) == (150, 0.8, -0.2)
    assert list(first.x) == sorted(first.x, reverse=True)
    assert list(second.x) == [0.5, 0.25, -0.25, -0.5]
    assert min(second.y) > max(first.y)
    assert rows(figure)[0][1:] == [1000, "0.30", "20%"]
    assert rows(figure)[1][1:] == [4, "0.00", "50%"]


def test_waterfall_ends_at_the_rows_kept(result: Segmentation, figures: dict[str, go.Figure]) -> None:
    bars = figures["audit_waterfall"].data[0]
    audit = result.audit
    assert (bars.x[0], bars.x[-1]) == (audit.raw.rows_left, audit.kept.rows_left)
    assert bars.x[0] - sum(bars.x[1:-1]) == bars.x[-1] == bars.base[-2]
    tops = [base + width for base, width in zip(bars.base, bars.x, strict=True)]
    assert list(bars.base[:-1])[1:] == [top - line.rows for top, line in zip(tops[1:], steps(result), strict=False)]
    assert tops[1:-1] == [bars.x[0], *bars.base[1:-2]]  # each step begins where the one before ended
    assert rows(figures["audit_waterfall"])[-1][3] == audit.kept.rows_left


def steps(result: Segmentation) -> list[AuditLine]:
    return [line for line in result.audit.lines[1:] if line.rows]


# ---- shops that are not like others


def with_segments(result: Segmentation, *names: str) -> Segmentation:
    """As many segments as names, with the facts of the real ones in turn."""
    own, k = result.segments, len(names)
    made = tuple(
        replace(own[i % len(own)], id=i, name=name, profile=replace(own[i % len(own)].profile, id=i))
        for i, name in enumerate(names)
    )
    return replace(
        result,
        segments=made,
        choice=replace(result.choice, k=k),
        trials=(*result.trials, replace(result.trials[0], k=k)),
        outlook=an_outlook(k),
        model=replace(
            result.model, segments=names, centres=tuple(result.model.centres[i % len(own)] for i in range(k))
        ),
        silhouettes={i: result.silhouettes[i % len(own)] for i in range(k)},
        sample=replace(result.sample, segment_id=tuple(i % k for i in range(len(result.sample.segment_id)))),
    )


def with_spending(result: Segmentation, **changes: Any) -> Segmentation:
    return replace(result, spending=replace(result.spending, **changes))


def named(result: Segmentation, text: str) -> Segmentation:
    """A shop in which everything that people may name has this name."""
    groups = {group.name: f"{text} {i}" for i, group in enumerate(result.model.pack.groups)}
    pack = replace(
        result.model.pack,
        groups=tuple(replace(group, name=groups[group.name], why=text) for group in result.model.pack.groups),
    )
    segments = tuple(
        replace(
            each,
            name=f"{text} {each.id}",
            profile=replace(each.profile, groups=tuple((groups[name], n) for name, n in each.profile.groups)),
        )
        for each in result.segments
    )
    countries = (("GB", 1, 1, Decimal(9)), (text, 2, 3, Decimal(4)))
    test = a_backtest()
    past = tuple(replace(each, name=f"{text} {i}") for i, each in enumerate(test.segments))
    return replace(
        result,
        backtest=replace(test, segments=past, verdict=(text, text)),
        source=text,
        currency=text,
        segments=segments,
        choice=replace(result.choice, reason=text, warning=text),
        groups=tuple((groups[name], text, n, revenue) for name, _, n, revenue in result.groups),
        cells=tuple(replace(cell, group=groups[cell.group]) for cell in result.cells),
        model=replace(result.model, pack=pack),
        spending=replace(result.spending, countries=countries),
        audit=replace(result.audit, lines=tuple(replace(line, title=text) for line in result.audit.lines)),
    )


def without_revenue(result: Segmentation) -> Segmentation:
    """Nothing that was sold brought any money."""
    zero = Decimal(0)
    spending = result.spending
    return replace(
        result,
        revenue=zero,
        concentration=(0.0,) * 100,
        groups=tuple((name, why, n, zero) for name, why, n, _ in result.groups),
        cells=tuple(replace(cell, revenue=zero) for cell in result.cells),
        segments=tuple(
            replace(each, profile=replace(each.profile, revenue=zero, revenue_share=0.0)) for each in result.segments
        ),
        sample=replace(result.sample, monetary=(0.0,) * len(result.sample.monetary)),
        backtest=replace(
            a_backtest(),
            segments=tuple(
                replace(each, revenue=0.0, revenue_low=0.0, revenue_high=0.0) for each in a_backtest().segments
            ),
        ),
        outlook=replace(
            an_outlook(),
            segments=tuple(
                replace(each, expected_revenue=0.0, last_year=0.0, revenue_at_risk=0.0)
                for each in an_outlook().segments
            ),
        ),
        spending=replace(
            spending,
            months=tuple((name, zero, orders, people) for name, _, orders, people in spending.months),
            segment_months=tuple((*row[:4], zero) for row in spending.segment_months),
            countries=tuple((*row[:3], zero) for row in spending.countries),
            weekday_hours=((0.0,) * 24,) * 7,
            order_sizes=(),
            median_order=0.0,
        ),
    )


def of_one_month(result: Segmentation) -> Segmentation:
    first, *_ = result.spending.months
    return with_spending(
        result,
        months=(first,),
        segment_months=tuple(row for row in result.spending.segment_months if row[1] == first[0]),
        cohorts=((first[0], 0, first[3]),),
        order_sizes=result.spending.order_sizes[:1],
    )


def with_a_gap(result: Segmentation) -> Segmentation:
    """Two months of first orders, a quarter apart; in the one between nobody bought."""
    return with_spending(result, cohorts=(("2024-01", 0, 9), ("2024-01", 3, 4), ("2024-04", 0, 5)))


SHOPS: dict[str, Callable[[Segmentation], Segmentation]] = {
    "one segment": lambda result: with_segments(result, "Everyone"),
    "twelve segments": lambda result: with_segments(result, *(f"Segment {i}" for i in range(12))),
    "no country": lambda result: with_spending(result, countries=()),
    "no times of day": lambda result: with_spending(result, has_hours=False),
    "one month": of_one_month,
    "a month without orders": with_a_gap,
    "no cohort": lambda result: with_spending(result, cohorts=()),
    "no revenue": without_revenue,
    "returns exceed purchases": lambda result: replace(
        with_spending(
            result,
            months=tuple((name, -revenue, orders, people) for name, revenue, orders, people in result.spending.months),
            countries=(("France", 1, 1, Decimal(-3)), ("Germany", 1, 1, Decimal(-9))),
        ),
        sample=replace(result.sample, monetary=tuple(-value for value in result.sample.monetary)),
    ),
    "no currency": lambda result: replace(result, currency=None),
    "long names": lambda result: named(result, LONG),
    "one long word": lambda result: named(result, "x" * 200),
    "no knee": lambda result: replace(result, choice=replace(result.choice, anchor=None)),
    "one cut": lambda result: replace(result, backtest=replace(a_backtest(), windows=a_backtest().windows[:1])),
    "no forecast of anybody": lambda result: replace(result, outlook=an_outlook(0)),
    "no silhouettes": lambda result: replace(result, silhouettes={}),
}


@pytest.fixture(scope="module")
def few() -> Segmentation:
    """Forty customers."""
    return segment(make_orders(40, seed=2).orders)


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("shop", SHOPS)
def test_every_chart_draws_every_shop(shop: str, name: str, result: Segmentation) -> None:
    assert_sound(CHARTS[name](SHOPS[shop](result)))


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_draws_a_shop_of_few_customers(name: str, few: Segmentation) -> None:
    assert few.customers_total < 100
    if name in charts.drawable(few):
        assert_sound(CHARTS[name](few))
    else:
        with pytest.raises(NotEnoughDataError, match=r"There is no .*segment a longer history"):
            CHARTS[name](few)


def assert_sound(figure: go.Figure) -> None:
    """It can be written for the browser, numbers on log axes are above zero, and labels are no longer than there is room."""
    drawn = plain(figure)
    for trace in drawn["data"]:
        for axis in ("x", "y"):
            if drawn["layout"].get(f"{axis}axis", {}).get("type") == "log":
                assert all(value > 0 for value in trace[axis])
        assert len(trace.get("name", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")) <= 34
    for axis in ("xaxis", "yaxis"):
        for label in drawn["layout"].get(axis, {}).get("ticktext", ()):
            assert label.count("<br>") <= 2
            words = re.sub("&(lt|gt|amp);", "x", label).split("<br>")
            assert max(len(word) for word in words) <= 28


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("name", CHARTS)
def test_names_stay_text_in_every_chart(name: str, text: str, result: Segmentation) -> None:
    figure = CHARTS[name](named(result, text))
    assert_sound(figure)
    drawn = plain(figure)
    words = " ".join(strings(drawn["layout"].pop("meta")))
    if name not in WITHOUT_NAMES:
        assert text in words  # a page escapes these by itself
    shown = re.sub(r"</?b>|<br>|</?extra>", "", " ".join(strings(drawn)))
    assert "<" not in shown


def test_templates_of_hover_texts_never_hold_a_name(result: Segmentation) -> None:
    evil = named(result, "%{y} {evil}")
    for draw in CHARTS.values():
        for trace in draw(evil).data:
            assert "evil" not in (trace.hovertemplate or "") + str(trace.to_plotly_json().get("texttemplate", ""))


def test_equal_beginnings_of_long_names_do_not_fall_together(result: Segmentation) -> None:
    figure = charts.segment_shares(named(result, LONG))
    assert list(figure.data[0].y) == [0, 1, 2, 3]
    assert [row[0][-1] for row in rows(figure)] == ["0", "1", "2", "3"]


def test_an_empty_chart_says_why(result: Segmentation) -> None:
    def words(figure: go.Figure) -> list[str]:
        return [note.text for note in figure.layout.annotations]

    assert words(charts.countries(SHOPS["no country"](result))) == ["The source has no country"]
    assert words(charts.cohort_retention(of_one_month(result))) == ["No customer could buy in a later month yet"]
    assert words(charts.order_sizes(without_revenue(result))) == ["No order has a value above zero"]
    assert words(charts.weekday_hours(without_revenue(result))) == ["No order has brought revenue"]


def test_months_have_their_places_in_time(result: Segmentation) -> None:
    figure = charts.segment_trend(of_one_month(result))
    assert figure.layout.xaxis.type == "date"
    assert figure.layout.xaxis.ticktext == ("Jan 2024",)
    assert date.fromisoformat(figure.data[0].x[0]).day == 1
    heat = charts.cohort_retention(with_a_gap(result)).data[0]
    assert [list(row) for row in heat.z] == [[0.0, 0.0, round(4 / 9, 4)], [None, None, None]]


# ---- the pages about the charts


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_page_with_a_picture(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text("utf-8")
    assert f"]({name}.png)" in text
    assert (DOCS / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert f"({name}.md)" in (DOCS / "README.md").read_text("utf-8")
    prose = re.sub(r"```.*?```|!\[.*?\]\(.*?\)", "", text, flags=re.DOTALL)
    assert 80 <= len(prose.split()) <= 160


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_examples_and_links_of_a_page_work(page: Path) -> None:
    text = page.read_text("utf-8")
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert not failed
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not (DOCS / link).exists()] == []
