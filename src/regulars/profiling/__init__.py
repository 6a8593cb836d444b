"""What the segments are: facts, names from facts, reasons, one action each; who stands out; how the shop sells."""

from regulars.profiling.cells import Base, Cell, count_cells, describe_base, measure_concentration
from regulars.profiling.notable import (
    WORTH_KEEPING,
    Notable,
    Person,
    at_risk,
    at_risk_customers,
    at_risk_limit,
    high_value_customers,
)
from regulars.profiling.outlook import Outlook, SegmentOutlook, describe_outlook
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
    "WORTH_KEEPING",
    "Action",
    "Base",
    "Cell",
    "Gaps",
    "Notable",
    "Outlook",
    "Person",
    "Profile",
    "Segment",
    "SegmentOutlook",
    "Spending",
    "at_risk",
    "at_risk_customers",
    "at_risk_limit",
    "count_cells",
    "describe_base",
    "describe_outlook",
    "describe_spending",
    "high_value_customers",
    "load_actions",
    "measure_concentration",
    "measure_gaps",
    "name_segments",
    "profile_segments",
    "with_value_percentile",
]
