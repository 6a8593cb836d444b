"""Who moved, and why: by hand on few customers, any customers against plain Python, and the real file against pandas."""

import csv
import json
import signal
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

import oracles
import regulars as rg
from regulars import charts
from regulars.cli import main
from regulars.clustering import Scale
from regulars.comparing import BECAUSE, DIRECTIONS, Movement, Moves
from regulars.errors import NotEnoughDataError, OptionError, OutputError
from regulars.palette import colour
from regulars.profiling import Gaps
from regulars.scoring import Cuts, parse_pack

PACKS = Path(rg.__file__).parent / "packs"
JUNE, DECEMBER = date(2011, 6, 10), date(2011, 12, 10)


def flows(moves: Moves) -> dict[tuple[str, str], tuple[int, Decimal, Decimal]]:
    """(from, to) → customers, revenue before and after."""
    return {
        (flow.before, flow.after): (flow.total.customers, flow.total.revenue_before, flow.total.revenue_after)
        for flow in moves.flows
    }


def why(moves: Moves) -> dict[tuple[str, str, str], int]:
    """(from, to, reason) → customers."""
    return {
        (flow.before, flow.after, because): sums.customers
        for flow in moves.flows
        for because, sums in flow.parts.items()
    }


def assert_reconciles(found: Movement) -> None:
    """Movers + stayers = customers of both sides; every side is the sum of its nodes; revenue to the cent."""
    for moves in (found.segments, found.groups):
        known, new, unseen, lost = (moves.total(direction=d) for d in (None, "new", "unseen", "lost"))
        both = [moves.total(direction=d).customers for d in ("up", "down", "stayed")]
        assert sum(moves.total(direction=d).customers for d in DIRECTIONS) == known.customers
        assert sum(moves.total(because=b).customers for b in BECAUSE) == known.customers
        assert sum(both) + lost.customers == found.before.customers
        assert sum(both) + new.customers + unseen.customers == found.after.customers
        assert (known.revenue_before, known.revenue_after) == (found.before.revenue, found.after.revenue)
        for nodes, side, elsewhere in (
            (moves.before, found.before, {"new", "unseen"}),
            (moves.after, found.after, {"lost"}),
        ):
            own = [node for node in nodes if node.kind not in elsewhere]
            assert sum(node.customers for node in own) == side.customers
            assert sum(node.revenue for node in own) == side.revenue


# --- runs written by hand -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Run:
    """As much of a run as a comparison reads."""

    source: str
    as_of: date
    model: rg.SegmentModel
    customers: Any
    kinds: tuple[tuple[str, str], ...] = (("high", "cooling"), ("low", "new"), ("low", "lapsed"))
    fingerprint: str = ""
    currency: str | None = "GBP"

    @property
    def segments(self) -> tuple[SimpleNamespace, ...]:
        return tuple(
            SimpleNamespace(name=name, tier=tier, activity=activity, profile=SimpleNamespace(value_percentile=0.5))
            for name, (tier, activity) in zip(self.model.segments, self.kinds, strict=True)
        )


PACK = parse_pack(
    {"name": "money", "levels": 3, "groups": [{"name": f"M{m}", "r": "1-3", "f": "1-3", "m": m} for m in "321"]},
    source="test",
)


def by_money(
    low: int, high: int, *, names: tuple[str, ...] = ("Best", "Middle", "Least"), day: date
) -> rg.SegmentModel:
    """A model that looks at money only: up to `low`, between, and from `high` on, in segments and in groups."""
    middle = (low + high) / 2
    centres = [(0.0, 0.0, money) for money in (high + (high - middle), middle, low - (middle - low))]
    free = (None, None)
    return rg.SegmentModel(
        as_of=day,
        returns="net",
        all_products=False,
        scale=Scale(
            name="standard",
            functions=("identity",) * 3,
            lambdas=(0.0,) * 3,
            offsets=(0.0,) * 3,
            divisors=(1e9, 1e9, 1.0),
        ),
        centres=tuple(centres),
        segments=names,
        cuts=Cuts(levels=3, recency_days=free, frequency=free, monetary=(Decimal(low), Decimal(high))),
        pack=PACK,
        gaps=Gaps(p75=30, p90=60, p95=90, count=0),
    )


