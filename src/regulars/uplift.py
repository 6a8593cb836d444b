"""What a campaign changed: those who got it against those who were held out. Arrays in, numbers out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

__all__ = [
    "Arm",
    "Uplift",
    "control_needed",
    "design_effect",
    "measure_uplift",
    "money_interval",
    "share_interval",
    "smallest_effect",
    "uplift_interval",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

LEVEL = 0.95  # of intervals; a test at 5 %, two-sided
POWER = 0.80
FEW = 20  # customers of an arm who bought, or who did not: fewer say nothing about money
DRAWS = 2000  # of the bootstrap
_CHUNK = 2_000_000  # numbers that are drawn at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side of a campaign.

    Parameters
    ----------
    customers, buyers
        How many there are, and how many of them bought.
    share, share_low, share_high
        Buyers by customers, with its 95 % interval (Wilson).
    revenue_per_customer
        Mean over all of them, also those who did not buy.
    """

    customers: int
    buyers: int
    share: float
    share_low: float
    share_high: float
    revenue_per_customer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplift:
    """What a campaign changed, with 95 % intervals.

    Parameters
    ----------
    treated, control
        Those who got it, and those who were held out.
    difference, low, high
        Share of buyers with the campaign less that without.
    extra_buyers
        The difference, for all who got it.
    extra_revenue, revenue_low, revenue_high
        Revenue per customer with the campaign less that without, for all who got it; the interval is `None` where too few
        bought to tell.
    smallest
        The smallest difference of shares that groups of this size show in four of five campaigns; `None` where there is
        none.
    """

    treated: Arm
    control: Arm
    difference: float
    low: float
    high: float
    extra_buyers: float
    extra_revenue: float
    revenue_low: float | None
    revenue_high: float | None
    smallest: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure_uplift(
    treated: Flags, bought: Flags, revenue: Floats, strata: Counts, *, seed: int = 0, draws: int = DRAWS
) -> Uplift:
    """Compare those who got a campaign with those who were held out.

    Parameters
    ----------
    treated
        Shape (customers,): who got it.
    bought, revenue
        Who bought, and for how much.
    strata
        Number of the stratum within which each was drawn for the control group, from 0. Chance put no more of one stratum
        into one arm than of another, so what the strata differ by is no noise: intervals leave it out.
    seed, draws
        Seed and number of the draws of the bootstrap.

    Returns
    -------
    Uplift

    Examples
    --------
    >>> treated = np.repeat([True, False], [900, 100])
    >>> bought = np.concatenate([np.arange(900) < 180, np.arange(100) < 10])
    >>> found = measure_uplift(treated, bought, np.where(bought, 50.0, 0.0), np.zeros(1000, dtype=int))
    >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4), found.extra_revenue
    (0.1, 0.0216, 0.1525, 4500.0)
    """
    effect = design_effect(bought, strata)
    arms = [_arm(bought[side], revenue[side]) for side in (treated, ~treated)]
    given, held = arms
    low, high = uplift_interval((given.buyers, given.customers), (held.buyers, held.customers), effect=effect)
    money_low = money_high = None
    if all(min(arm.buyers, arm.customers - arm.buyers) >= FEW for arm in arms):
        spread = revenue - _means(revenue, strata) + revenue.mean()
        shift = given.revenue_per_customer - held.revenue_per_customer
        shift -= float(spread[treated].mean() - spread[~treated].mean())
        ends = money_interval(spread[treated], spread[~treated], seed=seed, draws=draws)
        money_low, money_high = ((end + shift) * given.customers for end in ends)
    difference = given.share - held.share
    return Uplift(
        treated=given,
        control=held,
        difference=difference,
        low=low,
        high=high,
        extra_buyers=difference * given.customers,
        extra_revenue=(given.revenue_per_customer - held.revenue_per_customer) * given.customers,
        revenue_low=money_low,
        revenue_high=money_high,
        smallest=smallest_effect(given.customers, held.customers, share=held.share),
    )


