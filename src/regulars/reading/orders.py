"""`read`: any source → `Orders`, the order lines and everything that was decided about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ibis
from ibis.common.exceptions import OperationNotDefinedError, UnsupportedOperationError

from regulars.errors import ColumnError, OptionError, SourceError
from regulars.keeping import keep
from regulars.reading.addresses import is_database
from regulars.reading.arranging import arrange, two_shops
from regulars.reading.bringing import lacks_for_counting
from regulars.reading.connecting import forget_order, machine
from regulars.reading.exports import Layout, load_layout
from regulars.reading.opening import drop, open_source
from regulars.reading.recognising import Match, recognise
from regulars.reading.understanding import understand
from regulars.schema import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from regulars.reading.recognising import Recognised

    Unreadable = Literal["error", "set_aside"]
    Engine = Literal["duckdb", "spark", "database"]

UNABLE = (OperationNotDefinedError, UnsupportedOperationError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Order lines, and what was decided to read them.

    Parameters
    ----------
    table
        One row per order line: the columns of `schema.ORDERS`, those of `schema.OPTIONAL_ORDERS` that the
        source has, then every other column of the source under its own name, or `source_<name>` where that is
        ours. Then `excluded`, only for exports whose layout says what is no purchase: the reason, null where there is
        none; `other_currency`, only where one of several currencies was chosen; and `unreadable`, only where such
        cells were set aside.
    layout
        The layout that was recognised or asked for; `how_sure` is what speaks for it, in words.
    matches
        Our fields and the source's columns that were taken for them.
    unmatched
        The source's columns that nothing claimed.
    source
        The source's name for people.
    fingerprint
        sha256 over the content of the files; of schema and row count for frames; empty for Ibis tables.
    has_order_id
        False where the order is made from customer and calendar day.
    has_product, has_quantity
        Whether the source says which product, and how many.
    currency
        The currency of the amounts, where it is known.
    notes
        What was found out or decided, in words.
    """

    table: ir.Table
    layout: Layout
    matches: tuple[Match, ...]
    unmatched: tuple[str, ...]
    source: str
    fingerprint: str
    has_order_id: bool
    has_product: bool
    has_quantity: bool
    currency: str | None
    notes: tuple[str, ...]
    how_sure: str = ""

    def __repr__(self) -> str:
        found = ", ".join(f"{match.field}={match.column!r}" for match in self.matches)
        return f"Orders({self.source!r}, layout={self.layout.name!r}, {found})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the layout by name, the table by its columns."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "layout": self.layout.name,
            "how_sure": self.how_sure,
            "matches": [asdict(match) for match in self.matches],
            "unmatched": list(self.unmatched),
            "columns": list(self.table.columns),
            "has_order_id": self.has_order_id,
            "has_product": self.has_product,
            "has_quantity": self.has_quantity,
            "currency": self.currency,
            "notes": list(self.notes),
        }


