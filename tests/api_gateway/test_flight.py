"""Flight SQL: the unmodified ADBC driver against the real server."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as dt_time
from decimal import Decimal

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error

from api_gateway.flight_messages import CLASSES, packed, unpacked
from api_gateway.flight_problems import Call
from tests.api_gateway.portal import STARTUP, deny
from tests.servers import wait_for


@pytest.fixture
def server(flight_server: str) -> str:
    return flight_server


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


def test_a_table_is_told_with_the_types_of_its_answers(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM typed LIMIT 0")
        answered = cursor.fetch_arrow_table().schema
    told = connection.adbc_get_table_schema("typed")
    assert {field.name: field.type for field in told} == {
        field.name: field.type for field in answered
    }


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


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM secret", "SELECT s.*, i FROM secret s, range(9999999) t(i)"]
)
def test_what_was_begun_before_a_revocation_is_not_handed_out_after_it(server, portal, sql):
    with flight.connect(server) as client:
        info = info_of(client, sql, as_startup())
        portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
        portal.change()
        with pytest.raises(flight.FlightUnauthorizedError, match="access_denied"):
            client.do_get(info.endpoints[0].ticket, as_startup()).read_all()
        with pytest.raises(flight.FlightServerError, match="no such query"):
            client.do_get(info.endpoints[0].ticket, as_startup()).read_all()


def test_what_is_no_message_is_refused(server, portal):
    with flight.connect(server) as client:
        with pytest.raises(flight.FlightServerError, match="bad_request"):
            client.get_flight_info(flight.FlightDescriptor.for_command(b"\x00nonsense"))
        with pytest.raises(pa.ArrowException):
            client.do_get(flight.Ticket(b"nonsense")).read_all()
        forged = packed("CommandPreparedStatementQuery", prepared_statement_handle=b"[1]")
        with pytest.raises(flight.FlightServerError, match="bad_request"):
            client.get_flight_info(flight.FlightDescriptor.for_command(forged))
        for name in ("CancelFlightInfo", "CancelQuery"):
            for body in (b"\x00nonsense", packed("ActionCancelQueryRequest", info=b"nonsense")):
                with pytest.raises(flight.FlightServerError, match="bad_request"):
                    list(client.do_action(flight.Action(name, body)))


@pytest.mark.parametrize("error", [KeyError("/lake/secret"), ValueError(), TypeError("/lake")])
def test_a_fault_of_the_gateway_tells_nothing(error):
    with pytest.raises(flight.FlightInternalError, match="internal_error") as failed, Call():
        raise error
    assert "lake" not in str(failed.value)


def info_of(client: flight.FlightClient, sql: str, options=None) -> flight.FlightInfo:
    command = packed("CommandStatementQuery", query=sql)
    return client.get_flight_info(flight.FlightDescriptor.for_command(command), options)


def as_startup() -> flight.FlightCallOptions:
    return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {STARTUP}".encode())])


def test_its_visits_are_told_as_flight(connection, portal):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM secret")
        cursor.fetchall()

    def doors() -> set[str]:
        events = portal.office.events
        named = ((each["door"], [table["name"] for table in each["tables"]]) for each in events)
        return {door for door, names in named if names == ["secret"]}

    wait_for(lambda: doors() == {"flight"}, "the event", 10)


def test_what_was_fetched_is_told_as_an_answer_and_its_rows_once(connection, portal):
    rows = 300_000
    with connection.cursor() as cursor:
        # The driver prepares each statement first: that is one more query, of no rows.
        cursor.execute(
            f"SELECT i, s FROM range({rows}) t(i) CROSS JOIN (SELECT 1 AS s FROM secret LIMIT 1)"
        )
        assert cursor.fetch_arrow_table().num_rows == rows

    def told() -> list[tuple[str, int]]:
        events = portal.office.events
        return [(each["outcome"], each["rows"]) for each in events if each["door"] == "flight"]

    wait_for(lambda: sum(rows for _, rows in told()) > 0, "the event", 10)
    assert {outcome for outcome, _ in told()} == {"answered"}
    assert sum(rows for _, rows in told()) == rows


def test_a_prepared_statement_tells_its_parameters(connection):
    with connection.cursor() as cursor:
        told = cursor.adbc_prepare("SELECT tên FROM bus_stops WHERE mã = ? AND tên <> ?")
        assert told.names == ["1", "2"]
        assert cursor.adbc_prepare("SELECT $more, $less").names == ["more", "less"]
        assert cursor.adbc_prepare("SELECT 1").names == []


def test_parameters_are_bound_by_place_and_by_name(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT ?::INTEGER - ?::INTEGER", parameters=(5, 3))
        assert cursor.fetchone() == (2,)
        named = pa.record_batch({"less": [3], "more": [5]})
        cursor.execute("SELECT $more::INTEGER - $less::INTEGER", parameters=named)
        assert cursor.fetchone() == (2,)
        with pytest.raises(Error, match="bad_parameters"):
            cursor.execute("SELECT $more::INTEGER - $less::INTEGER", parameters=(5,))


UTC_7 = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Đống Đa", "VARCHAR"),
        (2**63 - 1, "BIGINT"),
        (1.5, "DOUBLE"),
        (True, "BOOLEAN"),
        (b"\x00\xffabc", "BLOB"),
        (Decimal("1234.499"), "DECIMAL(7,3)"),
        (Decimal("-12345678901234567890123456789012345678"), "DECIMAL(38,0)"),
        (date(999, 1, 2), "DATE"),
        (dt_time(6, 30, 1, 5), "TIME"),
        (datetime(2026, 1, 2, 3, 4, 5, 6), "TIMESTAMP"),  # noqa: DTZ001 (has none)
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "TIMESTAMP WITH TIME ZONE"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC_7), "TIMESTAMP WITH TIME ZONE"),
        (["a", None], "VARCHAR[]"),
        ([Decimal("9.5"), Decimal("10.0")], "DECIMAL(3,1)[]"),
    ],
)
def test_a_parameter_is_of_its_type(connection, value, kind):
    with connection.cursor() as cursor:
        cursor.execute("SELECT ? AS it, typeof(?) AS kind", parameters=(value, value))
        assert cursor.fetchone() == (value, kind)


@pytest.mark.parametrize(
    ("sql", "values", "found"),
    [
        ("SELECT ? < ?", [Decimal(9), Decimal(10)], True),
        ("SELECT 1234.50::DECIMAL(18, 2) = ?", [Decimal("1234.499")], False),
        ("SELECT 'abc'::BLOB = ?", [b"abc"], True),
        ("SELECT year(?)", [date(2026, 1, 2)], 2026),
        ("SELECT ? + 1", [date(2026, 1, 2)], date(2026, 1, 3)),
        ("SELECT ? < ?", [date(999, 1, 2), date(2026, 1, 2)], True),
        ("SELECT DATE '2026-01-01' + ?", [timedelta(days=1, microseconds=-1)],
         datetime(2026, 1, 1, 23, 59, 59, 999999)),  # noqa: DTZ001
        ("SELECT sum(mã) FROM bus_stops WHERE mã IN (SELECT unnest(?))", [[1, 3]], 4),
    ],
)  # fmt: skip
def test_a_parameter_computes_as_its_type(connection, sql, values, found):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters=values)
        assert cursor.fetchone() == (found,)


def test_nanoseconds_are_taken_that_are_whole_microseconds(connection):
    whole, fine = 1_700_000_000_123_456_000, 1_700_000_000_123_456_789
    kinds = [pa.timestamp("ns"), pa.timestamp("ns", "Asia/Ho_Chi_Minh"), pa.duration("ns")]
    with connection.cursor() as cursor:
        for kind in kinds:
            values = pa.record_batch({"0": pa.array([whole], kind)})
            cursor.execute("SELECT ?", parameters=values)
            assert cursor.fetch_arrow_table().num_rows == 1
            values = pa.record_batch({"0": pa.array([fine], kind)})
            with pytest.raises(Error, match="bad_parameters"):
                cursor.execute("SELECT ?", parameters=values)


@pytest.mark.parametrize(
    "value", [pa.array([{"a": 1}]), pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))]
)
def test_a_parameter_of_a_type_that_is_not_taken_is_refused_not_changed(connection, value):
    with connection.cursor() as cursor, pytest.raises(Error, match="bad_parameters"):
        cursor.execute("SELECT ?", parameters=pa.record_batch({"0": value}))


def test_a_handle_with_values_of_no_kind_is_refused(server, portal):
    with flight.connect(server) as client:
        for value in ({"date": "tomorrow"}, {"decimal": "x"}, {"nothing": "1"}, {"date": 1}, {}):
            told = json.dumps({"sql": "SELECT ?", "params": [value]}).encode()
            forged = packed("CommandPreparedStatementQuery", prepared_statement_handle=told)
            with pytest.raises(flight.FlightServerError, match="bad_request"):
                client.get_flight_info(flight.FlightDescriptor.for_command(forged))


def test_several_sets_of_parameters_are_refused_with_what_to_do(connection):
    with connection.cursor() as cursor:
        with pytest.raises(Error, match=r"bad_parameters.*one set of parameters"):
            cursor.execute("SELECT ?", parameters=pa.record_batch({"1": [1, 2]}))
        with pytest.raises(Error, match=r"statement_not_allowed.*only reads"):
            cursor.executemany("SELECT ?", [(1,), (2,)])
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_catalogues_types_and_keys_are_told(server, portal):
    def rows(command: str, **fields) -> list[dict]:
        told = packed(command, **fields)
        info = client.get_flight_info(flight.FlightDescriptor.for_command(told), as_startup())
        table = client.do_get(info.endpoints[0].ticket, as_startup()).read_all()
        assert table.schema.equals(info.schema)
        return table.to_pylist()

    with flight.connect(server) as client:
        assert rows("CommandGetCatalogs") == [{"catalog_name": ""}]
        assert rows("CommandGetDbSchemas") == [{"catalog_name": "", "db_schema_name": ""}]
        assert rows("CommandGetTableTypes") == [{"table_type": "TABLE"}]
        assert rows("CommandGetPrimaryKeys", table="bus_stops") == []
        assert rows("CommandGetTables", table_name_filter_pattern="bus%")[0]["table_name"] == (
            "bus_stops"
        )
        assert rows("CommandGetTables", table_types=["VIEW"]) == []
        for elsewhere in ({"db_schema_filter_pattern": "nope"}, {"catalog": "nope"}):
            assert rows("CommandGetTables", **elsewhere) == []
            assert rows("CommandGetDbSchemas", **elsewhere) == []
        assert rows("CommandGetTables", db_schema_filter_pattern="%")
        assert {row["info_name"] for row in rows("CommandGetSqlInfo", info=[3, 9])} == {3, 9}
        assert [row["type_name"] for row in rows("CommandGetXdbcTypeInfo", data_type=12)] == [
            "VARCHAR"
        ]


def test_a_query_is_cancelled_before_and_while_it_is_fetched_and_only_by_its_caller(server, portal):
    sql = "SELECT i FROM range(1000000000) t(i)"
    with flight.connect(server) as client:
        assert {each.type for each in client.list_actions()} >= {"CancelFlightInfo", "CancelQuery"}

        def cancelled(info: flight.FlightInfo, options=None) -> int:
            body = CLASSES["CancelFlightInfoRequest"](info=info.serialize()).SerializeToString()
            (said,) = client.do_action(flight.Action("CancelFlightInfo", body), options)
            return CLASSES["CancelFlightInfoResult"].FromString(said.body.to_pybytes()).status

        info = info_of(client, sql)
        assert cancelled(info, as_startup()) == 3
        assert cancelled(info) == 1
        with pytest.raises(flight.FlightServerError, match="no such query"):
            client.do_get(info.endpoints[0].ticket).read_all()

        info = info_of(client, sql)
        reader = client.do_get(info.endpoints[0].ticket)
        reader.read_chunk()
        body = packed("ActionCancelQueryRequest", info=info.serialize())
        (said,) = client.do_action(flight.Action("CancelQuery", body))
        assert unpacked(said.body.to_pybytes())[1].result == 1
        with pytest.raises(pa.ArrowException, match="broken off"):
            reader.read_all()


def test_a_caller_that_hangs_up_before_the_first_row_cancels_its_query(server, portal):
    """Two places, of which one caller has one: the second query waits for the first's end."""
    bomb = "SELECT count(*) FROM range(100000000000) t(i) WHERE i % 7 = 3"
    impatient = flight.FlightCallOptions(timeout=1.0)
    with flight.connect(server) as client:
        with pytest.raises(flight.FlightTimedOutError):
            info_of(client, bomb, impatient)
        begun = time.monotonic()
        info = info_of(client, "SELECT 1")
        client.do_get(info.endpoints[0].ticket).read_all()
    assert time.monotonic() - begun < 10


