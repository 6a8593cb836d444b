"""Why customers are where they are: the same places as in the engine, and moves that lead where they say, by hand."""

import subprocess
import sys
from datetime import date
from decimal import Decimal

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
import regulars as rg
from regulars.clustering import SCALES, Scale
from regulars.explaining import Move, describe_place, place, what_moves
from regulars.profiling import Gaps, Profile

NO_CUTS = rg.Cuts(levels=3, recency_days=(None, None), frequency=(None, None), monetary=(None, None))
ONES = (1.0, 1.0, 1.0)
DAYS_ORDERS_MONEY = Scale(
    name="standard", functions=("identity",) * 3, lambdas=ONES, offsets=(0.0, 0.0, 0.0), divisors=ONES
)


def by_hand(
    segments: dict[str, tuple[float, float, float]],
    *,
    cuts: rg.Cuts = NO_CUTS,
    pack: str = "klaviyo",
    scale: Scale = DAYS_ORDERS_MONEY,
) -> rg.SegmentModel:
    """Segments by name and centre, in days, orders and money themselves; everybody has the same scores."""
    return rg.SegmentModel(
        as_of=date(2012, 3, 4),
        returns="net",
        all_products=False,
        scale=scale,
        centres=tuple(segments.values()),
        segments=tuple(segments),
        cuts=cuts,
        pack=rg.load_pack(pack),
        gaps=Gaps(p75=20, p90=40, p95=60, count=99),
    )


SHOP = by_hand(
    {  # in standard deviations of √days, ln(1 + orders), ln(1 + money)
        "Loyal": (-0.75, 2.0, 1.8),
        "Occasional": (-0.37, 0.43, 0.54),
        "New": (-0.71, -0.73, -0.7),
        "Lapsed": (1.43, -0.69, -0.75),
    },
    scale=Scale(
        name="sqrt-log",
        functions=SCALES["sqrt-log"][0],
        lambdas=ONES,
        offsets=(8.2, 1.25, 5.4),
        divisors=(5.1, 0.62, 1.4),
    ),
    cuts=rg.Cuts(
        levels=5,
        recency_days=(209, 55, 28, 12),
        frequency=(2, 2, 4, 6),
        monetary=(Decimal("67.12"), Decimal("126.57"), Decimal("292.28"), Decimal("726.30")),
    ),
    pack="eleven",
)


def moves_of(model: rg.SegmentModel, days: int, orders: int, money: float | Decimal, **more) -> tuple[Move, ...]:
    return what_moves(model, recency_days=days, frequency=orders, monetary=money, currency="GBP", **more)


def said(model: rg.SegmentModel, days: int, orders: int, money: float | Decimal, **more) -> list[str]:
    return [move.sentence for move in moves_of(model, days, orders, money, **more)]


# --- places ---------------------------------------------------------------------------------------------------------


def test_a_customer_is_where_the_centre_is_nearest():
    model = by_hand({"Far": (0, 0, 0), "Near": (3, 4, 0)})

    found = place(model, recency_days=3, frequency=4, monetary=12)

    assert (found.segment_id, found.segment, found.distance) == (1, "Near", 12)  # 3² + 4² + 12² = 13²
    assert (found.runner_up_id, found.runner_up, found.runner_up_distance) == (0, "Far", 13)


def test_on_the_border_the_first_segment_has_it():
    found = place(by_hand({"A": (10, 1, 1), "B": (20, 1, 1)}), recency_days=15, frequency=1, monetary=1)

    assert (found.segment, found.runner_up, found.distance, found.runner_up_distance) == ("A", "B", 5, 5)


def test_a_single_segment_has_no_runner_up():
    found = place(by_hand({"All": (0, 0, 0)}), recency_days=0, frequency=0, monetary=2)

    assert (found.segment, found.distance) == ("All", 2)
    assert (found.runner_up_id, found.runner_up, found.runner_up_distance) == (None, None, None)