def share_interval(buyers: float, customers: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a share by the score test (Wilson).

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    Examples
    --------
    >>> [round(end, 4) for end in share_interval(15, 148)]
    [0.0624, 0.1605]
    """
    z = float(norm.isf((1 - level) / 2))
    share = buyers / customers
    middle = share + z**2 / (2 * customers)
    width = z * math.sqrt(share * (1 - share) / customers + z**2 / (4 * customers**2))
    scale = 1 + z**2 / customers
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)


def uplift_interval(
    treated: tuple[int, int], control: tuple[int, int], *, effect: float = 1.0, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of a difference of two shares, from the Wilson intervals of both (Newcombe's tenth method).

    Parameters
    ----------
    treated, control
        Buyers and customers of each.
    effect
        From `design_effect`: each arm then counts as customers ÷ effect.

    References
    ----------
    Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10. Effective numbers
    in Wilson's interval: Franco, Little, Louis, Slud (2019), "Comparative study of confidence intervals for proportions in
    complex sample surveys".

    Examples
    --------
    >>> [round(end, 4) for end in uplift_interval((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    (one, low_one, high_one), (other, low_other, high_other) = (
        (buyers / people, *share_interval(buyers / effect, people / effect, level=level))
        for buyers, people in (treated, control)
    )
    difference = one - other
    return (
        difference - math.hypot(one - low_one, high_other - other),
        difference + math.hypot(high_one - one, other - low_other),
    )


def design_effect(bought: Flags, strata: Counts) -> float:
    """Part of the variance of buying that is within strata: at most 1, where strata do not tell who buys.

    Examples
    --------
    Two strata of 50, one with 10 buyers and one with 40: within them 0.16, in all 0.25.

    >>> round(design_effect(np.arange(100) % 50 < np.repeat([10, 40], 50), np.repeat([0, 1], 50)), 2)
    0.65
    """
    share = float(bought.mean())
    sizes = np.bincount(strata)
    buyers = np.bincount(strata, weights=bought.astype(float), minlength=len(sizes))
    many = sizes > 1
    n, shares = sizes[many], buyers[many] / sizes[many]
    if not 0 < share < 1 or not n.sum():
        return 1.0
    within = float((n * shares * (1 - shares) * n / (n - 1)).sum() / n.sum())
    return min(within / (share * (1 - share)), 1.0) or 1.0


def money_interval(
    treated: Floats, control: Floats, *, seed: int, draws: int = DRAWS, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of a difference of two means by the bootstrap, each draw measured by its own standard error (bootstrap-t).

    Parameters
    ----------
    treated, control
        One number per customer.
    seed, draws, level
        Seed and number of the draws; what share of them the interval holds.

    References
    ----------
    Efron, Tibshirani (1993), "An introduction to the bootstrap", chapter 12: few customers with large orders pull the mean,
    which the plain percentile interval does not follow.
    """
    generator = np.random.default_rng(seed)
    (mean, variance), (other, other_variance) = (
        (values.mean(), values.var() / len(values)) for values in (treated, control)
    )
    difference, error = float(mean - other), float(np.sqrt(variance + other_variance))
    means, variances = _drawn(treated, generator, draws)
    others, other_variances = _drawn(control, generator, draws)
    errors = np.sqrt(variances + other_variances)
    kept = errors > 0
    if not kept.any():
        return difference, difference
    pulls = (means[kept] - others[kept] - difference) / errors[kept]
    tail = (1 - level) / 2
    low, high = np.quantile(pulls, [tail, 1 - tail], method="inverted_cdf")
    return difference - float(high) * error, difference - float(low) * error


def smallest_effect(treated: int, control: int, *, share: float, power: float = POWER) -> float | None:
    """Find the smallest rise of a share that a test at 5 % sees with a given power; `None` where no rise is enough.

    Parameters
    ----------
    treated, control
        Customers in each arm.
    share
        Who buys without the campaign.

    References
    ----------
    Fleiss, Levin, Paik (2003), "Statistical methods for rates and proportions", section 4.2.

    Examples
    --------
    Held out 500 of 1,000 of whom one in ten buys anyway:

    >>> round(smallest_effect(500, 500, share=0.1), 4)
    0.0595
    """
    if min(treated, control) < 1 or share >= 1:
        return None
    most = 1 - share
    if _shortfall(most, treated=treated, control=control, share=share, power=power) < 0:
        return None
    return float(
        brentq(lambda rise: _shortfall(rise, treated=treated, control=control, share=share, power=power), 0, most)
    )


def control_needed(customers: int, *, share: float, rise: float, power: float = POWER) -> int | None:
    """Find how many of an audience must be held out to see a rise of its share; `None` where half of it is not enough.

    Examples
    --------
    >>> control_needed(10_000, share=0.1, rise=0.03), control_needed(10_000, share=0.1, rise=0.01)
    (1021, None)
    """

    def enough(control: int) -> bool:
        treated = customers - control
        return _shortfall(rise, treated=treated, control=control, share=share, power=power) >= 0

    low, high = 0, customers // 2
    if share + rise > 1 or high < 1 or not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _shortfall(rise: float, *, treated: int, control: int, share: float, power: float) -> float:
    """By how much a rise is above (or, negative, below) what is needed to be seen."""
    other = share + rise
    mean = (treated * other + control * share) / (treated + control)
    chance = float(norm.isf((1 - LEVEL) / 2)) * math.sqrt(mean * (1 - mean) * (1 / treated + 1 / control))
    spread = math.sqrt(other * max(1 - other, 0.0) / treated + share * (1 - share) / control)
    return rise - chance - float(norm.ppf(power)) * spread


def _arm(bought: Flags, revenue: Floats) -> Arm:
    customers, buyers = len(bought), int(bought.sum())
    low, high = share_interval(buyers, customers)
    return Arm(
        customers=customers,
        buyers=buyers,
        share=buyers / customers,
        share_low=low,
        share_high=high,
        revenue_per_customer=float(revenue.mean()),
    )


def _means(values: Floats, strata: Counts) -> Floats:
    """Mean of the stratum of each."""
    sizes = np.bincount(strata)
    means: Floats = (np.bincount(strata, weights=values) / np.maximum(sizes, 1))[strata]
    return means


def _drawn(values: Floats, generator: np.random.Generator, draws: int) -> tuple[Floats, Floats]:
    """Draw as many customers again and again: the mean of each draw and the variance of that mean."""
    different, counts = np.unique(values.round(6), return_counts=True)
    n = len(values)
    at_a_time = max(_CHUNK // len(different), 1)
    means, variances = [], []
    for first in range(0, draws, at_a_time):
        drawn = generator.multinomial(n, counts / n, size=min(at_a_time, draws - first))
        mean = drawn @ different / n
        means.append(mean)
        variances.append(np.maximum(drawn @ different**2 / n - mean**2, 0) / n)
    return np.concatenate(means), np.concatenate(variances)
