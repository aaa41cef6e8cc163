"""Places for queries, shared out fairly among parties: who may run now, and who is next.

A place that becomes free is given at once to one who waits, and only that one wakes. It goes to the
party that holds the fewest places; of several, to the one that got a place longest ago.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from api_gateway.errors import Busy


class _Ticket:
    """One who waits. `given` is changed under the lock of the places only."""

    def __init__(self) -> None:
        self.given = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def give(self) -> None:
        self.given = True
        self._turn.release()

    def wait(self, seconds: float) -> None:
        self._turn.acquire(timeout=seconds)


class Places:
    """`size` places, of which one party holds at most `share`; who waits, waits in turn."""

    def __init__(self, size: int, wait_s: float, share: int | None = None) -> None:
        self._size, self._wait_s = size, wait_s
        self._share = share or fair_share(size)
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        # How many of those held do not count against the party (`set_apart`).
        self._apart: Counter[str] = Counter()
        # The party whose last turn is longest ago comes first: a dict keeps the order.
        self._waiting: dict[str, deque[_Ticket]] = {}

    @property
    def held(self) -> int:
        """The number of places in use."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def take(self, party: str, wait_s: float | None = None) -> None:
        """Take a place for `party`, which must `free` it. Raises Busy after `wait_s`, or the usual
        longest wait."""
        with self._lock:
            # The usual case: nobody waits.
            if not self._waiting and self._took(party, self._size):
                return
            ticket = _Ticket()
            self._waiting.setdefault(party, deque()).append(ticket)
            self._give()
            if ticket.given:
                return
        ticket.wait(self._wait_s if wait_s is None else wait_s)
        with self._lock:
            if ticket.given:
                return
            self._waiting[party].remove(ticket)
            if not self._waiting[party]:
                del self._waiting[party]
        raise Busy(headers={"Retry-After": "2"})

    def move_in(self, party: str, most: int) -> bool:
        """Take a place, without waiting, for a query that runs already, if no more than `most` are
        in use then. Returns whether it has one."""
        with self._lock:
            return self._took(party, most)

    def set_apart(self, party: str) -> None:
        """A place is held for long: from now on it does not count when it is the party's turn."""
        with self._lock:
            self._apart[party] += 1
            self._give()

    def free(self, party: str, *, apart: bool = False) -> None:
        """Give a place back; `apart`: one that was set apart."""
        with self._lock:
            _lower(self._held, party)
            if apart:
                _lower(self._apart, party)
            if self._waiting:
                self._give()

    def _took(self, party: str, most: int) -> bool:
        if self.held >= most or self._held[party] >= self._share:
            return False
        self._held[party] += 1
        return True

    def _give(self) -> None:
        """Give the free places to whoever is next."""
        while self.held < self._size and (party := self._next()) is not None:
            line = self._waiting.pop(party)
            self._held[party] += 1
            line.popleft().give()
            if line:
                # Its next one comes after all others have had their turn.
                self._waiting[party] = line

    def _next(self) -> str | None:
        below = (party for party in self._waiting if self._held[party] < self._share)
        return min(below, key=lambda party: self._held[party] - self._apart[party], default=None)


def _lower(count: Counter[str], party: str) -> None:
    """One less; who has none is forgotten."""
    if count[party] > 1:
        count[party] -= 1
    else:
        count.pop(party, None)


def fair_share(size: int) -> int:
    """The most places of one party: three quarters, and never the last one."""
    return max(1, size - max(1, size // 4))
