"""The learned numbers: the same in the engine as in scikit-learn, the same after a trip through JSON, and nothing else."""

import builtins
import copy
import json
import pickle
from dataclasses import replace
from datetime import date
from decimal import Decimal

import ibis
import numpy as np
import pyarrow as pa
import pytest
from sklearn.cluster import KMeans

import oracles
import regulars as rg
from regulars.clustering import SCALES
from regulars.errors import ModelError, OutputError
from regulars.profiling import Gaps
from regulars.schema import LABELS, SCORES

NAMES = ("Best", "Good", "Fair", "Gone")
CUTS = rg.Cuts(
    levels=5,
    recency_days=(200, 100, 50, 10),
    frequency=(2, 2, 4, None),
    monetary=(Decimal("50.0000"), Decimal("120.5000"), Decimal("300.0000"), Decimal("900.0000")),
)


@pytest.fixture(scope="module")
def measures() -> np.ndarray:
    """400 customers: days, orders, money with two decimals."""
    rng = np.random.default_rng(8)
    return np.column_stack([rng.integers(1, 366, 400), rng.geometric(0.3, 400), rng.lognormal(5, 1.2, 400).round(2)])


@pytest.fixture(scope="module")
def people(con):
    """Measures → customers in the engine, in this order by `customer_id`."""

    def table(rows) -> ibis.Table:
        days, orders, money = zip(*rows, strict=True)
        cells = {
            "customer_id": pa.array([f"c{i:04}" for i in range(len(rows))]),
            "recency_days": pa.array([None if d is None else int(d) for d in days], pa.int64()),
            "frequency": pa.array([None if n is None else int(n) for n in orders], pa.int64()),
            "monetary": pa.array([None if m is None else Decimal(str(m)) for m in money], pa.decimal128(18, 4)),
        }
        return con.create_table(ibis.util.gen_name("people"), pa.table(cells))

    return table


def trained(measures: np.ndarray, scale_name: str = "sqrt-log", *, k: int = 4) -> tuple[rg.SegmentModel, KMeans]:
    """A model with the centres of scikit-learn's own K-Means, and that K-Means."""
    scale = rg.fit_scale(measures, scale_name)
    fit = KMeans(k, n_init=3, tol=1e-8, random_state=0).fit(scale.transform(measures))
    model = rg.SegmentModel(
        as_of=date(2024, 5, 17),
        returns="net",
        all_products=False,
        scale=scale,
        centres=tuple(map(tuple, fit.cluster_centers_.tolist())),
        segments=NAMES[:k],
        cuts=CUTS,
        pack=rg.load_pack("eleven"),
        gaps=Gaps(p75=28, p90=60, p95=91, count=1234),
    )
    return model, fit


@pytest.fixture(scope="module")
def model(measures) -> rg.SegmentModel:
    return trained(measures)[0]


# --- applied --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale_name", SCALES)
def test_the_engine_finds_the_centre_that_scikit_learn_finds(people, measures, scale_name):
    model, fit = trained(measures, scale_name)

    found = model.label(people(measures)).order_by("customer_id").to_pandas()

    points = model.scale.transform(measures)
    _, distance, second = oracles.nearest_two(points, fit.cluster_centers_)
    np.testing.assert_array_equal(found["segment_id"], fit.predict(points))
    np.testing.assert_array_equal(found["segment"], np.array(NAMES)[fit.predict(points)])
    np.testing.assert_array_equal(found["runner_up"], np.array(NAMES)[second])
    np.testing.assert_allclose(found["distance"], distance, rtol=1e-9, atol=1e-9)


def test_yeo_johnson_with_any_power_and_below_zero(people, measures):
    model, _ = trained(measures, "yeo-johnson")
    rows = [(0, -3, -12.5), (5, 0, 0), (400, 7, 1000)]
    for lambdas in [(0.0, 2.0, 1.0), (1.5, -0.7, 0.25)]:
        own = replace(model, scale=replace(model.scale, lambdas=lambdas))

        found = own.label(people(rows)).order_by("customer_id").to_pandas()

        _, distance, _ = oracles.nearest_two(own.scale.transform(rows), np.array(own.centres))
        np.testing.assert_allclose(found["distance"], distance, rtol=1e-9)