def a_run(
    con, people: list[tuple[str, date, str | None]], model: rg.SegmentModel, *, source: str = "shop.csv", **more
) -> Run:
    """Customers as (id, first order, money), labelled by the model."""
    rows = {
        "customer_id": pa.array([who for who, _, _ in people], pa.string()),
        "first_order": pa.array([first for _, first, _ in people], pa.date32()),
        "recency_days": pa.array([1] * len(people), pa.int64()),
        "frequency": pa.array([1] * len(people), pa.int64()),
        "monetary": pa.array([money and Decimal(money) for _, _, money in people], pa.decimal128(18, 4)),
    }
    table = con.create_table(ibis.util.gen_name("people"), pa.table(rows))
    return Run(source=source, as_of=model.as_of, model=model, customers=model.assign(table), **more)


OLD, FRESH = date(2024, 1, 2), date(2024, 7, 1)
FIRST, SECOND = date(2024, 6, 1), date(2024, 12, 1)

#: Customer → money before, money after. Borders were at 500 and 2,000, and are at 1,000 and 4,000.
MONEY = {
    "stays": ("100", "101"),
    "grows": ("600", "5000.25"),  # by both models from Middle to Best
    "overtaken": ("700", "700"),  # the border went over them
    "runs along": ("800.50", "2500"),  # Best by the old borders, Middle by the new ones
    "doubly": ("2100", "600"),  # Best → Middle by themselves → Least by the borders
    "gone": ("50", None),
    "new": (None, "1500"),
    "unseen": (None, "30"),
}


@pytest.fixture(scope="module")
def runs(con):
    def people(which):
        first = defaultdict(lambda: OLD, {"new": FRESH})
        return [(who, first[who], money[which]) for who, money in MONEY.items() if money[which] is not None]

    return (
        a_run(con, people(0), by_money(500, 2000, day=FIRST), source="june.csv"),
        a_run(con, people(1), by_money(1000, 4000, day=SECOND), source="december.csv"),
    )


@pytest.fixture(scope="module")
def half_year(runs):
    return rg.compare_runs(*runs)


def test_every_reason_by_hand(half_year):
    found = half_year

    assert why(found.segments) == {
        ("Best", "Least", "both"): 1,
        ("Middle", "Best", "customer"): 1,
        ("Middle", "Middle", "undone"): 1,
        ("Middle", "Least", "cuts"): 1,
        ("Least", "Least", "stayed"): 1,
        ("Least", "(lost from view)", "lost"): 1,
        ("(new)", "Middle", "new"): 1,
        ("(not seen before)", "Least", "unseen"): 1,
    }
    renamed = {"Best": "M3", "Middle": "M2", "Least": "M1"}
    assert why(found.groups) == {
        (renamed.get(before, before), renamed.get(after, after), because): n
        for (before, after, because), n in why(found.segments).items()
    }
    assert flows(found.segments)["Middle", "Best"] == (1, Decimal(600), Decimal("5000.25"))
    assert [flow.direction for flow in found.segments.flows] == [
        "down", "up", "stayed", "down", "stayed", "lost", "new", "unseen",
    ]  # fmt: skip
    assert_reconciles(found)


def test_both_sides_have_one_order_with_new_and_lost_at_the_end(half_year):
    moves = half_year.segments

    before = [(node.name, node.kind, node.id, node.customers, node.revenue) for node in moves.before]
    after = [(node.name, node.kind, node.id, node.customers, node.revenue) for node in moves.after]
    assert before == [
        ("Best", "segment", 0, 1, Decimal(2100)),
        ("Middle", "segment", 1, 3, Decimal("2100.50")),
        ("Least", "segment", 2, 2, Decimal(150)),
        ("(new)", "new", None, 1, Decimal(1500)),
        ("(not seen before)", "unseen", None, 1, Decimal(30)),
    ]
    assert after == [
        ("Best", "segment", 0, 1, Decimal("5000.25")),
        ("Middle", "segment", 1, 2, Decimal(4000)),
        ("Least", "segment", 2, 4, Decimal(1431)),
        ("(lost from view)", "lost", None, 1, Decimal(50)),
    ]


def test_what_there_is_to_say(half_year):
    assert half_year.groups.words == (
        "1 customer worth £5.0k moved up: 1 because they changed.",
        "2 customers worth £1.3k moved down: 1 only because the cut points moved, 1 because of both.",
        "2 customers worth £2.6k stayed; of these 1 changed, and the cut points moved along.",
        "1 customer worth £1.5k is new since 1 Jun 2024.",
        "1 customer worth £30 had ordered before, but was not seen in the earlier side.",
        "1 customer worth £50 is lost from view.",
    )


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ("earlier", {"grows": "Best", "overtaken": "Middle", "runs along": "Best", "doubly": "Middle"}),
        ("later", {"grows": "Best", "overtaken": "Least", "runs along": "Middle", "doubly": "Least"}),
    ],
)
def test_judged_by_one_model_only_customers_change(runs, cuts, expected):
    found = rg.compare_runs(*runs, cuts=cuts)

    table = found.customers.to_pandas().set_index("customer_id")
    assert table.loc[list(expected), "segments_to"].to_dict() == expected
    assert set(table["segments_because"]) == {"stayed", "customer", "new", "unseen", "lost"}
    assert "moved did so because they changed" in found.segments.words[-1]
    assert_reconciles(found)


