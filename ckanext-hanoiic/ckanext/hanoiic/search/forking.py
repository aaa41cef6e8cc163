"""A forked process makes database connections of its own.

CKAN's ``search-index rebuild-fast`` forks after its start has read the database; children that
talk over their parent's connection get each other's answers.
"""

from __future__ import annotations

import os
from typing import Any

from ckan import model

# Kept for good: a session thrown away ends its transaction, and that on the parent's connection.
_inherited: list[Any] = []


def _leave_the_parents_connections() -> None:
    registry = model.Session.registry
    if registry.has():
        _inherited.append(registry())
        registry.clear()
    if model.meta.engine is not None:
        model.meta.engine.dispose(close=False)


def install() -> None:
    """Once a process."""
    os.register_at_fork(after_in_child=_leave_the_parents_connections)
