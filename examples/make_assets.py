"""Make the five pictures of the README from the sample shop: ``python examples/make_assets.py``."""

from pathlib import Path

import regulars as rg

ASSETS = Path(__file__).parents[1] / "assets"

result = rg.segment(rg.make_orders().orders)
print(result)
for path in rg.draw_figures(result, ASSETS, formats=("png",), dpi=96):
    print(f"{path.relative_to(ASSETS.parent)}: {path.stat().st_size / 1000:.0f} kB")
