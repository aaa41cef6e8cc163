"""Watches the answers that are being sent, and stops those that their caller may no longer read.

One thread looks every second, so that neither a slow reader nor a file that the kernel sends by
itself outlives a revocation for long.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable

from api_gateway.decisions import Decisions
from api_gateway.errors import AccessDenied, GatewayError
from api_gateway.shelf import Shelved
from api_gateway.verdicts import require_network, require_permits
from api_gateway.visit import Visit
from lake import logs

log = logging.getLogger(__name__)

_INTERVAL_S = 1.0


class Flow:
    """One answer on its way. `stopped` is the reason's code once it must not go on. `framed` as in
    `Caller`."""

    def __init__(
        self, visit: Visit, connection: socket.socket | None, epoch: int | None, *, framed: bool
    ) -> None:
        self.visit, self.epoch = visit, epoch
        self._connection, self._framed = connection, framed
        self.stopped: str | None = None

    def stop(self, code: str) -> bool:
        """Stop it; returns whether it is over now.

        A framed answer's connection is shut at once. Another one's sender is first given the chance
        to reset the connection itself, so that its end looks broken; stop it again if it did not.
        """
        again, self.stopped = self.stopped is not None, code
        if not (self._framed or again):
            return False
        if self._connection:
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("caller_already_gone")
        return True


class Running:
    """The flows of one gateway process. Thread-safe."""

    def __init__(self, decisions: Decisions, now: Callable[[], float] = time.time) -> None:
        self._decisions, self._now = decisions, now
        self._flows: set[Flow] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        threading.Thread(target=self._look_regularly, name="running", daemon=True).start()

    def begin(self, visit: Visit, connection: socket.socket | None, *, framed: bool = True) -> Flow:
        """Watch an answer until `end`."""
        # Without the epoch of its decision it is only looked at once more than needed.
        flow = Flow(visit, connection, None, framed=framed)
        with self._lock:
            self._flows.add(flow)
        return flow

    def end(self, flow: Flow) -> None:
        """The answer is over; safe to repeat."""
        with self._lock:
            self._flows.discard(flow)

    def close(self) -> None:
        self._closing.set()

    def _look_regularly(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            with self._lock:
                flows = list(self._flows)
            if flows:
                self._look(flows)

    def _look(self, flows: list[Flow]) -> None:
        epoch = self._decisions.epoch()
        for flow in flows:
            ended = flow.visit.decision.ends_at <= self._now()
            if epoch is None or epoch != flow.epoch or ended:
                visit = flow.visit
                try:
                    self.require(visit.token, visit.address, visit.action, visit.shelved)
                    flow.epoch = epoch
                except GatewayError as error:
                    code = str(error.facts.get("reason") or error.code)
                    self._stop(flow, code)

    def _stop(self, flow: Flow, code: str) -> None:
        with self._lock:
            # One that ended meanwhile: its connection serves the next request by now.
            if flow not in self._flows:
                return
            if not flow.stop(code):
                return
            self._flows.discard(flow)
        log.info("answer_stopped", extra=logs.facts(door=flow.visit.door, reason=code))

    def require(
        self, token: str | None, address: str | None, action: str, shelved: Iterable[Shelved]
    ) -> None:
        """Ask the portal again whether a caller may read what it is reading. Raises AccessDenied if
        not, and what asking raises."""
        read = {each.table: each.decision.edition for each in shelved}
        decision = self._decisions.decide(token, tuple(read), action)
        require_network(decision, address)
        require_permits(decision, tuple(read), token, self._decisions)
        for table, edition in read.items():
            if decision.of(table).edition != edition:
                raise AccessDenied(table=table, reason="edition_changed")
