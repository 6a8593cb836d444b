"""Lists that leave: audiences for marketing tools, their control groups, and what a campaign changed."""

from regulars.audiences.building import TOOLS, Audience, build_audience
from regulars.audiences.measuring import Measured, measure_campaign
from regulars.audiences.recording import Record, load_record, write_audience

__all__ = [
    "TOOLS",
    "Audience",
    "Measured",
    "Record",
    "build_audience",
    "load_record",
    "measure_campaign",
    "write_audience",
]
