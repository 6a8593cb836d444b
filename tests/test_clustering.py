"""From measures to points, K-Means run to the bottom, and an honest choice of k."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
    silhouette_score,
)
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PowerTransformer, RobustScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import oracles
import regulars as rg
from regulars import clustering
from regulars.clustering import SCALES, AutoKMeans, Trial, choose_k, elbow, silhouettes
from regulars.clustering.cells import Cells
from regulars.clustering.measuring import adjusted_rand, calinski_harabasz, davies_bouldin
from regulars.errors import NotEnoughDataError, OptionError

# --- scales ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measures() -> np.ndarray:
    """300 customers: days, orders and money, skewed as they are."""
    rng = np.random.default_rng(3)
    return np.column_stack([rng.integers(1, 366, 300), rng.geometric(0.3, 300), rng.lognormal(5, 1.2, 300).round(2)])


SAME_IN_SCIKIT_LEARN = {
    "sqrt-log": lambda X: StandardScaler().fit_transform(np.column_stack([np.sqrt(X[:, 0]), np.log1p(X[:, 1:])])),
    "standard": lambda X: StandardScaler().fit_transform(X),
    "minmax": lambda X: MinMaxScaler().fit_transform(X),
    "robust": lambda X: RobustScaler().fit_transform(X),
    "log": lambda X: StandardScaler().fit_transform(FunctionTransformer(np.log1p).transform(X)),
    "yeo-johnson": lambda X: PowerTransformer("yeo-johnson").fit_transform(X),
}


@pytest.mark.parametrize("name", SCALES)
def test_each_scale_is_the_one_of_scikit_learn(measures, name):
    points = rg.fit_scale(measures, name).transform(measures)

    np.testing.assert_allclose(points, SAME_IN_SCIKIT_LEARN[name](measures), atol=1e-5)


def test_three_customers_by_hand():
    scale = rg.fit_scale([[1, 0, 0], [4, 0, 0], [9, 0, 0]])

    # √days are 1, 2, 3: mean 2, population standard deviation √(2/3); orders and money do not differ
    np.testing.assert_allclose(
        scale.transform([[4, 0, 0], [16, 0, np.e - 1]]), [[0, 0, 0], [2 / np.sqrt(2 / 3), 0, 1]], atol=1e-12
    )


@pytest.mark.parametrize("name", SCALES)
def test_a_scale_does_not_depend_on_the_order_of_the_rows(measures, name):
    assert rg.fit_scale(measures[::-1], name) == rg.fit_scale(measures, name)


def test_a_scale_that_does_not_exist_names_those_that_do(measures):
    with pytest.raises(OptionError, match=r"no scale 'sqrt'\. Choose one of sqrt-log, standard, minmax, robust"):
        rg.fit_scale(measures, "sqrt")


# --- the elbow ------------------------------------------------------------------------------------------------------


def test_the_elbow_by_hand():
    # scaled: (0, 1) (¼, .4) (½, .2) (¾, .1) (1, 0); below the chord: 0, .35, .3, .15, 0
    assert elbow([2, 3, 4, 5, 6], [100, 40, 20, 10, 0]) == 3


@pytest.mark.parametrize(
    ("ks", "inertias"),
    [([2, 3], [9, 1]), ([2, 3, 4], [9, 5, 1]), ([2, 3, 4], [9, 8, 1]), ([2, 3, 4], [5, 5, 5])],
    ids=["two points", "a straight line", "bent upwards", "flat"],
)
def test_where_there_is_no_elbow(ks, inertias):
    assert elbow(ks, inertias) is None


@given(drops=st.lists(st.integers(1, 1000), min_size=2, max_size=9))
def test_the_elbow_lies_farthest_below_the_chord(drops):
    ks = list(range(2, len(drops) + 3))
    inertias = [sum(drops[i:]) for i in range(len(drops))] + [0]
    away = oracles.below_the_chord(ks, inertias)

    found = elbow(ks, inertias)

    if found is None:
        assert away.max() <= 1e-12
    else:
        assert away[ks.index(found)] == pytest.approx(away.max())


# --- the choice of k ------------------------------------------------------------------------------------------------

# Inertias whose elbow is at 4.
INERTIA = {2: 6602, 3: 4483, 4: 3443, 5: 2917, 6: 2527, 7: 2311, 8: 2119}


def trial(k: int, **facts) -> Trial:
    sound = {
        "inertia": INERTIA[k],
        "silhouette": 0.3,
        "silhouette_error": 0.0,
        "calinski_harabasz": 1.0,
        "davies_bouldin": 1.0,
        "stability": 0.95,
        "smallest_share": 0.1,
        "smallest_size": 100,
    }
    return Trial(k=k, **(sound | facts))


def trials(**facts_of: dict) -> list[Trial]:
    """k from 2 to 8, all of them sound but for the facts given as ``k4={"stability": 0.5}``."""
    return [trial(k, **facts_of.get(f"k{k}", {})) for k in INERTIA]


SHAKY, SMALL, FEW = {"stability": 0.6}, {"smallest_share": 0.02}, {"smallest_size": 29}


def test_the_elbow_is_taken_where_it_passes_every_check():
    choice = choose_k(trials())

    assert (choice.k, choice.anchor, choice.warning) == (4, 4, "")
    assert choice.reason == (
        "The elbow is at 4, it is stable (adjusted Rand index 0.95) and its smallest segment has 10% of the customers."
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SHAKY, "stability 0.60 is below 0.85"),
        (SMALL, "its smallest segment has 2.0% of the customers, below 3%"),
        (FEW, "its smallest segment has 29 customers, below 30"),
    ],
)
def test_an_elbow_that_fails_a_check_gives_way_to_the_nearest_and_larger(fault, words):
    choice = choose_k(trials(k4=fault))

    assert (choice.k, choice.anchor) == (5, 4)
    assert choice.reason == f"The elbow is at 4, where {words}; 5 is the nearest k that passes every check."


def test_the_nearest_may_be_smaller():
    assert choose_k(trials(k4=SHAKY, k5=SMALL)).k == 3


def test_exactly_at_the_limits_is_admissible():
    limits = {"stability": 0.85, "smallest_share": 0.03, "smallest_size": 30}

    assert choose_k(trials(k4=limits)).k == 4


def test_two_segments_are_never_chosen_while_another_passes():
    others = dict.fromkeys(["k3", "k4", "k5", "k6", "k7"], SHAKY)

    assert choose_k(trials(**others)).k == 8


def test_where_none_passes_the_most_stable_is_taken_with_a_warning():
    everywhere = {f"k{k}": {"stability": 0.5 + k / 100, "smallest_size": 9} for k in INERTIA} | {
        "k2": {"stability": 1.0}
    }

    choice = choose_k(trials(**everywhere))

    assert choice.k == 8  # not 2, which only tells good from bad
    assert choice.reason == "No k passes every check; 8 is the most stable (0.58)."
    assert choice.warning == (
        "Take these segments with care: with k = 8, stability 0.58 is below 0.85; "
        "its smallest segment has 9 customers, below 30."
    )


def test_equally_unstable_is_decided_for_the_fewest():
    assert choose_k(trials(**{f"k{k}": SHAKY for k in INERTIA})).k == 3


def test_without_an_elbow_the_smallest_k_that_passes_is_taken():
    straight = {f"k{k}": {"inertia": 1000 - 100 * k} for k in INERTIA}
    straight["k3"] |= SHAKY

    choice = choose_k(trials(**straight))

    assert (choice.k, choice.anchor) == (4, None)
    assert choice.reason == "The inertia has no clear knee; 4 is the smallest k that passes every check."


def informed(**bits: float) -> list[Trial]:
    return [replace(each, information=bits.get(f"k{each.k}")) for each in trials()]


def test_information_about_the_next_purchases_can_overrule_the_elbow():
    choice = choose_k(informed(k2=0.2, k3=0.08, k4=0.1, k5=0.134, k6=0.135, k7=0.14, k8=0.15))

    assert choice.k == 6  # the smallest with at least .135 = 90 % of .15; 2 does not count
    assert "4 is nearest to the elbow but keeps less than 90%" in choice.reason


@pytest.mark.parametrize(
    "bits",
    [{"k4": 0.135, "k8": 0.15}, {"k8": 0.15}, {"k4": 0.0, "k3": 0.0}],
    ids=["it keeps 90 %", "nothing known about the elbow", "nobody tells anything"],
)
def test_information_leaves_the_elbow_where_it_keeps_enough_or_is_not_known(bits):
    assert choose_k(informed(**bits)).k == 4


def test_the_silhouette_never_decides():
    assert choose_k(trials(k3={"silhouette": 0.99})).k == 4


def test_the_order_of_the_trials_does_not_matter():
    assert choose_k(trials(k4=SHAKY)[::-1]) == choose_k(trials(k4=SHAKY))


# --- silhouettes ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """Four round heaps of 60 points, in no order."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 0.4, size=(60, 2)) for centre in ([0, 0], [4, 0.5], [0, 4], [4, 4.5])])
    return rng.permutation(X)


