"""Forecasts inside the engine: the same numbers as the mathematics for arrays, whatever the history."""

from datetime import date, datetime
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pytest

import regulars as rg
from regulars import forecasting, valuing
from regulars.errors import OptionError
from regulars.features import build_histories, purchase_days
from regulars.forecasting import Forecaster, group_histories, group_spend, learn_chances, learn_value
from regulars.schema import FORECASTS
from regulars.valuing import ChanceModel, PurchaseModel, SpendModel

SPEND = SpendModel(p=2.8, q=3.4, gamma=331.0, mean=390.0)
CHANCES = ChanceModel(
    intercept=-0.3,
    weights=(-0.9, 0.5, 0.2),
    centres=(4.0, 1.2, 6.0),
    spreads=(1.3, 0.7, 1.1),
)


def people(n: int = 400) -> pd.DataFrame:
    """Customers of all sorts: none to ten thousand repeat orders, on the first day and for years."""
    rng = np.random.default_rng(5)
    x = np.concatenate([[0, 0, 1, 10_000, 300], rng.geometric(0.3, n - 5) - 1])
    age = np.concatenate([[1, 4000, 2, 3650, 365], rng.integers(1, 900, n - 5)])
    active = np.where(x == 0, 0, np.minimum(age, rng.integers(1, 901, n)))
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "recency_days": age - active,
            "frequency": x + 1,
            "monetary": [Decimal(f"{value:.2f}") for value in rng.gamma(2, 100, n) * (x + 1)],
            "repeat_orders": x,
            "active_days": active,
            "age_days": age,
            "order_value": rng.gamma(2, 100, n),
            "last_year": [Decimal(f"{value:.2f}") for value in rng.gamma(1, 300, n)],
        }
    )


def forecast(forecaster: Forecaster, frame: pd.DataFrame) -> pd.DataFrame:
    table = forecaster.forecast(ibis.memtable(frame)).to_pandas()
    return table.set_index("customer_id").loc[frame["customer_id"]].reset_index()


MODELS = {
    "as on the real file": ("mbg-nbd", (0.82, 69.8, 0.9, 2.5)),
    "a is one": ("mbg-nbd", (0.5, 40.0, 1.0, 1.6)),
    "nobody leaves": ("mbg-nbd", (1.1, 150.0, 1e-4, 30.0)),
    "published": ("bg-nbd", (0.2426, 30.9, 0.7929, 2.4259)),
    "many leave": ("bg-nbd", (2.0, 20.0, 3.0, 1.2)),
    "everybody leaves alike": ("mbg-nbd", (1.4, 70.0, 25_207.0, 160_000.0)),
    "joined": ("pareto-nbd", (0.55, 74.0, 0.6, 81.7)),
}


