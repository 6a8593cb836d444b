"""What a campaign changed: published intervals, sizes worked out by hand, and campaigns whose effect is known."""

import math

import numpy as np
import pytest

from regulars.uplift import (
    control_needed,
    design_effect,
    measure_uplift,
    money_interval,
    share_interval,
    smallest_effect,
    uplift_interval,
)

RUNS = 400


class TestIntervals:
    @pytest.mark.parametrize(
        ("buyers", "customers", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_of_a_share_as_published(self, buyers, customers, low, high):
        """Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3."""
        assert share_interval(buyers, customers) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize(
        ("one", "other", "low", "high"),
        [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ],
    )
    def test_of_a_difference_as_published(self, one, other, low, high):
        """Newcombe (1998), Interval estimation for the difference between independent proportions, table II, method 10."""
        assert uplift_interval(one, other) == pytest.approx((low, high), abs=1e-4)

    def test_strata_that_tell_who_buys_make_it_narrower(self):
        wide = uplift_interval((20, 100), (10, 100))
        narrow = uplift_interval((20, 100), (10, 100), effect=0.5)

        assert wide[0] < narrow[0] < 0.1 < narrow[1] < wide[1]

    def test_of_money_of_many_is_that_of_the_normal_distribution(self):
        generator = np.random.default_rng(0)
        one, other = generator.normal(12, 3, 4000), generator.normal(10, 3, 1000)
        error = math.sqrt(one.var() / 4000 + other.var() / 1000)
        difference = one.mean() - other.mean()

        low, high = money_interval(one, other, seed=1)
        assert (low, high) == pytest.approx((difference - 1.96 * error, difference + 1.96 * error), abs=0.1 * error)
        assert money_interval(one, other, seed=1) == (low, high)


class TestDesignEffect:
    def test_is_the_part_of_the_variance_within_strata(self):
        bought = np.arange(2000) % 1000 < np.repeat([100, 500], 1000)  # shares of 0.1 and 0.5, in all 0.3

        found = design_effect(bought, np.repeat([0, 1], 1000))
        assert found == pytest.approx((0.09 + 0.25) / 2 / 0.21 * 1000 / 999)

    @pytest.mark.parametrize("bought", [np.zeros(10, bool), np.ones(10, bool), np.arange(10) % 2 == 0])
    def test_is_one_where_strata_tell_nothing(self, bought):
        assert design_effect(bought, np.zeros(10, int)) == 1.0
        assert design_effect(bought, np.arange(10)) == 1.0


class TestSizes:
    def test_of_the_smallest_effect_by_hand(self):
        """Half of 1,000 held out, 10 % buy anyway: at a rise d both sides of Fleiss' condition are equal."""
        rise = smallest_effect(500, 500, share=0.1)

        mean, other = 0.1 + rise / 2, 0.1 + rise
        chance = 1.959964 * math.sqrt(2 * mean * (1 - mean) / 500)
        spread = 0.841621 * math.sqrt((other * (1 - other) + 0.1 * 0.9) / 500)
        assert rise == pytest.approx(chance + spread, abs=1e-6)

    def test_such_an_effect_is_seen_in_four_of_five_campaigns(self):
        treated, control, share = 1800, 450, 0.15
        rise = smallest_effect(treated, control, share=share)
        generator = np.random.default_rng(7)

        seen = 0
        for _ in range(1000):
            found = (generator.binomial(treated, share + rise), treated), (generator.binomial(control, share), control)
            seen += uplift_interval(*found)[0] > 0
        assert 0.76 <= seen / 1000 <= 0.84

    def test_as_many_are_needed_as_show_the_effect(self):
        needed = control_needed(5000, share=0.2, rise=0.05)

        assert smallest_effect(5000 - needed, needed, share=0.2) <= 0.05
        assert smallest_effect(5000 - needed + 1, needed - 1, share=0.2) > 0.05

    @pytest.mark.parametrize(("customers", "share", "rise"), [(100, 0.2, 0.01), (1, 0.2, 0.5), (1000, 0.99, 0.05)])
    def test_what_cannot_be_seen_is_none(self, customers, share, rise):
        assert control_needed(customers, share=share, rise=rise) is None

    def test_nobody_held_out_shows_nothing(self):
        assert smallest_effect(100, 0, share=0.1) is None
        assert smallest_effect(3, 3, share=0.9) is None


def campaign(generator, *, size, holdout, shares, rise, spread=0.6):
    """Customers of equally many in each stratum, so many of each held out, with a known chance to buy; their baskets."""
    strata = np.repeat(np.arange(len(shares)), size // len(shares))
    place = np.concatenate([generator.permutation(size // len(shares)) for _ in shares])
    held = place < round(holdout * size / len(shares))
    chance = np.asarray(shares)[strata] + np.where(held, 0, rise)
    bought = generator.random(len(strata)) < chance
    revenue = np.where(bought, np.exp(generator.normal(3.5, spread, len(strata))), 0.0)
    return ~held, bought, revenue, strata


CAMPAIGNS = [
    (1, 4000, 0.1, [0.2], 0.05),
    (2, 4000, 0.1, [0.05, 0.1, 0.2, 0.5], 0.03),
    (3, 2000, 0.5, [0.1, 0.15, 0.2, 0.3], 0.04),
    (4, 4000, 0.2, [0.02, 0.05, 0.3, 0.7], 0.02),
    (5, 4000, 0.2, [0.05, 0.1], 0.0),
    (6, 4000, 0.25, [0.3, 0.4, 0.5, 0.6], -0.05),
]


class TestKnownCampaigns:
    """With an effect that is known, 95 % intervals hold it in 93 to 97 % of the campaigns."""

    def test_the_interval_of_the_share_holds_it_in_400_campaigns(self):
        generator, held = np.random.default_rng(0), 0
        for run in range(RUNS):
            _, size, holdout, shares, rise = CAMPAIGNS[run % len(CAMPAIGNS)]
            found = measure_uplift(*campaign(generator, size=size, holdout=holdout, shares=shares, rise=rise), draws=2)
            held += found.low <= rise <= found.high
        assert 0.93 <= held / RUNS <= 0.97

    @pytest.mark.parametrize(("seed", "size", "holdout", "shares", "rise"), CAMPAIGNS)
    def test_whatever_the_shop_is_like(self, seed, size, holdout, shares, rise):
        """1,600 campaigns each: of 400, chance alone leaves these bounds in one of fifteen."""
        generator, held, runs = np.random.default_rng(seed), 0, 4 * RUNS
        for _ in range(runs):
            treated, bought, _, strata = campaign(generator, size=size, holdout=holdout, shares=shares, rise=rise)
            arms = [(int(bought[side].sum()), int(side.sum())) for side in (treated, ~treated)]
            low, high = uplift_interval(*arms, effect=design_effect(bought, strata))
            held += low <= rise <= high
        assert 0.93 <= held / runs <= 0.97

    def test_the_interval_of_the_revenue_holds_it(self):
        generator, held = np.random.default_rng(11), 0
        size, holdout, rise, spread = 1000, 0.5, 0.05, 0.6
        truth = rise * math.exp(3.5 + spread**2 / 2) * size * (1 - holdout)
        for run in range(RUNS):
            drawn = campaign(generator, size=size, holdout=holdout, shares=[0.2], rise=rise, spread=spread)
            found = measure_uplift(*drawn, draws=300, seed=run)
            held += found.revenue_low <= truth <= found.revenue_high
        assert 0.93 <= held / RUNS <= 0.97

    def test_a_campaign_without_effect_is_seldom_told_to_have_one(self):
        generator, told = np.random.default_rng(12), 0
        for _ in range(RUNS):
            found = measure_uplift(*campaign(generator, size=2000, holdout=0.2, shares=[0.1], rise=0), draws=2)
            told += not found.low <= 0 <= found.high
        assert told / RUNS <= 0.07


class TestMeasured:
    def test_counts_and_means_by_hand(self):
        treated = np.repeat([True, False], [900, 100])
        bought = np.concatenate([np.arange(900) < 180, np.arange(100) < 10])
        found = measure_uplift(treated, bought, np.where(bought, 50.0, 0.0), np.zeros(1000, dtype=int))

        assert (found.treated.buyers, found.treated.share, found.treated.revenue_per_customer) == (180, 0.2, 10.0)
        assert (found.control.buyers, found.control.share, found.control.revenue_per_customer) == (10, 0.1, 5.0)
        assert (found.difference, found.extra_buyers, found.extra_revenue) == pytest.approx((0.1, 90, 4500))

    def test_too_few_buyers_say_nothing_about_money(self):
        treated = np.repeat([True, False], [900, 100])
        bought = np.arange(1000) % 100 == 0

        found = measure_uplift(treated, bought, bought * 50.0, np.zeros(1000, dtype=int))
        assert (found.revenue_low, found.revenue_high) == (None, None)
