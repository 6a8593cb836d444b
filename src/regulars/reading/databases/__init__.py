"""Order lines out of a database: read-only, in place where it is a DuckDB file, brought over piece by piece elsewhere.

::

    asking                     an address, and a table or a query: who answers
    postgres, files, others    what talks to PostgreSQL, to the files of SQLite and DuckDB, and through ibis to all others
    receiving                  what they share: the table of ours that takes what comes, and words for what is missing
"""

from regulars.reading.databases.asking import first_of_table, open_database, table_inside
from regulars.reading.databases.others import bring_over
from regulars.reading.databases.postgres import connect_postgres

__all__ = ["bring_over", "connect_postgres", "first_of_table", "open_database", "table_inside"]
