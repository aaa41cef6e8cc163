"""Files of the lake over HTTP: by link, in parts, resumed, and sent by the kernel."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from api_gateway.routes.stored import SentFile
from lake import Provenance
from tests.api_gateway.portal import STARTUP, permit


def test_a_resumed_download_is_the_same_file_or_a_new_one(gateway):
    path = "/v1/tables/bus_stops/download.parquet"
    whole = gateway.get(path)
    assert whole.headers["Accept-Ranges"] == "bytes"
    half = {"Range": "bytes=100-", "If-Range": whole.headers["ETag"]}
    rest = gateway.get(path, headers=dict(half))
    assert (rest.status_code, whole.content[:100] + rest.content) == (206, whole.content)
    # Another version has come meanwhile: the file is sent from its beginning.
    other = gateway.get(path + "?as_of=1", headers=dict(half))
    assert other.status_code == 200
    last = gateway.get(path, headers={"Range": "bytes=-10"})
    assert last.content == whole.content[-10:]
    size = len(whole.content)
    assert last.headers["Content-Range"] == f"bytes {size - 10}-{size - 1}/{size}"


def test_head_of_a_made_format_tells_what_get_does_and_makes_nothing(gateway):
    path = "/v1/tables/bus_stops/download.csv"
    got, head = gateway.get(path), gateway.request("HEAD", path, None)
    for name in ("ETag", "Content-Type", "Content-Disposition", "Hanoiic-Table-Versions", "Vary"):
        assert head.headers[name] == got.headers[name]
    assert "Content-Length" not in head.headers
    held = {"If-None-Match": head.headers["ETag"]}
    for method in ("GET", "HEAD"):
        assert gateway.request(method, path, None, headers=dict(held)).status_code == 304
    assert gateway.request("HEAD", "/v1/tables/secret/download.csv", None).status_code == 403


PATH = "/v1/tables/bus_stops/download.parquet"
LONG_AGO, ONE_DAY = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": "W/{tag}"}, 412),
        ({"If-Match": '"x", {tag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"x"', "Range": "bytes=0-3"}, 412),
        ({"If-Match": "{tag}", "Range": "bytes=0-3"}, 206),
        ({"If-Match": "{tag}", "If-None-Match": "{tag}"}, 304),
        ({"If-Match": "{tag}", "If-Unmodified-Since": LONG_AGO}, 200),
        ({"If-Unmodified-Since": LONG_AGO}, 412),
        ({"If-Unmodified-Since": LONG_AGO, "Range": "bytes=0-3"}, 412),
        ({"If-Unmodified-Since": "{date}", "Range": "bytes=0-3"}, 206),
        ({"If-Unmodified-Since": "yesterday"}, 200),
        ({"If-None-Match": "{tag}"}, 304),
        ({"If-None-Match": "W/{tag}", "Range": "bytes=0-3"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": ONE_DAY, "Range": "bytes=0-3"}, 206),
        ({"If-Modified-Since": "{date}", "Range": "bytes=0-3"}, 304),
        ({"If-Modified-Since": LONG_AGO}, 200),
        ({"If-Range": "{date}", "Range": "bytes=0-3"}, 206),
        ({"If-Range": ONE_DAY, "Range": "bytes=0-3"}, 200),
        ({"If-Range": "W/{tag}", "Range": "bytes=0-3"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_preconditions_come_before_ranges(gateway, method, headers, status):
    whole = gateway.get(PATH)
    known = {"tag": whole.headers["ETag"], "date": whole.headers["Last-Modified"]}
    told = {name: value.format(**known) for name, value in headers.items()}
    answer = gateway.request(method, PATH, None, headers=told)
    if method == "HEAD":
        assert (answer.status_code, answer.content) == ({206: 200}.get(status, status), b"")
    else:
        body = {200: whole.content, 206: whole.content[:4], 304: b""}
        assert answer.status_code == status
        if status == 412:
            assert answer.json()["code"] == "precondition_failed"
        else:
            assert answer.content == body[status]
    assert answer.headers["ETag"] == known["tag"]
    # The connection goes on behind an answer without a body.
    assert gateway.get(PATH).content == whole.content


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-3", 0, 3),
        ("Bytes=4-", 4, -1),
        ("bytes=0-99999999", 0, -1),
        ("bytes=-8", -8, -1),
        # The footer's place, as readers of Parquet guess it.
        ("bytes=-65536", 0, -1),
        ("bytes=0-0,5-6", None, None),
        ("lines=0-3", None, None),
        ("bytes=3-1", None, None),
        ("bytes=-", None, None),
        ("bytes=0-٣", None, None),
        ("bytes=" + "9" * 5000 + "-", None, None),
        ("all of it", None, None),
    ],
)
def test_one_range_is_a_part_and_what_is_none_is_ignored(gateway, asked, first, last):
    whole = gateway.get(PATH).content
    answer = gateway.get(PATH, headers={"Range": asked.encode()})
    if first is None:
        assert (answer.status_code, answer.content) == (200, whole)
        assert "Content-Range" not in answer.headers
        return
    first, last = first % len(whole), last % len(whole)
    assert (answer.status_code, answer.content) == (206, whole[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    head = gateway.request("HEAD", PATH, None, headers={"Range": asked})
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, len(whole))


@pytest.mark.parametrize("asked", ["bytes=-0", "bytes=99999999-"])
def test_a_range_that_is_not_there_is_416(gateway, asked):
    answer = gateway.get(PATH, headers={"Range": asked})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    size = gateway.request("HEAD", PATH, None).headers["Content-Length"]
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_a_link_needs_no_header_and_serves_one_version(gateway, portal):
    made = gateway.request(
        "POST", "/v1/tables/secret/links", STARTUP, json={"format": "parquet", "as_of": 1}
    )
    assert made.status_code == 201, made.text
    url = made.json()["url"]
    assert url.startswith(f"{gateway.url}/v1/files/hic_l_")
    assert url.endswith("/secret_v1.parquet")
    found = requests.get(url, timeout=30)
    assert pq.read_table(io.BytesIO(found.content)).num_rows == 1
    assert found.headers["Referrer-Policy"] == "no-referrer"
    part = requests.get(url, headers={"Range": "bytes=0-3"}, timeout=30)
    assert (part.status_code, part.content) == (206, b"PAR1")
    head = requests.head(url, timeout=30)
    assert int(head.headers["Content-Length"]) == len(found.content)
    for other in ("secret_v2.parquet", "secret_v1.csv", "wards_v1.parquet", "x.parquet"):
        refused = requests.get(url.rpartition("/")[0] + "/" + other, timeout=30)
        assert refused.status_code in (403, 404), other


def test_a_link_in_another_format_streams(gateway):
    made = gateway.request("POST", "/v1/tables/bus_stops/links", None, json={"format": "csv"})
    text = requests.get(made.json()["url"], timeout=30).text
    assert "Hồ Gươm" in text


@pytest.mark.parametrize("link", ["hic_l_altered", STARTUP, "x"])
def test_a_bad_link_is_403_and_a_token_is_no_link(gateway, portal, link):
    answer = gateway.get(f"/v1/files/{link}/bus_stops_v1.parquet")
    assert (answer.status_code, answer.json()["code"]) == (403, "link_invalid")
    assert all(asked["token"] != STARTUP for asked in portal.asked)


def test_no_link_without_the_right_to_download(gateway):
    for table, status in (("secret", 403), ("hidden", 404)):
        assert gateway.request("POST", f"/v1/tables/{table}/links", None).status_code == status
    bad = gateway.request("POST", "/v1/tables/wards/links", None, json={"x": 1})
    assert bad.json()["code"] == "bad_request"
    assert gateway.request("POST", "/v1/tables/wards/links", None, json=[1]).status_code == 400
    exe = gateway.request("POST", "/v1/tables/wards/links", None, json={"format": "exe"})
    assert exe.status_code == 406


@pytest.fixture(scope="module")
def large(lake):
    schema = pa.schema([("x", pa.int64())])
    noise = np.random.default_rng(7).integers(0, 2**62, 6_000_000)
    batch = pa.RecordBatch.from_arrays([pa.array(noise)], schema=schema)
    lake.table("large").publish([batch], Provenance(), schema=schema)


def test_ranges_and_wholes_of_a_large_file_are_sent_by_the_kernel(gateway, portal, large, lake):
    portal.tables[None]["large"] = permit()
    portal.change()
    path = "/v1/tables/large/download.parquet"
    size = int(gateway.request("HEAD", path, None).headers["Content-Length"])
    assert size > 40_000_000
    before = _cpu_s(gateway.web)
    for headers in ({}, {"Range": "bytes=1000-"}):
        with gateway.get(path, headers=headers, stream=True) as answer:
            received = sum(len(chunk) for chunk in answer.iter_content(1 << 20))
        assert received == size - (1000 if headers else 0)
    # Copied through Python it would take some tenths of a second.
    assert _cpu_s(gateway.web) - before < 0.15


def _cpu_s(process: int) -> float:
    with open(f"/proc/{process}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11])) / 100


def test_a_server_without_sendfile_reads_no_more_than_the_part(tmp_path):
    path, ends = tmp_path / "file", []
    path.write_bytes(b"0123456789")
    file = SentFile(path, range(2, 7), lambda: ends.append(file.sent_bytes))
    assert list(iter(lambda: file.read(3), b"")) == [b"234", b"56"]
    for _ in range(2):
        file.close()
    assert ends == [5]
    with SentFile(path, range(2, 7), lambda: None) as given_up:
        assert given_up.read() == b"23456"
