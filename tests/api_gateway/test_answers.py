"""What goes with an answer: its meaning, its tag, its compression, its plan, and its end."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import unicodedata
from datetime import datetime
from urllib.parse import unquote

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import shapely
import zstandard

from api_gateway import allowed, failures, repeatable
from lake import Column, Provenance
from lake.schema import to_arrow
from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP, permit

COLUMNS = [
    Column("trạm", "string", ascii="tram", title="Trạm đo"),
    Column("pm25", "float64", unit="µg/m³", title="Bụi PM2.5", title_en="PM2.5"),
    Column("vị trí", "geometry", ascii="vi_tri"),
]
PLACES = [shapely.Point(105.81, 21.02), shapely.Point(105.84, 21.0), None]


@pytest.fixture(scope="module")
def stations(lake):
    schema = to_arrow(COLUMNS)
    rows = pa.table(
        {
            "trạm": ["Láng", "=1+1", "Hồ <Gươm>"],
            "pm25": [35.5, None, 12.0],
            "vị trí": [None if each is None else shapely.to_wkb(each) for each in PLACES],
        },
        schema=schema,
    )
    lake.table("stations").publish(rows.to_batches(), Provenance(), schema=schema)


@pytest.fixture(autouse=True)
def open_stations(portal, stations):
    for tables in portal.tables.values():
        tables["stations"] = permit(title="Trạm quan trắc")
    portal.change()


@pytest.mark.parametrize(
    ("sql", "units"),
    [
        ("SELECT trạm, pm25 FROM stations", {"pm25": "µg/m³"}),
        ("FROM stations", {"pm25": "µg/m³"}),
        ("SELECT s.PM25 AS bụi FROM stations s", {"bụi": "µg/m³"}),
        ("SELECT pm25::INT AS whole FROM stations", {"whole": "µg/m³"}),
        ("WITH a AS (SELECT pm25 AS x FROM stations) SELECT y.x FROM (FROM a) y", {"x": "µg/m³"}),
        ("SELECT s.*, w.phường FROM stations s, wards w", {"pm25": "µg/m³"}),
        ("SELECT * REPLACE (pm25 * 2 AS pm25) FROM stations", {}),
        ("SELECT count(*) AS pm25 FROM stations", {}),
        ("SELECT *, pm25 / 2 AS pm25 FROM stations", {"pm25": "µg/m³"}),
        ("SELECT pm25 + 1 AS p FROM stations", {}),
        ("FROM stations UNION ALL FROM stations", {}),
        # Columns of one name are told apart by their order.
        ("SELECT s.pm25, v.pm25 FROM stations s, (SELECT 1 AS pm25) v", {"pm25": "µg/m³"}),
        ("SELECT v.pm25, s.pm25 FROM stations s, (SELECT 1 AS pm25) v", {"pm25_1": "µg/m³"}),
        ("SELECT 1 AS pm25, s.* FROM stations s", {"pm25_1": "µg/m³"}),
        ('SELECT 1 AS "PM25", pm25 FROM stations', {"pm25_1": "µg/m³"}),
        # What is not understood may have any columns.
        ("FROM (SELECT 1 AS pm25 UNION SELECT 2) u, stations", {}),
        ("FROM stations, (SELECT 1 AS pm25 UNION SELECT 2) u", {"pm25": "µg/m³"}),
        ("SELECT unnest({'pm25': 1}), pm25 FROM stations", {}),
        ("SELECT COLUMNS('pm.*') AS pm25, pm25 FROM stations", {}),
        ("SELECT #1, pm25 FROM stations", {}),
    ],
)
def test_units_go_with_columns_of_tables_alone(gateway, sql, units):
    columns = gateway.sql(sql).json()["columns"]
    assert {each["name"]: each["unit"] for each in columns if "unit" in each} == units


def test_meaning_in_envelope_and_headers(gateway):
    answer = gateway.sql("SELECT pm25 FROM stations", format="csv")
    assert json.loads(answer.headers["Hanoiic-Columns"]) == [
        {"name": "pm25", "type": "DOUBLE", "unit": "µg/m³"}
    ]
    attribution = unquote(answer.headers["Hanoiic-Attribution"])
    assert "Hà Nội. «Trạm quan trắc», stations phiên bản 1 (" in attribution
    body = gateway.sql("SELECT pm25 FROM stations").json()
    assert body["attribution"] == attribution
    assert body["columns"][0]["title_en"] == "PM2.5"


@pytest.mark.parametrize("format_name", ["arrow", "parquet"])
def test_meaning_in_the_schema(gateway, format_name):
    content = gateway.sql("SELECT trạm, pm25 AS p FROM stations", format=format_name).content
    if format_name == "arrow":
        schema = pa.ipc.open_stream(content).schema
    else:
        schema = pq.read_schema(io.BytesIO(content))
    assert schema.field("p").metadata[b"hanoiic:unit"].decode() == "µg/m³"
    assert json.loads(schema.metadata[b"hanoiic:tables"])[0]["licence"]["id"] == "CC-BY-4.0"


def test_geojson_is_a_feature_collection(gateway):
    answer = gateway.sql("FROM stations", format="geojson")
    assert answer.headers["Content-Type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["row_count"]) == ("FeatureCollection", 3)
    first, last = body["features"][0], body["features"][-1]
    assert first == {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [105.81, 21.02]},
        "properties": {"trạm": "Láng", "pm25": 35.5},
    }
    assert last["geometry"] is None
    alone = gateway.sql('SELECT "vị trí" AS p FROM stations LIMIT 1', format="geojson").json()
    assert alone["features"][0]["properties"] == {}
    sql = 'WITH a AS (SELECT "vị trí" AS p FROM stations) SELECT z.p AS q FROM a z'
    through = gateway.sql(sql, format="geojson").json()
    assert through["features"][0]["geometry"]["coordinates"] == [105.81, 21.02]


@pytest.mark.parametrize("kind", [duckdb.InterruptException, OSError])
def test_a_thread_that_stops_for_another_ones_failure_is_no_timeout(kind):
    error = kind("INTERRUPT Error: Interrupted!")
    assert failures.report(error, timed_out=False)["code"] == "query_failed"
    assert failures.report(error, timed_out=True)["code"] == "query_timeout"


@pytest.mark.parametrize(
    ("sql", "code"),
    {
        "SELECT unhex('đ')": "query_failed",
        "SELECT ('{\"tên\": ' || repeat('đ', 200))::JSON": "query_failed",
        "SELECT 'a' LIKE 'b' ESCAPE 'ab'": "query_failed",
        "SELECT reservoir_quantile(i, 0.5, 2000000000) FROM range(9) t(i)": "query_memory_exceeded",
    }.items(),
)
def test_what_the_engine_says_with_half_a_letter_or_as_its_own_fault_is_the_callers(
    gateway, sql, code
):
    answer = gateway.sql(sql)
    assert (answer.status_code < 500 or answer.status_code == 507, answer.json()["code"]) == (
        True,
        code,
    )


@pytest.mark.parametrize(
    ("sql", "params", "detail"),
    [
        ("SELECT ?, ?", [1], "params has no value for 2"),
        ("SELECT ?", [1, 2], "the query has no parameter 2"),
        ("SELECT $tên", {"tên": 1, "khác": 2}, "the query has no parameter khác"),
        ("SELECT 1", [1], "the query has no parameters"),
    ],
)
def test_parameters_that_do_not_fit_are_named(gateway, sql, params, detail):
    problem = gateway.sql(sql, params=params).json()
    assert (problem["code"], problem["detail"]) == ("bad_parameters", detail)


def test_an_error_points_at_the_word_it_speaks_of(gateway):
    problem = gateway.sql("SELECT mã, ã FROM bus_stops").json()
    assert (problem["near"], problem["position"]) == ("ã", 11)


def test_types_that_nest_too_deeply_are_no_crash(gateway):
    answer = gateway.sql(
        "SELECT from_json('[1]', repeat('[', 10000) || '\"INT\"' || repeat(']', 10000))"
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "query_too_complex"


def test_geojson_without_a_geometry_is_refused(gateway):
    answer = gateway.sql("SELECT pm25 FROM stations", format="geojson")
    assert (answer.status_code, answer.json()["code"]) == (422, "format_unsuited")
    assert answer.json()["format"] == "geojson"


def test_spreadsheet_keeps_every_kind_of_line_break(gateway):
    text = "một\r\nhai\rba\nbốn"
    content = gateway.sql("SELECT ? AS x", params=[text], format="xlsx").content
    assert openpyxl.load_workbook(io.BytesIO(content))["Dữ liệu"]["A2"].value == text


def test_spreadsheet_keeps_types_and_runs_no_formula(gateway):
    answer = gateway.sql("FROM stations", format="xlsx")
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    rows = list(book["Dữ liệu"].iter_rows())
    assert [cell.value for cell in rows[0]] == ["trạm", "pm25", "vị trí"]
    assert [cell.value for cell in rows[1]][:2] == ["Láng", 35.5]
    assert (rows[2][0].value, rows[2][0].data_type) == ("=1+1", "s")
    assert rows[2][1].value is None
    assert rows[3][0].value == "Hồ <Gươm>"
    assert "Trạm quan trắc" in book["Nguồn"]["B1"].value


def test_spreadsheet_of_every_type(gateway):
    sql = (
        "SELECT DATE '2026-02-28' AS d, TIMESTAMPTZ '2026-01-01 07:00:00+07' AS ts, "
        "TIME '06:30:00' AS t, true AS b, 2::DECIMAL(9,2) AS n, 9007199254740993 AS big, "
        "'nan'::DOUBLE AS f, DATE '1066-10-14' AS old, [1, 2] AS l, 'a' || chr(1) || '_x0041_' AS s"
    )
    content = gateway.sql(sql, format="xlsx").content
    row = openpyxl.load_workbook(io.BytesIO(content))["Dữ liệu"][2]
    said = [cell.value.isoformat() if cell.is_date else cell.value for cell in row]
    assert said[:7] == [
        "2026-02-28T00:00:00", "2026-01-01T00:00:00", "06:30:00", True, 2, "9007199254740993",
        "NaN",
    ]  # fmt: skip
    assert said[7:9] == ["1066-10-14", "[1,2]"]
    assert said[9].startswith("a")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM range(1048576)",
        "SELECT repeat('x', 32768) AS x",
        "SELECT repeat('😀', 16384) AS x",
        "SELECT encode(repeat('x', 16384)) AS x",
        "SELECT range(10000) AS x",
        "SELECT {'a': repeat('x', 32768)} AS x",
        "SELECT map {'a': repeat('x', 32768)} AS x",
        "SELECT repeat('1', 32768)::BIT AS x",
        "SELECT st_geomfromwkb(unhex('0102000000D0070000' || repeat('00', 32000))) AS x",
    ],
)
def test_what_no_sheet_can_hold_is_refused(gateway, sql):
    answer = gateway.sql(sql, format="xlsx")
    assert (answer.status_code, answer.json()["code"]) == (422, "format_unsuited"), answer.text
    assert "at most" in answer.json()["detail"]


def test_a_sheet_is_xml_whatever_characters_a_text_has(gateway):
    sql = (
        'SELECT chr(c::INTEGER) AS "\uffffx" FROM '
        "(SELECT unnest(range(1, 55296)) AS c UNION ALL SELECT unnest(range(57344, 65600)))"
    )
    answer = gateway.sql(sql, format="xlsx")
    assert answer.status_code == 200, answer.text
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["Dữ liệu"]
    assert sheet.max_row == 1 + 55295 + 65600 - 57344
    longest = gateway.sql("SELECT repeat('é', 32767) AS x, repeat('😀', 16383)", format="xlsx")
    assert longest.status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("rows", [1, 200_000])
def test_compressed_as_asked(gateway, encoding, rows):
    body = {"sql": f"SELECT i FROM range({rows}) t(i)", "format": "csv"}
    headers = {"Accept-Encoding": encoding}
    answer = requests.post(
        f"{gateway.url}/v1/sql", json=body, headers=headers, stream=True, timeout=60
    )
    assert answer.headers["Content-Encoding"] == encoding
    assert "Accept-Encoding" in answer.headers["Vary"]
    raw = answer.raw.read(decode_content=False)
    if encoding == "gzip":
        plain = gzip.decompress(raw)
    else:
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    assert plain == gateway.sql(body["sql"], format="csv").content
    assert len(raw) < len(plain) + 30


@pytest.mark.parametrize("accept", ["identity", "gzip;q=0", "br", ""])
def test_not_compressed_unless_asked(gateway, accept):
    answer = gateway.sql("SELECT 1", headers={"Accept-Encoding": accept})
    assert "Content-Encoding" not in answer.headers
    packed = gateway.sql("SELECT 1", format="parquet", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in packed.headers


def test_what_the_caller_has_is_not_sent_again(gateway, portal):
    first = gateway.sql("SELECT * FROM secret", STARTUP)
    tag = first.headers["ETag"]
    held = {"If-None-Match": tag}
    same = gateway.sql("select *  from secret", STARTUP, headers=dict(held))
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert same.headers["Hanoiic-Table-Versions"] == "secret=1"
    in_link = gateway.get("/v1/sql?q=SELECT * FROM secret", STARTUP, headers=dict(held))
    assert in_link.status_code == 304
    for other in ({"format": "csv"}, {"limit": 5}, {"as_of": 1, "csv_safe": True}):
        answer = gateway.sql("SELECT * FROM secret", STARTUP, headers=dict(held), **other)
        assert answer.status_code == 200
    # The tag is no key: without a right there is no answer, and nothing is told.
    assert gateway.sql("SELECT * FROM secret", headers=dict(held)).status_code == 403
    # What is said beside the rows is of the answer too.
    portal.tables[STARTUP]["secret"] |= {"dataset": {"title": "Tên mới"}}
    portal.change()
    renamed = gateway.sql("SELECT * FROM secret", STARTUP, headers=dict(held))
    assert renamed.status_code == 200
    assert "Tên mới" in renamed.json()["attribution"]
    portal.tables[STARTUP]["secret"]["licence"] = {"id": "other", "version": 2}
    portal.change()
    assert gateway.sql("SELECT * FROM secret", STARTUP, headers=dict(held)).status_code == 200


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT now()", "SELECT current_date", "SELECT random()", "SELECT ago(INTERVAL 1 DAY)",
        "SELECT * FROM bus_stops USING SAMPLE 2 ROWS", "SELECT (SELECT uuid())",
        "SELECT reservoir_quantile(mã, 0.5) FROM bus_stops",
        "SELECT approx_quantile(mã, 0.5), approx_top_k(mã, 2) FROM bus_stops",
        "SELECT TIMETZ '12:00:00+00' AT TIME ZONE 'America/New_York'",
    ],
)  # fmt: skip
def test_what_changes_by_itself_has_no_tag(gateway, sql):
    answer = gateway.sql(sql)
    assert answer.status_code == 200, answer.text
    assert "ETag" not in answer.headers


def test_parameters_are_composed_as_the_lake_is(gateway):
    apart = unicodedata.normalize("NFD", "Láng")
    for name, params in (("?", [apart]), ("$tên", {unicodedata.normalize("NFD", "tên"): apart})):
        answer = gateway.sql(f"SELECT trạm FROM stations WHERE trạm = {name}", params=params)
        assert answer.json()["rows"] == [{"trạm": "Láng"}], answer.text
    asked = {"trạm": f"eq.{apart}"}
    rows = gateway.get("/v1/tables/stations/rows", params=asked)
    assert [each["trạm"] for each in rows.json()] == ["Láng"]
    counted = gateway.get(
        "/v1/tables/stations/rows", params=asked, headers={"Prefer": "count=exact"}
    )
    assert counted.headers["Content-Range"] == "0-0/1"


def test_functions_that_change_are_those_the_engine_says():
    rows = duckdb.sql(
        "SELECT lower(function_name), stability, macro_definition FROM duckdb_functions()"
    ).fetchall()
    changing = {name for name, how, _ in rows if how not in (None, "CONSISTENT")}
    words = ("now()", "current_", "today", "random", "uuid")
    changing |= {name for name, _, macro in rows if macro and any(w in macro for w in words)}
    assert changing & allowed.allowed_functions() <= repeatable.CHANGING


def test_functions_that_change_are_those_that_do():
    """The engine calls some of them consistent."""
    plain = duckdb.sql(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE function_type = 'scalar' AND len(parameters) = 0"
    ).fetchall()
    named = {name for (name,) in plain} & allowed.allowed_functions()

    def answer(name: str) -> object:
        try:
            return duckdb.execute(f"SELECT {name}()").fetchone()
        except (duckdb.BinderException, duckdb.InvalidInputException):
            return None

    first = {name: answer(name) for name in named}
    time.sleep(0.01)
    changing = {name for name in named if answer(name) != first[name]}
    assert {"now", "current_localtime"} <= changing <= repeatable.CHANGING


def test_the_time_is_that_of_the_question(gateway):
    for sql in ("SELECT 1", "SELECT now() AS at", "SELECT now() AS at"):
        time.sleep(0.3)
        asked = time.time()
        rows = gateway.sql(sql).json()["rows"]
    at = datetime.fromisoformat(rows[0]["at"]).timestamp()
    assert asked <= at <= time.time()


def test_dry_run_shows_the_plan_and_what_it_costs(gateway, lake):
    answer = gateway.sql(
        "SELECT trạm, avg(pm25) AS mean FROM stations WHERE pm25 > ? GROUP BY 1",
        params=[10],
        dry_run=True,
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["dry_run"] is True
    assert [each["name"] for each in body["columns"]] == ["trạm", "mean"]
    assert body["tables"][0]["name"] == "stations"
    estimate = body["estimate"]
    assert 0 < estimate["bytes_read"] < 4096
    assert estimate["rows_read"] >= 1
    assert str(lake.root) not in answer.text
    assert ".parquet" not in answer.text
    assert "SCAN" in answer.text
    assert "READ_PARQUET" not in answer.text


def test_dry_run_obeys_the_decision_and_names_errors(gateway):
    assert gateway.sql("SELECT * FROM secret", dry_run=True).status_code == 403
    assert gateway.sql("SELECT x FROM stations", dry_run=True).json()["code"] == "query_invalid"
    in_link = gateway.get("/v1/sql?q=SELECT 1&dry_run=1")
    assert in_link.json()["estimate"]["bytes_read"] == 0


LONG = "SELECT sum(a.i * b.i) FROM range(2000000) a(i), range(2000000) b(i)"


def _cancelled(asked, cancel_url: str, query_id: str) -> tuple[requests.Response, list[int]]:
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(asked()))
    thread.start()
    statuses: list[int] = []
    deadline = time.monotonic() + 20
    while 204 not in statuses and time.monotonic() < deadline:
        time.sleep(0.1)
        answer = requests.delete(f"{cancel_url}/v1/queries/{query_id}", timeout=30)
        statuses.append(answer.status_code)
    thread.join(20)
    return answers[0], statuses


def test_a_query_is_cancelled_by_its_caller_alone(gateway):
    asked = []

    def ask():
        return gateway.sql(LONG, headers={"Hanoiic-Query-Id": "mine-7"})

    def other() -> int:
        return gateway.request("DELETE", "/v1/queries/mine-7", STARTUP).status_code

    thread = threading.Timer(0.5, lambda: asked.append(other()))
    thread.start()
    time.sleep(0)
    answer, statuses = _cancelled(ask, gateway.url, "mine-7")
    thread.join()
    assert (answer.status_code, answer.json()["code"]) == (409, "query_cancelled")
    assert statuses[-1] == 204
    assert set(asked) <= {404}
    assert gateway.request("DELETE", "/v1/queries/mine-7", None).status_code == 404


def test_a_query_is_cancelled_through_another_gateway(gateway, folder, settings):
    with gateways.running(folder, settings) as second:
        answer, statuses = _cancelled(
            lambda: gateway.sql(LONG, headers={"Hanoiic-Query-Id": "far-1"}), second.url, "far-1"
        )
    assert (answer.status_code, answer.json()["code"]) == (409, "query_cancelled")
    assert statuses[-1] == 204


def test_a_streaming_answer_is_broken_off_by_its_cancellation(gateway):
    answer = gateway.sql("FROM range(300000000)", format="csv", stream=True)
    chunks = answer.iter_content(1 << 20)
    assert next(chunks)
    query_id = answer.headers["Hanoiic-Query-Id"]
    assert gateway.request("DELETE", f"/v1/queries/{query_id}", None).status_code == 204
    with pytest.raises(requests.exceptions.RequestException):
        list(chunks)