def test_what_a_jdbc_driver_asks_is_answered(server, portal):
    """As Arrow's own driver asks for a tool like DBeaver; PyPI has no jar of it to try."""
    with flight.connect(server) as client:
        bearer = client.authenticate_basic_token("token", STARTUP)
        options = flight.FlightCallOptions(headers=[bearer])

        def fetched(command: bytes) -> pa.Table:
            descriptor = flight.FlightDescriptor.for_command(command)
            (endpoint,) = client.get_flight_info(descriptor, options).endpoints
            return client.do_get(endpoint.ticket, options).read_all()

        told = fetched(packed("CommandGetSqlInfo"))
        told.validate(full=True)
        known = {row["info_name"]: row["value"] for row in told.to_pylist()}
        # A number of SQL's that is missing is a null that the driver falls over.
        assert set(range(500, 577)) <= set(known)
        assert (known[3], known[504], known[537], known[540], known[549], known[567]) == (
            True, '"', False, 3, 0, 2
        )  # fmt: skip
        listed = fetched(packed("CommandGetTables", table_types=["TABLE"], include_schema=True))
        schemas = {row["table_name"]: row["table_schema"] for row in listed.to_pylist()}
        stops = pa.ipc.read_schema(pa.py_buffer(schemas["bus_stops"]))
        assert stops.names == ["mã", "tên", "phường"]
        for keys in ("PrimaryKeys", "ImportedKeys", "ExportedKeys"):
            assert fetched(packed(f"CommandGet{keys}", table="bus_stops")).num_rows == 0
        both = {"pk_table": "bus_stops", "fk_table": "wards"}
        assert fetched(packed("CommandGetCrossReference", **both)).num_rows == 0

        def act(name: str, **fields) -> list[bytes]:
            body = packed(f"Action{name}Request", **fields)
            return [each.body.to_pybytes() for each in client.do_action((name, body), options)]

        (made,) = act("CreatePreparedStatement", query='SELECT * FROM "BUS_STOPS" AS s')
        prepared = unpacked(made)[1]
        # Without columns it would be taken for an update.
        assert pa.ipc.read_schema(pa.py_buffer(prepared.dataset_schema)).equals(stops)
        handle = prepared.prepared_statement_handle
        command = packed("CommandPreparedStatementQuery", prepared_statement_handle=handle)
        assert fetched(command)["mã"].to_pylist() == [1, 2, 3]
        assert act("ClosePreparedStatement", prepared_statement_handle=handle) == []
