"""Customers who live as a model tells it, order by order: an oracle that shares nothing with the code under test."""

from typing import NamedTuple

import numpy as np


class Customers(NamedTuple):
    """Histories, and what came in the horizon after them."""

    repeats: np.ndarray
    active: np.ndarray
    age: np.ndarray
    later: np.ndarray

    @property
    def X(self) -> np.ndarray:
        return np.column_stack([self.repeats, self.active, self.age])


def live(kind: str, params: tuple[float, ...], *, customers: int, horizon: float, seed: int) -> Customers:
    """Let customers live as a model tells it, order by order."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, 400, customers).astype(float)
    rate = rng.gamma(params[0], 1 / params[1], customers)
    if kind == "pareto-nbd":
        leaves_at = rng.exponential(1 / rng.gamma(params[2], 1 / params[3], customers))
        chance = np.zeros(customers)
    else:
        chance = rng.beta(params[2], params[3], customers)
        leaves_at = np.where((kind == "mbg-nbd") & (rng.random(customers) < chance), 0.0, np.inf)
    now, active = np.zeros(customers), np.zeros(customers)
    repeats, later = np.zeros(customers), np.zeros(customers)
    while True:
        now = now + rng.exponential(1 / rate)
        ordered = (now < leaves_at) & (now <= age + horizon)
        if not ordered.any():
            return Customers(repeats, active, age, later)
        past = ordered & (now <= age)
        repeats[past] += 1
        active[past] = now[past]
        later[ordered & ~past] += 1
        left = ordered & (rng.random(customers) < chance)
        leaves_at[left] = now[left]
