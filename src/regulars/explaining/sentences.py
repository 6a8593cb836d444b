"""Why a customer is in their segment and in their group, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from regulars.explaining.places import Number, Place, place
from regulars.explaining.words import full_money, how_many, plainly

if TYPE_CHECKING:
    from regulars.model import SegmentModel
    from regulars.profiling import Profile
    from regulars.scoring import Cut

__all__ = ["describe_place"]

CLEARLY, ONLY_JUST = 0.5, 0.9  # share of the way from the centre to the border with the runner-up


def describe_place(
    model: SegmentModel,
    profile: Profile | None,
    *,
    recency_days: int | None,
    frequency: int | None,
    monetary: Number | None,
    currency: str | None = None,
) -> tuple[str, ...]:
    """Say why a customer is where they are: how near to the border, each measure beside the segment's, and the scores.

    Parameters
    ----------
    model
        The learned numbers.
    profile
        Facts of the customer's segment, for its quartiles; `None` leaves these sentences out.
    recency_days, frequency, monetary
        Days, orders and money of the customer.
    currency
        Code or symbol.

    Examples
    --------
    >>> from datetime import date
    >>> from decimal import Decimal
    >>> import regulars as rg
    >>> from regulars.profiling import Gaps
    >>> model = rg.SegmentModel(
    ...     as_of=date(2024, 3, 1), returns="net", all_products=False, segments=("Loyal", "Rare"),
    ...     scale=rg.fit_scale([[10, 9, 900.0], [40, 1, 100.0]]), centres=((-1.0, 1.0, 1.0), (1.0, -1.0, -1.0)),
    ...     cuts=rg.Cuts(levels=3, recency_days=(60, 20), frequency=(2, 6), monetary=(Decimal(50), Decimal(500))),
    ...     pack=rg.load_pack("klaviyo"), gaps=Gaps(p75=20, p90=40, p95=60, count=99))
    >>> for sentence in describe_place(model, None, recency_days=15, frequency=5, monetary=500, currency="GBP"):
    ...     print(sentence)
    Loyal: 54% of the way from its centre to the border with Rare.
    R 3 (up to 20 days), F 2 (2 to 5 orders), M 3 (from £500) → group Champions: bought lately, often and much.
    """
    customer = {"recency_days": recency_days, "frequency": frequency, "monetary": monetary}
    found = place(model, recency_days=recency_days, frequency=frequency, monetary=monetary)
    sentences = [_nearness(model, found)]
    quartiles = {} if profile is None or found.segment is None else profile.quartiles
    for measure, value in customer.items():
        three = quartiles.get(measure)
        if value is not None and three is not None:
            sentences.append(_beside(measure, value, three, currency))
    if found.group is not None:
        sentences.append(_scored(model, found, currency))
    return tuple(sentences)


def _nearness(model: SegmentModel, found: Place) -> str:
    """How sure the segment is: how far the customer is on the way from its centre to the border with the runner-up."""
    if found.segment_id is None or found.distance is None:
        return "In no segment: a measure is missing, or is one that the segments were not learned for."
    if found.runner_up_id is None or found.runner_up_distance is None:
        return f"{found.segment}: there is no other segment."
    own, other = (np.array(model.centres[i]) for i in (found.segment_id, found.runner_up_id))
    between = float(((own - other) ** 2).sum())
    share = 1 - (found.runner_up_distance**2 - found.distance**2) / between if between else 1.0
    if share <= 0:
        return (
            f"Clearly {found.segment}: on the far side of its centre, away from {found.runner_up}, the second nearest."
        )
    sure = "Clearly " if share < CLEARLY else "Only just " if share >= ONLY_JUST else ""
    return (
        f"{sure}{found.segment}: {int(100 * share)}% of the way from its centre to the border with {found.runner_up}."
    )


def _beside(measure: str, value: Number, quartiles: Sequence[float], currency: str | None) -> str:
    """One measure beside the quartiles of the segment."""
    middle = quartiles[1]
    if measure == "recency_days":
        what, more, less = f"Last order {how_many(float(value), 'day')} ago", "longer ago", "more recent"
        median = how_many(middle, "day")
    elif measure == "frequency":
        what, more, less, median = how_many(float(value), "order"), "more", "fewer", plainly(middle)
    else:
        what, more, less = f"{full_money(value, currency)} spent", "more", "less"
        median = full_money(middle, currency)
    return f"{what}: {_compared(float(value), quartiles, more=more, less=less)} (median {median})."


def _compared(value: float, quartiles: Sequence[float], *, more: str, less: str) -> str:
    low, middle, high = quartiles
    if value == middle:
        return "right in the middle of this segment"
    if low <= value <= high:
        return f"{more if value > middle else less} than half of this segment"
    return f"{more if value > high else less} than three of four in this segment"


def _scored(model: SegmentModel, found: Place, currency: str | None) -> str:
    """The scores with the ranges that they stand for, and the group that they name."""
    scores = {"recency_days": found.r_score, "frequency": found.f_score, "monetary": found.m_score}
    parts = []
    for letter, (measure, score) in zip("RFM", scores.items(), strict=True):
        (low, high), *_ = [ends for number, *ends in model.cuts.ranges(measure) if number == score]
        if measure == "monetary":
            reach = _between_amounts(low, high, currency)
        else:
            reach = _between_counts(low, high, "day" if measure == "recency_days" else "order")
        parts.append(f"{letter} {score} ({reach})")
    why = next(group.why for group in model.pack.groups if group.name == found.group)
    return f"{', '.join(parts)} → group {found.group}{f': {why}' if why else ''}."


def _between_counts(low: Cut, high: Cut, noun: str) -> str:
    """Words for a range of whole numbers, both ends included."""
    if high is None:
        return "any" if low is None else f"from {how_many(low, noun)}"
    lowest = 1 if low is None else low
    start = "" if lowest == high else "up to " if low is None else f"{plainly(low)} to "
    return start + how_many(high, noun)


def _between_amounts(low: Cut, high: Cut, currency: str | None) -> str:
    """Words for a range of money up to, not including, its end."""
    if high is None:
        return "any" if low is None else f"from {full_money(low, currency, exact=True)}"
    start = "" if low is None else f"{full_money(low, currency, exact=True)} to "
    return f"{start}below {full_money(high, currency, exact=True)}"
