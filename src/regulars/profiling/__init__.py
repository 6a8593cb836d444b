"""What the segments are: facts, names from facts, reasons, one action each; who stands out; how the shop sells."""

from regulars.profiling.cells import Base, Cell, count_cells, describe_base, measure_concentration
from regulars.profiling.notable import Notable, Person, at_risk_customers, high_value_customers
from regulars.profiling.segments import (
    Action,
    Gaps,
    Profile,
    Segment,
    load_actions,
    measure_gaps,
    name_segments,
    profile_segments,
    with_value_percentile,
)
from regulars.profiling.spending import Spending, describe_spending

__all__ = [
    "Action",
    "Base",
    "Cell",
    "Gaps",
    "Notable",
    "Person",
    "Profile",
    "Segment",
    "Spending",
    "at_risk_customers",
    "count_cells",
    "describe_base",
    "describe_spending",
    "high_value_customers",
    "load_actions",
    "measure_concentration",
    "measure_gaps",
    "name_segments",
    "profile_segments",
    "with_value_percentile",
]
