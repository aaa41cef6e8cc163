"""Published licences against what the audit noted: which were changed, and which are gone.

Knows nothing of CKAN, as :mod:`chain`, so that ``hanoiic audit verify`` can tell it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

# What the hash of a licence is about: the text, its policy and their name.
HASHED = (
    "id", "version", "title_vi", "title_en", "url", "draft", "open", "restricted_edition",
    "plain", "policy",
)  # fmt: skip
ROWS = f"""
SELECT {", ".join(HASHED)}, content_hash FROM hanoiic_licence
WHERE state <> 'draft' ORDER BY id, version
"""  # noqa: S608 (names of this file)
# The newest last: it counts.
NOTED = """
SELECT facts ->> 'licence' AS id, (facts ->> 'licence_version')::int AS version,
    facts ->> 'content_hash' AS content_hash
FROM hanoiic_audit.entry WHERE event = 'licence_published' ORDER BY number
"""


@dataclass(frozen=True)
class Fault:
    """A published licence that is not what it was: ``changed`` or ``missing``."""

    id: str
    version: int
    fault: str


def content_hash(columns: Mapping[str, Any]) -> str:
    """SHA-256, hex, over the canonical JSON (RFC 8785) of :data:`HASHED`."""
    return hashlib.sha256(rfc8785.dumps({name: columns[name] for name in HASHED})).hexdigest()


def faults(rows: Iterable[Mapping[str, Any]], noted: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """What :data:`ROWS` and :data:`NOTED` tell against each other: somebody changed or removed a
    licence around the portal and its database's trigger."""
    known = {(one["id"], one["version"]): one["content_hash"] for one in noted}
    found, there = [], set()
    for row in rows:
        key = (row["id"], row["version"])
        there.add(key)
        if not content_hash(row) == row["content_hash"] == known.get(key, row["content_hash"]):
            found.append(Fault(*key, "changed"))
    return found + [Fault(*key, "missing") for key in sorted(known.keys() - there)]
