"""Hostile servers: what they do instead of giving a file, and the error it must end in."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.harvesters.hostile.case import Case
from tests.harvesters.raw_server import Answer, answering, dripping, saying

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
CSV = b"a,b\n1,x\n"


def spoken(answer: Answer) -> Callable[[HTTPServer], AbstractContextManager[str]]:
    """A server of bytes that are no good HTTP."""

    @contextmanager
    def served(_server: HTTPServer) -> Iterator[str]:
        with answering(answer) as host:
            yield f"http://localhost:{host.rpartition(':')[2]}/f.csv"

    return served


def redirecting(target: str) -> Callable[[HTTPServer], str]:
    def served(server: HTTPServer) -> str:
        answer = Response(status=302, headers={"Location": target})
        server.expect_request("/hostile").respond_with_response(answer)
        return server.url_for("/hostile")

    return served


def answered(status: int, body: bytes = b"", **headers: str) -> Callable[[HTTPServer], str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def served(server: HTTPServer) -> str:
        server.expect_request("/hostile").respond_with_data(body, status=status, headers=named)
        return server.url_for("/hostile")

    return served


def corridor(server: HTTPServer) -> str:
    """Every address redirects to the next."""
    steps = itertools.count(1)

    def answer(_request: object) -> Response:
        return Response(status=302, headers={"Location": f"/hostile/{next(steps)}"})

    server.expect_request("/hostile").respond_with_handler(answer)
    for step in range(1, 50):
        server.expect_request(f"/hostile/{step}").respond_with_handler(answer)
    return server.url_for("/hostile")


def at(url: str) -> Callable[[HTTPServer], str]:
    return lambda _server: url


def packed_bomb(encoding: str) -> bytes:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    body = pack(bytes(96 * MIB))
    head = f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return OK + head.encode() + body


def endless(caller: socket.socket, _request: bytes, stop: threading.Event) -> None:
    """A body without an announced end."""
    caller.sendall(OK + b"Content-Type: text/csv\r\n\r\n")
    block = CSV * (MIB // len(CSV))
    while not stop.is_set():
        caller.sendall(block)


def lengths(*said: str) -> bytes:
    return OK + "".join(f"Content-Length: {each}\r\n" for each in said).encode() + b"\r\n" + CSV


NETWORK = [
    Case("length_that_is_too_long", "csv", "source_interrupted",
         served=spoken(saying(lengths("4000")))),
    Case("length_of_a_terabyte", "csv", "source_too_large",
         served=spoken(saying(lengths(str(1 << 40))))),
    Case("lengths_that_contradict", "csv", ("source_interrupted", "source_unreachable"),
         served=spoken(saying(lengths("8", "9")))),
    Case("body_without_end", "csv", "source_too_large", served=spoken(endless)),
    Case("chunk_that_lies", "csv", "source_interrupted",
         served=spoken(saying(OK + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + CSV))),
    Case("chunk_of_no_number", "csv", "source_interrupted",
         served=spoken(saying(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + CSV))),
    Case("chunk_length_without_end", "csv", ("source_interrupted", "source_too_slow"),
         served=spoken(saying(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 200_000))),
    Case("drops_of_a_body", "csv", "source_too_slow",
         served=spoken(dripping(OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.05))),
    Case("drops_of_a_header", "csv", "source_too_slow",
         served=spoken(dripping(OK + b"X: ", b"x", 0.05))),
    Case("drops_of_chunks", "csv", "source_too_slow",
         served=spoken(dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05))),
    Case("silence", "csv", "source_too_slow", served=spoken(saying(hold_s=60))),
    Case("silence_in_the_middle", "csv", "source_too_slow",
         served=spoken(saying(OK + b"Content-Length: 9999\r\n\r\n" + CSV, hold_s=60))),
    Case("header_without_end", "csv", "source_unreachable",
         served=spoken(saying(OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n"))),
    Case("headers_without_end", "csv", "source_unreachable",
         served=spoken(saying(OK + b"X: x\r\n" * 5_000 + b"\r\n"))),
    Case("no_http", "csv", "source_unreachable", served=spoken(saying(b"SSH-2.0-OpenSSH_9\r\n"))),
    Case("nothing_at_all", "csv", "source_unreachable", served=spoken(saying())),
    Case("gzip_bomb_in_transfer", "csv", "source_too_large",
         served=spoken(saying(packed_bomb("gzip")))),
    Case("deflate_bomb_in_transfer", "csv", "source_too_large",
         served=spoken(saying(packed_bomb("deflate")))),
    Case("gzip_that_is_none", "csv", "source_interrupted",
         served=answered(200, CSV, Content_Encoding="gzip")),
    Case("packed_a_hundred_times", "csv", ("source_interrupted", "binary_content"),
         served=answered(200, CSV, Content_Encoding=", ".join(["gzip"] * 100))),
    Case("redirect_to_itself", "csv", "redirects_exhausted", served=redirecting("/hostile")),
    Case("redirects_without_end", "csv", "redirects_exhausted", served=corridor),
    *(
        Case(f"redirect_to_{name}", "csv", code, served=redirecting(target))
        for name, target, code in (
            ("cloud_metadata", "http://169.254.169.254/latest/meta-data/", "address_forbidden"),
            ("loopback", "http://127.0.0.1:1/", "address_forbidden"),
            ("loopback_in_ipv6", "http://[::ffff:127.0.0.1]:1/", "address_forbidden"),
            ("loopback_as_a_number", "http://2130706433:1/",
             ("address_forbidden", "source_unreachable")),
            ("file", "file:///etc/passwd", "url_refused"),
            ("gopher", "gopher://127.0.0.1:1/", "url_refused"),
        )
    ),
    Case("redirect_to_nonsense", "csv", ("url_refused", "source_unreachable"),
         served=spoken(saying(b"HTTP/1.1 302 Found\r\nLocation: http://[half\r\n\r\n"))),
    Case("private_network", "csv", "address_forbidden", served=at("http://10.0.0.1/f.csv")),
    Case("password_in_the_address", "csv", "url_refused",
         served=at("http://me:secret@source.example/f.csv")),
    Case("name_of_no_host", "csv", "source_unreachable",
         served=at("http://no-such-host.invalid/f.csv")),
    Case("no_tls", "csv", "tls_failed",
         served=lambda server: server.url_for("/hostile").replace("http:", "https:")),
    Case("closed", "csv", "source_answered_error", served=answered(403, CSV)),
    Case("rest_that_nobody_wanted", "csv", "source_interrupted",
         served=answered(206, CSV, Content_Range="bytes 4-7/8")),
    Case("rest_for_a_year", "csv", "source_answered_error",
         served=answered(503, CSV, Retry_After="31536000")),
    Case("page_of_a_login", "csv", "html_instead_of_data",
         served=answered(200, b"<!DOCTYPE html><form><input type=password></form>",
                         Content_Type="text/csv")),
]  # fmt: skip
