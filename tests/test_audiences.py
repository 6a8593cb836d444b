"""Lists that leave: who is on them, in which form, who is held out, and what later orders tell."""

import csv
import dataclasses
import hashlib
import json
import re
import signal
import sys
from collections import Counter
from datetime import date, datetime, timedelta

import duckdb
import ibis
import numpy as np
import pandas as pd
import pytest

import regulars as rg
from regulars.audiences import TOOLS, build_audience, load_record, measure_campaign, write_audience
from regulars.audiences.addresses import clean_email, clean_phone, iso_alpha2
from regulars.cleaning import latest_contacts
from regulars.cli import main
from regulars.errors import NotEnoughDataError, OptionError, OutputError, SourceError
from regulars.writing import write_run

DAY = date(2025, 1, 15)
CONSENTS = ("yes", "no", "Ja", "")
COLUMNS = rg.Columns(email="Email", phone="Phone", consent="Consent")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rows_of(path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines(keepends=True)))


def email_of(number: int) -> str | None:
    """Every tenth has no address, every other tenth a bad one."""
    return {0: None, 1: f"c{number}@@example.org"}.get(number % 10, f" C{number}@Example.org ")


def phone_of(number: int) -> str | None:
    return {0: f"+49 151 0000{number}", 1: "0151 12345"}.get(number % 3)


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    """The order lines of 400 made-up customers, with addresses and consent that follow from their numbers."""
    frame = rg.make_orders(400, seed=3).orders.to_pandas()
    numbers = frame["CustomerID"].map(lambda text: int(float(text)) if pd.notna(text) else None)
    frame["Email"] = numbers.map(lambda n: None if pd.isna(n) else email_of(int(n)))
    frame["Phone"] = numbers.map(lambda n: None if pd.isna(n) else phone_of(int(n)))
    frame["Consent"] = numbers.map(lambda n: None if pd.isna(n) else CONSENTS[int(n) % 4])
    return frame


@pytest.fixture(scope="module")
def result(lines) -> rg.Segmentation:
    return rg.segment(lines, columns=COLUMNS)


@pytest.fixture(scope="module")
def quick(lines) -> rg.Segmentation:
    """The same without a forecast."""
    return rg.segment(lines, columns=COLUMNS, backtest=False)


@pytest.fixture(scope="module")
def plain(sample_result) -> rg.Segmentation:
    """A run whose source has no addresses."""
    return sample_result


@pytest.fixture(scope="module")
def people(result) -> pd.DataFrame:
    return result.customers.to_pandas().sort_values("customer_id", ignore_index=True)


class TestContacts:
    def test_the_latest_that_is_not_empty_wins_column_by_column(self):
        told = pd.DataFrame(
            [
                ("ann", "2024-01-01", "old@example.org", "+4930111111", "yes"),
                ("ann", "2024-03-01", "new@example.org", " ", "no"),
                ("ann", "2024-05-01", None, None, ""),
                ("bob", "2024-02-01", None, None, None),
                (None, "2024-02-01", "nobody@example.org", None, "yes"),
            ],
            columns=["customer_id", "ordered_at", "email", "phone", "consent"],
        ).astype({"ordered_at": "datetime64[us]"})

        found = latest_contacts(ibis.memtable(told)).order_by("customer_id").to_pyarrow().to_pylist()

        assert found == [
            {"customer_id": "ann", "email": "new@example.org", "phone": "+4930111111", "consent": "no"},
            {"customer_id": "bob", "email": None, "phone": None, "consent": None},
        ]

    def test_of_two_consents_at_the_same_time_the_refusal_counts(self):
        for said in (["ja", "nein"], ["nein", "ja"]):
            table = ibis.memtable(
                {"customer_id": ["a", "a"], "ordered_at": [datetime(2024, 1, 1)] * 2, "consent": said}
            )
            assert latest_contacts(table).to_pyarrow()["consent"].to_pylist() == ["nein"]

    def test_days_after_as_of_say_nothing(self):
        table = ibis.memtable(
            {"customer_id": ["a", "a"], "ordered_at": [datetime(2024, 1, 1), datetime(2024, 2, 1)], "email": ["x", "y"]}
        )
        assert latest_contacts(table, as_of=date(2024, 2, 1)).to_pyarrow()["email"].to_pylist() == ["x"]

    def test_customers_carry_them_and_nothing_else_changes(self, lines, quick):
        without = rg.segment(lines.drop(columns=["Email", "Phone", "Consent"]), backtest=False)

        more = ("email", "phone", "consent")
        assert set(quick.customers.columns) - set(without.customers.columns) == set(more)
        one = quick.customers.drop(*more).order_by("customer_id").to_pyarrow().to_pylist()
        assert one == without.customers.order_by("customer_id").to_pyarrow().to_pylist()
        assert quick.audit == without.audit

    def test_they_are_those_of_the_lines(self, people):
        for row in people.itertuples():
            number = int(row.customer_id)
            assert row.email == (email_of(number) or "").strip() or number % 10 == 0
            assert row.consent == CONSENTS[number % 4] or number % 4 == 3

    def test_lines_without_them_are_not_looked_at_again(self, sample_shop):
        assert rg.clean(rg.read(sample_shop.orders)).contacts is None


