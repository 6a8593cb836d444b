"""A table of PostgreSQL that is written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from regulars.databasing.places import PATIENCE, Place, refused, rows_of
from regulars.errors import OutputError
from regulars.reading.addresses import Address, quoted
from regulars.reading.databases import connect_postgres

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

LONGEST = 63  # bytes of a name: PostgreSQL cuts what is longer, without an error


@contextmanager
def in_postgres(address: Address, names: tuple[str, ...]) -> Iterator[Place]:
    """Open a table of PostgreSQL, in a transaction."""
    import psycopg

    with closing(connect_postgres(address, read_only=False)) as con:
        con.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # after waiting, see what the other writer did
        try:
            with con.transaction():
                yield _InPostgres(con, names)
        except psycopg.errors.LockNotAvailable:
            raise OutputError(
                f"Another program has held {'.'.join(names)} for {PATIENCE} seconds. Nothing was changed.",
                hint="Try again when it is done.",
            ) from None
        except psycopg.OperationalError as error:
            raise refused(address, error, broke_off=True) from None
        except psycopg.Error as error:
            raise refused(address, error) from None


class _InPostgres:
    def __init__(self, con: psycopg.Connection, names: tuple[str, ...]) -> None:
        self.con = con
        for name in names:
            if len(name.encode()) > LONGEST:
                raise OutputError(
                    f"{name!r} is too long for the name of a table: {len(name.encode())} bytes.",
                    hint=f"PostgreSQL would cut it, and might meet another table; take at most {LONGEST}.",
                )
        con.execute("SELECT set_config('lock_timeout', %s, true)", [f"{PATIENCE}s"])
        row = con.execute(
            "SELECT coalesce(%s::text, current_schema())", [names[0] if len(names) > 1 else None]
        ).fetchone()
        self.schema, self.name = (row[0] if row else None) or "public", names[-1]
        self.sql = f"{quoted(self.schema)}.{quoted(self.name)}"
        con.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"regulars {self.sql}"])

    def columns(self) -> dict[str, str]:
        listing = """SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relkind::text FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
        found = self.con.execute(listing, [self.schema, self.name]).fetchall()
        if found and found[0][2] not in ("r", "p"):
            raise OutputError(f"{self.sql} is not a table.", hint="Choose another name.")
        return {name: kind for name, kind, _ in found}

    def rows(self) -> int:
        return self._count("") if self.columns() else 0

    def has_run(self, run: str) -> bool:
        return self._count(f" WHERE run_id = '{run}'") > 0  # an id has letters and digits only

    def run(self, statement: str) -> None:
        self.con.execute(statement.encode())

    def insert(self, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> None:
        copying = f"COPY {self.sql} ({', '.join(map(quoted, names))}) FROM STDIN"
        with self.con.cursor() as cursor, cursor.copy(copying.encode()) as copy:
            for row in rows_of(batches):
                copy.write_row(row)

    def _count(self, which: str) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {self.sql}{which}".encode()).fetchone()
        return int(row[0]) if row else 0
