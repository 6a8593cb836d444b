"""The figures of the real file that every engine has to give: those of tests/test_uci.py, in one look."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest


def assert_figures_of_the_real_file(result) -> None:
    """Counts and money exactly, optima of K-Means within the stated tolerance."""
    kept = result.audit.kept
    assert (kept.rows_left, kept.orders_left, kept.customers_left) == (388_384, 18_276, 4_324)
    assert kept.amount_left == result.revenue == Decimal("8289381.8930")
    assert result.audit.reconciles
    assert result.audit.unmatched_returns == 1_108
    assert result.as_of == date(2011, 12, 10)
    people = result.customers.select("recency_days", "frequency", "monetary", "f_score").to_pyarrow().to_pydict()
    assert (sum(people["recency_days"]), sum(people["frequency"])) == (403_659, 18_276)
    assert sum(people["monetary"]) == Decimal("8289381.8930")
    assert np.bincount(people["f_score"]).tolist() == [0, 1_502, 832, 502, 631, 857]
    assert [trial.k for trial in result.trials] == [2, 3, 4, 5, 6, 7, 8]
    published = [6602, 4483, 3443, 2917, 2527, 2311, 2119]
    np.testing.assert_allclose([trial.inertia for trial in result.trials], published, rtol=0.002)
    assert (result.choice.k, result.choice.anchor) == (4, 4)
    names = ["Loyal high-value", "Occasional moderate", "New / low-spend", "Low-spend lapsed"]
    assert [segment.name for segment in result.segments] == names
    shares = [(each.profile.customer_share, each.profile.revenue_share) for each in result.segments]
    np.testing.assert_allclose(shares, [(0.126, 0.61), (0.323, 0.28), (0.287, 0.06), (0.264, 0.05)], atol=0.015)
    assert result.trials[2].stability == pytest.approx(0.95, abs=0.03)
