"""Cells of a known export, before they are understood: filled down, chosen among columns, and judged.

What is no purchase is marked in `EXCLUDED` with its reason and stays: cleaning sets it aside and counts it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import ibis
import ibis.expr.datatypes as dt

from regulars.reading.cells import name_of
from regulars.reading.recognising import present
from regulars.reading.texts import filled
from regulars.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from regulars.reading.cells import Opened, Part
    from regulars.reading.exports import SetAside
    from regulars.reading.recognising import Recognised

EXCLUDED = "_regulars_excluded"
ROW, FILE, ORDER = "_regulars_row", "_regulars_file", "_regulars_order"
GAPS = r"[\s_-]+"
MOST = 5_000_000  # lines in which order numbers that come again are looked for: beyond, that costs what cleaning does


def arrange(opened: Opened, found: Recognised) -> Opened:
    """Prepare the cells of a source whose layout says more than headers; all others come back as they are.

    Parameters
    ----------
    opened
        Cells under the source's column names.
    found
        Which column is which.

    Returns
    -------
    Opened
        The same rows, and `EXCLUDED`; columns named in `found.either` are made. Files and frames are copied once,
        by one query, in their order; an Ibis table stays lazy.
    """
    if not found.arranged:
        return opened
    table, header, kind = opened.table, opened.table.columns, found.layout
    if opened.parts:
        table = table.mutate(**{ROW: ibis.row_number()})
        table = table.mutate(**{FILE: _file(table[ROW], opened.parts)})
    order = found.column("order_id")
    table = table.mutate(**{ORDER: ibis.null("string") if order is None else filled(table[order])})
    group = [name for name in (ORDER, FILE) if name in table.columns]
    table = table.mutate(
        **{
            name: ibis.ifelse(table[ORDER].isnull(), table[name], _said(table[name]).max().over(group_by=group))
            for name in present(kind.fill_down, header)
            if name != order
        }
    )
    people = found.column("customer_id")
    table = table.mutate(
        **{column: _first(table, names, people=column == people) for column, names in found.either.items()}
    )
    table = table.mutate(**{EXCLUDED: _excluded(table, kind.set_aside, versions=kind.versions, header=header)})
    if kind.repeats and order is not None:
        table = table.mutate(**{EXCLUDED: _without_repeats(table, present([kind.repeats], header))})
    return _kept(opened, table)


def _kept(opened: Opened, table: ir.Table) -> Opened:
    """Copy the cells in their order where the engine is ours."""
    if not opened.parts:
        return replace(opened, table=table.drop(ORDER))
    con = table.get_backend()
    lines = table.order_by(ROW).drop(ROW, FILE, ORDER)
    copy = con.create_table(ibis.util.gen_name("cells"), lines, temp=True)
    if opened.copied:
        con.drop_table(name_of(opened.table))
    return replace(opened, table=copy, copied=True)


def two_shops(opened: Opened, found: Recognised) -> str:
    """Say whether order numbers come again in another file with another customer and another day; empty where none does.

    One query, only for several files that have order numbers, and at most `MOST` lines.
    """
    names = [found.column(field) for field in ("order_id", "customer_id", "ordered_at")]
    lines = sum(part.rows for part in opened.parts)
    if len(opened.parts) < 2 or lines > MOST or any(name not in opened.table.columns for name in names):
        return ""
    cells = [opened.table[name].cast("string") for name in names if name]
    told = dict(zip(("order", "customer", "day"), map(filled, cells), strict=True))
    rows = opened.table.select(_row=ibis.row_number(), **told)
    rows = rows.filter(rows["order"].notnull(), rows["customer"].notnull(), rows["day"].notnull())
    rows = rows.mutate(_file=_file(rows["_row"], opened.parts))
    here = rows.group_by("order", "_file").agg(customer=rows["customer"].min(), day=rows["day"].min())
    twice = here.group_by("order").agg(
        customers=here["customer"].nunique(),
        days=here["day"].nunique(),
        first=here["_file"].min(),
        last=here["_file"].max(),
    )
    twice = twice.filter(twice["customers"] > 1, twice["days"] > 1)
    some = twice.order_by("order").mutate(number=ibis._.count().over()).limit(1).to_pyarrow().to_pylist()
    if not some:
        return ""
    one = some[0]
    comes = "comes" if one["number"] == 1 else "come"
    first, last = (opened.parts[one[name]].name for name in ("first", "last"))
    return (
        f"{counted(one['number'], 'order number')} of one file {comes} again in another with "
        f"another customer and another day, such as {one['order']!r} in {first} and {last}. Are these two shops? "
        "Then read them one by one: their orders are mixed up here."
    )


def _file(row: ir.IntegerValue, parts: Sequence[Part]) -> ir.IntegerValue:
    """The number of the file that a row comes from."""
    ends, last = [], 0
    for part in parts:
        last += part.rows
        ends.append(last)
    if len(ends) == 1:
        return ibis.literal(0)
    return ibis.cases(*((row < end, number) for number, end in enumerate(ends)), else_=len(ends))


def _said(cell: ir.Value) -> ir.Value:
    return filled(cell) if isinstance(cell.type(), dt.String) else cell


def _first(table: ir.Table, names: Sequence[str], *, people: bool) -> ir.Value:
    """Of several cells the first that says something; of people, addresses of e-mail are the same in any letters."""
    cells = [filled(table[name]) for name in names]
    if people:
        cells = [cast("ir.StringValue", cell.re_replace("^'", "")) for cell in cells]  # a spreadsheet's sign for text
        cells = [ibis.ifelse(cell.contains("@"), cell.lower(), cell) for cell in cells]
    return ibis.coalesce(*cells)


def _excluded(table: ir.Table, rules: Sequence[SetAside], *, versions: bool, header: Sequence[str]) -> ir.StringValue:
    """The first reason for which a row is no purchase; null where there is none."""
    cases = []
    if versions and FILE in table.columns:
        last = table[FILE].max().over(group_by=ORDER)
        cases.append((table[ORDER].notnull() & (table[FILE] < last), ibis.literal("earlier version")))
    shown = [(rule, present(rule.column, header)) for rule in rules]
    cases += [(_applies(rule, table[names[0]]), ibis.literal(rule.name)) for rule, names in shown if names]
    nothing = ibis.null("string")
    return ibis.cases(*cases, else_=nothing) if cases else nothing


def _applies(rule: SetAside, cell: ir.Value) -> ir.BooleanValue:
    """Whether a rule asks for a row."""
    text = filled(cell)
    if rule.filled is not None:
        return text.notnull() if rule.filled else text.isnull()
    word = text.lower().re_replace(GAPS, " ")
    if rule.among:
        said = word.isin([_word(name) for name in rule.among])
    elif rule.outside:
        said = word.notin([_word(name) for name in rule.outside])
    else:
        said = text.lower().re_search(rule.like.lower())
    return cast("ir.BooleanValue", said.fill_null(False))


def _word(name: str) -> str:
    return re.sub(GAPS, " ", name.lower())


def _without_repeats(table: ir.Table, by: Sequence[str]) -> ir.StringValue:
    """Mark the rows of an order that a later report has again."""
    reason = table[EXCLUDED]
    if not by:
        return reason
    told = _said(table[by[0]])
    first = ibis.ifelse(reason.isnull(), told, ibis.null(told.type())).min().over(group_by=ORDER)
    again = table[ORDER].notnull() & reason.isnull() & (told > first)
    return ibis.ifelse(again.fill_null(False), ibis.literal("repeated"), reason)
