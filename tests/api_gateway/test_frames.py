"""What crosses between the web process and a query process arrives as it was sent."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from api_gateway import frames


@pytest.fixture
def ends():
    mine, theirs = frames.pair()
    with mine, theirs:
        mine.settimeout(10)
        theirs.settimeout(10)
        yield mine, theirs


@pytest.mark.parametrize(
    "parts",
    [[b""], [b"", b"ab", b""], [b"a" * 3_000_000, bytearray(b"bc"), memoryview(b"d" * 5_000_000)],
     [bytes([number % 256]) * number for number in range(3_000)]],
    ids=["empty", "short", "longer than the room there is", "more than one call takes"],
)  # fmt: skip
def test_a_frame_of_parts_arrives_whole_and_the_next_one_behind_it(ends, parts):
    mine, theirs = ends

    def send() -> None:
        frames.send_parts(theirs, frames.DATA, list(parts))
        frames.send(theirs, frames.END, b"{}")

    sending = threading.Thread(target=send)
    sending.start()
    assert frames.receive(mine) == (frames.DATA, b"".join(parts))
    assert frames.receive(mine) == (frames.END, b"{}")
    sending.join()


def test_who_is_not_read_waits_no_longer_than_its_timeout(ends):
    _, theirs = ends
    theirs.settimeout(0.05)
    with pytest.raises(TimeoutError):
        frames.send(theirs, frames.DATA, bytes(8_000_000))


def test_who_sends_to_nobody_is_told(ends):
    mine, theirs = ends
    mine.close()
    with pytest.raises(OSError, match="pipe"):
        frames.send(theirs, frames.DATA, bytes(8_000_000))


def test_a_query_process_may_be_a_mebibyte_ahead_where_the_system_lets_it(ends):
    _, theirs = ends
    most = int(Path("/proc/sys/net/core/wmem_max").read_text())
    # Linux counts what it needs itself, and tells the double.
    assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * min(most, 2**20)