def heap_of(X: np.ndarray) -> np.ndarray:
    """Which heap a point belongs to, read off its place; numbered from the top, as AutoKMeans does."""
    right, up = X[:, 0] > 2, X[:, 1] > 2.2
    return np.select([up & right, up, right], [0, 1, 2], 3)


def test_silhouettes_are_those_of_scikit_learn(blobs):
    labels = heap_of(blobs)

    values, index, error = silhouettes(blobs, labels)

    np.testing.assert_allclose(values, silhouette_samples(blobs, labels))
    assert (index.tolist(), error) == (list(range(240)), 0.0)


def test_beyond_20_000_points_silhouettes_are_of_a_sample_and_say_how_sure_they_are(blobs, monkeypatch):
    assert clustering.EXACT_SILHOUETTE == 20_000
    monkeypatch.setattr(clustering.measuring, "EXACT_SILHOUETTE", 100)
    labels = heap_of(blobs)

    values, index, error = silhouettes(blobs, labels, random_state=1)

    assert len(set(index.tolist())) == len(values) == 100
    np.testing.assert_allclose(values, silhouette_samples(blobs[index], labels[index]))
    assert error == pytest.approx(np.std(values, ddof=1) / 10)
    assert abs(values.mean() - silhouette_score(blobs, labels)) < 5 * error


