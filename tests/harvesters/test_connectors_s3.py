"""Buckets of an S3 server that checks signatures (moto's), into the lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
import requests
from botocore.client import BaseClient
from moto.server import ThreadedMotoServer

from harvesters import connectors
from harvesters.credentials import Credential
from harvesters.fetch import Client
from harvesters.source import Source
from tests.harvesters.conftest import QUICK, rows
from tests.harvesters.taking import Taking

CSV = "mã,tên\n001,Trạm {}\n"
_LISTING = "<ListBucketResult><IsTruncated>{}</IsTruncated>{}</ListBucketResult>"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://localhost:{port}"
    server.stop()


@pytest.fixture
def keys(server: str) -> Iterator[dict[str, str]]:
    """Keys of a user who may read; from here on the server asks for them."""
    requests.post(f"{server}/moto-api/reset", timeout=10)
    iam = _client(server, "iam", "root", "root")
    iam.create_user(UserName="doc")
    allowed = {"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_user_policy(UserName="doc", PolicyName="p", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName="doc")["AccessKey"]
    yield {"access": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
    requests.post(f"{server}/moto-api/reset", timeout=10)


@pytest.fixture
def bucket(server: str, keys: dict[str, str]) -> Iterator[BaseClient]:
    bucket = _client(server, "s3", keys["access"], keys["secret"])
    bucket.create_bucket(Bucket="so-tnmt")
    requests.post(f"{server}/moto-api/reset-auth", data="0", timeout=10)
    yield bucket
    requests.post(f"{server}/moto-api/reset-auth", data="inf", timeout=10)


def _client(server: str, service: str, access: str, secret: str) -> BaseClient:
    return botocore.session.get_session().create_client(
        service, "us-east-1", endpoint_url=server,
        aws_access_key_id=access, aws_secret_access_key=secret,
    )  # fmt: skip


def put(bucket: BaseClient, key: str, content: str) -> None:
    bucket.put_object(Bucket="so-tnmt", Key=key, Body=content.encode())


@pytest.fixture
def remote(tmp_path) -> Iterator[Client]:
    client = Client(tmp_path / "raw", ["localhost"], QUICK)
    yield client
    client.close()


@pytest.fixture
def got(remote, lake, serve, server, keys):
    def got(path: str, secret: str | None = None, **options: Any) -> Any:
        url = f"{server}{path}"
        value = secret or f"{keys['access']}:{keys['secret']}"
        remote.carry(Credential("s3", "localhost", value), url)
        return Taking(remote, serve, lake)("s3", url=url, **options)

    return got


def test_every_file_that_can_be_read_is_a_table(got, bucket, lake):
    put(bucket, "2026/trạm (1) + a%20&b.csv", CSV.format(1))
    put(bucket, "2026/sâu/tuyến.json", '[{"a": 1}]')
    put(bucket, "2026/anh.png", "x")
    put(bucket, "2026/", "")
    put(bucket, "2025/cũ.csv", CSV.format(2))
    assert got("/so-tnmt/2026/").error is None
    assert sorted(lake.tables()) == ["t_sau_tuyen", "t_tram_1_a_pct_20_b"]
    assert rows(lake, "t_tram_1_a_pct_20_b") == [{"mã": "001", "tên": "Trạm 1"}]
    assert got("/so-tnmt", parts="*/cũ.csv").error is None
    assert "t_x_2025_cu" in lake.tables()


def test_a_long_listing_is_read_page_by_page(got, bucket, lake, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.s3.PAGE_FILES", 2)
    for number in range(5):
        put(bucket, f"{number}.csv", CSV.format(number))
    assert got("/so-tnmt").error is None
    assert sorted(lake.tables()) == [f"t_x_{number}" for number in range(5)]


def test_what_did_not_change_is_not_asked_for(
    portal, run, room, remote, bucket, server, keys, lake
):
    put(bucket, "a.csv", CSV.format(1))
    put(bucket, "b.csv", CSV.format(2))
    portal.secrets["kho"] = {
        "kind": "s3", "host": "localhost", "value": f"{keys['access']}:{keys['secret']}"
    }  # fmt: skip
    source = portal.add_source(
        name="kho", title="Kho", kind="s3", url=f"{server}/so-tnmt",
        dataset={"table": "k", "access_tier": "open"}, options={"secret": "kho"},
    )  # fmt: skip
    object.__setattr__(room, "client", remote)
    asked: list[str] = []
    fetch = remote.fetch
    remote.fetch = lambda url, *rest, **named: (asked.append(url), fetch(url, *rest, **named))[1]
    assert run(source).state == "published"
    titles = sorted(each["title"] for each in portal.datasets.values())
    assert titles == ["Kho: a", "Kho: b"]
    asked.clear()
    assert run(source).state == "unchanged"
    assert [url.partition("?")[0] for url in asked] == [f"{server}/so-tnmt"]
    # The same length, and another content.
    put(bucket, "b.csv", CSV.format(3))
    asked.clear()
    assert run(source).state == "published"
    assert [url.rpartition("/")[2] for url in asked if "?" not in url] == ["b.csv"]
    assert rows(lake, "k_b")[0]["tên"] == "Trạm 3"


@pytest.mark.parametrize(
    ("path", "secret", "code", "words"),
    [
        ("/so-tnmt", "AKIASAI:sai", "source_answered_error", "403"),
        ("/khong-co", None, "source_answered_error", "404 NOT FOUND: NoSuchBucket"),
        ("/", None, "url_refused", "bucket"),
        ("/so-tnmt?x=1", None, "url_refused", "bucket"),
    ],
)
def test_what_does_not_fit_is_named(got, bucket, lake, path, secret, code, words):
    ran = got(path, secret)
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


def test_a_wrong_secret_key_is_found_out_by_the_signature(got, bucket, keys):
    put(bucket, "a.csv", CSV.format(1))
    ran = got("/so-tnmt", f"{keys['access']}:khong-phai")
    assert "403" in ran.error.detail
    assert "SignatureDoesNotMatch" in ran.error.detail


def test_files_of_no_known_kind_are_named(got, bucket):
    put(bucket, "a.pdf", "x")
    ran = got("/so-tnmt")
    assert (ran.code, "a.pdf" in ran.error.detail) == ("part_not_found", True)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_LISTING.format("true", ""), "api_refused"),
        (
            _LISTING.format("true", "<NextContinuationToken>x</NextContinuationToken>"),
            "pages_broken",
        ),
        ("<Error><Code>AccessDenied</Code></Error>", "api_refused"),
        ("<!doctype html><title>Login</title><input type=password>", "html_instead_of_data"),
        ("<ListBucketResult><Contents>", "xml_broken"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "xml_unsafe"),
        ("a,b\n1,2\n", "xml_broken"),
        (_LISTING.format("false", "<Contents><Key>../so.csv</Key></Contents>"), "catalogue_broken"),
    ],
)
def test_what_is_no_listing_is_named(client, httpserver, lake, serve, answer, code):
    httpserver.expect_request("/kho").respond_with_data(answer, content_type="application/xml")
    ran = Taking(client, serve, lake)("s3", url=httpserver.url_for("/kho/"))
    assert ran.code == code
    assert not lake.tables()


def test_a_listing_without_end_is_refused(client, httpserver, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.listing.MOST_FILES", 10)
    files = "".join(f"<Contents><Key>{number}.csv</Key></Contents>" for number in range(4))
    numbers = iter(range(100))

    def page(_request: Any) -> Any:
        from werkzeug import Response

        token = f"<NextContinuationToken>{next(numbers)}</NextContinuationToken>"
        return Response(_LISTING.format("true", token + files), content_type="application/xml")

    httpserver.expect_request("/kho").respond_with_handler(page)
    source = Source.of({"id": "s", "name": "t", "kind": "s3", "url": httpserver.url_for("/kho/")})
    with pytest.raises(Exception, match="over 10 files"):
        list(connectors.of("s3").discover(source, client))
