"""Which tables anyone may read: what is served while the portal is away.

What was open may have been closed since: only what the portal said under the epoch of its latest
answer counts.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from api_gateway.introspection import Decision, TableDecision
from api_gateway.portal import Unreachable

log = logging.getLogger(__name__)

# The portal is asked again so soon after the epoch moved, and a fiftieth of the time at most.
_PAUSE_S, _SHARE = 2.0, 50


@dataclass(frozen=True)
class _Known:
    decision: TableDecision
    epoch: int
    # Seconds since 1970 of this machine's clock.
    until: float


class OpenTables:
    """The open tables that a gateway process knows. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._answered: int | None = None

    def note(self, decision: Decision, epoch: int, *, everything: bool = False) -> None:
        """Learn from the portal's answer, which was asked for under `epoch`. `everything`: about
        all tables, so that what it does not name is not open."""
        with self._lock:
            self._answered = epoch
            if everything:
                self._known.clear()
            for name, table in decision.tables.items():
                self._known.pop(name, None)
                if table.open:
                    until = math.inf if table.valid_until is None else table.valid_until
                    self._known[name] = _Known(table, epoch, until - decision.ahead_s)

    def to(self, action: str) -> dict[str, TableDecision]:
        """The tables that are open to an action."""
        with self._lock:
            return {
                name: one.decision
                for name, one in self._known.items()
                if action in one.decision.open_to
                and one.epoch == self._answered
                and self._now() < one.until
            }

    def stale(self, epoch: int) -> bool:
        """Whether something was open under another epoch."""
        with self._lock:
            return any(one.epoch != epoch for one in self._known.values())


def keep_current(confirm: Callable[[], None]) -> None:
    """Call `confirm`, which asks again where the epoch moved, from now on in a thread."""

    def look() -> None:
        while True:
            begun_at = time.monotonic()
            try:
                confirm()
            except Unreachable:
                log.info("open_tables_not_confirmed")
            time.sleep(max(_PAUSE_S, _SHARE * (time.monotonic() - begun_at)))

    threading.Thread(target=look, name="open-tables", daemon=True).start()