def test_one_cluster_has_no_silhouette():
    values, _, error = silhouettes(np.arange(6.0).reshape(3, 2), np.zeros(3, dtype=int))

    assert (values.tolist(), error) == ([0, 0, 0], 0.0)


# --- AutoKMeans -----------------------------------------------------------------------------------------------------

QUICK = {"n_init": 5, "n_bootstraps": 4}


# As KMeans itself in scikit-learn: draws differ; and a cell has at least one customer, 0 is refused.
NOT_KEPT = {"check_sample_weight_equivalence_on_dense_data": "weights of 0 are refused, and random starts differ"}


@parametrize_with_checks(
    [AutoKMeans(n_init=2, n_bootstraps=2, k_max=4)], expected_failed_checks=lambda estimator: NOT_KEPT
)
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)


def test_four_points_by_hand():
    model = AutoKMeans(n_clusters=2, **QUICK).fit([[0, 0], [0.5, 0], [0.5, 1], [1, 1]])

    assert model.cluster_centers_.tolist() == [[0.75, 1], [0.25, 0]]  # numbered from the top
    assert model.labels_.tolist() == [1, 1, 0, 0]
    assert model.inertia_ == pytest.approx(4 * 0.25**2)


def test_the_weighted_four_points_of_scikit_learn():
    # sklearn/cluster/tests/test_k_means.py::test_kmeans_results: weights 3, 1, 1, 3 give inertia 0.375
    X, weights = np.array([[0, 0], [0.5, 0], [0.5, 1], [1, 1]]), [3, 1, 1, 3]

    weighted = AutoKMeans(n_clusters=2, **QUICK).fit(X, sample_weight=weights)
    repeated = AutoKMeans(n_clusters=2, **QUICK).fit(np.repeat(X, weights, axis=0))

    for model in (weighted, repeated):
        assert model.cluster_centers_.tolist() == [[0.875, 1], [0.125, 0]]
        assert model.inertia_ == pytest.approx(0.375)
    assert weighted.labels_.tolist() == [1, 1, 0, 0]


