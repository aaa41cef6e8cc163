"""An empty database, or one that holds what many tests begin with, in hundredths of a second."""

from __future__ import annotations

import copy
import functools
import io
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from ckan import model
from sqlalchemy.orm import close_all_sessions

Made = TypeVar("Made")

# What was made, and all tables' rows as PostgreSQL copies them.
_made: dict[str, tuple[object, dict[str, str]]] = {}


def empty_database() -> None:
    """No row in any table of CKAN and its plugins, by one statement."""
    close_all_sessions()
    tables = reversed(_tables(len(model.meta.metadata.tables)))
    with model.meta.engine.begin() as connection:
        connection.exec_driver_sql(";".join(f'DELETE FROM "{table}"' for table in tables))


def made_once(name: str, make: Callable[[], Made]) -> Made:
    """What `make` makes in an empty database and answers; after the first time its rows are put
    back. It may leave nothing elsewhere: no dataset, which has its place in the search index."""
    if name not in _made:
        made = make()
        _made[name] = made, _rows()
    else:
        _put_back(_made[name][1])
    return copy.deepcopy(_made[name][0])


def _rows() -> dict[str, str]:
    model.Session.commit()
    rows = {}
    with model.meta.engine.connect() as connection:
        cursor = connection.connection.cursor()
        for table in _tables(len(model.meta.metadata.tables)):
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', held := io.StringIO())
            rows[table] = held.getvalue()
    return {table: text for table, text in rows.items() if text}


def _put_back(rows: dict[str, str]) -> None:
    model.Session.remove()
    with model.meta.engine.begin() as connection:
        cursor = connection.connection.cursor()
        for table, text in rows.items():
            cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.StringIO(text))


@functools.lru_cache(maxsize=1)
def _tables(known: int) -> list[str]:
    """The tables that are there, each after those it refers to; looked up anew when a plugin has
    added to the `known` ones."""
    there = {*sa.inspect(model.meta.engine).get_table_names()} - {"alembic_version"}
    return [table.name for table in model.meta.metadata.sorted_tables if table.name in there]
