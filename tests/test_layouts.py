"""Known exports: small files with every trap of their platform, and what must come out, worked out by hand."""

import random
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import pytest

from regulars.cleaning import clean, consents
from regulars.errors import ColumnError, OptionError, SourceError
from regulars.reading import layouts, read
from regulars.schema import Columns

FILES = Path(__file__).parent / "layouts"


def money(text: str) -> Decimal:
    return Decimal(text)


def outcome(source, **options) -> tuple[tuple, dict]:
    """What is kept (lines, orders, customers, money), and what each rule set aside (rows, money)."""
    audit = clean(read(source, **options)).audit
    assert audit.reconciles
    kept = audit.kept
    aside = {line.rule: (line.rows, line.amount) for line in audit.lines[1:] if line.rows or line.amount}
    return (kept.rows_left, kept.orders_left, kept.customers_left, kept.amount_left), aside


#: File → layout, (lines, orders, customers, money), and what is set aside for which reason.
BY_HAND = {
    # 1001: 20 + 30, less the order's discount of 5 · 1002: 10 + 30 - 5, of which 10 went back · 1003: 25 · 1010: 30
    "shopify_orders.csv": (
        "shopify_orders",
        (6, 4, 3, money("125")),
        {
            "refunded": (3, money("40")),  # order 1005, and a part of both lines of 1002
            "voided": (1, money("10")),
            "not paid": (1, money("30")),
            "test order": (1, money("10")),
            "test order by tag": (1, money("10")),
            "cancelled": (1, money("30")),
            "no customer": (1, money("10")),
        },
    ),
    "cdnow.txt": ("cdnow", (5, 4, 3, money("142.29")), {"no price": (1, money("0"))}),
    # Order 108 was 70, of which 20 went back.
    "woocommerce_analytics.csv": (
        "woocommerce_analytics",
        (3, 3, 2, money("1070.50")),
        {
            "cancelled": (1, money("40")),
            "refunded": (1, money("50")),
            "not paid": (2, money("90")),
            "no customer": (1, money("10")),
            "return": (1, money("-20")),
            "returned purchase": (0, money("20")),
        },
    ),
    # 50 + (30 - 10) + 12.50; customer_id 0 is every guest, so it is not looked at
    "woocommerce_orders.csv": (
        "woocommerce_orders",
        (3, 3, 2, money("82.50")),
        {"cancelled": (1, money("9")), "refunded": (2, money("25")), "not paid": (1, money("8"))},
    ),
    # 10 + 10.01: the total of an order stands on each of its items
    "woocommerce_items.csv": (
        "woocommerce_items",
        (3, 2, 1, money("20.01")),
        {"cancelled": (1, money("5"))},
    ),
    # The first is 90 in the account's currency; of the second, 50, 20 went back; the seventh is 25.
    "stripe_payments.csv": (
        "stripe_payments",
        (3, 3, 2, money("145")),
        {
            "test payment": (1, money("10")),
            "refunded": (2, money("60")),
            "not paid": (1, money("60")),
            "not captured": (1, money("15")),
            "no customer": (1, money("5")),
        },
    ),
    # 19.99 + (50 - 12.50), in cents
    "stripe_charges.csv": (
        "stripe_charges",
        (2, 2, 2, money("57.49")),
        {
            "test payment": (1, money("1")),
            "refunded": (1, money("12.50")),
            "not paid": (1, money("10")),
            "not captured": (1, money("7")),
        },
    ),
    # The mugs of order 901 are 20 less 3; the lamp is 30; order 902 is 10.
    "etsy_items.csv": ("etsy_items", (3, 2, 2, money("57")), {"not paid": (1, money("10"))}),
    # The same two orders: 50 less 3, and 10.
    "etsy_orders.csv": ("etsy_orders", (2, 2, 2, money("57")), {"cancelled": (1, money("10"))}),
    # Order 100 is 1200, 101 is 80 of which 30 went back, 105 is 60.
    "bigcommerce_orders.csv": (
        "bigcommerce_orders",
        (3, 3, 2, money("1310")),
        {"cancelled": (1, money("20")), "refunded": (2, money("70")), "not paid": (1, money("10"))},
    ),
    # two coffees for 7, one of them given back, and a cake for 5
    "square_items.csv": (
        "square_items",
        (2, 1, 1, money("8.50")),
        {
            "no customer": (1, money("4")),
            "return": (1, money("-3.50")),
            "returned purchase": (0, money("3.50")),
        },
    ),
    # T1: 35 once · T2: 20, of which 5 went back · two purchases without a number on two days
    "ga4_purchases.csv": (
        "ga4_purchases",
        (5, 4, 2, money("70")),
        {"repeated": (2, money("35")), "refunded": (1, money("5")), "refund event": (1, 0), "not a purchase": (1, 0)},
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_an_export_is_known_and_counted_as_its_platform_means_it(name):
    layout, kept, aside = BY_HAND[name]
    orders = read(FILES / name)

    assert orders.layout.name == layout
    assert orders.how_sure.startswith("sure: all")
    assert any(orders.layout.title in note and "sure: all" in note for note in orders.notes)
    assert outcome(FILES / name) == (kept, aside)


@pytest.mark.parametrize("name", ["shopify_orders.csv", "ga4_purchases.csv", "woocommerce_items.csv"])
def test_the_order_of_rows_and_the_kind_of_source_are_no_matter(name, tmp_path):
    _, kept, aside = BY_HAND[name]
    frame = pd.read_csv(FILES / name, dtype=str)

    frame.iloc[::-1].to_parquet(tmp_path / "orders.parquet", index=False)
    assert outcome(tmp_path / "orders.parquet") == (kept, aside)

    table = ibis.duckdb.connect().create_table("export", frame)
    assert outcome(table) == (kept, aside)


def lines_of(orders, *names: str) -> list[tuple]:
    table = orders.table
    if "excluded" in table.columns:
        table = table.filter(table["excluded"].isnull())
    return sorted(tuple(row[name] for name in names) for row in table.to_pyarrow().to_pylist())


def test_shopify_cells_of_the_order_are_on_all_its_lines():
    orders = read(FILES / "shopify_orders.csv")

    assert lines_of(orders, "order_id", "customer_id", "product_id", "amount")[:5] == [
        ("#1001", "ann@example.com", "LAMP", money("27")),  # 45 × 30 / 50
        ("#1001", "ann@example.com", "MUG", money("18")),
        ("#1002", "ann@example.com", "LAMP", money("17.86")),  # 25 less 10 × 25 / 35, cut to the cent
        ("#1002", "ann@example.com", "MUG", money("7.14")),  # the rest of the 25 that were not given back
        ("#1003", "+4915112345", "Gift\ncard", money("25")),
    ]
    first = orders.table.filter(orders.table["order_id"] == "#1001").to_pyarrow().to_pylist()
    assert {row["consent"] for row in first} == {"yes"}
    assert {row["country"] for row in first} == {"US"}
    assert {row["ordered_at"] for row in first} == {datetime(2026, 3, 1, 10, 15)}


def test_an_order_in_two_files_counts_as_the_last_file_has_it(tmp_path):
    shutil.copy(FILES / "shopify_orders.csv", tmp_path / "a.csv")
    shutil.copy(FILES / "shopify_orders_later.csv", tmp_path / "b.csv")
    kept, aside = outcome(tmp_path)

    assert kept == (5, 4, 4, money("110"))  # 1001: 45 · 1003: 25 · 1010: 30 · 1012: 10
    assert aside["earlier version"] == (3, money("65"))  # 1002 and 1010 in a.csv
    assert aside["refunded"] == (3, money("65"))  # 1005, and 1002 as b.csv has it


def test_the_same_file_twice_changes_nothing_but_what_is_set_aside(tmp_path):
    for name in ("a.csv", "b.csv"):
        shutil.copy(FILES / "stripe_payments.csv", tmp_path / name)
    kept, aside = outcome(tmp_path)

    assert kept == BY_HAND["stripe_payments.csv"][1]
    assert aside.pop("earlier version") == (8, money("295"))  # 90 + 50 + 40 + 60 + 10 + 15 + 25 + 5
    assert aside == BY_HAND["stripe_payments.csv"][2]


def test_cdnow_ids_keep_their_zeros_and_days_are_orders():
    orders = read(FILES / "cdnow.txt")

    assert orders.currency == "USD"
    assert lines_of(orders, "customer_id", "ordered_at", "quantity", "amount")[0] == (
        "00001", datetime(1997, 1, 1), money("1"), money("11.77"),
    )  # fmt: skip


def test_the_cdnow_sample_has_one_number_more_per_line(tmp_path):
    path = tmp_path / "sample.txt"
    path.write_bytes(b" 00004 00001 19970101  2   29.33\r\n 00004 00001 19970118  2   29.73\r\n")

    assert outcome(path)[0] == (2, 2, 1, money("59.06"))


def test_a_line_of_cdnow_that_breaks_the_pattern_is_named(tmp_path):
    path = tmp_path / "cdnow.txt"
    path.write_text(" 00001 19970101  1   11.77\n" * 200 + " 00001 1997\n", "utf-8")

    with pytest.raises(SourceError, match=r"Line 201 of cdnow\.txt.*00001 1997"):
        read(path)


def test_nothing_of_a_card_is_kept():
    for name in ("stripe_payments.csv", "stripe_charges.csv"):
        orders = read(FILES / name)
        assert not [column for column in orders.table.columns if "card" in column.lower()]
        assert any("never kept" in note for note in orders.notes)


def test_yen_have_no_minor_units(tmp_path):
    text = (FILES / "stripe_charges.csv").read_text("utf-8").replace(",eur,", ",jpy,")
    (tmp_path / "yen.csv").write_text(text, "utf-8")

    assert outcome(tmp_path / "yen.csv")[0] == (2, 2, 2, money("5749"))


def test_etsy_dates_have_the_month_first_unless_you_say_otherwise():
    orders = read(FILES / "etsy_items.csv")

    assert lines_of(orders, "ordered_at")[0] == (datetime(2026, 3, 4),)
    assert "Dates are month first (12/31/2010): as Etsy sold items has it." in orders.notes
    assert lines_of(read(FILES / "etsy_items.csv", dayfirst=True), "ordered_at")[0] == (datetime(2026, 4, 3),)


def test_refunds_are_shared_to_the_cent():
    """Against a count by hand: each line within a cent of its part, all parts of an order the refund, at most its lines."""
    dice = random.Random(7)
    rows = []
    for order in range(60):
        back = f"{dice.randint(0, 9000) / 100:.2f}"
        rows += [
            (
                f"{order}@x.org",
                f"#{order}",
                "paid",
                "x",
                f"2026-03-{1 + order % 28:02d}",
                1,
                f"item {place}",
                price,
                back,
            )
            for place, price in enumerate(f"{dice.randint(1, 4000) / 100:.2f}" for _ in range(dice.randint(1, 6)))
        ]
    names = ["Email", "Name", "Financial Status", "Fulfillment Status", "Created at", "Lineitem quantity"]
    frame = pd.DataFrame(rows, columns=[*names, "Lineitem name", "Lineitem price", "Refunded Amount"])
    shares = read(frame).table.to_pandas()
    shares = shares[shares["excluded"] == "refunded"].set_index(["order_id", "product_id"])["amount"].to_dict()

    for order, lines in frame.groupby("Name"):
        prices = [Decimal(price) for price in lines["Lineitem price"]]
        due = min(Decimal(lines["Refunded Amount"].iloc[0]), sum(prices))
        parts = [shares.get((order, item), Decimal(0)) for item in lines["Lineitem name"]]
        assert sum(parts) == due
        for price, part in zip(prices, parts, strict=True):
            assert abs(part - due * price / sum(prices)) < Decimal("0.01")
            assert 0 <= part <= price


# --- refused ---------------------------------------------------------------------------------------------------------


def test_amazon_is_refused_because_it_does_not_say_who_bought():
    with pytest.raises(ColumnError, match=r"Amazon does not say who bought.*--map customer_id"):
        read(FILES / "amazon_orders.txt")


def test_amazon_with_a_column_of_your_own_is_read(tmp_path):
    frame = pd.read_csv(FILES / "amazon_orders.txt", sep="\t", dtype=str).assign(Client=["7", "8", "9"])

    kept, aside = outcome(frame, columns=Columns(customer_id="Client"))

    assert kept == (1, 1, 1, money("20"))
    assert aside == {"other shop": (1, money("9")), "not paid": (1, 0)}


def test_square_without_its_customers_is_refused(tmp_path):
    frame = pd.read_csv(FILES / "square_items.csv", dtype=str)

    with pytest.raises(ColumnError, match=r"is Square items\. This file has no column 'Customer ID'"):
        read(frame.drop(columns="Customer ID"))


def test_an_export_without_a_telling_column_is_refused(tmp_path):
    frame = pd.read_csv(FILES / "shopify_orders.csv", dtype=str).drop(columns="Financial Status")
    path = tmp_path / "cut.csv"
    frame.to_csv(path, index=False)

    with pytest.raises(ColumnError, match=r"looks like Shopify orders.*no column Financial Status.*--layout generic"):
        read(path)
    assert read(path, layout="generic").how_sure == "because you said so"


def test_exports_of_two_kinds_are_not_read_together(tmp_path):
    for name in ("etsy_items.csv", "etsy_orders.csv"):
        shutil.copy(FILES / name, tmp_path)

    with pytest.raises(SourceError, match="two kinds: Etsy sold items, and Etsy sold orders"):
        read(tmp_path)


def test_exports_in_two_currencies_are_refused(tmp_path):
    text = (FILES / "shopify_orders.csv").read_text("utf-8").replace("yes,EUR", "yes,USD")
    (tmp_path / "two.csv").write_text(text, "utf-8")

    with pytest.raises(OptionError, match="several currencies: EUR"):
        read(tmp_path / "two.csv")


# --- layouts as data ---------------------------------------------------------------------------------------------------


def test_signatures_tell_layouts_apart():
    """No shipped export has the signature of another."""
    known = [layout for layout in layouts() if layout.telling]
    for one in known:
        headers = {name for names in one.columns.values() for name in names} | set(one.telling)
        assert not [other.name for other in known if other is not one and set(other.telling) <= headers]


@pytest.mark.parametrize(
    ("phone", "consent"),
    [
        ("Phone", "Accepts Marketing"),
        ("Phone Number", "email_marketing_consent"),
        ("Telephone", "Newsletter"),
        ("mobile", "Opt-in"),
        ("Telefonnummer", "subscribed"),
    ],
)
def test_common_names_of_phone_and_consent(phone, consent):
    cells = {"customer": ["a", "b", "c"], "date": ["2024-01-31"] * 3, "amount": [1, 2, 3]}
    orders = read(pd.DataFrame(cells | {phone: ["+49 151 1", None, ""], consent: ["yes", "no", "weekly"]}))

    assert {match.field: match.column for match in orders.matches if match.field in ("phone", "consent")} == {
        "phone": phone,
        "consent": consent,
    }
    said = clean(orders).contacts.order_by("customer_id")
    assert said.mutate(agreed=consents(said.consent)).to_pyarrow()["agreed"].to_pylist() == [True, False, False]


OWN = """\
title = "My till"
either = ["customer_id"]
fill_down = ["State"]

[columns]
customer_id = ["Card", "Mail"]
order_id = ["Slip"]
ordered_at = ["Day"]
amount = ["Sum"]
refunded = ["Back"]

[[set_aside]]
name = "training"
title = "rung up to learn"
column = "State"
is = ["Training_Mode"]
"""


def test_a_layout_of_your_own_can_say_the_same(tmp_path):
    (tmp_path / "till.toml").write_text(OWN, "utf-8")
    (tmp_path / "till.csv").write_text(
        "Card,Mail,Slip,Day,Sum,Back,State\n"
        "c1,,1,2026-01-05,10.00,4.00,sold\n"
        ",A@x.org,2,2026-01-06,3.00,,training mode\n"
        ",A@x.org,2,2026-01-06,2.00,,\n"
        ",a@x.org,3,2026-01-07,5.00,,sold\n",
        "utf-8",
    )
    kept, aside = outcome(tmp_path / "till.csv", layout=tmp_path / "till.toml")

    assert kept == (2, 2, 2, money("11"))
    assert aside == {"training": (2, money("5")), "refunded": (1, money("4"))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('is = ["Training_Mode"]', ""), "needs a name, a column and one test"),
        (('is = ["Training_Mode"]', 'is = "x"'), r"set_aside\.is is not a list of texts"),
        (('is = ["Training_Mode"]', 'like = "("'), r"set_aside\.like is not a pattern"),
        (('is = ["Training_Mode"]', "filled = 1"), r"set_aside\.filled is not true or false"),
        (('name = "training"', 'nmae = "training"'), r"unknown key set_aside\.nmae"),
        (("[[set_aside]]", "[set_aside]"), "set_aside is not a list of tables"),
        (('either = ["customer_id"]', 'either = ["client"]'), r"unknown key columns\.client"),
        (('either = ["customer_id"]', "lines = '(a)'"), "lines has 1 groups, names has 0 entries"),
    ],
)
def test_a_broken_rule_of_a_layout_is_named(tmp_path, change, words):
    (tmp_path / "till.toml").write_text(OWN.replace(*change), "utf-8")

    with pytest.raises(OptionError, match=words):
        read(FILES / "cdnow.txt", layout=tmp_path / "till.toml")
