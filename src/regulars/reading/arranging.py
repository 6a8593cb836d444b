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

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from regulars.reading.cells import Opened, Part
    from regulars.reading.exports import SetAside
    from regulars.reading.recognising import Recognised

EXCLUDED = "_regulars_excluded"
ROW, FILE, ORDER = "_regulars_row", "_regulars_file", "_regulars_order"
GAPS = r"[\s_-]+"


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