def test_scores_and_labels_are_added_in_the_types_of_the_schema(people, model, measures):
    table = model.assign(people(measures[:3]))

    added = SCORES | LABELS
    assert {name: table.schema()[name] for name in added} == {n: ibis.dtype(kind) for n, kind in added.items()}
    assert table.columns == ("customer_id", "recency_days", "frequency", "monetary", *added)


def test_who_cannot_be_placed_gets_no_label(people, model):
    rows = [(5, 3, 80), (None, 3, 80), (5, None, 80), (5, 3, None), (-1, 3, 80), (5, 3, -1), (5, 3, -500)]

    labels = model.assign(people(rows)).order_by("customer_id").select(*LABELS).to_pyarrow().to_pylist()

    assert all(value is not None for value in labels[0].values())
    assert labels[1:] == [dict.fromkeys(LABELS)] * 6


def test_labels_of_an_earlier_model_are_replaced(people, model, measures):
    once = model.label(people(measures[:20]))

    again = model.label(once)

    assert again.columns == once.columns
    assert again.order_by("customer_id").to_pyarrow().equals(once.order_by("customer_id").to_pyarrow())


def test_a_single_segment_has_no_runner_up(people, measures):
    model, _ = trained(measures, k=1)

    (row,) = model.label(people([(5, 3, 80)])).to_pyarrow().to_pylist()

    assert (row["segment"], row["runner_up"]) == ("Best", None)


def test_assigning_runs_no_query(people, model, measures, no_queries):
    table = people(measures[:5])

    with no_queries():
        model.assign(table)


# --- saved and loaded -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale_name", SCALES)
def test_a_model_comes_back_equal(tmp_path, measures, scale_name):
    model, _ = trained(measures, scale_name)

    assert rg.load_model(model.save(tmp_path / "model.json")) == model
    assert rg.load_model(tmp_path) == model  # the run folder will do


def test_a_model_with_fixed_days_and_names_of_any_script_comes_back_equal(tmp_path, model):
    klaviyo = rg.load_pack("klaviyo")
    cuts = rg.Cuts(levels=3, recency_days=klaviyo.recency_days, frequency=(2, None), monetary=(Decimal("0.0001"), None))
    other = replace(model, pack=klaviyo, cuts=cuts, segments=('"Gut"', "très bon", "よい", "a\\b\n"), returns="drop")

    assert rg.load_model(other.save(tmp_path / "model.json")) == other


def test_the_same_model_is_the_same_bytes(model):
    assert model.to_json() == copy.deepcopy(model).to_json()
    assert json.loads(model.to_json())["cuts"]["monetary"] == ["50.0000", "120.5000", "300.0000", "900.0000"]


def test_a_folder_that_does_not_exist_cannot_be_saved_to(tmp_path, model):
    with pytest.raises(OutputError, match="Cannot write"):
        model.save(tmp_path / "none" / "model.json")


def changed(model: rg.SegmentModel, path: str, value: object) -> str:
    """The model's JSON with one value replaced (or removed: `...`)."""
    data = json.loads(model.to_json())
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = data
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(data)


