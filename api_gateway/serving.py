"""gunicorn's threaded worker (`-k api_gateway.serving.Worker`) for callers who ask again at once.

Between two requests gunicorn hands a connection to its main thread and back, which takes longer
than answering a short question. Here the thread that answered waits a moment for the next request
itself, as long as nobody else waits for a thread. A request takes a thread when all of it is there.
"""

from __future__ import annotations

import gc
import select
import socket
import sys
from typing import Any

from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    _DEFER,
    TConn,
    ThreadWorker,
)

from api_gateway import stalled
from api_gateway.arriving import Arrival

# A program that asks one question after the other asks the next one within this time.
_MOMENT_MS = 3
_SWITCH_S = 0.001
_INTERNET = (socket.AF_INET, socket.AF_INET6)


def settle(cfg: Config) -> None:
    """Make gunicorn's settings plain attributes: a request reads twenty of them, and gunicorn looks
    each up in another object every time."""
    cfg.__dict__.update({name: setting.get() for name, setting in cfg.settings.items()})


class Worker(ThreadWorker):  # type: ignore[misc]
    """`handle` answers a connection's requests until there is none for a moment."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        settle(self.cfg)
        # The garbage collector never looks at what is loaded now, so no request waits for that.
        gc.collect()
        gc.freeze()
        # Threads switch sooner, as most requests are short and should not wait for one that
        # computes.
        sys.setswitchinterval(_SWITCH_S)

    def handle(self, conn: TConn) -> Any:
        if not conn.initialized:
            # A caller must not hold a thread by sending half of a request, or reading no answer.
            stalled.give_up(conn.sock, socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
        while True:
            if not self._is_whole(conn):
                return False if conn.arrival.is_over else _DEFER
            if (kept := super().handle(conn)) is not True or not self._asks_again(conn):
                return kept

    def _is_whole(self, conn: TConn) -> bool:
        """Whether a request can be read without waiting for its sender."""
        if type(conn.sock) is not socket.socket or conn.sock.family not in _INTERNET:
            # Of what is encrypted nothing can be seen beforehand.
            return True
        read_ahead = conn.parser.unreader.buf.getvalue() if conn.initialized else b""
        arrival = conn.__dict__.setdefault("arrival", Arrival())
        if not (read_ahead or _readable(conn)) or not arrival.is_whole(conn.sock, read_ahead):
            return False
        # The next request has its own.
        del conn.arrival
        return True

    def finish_request(self, conn: TConn, fs: Any) -> None:
        if conn.sock.fileno() < 0:
            # Closed already, as after an answer that broke off: gunicorn would fail to close it
            # again and count it twice, until a stopping worker waits for nobody's answer.
            self.nr_conns -= 1
            return
        super().finish_request(conn, fs)

    def _asks_again(self, conn: TConn) -> bool:
        idle = len(self.keepalived_conns) + len(self.pending_conns)
        if not self.alive or self.nr_conns - idle > self.cfg.threads:
            return False
        return _readable(conn)


def _readable(conn: TConn) -> bool:
    """Whether anything comes within a moment."""
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(_MOMENT_MS))