class TestAddresses:
    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("  Ann.Miller@Example.ORG\t", "ann.miller@example.org"),
            ("'ann@example.org", "ann@example.org"),
            ("<ann@example.org>", "ann@example.org"),
            ("ann+shop@mail.example.co.uk", "ann+shop@mail.example.co.uk"),
            ("JÖRG@müller.de", "jörg@müller.de"),
            ("ann@example", None),
            ("ann@@example.org", None),
            ("ann@b@example.org", None),
            ("ann miller@example.org", None),
            ("ann@example..org", None),
            ("ann@-example.org", None),
            ("@example.org", None),
            ("=cmd@example.org", None),
            ("+1@example.org", None),
            ("-1@example.org", None),
            ("ann@example.org, bob@example.org", None),
            ("n/a", None),
            ("", None),
        ],
    )
    def test_emails(self, said, meant):
        assert clean_email(ibis.memtable({"said": [said]}).said).to_pyarrow().to_pylist() == [meant]

    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            ("+49 (0)151 / 23456789", "+4915123456789"),
            ("0044 20 7946 0958", "+442079460958"),
            ("'+1 (555) 010-0123", "+15550100123"),
            ("0151 23456789", None),
            ("5550100", None),
            ("+49", None),
            ("+0123456789", None),
            ("+49151234567890123", None),
            ("+49 151 call me", None),
            ("+4915123456*1", None),
        ],
    )
    def test_phones(self, said, meant):
        assert clean_phone(ibis.memtable({"said": [said]}).said).to_pyarrow().to_pylist() == [meant]

    def test_countries(self):
        assert [iso_alpha2(name) for name in ("United Kingdom", "UK", "EIRE", "USA", "Nowhere")] == [
            "gb", "gb", "ie", "us", None,
        ]  # fmt: skip