@pytest.fixture(scope="module")
def fitted(blobs) -> AutoKMeans:
    return AutoKMeans(**QUICK).fit(blobs)


def test_it_finds_the_heaps(blobs, fitted):
    assert fitted.n_clusters_ == 4
    assert fitted.choice_.anchor == 4
    np.testing.assert_array_equal(fitted.labels_, heap_of(blobs))


def test_every_trial_has_the_indices_of_scikit_learn(blobs, fitted):
    assert [each.k for each in fitted.trials_] == [2, 3, 4, 5, 6, 7, 8]
    four = fitted.trials_[2]
    labels = heap_of(blobs)
    assert four.inertia == pytest.approx(KMeans(4, n_init=5, random_state=0).fit(blobs).inertia_)
    assert four.silhouette == pytest.approx(silhouette_score(blobs, labels))
    assert four.calinski_harabasz == pytest.approx(calinski_harabasz_score(blobs, labels))
    assert four.davies_bouldin == pytest.approx(davies_bouldin_score(blobs, labels))
    assert (four.smallest_size, four.smallest_share) == (60, 0.25)


def test_stability_tells_real_clusters_from_cuts_through_a_heap(fitted):
    stability = {each.k: each.stability for each in fitted.trials_}

    assert stability[4] == 1
    assert stability[7] < 0.95


def test_predicted_are_the_nearest_centres(blobs, fitted):
    nearest, distance, _ = oracles.nearest_two(blobs, fitted.cluster_centers_)

    np.testing.assert_array_equal(fitted.predict(blobs), nearest)
    np.testing.assert_allclose(fitted.transform(blobs).min(axis=1), distance)


def test_neither_the_order_of_the_rows_nor_another_run_changes_anything(blobs, fitted):
    shuffled = np.random.default_rng(1).permutation(len(blobs))

    again = AutoKMeans(**QUICK).fit(blobs[shuffled])

    np.testing.assert_array_equal(again.cluster_centers_, fitted.cluster_centers_)
    np.testing.assert_array_equal(again.labels_, fitted.labels_[shuffled])
    assert (again.trials_, again.choice_) == (fitted.trials_, fitted.choice_)


def test_several_k_at_a_time_give_what_one_after_the_other_gives(blobs, fitted):
    together = clone(fitted).set_params(n_jobs=3).fit(blobs)

    assert together.trials_ == fitted.trials_
    np.testing.assert_array_equal(together.cluster_centers_, fitted.cluster_centers_)


def test_an_own_k_is_taken_and_the_rule_still_heard(blobs):
    model = AutoKMeans(n_clusters=3, k_max=5, **QUICK).fit(blobs)

    assert len(model.cluster_centers_) == model.n_clusters_ == 3
    assert model.choice_.reason == "k = 3 as asked; the rule would take 4."
    assert [each.k for each in model.trials_] == [2, 3, 4, 5]


def test_an_own_k_beyond_the_range_does_not_bend_the_rule(blobs):
    model = AutoKMeans(n_clusters=40, k_max=6, **QUICK).fit(blobs)

    assert [each.k for each in model.trials_] == [2, 3, 4, 5, 6, 40]
    assert (model.choice_.k, model.choice_.anchor) == (40, 4)
    assert model.choice_.reason == "k = 40 as asked; the rule would take 4."
    assert "below 30" in model.choice_.warning