@pytest.fixture(scope="module")
def customers() -> list[tuple[int | None, int | None, Decimal | None]]:
    """Days, orders, money of many, of those at the cut points, of the strangest, and of those with something missing."""
    rng = np.random.default_rng(11)
    many = zip(
        rng.integers(1, 400, 1000).tolist(),
        rng.geometric(0.25, 1000).tolist(),
        [Decimal(cents) / 100 for cents in rng.lognormal(10, 1.5, 1000).astype(int).tolist()],
        strict=True,
    )
    at_cuts = [
        (days, orders, money + change)
        for days in (12, 13, 209, 210)
        for orders in (1, 2, 6)
        for money in SHOP.cuts.monetary
        for change in (Decimal("-0.0001"), Decimal(0), Decimal("0.0001"))
    ]
    strange = [
        *((0, 0, Decimal(0)), (0, 1, Decimal("0.0001")), (10**6, 10**6, Decimal(10**9)), (10**9, 1, Decimal(1))),
        *((1, 10**9, Decimal("99999999999999.9999")), (-1, 3, Decimal(80)), (5, -1, Decimal(80)), (5, -2, Decimal(80))),
        *((5, 3, Decimal("-0.9999")), (5, 3, Decimal(-1)), (5, 3, Decimal("-500.25"))),
    ]
    missing = [(None, 3, Decimal(80)), (5, None, Decimal(80)), (5, 3, None), (None, None, None)]
    return [*many, *at_cuts, *strange, *missing]


@pytest.mark.parametrize("scale_name", SCALES)
def test_everybody_is_where_the_engine_puts_them(con, customers, scale_name):
    ordinary = np.array(customers[:1000], dtype=float)
    scale = rg.fit_scale(ordinary, scale_name)
    centres = scale.transform(ordinary[:5])
    model = by_hand(
        dict(zip("ABCDE", map(tuple, centres.tolist()), strict=True)), scale=scale, cuts=SHOP.cuts, pack="eleven"
    )
    days, orders, money = zip(*customers, strict=True)
    columns = {
        "place": pa.array(range(len(customers))),
        "recency_days": pa.array(days, pa.int64()),
        "frequency": pa.array(orders, pa.int64()),
        "monetary": pa.array(money, pa.decimal128(18, 4)),
    }
    table = con.create_table(ibis.util.gen_name("people"), pa.table(columns))
    engine = model.assign(table).order_by("place").to_pyarrow().to_pylist()

    found = [place(model, recency_days=d, frequency=o, monetary=m) for d, o, m in customers]

    names = ("segment_id", "segment", "runner_up", "r_score", "f_score", "m_score")
    assert [[getattr(own, name) for name in names] for own in found] == [
        [row[name] for name in names] for row in engine
    ]
    assert [own.group for own in found] == [row["rfm_group"] for row in engine]
    for own, row in zip(found, engine, strict=True):
        assert own.distance == (None if row["distance"] is None else pytest.approx(row["distance"], rel=1e-9, abs=1e-9))


def test_the_distance_to_the_runner_up(customers):
    ordinary = np.array(customers[:200], dtype=float)

    found = [place(SHOP, recency_days=d, frequency=o, monetary=m) for d, o, m in customers[:200]]

    points, centres = SHOP.scale.transform(ordinary), np.array(SHOP.centres)
    _, _, second = oracles.nearest_two(points, centres)
    away = np.linalg.norm(points - centres[second], axis=1)
    assert [own.runner_up_id for own in found] == second.tolist()
    np.testing.assert_allclose([own.runner_up_distance for own in found], away)


def test_money_may_be_decimal_or_not():
    """0.1 + 0.2 as floats is more than the cut point 0.3 is not: money is compared with its four digits."""
    cuts = rg.Cuts(levels=3, recency_days=(9, 9), frequency=(1, 1), monetary=(Decimal("0.3"), Decimal("120.1")))
    model = by_hand({"All": (0, 0, 0)}, cuts=cuts)

    def m_score(money: float | Decimal) -> int | None:
        return place(model, recency_days=1, frequency=1, monetary=money).m_score

    assert [m_score(0.1 + 0.2), m_score(0.29999), m_score(0.2999), m_score(Decimal("0.3"))] == [2, 2, 1, 2]
    assert [m_score(120.1), m_score(121), m_score(120)] == [3, 3, 2]


