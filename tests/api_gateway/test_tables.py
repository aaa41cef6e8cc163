"""The list of tables, one table, and its downloads."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from api_gateway.formats import FORMATS
from lake import Provenance
from tests.api_gateway.conftest import STOPS
from tests.api_gateway.portal import STARTUP, permit


def test_index_names_the_endpoints(gateway):
    index = gateway.get("/").json()
    assert set(index["endpoints"]) >= {"tables", "table", "download", "sql", "health"}
    # The address by which the gateway reaches the portal is nobody's business.
    assert "portal" not in index
    assert set(index["formats"]) == set(FORMATS)


def test_health_names_every_lock(gateway):
    health = gateway.get("/v1/health").json()
    assert set(health["sandbox"]) >= {"landlock", "seccomp", "unprivileged", "missing", "serves"}
    assert health["decisions"] == "confirmed"


def test_list_shows_what_the_caller_may_know_of(gateway):
    listed = {each["name"]: each for each in gateway.get("/v1/tables").json()["tables"]}
    assert "hidden" not in listed
    assert listed["bus_stops"]["version"] == 2
    assert listed["bus_stops"]["row_count"] == 3
    assert listed["bus_stops"]["access"] == {"decision": "permit", "reason": "open"}
    assert listed["secret"]["access"]["reason"] == "sign_in_required"
    assert listed["secret"]["access"]["access_url"].endswith("#access")
    mine = {each["name"]: each for each in gateway.get("/v1/tables", STARTUP).json()["tables"]}
    assert mine["secret"]["access"]["decision"] == "permit"


def test_a_table_whose_log_is_damaged_hides_no_other(gateway, portal, lake):
    lake.table("damaged").publish(STOPS.to_batches(), Provenance(), schema=STOPS.schema)
    for entry in (Path(lake.root) / "tables" / "damaged" / "_delta_log").glob("*.json"):
        entry.write_text("{")
    portal.tables[None]["damaged"] = permit()
    portal.change()
    listed = {each["name"]: each for each in gateway.get("/v1/tables").json()["tables"]}
    assert (listed["damaged"]["error"], listed["damaged"]["version"]) == ("table_unreadable", None)
    assert (listed["bus_stops"]["error"], listed["bus_stops"]["version"]) == (None, 2)
    shared = gateway.get("/v1/share/shares/hanoi/all-tables").json()["items"]
    assert {"damaged", "bus_stops"} <= {each["name"] for each in shared}
    for door in ("sql?q=FROM damaged", "tables/damaged", "rest/damaged"):
        unread = gateway.get(f"/v1/{door}")
        assert (unread.status_code, unread.json()["code"]) == (503, "table_unreadable"), door


@pytest.mark.parametrize("words", ["diem dung", "Điểm Dừng", "xe bus_stops"])
def test_search_folds_diacritics(gateway, portal, words):
    portal.tables[None]["wards"] = permit(title="Phường xã")
    portal.change()
    found = gateway.get("/v1/tables", params={"q": words}).json()
    names = {each["name"] for each in found["tables"]}
    assert "bus_stops" in names
    assert "wards" not in names


def test_table_shows_columns_versions_licence_and_access(gateway):
    table = gateway.get("/v1/tables/bus_stops").json()
    assert table["columns"][1] == {"name": "tên", "type": "string", "ascii": "ten"}
    assert [(each["version"], each["row_count"]) for each in table["versions"]] == [(2, 3), (1, 2)]
    assert table["licence"]["id"] == "CC-BY-4.0"
    assert set(table["downloads"]) == set(FORMATS)
    denied = gateway.get("/v1/tables/secret").json()
    assert denied["access"]["decision"] == "deny"
    assert denied["columns"][0]["name"] == "bí mật"


@pytest.mark.parametrize("format_name", ["json", "ndjson", "csv", "arrow"])
def test_download_in_another_format(gateway, format_name):
    answer = gateway.get(f"/v1/tables/bus_stops/download.{format_name}")
    assert answer.status_code == 200, answer.text
    assert f"bus_stops_v2.{format_name}" in answer.headers["Content-Disposition"]
    assert answer.headers["Hanoiic-Table-Versions"] == "bus_stops=2"
    assert "Hồ Gươm" in answer.content.decode(errors="ignore")


def test_parquet_is_the_versions_own_file(gateway, lake):
    answer = gateway.get("/v1/tables/bus_stops/download.parquet")
    assert answer.content == Path(lake.table("bus_stops").files(2)[0]).read_bytes()
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    read = pq.read_table(io.BytesIO(answer.content))
    assert read.to_pylist() == STOPS.to_pylist()
    assert read.schema.field("tên").metadata[b"hanoiic:ascii"] == b"ten"


def test_parquet_resumes_and_is_not_sent_twice(gateway):
    path = "/v1/tables/bus_stops/download.parquet"
    whole = gateway.get(path)
    part = gateway.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    same = gateway.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    older = gateway.get(path + "?as_of=1")
    assert older.headers["ETag"] != whole.headers["ETag"]
    beyond = gateway.get(path, headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")


def test_head_of_a_download(gateway):
    head = gateway.request("HEAD", "/v1/tables/bus_stops/download.parquet", None)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


def test_download_of_an_older_version(gateway):
    answer = gateway.get("/v1/tables/bus_stops/download.csv?as_of=1")
    assert len(answer.text.splitlines()) == 3
    assert "bus_stops_v1.csv" in answer.headers["Content-Disposition"]


def test_download_follows_the_decision(gateway, portal):
    assert gateway.get("/v1/tables/secret/download.parquet").status_code == 403
    assert gateway.get("/v1/tables/secret/download.parquet", STARTUP).status_code == 200
    assert portal.asked[-1]["action"] == "download"
    assert gateway.get("/v1/tables/hidden/download.parquet").json()["code"] == "table_not_found"
    assert gateway.get("/v1/tables/bus_stops/download.exe").status_code == 406


def test_limited_parquet_says_so(gateway):
    answer = gateway.get("/v1/tables/bus_stops/download.parquet?limit=1")
    assert answer.headers["Hanoiic-Truncated"] == "true"
    assert pq.read_table(io.BytesIO(answer.content)).num_rows == 1