def test_two_clusters_as_asked_come_with_a_warning(blobs):
    model = AutoKMeans(n_clusters=2, k_max=4, **QUICK).fit(blobs)

    assert model.choice_.warning.startswith("With k = 2, two segments only tell good from bad")


@pytest.mark.parametrize("asked", ["three", 0, 2.5, None])
def test_a_k_that_is_none_is_refused(blobs, asked):
    with pytest.raises(OptionError, match=f"n_clusters is {asked!r}"):
        AutoKMeans(n_clusters=asked).fit(blobs)


def test_more_clusters_than_distinct_points_are_refused():
    X = [[0, 0], [0, 0], [1, 1], [2, 2]]

    with pytest.raises(
        NotEnoughDataError, match=r"4 clusters were asked for, but there are only 3 distinct customers\."
    ):
        AutoKMeans(n_clusters=4).fit(X)


def test_no_k_is_tried_beyond_the_distinct_points():
    model = AutoKMeans(**QUICK).fit([[0, 0], [0, 0], [1, 1], [2, 2]])

    assert [each.k for each in model.trials_] == [2, 3]


def test_equal_points_are_one_cluster():
    model = AutoKMeans(**QUICK).fit(np.ones((5, 3)))

    assert (model.n_clusters_, model.labels_.tolist(), model.inertia_) == (1, [0] * 5, 0)


def test_progress_is_told_after_every_k(blobs):
    told = []

    AutoKMeans(k_max=4, **QUICK).fit(blobs, progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 3), (2, 3), (3, 3)]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 4))
