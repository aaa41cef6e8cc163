"""Asking in SQL: parameters, versions, limits, formats, and what an error says."""

from __future__ import annotations

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from tests.api_gateway.portal import LICENCE, STARTUP
from tests.servers import wait_for

COUNT = "SELECT count(*) AS n FROM bus_stops"


def test_answer_names_its_tables_columns_and_request(gateway):
    answer = gateway.sql(
        "SELECT tên, s.mã FROM bus_stops s JOIN wards USING (phường) ORDER BY mã",
    )
    body = answer.json()
    assert body["rows"] == [{"tên": "Hồ Gươm", "mã": 2}, {"tên": "Đống Đa", "mã": 3}]
    assert body["columns"] == [
        {"name": "tên", "type": "VARCHAR"},
        {"name": "mã", "type": "BIGINT"},
    ]
    assert {table["name"]: table["version"] for table in body["tables"]} == {
        "bus_stops": 2,
        "wards": 1,
    }
    assert body["tables"][0]["licence"] == LICENCE
    assert (body["row_count"], body["truncated"]) == (2, False)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert set(answer.headers["Hanoiic-Table-Versions"].split(", ")) == {"bus_stops=2", "wards=1"}
    assert f'<{LICENCE["url"]}>; rel="license"' in answer.headers["Link"]
    assert f'<{gateway.url}/v1/tables/wards>; rel="describedby"' in answer.headers["Link"]


@pytest.mark.parametrize(
    ("sql", "params", "rows"),
    [
        ("SELECT mã FROM bus_stops WHERE tên = ?", ["Hồ Gươm"], [{"mã": 2}]),
        ("SELECT $2 || $1 AS x", ["a", "b"], [{"x": "ba"}]),
        ("SELECT $a::INT + $b AS x", {"a": 1, "b": 2}, [{"x": 3}]),
        ("SELECT ?::VARCHAR AS x", [None], [{"x": None}]),
        ("SELECT 2 IN (SELECT unnest($ids)) AS x", {"ids": [1, 2]}, [{"x": True}]),
        ("SELECT ? AS x", ["'; DROP VIEW bus_stops; --"], [{"x": "'; DROP VIEW bus_stops; --"}]),
        ("SELECT ? AS x", [2**62], [{"x": str(2**62)}]),
    ],
)
def test_parameters_are_bound(gateway, sql, params, rows):
    assert gateway.sql(sql, params=params).json()["rows"] == rows


@pytest.mark.parametrize("params", [["a", "b"], [], {"x": 1}])
def test_parameters_that_do_not_match_are_said(gateway, params):
    answer = gateway.sql("SELECT ? AS x", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameters")


@pytest.mark.parametrize(
    ("as_of", "count"),
    [(1, 2), (2, 3), (None, 3), ({"bus_stops": 1}, 2), ({"BUS_STOPS": 1}, 2), ("bus_stops:1", 2)],
)
def test_as_of_a_version(gateway, as_of, count):
    assert gateway.sql(COUNT, as_of=as_of).json()["rows"] == [{"n": count}]


def test_as_of_a_time(gateway, lake):
    newest, oldest = lake.table("bus_stops").versions()
    first, second = oldest.published_at.isoformat(), newest.published_at.isoformat()
    assert gateway.sql(COUNT, as_of=first).json()["rows"] == [{"n": 2}]
    assert gateway.sql(COUNT, as_of={"bus_stops": second}).json()["rows"] == [{"n": 3}]
    before = gateway.sql(COUNT, as_of="2000-01-01T00:00:00Z")
    assert (before.status_code, before.json()["code"]) == (404, "version_not_found")
    # The plus of a zone is often sent unencoded, and arrives as a space.
    in_link = gateway.get(f"/v1/sql?q={COUNT}&as_of={first}")
    assert in_link.json()["rows"] == [{"n": 2}]


@pytest.mark.parametrize("as_of", ["2026-01-01", "2026-01-01T00:00:00", "yesterday", -1, 1.5, [1]])
def test_as_of_without_meaning_is_refused(gateway, as_of):
    answer = gateway.sql(COUNT, as_of=as_of)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "as_of")


@pytest.mark.parametrize("as_of", [{"bus_stop": 1}, {"bus_stops": 1, "wards": 1}, "wards:1"])
def test_as_of_a_table_that_is_not_read_is_no_silent_latest(gateway, as_of):
    answer = gateway.sql(COUNT, as_of=as_of)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert (answer.json()["parameter"], answer.json()["valid"]) == ("as_of", ["bus_stops"])
    for page in ("rows", "download.parquet", "download.csv"):
        answer = gateway.get(f"/v1/tables/bus_stops/{page}?as_of=wards:1")
        assert (answer.status_code, answer.json()["parameter"]) == (400, "as_of"), page