class TestForecaster:
    @pytest.mark.parametrize("horizon", [1, 91, 730])
    @pytest.mark.parametrize("name", MODELS)
    def test_the_expression_gives_what_the_mathematics_gives(self, name, horizon):
        kind, parameters = MODELS[name]
        model = PurchaseModel(kind=kind, parameters=parameters, leaving_identified=True)
        frame = people()
        history = frame["repeat_orders"], frame["active_days"], frame["age_days"]

        found = forecast(Forecaster(horizon_days=horizon, purchases=model, spend=SPEND), frame)

        expected = {
            "p_active": valuing.p_active(kind, parameters, *history, horizon),
            "expected_orders": valuing.expected_orders(kind, parameters, *history, horizon),
            "p_alive": valuing.p_alive(kind, parameters, *history),
            "order_value": valuing.expected_order_value(SPEND, history[0] + 1, frame["order_value"]),
        }
        for column, values in expected.items():
            np.testing.assert_allclose(found[column], values, rtol=1e-6, atol=1e-12, err_msg=column)
        np.testing.assert_allclose(found["expected_value"], found["expected_orders"] * found["order_value"])
        risk = (1 - found["p_active"]) * frame["last_year"].astype(float)
        np.testing.assert_allclose(found["revenue_at_risk"], risk)

    def test_a_horizon_too_long_for_a_series_is_scored_by_a_table(self):
        parameters = (0.5, 3.0, 0.8, 2.0)  # α of three days: the series for two years would need thousands of terms
        model = PurchaseModel(kind="mbg-nbd", parameters=parameters, leaving_identified=True)
        assert forecasting._Parts.of(model).terms(730) is None
        frame = people(50)
        history = frame["repeat_orders"], frame["active_days"], frame["age_days"]

        found = forecast(Forecaster(horizon_days=730, purchases=model, spend=None), frame)

        expected = valuing.expected_orders("mbg-nbd", parameters, *history, 730)
        np.testing.assert_allclose(found["expected_orders"], expected)
        assert found["order_value"].isna().all()
        assert found["expected_value"].isna().all()

    def test_a_few_huge_orders_leave_the_observed_mean(self):
        spend = SpendModel(p=1.5, q=0.8, gamma=50.0, mean=210.0)
        model = PurchaseModel(kind="bg-nbd", parameters=MODELS["published"][1], leaving_identified=True)
        frame = people(50)

        found = forecast(Forecaster(horizon_days=91, purchases=model, spend=spend), frame)

        expected = valuing.expected_order_value(spend, frame["repeat_orders"] + 1, frame["order_value"])
        np.testing.assert_allclose(found["order_value"], expected)

    def test_a_chance_model_takes_the_place_of_the_chance_and_scales_the_orders(self):
        model = PurchaseModel(kind="mbg-nbd", parameters=MODELS["as on the real file"][1], leaving_identified=True)
        plain = Forecaster(horizon_days=91, purchases=model, spend=SPEND)
        frame = people()

        one, other = forecast(plain, frame), forecast(plain.with_chances(CHANCES), frame)

        measures = frame[["recency_days", "frequency", "monetary"]].astype(float)
        np.testing.assert_allclose(other["p_active"], CHANCES.predict(measures))
        ratio = one["expected_orders"] / one["p_active"]
        np.testing.assert_allclose(other["expected_orders"], ratio * other["p_active"], rtol=1e-9)
        assert (other["expected_orders"] >= other["p_active"] - 1e-12).all()
        assert other["p_alive"].isna().all()  # it knows nothing of leaving, and would contradict

    def test_where_leaving_cannot_be_told_nobody_is_called_alive(self):
        model = PurchaseModel(kind="mbg-nbd", parameters=MODELS["nobody leaves"][1], leaving_identified=False)
        found = forecast(Forecaster(horizon_days=91, purchases=model, spend=None), people(20))
        assert found["p_alive"].isna().all()
        assert found["p_active"].between(0, 1).all()

    def test_a_busy_season_is_a_longer_horizon(self):
        model = PurchaseModel(kind="mbg-nbd", parameters=MODELS["as on the real file"][1], leaving_identified=True)
        busy = Forecaster(horizon_days=60, purchases=model, spend=SPEND, season=1.5)
        usual = Forecaster(horizon_days=90, purchases=model, spend=SPEND)
        pd.testing.assert_frame_equal(forecast(busy, people(40)), forecast(usual, people(40)))

    def test_margin_and_discount_count_at_the_middle_of_the_horizon(self):
        model = PurchaseModel(kind="mbg-nbd", parameters=MODELS["as on the real file"][1], leaving_identified=True)
        usual = Forecaster(horizon_days=365, purchases=model, spend=SPEND)
        kept = Forecaster(horizon_days=365, purchases=model, spend=SPEND, margin=0.4, discount=0.1)
        ratio = forecast(kept, people(40))["expected_value"] / forecast(usual, people(40))["expected_value"]
        np.testing.assert_allclose(ratio, 0.4 / 1.1 ** (365 / 2 / 365.25))

    def test_nobody_without_a_history_gets_a_forecast(self):
        frame = people(20)
        frame["repeat_orders"] = frame["repeat_orders"].astype("Int64")
        for name in ("repeat_orders", "active_days", "age_days"):
            frame[name] = frame[name].astype("Int64")
            frame.loc[3, name] = pd.NA
        model = PurchaseModel(kind="mbg-nbd", parameters=MODELS["as on the real file"][1], leaving_identified=True)

        found = forecast(Forecaster(horizon_days=91, purchases=model, spend=SPEND, chances=CHANCES), frame)

        assert found.loc[3, ["p_active", "expected_orders", "expected_value", "revenue_at_risk"]].isna().all()
        assert found.drop(index=3)["p_active"].notna().all()

    def test_it_is_saved_as_plain_numbers(self):
        model = PurchaseModel(kind="bg-nbd", parameters=MODELS["published"][1], leaving_identified=True)
        one = Forecaster(horizon_days=91, purchases=model, spend=SPEND, chances=CHANCES, season=1.2)
        assert Forecaster.from_dict(one.to_dict()) == one


