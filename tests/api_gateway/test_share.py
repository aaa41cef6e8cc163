"""Delta Sharing: the unmodified client, and what the protocol asks of a server."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from lake import Provenance
from tests.api_gateway.portal import STARTUP, deny, permit
from tests.servers import wait_for

CLIENT = ("delta-sharing==1.4.2", "delta-kernel-rust-sharing-wrapper==0.3.3", "pandas==2.3.3")
BUS_STOPS = "/v1/share/shares/hanoi/schemas/transport/tables/bus_stops"


@pytest.fixture
def shared(portal):
    """The startup's tables are of one department."""
    # Another test's, which may be published or not.
    portal.tables[STARTUP].pop("big")
    for decision in portal.tables[STARTUP].values():
        decision["dataset"] = {**decision["dataset"], "organization": "transport"}
    portal.change()
    return portal


@pytest.fixture(scope="session")
def client_folder() -> Path:
    """The client from PyPI, beside its requirements: it pins older ones than run the portal.

    Pandas is here too: where it is installed, Arrow imports it into each process that there is.
    """
    folder = Path(sys.prefix, "clients", "+".join(CLIENT))
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
            subprocess.run([*pip, f"{made}/packages", *CLIENT], check=True, timeout=300)
            # Another run may have been quicker.
            with contextlib.suppress(OSError):
                Path(made, "packages").rename(folder)
    assert folder.is_dir()
    return folder


@pytest.fixture
def profile(gateway, tmp_path) -> Path:
    file = tmp_path / "hanoi.share"
    file.write_text(
        json.dumps(
            {
                "shareCredentialsVersion": 1,
                "endpoint": f"{gateway.url}/v1/share",
                "bearerToken": STARTUP,
            }
        )
    )
    return file


