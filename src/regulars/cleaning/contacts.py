"""How customers can be reached: the latest that their lines say of e-mail address, phone number and consent."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir

from regulars.schema import CONTACTS

__all__ = ["consents", "has_contacts", "latest_contacts", "refuses"]

#: Words for a consent, in small letters; everything else, and nothing, is none.
YES = frozenset(
    {
        "1", "1.0", "y", "yes", "t", "true", "on", "accepts", "accepted", "agreed", "agrees", "consented", "granted",
        "confirmed", "subscribe", "subscribed", "opt-in", "opt in", "optin", "opted-in", "opted in",
        "j", "ja", "wahr", "oui", "vrai", "sí", "si", "verdadero", "sì", "vero", "sim", "verdadeiro", "da", "да", "tak",
        "ano", "áno", "igen", "kyllä", "evet", "ναι", "はい", "是",
    }
)  # fmt: skip

#: Words that say no; what is neither is not known, which counts as no.
NO = frozenset(
    {
        "0", "0.0", "n", "no", "f", "false", "off", "declined", "denied", "refused", "revoked", "withdrawn",
        "unsubscribe", "unsubscribed", "opt-out", "opt out", "optout", "opted-out", "opted out", "not subscribed",
        "not_subscribed", "never subscribed",
        "nein", "falsch", "non", "faux", "falso", "não", "nao", "nee", "nej", "nei", "ne", "nie", "nem", "ei", "hayır",
        "hayir", "нет", "не", "όχι", "いいえ", "否",
    }
)  # fmt: skip


def has_contacts(lines: ir.Table) -> bool:
    """Whether order lines say anything about how their customers can be reached."""
    return any(name in lines.columns for name in CONTACTS)


def latest_contacts(lines: ir.Table, *, as_of: date | None = None) -> ir.Table:
    """Take the latest of each customer that is not empty, column by column; no query.

    Parameters
    ----------
    lines
        Order lines, also those that cleaning sets aside: who takes back a consent in an order that is cancelled later has
        taken it back.
    as_of
        Lines on or after this day say nothing.

    Returns
    -------
    ibis.Table
        One row per customer: `customer_id` and those of `schema.CONTACTS` that the lines have. Of two at the same time it is
        the first by name; of two consents the one that is not given.

    Examples
    --------
    >>> import ibis, datetime as dt
    >>> lines = ibis.memtable({"customer_id": ["a", "a", "a"], "ordered_at": [dt.datetime(2024, 1, d) for d in (1, 5, 9)],
    ...     "email": ["old@example.org", "new@example.org", " "], "consent": ["no", "yes", "no"]})
    >>> latest_contacts(lines).to_pyarrow().to_pylist()
    [{'customer_id': 'a', 'email': 'new@example.org', 'consent': 'no'}]
    """
    names = [name for name in CONTACTS if name in lines.columns]
    told = lines.filter(lines["customer_id"].notnull())
    if as_of is not None:
        told = told.filter(told["ordered_at"] < ibis.timestamp(f"{as_of.isoformat()}T00:00:00"))
    told = told.select("customer_id", "ordered_at", **{name: told[name].strip().nullif("") for name in names})
    told = told.group_by("customer_id", *names).agg(_at=told["ordered_at"].max())
    places = {f"_{name}": _place(told, name) for name in names}
    told = told.mutate(**places)
    return told.group_by("customer_id").agg(
        **{name: told[name].max(where=told[f"_{name}"] == 0).cast(CONTACTS[name]) for name in names}
    )


def consents(said: ir.StringValue) -> ir.BooleanValue:
    """Whether a cell says yes, in any of several languages; what is empty or not known is no yes.

    Examples
    --------
    >>> import ibis
    >>> cells = ibis.memtable({"said": ["Yes", "accepts", "ja", "nein", "maybe", None]})
    >>> consents(cells.said).to_pyarrow().to_pylist()
    [True, True, True, False, False, False]
    """
    return said.strip().lower().isin(sorted(YES)).fill_null(False)


def refuses(said: ir.StringValue) -> ir.BooleanValue:
    """Whether a cell says no; what is empty or not known is neither a yes nor a no.

    Examples
    --------
    >>> import ibis
    >>> cells = ibis.memtable({"said": ["Yes", "nein", "FALSE", "maybe", None]})
    >>> refuses(cells.said).to_pyarrow().to_pylist()
    [False, True, True, False, False]
    """
    return said.strip().lower().isin(sorted(NO)).fill_null(False)


def _place(told: ir.Table, name: str) -> ir.IntegerColumn:
    """Place of what was told among all of its customer, from 0: not empty first, then the latest."""
    cell = told[name]
    order = [cell.isnull(), told["_at"].isnull(), ibis.desc("_at"), cell]
    if name == "consent":
        order.insert(-1, consents(cell))
    return ibis.row_number().over(group_by="customer_id", order_by=order)
