"""What the command line shows. Everything comes from results; nothing is computed here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from regulars.cleaning import Audit
    from regulars.errors import RegularsError
    from regulars.pipeline import Assignment, Segmentation
    from regulars.profiling import Notable
    from regulars.reading import Orders

__all__ = ["Stages", "show_assignment", "show_audit", "show_columns", "show_error", "show_result", "stages"]

_PIPE_WIDTH = 120  # columns where the output is not a terminal
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


class Stages:
    """Shows the stage that is running, and remembers how many seconds each took."""

    def __init__(self, bar: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._bar = bar
        self._task: TaskID | None = None
        self._stage, self._since = "", time.perf_counter()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are done; a total of 0 is not known."""
        if stage != self._stage:
            self.close()
            self._stage, self._since = stage, time.perf_counter()
            self._task = self._bar.add_task(stage, total=total or None)
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None)

    def close(self) -> None:
        """End the stage that is running."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._since
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


@contextmanager
def stages(*, quiet: bool = False) -> Iterator[Stages]:
    """Progress on stderr where that is a terminal; nothing is shown in pipes."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        shown = Stages(bar)
        yield shown
        shown.close()


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


def _money(value: Decimal | float | None, currency: str | None, *, cents: bool = False) -> str:
    if value is None:
        return ""
    symbol = _SYMBOLS.get(currency or "", "")
    text = f"{abs(value):,.2f}" if cents or -1000 < value < 1000 else f"{abs(value):,.0f}"
    suffix = f" {currency}" if currency and not symbol else ""
    return f"{'-' if value < 0 else ''}{symbol}{text}{suffix}"