class TestWho:
    def test_counts_are_those_of_the_run(self, result):
        for segment in result.segments:
            assert build_audience(result, segment.name.upper()).members == segment.profile.customers
        for name, _, customers, _ in result.groups:
            assert build_audience(result, name.lower()).members == customers
        assert build_audience(result, "at-risk").members == result.at_risk.customers

    def test_the_list_without_a_forecast_is_that_of_the_run_too(self, quick):
        assert quick.outlook is None
        assert build_audience(quick, "AT-RISK").members == quick.at_risk.customers > 0

    @pytest.mark.parametrize("tool", TOOLS)
    def test_everybody_is_accounted_for(self, result, people, tool):
        name = result.segments[0].name
        audience = build_audience(result, name, tool=tool, holdout=0.2)

        numbers = [int(one) for one in people.loc[people["segment"] == name, "customer_id"]]
        has_email = {n for n in numbers if n % 10 > 1}
        has_phone = {n for n in numbers if n % 3 == 0}
        reached = {"mailchimp": has_email, "shopify-tags": has_email, "csv": set(numbers)}.get(
            tool, has_email | has_phone
        )
        agreed = {n for n in reached if n % 4 in (0, 2)}
        assert audience.no_address == len(numbers) - len(reached)
        assert audience.no_consent == len(reached) - len(agreed)
        assert audience.unknown_consent == len([n for n in reached if n % 4 == 3])
        assert audience.held_out + audience.written == len(agreed)
        assert audience.held_out == pytest.approx(0.2 * len(agreed), abs=1)
        assert audience.bad_emails == len([n for n in numbers if n % 10 == 1])
        assert audience.bad_phones == len([n for n in numbers if n % 3 == 1])
        assert audience.table.count().to_pyarrow().as_py() == audience.written

    def test_a_condition_leaves_those_that_meet_it_under_a_name_of_their_own(self, quick):
        rich = build_audience(quick, "everyone", where=lambda people: people.monetary >= 1000, name="Rich")
        people = quick.customers.to_pandas()
        expected = people[people["monetary"].astype(float) >= 1000]

        assert (rich.name, rich.kind) == ("Rich", "list")
        assert sorted(rich.groups.to_pandas()["customer_id"]) == sorted(expected["customer_id"])

    def test_a_condition_that_nobody_meets_is_told(self, quick):
        with pytest.raises(NotEnoughDataError, match="Nobody is left of the 0 customers of everyone"):
            build_audience(quick, "everyone", where=lambda people: people.monetary < 0)

    def test_without_a_consent_column_nobody_is_left_out_for_it(self, plain):
        audience = build_audience(plain, plain.segments[0].name)

        assert (audience.has_consent, audience.no_consent) == (False, 0)
        assert audience.written == audience.members == plain.segments[0].profile.customers

    @pytest.mark.parametrize("tool", ["klaviyo", "mailchimp", "meta", "google"])
    def test_without_addresses_the_error_says_how_to_get_them(self, plain, tool):
        with pytest.raises(OptionError, match=r"needs e-mail addresses.*the run has none.* --map email=COLUMN"):
            build_audience(plain, plain.segments[0].name, tool=tool)

    def test_an_unknown_name_lists_those_that_there_are(self, result):
        with pytest.raises(OptionError, match=r"no segment or group 'Best'") as error:
            build_audience(result, "Best")
        assert all(segment.name in error.value.hint for segment in result.segments)
        assert all(name in error.value.hint for name, *_ in result.groups)
        assert "at-risk" in error.value.hint

    def test_an_unknown_tool_and_share_are_refused(self, result):
        with pytest.raises(OptionError, match=r"no list for 'tiktok'.*klaviyo, mailchimp"):
            build_audience(result, "at-risk", tool="tiktok")
        with pytest.raises(OptionError, match=r"The share to hold out is 1\.5"):
            build_audience(result, "at-risk", holdout=1.5)

    def test_nobody_left_is_an_error(self, result):
        refused = dataclasses.replace(result, customers=result.customers.mutate(consent=ibis.literal("no")))
        with pytest.raises(NotEnoughDataError, match=r"Nobody is left of the .* no consent"):
            build_audience(refused, refused.segments[0].name, tool="mailchimp")


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    """Rows of the list of each tool, for the same segment."""
    folder = tmp_path_factory.mktemp("lists")
    name = result.segments[0].name
    return {
        tool: rows_of(write_audience(build_audience(result, name, tool=tool), folder / f"{tool}.csv", day=DAY)[0])
        for tool in TOOLS
    }


@pytest.fixture(scope="module")
def best(result, people):
    """The customer of that segment who spent most of those with an e-mail address, a phone number and a consent."""
    own = people[people["segment"] == result.segments[0].name].sort_values("monetary", ascending=False)
    return next(row for row in own.itertuples() if (n := int(row.customer_id)) % 10 > 1 and n % 3 == 0 and n % 2 == 0)


class TestColumns:
    def row(self, rows, column, value):
        return next(row for row in rows if row[column] == value)

    def test_klaviyo(self, written, best, result):
        row = self.row(written["klaviyo"], "Email", f"c{best.customer_id}@example.org")

        assert list(row)[:3] == ["Email", "Phone Number", "Audience"]
        assert row["Phone Number"] == f"+491510000{best.customer_id}"
        assert row["Segment"] == row["Audience"] == result.segments[0].name
        assert (row["Total Spent"], row["Last Order"]) == (f"{best.monetary:.2f}", f"{best.last_order:%Y-%m-%d}")

    def test_mailchimp(self, written, best, result):
        row = self.row(written["mailchimp"], "Email Address", f"c{best.customer_id}@example.org")

        assert row == {"Email Address": f"c{best.customer_id}@example.org", "Tags": result.segments[0].name}

    def test_shopify_tags(self, written, best, result):
        row = self.row(written["shopify-tags"], "Email", f"c{best.customer_id}@example.org")

        assert row["Tags"] == result.segments[0].name
        assert row["Customer ID"] == ""  # a number of five digits is none of Shopify's

    def test_meta(self, written, best):
        row = self.row(written["meta"], "email", sha(f"c{best.customer_id}@example.org"))

        assert list(row) == ["email", "phone", "country", "value"]
        assert row["phone"] == sha(f"491510000{best.customer_id}")
        assert row["country"] == sha(iso_alpha2(best.country))
        assert float(row["value"]) == pytest.approx(best.expected_value, abs=0.005)

    def test_google(self, written, best):
        row = self.row(written["google"], "Email", sha(f"c{best.customer_id}@example.org"))

        assert row == {"Email": row["Email"], "Phone": sha(f"+491510000{best.customer_id}")}

    def test_csv_has_everything(self, written, best, result):
        row = self.row(written["csv"], "customer_id", best.customer_id)

        assert set(row) == set(result.customers.columns)
        assert list(row)[:4] == ["customer_id", "recency_days", "frequency", "monetary"]
        assert row["email"] == f"C{best.customer_id}@Example.org"

    def test_a_missing_address_is_empty_not_hashed(self, written):
        assert sha("") not in {cell for row in written["meta"] + written["google"] for cell in row.values()}
        assert any(row["phone"] == "" for row in written["meta"])

    def test_a_tag_has_no_comma(self, result):
        from regulars.audiences.formats import _tag

        assert _tag("Big baskets,  cooling").to_pyarrow().as_py() == "Big baskets cooling"


FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|'!A0",
    "@SUM(1+1)*cmd",
    "\t=1+1",
    "\r=1+1",
    '=HYPERLINK("x")',
]


@pytest.fixture(scope="module")
def hostile(lines):
    frame = lines.copy()
    ids = sorted(frame["CustomerID"].dropna().unique())
    names = {one: f"{FORMULAS[i % len(FORMULAS)]}{i}" for i, one in enumerate(ids)}
    frame["Phone"] = frame["CustomerID"].map(lambda one: None if pd.isna(one) else f"+49 151 00{int(float(one))}")
    frame["CustomerID"] = frame["CustomerID"].map(names)
    frame["Country"] = [FORMULAS[i % len(FORMULAS)] for i in range(len(frame))]
    frame["Email"] = [f"{FORMULAS[i % len(FORMULAS)]}@example.org" for i in range(len(frame))]
    frame["Consent"] = "yes"
    return rg.segment(frame, columns=COLUMNS, backtest=False)


class TestFormulas:
    """Cells of the source that a spreadsheet would run, in every column that a list shows."""

    @pytest.mark.parametrize("tool", ["csv", "klaviyo", "meta", "google"])
    def test_no_cell_can_be_run(self, hostile, tool, tmp_path):
        audience = build_audience(hostile, hostile.segments[0].name, tool=tool, holdout=0.2)
        for file in write_audience(audience, tmp_path / "list.csv", day=DAY)[:2]:
            cells = [cell for row in rows_of(file) for cell in row.values()]
            assert cells
            for cell in cells:
                assert cell[:1] not in ("=", "@", "\t", "\r"), cell
                assert cell[:1] not in ("+", "-") or set(cell[1:]) <= set("0123456789 ."), cell

    def test_phone_numbers_survive(self, hostile, tmp_path):
        audience = build_audience(hostile, hostile.segments[0].name, tool="klaviyo")
        rows = rows_of(write_audience(audience, tmp_path / "list.csv", day=DAY)[0])

        assert len({row["Phone Number"] for row in rows}) == audience.members
        assert all(re.fullmatch(r"\+4915100[0-9]{5}", row["Phone Number"]) for row in rows)
        assert {row["Email"] for row in rows} == {""}  # none of these is an address
        assert audience.bad_emails == audience.members