def read(
    source: object,
    *,
    columns: Columns | None = None,
    layout: str | Path | None = None,
    sheet: str | None = None,
    query: str | Path | None = None,
    dayfirst: bool | None = None,
    currency: str | None = None,
    unreadable: Unreadable = "error",
    memory_limit: str | None = None,
    threads: int | None = None,
    temp_dir: str | Path | None = None,
    engine: Engine = "duckdb",
    master: str | None = None,
) -> Orders:
    r"""Read order lines from a file, a folder, a frame or an Ibis table.

    Columns are recognised, dates and numbers are read by the evidence of whole columns. Nothing is dropped but
    completely blank lines; what was decided stands in `Orders.notes`.

    Parameters
    ----------
    source
        A path, folder or pattern of files of one kind (CSV and the like, Parquet, Excel); the address of a
        database with its table (``postgres://me@host/shop?table=order_lines``); a pandas, Polars or Arrow table; an
        Ibis table.
    columns
        The source's own names for our fields; they win field by field.
    layout
        The name of a shipped layout or the path of a TOML file; `None` takes the one that fits the header.
    sheet
        The sheet of a workbook; `None` takes the first that has the needed columns.
    query
        SQL for a database, or the path of a file with SQL, instead of a table in its address.
    dayfirst
        Whether 1/2/2010 is in February; `None` lets the column decide. Dates with dots are always day first.
    currency
        The currency that counts where there are several: rows in others are marked in `other_currency`.
    unreadable
        ``"error"`` stops at a cell that cannot be understood; ``"set_aside"`` leaves it null and names it in the
        column `unreadable`.
    memory_limit
        The memory that DuckDB may use, such as ``"2GB"``; `None` takes 2,500 MB, or 60 % of the machine's memory
        where that is less. Python itself needs a few hundred MB more.
    threads
        The threads that DuckDB may use; `None` takes all cores.
    temp_dir
        The folder for what does not fit into memory; `None` takes the system's. The files lie in a folder of
        their own, which nobody else can open and which is removed at the end.
    engine
        What reads and does the work: ``"duckdb"`` in this process; ``"spark"``, for CSV and Parquet, also at an address
        such as ``s3a://bucket/lines``; or ``"database"``, for the address of a database: lines stay there, and temporary
        tables are made there on the way.
    master
        The cluster of Spark, such as ``spark://host:7077``; `None` takes the session that is open, else all cores of
        this machine (``local[*]``).

    Returns
    -------
    Orders

    Raises
    ------
    SourceError
        The source is missing, empty, damaged, or of an unknown kind, or its files do not go together.
    ColumnError
        No column for the customer, the date, or the amount (or quantity and unit price).
    UnreadableError
        A date or number cannot be understood, or nothing tells the day from the month.
    NotEnoughDataError
        There is no row, or none with a customer.
    OptionError
        A layout, a currency or another option does not exist or does not fit; `memory_limit`, `threads` or
        `temp_dir` for an Ibis table, whose engine is yours.

    Notes
    -----
    Text files, workbooks and frames are copied into a private in-memory DuckDB; Parquet is scanned in place; an
    Ibis table stays on its own backend. Queries, whatever the size: one that looks at the evidence; one that counts
    what cannot be understood, where anything could be; one for currencies where cells name them; for copied sources
    one per file and one that writes the table; for several Parquet files one each. Before an error up to two that
    look for its row. Text files with ISO dates and numbers without marks are loaded with their types: one query
    per file, and one that checks it. Several files with order numbers: one more, up to five million lines. The order
    of rows is that of the source only where it is small.

    Examples
    --------
    >>> import pyarrow as pa
    >>> lines = pa.table({
    ...     "Client": ["7", "7", None],
    ...     "Order": ["A1", "A1", "A2"],
    ...     "Date": ["31/12/2010", "31/12/2010", "01/02/2011"],
    ...     "Qty": ["2", "1", "3"],
    ...     "Price": ["£1.50", "£4", "£1,002.25"],
    ... })
    >>> orders = read(lines)
    >>> for row in orders.table.order_by("order_id", "amount").to_pyarrow().to_pylist():
    ...     print(row["customer_id"], row["order_id"], row["ordered_at"].date(), row["amount"])
    7 A1 2010-12-31 3.0000
    7 A1 2010-12-31 4.0000
    None A2 2011-02-01 3006.7500
    >>> orders.currency
    'GBP'
    >>> print(*orders.notes, sep="\n")
    Dates are day first (31/12/2010): the first part is above 12 in 2 of 3 cells.
    Amounts are in GBP.
    """
    if unreadable not in ("error", "set_aside"):
        raise OptionError(
            f"There is no way {unreadable!r} to treat unreadable cells.",
            hint="Choose 'error' or 'set_aside'.",
        )
    given = {"memory_limit": memory_limit, "threads": threads, "temp_dir": temp_dir}
    inside, spark = engine == "database", engine == "spark"
    foreign = inside or isinstance(source, ibis.Table)
    if isinstance(source, ibis.Table):
        _refuse(
            given | {"engine": engine if spark else None, "master": master}, what="an Ibis table: its engine is yours"
        )
    _check_engine(source, engine=engine, master=master, query=query, given=given)
    told = machine(memory_limit=memory_limit, threads=threads, temp_dir=temp_dir)
    mapped = columns or Columns()
    chosen = None if layout is None else load_layout(layout)

    def known(header: tuple[str, ...]) -> Recognised | None:
        try:
            return recognise(header, columns=mapped, layout=chosen, source="")
        except ColumnError:
            return None

    opened = open_source(
        source, sheet=sheet, query=query, told=told, known=known, spark=spark, master=master, inside=inside
    )
    found = recognise(opened.table.columns, columns=mapped, layout=chosen, source=opened.source)
    opened = arrange(opened, found)
    mixed = two_shops(opened, found)
    try:
        lines = understand(opened, found, dayfirst=dayfirst, currency=currency, set_aside=unreadable == "set_aside")
    except UNABLE as error:
        engine = opened.table.get_backend().name
        raise SourceError(
            f"{engine}, the engine of {opened.source}, cannot read dates or numbers from text.",
            hint="Cast the date to timestamp and the numbers to decimal in the table, then read it.",
        ) from error
    except Exception as error:  # of Java, where Spark reads text
        if spark and "MALFORMED" in str(error):
            raise SourceError(
                f"A line of {opened.source} has more or fewer cells than the header.",
                hint="A cell may contain the delimiter without quotation marks; without --engine spark the line is named.",
            ) from error
        raise
    drop(opened)
    if spark and opened.delimiter is not None:  # text: read once, and kept by the executors
        lines = replace(lines, table=keep(lines.table))
    if opened.copied or not (foreign or spark):
        forget_order(opened.table.get_backend())
    fields = {match.field for match in found.matches}
    table, notes = lines.table, [*filter(None, [mixed]), *opened.notes, *found.notes, *lines.notes]
    if lacking := lacks_for_counting(table):
        engine = table.get_backend().name
        notes.append(
            f"{engine} has no {' and no '.join(lacking)}: lines are cleaned there, and orders are brought over into DuckDB."
        )
    if "product" in fields and "product_id" not in fields:
        table = table.mutate(product_id=table["product"])
        notes.append("There is no product code: the product's name stands in for it.")
    return Orders(
        table=table,
        layout=found.layout,
        how_sure=found.how_sure,
        matches=found.matches,
        unmatched=found.unmatched,
        source=opened.source,
        fingerprint=opened.fingerprint(),
        has_order_id="order_id" in fields,
        has_product="product_id" in fields or "product" in fields,
        has_quantity="quantity" in fields,
        currency=lines.currency,
        notes=tuple(notes),
    )


