"""Tables and SELECTs of a real PostgreSQL and a real MariaDB, into the lake."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest

from harvesters import apart
from harvesters.connectors import sql
from harvesters.credentials import Credential
from harvesters.errors import (
    HarvestError,
    LoginRefused,
    SecretMissing,
    SecretUnfit,
    SourceInterrupted,
)
from harvesters.fetch import Client
from harvesters.readers import database as reader
from harvesters.source import Source
from lake.store import Lake
from tests import servers
from tests.harvesters.conftest import QUICK, rows, types
from tests.harvesters.taking import Taken, Taking

READER, PASSWORD = "doc_gia", "mật-khẩu-đọc"


@dataclass(frozen=True)
class Database:
    """`run` executes a statement as the owner; `url` is the address for the harvester."""

    scheme: str
    port: int
    run: Callable[[str], Any]

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/so"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Database]:
    with servers.temporary_home() as home, servers.postgres(home) as server:
        with server.superuser() as connection:
            connection.autocommit = True
            connection.execute("CREATE DATABASE so")
        with server.superuser("so") as connection:
            connection.autocommit = True
            connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
            connection.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {READER}"
            )
            yield Database("postgresql", server.port, connection.execute)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Database]:
    if not servers.has_mariadb():
        pytest.skip("no MariaDB here: apt-get install -y mariadb-server")
    with servers.mariadb() as server:
        connection = pymysql.connect(
            host="127.0.0.1", port=server.port, user="root", password=server.password,
            autocommit=True, charset="utf8mb4",
        )  # fmt: skip

        def run(statement: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute(statement)

        with connection:
            run("SET time_zone = '+00:00'")
            run("CREATE DATABASE so CHARACTER SET utf8mb4")
            run(f"CREATE USER {READER} IDENTIFIED BY '{PASSWORD}'")
            run(f"GRANT SELECT ON so.* TO {READER}")
            connection.select_db("so")
            yield Database("mariadb", server.port, run)


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request) -> Database:
    return request.getfixturevalue(request.param)


@pytest.fixture
def remote(tmp_path) -> Iterator[Client]:
    client = Client(tmp_path / "raw", ["localhost"], QUICK)
    yield client
    client.close()


@pytest.fixture
def got(remote: Client, lake: Lake, serve) -> Callable[..., Taken]:
    def got(url: str, *, secret: str = f"{READER}:{PASSWORD}", **options: Any) -> Taken:
        remote.carry(Credential("basic", "localhost", secret), url)
        return Taking(remote, serve, lake)("sql", url=url, **options)

    return got


def read(at: Database, *, secret: str = PASSWORD, **changed: Any) -> list[dict[str, Any]]:
    """What the reader gives, in this process: the columns of its rows, then of its ending."""
    arguments = {
        **{"scheme": at.scheme, "host": "localhost", "port": at.port},
        **{"addresses": socket.getaddrinfo("127.0.0.1", at.port, type=socket.SOCK_STREAM)},
        **{"database": "so", "user": READER, "password": secret, "tls": "prefer"},
        **{"connect_timeout_s": 5, "statement_timeout_s": 20, "key": None, "last": None},
        **{"unique": [], "counts": True, **changed},
    }
    tables = reader.read(Path(), arguments)
    return [pa.Table.from_batches(each.batches, each.schema).to_pydict() for each in tables]


@pytest.fixture
def stations(database: Database) -> Iterator[Database]:
    database.run("CREATE TABLE tram (id integer PRIMARY KEY, ten varchar(40))")
    database.run("INSERT INTO tram VALUES (2, 'Hai'), (1, 'Một'), (10, NULL)")
    yield database
    database.run("DROP TABLE tram")


def test_a_table_is_read_in_the_order_of_its_key(got, stations, lake):
    assert got(stations.url, query="tram").error is None
    assert rows(lake, "t") == [
        {"id": 1, "ten": "Một"}, {"id": 2, "ten": "Hai"}, {"id": 10, "ten": None}
    ]  # fmt: skip
    schema = "public" if stations.scheme == "postgresql" else "so"
    (whole, _) = read(stations, query=f"{schema}.tram")
    assert whole["id"] == [1, 2, 10]
    statement = """
        -- every sign that a driver could take for its own; a comment
        SELECT id AS "mã", 'a:b %s %(x)s :last' AS "chữ" FROM tram WHERE ten LIKE '%a%'
    """
    statement = statement.replace("; a comment", "")
    quoted = statement if schema == "public" else statement.replace('"', "`")
    (found, _) = read(stations, query=quoted)
    assert found == {"mã": [2], "chữ": ["a:b %s %(x)s :last"]}


def test_types_of_postgresql_are_kept(got, postgresql, lake):
    ran = got(
        postgresql.url,
        query="""SELECT 1::smallint a, 9007199254740993::bigint b, 1.5::real c,
            12.30::numeric(8,2) d, 0.1::numeric e, true f,
            DATE '2026-07-01' g, TIMESTAMPTZ '2026-07-01 07:00+07' h,
            TIMESTAMP '2026-07-01 07:00' i, '001'::text j, decode('00ff','hex') k,
            '{"x": 1.10}'::jsonb l,
            ARRAY[1,NULL,3] m, gen_random_uuid() n, TIME '07:30' o, INTERVAL '1 day' p,
            ARRAY['a'] q, 'infinity'::date r, NULL::int s""",
    )
    assert ran.error is None
    found = types(lake, "t")
    first = rows(lake, "t")[0]
    assert " ".join(f"{name}:{found[name]}" for name in "abcdefghijklmopqrs") == (
        "a:int64 b:int64 c:float64 d:decimal(8,2) e:float64 f:boolean g:date h:timestamp "
        "i:timestamp j:string k:binary l:string m:list<int64> o:time p:string q:list<string> "
        "r:date s:int64"
    )
    assert first["b"] == 9007199254740993
    assert (first["d"], first["j"], first["l"]) == (Decimal("12.30"), "001", '{"x": 1.10}')
    assert first["h"] == datetime(2026, 7, 1, tzinfo=UTC)
    assert (first["g"], first["k"], first["m"]) == (date(2026, 7, 1), b"\x00\xff", [1, None, 3])
    assert first["r"] is None
    assert any("r: 1 values" in text for text in ran.messages)


def test_types_of_mariadb_are_kept(got, mariadb, lake):
    mariadb.run(
        "CREATE TABLE kieu (a tinyint, b bigint unsigned, c double, d decimal(8,2), g date, "
        "h timestamp NULL, i datetime, j char(3), k varbinary(4), l json, o time, p point, r date)"
    )
    mariadb.run("SET time_zone = '+07:00'")
    mariadb.run("SET sql_mode = ''")
    mariadb.run(
        "INSERT INTO kieu VALUES (1, 18446744073709551615, 1.5, 12.30, '2026-07-01', "
        "'2026-07-01 07:00', '2026-07-01 07:00', '001', x'00ff', '{\"x\": 1.10}', '07:30', "
        "ST_GeomFromText('POINT(105.8 21)', 4326), '0000-00-00')"
    )
    ran = got(mariadb.url, query="kieu")
    mariadb.run("DROP TABLE kieu")
    mariadb.run("SET time_zone = '+00:00'")
    assert ran.error is None
    found, (first,) = types(lake, "t"), rows(lake, "t")
    assert " ".join(f"{name}:{found[name]}" for name in "abcdghijklo") == (
        "a:int64 b:decimal(20,0) c:float64 d:decimal(8,2) g:date h:timestamp i:timestamp "
        "j:string k:binary l:string o:time"
    )
    assert first["b"] == Decimal("18446744073709551615")
    assert (first["d"], first["j"], first["k"]) == (Decimal("12.30"), "001", b"\x00\xff")
    assert first["h"] == datetime(2026, 7, 1, tzinfo=UTC)
    assert (first["lon"], first["lat"], found["geometry"]) == (105.8, 21.0, "geometry")
    assert any("r: 1 values" in text for text in ran.messages)


def test_places_as_postgis_gives_them(got, postgresql, lake):
    internal = "IMMUTABLE STRICT LANGUAGE internal"
    # PostGIS' own way out: hexadecimal EWKB. Its type, of PostgreSQL's own texts.
    for statement in (
        "CREATE TYPE geometry",
        f"CREATE FUNCTION g_in(cstring) RETURNS geometry {internal} AS 'textin'",
        f"CREATE FUNCTION g_out(geometry) RETURNS cstring {internal} AS 'textout'",
        "CREATE TYPE geometry (INPUT = g_in, OUTPUT = g_out, LIKE = text)",
        "CREATE TABLE ranh (id int, cho geometry)",
        # POINT(583000 2325000) and POINT(105.8 21) with the number of their systems.
        "INSERT INTO ranh VALUES (1, '01010000204D0D00000000000070CA2141000000001ABD4141')",
    ):
        postgresql.run(statement)
    try:
        assert got(postgresql.url, query="ranh").error is None
        (first,) = rows(lake, "t")
        assert (round(first["lon"], 1), round(first["lat"], 1)) == (105.8, 21.0)
        postgresql.run(
            "INSERT INTO ranh VALUES (2, '0101000020E61000003333333333735A400000000000003540')"
        )
        assert got(postgresql.url, query="ranh").code == "crs_unsupported"
    finally:
        postgresql.run("DROP TYPE geometry CASCADE; DROP TABLE ranh")


def test_many_rows_are_streamed(got, database, lake):
    numbers = {
        "postgresql": "SELECT i, repeat('x', 200) AS x FROM generate_series(1, 30000) AS s(i)",
        "mariadb": "SELECT seq AS i, repeat('x', 200) AS x FROM seq_1_to_30000",
    }
    assert got(database.url, query=numbers[database.scheme]).error is None
    assert [row["i"] for row in rows(lake, "t")] == list(range(1, 30001))


@pytest.fixture
def log(database: Database) -> Iterator[Database]:
    database.run("CREATE TABLE nhat (id integer PRIMARY KEY, luc timestamp NOT NULL, so integer)")
    database.run(
        "INSERT INTO nhat VALUES (1,'2026-01-01 00:00:01',10),(2,'2026-01-01 00:00:02',20)"
    )
    yield database
    database.run("DROP TABLE nhat")


def test_with_a_key_new_rows_are_put_to_the_known_ones(remote, log, monkeypatch):
    asked: list[Any] = []
    streams = apart.streams

    def noting(reader, path, arguments, **others):
        asked.append(arguments["last"])
        return streams(reader, path, arguments, **others)

    monkeypatch.setattr("harvesters.apart.streams", noting)
    remote.carry(Credential("basic", "localhost", f"{READER}:{PASSWORD}"), log.url)
    options = {"query": "nhat", "key": "luc"}
    row = {"id": "s", "name": "t", "kind": "sql", "url": log.url, "options": options}

    def harvested() -> list[tuple[int, int]]:
        asked.clear()
        found = pq.read_table(sql.collect(Source.of(row), remote).path)
        return [(each["id"], each["so"]) for each in found.to_pylist()]

    last = "2026-01-01 00:00:02"
    assert harvested() == [(1, 10), (2, 20)]
    assert asked == [None]
    # The same moment as the last one known, and an old row that was changed since.
    log.run(f"INSERT INTO nhat VALUES (3, '{last}', 30)")
    log.run("UPDATE nhat SET so = 11, luc = '2026-01-01 00:00:05' WHERE id = 1")
    assert harvested() == [(2, 20), (3, 30), (1, 11)]
    assert [str(each)[:19] for each in asked] == [last]
    # What is deleted, or came late, has no new key: the number of rows tells.
    log.run("DELETE FROM nhat WHERE id = 2")
    log.run("INSERT INTO nhat VALUES (4, '2025-01-01 00:00:00', 40), (5, '2025-01-01', 50)")
    assert harvested() == [(4, 40), (5, 50), (3, 30), (1, 11)]
    assert asked[1:] == [None]


def test_an_unchanged_database_is_unchanged(portal, run, room, log):
    allowed = Client(room.client.raw_dir, ["localhost"], QUICK)
    portal.secrets["csdl"] = {"kind": "basic", "host": "localhost", "value": f"{READER}:{PASSWORD}"}
    source = portal.add_source(
        name="nhat", kind="sql", url=log.url, dataset={"table": "nhat", "access_tier": "open"},
        options={"query": "nhat", "key": "id", "secret": "csdl"},
    )  # fmt: skip
    object.__setattr__(room, "client", allowed)
    assert [run(source).state for _ in range(2)] == ["published", "unchanged"]


def test_hostile_values_and_names_of_a_database_are_texts(database, got, lake):
    mark = "`" if database.scheme == "mariadb" else '"'
    name = "x'; DROP TABLE a; --"
    texts = ["=cmd|'/c calc'!A1", "'; DROP TABLE tho; --", "<script>", "\\x00\u202e"]
    database.run(f"CREATE TABLE tho ({mark}{name}{mark} text, so int)")
    values = ", ".join("('{}', 1)".format(text.replace("'", "''")) for text in texts)
    slashes = values.replace("\\", "\\\\") if database.scheme == "mariadb" else values
    database.run(f"INSERT INTO tho VALUES {slashes}")
    assert got(database.url, query="tho").error is None
    assert sorted(row[name] for row in rows(lake, "t")) == sorted(texts)


def test_a_first_try_without_a_query_says_which_tables_there_are(database, got):
    database.run("CREATE TABLE den_duong (ma int)")
    database.run("CREATE VIEW den_sang AS SELECT * FROM den_duong")
    ran = got(database.url)
    assert ran.code == "source_invalid"
    schema = {"postgresql": "public", "mariadb": "so"}[database.scheme]
    assert f"{schema}.den_duong, {schema}.den_sang" in ran.error.detail
    assert "information_schema" not in ran.error.detail


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT 1; DROP TABLE tram", "source_invalid"),
        ("DELETE FROM tram", "api_refused"),
        ("WITH x AS (DELETE FROM tram RETURNING id) SELECT * FROM x", "api_refused"),
        ("SELECT * FROM tram) q INTO OUTFILE '/tmp/x' /*", "api_refused"),
        ("SELECT 1) q, (SELECT 2", "api_refused"),
        ("SELECT nextval('dem') AS a", "api_refused"),
        ("tram q, pg_sleep(1)", "api_refused"),
        ("khong_co", "api_refused"),
        ("SELECT * FROM tram FOR UPDATE", "api_refused"),
        ("SELECT id, id FROM tram WHERE", "api_refused"),
    ],
)
def test_nothing_but_a_select_is_asked(stations, query, code):
    with pytest.raises(HarvestError) as caught:
        read(stations, query=query)
    assert caught.value.code == code
    assert read(stations, query="tram")[1]["count"] == [3]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"secret": "sai"}, "login_refused", "does not take the secret"),
        ({"user": "ai_do"}, "login_refused", ""),
        ({"key": "khong_co"}, "api_refused", "khong_co"),
        ({"unique": ["khong_co"]}, "api_refused", "khong_co"),
        ({"tls": "require"}, "tls_failed", "SSL"),
        ({"database": "khong_co"}, "", ""),
        ({"scheme": "mssql"}, "source_invalid", "driver"),
    ],
)
def test_what_does_not_fit_is_named(stations, change, code, words):
    with pytest.raises(HarvestError) as caught:
        read(stations, query="tram", **change)
    assert caught.value.code in ([code] if code else ["login_refused", "source_unreachable"])
    assert words in caught.value.detail
    assert PASSWORD not in str(caught.value)


def test_a_query_that_takes_too_long_is_given_up(database):
    sleep = {"postgresql": "SELECT pg_sleep(30)::text AS a", "mariadb": "SELECT sleep(30) AS a"}
    with pytest.raises(HarvestError) as caught:
        read(database, query=sleep[database.scheme], statement_timeout_s=1)
    assert caught.value.code == "source_too_slow"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://localhost/a?options=-cx", "url_refused"),
        ("postgresql://localhost/a?host=/tmp", "url_refused"),
        ("postgresql://u:p@localhost/a", "url_refused"),
        ("postgresql://localhost", "url_refused"),
        ("sqlite://localhost/a", "url_refused"),
    ],
)
def test_addresses_that_lead_elsewhere_are_refused(remote, serve, lake, url, code):
    remote.carry(Credential("basic", "localhost", "a:b"), url)
    assert Taking(remote, serve, lake)("sql", url=url, query="a").code == code


def test_a_secret_is_for_its_host_and_of_its_kind(remote, got):
    with pytest.raises(SecretUnfit):
        remote.carry(Credential("basic", "localhost", "a:b"), "postgresql://127.0.0.1/a")
    remote.carry(Credential("bearer", "localhost", "a"), "postgresql://localhost/a")
    row = {"id": "s", "name": "t", "kind": "sql", "url": "postgresql://localhost/a"}
    with pytest.raises(SecretUnfit):
        sql.collect(Source.of({**row, "options": {"query": "a"}}), remote)
    remote.carry(None, "postgresql://localhost/a")
    with pytest.raises(SecretMissing):
        sql.collect(Source.of({**row, "options": {"query": "a"}}), remote)


def test_a_private_host_needs_the_operators_word(tmp_path, serve, lake):
    client = Client(tmp_path / "raw", [], QUICK)
    client.carry(Credential("basic", "localhost", "a:b"), "postgresql://localhost:1/a")
    ran = Taking(client, serve, lake)("sql", url="postgresql://localhost:1/a", query="a")
    assert ran.code == "address_forbidden"


@contextlib.contextmanager
def _answering(first: bytes, *, then_close: bool = True) -> Iterator[int]:
    """A port where something else answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(first)
                    if then_close:
                        connection.close()
                    held.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        for connection in held:
            connection.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_what_is_no_database_is_named(scheme):
    """Soon: who says nothing at all is not waited for as long as a query may take."""
    patience = {"connect_timeout_s": 2, "statement_timeout_s": 3600}

    def code(port: int) -> str:
        with pytest.raises(HarvestError) as caught:
            read(Database(scheme, port, print), query="a", **patience)
        return caught.value.code

    with _answering(b"HTTP/1.1 200 OK\r\n\r\n<html>login</html>") as port:
        assert code(port) == "source_unreachable"
    assert code(servers.free_port()) == "source_unreachable"
    with _answering(b"", then_close=False) as port:
        assert code(port) == "source_too_slow"


