"""Quotas of agreements: leased from the portal in blocks, spent here, settled with the portal.

The portal counts what all gateways together have leased and used, so a quota is never overdrawn.
A block saves asking for every query; what is left of it goes back when its caller is quiet.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from api_gateway.errors import AccessDenied, DecisionUnavailable, QuotaExceeded
from api_gateway.portal import PortalActions, Refused, Unreachable
from lake import logs

log = logging.getLogger(__name__)

Amounts = dict[str, int]
ROWS_BLOCK = 100_000
BYTES_BLOCK = 64 * 1024 * 1024
# A block has a hundredth of the queries that are left, so that gateways rarely hold what another
# one needs, and at most 50.
_BLOCK_SHARE, _MOST_QUERIES = 100, 50
# A block that no answer used for so long goes back.
_IDLE_S = 2.0
# How often the portal is told what running answers have used: it settles a lease by itself when it
# hears nothing of it for a minute.
_TOLD_S = 10.0
# No answer begins with a block older than this, so that each is charged to the day and month that
# it begins in.
_TAKEN_S = 30.0


@dataclass
class Lease:
    """A block of an agreement's quota. What the quota does not limit is not in `granted`."""

    id: str
    agreement: str
    granted: Amounts
    # For one answer only, and its repetitions under the same idempotency key.
    once: bool = False
    used: Amounts = field(default_factory=lambda: {"queries": 0, "rows": 0, "bytes": 0})
    running: int = 0
    given_at: float = field(default_factory=time.monotonic)
    touched_at: float = field(default_factory=time.monotonic)
    told_at: float = field(default_factory=time.monotonic)
    settled: bool = False

    def left(self, what: str) -> float:
        return self.granted.get(what, float("inf")) - self.used[what]

    @property
    def spent(self) -> bool:
        """Whether no further answer may begin with it."""
        old = time.monotonic() - self.given_at > _TAKEN_S
        return self.once or old or self.left("queries") < 1


class Spending:
    """What one answer spends of a quota, from its beginning to `end`."""

    def __init__(self, ledger: Ledger, lease: Lease, once: str | None) -> None:
        self._ledger, self._leases, self._once = ledger, [lease], once

    def spend(self, rows: int, byte_count: int) -> None:
        """Charge rows and bytes that are about to be sent: all of them, or none.

        Raises QuotaExceeded, AccessDenied, DecisionUnavailable.
        """
        with ExitStack() as undo:
            for what, amount in (("rows", rows), ("bytes", byte_count)):
                lease = self._leases[-1]
                while amount:
                    taken = self._ledger.use(lease, what, amount)
                    undo.callback(self._ledger.use, lease, what, -taken)
                    amount -= taken
                    if amount:
                        lease = self._more(what, amount)
            undo.pop_all()

    def _more(self, what: str, amount: int) -> Lease:
        # A repeated answer asks for the same leases again, and pays nothing.
        key = self._once and f"{self._once}:{len(self._leases)}"
        lease = self._ledger.more(self._leases[0].agreement, what, amount, key)
        self._leases.append(lease)
        return lease

    def end(self) -> None:
        """The answer is over: what it used counts, and the rest goes back."""
        self._ledger.ended(self._leases)