def _refuse(given: Mapping[str, object], *, what: str) -> None:
    """Refuse options that mean nothing for a source or an engine."""
    if said := [name for name, value in given.items() if value is not None]:
        raise OptionError(
            f"{said[0]} has no meaning for {what}.",
            hint="Set it where you connect to the engine, and leave it out here.",
        )


def _check_engine(
    source: object, *, engine: str, master: str | None, query: object, given: Mapping[str, object]
) -> None:
    """Refuse an engine that does not exist, or that cannot open the source."""
    if engine not in ("duckdb", "spark", "database"):
        raise OptionError(f"There is no engine {engine!r}.", hint="Choose 'duckdb', 'spark' or 'database'.")
    if engine != "spark":
        if master is not None:
            raise OptionError("A master was given, but no Spark.", hint="Add --engine spark (engine='spark').")
        if engine == "database":
            _refuse(given, what="a database that does the work")
            if not is_database(source):
                raise OptionError(
                    "The work can only be done inside a database where the source is one.",
                    hint="Give an address such as postgres://me@host/shop?table=order_lines, or leave the engine out.",
                )
        return
    _refuse(given, what="Spark: it is told in spark-defaults.conf (spark.executor.memory, spark.local.dir)")
    if query is not None or is_database(source) or not isinstance(source, str | Path):
        raise OptionError(
            "Spark reads files and folders, and this is none.",
            hint="Leave the engine out, or give a table of your session: ibis.pyspark.connect(session).table(NAME).",
        )
