"""The versioned store between harvesters and gateway: names, schemas, versions, editions, publish.

The classes load on first use: a process that only reads its settings does not load Arrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lake.history import Provenance, Version
    from lake.schema import Column
    from lake.store import Lake
    from lake.table import Published, Table

__all__ = ["Column", "Lake", "Provenance", "Published", "Table", "Version"]

_HOMES = {
    "Column": "lake.schema",
    "Lake": "lake.store",
    "Provenance": "lake.history",
    "Published": "lake.table",
    "Table": "lake.table",
    "Version": "lake.history",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lake' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
