"""Addresses of databases, `postgres://user@host/shop?table=order_lines`: taken apart, and never shown with a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from regulars.errors import OptionError, SourceError, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Beginning of an address → the engine behind it.
ENGINES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "motherduck": "motherduck",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "mssql": "mssql",
    "mysql": "mysql",
    "snowflake": "snowflake",
    "trino": "trino",
}
TITLES = {
    "postgres": "PostgreSQL",
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "motherduck": "MotherDuck",
    "bigquery": "BigQuery",
    "clickhouse": "ClickHouse",
    "databricks": "Databricks",
    "mssql": "SQL Server",
    "mysql": "MySQL",
    "snowflake": "Snowflake",
    "trino": "Trino",
}
#: What may stand behind the `?` of a PostgreSQL address beside the table; libpq knows the rest from its environment.
POSTGRES_OPTIONS = (
    "application_name", "connect_timeout", "host", "passfile", "password", "port", "service",
    "sslcert", "sslkey", "sslmode", "sslpassword", "sslrootcert", "user",
)  # fmt: skip
SECRETS = ("password", "sslpassword", "token", "access_token", "motherduck_token", "http_password", "private_key")

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')
_PLAIN = (
    "Write '@', '/', '#' and '?' in a password as %40, %2F, %23 and %3F, or give it in the environment (PGPASSWORD)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a table stands.

    Parameters
    ----------
    engine
        A value of `ENGINES`.
    database
        Its name for people: never with a user, a host or a password.
    table
        Catalog and schema, where given, and the table; empty where none is named.
    path
        The file of an SQLite or DuckDB database.
    options
        How to connect: keywords of libpq, or the parameters that ibis takes.
    url
        The address for ibis, without the table.
    secrets
        What must never be shown.
    """

    engine: str
    database: str
    table: tuple[str, ...] = ()
    path: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def title(self) -> str:
        """The database in words, such as "the PostgreSQL database shop"."""
        return f"the {TITLES[self.engine]} database {self.database}".rstrip()

    def hide(self, error: object) -> str:
        """The first line of what an engine said, without anything secret."""
        lines = str(error).strip().splitlines()
        text = lines[0].strip().rstrip(".") if lines else type(error).__name__
        for secret in self.secrets:
            for written in {secret, quote(secret), quote(secret, safe="")}:
                text = text.replace(written, "***")
        return text


def is_database(source: object) -> bool:
    """Whether a source is the address of a database.

    Examples
    --------
    >>> is_database("postgres://me@host/shop?table=lines"), is_database("orders.csv"), is_database("https://host/a.csv")
    (True, False, False)
    """
    found = _SCHEME.match(source) if isinstance(source, str) else None
    return found is not None and found[1].lower() in ENGINES


def without_secrets(source: str) -> str:
    """Any address without user, password and parameters.

    Examples
    --------
    >>> without_secrets("https://me:secret@example.com/orders.csv?token=1")
    'https://example.com/orders.csv'
    """
    scheme, colon, rest = source.partition("://")
    return f"{scheme}{colon}{re.split(r'[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}"


def parse_address(text: str) -> Address:
    """Take an address apart.

    Raises
    ------
    SourceError
        It cannot be understood. The message never repeats it.
    OptionError
        It has a parameter that means nothing.

    Examples
    --------
    >>> address = parse_address("postgres://me:secret@db.example.com/shop?table=sales.order_lines")
    >>> address.title, address.table
    ('the PostgreSQL database shop', ('sales', 'order_lines'))
    >>> "secret" in repr(address)
    False
    """
    scheme = text.partition("://")[0].lower()
    if scheme not in ENGINES:
        raise SourceError(
            "The address is not one of a database that regulars knows.",
            hint=f"It begins with one of {listed((f'{name}://' for name in ENGINES), most=20)}.",
        )
    engine = ENGINES[scheme]
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unclear(engine) from None
    if parts.fragment or "@" in parts.path or "@" in parts.query or "\0" in unquote(text):
        raise _unclear(engine)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs):
        raise OptionError(
            f"The address of the {TITLES[engine]} database has a parameter twice: {listed(name for name, _ in pairs)}.",
            hint="Give each one once.",
        )
    table = names_of(given.pop("table", ""), given.pop("schema", ""))
    if engine in ("sqlite", "duckdb"):
        return _file(engine, parts, given, table)
    secrets = [given[name] for name in SECRETS if given.get(name)]
    if parts.password:
        secrets.append(unquote(parts.password))
    database = unquote(parts.path.strip("/"))
    if engine != "postgres":
        url = urlunsplit((scheme, parts.netloc, parts.path, urlencode(given), ""))
        database = database or (unquote(parts.netloc.rpartition("@")[2]) if engine != "databricks" else "")
        return Address(engine=engine, database=database, table=table, url=url, secrets=tuple(secrets))
    _refuse_unknown(engine, given, POSTGRES_OPTIONS)
    own = {"user": parts.username, "password": parts.password, "host": parts.hostname, "dbname": parts.path.strip("/")}
    options = {name: unquote(value) for name, value in own.items() if value} | given
    if port:
        options["port"] = str(port)
    return Address(engine=engine, database=database, table=table, options=options, secrets=tuple(secrets))


