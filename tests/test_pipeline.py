"""The corridor from order lines to facts: on the sample shop, whose truth is known, and on shops too small for segments."""

import json
from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import oracles
import regulars as rg
from regulars.errors import NotEnoughDataError, OptionError, PackError, SourceError
from regulars.schema import CUSTOMERS, FORECASTS, LABELS, MEASURES, SCORES

# --- the sample shop ------------------------------------------------------------------------------------------------


def test_revenue_is_what_the_sample_shop_really_earned(sample_shop, sample_result):
    truth = sample_shop.dirt

    assert sample_result.revenue == truth.net
    assert sample_result.audit.raw.rows_left == truth.lines
    taken = {line.rule: line.rows for line in sample_result.audit.lines}
    assert taken["duplicate"] == truth.duplicates
    assert taken["no customer"] == truth.without_customer
    assert taken["no price"] == truth.free + truth.negative_price
    assert taken["not a product"] == truth.services
    assert taken["return"] == truth.returns
    assert sample_result.audit.unmatched_amount == truth.unmatched
    assert sample_result.audit.reconciles


def test_as_of_is_the_day_after_the_last_day_of_the_file(sample_shop, sample_result):
    last = pc.max(sample_shop.orders["InvoiceDate"]).as_py().date()

    assert sample_result.as_of == sample_result.model.as_of == last + timedelta(days=1)


def test_one_row_per_customer_in_the_columns_of_the_schema(sample_result):
    table = sample_result.customers

    assert table.columns == (*CUSTOMERS, *SCORES, *LABELS, "value_percentile", *FORECASTS)
    ids = table.to_pyarrow()["customer_id"].to_pylist()
    assert len(set(ids)) == len(ids) == sample_result.customers_total


def test_everybody_is_in_the_segment_whose_centre_is_nearest(sample_result):
    found = sample_result.customers.order_by("customer_id").to_pandas()
    model = sample_result.model

    points = model.scale.transform(found[list(MEASURES)].astype(float))
    nearest, distance, second = oracles.nearest_two(points, np.array(model.centres))

    np.testing.assert_array_equal(found["segment_id"], nearest)
    np.testing.assert_allclose(found["distance"], distance, atol=1e-9)
    names = np.array([segment.name for segment in sample_result.segments])
    np.testing.assert_array_equal(found["segment"], names[nearest])
    np.testing.assert_array_equal(found["runner_up"], names[second])


def test_segments_are_numbered_by_value(sample_result):
    values = [segment.profile.value_percentile for segment in sample_result.segments]

    assert values == sorted(values, reverse=True)
    assert [segment.id for segment in sample_result.segments] == list(range(len(values)))
    assert list(sample_result.silhouettes) == list(range(len(values)))
    for segment in sample_result.segments:
        own = sample_result.silhouettes[segment.id]
        assert len(own) == segment.profile.customers
        assert list(own) == sorted(own, reverse=True)


def test_every_view_of_the_sample_shop_sums_to_its_revenue(sample_result):
    spending, total = sample_result.spending, sample_result.revenue

    assert sum(revenue for _, revenue, _, _ in spending.months) == total
    assert sum(revenue for *_, revenue in spending.countries) == total
    assert sum(map(sum, spending.weekday_hours)) == pytest.approx(float(total))
    assert sum(n for *_, n in spending.order_sizes) == sample_result.orders_total
    assert sum(orders for _, _, orders, _ in spending.months) == sample_result.orders_total


def test_the_segments_of_the_sample_shop_are_all_of_it(sample_result):
    profiles = [segment.profile for segment in sample_result.segments]

    assert sum(p.revenue for p in profiles) == sample_result.revenue
    assert sum(p.customers for p in profiles) == sample_result.customers_total
    assert sum(p.customer_share for p in profiles) == pytest.approx(1)
    assert sum(p.revenue_share for p in profiles) == pytest.approx(1)
    inside = Counter()
    for p in profiles:
        inside.update(dict(p.groups))
    assert inside == {name: n for name, _, n, _ in sample_result.groups}


def test_the_sample_is_of_everybody_while_they_are_few(sample_result):
    sample = sample_result.sample

    assert Counter(sample.segment_id) == {s.id: s.profile.customers for s in sample_result.segments}
    assert sum(sample.monetary) == pytest.approx(float(sample_result.revenue))


