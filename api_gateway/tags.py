"""The entity tag of an answer: what was asked, of which versions and editions, and what goes with
them: their licences, and how the portal calls them.

Weak in HTTP's sense: the same rows, perhaps in another order, or compressed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import metadata

import duckdb

from api_gateway.asked import Asked
from api_gateway.gate import Statement
from api_gateway.shelf import Shelved

# A part of the tag, since another release may write the same rows differently.
_RELEASE = (metadata.version("hanoiic"), duckdb.__version__)


def tag(statement: Statement, asked: Asked, shelved: Iterable[Shelved]) -> str | None:
    """The opaque part of the tag; None for a statement that depends on the time or on chance."""
    if not statement.repeatable:
        return None
    read = [
        (
            each.table,
            each.version.number,
            each.version.content_hash,
            each.decision.edition,
            each.decision.licence,
            each.decision.dataset,
        )
        for each in shelved
    ]
    made_of = (
        _RELEASE, statement.sql, asked.params, asked.format, asked.limit, asked.csv_safe,
        asked.count and asked.count.planned, read
    )  # fmt: skip
    text = json.dumps(made_of, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
