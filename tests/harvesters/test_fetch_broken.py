"""Downloads that break off, drag on or lie; hosts that want to be spared."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import ssl
import threading
import time
import zlib
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug import Response

from harvesters.errors import (
    SourceAnsweredError,
    SourceInterrupted,
    SourceTooLarge,
    SourceTooSlow,
    TlsFailed,
)
from harvesters.fetch import Client, FetchLimits, Validators
from harvesters.incoming import Incoming
from harvesters.politeness import Host
from tests.harvesters.raw_server import answering, dripping, saying

CONTENT = random.Random(4).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMITS = FetchLimits(
    max_bytes=4 << 20, connect_timeout_s=2, read_timeout_s=2, total_s=20, retries=0, backoff_s=0.01
)


@pytest.fixture
def client_of(tmp_path):
    with ExitStack() as stack:

        def make(host: str, **limits) -> Client:
            client = Client(tmp_path / "raw", [host], FetchLimits(**{**vars(LIMITS), **limits}))
            stack.callback(client.close)
            return client

        yield make


class Breaking:
    """A file server that sends `piece` bytes and breaks off; `headers` go with every answer."""

    def __init__(self, piece: int, headers: str, *, ranges: bool = True, content=CONTENT) -> None:
        self.piece, self.headers, self.ranges, self.content = piece, headers, ranges, content
        self.requests: list[str] = []

    def __call__(self, caller, request, _stop) -> None:
        asked = request.decode()
        self.requests.append(asked)
        found = re.search(r"Range: bytes=(\d+)-", asked)
        start = int(found[1]) if found and self.ranges else 0
        rest = self.content[start:]
        status = "206 Partial Content" if start else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(rest)}\r\n{self.headers}"
        if start:
            last = len(self.content) - 1
            head += f"Content-Range: bytes {start}-{last}/{len(self.content)}\r\n"
        caller.sendall(f"{head}\r\n".encode() + rest[: self.piece])


def files(client: Client) -> list:
    return [path for path in client.raw_dir.rglob("*") if path.is_file()]


def test_a_download_that_breaks_off_goes_on_where_it_was(client_of):
    server = Breaking(100_000, 'ETag: "one"\r\n')
    with answering(server) as host:
        fetched = client_of(host).fetch(f"http://{host}/f")
    assert fetched.sha256 == SHA256
    assert fetched.path.read_bytes() == CONTENT
    assert len(server.requests) == 3
    assert all('If-Range: "one"' in asked for asked in server.requests[1:])
    # A range of packed bytes would not fit to what was unpacked.
    assert all("Accept-Encoding: identity" in asked for asked in server.requests[1:])


def test_a_time_of_change_long_ago_is_as_good_as_an_etag(client_of):
    dates = (
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 00:02:00 GMT\r\n"
    )
    server = Breaking(200_000, dates)
    with answering(server) as host:
        assert client_of(host).fetch(f"http://{host}/f").sha256 == SHA256
    assert "Range: bytes=200000-" in server.requests[1]


@pytest.mark.parametrize(
    "headers",
    [
        "",
        'ETag: W/"weak"\r\n',
        'ETag: "one"\r\nAccept-Ranges: none\r\n',
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 00:00:01 GMT\r\n",
    ],
)
def test_what_is_not_surely_the_same_file_is_begun_anew(client_of, headers):
    server = Breaking(100_000, headers)
    with answering(server) as host, pytest.raises(SourceInterrupted):
        client_of(host, resumes=2).fetch(f"http://{host}/f")
    assert len(server.requests) == 3
    assert not any("Range:" in asked for asked in server.requests)


def test_a_server_without_ranges_sends_the_whole_file_again(client_of):
    server = Breaking(100_000, 'ETag: "one"\r\n', ranges=False)

    def at_last(caller, request, stop):
        if len(server.requests) == 2:
            server.piece = len(CONTENT)
        server(caller, request, stop)

    with answering(at_last) as host:
        assert client_of(host).fetch(f"http://{host}/f").sha256 == SHA256


def test_a_file_that_changed_meanwhile_is_not_spliced(client_of):
    old, new = Breaking(100_000, 'ETag: "old"\r\n'), b"another file" * 1000

    def changing(caller, request, stop):
        if not old.requests:
            old(caller, request, stop)
        else:
            caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(new) + new)

    with answering(changing) as host:
        assert client_of(host).fetch(f"http://{host}/f").path.read_bytes() == new


def a_part(first: int, last: int, more: bytes = b"", whole: int = 3000) -> bytes:
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n%s\r\n"
    return head % (first, last, whole, more) + CONTENT[first : last + 1]


@pytest.mark.parametrize(
    "rest",
    [
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 7-9/3000\r\n"
        b"Content-Length: 3\r\n\r\nxxx",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nxxx",
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
        a_part(1000, 2999, b'ETag: "two"\r\n'),
        a_part(1000, 1999, whole=2000),
        a_part(1000, 1999).replace(b"1000-1999", b"1000-2999"),
        a_part(1000, 1999).replace(b"/3000", b"/*"),
    ],
    ids=[
        "of-other-bytes", "of-unsaid-bytes", "none", "of-another-file", "of-another-length",
        "ends-too-early", "of-no-length",
    ],
)  # fmt: skip
def test_a_rest_that_does_not_make_the_file_whole_is_not_taken(client_of, rest):
    def lying(caller, request, _stop):
        if b"Range:" in request:
            caller.sendall(rest)
        else:
            head = b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: 3000\r\n\r\n'
            caller.sendall(head + CONTENT[:1000])

    with answering(lying) as host:
        client = client_of(host)
        with pytest.raises(SourceInterrupted):
            client.fetch(f"http://{host}/f")
    assert files(client) == []


def test_parts_that_a_server_keeps_small_are_put_together(client_of):
    def grudging(caller, request, _stop):
        if found := re.search(rb"Range: bytes=(\d+)-", request):
            caller.sendall(a_part(int(found[1]), int(found[1]) + 999))
        else:
            head = b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: 3000\r\n\r\n'
            caller.sendall(head + CONTENT[:1000])

    with answering(grudging) as host:
        assert client_of(host).fetch(f"http://{host}/f").path.read_bytes() == CONTENT[:3000]


def test_a_part_that_nobody_asked_for_is_no_file(client_of):
    with answering(saying(a_part(0, 999))) as host:
        client = client_of(host)
        with pytest.raises(SourceInterrupted):
            client.fetch(f"http://{host}/f")
    assert files(client) == []
    with answering(saying(a_part(0, 2999))) as host:
        assert client_of(host).fetch(f"http://{host}/f").byte_count == 3000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 9, 5000])
def test_a_packed_answer_that_ends_too_early_is_no_file(client_of, encoding, cut):
    packed = (gzip.compress if encoding == "gzip" else zlib.compress)(CONTENT)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n\r\n".encode()
    with answering(saying(head + packed[:-cut])) as host:
        client = client_of(host)
        with pytest.raises(SourceInterrupted):
            client.fetch(f"http://{host}/f")
    assert files(client) == []
    with answering(saying(head + packed + b"\0" * 512)) as host:
        assert client_of(host).fetch(f"http://{host}/f").path.read_bytes() == CONTENT


def test_an_unchanged_file_that_nobody_has_is_no_file(client_of):
    with answering(saying(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as host:
        client = client_of(host)
        kept = hashlib.sha256(b"").hexdigest()
        with Incoming(client.raw_dir, client.limits) as incoming:
            incoming.begin()
            assert incoming.keep() == kept
        for known in (Validators('"one"', None, SHA256), Validators(None, None, kept), None):
            with pytest.raises(SourceAnsweredError):
                client.fetch(f"http://{host}/f", known)


@pytest.mark.parametrize(
    "said", ["soon", "", "-5", "Mon, 01 Jan 99999999 00:00:00 GMT", "9" * 400, "²"]
)
def test_a_retry_after_without_sense_is_none(client_of, said):
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {said}\r\nContent-Length: 0\r\n"
    answer = f"{head}Connection: close\r\n\r\n".encode("latin-1")
    with answering(saying(answer)) as host, pytest.raises(SourceAnsweredError):
        client_of(host, retries=1).fetch(f"http://{host}/f")


def test_breaking_off_has_an_end(client_of):
    server = Breaking(10, 'ETag: "one"\r\n')
    with answering(server) as host:
        client = client_of(host, resumes=3)
        with pytest.raises(SourceInterrupted) as interrupted:
            client.fetch(f"http://{host}/f")
    assert interrupted.value.passing
    assert len(server.requests) == 4
    assert files(client) == []


def test_a_cap_holds_over_all_pieces(client_of):
    server = Breaking(100_000, 'ETag: "one"\r\n')
    # The length is announced of every rest: what came before counts too.
    server.content = CONTENT * 3
    with answering(server) as host, pytest.raises(SourceTooLarge):
        client_of(host, max_bytes=850_000).fetch(f"http://{host}/f")
    with answering(server) as host, pytest.raises(SourceInterrupted):
        client_of(host, max_bytes=950_000).fetch(f"http://{host}/f")


DRIPS = {
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n", b"x"),
    "a chunk's length": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "a status": (b"HTTP/1.1 ", b"2"),
}


@pytest.mark.parametrize("what", DRIPS)
def test_a_source_that_drips_is_left_in_time(client_of, what):
    started = time.monotonic()
    with answering(dripping(*DRIPS[what], 0.02)) as host, pytest.raises(SourceTooSlow) as slow:
        client_of(host, total_s=0.4, retries=2).fetch(f"http://{host}/f")
    assert time.monotonic() - started < 10
    assert slow.value.passing


def test_a_source_that_brings_too_little_is_left_before_its_time(client_of):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with answering(dripping(head, b"x", 0.02)) as host, pytest.raises(SourceTooSlow, match="under"):
        client_of(host, slow_s=0.2, least_bytes_s=1_000).fetch(f"http://{host}/f")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_in_the_transfer_is_counted_unpacked(client_of, encoding):
    import gzip
    import zlib

    plain = bytes(64 << 20)
    bomb = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n"
    with answering(saying(head.encode(), bomb)) as host:
        client = client_of(host)
        with pytest.raises(SourceTooLarge):
            client.fetch(f"http://{host}/f")
    assert files(client) == []


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_certificate_that_nobody_vouches_for_is_named(client_of, self_signed):
    heard = []

    def answer(_caller, request, _stop):
        heard.append(request)

    with (
        answering(answer, self_signed) as host,
        pytest.raises(TlsFailed, match="not valid") as failed,
    ):
        client_of(host).fetch(f"https://{host}/f")
    assert not failed.value.passing
    assert heard in ([], [b""])


def test_a_host_that_speaks_no_tls_is_named(client_of):
    with answering(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as host, pytest.raises(TlsFailed):
        client_of(host).fetch(f"https://{host}/f")


# --- sparing hosts -------------------------------------------------------------------------------


def test_a_short_retry_after_is_waited_for(client, httpserver):
    moments = []

    def busy_once(_request):
        moments.append(time.monotonic())
        if len(moments) == 1:
            return Response(status=429, headers={"Retry-After": "1"})
        return Response("ok")

    httpserver.expect_request("/f").respond_with_handler(busy_once)
    assert client.fetch(httpserver.url_for("/f")).byte_count == 2
    assert moments[1] - moments[0] >= 0.95


@pytest.mark.parametrize("as_date", [False, True])
def test_a_long_retry_after_leaves_the_whole_host_alone(client, httpserver, as_date):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    said = {"Retry-After": until if as_date else "600"}
    httpserver.expect_request("/f").respond_with_data("", status=503, headers=said)
    httpserver.expect_request("/g").respond_with_data("ok")
    for path in ("/f", "/f", "/g"):
        with pytest.raises(SourceAnsweredError) as answered:
            client.fetch(httpserver.url_for(path))
        assert 590 <= answered.value.facts["retry_after_s"] <= 600
        assert answered.value.facts["status"] == 503
    assert len(httpserver.log) == 1


def test_a_host_is_not_asked_by_too_many_at_once():
    host, there, most = Host(2), [], []
    lock = threading.Lock()
    begin = threading.Barrier(6)

    def visit():
        begin.wait()
        with host.visit(LIMITS, 0.0):
            with lock:
                there.append(1)
                most.append(len(there))
            time.sleep(0.02)
            with lock:
                there.pop()

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    assert len(most) == 6


def test_questions_to_a_host_have_a_pause_between():
    host, begun = Host(2), time.monotonic()
    for _ in range(4):
        with host.visit(LIMITS, 0.05):
            last = time.monotonic()
    assert last - begun >= 3 * 0.05
