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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import redis

from api_gateway import metrics
from api_gateway.errors import DecisionUnavailable, TokenInvalid
from api_gateway.open_tables import OpenTables
from api_gateway.portal import PortalActions, Refused, Unreachable
from api_gateway.valkey import Watched
from lake import logs

log = logging.getLogger(__name__)

EPOCH_KEY = "hanoiic:epoch"
CONFIRMED_S = 5.0
# Agreements and tokens also end by the clock, which raises no epoch.
REMEMBERED_S = 5.0
# One that is asked for is asked about again before, and nobody waits for that. Not all at once:
# each takes its time from whoever asks then.
RENEWED_S = 2.5, 4.0
# A portal that did not answer is asked again after so long.
RESTING_S = 2.0
_MOST_REMEMBERED = 10_000
_RENEWALS_AT_ONCE = 2
# A token that was valid is no made-up one for so long after its last use.
RECOGNISED_S = 600.0

# Token, tables and action; and the key of it, without the token.
_Question = tuple[str | None, tuple[str, ...] | None, str]
_Key = tuple[str, tuple[str, ...] | None, str]


@dataclass(frozen=True)
class TableDecision:
    """What the portal says of one table; `decision` is `permit`, `deny` or `unknown`."""

    decision: str
    reason: str = ""
    tier: str = ""
    # None: the table itself. `edition_kind` is `whole`, `projection` or `sample`.
    edition: str | None = None
    edition_kind: str = "whole"
    agreement: str | None = None
    # When the agreement ends, seconds since 1970.
    valid_until: float | None = None
    # Whether a quota of the agreement must be leased before answering.
    metered: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    obligations: tuple[Mapping[str, Any], ...] = ()
    # What anyone may do with it.
    open_to: tuple[str, ...] = ()
    access_url: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    licence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def permitted(self) -> bool:
        return self.decision == "permit"

    @property
    def open(self) -> bool:
        """Anyone may read the whole table: may be served while the portal is away. A table of the
        tier may be permitted for another reason, such as to its owner after the offer ended."""
        return self.permitted and bool(self.open_to) and self.edition is None


UNKNOWN = TableDecision("unknown")


@dataclass(frozen=True)
class Decision:
    """An introspection's answer for one caller."""

    active: bool
    tables: Mapping[str, TableDecision]
    username: str | None = None
    organization: str | None = None
    token_error: str | None = None
    # When the token ends, seconds since 1970.
    exp: float | None = None
    # Ids of the user, the organisation, the application and the token, for records and limits.
    sub: str | None = None
    organization_id: str | None = None
    client_id: str | None = None
    token_id: str | None = None
    # The networks that the token may be used from; None: any.
    networks: tuple[str, ...] | None = None
    # What a link token is bound to beside its table; None for any other.
    claims: Mapping[str, Any] | None = None
    # The portal's clock when it answered, seconds since 1970; None: as this machine's.
    now: float | None = None
    # By how much the portal's clock is before this machine's, in seconds.
    ahead_s: float = 0.0

    @property
    def ends_at(self) -> float:
        """When the clock ends the token or one of the agreements, seconds since 1970 of this
        machine's clock, however wrong that is."""
        ends = [self.exp, *(table.valid_until for table in self.tables.values())]
        return min((end for end in ends if end is not None), default=math.inf) - self.ahead_s

    def of(self, table: str) -> TableDecision:
        return self.tables.get(table, UNKNOWN)


class Portal(Protocol):
    """Who decides. `tables` None: every table the caller may know of. Raises Unreachable."""

    def introspect(
        self, token: str | None, tables: tuple[str, ...] | None, action: str
    ) -> Decision: ...


class EpochSource(Protocol):
    """Where the epoch is read. Raises Unreachable."""

    def read(self) -> int: ...