def test_a_server_that_goes_mid_way_is_interrupted(postgresql):
    query = (
        "SELECT i, repeat('x', 900) AS x, CASE WHEN i = 20000 THEN "
        "pg_terminate_backend(pg_backend_pid()) END AS y FROM generate_series(1, 30000) AS s(i)"
    )
    with pytest.raises(SourceInterrupted):
        read(postgresql, query=query)


def test_a_reader_of_huge_rows_ends_at_its_limit(remote, got, postgresql, lake):
    remote.limits = replace(QUICK, total_s=240)
    ran = got(postgresql.url, query="SELECT repeat('x', 200000000) a, repeat('y', 200000000) b")
    assert ran.code == "source_too_large"
    assert not lake.tables()


def test_more_than_the_cap_is_refused(got, postgresql, lake):
    ran = got(
        postgresql.url,
        query="SELECT md5(i::text) || md5((-i)::text) AS a FROM generate_series(1, 200000) s(i)",
    )
    assert ran.code == "source_too_large"
    assert not lake.tables()


def test_a_password_is_never_sent_in_the_clear():
    # PostgreSQL's question for a password as it is.
    with (
        _answering(b"R\x00\x00\x00\x08\x00\x00\x00\x03", then_close=False) as port,
        pytest.raises(LoginRefused),
    ):
        read(Database("postgresql", port, print), query="a", tls="disable", connect_timeout_s=2)
