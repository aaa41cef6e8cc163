"""What CKAN asks the database for each dataset, asked for many datasets at once.

CKAN's ``package_show`` asks ten questions a dataset, and extensions ask more. Within ``reading``,
a question about one of the named datasets is asked for all of them, and the others' answers are
kept until CKAN comes to them; a question that was asked before is not asked again. It works by
SQLAlchemy's event for caches (``do_orm_execute``), on this session only. Any question that is not
plainly "these columns where this column is that dataset" goes to the database as ever.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import eq
from typing import Any

import sqlalchemy as sa
from ckan import model
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BindParameter, BooleanClauseList
from sqlalchemy.sql.visitors import replacement_traverse

# What would say something else about many datasets than about each of them.
_NOT_EACH = re.compile(r"\b(LIMIT|OFFSET|FETCH|GROUP BY|ORDER BY|DISTINCT|UNION|WITH|FOR UPDATE)\b")

Question = tuple[Any, ...]
Answer = tuple[list[str], list[tuple[Any, ...]]]  # the columns' names, the rows


@contextlib.contextmanager
def reading(datasets: Sequence[str]) -> Iterator[None]:
    """For changes of the catalogue to be seen, keep it short: answers are as old as this began."""
    session = model.Session()
    answers = _Answers(datasets)
    # A session finds by id what it holds; it holds what somebody else holds too.
    held = session.query(model.Package).filter(model.Package.id.in_(datasets)).all()
    sa.event.listen(session, "do_orm_execute", answers.to)
    try:
        yield
    finally:
        sa.event.remove(session, "do_orm_execute", answers.to)
        held.clear()


class _Answers:
    def __init__(self, datasets: Sequence[str]) -> None:
        self.datasets = frozenset(datasets)
        self.known: dict[Question, Answer] = {}

    def to(self, state: ORMExecuteState) -> IteratorResult[Any] | None:
        """The answer to a statement, or None: it goes to the database."""
        statement = state.statement
        given = state.parameters or {}
        if not isinstance(statement, sa.Select) or not isinstance(given, Mapping):
            return None
        key = statement._generate_cache_key()  # as in SQLAlchemy's own example of a cache
        if key is None:
            return None
        values = [given.get(bound.key, bound.effective_value) for bound in key.bindparams]
        try:
            question = (key.key, *values)
            known = self.known.get(question)
        except TypeError:  # a list, of an IN
            return None
        if known is None:
            known = self._asked(state, statement, key.key, values)
            if known is None:
                return None
            self.known[question] = known
        names, rows = known
        return IteratorResult(SimpleResultMetaData(names), iter(rows))

    def _asked(
        self, state: ORMExecuteState, statement: sa.Select[Any], shape: Any, values: list[Any]
    ) -> Answer | None:
        if not _is_plain(statement):
            return None
        about = [place for place, value in enumerate(values) if value in self.datasets]
        if not about:
            found = state.invoke_statement()
            return list(found.keys()), [tuple(row) for row in found]
        condition = _condition(statement, state.parameters or {}, values[about[0]])
        if len(about) > 1 or condition is None:
            return None
        column = condition.left

        def for_all(element: Any, **_ignored: Any) -> Any:
            return column.in_(sorted(self.datasets)) if element is condition else None

        found = state.invoke_statement(
            replacement_traverse(statement, {}, for_all).add_columns(column.label("of_dataset"))
        )
        names = list(found.keys())[:-1]
        of_dataset: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for *row, dataset in found:
            of_dataset[dataset].append(tuple(row))
        for dataset in self.datasets:
            question = (shape, *values[: about[0]], dataset, *values[about[0] + 1 :])
            self.known[question] = (names, of_dataset[dataset])
        return self.known[(shape, *values)]


def _is_plain(statement: sa.Select[Any]) -> bool:
    columns = statement.selected_columns
    return all(isinstance(column, sa.Column) for column in columns) and not _NOT_EACH.search(
        str(statement)
    )


def _condition(
    statement: sa.Select[Any], given: Mapping[str, Any], dataset: str
) -> sa.BinaryExpression[Any] | None:
    """The condition ``column = dataset``, where it must hold for every row."""
    where = statement.whereclause
    both = isinstance(where, BooleanClauseList) and where.operator is operators.and_
    for part in where.clauses if both else [where]:
        if (
            isinstance(part, sa.BinaryExpression)
            and part.operator is eq
            and isinstance(part.left, sa.Column)
            and isinstance(part.right, BindParameter)
            and given.get(part.right.key, part.right.effective_value) == dataset
        ):
            return part
    return None
