"""The door out to Excel: one workbook for managers, with segments, customers, the audit and what every column means."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from regulars.cleaning import Audit, AuditLine
from regulars.errors import OptionError, OutputError
from regulars.palette import colour
from regulars.pipeline import Segmentation
from regulars.placing import whole_files
from regulars.profiling import Segment
from regulars.wording import FORMULA

__all__ = ["MOST_CUSTOMERS", "write_workbook"]

MOST_CUSTOMERS = 100_000  # in the sheet of customers, unless asked otherwise
SHEET_ROWS = 1_048_576  # what a sheet of Excel can hold
CELL_LETTERS = 32_767  # what a cell can hold
WIDEST, WRAPPED = 60, 44  # letters across: a column on one line, a column of sentences
BATCH = 10_000  # customers that are unpacked at a time

_HINT = "Close the file if it is open in Excel, or choose a folder that you may write to."

_FIRST_DAY = date(1900, 3, 1)  # earlier ones are no dates to Excel, or the wrong ones
_FORMULA = re.compile(FORMULA)

Cell = str | int | float | Decimal | date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column: its title, how its cells look (one of `_LOOKS`, or ``segment``), its unit, and what it means."""

    title: str
    kind: str
    unit: str
    meaning: str

    def titled(self, currency: str | None) -> str:
        """Return the title, with the currency where the column is money."""
        return f"{self.title} ({currency})" if self.kind == "money" and currency else self.title

    def measured(self, currency: str | None) -> str:
        """Return the unit; that of money is the currency."""
        return currency or "money of the source" if self.kind == "money" else self.unit


_LOOKS: dict[str, dict[str, Any]] = {
    "text": {},
    "sentences": {"text_wrap": True},
    "count": {"num_format": "#,##0"},
    "decimal": {"num_format": "#,##0.0"},
    "money": {"num_format": "#,##0.00"},
    "share": {"num_format": "0.0%"},
    "day": {"num_format": "yyyy-mm-dd", "align": "left"},
    "header": {"bold": True, "text_wrap": True, "bg_color": "#EEF1F5", "bottom": 1, "bottom_color": "#55606E"},
}

#: How a number looks in a cell, for the width of its column.
_SHOWN = {"count": "{:,}", "decimal": "{:,.1f}", "money": "{:,.2f}", "share": "{:.1%}"}

_Parts = tuple[str, str, str, str]


def _columns(*parts: _Parts) -> tuple[_Column, ...]:
    return tuple(_Column(title=title, kind=kind, unit=unit, meaning=says) for title, kind, unit, says in parts)


_SEGMENTS = _columns(
    ("Segment", "segment", "name", "Customers who are alike in how lately, how often and for how much they buy."),
    ("Customers", "count", "customers", "How many customers are in the segment."),
    ("Share of customers", "share", "% of all customers", "How much of the customer base this is."),
    ("Revenue", "money", "", "What they spent in all, less what they returned."),
    ("Share of revenue", "share", "% of all revenue", "How much of the revenue this is."),
    ("Orders", "count", "orders", "How many orders they made in all."),
    ("Median days since last order", "decimal", "days", "Half of them ordered no longer ago than this, half no later."),
    ("Median orders", "decimal", "orders", "Half of them made no more orders than this, half no fewer."),
    ("Median spend", "money", "", "Half of them spent no more than this in all, half no less."),
    (
        "Median order value",
        "money",
        "",
        "The average order of half of them is no larger than this, of half no smaller.",
    ),
    ("What to do", "sentences", "text", "One action for the segment."),
    ("Offer", "sentences", "text", "What to offer them."),
    ("Channel", "sentences", "text", "Where to reach them."),
    ("What to measure", "sentences", "text", "How to see whether the action worked."),
    ("Why this name", "sentences", "text", "The facts behind the name of the segment."),
)

#: Column of the table of customers → column of the sheet.
_CUSTOMERS = dict(
    zip(
        (
            *("customer_id", "segment", "rfm_group", "recency_days", "frequency", "monetary", "avg_order_value"),
            *("first_order", "last_order", "r_score", "f_score", "m_score", "country"),
            *("p_active", "expected_value", "revenue_at_risk"),
        ),
        _columns(
            ("Customer", "text", "id", "The customer's number or name in the source."),
            ("Segment", "segment", "name", "The segment that the customer is in; see the sheet Segments."),
            ("RFM group", "text", "name", "The group that follows from the scores R, F and M; see below."),
            (
                "Days since last order",
                "count",
                "days",
                "Calendar days from the last order to the day counted back from.",
            ),
            ("Orders", "count", "orders", "How many orders the customer made."),
            ("Spend", "money", "", "What the customer spent in all, less what was returned."),
            ("Average order", "money", "", "Spend divided by orders."),
            ("First order", "day", "date", "The day of the first order in the source."),
            ("Last order", "day", "date", "The day of the last order in the source."),
            ("R", "count", "score", "Recency: 1 is longest ago, {levels} is latest."),
            ("F", "count", "score", "Frequency: 1 is fewest orders, {levels} is most, compared with all customers."),
            ("M", "count", "score", "Money: 1 is lowest spend, {levels} is highest, compared with all customers."),
            ("Country", "text", "name", "Where most of the customer's spend came from."),
            ("Chance of an order", "share", "% of such customers", "Within the horizon that Run and rules names."),
            ("Expected revenue", "money", "", "What the customer is expected to spend within the horizon."),
            ("Revenue at risk", "money", "", "Spend of the last 365 days times the chance of no order."),
        ),
        strict=True,
    )
)

