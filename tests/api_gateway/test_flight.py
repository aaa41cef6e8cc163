"""Flight SQL: the unmodified ADBC driver against the real server."""

from __future__ import annotations

import os
import subprocess
import sys

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error

from api_gateway.flight_messages import packed
from tests.api_gateway.portal import STARTUP, deny
from tests.servers import free_port, wait_for


@pytest.fixture(scope="module")
def server(folder, settings):
    port = free_port()
    log = folder / "flight.log"
    told = settings | {"FLIGHT_PORT": port, "GATEWAY_WORKERS": 2}
    environ = {"PATH": os.environ["PATH"]}
    environ |= {f"HANOIIC_{name}": str(value) for name, value in told.items()}
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "api_gateway.flight"], stdout=output, stderr=output, env=environ
        )

    def listens() -> bool:
        assert child.poll() is None, log.read_text()
        return "listening" in log.read_text()

    wait_for(listens, "the Flight SQL server", 60)
    yield f"grpc://127.0.0.1:{port}"
    child.terminate()
    assert child.wait(20) == 0


@pytest.fixture
def connection(server, portal):
    token = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {STARTUP}"}
    with flightsql.connect(server, db_kwargs=token) as connected:
        yield connected


def test_a_query_comes_as_arrow(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tên, mã FROM bus_stops ORDER BY mã")
        table = cursor.fetch_arrow_table()
    assert table.column_names == ["tên", "mã"]
    assert table["tên"].to_pylist() == ["Bến xe Mỹ Đình", "Hồ Gươm", "Đống Đa"]


def test_a_long_answer_streams(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT range AS i FROM range(1000000)")
        assert sum(batch.num_rows for batch in cursor.fetch_record_batch()) == 1_000_000


def test_a_prepared_statement_takes_parameters(connection):
    with connection.cursor() as cursor:
        found = []
        for number in (1, 3):
            cursor.execute("SELECT tên FROM bus_stops WHERE mã = ?", parameters=(number,))
            found.append(cursor.fetchone()[0])
    assert found == ["Bến xe Mỹ Đình", "Đống Đa"]


def test_tables_are_listed_with_their_columns(connection):
    listed = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
    tables = {
        table["table_name"]: [column["column_name"] for column in table["table_columns"]]
        for catalog in listed
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }
    assert tables["bus_stops"] == ["mã", "tên", "phường"]
    assert "requested" not in tables
    assert "hidden" not in tables


def test_the_server_says_what_it_is(connection):
    assert connection.adbc_get_info()["vendor_name"] == "Hanoi Innovation Center open-data gateway"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM requested", "access_denied"),
        ("SELECT * FROM nowhere", "table_not_found"),
        ("COPY bus_stops TO 'x'", "statement_not_allowed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "_not_"),
        ("SELEC 1", "sql_syntax"),
    ],
)
def test_what_is_refused_says_its_code(connection, sql, code):
    with connection.cursor() as cursor, pytest.raises(Error, match=code):
        cursor.execute(sql)


def test_a_bad_token_is_refused_and_an_open_table_needs_none(server, portal):
    bad = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer hic_nobody"}
    with (
        flightsql.connect(server, db_kwargs=bad) as connected,
        connected.cursor() as cursor,
        pytest.raises(Error, match="token_invalid"),
    ):
        cursor.execute("SELECT 1 FROM bus_stops")
    with flightsql.connect(server) as connected, connected.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bus_stops")
        assert cursor.fetchone() == (3,)


def test_a_handshake_with_the_token_as_password_gives_a_bearer(server, portal):
    with flight.connect(server) as client:
        name, value = client.authenticate_basic_token("token", STARTUP)
        assert (name, value) == (b"authorization", f"Bearer {STARTUP}".encode())


def test_a_revoked_caller_gets_nothing_more(connection, portal):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM secret")
        assert cursor.fetchone() == (1,)
        portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
        portal.change()
        with pytest.raises(Error, match="access_denied"):
            cursor.execute("SELECT count(*) FROM secret")


def test_what_is_no_message_is_refused(server, portal):
    with flight.connect(server) as client:
        with pytest.raises(flight.FlightServerError, match="bad_request"):
            client.get_flight_info(flight.FlightDescriptor.for_command(b"\x00nonsense"))
        with pytest.raises(pa.ArrowException):
            client.do_get(flight.Ticket(b"nonsense")).read_all()
        forged = packed("CommandPreparedStatementQuery", prepared_statement_handle=b"[1]")
        with pytest.raises(pa.ArrowException, match="internal_error") as failed:
            client.get_flight_info(flight.FlightDescriptor.for_command(forged))
        assert "Traceback" not in str(failed.value)
