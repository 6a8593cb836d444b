"""A made-up gift shop: order lines as a shop exports them, with known segments and known dirt.

Nothing is read from anywhere: `make_orders` draws everything from one seed.
"""

from regulars.datasets.shop import Dirt, SampleShop, make_orders

__all__ = ["Dirt", "SampleShop", "make_orders"]