def test_neither_the_order_of_the_rows_nor_the_names_of_the_customers_change_a_segment(sample_shop, sample_result):
    orders = sample_shop.orders
    shuffled = orders.take(np.random.default_rng(1).permutation(len(orders)))
    place = shuffled.schema.get_field_index("CustomerID")
    renamed = shuffled.set_column(place, "CustomerID", pc.subtract(1_000_000, shuffled["CustomerID"]))

    again = rg.segment(renamed)

    wanted = ("r_score", "f_score", "m_score", "rfm_group", "segment_id", "segment", "distance", "runner_up")
    before, after = (
        {
            int(row["customer_id"]): tuple(row[name] for name in wanted)
            for row in result.customers.to_pyarrow().to_pylist()
        }
        for result in (sample_result, again)
    )
    assert {1_000_000 - customer: labels for customer, labels in after.items()} == before
    assert again.segments == sample_result.segments
    assert (again.trials, again.choice, again.cuts) == (sample_result.trials, sample_result.choice, sample_result.cuts)
    assert again.model == sample_result.model
    assert again.spending == sample_result.spending


def test_the_model_labels_its_own_shop_the_same(sample_shop, sample_result, tmp_path):
    model = rg.load_model(sample_result.model.save(tmp_path / "model.json"))

    assignment = rg.assign(sample_shop.orders, model)

    columns = ["customer_id", *SCORES, *LABELS]
    before, after = (
        table.select(columns).order_by("customer_id").to_pyarrow()
        for table in (sample_result.customers, assignment.customers)
    )
    assert after.drop("distance").equals(before.drop("distance"))
    np.testing.assert_allclose(after["distance"], before["distance"], atol=1e-9)
    assert assignment.unassigned == 0
    assert assignment.as_of == sample_result.as_of
    assert {name: (n, money) for name, n, money in assignment.segments} == {
        s.name: (s.profile.customers, s.profile.revenue) for s in sample_result.segments
    }


def test_assigning_looks_at_the_past_of_its_own_day(sample_shop, sample_result):
    day = sample_result.as_of - timedelta(days=100)

    assignment = rg.assign(sample_shop.orders, sample_result.model, as_of=day)

    people = assignment.customers.to_pyarrow()
    assert assignment.as_of == day
    assert max(people["last_order"].to_pylist()) < day
    assert min(people["recency_days"].to_pylist()) >= 1
    assert assignment.customers.columns == (*CUSTOMERS, *SCORES, *LABELS)
    assert json.loads(json.dumps(assignment.to_dict(), default=str))["as_of"] == str(day)


def test_showing_a_result_runs_no_query(sample_result, no_queries):
    with no_queries():
        shown, in_words, facts = repr(sample_result), str(sample_result), sample_result.to_dict()

    assert shown.startswith("Segmentation(source=")
    assert f"k = {sample_result.choice.k}: " in in_words
    assert all(segment.name in in_words for segment in sample_result.segments)
    assert "customers" not in facts  # tables are no facts


def test_facts_are_plain_enough_for_json(sample_result):
    facts = json.loads(json.dumps(sample_result.to_dict(), default=str, allow_nan=False))

    assert facts["revenue"] == str(sample_result.revenue)
    assert facts["as_of"] == sample_result.as_of.isoformat()
    assert [segment["name"] for segment in facts["segments"]] == [segment.name for segment in sample_result.segments]
    assert [trial["k"] for trial in facts["trials"]] == [2, 3, 4, 5, 6, 7, 8]
    assert facts["audit"]["reconciles"] is True


# --- options --------------------------------------------------------------------------------------------------------


def small_shop(customers: int, *, alike: bool = False) -> pa.Table:
    """Customers with one order each; all on the same day for the same money where they are alike."""
    days = [datetime(2024, 1, 1) + timedelta(days=0 if alike else i) for i in range(customers)]
    return pa.table(
        {
            "customer": [f"c{i}" for i in range(customers)],
            "order": [str(i) for i in range(customers)],
            "date": pa.array(days, pa.timestamp("us")),
            "amount": [10.0 if alike else 5.0 + i * i for i in range(customers)],
        }
    )


