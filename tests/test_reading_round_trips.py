"""Whatever way a number or a date is written, it comes back as it was."""

from datetime import datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.reading import read

MONEY = st.decimals(min_value=-(10**7), max_value=10**7, places=2)
TIMES = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2069, 12, 31)).map(
    lambda time: time.replace(second=0, microsecond=0)
)

NUMBERS = {
    "plain": lambda n: f"{n:.2f}",
    "English": lambda n: f"{n:,.2f}",
    "German": lambda n: f"{n:,.2f}".translate(str.maketrans(",.", ".,")),
    "French": lambda n: f"{n:,.2f}".translate(str.maketrans({",": "\u00a0", ".": ","})),
    "Swiss": lambda n: f"{n:,.2f}".replace(",", "'"),
    "accounting": lambda n: f"({-n:,.2f})" if n < 0 else f"{n:,.2f}",
    "minus behind": lambda n: f"{-n:,.2f}-" if n < 0 else f"{n:,.2f}",
    "pounds": lambda n: f"-£{-n:,.2f}" if n < 0 else f"£{n:,.2f}",
    "euros": lambda n: f"{n:,.2f}".translate(str.maketrans(",.", ".,")) + " €",
    "code": lambda n: f"CHF {n:,.2f}",
}
DATES = {
    "ISO": "%Y-%m-%dT%H:%M",
    "ISO with zone": "%Y-%m-%d %H:%M:%S +0200",
    "day first": "%d/%m/%Y %H:%M",
    "month first": "%m/%d/%Y %H:%M",
    "noon": "%m/%d/%Y %I:%M %p",
    "dots": "%d.%m.%Y %H:%M",
    "short year": "%d.%m.%y %H:%M",
    "compact": "%Y%m%d %H:%M",
    "name": "%b %d, %Y %H:%M",
}


def lines(*, date: list[str], amount: list[str]) -> pa.Table:
    return pa.table({"Client": ["7"] * len(date), "Date": date, "Amount": amount})


@settings(max_examples=12, deadline=None)
@given(numbers=st.lists(MONEY, min_size=1, max_size=30), style=st.sampled_from(sorted(NUMBERS)))
def test_numbers(numbers: list[Decimal], style: str):
    table = lines(date=["2011-01-31"] * len(numbers), amount=[NUMBERS[style](number) for number in numbers])

    assert read(table).table.amount.to_pyarrow().to_pylist() == numbers


@settings(max_examples=12, deadline=None)
@given(times=st.lists(TIMES, min_size=1, max_size=30), style=st.sampled_from(sorted(DATES)))
def test_dates(times: list[datetime], style: str):
    table = lines(date=[time.strftime(DATES[style]) for time in times], amount=["1"] * len(times))

    first = {"day first": True, "month first": False, "noon": False}.get(style)
    assert read(table, dayfirst=first).table.ordered_at.to_pyarrow().to_pylist() == times
