"""The door in: a file, folder, frame or table becomes order lines with known names, types and units.

::

    opening ── loading, sniffing, plain, workbooks    bytes → cells
    connecting, fingerprints           our own DuckDB; sha256 of the files
    databases ── addresses             tables and queries of databases, read-only
    spark, bringing                    Spark's files and session; tables of other engines, brought over
    exports                            what is known about the exports of shops (layouts/*.toml)
    recognising                        header → our fields (a layout and the user's mapping)
    arranging                          cells of a known export: fill down, choose, and say what is no purchase
    understanding ── evidence, dates, numbers, texts    cells → typed columns of `schema.ORDERS`
    composing                          fields → columns of order lines
    sharing                            money of whole orders → their lines, to the cent
    orders                             `read`, which ties them together, and `Orders`, which it gives back
    sizing, previewing                 how large a source is, and its first rows, before it is read
"""

from regulars.reading.exports import Layout, layouts
from regulars.reading.orders import Orders, read
from regulars.reading.previewing import Preview, preview
from regulars.reading.recognising import Match
from regulars.reading.sizing import Size, estimate_size

__all__ = ["Layout", "Match", "Orders", "Preview", "Size", "estimate_size", "layouts", "preview", "read"]
