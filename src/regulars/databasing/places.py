"""A table of a database, inside a transaction: what can be asked of it and done to it, whichever database it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from regulars.errors import OutputError
from regulars.reading.addresses import Address

if TYPE_CHECKING:
    import pyarrow as pa

PATIENCE = 60  # seconds that a writer waits for another one


class Place(Protocol):
    """A table of a database, inside a transaction; `sql` is its name, quoted."""

    sql: str

    def columns(self) -> dict[str, str]:
        """Give the columns and types of the table; nothing where it is not there."""

    def rows(self) -> int:
        """Count its rows; none where it is not there."""

    def has_run(self, run: str) -> bool:
        """Whether rows of a run are in it."""

    def run(self, statement: str) -> None:
        """Run a statement."""

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        """Put rows in."""


def rows_of(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """Rows one by one, as values of Python."""
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def refused(address: Address, error: Exception, *, broke_off: bool = False) -> OutputError:
    """The error for what a database says: nothing was changed then."""
    title = address.title
    if broke_off:
        return OutputError(
            f"The connection to {title} broke off: {address.hide(error)}. Nothing was changed.",
            hint="Try again, or ask who runs the database.",
        )
    return OutputError(
        f"{title[0].upper()}{title[1:]} refuses: {address.hide(error)}. Nothing was changed.",
        hint="Check the name of the table and your rights, and that no other program holds it.",
    )
