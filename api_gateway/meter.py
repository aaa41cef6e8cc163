"""What an answer costs its caller.

begin:  rate of the agreement → a slot among the caller's queries → one query of every quota
sending: rows and bytes of the quotas
end:    the slot freed, the quotas settled, an event for the portal, the receipt signed
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis

from api_gateway import forwarded, metrics
from api_gateway.decisions import fingerprint
from api_gateway.errors import AnswerTooLarge, GatewayError, QuotaExceeded
from api_gateway.events import Events
from api_gateway.portal import PortalActions
from api_gateway.quota import Ledger, Spending
from api_gateway.rates import Allowance, Rates
from api_gateway.receipts import Receipts, described
from api_gateway.settings import QUEUE_S, Settings
from api_gateway.slots import Slot, Slots
from api_gateway.visit import Visit, event, statement


class Meter:
    """The counters of one gateway process."""

    def __init__(self, settings: Settings, actions: PortalActions, client: redis.Redis) -> None:
        self._settings = settings
        self._rates = Rates(client)
        self._slots = Slots(client, QUEUE_S)
        self._ledger = Ledger(actions)
        self._events = Events(actions, settings.gateway_events_dir)
        key = settings.receipt_key_file
        self.receipts = Receipts(key, client) if key else None

    def request(
        self, token: str | None, address: str | None, *, recognised: bool
    ) -> Allowance | None:
        """Count a request by its token, or its address without one. Raises RateLimited."""
        most = self._settings.gateway_anonymous_requests_per_minute
        if token is None:
            return self._rates.count(f"address:{forwarded.group(address)}", most)
        if not recognised:
            # Counted by address too: whoever makes tokens up would get a new counter with each of
            # them, and each is a question to the portal.
            self._rates.count(f"unrecognised:{forwarded.group(address)}", most)
        return self._rates.count(fingerprint(token), self._settings.gateway_requests_per_minute)

    def begin(self, visit: Visit, *, made_anew: bool = False) -> Metered:
        """Admit an answer. `made_anew`: its bytes differ from those of a repeated request, as the
        request's id is in them. Raises RateLimited, TooManyQueries, QuotaExceeded,
        DecisionUnavailable."""
        decisions = [each.decision for each in visit.shelved]
        limits = visit.limits
        metered = {each.agreement for each in decisions if each.metered and each.agreement}
        with ExitStack() as undo:
            try:
                for each in decisions:
                    if most := each.limits.get("requests_per_minute"):
                        self._rates.count(f"agreement:{each.agreement}", int(most))
                slot = self._slots.take(visit.who, self._most_at_once(visit, limits))
                if slot:
                    undo.callback(slot.free)
                spendings = []
                for agreement in sorted(metered):
                    spending = self._ledger.begin(agreement, visit.charged_once_as)
                    spendings.append(spending)
                    undo.callback(spending.end)
            except GatewayError as error:
                self.refused(visit, error)
                raise
            undo.pop_all()
        return Metered(self, visit, limits, slot, spendings, made_anew=made_anew)

    def refused(self, visit: Visit, error: GatewayError) -> None:
        """Tell the portal that a request was refused."""
        reason = str(error.facts.get("reason") or error.code)
        self._events.record(event(visit, "refused", reason=reason))

    def close(self) -> None:
        """Settle every lease and send what waits."""
        self._slots.close()
        self._ledger.close()
        self._events.close()

    def _most_at_once(self, visit: Visit, limits: dict[str, float]) -> int:
        signed_in = visit.token is not None
        usual = (
            self._settings.gateway_concurrent_queries
            if signed_in
            else self._settings.gateway_anonymous_concurrent_queries
        )
        return int(limits.get("concurrent_queries", usual))


class Metered:
    """One answer on its way, with what it may still cost."""

    def __init__(
        self,
        meter: Meter,
        visit: Visit,
        limits: dict[str, float],
        slot: Slot | None,
        spendings: list[Spending],
        *,
        made_anew: bool = False,
    ) -> None:
        self._meter, self.visit, self._limits = meter, visit, limits
        self._slot, self._spendings = slot, spendings
        self._begun_at, self._rows, self._bytes, self._ended = time.monotonic(), 0, 0, False
        # The share of what is charged that is truly sent (a range of a file).
        self._share = 1.0
        # A repeated request is charged once, but different bytes need a receipt of their own.
        once = None if made_anew else visit.charged_once_as
        self.receipt = meter.receipts.begin(statement(visit), once) if meter.receipts else None

    @property
    def door(self) -> str:
        """The door it goes out by."""
        return self.visit.door

    @property
    def timeout_s(self) -> float:
        """The engine time that the terms allow, in seconds."""
        return self._limits.get("timeout_s", float("inf"))

    @property
    def row_count(self) -> int:
        """The rows sent so far."""
        return self._rows

    def rows(self, count: int) -> None:
        """Charge rows that are about to be sent. Raises QuotaExceeded, AnswerTooLarge,
        DecisionUnavailable."""
        self._rows += count
        self._within("rows_per_answer", self._rows, "limit_rows")
        for spending in self._spendings:
            spending.spend(count, 0)

    def sending(self, decoded_bytes: int, sent_bytes: int) -> None:
        """Charge a piece of an answer that is about to be sent: its bytes before compression, as
        its query process says, and as they are sent. Raises as `rows`."""
        # The process is not trusted: it can't make an answer cheaper than what is sent.
        byte_count = max(decoded_bytes, sent_bytes)
        self.counted(byte_count)
        metrics.bytes_of(self.door).inc(byte_count)

    def counted(self, byte_count: int) -> None:
        """Charge bytes that are about to be sent. Raises as `rows`."""
        self._bytes += byte_count
        self._within("bytes_per_answer", self._bytes, "limit_bytes")
        for spending in self._spendings:
            spending.spend(0, byte_count)

    def part(self, share: float) -> None:
        """Only this share of what was charged is sent: so much is told to the portal."""
        self._share = share

    def finish(self, content: dict[str, Any] | None = None) -> None:
        """The answer is complete; a receipt is signed of its `content` (`bytes`, `sha256`)."""
        if self._end("answered", "") and content and self.receipt and self._meter.receipts:
            result = described(
                content["sha256"], content["bytes"], self._rows, self.visit.media_type
            )
            self._meter.receipts.complete(self.receipt, self.visit.issuer, result)

    def finish_file(self, file: Path) -> None:
        """The answer is a file of the lake, and it was sent."""
        if self._end("answered", "") and self.receipt and self._meter.receipts:
            self._meter.receipts.complete_file(
                self.receipt, self.visit.issuer, self.visit.media_type, file, self._rows
            )

    def break_off(self, reason: str) -> None:
        """The answer ended early; what was sent counts. After `finish` it does nothing."""
        self._end("broken_off", reason)

    def fail(self, error: GatewayError) -> None:
        """There is no answer: its terms refuse it, or the query failed."""
        by_terms = isinstance(error, QuotaExceeded | AnswerTooLarge)
        self._end("refused" if by_terms else "failed", error.code)

    def _end(self, outcome: str, reason: str) -> bool:
        if self._ended:
            return False
        self._ended = True
        if self._slot:
            self._slot.free()
        for spending in self._spendings:
            spending.end()
        self._meter._events.record(
            event(
                self.visit, outcome, reason=reason,
                rows=round(self._rows * self._share), bytes=round(self._bytes * self._share),
                duration_s=round(time.monotonic() - self._begun_at, 4),
                receipt=self.receipt.jti if self.receipt and outcome == "answered" else None,
            )
        )  # fmt: skip
        return True

    def _within(self, limit: str, amount: int, fact: str) -> None:
        most = self._limits.get(limit)
        if most is not None and amount > most:
            facts: dict[str, Any] = {fact: int(most)}
            raise AnswerTooLarge(**facts)
