"""The epoch: one integer in Valkey that moves with every change a decision may depend on.

SQLAlchemy's session events see every change made through the models, also by CKAN's own actions.
Each change moves the epoch twice. Before the commit, so that nothing is committed that could not be
signalled: without Valkey the transaction fails. And after it, because a decision made between the
two read the old rows under the first new number. Statements that name a watched table, or that are
raw text, count too. SQL on a bare connection or outside CKAN must be followed by :func:`bump` or
``INCR hanoiic:epoch``.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.lib.redis import connect_to_redis
from ckan.model import meta
from ckanext.hanoiic.licensing import model as licensing
from sqlalchemy.orm import Session, SessionTransaction

KEY = "hanoiic:epoch"
MARK = "hanoiic_epoch_moves"
QUIET = {"hanoiic_quiet": True}

# Watched class → the columns that matter; None: all of them.
WATCHED: dict[type, frozenset[str] | None] = {
    model.Package: None,
    model.Resource: None,
    model.Member: None,
    model.PackageMember: None,
    model.Group: None,
    model.User: frozenset({"name", "state", "sysadmin"}),
    licensing.Licence: None,
    licensing.Offer: None,
    licensing.AccessRequest: None,
    licensing.Agreement: None,
    licensing.Application: None,
    licensing.Token: None,
    licensing.LakeTable: None,
    licensing.Edition: None,
}
WATCHED_TABLES = frozenset(sa.inspect(cls).local_table.name for cls in WATCHED)

log = logging.getLogger(__name__)


def current() -> int:
    """The present epoch. Read it before the rows that are to be remembered under it."""
    value = connect_to_redis().get(KEY)
    return int(value) if value is not None else bump()


def bump() -> int:
    """Move the epoch on.

    If Valkey lost its data, counting from one again would reach numbers that caches still hold; so
    a missing key starts at the present time in milliseconds.
    """
    with connect_to_redis().pipeline() as pipe:
        pipe.set(KEY, time.time_ns() // 1_000_000, nx=True)
        pipe.incr(KEY)
        return int(pipe.execute()[-1])


def listen() -> None:
    """Attach to CKAN's sessions; again is harmless."""
    for target in (meta.Session, meta.create_local_session):
        for name, handler in HANDLERS.items():
            if not sa.event.contains(target, name, handler):
                sa.event.listen(target, name, handler)


def _after_flush(session: Session, _context: Any) -> None:
    # The session still shows what was new, changed and deleted before this flush.
    came_or_went = any(type(row) in WATCHED for row in (*session.new, *session.deleted))
    if came_or_went or any(_matters(session, row) for row in session.dirty):
        session.info[MARK] = True


def _matters(session: Session, row: Any) -> bool:
    columns = WATCHED.get(type(row), frozenset())
    if columns is None:
        return session.is_modified(row)
    state = sa.inspect(row)
    return any(state.attrs[name].history.has_changes() for name in columns)


def _on_execute(execution: Any) -> None:
    statement = execution.statement
    if execution.is_select or execution.execution_options.get("hanoiic_quiet"):
        return
    if isinstance(statement, sa.TextClause):
        changes = statement.text.lstrip().split(None, 1)[0].upper() not in ("SELECT", "SHOW", "SET")
    else:
        changes = getattr(getattr(statement, "table", None), "name", None) in WATCHED_TABLES
    if changes:
        execution.session.info[MARK] = True


def _before_commit(session: Session) -> None:
    session.flush()
    if session.info.get(MARK):
        bump()


def _after_commit(session: Session) -> None:
    # This is called for savepoints too: the mark stays until the outermost transaction ends.
    if session.info.get(MARK):
        try:
            bump()
        except Exception:
            # Don't raise: the rows are committed, and the caller must not believe otherwise.
            log.exception("The epoch did not move after a commit; decisions may lag behind")


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(MARK, None)


HANDLERS = {
    "after_flush": _after_flush,
    "do_orm_execute": _on_execute,
    "before_commit": _before_commit,
    "after_commit": _after_commit,
    "after_transaction_end": _after_transaction_end,
}
