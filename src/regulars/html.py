"""Results as small HTML tables for notebooks: pure functions of facts, every text escaped, readable on light and on dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Any

__all__ = ["audit_html", "segmentation_html"]

_LINE = "1px solid rgba(128, 128, 128, 0.5)"  # seen on white and on black
_CELL = "padding: 0.2em 0.7em; vertical-align: top; white-space: normal; border: 0"


def segmentation_html(result: Any) -> str:
    """Show a segmentation: what it was made of, why this many segments, and a row per segment.

    Parameters
    ----------
    result
        A `Segmentation`, or what has the same facts. No query is run.

    Returns
    -------
    str
        A piece of HTML with inline styles only; it takes its colours from the page.

    Examples
    --------
    >>> import regulars as rg
    >>> shop = rg.make_orders(customers=600, seed=1)
    >>> page = segmentation_html(rg.segment(shop.orders))
    >>> page.count("<table"), "Loyal high-value" in page
    (1, True)
    """
    raw, kept, currency = result.audit.raw, result.audit.kept, result.currency
    titles = ("Segment", ">Customers", ">Share", f">{_titled('Revenue', currency)}", ">Share")
    middle = (">Days since last order", ">Orders", f">{_titled('Spend', currency)}", "What to do")
    rows = [_segment_row(each) for each in result.segments]
    parts = [
        _paragraph(
            f"{result.source}: {raw.rows_left:,} order lines, {kept.rows_left:,} kept; "
            f"{result.customers_total:,} customers, {result.orders_total:,} orders, "
            f"net revenue {_money(result.revenue)}{f' {currency}' if currency else ''}"
        ),
        _paragraph(f"{result.choice.k} segments: {result.choice.reason}"),
        *([_paragraph(result.choice.warning)] if result.choice.warning else []),
        _table((*titles, *middle), rows),
        _paragraph(
            f"Days, orders and spend are medians; days are counted back from {result.as_of}.",
        ),
    ]
    return f"<div>{''.join(parts)}</div>"


def audit_html(audit: Any) -> str:
    """Show an audit: a row for the file as it came and for every rule that found something; at the end, the check.

    Parameters
    ----------
    audit
        An `Audit`, or what has the same facts.

    Returns
    -------
    str
        A piece of HTML with inline styles only; it takes its colours from the page.

    Examples
    --------
    >>> import regulars as rg
    >>> shop = rg.make_orders(customers=60, seed=1)
    >>> page = audit_html(rg.clean(rg.read(shop.orders)).audit)
    >>> "exact duplicates" in page, page.endswith("to the cent.</p></div>")
    (True, True)
    """
    titles = ("Cleaning", ">Rows set aside", ">Money", ">Rows left", ">Orders", ">Customers", ">Money left")
    shown = [line for line in audit.lines if line is audit.raw or line.rows or line.amount]
    rows = [_audit_row(line, first=line is audit.raw) for line in shown]
    parts = [_table(titles, rows)]
    if audit.unmatched_returns:
        parts.append(
            _paragraph(
                f"{audit.unmatched_returns:,} returns ({_money(audit.unmatched_amount)}) found no purchase, or not enough "
                "of it, to take back; they are reported, not applied."
            )
        )
    parts.append(_paragraph(f"From {audit.first_day} to {audit.last_day}. {_verdict(audit)}"))
    return f"<div>{''.join(parts)}</div>"


def _segment_row(segment: Any) -> tuple[str, ...]:
    facts = segment.profile
    days, orders, spend = (facts.median(name) for name in ("recency_days", "frequency", "monetary"))
    return (
        segment.name,
        f"{facts.customers:,}",
        f"{facts.customer_share:.1%}",
        _money(facts.revenue),
        f"{facts.revenue_share:.1%}",
        _middle(days),
        _middle(orders),
        "" if spend is None else _money(spend),
        segment.action.action,
    )


def _audit_row(line: Any, *, first: bool) -> tuple[str, ...]:
    aside = ("", "") if first else (f"{line.rows:,}", _money(line.amount))
    left = (f"{line.rows_left:,}", f"{line.orders_left:,}", f"{line.customers_left:,}", _money(line.amount_left))
    return (line.title, *aside, *left)


def _verdict(audit: Any) -> str:
    if not audit.reconciles:
        return "Rows and money do NOT reconcile."
    aside = sum(line.rows for line in audit.lines)
    return (
        f"Rows and money reconcile: {audit.raw.rows_left:,} rows in = {aside:,} set aside + "
        f"{audit.kept.rows_left:,} kept, and money to the cent."
    )


def _titled(title: str, currency: str | None) -> str:
    return f"{title} ({currency})" if currency else title


def _money(value: Decimal | float) -> str:
    return f"{value:,.2f}"


def _middle(value: float | None) -> str:
    """Write a median: whole where it is whole."""
    return "" if value is None else f"{value:,.1f}".removesuffix(".0")


def _paragraph(text: str) -> str:
    return f'<p style="margin: 0.4em 0">{escape(text)}</p>'


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Build a table from texts; a column whose title begins with > is aligned to the right."""
    aligned = ["right" if title.startswith(">") else "left" for title in titles]
    head = "".join(
        f'<th scope="col" style="{_CELL}; text-align: {side}; font-weight: bold">{escape(title.removeprefix(">"))}</th>'
        for title, side in zip(titles, aligned, strict=True)
    )
    body = "".join(f'<tr style="background: none; border-top: {_LINE}">{_cells(row, aligned)}</tr>' for row in rows)
    return (
        '<table style="border-collapse: collapse; border: 0; color: inherit; background: none">'
        f'<thead><tr style="background: none">{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _cells(texts: Sequence[str], aligned: Sequence[str]) -> str:
    return "".join(
        f'<td style="{_CELL}; text-align: {side}{"; white-space: nowrap" if side == "right" else ""}">{escape(text)}</td>'
        for text, side in zip(texts, aligned, strict=True)
    )
