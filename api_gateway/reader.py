"""Reads callers' SQL in a few processes of their own; the same text is read once."""

from __future__ import annotations

import json
import logging
import threading
import time
import unicodedata
from collections import OrderedDict

from api_gateway import gate, metrics, reading
from api_gateway.errors import Busy, GatewayError, TooComplex
from api_gateway.gate import Statement
from api_gateway.nursery import Nursery
from api_gateway.pool import Lease, Pool
from api_gateway.settings import GATE_TIMEOUT_S, QUEUE_S
from lake import logs

log = logging.getLogger(__name__)

# Processes for reading. No party may hold all of them, so that long SQL keeps nobody else waiting.
_PROCESSES = 3
# What did not even use so much of the CPU was kept waiting. A new process opens first.
_PLAIN_S = 0.2
# How many readings are remembered, of texts up to which length: a reading depends on the SQL alone.
_MOST_REMEMBERED = 1024
_LONGEST_REMEMBERED = 4096


class Reader:
    """The gate's processes, and what they said of the last texts."""

    def __init__(self, nursery: Nursery) -> None:
        self._pool = Pool(nursery, _PROCESSES, QUEUE_S, spare=False, name="gate")
        self._remembered: OrderedDict[str, Statement] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, sql: str, party: str = "") -> Statement:
        """The SQL of `party`, in Unicode's NFC as the lake's names and texts are, as the gate
        accepts it. Raises what `gate.accept` raises, TooLarge, Busy, WorkerDied."""
        sql = unicodedata.normalize("NFC", sql)
        with self._lock:
            if known := self._remembered.get(sql):
                self._remembered.move_to_end(sql)
        metrics.looked_up("statement", hit=known is not None)
        if known:
            return known
        statement = self._read(sql, party)
        if len(sql) <= _LONGEST_REMEMBERED:
            with self._lock:
                self._remembered[sql] = statement
                if len(self._remembered) > _MOST_REMEMBERED:
                    self._remembered.popitem(last=False)
        return statement

    def works(self) -> bool:
        """Whether a query process answers, asked for the plainest."""
        try:
            return bool(self._read("SELECT 1", "").sql)
        except GatewayError:
            log.exception("not_ready")
            return False

    def _read(self, sql: str, party: str) -> Statement:
        gate.measure(sql)
        # Here is known what time it had; its own clock is for when nobody here looks.
        job = {"kind": "parse", "sql": sql, "timeout_s": QUEUE_S + GATE_TIMEOUT_S}
        with self._pool.process("gate", (), party) as lease:
            lease.process.ask(job | {"request_id": logs.request_id()})
            verdict = _verdict(lease)
            lease.finish()
        return reading.heard(json.loads(verdict))


def _verdict(lease: Lease) -> bytes:
    """What the process of a lease says. Raises TooComplex, Busy, WorkerDied.

    One that waits for the CPU is waited for: a process in its place would have to open first, and
    on a busy machine none would ever come to read.
    """
    patient_until = time.monotonic() + QUEUE_S
    while True:
        lease.due_at = time.monotonic() + GATE_TIMEOUT_S
        try:
            return lease.process.receive(GATE_TIMEOUT_S)[1]
        except TimeoutError:
            is_plain = lease.used_s() < _PLAIN_S
            if is_plain and time.monotonic() < patient_until:
                continue
            lease.fail("overtime")
            if is_plain:
                raise Busy(
                    "the machine is too busy to read the query", headers={"Retry-After": "5"}
                ) from None
            raise TooComplex("the query takes too long to parse") from None
