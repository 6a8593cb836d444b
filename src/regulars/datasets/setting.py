"""The stage of the sample shop: when it is open, what it sells, and who its customers are.

Time is minutes since the first midnight of the file; money is whole pence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COUNTRIES",
    "COUNTRY_SHARES",
    "HOURS",
    "KINDS",
    "MINUTES",
    "OPENS",
    "SERVICES",
    "Calendar",
    "Catalogue",
    "Floats",
    "Ints",
    "People",
    "Random",
    "Setting",
    "draw_setting",
    "pick",
]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Random: TypeAlias = np.random.Generator

#: Minutes of a day.
MINUTES = 1440

MONTHS = np.array([0.75, 0.8, 0.9, 0.95, 1.0, 0.95, 0.9, 0.75, 1.1, 1.3, 1.7, 1.3])
#: Monday to Sunday.
WEEKDAYS = np.array([1.0, 1.1, 1.05, 1.15, 0.85, 0.0, 0.5])
#: From 8 to 17 o'clock.
HOURS = np.array([0.3, 0.8, 1.2, 1.3, 1.6, 1.4, 1.2, 1.1, 0.7, 0.4])
OPENS = 8

#: Typical price in pence of each thing.
THINGS = {
    "Ceramic mug": 495,
    "Enamel jug": 895,
    "Glass tumbler": 249,
    "Tea towel": 395,
    "Cotton apron": 995,
    "Oven glove": 595,
    "Cake stand": 1495,
    "Cake tin": 795,
    "Biscuit cutter": 149,
    "Salt and pepper pair": 549,
    "Wooden spoon": 195,
    "Bread bin": 1995,
    "Egg cup": 149,
    "Paper napkins": 95,
    "Party bunting": 449,
    "Gift wrap": 49,
    "Ribbon reel": 149,
    "Greeting card": 149,
    "Notebook": 295,
    "Pencil set": 195,
    "Photo frame": 695,
    "Wall clock": 2495,
    "Desk lamp": 2995,
    "Candle in a jar": 595,
    "Tea light holder": 149,
    "Lantern": 1295,
    "Fairy lights": 849,
    "Door wreath": 1149,
    "Tree ornament": 149,
    "Cushion cover": 795,
    "Wool throw": 3495,
    "Storage basket": 1195,
    "Coat hook": 395,
    "Key ring": 195,
    "Lunch box": 495,
    "Shopping bag": 249,
    "Umbrella": 1195,
    "Plant pot": 449,
    "Watering can": 1295,
    "Bird feeder": 749,
}
FINISHES = ("blue", "red", "sage", "ivory", "mustard", "striped", "polka dot", "wildflower")

#: Code, description, least and greatest price in pence of what is not a product.
SERVICES = {
    "POST": ("Postage", 1800, 1800),
    "C2": ("Carriage", 5000, 5000),
    "M": ("Manual", 125, 6000),
    "BANK CHARGES": ("Bank charges", 1500, 1500),
    "DOT": ("Online postage", 400, 12000),
    "D": ("Discount", 200, 3000),
    "B": ("Adjust bad debt", 500, 9000),
}

COUNTRIES = (
    "United Kingdom",
    "Germany",
    "France",
    "Ireland",
    "Spain",
    "Belgium",
    "Netherlands",
    "Switzerland",
    "Portugal",
    "Italy",
    "Sweden",
    "Norway",
    "Austria",
)
COUNTRY_SHARES = np.array([85, 3.2, 2.8, 2, 1.2, 1.1, 1, 0.9, 0.8, 0.7, 0.5, 0.4, 0.4]) / 100


class Calendar(NamedTuple):
    """The days of the file, and the trade weight before each midnight."""

    days: int
    passed: Floats

    def moments(self, rng: Random, *, begin: Floats, end: Floats) -> Ints:
        """A minute of trade between each pair of days, busy days being likelier.

        Where the shop is closed throughout: on the next open day, or the last one where none follows.
        """
        midnights = np.arange(self.days + 1)
        low, high = np.interp(begin, midnights, self.passed), np.interp(end, midnights, self.passed)
        mark = low + rng.random(len(low)) * (high - low)
        last_open = np.searchsorted(self.passed, self.passed[-1]) - 1
        day = np.minimum(np.searchsorted(self.passed, mark, side="right") - 1, last_open)
        minute = (OPENS + pick(rng, HOURS, count=len(day))) * 60 + rng.integers(0, 60, len(day))
        moment: Ints = day * MINUTES + minute
        return moment


class Catalogue(NamedTuple):
    """Products, then services: code, description, price of one, price from twelve on, popularity."""

    codes: list[str]
    names: list[str]
    pence: Ints
    bulk_pence: Ints
    popularity: Floats

    @property
    def products(self) -> int:
        """How many items are products; the services follow."""
        return len(self.popularity)

    def pick(self, rng: Random, *, count: int) -> Ints:
        """Products, popular ones being likelier."""
        return pick(rng, self.popularity, count=count)


class People(NamedTuple):
    """Customers: number, places in `KINDS` and `COUNTRIES`, and a factor on every quantity."""

    number: Ints
    kind: Ints
    country: Ints
    appetite: Floats


class Setting(NamedTuple):
    """When the shop is open, what it sells, and who its customers are."""

    calendar: Calendar
    catalogue: Catalogue
    people: People


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind of customer does.

    `begin` and `end` bound, as shares of the file, when somebody starts and stops to order; below zero is before
    the file and counts as its first day. Everybody orders `least` times; further orders are Poisson, with a
    gamma-distributed rate of mean `more` and shape `evenness`. `lines` is the mean number of lines of an order,
    `pieces` the typical quantity of a thing that costs five pounds.
    """

    name: str
    share: float
    begin: tuple[float, float]
    end: tuple[float, float]
    least: int
    more: float
    evenness: float
    lines: float
    pieces: float


