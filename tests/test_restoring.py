"""Plain values come back as what they were."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import pytest

from regulars.restoring import restore


@dataclass(frozen=True)
class Part:
    money: Decimal
    when: date | None


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    named: dict[int, tuple[float, ...]]
    kind: Literal["net", "drop"]


def test_nested_values_survive_json():
    before = Whole(
        parts=(Part(Decimal("1.50"), date(2024, 1, 2)), Part(Decimal(0), None)),
        pair=(1, "a"),
        named={3: (0.5, 1.0)},
        kind="net",
    )
    plain = {
        "parts": [{"money": "1.50", "when": "2024-01-02", "further": 1}, {"money": "0", "when": None}],
        "pair": [1, "a"],
        "named": {"3": [0.5, 1.0]},
        "kind": "net",
    }

    assert restore(Whole, json.loads(json.dumps(plain))) == before


@pytest.mark.parametrize(
    ("kind", "plain", "error"),
    [
        (Part, {"money": "1"}, KeyError),
        (tuple[int, int], [1], ValueError),
        (bytes, "x", TypeError),
        (Decimal, "much", ArithmeticError),
    ],
)
def test_what_does_not_fit_is_an_error(kind, plain, error):
    with pytest.raises(error):
        restore(kind, plain)