_AUDIT = _columns(
    ("Step", "text", "text", "A step of cleaning, in the order in which the steps were done."),
    ("Rows set aside", "count", "order lines", "How many lines of the source the step took out."),
    ("Money set aside", "money", "", "What those lines were worth."),
    ("Rows left", "count", "order lines", "How many lines were left after the step."),
    ("Orders left", "count", "orders", "How many orders were left after the step."),
    ("Customers left", "count", "customers", "How many customers were left after the step."),
    ("Money left", "money", "", "What the lines that were left are worth."),
)

_DEFINITIONS = _columns(
    ("Where", "text", "", ""),
    ("What", "text", "", ""),
    ("Value or unit", "sentences", "", ""),
    ("In plain words", "sentences", "", ""),
)

#: What each option of a run means.
_OPTIONS = {
    "returns": "How returns are treated: net takes the purchase back that they undo, drop only leaves them out.",
    "all_products": "Whether postage, fees and other service codes count as products.",
    "scale": "How days, orders and spend are made comparable before customers are grouped.",
    "k": "Number of segments that was asked for; without one it is chosen from the data.",
    "groups": "Rules that turn scores into RFM groups.",
    "actions": "File with names and actions of your own.",
    "seed": "Start of everything random: the same seed gives the same result.",
    "backtest": "Whether the past was held against what came after; without it there are no forecasts.",
    "horizon_days": "Days that the forecasts look ahead.",
}


def write_workbook(result: Segmentation, path: str | Path, *, most_customers: int = MOST_CUSTOMERS) -> Path:
    """Write a workbook for managers: sheets Segments, Customers, Audit and Definitions; equal runs give equal bytes.

    Text that a spreadsheet would run as a formula gets a leading ``'``; money is exact and shown to the cent.

    Parameters
    ----------
    result
        From `regulars.segment` or `regulars.open_run`. One query is run, for the customers.
    path
        Where to, with the ending ``.xlsx``. An earlier file is replaced at the end, in one step.
    most_customers
        How many customers the sheet of customers holds at most, those with the highest spend first. A line below them
        says how many were left out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        `most_customers` is below zero, or more than a sheet can hold.
    OutputError
        The ending is not ``.xlsx``, the place is a folder or cannot be written, or the disk is full. An earlier file is
        left as it was then.

    Examples
    --------
    >>> import tempfile, fastexcel, regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=60, seed=1).orders)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_workbook(result, f"{folder}/segments.xlsx")
    ...     print(path.name, fastexcel.read_excel(path).sheet_names)
    segments.xlsx ['Segments', 'Customers', 'Audit', 'Definitions']
    """
    target = Path(path)
    _check(target, most_customers)
    people = _customers(result, most_customers)
    with whole_files(target, hint=_HINT) as (draft,):
        try:
            _write(draft, result, people)
        except FileCreateError as error:
            raise error.args[0] from error  # what the system said
    return target


def _check(target: Path, most_customers: int) -> None:
    most = SHEET_ROWS - 3  # a header, an empty row, and a line for those who were left out
    if not isinstance(most_customers, int) or not 0 <= most_customers <= most:
        raise OptionError(
            f"most_customers is {most_customers!r}.", hint=f"Ask for 0 to {most:,}: a sheet of Excel holds no more."
        )
    if target.suffix.lower() != ".xlsx":
        raise OutputError(f"Cannot write {target.name}: a workbook has another ending.", hint="End it with .xlsx.")
    if target.is_dir():
        raise OutputError(f"{target} is a folder.", hint="Give the name of a file, such as segments.xlsx.")


def _customers(result: Segmentation, most: int) -> pa.Table:
    """Customers with the highest spend; one query."""
    table = result.customers
    names = [name for name in _CUSTOMERS if name in table.columns]
    best = table.order_by(table["monetary"].desc(), "customer_id").limit(most).select(*names, "segment_id")
    found: pa.Table = best.to_pyarrow()
    if "country" in names and found["country"].null_count == len(found):
        found = found.drop_columns("country")
    return found


