"""Did the segments mean anything? The past on its own, what came after, and what both say about each other."""

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import mutual_info_score, roc_auc_score

import regulars as rg
from regulars.backtesting import PastOptions, Window, look_back, look_back_all, plan_windows
from regulars.backtesting import measures as m
from regulars.backtesting.groupings import group_past, measure_groupings
from regulars.errors import NotEnoughDataError, OptionError

# --- measures -------------------------------------------------------------------------------------------------------

COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8).filter(
    lambda rows: any(no for no, _ in rows) and any(yes for _, yes in rows)
)


class TestMeasures:
    @given(COUNTS)
    def test_information_is_that_of_scikit_learn_with_the_correction_of_miller_and_madow(self, rows):
        groups = np.repeat(np.arange(len(rows)), [no + yes for no, yes in rows])
        bought = np.concatenate([np.repeat([0, 1], row) for row in rows])
        cells = sum(no > 0 for no, _ in rows) + sum(yes > 0 for _, yes in rows)
        rows_, columns = len(set(groups.tolist())), 2
        nats = mutual_info_score(groups, bought) + (rows_ - 1 + columns - 1 - (cells - 1)) / (2 * len(groups))

        found = m.information_bits(np.array(rows))

        assert found == pytest.approx(max(nats / math.log(2), 0), abs=1e-12)

    def test_a_grouping_that_knows_nothing_has_no_information(self):
        assert m.information_bits(np.array([[50, 50], [500, 500]])) == 0
        assert m.information_bits(np.array([[0, 0], [0, 0]])) == 0

    @given(COUNTS)
    def test_auc_and_log_loss_are_those_of_scikit_learn(self, rows):
        people, bought = [no + yes for no, yes in rows], [yes for _, yes in rows]
        chances = np.linspace(0.9, 0.1, len(rows))
        each = np.repeat(chances, people)
        truth = np.concatenate([np.repeat([0, 1], row) for row in rows])

        assert m.area_under_curve(people, bought) == pytest.approx(roc_auc_score(truth, each))
        assert m.log_loss(chances, people, bought) == pytest.approx(sklearn_log_loss(truth, each))

    def test_there_is_no_auc_where_all_or_none_bought(self):
        assert m.area_under_curve([3, 4], [3, 4]) is None
        assert m.area_under_curve([3, 4], [0, 0]) is None

    def test_the_best_tenth_has_its_share_of_the_first_group(self):
        curve = m.gain_curve([20, 80], [15, 15])
        assert curve == ((0.0, 0.0), (0.2, 0.5), (1.0, 1.0))
        assert m.lift(curve) == pytest.approx(2.5)  # a tenth of the customers: half of the first group, a quarter of 30
        assert m.gain_curve([5], [0]) == ((0.0, 0.0), (1.0, 1.0))

    def test_calibration_by_hand(self):
        error, bins = m.calibration_error([0.1, 0.5, 0.9], [100, 100, 100], [10, 70, 90])
        assert error == pytest.approx(20 / 300, abs=1e-6)
        assert bins == ((100, 0.1, 0.1), (100, 0.5, 0.7), (100, 0.9, 0.9))

    def test_a_bootstrap_interval_is_about_that_of_the_normal_curve(self):
        low, high = m.bootstrap_means(np.array([0.0, 1.0]), np.array([7_000, 3_000]), seed=1)
        half = 1.96 * math.sqrt(0.3 * 0.7 / 10_000)
        assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.002)


# --- cuts -----------------------------------------------------------------------------------------------------------


