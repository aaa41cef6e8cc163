"""Connections to databases: to addresses that were checked, for reading, with the least asked.

A server may ask its client for much: the password in the clear, or a file. Both are refused.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import certifi
import psycopg
import pymysql  # type: ignore[import-untyped]
import sqlalchemy as sa
from psycopg.adapt import AdaptersMap
from psycopg.types.string import TextLoader
from pymysql import converters
from sqlalchemy.pool import NullPool

from harvesters.errors import (
    LoginRefused,
    SourceInvalid,
    SourceTooSlow,
    SourceUnreachable,
    TlsFailed,
)
from harvesters.readers.database_columns import POSTGRES_LISTS

_SHOWN_LETTERS = 200
_GRACE_S = 10


@dataclass(frozen=True)
class Dialect:
    """A kind of database. `connect` makes a connection of ours; without one SQLAlchemy's `driver`
    makes it. `primary_key` asks for the columns of a table's key by its `name` and `schema`."""

    name: str
    driver: str
    connect: Callable[[Mapping[str, Any]], Any] | None = None
    primary_key: str | None = None

    def error(self) -> type[Exception]:
        """The root of its driver's errors."""
        return _ERRORS.get(self.name, OSError)


_ERRORS: dict[str, type[Exception]] = {
    "postgresql": psycopg.Error,
    "mysql": pymysql.MySQLError,
}


def engine(dialect: Dialect, arguments: Mapping[str, Any]) -> sa.Engine:
    """An engine for one connection. `arguments`: `host`, `addresses` (as getaddrinfo's), `port`,
    `database`, `user`, `password`, `tls`, `connect_timeout_s`, `statement_timeout_s`.

    Connecting raises LoginRefused, SourceUnreachable, TlsFailed. Raises SourceInvalid for a driver
    that is not installed.
    """
    connect = dialect.connect
    if connect is not None:
        return sa.create_engine(
            f"{dialect.driver}://",
            creator=lambda: _connected(connect, arguments),
            poolclass=NullPool,
        )
    url = sa.URL.create(
        dialect.driver,
        username=arguments["user"],
        password=arguments["password"],
        # Checked, and so not looked up again.
        host=arguments["addresses"][0][4][0],
        port=arguments["port"],
        database=arguments["database"],
    )
    try:
        return sa.create_engine(url, poolclass=NullPool)
    except ModuleNotFoundError as error:
        raise SourceInvalid(
            f"{dialect.name} needs the driver {error.name}, which the operator has to install."
        ) from error


def _connected(connect: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any]) -> Any:
    host = arguments["host"]
    try:
        return connect(arguments)
    except (psycopg.OperationalError, pymysql.MySQLError, OSError) as error:
        words = said(error)
        if (
            "uthentic" in words
            or "password" in words
            or "ccess denied" in words
            or "no pg_hba" in words
        ):
            raise LoginRefused(f"{host} does not take the secret: {words}.") from error
        if "certificate" in words or "SSL is required" in words or "does not support SSL" in words:
            raise TlsFailed(f"{host}: {words}.") from error
        if "timeout" in words or "timed out" in words:
            raise SourceTooSlow(f"{host} did not answer in time.") from error
        raise SourceUnreachable(f"No connection to a database at {host}: {words}.") from error


def _postgres(arguments: Mapping[str, Any]) -> psycopg.Connection[Any]:
    adapters = AdaptersMap(psycopg.adapters)
    for info in psycopg.adapters.types:
        for oid in (info.oid, info.array_oid):
            if oid and oid not in POSTGRES_LISTS:
                adapters.register_loader(oid, TextLoader)
    tls = arguments["tls"]
    connection = psycopg.connect(
        host=arguments["host"],
        # Checked, and so not looked up again.
        hostaddr=arguments["addresses"][0][4][0],
        port=arguments["port"],
        dbname=arguments["database"],
        user=arguments["user"],
        password=arguments["password"],
        passfile="/dev/null",
        connect_timeout=max(2, round(arguments["connect_timeout_s"])),
        sslmode=tls,
        sslrootcert=certifi.where(),
        gssencmode="disable",
        # In the clear only to whom the certificate shows to be the right one.
        require_auth="" if tls == "verify-full" else "scram-sha-256,md5,none",
        application_name="hanoiic-harvest",
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        context=_Texts(adapters),
    )
    milliseconds = round(arguments["statement_timeout_s"] * 1000)
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    for setting, value in (
        ("statement_timeout", str(milliseconds)),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("IntervalStyle", "iso_8601"),
        ("bytea_output", "hex"),
    ):
        connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
    shapes = connection.execute(
        "SELECT oid::text FROM pg_type WHERE typname IN ('geometry', 'geography')"
    )
    connection.shape_types = {int(oid) for (oid,) in shapes}  # type: ignore[attr-defined]
    connection.commit()
    return connection


