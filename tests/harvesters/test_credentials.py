"""A source's secret: sent to its own host, and seen nowhere else."""

from __future__ import annotations

import json
import logging

import pytest
from werkzeug import Response

from harvesters.credentials import Carried, Credential
from harvesters.errors import SecretUnfit
from harvesters.fetch import Client
from tests.harvesters.conftest import QUICK
from tests.harvesters.raw_server import answering

VALUE = "p4ssw0rd-never-shown"
KINDS = {
    "bearer": (VALUE, ("Authorization", f"Bearer {VALUE}")),
    "basic": (f"sở:{VALUE}", ("Authorization", "Basic c+G7nzpwNHNzdzByZC1uZXZlci1zaG93bg==")),
    "header": (f"X-Api-Key: {VALUE}", ("X-Api-Key", VALUE)),
}


@pytest.fixture
def source(portal, httpserver):
    portal.secrets["khoa"] = {"kind": "bearer", "host": "localhost", "value": VALUE}
    return portal.add_source(
        name="nguon",
        kind="csv",
        url=httpserver.url_for("/f.csv"),
        options={"secret": "khoa"},
        dataset={"table": "t", "access_tier": "open"},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_sent_in_its_header(run, source, portal, httpserver, kind):
    value, header = KINDS[kind]
    portal.secrets["khoa"] |= {"kind": kind, "value": value}
    httpserver.expect_request("/f.csv", headers=dict([header])).respond_with_data("a,b\n1,x\n")
    assert run(source).error is None


def test_a_secret_is_in_no_report_and_no_log(run, source, portal, httpserver, caplog):
    caplog.set_level(logging.DEBUG)
    httpserver.expect_request("/f.csv").respond_with_data("", status=401)
    ran = run(source)
    assert ran.error.code == "source_answered_error"
    seen = json.dumps(ran.report.as_dict(), default=str) + caplog.text + repr(ran.error)
    assert VALUE not in seen
    assert VALUE not in repr(Credential("bearer", "localhost", VALUE))
    assert VALUE not in repr(Carried.to(source["url"], Credential("bearer", "localhost", VALUE)))
    httpserver.clear()
    httpserver.expect_request("/f.csv").respond_with_data("a,b\n1,x\n")
    assert run(source).error is None
    assert VALUE not in json.dumps(portal.datasets)


def test_a_source_without_its_secret_asks_nobody(run, source, portal, httpserver):
    portal.secrets.clear()
    assert run(source).error.code == "secret_missing"
    assert httpserver.log == []


@pytest.mark.parametrize(
    "secret",
    [
        {"kind": "password"},
        {"host": "other.example"},
        {"value": f"{VALUE}\r\nX-More: 1"},
        {"kind": "header", "value": f"X Y: {VALUE}"},
    ],
)
def test_a_secret_that_does_not_fit_is_named_and_not_told(run, source, portal, httpserver, secret):
    portal.secrets["khoa"] |= secret
    error = run(source).error
    assert error.code == "secret_unfit"
    assert VALUE not in error.detail
    assert httpserver.log == []


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_a_redirect_to_another_host_does_not_get_the_secret(tmp_path, httpserver, header):
    heard = []

    def elsewhere(caller, request, _stop):
        heard.append(request)
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with answering(elsewhere) as other:
        httpserver.expect_request("/f", headers={header: VALUE}).respond_with_response(
            Response(status=302, headers={"Location": "/g"})
        )
        httpserver.expect_request("/g", headers={header: VALUE}).respond_with_response(
            Response(status=302, headers={"Location": f"http://{other}/f"})
        )
        url = httpserver.url_for("/f")
        client = Client(tmp_path, [f"localhost:{httpserver.port}", other], QUICK)
        client.carry(Credential("header", "localhost", f"{header}: {VALUE}"), url)
        assert client.fetch(url).byte_count == 2
        client.close()
    assert len(heard) == 1
    assert VALUE.encode() not in heard[0]


@pytest.mark.parametrize(
    ("source_url", "url", "is_sent"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "https://A.example:443/y", True),
        ("https://a.example/x", "http://a.example/y", False),
        ("http://a.example/x", "https://a.example/y", True),
        ("http://a.example:8080/x", "https://a.example/y", False),
        ("https://a.example/x", "https://a.example:8443/y", False),
        ("https://a.example/x", "https://b.a.example/y", False),
        ("https://a.example/x", "https://a.example.evil.example/y", False),
        ("https://a.example/x", "https://a.example@evil.example/y", False),
    ],
)
def test_where_a_secret_is_sent(source_url, url, is_sent):
    carried = Carried.to(source_url, Credential("bearer", "a.example", VALUE))
    assert bool(carried.for_url(url)) is is_sent


def test_a_secret_of_another_host_is_not_carried():
    with pytest.raises(SecretUnfit):
        Carried.to("https://a.example/", Credential("bearer", "b.example", VALUE))