class TestWindows:
    def test_a_year_is_cut_twice_and_each_cut_has_twice_the_horizon_before_it(self):
        windows = plan_windows(date(2023, 1, 1), date(2024, 1, 1))
        assert [(w.cut, w.horizon_days) for w in windows] == [(date(2023, 10, 2), 91), (date(2023, 7, 3), 91)]

    def test_two_years_and_more_are_cut_every_thirty_days_twelve_times_at_most(self):
        windows = plan_windows(date(2020, 1, 1), date(2024, 1, 1))
        assert len(windows) == 12
        assert {(a.cut - b.cut).days for a, b in pairwise(windows)} == {30}

    def test_many_lines_are_cut_less_often(self):
        assert len(plan_windows(date(2020, 1, 1), date(2024, 1, 1), lines=20_000_000)) == 3
        assert len(plan_windows(date(2020, 1, 1), date(2024, 1, 1), lines=100_000_000)) == 1

    def test_a_cut_of_ones_own(self):
        first, *_ = plan_windows(date(2010, 12, 1), date(2011, 12, 10), cut=date(2011, 9, 1), horizon_days=91)
        assert first == Window(cut=date(2011, 9, 1), until=date(2011, 12, 1))

    @pytest.mark.parametrize(
        ("days", "horizon", "said"),
        [
            (59, None, "The history is 59 days long; a back-test needs at least 60."),
            (
                200,
                91,
                "The history is 200 days long; a back-test of 91 days needs 273 days: twice as much before the cut",
            ),
        ],
    )
    def test_too_little_history_says_how_much_there_is_and_is_needed(self, days, horizon, said):
        first = date(2024, 1, 1)
        with pytest.raises(NotEnoughDataError, match=said):
            plan_windows(first, first + timedelta(days=days), horizon_days=horizon)

    def test_a_cut_outside_the_history_is_refused(self):
        with pytest.raises(OptionError, match="A cut at 2024-12-01 with 91 days after it does not fit"):
            plan_windows(date(2024, 1, 1), date(2025, 1, 1), cut=date(2024, 12, 1))
        with pytest.raises(OptionError, match="The horizon is 0 days"):
            plan_windows(date(2024, 1, 1), date(2025, 1, 1), horizon_days=0)


# --- what was known at a cut, and what came after -------------------------------------------------------------------

LINES = """
InvoiceNo  StockCode  Quantity  InvoiceDate  UnitPrice  CustomerID
1          mug        10        2024-01-10   2.00       ann
2          jug        1         2024-02-10   5.00       ben
C3         mug        -10       2024-03-10   2.00       ann
4          cup        3         2024-03-20   4.00       ben
5          cup        1         2024-03-20   4.00       ben
6          mug        1         2024-03-25   2.00       cleo
"""
CUT = Window(cut=date(2024, 3, 1), until=date(2024, 4, 1))


class TestPast:
    def test_a_return_after_the_cut_is_not_known_yet(self, shop):
        orders = shop(LINES)
        cleaned = rg.clean(orders)

        past = look_back(orders, cleaned, CUT, options=PastOptions())

        people = past.people.order_by("customer_id").to_pandas()
        assert people["customer_id"].tolist() == ["ann", "ben"]  # Cleo came later
        assert people["monetary"].tolist() == [Decimal("20.0000"), Decimal("5.0000")]  # Ann still has her mugs
        assert people["recency_days"].tolist() == [51, 20]
        assert "ann" not in rg.build_rfm(cleaned, as_of=date(2024, 4, 1)).to_pandas()["customer_id"].tolist()

    def test_what_came_after_is_counted_by_day_and_net(self, shop):
        orders = shop(LINES)

        past = look_back(orders, rg.clean(orders), CUT, options=PastOptions())

        people = past.people.order_by("customer_id").to_pandas()
        assert people["bought"].tolist() == [0, 1]
        assert people["orders_after"].tolist() == [0, 1]  # two invoices of a day are one
        assert people["revenue_after"].tolist() == [Decimal(0), Decimal("16.0000")]
        assert (past.customers, past.bought) == (2, 1)

    def test_it_is_what_a_run_on_that_day_would_have_found(self, sample_shop):
        lines = sample_shop.orders.to_pandas()
        orders, cut = rg.read(sample_shop.orders), date(2024, 9, 27)
        then = rg.clean(rg.read(lines[lines["InvoiceDate"] < datetime(2024, 9, 27)]))
        expected = rg.build_rfm(then, as_of=cut).order_by("customer_id").to_pandas()

        window = Window(cut=cut, until=date(2024, 12, 25))
        found = look_back(orders, rg.clean(orders), window, options=PastOptions()).people.order_by("customer_id")

        pd.testing.assert_frame_equal(found.select(*expected.columns).to_pandas(), expected)


# --- a whole back-test ----------------------------------------------------------------------------------------------