# --- further orders -------------------------------------------------------------------------------------------------

BY_ORDERS = by_hand({"Regular": (1, 10, 100), "Rare": (1, 4, 100)})  # the border is at 7 orders


def test_the_fewest_orders_that_reach_the_border():
    (move,) = moves_of(BY_ORDERS, 1, 4, 100)

    assert move == Move(
        kind="order",
        amount=3,
        by=None,
        segment_before="Rare",
        segment_after="Regular",
        group_before="Inactive",
        group_after="Inactive",
        better=True,
        sentence="Three more orders of about £25 each → Regular.",
    )


def test_one_order_is_enough_where_recency_is_all_that_counts():
    model = by_hand({"Active": (10, 5, 100), "Cooling": (50, 5, 100)})

    assert said(model, 40, 5, 100) == ["One more order of about £20 → Active."]


def test_no_more_orders_are_looked_at_than_asked_for():
    assert said(BY_ORDERS, 1, 4, 100, most_orders=2) == []
    assert said(BY_ORDERS, 1, 4, 100, most_orders=3) == ["Three more orders of about £25 each → Regular."]


def test_orders_have_the_value_that_is_given():
    model = by_hand({"Big": (1, 1, 1000), "Small": (1, 1, 100)})  # the border is at 550 of money

    assert said(model, 1, 1, 120, avg_order_value=215)[0] == "Two more orders of about £215 each → Big."
    assert said(model, 1, 1, 120, avg_order_value=430)[0] == "One more order of about £430 → Big."
    assert said(model, 1, 1, 120)[0] == "Four more orders of about £120 each → Big."


def test_orders_without_value_are_none():
    assert said(BY_ORDERS, 1, 4, 0) == []
    assert said(BY_ORDERS, 1, 4, 100, avg_order_value=-5) == []


def test_an_order_that_leads_to_a_segment_of_less_value_says_so_and_comes_last():
    model = by_hand({"Seldom": (40, 5, 100), "Often": (1, 5, 100)})

    (move,) = moves_of(model, 30, 5, 100)

    assert move.sentence == "One more order of about £20 → Often, a segment of less value."
    assert move.better is False


def test_the_way_to_a_better_segment_may_lead_through_a_lesser_one():
    model = by_hand({"Best": (1, 20, 100), "Good": (40, 5, 100), "Fair": (1, 5, 100)})

    # one order: Fair, as recency is 1 then; Best from 12.5 orders on
    assert said(model, 30, 5, 100) == [
        "Eight more orders of about £20 each → Best.",
        "One more order of about £20 → Fair, a segment of less value.",
    ]


# --- silence --------------------------------------------------------------------------------------------------------

BY_DAYS = by_hand({"Active": (10, 5, 100), "Cooling": (50, 5, 100)})  # the border is at 30 days


def test_the_last_day_in_the_present_segment():
    """On 4 March it is 20 days ago, on 14 March 30: still on the border, which belongs to the first segment."""
    (move,) = moves_of(BY_DAYS, 20, 5, 100)

    assert move.sentence == "No order until 14 March 2012 → Cooling."
    assert (move.kind, move.amount, move.by, move.better) == ("silence", 11, date(2012, 3, 14), False)


def test_who_changes_tomorrow_has_only_today():
    assert said(BY_DAYS, 30, 5, 100) == ["No order until 4 March 2012 → Cooling."]


def test_silence_is_looked_at_up_to_the_horizon():
    assert said(BY_DAYS, 20, 5, 100, horizon_days=10) == []
    assert len(said(BY_DAYS, 20, 5, 100, horizon_days=11)) == 1


def test_days_are_counted_from_another_day_where_it_is_given():
    assert said(BY_DAYS, 20, 5, 100, as_of=date(2012, 12, 30)) == ["No order until 9 January 2013 → Cooling."]


def test_a_deadline_for_the_order_that_leads_to_a_better_segment():
    model = by_hand({"Loyal": (1, 9, 100), "Active": (10, 5, 100), "Cooling": (50, 5, 100)})

    order, silence = moves_of(model, 20, 5, 100)

    assert order.sentence == "One more order of about £20 → Loyal."
    assert order.by == silence.by == date(2012, 3, 14)  # as above


