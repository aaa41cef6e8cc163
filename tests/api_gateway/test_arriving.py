"""What a request needs before a thread reads it."""

from __future__ import annotations

import socket
from select import select

import pytest

from api_gateway import arriving
from api_gateway.arriving import Arrival
from api_gateway.settings import BODY_BYTES

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("seen", "lacks"),
    [
        (b"", 1),
        (b"GE", 1),
        (HEAD, 1),
        (HEAD + b"\r\n", 0),
        (HEAD + b"\r\nGET", 0),
        (SIZED, 5),
        (SIZED + b"abc", 2),
        (SIZED + b"abcde", 0),
        (HEAD + b"content-LENGTH:\t5 \r\n\r\n", 5),
        # Refused as soon as somebody reads it.
        (HEAD + b"Content-Length: 99999999\r\n\r\n", 0),
        (HEAD + b"Content-Length: -1\r\n\r\n", 0),
        (b"G" * 200_000, 0),
        (CHUNKED, 1),
        (CHUNKED + b"5", 1),
        (CHUNKED + b"5\r\n", 12),
        (CHUNKED + b"5;a=b\r\nabcde\r\n", 1),
        (CHUNKED + b"5\r\n0\r\n\r\n\r\n", 1),
        (CHUNKED + b"5\r\nabcde\r\n0\r\n", 1),
        (CHUNKED + b"5\r\nabcde\r\n0\r\nX: y\r\n", 1),
        (CHUNKED + b"5\r\nabcde\r\n0\r\nX: y\r\n\r\n", 0),
        (CHUNKED + b"5\r\nabcde\r\n0\r\n\r\n", 0),
        (CHUNKED + b"zz\r\n", 0),
        (CHUNKED + b"z" * 300, 0),
    ],
)
def test_what_a_request_lacks(seen, lacks):
    assert max(0, Arrival().wanted(seen) - len(seen)) == lacks


def test_no_more_is_waited_for_than_a_body_may_have():
    assert Arrival().wanted(CHUNKED + b"ffffffff\r\n") == len(CHUNKED) + BODY_BYTES


def test_chunks_are_read_on_from_where_they_ended():
    arrival, seen = Arrival(), CHUNKED
    for piece in (b"3\r\nabc\r", b"\n4", b"\r\nabcd\r\n0", b"\r\n"):
        seen += piece
        assert arrival.wanted(seen) > len(seen)
    assert arrival.wanted(seen + b"\r\n") == len(seen) + 2


def test_who_waits_to_be_asked_for_the_body_is_asked_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname(), timeout=5)
        connection, _ = server.accept()
    with sender, connection:
        arrival = Arrival()
        sender.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert not arrival.is_whole(connection)
        assert sender.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sender.sendall(b"ab")
        assert not arrival.is_whole(connection)
        sender.sendall(b"cde")
        assert select([connection], [], [], 5)[0]
        assert arrival.is_whole(connection)
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            sender.recv(100)


def test_who_sends_letter_by_letter_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        connection, _ = server.accept()
    with sender, connection:
        arrival = Arrival()
        sender.sendall(b"GET / HT")
        assert select([connection], [], [], 5)[0]
        assert not arrival.is_whole(connection)
        assert not arrival.is_over
        monkeypatch.setattr(arriving, "_MOST_LOOKS", 1)
        sender.sendall(b"T")
        assert not arrival.is_whole(connection)
        assert arrival.is_over
        sender.shutdown(socket.SHUT_WR)
        assert select([connection], [], [], 5)[0]
        assert arrival.is_whole(connection)
