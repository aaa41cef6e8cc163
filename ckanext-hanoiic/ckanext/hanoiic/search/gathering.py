"""Rows on their way into the index: written at once, or gathered and written in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from .document import Row
from .store import Store
from .writing import write

_waiting: ContextVar[dict[Store, list[Row]] | None] = ContextVar("waiting", default=None)


@contextlib.contextmanager
def gathered() -> Iterator[None]:
    """What this thread adds within is written at the end, all or nothing.

    Nothing is where it raises, by itself (SearchFailed) or by what it is around.
    """
    waiting: dict[Store, list[Row]] = {}
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    for store, rows in waiting.items():
        _write(store, rows)


def put(store: Store, rows: Sequence[Row]) -> None:
    waiting = _waiting.get()
    if waiting is None:
        _write(store, rows)
    else:
        waiting.setdefault(store, []).extend(rows)


def settle(store: Store) -> None:
    """Write what waits: before something that reads the index."""
    waiting = _waiting.get()
    if waiting:
        _write(store, waiting.pop(store, []))


def _write(store: Store, rows: Sequence[Row]) -> None:
    if rows:
        with store.transaction() as connection:
            write(connection, rows)
    store.counts.forget()
