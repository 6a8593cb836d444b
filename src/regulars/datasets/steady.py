"""A steady shop: customers who join at any time, order at their own rate and leave by chance, without seasons.

This is the world that MBG/NBD describes, so every customer's chance to come back can be stated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regulars.datasets.setting import HOURS, MINUTES, OPENS, Floats, Ints, Random, pick

__all__ = ["Visits", "draw_visits"]

#: Rates are gamma distributed (shape, mean days between orders of rate 1), chances to leave after an order beta distributed.
SHAPE, SCALE = 1.2, 60.0
LEAVE, STAY = 0.8, 3.0

MOST_HORIZON = 91


class Visits(NamedTuple):
    """Orders, by customer and time: who (place in `People`) and when; and what is true of each customer.

    `chance` is that of an order in the last quarter of the file (at most 91 days), given the days on which they had ordered
    before it; NaN for those who joined later. `left` says who has left by the end.
    """

    person: Ints
    minute: Ints
    chance: Floats
    left: Ints


def draw_visits(rng: Random, *, days: int, customers: int) -> Visits:
    """When everybody orders, from the day they join to the day they leave, or the end."""
    joined = rng.uniform(0, days, customers)
    rate = rng.gamma(SHAPE, 1 / SCALE, customers)
    leaves = rng.beta(LEAVE, STAY, customers)
    person, moment = [np.arange(customers)], [joined]
    here, now = np.arange(customers), joined
    left = np.zeros(customers, dtype=np.int64)
    while len(here):
        stays = rng.random(len(here)) >= leaves[here]
        left[here[~stays]] = 1
        here, now = here[stays], now[stays]
        now = now + rng.exponential(1 / rate[here])
        here, now = here[now < days], now[now < days]
        person.append(here)
        moment.append(now)
    who, when = np.concatenate(person), np.floor(np.concatenate(moment)).astype(np.int64)
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    minute = when * MINUTES + (OPENS + pick(rng, HOURS, count=len(who))) * 60 + rng.integers(0, 60, len(who))
    return Visits(who, minute, _chances(who, when, days=days, customers=customers), left)


def _chances(who: Ints, when: Ints, *, days: int, customers: int) -> Floats:
    """Chance of an order in the last quarter, by Bayes' rule from the shop's own numbers.

    References
    ----------
    Batislam, Denizel, Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis".
    """
    horizon = min(MOST_HORIZON, days // 4)
    cut = days - horizon
    known = when < cut
    visit = np.unique(np.stack([who[known], when[known]]), axis=1)
    orders = np.bincount(visit[0], minlength=customers)
    first, last = np.full(customers, cut), np.full(customers, 0)
    np.minimum.at(first, visit[0], visit[1])
    np.maximum.at(last, visit[0], visit[1])
    repeats, age, active = orders - 1, cut - first, np.maximum(last - first, 0)
    shape = SHAPE + repeats
    odds = LEAVE / (STAY + repeats) * ((SCALE + age) / (SCALE + active)) ** shape
    chance = (1 - ((SCALE + age) / (SCALE + age + horizon)) ** shape) / (1 + odds)
    return np.where(orders > 0, chance, np.nan)