class TestControlGroup:
    def groups(self, run, **options) -> dict[str, str]:
        table = build_audience(run, "at-risk", holdout=0.25, **options).groups.to_pyarrow()
        return dict(zip(table["customer_id"].to_pylist(), table["group"].to_pylist(), strict=True))

    def test_the_order_of_rows_and_the_number_of_threads_change_nothing(self, lines, quick):
        shuffled = rg.segment(lines.sample(frac=1, random_state=1), columns=COLUMNS, threads=1, backtest=False)

        assert self.groups(shuffled) == self.groups(quick)

    def test_another_seed_draws_others(self, result):
        assert self.groups(result, seed=1) != self.groups(result, seed=2)
        assert Counter(self.groups(result, seed=1).values()) != {}

    def test_each_quarter_of_spend_gives_its_share(self, plain):
        largest = max(plain.segments, key=lambda segment: segment.profile.customers)
        audience = build_audience(plain, largest.name, holdout=0.3)
        table = audience.groups.to_pandas()

        sizes = table.groupby("stratum")["group"].agg(["size", lambda groups: (groups == "control").sum()])
        assert len(sizes) == 4
        assert max(abs(sizes.iloc[:, 1] - 0.3 * sizes["size"])) <= 1
        money = plain.customers.select("customer_id", "monetary").to_pandas().merge(table, on="customer_id")
        ends = money.groupby("stratum")["monetary"].agg(["min", "max"]).sort_index()
        assert (ends["max"].iloc[:-1].to_numpy() <= ends["min"].iloc[1:].to_numpy()).all()

    def test_everybody_has_the_same_chance(self, plain):
        name = plain.segments[1].name
        held = Counter()
        for seed in range(16):
            table = build_audience(plain, name, holdout=0.5, seed=seed).groups
            held.update(table.filter(table["group"] == "control").to_pyarrow()["customer_id"].to_pylist())

        counts = np.array([held[one] for one in table.to_pyarrow()["customer_id"].to_pylist()])
        assert counts.mean() == pytest.approx(8, abs=0.5)
        assert counts.min() > 0
        assert counts.max() < 16

    def test_customers_with_one_address_are_held_out_together(self, result):
        people = result.customers
        home = people["customer_id"].right(2)
        shared = people.mutate(email=home.concat("@example.org"), consent=ibis.literal("yes"))
        audience = build_audience(
            dataclasses.replace(result, customers=shared), result.segments[-1].name, tool="mailchimp", holdout=0.3
        )

        table = audience.groups.to_pandas()
        homes = table.groupby(table["customer_id"].str[-2:])["group"]
        assert homes.size().max() > 1
        assert (homes.nunique() == 1).all()
        assert set(table["group"]) == {"treated", "control"}

    def test_a_share_of_nobody_is_refused(self, result):
        with pytest.raises(NotEnoughDataError, match="is none to hold out"):
            build_audience(result, "at-risk", holdout=1e-6)

    def test_the_note_says_what_can_be_seen(self, result):
        audience = build_audience(result, result.segments[-1].name, holdout=0.3)
        note = audience.size_note()

        assert audience.chance == pytest.approx(
            np.mean(
                [
                    row["p_active"]
                    for row in result.customers.to_pyarrow().to_pylist()
                    if row["segment"] == audience.name and row["consent"] in ("yes", "Ja")
                ]
            ),
            abs=1e-6,
        )
        assert f"within {result.outlook.horizon_days} days" in note
        assert f"{audience.held_out} customers held out" in note
        assert "Half of this audience held out, the most that helps, shows a rise of" in note
        assert "power 80%" in note


