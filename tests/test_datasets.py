"""Is the sample shop what it says it is? Counted again with pandas, from the exported columns alone."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from regulars.datasets import make_orders
from regulars.errors import OptionError

SERVICES = ["POST", "DOT", "M", "C2", "C3", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "ADJUST", "ADJUST2"]


@pytest.fixture(scope="module")
def shop():
    return make_orders(customers=1000, seed=3)


@pytest.fixture(scope="module")
def orders(shop):
    return frame(shop)


def frame(shop) -> pd.DataFrame:
    """The export, with money in whole pence."""
    out = shop.orders.to_pandas()
    out["pence"] = (out["UnitPrice"] * 100).round().astype("int64") * out["Quantity"]
    return out


def product_lines(orders: pd.DataFrame) -> pd.DataFrame:
    """What netting gets to see: product lines of known customers, at a price, each once."""
    once = orders.drop_duplicates()
    known = once[once["CustomerID"].notna() & (once["UnitPrice"] > 0)]
    return known[~known["StockCode"].isin(SERVICES)]


def pounds(pence: int) -> Decimal:
    return Decimal(int(pence)) / 100


# --- the table ------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_uci_file(shop):
    assert [f"{field.name}: {field.type}" for field in shop.orders.schema] == [
        "InvoiceNo: string",
        "StockCode: string",
        "Description: string",
        "Quantity: int64",
        "InvoiceDate: timestamp[us]",
        "UnitPrice: double",
        "CustomerID: int64",
        "Country: string",
    ]
    assert {name for name in shop.orders.column_names if shop.orders[name].null_count} == {"CustomerID"}


def test_rows_and_invoice_numbers_rise_with_time(orders):
    assert orders["InvoiceDate"].is_monotonic_increasing
    assert orders["InvoiceNo"].str.removeprefix("C").astype(int).is_monotonic_increasing


def test_an_invoice_has_one_moment_one_customer_and_one_country(orders):
    found = orders.groupby("InvoiceNo")[["InvoiceDate", "CustomerID", "Country"]].nunique(dropna=False)
    assert (found == 1).all(axis=None)


def test_products_and_prices(orders):
    products = orders[~orders["StockCode"].isin(SERVICES)]
    assert 200 <= products["StockCode"].nunique() <= 400
    assert (products.groupby("StockCode")["Description"].nunique() == 1).all()
    assert products.groupby("Description")["StockCode"].nunique().max() == 1
    prices = products.loc[products["UnitPrice"] > 0, "UnitPrice"]
    assert prices.map("{:.2f}".format).str.endswith(("49", "95")).all()
    assert (orders["UnitPrice"] == orders["UnitPrice"].round(2)).all()


def test_most_customers_live_in_the_united_kingdom(orders):
    homes = orders.dropna(subset="CustomerID").groupby("CustomerID")["Country"]
    assert (homes.nunique() == 1).all()
    assert (homes.first() == "United Kingdom").mean() == pytest.approx(0.85, abs=0.04)


# --- the dirt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("customers", "days", "seed"), [(1000, 365, 3), (300, 730, 1), (20, 90, 0), (20, 90, 1), (20, 1500, 2)]
)
def test_the_stated_dirt_is_there(customers, days, seed):
    shop = make_orders(customers, days, seed=seed)
    orders = frame(shop)
    once = orders.drop_duplicates()
    known = once[once["CustomerID"].notna()]
    priced = known[known["UnitPrice"] > 0]
    lines = product_lines(orders)
    back = lines[lines["InvoiceNo"].str.startswith("C")]
    bought = lines[~lines["InvoiceNo"].str.startswith("C")]
    pair = ["CustomerID", "StockCode"]
    strange = ~back.set_index(pair).index.isin(bought.set_index(pair).index)

    assert shop.dirt.to_dict() == {
        "lines": len(orders),
        "duplicates": len(orders) - len(once),
        "without_customer": int(once["CustomerID"].isna().sum()),
        "free": int((known["UnitPrice"] == 0).sum()),
        "negative_price": int((known["UnitPrice"] < 0).sum()),
        "services": int(priced["StockCode"].isin(SERVICES).sum()),
        "returns": len(back),
        "unmatched_returns": int(strange.sum()),
        "purchases": len(bought),
        "gross": pounds(bought["pence"].sum()),
        "returned": pounds(-back["pence"][~strange].sum()),
        "net": pounds(bought["pence"].sum() + back["pence"][~strange].sum()),
        "unmatched": pounds(-back["pence"][strange].sum()),
    }
    assert all(value > 0 for value in shop.dirt.to_dict().values())
    assert (back["Quantity"] < 0).all()
    assert (bought["Quantity"] > 0).all()


def test_every_row_is_counted_once(shop):
    dirt = shop.dirt
    parts = (dirt.duplicates, dirt.without_customer, dirt.free, dirt.negative_price, dirt.services, dirt.returns)
    assert dirt.lines == sum(parts) + dirt.purchases


def test_taking_purchases_from_a_stack_finds_the_net():
    shop = make_orders(customers=300, seed=6)
    stacks, unmatched = defaultdict(list), 0
    for line in product_lines(frame(shop)).itertuples():
        stack = stacks[line.CustomerID, line.StockCode, line.UnitPrice]
        price, quantity = line.pence // line.Quantity, line.Quantity
        while quantity < 0 and stack:
            quantity += stack.pop()[0]
        if quantity > 0:
            stack.append((quantity, price))
        unmatched -= min(quantity, 0) * price

    assert pounds(sum(q * price for stack in stacks.values() for q, price in stack)) == shop.dirt.net
    assert pounds(unmatched) == shop.dirt.unmatched


def test_some_orders_are_cancelled_whole_and_some_lines_in_part(orders):
    lines = product_lines(orders)
    cancelled = lines["InvoiceNo"].str.startswith("C")
    pair = ["CustomerID", "StockCode", "UnitPrice"]
    both = lines[~cancelled].merge(lines[cancelled], on=pair, suffixes=("", "_back"))
    both = both[both["InvoiceDate"] < both["InvoiceDate_back"]]
    assert (both["Quantity"] > -both["Quantity_back"]).any()
    soon = both[both["InvoiceDate_back"] - both["InvoiceDate"] < pd.Timedelta("2h")]
    assert (soon["Quantity"] == -soon["Quantity_back"]).mean() > 0.95
    assert len(soon) > 50


def test_stock_is_written_off_without_customer_and_price(orders):
    written_off = orders[~orders["InvoiceNo"].str.startswith("C") & (orders["Quantity"] < 0)]
    assert len(written_off)
    assert written_off["CustomerID"].isna().all()
    assert (written_off["UnitPrice"] == 0).all()


# --- the calendar ---------------------------------------------------------------------------------------------------


def test_season_weekdays_and_hours():
    invoices = frame(make_orders(customers=1500, days=1096, seed=2)).drop_duplicates("InvoiceNo")
    when = invoices["InvoiceDate"].dt
    by_month, by_day, by_hour = (part.value_counts() for part in (when.month, when.day_name(), when.hour))
    assert by_month[11] == by_month.max()
    assert by_month[8] < 0.9 * by_month[[6, 9]].min()
    assert by_month[1] < 0.8 * by_month[10]
    assert "Saturday" not in by_day
    assert by_day["Sunday"] < 0.7 * by_day[["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]].min()
    assert by_hour[12] == by_hour.max()
    assert by_hour[8] < 0.4 * by_hour[12]
    assert by_hour.index.min() == 8
    closed = ((when.month == 12) & (when.day >= 25)) | ((when.month == 1) & (when.day == 1))
    assert not closed.any()


@pytest.mark.parametrize("days", [90, 365])
def test_days_are_those_asked_for(days):
    when = make_orders(customers=200, days=days, seed=1, start=date(2023, 7, 3)).orders["InvoiceDate"].to_pandas()
    end = pd.Timestamp("2023-07-03") + pd.Timedelta(days=days)
    assert pd.Timestamp("2023-07-03") <= when.min() < pd.Timestamp("2023-07-08")
    assert end - pd.Timedelta(days=4) < when.max() < end


# --- the customers --------------------------------------------------------------------------------------------------


def test_truth_has_every_customer_once(shop, orders):
    truth = shop.truth.to_pandas()
    assert list(truth.columns) == ["CustomerID", "kind"]
    assert truth["CustomerID"].is_monotonic_increasing
    assert set(truth["CustomerID"]) == set(orders["CustomerID"].dropna().astype(int))
    assert truth["kind"].value_counts().to_dict() == {"loyal": 120, "occasional": 330, "new": 280, "lapsed": 270}


def test_the_number_of_a_customer_tells_nothing(shop, orders):
    ids = shop.truth["CustomerID"].to_pandas()
    first = orders.groupby("CustomerID")["InvoiceDate"].min().rank()
    spent = orders.groupby("CustomerID")["pence"].sum().rank()
    assert abs(np.corrcoef(ids, first)[0, 1]) < 0.1
    assert abs(np.corrcoef(ids, spent)[0, 1]) < 0.1


def test_four_clusters_find_the_kinds_but_not_perfectly(shop, orders):
    lines = product_lines(orders)
    bought = lines[lines["Quantity"] > 0].groupby("CustomerID")
    age = (orders["InvoiceDate"].max() - bought["InvoiceDate"].max()).dt.days + 1
    points = np.column_stack(
        [np.sqrt(age), np.log1p(bought["InvoiceNo"].nunique()), np.log1p(bought["pence"].sum() / 100)]
    )
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    kinds = shop.truth.to_pandas().set_index("CustomerID")["kind"].loc[age.index]
    with threadpool_limits(1):
        found = KMeans(4, n_init=10, random_state=0).fit_predict(points)
    assert 0.7 < adjusted_rand_score(kinds, found) < 0.95


# --- the seed and the options ---------------------------------------------------------------------------------------


def test_same_seed_same_tables():
    one, two, other = (make_orders(customers=100, days=120, seed=seed) for seed in (7, 7, 8))
    assert one.orders.equals(two.orders)
    assert one.truth.equals(two.truth)
    assert one.dirt == two.dirt
    assert not one.orders.equals(other.orders)


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_orders(customers=20, days=90)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_repr_says_how_much_there_is():
    shop = make_orders(customers=20, days=90)
    assert repr(shop) == f"SampleShop({shop.dirt.lines:,} lines, 20 customers, net {shop.dirt.net:,})"


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (
            {"customers": 19},
            "A sample shop with customers=19 is too small for four kinds of customers.",
            "Ask for at least customers=20.",
        ),
        ({"days": 89}, "A sample shop cannot be open for days=89.", "Ask for days=90 to days=1500."),
        ({"days": 1501}, "A sample shop cannot be open for days=1501.", "Ask for days=90 to days=1500."),
        ({"seed": -1}, "There is no seed=-1.", "A seed is a whole number, zero or more."),
    ],
)
def test_options_that_do_not_fit_are_refused_in_words(options, message, hint):
    with pytest.raises(OptionError) as caught:
        make_orders(**options)
    assert (caught.value.message, caught.value.hint) == (message, hint)
