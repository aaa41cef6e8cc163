"""May this caller read these tables? The portal decides; the gateway asks, remembers, and obeys.

The epoch is a number that the portal raises with every change of a policy, token or membership. It
is looked at with every request, so a remembered answer never outlives a change.
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import redis

from api_gateway import metrics
from api_gateway.errors import DecisionUnavailable, TokenInvalid
from api_gateway.introspection import Decision
from api_gateway.open_tables import OpenTables
from api_gateway.portal import Unreachable
from api_gateway.valkey import Watched
from lake import logs

log = logging.getLogger(__name__)

EPOCH_KEY = "hanoiic:epoch"
# How long the last epoch that was read still counts while it can't be read again.
CONFIRMED_S = 5.0
# How long a decision is used: agreements and tokens also end by the clock, which raises no epoch.
REMEMBERED_S = 5.0
# A decision that is used when it is older than this is renewed in the background. The moment is
# drawn at random between the two, so that decisions made together are not renewed together.
RENEWED_S = 2.5, 4.0
# How long a portal that did not answer is not asked again.
RESTING_S = 2.0
_MOST_REMEMBERED = 10_000
_RENEWALS_AT_ONCE = 2
# How long after its last use a token that was valid counts as one that exists (`recognises`).
RECOGNISED_S = 600.0

# What is asked: token, tables and action; and the same with the token's fingerprint, as a key.
_Question = tuple[str | None, tuple[str, ...] | None, str]
_Key = tuple[str, tuple[str, ...] | None, str]


class Portal(Protocol):
    """Who decides. `tables` None: every table the caller may know of. Raises Unreachable."""

    def introspect(
        self, token: str | None, tables: tuple[str, ...] | None, action: str
    ) -> Decision: ...


class EpochSource(Protocol):
    """Where the epoch is read. Raises Unreachable."""

    def read(self) -> int: ...


class ValkeyEpoch:
    """The epoch at `hanoiic:epoch`; a missing key is epoch 0."""

    def __init__(self, client: redis.Redis) -> None:
        self._epoch = Watched(client, EPOCH_KEY)

    def read(self) -> int:
        try:
            return int(self._epoch.read() or 0)
        except (redis.RedisError, ValueError) as error:
            log.warning("epoch_unreadable", extra=logs.facts(error=type(error).__qualname__))
            raise Unreachable from error


@dataclass(frozen=True)
class _Remembered:
    decision: Decision
    until: float
    renewed_at: float


class Decisions:
    """Decisions with their memory. Thread-safe; one for a gateway process."""

    def __init__(
        self,
        portal: Portal,
        epoch: EpochSource,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._portal, self._epoch, self._clock, self._now = portal, epoch, clock, now
        self._lock = threading.Lock()
        self._seen: int | None = None
        self._confirmed_at = float("-inf")
        self._resting_until = float("-inf")
        self._remembered: dict[_Key, _Remembered] = {}
        self._open = OpenTables(now)
        self._valid_at: dict[str, float] = {}
        self._renewals = ThreadPoolExecutor(_RENEWALS_AT_ONCE, "decisions")
        self._renewing: set[_Key] = set()

    def decide(self, token: str | None, tables: tuple[str, ...] | None, action: str) -> Decision:
        """The decision on each of `tables` (None: all that the caller may know of).

        Raises TokenInvalid, and DecisionUnavailable for anything but named open tables while the
        portal or the epoch cannot be reached.
        """
        try:
            decision = self._confirmed(token, tables, action)
        except Unreachable:
            return self._without_portal(tables, action)
        if not decision.active:
            error = decision.token_error or "token_unknown"
            raise TokenInvalid(
                headers={"WWW-Authenticate": f'Bearer realm="hanoiic", error="invalid_token", '
                         f'error_description="{error}"'},
                token_error=error,
            )  # fmt: skip
        if token is not None:
            self._recognise(token)
        return decision

    def recognises(self, token: str) -> bool:
        """Whether the token was valid in the last ten minutes; the portal is not asked."""
        return self._clock() - self._valid_at.get(fingerprint(token), -math.inf) < RECOGNISED_S

    def _recognise(self, token: str) -> None:
        with self._lock:
            if len(self._valid_at) >= _MOST_REMEMBERED:
                self._valid_at.clear()
            self._valid_at[fingerprint(token)] = self._clock()

    def confirm_open(self) -> None:
        """Ask again which tables are open, if the epoch moved since. Raises Unreachable."""
        epoch = self._current_epoch()
        if self._open.stale(epoch):
            asked_at = self._now()
            decision = _with_clock(self._ask(None, None, "query"), asked_at)
            self._open.note(decision, epoch, everything=True)

    def epoch(self) -> int | None:
        """The epoch, confirmed within the last 5 s; None when it cannot be confirmed."""
        try:
            return self._current_epoch()
        except Unreachable:
            return None

    def _confirmed(
        self, token: str | None, tables: tuple[str, ...] | None, action: str
    ) -> Decision:
        epoch = self._current_epoch()
        key = (fingerprint(token), tables, action)
        with self._lock:
            known = self._remembered.get(key)
        fresh = known and self._clock() < known.until and not self._ended(known.decision)
        metrics.looked_up("decision", hit=bool(fresh))
        if known and fresh:
            if self._clock() >= known.renewed_at:
                self._renew_soon(key, (token, tables, action))
            return known.decision
        return self._asked(epoch, key, (token, tables, action))

    def _renew_soon(self, key: _Key, of: _Question) -> None:
        with self._lock:
            if key in self._renewing:
                return
            self._renewing.add(key)

        def renew() -> None:
            try:
                self._asked(self._current_epoch(), key, of)
            except Unreachable:
                # The next caller after its time asks the portal, and is told the error.
                log.info("decision_not_renewed")
            finally:
                with self._lock:
                    self._renewing.discard(key)

        self._renewals.submit(renew)

    def _asked(self, epoch: int, key: _Key, of: _Question) -> Decision:
        """Ask the portal, and remember its decision. Raises Unreachable."""
        token, tables, action = of
        asked_at = self._now()
        decision = _with_clock(self._ask(token, tables, action), asked_at)
        with self._lock:
            # Only if the epoch is still the one from before asking: else this may be out of date.
            if epoch == self._seen:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                now = self._clock()
                renewed_at = now + random.uniform(*RENEWED_S)  # noqa: S311 (no secret)
                self._remembered[key] = _Remembered(decision, now + REMEMBERED_S, renewed_at)
        if action != "describe":
            # A permit to describe has no end of its own, so it tells nothing of how long a table
            # stays open.
            self._open.note(decision, epoch)
        return decision

    def _ask(self, token: str | None, tables: tuple[str, ...] | None, action: str) -> Decision:
        """The portal's answer. After one that did not come, the portal is not asked for a while:
        nobody should wait for it when open tables can be served without. Raises Unreachable."""
        if self._clock() < self._resting_until:
            raise Unreachable
        try:
            return self._portal.introspect(token, tables, action)
        except Unreachable:
            self._resting_until = self._clock() + RESTING_S
            raise

    def _current_epoch(self) -> int:
        asked_at = self._clock()
        try:
            epoch = self._epoch.read()
        except Unreachable:
            if self._seen is not None and self._clock() - self._confirmed_at < CONFIRMED_S:
                return self._seen
            raise
        with self._lock:
            if epoch != self._seen:
                # Also when it went back, as after Valkey lost its data: what is remembered may then
                # be of another time with the same number.
                self._remembered.clear()
                self._seen = epoch
                # The portal moves the epoch, so it is there.
                self._resting_until = float("-inf")
            self._confirmed_at = max(self._confirmed_at, asked_at)
        return epoch

    def _without_portal(self, tables: tuple[str, ...] | None, action: str) -> Decision:
        """The decision that can be made alone: only tables known to be open are permitted. Which
        tables there are nobody can tell: those known would look like all of them."""
        last = self._open.to(action)
        if tables is None:
            raise DecisionUnavailable(
                "the tables cannot be listed until the portal answers again",
                headers={"Retry-After": "5"},
            )
        if missing := [name for name in tables if name not in last]:
            raise DecisionUnavailable(
                "only open tables are served until the portal answers again",
                headers={"Retry-After": "5"},
                tables=missing,
            )
        return Decision(active=True, tables={name: last[name] for name in tables})

    def _ended(self, decision: Decision) -> bool:
        return decision.ends_at <= self._now()


def _with_clock(decision: Decision, asked_at: float) -> Decision:
    """The decision with `ahead_s`; `asked_at`: when the portal was asked, by this machine."""
    if decision.now is None:
        return decision
    # The question took a moment to arrive, so this is a little too much: rights end rather too
    # early than too late.
    return replace(decision, ahead_s=decision.now - asked_at)


def fingerprint(token: str | None) -> str:
    """What stands for a token where the token itself must not be kept: its SHA-256 in hex; empty
    for a caller without a token."""
    return hashlib.sha256(token.encode()).hexdigest() if token else ""
