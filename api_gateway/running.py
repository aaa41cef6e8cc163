"""Answers that are being sent, and their end when their caller may no longer read them.

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
    """One answer on its way. `stopped` is the reason's code once it must not go on. `framed`:
    the connection's end is not taken for the answer's."""

    def __init__(
        self, visit: Visit, connection: socket.socket | None, epoch: int | None, *, framed: bool
    ) -> None:
        self.visit, self.epoch = visit, epoch
        self._connection, self._framed = connection, framed
        self.stopped: str | None = None

    def stop(self, code: str) -> bool:
        """End it: what is not yet sent never will be, and the connection says so by closing.
        False: whoever sends it should see that by itself; stop it again if it does not."""
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
        # The epoch of before the decision would be right; an older one only looks once more.
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
            # One that ended meanwhile has given its connection to the next request.
            if flow not in self._flows:
                return
            if not flow.stop(code):
                return
            self._flows.discard(flow)
        log.info("answer_stopped", extra=logs.facts(door=flow.visit.door, reason=code))

    def require(
        self, token: str | None, address: str | None, action: str, shelved: Iterable[Shelved]
    ) -> None:
        """That a caller may still read what it was given the right to. Raises AccessDenied, and
        what asking the portal raises."""
        read = {each.table: each.decision.edition for each in shelved}
        decision = self._decisions.decide(token, tuple(read), action)
        require_network(decision, address)
        require_permits(decision, tuple(read), token, self._decisions)
        for table, edition in read.items():
            if decision.of(table).edition != edition:
                raise AccessDenied(table=table, reason="edition_changed")