def test_every_option_is_followed_and_recorded():
    shop = small_shop(40)
    told = []

    result = rg.segment(
        shop,
        options=rg.Options(k=5, scale="log"),
        k=3,
        as_of=date(2024, 2, 1),
        groups="klaviyo",
        seed=7,
        currency="EUR",
        rules=[rg.Rule(name="tiny", title="tiny", drop=lambda t: t.amount < 6)],
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )

    assert (result.options.k, result.options.scale, result.options.seed) == (3, "log", 7)  # a loose option goes first
    assert len(result.segments) == 3
    assert [segment.tier for segment in result.segments] == ["high", "moderate", "low"]
    assert (result.model.scale.name, result.cuts.levels, result.model.pack.name) == ("log", 3, "klaviyo")
    assert result.currency == "EUR"
    taken = {line.rule: line.rows for line in result.audit.lines if line.rows}
    assert taken == {"after as-of": 9, "tiny": 1}
    assert result.customers_total == 30
    assert [stage for stage, done, _ in told if not done] == [
        "Reading",
        "Cleaning",
        "Counting per customer",
        "Back-testing",
        "Clustering",
        "Describing the segments",
    ]
    assert ("Clustering", 7, 7) in told


def test_value_is_orders_and_spend_and_not_spend_alone():
    kinds = {"big spender": (1, 10_000.0), "regular": (10, 50.0), "passer-by": (1, 5.0)}  # orders, money for each
    rows = [
        (f"{kind} {person}", datetime(2024, 1, 1) + timedelta(days=3 * order), amount + person)
        for kind, (orders, amount) in kinds.items()
        for person in range(15)
        for order in range(10 - orders, 10)
    ]

    result = rg.segment(
        pa.table(dict(zip(("customer", "date", "amount"), map(list, zip(*rows, strict=True)), strict=True))), k=3
    )

    of_kind = {
        row["customer_id"].rpartition(" ")[0]: row["segment_id"] for row in result.customers.to_pyarrow().to_pylist()
    }
    assert of_kind == {"regular": 0, "big spender": 1, "passer-by": 2}


@pytest.mark.parametrize("k", [1, 0, -3, 2.5, "four", True])
def test_fewer_than_two_segments_are_refused(k):
    with pytest.raises(OptionError, match=f"k is {k!r}. Ask for 2 to 50 segments"):
        rg.segment("nowhere.csv", k=k)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"clusters": 4}, OptionError, r"There is no option 'clusters'\. Options are returns, all_products, as_of"),
        ({"groups": "twelve"}, PackError, "There is no rule pack 'twelve'"),
        ({"actions": "none.toml"}, OptionError, r"Cannot read the actions file none\.toml"),
        ({}, SourceError, r"nowhere\.csv"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_the_options_is_said_before_the_source_is_read(options, error, words):
    with pytest.raises(error, match=words):
        rg.segment("nowhere.csv", **options)


@pytest.mark.parametrize("options", [{"scale": "cube"}, {"returns": "refund"}])
def test_an_option_that_does_not_exist_is_refused(options):
    with pytest.raises(OptionError, match=r"There is no (scale 'cube'|returns policy 'refund')"):
        rg.segment(small_shop(12), **options)


def test_more_segments_than_different_customers_are_refused():
    with pytest.raises(
        NotEnoughDataError, match=r"50 clusters were asked for, but there are only 12 distinct customers"
    ):
        rg.segment(small_shop(12), k=50)


# --- shops too small for segments -----------------------------------------------------------------------------------


def test_nobody_is_left():
    shop = small_shop(3)
    free = shop.set_column(3, "amount", pa.array([0.0] * 3))

    with pytest.raises(
        NotEnoughDataError, match=r"No order line is left after cleaning\. Set aside: 3 rows \(price of zero"
    ):
        rg.segment(free)


@pytest.mark.parametrize(
    ("customers", "words"), [(1, "Only 1 customer is left"), (2, "Only 2 customers are"), (9, "Only 9")]
)
def test_a_handful_of_customers_makes_no_segments(customers, words):
    with pytest.raises(NotEnoughDataError, match=f"{words}.*segments need at least 10"):
        rg.segment(small_shop(customers))


def test_customers_who_do_not_differ_make_no_segments():
    with pytest.raises(NotEnoughDataError, match="All 12 customers have the same recency, orders and spend"):
        rg.segment(small_shop(12, alike=True))


def test_ten_different_customers_are_enough():
    result = rg.segment(small_shop(10))

    assert result.customers_total == 10
    assert result.choice.warning.startswith("Take these segments with care")
    assert sum(segment.profile.customers for segment in result.segments) == 10
