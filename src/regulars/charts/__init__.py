"""Interactive charts of a segmentation, with Plotly. They read facts and compute nothing but sums of these.

Each function takes a `Segmentation` (`movement`: a `Movement`) and gives a `plotly.graph_objects.Figure`.
What a chart shows is also there in words (`figure.layout.meta["alt"]`) and as a table (`figure.layout.meta["columns"]` and
`["rows"]`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from regulars.charts.choice import choice_of_k, silhouette_knives
from regulars.charts.customers import customer_map, customer_map_3d, revenue_concentration, rfm_distributions
from regulars.charts.groups import crosswalk, group_treemap, rfm_grid
from regulars.charts.look import CONFIG
from regulars.charts.movement import movement
from regulars.charts.outcomes import gain_curves, segment_outcomes
from regulars.charts.prospects import calibration, order_tracking, revenue_at_risk
from regulars.charts.segments import segment_profiles, segment_shares, segment_trend
from regulars.charts.spending import (
    audit_waterfall,
    cohort_retention,
    countries,
    country_map,
    order_sizes,
    weekday_hours,
)

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

__all__ = [
    "CHARTS",
    "CONFIG",
    "audit_waterfall",
    "calibration",
    "choice_of_k",
    "cohort_retention",
    "countries",
    "country_map",
    "crosswalk",
    "customer_map",
    "customer_map_3d",
    "drawable",
    "gain_curves",
    "group_treemap",
    "movement",
    "order_sizes",
    "order_tracking",
    "revenue_at_risk",
    "revenue_concentration",
    "rfm_distributions",
    "rfm_grid",
    "segment_outcomes",
    "segment_profiles",
    "segment_shares",
    "segment_trend",
    "silhouette_knives",
    "weekday_hours",
]

#: Name → function that draws it, in the order of the report.
CHARTS: dict[str, Callable[[Segmentation], go.Figure]] = {
    draw.__name__: draw
    for draw in (
        segment_shares,
        segment_trend,
        customer_map,
        customer_map_3d,
        segment_profiles,
        segment_outcomes,
        gain_curves,
        calibration,
        order_tracking,
        revenue_at_risk,
        rfm_grid,
        group_treemap,
        crosswalk,
        revenue_concentration,
        rfm_distributions,
        cohort_retention,
        weekday_hours,
        order_sizes,
        countries,
        country_map,
        choice_of_k,
        silhouette_knives,
        audit_waterfall,
    )
}

#: Chart → the fact that not every run has.
_NEEDS = {
    "segment_outcomes": "backtest",
    "gain_curves": "backtest",
    "calibration": "backtest",
    "order_tracking": "backtest",
    "revenue_at_risk": "outlook",
}


def drawable(result: Segmentation) -> dict[str, Callable[[Segmentation], go.Figure]]:
    """Those of `CHARTS` whose facts a run has: without a back-test, there is nothing to say about what comes next."""
    lacking = {name for name, fact in _NEEDS.items() if getattr(result, fact) is None}
    return {name: draw for name, draw in CHARTS.items() if name not in lacking}
