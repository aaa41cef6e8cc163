"""Places that go round: who may run now, and who is next.

A place that becomes free is given to somebody at once, and only that one wakes. Among those who
wait it is for the party that holds the fewest, and among those that hold as few for the one whose
last turn is longest ago.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from api_gateway.errors import Busy


class _Ticket:
    """One who waits. `given` turns true under the lock of its places."""

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
        # Of those so many do not set back the party's others.
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
        """A place for `party`, which must `free` it. Raises Busy after the longest wait, or
        `wait_s`."""
        with self._lock:
            # Mostly nobody waits.
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
        """A place at once for one that runs already, though there be up to `most` in use then.
        Whether there was one."""
        with self._lock:
            return self._took(party, most)

    def set_apart(self, party: str) -> None:
        """A place is held for long: it does not set back the party's other queries any more."""
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
    """Three quarters, and never the last place."""
    return max(1, size - max(1, size // 4))
