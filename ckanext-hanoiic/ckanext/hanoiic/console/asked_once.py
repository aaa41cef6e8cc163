"""A request that does one thing many times asks the same of the database only once.

CKAN's ``package_create`` asks thirteen times who the caller is, which organisation is meant and
what the one may in the other. Within :func:`asked_once` the first answer stands: as if all were
asked at the moment when the request began. It works by SQLAlchemy's event for caches, on this
session only, and forgets everything where this session itself changes a user, an organisation, a
right or a licence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing.model import Licence
from sqlalchemy.engine.result import FrozenResult, Result
from sqlalchemy.orm import ORMExecuteState

STEADY = (model.User, model.Group, model.Member, Licence)
# The rows of `member` that give rights; the others say in which groups a dataset is.
RIGHTS = "user"

Question = tuple[Any, ...]


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Keep it to one transaction."""
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
        self.known: dict[Question, FrozenResult[Any]] = {}
        self._of_one_table: dict[Any, bool] = {}

    def to(self, state: ORMExecuteState) -> Result[Any] | None:
        """The answer to a statement, or None: it goes to the database."""
        statement, mapper = state.statement, state.bind_mapper
        if mapper is None or mapper.class_ not in STEADY:
            return None
        if not state.is_select:
            self.known.clear()
            return None
        key = statement._generate_cache_key()  # as in SQLAlchemy's own example of a cache
        if key is None or state.parameters or not isinstance(statement, sa.Select):
            return None
        shape = key.key
        if shape not in self._of_one_table:
            self._of_one_table[shape] = len(statement.get_final_froms()) == 1
        values = tuple(map(_hashable, (bound.effective_value for bound in key.bindparams)))
        if not self._of_one_table[shape] or (
            mapper.class_ is model.Member and RIGHTS not in values
        ):
            return None
        question = (shape, values)
        if question not in self.known:
            self.known[question] = state.invoke_statement().freeze()
        return self.known[question]()

    def forget_changed(self, session: Any, _context: Any) -> None:
        modified = (row for row in session.dirty if session.is_modified(row, False))
        for row in (*session.new, *session.deleted, *modified):
            if isinstance(row, STEADY) and getattr(row, "table_name", RIGHTS) == RIGHTS:
                self.known.clear()
                return


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
