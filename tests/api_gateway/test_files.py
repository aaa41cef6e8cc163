"""Files of the lake over HTTP: by link, in parts, resumed, and sent by the kernel."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

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
