"""What there is to say about who moved."""

from __future__ import annotations

from datetime import date

from regulars.comparing.facts import Moves, Sums
from regulars.wording import counted, day, money

__all__ = ["say"]

_BORDERS = {"segments": "the borders of the segments", "groups": "the cut points"}


def say(moves: Moves, *, cuts: str, days: tuple[date, date], currency: str | None) -> tuple[str, ...]:
    """Sentences: who moved up, who moved down, and how many of them why; who stayed, who is new, who is lost.

    Parameters
    ----------
    moves
        Without words.
    cuts
        As in `Movement`.
    days
        The earlier and the later date.
    currency
        Of the money: it is what the customers had spent up to the later date, of lost ones up to the earlier.
    """
    borders = _BORDERS[moves.by]
    found = []
    for direction in ("up", "down"):
        words = f"{_worth(moves.total(direction=direction), currency)} moved {direction}"
        found.append(f"{words}{_because(moves, direction) if cuts == 'each' else ''}.")
    stayed, undone = moves.total(direction="stayed"), moves.total(because="undone")
    back = f"; of these {undone.customers:,} changed, and {borders} moved along" if undone.customers else ""
    found.append(f"{_worth(stayed, currency)} stayed{back}.")
    new, unseen, lost = (moves.total(direction=direction) for direction in ("new", "unseen", "lost"))
    found.append(f"{_worth(new, currency)} {_are(new)} new since {day(days[0])}.")
    if unseen.customers:
        found.append(
            f"{_worth(unseen, currency)} had ordered before, but {_were(unseen)} not seen in the earlier side."
        )
    if lost.customers:
        spent = money(float(lost.revenue_before), currency)
        found.append(f"{counted(lost.customers, 'customer')} worth {spent} {_are(lost)} lost from view.")
    if cuts != "each":
        judged = day(days[0] if cuts == "earlier" else days[1])
        found.append(f"All are judged as of {judged}: who moved did so because they changed.")
    return tuple(found)


def _because(moves: Moves, direction: str) -> str:
    """How many moved for which reason; reasons without anybody are left out."""
    reasons = {
        "customer": "because they changed",
        "cuts": f"only because {_BORDERS[moves.by]} moved",
        "both": "because of both",
    }
    people = {reason: moves.total(direction=direction, because=reason).customers for reason in reasons}
    said = ", ".join(f"{number:,} {reasons[reason]}" for reason, number in people.items() if number)
    return f": {said}" if said else ""


def _worth(sums: Sums, currency: str | None) -> str:
    who = counted(sums.customers, "customer")
    return f"{who} worth {money(float(sums.revenue_after), currency)}" if sums.customers else "No customers"


def _are(sums: Sums) -> str:
    return "is" if sums.customers == 1 else "are"


def _were(sums: Sums) -> str:
    return "was" if sums.customers == 1 else "were"
