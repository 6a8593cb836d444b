"""Make the pictures of the README from the sample shop: ``python examples/make_assets.py``."""

import shutil
import tempfile
from pathlib import Path

import regulars as rg
from regulars.writing import write_orders

ASSETS = Path(__file__).parents[1] / "assets"
SHOWN = (
    "rfm_distribution",
    "customer_clusters",
    "elbow_method",
    "silhouette_score",
    "spending_patterns",
    "segment_outcomes",
)

with tempfile.TemporaryDirectory() as folder:
    result = rg.segment(write_orders(rg.make_orders().orders, Path(folder) / "sample_shop.csv"))
    print(result)
    for path in rg.draw_figures(result, Path(folder) / "figures", formats=("png",), dpi=96):
        if path.stem in SHOWN:
            shutil.copy(path, ASSETS)
            print(f"assets/{path.name}: {path.stat().st_size / 1000:.0f} kB")