def test_who_moved_is_a_list_in_the_engine(half_year, no_queries):
    with no_queries():
        table = half_year.moved("groups")

    assert table.to_pyarrow().to_pylist()[1] == {
        "customer_id": "new",
        "from": "(new)",
        "to": "M2",
        "because": "new",
        "revenue_before": Decimal(0),
        "revenue_after": Decimal(1500),
    }
    assert table["customer_id"].to_pyarrow().to_pylist() == [
        "grows", "new", "overtaken", "doubly", "unseen", "gone",
    ]  # fmt: skip


def test_runs_with_other_segments_have_their_own_nodes(con, runs):
    model = by_money(500, 2000, names=("Best", "New name", "Least"), day=SECOND)
    later = a_run(con, [("stays", OLD, "100"), ("overtaken", OLD, "700")], model)

    found = rg.compare_runs(runs[0], later)

    assert [node.name for node in found.segments.before][:3] == ["Best", "Middle", "Least"]
    assert [node.name for node in found.segments.after][:3] == ["Best", "New name", "Least"]
    assert why(found.segments)["Middle", "New name", "cuts"] == 1
    assert "on 1 Jun 2024 Middle; on 1 Dec 2024 New name" in found.notes[0]


def test_who_cannot_be_assigned_is_counted_too(con, runs):
    found = rg.compare_runs(runs[0], a_run(con, [("stays", OLD, None), ("grows", OLD, "600")], runs[1].model))

    assert ("Least", "(not assignable)", "customer") in why(found.segments)
    assert [(node.name, node.customers) for node in found.groups.after if node.kind != "segment"] == [
        ("(not assignable)", 1),
        ("(lost from view)", 4),
    ]
    assert_reconciles(found)


# --- what cannot be compared ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a, b, con: (b, a),
            "of 2024-12-01, the second of 2024-06-01: they are swapped. Give the earlier run first",
        ),
        (lambda a, b, con: (a, a), "Both runs are the same: june.csv, as of 2024-06-01"),
        (lambda a, b, con: (a, replace(b, currency="EUR")), "the first run is GBP, that of the second EUR"),
        (
            lambda a, b, con: (a, a_run(con, [("c-17", OLD, "9")], b.model, source="other.csv")),
            "No customer is in both: ids of june.csv look like 'doubly', those of other.csv like 'c-17'",
        ),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(con, runs, change, words):
    with pytest.raises(OptionError) as caught:
        rg.compare_runs(*change(*runs, con))
    assert words in str(caught.value)


def test_what_differs_beside_the_customers_is_said(runs):
    earlier, later = runs
    other = replace(later.model, returns="drop", pack=replace(PACK, name="mine"))
    found = rg.compare_runs(replace(earlier, currency=None), replace(later, model=other))

    assert found.currency == "GBP"
    assert [note.split(":")[0][:40] for note in found.notes] == [
        "The two runs were cleaned in different w",
        "The named groups come from different rul",
        "Only one of the runs says its currency; ",
    ]


@pytest.mark.parametrize(
    ("dates", "more", "words"),
    [
        ((SECOND, FIRST), {}, "The first date, 2024-12-01, is after the second, 2024-06-01"),
        ((FIRST, date(2024, 3, 3)), {"swap": True}, "is outside of"),
        (
            (date(2024, 1, 2), date(2024, 2, 1)),
            {},
            "its lines run from 2024-01-02 to 2024-02-29. Give dates from 2024-01-03 to 2024-03-01",
        ),
        ((date(2024, 1, 3), date(2024, 3, 2)), {}, "The date 2024-03-02 is outside of"),
        ("2024-01-03", {}, "Give two days"),
        ((datetime(2024, 1, 3), datetime(2024, 2, 1)), {}, "Give two days"),
        ((FIRST, SECOND), {"cuts": "mine"}, "cuts is 'mine'. Choose one of earlier, later, each"),
        ((FIRST, SECOND), {"k": 1}, "k is 1"),
    ],
)
def test_dates_that_cannot_be_are_refused(few, dates, more, words):
    if more.pop("swap", False):
        dates = dates[::-1]
    with pytest.raises(OptionError) as caught:
        rg.compare(few, dates=dates, **more)
    assert words in str(caught.value)