DAMAGES = {
    # path, value, words
    "a foreign file": ("format", "sklearn", "is not a model of regulars"),
    "a newer version": ("version", 2, "has model version 2; this regulars reads version 1"),
    "no version": ("version", ..., "has model version None"),
    "a missing part": ("gaps", ..., "'gaps': 'gaps' is missing"),
    "a missing number": ("gaps.p95", ..., "'gaps': 'p95' is missing"),
    "no date": ("as_of", "17th of May", "'as_of': Invalid isoformat"),
    "a number for a date": ("as_of", 20240517, "'as_of'"),
    "an unknown policy": ("returns", "refund", "'returns': 'refund' is none of"),
    "a number for yes": ("all_products", 1, "'returns': 1 is none of"),
    "an unknown scale": ("scale.name", "cube", "'scale': there is no scale 'cube'"),
    "functions of another scale": ("scale.functions.0", "log1p", "'scale': there is no scale 'sqrt-log' with"),
    "a function that is code": ("scale.functions.0", "__import__('os')", "'scale'"),
    "not a number": ("scale.offsets.0", float("nan"), "'scale': three finite numbers are needed"),
    "infinity": ("centres.1.2", float("inf"), "'centres': three finite numbers are needed"),
    "a number beyond floating point": ("centres.1.2", 10**400, "'centres'"),
    "true for a number": ("centres.0.0", True, "'centres': three finite numbers are needed"),
    "text for a number": ("centres.0.0", "1.5", "'centres': three finite numbers are needed"),
    "a centre in two dimensions": ("centres.0", [1.0, 2.0], "'centres': three finite numbers are needed"),
    "a centre that is none": ("centres.0", None, "'centres'"),
    "division by zero": ("scale.divisors.1", 0, "'scale': a divisor is zero"),
    "a centre too few": ("centres.3", ..., "'segments': one name per centre is needed"),
    "no segments": ("segments", [], "'segments': one name per centre is needed"),
    "two of one name": ("segments.0", "Gone", "'segments': one name per centre is needed"),
    "no name": ("segments.0", "", "'segments': a name is needed"),
    "a pack with a gap": ("pack.groups.0.cells.0", ..., "'pack': Rule pack in the model does not cover"),
    "a pack without end": ("pack.groups.0", {"name": "All", "r": "1-99999999999"}, "'pack'"),
    "a pack that is none": ("pack", "eleven", "'pack'"),
    "a cut point too few": ("cuts.frequency.0", ..., "'cuts': 4 cut points are needed for frequency"),
    "half an order": ("cuts.frequency.0", 1.5, "'cuts': a whole number is needed, not 1.5"),
    "an endless number of days": ("cuts.recency_days.0", 10**30, "'cuts': a whole number is needed"),
    "money that is none": ("cuts.monetary.0", "much", "'cuts'"),
    "infinite money": ("cuts.monetary.0", "Infinity", "'cuts': a cut point is not a number, or too large"),
    "no money": ("cuts.monetary.0", "NaN", "'cuts'"),
    "all the money of the world": ("cuts.monetary.0", "1e99", "'cuts': a cut point is not a number, or too large"),
    "true for a count": ("gaps.count", True, "'gaps': a whole number is needed, not True"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused_by_naming_the_damage(tmp_path, model, damage):
    path, value, words = DAMAGES[damage]
    file = tmp_path / "model.json"
    file.write_text(changed(model, path, value), "utf-8")

    with pytest.raises(ModelError) as error:
        rg.load_model(file)

    assert words in error.value.message
    assert str(file) in error.value.message
    assert error.value.hint


NO_JSON = {
    "cut off": lambda text: text[: len(text) // 2].encode(),
    "empty": lambda text: b"",
    "something else": lambda text: b"<html></html>",
    "a list": lambda text: b"[]",
    "a number": lambda text: b"1",
    "nested without end": lambda text: b"[" * 100_000,
    "a number without end": lambda text: text.replace('"count": 1234', '"count": ' + "9" * 5000).encode(),
    "not text": lambda text: b"\xff\xfe\x00\x01",
    "a pickle": lambda text: pickle.dumps({"format": "regulars-model"}),
}


@pytest.mark.parametrize("kind", NO_JSON)
def test_what_is_no_json_is_refused(tmp_path, model, kind):
    file = tmp_path / "model.json"
    file.write_bytes(NO_JSON[kind](model.to_json()))

    with pytest.raises(
        ModelError, match=r"is not JSON, or it is cut off|is not a model of regulars|Cannot read the model"
    ):
        rg.load_model(file)


def test_a_missing_file_and_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"There is no model .*mode\.json\. Give the model\.json of a run folder"):
        rg.load_model(tmp_path / "mode.json")
    with pytest.raises(ModelError, match=r"There is no model .*model\.json"):
        rg.load_model(tmp_path)


def test_loading_runs_no_code(tmp_path, model, monkeypatch):
    """Only the JSON parser touches the file: nothing is unpickled or evaluated on its word."""
    file = model.save(tmp_path / "model.json")

    def refuse(*_args, **_more):
        raise AssertionError("code was run")

    for name in ("eval", "exec", "compile"):
        monkeypatch.setattr(builtins, name, refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)

    assert rg.load_model(file) == model
