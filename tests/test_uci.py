"""The figures of the method on the complete UCI Online Retail data, measured with independent scripts.

Chen, D. (2015), Online Retail, UCI Machine Learning Repository, doi 10.24432/C5BW33, CC BY 4.0. Counts and sums are
exact; where K-Means has near-equal optima, a tolerance is given.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

import regulars as rg
from regulars.clustering import AutoKMeans
from regulars.profiling import name_segments, profile_segments
from regulars.schema import LABELS, MEASURES

REVENUE = Decimal("8289381.8930")


@pytest.fixture(scope="module")
def result(uci):
    """The default run."""
    return rg.segment(uci)


@pytest.fixture(scope="module")
def literal(uci):
    """The recipe of the tutorials: returns dropped, postage kept."""
    return rg.clean(rg.read(uci), returns="drop", all_products=True)


@pytest.fixture(scope="module")
def people(result):
    """Customers as a frame, by id."""
    return result.customers.order_by("customer_id").to_pandas().set_index("customer_id")


# --- cleaning -------------------------------------------------------------------------------------------------------


def test_the_steps_of_cleaning(result, literal):
    first_steps = {
        "raw": (541_909, 25_900, 4_372),
        "duplicate": (536_641, 25_900, 4_372),
        "no customer": (401_604, 22_190, 4_372),
    }
    for audit in (result.audit, literal.audit):
        left = {line.rule: (line.rows_left, line.orders_left, line.customers_left) for line in audit.lines}
        assert {rule: left[rule] for rule in first_steps} == first_steps
        assert (audit.first_day, audit.last_day) == (date(2010, 12, 1), date(2011, 12, 9))
        assert audit.reconciles


def test_the_recipe_of_the_tutorials(literal):
    left = {line.rule: (line.rows_left, line.orders_left, line.customers_left) for line in literal.audit.lines}

    assert left["return"] == (392_732, 18_536, 4_339)
    assert left["no price"] == (392_692, 18_532, 4_338)
    assert literal.audit.kept.amount_left == Decimal("8887208.8940")
    people = rg.build_features(literal.table, as_of=date(2011, 12, 10)).to_pyarrow()
    assert sum(people["recency_days"].to_pylist()) == 403_692
    assert sum(people["frequency"].to_pylist()) == 18_532


def test_returns_take_back_what_they_undo(result):
    kept = result.audit.kept

    assert (kept.rows_left, kept.orders_left, kept.customers_left) == (388_384, 18_276, 4_324)
    assert kept.amount_left == REVENUE
    assert result.audit.unmatched_returns == 1_108
    assert result.audit.unmatched_amount.quantize(Decimal("0.01")) == Decimal("23854.14")


def test_two_customers_who_took_everything_back(people):
    assert "12346" not in people.index  # 74,215 pieces, cancelled after 16 minutes
    assert people.loc["16446", "monetary"] == Decimal("2.90")  # 80,995 pieces, cancelled after 12 minutes


@pytest.mark.parametrize("kind", ["uci_xlsx", "uci_csv"])
def test_the_file_that_users_have_gives_the_same(kind, request, result):
    orders = rg.read(request.getfixturevalue(kind))

    cleaned = rg.clean(orders)

    assert (orders.layout.name, orders.currency) == ("uci_online_retail", "GBP")
    assert cleaned.table.quantity.sum().to_pyarrow().as_py() == 4_892_825
    assert cleaned.audit == result.audit


# --- customers and scores -------------------------------------------------------------------------------------------


def test_features(result, people):
    assert result.as_of == date(2011, 12, 10)
    assert (people["recency_days"].sum(), people["recency_days"].median()) == (403_659, 51)
    assert (people["frequency"].sum(), people["frequency"].median()) == (18_276, 2)
    assert (people["frequency"] == 1).sum() == 1_502
    assert people["monetary"].sum() == result.revenue == REVENUE
    assert float(people["monetary"].astype(float).median()) == pytest.approx(652.41, abs=0.005)


def test_frequency_scores_keep_ties_together(people):
    assert people["f_score"].value_counts().sort_index().to_dict() == {1: 1_502, 2: 832, 3: 502, 4: 631, 5: 857}


# --- segments -------------------------------------------------------------------------------------------------------


def test_inertia_of_every_k(result):
    published = [6602, 4483, 3443, 2917, 2527, 2311, 2119]

    assert [trial.k for trial in result.trials] == [2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_allclose([trial.inertia for trial in result.trials], published, rtol=0.002)
    assert result.trials[2].inertia == pytest.approx(3443, rel=0.001)


def test_four_segments_are_chosen_and_stable(result):
    assert (result.choice.k, result.choice.anchor, result.choice.warning) == (4, 4, "")
    assert result.trials[2].stability == pytest.approx(0.95, abs=0.03)


def test_names_and_shares(result):
    assert [segment.name for segment in result.segments] == [
        "Loyal high-value",
        "Occasional moderate",
        "New / low-spend",
        "Low-spend lapsed",
    ]
    shares = [(s.profile.customer_share, s.profile.revenue_share) for s in result.segments]
    np.testing.assert_allclose(shares, [(0.126, 0.61), (0.323, 0.28), (0.287, 0.06), (0.264, 0.05)], atol=0.015)


def test_three_segments_are_three_tiers_and_the_last_is_not_new(result):
    measures = result.customers.select(*MEASURES).to_pandas().astype(float)
    three = AutoKMeans(n_clusters=3, k_min=3, k_max=3, n_bootstraps=1).fit(result.model.scale.transform(measures))
    model = replace(result.model, centres=tuple(map(tuple, three.cluster_centers_.tolist())), segments=("a", "b", "c"))

    profiles = profile_segments(model.label(result.customers.drop(*LABELS)), result.gaps)
    segments = name_segments(profiles, result.gaps)

    np.testing.assert_allclose([p.revenue_share for p in profiles], [0.794, 0.148, 0.058], atol=0.015)
    assert [segment.tier for segment in segments] == ["high", "moderate", "low"]
    assert segments[2].activity == "lapsed"
    assert segments[2].profile.new_share == pytest.approx(0.03, abs=0.01)


def test_the_usual_recipe_cuts_off_a_handful_of_giants(result):
    measures = result.customers.select(*MEASURES).to_pandas().astype(float)
    points = rg.fit_scale(measures, "standard").transform(measures)

    four = AutoKMeans(n_clusters=4, k_min=4, k_max=4, n_init=10, n_bootstraps=1).fit(points)

    np.testing.assert_allclose(np.sort(np.bincount(four.labels_)), [6, 93, 1_080, 3_145], atol=5)