class TestFiles:
    def test_everybody_of_the_audience_is_in_the_file_beside_it(self, result, tmp_path):
        audience = build_audience(result, result.segments[0].name, tool="mailchimp", holdout=0.2)
        files = write_audience(audience, tmp_path / "new" / "loyal.csv", day=DAY)

        assert [file.name for file in files] == ["loyal.csv", "loyal.control.csv", "loyal.record.json"]
        groups = Counter(row["group"] for row in rows_of(files[1]))
        assert groups == {
            "treated": audience.written,
            "control": audience.held_out,
            "no address": audience.no_address,
            "no consent": audience.no_consent,
        }
        emails = {row["Email Address"] for row in rows_of(files[0])}
        held = {f"c{row['customer_id']}@example.org" for row in rows_of(files[1]) if row["group"] == "control"}
        assert len(emails) == audience.written
        assert not emails & held

    def test_the_record_comes_back(self, result, tmp_path):
        audience = build_audience(result, "at-risk", holdout=0.2, seed=4)
        files = write_audience(audience, tmp_path / "risk.csv", day=DAY)

        record = load_record(files[0])
        assert record == load_record(files[2])
        assert (record.audience, record.kind, record.tool) == ("at-risk", "list", "csv")
        assert (record.exported_on, record.as_of, record.seed, record.holdout) == (DAY, result.as_of, 4, 0.2)
        assert (record.source, record.fingerprint) == (result.source, result.fingerprint)
        assert record.counts["members"] == audience.members
        control = {one for ids in record.control.values() for one in ids}
        assert control == {row["customer_id"] for row in rows_of(files[1]) if row["group"] == "control"}

    def test_equal_audiences_give_equal_bytes(self, result, tmp_path):
        for name in ("a", "b"):
            write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / name / "x.csv", day=DAY)
        for file in (tmp_path / "a").iterdir():
            assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()

    def test_without_a_control_group_there_is_only_the_list(self, result, tmp_path):
        write_audience(build_audience(result, "at-risk"), tmp_path / "risk.csv", day=DAY)

        assert [file.name for file in tmp_path.iterdir()] == ["risk.csv"]

    def test_all_files_or_none(self, result, tmp_path):
        files = write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / "risk.csv", day=DAY)
        before = files[2].read_bytes()
        files[0].unlink()
        files[0].mkdir()
        (files[0] / "in the way").write_text("")
        audience = build_audience(result, "at-risk", holdout=0.3)

        with pytest.raises(OutputError, match="is a folder"):
            write_audience(audience, files[0], day=DAY, replace=True)
        files[0].rename(tmp_path / "away")
        files[1].unlink()
        (tmp_path / "away").rename(files[1])
        with pytest.raises(OutputError, match="Cannot write"):
            write_audience(audience, files[0], day=DAY, replace=True)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["risk.control.csv", "risk.record.json"]
        assert files[2].read_bytes() == before

    @pytest.mark.parametrize("name", ["list.csv", "list.control.csv", "list.record.json"])
    @pytest.mark.parametrize("replace", [False, True])
    def test_a_file_that_is_no_list_is_never_replaced(self, result, tmp_path, name, replace):
        (tmp_path / name).write_text("mine")

        with pytest.raises(OutputError, match=rf"{name} is there already, and no record .* Choose another name"):
            write_audience(build_audience(result, "at-risk"), tmp_path / "list.csv", day=DAY, replace=replace)
        assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "mine")]

    def test_a_list_with_a_control_group_is_replaced_only_if_asked_for(self, result, tmp_path):
        files = write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / "list.csv", day=DAY)
        before = [file.read_bytes() for file in files]
        with pytest.raises(OutputError, match=r"a campaign that may be going on: at-risk.* held out.*--replace"):
            write_audience(build_audience(result, "at-risk"), files[0], day=DAY)
        assert [file.read_bytes() for file in files] == before

        write_audience(build_audience(result, "at-risk", holdout=0.3), files[0], day=DAY, replace=True)
        assert load_record(files[0]).holdout == 0.3
        write_audience(build_audience(result, "at-risk"), files[0], day=DAY, replace=True)
        assert [file.name for file in tmp_path.iterdir()] == ["list.csv"]

    def test_files_of_two_exports_do_not_belong_together(self, result, tmp_path):
        files, other = (
            write_audience(build_audience(result, "at-risk", holdout=0.2, seed=seed), tmp_path / name, day=DAY)
            for seed, name in enumerate(("a.csv", "b.csv"))
        )
        control = files[1].read_bytes()
        files[1].write_bytes(other[1].read_bytes())
        with pytest.raises(SourceError, match=r"a.control.csv and a.record.json do not belong together"):
            load_record(files[0])
        files[1].write_bytes(control)
        with files[0].open("a") as file:
            file.write("me@example.org\n")
        with pytest.raises(SourceError, match=r"a.csv and a.record.json do not belong together.*changed by hand"):
            load_record(files[0])
        assert load_record(files[2]).seed == 0

    def test_a_record_that_does_not_count_right_is_told(self, result, tmp_path):
        files = write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / "x.csv", day=DAY)
        plain = json.loads(files[2].read_text("utf-8"))
        files[2].write_text(json.dumps(plain | {"control": {}}), "utf-8")
        with pytest.raises(SourceError, match="is not a record of an export, or is damaged"):
            load_record(files[2])

    def test_wrong_places_are_refused(self, result, tmp_path):
        audience = build_audience(result, "at-risk")
        with pytest.raises(OutputError, match=r"another ending.*\.csv"):
            write_audience(audience, tmp_path / "risk.xlsx", day=DAY)
        (tmp_path / "risk.csv").mkdir()
        with pytest.raises(OutputError, match="is a folder"):
            write_audience(audience, tmp_path / "risk.csv", day=DAY)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "There is no record"),
            ("{", "is not a record of an export"),
            ("[]", "is not a record of an export"),
            ('{"version": 1}', "is not a record of an export"),
        ],
    )
    def test_a_record_that_is_none_is_told(self, tmp_path, text, words):
        if text is not None:
            (tmp_path / "x.record.json").write_text(text)
        with pytest.raises(SourceError, match=words):
            load_record(tmp_path / "x.csv")

    def test_another_version_is_told(self, result, tmp_path):
        files = write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / "x.csv", day=DAY)
        plain = json.loads(files[2].read_text("utf-8"))
        files[2].write_text(json.dumps(plain | {"version": 99}), "utf-8")

        with pytest.raises(SourceError, match="another version"):
            load_record(files[0])


