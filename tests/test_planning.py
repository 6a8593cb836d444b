"""What a run asks of the machine, refused runs, and the share that is done: no clock, no large file."""

import json
from collections import namedtuple
from itertools import pairwise

import pytest

from regulars import planning
from regulars.errors import MachineError, OptionError
from regulars.planning import Forecast, amount, plan, spoken
from regulars.reading import Size, connecting, estimate_size

GB = 10**9
Usage = namedtuple("Usage", "total used free")


def size(lines: int, *, exact: bool = True) -> Size:
    return Size(files=1, bytes=16 * lines, lines=lines, exact=exact)


@pytest.fixture
def machine(monkeypatch):
    """A machine with so much memory and free disk."""

    def has(*, memory: int | None = 16 * GB, disk: int = 100 * GB) -> None:
        for module in (planning, connecting):
            monkeypatch.setattr(module, "machine_memory", lambda: memory)
        monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: Usage(disk, 0, disk))

    has()
    return has


class TestPlan:
    def test_a_hundred_million_lines_of_parquet_spill_a_little(self, machine, tmp_path):
        made = plan(size(100_000_000), memory_limit="2500MB", temp_dir=tmp_path, output=tmp_path / "run")
        assert 4 * GB < made.spill < 6 * GB  # 5.3 GB were seen
        assert made.memory == 3 * GB
        seconds = sum(seconds for stage, seconds in made.seconds if stage not in ("Back-testing", "Forecasting"))
        assert 200 < seconds < 400  # 260 to 300 were seen

    def test_what_exceeds_the_memory_limit_goes_to_disk(self, machine, tmp_path):
        made = plan(size(100_000_000), memory_limit="1GB", temp_dir=tmp_path)
        assert made.spill == 10_400_000_000  # 36 bytes a line, less 1 GB, four times
        assert made.memory == 1_500_000_000

    def test_text_files_are_copied_and_need_more_of_everything(self, machine):
        typed, text = plan(size(50_000_000)), plan(size(50_000_000, exact=False))
        assert text.spill - typed.spill > 2 * GB
        assert text.memory > typed.memory
        assert text.total_seconds > typed.total_seconds

    def test_the_results_take_about_what_they_take_on_a_million_lines(self, machine, tmp_path):
        # run folder of benchmarks/make_lines.py 1_000_000, without customers.csv: 10.9 MB
        assert plan(size(1_000_000), output=tmp_path / "run").results == pytest.approx(10_900_000, rel=0.2)
        assert plan(size(1_000_000)).results == 0

    def test_only_the_stages_that_run_have_seconds(self, machine):
        made = plan(size(1_000), stages=("Reading", "Cleaning"))
        assert [stage for stage, _ in made.seconds] == ["Reading", "Cleaning"]

    def test_the_memory_limit_is_smaller_on_a_small_machine(self, machine):
        assert plan(size(10)).memory_limit == 2_500_000_000
        machine(memory=2 * GB)
        assert plan(size(10)).memory_limit == 1_200_000_000

    def test_a_machine_that_does_not_say_what_it_has_is_trusted(self, machine):
        machine(memory=None)
        assert plan(size(10), memory_limit="900GB").memory_limit == 900 * GB

    def test_units_of_the_memory_limit(self, machine):
        limits = {"2GB": 2 * GB, "1.5 gb": 1_500_000_000, "500MB": 500_000_000, "2GiB": 2 * 2**30}
        assert {text: plan(size(10), memory_limit=text).memory_limit for text in limits} == limits

    def test_a_memory_limit_that_is_none(self, machine):
        with pytest.raises(OptionError, match="'much'"):
            plan(size(10), memory_limit="much")

    def test_it_is_plain_data(self, machine, tmp_path):
        made = plan(size(1_000_000), memory_limit="2GB", temp_dir=tmp_path, output=tmp_path / "run")
        facts = json.loads(json.dumps(made.to_dict()))
        assert facts["lines"] == 1_000_000
        assert facts["memory_limit"] == 2 * GB
        assert facts["temp_dir"] == str(tmp_path)
        assert facts["output"] == str(tmp_path / "run")
        assert sum(facts["seconds"].values()) == pytest.approx(made.total_seconds, abs=1)

    def test_the_size_of_a_real_file(self, machine, tmp_path):
        (tmp_path / "o.csv").write_text("a,b\n" + "1,2\n" * 1_000)
        found = estimate_size(tmp_path / "o.csv")
        assert found is not None
        assert 0 < plan(found).memory < GB