def test_too_few_customers_at_a_date_are_said_with_the_date(few):
    with pytest.raises(NotEnoughDataError, match="Before 2024-01-05: Only 3 customers are left"):
        rg.compare(few, dates=(date(2024, 1, 5), date(2024, 3, 1)), k=2)


# --- dates of one history -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(shop):
    """Twelve customers in January, one a day. In February the first is back, the second returns all, a thirteenth comes."""
    rows = [(f"c{i:02}", f"o{i:02}", datetime(2024, 1, 1 + i, 9), 1 + i % 3, 10.0 * i) for i in range(1, 13)]
    rows += [
        ("c01", "o21", datetime(2024, 2, 28, 9), 40, 25.5),
        ("c02", "r02", datetime(2024, 2, 10, 9), -3, 20.0),
        ("c13", "o23", datetime(2024, 2, 29, 9), 1, 12.5),
    ]
    names = ("customer", "order", "date", "qty", "price")
    return shop(pd.DataFrame([dict(zip(names, row, strict=True), sku="mug") for row in rows]))


@pytest.fixture(scope="module")
def since_january(few):
    return rg.compare(few, dates=(date(2024, 2, 1), date(2024, 3, 1)), k=2)


def test_what_comes_after_a_date_is_not_known_at_it(since_january):
    table = since_january.customers.to_pandas().set_index("customer_id")

    assert table.loc["c01", ["revenue_before", "revenue_after"]].tolist() == [Decimal(20), Decimal(1040)]
    assert table.loc["c02", ["revenue_before", "groups_to"]].tolist() == [Decimal(60), "(lost from view)"]
    assert table.loc["c13", ["groups_from", "groups_to", "revenue_after"]].tolist()[::2] == ["(new)", Decimal("12.5")]
    assert (since_january.before.customers, since_january.after.customers) == (12, 12)
    assert since_january.after.revenue - since_january.before.revenue == Decimal("1020") - 60 + Decimal("12.5")
    assert since_january.groups.words[-1] == "1 customer worth £60 is lost from view.".replace("£", "")
    assert_reconciles(since_january)


def test_the_same_date_twice_moves_nobody(few):
    found = rg.compare(few, dates=(date(2024, 3, 1), date(2024, 3, 1)), k=2)

    for moves in (found.segments, found.groups):
        assert {flow.direction for flow in moves.flows} == {"stayed"}
        assert moves.total() == moves.total(because="stayed")
        assert moves.total().customers == 12
    assert found.moved().count().to_pyarrow().as_py() == 0
    assert_reconciles(found)


# --- any customers --------------------------------------------------------------------------------------------------

amounts = st.integers(1, 60).map(lambda tens: f"{tens * 100 + 1}.25")  # never on a border
histories = st.dictionaries(
    st.integers(1, 40).map(str),
    st.tuples(amounts | st.none(), amounts | st.none(), st.booleans()),
    min_size=1,
    max_size=12,
).map(
    lambda them: (
        {"0": ("100.25", "2500.25", False)} | {who: one for who, one in them.items() if one[:2] != (None, None)}
    )
)
quick = settings(max_examples=5, deadline=None)


def in_plain_python(history) -> Counter:
    """(from, to, because) → customers, told one by one."""

    def place(money: str, borders: tuple[int, int]) -> str:
        return ("Least", "Middle", "Best")[sum(Decimal(money) > border for border in borders)]

    told: Counter = Counter()
    for before, after, early in history.values():
        if after is None:
            told[place(before, (500, 2000)), "(lost from view)", "lost"] += 1
            continue
        middle, to = place(after, (500, 2000)), place(after, (1000, 4000))
        if before is None:
            told["(not seen before)" if early else "(new)", to, "unseen" if early else "new"] += 1
            continue
        was = place(before, (500, 2000))
        because = {
            (False, False): "stayed",
            (True, False): "customer",
            (False, True): "cuts",
            (True, True): "undone" if was == to else "both",
        }
        told[was, to, because[was != middle, middle != to]] += 1
    return told


def people_of(history, side: int) -> list[tuple[str, date, str]]:
    return [
        (who, OLD if one[2] or one[0] is not None else FRESH, one[side])
        for who, one in history.items()
        if one[side] is not None
    ]