def test_no_deadline_where_waiting_does_no_harm():
    model = by_hand({"Best": (1, 9, 100), "Seldom": (50, 5, 100), "Often": (10, 5, 100)})

    order, silence = moves_of(model, 20, 5, 100)

    assert (order.sentence, order.by) == ("One more order of about £20 → Best.", None)
    assert silence.sentence == "No order until 13 March 2012 → Seldom, a segment of more value."  # 30 days are its


# --- groups ---------------------------------------------------------------------------------------------------------

BY_SCORES = by_hand(
    {"All": (0, 0, 0)},
    cuts=rg.Cuts(levels=3, recency_days=(60, 30), frequency=(3, None), monetary=(None, None)),
)


def test_what_changes_the_group_only():
    """311 Recent; with a third order 321 Loyal; from the 31st day 211 At Risk."""
    order, silence = moves_of(BY_SCORES, 20, 2, 50)

    assert order.sentence == "One more order of about £25 → group Loyal."
    assert silence.sentence == "No order until 14 March 2012 → group At Risk."
    assert order.by == silence.by == date(2012, 3, 14)
    assert (order.group_before, order.group_after) == ("Recent", "Loyal")
    assert [move.better for move in (order, silence)] == [None, None]
    assert {order.segment_before, order.segment_after, silence.segment_after} == {"All"}


def test_first_what_orders_win_then_what_silence_loses_then_what_money_wins():
    model = by_hand(
        {"Regulars": (1, 9, 190), "Active": (2, 5, 100), "Cooling": (50, 5, 100)},
        cuts=rg.Cuts(levels=3, recency_days=(60, 22), frequency=(4, None), monetary=(None, None)),
    )

    assert said(model, 20, 3, 90, avg_order_value=10) == [
        "Six more orders of about £10 each → Regulars.",  # 5: 1² + 50² > 1² + 3² + 40²; 6: 0² + 40² < 1² + 4² + 50²
        "One more order of about £10 → group Loyal.",  # 321
        "No order until 6 March 2012 → group At Risk.",  # 211 after 22 days
        "No order until 10 March 2012 → Cooling.",  # the border with Active is at 26 days
        "£56 more on the same 3 orders, about £19 an order → Regulars.",  # 19² + 6² + 44² < 18² + 2² + 46²
    ]


# --- spend ----------------------------------------------------------------------------------------------------------

BY_MONEY = by_hand({"Big": (1, 1, 1000), "Small": (1, 1, 100)})  # the border is at 550 of money


@pytest.mark.parametrize(
    ("orders", "money", "sentence"),
    [
        (3, Decimal("400.50"), "£150 more on the same 3 orders, about £50 an order → Big."),  # 149.50, in whole units
        (3, 400, "£150 more on the same 3 orders, about £50 an order → Big."),
        (1, 549.99, "£1 more on the same order → Big."),
        (4, 548, "£2 more on the same 4 orders, about £0.50 an order → Big."),
    ],
)
def test_the_least_money_that_reaches_the_border(orders, money, sentence):
    (move,) = moves_of(BY_MONEY, 1, orders, money, most_orders=0)

    assert move.sentence == sentence
    assert (move.kind, move.by, move.better) == ("spend", None, True)


def test_more_than_ten_times_what_was_spent_is_no_advice():
    assert said(BY_MONEY, 1, 1, 54, most_orders=0) == []
    assert said(BY_MONEY, 1, 1, 55, most_orders=0) == ["£495 more on the same order → Big."]


# --- who does not move ----------------------------------------------------------------------------------------------


def test_nothing_moves_where_there_is_one_place():
    assert said(by_hand({"All": (0, 0, 0)}), 5, 3, 80) == []


@pytest.mark.parametrize("who", [(-1, 3, 80), (5, 3, -80), (None, 3, 80), (5, None, 80), (5, 3, None), (5, 0, 80)])
def test_who_is_not_assignable_or_never_ordered_does_not_move(who):
    assert said(SHOP, *who) == []