class TestBacktest:
    def test_segments_bought_again_in_the_order_of_their_value(self, sample_result):
        found = sample_result.backtest
        shares = [segment.share for segment in found.segments]
        assert shares[0] == max(shares)
        assert sum(segment.customers for segment in found.segments) == found.customers
        assert sum(segment.bought for segment in found.segments) == found.bought
        assert all(one.share_low <= one.share <= one.share_high for one in found.segments)
        assert all(one.revenue_low <= one.revenue <= one.revenue_high for one in found.segments)

    def test_who_is_lapsed_in_truth_did_not_come_back(self, sample_shop, sample_result):
        """The sample shop states who is who: at the cut, those who had left are all that the last segment should hold."""
        found = sample_result.backtest
        worst = min(found.segments, key=lambda segment: segment.share)
        assert worst.name.startswith("Low-spend lapsed")
        assert worst.share < 0.35
        assert found.segments[0].share > 0.8

    def test_every_trial_carries_what_it_knew(self, sample_result):
        assert all(trial.information is not None and trial.information >= 0 for trial in sample_result.trials)
        at_k = next(trial for trial in sample_result.trials if trial.k == sample_result.choice.k)
        assert at_k.information == pytest.approx(sample_result.backtest.bits("segments")[0], abs=1e-5)

    def test_the_verdict_says_when_rules_do_as_well(self, sample_result):
        first, second = sample_result.backtest.verdict
        own, rival = (sample_result.backtest.bits(name)[0] for name in ("segments", "eleven"))
        assert f"{own:.3f} bit" in first
        assert ("as well" in second) == (0.9 * rival <= own < rival / 0.9)

    def test_the_order_of_rows_changes_nothing(self, sample_shop, sample_result):
        shuffled = sample_shop.orders.take(np.random.default_rng(2).permutation(sample_shop.orders.num_rows))
        found = rg.backtest(shuffled, k=sample_result.choice.k)
        assert found.to_dict() == sample_result.backtest.to_dict()

    def test_it_can_be_asked_for_alone_and_chooses_k_by_what_was_known(self):
        found = rg.backtest(rg.make_orders(120, seed=5).orders, horizon_days=60, cut=date(2024, 10, 1))
        assert (found.cut, found.until) == (date(2024, 10, 1), date(2024, 11, 30))
        assert 3 <= found.k <= 8

    def test_a_short_history_says_so_and_the_run_goes_on(self):
        lines = pd.DataFrame(
            {
                "customer": [f"c{i % 40}" for i in range(120)],
                "order": [str(i) for i in range(120)],
                "date": [datetime(2024, 1, 1) + timedelta(days=i % 50) for i in range(120)],
                "amount": [5.0 + i % 7 for i in range(120)],
            }
        )
        result = rg.segment(lines)
        assert result.backtest is None
        assert result.outlook is None
        assert result.backtest_note.startswith("The history is 50 days long; a back-test needs at least 60.")
        assert "p_active" not in result.customers.columns
        assert "silent" in result.at_risk.rule

    def test_too_few_customers_say_so(self):
        shop = rg.make_orders(40, seed=2)
        with pytest.raises(NotEnoughDataError, match=r"there were \d+ customers, .* a back-test needs 50"):
            rg.backtest(shop.orders)

    def test_it_can_be_left_out(self):
        result = rg.segment(rg.make_orders(60, seed=2).orders, backtest=False, k=3)
        assert result.backtest is None
        assert result.backtest_note == "The back-test was left out, so there are no forecasts either."


# --- the forecasts in it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steady():
    """A shop whose customers' chance to come back is known, and its back-test."""
    made = rg.make_orders(3000, 500, seed=0, steady=True)
    orders = rg.read(made.orders)
    cleaned = rg.clean(orders)
    as_of = cleaned.audit.last_day + timedelta(days=1)
    history = look_back_all(orders, cleaned, as_of=as_of, options=PastOptions())
    return made, history, history.test_forecasts()