@given(history=histories, order=st.randoms(use_true_random=False))
@quick
def test_any_customers_reconcile_whatever_the_order_of_rows(con, history, order):
    earlier, later = by_money(500, 2000, day=FIRST), by_money(1000, 4000, day=SECOND)
    sides = [people_of(history, 0), people_of(history, 1)]
    for side in sides:
        order.shuffle(side)

    found = rg.compare_runs(a_run(con, sides[0], earlier), a_run(con, sides[1], later))

    assert why(found.segments) == in_plain_python(history)
    assert [tuple(key) for key in flows(found.segments)] == sorted(flows(found.segments), key=best_first)
    assert_reconciles(found)


def best_first(key: tuple[str, str]) -> list[int]:
    order = ("Best", "Middle", "Least", "(new)", "(not seen before)", "(lost from view)")
    return [order.index(name) for name in key]


@given(history=histories)
@quick
def test_who_does_not_change_does_not_move(con, history):
    model, side = by_money(500, 2000, day=FIRST), people_of(history, 1)

    found = rg.compare_runs(a_run(con, side, model), a_run(con, side, model, fingerprint="a copy"))

    assert {because for _, _, because in why(found.segments)} == {"stayed"}
    assert found.segments.total().customers == len(side)


# --- files, folders and the command ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run of a small shop, and a later one whose borders alone are others: the two best segments have changed names."""
    run = rg.segment(rg.make_orders(60, seed=3).orders, k=3, backtest=False)
    first, second, *rest = run.model.segments
    model = replace(run.model, segments=(second, first, *rest), as_of=date(2025, 1, 1))
    other = model.label(run.customers)
    names = {segment.name: segment for segment in run.segments}
    later = replace(
        run,
        as_of=model.as_of,
        model=model,
        customers=other,
        segments=tuple(replace(names[name], id=i) for i, name in enumerate(model.segments)),
    )
    place = tmp_path_factory.mktemp("runs")
    for name, each in (("a", run), ("b", later)):
        rg.write_run(each, place / name, figures=False, report=False)
    return place, run


