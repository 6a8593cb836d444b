"""What the command line shows. Everything comes from results; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from regulars.cli.outlooks import show_ahead
from regulars.cli.tables import in_days, in_money, new_console, new_table
from regulars.planning import LARGE, amount, spoken

if TYPE_CHECKING:
    from regulars.cards import Card
    from regulars.cleaning import Audit
    from regulars.errors import RegularsError
    from regulars.pipeline import Assignment, Segmentation
    from regulars.planning import Plan
    from regulars.profiling import Notable
    from regulars.reading import Orders

__all__ = [
    "show_assignment",
    "show_audit",
    "show_card",
    "show_columns",
    "show_error",
    "show_plan",
    "show_result",
]

_CARD_ORDERS = 15  # the last ones, on a customer's card


def show_plan(source: str, plan: Plan) -> None:
    """Say on stderr what a large run will need; nothing about a small one."""
    if plan.size.lines < LARGE:
        return
    needs = [f"up to {amount(plan.memory)} of memory"]
    if plan.spill:
        needs.append(f"{amount(plan.spill)} of disk in {plan.temp_dir}")
    needs.append(f"{amount(plan.results)} for the results")
    about = "" if plan.size.exact else "about "
    new_console(stderr=True).print(
        Text(
            f"{Path(source).name or source}: {about}{_lines(plan.size.lines)}, {amount(plan.size.bytes)}. "
            f"{spoken(plan.total_seconds).capitalize()}, {', '.join(needs)}."
        )
    )


def show_error(error: RegularsError) -> None:
    """Say what was found and what to do next, on stderr."""
    console = new_console(stderr=True)
    console.print(Text.assemble(("Error: ", "bold red"), error.message))
    console.print(Text.assemble(("→ ", "bold"), error.hint))


def show_columns(orders: Orders, *, briefly: bool = False) -> None:
    """Show which column was taken for what and why."""
    console = new_console()
    if briefly:
        pairs = ", ".join(f"{match.field} ← {match.column}" for match in orders.matches)
        console.print(Text.assemble(("Columns ", "bold"), f"({orders.layout.title}): {pairs}"))
        for note in orders.notes:
            console.print(Text(f"  · {note}", style="dim"))
        console.print()
        return
    sure = f" ({orders.how_sure})" if orders.how_sure else ""
    console.print(Text.assemble((orders.source, "bold"), f" · read as {orders.layout.title}{sure}"))
    table = new_table("Ours", "Your column", "Why")
    for match in orders.matches:
        table.add_row(match.field, escape(match.column), escape(match.why))
    console.print(table)
    if orders.unmatched:
        console.print(Text(f"Not used: {', '.join(orders.unmatched)}"))
    for note in orders.notes:
        console.print(Text(f"· {note}"))
    console.print()


def show_doubts(notes: Sequence[str]) -> None:
    """Show what to be careful about, a paragraph for each."""
    for note in notes:
        new_console().print(Text.assemble(("Look again: ", "bold yellow"), note))


def show_audit(audit: Audit, *, currency: str | None) -> None:
    """Show what cleaning set aside, rule by rule, with rows, orders, customers and money."""
    console = new_console()
    table = new_table("Cleaning", ">Rows set aside", ">Money", ">Rows left", ">Orders", ">Customers")
    for line in audit.lines:
        if line.rule != "raw" and not line.rows and not line.amount:
            continue
        aside = ("", "") if line.rule == "raw" else (f"{line.rows:,}", in_money(line.amount, currency, cents=True))
        table.add_row(
            escape(line.title),
            *aside,
            f"{line.rows_left:,}",
            f"{line.orders_left:,}",
            f"{line.customers_left:,}",
        )
    console.print(table)
    console.print(
        f"From {audit.first_day} to {audit.last_day}. Kept: {in_money(audit.kept.amount_left, currency, cents=True)} of "
        f"{in_money(audit.raw.amount_left, currency, cents=True)}; "
        + (
            "rows and money reconcile to the cent."
            if audit.reconciles
            else "[red]rows and money do NOT reconcile.[/red]"
        )
    )
    if audit.unmatched_returns:
        console.print(
            f"{audit.unmatched_returns:,} returns found no purchase, or not enough of it, to take back "
            f"({in_money(audit.unmatched_amount, currency, cents=True)}); they are reported, not applied."
        )
    console.print()


def show_result(result: Segmentation, output: Path) -> None:
    """Show a result as a marketer wants it: who, how many, how much, what to do."""
    console = new_console()
    show_audit(result.audit, currency=result.currency)
    console.print(Text.assemble((f"{len(result.segments)} segments. ", "bold"), result.choice.reason))
    if result.choice.warning:
        console.print(Text(result.choice.warning, style="yellow"))
    table = new_table(
        "Segment", ">Customers", ">Share", ">Revenue", "", ">Last order", ">Orders", ">Spend", "What to do"
    )
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
            in_money(facts.median("monetary"), result.currency),
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
    show_ahead(console, result)
    _show_scores(console, result)
    _show_folder(console, output)


def show_card(card: Card) -> None:
    """Show one customer: numbers, why they are where they are, what would move them, and their last orders."""
    console, numbers = new_console(), card.numbers
    orders = f"{numbers['frequency']:,} order{'s' if numbers['frequency'] != 1 else ''}"
    console.print(Text.assemble((f"Customer {card.customer_id}", "bold"), f", as of {card.as_of}"))
    console.print(Text(f"{card.segment or 'not assignable'} · group {card.group or 'none'}", style="bold blue"))
    console.print(
        Text(
            f"{orders} for {in_money(numbers['monetary'], card.currency, cents=True)}; first {numbers['first_order']}, "
            f"last {numbers['last_order']} ({in_days(numbers['recency_days'])} ago)"
        )
    )
    for title, sentences in (
        ("Why", card.why),
        ("What comes next", card.ahead or ("no forecast: the run has no back-test",)),
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
        console.print(
            Text(f"  {when:%Y-%m-%d}  {number or '':<12}  {in_money(amount_, card.currency, cents=True):>14}")
        )


def show_assignment(result: Assignment, output: Path) -> None:
    """Show how many customers fell into each segment."""
    console = new_console()
    table = new_table("Segment", ">Customers", ">Revenue")
    for name, customers, revenue in result.segments:
        table.add_row(escape(name), f"{customers:,}", f"{revenue:,.2f}")
    console.print(table)
    if result.unassigned:
        console.print(f"{result.unassigned:,} customers could not be assigned.")
    _show_folder(console, output)


def _show_scores(console: Console, result: Segmentation) -> None:
    """Show the cut points of the scores in days, orders and money, and how many customers each group has."""
    cuts = result.cuts
    table = new_table("Score", *(f">{number}" for number in range(cuts.levels, 0, -1)))
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
            return "all" if high is None else f"< {in_money(high, currency)}"
        return f"≥ {in_money(low, currency)}"
    if low is None or high is None:
        return "all" if low == high else f"≤ {high}" if low is None else f"≥ {low}"
    return str(low) if low == high else f"{low}–{high}"


def _show_notable(console: Console, title: str, found: Notable, currency: str | None, *, most: int) -> None:
    worth = f"{found.revenue_share:.0%} of the revenue ({in_money(found.revenue, currency)})"
    if found.revenue_at_risk is not None:
        worth = f"{in_money(found.revenue_at_risk, currency)} of the last 365 days' revenue at risk"
    console.print(
        Text.assemble(
            (f"{title}: ", "bold"),
            f"{found.customers:,} customers, {worth}; {found.rule}.",
        )
    )
    for person in found.top[:most]:
        orders = f"{person.frequency:,} order{'s' if person.frequency != 1 else ''}"
        risk = ""
        if person.chance is not None and person.revenue_at_risk is not None:
            risk = f"; {person.chance:.0%} chance of an order, {in_money(person.revenue_at_risk, currency)} at risk"
        console.print(
            Text(
                f"  {person.customer_id}: {in_money(person.monetary, currency)} in {orders}, "
                f"last {in_days(person.recency_days)} ago ({person.segment}){risk}"
            )
        )


def _show_folder(console: Console, output: Path) -> None:
    console.print()
    console.print(Text.assemble(("Results in ", "bold"), f"{output}/"))
    for entry in sorted(output.iterdir()):
        parts = entry.is_dir() and entry.suffix == ".parquet"
        inside = (
            f"  {', '.join(sorted({file.stem for file in entry.iterdir()}))}" if entry.is_dir() and not parts else ""
        )
        console.print(Text(f"  {entry.name}{'/' if entry.is_dir() else ''}{inside}"))
    if (output / "report.html").is_file():
        console.print(Text.assemble(("Open ", "bold"), f"{output / 'report.html'}", (" in a browser.", "bold")))


def _lines(number: int) -> str:
    """Lines in words that are true to two digits: 1.2 million lines, 100 million lines."""
    millions = number / 1e6
    return f"{millions:.1f} million lines".replace(".0 ", " ") if millions < 9.95 else f"{millions:,.0f} million lines"
