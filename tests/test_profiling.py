"""Facts about segments, names from facts, one action each; who stands out; how the shop sells."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import product

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from regulars.errors import OptionError
from regulars.profiling import (
    Cell,
    Gaps,
    Profile,
    at_risk_customers,
    at_risk_limit,
    count_cells,
    describe_base,
    describe_outlook,
    describe_spending,
    high_value_customers,
    load_actions,
    measure_concentration,
    measure_gaps,
    name_segments,
    profile_segments,
    with_value_percentile,
)

GAPS = Gaps(p75=30, p90=60, p95=90, count=100)
TIERS, STATES = ("high", "moderate", "low"), ("active", "new", "cooling", "lapsed")

# --- the shop's rhythm ----------------------------------------------------------------------------------------------


def test_gap_quantiles_by_hand():
    # 20 gaps: the fifteenth of them is 3 days (75 %), the eighteenth 7 (90 %), the nineteenth 10 (95 %)
    assert measure_gaps({1: 10, 3: 5, 7: 3, 10: 1, 200: 1}) == Gaps(p75=3, p90=7, p95=10, count=20)


def test_one_gap_is_every_quantile():
    assert measure_gaps({8: 1}) == Gaps(p75=8, p90=8, p95=8, count=1)


def test_where_nobody_came_twice_a_month_two_and_three_stand_in():
    assert measure_gaps({}) == Gaps(p75=30, p90=60, p95=90, count=0)


@given(counts=st.dictionaries(st.integers(1, 400), st.integers(1, 9), min_size=1, max_size=12))
def test_gap_quantiles_are_those_of_all_gaps_written_out(counts):
    gaps = measure_gaps(counts)

    assert [gaps.p75, gaps.p90, gaps.p95] == [oracles.quantile_of_counts(counts, q) for q in (75, 90, 95)]


@pytest.mark.parametrize(
    ("days", "state"), [(0, "active"), (30, "active"), (30.5, "cooling"), (90, "cooling"), (90.5, "lapsed")]
)
def test_silence_is_measured_by_the_shops_own_rhythm(days, state):
    assert GAPS.activity(days) == state


# --- names ----------------------------------------------------------------------------------------------------------


def profile(id: int = 0, *, value: float = 0.5, recency: float = 10, new: float = 0.0, **medians: float) -> Profile:
    columns = {"frequency": 2, "monetary": 100, "avg_order_value": 50, "tenure_days": 200} | medians
    return Profile(
        id=id,
        customers=100,
        orders=200,
        revenue=Decimal(1000),
        customer_share=0.25,
        revenue_share=0.25,
        value_percentile=value,
        new_share=new,
        quartiles={
            name: (middle / 2, middle, middle * 2) for name, middle in ({"recency_days": recency} | columns).items()
        },
        groups=(("Loyal", 100),),
    )


def named(*profiles: Profile, **options) -> list[str]:
    numbered = [replace(each, id=i) for i, each in enumerate(profiles)]
    return [segment.name for segment in name_segments(numbered, GAPS, **options)]


#: Four segments that keep a fifth from being named by order.
OTHERS = [
    profile(value=0.9, recency=5, frequency=40),
    profile(value=0.9, recency=500),
    profile(value=0.5, recency=500),
    profile(value=0.2, recency=500),
]


@pytest.mark.parametrize(
    ("facts", "cell"),
    [
        ({"value": 0.78}, ("high", "active")),
        ({"value": 0.7799}, ("moderate", "active")),
        ({"value": 0.40}, ("moderate", "active")),
        ({"value": 0.3999}, ("low", "active")),
        ({"recency": 30}, ("moderate", "active")),
        ({"recency": 31}, ("moderate", "cooling")),
        ({"recency": 90}, ("moderate", "cooling")),
        ({"recency": 91}, ("moderate", "lapsed")),
        ({"new": 0.60}, ("moderate", "new")),
        ({"new": 0.59}, ("moderate", "active")),
        ({"new": 0.60, "recency": 91}, ("moderate", "new")),
    ],
    ids=str,
)
def test_tier_and_activity_at_their_limits(facts, cell):
    *_, segment = name_segments([*(replace(each, id=i) for i, each in enumerate(OTHERS)), profile(4, **facts)], GAPS)

    assert (segment.tier, segment.activity) == cell
    assert segment.action == load_actions()[cell]


def test_the_four_segments_of_the_tutorials_by_name():
    assert named(
        profile(value=0.9), profile(value=0.6), profile(value=0.3, new=0.8), profile(value=0.3, recency=200)
    ) == ["Loyal high-value", "Occasional moderate", "New / low-spend", "Low-spend lapsed"]


@pytest.mark.parametrize(
    ("values", "tiers"),
    [
        ([0.41, 0.45, 0.43], ["low", "high", "moderate"]),
        ([0.95, 0.9, 0.85], ["high", "moderate", "low"]),
        ([0.5, 0.5], ["high", "low"]),
        ([0.99], ["moderate"]),
    ],
)
def test_up_to_three_segments_get_their_tiers_by_order(values, tiers):
    segments = name_segments([profile(i, value=value) for i, value in enumerate(values)], GAPS)

    assert [segment.tier for segment in segments] == tiers
    assert len(values) == 1 or "by order among the segments" in segments[0].why[0]


def test_names_that_collide_get_what_sets_them_apart():
    same = {"value": 0.5, "recency": 10}

    assert named(*OTHERS, profile(**same, frequency=9), profile(**same, frequency=2))[4:] == [
        "Occasional moderate, more frequent",
        "Occasional moderate, less frequent",
    ]
    assert named(*OTHERS, profile(**same, avg_order_value=20), profile(**same, avg_order_value=80))[4:] == [
        "Occasional moderate, smaller baskets",
        "Occasional moderate, bigger baskets",
    ]


def test_nothing_is_said_of_segments_that_do_not_differ():
    assert named(*OTHERS, profile(), profile())[4:] == ["Occasional moderate, 1", "Occasional moderate, 2"]


random_profile = st.builds(
    profile,
    value=st.sampled_from([0.2, 0.5, 0.9]),
    recency=st.sampled_from([10, 20, 60, 200]),
    new=st.sampled_from([0.0, 0.9]),
    frequency=st.sampled_from([1, 2, 9]),
    avg_order_value=st.sampled_from([20.0, 50.0]),
    tenure_days=st.sampled_from([30, 300]),
)

#: Qualifier → the column that it speaks of, and whether more of it is claimed.
CLAIMS = {
    "more frequent": ("frequency", True),
    "less frequent": ("frequency", False),
    "bigger baskets": ("avg_order_value", True),
    "smaller baskets": ("avg_order_value", False),
    "recent": ("recency_days", False),
    "longer ago": ("recency_days", True),
    "long-standing": ("tenure_days", True),
    "newer": ("tenure_days", False),
}


@settings(max_examples=100, deadline=None)
@given(profiles=st.lists(random_profile, min_size=1, max_size=12))
def test_names_are_unique_and_true(profiles):
    profiles = [replace(each, id=i) for i, each in enumerate(profiles)]

    segments = name_segments(profiles, GAPS)

    assert len({segment.name for segment in segments}) == len(segments)
    for segment in segments:
        qualifier = segment.name.removeprefix(segment.action.name).removeprefix(", ")
        if qualifier in CLAIMS:
            column, more = CLAIMS[qualifier]
            others = [
                np.log1p(s.profile.median(column)) for s in segments if s.action == segment.action and s != segment
            ]
            lead = np.log1p(segment.profile.median(column)) - np.mean(others)
            assert (lead > 0) == more, segment.name
            assert lead != 0, segment.name


def test_the_reasons_name_the_numbers():
    others = [replace(each, id=i) for i, each in enumerate(OTHERS)]

    *_, segment = name_segments([*others, profile(4, value=0.31, recency=75)], GAPS)

    assert segment.why == (
        "low value: on average its customers rank above 31% of all by orders and spend (low below 40%)",
        "cooling: half of them bought within 75 days; three of four customers who come back do so within 30 days, "
        "95% within 90",
    )


def test_the_reason_for_new_is_the_share_of_newcomers():
    (segment,) = name_segments([profile(new=0.83)], GAPS)

    assert segment.why[1] == "new: 83% of them first bought within 60 days (60% is enough)"


# --- actions --------------------------------------------------------------------------------------------------------


def test_every_cell_has_a_name_of_its_own_and_an_action():
    actions = load_actions()

    assert set(actions) == set(product(TIERS, STATES))
    assert len({action.name for action in actions.values()}) == 12
    for action in actions.values():
        assert all([action.action, action.who, action.offer, action.channel, action.measure])


def test_a_file_of_your_own_replaces_what_it_names(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[high.active]\nname = "VIP"\n[low.lapsed]\naction = "Let go"\n', "utf-8")

    actions = load_actions(path)

    shipped = load_actions()
    assert actions["high", "active"] == replace(shipped["high", "active"], name="VIP")
    assert actions["low", "lapsed"] == replace(shipped["low", "lapsed"], action="Let go")
    assert {cell for cell in shipped if actions[cell] != shipped[cell]} == {("high", "active"), ("low", "lapsed")}
    assert named(*OTHERS, actions=actions)[0] == "VIP"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[top.active]\nname = 'x'", "there is no cell [top.active]"),
        ("[high.asleep]\nname = 'x'", "there is no cell [high.asleep]"),
        ("high = 'x'", "there is no cell [high.]"),
        ("[high.active]\ntitle = 'x'", "[high.active] has something else than text under name, action"),
        ("[high.active]\nname = ''", "[high.active] has something else than text"),
        ("[high.active]\nname = 5", "[high.active] has something else than text"),
        ("[high]\nactive = 'x'", "[high.active] has something else than text"),
        ("[high.active\n", "Cannot read the actions file"),
    ],
)
def test_a_faulty_actions_file_is_refused_by_naming_the_fault(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(OptionError) as error:
        load_actions(path)

    assert words.replace("name, action", "") in error.value.message.replace("name, action", "")
    assert str(path) in error.value.message


def test_an_actions_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(OptionError, match="Cannot read the actions file"):
        load_actions(tmp_path / "none.toml")


# --- facts ----------------------------------------------------------------------------------------------------------

PEOPLE = pd.DataFrame(
    {
        "customer_id": list("abcdef"),
        "segment_id": [0, 0, 0, 1, 1, None],
        "segment": ["Best", "Best", "Best", "Rest", "Rest", None],
        "rfm_group": ["Champions", "Loyal", "Champions", "Lost", "Lost", None],
        "recency_days": [1, 3, 11, 100, 200, 5],
        "frequency": [10, 8, 6, 1, 1, 3],
        "monetary": [500.0, 300.0, 100.0, 40.0, 60.0, 77.0],
        "tenure_days": [300, 200, 20, 100, 200, 30],
        "median_gap_days": [10.0, 20.0, 30.0, None, None, 4.0],
        "value_percentile": [0.95, 0.80, 0.79, 0.2, 0.3, 0.5],
    }
)


@pytest.fixture(scope="module")
def people(con) -> ibis.Table:
    money = {"monetary": ibis._.monetary.cast("decimal(18, 4)"), "segment_id": ibis._.segment_id.cast("int64")}
    return con.create_table("people", PEOPLE).mutate(**money)


def test_two_profiles_by_hand(people):
    best, rest = profile_segments(people, GAPS)  # the sixth customer has no segment

    assert (best.id, best.customers, best.orders, best.revenue) == (0, 3, 24, 900)
    assert (best.customer_share, best.revenue_share) == (pytest.approx(3 / 5), pytest.approx(0.9))
    assert best.value_percentile == pytest.approx((0.95 + 0.80 + 0.79) / 3)
    assert best.new_share == pytest.approx(1 / 3)
    assert best.quartiles["recency_days"] == (2, 3, 7)
    assert best.groups == (("Champions", 2), ("Loyal", 1))
    assert best.median("frequency") == 8
    assert rest.quartiles["median_gap_days"] is None
    assert rest.median("median_gap_days") is None
    assert rest.groups == (("Lost", 2),)


def test_value_is_the_mean_of_two_mid_percentiles(people):
    found = with_value_percentile(people.drop("value_percentile")).order_by("customer_id").to_pandas()

    orders, money = (oracles.mid_percentile(PEOPLE[name]) for name in ("frequency", "monetary"))
    np.testing.assert_allclose(found["value_percentile"], (orders + money) / 2)
    assert orders[3] == orders[4] == 1 / 6  # two of six share the lowest place


def test_high_value_customers_by_hand(people):
    notable = high_value_customers(people, most=2)

    assert (notable.customers, notable.revenue) == (3, 900)
    assert notable.revenue_share == pytest.approx(900 / 1077)
    assert [(p.customer_id, p.monetary, p.segment) for p in notable.top] == [("a", 500, "Best"), ("b", 300, "Best")]
    assert "78%" in notable.rule


def test_at_risk_are_the_high_value_customers_who_are_silent_too_long(people):
    notable = at_risk_customers(people, Gaps(p75=3, p90=5, p95=9, count=9))

    assert [p.customer_id for p in notable.top] == ["c"]  # b's 3 days are not more than 3
    assert (notable.customers, notable.revenue) == (1, 100)
    assert "more than 3 days" in notable.rule


def test_nobody_at_risk_is_an_answer(people):
    notable = at_risk_customers(people, Gaps(p75=99, p90=100, p95=101, count=9))

    assert (notable.customers, notable.revenue, notable.revenue_share, notable.top) == (0, 0, 0.0, ())


FORECAST = pd.DataFrame(
    # id, segment, place by value, chance of an order, money of the last year
    [
        ("ann", 0, 0.9, 0.9, "1000"),
        ("ben", 0, 0.8, 0.2, "800"),
        ("cleo", 0, 0.7, 0.2, "900"),
        ("dan", 1, 0.6, 0.5, "500"),
        ("eve", 1, 0.55, 0.6, "400"),
        ("fay", 1, 0.4, 0.1, "9000"),  # not of the better half
        ("gus", 1, 0.9, None, "70"),  # no forecast
    ],
    columns=["customer_id", "segment_id", "value_percentile", "p_active", "last_year"],
)


@pytest.fixture(scope="module")
def with_forecast(con) -> ibis.Table:
    frame = FORECAST.assign(recency_days=9, frequency=2, segment="x")
    frame["last_year"] = frame["last_year"].map(Decimal)
    frame["monetary"] = frame["last_year"]
    frame["revenue_at_risk"] = (1 - frame["p_active"]) * frame["last_year"].astype(float)
    frame["expected_orders"], frame["expected_value"] = 2 * frame["p_active"], 100 * frame["p_active"]
    return con.create_table("with_forecast", frame)


def test_at_risk_with_a_forecast_are_the_least_likely_quarter_of_the_better_half(with_forecast):
    limit = at_risk_limit(with_forecast)
    assert limit == 0.2  # of 0.9, 0.2, 0.2, 0.5, 0.6

    notable = at_risk_customers(with_forecast, Gaps(p75=3, p90=5, p95=9, count=9), horizon_days=30, limit=limit)

    assert [(p.customer_id, p.chance, p.revenue_at_risk) for p in notable.top] == [
        ("cleo", 0.2, pytest.approx(720)),  # more at risk than Ben, with the same chance
        ("ben", 0.2, pytest.approx(640)),
    ]
    assert (notable.customers, notable.revenue_at_risk) == (2, pytest.approx(1360))
    assert "least likely to order in the next 30 days" in notable.rule


def test_the_outlook_of_a_segment_sums_those_with_a_forecast(with_forecast):
    first, second = describe_outlook(with_forecast)
    assert (first.segment_id, first.customers, second.customers) == (0, 3, 3)  # Gus has none
    assert first.chance == pytest.approx((0.9 + 0.2 + 0.2) / 3, abs=1e-6)
    assert (first.expected_orders, first.expected_revenue) == (2.6, 130.0)
    assert first.revenue_at_risk == pytest.approx(100 + 640 + 720)
    assert first.last_year == 2700.0


# --- spending -------------------------------------------------------------------------------------------------------

ORDERS = [
    # Monday, Sunday, Monday again
    ("a", "1", datetime(2024, 1, 1, 0, 30), "15.00", "France"),
    ("b", "2", datetime(2024, 1, 7, 23, 59), "100.00", None),
    ("a", "3", datetime(2024, 2, 5, 9, 0), "7.50", "France"),
]


@pytest.fixture(scope="module")
def orders(con) -> ibis.Table:
    frame = pd.DataFrame(ORDERS, columns=["customer_id", "order_id", "first_at", "amount", "country"])
    return con.create_table("orders", frame).mutate(amount=ibis._.amount.cast("decimal(18, 4)"))


@pytest.fixture(scope="module")
def placed(con) -> ibis.Table:
    """Their customers: a in segment 0, b in 1."""
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "segment_id": [0, 1], "first_order": pd.to_datetime(["2024-01-01", "2024-01-07"])}
    )
    return con.create_table("placed", frame).mutate(first_order=ibis._.first_order.date())


def test_spending_by_hand(orders, placed):
    spending = describe_spending(orders, placed)

    assert spending.months == (("2024-01", 115, 2, 2), ("2024-02", Decimal("7.5"), 1, 1))
    assert spending.segment_months == (
        (0, "2024-01", 1, 1, 15), (0, "2024-02", 1, 1, Decimal("7.5")), (1, "2024-01", 1, 1, 100),
    )  # fmt: skip
    assert spending.cohorts == (
        ("2024-01", 0, 2),
        ("2024-01", 1, 1),
    )  # both began in January, one came back in February
    cells = {(d, h): money for d, day in enumerate(spending.weekday_hours) for h, money in enumerate(day) if money}
    assert cells == {(0, 0): 15, (6, 23): 100, (0, 9): 7.5}
    assert spending.has_hours
    assert spending.countries == (("not given", 1, 1, 100), ("France", 1, 2, Decimal("22.5")))
    assert spending.median_order == 15
    # six bins to a factor of ten: 7.5 in 6.8–10, 15 in 14.7–21.5, 100 in 100–147
    sizes = [(round(low, 1), round(high, 1), n) for low, high, n in spending.order_sizes]
    assert sizes == [(6.8, 10.0, 1), (14.7, 21.5, 1), (100.0, 146.8, 1)]


def test_days_without_times_have_no_hours(orders, placed):
    spending = describe_spending(orders.mutate(first_at=orders.first_at.truncate("D")).drop("country"), placed)

    assert not spending.has_hours
    assert spending.countries == ()


def test_cohorts_of_long_ago_are_left_out(con, placed):
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "first_at": pd.to_datetime(["2020-12-01", "2024-01-07"]),  # 37 months apart
            "amount": [1, 1],
        }
    )
    early = placed.mutate(
        first_order=ibis.ifelse(placed.customer_id == "a", ibis.date("2020-12-01"), placed.first_order)
    )

    spending = describe_spending(con.create_table("long", frame), early)

    assert [name for name, *_ in spending.months] == ["2020-12", "2024-01"]
    assert spending.cohorts == (("2024-01", 0, 1),)


# --- the grid of scores, and how unevenly customers spend -----------------------------------------------------------


def spenders(con, name: str, money: list[int]) -> ibis.Table:
    frame = pd.DataFrame({"monetary": money, "frequency": [1] * len(money), "recency_days": range(1, len(money) + 1)})
    return con.create_table(name, frame).mutate(monetary=ibis._.monetary.cast("decimal(18, 4)"))


def test_concentration_by_hand(con):
    """200 customers: two spend 100, the others 1: the best 1 % bring 200 of 398, each further 1 % two."""
    shares = measure_concentration(spenders(con, "two_rich", [1] * 99 + [100, 100] + [1] * 99))

    assert len(shares) == 100
    assert shares[0] == pytest.approx(200 / 398, abs=1e-6)
    assert shares[1] == pytest.approx(202 / 398, abs=1e-6)
    assert shares[-1] == 1


def test_with_few_customers_some_steps_have_nobody(con):
    shares = measure_concentration(spenders(con, "three", [6, 3, 1]))

    assert [shares[i] for i in (0, 32, 33, 65, 66, 99)] == pytest.approx([0.6, 0.6, 0.9, 0.9, 1.0, 1.0])


def test_nobody_spends_nothing_of_nothing(con):
    assert set(measure_concentration(spenders(con, "free", [0, 0]))) == {0.0}


def test_cells_and_base_by_hand(con):
    frame = pd.DataFrame(
        {
            "r_score": [5, 5, 1], "f_score": [5, 5, 1], "m_score": [4, 4, 1],
            "rfm_group": ["Champions", "Champions", "Lost"],
            "recency_days": [1, 3, 200], "frequency": [3, 5, 1], "monetary": [30, 50, 7],
        }
    )  # fmt: skip
    labelled = con.create_table("gridded", frame).mutate(monetary=ibis._.monetary.cast("decimal(18, 4)"))

    assert count_cells(labelled) == (
        Cell(r=1, f=1, m=1, group="Lost", customers=1, orders=1, revenue=Decimal(7)),
        Cell(r=5, f=5, m=4, group="Champions", customers=2, orders=8, revenue=Decimal(80)),
    )
    base = describe_base(labelled)
    assert (base.recency_days, base.frequency, base.monetary) == ((2, 3, 101.5), (2, 3, 4), (18.5, 30, 40))
    assert base.ordered_once == 1