@pytest.fixture
def regulars(monkeypatch, capsys):
    """Run the command line in this process: exit code, what it printed, and what it said was wrong."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["regulars", *map(str, words)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
        return code, *capsys.readouterr()

    return run


def test_two_run_folders_are_compared_on_the_command_line(regulars, folders):
    place, run = folders
    code, shown, _ = regulars("compare", place / "a", place / "b", "--json")
    facts = json.loads(shown)

    assert code == 0
    sizes = {segment.name: segment.profile.customers for segment in run.segments}
    swapped = [flow for flow in facts["segments"]["flows"] if flow["direction"] in ("up", "down")]
    assert {(flow["before"], flow["customers"]) for flow in swapped} == set(list(sizes.items())[:2])
    assert {because for flow in swapped for because in flow["parts"]} == {"cuts"}
    assert facts["before"]["customers"] == facts["after"]["customers"] == run.customers_total
    assert all(flow["direction"] == "stayed" for flow in facts["groups"]["flows"])


def test_the_screen_says_it_in_sentences_and_as_a_table(regulars, folders, tmp_path):
    place, run = folders
    names = [segment.name for segment in run.segments]
    code, shown, _ = regulars("compare", place / "a", place / "b", "-o", tmp_path / "movement.csv")

    assert code == 0
    assert "moved up" in shown
    assert "only because the borders of the segments moved" in shown
    assert [line.split()[0] for line in shown.splitlines() if "stayed  " in line] == [names[2].split()[0]]
    with (tmp_path / "movement.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(segment.profile.customers for segment in run.segments[:2])
    assert {(row["from"], row["to"], row["because"]) for row in rows} == {
        (names[0], names[1], "cuts"),
        (names[1], names[0], "cuts"),
    }


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_is_replaced_only_if_asked_for_and_only_one_of_who_moved(regulars, folders, tmp_path, ending):
    file, compare = tmp_path / f"moved.{ending}", ("compare", *(folders[0] / name for name in "ab"), "-o")
    assert regulars(*compare, file)[0] == 0
    code, _, error = regulars(*compare, file)
    assert (code, "--replace" in error) == (2, True)
    assert regulars(*compare, file, "--replace")[0] == 0

    file.write_text("customer,amount\n")
    code, _, error = regulars(*compare, file, "--replace")
    assert (code, "does not say who moved" in " ".join(error.split())) == (2, True)
    assert file.read_text() == "customer,amount\n"


def test_a_day_that_is_none_is_answered_with_an_example(regulars):
    code, _, error = regulars("compare", "orders.csv", "--dates", "2024-01-01", "1.2.2024")

    assert code == 2
    assert "'1.2.2024' is not a day. Write the year first, such as 2011-12-31." in " ".join(
        error.replace("│", "").split()
    )


def test_a_folder_holds_everything_and_is_replaced_whole(regulars, folders, tmp_path):
    place, run = folders
    for by in ("segments", "groups"):
        assert regulars("compare", place / "a", place / "b", "-o", tmp_path / "moved", "--by", by)[0] == 0

    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == [
        "customers.csv", "customers.parquet", "facts.json", "movement.csv", "run.json",
    ]  # fmt: skip
    with (tmp_path / "moved" / "movement.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for by in ("segments", "groups"):
        assert sum(int(row["customers"]) for row in rows if row["by"] == by) == run.customers_total
        assert sum(Decimal(row["revenue_after"]) for row in rows if row["by"] == by) == round(run.revenue, 2)
    assert len(pd.read_parquet(tmp_path / "moved" / "customers.parquet")) == run.customers_total
    with pytest.raises(OutputError):
        rg.write_movement(rg.compare_runs(rg.open_run(place / "a"), rg.open_run(place / "b")), place / "a")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{a}", "{a}"), "Both runs are the same"),
        (("{b}", "{a}"), "they are swapped"),
        (("{a}",), "1 run folder was given, and no --dates"),
        (("{a}", "nowhere"), "'nowhere' does not exist"),
        (
            ("{a}", "{b}", "--dates", "2024-01-01", "2024-02-01"),
            "--dates compares two dates of one source; 2 were given",
        ),
    ],
)
def test_wrong_words_are_answered_with_what_to_do(regulars, folders, words, said):
    place, _ = folders
    code, shown, error = regulars("compare", *(word.format(a=place / "a", b=place / "b") for word in words))

    assert (code, shown) == (2, "")
    assert said in " ".join(error.split())
    assert "→" in error


# --- the chart ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["segments", "groups"])
def test_the_chart_has_one_order_and_the_same_facts_as_a_table(half_year, by):
    figure = charts.movement(half_year, by)
    (trace,) = figure.data
    moves = half_year.by(by)

    shown = [node.name for side in (moves.before, moves.after) for node in side if node.customers]
    assert list(trace.node.label) == shown
    assert list(trace.node.color[:3]) == [colour(i) for i in range(3)]
    left = sum(x < 0.5 for x in trace.node.x)
    assert list(trace.node.y[:left]) == sorted(trace.node.y[:left])
    assert list(trace.node.y[left:]) == sorted(trace.node.y[left:])
    assert all(0 < y < 1 for y in trace.node.y)
    assert sum(trace.link.value) == moves.total().customers
    assert [shown[i] for i in trace.link.source] == [flow.before for flow in moves.flows]
    assert figure.layout.height >= 600
    assert figure.layout.title.text == "1 customer moved up, 2 down, 2 stayed; 1 new, 1 lost from view"
    meta = figure.layout.meta
    assert [tuple(row[:3]) for row in meta["rows"]] == [(f.before, f.after, f.total.customers) for f in moves.flows]
    assert len(set(meta["columns"])) == len(meta["columns"]) == len(meta["rows"][0])
    assert all(words in meta["alt"] for words in moves.words)


def test_the_chart_shows_names_as_they_are(con, runs):
    evil = '<a href="https://example.com">&amp;</a>'
    model = by_money(500, 2000, names=("Best", evil, "Least"), day=SECOND)
    sides = (replace(runs[0], currency=None), a_run(con, [("stays", OLD, "700")], model, currency="<b>x"))
    figure = charts.movement(rg.compare_runs(*sides))

    drawn = figure.to_dict()["data"][0]
    texts = [*drawn["node"]["label"], *drawn["node"]["customdata"], *drawn["link"]["customdata"]]
    assert not [text for text in texts if "<a" in text or "<b>x" in text]
    assert any("&lt;a href=" in text for text in drawn["node"]["customdata"])


def test_nothing_moves_between_what_is_not_there(half_year):
    with pytest.raises(OptionError, match=r"Nothing moves between 'shoes'\. Choose one of segments, groups"):
        charts.movement(half_year, "shoes")


# --- the real file --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def half_a_year(uci):
    return rg.compare(uci, dates=(JUNE, DECEMBER), k=4)


NAMES = ("Loyal high-value", "Occasional moderate", "New / low-spend", "Low-spend lapsed")


def counted_by_hand(lines: pd.DataFrame, day: date) -> pd.DataFrame:
    """Days, orders and money (in thousandths) of each customer, from the lines before a day, cleaned with pandas."""
    lines = lines[lines["InvoiceDate"] < pd.Timestamp(day)].drop_duplicates()
    layout = tomllib.loads((PACKS.parent / "layouts" / "uci_online_retail.toml").read_text("utf-8"))
    code = lines["StockCode"].str.upper()
    service = code.isin(layout["non_products"]) | code.str.startswith(tuple(layout["non_product_prefixes"]))
    lines = lines[lines["CustomerID"].notna() & (lines["UnitPrice"] > 0) & ~service]
    lines = lines.rename(columns={"InvoiceDate": "ordered_at", "InvoiceNo": "order_id", "Quantity": "q"})
    lines = lines.assign(price=(lines["UnitPrice"] * 1000).round().astype(int))
    pair = ["CustomerID", "StockCode"]
    touched = lines.reset_index().merge(lines.loc[lines["q"] < 0, pair].drop_duplicates(), on=pair).set_index("index")
    left = pd.Series(oracles.take_back(touched, by=pair), index=touched.index)
    lines["left"] = left.reindex(lines.index).fillna(lines["q"]).astype(int)
    kept = lines[(lines["q"] > 0) & (lines["left"] > 0)]
    kept = kept.assign(money=kept["left"] * kept["price"], day=kept["ordered_at"].dt.normalize())
    people = kept.groupby("CustomerID").agg(
        last=("day", "max"), frequency=("order_id", "nunique"), monetary=("money", "sum")
    )
    return people.assign(recency=(pd.Timestamp(day) - people["last"]).dt.days)


def groups_by_hand(people: pd.DataFrame, learned: pd.DataFrame) -> pd.Series:
    """The eleven groups, by the scores that the same values would have had among the customers that were learned from."""
    pack = tomllib.loads((PACKS / "eleven.toml").read_text("utf-8"))
    group = {cell: each["name"] for each in pack["groups"] for cell in each["cells"]}
    codes = pd.Series("", index=people.index)
    for name, sense in (("recency", -1), ("frequency", 1), ("monetary", 1)):
        known = np.sort(sense * learned[name].to_numpy())
        reached = 5 * np.searchsorted(known, known, side="left") // len(known) + 1
        starts = [known[reached >= score].min() for score in range(2, 6) if (reached >= score).any()]
        codes += [str(1 + sum(value >= start for start in starts)) for value in sense * people[name]]
    return codes.map(group)


def learn_segments(learned: pd.DataFrame) -> Callable[[pd.DataFrame], pd.Series]:
    """Four clusters, the best first; gives a function that says to which of them others are nearest."""

    def raw(table: pd.DataFrame) -> np.ndarray:
        money = table["monetary"].to_numpy() / 1000
        return np.column_stack([np.sqrt(table["recency"]), np.log1p(table["frequency"]), np.log1p(money)])

    mean, spread = raw(learned).mean(axis=0), raw(learned).std(axis=0)
    fit = KMeans(4, n_init=30, max_iter=1000, tol=1e-10, random_state=7).fit((raw(learned) - mean) / spread)
    value = oracles.mid_percentile(learned["frequency"]) + oracles.mid_percentile(learned["monetary"])
    best = sorted(range(4), key=lambda k: -value[fit.labels_ == k].mean())

    def nearest(people: pd.DataFrame) -> pd.Series:
        found, _, _ = oracles.nearest_two((raw(people) - mean) / spread, fit.cluster_centers_[best])
        return pd.Series([NAMES[k] for k in found], index=people.index)

    return nearest


def side_by_side(june: pd.DataFrame, december: pd.DataFrame, **labels: pd.Series) -> pd.DataFrame:
    """Customers of both dates with `was`, `middle` and `now`, and their money in thousandths."""
    table = pd.DataFrame({**labels, "before": june["monetary"], "after": december["monetary"]})
    table[["before", "after"]] = table[["before", "after"]].fillna(0).astype(int)
    return table.fillna({"was": "(new)", "now": "(lost from view)"})


def flows_of(table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, Decimal, Decimal]]:
    sums = table.groupby(["was", "now"]).agg(n=("before", "size"), before=("before", "sum"), after=("after", "sum"))
    return {key: (int(n), Decimal(int(b)) / 1000, Decimal(int(a)) / 1000) for key, n, b, a in sums.itertuples()}


def moved_because(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Reason → those who moved for it."""
    changed, cut = table["was"] != table["middle"], table["middle"] != table["now"]
    moved = (table["was"] != table["now"]) & (table["was"] != "(new)")
    return {"customer": table[moved & ~cut], "cuts": table[moved & ~changed], "both": table[moved & changed & cut]}


