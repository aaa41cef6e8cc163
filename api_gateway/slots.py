"""How many queries a caller may run at once, counted over Valkey for every gateway together."""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import uuid4

import redis

from api_gateway.errors import Busy, TooManyQueries
from api_gateway.places import Places
from lake import logs

log = logging.getLogger(__name__)

_KEY = "hanoiic:slots:"
# A slot ends after so long if it is not renewed, as when its gateway died.
LEASE_S = 60.0
_POLL_S = 0.05
# A freed slot stays so long with this process: the caller's next query takes it without asking.
_KEPT_S = 0.2
# Takes a slot if fewer than ARGV[1] are held. The score of a member is when its slot ends.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""


@dataclass
class _Member:
    """A slot as Valkey has it."""

    who: str
    most: int
    name: str = field(default_factory=lambda: uuid4().hex)
    renewed_at: float = field(default_factory=time.monotonic)
    freed_at: float = 0.0


class Slot:
    """One place among a caller's running queries, until `free`; safe to repeat."""

    def __init__(self, slots: Slots, member: _Member) -> None:
        self._slots, self.member, self._freed = slots, member, False

    def free(self) -> None:
        if not self._freed:
            self._freed = True
            self._slots._keep(self)


class Slots:
    """The slots of all callers. While Valkey is away nothing is counted; the pool still bounds the
    queries of all callers together."""

    def __init__(self, client: redis.Redis, wait_s: float) -> None:
        self._client, self._wait_s = client, wait_s
        # Of several queries that wait here for a slot of one caller, one asks at a time, in turn.
        self._turns = Places(sys.maxsize, wait_s, share=1)
        self._take = client.register_script(_TAKE)
        self._kept: defaultdict[tuple[str, int], list[_Member]] = defaultdict(list)
        self._some_kept = threading.Condition()
        # Weakly, so that a slot that its query forgot to free is no longer renewed.
        self._held: weakref.WeakSet[Slot] = weakref.WeakSet()
        threading.Thread(target=self._tend, name="slots", daemon=True).start()

    def take(self, who: str, most: int) -> Slot | None:
        """A slot of `who`, waited for up to `wait_s`; 0 means no limit. Raises TooManyQueries."""
        if not most:
            return None
        try:
            slot = Slot(self, self._next(who, most))
        except redis.RedisError as error:
            log.warning("slots_not_counted", extra=logs.facts(error=type(error).__qualname__))
            return None
        with self._some_kept:
            self._held.add(slot)
        return slot

    def close(self) -> None:
        """Give back what is kept."""
        self._give_back(time.monotonic())

    def _next(self, who: str, most: int) -> _Member:
        deadline = time.monotonic() + self._wait_s
        refused = TooManyQueries(
            f"at most {most} queries at once", headers={"Retry-After": "2"}, limit_concurrent=most
        )
        try:
            self._turns.take(who)
        except Busy:
            raise refused from None
        try:
            while not (member := self._kept_for(who, most) or self._taken(who, most)):
                if time.monotonic() >= deadline:
                    raise refused
                with self._some_kept:
                    self._some_kept.wait(_POLL_S)
            return member
        finally:
            self._turns.free(who)

    def _taken(self, who: str, most: int) -> _Member | None:
        now, member = time.time(), _Member(who, most)
        arguments: list[str | float] = [
            most, now, now + LEASE_S, member.name, int(LEASE_S * 2000)
        ]  # fmt: skip
        return member if self._take(keys=[_KEY + who], args=arguments) else None

    def _kept_for(self, who: str, most: int) -> _Member | None:
        with self._some_kept:
            kept = self._kept.get((who, most))
            # A slot that was not renewed for long may have ended, and be somebody else's by now.
            while kept:
                if time.monotonic() - kept[-1].renewed_at < LEASE_S / 2:
                    return kept.pop()
                kept.pop()
        return None

    def _keep(self, slot: Slot) -> None:
        member = slot.member
        member.freed_at = time.monotonic()
        with self._some_kept:
            self._held.discard(slot)
            self._kept[member.who, member.most].append(member)
            self._some_kept.notify_all()

    def _tend(self) -> None:
        """Give back what nobody took again, and renew what is held, however quiet its query is."""
        while True:
            with self._some_kept:
                self._some_kept.wait_for(lambda: self._kept, LEASE_S / 6)
            time.sleep(_KEPT_S)
            self._give_back(time.monotonic() - _KEPT_S)
            self._renew()

    def _give_back(self, freed_until: float) -> None:
        due: list[_Member] = []
        with self._some_kept:
            for key, members in list(self._kept.items()):
                due += [each for each in members if each.freed_at <= freed_until]
                self._kept[key] = [each for each in members if each.freed_at > freed_until]
                if not self._kept[key]:
                    del self._kept[key]
        if not due:
            return
        try:
            told = self._client.pipeline(transaction=False)
            for member in due:
                told.zrem(_KEY + member.who, member.name)
            told.execute()
        except redis.RedisError as error:
            # The slots end by themselves after LEASE_S.
            log.warning("slots_not_told", extra=logs.facts(error=type(error).__qualname__))

    def _renew(self) -> None:
        now = time.monotonic()
        with self._some_kept:
            held = [each.member for each in self._held]
        due = [each for each in held if now - each.renewed_at > LEASE_S / 3]
        if not due:
            return
        try:
            told = self._client.pipeline(transaction=False)
            for member in due:
                told.zadd(_KEY + member.who, {member.name: time.time() + LEASE_S})
                told.pexpire(_KEY + member.who, int(LEASE_S * 2000))
            told.execute()
        except redis.RedisError as error:
            log.warning("slots_not_renewed", extra=logs.facts(error=type(error).__qualname__))
            return
        for member in due:
            member.renewed_at = now
