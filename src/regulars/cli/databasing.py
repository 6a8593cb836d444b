"""The command that turns a model into SQL for a warehouse."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from regulars.cli.commands import app


class DialectName(StrEnum):
    """Names of the dialects, as in `dialects.DIALECTS`."""

    postgres = "postgres"
    bigquery = "bigquery"
    snowflake = "snowflake"
    spark = "spark"
    databricks = "databricks"
    trino = "trino"
    duckdb = "duckdb"


@app.command()
def sql(
    dialect: Annotated[DialectName, typer.Option(help="Whose SQL.", show_default=False)],
    model: Annotated[Path, typer.Option(help="model.json of a run, or the run folder.")] = Path("run"),
    table: Annotated[
        str,
        typer.Option(help="Table with customer_id, recency_days, frequency and monetary, or {{ ref('…') }} of dbt."),
    ] = "customers",
) -> None:
    """Print the segments of a run as plain SQL: the warehouse labels its customers itself, for dbt and the like."""
    from regulars import dialects
    from regulars.model import load_model

    typer.echo(dialects.to_sql(load_model(model), dialect=dialect.value, table=table), nl=False)