class CkanPortal:
    """CKAN's `hanoiic_introspect`."""

    def __init__(self, actions: PortalActions) -> None:
        self._actions = actions

    def introspect(
        self, token: str | None, tables: tuple[str, ...] | None, action: str
    ) -> Decision:
        asked = {
            "token": token,
            "tables": None if tables is None else list(tables),
            "action": action,
        }
        try:
            return parse(
                self._actions.call("hanoiic_introspect", asked), asked_token=token is not None
            )
        except (Refused, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("portal_not_understood", extra=logs.facts(error=type(error).__qualname__))
            raise Unreachable from error


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


def parse(result: Mapping[str, Any], *, asked_token: bool) -> Decision:
    """An introspection's `result`. What does not say permit clearly is no permit."""
    tables = {}
    for name, said in result.get("tables", {}).items():
        decision = said.get("decision")
        if decision not in ("permit", "deny"):
            tables[name] = UNKNOWN
            continue
        tables[name] = TableDecision(
            decision=decision,
            reason=said.get("reason") or "",
            tier=said.get("tier") or "",
            edition=said.get("edition") or None,
            edition_kind=said.get("edition_kind") or "whole",
            agreement=said.get("agreement") or None,
            valid_until=said.get("valid_until"),
            metered=bool(said.get("metered")),
            limits=said.get("limits") or {},
            obligations=tuple(said.get("obligations") or ()),
            open_to=tuple(said.get("open_to") or ()),
            access_url=said.get("access_url") or "",
            dataset=said.get("dataset") or {},
            licence=said.get("licence") or {},
        )
    return Decision(
        active=bool(result.get("active")) or not asked_token,
        tables=tables,
        username=result.get("username"),
        organization=result.get("organization"),
        token_error=result.get("token_error"),
        exp=result.get("exp"),
        sub=result.get("sub"),
        organization_id=result.get("organization_id"),
        client_id=result.get("client_id"),
        token_id=result.get("token_id"),
        networks=None if result.get("networks") is None else tuple(result["networks"]),
        claims=result.get("claims"),
        now=result.get("now"),
    )


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

        Raises TokenInvalid, and DecisionUnavailable for anything but open tables while the portal
        or the epoch cannot be reached.
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
        """Whether the token was valid lately, without asking anybody."""
        return self._clock() - self._valid_at.get(fingerprint(token), -math.inf) < RECOGNISED_S

    def _recognise(self, token: str) -> None:
        with self._lock:
            if len(self._valid_at) >= _MOST_REMEMBERED:
                self._valid_at.clear()
            self._valid_at[fingerprint(token)] = self._clock()

    def confirm_open(self) -> None:
        """Ask again what is open, where the epoch moved since. Raises Unreachable."""
        epoch = self._current_epoch()
        if self._open.stale(epoch):
            asked_at = self._now()
            decision = _with_clock(self._ask(None, None, "query"), asked_at)
            self._open.note(decision, epoch, everything=True)

    def epoch(self) -> int | None:
        """The epoch, as last confirmed within 5 s; None when it cannot be confirmed."""
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
                # Whoever asks after its time asks anew, and is told.
                log.info("decision_not_renewed")
            finally:
                with self._lock:
                    self._renewing.discard(key)

        self._renewals.submit(renew)

    def _asked(self, epoch: int, key: _Key, of: _Question) -> Decision:
        """The portal's decision, remembered."""
        token, tables, action = of
        asked_at = self._now()
        decision = _with_clock(self._ask(token, tables, action), asked_at)
        with self._lock:
            # Only if no change came since the epoch was read before asking.
            if epoch == self._seen:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                now = self._clock()
                renewed_at = now + random.uniform(*RENEWED_S)  # noqa: S311 (no secret)
                self._remembered[key] = _Remembered(decision, now + REMEMBERED_S, renewed_at)
        if action != "describe":
            # To be described has no end of its own.
            self._open.note(decision, epoch)
        return decision

    def _ask(self, token: str | None, tables: tuple[str, ...] | None, action: str) -> Decision:
        """The portal's answer. One that did not come is not waited for again at once: open tables
        are served without it. Raises Unreachable."""
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
                # Also when it went back, as after a lost Valkey: old answers mean nothing then.
                self._remembered.clear()
                self._seen = epoch
                # Who moves the epoch is there.
                self._resting_until = float("-inf")
            self._confirmed_at = max(self._confirmed_at, asked_at)
        return epoch

    def _without_portal(self, tables: tuple[str, ...] | None, action: str) -> Decision:
        """What is known to be open: nothing that may have been closed since."""
        last = self._open.to(action)
        if tables is None:
            return Decision(active=True, tables=last)
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
    """With how far the portal's clock is before this machine's, when it was asked at `asked_at`."""
    if decision.now is None:
        return decision
    # The question took a moment to arrive: an end is rather seen too early than too late.
    return replace(decision, ahead_s=decision.now - asked_at)


def fingerprint(token: str | None) -> str:
    """A key for a token that is not the token; empty for a caller without one."""
    return hashlib.sha256(token.encode()).hexdigest() if token else ""
