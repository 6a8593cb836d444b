"""The audit: rows, orders, customers and money, rule by rule, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from regulars.cleaning.rules import KEPT, RETURN, RETURNED, Rule
from regulars.errors import NotEnoughDataError
from regulars.html import audit_html
from regulars.wording import day

__all__ = ["Audit", "AuditLine", "Counts", "count_reasons", "count_survivors", "write_audit"]

LONG_AFTER = 731  # days from the last order line to the day from which recency is counted that are doubted


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """What one rule set aside, and what was left after it.

    `rows` counts whole rows; `amount` is in the source's currency. A purchase that was partly returned keeps its row:
    the line `returned purchase` then carries money without a row.
    """

    rule: str
    title: str
    rows: int
    amount: Decimal
    rows_left: int
    orders_left: int
    customers_left: int
    amount_left: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What cleaning did, rule by rule; the first line is the file as it came.

    `first_day` and `last_day` are those of the file as it came. `unmatched_returns` counts return lines that found no
    purchase to undo, or not enough of it; `unmatched_amount` is what they would have taken back. It is reported, not
    applied.
    """

    lines: tuple[AuditLine, ...]
    first_day: date
    last_day: date
    returns: str
    partly_returned: int
    unmatched_returns: int
    unmatched_amount: Decimal

    @property
    def raw(self) -> AuditLine:
        """The file as it came."""
        return self.lines[0]

    @property
    def kept(self) -> AuditLine:
        """What is left after the last rule."""
        return self.lines[-1]

    @property
    def reconciles(self) -> bool:
        """Whether rows and money in = kept + every reason, exactly."""
        rows = self.kept.rows_left + sum(line.rows for line in self.lines)
        amount = self.kept.amount_left + sum((line.amount for line in self.lines), Decimal(0))
        return rows == self.raw.rows_left and amount == self.raw.amount_left

    def doubts(self, as_of: date | None) -> tuple[str, ...]:
        """What to be careful about where recency is counted from `as_of`: a day years after the last order."""
        if as_of is None or (as_of - self.last_day).days <= LONG_AFTER:
            return ()
        years = (as_of - self.last_day).days / 365.25
        return (
            f"Days since the last order are counted from {day(as_of)}, {years:.1f} years after the last order line "
            f"({day(self.last_day)}): all customers look long gone. Check that this day is meant.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money as decimal text."""
        facts = asdict(self)
        facts["reconciles"] = self.reconciles
        return facts

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return audit_html(self)


_Facts = dict[str, Any]
_NOTHING: _Facts = dict.fromkeys(("rows", "copies", "undone_lines", "unmatched_lines"), 0) | dict.fromkeys(
    ("amount", "copies_amount", "undone", "unmatched"), Decimal(0)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the audit is made of.

    Parameters
    ----------
    rows, amount, first, last
        Of the source as it came.
    reasons
        Reason number → rows and money after returns, copies of lines apart.
    survivors
        `order_id` and `customer_id` → (the last rule that they outlive → how many).
    """

    rows: int
    amount: Decimal
    first: datetime
    last: datetime
    reasons: dict[int, _Facts]
    survivors: dict[str, dict[int, int]]


def count_reasons(
    grouped: ir.Table, *, copies: ir.Table | None, changed: ir.Table | None, source: str
) -> tuple[dict[int, _Facts], _Facts]:
    """Count rows and money per reason, and over all; three small queries.

    Raises
    ------
    NotEnoughDataError
        No line has a date.
    """
    per_reason = grouped.group_by("_reason").agg(
        rows=grouped["lines"].sum(),
        amount=grouped["amount"].sum(),
        first=grouped["first_at"].min(),
        last=grouped["last_at"].max(),
    )
    rows = per_reason.to_pyarrow().to_pylist()
    days = [(row["first"], row["last"]) for row in rows if row["first"] is not None]
    if not days:
        raise NotEnoughDataError(
            f"{source} has no order line with a date.", hint="Check the columns with 'regulars check SOURCE'."
        )
    whole = {
        "rows": sum(row["rows"] for row in rows),
        "amount": sum((row["amount"] for row in rows), Decimal(0)),
        "first": min(first for first, _ in days),
        "last": max(last for _, last in days),
    }
    reasons = {row["_reason"]: _NOTHING | {"rows": row["rows"], "amount": row["amount"]} for row in rows}
    _take_copies(reasons, copies)
    _take_returns(reasons, changed)
    return reasons, whole


def _take_copies(reasons: dict[int, _Facts], copies: ir.Table | None) -> None:
    """Move copies out of rows and money."""
    if copies is None:
        return
    more = copies["copies"] - 1
    table = copies.group_by("_reason").agg(n=more.sum(), money=(more * copies["amount"].fill_null(0)).sum())
    for row in table.to_pyarrow().to_pylist():
        facts = reasons[row["_reason"]]
        facts["copies"], facts["copies_amount"] = row["n"], row["money"]
        facts["rows"] -= row["n"]
        facts["amount"] -= row["money"]


def _take_returns(reasons: dict[int, _Facts], changed: ir.Table | None) -> None:
    """Move returns and what they took back out of what was kept."""
    if changed is None:
        return
    table = changed.group_by("_reason").agg(
        rows=changed.count(),
        before=changed["amount"].sum(),
        amount=changed["_left_amount"].sum(),
        undone=changed["_undone"].sum(),
        undone_lines=(changed["_undone"] > 0).sum(),
        unmatched=changed["_unmatched"].sum(),
        unmatched_lines=(changed["_unmatched"] > 0).sum(),
    )
    kept = reasons[KEPT]
    for facts in table.to_pyarrow().to_pylist():
        reason, before = facts.pop("_reason"), facts.pop("before")
        if reason == KEPT:
            kept["amount"] -= before - facts["amount"]
            kept["undone"], kept["undone_lines"] = facts["undone"], facts["undone_lines"]
        else:
            kept["rows"] -= facts["rows"]
            kept["amount"] -= before
            reasons[reason] = _NOTHING | facts


def count_survivors(others: ir.Table, orders: ir.Table) -> dict[str, dict[int, int]]:
    """Count orders and customers by the last rule that they outlive; two queries.

    Parameters
    ----------
    others
        Orders by reason other than `KEPT`.
    orders
        From `correct_orders`.
    """
    both = others.select("customer_id", "order_id", _last="_reason").union(
        orders.select("customer_id", "order_id", "_last")
    )
    return {name: _survivors(both, name) for name in ("order_id", "customer_id")}


def _survivors(both: ir.Table, name: str) -> dict[int, int]:
    known = both.filter(both[name].notnull())
    last = known.group_by(name).agg(_last=known["_last"].max())
    table = last.group_by("_last").agg(n=last.count())
    return {facts["_last"]: facts["n"] for facts in table.to_pyarrow().to_pylist()}


def write_audit(counts: Counts, *, rules: Sequence[Rule], returns: str, with_copies: bool) -> Audit:
    """Put what was counted into the lines of an audit; no query."""
    steps = [(rule.name, rule.title, number) for number, rule in enumerate(rules)]
    if with_copies:
        place = 1 if rules[0].name == "after as-of" else 0
        steps.insert(place, ("duplicate", "exact duplicates", -1))
    if returns == "net":
        steps.append(("return", "returns", RETURN))
        steps.append(("returned purchase", "purchases taken back by returns", RETURNED))
    everything = _line(("raw", "as it came", -2), rows=0, amount=Decimal(0))
    lines = [
        replace(
            everything,
            rows_left=counts.rows,
            amount_left=counts.amount,
            orders_left=sum(counts.survivors["order_id"].values()),
            customers_left=sum(counts.survivors["customer_id"].values()),
        )
    ]
    for step in steps:
        rows, money = _taken(step, counts.reasons, copies_first=rules[0].name == "after as-of")
        lines.append(_after(lines[-1], step, rows=rows, amount=money, survivors=counts.survivors))
    kept = counts.reasons.get(KEPT, _NOTHING)
    lines[-1] = replace(lines[-1], rows_left=kept["rows"], amount_left=kept["amount"])
    unmatched = counts.reasons.get(RETURN, _NOTHING) if returns == "net" else _NOTHING
    return Audit(
        lines=tuple(lines),
        first_day=counts.first.date(),
        last_day=counts.last.date(),
        returns=returns,
        partly_returned=kept["undone_lines"],
        unmatched_returns=unmatched["unmatched_lines"],
        unmatched_amount=unmatched["unmatched"],
    )


_Step = tuple[str, str, int]


def _taken(step: _Step, per_reason: dict[int, _Facts], *, copies_first: bool) -> tuple[int, Decimal]:
    """Rows and money that a step set aside; copies of a line belong to `duplicate`, unless `after as-of` came first."""
    name, _, number = step
    own = per_reason.get(number, _NOTHING)
    if name == "duplicate":
        others = [facts for reason, facts in per_reason.items() if not (copies_first and reason == 0)]
        return (
            sum(int(facts["copies"]) for facts in others),
            sum((Decimal(facts["copies_amount"]) for facts in others), Decimal(0)),
        )
    if name == "after as-of":
        return own["rows"] + own["copies"], own["amount"] + own["copies_amount"]
    if name == "returned purchase":
        return own["rows"], own["undone"] + per_reason.get(KEPT, _NOTHING)["undone"]
    return own["rows"], own["amount"]


def _line(step: _Step, *, rows: int, amount: Decimal) -> AuditLine:
    return AuditLine(
        rule=step[0],
        title=step[1],
        rows=rows,
        amount=amount,
        rows_left=0,
        orders_left=0,
        customers_left=0,
        amount_left=Decimal(0),
    )


def _after(
    before: AuditLine, step: _Step, *, rows: int, amount: Decimal, survivors: dict[str, dict[int, int]]
) -> AuditLine:
    """Audit line of a step, given the line before it; a copy takes no order and no customer with it."""
    left = {name: sum(n for last, n in counts.items() if last > step[2]) for name, counts in survivors.items()}
    copied = step[0] == "duplicate"
    return replace(
        _line(step, rows=rows, amount=amount),
        rows_left=before.rows_left - rows,
        amount_left=before.amount_left - amount,
        orders_left=before.orders_left if copied else left["order_id"],
        customers_left=before.customers_left if copied else left["customer_id"],
    )
