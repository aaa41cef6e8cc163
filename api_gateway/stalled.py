"""A connection whose other side sends or takes nothing any more."""

from __future__ import annotations

import socket
import struct

from api_gateway.settings import STALL_S

# As the kernel has it, a `struct timeval`.
PATIENCE = struct.pack("@ll", int(STALL_S), 0)


def give_up(connection: socket.socket, *ways: int) -> None:
    """Have what cannot go on for STALL_S raise BlockingIOError; `ways`: SO_RCVTIMEO, SO_SNDTIMEO,
    or both.

    The kernel looks at the clock. With a timeout of Python's each `send` is two calls, and whoever
    makes one waits for its turn among the threads of this program.
    """
    for way in ways:
        connection.setsockopt(socket.SOL_SOCKET, way, PATIENCE)
