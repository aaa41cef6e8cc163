"""Passes an answer's bytes on, from its query process to its caller, and meters each frame.

A long answer comes as pieces for whoever writes them himself. To a plain connection the kernel
moves the bytes (`direct`), so that a large answer costs this process no time and keeps nobody
waiting.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from api_gateway import frames
from api_gateway.cancelling import Turn
from api_gateway.direct import Line
from api_gateway.errors import GatewayError, QueryCancelled
from api_gateway.exchange import Caller
from api_gateway.meter import Metered
from api_gateway.process import ClientGone
from api_gateway.running import Running
from api_gateway.settings import GRACE_S

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """An answer that cannot be completed after its first bytes were sent."""


class AtOnce:
    """A short answer: all of it is here, and its process is given back already."""

    onto = None

    def __init__(self, data: bytes, content: dict[str, Any], turn: Turn, metered: Metered) -> None:
        turn.end()
        self._data, self._content, self._metered = data, content, metered
        self.byte_count = len(data)

    def __iter__(self) -> Iterator[bytes]:
        """The answer's bytes."""
        try:
            self._metered.sending(self._content["bytes"], self.byte_count)
        except GatewayError as error:
            self._metered.break_off(error.code)
            raise Interrupted(error.code) from error
        # Before the last byte leaves: whoever has all of it may ask for the receipt at once.
        if self._metered.receipt:
            self._metered.finish(self._content)
        yield self._data
        self._metered.finish(self._content)

    def end(self) -> None:
        """Sent in full or not; safe to repeat."""
        self._metered.break_off("client_gone")


class Relay:
    """A long answer on its way. What goes wrong now breaks the connection off: the caller sees an
    incomplete answer, never one that looks whole and is not."""

    byte_count = None

    def __init__(
        self,
        turn: Turn,
        timeout_s: float,
        metered: Metered,
        running: Running,
        caller: Caller,
    ) -> None:
        self._turn, self._timeout_s, self._metered = turn, timeout_s, metered
        self._running = running
        self._flow = running.begin(metered.visit, caller.connection, framed=caller.framed)
        # How many bytes the next frame's data is before compression, by its process's word.
        self._decoded_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """The answer's bytes."""
        return self._passed_on(self._pieces)

    def onto(self, connection: socket.socket) -> Iterator[bytes]:
        """As `Answer.onto`."""
        yield b""
        with closing(Line(connection)) as line:

            def move(length: int) -> Iterable[bytes]:
                line.chunk(self._turn.lease.process, length, self._patience_s)
                return ()

            yield from self._passed_on(move)

    def end(self) -> None:
        """Give the process back, read in full or not; safe to repeat."""
        self._running.end(self._flow)
        self._turn.end()
        self._metered.break_off(self._flow.stopped or "client_gone")

    @property
    def _patience_s(self) -> float:
        return self._timeout_s + GRACE_S

    def _pieces(self, length: int) -> Iterable[bytes]:
        return self._turn.lease.process.pieces(length, self._patience_s)

    def _passed_on(self, take: Callable[[int], Iterable[bytes]]) -> Iterator[bytes]:
        """Go through the frames; `take`, given a payload's length, passes on those with data."""
        flow, lease, metered = self._flow, self._turn.lease, self._metered
        try:
            while not flow.stopped:
                kind, length = lease.head(self._patience_s)
                if kind == frames.DATA:
                    metered.sending(self._decoded_bytes, length)
                    self._decoded_bytes = 0
                    yield from take(length)
                    continue
                payload = b"".join(lease.process.pieces(length, self._patience_s))
                if kind == frames.END:
                    lease.finish()
                    metered.finish(json.loads(payload))
                    return
                if kind == frames.BYTES:
                    self._decoded_bytes = int(payload)
                elif kind == frames.ROWS:
                    metered.rows(int(payload))
                else:
                    code = json.loads(payload)["code"]
                    self._turn.failed(code)
                    raise Interrupted(code)
            raise Interrupted(flow.stopped)
        except Interrupted as error:
            metered.break_off(str(error))
            raise
        except (TimeoutError, GatewayError) as error:
            lease.fail("overtime" if isinstance(error, TimeoutError) else "lost")
            code = "query_timeout"
            if isinstance(error, GatewayError):
                code = str(error.facts.get("reason") or error.code)
            code = QueryCancelled.code if self._turn.query.cancelled else code
            metered.break_off(code)
            raise Interrupted(code) from error
        except ClientGone as error:
            log.info("client_gone")
            # The caller may only have stopped sending: it must not see a proper end either.
            raise BrokenPipeError(errno.EPIPE, "the caller is gone") from error
        finally:
            self.end()
