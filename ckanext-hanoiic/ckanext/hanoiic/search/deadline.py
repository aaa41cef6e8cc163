"""Holds all statements of a query together to its time limit.

PostgreSQL's ``statement_timeout`` is for each statement, so a query of many statements could take
many times its limit. Here the timeout is set to what is left before each statement, once a
noticeable part is used up.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from .errors import QueryTooSlow

NOTICED_S = 0.5
_KEY = "hanoiic_search.deadline"  # monotonic seconds: when the query began, and when it must end


def begin(connection: sa.Connection, limit_s: float) -> None:
    """From here on all statements of the transaction share ``limit_s`` seconds."""
    now = time.monotonic()
    connection.info[_KEY] = (now, now + limit_s)


def end(connection: sa.Connection) -> None:
    connection.info.pop(_KEY, None)


def keep(engine: sa.Engine) -> None:
    """Hold the engine's statements to the deadline of their transaction, where it has one."""

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _hurry(connection: Any, cursor: Any, *_statement: Any) -> None:
        began, ends = connection.info.get(_KEY, (None, None))
        if began is None or time.monotonic() - began < NOTICED_S:
            return
        left_ms = int(1000 * (ends - time.monotonic()))
        if left_ms < 1:
            raise QueryTooSlow("it took longer than its time limit")
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(left_ms),))
