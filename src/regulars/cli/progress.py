"""Progress of a run: the stage, the share that is done, the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from regulars.cli.tables import new_console
from regulars.planning import LARGE, Forecast, spoken

if TYPE_CHECKING:
    from regulars.planning import Plan

__all__ = ["Stages", "stages"]


class Stages:
    """Shows the stage that is running and how far the run is, and remembers how many seconds each stage took."""

    def __init__(self, bar: Progress, *, lines: Console | None) -> None:
        self.seconds: dict[str, float] = {}
        self._bar, self._lines = bar, lines
        self._task: TaskID | None = None
        self._stage, self._since = "", time.perf_counter()
        self._forecast: Forecast | None = None
        self._lock = Lock()  # the bar looks from a thread of its own

    def follow(self, plan: Plan | None) -> None:
        """Take the share that is done and the time that is left from a plan that begins now."""
        if plan is not None:
            self._forecast = Forecast(plan.seconds, now=time.perf_counter())

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are done; a total of 0 is not known."""
        if stage != self._stage:
            self._finish()
            self._stage, self._since = stage, time.perf_counter()
            if self._task is None:
                self._task = self._bar.add_task(stage, total=None)
            self._bar.update(self._task, description=stage)
        if self._forecast is not None:
            with self._lock:
                self._forecast.tell(stage, done, total, now=time.perf_counter())

    def look(self) -> tuple[float, float] | None:
        """Return the share that is done and the seconds that are left; `None` without a plan."""
        if self._forecast is None:
            return None
        now = time.perf_counter()
        with self._lock:
            return self._forecast.share(now), self._forecast.left(now)

    def close(self) -> None:
        """End the stage that is running."""
        self._finish()
        self._stage = ""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def _finish(self) -> None:
        if not self._stage:
            return
        took = time.perf_counter() - self._since
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + took
        if self._lines is not None:
            self._lines.print(Text(f"{self._stage}: {took:,.1f} s"))


class _ShareColumn(ProgressColumn):
    """The bar: the share that is done, or that something is going on where nobody knows."""

    def __init__(self, stages: Callable[[], Stages]) -> None:
        super().__init__()
        self._stages = stages

    def render(self, task: Task) -> ProgressBar:
        seen = self._stages().look()
        if seen is None:
            return ProgressBar(total=None, width=24, pulse=True, animation_time=task.get_time())
        return ProgressBar(total=1.0, completed=seen[0], width=24)


class _LeftColumn(ProgressColumn):
    """The share in figures and the time that is left, in words."""

    def __init__(self, stages: Callable[[], Stages]) -> None:
        super().__init__()
        self._stages = stages

    def render(self, task: Task) -> Text:
        seen = self._stages().look()
        return Text("" if seen is None else f"{min(seen[0], 0.99):4.0%}, {spoken(seen[1])} left")


@contextmanager
def stages(plan: Plan | None = None, *, quiet: bool = False) -> Iterator[Stages]:
    """Progress on stderr: a live line in a terminal; in a pipe a line per stage, if the run is a large one."""
    console = Console(stderr=True)
    live, large = console.is_terminal, plan is not None and plan.size.lines >= LARGE
    shown: Stages
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<26}"),
        _ShareColumn(lambda: shown),
        TimeElapsedColumn(),
        _LeftColumn(lambda: shown),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not live) as bar:
        shown = Stages(bar, lines=new_console(stderr=True) if large and not live and not quiet else None)
        shown.follow(plan)
        yield shown
        shown.close()
