"""Raw order lines to customer segments that a shop can act on."""

__version__ = "0.1.0"
