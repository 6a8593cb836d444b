"""The audit: rows, orders, customers and money, rule by rule, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from regulars.cleaning.rules import KEPT, RETURN, RETURNED, Rule
from regulars.errors import NotEnoughDataError
from regulars.reading import Orders

__all__ = ["Audit", "AuditLine", "count_lines"]


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money as decimal text."""
        facts = asdict(self)
        facts["reconciles"] = self.reconciles
        return facts


def count_lines(orders: Orders, done: ir.Table, *, rules: Sequence[Rule], returns: str) -> Audit:
    """Count rows, orders, customers and money per reason; three queries."""
    source = orders.table
    amount = source["amount"].fill_null(0)
    raw = (
        source.agg(
            rows=source.count(),
            amount=amount.sum(),
            first=source["ordered_at"].min(),
            last=source["ordered_at"].max(),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    if raw["first"] is None:
        raise NotEnoughDataError(
            f"{orders.source} has no order line with a date.",
            hint="Check the columns with 'regulars check SOURCE'.",
        )
    per_reason = _per_reason(done)
    survivors = {name: _survivors(done, name) for name in ("order_id", "customer_id")}

    steps = [(rule.name, rule.title, number) for number, rule in enumerate(rules)]
    if orders.has_order_id and orders.has_product:
        place = 1 if rules[0].name == "after as-of" else 0
        steps.insert(place, ("duplicate", "exact duplicates", -1))
    if returns == "net":
        steps.append(("return", "returns", RETURN))
        steps.append(("returned purchase", "purchases taken back by returns", RETURNED))
    everything = _line(("raw", "as it came", -2), rows=0, amount=Decimal(0))
    lines = [
        replace(
            everything,
            rows_left=raw["rows"],
            amount_left=raw["amount"] or Decimal(0),
            orders_left=sum(survivors["order_id"].values()),
            customers_left=sum(survivors["customer_id"].values()),
        )
    ]
    for step in steps:
        rows, money = _taken(step, per_reason, copies_first=rules[0].name == "after as-of")
        lines.append(_after(lines[-1], step, rows=rows, amount=money, survivors=survivors))
    kept = per_reason.get(KEPT, _NOTHING)
    lines[-1] = replace(lines[-1], rows_left=kept["rows"], amount_left=kept["amount"])
    unmatched = per_reason.get(RETURN, _NOTHING)
    return Audit(
        lines=tuple(lines),
        first_day=raw["first"].date(),
        last_day=raw["last"].date(),
        returns=returns,
        partly_returned=kept["undone_lines"],
        unmatched_returns=unmatched["unmatched_lines"],
        unmatched_amount=unmatched["unmatched"],
    )


_Facts = dict[str, Any]
_NOTHING: _Facts = dict.fromkeys(("rows", "copies", "undone_lines", "unmatched_lines"), 0) | dict.fromkeys(
    ("amount", "copies_amount", "undone", "unmatched"), Decimal(0)
)


def _per_reason(done: ir.Table) -> dict[int, _Facts]:
    amount = done["amount"].fill_null(0)
    table = done.group_by("_reason").agg(
        rows=done.count(),
        amount=amount.sum(),
        copies=(done["_copies"] - 1).sum(),
        copies_amount=((done["_copies"] - 1) * (amount + done["_undone"])).sum(),
        undone=done["_undone"].sum(),
        undone_lines=(done["_undone"] > 0).sum(),
        unmatched=done["_unmatched"].sum(),
        unmatched_lines=(done["_unmatched"] > 0).sum(),
    )
    return {facts.pop("_reason"): facts for facts in table.to_pyarrow().to_pylist()}


def _survivors(done: ir.Table, name: str) -> dict[int, int]:
    """Count orders or customers by the last rule that they outlive: the highest reason number among their lines."""
    known = done.filter(done[name].notnull())
    last = known.group_by(name).agg(_last=known["_reason"].max())
    table = last.group_by("_last").agg(n=last.count())
    return {facts["_last"]: facts["n"] for facts in table.to_pyarrow().to_pylist()}


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
    """Audit line of a step, given the line before it."""
    left = {name: sum(n for last, n in counts.items() if last > step[2]) for name, counts in survivors.items()}
    return replace(
        _line(step, rows=rows, amount=amount),
        rows_left=before.rows_left - rows,
        amount_left=before.amount_left - amount,
        orders_left=left["order_id"],
        customers_left=left["customer_id"],
    )
