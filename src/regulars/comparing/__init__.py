"""Who moved between two dates or two runs, in people and money, and why: the customer changed, or the borders did."""

from regulars.comparing.facts import BECAUSE, DIRECTIONS, GROUPINGS, Flow, Moment, Movement, Moves, Node, Sums
from regulars.comparing.movement import CUTS, compare, compare_runs

__all__ = [
    "BECAUSE",
    "CUTS",
    "DIRECTIONS",
    "GROUPINGS",
    "Flow",
    "Moment",
    "Movement",
    "Moves",
    "Node",
    "Sums",
    "compare",
    "compare_runs",
]
