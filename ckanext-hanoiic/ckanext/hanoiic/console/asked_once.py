"""Lets a request that does one thing many times ask the database each question only once.

CKAN's ``package_create`` asks thirteen times who the caller is, which organisation is meant and
what the caller may do there. Inside :func:`asked_once` the first answer stands, as if everything
had been asked when the request began. It uses SQLAlchemy's event for caches, on this session only.
When this session changes a table, the answers about it are forgotten.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing.model import Licence
from sqlalchemy.engine.result import FrozenResult, Result
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.sql import visitors

STEADY = {
    sa.inspect(kind).local_table: kind
    for kind in (model.User, model.Group, model.Member, model.Tag, Licence)
}
# The rows of `member` that give rights; its other rows say which groups a dataset is in.
RIGHTS = "user"

Question = tuple[Any, ...]


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Answer repeated questions from memory, inside one transaction."""
    session, answers = model.Session(), _Answers()
    events = {"do_orm_execute": answers.to, "after_flush": answers.forget_changed}
    for event, handler in events.items():
        sa.event.listen(session, event, handler)
    try:
        yield
    finally:
        for event, handler in events.items():
            sa.event.remove(session, event, handler)


class _Answers:
    def __init__(self) -> None:
        self.known: dict[type, dict[Question, FrozenResult[Any]]] = defaultdict(dict)
        self._class_of: dict[Any, type | None] = {}

    def to(self, state: ORMExecuteState) -> Result[Any] | None:
        """The answer to a statement, or None: it goes to the database."""
        statement, mapper = state.statement, state.bind_mapper
        if mapper is not None and mapper.class_ not in STEADY.values():
            return None
        if not isinstance(statement, sa.Select):
            self._forget_written(statement)
            return None
        key = statement._generate_cache_key()  # as in SQLAlchemy's own example of a cache
        if key is None or state.parameters or state.is_relationship_load or state.is_column_load:
            return None
        shape = key.key
        if shape not in self._class_of:
            self._class_of[shape] = _only_class(statement)
        kind = self._class_of[shape]
        values = tuple(map(_hashable, (bound.effective_value for bound in key.bindparams)))
        if kind is None or (kind is model.Member and RIGHTS not in values):
            return None
        known, question = self.known[kind], (shape, values)
        if question not in known:
            known[question] = state.invoke_statement().freeze()
        return known[question]()

    def _forget_written(self, statement: Any) -> None:
        table = getattr(statement, "table", None)
        if table is None:  # text, of which nobody knows
            self.known.clear()
        elif table in STEADY:
            self.known.pop(STEADY[table], None)

    def forget_changed(self, session: Any, _context: Any) -> None:
        modified = (row for row in session.dirty if session.is_modified(row, False))
        for row in (*session.new, *session.deleted, *modified):
            if getattr(row, "table_name", RIGHTS) == RIGHTS:
                self.known.pop(type(row), None)


def _only_class(statement: sa.Select[Any]) -> type | None:
    """The steady class whose table is the only one that a statement reads."""
    tables = {part for part in visitors.iterate(statement) if isinstance(part, sa.Table)}
    return STEADY.get(*tables) if len(tables) == 1 else None


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