class Ledger:
    """Leases of this gateway process. Thread-safe."""

    def __init__(self, actions: PortalActions) -> None:
        self._actions = actions
        self._lock = threading.Lock()
        self._current: dict[str, Lease] = {}
        self._open: dict[str, Lease] = {}
        self._block: dict[str, int] = {}
        self._closing = threading.Event()
        threading.Thread(target=self._settle_regularly, name="quota", daemon=True).start()

    def begin(self, agreement: str, once: str | None = None) -> Spending:
        """Charge one query. With the key `once`, the same answer under it is charged only once.

        Raises QuotaExceeded, AccessDenied, DecisionUnavailable.
        """
        if once:
            lease = self._lease(agreement, _blocks(1), key=once)
            lease.once = True
            with self._lock:
                lease.running += 1
                lease.used["queries"] = 1
            return Spending(self, lease, once)
        with self._lock:
            current = self._current.get(agreement)
            if current and not current.spent and not current.settled:
                return self._begun(current)
        fresh = self._lease_block(agreement)
        with self._lock:
            self._current[agreement] = fresh
            return self._begun(fresh)

    def use(self, lease: Lease, what: str, amount: int) -> int:
        """Take up to `amount` rows or bytes from a lease; returns how much was taken. A negative
        amount is given back."""
        with self._lock:
            part = int(min(amount, lease.left(what)))
            lease.used[what] += part
            return part

    def more(self, agreement: str, what: str, amount: int, key: str | None) -> Lease:
        """A further block for a running answer that needs rows or bytes. Raises as `begin`."""
        # Of both: whoever needs more rows will need more bytes, and the other way round.
        want = {"queries": 0, "rows": ROWS_BLOCK, "bytes": BYTES_BLOCK}
        lease = self._lease(agreement, want | {what: max(want[what], amount)}, key)
        lease.once = True
        with self._lock:
            lease.running += 1
        return lease

    def ended(self, leases: list[Lease]) -> None:
        with self._lock:
            for lease in leases:
                lease.running -= 1
                lease.touched_at = time.monotonic()
        for lease in leases:
            if lease.spent and not lease.running:
                self._settle(lease, final=True)

    def close(self) -> None:
        """Give everything back that is not used."""
        self._closing.set()
        for lease in list(self._open.values()):
            self._settle(lease, final=True)

    def _begun(self, lease: Lease) -> Spending:
        lease.used["queries"] += 1
        lease.running += 1
        lease.touched_at = time.monotonic()
        return Spending(self, lease, None)

    def _lease_block(self, agreement: str) -> Lease:
        block = self._block.get(agreement, 1)
        try:
            return self._lease(agreement, _blocks(block))
        except QuotaExceeded:
            if block == 1:
                raise
            return self._lease(agreement, _blocks(1))

    def _lease(self, agreement: str, want: Amounts, key: str | None = None) -> Lease:
        asked = {"agreement": agreement, "key": key or uuid4().hex, "want": want}
        try:
            said = self._actions.call("hanoiic_usage_lease", asked)
        except Refused as refusal:
            if refusal.code == "agreement_not_active":
                state = refusal.facts.get("state")
                raise AccessDenied(
                    "the agreement ended meanwhile", reason=f"agreement_{state}"
                ) from refusal
            if refusal.code != "quota_exceeded":
                raise DecisionUnavailable("the quota cannot be read now") from refusal
            raise QuotaExceeded(
                "the agreement's quota is used up",
                quota=refusal.facts.get("quota"),
                resets_at=refusal.facts.get("resets_at"),
            ) from refusal
        except Unreachable:
            raise DecisionUnavailable(
                "the portal cannot count this query now", headers={"Retry-After": "5"}
            ) from None
        lease = Lease(said["lease"], agreement, said["granted"])
        remaining = (said.get("remaining") or {}).get("queries")
        with self._lock:
            self._open[lease.id] = lease
            self._block[agreement] = (
                _MOST_QUERIES
                if remaining is None
                else max(1, min(_MOST_QUERIES, int(remaining) // _BLOCK_SHARE))
            )
        return lease

    def _settle(self, lease: Lease, *, final: bool) -> None:
        with self._lock:
            if lease.settled or (final and lease.running):
                return
            lease.settled, lease.told_at = final, time.monotonic()
            told: dict[str, Any] = {"lease": lease.id, "used": dict(lease.used), "final": final}
        try:
            self._actions.call("hanoiic_usage_settle", told)
        except (Refused, Unreachable) as error:
            log.warning("lease_not_settled", extra=logs.facts(error=type(error).__qualname__))
            if isinstance(error, Unreachable):
                # It will be told again soon: what was used counts however late it is told.
                lease.settled = False
                return
        if final:
            with self._lock:
                self._open.pop(lease.id, None)
                if self._current.get(lease.agreement) is lease:
                    del self._current[lease.agreement]

    def _settle_regularly(self) -> None:
        while not self._closing.wait(_IDLE_S / 2):
            now = time.monotonic()
            for lease in list(self._open.values()):
                if not lease.running and (lease.spent or now - lease.touched_at > _IDLE_S):
                    self._settle(lease, final=True)
                elif now - lease.told_at > _TOLD_S:
                    self._settle(lease, final=False)


def _blocks(queries: int) -> Amounts:
    return {"queries": queries, "rows": ROWS_BLOCK, "bytes": BYTES_BLOCK}
