"""Scores: equal values get equal scores; packs: every cell has one name."""

from collections import Counter
from decimal import Decimal
from itertools import product

import ibis
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import oracles
import regulars as rg
from regulars.errors import OptionError, PackError
from regulars.schema import SCORES
from regulars.scoring import pack_names, parse_pack

ELEVEN = rg.load_pack("eleven")


@pytest.fixture(scope="module")
def people(con):
    """Tuples (recency_days, frequency, monetary) → customers."""

    def table(rows) -> ibis.Table:
        days, orders, money = zip(*rows, strict=True)
        cells = {
            "customer_id": pa.array([f"c{i:04}" for i in range(len(rows))]),
            "recency_days": pa.array(days, pa.int64()),
            "frequency": pa.array(orders, pa.int64()),
            "monetary": pa.array([None if m is None else Decimal(m) for m in money], pa.decimal128(18, 4)),
        }
        return con.create_table(ibis.util.gen_name("people"), pa.table(cells))

    return table


def scored(customers: ibis.Table, cuts=None, pack=ELEVEN) -> list[tuple[int, int, int]]:
    table = rg.score(customers, cuts or rg.learn_cuts(customers), pack=pack).order_by("customer_id").to_pyarrow()
    return list(zip(*(table[name].to_pylist() for name in ("r_score", "f_score", "m_score")), strict=True))


# --- scores ---------------------------------------------------------------------------------------------------------


