"""The door in: a file, folder, frame or table becomes order lines with known names, types and units.

::

    opening ── loading, sniffing, plain, workbooks    bytes → cells
    connecting, fingerprints           our own DuckDB; sha256 of the files
    recognising                        header → our fields (layouts/*.toml and the user's mapping)
    understanding ── evidence, dates, numbers, texts    cells → typed columns of `schema.ORDERS`
    orders                             `read`, which ties them together, and `Orders`, which it gives back
    sizing                             how large a source is, before it is read
"""

from regulars.reading.orders import Orders, read
from regulars.reading.recognising import Layout, Match, layouts
from regulars.reading.sizing import Size, estimate_size

__all__ = ["Layout", "Match", "Orders", "Size", "estimate_size", "layouts", "read"]
