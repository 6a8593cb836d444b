"""The truth from outside: the same questions answered with pandas and numpy, row by row, as a person would.

Nothing here imports `regulars`. Slow and plain on purpose.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd


def take_back(lines: pd.DataFrame, *, by: Sequence[str]) -> list[int]:
    """What is left of each line after returns took purchases back: a pile per group, the last purchase on top.

    Parameters
    ----------
    lines
        `q` (signed: a return is negative), `price`, `ordered_at`, `order_id` and the columns of `by`.
    by
        Whose returns meet whose purchases: customer, or customer and product.

    Returns
    -------
    list
        Per line, of a purchase what is kept, of a return what found no purchase (zero or negative).
    """
    rows = lines.to_dict("records")
    left = [row["q"] for row in rows]
    for keys in ([*by, "price"], list(by)):  # at the same price first, then at any
        piles: dict[tuple, list[int]] = {}
        was = list(left)
        in_time = sorted(
            range(len(rows)),
            key=lambda i: (
                rows[i]["ordered_at"],
                was[i] < 0,
                rows[i]["order_id"],
                abs(was[i]),
                rows[i]["price"],
                rows[i]["q"],  # as it was ordered
            ),
        )
        for i in in_time:
            pile = piles.setdefault(tuple(rows[i][key] for key in keys), [])
            if left[i] > 0:
                pile.append(i)
            while left[i] < 0 and pile:
                back = min(-left[i], left[pile[-1]])
                left[i] += back
                left[pile[-1]] -= back
                if left[pile[-1]] == 0:
                    pile.pop()
    return left


def features(lines: pd.DataFrame, *, as_of: date) -> pd.DataFrame:
    """One row per customer, as `schema.CUSTOMERS` without `return_rate`, counted customer by customer."""
    found = {}
    for customer, own in lines[lines["ordered_at"] < pd.Timestamp(as_of)].groupby("customer_id"):
        days = sorted({moment.date() for moment in own["ordered_at"]})
        gaps = [(later - earlier).days for earlier, later in pairwise(days)]
        money = own["amount"].sum()
        # an order has one country, the first by name
        spent = (
            own.assign(country=own.groupby("order_id")["country"].transform("min")).groupby("country")["amount"].sum()
        )
        found[customer] = {
            "first_order": days[0],
            "last_order": days[-1],
            "recency_days": (as_of - days[-1]).days,
            "frequency": own["order_id"].nunique(),
            "monetary": money,
            "tenure_days": (as_of - days[0]).days,
            "avg_order_value": float(money) / own["order_id"].nunique(),
            "median_gap_days": float(np.median(gaps)) if gaps else None,
            "products": own["product_id"].nunique(),
            "country": min(spent[spent == spent.max()].index),
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("customer_id").sort_index()


def scores(values: Sequence[int], *, levels: int = 5, smaller_is_better: bool = False) -> list[int]:
    """floor(levels × share of strictly worse values) + 1, counted value by value in whole numbers."""
    worse = [sum(other > own if smaller_is_better else other < own for other in values) for own in values]
    return [levels * count // len(values) + 1 for count in worse]


def below_the_chord(ks: Sequence[int], inertias: Sequence[float]) -> np.ndarray:
    """How far each point lies below the line from the first to the last, both axes from 0 to 1, at a right angle."""
    x = (np.array(ks) - ks[0]) / (ks[-1] - ks[0])
    y = (np.array(inertias) - inertias[-1]) / (inertias[0] - inertias[-1])
    return (1 - x - y) / np.sqrt(2)


def nearest_two(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest centre of each point, its distance, and the second nearest."""
    away = np.sqrt(((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2))
    order = away.argsort(axis=1, kind="stable")
    return order[:, 0], away.min(axis=1), order[:, 1] if len(centres) > 1 else order[:, 0]


def quantile_of_counts(counts: dict[int, int], percent: int) -> int:
    """Smallest value that at least `percent` % of the counted values do not exceed, by writing all of them out."""
    everything = sorted(value for value, times in counts.items() for _ in range(times))
    return next(v for v in everything if 100 * sum(other <= v for other in everything) >= percent * len(everything))


def mid_percentile(values: Sequence[float]) -> np.ndarray:
    """Share below plus half of the share that is equal."""
    given = np.asarray(values)
    return np.array([(given < own).mean() / 2 + (given <= own).mean() / 2 for own in given])
