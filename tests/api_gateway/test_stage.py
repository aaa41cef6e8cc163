"""The lake on S3: copies for processes that have no network."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import pytest

from api_gateway.errors import Busy
from api_gateway.stage import Stage
from lake import Lake, Provenance
from tests import servers
from tests.api_gateway import gateway as gateways
from tests.api_gateway.portal import STARTUP


@pytest.fixture(scope="module")
def bucket(folder, monkeypatch_module):
    """An S3 server in a process of its own, as delta-rs does not let this one answer meanwhile."""
    port = servers.free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch_module.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with servers.running(command, folder / "s3.log"):
        servers.wait_for(lambda: _listens(port), "the S3 server", 60)
        pyarrow.fs.S3FileSystem(
            access_key="test", secret_key="test", endpoint_override=f"127.0.0.1:{port}",
            scheme="http", region="us-east-1", allow_bucket_creation=True,
        ).create_dir("lake")  # fmt: skip
        yield environment


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_a_lake_on_s3_is_queried_downloaded_and_followed(bucket, folder, settings, portal):
    remote = Lake("s3://lake/data")
    for count in (2, 3):
        rows = pa.table({"x": list(range(count))})
        remote.table("bus_stops").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    cache = folder / "cache"
    own = settings | {
        "LAKE_ROOT": "s3://lake/data",
        "GATEWAY_CACHE_DIR": cache,
        "GATEWAY_SPILL_DIR": folder / "spill-s3",
    }
    with gateways.running(folder, own, bucket) as gateway:
        count = "SELECT count(*) AS n FROM bus_stops"
        assert gateway.sql(count, STARTUP).json()["rows"] == [{"n": 3}]
        assert gateway.sql(count, STARTUP, as_of=1).json()["rows"] == [{"n": 2}]
        assert len(list(cache.glob("*.parquet"))) == 2
        whole = gateway.get("/v1/tables/bus_stops/download.parquet", STARTUP)
        assert pa.parquet.read_table(pa.BufferReader(whole.content)).num_rows == 3
        rows = pa.table({"x": [9]})
        remote.table("bus_stops").publish(rows.to_batches(), Provenance(), schema=rows.schema)
        assert gateway.sql(count, STARTUP).json()["rows"] == [{"n": 1}]
        assert gateway.get("/v1/health").json()["sandbox"]["missing"] == []
        rows = pa.table({"x": [9, 9]})
        gone = remote.table("bus_stops").publish(
            rows.to_batches(), Provenance(), schema=rows.schema
        )
        for uri in remote.table("bus_stops").files(gone.version):
            remote.fs.delete_file(uri.removeprefix(f"{remote.root}/"))
        for door in ("sql?q=FROM bus_stops", "rest/bus_stops", "tables/bus_stops/download.parquet"):
            unread = gateway.get(f"/v1/{door}", STARTUP)
            assert (unread.status_code, unread.json()["code"]) == (503, "table_unreadable"), door
            assert unread.headers["Retry-After"]


def test_a_store_that_does_not_answer_is_not_waited_for(folder, settings, portal):
    mute = socket.create_server(("127.0.0.1", 0))
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{mute.getsockname()[1]}",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    own = settings | {
        "LAKE_ROOT": "s3://lake/data",
        "GATEWAY_CACHE_DIR": folder / "cache-mute",
        "GATEWAY_SPILL_DIR": folder / "spill-mute",
    }
    with mute, gateways.running(folder, own, environment) as gateway:
        begun = time.monotonic()
        unread = gateway.sql("FROM bus_stops", STARTUP)
        assert (unread.status_code, unread.json()["code"]) == (503, "lake_unavailable")
        assert time.monotonic() - begun < 25


@pytest.fixture
def source(tmp_path) -> pyarrow.fs.FileSystem:
    (tmp_path / "lake").mkdir()
    for name in "abc":
        (tmp_path / "lake" / name).write_bytes(name.encode() * 100)
    return pyarrow.fs.SubTreeFileSystem(str(tmp_path / "lake"), pyarrow.fs.LocalFileSystem())


def test_copies_stay_below_the_cap_and_the_least_recently_used_go(source, tmp_path):
    stage = Stage(source, tmp_path / "cache", 250)
    first, second = stage.local("a", ""), stage.local("b", "")
    assert first.read_bytes() == b"a" * 100
    with pytest.raises(Busy):
        stage.local("c", "")
    long_ago = time.time() - 3600
    for copy, age in ((first, 0), (second, -10)):
        os.utime(copy, (long_ago + age, long_ago + age))
    assert stage.local("a", "") == first
    assert stage.local("c", "").read_bytes() == b"c" * 100
    assert (first.exists(), second.exists()) == (True, False)


def test_other_content_at_the_same_place_is_another_copy(source, tmp_path):
    stage = Stage(source, tmp_path / "cache", 1000)
    old = stage.local("a", "v1")
    (tmp_path / "lake/a").write_bytes(b"new")
    assert stage.local("a", "v1") == old
    assert stage.local("a", "v2").read_bytes() == b"new"


def test_copy_that_breaks_off_leaves_nothing(source, tmp_path):
    stage = Stage(source, tmp_path / "cache", 1000)
    with pytest.raises(OSError, match="nowhere"):
        stage.local("nowhere", "")
    assert not list((tmp_path / "cache").iterdir())
