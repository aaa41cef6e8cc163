"""A database's table or SELECT: read apart, kept as one Parquet file with the database's types.

With a `key`, a column that only grows, later runs ask for the rows from the last one on and put
them to the rows that are known (`sql_increment`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow.parquet as pq

from harvesters import apart
from harvesters.connectors import parquet, sql_file, sql_increment
from harvesters.connectors.base import Connector, one_collection
from harvesters.connectors.sql_file import Ending
from harvesters.errors import (
    ReaderDied,
    SecretMissing,
    SecretUnfit,
    SourceInvalid,
    SourceTooLarge,
    SourceTooSlow,
    UrlRefused,
)
from harvesters.fetch import Client, Fetched
from harvesters.rawtable import RawTable
from harvesters.readers.process import MEMORY_BYTES
from harvesters.source import Options, Source
from harvesters.workbench import Workbench

# How a process ends that came upon an error of its own, not upon a limit.
_BROKE = 1
READER = "harvesters.readers.database"
# The schemes of addresses (`database_login.DIALECTS`) and their usual ports.
PORTS = {
    **{"postgresql": 5432, "postgres": 5432, "mariadb": 3306, "mysql": 3306},
    # Tried by nobody here; their drivers are not installed.
    **{"mssql": 1433, "oracle": 1521},
}
_STANDARD = ("postgresql", "postgres", "mariadb", "mysql")
_LISTING = """
SELECT concat(table_schema, '.', table_name) AS name FROM information_schema.tables
WHERE table_schema NOT IN
    ('pg_catalog', 'information_schema', 'mysql', 'performance_schema', 'sys')
"""
SHOWN_TABLES = 100
TLS = ("prefer", "require", "verify-full", "disable")


@dataclass(frozen=True)
class Place:
    """Where a database is, by its address: `postgresql://host:5432/name?sslmode=require`."""

    scheme: str
    host: str
    port: int
    database: str
    tls: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Raises UrlRefused."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UrlRefused("The address is not a URL.") from error
        database = unquote(parts.path).strip("/")
        if parts.scheme not in PORTS or not host or not database or "/" in database:
            raise UrlRefused(
                "The address of a database is such as postgresql://host:5432/name; its scheme is "
                f"one of {', '.join(PORTS)}."
            )
        if "@" in parts.netloc:
            raise UrlRefused("The address carries a user name or a password; make a secret of it.")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = asked.pop("sslmode", TLS[0])
        if asked or tls not in TLS:
            raise UrlRefused(f"The address may have sslmode only: one of {', '.join(TLS)}.")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], database, tls)


def collect(source: Source, client: Client) -> Fetched:
    """The rows as one Parquet file. Raises UrlRefused, AddressForbidden, SecretMissing,
    SecretUnfit, SourceInvalid, and the errors of the reader."""
    place = Place.of(source.url)
    with client.visit(source.url):
        arguments = _arguments(place, source, client)
        if not source.options.query:
            raise SourceInvalid(
                "The option `query` says which table of the database, or its SELECT. "
                + _choice(_tables(arguments, client))
            )
        if source.options.key is None:
            return sql_file.written(source, client, lambda: _asked(arguments, client, None, False))
        return sql_increment.collected(
            source, client, lambda last: _asked(arguments, client, last, True)
        )


def _arguments(place: Place, source: Source, client: Client) -> dict[str, Any]:
    secret = client.credential
    if secret is None:
        raise SecretMissing(
            "A database wants a secret of kind basic (user:password); name it in `secret`."
        )
    if secret.kind != "basic":
        raise SecretUnfit("The secret of a database is of kind basic: user:password.")
    user, _, password = secret.value.partition(":")
    unique = source.options.unique
    return {
        **asdict(place),
        "addresses": client.addresses(place.host, place.port),
        "user": user,
        "password": password,
        "connect_timeout_s": client.limits.connect_timeout_s,
        "statement_timeout_s": client.limits.total_s,
        "query": source.options.query,
        "key": source.options.key,
        "unique": list(unique[0]) if unique else [],
    }


def _tables(arguments: dict[str, Any], client: Client) -> list[str]:
    """The tables and views that the account may see, with their schemas; none where the database
    has no information schema of the SQL standard."""
    if arguments["scheme"] not in _STANDARD:
        return []
    asked = {**arguments, "query": _LISTING, "key": None, "unique": []}
    listed = _asked(asked, client, None, False).batches(Ending())
    return sorted(str(name) for batch in listed for name in batch.column("name").to_pylist())


def _choice(tables: Sequence[str]) -> str:
    if not tables:
        return "The account sees no table."
    more = f" and {len(tables) - SHOWN_TABLES} more" if len(tables) > SHOWN_TABLES else ""
    return f"The account sees {', '.join(tables[:SHOWN_TABLES])}{more}."


def _asked(arguments: dict[str, Any], client: Client, last: Any, counts: bool) -> sql_file.Answer:
    """The reader's answer: its columns, its rows, and what it says at the end."""
    asked = {**arguments, "last": last, "counts": counts}
    began = time.monotonic()
    arriving = apart.streams(
        READER, client.raw_dir, asked, beside=Path("/etc/ssl"), has_network=True,
        time_s=client.limits.total_s,
    )  # fmt: skip

    @contextmanager
    def named_errors() -> Iterator[None]:
        try:
            yield
        except ReaderDied as died:
            if time.monotonic() - began >= client.limits.total_s:
                raise SourceTooSlow(
                    f"The database took longer than {client.limits.total_s:.0f} s."
                ) from died
            if died.facts.get("exit_code") == _BROKE:
                raise
            raise SourceTooLarge(
                "Values of the database are too large to be read: they take over "
                f"{MEMORY_BYTES >> 20} MiB of memory."
            ) from died

    with named_errors():
        rows = next(arriving)

    def batches(ending: Ending) -> Iterator[Any]:
        with named_errors():
            yield from rows.batches
            for said in next(arriving).batches:
                ending.hear(said.to_pylist()[0])

    return sql_file.Answer(rows.schema, batches)


def decode(path: Path, options: Options, bench: Workbench) -> list[RawTable]:
    """The table with the types of the database. Raises as Parquet's decode."""
    about = pq.read_schema(path)
    tables = parquet.decode(path, options, bench, as_text=sql_file.untyped(about))
    for table in tables:
        table.messages = sql_file.messages(path)
    return tables


CONNECTOR = Connector(
    kind="sql",
    title="SQL database",
    help="A table or a SELECT of PostgreSQL (address: postgresql://host:5432/name) or MariaDB and "
    "MySQL (mariadb://host/name); types are kept, times with a zone become UTC, places WKB. The "
    "option query has the table or the SELECT, secret a secret of kind basic (user:password) of an "
    "account that may only read; with key, a column that only grows, later runs ask for new rows. "
    "?sslmode=verify-full wants a valid certificate. mssql:// and oracle:// may work with a driver "
    "of your own and were never tried. Without a query a try says which tables there are. "
    "Options: query, key, unique, secret, crs, columns.",
    decode=decode,
    discover=one_collection(collect),
)
