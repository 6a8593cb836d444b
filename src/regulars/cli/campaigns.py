"""What the command line shows of audiences and campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from regulars.cli.tables import in_money, new_console, new_table
from regulars.wording import counted, percent

if TYPE_CHECKING:
    from regulars.audiences import Audience, Measured

__all__ = ["show_audience", "show_campaign"]


def show_audience(audience: Audience, files: Sequence[Path]) -> None:
    """Show who is on a list and who is not, and how large the control group must be."""
    console = new_console()
    console.print(
        Text.assemble(
            (audience.name, "bold"), f" ({audience.kind}): {counted(audience.members, 'customer')} in the run"
        )
    )
    console.print(Text(f"  {audience.no_address:,} without a usable address{_bad(audience)}"))
    if audience.has_consent:
        unknown = f" ({audience.unknown_consent:,} of them not known)" if audience.unknown_consent else ""
        console.print(Text(f"  {audience.no_consent:,} without consent{unknown}"))
    console.print(Text(f"  {audience.held_out:,} held out"))
    console.print(Text(f"  {audience.written:,} written"))
    if not audience.has_consent:
        console.print(
            Text("The data does not say who agreed to marketing: nobody was left out for that.", style="yellow")
        )
    if audience.holdout:
        console.print(Text(audience.size_note()))
    console.print(Text.assemble(("Written: ", "bold"), ", ".join(map(str, files))))


def show_campaign(found: Measured) -> None:
    """Show buyers and money of both groups, what the campaign changed, and how sure that is."""
    console, uplift = new_console(), found.uplift
    console.print(
        Text.assemble((found.audience, "bold"), f": orders from {found.start} to {found.last_day} in {found.source}")
    )
    table = new_table("Group", ">Customers", ">Buyers", ">Share", ">95%", ">Revenue", ">Per customer")
    revenues = {"got it": found.treated_revenue, "control": found.control_revenue}
    for (name, revenue), arm in zip(revenues.items(), (uplift.treated, uplift.control), strict=True):
        table.add_row(
            name,
            f"{arm.customers:,}",
            f"{arm.buyers:,}",
            percent(arm.share),
            f"{percent(arm.share_low)} to {percent(arm.share_high)}",
            in_money(revenue, found.currency),
            in_money(arm.revenue_per_customer, found.currency, cents=True),
        )
    console.print(table)
    for sentence in (*found.words, *found.notes):
        console.print(Text(sentence))


def _bad(audience: Audience) -> str:
    """Words for addresses that cannot be used."""
    bad = []
    if audience.bad_emails:
        bad.append(f"{audience.bad_emails:,} e-mail addresses")
    if audience.bad_phones:
        bad.append(f"{audience.bad_phones:,} phone numbers")
    return f"; {' and '.join(bad)} cannot be used" if bad else ""
