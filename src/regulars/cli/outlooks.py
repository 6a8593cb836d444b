"""What the command line shows of back-tests and forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from regulars.cli.tables import in_money, new_console, new_table

if TYPE_CHECKING:
    from regulars.backtesting import Backtest, Checked, ForecastTest
    from regulars.pipeline import Segmentation, Valuation
    from regulars.profiling import Outlook

__all__ = ["show_ahead", "show_backtest", "show_valuation"]


def show_ahead(console: Console, result: Segmentation) -> None:
    """Show in a few lines whether the segments held, and what is expected; or why there is no back-test."""
    console.print()
    if result.backtest is None or result.outlook is None:
        console.print(Text.assemble(("No back-test, and no forecasts: ", "bold"), result.backtest_note))
        return
    console.print(Text.assemble(("Back-test: ", "bold"), " ".join(result.backtest.verdict)))
    _show_outlook(console, result.outlook, result.backtest.forecasts, result.currency)


def show_backtest(found: Backtest) -> None:
    """Show what each segment did next, what the groupings knew, and how the forecasts did."""
    console = new_console()
    console.print(
        Text.assemble(
            (f"Looking ahead from {found.cut} ", "bold"),
            f"for {found.horizon_days} days: {found.customers:,} customers, of whom {found.bought:,} bought again "
            f"({found.bought / found.customers:.0%}).",
        )
    )
    for sentence in found.verdict:
        console.print(Text(sentence))
    table = new_table(
        f"Segment on {found.cut}", ">Customers", ">Bought again", ">95 % interval", ">Revenue each", ">95 %"
    )
    for one in found.segments:
        table.add_row(
            escape(one.name),
            f"{one.customers:,}",
            f"{one.share:.0%}",
            f"{one.share_low:.0%} to {one.share_high:.0%}",
            f"{one.revenue:,.0f}",
            f"{one.revenue_low:,.0f} to {one.revenue_high:,.0f}",
        )
    console.print()
    console.print(table)
    console.print()
    _show_groupings(console, found)
    console.print()
    _show_ways(console, found.forecasts)


def show_valuation(found: Valuation, output: Path) -> None:
    """Show what is expected of all customers, what that is based on, and how such forecasts did."""
    console = new_console()
    outlook, whole = found.outlook, found.outlook.segments[0]
    console.print(
        Text.assemble(
            (f"The next {outlook.horizon_days} days from {outlook.as_of}: ", "bold"),
            f"of {whole.customers:,} customers {outlook.expected_buyers:,.0f} are expected to order, "
            f"{whole.expected_orders:,.0f} orders for {in_money(whole.expected_revenue, found.currency)}.",
        )
    )
    if outlook.season != 1:
        console.print(Text(f"The same time a year before had {outlook.season:.2f} times the usual orders; counted in."))
    _show_fit(console, outlook)
    console.print()
    _show_ways(console, found.test)
    console.print()
    console.print(Text.assemble(("Results in ", "bold"), f"{output}/"))
    for entry in sorted(output.iterdir()):
        console.print(Text(f"  {entry.name}"))


def _show_outlook(console: Console, outlook: Outlook, test: ForecastTest, currency: str | None) -> None:
    console.print(
        Text.assemble(
            (f"The next {outlook.horizon_days} days: ", "bold"),
            f"{outlook.expected_buyers:,.0f} customers are expected to order, for "
            f"{in_money(outlook.total('expected_revenue'), currency)}; revenue at risk "
            f"{in_money(outlook.total('revenue_at_risk'), currency)} of "
            f"{in_money(outlook.total('last_year'), currency)} in the last 365 days.",
        )
    )
    console.print(Text(f"  By the {outlook.method}; {_said(test.best, test)}.", style="dim"))
    for warning in test.warnings:
        console.print(Text(f"  {warning}", style="yellow"))


def _said(way: Checked, test: ForecastTest) -> str:
    """How a forecast did, in words."""
    check = way.windows[0]
    auc = "" if check.auc is None else f"AUC {check.auc:.2f}, "
    off = 100 * (check.calibration_error or 0)
    return f"on {test.cut} it had {auc}and its chances were off by {off:.1f} percentage points on average"


def _show_groupings(console: Console, found: Backtest) -> None:
    several = len(found.windows) > 1
    range_ = (">Least", ">Most") if several else ()
    title = f"What it knew ({len(found.windows)} cuts)" if several else "What it knew"
    table = new_table(title, ">Groups", ">Bits", *range_, ">Lift of the best tenth")
    for one in found.groupings:
        mean, least, most = found.bits(one.name)
        between = (f"{least:.3f}", f"{most:.3f}") if several else ()
        table.add_row(escape(one.title), str(one.groups), f"{mean:.3f}", *between, f"{one.lift:.2f}")
    console.print(table)


def _show_ways(console: Console, test: ForecastTest) -> None:
    cuts = test.cuts
    over = f" ({len(cuts)} cut{'s' if len(cuts) > 1 else ''})"
    table = new_table(f"Who buys next, told by{over}", ">AUC", ">Chances off by", ">Orders expected", ">came")
    for way in test.ways:
        check = way.windows[0]
        error = way.mean("calibration_error", cuts=cuts)
        auc = way.mean("auc", cuts=cuts)
        table.add_row(
            Text(f"{way.title}{' (used)' if way.name == test.used else ''}"),
            "" if auc is None else f"{auc:.3f}",
            "" if error is None else f"{error:.1%}",
            "" if check.expected_orders is None else f"{check.expected_orders:,.0f}",
            "" if check.orders is None else f"{check.orders:,}",
        )
    console.print(table)
    listed = test.at_risk
    if listed.customers:
        console.print(
            Text(
                f"An at-risk list of {test.cut} would have named {listed.customers:,} customers, of whom "
                f"{listed.stayed_away / listed.customers:.0%} stayed away; of all {listed.worth_keeping:,} worth keeping, "
                f"{listed.worth_keeping_stayed_away / listed.worth_keeping:.0%} did."
            )
        )
    for warning in test.warnings:
        console.print(Text(warning, style="yellow"))


def _show_fit(console: Console, outlook: Outlook) -> None:
    numbers = ", ".join(
        f"{name} {value:,.3f}" + ("" if error is None else f" ± {error:,.3f}")
        for name, value, error in outlook.parameters
    )
    counted = "" if outlook.method == outlook.model else f"Chances by the {outlook.method}; orders and money by "
    console.print(
        Text(f"{counted}{outlook.model} and Gamma-Gamma: {numbers} (± standard error; times in days).", style="dim")
    )
    for note in outlook.notes:
        console.print(Text(note, style="dim"))