def test_ten_customers_by_hand(people):
    # by fifths: two customers a score where nothing ties
    customers = people([(10 - i, 1 if i < 5 else 2, 100 * i) for i in range(10)])

    cuts = rg.learn_cuts(customers)

    assert cuts.recency_days == (8, 6, 4, 2)
    assert cuts.frequency == (2, 2, None, None)  # half of them ordered once: scores 2, 4 and 5 cannot be
    assert cuts.monetary == (200, 400, 600, 800)
    assert [r for r, _, _ in scored(customers)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [f for _, f, _ in scored(customers)] == [1, 1, 1, 1, 1, 3, 3, 3, 3, 3]


def test_scores_that_ties_make_impossible_are_reported(people):
    cuts = rg.learn_cuts(people([(10 - i, 1 if i < 5 else 2, 100 * i) for i in range(10)]))

    assert cuts.empty("frequency") == (2, 4, 5)
    assert cuts.empty("monetary") == ()


def test_everybody_alike_gets_the_lowest_score(people):
    assert set(scored(people([(5, 1, 10)] * 4))) == {(1, 1, 1)}


def test_ranges_say_what_a_score_means_in_days_orders_and_money():
    cuts = rg.Cuts(
        levels=3,
        recency_days=(90, 30),
        frequency=(2, 5),
        monetary=(Decimal("50"), Decimal("200.50")),
    )

    assert cuts.ranges("recency_days") == ((1, 91, None), (2, 31, 90), (3, None, 30))
    assert cuts.ranges("frequency") == ((1, None, 1), (2, 2, 4), (3, 5, None))
    assert cuts.ranges("monetary") == ((1, None, 50), (2, 50, Decimal("200.50")), (3, Decimal("200.50"), None))


def test_ranges_leave_out_what_cannot_be():
    cuts = rg.Cuts(levels=5, recency_days=(9, 9, 4, None), frequency=(2, 2, None, None), monetary=(None,) * 4)

    assert cuts.ranges("recency_days") == ((1, 10, None), (3, 5, 9), (4, None, 4))
    assert cuts.ranges("frequency") == ((1, None, 1), (3, 2, None))
    assert cuts.ranges("monetary") == ((1, None, None),)


def test_cut_points_of_one_shop_score_another(people):
    cuts = rg.Cuts(
        levels=5,
        recency_days=(300, 100, 50, 10),
        frequency=(2, 3, 5, 9),
        monetary=tuple(map(Decimal, ("10", "50.5", "100", "500"))),
    )
    others = people([(301, 1, "9.9999"), (300, 2, "10"), (50, 4, "50.5"), (1, 100, "1e6"), (None, 3, None)])

    assert scored(others, cuts) == [(1, 1, 1), (2, 2, 2), (4, 3, 3), (5, 5, 5), (None, 3, None)]


def test_a_customer_without_a_measure_has_no_group(people):
    cuts = rg.learn_cuts(people([(1, 1, 1), (2, 2, 2)]))

    (row,) = rg.score(people([(None, 3, 5)]), cuts, pack=ELEVEN).to_pyarrow().to_pylist()

    assert (row["rfm_score"], row["rfm_group"]) == (None, None)


def test_columns_are_those_of_the_schema(people):
    table = rg.score(people([(1, 1, 1)]), rg.learn_cuts(people([(1, 1, 1)])), pack=ELEVEN)

    assert {name: table.schema()[name] for name in SCORES} == {n: ibis.dtype(kind) for n, kind in SCORES.items()}


measures = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(1, 30))
ENGINE = settings(deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking would take minutes


@settings(ENGINE, max_examples=8)
@given(rows=st.lists(measures, min_size=1, max_size=80), levels=st.sampled_from([3, 5]))
def test_scores_are_the_share_of_customers_that_are_worse(people, rows, levels):
    pack = ELEVEN if levels == 5 else rg.load_pack("klaviyo")
    days, orders, money = zip(*rows, strict=True)
    truth = [
        oracles.scores(days, levels=levels, smaller_is_better=True),
        oracles.scores(orders, levels=levels),
        oracles.scores(money, levels=levels),
    ]
    customers = people(rows)

    found = scored(customers, rg.learn_cuts(customers, levels=levels), pack=pack)

    assert found == list(zip(*truth, strict=True))


@settings(ENGINE, max_examples=3)
@given(rows=st.lists(measures, min_size=10, max_size=60), random=st.randoms(use_true_random=False))
def test_neither_the_order_of_the_rows_nor_the_currency_changes_a_score(people, rows, random):
    places = list(range(len(rows)))
    random.shuffle(places)  # moves rows and, as ids go by place, renames the customers

    before = scored(people(rows))
    after = scored(people([rows[i] for i in places]))
    in_pence = scored(people([(days, orders, 100 * money) for days, orders, money in rows]))

    assert after == [before[i] for i in places]
    assert in_pence == before


# --- packs that come along ------------------------------------------------------------------------------------------

#: The published 125-code table, R F M.
ELEVEN_TABLE = """
Champions: 555 554 544 545 454 455 445
Loyal: 543 444 435 355 354 345 344 335
Potential Loyalist: 553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323
New Customers: 512 511 422 421 412 411 311
Promising: 525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313
Need Attention: 535 534 443 434 343 334 325 324
About To Sleep: 331 321 312 221 213 231 241 251
At Risk: 255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124
Cannot Lose Them: 155 154 144 214 215 115 114 113
Hibernating: 332 322 233 232 223 222 132 123 122 212 211
Lost: 111 112 121 131 141 151
"""

KLAVIYO_TABLE = """
Champions: 333 332 323
Loyal: 321 322 331 232 233
Recent: 312 313 311 222 223
Needs Attention: 213 221 123 132 133
At Risk: 231 212 122 131 211
Inactive: 111 112 113 121
"""

#: R and FM, where FM is (F + M) / 2, rounded up.
SHOPIFY_TABLE = {
    "Champions": ("5", "45"),
    "Loyal": ("34", "45"),
    "Active": ("45", "23"),
    "New": ("5", "1"),
    "Promising": ("4", "1"),
    "Needs attention": ("3", "3"),
    "Almost lost": ("3", "12"),
    "Previously loyal": ("12", "5"),
    "At risk": ("12", "34"),
    "Dormant": ("12", "12"),
}


def cells_of(pack: rg.RulePack) -> dict[str, set[str]]:
    return {group.name: set(group.cells) for group in pack.groups}


@pytest.mark.parametrize(("name", "table"), [("eleven", ELEVEN_TABLE), ("klaviyo", KLAVIYO_TABLE)])
def test_packs_are_the_published_tables(name, table):
    published = {group: set(cells.split()) for group, cells in (row.split(":") for row in table.strip().splitlines())}

    assert cells_of(rg.load_pack(name)) == published


def test_shopify_is_by_recency_and_the_mean_of_the_others():
    expected = {name: set() for name in SHOPIFY_TABLE}
    for r, f, m in product(range(1, 6), repeat=3):
        fm = str(-(-(f + m) // 2))
        (name,) = [name for name, (rs, fms) in SHOPIFY_TABLE.items() if str(r) in rs and fm in fms]
        expected[name].add(f"{r}{f}{m}")

    assert cells_of(rg.load_pack("shopify")) == expected


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_covers_every_cell_once_and_gives_its_reasons(name):
    pack = rg.load_pack(name)

    covered = Counter(cell for group in pack.groups for cell in group.cells)

    assert covered == Counter("".join(cell) for cell in product("123456789"[: pack.levels], repeat=3))
    assert all(group.why for group in pack.groups)


def test_klaviyo_has_fixed_days(people):
    pack = rg.load_pack("klaviyo")
    customers = people([(180, 1, 1), (181, 1, 1), (365, 1, 1), (366, 1, 1)])

    cuts = rg.learn_cuts(customers, levels=pack.levels, recency_days=pack.recency_days)

    assert [r for r, _, _ in scored(customers, cuts, pack)] == [3, 2, 2, 1]


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_read_from_its_own_values_is_the_same(name):
    pack = rg.load_pack(name)

    assert parse_pack(pack.to_dict(), source="again") == pack


def test_a_pack_for_other_levels_is_refused(people):
    customers = people([(1, 1, 1)])

    with pytest.raises(OptionError, match=r"klaviyo needs scores from 1 to 3, the cut points give 1 to 5.*levels=3"):
        rg.score(customers, rg.learn_cuts(customers), pack=rg.load_pack("klaviyo"))


# --- packs of your own ----------------------------------------------------------------------------------------------

OWN = """
name = "mine"
title = "Regulars and the others"
levels = 2

[[groups]]
name = "Regulars"
why = "came lately and often"
r = "2"
f = "2"

[[groups]]
name = "Others"
why = "the rest"
cells = ["211", "212", "111", "112", "121", "122"]
"""


def test_a_pack_of_your_own_is_a_file(tmp_path, people):
    (tmp_path / "mine.toml").write_text(OWN, "utf-8")
    pack = rg.load_pack(tmp_path / "mine.toml")
    customers = people([(1, 9, 9), (1, 9, 1), (99, 1, 9), (99, 1, 1)])

    table = rg.score(customers, rg.learn_cuts(customers, levels=2), pack=pack).order_by("customer_id").to_pyarrow()

    assert (pack.title, pack.groups[0].cells) == ("Regulars and the others", ("221", "222"))
    assert table["rfm_group"].to_pylist() == ["Regulars", "Regulars", "Others", "Others"]


BAD_PACKS = {
    "gap": ('"211", ', "", "no group has 211"),
    "gaps": ('cells = ["211", "212",', "cells = [", "no group has 211, 212 (2 cells)"),
    "overlap": ('"211", ', '"211", "221", ', "221 is in Regulars, Others"),
    "twice in one group": ('"211", ', '"211", "211", ', "211 is in Others"),
    "outside": ('"211", ', '"211", "311", ', "nothing reaches 311 with scores from 1 to 2"),
    "no cells": ('"122"]', '"122"]\n[[groups]]\nname = "Nobody"\ncells = []', "nothing reaches Nobody"),
    "same name": ('name = "Others"', 'name = "Regulars"', "the name Regulars is used twice"),
    "unknown key": ('r = "2"', 'recency = "2"', "unknown key recency"),
    "no range": ('r = "2"', 'r = "high"', "r is 'high'"),
    "a range beyond the levels": ('r = "2"', 'r = "2-99999999999"', "r is '2-99999999999'"),
    "an odd digit": ('r = "2"', 'r = "²"', "r is '²'"),
    "backwards": ('r = "2"', 'r = "2-1"', "r is '2-1'"),
    "levels": ("levels = 2", "levels = 1", "levels is 1"),
    "levels as text": ("levels = 2", 'levels = "2"', "levels is '2'"),
    "more levels": ("levels = 2", "levels = 3", "no group has 113"),
    "no name": ('name = "Others"', "", "without a name"),
    "cells are no list": ('cells = ["211", "212", "111", "112", "121", "122"]', "cells = 211", "cells"),
    "no TOML": ("[[groups]]", "[[groups", "is not valid TOML"),
    "days: too few": ("levels = 2", "levels = 2\nrecency_days = []", "recency_days is []"),
    "days: wrong order": ("levels = 2", "levels = 2\nrecency_days = [90, 180]", "recency_days is [90, 180]"),
    "days: text": ("levels = 2", 'levels = 2\nrecency_days = ["90"]', "recency_days is ['90']"),
    "days: mixed": ("levels = 3", 'levels = 3\nrecency_days = [365, "180"]', "recency_days is [365, '180']"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_PACKS)
def test_a_faulty_pack_is_refused_by_naming_the_fault(tmp_path, fault):
    sound, broken, words = BAD_PACKS[fault]
    text = OWN.replace("levels = 2", "levels = 3") if "levels = 3" in sound else OWN
    assert sound in text
    (tmp_path / "mine.toml").write_text(text.replace(sound, broken, 1), "utf-8")

    with pytest.raises(PackError) as error:
        rg.load_pack(tmp_path / "mine.toml")

    assert words in error.value.message
    assert error.value.hint


def test_a_pack_that_does_not_exist_names_those_that_do():
    with pytest.raises(PackError, match=r"no rule pack 'twelve'\. Choose one of eleven, klaviyo, shopify"):
        rg.load_pack("twelve")


def test_a_pack_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(PackError, match="Cannot read the rule pack"):
        rg.load_pack(tmp_path / "mine.toml")