KINDS = (
    Kind(
        name="loyal",
        share=0.12,
        begin=(-0.8, 0.25),
        end=(1.0, 1.0),
        least=5,
        more=7,
        evenness=4,
        lines=10,
        pieces=5,
    ),
    Kind(
        name="occasional",
        share=0.33,
        begin=(-0.4, 0.6),
        end=(0.98, 1.0),
        least=2,
        more=1.8,
        evenness=12,
        lines=8,
        pieces=3.2,
    ),
    Kind(
        name="new",
        share=0.28,
        begin=(0.78, 0.95),
        end=(1.0, 1.0),
        least=1,
        more=0.3,
        evenness=6,
        lines=6,
        pieces=2.5,
    ),
    Kind(
        name="lapsed",
        share=0.27,
        begin=(-0.6, 0.4),
        end=(0.4, 0.58),
        least=1,
        more=0.3,
        evenness=6,
        lines=6,
        pieces=1.9,
    ),
)


def draw_setting(rng: Random, *, start: np.datetime64, days: int, customers: int) -> Setting:
    """A calendar from the first day, products, and customers."""
    return Setting(_open_calendar(start, days), _draw_products(rng), _draw_people(rng, customers))


def _open_calendar(start: np.datetime64, days: int) -> Calendar:
    """Christmas peak, quiet January and August; closed on Saturdays and from Christmas to New Year."""
    dates = start + np.arange(days)
    months = dates.astype("datetime64[M]")
    month = months.astype(np.int64) % 12
    day = (dates - months).astype(np.int64) + 1
    weekday = (dates.astype(np.int64) + 3) % 7
    weight = MONTHS[month] * WEEKDAYS[weekday]
    weight[(month == 11) & (day > 20)] *= 0.4
    weight[((month == 11) & (day >= 25)) | ((month == 0) & (day == 1))] = 0
    return Calendar(days, np.append(0.0, weight.cumsum()))


def _draw_products(rng: Random) -> Catalogue:
    """Every thing in every finish, around its typical price; a few sell much more than the others."""
    names = [f"{thing}, {finish}" for thing in THINGS for finish in FINISHES]
    typical = np.repeat(np.array(list(THINGS.values()), dtype=np.float64), len(FINISHES))
    pence = _charm(typical * rng.lognormal(0, 0.12, len(names)))
    numbers = np.sort(rng.choice(np.arange(20000, 24000), len(names), replace=False))
    letters = np.where(rng.random(len(names)) < 0.15, "B", "")
    codes = [f"{number}{letter}" for number, letter in zip(numbers, letters, strict=True)]
    return Catalogue(
        codes=codes + list(SERVICES),
        names=names + [name for name, _, _ in SERVICES.values()],
        pence=pence,
        bulk_pence=np.minimum(pence, _charm(0.85 * pence)),
        popularity=np.exp(rng.normal(0, 0.9, len(names))),
    )


def _draw_people(rng: Random, count: int) -> People:
    """Customers of the four kinds in random order; what they do besides their kind is their own."""
    bounds = np.rint(np.cumsum([kind.share for kind in KINDS]) * count).astype(np.int64)
    kind = rng.permutation(np.searchsorted(bounds, np.arange(count), side="right"))
    return People(
        number=10001 + np.arange(count),
        kind=kind,
        country=pick(rng, COUNTRY_SHARES, count=count),
        appetite=np.exp(rng.normal(0, 0.4, count)),
    )


def pick(rng: Random, weights: Floats, *, count: int) -> Ints:
    """Places, the ones of greater weight being likelier."""
    bounds = weights.cumsum() / weights.sum()
    return np.searchsorted(bounds[:-1], rng.random(count), side="right").astype(np.int64)


def _charm(pence: NDArray[np.floating]) -> Ints:
    """The nearest price that ends in .49 or .95."""
    pounds = np.floor(pence / 100)[:, None]
    near = pounds * 100 + np.array([-5, 49, 95])
    near[near <= 0] = 49
    best = np.abs(near - pence[:, None]).argmin(axis=1)
    charming: Ints = near[np.arange(len(pence)), best].astype(np.int64)
    return charming
