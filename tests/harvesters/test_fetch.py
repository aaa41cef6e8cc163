"""The guarded client against real servers: where it goes, what it takes, what it keeps."""

from __future__ import annotations

import hashlib
import socket

import pytest
from werkzeug import Response

from harvesters.errors import (
    AddressForbidden,
    RedirectsExhausted,
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooLarge,
    SourceTooSlow,
    SourceUnreachable,
    UrlRefused,
)
from harvesters.fetch import Client, FetchLimits, Validators, is_public
from tests.harvesters.conftest import QUICK
from tests.harvesters.raw_server import answering, saying


@pytest.fixture
def allowed(tmp_path):
    """A client that may go to one given host."""
    clients = []

    def make(host: str, limits: FetchLimits = QUICK) -> Client:
        clients.append(Client(tmp_path / "raw", [host], limits))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.5.5", "169.254.169.254"),
        "0.0.0.0",  # noqa: S104
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%lo"),
    ],
)
def test_private_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "203.113.131.1", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:{port}/", "http://[::1]:{port}/", "http://0x7f000001:{port}/"),
        *("http://2130706433:{port}/", "http://0.0.0.0:{port}/", "http://169.254.169.254/latest"),
    ],
)
def test_local_addresses_are_forbidden_however_they_are_written(tmp_path, httpserver, url):
    client = Client(tmp_path, [], QUICK)
    with pytest.raises((AddressForbidden, SourceUnreachable)):
        client.fetch(url.format(port=httpserver.port))
    assert httpserver.log == []


def test_localhost_needs_the_operators_word(tmp_path, httpserver):
    with pytest.raises(AddressForbidden):
        Client(tmp_path, [], QUICK).fetch(httpserver.url_for("/"))
    with pytest.raises(AddressForbidden):
        Client(tmp_path, [f"localhost:{httpserver.port + 1}"], QUICK).fetch(httpserver.url_for("/"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "gopher://x", "http://user:pass@x/", "http://", "x"]
)
def test_other_schemes_and_credentials_are_refused(client, url):
    with pytest.raises(UrlRefused):
        client.fetch(url)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/", "http://[::1]/"]
)
def test_a_redirect_into_the_private_network_is_forbidden(client, httpserver, target):
    httpserver.expect_request("/r").respond_with_response(
        Response(status=302, headers={"Location": target})
    )
    with pytest.raises(AddressForbidden):
        client.fetch(httpserver.url_for("/r"))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x.example/"])
def test_a_redirect_to_another_scheme_is_refused(client, httpserver, target):
    httpserver.expect_request("/r").respond_with_response(
        Response(status=302, headers={"Location": target})
    )
    with pytest.raises(UrlRefused):
        client.fetch(httpserver.url_for("/r"))


def test_a_redirect_loop_ends(client, httpserver):
    httpserver.expect_request("/loop").respond_with_response(
        Response(status=302, headers={"Location": "/loop"})
    )
    with pytest.raises(RedirectsExhausted):
        client.fetch(httpserver.url_for("/loop"))


def test_the_body_of_a_redirect_is_not_read(client, httpserver):
    sent = []

    def endless(_request):
        def body():
            for number in range(256):
                sent.append(number)
                yield bytes(1 << 20)

        return Response(body(), status=302, headers={"Location": "/new"})

    httpserver.expect_request("/old").respond_with_handler(endless)
    httpserver.expect_request("/new").respond_with_data("here")
    assert client.fetch(httpserver.url_for("/old")).path.read_bytes() == b"here"
    # What the sockets hold in between is sent all the same.
    assert len(sent) < 64


def test_a_redirect_within_reach_is_followed(client, httpserver):
    httpserver.expect_request("/old").respond_with_response(
        Response(status=302, headers={"Location": "/new"})
    )
    httpserver.expect_request("/new").respond_with_data("here")
    assert client.fetch(httpserver.url_for("/old")).path.read_bytes() == b"here"


