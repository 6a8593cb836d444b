"""The door in: a file, folder, frame or table becomes order lines with known names, types and units.

::

    opening ── sniffing, workbooks     bytes → cells
    recognising                        header → our fields (layouts/*.toml and the user's mapping)
    understanding ── dates, numbers, texts    cells → typed columns of `schema.ORDERS`
    orders                             `read`, which ties them together, and `Orders`, which it gives back
"""

from regulars.reading.orders import Orders, read
from regulars.reading.recognising import Layout, Match, layouts

__all__ = ["Layout", "Match", "Orders", "layouts", "read"]