class TestForecasts:
    def test_chances_come_true_and_rank_as_well_as_the_truth(self, steady):
        made, history, test = steady
        people = history.pasts[0].people.select("customer_id", "bought").to_pandas()
        truth = made.truth.to_pandas().set_index("CustomerID")["chance"]
        own = truth.reindex(people["customer_id"].astype(int)).to_numpy()
        best = roc_auc_score(people["bought"], own)

        check = test.best.windows[0]

        assert check.calibration_error <= 0.05
        assert check.auc >= best - 0.02
        assert check.auc > test.way("recency").windows[0].auc
        assert abs(own.mean() - check.bought / check.customers) < 0.03  # the truth is one

    def test_expected_orders_are_about_those_that_came(self, steady):
        check = steady[2].way("mbg-nbd").windows[0]
        assert check.expected_orders == pytest.approx(check.orders, rel=0.1)
        assert check.expected_revenue == pytest.approx(check.revenue, rel=0.2)

    def test_the_tracking_curve_ends_where_the_orders_do(self, steady):
        _, history, test = steady
        (day, came, expected), past = test.tracking.points[-1], history.pasts[0]
        repeats = past.people.repeat_orders.sum().to_pyarrow().as_py()
        after = past.people.orders_after.sum().to_pyarrow().as_py()
        assert day == past.window.until
        assert came == repeats + after
        assert expected == pytest.approx(came, rel=0.05)

    def test_an_at_risk_list_names_those_who_stay_away(self, steady):
        listed = steady[2].at_risk
        assert 0.2 * listed.worth_keeping <= listed.customers <= 0.3 * listed.worth_keeping
        share = listed.stayed_away / listed.customers
        assert share > 1.2 * listed.worth_keeping_stayed_away / listed.worth_keeping

    def test_chances_that_were_off_by_more_than_five_points_are_warned_of(self, steady, sample_result):
        """The sample shop has its Christmas after the cut, the steady one has no seasons."""
        assert steady[2].warnings == ()
        busy = sample_result.backtest.forecasts
        assert busy.best.windows[0].calibration_error > 0.05
        assert busy.warnings[0].startswith("At the last cut the chances were off by")

    def test_christmas_is_known_from_the_year_before(self):
        made = rg.make_orders(300, 700, seed=3)
        found = rg.value(made.orders, horizon_days=60)
        assert found.test.season.known
        assert found.test.season.at_cut > 1.1  # November and December
        if found.test.season.helped:
            assert found.outlook.season < 1  # January and February


# --- the real file --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uci_past(uci):
    orders = rg.read(uci)
    cleaned = rg.clean(orders)
    return look_back_all(
        orders,
        cleaned,
        as_of=date(2011, 12, 10),
        options=PastOptions(),
        cut=date(2011, 9, 1),
        horizon_days=91,
    )


#: The ten groups by R and F that most notebooks use, as patterns.
BY_R_AND_F = {
    "[12][12]": "hibernating",
    "[12][34]": "at risk",
    "[12]5": "cannot lose",
    "3[12]": "about to sleep",
    "33": "need attention",
    "[34][45]": "loyal",
    "41": "promising",
    "51": "new",
    "[45][23]": "potential loyalists",
    "5[45]": "champions",
}


@pytest.fixture(scope="module")
def uci_known(uci_past):
    return group_past(uci_past.pasts[0], scale="sqrt-log", ks=[4], seed=0, n_jobs=2)


class TestRealFile:
    def test_the_segments_of_september_knew_who_would_buy_by_december(self, uci_known):
        bits = {one.name: one.bits for one in measure_groupings(uci_known, 4, seed=0, n_jobs=2)}

        assert bits["segments"] >= 0.13
        assert bits["segments"] == pytest.approx(0.137, abs=0.01)
        assert bits["rfm_sum"] == pytest.approx(0.145, abs=0.01)
        assert bits["raw"] == pytest.approx(0.064, abs=0.01)

    def test_the_named_groups_by_r_and_f_knew_less_than_the_eleven_by_r_f_and_m(self, uci_known):
        """0.119 was measured with the ten groups by R and F; the 125-code table with M knows more."""
        people = uci_known.people.select("r_score", "f_score", "rfm_group", "bought").to_pandas()
        codes = people["r_score"].astype(str) + people["f_score"].astype(str)
        ten = codes.replace(BY_R_AND_F, regex=True)
        tables = [pd.crosstab(groups, people["bought"]).to_numpy() for groups in (ten, people["rfm_group"])]

        assert m.information_bits(tables[0]) == pytest.approx(0.119, abs=0.01)
        assert m.information_bits(tables[1]) == pytest.approx(0.134, abs=0.01)

    def test_who_would_stay_away_was_told_better_than_by_recency(self, uci_past):
        test = uci_past.test_forecasts()
        check, recency = test.best.windows[0], test.way("recency").windows[0]
        assert check.customers == 3309
        assert check.auc >= 0.73
        assert check.auc > recency.auc + 0.03
