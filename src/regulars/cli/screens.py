"""What the command line shows. Everything comes from results; nothing is computed here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
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
from rich.table import Table
from rich.text import Text

from regulars.planning import LARGE, Forecast, amount, spoken
from regulars.wording import SYMBOLS

if TYPE_CHECKING:
    from regulars.cards import Card
    from regulars.cleaning import Audit
    from regulars.errors import RegularsError
    from regulars.pipeline import Assignment, Segmentation
    from regulars.planning import Plan
    from regulars.profiling import Notable
    from regulars.reading import Orders

__all__ = [
    "Stages",
    "show_assignment",
    "show_audit",
    "show_card",
    "show_columns",
    "show_error",
    "show_plan",
    "show_result",
    "stages",
]

_CARD_ORDERS = 15  # the last ones, on a customer's card
_PIPE_WIDTH = 120  # columns where the output is not a terminal


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
        shown = Stages(bar, lines=_console(stderr=True) if large and not live and not quiet else None)
        shown.follow(plan)
        yield shown
        shown.close()


def show_plan(source: str, plan: Plan) -> None:
    """Say on stderr what a large run will need; nothing about a small one."""
    if plan.size.lines < LARGE:
        return
    needs = [f"up to {amount(plan.memory)} of memory"]
    if plan.spill:
        needs.append(f"{amount(plan.spill)} of disk in {plan.temp_dir}")
    needs.append(f"{amount(plan.results)} for the results")
    about = "" if plan.size.exact else "about "
    _console(stderr=True).print(
        Text(
            f"{Path(source).name or source}: {about}{_lines(plan.size.lines)}, {amount(plan.size.bytes)}. "
            f"{spoken(plan.total_seconds).capitalize()}, {', '.join(needs)}."
        )
    )


def show_error(error: RegularsError) -> None:
    """Say what was found and what to do next, on stderr."""
    console = _console(stderr=True)
    console.print(Text.assemble(("Error: ", "bold red"), error.message))
    console.print(Text.assemble(("→ ", "bold"), error.hint))


def show_columns(orders: Orders, *, briefly: bool = False) -> None:
    """Show which column was taken for what and why."""
    console = _console()
    if briefly:
        pairs = ", ".join(f"{match.field} ← {match.column}" for match in orders.matches)
        console.print(Text.assemble(("Columns ", "bold"), f"({orders.layout.title}): {pairs}"))
        for note in orders.notes:
            console.print(Text(f"  · {note}", style="dim"))
        console.print()
        return
    console.print(Text.assemble((orders.source, "bold"), f" · read as {orders.layout.title}"))
    table = _table("Ours", "Your column", "Why")
    for match in orders.matches:
        table.add_row(match.field, escape(match.column), escape(match.why))
    console.print(table)
    if orders.unmatched:
        console.print(Text(f"Not used: {', '.join(orders.unmatched)}"))
    for note in orders.notes:
        console.print(Text(f"· {note}"))
    console.print()


def show_audit(audit: Audit, *, currency: str | None) -> None:
    """Show what cleaning set aside, rule by rule, with rows, orders, customers and money."""
    console = _console()
    table = _table("Cleaning", ">Rows set aside", ">Money", ">Rows left", ">Orders", ">Customers")
    for line in audit.lines:
        if line.rule != "raw" and not line.rows and not line.amount:
            continue
        aside = ("", "") if line.rule == "raw" else (f"{line.rows:,}", _money(line.amount, currency, cents=True))
        table.add_row(
            escape(line.title),
            *aside,
            f"{line.rows_left:,}",
            f"{line.orders_left:,}",
            f"{line.customers_left:,}",
        )
    console.print(table)
    console.print(
        f"From {audit.first_day} to {audit.last_day}. Kept: {_money(audit.kept.amount_left, currency, cents=True)} of "
        f"{_money(audit.raw.amount_left, currency, cents=True)}; "
        + (
            "rows and money reconcile to the cent."
            if audit.reconciles
            else "[red]rows and money do NOT reconcile.[/red]"
        )
    )
    if audit.unmatched_returns:
        console.print(
            f"{audit.unmatched_returns:,} returns found no purchase, or not enough of it, to take back "
            f"({_money(audit.unmatched_amount, currency, cents=True)}); they are reported, not applied."
        )
    console.print()


def show_result(result: Segmentation, output: Path) -> None:
    """Show a result as a marketer wants it: who, how many, how much, what to do."""
    console = _console()
    show_audit(result.audit, currency=result.currency)
    console.print(Text.assemble((f"{len(result.segments)} segments. ", "bold"), result.choice.reason))
    if result.choice.warning:
        console.print(Text(result.choice.warning, style="yellow"))
    table = _table("Segment", ">Customers", ">Share", ">Revenue", "", ">Last order", ">Orders", ">Spend", "What to do")
    for each in result.segments:
        facts = each.profile
        bar = "█" * round(facts.revenue_share * 10) or "▏"
        table.add_row(
            escape(each.name),
            f"{facts.customers:,}",
            f"{facts.customer_share:.0%}",
            f"{facts.revenue_share:.0%}",
            Text(bar, style="blue"),
            f"{facts.median('recency_days'):.0f} days",
            f"{facts.median('frequency'):.0f}",
            _money(facts.median("monetary"), result.currency),
            escape(each.action.action),
        )
    console.print(table)
    console.print(
        Text(
            f"Last order, orders and spend are medians; last order is counted back from {result.as_of}.",
            style="dim",
        )
    )
    console.print()
    _show_notable(console, "High-value", result.high_value, result.currency, most=3)
    _show_notable(console, "At risk", result.at_risk, result.currency, most=5)
    _show_scores(console, result)
    _show_folder(console, output)


def show_card(card: Card) -> None:
    """Show one customer: numbers, why they are where they are, what would move them, and their last orders."""
    console, numbers = _console(), card.numbers
    orders = f"{numbers['frequency']:,} order{'s' if numbers['frequency'] != 1 else ''}"
    console.print(Text.assemble((f"Customer {card.customer_id}", "bold"), f", as of {card.as_of}"))
    console.print(Text(f"{card.segment or 'not assignable'} · group {card.group or 'none'}", style="bold blue"))
    console.print(
        Text(
            f"{orders} for {_money(numbers['monetary'], card.currency, cents=True)}; first {numbers['first_order']}, "
            f"last {numbers['last_order']} ({_days(numbers['recency_days'])} ago)"
        )
    )
    for title, sentences in (
        ("Why", card.why),
        ("What would move them", tuple(move.sentence for move in card.moves)),
        ("What to do", tuple(text for text in (card.action, card.offer, card.channel) if text)),
    ):
        console.print()
        console.print(Text(title, style="bold"))
        for sentence in sentences or ("nothing within a year and twelve orders",):
            console.print(Text(f"  {sentence}"))
    console.print()
    if card.orders is None:
        console.print(
            Text(
                "The run keeps no list of orders (it has more than a million customers, or orders.parquet is gone).",
                style="dim",
            )
        )
        return
    shown = card.orders[-_CARD_ORDERS:]
    console.print(
        Text(
            "Orders" if shown == card.orders else f"The last {len(shown)} of {len(card.orders):,} orders", style="bold"
        )
    )
    for when, number, amount_ in shown:
        console.print(Text(f"  {when:%Y-%m-%d}  {number or '':<12}  {_money(amount_, card.currency, cents=True):>14}"))


def show_assignment(result: Assignment, output: Path) -> None:
    """Show how many customers fell into each segment."""
    console = _console()
    table = _table("Segment", ">Customers", ">Revenue")
    for name, customers, revenue in result.segments:
        table.add_row(escape(name), f"{customers:,}", f"{revenue:,.2f}")
    console.print(table)
    if result.unassigned:
        console.print(f"{result.unassigned:,} customers could not be assigned.")
    _show_folder(console, output)


def _show_scores(console: Console, result: Segmentation) -> None:
    """Show the cut points of the scores in days, orders and money, and how many customers each group has."""
    cuts = result.cuts
    table = _table("Score", *(f">{number}" for number in range(cuts.levels, 0, -1)))
    for title, measure in {"Days since": "recency_days", "Orders": "frequency", "Spend": "monetary"}.items():
        shown = {number: _range(low, high, measure, result.currency) for number, low, high in cuts.ranges(measure)}
        table.add_row(title, *(shown.get(number, "nobody") for number in range(cuts.levels, 0, -1)))
    console.print()
    console.print(table)
    if any(cuts.empty(measure) for measure in ("recency_days", "frequency", "monetary")):
        console.print(Text("A score that nobody has: too many customers are equal there.", style="dim"))
    groups = ", ".join(f"{name} {customers:,}" for name, _, customers, _ in result.groups)
    console.print(Text.assemble(("Groups by score: ", "bold"), f"{groups}."))


def _range(low: int | Decimal | None, high: int | Decimal | None, measure: str, currency: str | None) -> str:
    """Words for a range of a score: money runs up to, not including, its end."""
    if measure == "monetary":
        if low is None:
            return "all" if high is None else f"< {_money(high, currency)}"
        return f"≥ {_money(low, currency)}"
    if low is None or high is None:
        return "all" if low == high else f"≤ {high}" if low is None else f"≥ {low}"
    return str(low) if low == high else f"{low}–{high}"


def _show_notable(console: Console, title: str, found: Notable, currency: str | None, *, most: int) -> None:
    console.print(
        Text.assemble(
            (f"{title}: ", "bold"),
            f"{found.customers:,} customers, {found.revenue_share:.0%} of the revenue "
            f"({_money(found.revenue, currency)}); {found.rule}.",
        )
    )
    for person in found.top[:most]:
        orders = f"{person.frequency:,} order{'s' if person.frequency != 1 else ''}"
        console.print(
            Text(
                f"  {person.customer_id}: {_money(person.monetary, currency)} in {orders}, "
                f"last {_days(person.recency_days)} ago ({person.segment})"
            )
        )


def _show_folder(console: Console, output: Path) -> None:
    console.print()
    console.print(Text.assemble(("Results in ", "bold"), f"{output}/"))
    for entry in sorted(output.iterdir()):
        inside = f"  {', '.join(sorted({file.stem for file in entry.iterdir()}))}" if entry.is_dir() else ""
        console.print(Text(f"  {entry.name}{'/' if entry.is_dir() else ''}{inside}"))
    if (output / "report.html").is_file():
        console.print(Text.assemble(("Open ", "bold"), f"{output / 'report.html'}", (" in a browser.", "bold")))


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=stderr)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, soft_wrap=stderr, width=_PIPE_WIDTH)
    return console


def _table(*titles: str) -> Table:
    """Return an empty table; a title that begins with > is aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        right = title.startswith(">")
        table.add_column(title.removeprefix(">"), justify="right" if right else "left", no_wrap=right)
    return table


def _days(number: int) -> str:
    return f"{number:,} day{'s' if number != 1 else ''}"


def _lines(number: int) -> str:
    """Lines in words that are true to two digits: 1.2 million lines, 100 million lines."""
    millions = number / 1e6
    return f"{millions:.1f} million lines".replace(".0 ", " ") if millions < 9.95 else f"{millions:,.0f} million lines"


def _money(value: Decimal | float | None, currency: str | None, *, cents: bool = False) -> str:
    if value is None:
        return ""
    symbol = SYMBOLS.get(currency or "", "")
    text = f"{abs(value):,.2f}" if cents or -1000 < value < 1000 else f"{abs(value):,.0f}"
    suffix = f" {currency}" if currency and not symbol else ""
    return f"{'-' if value < 0 else ''}{symbol}{text}{suffix}"
