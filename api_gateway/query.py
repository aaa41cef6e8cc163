"""A query from its SQL to its bytes.

SQL ──gate──► the tables it touches ──portal──► may the caller read them all?
                                                    │
                                  shelf: their versions and files
                                                    │
    bytes ◄──relay── query process ◄──meter── limits and quotas
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from typing import Any

from api_gateway import metrics, tags
from api_gateway.asked import Asked, Count, Reach
from api_gateway.cancelling import Queries
from api_gateway.changes import Changes
from api_gateway.decisions import Decisions
from api_gateway.engine import quoted
from api_gateway.errors import (
    AccessDenied,
    GatewayError,
)
from api_gateway.exchange import Answer, Caller
from api_gateway.filter_sql import compile_rows
from api_gateway.filters import Rows
from api_gateway.formats import PACKED, media_type
from api_gateway.gate import Statement
from api_gateway.hot import HotTables
from api_gateway.introspection import Decision
from api_gateway.jobs import Jobs
from api_gateway.meter import Meter
from api_gateway.nursery import Nursery
from api_gateway.origins import Select, Source, Star
from api_gateway.pool import Pool
from api_gateway.portal import PortalActions
from api_gateway.rates import Allowance
from api_gateway.reader import Reader
from api_gateway.relay import AtOnce, Relay
from api_gateway.running import Running
from api_gateway.settings import LIMIT_ROWS, QUEUE_S, Settings
from api_gateway.shelf import Shelf
from api_gateway.starts import Starts
from api_gateway.verdicts import require_locks, require_network, require_permits
from api_gateway.visit import Visit

log = logging.getLogger(__name__)

# `count=estimated` counts tables of up to so many rows exactly: that takes no longer.
_COUNTED_ROWS = 1_000_000


class Gateway:
    """All that a request passes through, in its order; one for each web process."""

    def __init__(
        self,
        settings: Settings,
        decisions: Decisions,
        meter: Meter,
        queries: Queries,
        portal: PortalActions,
    ) -> None:
        self.settings = settings
        self.decisions = decisions
        self.meter = meter
        self.queries = queries
        self.portal = portal
        self.running = Running(decisions)
        self.shelf = Shelf(settings)
        self._jobs = Jobs(self.shelf)
        self.nursery = Nursery(settings)
        self.pool = Pool(self.nursery, settings.worker_count, QUEUE_S, spare=True)
        self.reader = Reader(self.nursery)
        self._hot = HotTables(self.nursery, settings.hot_dir, settings.gateway_hot_mb * 2**20)
        self._starts = Starts(self.pool, self._hot, queries, settings.gateway_memory_mb)
        self.changes = Changes(self.pool, settings)

    def count(self, caller: Caller) -> Allowance | None:
        """Count a request of the caller. Raises RateLimited."""
        recognised = caller.token is not None and self.decisions.recognises(caller.token)
        return self.meter.request(caller.token, caller.address, recognised=recognised)

    def query(
        self, asked: Asked, caller: Caller, door: str = "sql", *, sent: bool = True
    ) -> Answer:
        """Answer a caller's SQL. Unless the answer is `sent`, as for HEAD, nothing is run or
        charged. Raises any GatewayError."""
        statement = self.reader.read(asked.sql, caller.name)
        visit = self.visit(door, "query", statement, asked, caller)
        answered = self._answer if sent else _untold
        return answered(statement, asked, caller, visit)

    def rows(
        self, table: str, wanted: Rows, asked: Asked, caller: Caller, count: str, *, sent: bool
    ) -> Answer:
        """Answer rows by address. `count`: `exact`, `planned`, `estimated` or empty: whether all
        rows that there are, are counted too. Unless the answer is `sent`, no row is asked for.

        Raises any GatewayError.
        """
        visit = self.visit("rows", "query", whole(table), asked, caller)
        read = visit.shelved[0]
        columns = self.shelf.columns(table, read.version, read.decision.edition)
        # Where the limit stands: inside the SQL for a long answer, which then streams, and for one
        # object, which is looked for among the limited rows; else beside the SQL.
        within = (wanted.limit or 0) > LIMIT_ROWS or asked.limit is not None
        made = compile_rows(table, wanted, columns, wanted.limit if within else None)
        asked = replace(asked, params=made.params)
        if wanted.limit is not None and asked.limit is None:
            reach = Reach(made.reach_sql, made.params, wanted.limit)
            asked = replace(asked, reach=reach) if within else replace(asked, limit=wanted.limit)
        if count:
            small = visit.shelved[0].version.row_count <= _COUNTED_ROWS
            planned = count == "planned" or (count == "estimated" and not small)
            counted = Count(made.counted_sql, made.counted_params, planned)
            asked = replace(asked, count=counted)
        visit = replace(visit, query=_question(made.statement, asked))
        if not sent:
            return self._counted(made.statement, asked, caller, visit)
        return self._answer(made.statement, asked, caller, visit)

    def plan(self, asked: Asked, caller: Caller) -> dict[str, Any]:
        """What a caller's SQL would do, without running it: columns, plan and estimate. Raises any
        GatewayError."""
        statement = self.reader.read(asked.sql, caller.name)
        visit = self.visit("sql", "query", statement, asked, caller)
        timeout_s = min(asked.timeout_s or math.inf, self.settings.gateway_timeout_s)
        job = self._jobs.job("plan", statement, asked, visit.shelved, timeout_s)
        turn = self._starts.begin(job, caller, visit)
        try:
            found, _ = self._starts.first(turn, asked, timeout_s)
        finally:
            turn.end()
        return {"tables": [each.attribution for each in visit.shelved], **found}

    def export(self, asked: Asked, caller: Caller) -> Answer:
        """As `query`, with the engine time that exports have. Raises any GatewayError."""
        statement = self.reader.read(asked.sql, caller.name)
        visit = self.visit("export", "query", statement, asked, caller)
        return self._answer(statement, asked, caller, visit, self.settings.export_timeout_s)

    def send(self, visit: Visit, asked: Asked, caller: Caller) -> Answer:
        """Answer with the whole table of a visit. Raises any GatewayError."""
        return self._answer(whole(visit.tables[0]), asked, caller, visit)

    def unsent(self, visit: Visit, asked: Asked, caller: Caller) -> Answer:
        """What `send` says of its answer before the first row; nothing is run or charged."""
        return _untold(whole(visit.tables[0]), asked, caller, visit)

    def decide(self, caller: Caller, tables: tuple[str, ...] | None, action: str) -> Decision:
        """What the caller may know of, from where it asks: of `tables`, None for every one. Raises
        TokenInvalid, AccessDenied, DecisionUnavailable."""
        decision = self.decisions.decide(caller.token, tables, action)
        require_network(decision, caller.address)
        return decision

    def visit(
        self, door: str, action: str, statement: Statement, asked: Asked, caller: Caller
    ) -> Visit:
        """The statement's tables at the versions asked for, if the caller may read all of them.

        `door` and `action` name the way in and the use, for the decision and for what the portal is
        told. Raises any GatewayError.
        """
        tables = statement.tables
        asked.as_of.require(tables)
        decision = self.decisions.decide(caller.token, tables, action)
        visit = Visit(
            door, action, caller.token, caller.address, decision, tables, (),
            _question(statement, asked), media_type(asked.format), caller.reached_at,
            caller.idempotency_key,
        )  # fmt: skip
        try:
            require_network(decision, caller.address)
            require_permits(decision, tables, caller.token, self.decisions)
        except AccessDenied as error:
            self.meter.refused(visit, error)
            raise
        if not self.settings.allow_weak_sandbox:
            require_locks(decision, tables, self.nursery.locks)
        shelved = (
            self.shelf.take(name, decision.of(name), asked.as_of.of(name)) for name in tables
        )
        return replace(visit, shelved=tuple(shelved))

    def close(self) -> None:
        """End every query process, and settle what was leased of quotas."""
        self.running.close()
        self._hot.close()
        self.nursery.close()
        self.meter.close()

    def _counted(self, statement: Statement, asked: Asked, caller: Caller, visit: Visit) -> Answer:
        """The answer without rows: only the count is run, if one is asked for."""
        untold = _untold(statement, asked, caller, visit)
        if untold.held or not asked.count:
            return untold
        sql = f"SELECT * FROM ({statement.sql}) AS answer LIMIT 0"  # noqa: S608
        none = replace(statement, sql=sql, most_rows=0)
        visit = replace(visit, query=_question(none, untold.asked))
        counted = self._answer(none, untold.asked, caller, visit)
        try:
            # Read to its end, so that it counts as answered and not as broken off.
            list(counted.chunks)
        finally:
            counted.end()
        return replace(untold, total=counted.total, columns=counted.columns)

    def _answer(
        self,
        statement: Statement,
        asked: Asked,
        caller: Caller,
        visit: Visit,
        most_s: float | None = None,
    ) -> Answer:
        tag = tags.tag(statement, asked, visit.shelved)
        if _held(tag, caller):
            metrics.looked_up("answer", hit=True)
            return Answer(asked, visit.shelved, tag, held=True)
        metered = self.meter.begin(visit, made_anew=True)
        most_s = most_s or min(metered.timeout_s, self.settings.gateway_timeout_s)
        timeout_s = min(asked.timeout_s or most_s, most_s)
        try:
            job = self._jobs.job("query", statement, asked, visit.shelved, timeout_s)
            encoding = None if asked.format in PACKED else caller.encoding
            job |= {"encoding": encoding, "digest": metered.receipt is not None}
            if metered.receipt:
                job["envelope"]["receipt"] = metered.receipt.jti
            turn = self._starts.begin(job, caller, visit)
            try:
                header, data = self._starts.first(turn, asked, timeout_s)
                metered.rows(header["first_rows"])
            except BaseException:
                turn.end()
                raise
        except GatewayError as error:
            metered.fail(error)
            raise
        except BaseException as error:
            metered.break_off(type(error).__name__)
            raise
        sending = (
            Relay(turn, timeout_s, metered, self.running, caller)
            if data is None
            else AtOnce(data, header, turn, metered)
        )
        return Answer(
            asked, visit.shelved, tag,
            truncated=header["truncated"], row_count=header["row_count"], total=header["total"],
            columns=tuple(header["columns"]),
            receipt=metered.receipt.jti if metered.receipt else None,
            encoding=encoding, byte_count=sending.byte_count,
            chunks=sending, onto=sending.onto, end=sending.end,
            rows_sent=lambda: metered.row_count,
        )  # fmt: skip


def whole(table: str) -> Statement:
    """The statement that reads a whole table."""
    every = Select((Star(),), (Source(table, table),))
    return Statement(f"SELECT * FROM {quoted(table)}", (table,), every, flows=True)  # noqa: S608


def _held(tag: str | None, caller: Caller) -> bool:
    return tag is not None and caller.held.contains_weak(tag)


def _untold(statement: Statement, asked: Asked, caller: Caller, visit: Visit) -> Answer:
    """An answer that is not run: what only the query finds out, such as what a limit cuts off,
    is left out."""
    tag = tags.tag(statement, asked, visit.shelved)
    told = replace(asked, limit=None, reach=None)
    return Answer(told, visit.shelved, tag, held=_held(tag, caller))


def _question(statement: Statement, asked: Asked) -> str:
    """What is asked, as a text: the same one for requests that have the same answer."""
    asked_for = {"sql": statement.sql, "params": asked.params, "limit": asked.limit}
    return json.dumps(asked_for, ensure_ascii=False, sort_keys=True)
