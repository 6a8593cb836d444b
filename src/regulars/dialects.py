"""A model as plain SQL: a warehouse labels its customers itself, for dbt and the like."""

from __future__ import annotations

import re

import ibis
import sqlglot
import sqlglot.expressions as sge

from regulars.errors import OptionError, listed
from regulars.model import SegmentModel
from regulars.reading.addresses import names_of
from regulars.schema import MONEY

__all__ = ["DIALECTS", "to_sql"]

#: ibis writes Spark's only with a session of Spark; Databricks' is the same language.
DIALECTS = ("postgres", "bigquery", "snowflake", "spark", "databricks", "trino", "duckdb")
_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")
_DBT = re.compile(r"\{\{ *(?:ref|source)\((?: *'[\w.-]+' *,?)+\) *\}\}")


def to_sql(model: SegmentModel, *, dialect: str, table: str = "customers") -> str:
    """The assignment of a model as plain SQL: scores, group, segment, distance and runner-up of every customer.

    Parameters
    ----------
    model
        From `regulars.load_model` or `Segmentation.model`.
    dialect
        One of `DIALECTS`.
    table
        What has `customer_id`, `recency_days`, `frequency` and `monetary`: ``name``, ``schema.name``, or a reference of
        dbt such as ``{{ ref('customers') }}``.

    Raises
    ------
    OptionError
        There is no such dialect, or the text is not the name of a table.

    Examples
    --------
    >>> import regulars as rg
    >>> model = rg.segment(rg.make_orders(customers=100, seed=1).orders, k=2, backtest=False).model
    >>> print(to_sql(model, dialect="bigquery", table="shop.customers").splitlines()[-1].strip())
    ) AS t5
    """
    if dialect not in DIALECTS:
        raise OptionError(f"There is no dialect {dialect!r}.", hint=f"Choose one of {listed(DIALECTS)}.")
    reference = table if _DBT.fullmatch(table.strip()) else None
    names = ("regulars_reference",) if reference else names_of(table)
    if not names:
        raise OptionError("The table has no name.", hint="Give it with --table NAME.")
    *place, name = names
    kinds = {"customer_id": "string", "recency_days": "int64", "frequency": "int64", "monetary": MONEY}
    where = dict(zip(("database", "catalog"), reversed(place), strict=False))
    labelled = model.assign(ibis.table(kinds, name=name, **where))
    written = "databricks" if dialect == "spark" else dialect
    tree = sqlglot.parse_one(str(ibis.to_sql(labelled, dialect=written)), read=written)
    if dialect == "postgres":  # as in `keeping.apart`: else its steps are written into each other, thousands of times
        for inner in tree.find_all(sge.Subquery):
            inner.this.set("offset", sge.Offset(expression=sge.Literal.number(0)))
    words = {key.split()[0] for key in sqlglot.Dialect.get_or_raise(dialect).tokenizer_class.KEYWORDS if key.strip()}
    for each in tree.find_all(sge.Identifier):  # quoted names are case-sensitive, in Snowflake to their harm
        each.set("quoted", not _SIMPLE.fullmatch(each.name) or each.name.upper() in words)
    text = tree.sql(dialect=dialect, pretty=True)
    text = text.replace("regulars_reference", reference.strip()) if reference else text
    return f"-- Segments learned by regulars from orders before {model.as_of.isoformat()}.\n{text}\n"