def test_every_centre_is_the_mean_of_its_members(seed, k):
    X = np.random.default_rng(seed).normal(size=(30, 3)).round(1)

    model = AutoKMeans(n_clusters=k, k_min=k, k_max=k, n_init=2, n_bootstraps=0).fit(X)

    for number, centre in enumerate(model.cluster_centers_):
        np.testing.assert_allclose(centre, X[model.labels_ == number].mean(axis=0), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert (np.diff(model.cluster_centers_[:, -1]) <= 0).all()


# --- cells: points that stand for several customers -------------------------------------------------------------------


def into_cells(X: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Customers in cubes of `step`: means, counts, squared distances inside the cubes, and the cube of each customer."""
    _, cube, counts = np.unique(np.floor(X / step), axis=0, return_inverse=True, return_counts=True)
    means = np.column_stack([np.bincount(cube, column) for column in X.T]) / counts[:, None]
    return means, counts, float(((X - means[cube]) ** 2).sum()), cube


@pytest.fixture(scope="module")
def cells(blobs) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    found = into_cells(blobs, 0.4)
    assert len(found[0]) < 150  # of 240 customers
    return found


@pytest.fixture(scope="module")
def on_cells(cells) -> AutoKMeans:
    means, counts, within, _ = cells
    return AutoKMeans(**QUICK).fit(means, sample_weight=counts, within=within)


def test_weights_of_one_are_no_weights(blobs, fitted):
    again = AutoKMeans(**QUICK).fit(blobs, sample_weight=np.ones(len(blobs), dtype=int))

    assert (again.trials_, again.choice_, again.inertia_) == (fitted.trials_, fitted.choice_, fitted.inertia_)
    np.testing.assert_array_equal(again.cluster_centers_, fitted.cluster_centers_)
    np.testing.assert_array_equal(again.labels_, fitted.labels_)
    for number, values in fitted.silhouettes_.items():
        np.testing.assert_array_equal(again.silhouettes_[number], values)


@pytest.mark.parametrize("seed", range(5))
def test_indices_of_cells_are_those_of_scikit_learn_on_repeated_rows(seed):
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(60, 3)), rng.integers(1, 9, 60)
    labels, others = rng.integers(0, 4, 60), rng.integers(0, 3, 60)
    rows, of_rows = np.repeat(X, weights, axis=0), np.repeat(labels, weights)
    weighted = Cells(points=X, weights=weights, within=0.0)

    values, index, error = silhouettes(X, labels, sample_weight=weights)

    assert calinski_harabasz(weighted, labels) == pytest.approx(calinski_harabasz_score(rows, of_rows))
    assert davies_bouldin(weighted, labels) == pytest.approx(davies_bouldin_score(rows, of_rows))
    assert adjusted_rand(labels, others, weights) == adjusted_rand_score(of_rows, np.repeat(others, weights))
    np.testing.assert_allclose(
        values, silhouette_samples(rows, of_rows), atol=1e-6
    )  # scikit-learn: equal rows, 1e-8 apart
    assert (index.tolist(), error) == (np.repeat(np.arange(60), weights).tolist(), 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_indices_of_single_customers_are_those_of_scikit_learn_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    X, labels, others = rng.normal(size=(200, 3)), rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    single = Cells(points=X, weights=np.ones(200, dtype=int), within=0.0)

    assert calinski_harabasz(single, labels) == calinski_harabasz_score(X, labels)
    assert davies_bouldin(single, labels) == davies_bouldin_score(X, labels)
    assert adjusted_rand(labels, others, single.weights) == adjusted_rand_score(labels, others)
    np.testing.assert_array_equal(silhouettes(X, labels)[0], silhouette_samples(X, labels))


def test_the_rand_index_counts_pairs_beyond_64_bits():
    # 40 billion customers have 8·10²⁰ pairs; halves that cross each other agree by chance only: 0
    crossed = adjusted_rand(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.full(4, 10**10))

    assert crossed == pytest.approx(0, abs=1e-9)
    assert adjusted_rand(np.array([0, 0, 1]), np.array([1, 1, 0]), np.full(3, 10**10)) == 1


def test_with_within_inertia_and_variance_ratio_are_those_of_all_customers(blobs, cells, on_cells):
    cube = cells[3]
    of_customers = on_cells.labels_[cube]
    four = on_cells.trials_[2]
    away = blobs - on_cells.cluster_centers_[of_customers]

    assert on_cells.inertia_ == four.inertia == pytest.approx((away**2).sum())
    assert four.calinski_harabasz == pytest.approx(calinski_harabasz_score(blobs, of_customers))
    assert (four.smallest_size, four.smallest_share) == (60, 0.25)


def test_cells_lead_to_the_heaps_of_the_customers(blobs, cells, on_cells):
    assert (on_cells.n_clusters_, on_cells.choice_.anchor) == (4, 4)
    np.testing.assert_array_equal(on_cells.labels_[cells[3]], heap_of(blobs))
    assert {number: len(values) for number, values in on_cells.silhouettes_.items()} == dict.fromkeys(range(4), 60)


def test_stability_of_cells_tells_real_clusters_from_cuts_through_a_heap(on_cells):
    stability = {each.k: each.stability for each in on_cells.trials_}

    assert stability[4] == 1
    assert stability[7] < 0.95


def test_two_optima_that_are_equally_good_are_not_stable():
    # four equal heaps in a square: two clusters may be left and right, or above and below
    heaps = np.random.default_rng(0).normal(scale=0.1, size=(50, 2))
    corners = np.concatenate([heaps + corner for corner in ([0, 0], [4, 0], [0, 4], [4, 4])])

    model = AutoKMeans(k_max=4, n_init=10, n_bootstraps=20).fit(corners, sample_weight=np.full(200, 1000))

    assert model.trials_[0].stability < 0.85
    assert model.trials_[2].stability == 1


def test_neither_the_order_of_the_cells_nor_that_of_equal_ones_changes_anything(cells):
    means, counts = np.concatenate([cells[0], cells[0]]), np.concatenate([cells[1], cells[1] + 3])
    shuffled = np.random.default_rng(1).permutation(len(means))

    one = AutoKMeans(**QUICK).fit(means, sample_weight=counts)
    other = AutoKMeans(**QUICK).fit(means[shuffled], sample_weight=counts[shuffled])

    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    np.testing.assert_array_equal(one.labels_[shuffled], other.labels_)
    assert (one.trials_, one.choice_) == (other.trials_, other.choice_)


def test_silhouettes_of_many_customers_are_of_a_sample_drawn_by_weight(cells, monkeypatch):
    monkeypatch.setattr(clustering.measuring, "EXACT_SILHOUETTE", 1000)
    monkeypatch.setattr(clustering.measuring, "SAMPLED_SILHOUETTE", 500)
    means, counts = cells[0], cells[1] * 100
    counts[0] = 12_000  # a third of the customers
    labels = heap_of(means)

    values, index, error = silhouettes(means, labels, sample_weight=counts, random_state=1)

    assert len(values) == len(index) == 500
    np.testing.assert_allclose(values, silhouette_samples(means[index], labels[index]))
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(500))
    share = counts[0] / counts.sum()
    assert abs((index == 0).mean() - share) < 5 * np.sqrt(share * (1 - share) / 500)


def test_merged_cells_keep_customers_and_mean(cells):
    fine, _ = Cells.from_rows(cells[0], cells[1], 0.0)

    coarse = fine.merged(0.5)

    assert len(coarse.points) < len(fine.points) / 2
    assert coarse.customers == fine.customers == 240
    np.testing.assert_allclose(coarse.weights @ coarse.points, fine.weights @ fine.points)


@pytest.mark.parametrize("weight", [0, -1, 1.5])
def test_a_weight_that_is_no_number_of_customers_is_refused(weight):
    with pytest.raises(OptionError, match=rf"sample_weight is {weight} at row 2\. Give each cell the number"):
        AutoKMeans().fit(np.arange(8.0).reshape(4, 2), sample_weight=[1, 2, weight, 1])


@pytest.mark.parametrize("within", [-1.0, np.nan, np.inf])
def test_a_sum_of_squares_that_is_none_is_refused(within):
    with pytest.raises(OptionError, match=f"within is {within}"):
        AutoKMeans().fit(np.arange(8.0).reshape(4, 2), within=within)


def test_20_000_customers_through_cells_are_segmented_as_each_by_itself(monkeypatch):
    monkeypatch.setattr(clustering.measuring, "EXACT_SILHOUETTE", 1000)  # they are not looked at
    monkeypatch.setattr(clustering.measuring, "SAMPLED_SILHOUETTE", 1000)
    rng = np.random.default_rng(4)
    kind = rng.choice(4, 20_000, p=[0.12, 0.33, 0.28, 0.27])  # loyal, occasional, new, lapsed
    days = np.ceil(rng.gamma(2, np.array([8, 35, 12, 110])[kind]))
    orders = 1 + rng.poisson(rng.gamma(4, np.array([16, 4, 0.8, 1.2])[kind] / 4))
    money = orders * rng.lognormal(np.array([6, 5.6, 5, 5.2])[kind], 0.6)
    measures = np.column_stack([days, orders, money])
    X = rg.fit_scale(measures).transform(measures)
    means, counts, within, _ = into_cells(X, 0.1)

    model = AutoKMeans(n_init=10).fit(means, sample_weight=counts, within=within)
    k = model.n_clusters_
    exact = AutoKMeans(n_clusters=k, k_min=k, k_max=k, n_init=10, n_bootstraps=0).fit(X)

    centres = model.cluster_centers_
    for _ in range(3):
        labels = oracles.nearest_two(X, centres)[0]
        centres = np.array([X[labels == number].mean(axis=0) for number in range(k)])
    assert adjusted_rand_score(oracles.nearest_two(X, centres)[0], exact.labels_) >= 0.97
    assert exact.inertia_ < model.inertia_ < 1.002 * exact.inertia_
