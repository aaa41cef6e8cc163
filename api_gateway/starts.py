"""How a query starts: it gets a place and a process, and the beginning of its answer is awaited."""

from __future__ import annotations

import json
import math
import time
from functools import partial
from typing import Any

from api_gateway import frames
from api_gateway.asked import Asked
from api_gateway.cancelling import Queries, Turn
from api_gateway.errors import QueryCancelled, QueryTimeout, WorkerDied
from api_gateway.exchange import Caller
from api_gateway.hot import HotTables
from api_gateway.jobs import reported
from api_gateway.pool import Pool
from api_gateway.settings import GRACE_S
from api_gateway.visit import Visit

# With less the engine cannot even read a table.
_LEAST_MEMORY_MB = 64


class Starts:
    """Starts queries in the processes of a pool, each of which usually has `usual_memory_mb`."""

    def __init__(self, pool: Pool, hot: HotTables, queries: Queries, usual_memory_mb: int) -> None:
        self._pool, self._hot, self._queries = pool, hot, queries
        self._usual_memory_mb = usual_memory_mb

    def begin(self, job: dict[str, Any], caller: Caller, visit: Visit) -> Turn:
        """Have a process do the job; the turn must `end`. Raises Busy, WorkerDied,
        QueryCancelled."""
        sources = [self._hot.find(each.source) for each in visit.shelved]
        memory_mb = self._memory_mb(visit)
        query = self._queries.begin(caller.query_id, caller.name)
        try:
            key = frozenset(sources), memory_mb
            # `who` is also whose queries are counted, so both limits are of the same party.
            lease = self._pool.lease(key, sources, visit.who, hash(job["sql"]), memory_mb)
        except BaseException:
            query.end()
            raise
        turn = Turn(lease, query, partial(self._hot.forget, sources))
        try:
            query.runs_in(lease.process)
            lease.process.ask(job | {"slow": lease.slow}, caller.connection)
        except BaseException:
            turn.end()
            raise
        return turn

    def first(
        self, turn: Turn, asked: Asked, timeout_s: float
    ) -> tuple[dict[str, Any], bytes | None]:
        """The answer's header, and all of its bytes if it is a short one. Raises any GatewayError,
        ClientGone."""
        turn.lease.due_at = due_at = time.monotonic() + timeout_s
        try:
            kind, payload = turn.lease.receive(timeout_s + GRACE_S)
        except TimeoutError:
            turn.lease.fail("overtime")
            raise QueryTimeout(timeout_s=timeout_s) from None
        except WorkerDied:
            if turn.query.cancelled:
                raise QueryCancelled from None
            if time.monotonic() > due_at:
                # The kernel ended it before the gateway did.
                turn.lease.fail("overtime")
                raise QueryTimeout(timeout_s=timeout_s) from None
            raise
        if kind == frames.WHOLE:
            turn.lease.finish()
            return frames.parts(payload)
        content: dict[str, Any] = json.loads(payload)
        if kind == frames.END:
            turn.lease.finish()
        if kind in (frames.HEADER, frames.END):
            turn.lease.due_at = math.inf
            return content, None
        turn.failed(content["code"])
        memory_mb = turn.lease.process.memory_mb or self._usual_memory_mb
        raise reported(content, asked, timeout_s, memory_mb)

    def _memory_mb(self, visit: Visit) -> int | None:
        """The agreements' limit of memory; None if it is not below the gateway's own."""
        told = visit.limits.get("memory_mb", math.inf)
        if told >= self._usual_memory_mb:
            return None
        return max(_LEAST_MEMORY_MB, int(told))
