"""Raw order lines to customer segments that a shop can act on.

In one line: `segment` (→ `Segmentation`); then `write_run` for a folder with everything in it.

Step by step: `read` (→ `Orders`) → `clean` (→ `Cleaned` with its `Audit`) → `build_features` → `learn_cuts`, `score` →
`AutoKMeans` → `SegmentModel`. Beside it: `backtest` (→ `Backtest`), `value` (→ `Valuation`), `build_histories` →
`CustomerValue`. Who moved: `compare`, `compare_runs` (→ `Movement`). Rules of your own: `Rule`. Rule packs:
`load_pack`. Later: `load_model`, `assign`.

What leaves: `build_audience` (→ `Audience`), `write_audience`; after the campaign `load_record`, `measure_campaign`
(→ `Measured`). Into a database: `write_table_to`; the model as SQL of another engine: `to_sql`.

To play with: `make_orders`, a made-up shop with known segments and known dirt.

Names are loaded when they are first used, so that ``import regulars`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("regulars")

_HOMES = {
    "Assignment": "pipeline",
    "Audience": "audiences",
    "Audit": "cleaning",
    "AutoKMeans": "clustering",
    "Backtest": "backtesting",
    "Cleaned": "cleaning",
    "Columns": "schema",
    "CustomerValue": "valuing",
    "Cuts": "scoring",
    "Measured": "audiences",
    "Movement": "comparing",
    "Options": "pipeline",
    "Orders": "reading",
    "Record": "audiences",
    "RegularsError": "errors",
    "Rule": "cleaning",
    "RulePack": "scoring",
    "SegmentModel": "model",
    "Segmentation": "pipeline",
    "Valuation": "pipeline",
    "assign": "pipeline",
    "backtest": "pipeline",
    "build_audience": "audiences",
    "build_features": "features",
    "build_histories": "features",
    "build_rfm": "features",
    "clean": "cleaning",
    "compare": "comparing",
    "compare_runs": "comparing",
    "customer_card": "cards",
    "draw_figures": "figures",
    "fit_scale": "clustering",
    "learn_cuts": "scoring",
    "load_model": "model",
    "load_pack": "scoring",
    "load_record": "audiences",
    "make_orders": "datasets",
    "measure_campaign": "audiences",
    "open_run": "runs",
    "read": "reading",
    "score": "scoring",
    "segment": "pipeline",
    "to_sql": "dialects",
    "value": "pipeline",
    "write_audience": "audiences",
    "write_movement": "movements",
    "write_report": "reporting",
    "write_run": "writing",
    "write_table_to": "databasing",
    "write_valuation": "writing",
    "write_workbook": "workbook",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'regulars' has no attribute {name!r}")
    return getattr(import_module(f"regulars.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
