"""Make the five pictures of the README from the sample shop: ``python examples/make_assets.py``."""

import tempfile
from pathlib import Path

import regulars as rg
from regulars.writing import write_orders

ASSETS = Path(__file__).parents[1] / "assets"

with tempfile.TemporaryDirectory() as folder:
    result = rg.segment(write_orders(rg.make_orders().orders, Path(folder) / "sample_shop.csv"))
print(result)
for path in rg.draw_figures(result, ASSETS, formats=("png",), dpi=96):
    print(f"{path.relative_to(ASSETS.parent)}: {path.stat().st_size / 1000:.0f} kB")
