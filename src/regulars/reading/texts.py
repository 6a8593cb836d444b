"""Text cells: empty ones, ids, and plain text, as Ibis expressions."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

if TYPE_CHECKING:
    import ibis.expr.types as ir

#: The vertical tab is told by its number: in the SQL of Spark a text cannot have it, and would have a v instead.
BLANK, INK = "[\\s\\x0b\u00a0\ufeff]", "[^\\s\\x0b\u00a0\ufeff]"
BLANKS = ("\t", "\n", "\v", "\f", "\r", " ", "\u00a0", "\ufeff")
#: Cells that say that there is nothing, in small letters.
EMPTY = r"nan|null|none|n/a|na|#n/a|<na>|nat|nil|-|\(not set\)|undefined"


def attempt(cell: ir.Value, kind: str) -> ir.Value:
    """A number as another type: null where it does not fit, or the engine's error where that is all it can do."""
    able = cell.get_backend().has_operation(ops.TryCast)
    return cell.try_cast(kind) if able else cell.cast(kind)


def as_text(cell: ir.Value) -> ir.StringValue:
    """Plain text without blanks around it; null where it is empty."""
    text = cast("ir.StringValue", cell.cast("string"))
    inner = text.re_extract(rf"^{BLANK}*({INK}([\s\S]*{INK})?){BLANK}*$", 1)
    bare = ibis.ifelse(text.re_search(rf"^{BLANK}|{BLANK}$"), inner, text)
    return cast("ir.StringValue", bare.nullif(""))


def filled(cell: ir.Value) -> ir.StringValue:
    """The cell's text without blanks around it; null where the cell says that there is nothing."""
    text = cast("ir.StringValue", cell.cast("string"))
    empty = text.lower().re_search(rf"^{BLANK}*({EMPTY})?{BLANK}*$")
    return cast("ir.StringValue", ibis.ifelse(empty, ibis.null("string"), as_text(text)))


def as_id(cell: ir.Value) -> ir.StringValue:
    """An id as text: 17850.0 is 17850, 00042 stays, and so does everything that is no number."""
    kind = cell.type()
    if isinstance(kind, dt.Floating | dt.Decimal):
        whole = attempt(cell, "int64")
        cell = ibis.ifelse(whole.cast(kind) == cell, whole.cast("string"), cell.cast("string"))
    text = cast("ir.StringValue", cell.cast("string"))
    number = rf"^{BLANK}*(\d+)\.0+{BLANK}*$"
    return cast("ir.StringValue", ibis.cases((text.re_search(number), text.re_extract(number, 1)), else_=filled(text)))


def is_bare_text(cell: ir.StringValue) -> ir.BooleanValue:
    """Text that surely has no blanks around it, told by its first and last signs without a pattern: fast.

    What is not bare may still need no care; `text_needs_care` says it for sure.
    """
    ends = reduce(or_, (cell.endswith(blank) for blank in BLANKS))
    return cast("ir.BooleanValue", (cell >= "!") & (cell < "\x7f") & ~ends)


def is_bare_id(cell: ir.StringValue) -> ir.BooleanValue:
    """Ids of plain letters, digits and signs that surely say something and are no decimals: one short pattern."""
    return cell.re_search(r"^[0-9A-MO-TV-Za-mo-tv-z][!--/-~]*$")


def text_needs_care(cell: ir.StringValue) -> ir.BooleanValue:
    """Cells that `as_text` changes."""
    return cell.re_search(rf"^{BLANK}|{BLANK}$|^$")


def id_needs_care(cell: ir.StringValue) -> ir.BooleanValue:
    """Cells that `as_id` changes."""
    empty = cell.lower().re_search(rf"^({EMPTY})$")
    return text_needs_care(cell) | empty | cell.re_search(r"^\d+\.0+$")