def _unclear(engine: str) -> SourceError:
    return SourceError(f"The address of the {TITLES[engine]} database cannot be understood.", hint=_PLAIN)


def _refuse_unknown(engine: str, given: Mapping[str, str], allowed: Iterable[str]) -> None:
    if unknown := [name for name in given if name not in allowed]:
        raise OptionError(
            f"The address of the {TITLES[engine]} database has a parameter {unknown[0]!r} that means nothing here.",
            hint=f"Allowed are {listed(['table', 'schema', *allowed], most=20)}.",
        )


def _file(engine: str, parts: SplitResult, given: Mapping[str, str], table: tuple[str, ...]) -> Address:
    """A database in a file: three slashes before a path from here, four before one from the root."""
    _refuse_unknown(engine, given, ())
    named = unquote(parts.netloc + parts.path)
    here = Path(named.removeprefix("/")).expanduser()
    if not named.strip("/"):
        raise SourceError(
            f"The address names no {TITLES[engine]} file.", hint=f"Write {engine}:///shop.{engine}?table=order_lines."
        )
    root = Path("/") / here
    places = [place for place in (here, root) if place.exists()] or [
        place for place in (here, root) if place.parent.is_dir()
    ]
    path = places[0] if places else here
    return Address(engine=engine, database=path.name, table=table, path=path)


#: Where the first bytes of a database file say what it is, and what they say.
_MARKS = {"sqlite": (0, b"SQLite format 3\0"), "duckdb": (8, b"DUCK")}


def is_file_of(address: Address) -> bool:
    """Whether the file of an SQLite or DuckDB address is one of that database."""
    place, mark = _MARKS[address.engine]
    if address.path is None or not address.path.is_file():
        return False
    with address.path.open("rb") as file:
        return file.read(place + len(mark))[place:] == mark


def names_of(table: str, schema: str = "") -> tuple[str, ...]:
    """A table's name, part by part; a part with a dot in it stands in quotes.

    Examples
    --------
    >>> names_of("shop.order_lines"), names_of('"order.lines"', "shop")
    (('shop', 'order_lines'), ('shop', 'order.lines'))
    """
    found = [match[1].replace('""', '"') if match[1] else match[2] for match in _NAME.finditer(table)]
    whole = ".".join(match[0] for match in _NAME.finditer(table))
    names = ((schema,) if schema else ()) + tuple(found)
    if table and (whole != table or len(names) > 3):
        raise SourceError(
            f"{table!r} is not the name of a table.",
            hint="Write table=NAME or table=SCHEMA.NAME; put a name with a dot or quotes in it in double quotes.",
        )
    return names if table else ()


def as_parameter(table: Iterable[str]) -> str:
    """A table's name as it is written behind ``table=``, for `names_of` to take apart again.

    Examples
    --------
    >>> as_parameter(("sales", "order_lines")), as_parameter(("q4.lines & more",))
    ('sales.order_lines', '"q4.lines %26 more"')
    """
    parts = (name if _NAME.fullmatch(name) and '"' not in name else quoted(name) for name in table)
    return re.sub(r"[%&+;#?@]", lambda sign: quote(sign[0], safe=""), ".".join(parts))


def quoted(name: str) -> str:
    """A name as SQL: nothing in it is ever run.

    Examples
    --------
    >>> quoted('lines"; DROP TABLE orders')
    '"lines""; DROP TABLE orders"'
    """
    return '"' + name.replace('"', '""') + '"'