def test_a_name_that_changes_its_address_is_checked_where_it_connects(
    tmp_path, httpserver, monkeypatch
):
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr("harvesters.addresses.socket.getaddrinfo", resolve)
    # One question to the DNS a connection: the second answer is never connected to unchecked.
    with pytest.raises((AddressForbidden, SourceUnreachable)):
        Client(tmp_path, [], FetchLimits(connect_timeout_s=0.2, retries=1, backoff_s=0)).fetch(
            f"http://rebind.example:{httpserver.port}/"
        )
    assert httpserver.log == []


def test_bytes_are_kept_once_under_their_hash(client, httpserver):
    content = b"a,b\n1,2\n"
    for path in ("/one", "/two"):
        httpserver.expect_request(path).respond_with_data(content)
    first, second = (client.fetch(httpserver.url_for(path)) for path in ("/one", "/two"))
    assert first.sha256 == second.sha256 == hashlib.sha256(content).hexdigest()
    assert [path.name for path in client.raw_dir.rglob("*") if path.is_file()] == [first.sha256]


def test_an_unchanged_file_is_asked_for_and_not_sent(client, httpserver):
    def answer(request):
        known = request.headers.get("If-Modified-Since") == "Mon, 01 Jan 2024 00:00:00 GMT"
        return Response("" if known else "x", status=304 if known else 200)

    httpserver.expect_request("/f").respond_with_handler(answer)
    url = httpserver.url_for("/f")
    first = client.fetch(url)
    known = Validators(None, "Mon, 01 Jan 2024 00:00:00 GMT", first.sha256)
    again = client.fetch(url, known)
    assert again.not_modified
    assert again.path.read_bytes() == b"x"
    again.path.unlink()
    assert not client.fetch(url, known).not_modified


def test_an_oversize_file_is_refused_before_and_while_it_streams(client, httpserver):
    httpserver.expect_request("/big").respond_with_data(b"x" * (QUICK.max_bytes + 1))
    with pytest.raises(SourceTooLarge):
        client.fetch(httpserver.url_for("/big"))
    httpserver.expect_request("/chunked").respond_with_handler(
        lambda _: Response(b"x" * (1 << 20) for _ in range(6))
    )
    with pytest.raises(SourceTooLarge):
        client.fetch(httpserver.url_for("/chunked"))
    assert not [path for path in client.raw_dir.rglob("*") if path.is_file()]


def test_a_gzip_bomb_is_counted_unpacked(client, httpserver):
    import gzip

    bomb = gzip.compress(b"0" * (QUICK.max_bytes * 4))
    httpserver.expect_request("/z").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceTooLarge):
        client.fetch(httpserver.url_for("/z"))


def test_an_answer_that_ends_too_early_is_no_file(allowed):
    with answering(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na,b\n")) as host:
        client = allowed(host)
        with pytest.raises(SourceInterrupted) as interrupted:
            client.fetch(f"http://{host}/f.csv")
    assert interrupted.value.passing
    assert not [path for path in client.raw_dir.rglob("*") if path.is_file()]


def test_a_source_that_falls_silent_is_left(allowed):
    limits = FetchLimits(read_timeout_s=0.3, retries=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na"
    with answering(saying(head, hold_s=30)) as host, pytest.raises(SourceTooSlow) as slow:
        allowed(host, limits).fetch(f"http://{host}/f.csv")
    assert slow.value.passing


def test_what_is_no_http_is_unreachable(allowed):
    with answering(saying(b"SSH-2.0-OpenSSH_9\r\n")) as host, pytest.raises(SourceUnreachable):
        allowed(host).fetch(f"http://{host}/")


def test_a_closed_port_is_unreachable(allowed):
    with pytest.raises(SourceUnreachable) as unreachable:
        allowed("127.0.0.1:9").fetch("http://127.0.0.1:9/")
    assert unreachable.value.passing


def test_a_server_error_is_tried_again_and_a_missing_page_is_not(client, httpserver):
    httpserver.expect_ordered_request("/f").respond_with_data("", status=503)
    httpserver.expect_ordered_request("/f").respond_with_data("ok")
    assert client.fetch(httpserver.url_for("/f")).byte_count == 2
    httpserver.clear()
    httpserver.expect_request("/none").respond_with_data("", status=404)
    with pytest.raises(SourceAnsweredError):
        client.fetch(httpserver.url_for("/none"))
    assert len(httpserver.log) == 1
