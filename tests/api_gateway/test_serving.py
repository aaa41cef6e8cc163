"""The worker class: kept connections, whoever asks again at once or does not."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config

from api_gateway.serving import settle
from tests.api_gateway.gateway import THREADS
from tests.servers import free_port, wait_for

# gunicorn with the worker class, an application that reads what it is sent, and little patience.
_IMPATIENT = """
import struct
from api_gateway import stalled
stalled.PATIENCE = struct.pack("@ll", 1, 0)
worker_class, threads, control_socket_disable = "api_gateway.serving.Worker", 2, True

def app(environ, start):
    environ["wsgi.input"].read()
    start("204 No Content", [])
    return []
"""

# One that breaks some answers off, and takes a while for the others; a program that ends starts no
# thread any more.
_BREAKING = """
import time
from concurrent.futures import ThreadPoolExecutor
worker_class, threads, control_socket_disable = "api_gateway.serving.Worker", 2, True

def app(environ, start):
    start("200 OK", [])
    if environ["PATH_INFO"] == "/broken":
        yield b"half"
        raise RuntimeError
    time.sleep(2)
    yield from ThreadPoolExecutor(1).map(bytes, [b"whole"])
"""


def test_kept_connections_are_answered_in_any_order(gateway):
    parts = urlsplit(gateway.url)
    assert parts.hostname
    many = [http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
            for _ in range(2 * THREADS)]  # fmt: skip

    def ask(connection: http.client.HTTPConnection) -> int:
        connection.request("GET", "/v1/health")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    # More than there are threads, all kept; then one of them asks again and again.
    assert {ask(each) for each in many} == {200}
    assert {ask(many[0]) for _ in range(50)} == {200}
    # The others were not forgotten, and one that leaves at once takes nothing with it.
    many[0].close()
    assert {ask(each) for each in many[1:]} == {200}
    for each in many:
        each.close()


def test_a_short_answer_says_how_long_it_is(gateway):
    answer = gateway.sql("SELECT 1 AS x", headers={"Accept-Encoding": "identity"})
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.json()["rows"] == [{"x": 1}]
    packed = gateway.sql("SELECT 1 AS x", headers={"Accept-Encoding": "gzip"})
    assert 0 < int(packed.headers["Content-Length"]) < len(packed.content)
    assert packed.json()["rows"] == [{"x": 1}]


def test_settings_that_are_found_at_once_say_the_same():
    cfg = Config()
    cfg.set("keepalive", 75)
    cfg.set("workers", 3)
    before = {name: getattr(cfg, name) for name in cfg.settings}
    settle(cfg)
    assert {name: getattr(cfg, name) for name in cfg.settings} == before
    assert cfg.__dict__["keepalive"] == 75


@pytest.mark.parametrize(
    "half",
    [
        b"POST / HT",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
    ],
    ids=["head", "body", "second head"],
)
def test_half_a_request_holds_no_thread_for_long(tmp_path, half):
    with serving(tmp_path, _IMPATIENT) as (_, connected):
        begun = time.monotonic()
        stalled = [connected() for _ in range(2)]
        for each in stalled:
            each.sendall(half)
        for each in stalled:
            # What was never read is what the kernel resets a connection for.
            with contextlib.suppress(ConnectionResetError):
                received(each)
        assert 0.9 <= time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("half", "rest"),
    [
        (b"", b"GET / HTTP/1.1\r\n\r\n"),
        (b"GET / HT", b"TP/1.1\r\nHost: x\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 900000\r\n\r\nhalf", bytes(899_996)),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha", b"lf\r\n0\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", b"x"),
        (b"GET / HTTP/1.1\r\n\r\nGET / HT", b"TP/1.1\r\n\r\n"),
    ],
    ids=["nothing", "head", "body", "chunk", "expecting", "second head"],
)
def test_halves_of_requests_keep_nobody_waiting(tmp_path, half, rest):
    with serving(tmp_path, f"{_IMPATIENT}\nkeepalive = 30\n") as (_, connected):
        halves = [connected() for _ in range(10)]
        for each in halves:
            each.sendall(half)
        for _ in range(3):
            whole, begun = connected(), time.monotonic()
            whole.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert received(whole).startswith(b"HTTP/1.1 204")
            assert time.monotonic() - begun < 0.9
        for each in halves:
            each.sendall(rest)
            each.shutdown(socket.SHUT_WR)
            assert received(each).count(b"HTTP/1.1 204") == (half + rest).count(b" HTTP/1.1")


def test_a_worker_that_broke_answers_off_waits_for_those_it_still_owes(tmp_path):
    with serving(tmp_path, _BREAKING) as (server, connected):
        for _ in range(2):
            broken = connected()
            broken.sendall(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
            assert received(broken).endswith(b"\r\n4\r\nhalf\r\n")
        owed = connected()
        owed.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        server.terminate()
        assert received(owed).endswith(b"\r\n5\r\nwhole\r\n0\r\n\r\n")


@contextlib.contextmanager
def serving(folder: Path, program: str):
    """gunicorn with `program` as its settings and application, and what connects to it."""
    port = free_port()
    (folder / "program.py").write_text(program)
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "program.py", "-b", f"127.0.0.1:{port}",
         "program:app"], cwd=folder, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def connected() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    def listens() -> bool:
        try:
            connected().close()
        except ConnectionRefusedError:
            return False
        return True

    try:
        wait_for(listens, "gunicorn")
        yield server, connected
    finally:
        server.terminate()
        server.wait()


def received(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))
