"""Rules as data, returns, and an audit that accounts for every row and every penny."""

from collections import Counter
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import oracles
import regulars as rg
from regulars.cleaning import rules_for
from regulars.errors import NotEnoughDataError, OptionError

# A file of the UCI layout: "C…" is a cancelled order, POST and the like are no products.
UCI_HEADER = "InvoiceNo  StockCode  Description  Quantity  InvoiceDate  UnitPrice  CustomerID  Country"


def uci(*lines: str) -> str:
    return "\n".join([UCI_HEADER, *lines])


def taken(cleaned: rg.Cleaned) -> dict[str, tuple[int, Decimal]]:
    """Rule → rows and money that it set aside; only the rules that did."""
    return {line.rule: (line.rows, line.amount) for line in cleaned.audit.lines if line.rows or line.amount}


def kept(cleaned: rg.Cleaned, *columns: str) -> list[tuple]:
    rows = cleaned.table.order_by("ordered_at", "order_id", "amount").to_pyarrow().to_pylist()
    return [tuple(plain(row[name]) for name in columns) for row in rows]


def plain(value: object) -> object:
    """Decimals as text without trailing zeros."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def money(text: str) -> Decimal:
    return Decimal(text)


# --- one rule at a time ---------------------------------------------------------------------------------------------

GOOD = "1  MUG  mug  2  2024-01-02 10:00  2.50  7  France"

ONE_BAD_LINE_PER_RULE = {
    "no customer": ("2  MUG  mug  3  2024-01-03 10:00  2.50  -  France", "7.50"),
    "no date": ("3  MUG  mug  4  -  2.50  7  France", "10"),
    "no amount": ("4  MUG  mug  3  2024-01-03 10:00  -  7  France", "0"),
    "zero quantity": ("5  MUG  mug  0  2024-01-03 10:00  2.50  7  France", "0"),
    "no price": ("6  MUG  mug  3  2024-01-03 10:00  -11062.06  7  France", "-33186.18"),
    "not a product": ("7  POST  postage  1  2024-01-03 10:00  18  7  France", "18"),
    "return": ("C8  CUP  cup  -3  2024-01-03 10:00  1.50  7  France", "-4.50"),  # never bought here
}


def test_each_rule_takes_its_line_and_no_other(shop):
    cleaned = rg.clean(shop(uci(GOOD, *(line for line, _ in ONE_BAD_LINE_PER_RULE.values()))))

    assert taken(cleaned) == {rule: (1, money(amount)) for rule, (_, amount) in ONE_BAD_LINE_PER_RULE.items()}
    assert kept(cleaned, "order_id", "quantity", "amount") == [("1", "2", "5")]


def test_exact_duplicates_leave_one(shop):
    cleaned = rg.clean(shop(uci(GOOD, GOOD, GOOD, GOOD.replace("France", "Spain"))))

    assert taken(cleaned) == {"duplicate": (2, money("10"))}
    assert cleaned.audit.kept.rows_left == 2


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("date  customer  amount\n2024-01-02 10:00  a  5\n2024-01-02 10:00  a  5", "no order, no product"),
        ("date  customer  order  amount\n2024-01-02 10:00  a  1  5\n2024-01-02 10:00  a  1  5", "no product"),
        ("date  customer  sku  qty  price\n2024-01-02 10:00  a  x  1  5\n2024-01-02 10:00  a  x  1  5", "no order"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_equal_lines_are_no_duplicates_without_order_and_product(shop, table, why):
    cleaned = rg.clean(shop(table))

    assert taken(cleaned) == {}, why
    assert cleaned.audit.kept.amount_left == money("10")


def test_a_product_code_is_recognised_in_any_case_with_blanks_and_by_its_beginning(shop):
    lines = [
        f"{i}  {code}  x  1  2024-01-03 10:00  1  7  France"
        for i, code in enumerate(["post", "gift_0001_20", "TEST001", "M"], 2)
    ]
    real = [
        f"{i}  {code}  x  1  2024-01-03 10:00  1  7  France"
        for i, code in enumerate(["PADS", "DCGSSGIRL", "SP1002"], 10)
    ]

    cleaned = rg.clean(shop(uci(GOOD, *lines, *real)))

    assert taken(cleaned) == {"not a product": (4, money("4"))}


def test_all_products_keeps_postage(shop):
    cleaned = rg.clean(shop(uci(GOOD, ONE_BAD_LINE_PER_RULE["not a product"][0])), all_products=True)

    assert taken(cleaned) == {}
    assert cleaned.audit.kept.amount_left == money("23")


def test_a_line_that_several_rules_want_goes_to_the_first(shop):
    cleaned = rg.clean(shop(uci(GOOD, "2  POST  postage  0  2024-01-03 10:00  0  -  France")))

    assert taken(cleaned) == {"no customer": (1, money("0"))}


def test_unreadable_cells_are_a_reason_where_they_are_set_aside(con):
    lines = pd.DataFrame(
        {"customer": ["a", "a"], "order": ["1", "2"], "date": ["2024-01-02", "2024-13-45"], "amount": ["5.00", "7.00"]}
    )

    cleaned = rg.clean(rg.read(lines, unreadable="set_aside"))

    assert taken(cleaned) == {"unreadable": (1, money("7"))}
    (row,) = cleaned.set_aside.to_pyarrow().to_pylist()
    assert (row["reason"], row["unreadable"]) == ("unreadable", "date '2024-13-45'")


def test_another_currency_is_a_reason(con):
    lines = pd.DataFrame(
        {
            "customer": ["a", "a"],
            "order": ["1", "2"],
            "date": ["2024-01-02", "2024-01-03"],
            "amount": ["5.00", "7.00"],
            "currency": ["EUR", "USD"],
        }
    )

    cleaned = rg.clean(rg.read(lines, currency="EUR"))

    assert taken(cleaned) == {"other currency": (1, money("7"))}


# --- days -----------------------------------------------------------------------------------------------------------


def test_lines_on_or_after_as_of_are_cut_and_counted_first(shop):
    orders = shop(
        uci(
            "1  MUG  mug  2  2024-01-02 23:59  2.50  7  France",
            "2  MUG  mug  3  2024-01-03 00:00  2.50  7  France",
            "3  MUG  mug  4  2024-01-04 10:00  2.50  -  France",  # has no customer either
            "4  MUG  mug  1  2024-01-05 10:00  2.50  7  France",
            "4  MUG  mug  1  2024-01-05 10:00  2.50  7  France",  # a duplicate, but cut
        )
    )

    cleaned = rg.clean(orders, as_of=date(2024, 1, 3))

    assert taken(cleaned) == {"after as-of": (4, money("22.50"))}
    assert [(line.rule, line.orders_left, line.customers_left) for line in cleaned.audit.lines[:3]] == [
        ("raw", 4, 1), ("after as-of", 1, 1), ("duplicate", 1, 1),
    ]  # fmt: skip
    assert Counter(cleaned.set_aside.to_pyarrow()["reason"].to_pylist()) == {"after as-of": 4}


def test_a_day_long_after_all_others_is_doubted(shop):
    lines = [f"{n}  MUG  mug  1  2024-01-{n:02} 10:00  2.50  {n}  France" for n in range(1, 21)]
    mistyped = "99  MUG  mug  1  2062-01-05 10:00  2.50  7  France"

    [note] = rg.clean(shop(uci(*lines, mistyped))).notes
    assert note.startswith("1 order is dated 5 Jan 2062 or later, while all others end on 20 Jan 2024")
    assert "as-of 2024-01-21" in note
    assert rg.clean(shop(uci(*lines))).notes == ()
    assert rg.clean(shop(uci(*lines, mistyped)), as_of=date(2024, 1, 21)).notes == ()
    assert rg.clean(shop(uci(*lines, mistyped.replace("2062", "2025")))).notes == ()  # a year later: that happens


def test_the_audit_knows_the_days_of_the_file_as_it_came(shop):
    audit = rg.clean(shop(uci(GOOD, "2  MUG  mug  3  2024-02-29 23:59  2.50  -  France"))).audit

    assert (audit.first_day, audit.last_day) == (date(2024, 1, 2), date(2024, 2, 29))


# --- returns --------------------------------------------------------------------------------------------------------


def test_a_return_takes_back_the_last_purchase(shop):
    cleaned = rg.clean(
        shop(
            uci(
                "1  MUG  mug  5  2024-01-01 10:00  2  7  France",
                "2  MUG  mug  3  2024-01-02 10:00  2  7  France",
                "C3  MUG  mug  -4  2024-01-03 10:00  2  7  France",
            )
        )
    )

    assert kept(cleaned, "order_id", "quantity", "amount") == [("1", "4", "8")]
    assert taken(cleaned) == {"return": (1, money("-8")), "returned purchase": (1, money("8"))}
    assert cleaned.audit.partly_returned == 1


def test_a_return_prefers_the_purchase_at_its_own_price(shop):
    cleaned = rg.clean(
        shop(
            uci(
                "1  MUG  mug  3  2024-01-01 10:00  2  7  France",
                "2  MUG  mug  3  2024-01-02 10:00  5  7  France",
                "C3  MUG  mug  -4  2024-01-03 10:00  2  7  France",  # 3 at price 2, the fourth at price 5
            )
        )
    )

    assert kept(cleaned, "order_id", "quantity", "amount") == [("2", "2", "10")]


def test_a_return_never_takes_a_later_purchase_nor_another_customers_nor_another_product(shop):
    cleaned = rg.clean(
        shop(
            uci(
                "1  CUP  cup  2  2024-01-01 10:00  2  7  France",
                "2  MUG  mug  2  2024-01-01 10:00  2  8  France",
                "C3  MUG  mug  -2  2024-01-02 10:00  2  7  France",
                "4  MUG  mug  2  2024-01-03 10:00  2  7  France",
            )
        )
    )

    assert cleaned.audit.kept.amount_left == money("12")
    assert (cleaned.audit.unmatched_returns, cleaned.audit.unmatched_amount) == (1, money("4"))


def test_a_return_within_the_same_minute_finds_its_purchase_whatever_the_order_number(shop):
    cleaned = rg.clean(
        shop(
            uci(
                GOOD,
                "B2  MUG  mug  3  2024-01-03 10:00  2  7  France",
                "A2  MUG  mug  -3  2024-01-03 10:00  2  7  France",
            )
        )
    )

    assert cleaned.audit.unmatched_returns == 0
    assert kept(cleaned, "order_id") == [("1",)]


def test_what_a_return_does_not_find_is_reported_and_not_applied(shop):
    cleaned = rg.clean(
        shop(
            uci(
                "1  MUG  mug  3  2024-01-01 10:00  2  7  France",
                GOOD.replace("MUG", "CUP"),
                "C3  MUG  mug  -5  2024-01-03 10:00  2  7  France",
            )
        )
    )

    assert cleaned.audit.kept.amount_left == money("5")
    assert (cleaned.audit.unmatched_returns, cleaned.audit.unmatched_amount) == (1, money("4"))
    unmatched = {row["order_id"]: row["unmatched_amount"] for row in cleaned.set_aside.to_pyarrow().to_pylist()}
    assert unmatched == {"1": 0, "C3": money("4")}


def test_dropping_ignores_returns_and_keeps_the_purchases(shop):
    orders = shop(
        uci(
            GOOD,
            "C2  MUG  mug  -2  2024-01-03 10:00  2.50  7  France",
            "c3  MUG  mug  1  2024-01-03 10:00  2.50  7  France",  # cancelled, though its quantity is not negative
            "4  MUG  mug  0  2024-01-03 10:00  2.50  7  France",
        )
    )

    cleaned = rg.clean(orders, returns="drop")

    assert taken(cleaned) == {"return": (3, money("-2.50"))}
    assert kept(cleaned, "order_id", "amount") == [("1", "5")]
    assert cleaned.returned.count().to_pyarrow().as_py() == 0


def test_with_amounts_only_money_is_netted(shop):
    cleaned = rg.clean(
        shop(
            """
            date              customer  amount
            2024-01-01 10:00  a         30
            2024-01-02 10:00  a         20
            2024-01-03 10:00  a         -30
            2024-01-04 10:00  a         -5
            2024-01-04 10:00  b         9
            """
        )
    )
    # -30 undoes the 30 of the same amount; -5 is a part of the 20
    assert kept(cleaned, "customer_id", "amount") == [("a", "15"), ("b", "9")]
    assert taken(cleaned) == {"return": (2, money("-35")), "returned purchase": (1, money("35"))}


def test_money_taken_back_is_known_per_customer(shop):
    cleaned = rg.clean(
        shop(uci(GOOD, GOOD.replace("  7  ", "  8  "), "C3  MUG  mug  -1  2024-01-03 10:00  2.50  7  France"))
    )

    assert cleaned.returned.to_pyarrow().to_pylist() == [{"customer_id": "7", "returned_amount": money("2.50")}]


def test_a_line_keeps_its_own_amount_where_it_is_not_quantity_times_price(shop):
    # order 1 got a discount of one: 9 for two at 5; the return of order 2 must not change it
    cleaned = rg.clean(
        shop(
            """
            order  sku  date              customer  qty  price  amount
            1      x    2024-01-01 10:00  a         2    5      9
            2      x    2024-01-02 10:00  a         1    4      4
            3      x    2024-01-03 10:00  a         -1   4      -4
            """,
            columns=rg.Columns(amount="amount"),
        )
    )

    assert kept(cleaned, "order_id", "amount") == [("1", "9")]
    assert taken(cleaned) == {"return": (1, money("-4")), "returned purchase": (1, money("4"))}


def test_a_part_of_a_discounted_line_goes_back_at_the_price_that_was_paid(shop):
    cleaned = rg.clean(
        shop(
            """
            order  sku  date              customer  qty  price  amount
            1      x    2024-01-01 10:00  a         4    5      18
            2      x    2024-01-03 10:00  a         -1   5      -5
            """,
            columns=rg.Columns(amount="amount"),
        )
    )

    assert kept(cleaned, "quantity", "amount") == [("3", "13.5")]  # 4.50 each


# --- what was set aside ---------------------------------------------------------------------------------------------


def test_set_aside_shows_the_parts_that_went_back_and_the_sources_own_columns(shop):
    cleaned = rg.clean(
        shop(
            """
            order  sku  date              customer  qty  price  till
            1      x    2024-01-01 10:00  a         5    2      north
            2      x    2024-01-02 10:00  a         -2   2      south
            """
        )
    )

    rows = cleaned.set_aside.order_by("order_id").to_pyarrow().to_pylist()
    assert [(row["order_id"], row["reason"], int(row["quantity"]), row["amount"], row["till"]) for row in rows] == [
        ("1", "returned part", 2, money("4"), "north"),
        ("2", "return", -2, money("-4"), "south"),
    ]


def test_a_source_may_have_a_column_called_reason(shop):
    cleaned = rg.clean(
        shop(
            """
            date              customer  amount  reason
            2024-01-01 10:00  a         5       gift
            2024-01-01 10:00  -         5       unknown
            """
        )
    )

    (row,) = cleaned.set_aside.to_pyarrow().to_pylist()
    assert row["reason"] == "no customer"


# --- rules of your own ----------------------------------------------------------------------------------------------


def test_an_own_rule_is_applied_before_returns_and_counted(shop):
    spain = rg.Rule(name="spain", title="Spain is another shop", drop=lambda t: t.country == "Spain")
    orders = shop(
        uci(
            GOOD,
            "2  MUG  mug  4  2024-01-03 10:00  2.50  7  Spain",
            "3  MUG  mug  4  2024-01-03 10:00  2.50  7  -",  # null counts as false
            "C4  MUG  mug  -2  2024-01-04 10:00  2.50  7  France",
        )
    )

    cleaned = rg.clean(orders, rules=[spain])

    assert taken(cleaned)["spain"] == (1, money("10"))
    assert kept(cleaned, "order_id", "quantity") == [("1", "2"), ("3", "2")]
    assert next(line.title for line in cleaned.audit.lines if line.rule == "spain") == "Spain is another shop"


@pytest.mark.parametrize("name", ["no price", "duplicate", "return", "returned purchase", "raw"])
def test_two_rules_of_one_name_are_refused(shop, name):
    own = rg.Rule(name=name, title="mine", drop=lambda t: t.amount > 1000)

    with pytest.raises(OptionError, match=f"Two cleaning rules have the same name: {name}") as error:
        rg.clean(shop(uci(GOOD)), rules=[own])

    assert "own name" in error.value.hint


def test_an_unknown_returns_policy_is_refused(shop):
    with pytest.raises(OptionError, match=r"no returns policy 'refund'\. Choose 'net' or 'drop'"):
        rg.clean(shop(uci(GOOD)), returns="refund")


def test_when_nothing_is_left_the_error_says_what_took_it(shop):
    bought_and_back = uci(
        "1  MUG  mug  2  2024-01-02 10:00  2.50  7  France",
        "C2  MUG  mug  -2  2024-01-03 10:00  2.50  7  France",
        "3  MUG  mug  2  2024-01-04 10:00  0  7  France",
    )

    with pytest.raises(NotEnoughDataError) as error:
        rg.clean(shop(bought_and_back))

    assert error.value.message == (
        "No order line is left after cleaning. Set aside: 1 row (price of zero or less), "
        "1 row (returns), 1 row (purchases taken back by returns)."
    )
    assert "regulars check" in error.value.hint


def test_the_rules_are_data_in_the_order_of_the_method(shop):
    net = [rule.name for rule in rules_for(shop(uci(GOOD)))]
    drop = [rule.name for rule in rules_for(shop(uci(GOOD)), returns="drop", all_products=True, as_of=date(2024, 5, 1))]

    assert net == ["no customer", "no date", "no amount", "zero quantity", "no price", "not a product"]
    assert drop == ["after as-of", "no customer", "no date", "no amount", "return", "no price"]


def test_the_audit_counts_orders_and_customers_that_are_left(shop):
    audit = rg.clean(
        shop(
            uci(
                GOOD,
                "1  CUP  cup  1  2024-01-02 10:00  0  7  France",  # order 1 still has the mug
                "2  MUG  mug  1  2024-01-03 10:00  0  8  France",  # the only line of order 2 and of customer 8
                "3  MUG  mug  1  2024-01-04 10:00  1  -  France",
            )
        )
    ).audit

    left = {line.rule: (line.rows_left, line.orders_left, line.customers_left) for line in audit.lines}
    assert left["raw"] == (4, 3, 2)
    assert left["no customer"] == (3, 2, 2)
    assert left["no price"] == (1, 1, 1)


# --- laws -----------------------------------------------------------------------------------------------------------

# No shrinking: with an engine behind each try it would take minutes to make a failing example smaller.
THROUGH_THE_ENGINE = settings(deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))

MOMENTS = [datetime(2024, 1, day, 10, minute) for day in (1, 2, 5) for minute in (0, 1)]

dirty_line = st.fixed_dictionaries(
    {
        "InvoiceNo": st.sampled_from(["1", "2", "3", "C4"]),
        "StockCode": st.sampled_from(["MUG", "CUP", " post ", "M", None]),
        "Description": st.sampled_from(["a thing", None]),
        "Quantity": st.integers(-4, 6),
        "InvoiceDate": st.sampled_from([*MOMENTS, None]),
        "UnitPrice": st.sampled_from([2.5, 1.25, 0.0, -1.0, None]),
        "CustomerID": st.sampled_from(["7", "8", None]),
        "Country": st.sampled_from(["France", None]),
    }
)
SOUND = {
    "InvoiceNo": "99",
    "StockCode": "MUG",
    "Description": "a thing",
    "Quantity": 1,
    "InvoiceDate": MOMENTS[0],
    "UnitPrice": 2.5,
    "CustomerID": "99",
    "Country": "France",
}

#: What a source may lack, and how the columns are then called.
SOURCES = {
    "complete": {},
    "no order number": {"InvoiceNo": None, "StockCode": "sku", "InvoiceDate": "date", "CustomerID": "customer"},
    "no product": {
        "StockCode": None, "Description": None, "InvoiceNo": "order", "InvoiceDate": "date", "CustomerID": "customer",
    },
    "amounts only": {
        "StockCode": None, "Description": None, "Quantity": None, "InvoiceNo": "order", "InvoiceDate": "date",
        "UnitPrice": "amount", "CustomerID": "customer",
    },
}  # fmt: skip


@settings(THROUGH_THE_ENGINE, max_examples=12)
@given(
    lines=st.lists(dirty_line, min_size=20, max_size=60),
    source=st.sampled_from(sorted(SOURCES)),
    returns=st.sampled_from(["net", "drop"]),
    as_of=st.sampled_from([None, date(2024, 1, 5)]),
)
def test_every_row_and_every_penny_is_accounted_for(shop, lines, source, returns, as_of):
    frame = pd.DataFrame([SOUND, *lines, *lines[:3]])  # some of them twice
    for name, known_as in SOURCES[source].items():
        frame = frame.drop(columns=name) if known_as is None else frame.rename(columns={name: known_as})
    frame = frame.astype(object).where(frame.notna(), None)
    orders = shop(frame)

    cleaned = rg.clean(orders, returns=returns, as_of=as_of)

    audit = cleaned.audit
    before = orders.table.to_pyarrow().to_pylist()
    after = cleaned.table.to_pyarrow().to_pylist()
    aside = cleaned.set_aside.to_pyarrow().to_pylist()
    assert audit.reconciles
    for name in ("rows_left", "orders_left", "customers_left"):  # no rule brings anything back
        left = [getattr(line, name) for line in audit.lines]
        assert left == sorted(left, reverse=True)
    assert audit.raw.rows_left == len(before)
    assert audit.raw.amount_left == sum((row["amount"] or 0) for row in before)
    assert audit.kept.rows_left == len(after)
    assert audit.kept.amount_left == sum(row["amount"] for row in after)
    assert audit.kept.orders_left == len({row["order_id"] for row in after})
    assert audit.kept.customers_left == len({row["customer_id"] for row in after})
    assert all(row["amount"] > 0 and row["customer_id"] and row["ordered_at"] for row in after)

    rows, amounts = Counter(), Counter()
    for row in aside:
        amounts[row["reason"]] += row["amount"] or 0
        rows[row["reason"]] += row["reason"] != "returned part"  # money without a row
    amounts["returned purchase"] += amounts.pop("returned part", 0)
    assert {r: n for r, n in rows.items() if n} == {line.rule: line.rows for line in audit.lines if line.rows}
    assert {r: m for r, m in amounts.items() if m} == {
        line.rule: line.amount for line in audit.lines[1:] if line.amount
    }
    assert sum(row["unmatched_amount"] for row in aside) == audit.unmatched_amount


trade = st.tuples(
    st.sampled_from("abcd"),
    st.sampled_from(["MUG", "CUP"]),
    st.integers(-6, 6).filter(bool),
    st.sampled_from(MOMENTS),
    st.sampled_from([2.5, 1.25]),
    st.sampled_from(["1", "2"]),
)


def test_the_pile_of_the_oracle_by_hand():
    lines = pd.DataFrame(
        [("1", 5, 2, MOMENTS[0]), ("2", 3, 4, MOMENTS[1]), ("3", -4, 2, MOMENTS[2]), ("4", -2, 2, MOMENTS[3])],
        columns=["order_id", "q", "price", "ordered_at"],
    ).assign(customer="a")
    # 3 takes 4 of 1; 4 takes the last of 1, then one of 2 at another price
    assert oracles.take_back(lines, by=["customer"]) == [0, 2, 0, 0]


@settings(THROUGH_THE_ENGINE, max_examples=6)
@given(trades=st.lists(trade, min_size=40, max_size=120))
def test_netting_is_a_pile_per_customer_and_product(shop, trades):
    names = ["customer_id", "product_id", "q", "ordered_at", "price", "order_id"]
    lines = pd.DataFrame(trades, columns=names)
    left = oracles.take_back(lines, by=["customer_id", "product_id"])
    bought = Counter((*trade, n) for trade, n in zip(trades, left, strict=True) if trade[2] > 0 and n > 0)
    unmatched = [(-n, price) for n, price in zip(left, lines["price"], strict=True) if n < 0]
    header = ["CustomerID", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "InvoiceNo"]
    source = pd.DataFrame(trades, columns=header).assign(Country="France")
    source["Description"] = [f"line {i} of {q}" for i, q in enumerate(source["Quantity"])]  # so none is a duplicate

    cleaned = rg.clean(shop([*source.to_dict("records"), SOUND]))

    rows = cleaned.table.filter(cleaned.table.customer_id != SOUND["CustomerID"]).to_pyarrow().to_pylist()
    assert bought == Counter(
        (
            row["customer_id"],
            row["product_id"],
            int(row["product"].split()[-1]),
            row["ordered_at"],
            float(row["unit_price"]),
            row["order_id"],
            int(row["quantity"]),
        )
        for row in rows
    )
    assert all(row["amount"] == row["quantity"] * row["unit_price"] for row in rows)
    assert cleaned.audit.unmatched_returns == len(unmatched)
    assert float(cleaned.audit.unmatched_amount) == sum(n * price for n, price in unmatched)


payment = st.tuples(st.sampled_from("abcd"), st.integers(-9, 9).filter(bool), st.sampled_from(MOMENTS))


@settings(THROUGH_THE_ENGINE, max_examples=4)
@given(payments=st.lists(payment, min_size=30, max_size=90))
def test_without_pieces_the_pile_is_of_money(shop, payments):
    frame = pd.DataFrame(payments, columns=["customer", "q", "ordered_at"])
    # without an order number, an order is a day: its name follows from the other two
    frame["order_id"] = ""
    frame["price"] = frame["q"].abs()
    left = oracles.take_back(frame, by=["customer"])
    expected = Counter()
    for customer, q, n in zip(frame["customer"], frame["q"], left, strict=True):
        expected[customer] += n if q > 0 else 0
    source = frame.rename(columns={"ordered_at": "date"}).assign(amount=frame["q"].astype(float))[
        ["customer", "date", "amount"]
    ]

    cleaned = rg.clean(shop([*source.to_dict("records"), {"customer": "z", "date": MOMENTS[0], "amount": 1.0}]))

    spent = Counter()
    for row in cleaned.table.to_pyarrow().to_pylist():
        spent[row["customer_id"]] += int(row["amount"])
    assert dict(spent) == {"z": 1} | {customer: n for customer, n in expected.items() if n}
    assert cleaned.audit.unmatched_amount == -sum(n for n, q in zip(left, frame["q"], strict=True) if q < 0)


def test_neither_the_order_of_the_rows_nor_other_customers_change_what_is_kept(shop, sample_shop):
    frame = sample_shop.orders.to_pandas().head(1500)
    frame["CustomerID"] = pd.Series([None if pd.isna(n) else str(int(n)) for n in frame["CustomerID"]], dtype=object)
    columns = ["customer_id", "order_id", "ordered_at", "product_id", "quantity", "amount"]

    tables = [
        rg.clean(shop(rows)).table.select(columns).order_by(columns).to_pyarrow()
        for rows in (frame, frame.sample(frac=1, random_state=1))
    ]

    assert tables[0].equals(tables[1])
    own = frame[frame["CustomerID"] == frame["CustomerID"].dropna().iloc[0]]
    alone = rg.clean(shop(own)).table.select(columns).order_by(columns).to_pyarrow()
    mine = tables[0].filter([c == own["CustomerID"].iloc[0] for c in tables[0]["customer_id"].to_pylist()])
    assert alone.equals(mine)