def _write(draft: Path, result: Segmentation, people: pa.Table) -> None:
    """Fill a new file, sheet after sheet, with little memory."""
    book = Workbook(
        draft,
        {
            "constant_memory": True,
            "tmpdir": str(draft.parent),
            "use_zip64": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )
    book.set_properties({"title": "Customer segments", "created": datetime.combine(result.as_of, time())})
    styles = {kind: book.add_format({"valign": "top"} | look) for kind, look in _LOOKS.items()}
    names: dict[int | None, Any] = {each.id: book.add_format(_name_look(each.id)) for each in result.segments}

    def new_sheet(name: str, columns: Sequence[_Column]) -> _Sheet:
        titles = [column.titled(result.currency) for column in columns]
        kinds = [column.kind for column in columns]
        return _Sheet(book.add_worksheet(name), titles, kinds, styles=styles, names=names)

    _fill_segments(new_sheet("Segments", _SEGMENTS), result)
    _fill_customers(new_sheet("Customers", _shown(people)), people, total=result.customers_total)
    _fill_audit(new_sheet("Audit", _AUDIT), result.audit)
    _fill_definitions(new_sheet("Definitions", _DEFINITIONS), result, people)
    book.close()


def _name_look(segment_id: int) -> dict[str, Any]:
    """Look of a segment's name: its colour as a line at the left and, thinned, behind the text."""
    full = colour(segment_id)
    red, green, blue = (255 - (255 - int(full[i : i + 2], 16)) // 4 for i in (1, 3, 5))
    return {"valign": "top", "left": 5, "left_color": full, "bg_color": f"#{red:02X}{green:02X}{blue:02X}"}


class _Sheet:
    """A sheet that is filled row after row, and in the end as wide as what is in it."""

    def __init__(
        self,
        sheet: Any,
        titles: Sequence[str],
        kinds: Sequence[str],
        *,
        styles: Mapping[str, Any],
        names: Mapping[int | None, Any],
    ) -> None:
        self._sheet, self._kinds, self._styles, self._names = sheet, kinds, styles, names
        self._widths = [_header_width(title) for title in titles]
        self._row = 0
        for place, title in enumerate(titles):
            sheet.write_string(0, place, title, styles["header"])

    def add(self, cells: Sequence[Cell], *, segment_id: int | None = None) -> None:
        """Add a row; a column of kind ``segment`` takes the colour of the segment."""
        self._row += 1
        for place, (cell, kind) in enumerate(zip(cells, self._kinds, strict=True)):
            style = self._names.get(segment_id) if kind == "segment" else self._styles[kind]
            if cell is None:
                continue
            if isinstance(cell, date) and cell >= _FIRST_DAY:
                self._sheet.write_datetime(self._row, place, cell, self._styles["day"])
                length = 10
            elif isinstance(cell, (str, date)):
                text = _harmless(str(cell))
                self._sheet.write_string(self._row, place, text, style)
                length = len(text)
            else:
                self._sheet.write_number(self._row, place, cell, style)
                length = len(_SHOWN[kind].format(cell))
            self._widths[place] = max(self._widths[place], length + 2)

    def end(self, *below: str, still: int = 0) -> None:
        """End the table: widths, filters, the header and the first `still` columns always seen; then lines below it."""
        last = len(self._widths) - 1
        self._sheet.autofilter(0, 0, self._row, last)
        self._sheet.freeze_panes(1, still)
        for place, (width, kind) in enumerate(zip(self._widths, self._kinds, strict=True)):
            self._sheet.set_column(place, place, min(width, WRAPPED if kind == "sentences" else WIDEST))
        for row, line in enumerate(below, self._row + 2):
            self._sheet.write_string(row, 0, _harmless(line))
        self._sheet.set_landscape()
        self._sheet.set_paper(9)  # A4
        self._sheet.fit_to_pages(1, 0)
        self._sheet.repeat_rows(0)


def _header_width(title: str) -> int:
    """Width of a title on two lines at most, beside the button of its filter."""
    return max(max(map(len, title.split())), math.ceil(len(title) / 2)) + 5


def _harmless(text: str) -> str:
    """Text that no spreadsheet runs as a formula and that a cell can hold; what looks like a number stays as it is.

    Examples
    --------
    >>> [_harmless(text) for text in ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-5", "+49 170 123", "A=B")]
    ["'=1+1", "'@SUM(A1)", "'+cmd|' /C calc'!A0", '-5', '+49 170 123', 'A=B']
    """
    whole = text.encode("utf-8", "replace").decode("utf-8")
    safe = f"'{whole}" if _FORMULA.match(whole) else whole
    return safe if len(safe) <= CELL_LETTERS else f"{safe[: CELL_LETTERS - 1]}…"


def _fill_segments(sheet: _Sheet, result: Segmentation) -> None:
    for each in result.segments:
        sheet.add(_segment_row(each), segment_id=each.id)
    sheet.end(still=1)


def _segment_row(segment: Segment) -> tuple[Cell, ...]:
    facts, action = segment.profile, segment.action
    size = (facts.customers, round(facts.customer_share, 4), facts.revenue, round(facts.revenue_share, 4), facts.orders)
    middle = [facts.median(name) for name in ("recency_days", "frequency", "monetary", "avg_order_value")]
    return (
        *(segment.name, *size),
        *(None if value is None else round(value, 2) for value in middle),
        *(action.action, action.offer, action.channel, action.measure, "; ".join(segment.why)),
    )


def _shown(people: pa.Table) -> list[_Column]:
    """Columns of the sheet of customers: those that the source has."""
    return [column for name, column in _CUSTOMERS.items() if name in people.column_names]


def _fill_customers(sheet: _Sheet, people: pa.Table, *, total: int) -> None:
    for batch in people.to_batches(max_chunksize=BATCH):
        values = batch.to_pydict()
        ids = values.pop("segment_id")
        for name in ("avg_order_value", "expected_value", "revenue_at_risk"):
            if name in values:
                values[name] = [None if value is None else round(value, 2) for value in values[name]]
        for segment_id, row in zip(ids, zip(*values.values(), strict=True), strict=True):
            sheet.add(row, segment_id=segment_id)
    left_out = total - len(people)
    line = f"Left out here: {left_out:,} customers with the lowest spend. All {total:,} are in customers.parquet."
    sheet.end(*([line] if left_out > 0 else []), still=1)


def _fill_audit(sheet: _Sheet, audit: Audit) -> None:
    for line in audit.lines:
        sheet.add(_audit_row(line, first=line is audit.raw))
    lines = [_verdict(audit)]
    if audit.unmatched_returns:
        lines.append(
            f"{audit.unmatched_returns:,} returns ({audit.unmatched_amount:,.2f}) found no purchase, or not enough of it, "
            "to take back; they are reported, not applied."
        )
    sheet.end(*lines, still=1)


def _audit_row(line: AuditLine, *, first: bool) -> tuple[Cell, ...]:
    aside = (None, None) if first else (line.rows, line.amount)
    return (line.title, *aside, line.rows_left, line.orders_left, line.customers_left, line.amount_left)


def _verdict(audit: Audit) -> str:
    """Say whether rows and money add up."""
    if not audit.reconciles:
        return "Rows and money do NOT reconcile."
    rows = sum(line.rows for line in audit.lines)
    amount = sum((line.amount for line in audit.lines), Decimal(0))
    return (
        f"Rows and money reconcile: {audit.raw.rows_left:,} rows in = {rows:,} set aside + {audit.kept.rows_left:,} kept; "
        f"{audit.raw.amount_left:,.2f} = {amount:,.2f} + {audit.kept.amount_left:,.2f}."
    )


def _fill_definitions(sheet: _Sheet, result: Segmentation, people: pa.Table) -> None:
    for what, value, meaning in _about(result, people):
        sheet.add(("This run", what, value, meaning))
    parts = {"Segments": _SEGMENTS, "Customers": _shown(people), "Audit": _AUDIT}
    for where, columns in parts.items():
        for column in columns:
            meaning = column.meaning.format(levels=result.cuts.levels)
            sheet.add((where, column.titled(result.currency), column.measured(result.currency), meaning))
    for name, why, customers, _ in result.groups:
        sheet.add(("RFM groups", name, f"{customers:,} customers", why))
    sheet.end()


def _about(result: Segmentation, people: pa.Table) -> Iterator[tuple[str, Cell, str]]:
    """What a run was made of and asked for: what, value, meaning."""
    yield "Source", result.source, "Where the order lines came from."
    yield "Read as", result.layout, "The kind of export that the source was taken for."
    yield (
        "Counted back from",
        result.as_of,
        "Days since the last order are counted back from this day, never from today.",
    )
    yield "First day", result.audit.first_day, "The earliest order line of the source."
    yield "Last day", result.audit.last_day, "The latest order line of the source."
    yield "Currency", result.currency or "not stated", "The currency of all money in this workbook."
    shown = f"{len(people):,} of {result.customers_total:,}"
    yield "Customers", shown, "Customers in the sheet Customers, most spend first; all are in customers.parquet."
    reason = f"{result.choice.reason} {result.choice.warning or ''}".strip()
    yield "Segments", str(result.choice.k), f"Why this many: {reason}"
    asked = result.options.to_dict()
    for name, meaning in _OPTIONS.items():
        yield f"Option {name}", _told(asked[name]), meaning
    for number, note in enumerate(result.notes, 1):
        yield f"Note {number}", None, note
    yield "Fingerprint", result.fingerprint, "Tells one source from another: equal ones have equal fingerprints."


def _told(value: object) -> str:
    words: dict[object, str] = {None: "not given", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