@pytest.fixture(scope="module")
def by_hand(uci):
    lines = pd.read_parquet(uci)
    return counted_by_hand(lines, JUNE), counted_by_hand(lines, DECEMBER)


#: From → to: customers; what they had spent by June and by December, in pounds. Written down once, to be checked by hand.
HALF_A_YEAR = {
    ("Loyal high-value", "Loyal high-value"): (251, "1654149.21", "3829406.74"),
    ("Loyal high-value", "Occasional moderate"): (12, "34222.20", "36877.13"),
    ("Occasional moderate", "Loyal high-value"): (229, "368681.18", "921708.35"),
    ("Occasional moderate", "Occasional moderate"): (494, "574784.67", "1000033.44"),
    ("Occasional moderate", "Low-spend lapsed"): (106, "106801.331", "107562.001"),
    ("New / low-spend", "Loyal high-value"): (15, "6198.80", "46550.35"),
    ("New / low-spend", "Occasional moderate"): (263, "105132.86", "318235.45"),
    ("New / low-spend", "New / low-spend"): (106, "26189.69", "50664.24"),
    ("New / low-spend", "Low-spend lapsed"): (300, "87440.27", "95042.39"),
    ("Low-spend lapsed", "Loyal high-value"): (27, "18899.87", "126923.57"),
    ("Low-spend lapsed", "Occasional moderate"): (282, "129376.79", "382581.13"),
    ("Low-spend lapsed", "New / low-spend"): (172, "36050.62", "79089.53"),
    ("Low-spend lapsed", "Low-spend lapsed"): (536, "170428.29", "183026.84"),
    ("(new)", "Loyal high-value"): (22, "0", "129456.46"),
    ("(new)", "Occasional moderate"): (343, "0", "559781.591"),
    ("(new)", "New / low-spend"): (968, "0", "356805.041"),
    ("(new)", "Low-spend lapsed"): (198, "0", "65637.64"),
}