@pytest.fixture(scope="module")
def record(plain, tmp_path_factory):
    largest = max(plain.segments, key=lambda segment: segment.profile.customers)
    audience = build_audience(plain, largest.name, holdout=0.4)
    return load_record(write_audience(audience, tmp_path_factory.mktemp("x") / "list.csv", day=DAY)[0])


class TestMeasuring:
    def ids(self, groups):
        return sorted(one for ids in groups.values() for one in ids)

    def orders(self, record) -> pd.DataFrame:
        """All but four of the treated bought for 10, twice; two of the control group for 30; others at other times."""
        treated, control = self.ids(record.treated), self.ids(record.control)
        rows = [(one, f"t{one}{i}", DAY + timedelta(days=5 + i), 10) for one in treated[:-4] for i in (0, 1)]
        rows += [(one, f"c{one}", DAY, 30) for one in control[:2]]
        rows += [
            (control[2], "before", DAY - timedelta(days=1), 99),
            (control[3], "late", DAY + timedelta(days=40), 50),
        ]
        rows += [("stranger", "s", DAY + timedelta(days=1), 1000)]
        frame = pd.DataFrame(rows, columns=["customer", "order", "date", "amount"])
        return frame.assign(date=frame["date"].map(lambda day: day.isoformat()))

    def test_orders_of_the_days_count_by_hand(self, record):
        found = measure_campaign(record, self.orders(record), days=30)

        n, m = len(self.ids(record.treated)), len(self.ids(record.control))
        assert (found.uplift.treated.customers, found.uplift.treated.buyers) == (n, n - 4)
        assert (found.uplift.control.customers, found.uplift.control.buyers) == (m, 2)
        assert (found.treated_revenue, found.control_revenue) == ((n - 4) * 20, 60)
        assert found.uplift.difference == pytest.approx((n - 4) / n - 2 / m)
        assert (found.start, found.last_day) == (DAY, DAY + timedelta(days=29))
        assert found.words[0].startswith("The campaign made customers buy")
        assert "too few customers bought" in found.words[1]

    def test_without_days_all_later_orders_count(self, record):
        found = measure_campaign(record, self.orders(record))

        assert (found.uplift.control.buyers, found.control_revenue) == (3, 110)

    def test_another_first_day_counts_from_there_and_is_noted(self, record):
        found = measure_campaign(record, self.orders(record), start=DAY - timedelta(days=1), days=90)

        assert found.uplift.control.buyers == 4
        assert len(found.notes) == 2  # before the export, and the days are not over

    def test_what_came_back_is_no_purchase(self, record):
        control = self.ids(record.control)[0]
        orders = self.orders(record)
        back = {"customer": control, "order": "back", "date": (DAY + timedelta(days=2)).isoformat(), "amount": -30}
        found = measure_campaign(record, pd.concat([orders, pd.DataFrame([back])]), days=30)

        assert (found.uplift.control.buyers, found.control_revenue) == (1, 30)

    def test_no_effect_is_said_so(self, record):
        ids = self.ids(record.treated)[::2] + self.ids(record.control)[::2]
        orders = pd.DataFrame({"customer": ids, "order": ids, "date": DAY.isoformat(), "amount": 10})
        found = measure_campaign(record, orders)

        assert found.words[0].startswith("No effect can be told")
        assert "Groups of this size show a rise of" in found.words[0]

    def test_earlier_orders_only_are_refused(self, record):
        with pytest.raises(NotEnoughDataError, match=r"no order on or after 2026-01-01.*--from"):
            measure_campaign(record, self.orders(record), start=date(2026, 1, 1))

    def test_other_customers_are_refused(self, record):
        orders = self.orders(record)
        with pytest.raises(NotEnoughDataError, match=r"Nobody of the .* is among the customers"):
            measure_campaign(record, orders[orders["customer"] == "stranger"])

    def test_days_that_the_run_knows_are_refused(self, record):
        with pytest.raises(OptionError, match=rf"the run knows all orders before {record.as_of}.*--from"):
            measure_campaign(record, self.orders(record), start=record.as_of - timedelta(days=1))

    def test_no_days_are_refused(self, record):
        with pytest.raises(OptionError, match="The number of days is 0"):
            measure_campaign(record, self.orders(record), days=0)


