"""Results for databases: the customers of a run as a table, written as a whole or not at all.

::

    customers          `write_table_to`: what is checked, said and written
    postgres, files    what talks to PostgreSQL, and to the files of SQLite and DuckDB
    places             what they share: a table inside a transaction, and what is said where the database refuses
"""

from regulars.databasing.customers import Mode, Written, run_id, write_table_to

__all__ = ["Mode", "Written", "run_id", "write_table_to"]