def test_the_richest_customer_does_not_overflow():
    assert moves_of(SHOP, 5, 1, Decimal("99999999999999.9999")) == moves_of(SHOP, 5, 1, 10**14 - 1)


# --- any customer ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(days=st.integers(1, 300), orders=st.integers(1, 15), pence=st.integers(100, 60_000))
def test_moves_lead_where_they_say_and_one_step_less_does_not(days, orders, pence):
    """Every step tried one by one, each placed by itself."""
    usual = Decimal(pence) / 100
    money = usual * orders
    ids = {name: number for number, name in enumerate(SHOP.segments)}

    def at(days: int, orders: int, money: Decimal) -> tuple[int, str | None]:
        found = place(SHOP, recency_days=days, frequency=orders, monetary=money)
        return ids[found.segment], found.group

    now = at(days, orders, money)
    ordered = [now, *(at(1, orders + n, money + n * usual) for n in range(1, 13))]
    silent = [now, *(at(days + n, orders, money) for n in range(1, 61))]

    def first(steps, wanted) -> list[int]:
        return [n for n, step in enumerate(steps) if wanted(*step)][:1]

    def expected(steps, better) -> set[int]:
        other = first(steps, lambda segment, _: segment != now[0])
        group = first(steps, lambda segment, group: segment == now[0] and group != now[1])
        return {*other, *group, *first(steps, lambda segment, _: better(segment, now[0]))}

    moves = moves_of(SHOP, days, orders, money, horizon_days=60)

    by_kind = {
        kind: {move.amount: move for move in moves if move.kind == kind} for kind in ("order", "silence", "spend")
    }
    assert set(by_kind["order"]) == expected(ordered, int.__lt__)
    assert set(by_kind["silence"]) == expected(silent, int.__gt__)
    for kind, steps in (("order", ordered), ("silence", silent)):
        for amount, move in by_kind[kind].items():
            assert steps[amount] == (ids[move.segment_after], move.group_after) != steps[amount - 1]
    spent = list(by_kind["spend"])
    if spent:
        assert at(days, orders, money + spent[0])[0] == ids[by_kind["spend"][spent[0]].segment_after] != now[0]
    unchanged = range(spent[0] if spent else int(money * 9) + 1)
    assert {at(days, orders, money + more)[0] for more in {0, len(unchanged) // 2, len(unchanged) - 1}} == {now[0]}


@settings(max_examples=20, deadline=None)
@given(days=st.integers(1, 300), orders=st.integers(1, 15), pence=st.integers(1, 10**7))
def test_the_same_customer_has_the_same_moves_in_the_order_that_is_promised(days, orders, pence):
    moves = moves_of(SHOP, days, orders, Decimal(pence) / 100)

    assert moves == moves_of(SHOP, days, orders, pence / 100)
    wins = [move.kind == "order" and move.better is True for move in moves]
    assert wins == sorted(wins, reverse=True)
    assert all(move.better in (False, True) for move in moves if move.kind == "spend")
    assert all((move.better is None) == (move.segment_after == move.segment_before) for move in moves)


# --- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "money"), [("EUR", "€25"), ("usd", "$25"), ("CHF", "CHF 25"), ("¥", "¥25"), (None, "25")]
)
def test_money_in_any_currency(currency, money):
    (move,) = what_moves(BY_ORDERS, recency_days=1, frequency=4, monetary=100, currency=currency)

    assert move.sentence == f"Three more orders of about {money} each → Regular."


def test_numbers_in_words_up_to_twelve():
    assert said(by_hand({"A": (1, 24, 100), "B": (1, 0, 100)}), 1, 1, 4000)[0].startswith(
        "Eleven more orders of about £4,000"
    )
    assert said(by_hand({"A": (1, 40, 100), "B": (1, 0, 100)}), 1, 1, 2, most_orders=20)[0].startswith(
        "19 more orders of"
    )


PROFILE = Profile(
    id=0,
    customers=40,
    orders=240,
    revenue=Decimal(8000),
    customer_share=0.4,
    revenue_share=0.8,
    value_percentile=0.9,
    new_share=0.1,
    quartiles={"recency_days": (5, 30, 60.5), "frequency": (4, 6.5, 10), "monetary": (100, 1652.41, 3000)},
    groups=(("Champions", 40),),
)


def why(model: rg.SegmentModel, days: int | None, orders: int | None, money, profile=None) -> list[str]:
    return list(describe_place(model, profile, recency_days=days, frequency=orders, monetary=money, currency="GBP"))


@pytest.mark.parametrize(
    ("money", "sentence"),
    [
        (200, "Clearly Small: 40% of the way from its centre to the border with Big."),
        (400, "Small: 80% of the way from its centre to the border with Big."),
        (450, "Only just Small: 90% of the way from its centre to the border with Big."),
        (600, "Big: 80% of the way from its centre to the border with Small."),
        (-50, "Clearly Small: on the far side of its centre, away from Big, the second nearest."),
    ],
)
def test_how_near_the_border_is(money, sentence):
    """Centres 1,000 of money apart: the border is 500 from each."""
    assert why(by_hand({"Big": (1, 1, 1000), "Small": (1, 1, 0)}), 1, 1, money)[0] == sentence


def test_distances_across_do_not_count_as_nearer_to_the_border():
    assert "40% of the way" in why(by_hand({"Big": (1, 1, 1000), "Small": (1, 1, 0)}), 90, 7, 200)[0]


def test_two_segments_with_one_centre_and_a_single_segment():
    assert why(by_hand({"A": (1, 1, 1), "B": (1, 1, 1)}), 1, 1, 1)[0].startswith("Only just A: 100% of the way")
    assert why(by_hand({"All": (1, 1, 1)}), 1, 1, 1)[0] == "All: there is no other segment."


def test_each_measure_beside_the_segment():
    model = by_hand({"Loyal": (0, 0, 0)})

    assert why(model, 61, 12, 1000, PROFILE)[1:4] == [
        "Last order 61 days ago: longer ago than three of four in this segment (median 30 days).",
        "12 orders: more than three of four in this segment (median 6.5).",
        "£1,000 spent: less than half of this segment (median £1,652).",
    ]
    assert why(model, 1, 1, 2000.5, PROFILE)[1:4] == [
        "Last order 1 day ago: more recent than three of four in this segment (median 30 days).",
        "1 order: fewer than three of four in this segment (median 6.5).",
        "£2,000 spent: more than half of this segment (median £1,652).",
    ]
    assert why(model, 30, 10, Decimal("99.99"), PROFILE)[1:4] == [
        "Last order 30 days ago: right in the middle of this segment (median 30 days).",
        "10 orders: more than half of this segment (median 6.5).",
        "£100 spent: less than three of four in this segment (median £1,652).",
    ]


def test_the_scores_with_their_ranges_and_the_group():
    assert why(SHOP, 13, 3, Decimal("497.85"))[-1] == (
        "R 4 (13 to 28 days), F 3 (2 to 3 orders), M 4 (£292.28 to below £726.30) → group Need Attention: "
        "used to be above average, now slipping."
    )
    assert why(SHOP, 210, 1, 5)[-1] == (
        "R 1 (from 210 days), F 1 (1 order), M 1 (below £67.12) → group Lost: lowest recency, frequency and spend."
    )
    assert why(SHOP, 12, 6, 1000)[-1].startswith("R 5 (up to 12 days), F 5 (from 6 orders), M 5 (from £726.30) → ")
    assert why(by_hand({"All": (0, 0, 0)}), 12, 6, 1000)[-1].startswith("R 1 (any), F 1 (any), M 1 (any) → ")


def test_who_is_in_no_segment():
    sentence = "In no segment: a measure is missing, or is one that the segments were not learned for."

    assert why(SHOP, None, 3, 80, PROFILE) == [sentence]
    assert why(SHOP, 5, 3, -80, PROFILE) == [
        sentence,
        "R 5 (up to 12 days), F 3 (2 to 3 orders), M 1 (below £67.12) → group Potential Loyalist: "
        "recent, with more than one order: on the way to loyal.",
    ]


def test_no_engine_is_loaded():
    asked = "import sys, regulars.explaining; print({'ibis', 'duckdb', 'pandas', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