def test_the_unmodified_client_lists_loads_limits_and_reads_versions(
    shared, client_folder, profile
):
    program = Path(__file__).with_name("sharing_client.py")
    run = subprocess.run(
        [sys.executable, str(program), str(profile)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(client_folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert (told["shares"], told["schemas"]) == (["hanoi"], ["transport"])
    assert told["tables"] == ["bus_stops", "empty", "secret", "typed", "wards"]
    assert told["version"] == 2
    assert [row["tên"] for row in told["rows"]] == ["Bến xe Mỹ Đình", "Hồ Gươm", "Đống Đa"]
    assert told["limited"] == 2
    assert [row["mã"] for row in told["version_1"]] == [1, 2]
    changes = [(row["_commit_version"], row["_change_type"], row["mã"]) for row in told["changes"]]
    assert changes == [(1, "insert", 1), (1, "insert", 2), (2, "insert", 3)]
    assert (told["typed"], told["empty"]) == (4, 0)


@pytest.fixture(scope="module")
def shifting(lake) -> str:
    """A table whose rows come, go and repeat; the fourth version has another column."""

    def version(*rows: tuple[int, str], **more) -> None:
        columns = {"mã": [row[0] for row in rows], "tên": [row[1] for row in rows], **more}
        table = pa.table(columns)
        lake.table("shifting").publish(table.to_batches(), Provenance(), schema=table.schema)

    version((1, "Đống Đa"), (1, "Đống Đa"), (2, "Hồ Gươm"), (3, "Mỹ Đình"))
    version((1, "Đống Đa"), (3, "Mỹ Đình"), (2, "Hồ Tây"))
    version((2, "Hồ Tây"), (3, "Mỹ Đình"), (1, "Đống Đa"), (4, "Cầu Giấy"))
    version((1, "Đống Đa"), phường=["Đống Đa"])
    return "/v1/share/shares/hanoi/schemas/transport/tables/shifting"


@pytest.fixture
def shifts(gateway, shared, shifting):
    decision = permit()
    decision["dataset"] = {**decision["dataset"], "organization": "transport"}
    shared.tables[STARTUP]["shifting"] = decision
    shared.change()

    def ask(first: int, last: int) -> list[dict]:
        span = f"startingVersion={first}&endingVersion={last}"
        answer = gateway.get(f"{shifting}/changes?{span}", STARTUP)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.content.splitlines()][2:]

    return ask


def rows_of(url: str) -> list[tuple]:
    table = pq.read_table(io.BytesIO(fetched(url).content))
    return sorted(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def test_changes_are_the_rows_that_changed_and_how_often(shifts):
    first, second = shifts(2, 3)
    assert rows_of(first["cdf"]["url"]) == [
        (1, "Đống Đa", "delete"), (2, "Hồ Gươm", "delete"), (2, "Hồ Tây", "insert"),
    ]  # fmt: skip
    # The same rows in another order are no change.
    assert rows_of(second["cdf"]["url"]) == [(4, "Cầu Giấy", "insert")]
    assert [each["cdf"]["version"] for each in (first, second)] == [2, 3]
    head = requests.head(first["cdf"]["url"], timeout=30)
    assert int(head.headers["Content-Length"]) == first["cdf"]["size"]


def test_where_the_columns_changed_the_whole_versions_are_told(shifts):
    removed, added = shifts(4, 4)
    assert len(rows_of(removed["remove"]["url"])) == 4
    assert rows_of(added["add"]["url"]) == [(1, "Đống Đa", "Đống Đa")]


def test_a_link_to_changes_opens_just_these(shifts, gateway, shared):
    (told,) = shifts(2, 2)
    url = told["cdf"]["url"]
    for other in (url.replace("/1-2/", "/2-3/"), url.replace("/1-2/changes", "/2/0")):
        refused = fetched(other)
        assert (refused.status_code, refused.json()["code"]) == (403, "link_invalid")
    shared.tables[STARTUP]["shifting"] = deny("agreement_revoked")
    shared.change()
    assert fetched(url).status_code == 403


def test_changes_are_charged_by_the_rows_that_changed(shifts, shared):
    shared.office.quota["changes"] = {"rows": 3}
    shared.tables[STARTUP]["shifting"] |= {"agreement": "changes", "metered": True}
    shared.change()
    shifts(2, 2)
    wait_for(lambda: shared.office.taken("changes", "rows") == 3, "the three rows", 10)


def fetched(url: str, **more) -> requests.Response:
    """A file by its link alone, on a connection of its own."""
    return requests.get(url, timeout=30, **more)


def asked(gateway, **body) -> list[dict]:
    answer = gateway.request("POST", f"{BUS_STOPS}/query", STARTUP, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert answer.headers["Delta-Sharing-Capabilities"] == "responseformat=parquet"
    assert answer.content.isascii()
    return [json.loads(line) for line in answer.content.splitlines()]


def test_a_query_tells_protocol_schema_and_files_and_nothing_after(gateway, shared):
    protocol, metadata, file = asked(gateway)
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    schema = json.loads(metadata["metaData"]["schemaString"])
    assert [(each["name"], each["type"]) for each in schema["fields"]] == [
        ("mã", "long"), ("tên", "string"), ("phường", "string")
    ]  # fmt: skip
    assert all(each["metadata"] == {} for each in schema["fields"])
    assert json.loads(file["file"]["stats"]) == {"numRecords": 3}
    assert [*asked(gateway, limitHint=0)[2:]] == []


def test_a_file_answers_head_and_range_without_authorization(gateway, shared):
    url = asked(gateway)[2]["file"]["url"]
    head = requests.head(url, timeout=30)
    assert (head.status_code, head.headers["Accept-Ranges"]) == (200, "bytes")
    part = fetched(url, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PAR1")
    whole = fetched(url)
    assert len(whole.content) == int(head.headers["Content-Length"])


def test_a_file_that_is_sent_is_over_and_its_connection_goes_on(gateway, shared):
    url = asked(gateway)[2]["file"]["url"]
    before = len(gateway.log.read_text())
    with requests.Session() as session:
        assert session.get(url, timeout=30).ok
        shared.tables[STARTUP]["bus_stops"] = deny("agreement_revoked")
        shared.change()
        # Whatever is still sent is looked at every second.
        time.sleep(2.5)
        assert session.get(url, timeout=30).status_code == 403
        connections = next(iter(session.adapters["http://"].poolmanager.pools._container.values()))
        assert connections.num_connections == 1
    log = gateway.log.read_text()[before:]
    assert "answer_stopped" not in log
    assert "Error handling request" not in log


def test_a_file_of_another_version_has_no_body(gateway, shared):
    url = asked(gateway)[2]["file"]["url"]
    for headers in ({"If-Match": '"x"'}, {"If-Match": '"x"', "Range": "bytes=0-3"}):
        answer = fetched(url, headers=headers)
        assert answer.status_code == 412
        assert b"PAR1" not in answer.content
        assert "precondition_failed" in answer.text


def test_case_02_second_file_of_a_share_after_revocation_is_refused(gateway, shared):
    url = asked(gateway)[2]["file"]["url"]
    first = fetched(url)
    assert first.status_code == 200, first.text
    shared.tables[STARTUP]["bus_stops"] = deny("agreement_revoked")
    shared.change()
    refused = fetched(url)
    assert (refused.status_code, refused.json()["reason"]) == (403, "agreement_revoked")


def test_an_altered_or_ended_link_and_another_version_are_refused(gateway, shared):
    url = asked(gateway)[2]["file"]["url"]
    altered = fetched(url.replace("hic_l_", "hic_l_x", 1))
    assert (altered.status_code, altered.json()["code"]) == (403, "link_invalid")
    other = fetched(url.replace("/bus_stops/2/", "/bus_stops/1/"))
    assert (other.status_code, other.json()["code"]) == (403, "link_invalid")
    assert fetched(url.replace("/bus_stops/2/", "/wards/1/")).status_code == 404


def test_a_quota_is_charged_once_at_the_query_and_refused_by_403(gateway, shared):
    shared.office.quota["share"] = {"queries": 1}
    shared.tables[STARTUP]["bus_stops"] |= {"agreement": "share", "metered": True}
    shared.change()
    url = asked(gateway)[2]["file"]["url"]
    for _ in range(3):
        assert fetched(url, headers={"Range": "bytes=0-9"}).status_code == 206
    refused = gateway.request("POST", f"{BUS_STOPS}/query", STARTUP, json={})
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "QUOTA_EXCEEDED")
    assert shared.office.taken("share", "queries") == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/share/shares/other/schemas", 404, "NOT_FOUND"),
        ("/v1/share/shares/hanoi/schemas/health/tables/bus_stops/metadata", 404, "TABLE_NOT_FOUND"),
        (
            "/v1/share/shares/hanoi/schemas/transport/tables/nowhere/metadata",
            404,
            "TABLE_NOT_FOUND",
        ),
        (
            "/v1/share/shares/hanoi/schemas/transport/tables/requested/metadata",
            403,
            "ACCESS_DENIED",
        ),
        (f"{BUS_STOPS}/changes", 400, "BAD_REQUEST"),
        (f"{BUS_STOPS}/changes?startingVersion=x", 400, "BAD_REQUEST"),
        (f"{BUS_STOPS}/changes?startingVersion=9", 400, "BAD_REQUEST"),
        (f"{BUS_STOPS}/version?startingTimestamp=2999-01-01T00:00:00Z", 400, "BAD_REQUEST"),
        ("/v1/share/shares/hanoi/all-tables?maxResults=-1", 400, "BAD_REQUEST"),
    ],
)
def test_what_cannot_be_answered_says_why(gateway, shared, path, status, code):
    answer = gateway.get(path, STARTUP)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code), answer.text
    assert answer.json()["message"]


def test_a_version_that_is_gone_is_told_so(gateway, shared):
    at_no_version = {"version": None, "timestamp": "2000-01-01T00:00:00Z"}
    early = gateway.request("POST", f"{BUS_STOPS}/query", STARTUP, json=at_no_version)
    assert (early.status_code, early.json()["code"]) == (404, "version_not_found")
    gone = gateway.request("POST", f"{BUS_STOPS}/query", STARTUP, json={"version": 77})
    assert (gone.status_code, gone.json()["code"]) == (404, "version_not_found")


def test_lists_come_in_pages(gateway, shared):
    names, token = [], None
    while True:
        more = f"&pageToken={token}" if token else ""
        page = gateway.get(f"/v1/share/shares/hanoi/all-tables?maxResults=2{more}", STARTUP).json()
        names += [item["name"] for item in page["items"]]
        token = page.get("nextPageToken")
        if not token:
            break
    assert names == ["bus_stops", "empty", "secret", "typed", "wards"]


def test_open_tables_need_no_token(gateway, portal):
    portal.tables[None]["bus_stops"] = permit()
    portal.change()
    base = "/v1/share/shares/hanoi/schemas/default/tables/bus_stops/query"
    answer = gateway.request("POST", base, None, json={})
    url = json.loads(answer.content.splitlines()[2])["file"]["url"]
    assert fetched(url).content[:4] == b"PAR1"
    portal.tables[None]["bus_stops"] = deny("sign_in_required")
    portal.change()
    assert fetched(url).status_code == 403