@dataclass(frozen=True)
class _Texts:
    """psycopg's way to be told how values are read."""

    adapters: AdaptersMap
    connection: None = None


class _NoCleartext:
    """Refuses to send the password as it is, to whomever asks for it."""

    def __init__(self, _connection: Any) -> None: ...

    def authenticate(self, _packet: Any) -> Any:
        raise pymysql.OperationalError(
            2059, "authentication refused: the server wants the password in the clear"
        )


def _mysql(arguments: Mapping[str, Any]) -> Any:
    tls = arguments["tls"]
    plugins = (
        {}
        if tls == "verify-full"
        else dict.fromkeys((b"mysql_clear_password", b"dialog"), _NoCleartext)
    )
    sock = _socket(arguments)
    connection: Any = pymysql.Connection(
        host=arguments["host"],
        port=arguments["port"],
        user=arguments["user"],
        password=arguments["password"].encode(),
        database=arguments["database"],
        charset="utf8mb4",
        connect_timeout=arguments["connect_timeout_s"],
        read_timeout=arguments["connect_timeout_s"],
        write_timeout=arguments["connect_timeout_s"],
        ssl=_context(tls),
        ssl_disabled=tls == "disable",
        # No decoders: values come as texts.
        conv={key: value for key, value in converters.conversions.items() if type(key) is not int},
        auth_plugin_map=plugins,
        defer_connect=True,
    )
    connection.connect(sock)
    # From here on the server's own limit comes first.
    connection._read_timeout = arguments["statement_timeout_s"] + _GRACE_S
    with connection.cursor() as cursor:
        seconds = arguments["statement_timeout_s"]
        is_maria = "MariaDB" in connection.get_server_info()
        limit = (
            f"max_statement_time={seconds}"
            if is_maria
            else f"max_execution_time={seconds * 1000:.0f}"
        )
        cursor.execute(f"SET SESSION {limit}, time_zone='+00:00'")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return connection


def _context(tls: str) -> Any:
    if tls in ("prefer", "disable"):
        return None
    context = ssl.create_default_context(cafile=certifi.where())
    if tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _socket(arguments: Mapping[str, Any]) -> socket.socket:
    """A socket to the checked address. (Its reader process has no resolver.)"""
    family, kind, protocol, _, address = arguments["addresses"][0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(arguments["connect_timeout_s"])
        sock.connect(tuple(address))
    except OSError:
        sock.close()
        raise
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def said(error: BaseException | None) -> str:
    """The first words of what a database says, in one line."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        text = error.diag.message_primary
    elif isinstance(error, pymysql.MySQLError) and len(error.args) > 1:
        text = str(error.args[1])
    else:
        text = str(error).partition("\n")[0]
    return " ".join(text.split())[:_SHOWN_LETTERS].rstrip(". ") or "it says nothing more"


def is_timeout(error: BaseException | None) -> bool:
    """Whether a query took longer than was allowed."""
    if isinstance(error, psycopg.Error):
        return error.sqlstate == "57014"
    if not isinstance(error, pymysql.MySQLError):
        return False
    return error.args[:1] in ((1969,), (3024,)) or "timed out" in str(error)


def is_gone(error: BaseException | None) -> bool:
    """Whether a connection broke off."""
    if isinstance(error, psycopg.OperationalError):
        # Class 57P: the server was told to stop; no state at all: it just went.
        return (error.sqlstate or "57P").startswith(("57P", "08"))
    if isinstance(error, pymysql.MySQLError):
        return bool(error.args) and error.args[0] in (1053, 1927, 2006, 2013, 2014)
    return isinstance(error, OSError)


_POSTGRES_KEY = """
    SELECT a.attname FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indisprimary AND c.relname = :name
      AND c.relnamespace = coalesce(CAST(:schema AS text), current_schema())::text::regnamespace
    ORDER BY array_position(CAST(i.indkey AS int2[]), a.attnum)
"""
_MYSQL_KEY = """
    SELECT column_name FROM information_schema.key_column_usage
    WHERE constraint_name = 'PRIMARY' AND table_name = :name
      AND table_schema = coalesce(:schema, database()) ORDER BY ordinal_position
"""
_MARIADB = Dialect("mysql", "mysql+pymysql", _mysql, _MYSQL_KEY)
DIALECTS = {
    "postgresql": Dialect("postgresql", "postgresql+psycopg", _postgres, _POSTGRES_KEY),
    "postgres": Dialect("postgresql", "postgresql+psycopg", _postgres, _POSTGRES_KEY),
    "mariadb": _MARIADB,
    "mysql": _MARIADB,
    # Tried by nobody here; their drivers are not installed.
    "mssql": Dialect("mssql", "mssql+pymssql"),
    "oracle": Dialect("oracle", "oracle+oracledb"),
}