@pytest.mark.parametrize("format_name", ["json", "ndjson", "csv", "arrow", "parquet"])
def test_limit_is_never_silent(gateway, format_name):
    cut = gateway.sql("FROM bus_stops", limit=2, format=format_name)
    assert (cut.headers["Hanoiic-Row-Limit"], cut.headers["Hanoiic-Truncated"]) == ("2", "true")
    whole = gateway.sql("FROM bus_stops", limit=3, format=format_name)
    assert whole.headers["Hanoiic-Truncated"] == "false"
    if format_name == "json":
        assert (cut.json()["row_count"], cut.json()["truncated"]) == (2, True)
        assert (whole.json()["row_count"], whole.json()["truncated"]) == (3, False)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv; charset=utf-8", "text/csv; charset=utf-8"),
        ('text/csv;q=0.2, application/json;charset="UTF-8"', "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/csv;q=0.5, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
    ],
)
def test_format_by_accept(gateway, accept, content_type):
    answer = gateway.sql("SELECT 1 AS x")
    answer = gateway.get("/v1/sql?q=SELECT 1 AS x", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == content_type


@pytest.mark.parametrize("charset", ["latin1", "utf-88", "utf-8; header=absent"])
def test_a_charset_or_form_that_is_not_served_is_not_acceptable(gateway, charset):
    headers = {"Accept": f"text/csv; charset={charset}"}
    assert gateway.get("/v1/sql?q=SELECT 1 AS x", headers=headers).status_code == 406


@pytest.mark.parametrize("door", ["sql", "exports", "tables/wards/links"])
def test_a_body_that_is_compressed_or_in_bad_chunks_is_told_so(gateway, door):
    body = gzip.compress(b'{"sql": "SELECT 1"}')
    packed = gateway.request(
        "POST", f"/v1/{door}", STARTUP, data=body, headers={"Content-Encoding": "gzip"}
    )
    assert (packed.status_code, packed.json()["code"]) == (415, "encoding_not_read")
    assert packed.headers["Accept-Encoding"] == "identity"
    parts = urlsplit(gateway.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        head = f"POST /v1/{door} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"zz\r\n{}\r\n0\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_format_by_name_wins_over_accept(gateway):
    answer = gateway.get("/v1/sql?q=SELECT 1 AS x&format=csv", headers={"Accept": "text/html"})
    assert answer.text == '"x"\n1\n'


@pytest.mark.parametrize("path", ["/v1/sql?q=SELECT 1 AS x&", "/v1/tables/wards/rows?"])
def test_an_empty_format_is_none_that_is_served(gateway, path):
    answer = gateway.get(f"{path}format=", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (406, "format_not_served")
    assert "csv" in answer.json()["formats"]


PROBLEMS = [
    ({"sql": "SELEC 1"}, 400, "sql_syntax", {"position": 0}),
    ({"sql": "SELECT 'Đống' FROM FROM"}, 400, "sql_syntax", {"position": 19}),
    ({"sql": "SELECT quận FROM wards"}, 400, "query_invalid", {"near": "quận", "position": 7}),
    ({"sql": "SELECT frobnicate(1)"}, 400, "function_not_allowed", {"function": "frobnicate"}),
    ({"sql": "SELECT 'Mã'::INT"}, 422, "query_failed", {}),
    ({"sql": "SELECT tên::INT FROM bus_stops"}, 422, "query_failed", {}),
    ({"sql": "SELECT * FROM bus_stop"}, 404, "table_not_found", {"suggestions": ["bus_stops"]}),
    ({"sql": "SELECT " + "(" * 200 + "1" + ")" * 200}, 400, "query_too_complex", {}),
    ({"sql": "SELECT " + "1+" * 3000 + "1"}, 400, "query_too_complex", {}),
    ({"sql": "SELECT " + "1," * 30000 + "1"}, 400, "query_too_complex", {}),
    ({"sql": "SELECT '" + "x" * 100_000 + "'"}, 413, "request_too_large", {"limit_bytes": 100_000}),
    ({"sql": "SELECT 1\x00"}, 400, "sql_syntax", {}),
    ({"sql": "SELECT 1", "format": "xml"}, 406, "format_not_served", {}),
    ({"sql": "SELECT 1", "limit": -1}, 400, "bad_request", {"parameter": "limit"}),
    ({"sql": "SELECT 1", "limit": 100_001}, 400, "bad_request", {"parameter": "limit"}),
    ({"sql": "SELECT 1", "limit": 1.5}, 400, "bad_request", {"parameter": "limit"}),
    ({"sql": "SELECT 1", "timeout_s": 0}, 400, "bad_request", {"parameter": "timeout_s"}),
    ({"sql": "SELECT 1", "params": "x"}, 400, "bad_request", {"parameter": "params"}),
    ({"sql": "SELECT 1", "params": [{"a": 1}]}, 400, "bad_request", {"parameter": "params"}),
    ({"sql": "SELECT 1", "format": {}}, 406, "format_not_served", {}),
    ({"sql": 1}, 400, "bad_request", {"parameter": "sql"}),
    ({"sql": "SELECT 1", "asof": 1}, 400, "bad_request", {}),
    ([], 400, "bad_request", {}),
    ({"sql": "SELECT ?", "params": ["\ud800"]}, 400, "bad_request", {}),
    ({"sql": "SELECT 1", "\udfff": 1}, 400, "bad_request", {}),
    ({"sql": "SELECT 1", "format": "\ud800"}, 400, "bad_request", {}),
    ({"sql": "SELECT 1", "as_of": {"\ud800": 1}}, 400, "bad_request", {}),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "facts"), PROBLEMS, ids=lambda value: str(value)[:50]
)
def test_problem_says_what_and_where(gateway, body, status, code, facts):
    answer = gateway.request("POST", "/v1/sql", None, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert {name: problem.get(name) for name in facts} == facts
    # A value that failed is not quoted back from a table.
    assert "Mỹ Đình" not in answer.text


def test_body_that_is_no_json_and_body_over_its_limit(gateway):
    assert gateway.request("POST", "/v1/sql", None, data=b"{").json()["code"] == "bad_request"
    for depth in (500, 900, 980, 200_000):
        nested = b'{"sql": "SELECT 1", "params": ' + b"[" * depth + b"]" * depth + b"}"
        deep = gateway.request("POST", "/v1/sql", None, data=nested)
        assert deep.json()["code"] == "bad_request", depth
    # The gateway hangs up on a body that it will not read.
    large = requests.post(gateway.url + "/v1/sql", data=b" " * 1_000_001, timeout=30)
    assert (large.status_code, large.json()["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/v1/sql", 405, "method_not_allowed"),
        ("GET", "/v1/sql", 400, "bad_request"),
    ],
)
def test_pages_that_are_not_there(gateway, method, path, status, code):
    answer = gateway.request(method, path, None)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_request_id_goes_in_through_and_out(gateway, portal):
    request_id = "walk-through.7"
    answer = gateway.sql("SELECT * FROM secret", STARTUP, headers={"X-Request-Id": request_id})
    assert answer.headers["X-Request-Id"] == request_id
    # Not the last one: the gateway asks by itself what is open, too.
    assert request_id in [asked["request_id"] for asked in portal.asked]

    def loggers() -> set[str]:
        lines = [
            json.loads(line) for line in gateway.log.read_text().splitlines() if line[:1] == "{"
        ]
        return {line["logger"] for line in lines if line["request_id"] == request_id}

    # The query's process writes its line after its answer.
    wait_for(lambda: {"api_gateway.app", "api_gateway.worker"} <= loggers(), "both lines")


def test_log_holds_no_sql_no_token_and_no_value(gateway):
    gateway.sql("SELECT 'MARKED-TEXT' AS x FROM secret", STARTUP)
    gateway.sql("SELECT 'MARKED-TEXT'::INT FROM secret", STARTUP)
    wait_for(lambda: "query_failed" in gateway.log.read_text(), "the query's line")
    log = gateway.log.read_text()
    assert "query_done" in log
    for mark in ("MARKED-TEXT", STARTUP, "SECRET-VALUE", "credential-of"):
        assert mark not in log


def test_any_page_of_the_web_may_ask(gateway):
    answer = gateway.sql("SELECT 1", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Hanoiic-Truncated" in answer.headers["Access-Control-Expose-Headers"]
    asks_first = gateway.request("OPTIONS", "/v1/sql", None)
    assert asks_first.ok
    allowed = asks_first.headers["Access-Control-Allow-Headers"].split(", ")
    # The last two are of PostgREST's own clients; a star is for all but Authorization.
    assert {"Authorization", "*", "Accept-Profile", "X-Client-Info"} <= set(allowed)


def test_published_order_and_order_by_are_kept(gateway):
    rows = gateway.sql("SELECT i FROM range(300000) t(i) ORDER BY i DESC", format="csv").text
    assert rows.split()[1:] == [str(n) for n in range(299_999, -1, -1)]


def test_head_tells_what_get_does_and_runs_nothing(gateway):
    got, head = (
        gateway.request(each, "/v1/sql?q=FROM bus_stops", None) for each in ("GET", "HEAD")
    )
    for name in ("ETag", "Content-Type", "Hanoiic-Table-Versions", "Vary"):
        assert head.headers[name] == got.headers[name]
    # How long it is nobody knows before (RFC 9110, 8.6): who is told 0 reads none of it.
    assert "Content-Length" not in head.headers
    assert "Hanoiic-Receipt" not in head.headers
    failing = "/v1/sql?q=SELECT CAST(now() AS VARCHAR)::INT"
    assert gateway.get(failing).status_code == 422
    assert gateway.request("HEAD", failing, None).status_code == 200
    assert gateway.request("HEAD", "/v1/sql?q=FROM secret", None).status_code == 403
