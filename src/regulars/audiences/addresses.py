"""E-mail addresses, phone numbers and countries in the one form that tools and ad platforms compare."""

from __future__ import annotations

from functools import cache

import ibis
import ibis.expr.types as ir

from regulars.countries import codes_by_name, iso_alpha3

__all__ = ["clean_email", "clean_phone", "hashed", "iso_alpha2", "with_country_code"]

_EDGES = r"^[\s\p{Z}\x{200B}\x{FEFF}'<]+|[\s\p{Z}\x{200B}\x{FEFF}'>]+$"
#: One @, nothing blank, a domain with a dot; what a spreadsheet would take for a formula is no first sign.
_EMAIL = (
    r'^[\p{L}\p{N}_][^\s\p{Z}@"(),:;<>\[\]\\]*@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+'
    r"\p{L}[\p{L}\p{N}-]*[\p{L}\p{N}]$"
)
_PHONE = r"^\+[1-9][0-9]{7,14}$"


def clean_email(text: ir.StringValue) -> ir.StringValue:
    """Write e-mail addresses in small letters without blanks around them; null for what is none.

    Examples
    --------
    >>> cells = ibis.memtable({"said": [" Ann@Example.ORG ", "a b@example.org", "a@b@c.org", "ann@example", "=1@x.org"]})
    >>> clean_email(cells.said).to_pyarrow().to_pylist()
    ['ann@example.org', None, None, None, None]
    """
    email = text.re_replace(_EDGES, "").lower()
    return email.re_search(_EMAIL).ifelse(email, ibis.null("string"))


def clean_phone(text: ir.StringValue) -> ir.StringValue:
    """Write phone numbers as + and digits (E.164); null for what is none, or has no country code.

    Examples
    --------
    >>> cells = ibis.memtable({"said": ["+44 (0)20 7946-0958", "0049 151 23456789", "'+15550100123", "0151 234567", "+1+1"]})
    >>> clean_phone(cells.said).to_pyarrow().to_pylist()
    ['+442079460958', '+4915123456789', '+15550100123', None, None]
    """
    phone = text.re_replace(_EDGES, "").re_replace(r"\(0\)", "").re_replace(r"[\s\p{Z}().\-/]", "")
    phone = phone.re_replace("^00", "+")
    return phone.re_search(_PHONE).ifelse(phone, ibis.null("string"))


def hashed(text: ir.StringValue) -> ir.StringValue:
    """SHA-256 in small hexadecimal letters; null stays null.

    Examples
    --------
    >>> hashed(ibis.memtable({"said": ["test@example.com"]}).said).to_pyarrow()[0].as_py()
    '973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b'
    """
    return text.hexdigest("sha256")


def iso_alpha2(name: str) -> str | None:
    """Find the two small letters of a country (ISO 3166-1 alpha-2).

    Examples
    --------
    >>> iso_alpha2("United Kingdom"), iso_alpha2("Deutschland"), iso_alpha2("Channel Islands")
    ('gb', 'de', None)
    """
    code = iso_alpha3(name)
    return None if code is None else _two_letters().get(code)


def with_country_code(people: ir.Table) -> ir.Table:
    """Add `_country`, two small letters or null; one query where there is a country."""
    if "country" not in people.columns:
        return people.mutate(_country=ibis.null("string"))
    names = people.select("country").distinct().to_pyarrow()["country"].to_pylist()
    codes = {name: code for name in names if name and (code := iso_alpha2(name))}
    found = people["country"].substitute(codes, else_=ibis.null("string")) if codes else ibis.null("string")
    return people.mutate(_country=found)


@cache
def _two_letters() -> dict[str, str]:
    """Alpha-3 → alpha-2; the first name of two letters is the code, later ones are what people write (UK)."""
    found: dict[str, str] = {}
    for name, code in codes_by_name().items():
        if len(name) == 2:
            found.setdefault(code, name)
    return found
