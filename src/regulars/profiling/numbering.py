"""Numbers and names of segments, from the customers that carry the numbers of the clustering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ibis.expr.types as ir

from regulars.profiling.segments import Action, Gaps, Segment, name_segments, profile_segments

__all__ = ["number_segments"]


def number_segments(
    labelled: ir.Table, gaps: Gaps, *, actions: Mapping[tuple[str, str], Action] | None = None
) -> tuple[tuple[Segment, ...], tuple[int, ...]]:
    """Describe the segments, number them by value, best first, and name them; the queries of `profile_segments`.

    Parameters
    ----------
    labelled
        Customers with `segment_id`, `rfm_group` and `value_percentile`.
    gaps
        The shop's rhythm.
    actions
        From `load_actions`.

    Returns
    -------
    tuple
        The segments under their new numbers, and the number that each of them had before.

    Examples
    --------
    >>> import regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=600, seed=1).orders, k=3, backtest=False)
    >>> people = result.customers
    >>> segments, before = number_segments(people.mutate(segment_id=2 - people.segment_id), result.gaps)
    >>> before
    (2, 1, 0)
    >>> segments == result.segments
    True
    """
    best_first = sorted(profile_segments(labelled, gaps), key=lambda profile: (-profile.value_percentile, profile.id))
    numbered = [replace(profile, id=number) for number, profile in enumerate(best_first)]
    return name_segments(numbered, gaps, actions=actions), tuple(profile.id for profile in best_first)