def regulars(*arguments: object) -> int:
    """Run the command line in this process; the exit code."""
    before = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["regulars", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before[0]
        signal.signal(signal.SIGTERM, before[1])
    return 0


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    return write_run(result, tmp_path_factory.mktemp("runs") / "run", figures=False, report=False)


class TestCommands:
    def test_export_says_who_is_on_the_list_and_who_is_not(self, folder, result, tmp_path, capsys):
        name = result.segments[0].name
        path = tmp_path / "list.csv"
        assert regulars("export", folder, "--segment", name, "--for", "klaviyo", "-o", path, "--holdout", "10%") == 0

        shown = capsys.readouterr().out
        audience = build_audience(result, name, tool="klaviyo", holdout=0.1)
        assert f"{audience.members} customers in the run" in shown
        for words in (
            f"{audience.no_address} without a usable address",
            f"{audience.no_consent} without consent",
            f"{audience.held_out} held out",
            f"{audience.written} written",
        ):
            assert words in shown
        assert len(rows_of(path)) == audience.written

    def test_a_list_of_a_run_that_was_read_again_is_the_same(self, folder, result, tmp_path):
        one = write_audience(build_audience(result, "at-risk", holdout=0.2), tmp_path / "a.csv", day=DAY)
        other = write_audience(build_audience(rg.open_run(folder), "at-risk", holdout=0.2), tmp_path / "b.csv", day=DAY)

        for first, second in zip(one, other, strict=True):
            assert first.read_text("utf-8") == second.read_text("utf-8")

    def test_measure_shows_both_groups(self, lines, tmp_path, capsys):
        path, orders = tmp_path / "list.csv", tmp_path / "orders.csv"
        lines.to_csv(orders, index=False)
        last = pd.to_datetime(lines["InvoiceDate"]).max().date()
        run = rg.segment(lines, columns=COLUMNS, k=3, backtest=False, as_of=last - timedelta(days=30))
        folder = write_run(run, tmp_path / "run", figures=False, report=False)
        export = ("export", folder, "--segment", "at-risk", "-o", path, "--holdout", "0.3")
        assert [regulars(*export), regulars(*export), regulars(*export, "--replace")] == [0, 2, 0]
        capsys.readouterr()

        assert regulars("measure", "--export", path, orders, "--from", last - timedelta(days=30)) == 0
        shown = capsys.readouterr().out
        assert "got it" in shown
        assert "control" in shown

        assert regulars("measure", "--export", path, orders, "--from", last - timedelta(days=30), "--json") == 0
        facts = json.loads(capsys.readouterr().out)
        assert set(facts["uplift"]) >= {"difference", "low", "high", "extra_revenue"}

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "Nothing was asked for"),
            (["--segment", "at-risk"], "needs both --segment and -o"),
            (["-o", "x.csv"], "Nothing was asked for"),
            (["--segment", "at-risk", "-o", "x.csv", "--holdout", "lots"], "Cannot hold out 'lots'"),
            (["--segment", "at-risk", "-o", "x.csv", "--holdout", "100%"], "Cannot hold out '100%'"),
            (["--segment", "at-risk", "-o", "x.csv", "--holdout", "40"], "Give 1% to 99%, such as 40% (not 40)"),
            (["--segment", "nobody", "-o", "x.csv"], "no segment or group 'nobody'"),
        ],
    )
    def test_what_does_not_fit_is_told(self, folder, arguments, words, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert regulars("export", folder, *arguments) == 2
        assert words in capsys.readouterr().err.replace("\n", " ")
        assert list(tmp_path.iterdir()) == []

    def test_the_tools_are_those_of_the_lists(self):
        from regulars.cli.inspecting import ToolName

        assert [tool.value for tool in ToolName] == list(TOOLS)


def test_a_list_can_be_read_by_other_programs(result, tmp_path):
    """Cells with commas and quotation marks stay one cell."""
    path = write_audience(build_audience(result, "at-risk"), tmp_path / "list.csv", day=DAY)[0]

    assert (
        duckdb.read_csv(str(path)).shape[0] == result.at_risk.customers - build_audience(result, "at-risk").no_consent
    )
