"""A connection whose other side takes nothing any more."""

from __future__ import annotations

import socket
import struct

from api_gateway.settings import STALL_S

# As the kernel has it, a `struct timeval`.
_PATIENCE = struct.pack("@ll", int(STALL_S), 0)


def give_up(connection: socket.socket) -> None:
    """Have a blocking `send` that cannot go on for STALL_S raise BlockingIOError. The kernel looks
    at the clock: with a timeout of Python's, each `send` is two calls, and who makes one waits for
    his turn among the threads of this program."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
