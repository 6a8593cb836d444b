"""The columns that each tool imports, under the headers that it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from regulars.audiences.addresses import hashed, with_country_code
from regulars.writing import most_read_first

__all__ = ["FORMATS", "Format"]

_SHOPIFY_ID = r"^[0-9]{10,}$"  # the ids of Shopify's customers are long numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a tool wants its list.

    Parameters
    ----------
    title
        The tool's name.
    address
        Customers (with `_email` and `_phone`) → what they are reached by; null where they cannot be.
    needs
        What the source must have for it, in words; empty where nothing is needed.
    columns
        Customers and the name of the audience → the table that is written.
    """

    title: str
    address: Callable[[ir.Table], ir.StringValue]
    needs: str
    columns: Callable[[ir.Table, str], ir.Table]


def _tag(name: str) -> ir.StringScalar:
    """A tag is a name without commas: they stand between tags."""
    return ibis.literal(" ".join(name.replace(",", " ").split()))


def _klaviyo(people: ir.Table, name: str) -> ir.Table:
    more = {
        "Expected Value": "expected_value",
        "Chance of Order": "p_active",
    }
    return people.select(
        **{
            "Email": people["_email"],
            "Phone Number": people["_phone"],
            "Audience": ibis.literal(name),
            "Segment": people["segment"],
            "RFM Group": people["rfm_group"],
            "Orders": people["frequency"],
            "Total Spent": people["monetary"],
            "Last Order": people["last_order"],
            **{title: people[column] for title, column in more.items() if column in people.columns},
        }
    )


def _mailchimp(people: ir.Table, name: str) -> ir.Table:
    return people.select(**{"Email Address": people["_email"], "Tags": _tag(name)})


def _shopify(people: ir.Table, name: str) -> ir.Table:
    return people.select(**{"Customer ID": _shopify_id(people), "Email": people["_email"], "Tags": _tag(name)})


def _meta(people: ir.Table, _name: str) -> ir.Table:
    people = with_country_code(people)
    worth = people["monetary"].cast("float64")
    if "expected_value" in people.columns:
        worth = ibis.coalesce(people["expected_value"], worth)
    return people.select(
        email=hashed(people["_email"]),
        phone=hashed(people["_phone"].re_replace(r"^\+", "")),
        country=hashed(people["_country"]),
        value=ibis.greatest(worth, 0.0).cast("decimal(18, 2)"),
    )


def _google(people: ir.Table, _name: str) -> ir.Table:
    return people.select(Email=hashed(people["_email"]), Phone=hashed(people["_phone"]))


def _everything(people: ir.Table, _name: str) -> ir.Table:
    return people.select(most_read_first(name for name in people.columns if not name.startswith("_")))


def _shopify_id(people: ir.Table) -> ir.StringValue:
    long = people["customer_id"].re_search(_SHOPIFY_ID)
    return long.ifelse(people["customer_id"], ibis.null("string"))


def _email_or_phone(people: ir.Table) -> ir.StringValue:
    return ibis.coalesce(people["_email"], people["_phone"])


FORMATS: dict[str, Format] = {
    "klaviyo": Format(
        title="Klaviyo", address=_email_or_phone, needs="e-mail addresses or phone numbers", columns=_klaviyo
    ),
    "mailchimp": Format(
        title="Mailchimp", address=lambda people: people["_email"], needs="e-mail addresses", columns=_mailchimp
    ),
    "shopify-tags": Format(
        title="Shopify tags",
        address=lambda people: ibis.coalesce(people["_email"], _shopify_id(people)),
        needs="",
        columns=_shopify,
    ),
    "meta": Format(title="Meta", address=_email_or_phone, needs="e-mail addresses or phone numbers", columns=_meta),
    "google": Format(
        title="Google Ads", address=_email_or_phone, needs="e-mail addresses or phone numbers", columns=_google
    ),
    "csv": Format(
        title="CSV",
        address=lambda people: ibis.coalesce(people["_email"], people["_phone"], people["customer_id"]),
        needs="",
        columns=_everything,
    ),
}