class TestTheRealFileFromJuneToDecember:
    def test_the_table_of_the_segments(self, half_a_year):
        table = flows(half_a_year.segments)

        assert table == {key: (n, Decimal(b), Decimal(a)) for key, (n, b, a) in HALF_A_YEAR.items()}
        assert list(table) == list(HALF_A_YEAR)  # best to worst, then the new ones
        assert (half_a_year.before.customers, half_a_year.after.customers) == (2_793, 4_324)
        assert half_a_year.before.revenue == Decimal("3318355.7810")
        assert half_a_year.after.revenue == Decimal("8289381.8930")
        assert_reconciles(half_a_year)

    def test_pandas_finds_the_same_groups_and_reasons(self, half_a_year, by_hand):
        june, december = by_hand
        labels = {
            "was": groups_by_hand(june, june),
            "middle": groups_by_hand(december, june),
            "now": groups_by_hand(december, december),
        }
        table = side_by_side(june, december, **labels)

        assert flows_of(table) == flows(half_a_year.groups)
        for because, own in moved_because(table).items():
            sums = half_a_year.groups.total(because=because)
            assert sums.customers == len(own)
            assert sums.revenue_before == Decimal(int(own["before"].sum())) / 1000
            assert sums.revenue_after == Decimal(int(own["after"].sum())) / 1000

    def test_scikit_learn_finds_nearly_the_same_segments_and_reasons(self, half_a_year, by_hand):
        # K-Means has several optima here that are equal to five digits; they differ in a handful of customers
        june, december = by_hand
        by_june, by_december = learn_segments(june), learn_segments(december)
        labels = {"was": by_june(june), "middle": by_june(december), "now": by_december(december)}
        table = side_by_side(june, december, **labels)
        found, expected = flows(half_a_year.segments), flows_of(table)

        assert set(found) == set(expected)
        for key, (customers, before, after) in expected.items():
            assert found[key][0] == pytest.approx(customers, abs=5)
            assert float(found[key][1]) == pytest.approx(float(before), abs=6_000)
            assert float(found[key][2]) == pytest.approx(float(after), abs=6_000)
        for because, own in moved_because(table).items():
            assert half_a_year.segments.total(because=because).customers == pytest.approx(len(own), abs=10)