class TestRefused:
    def test_more_memory_than_the_machine_has(self, machine):
        with pytest.raises(MachineError, match=r"limit of 64 GB is more than the 16 GB .* --memory-limit 10GB"):
            plan(size(10), memory_limit="64GB")

    def test_no_disk_to_spill(self, machine, tmp_path):
        machine(memory=64 * GB, disk=GB)
        with pytest.raises(MachineError) as refused:
            plan(size(500_000_000), memory_limit="2GB", temp_dir=tmp_path)
        assert refused.value.message == (
            f"Beyond its 2 GB of memory the run needs about 64 GB of disk in {tmp_path}; 1 GB is free there."
        )
        assert "--temp-dir" in refused.value.hint
        assert "--memory-limit 18GB" in refused.value.hint

    def test_more_memory_is_not_proposed_to_a_machine_without_it(self, machine):
        machine(memory=8 * GB, disk=GB)
        with pytest.raises(MachineError) as refused:
            plan(size(500_000_000), memory_limit="2GB")
        assert "--memory-limit" not in refused.value.hint

    def test_no_disk_for_the_results(self, machine, tmp_path):
        machine(disk=200_000_000)
        with pytest.raises(MachineError, match=r"results need about 903 MB in .*; 200 MB are free .* -o"):
            plan(size(100_000_000), memory_limit="8GB", output=tmp_path / "run")

    def test_estimates_are_rough_so_half_of_the_disk_will_do(self, machine, tmp_path):
        machine(disk=460_000_000)
        plan(size(100_000_000), memory_limit="8GB", output=tmp_path / "run")

    def test_a_small_run_is_not_asked_for_disk(self, machine, tmp_path):
        machine(disk=1)
        plan(size(100_000), output=tmp_path / "run")

    def test_a_folder_that_is_not_there_yet_is_measured_by_its_parents(self, machine, tmp_path, monkeypatch):
        asked = []
        monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: asked.append(folder) or Usage(GB, 0, GB))
        plan(size(1_000), output=tmp_path / "new" / "deep" / "run", temp_dir=tmp_path)
        assert set(asked) == {tmp_path}


#: Ten seconds, a minute, half a minute.
STAGES = (("Reading", 10.0), ("Cleaning", 60.0), ("Drawing", 30.0))


def played(events, *, until, step=1.0):
    """Shares and seconds left, looked at every `step`, of a run in which a stage begins at each of the times."""
    forecast, seen, events = Forecast(STAGES, now=0.0), [], list(events)
    for tick in range(int(until / step) + 1):
        now = tick * step
        while events and events[0][0] <= now:
            forecast.tell(*events.pop(0)[1:], now=now)
        seen.append((forecast.share(now), forecast.left(now)))
    return seen


class TestForecast:
    def test_a_run_that_goes_as_planned_is_a_straight_line(self):
        seen = played([(0, "Reading", 0, 0), (10, "Cleaning", 0, 0), (70, "Drawing a", 0, 0)], until=97)
        # towards the end of a stage at least a tenth of it is thought to be left
        assert [share for share, _ in seen[:11]] == pytest.approx([now / 100 for now in range(11)], abs=0.002)
        assert seen[50] == pytest.approx((0.5, 50), abs=0.05)
        assert seen[90] == pytest.approx((0.9, 10), abs=0.05)

    def test_a_slow_machine_is_told_to_be_slow(self):
        as_planned = played([(0, "Reading", 0, 0), (10, "Cleaning", 0, 0)], until=10)[-1][1]
        slow = played([(0, "Reading", 0, 0), (40, "Cleaning", 0, 0)], until=40)[-1][1]
        assert as_planned == pytest.approx(90)
        assert slow == pytest.approx(90 * 90 / 60)  # 40 s for 10 s, and half the plan (50 s) as planned

    def test_the_share_never_goes_back_and_never_ends_early(self):
        events = [(0, "Reading", 0, 0), (3, "Cleaning", 0, 0), (500, "Drawing a", 0, 5), (510, "Drawing b", 1, 5)]
        seen = played(events, until=1_000)
        assert all(before <= after < 1 for (before, _), (after, _) in pairwise(seen))
        assert all(left >= 1 for _, left in seen)

    def test_smooth_without_a_word_from_the_stage(self):
        steps = [after - before for (before, _), (after, _) in pairwise(played([(0, "Reading", 0, 0)], until=60))]
        assert min(steps) > 0
        assert max(steps) < 0.02

    def test_steps_that_are_done_count_more_than_the_plan(self):
        # a fifth of the pictures took 20 s, so 80 s are left where the plan says 10
        seen = played([(0, "Reading", 0, 0), (0, "Drawing a", 0, 5), (20, "Drawing b", 1, 5)], until=20)
        assert seen[-1][1] == pytest.approx(80)

    def test_a_stage_that_nobody_planned_is_part_of_the_one_before(self):
        planned = [(0, "Reading", 0, 0), (10, "Cleaning", 0, 0)]
        strange = [*planned, (30, "Netting returns", 1, 2), (40, "Reading", 0, 0)]
        assert played(strange, until=60) == played(planned, until=60)

    def test_a_first_stage_that_nobody_planned(self):
        assert played([(0, "Greeting", 0, 0)], until=5) == played([(0, "Reading", 0, 0)], until=5)

    def test_how_often_one_looks_does_not_matter(self):
        events = [(0, "Reading", 0, 0), (10, "Cleaning", 0, 0)]
        assert played(events, until=40, step=0.25)[-1][0] == pytest.approx(played(events, until=40)[-1][0], abs=0.01)


def test_words_for_bytes():
    assert [amount(each) for each in (1, 999_000_000, 1_000_000_000, 1_240_000_000, 9_960_000_000)] == [
        "1 MB", "999 MB", "1 GB", "1.2 GB", "10 GB",
    ]  # fmt: skip


def test_words_for_seconds_are_never_zero():
    assert [each for each in range(20_000) if " 0 " in spoken(each)] == []