class TestHistories:
    @pytest.fixture
    def lines(self, con):
        rows = [
            ("ann", "1", datetime(2024, 1, 10, 9), "20"),
            ("ann", "2", datetime(2024, 1, 10, 17), "10"),  # the same day: one order
            ("ann", "3", datetime(2024, 3, 1, 9), "12"),
            ("ben", "4", datetime(2023, 1, 1, 9), "50"),
            ("cleo", "5", datetime(2024, 2, 1, 9), "0"),  # worth nothing: no order
        ]
        frame = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "amount"])
        return con.create_table(ibis.util.gen_name("lines"), frame.assign(amount=frame["amount"].map(Decimal)))

    def test_an_order_is_a_day_with_money(self, lines):
        found = build_histories(lines, as_of=date(2024, 4, 1)).order_by("customer_id").to_pyarrow().to_pylist()
        ann, ben = found
        assert (ann["repeat_orders"], ann["active_days"], ann["age_days"]) == (1, 51, 82)
        assert (ann["order_value"], ann["repeat_value"], ann["last_year"]) == (21.0, 12.0, Decimal("42.0000"))
        assert (ben["repeat_orders"], ben["active_days"], ben["age_days"]) == (0, 0, 456)
        assert (ben["repeat_value"], ben["last_year"]) == (None, Decimal("0.0000"))
        assert purchase_days(lines).count().to_pyarrow().as_py() == 3

    def test_distinct_rows_stand_for_all(self, monkeypatch):
        frame = people(1000)
        table = ibis.memtable(frame)
        rows, weights = group_histories(table)
        counts = frame.groupby(["repeat_orders", "active_days", "age_days"]).size()
        assert sorted(zip(map(tuple, rows.tolist()), weights, strict=True)) == sorted(counts.items())

        monkeypatch.setattr(forecasting, "MOST_ROWS", 450)
        coarse, customers = group_histories(table)
        assert len(coarse) <= 450
        assert customers.sum() == 1000
        assert (coarse[:, 1] <= coarse[:, 2]).all()
        np.testing.assert_allclose(customers @ coarse, frame[["repeat_orders", "active_days", "age_days"]].sum())

    def test_money_is_taken_together_to_a_hundredth_where_customers_are_many(self, monkeypatch):
        frame = people(1000)
        exact, n = group_spend(ibis.memtable(frame))
        assert n.sum() == len(exact) == 1000
        monkeypatch.setattr(forecasting, "MOST_ROWS", 300)
        coarse, customers = group_spend(ibis.memtable(frame))
        assert customers.sum() == 1000
        total = (frame["order_value"]).sum()
        assert customers @ coarse[:, 1] == pytest.approx(total, rel=1e-6)

    def test_a_coarser_fit_is_nearly_the_same(self, steady_histories, monkeypatch):
        exact = learn_value(steady_histories).parameters_
        monkeypatch.setattr(forecasting, "MOST_ROWS", 800)
        coarse = learn_value(steady_histories).parameters_
        assert coarse == pytest.approx(exact, rel=0.05)

    def test_chances_are_learned_from_those_of_whom_it_is_known(self):
        frame = people(400)
        frame["bought"] = (frame["recency_days"] < 200).astype(int)
        model = learn_chances(ibis.memtable(frame))
        chance = model.predict(frame[["recency_days", "frequency", "monetary"]].astype(float))
        assert chance[frame["bought"] == 1].mean() > 0.8
        assert chance[frame["bought"] == 0].mean() < 0.2


@pytest.fixture(scope="module")
def steady_histories():
    made = rg.make_orders(800, 365, seed=4, steady=True)
    return build_histories(rg.clean(rg.read(made.orders)), as_of=date(2024, 12, 31)).cache()


@pytest.fixture(scope="module")
def found():
    """Value of a steady shop."""
    return rg.value(rg.make_orders(800, 365, seed=4, steady=True).orders, horizon_days=60)


class TestValue:
    def test_one_row_per_customer_with_every_forecast(self, found):
        table = found.customers.to_pandas()
        assert len(table) == found.customers_total == table["customer_id"].nunique()
        assert set(FORECASTS) <= set(table.columns)
        assert table["p_active"].between(0, 1).all()
        assert found.outlook.total("expected_orders") == pytest.approx(table["expected_orders"].sum(), rel=1e-6)

    def test_it_comes_with_its_own_back_test(self, found):
        assert found.test.horizon_days == found.outlook.horizon_days == 60
        assert found.test.best.windows[0].orders > 0
        assert {way.name for way in found.test.ways} >= {"mbg-nbd", "recency"}

    def test_the_columns_of_pymc_marketing(self, found):
        """As its rfm_summary counts: repeat days, days from first to last and to today, mean of the repeat days."""
        lines = rg.clean(rg.read(rg.make_orders(800, 365, seed=4, steady=True).orders)).table.to_pandas()
        lines["day"] = lines["ordered_at"].dt.normalize()
        days = lines.groupby(["customer_id", "day"])["amount"].sum().reset_index()
        first = days.groupby("customer_id")["day"].transform("min")
        repeats = days[days["day"] > first].groupby("customer_id")["amount"]
        by = days.groupby("customer_id")["day"]
        expected = pd.DataFrame(
            {
                "frequency": by.count() - 1,
                "recency": (by.max() - by.min()).dt.days,
                "T": (pd.Timestamp(found.outlook.as_of) - by.min()).dt.days,
                "monetary_value": repeats.apply(lambda values: float(sum(values) / len(values))),
            }
        ).fillna({"monetary_value": 0.0})

        table = found.histories.order_by("customer_id").to_pandas().set_index("customer_id")

        pd.testing.assert_frame_equal(table, expected.astype(table.dtypes), check_names=False)

    def test_what_cannot_be_is_refused(self, sample_shop):
        for options, said in (
            ({"model": "nbd"}, "There is no purchase model 'nbd'"),
            ({"horizon_days": 0}, "The horizon is 0 days"),
            ({"margin": -1.0}, "margin is -1.0"),
            ({"discount": float("nan")}, "discount is nan"),
        ):
            with pytest.raises(OptionError, match=said):
                rg.value(sample_shop.orders, **options)
