"""The corridor: order lines in, every fact about the segments out; and beside it, back-test and value."""

from regulars.pipeline.beside import backtest, value
from regulars.pipeline.corridor import READING_OPTIONS, assign, segment
from regulars.pipeline.facts import Assignment, Options, Sample, Segmentation, Valuation

__all__ = [
    "READING_OPTIONS",
    "Assignment",
    "Options",
    "Sample",
    "Segmentation",
    "Valuation",
    "assign",
    "backtest",
    "segment",
    "value",
]
