"""The audit's chain, checked: which entry is the first that can't be what was written.

Knows nothing of CKAN, so that anyone with the entries and the checkpoints can check them.
``audit.sql`` says how an entry's hash is made; checkpoints, signed and kept outside of the
database, say which hash an entry had when it was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

START = bytes(32)
PAGE = 5000

# Whether what queries see is what was hashed is computed by the database.
ENTRIES = """
SELECT number, content, hash,
    at IS NOT DISTINCT FROM
        to_timestamp(((content::jsonb ->> 'at_us')::bigint / 1e6)::double precision)
    AND event IS NOT DISTINCT FROM content::jsonb ->> 'event'
    AND actor_id IS NOT DISTINCT FROM content::jsonb ->> 'actor_id'
    AND dataset_id IS NOT DISTINCT FROM content::jsonb ->> 'dataset_id'
    AND subject_id IS NOT DISTINCT FROM content::jsonb ->> 'subject_id'
    AND facts IS NOT DISTINCT FROM content::jsonb -> 'facts' AS shown_as_written
FROM hanoiic_audit.entry ORDER BY number
"""
# Whether the role that asks could change what it checks.
UNGUARDED = """
SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class
WHERE oid = 'hanoiic_audit.entry'::regclass
"""
LAST = "SELECT number, hash FROM hanoiic_audit.entry ORDER BY number DESC LIMIT 1"


@dataclass(frozen=True)
class Checkpoint:
    """What entry ``number`` hashed to when the checkpoint was signed."""

    number: int
    hash: str


@dataclass(frozen=True)
class Verdict:
    """What was found: ``number`` and ``fault`` of the first bad entry, or None for both.

    ``fault``: ``edited`` (its hash isn't that of its content after the entry before), ``deleted``
    (entries before and after are there), ``cut`` (a checkpoint knows it, and nothing is there
    from it on), ``rewritten`` (the chain agrees with itself but not with a checkpoint: an entry
    from ``number`` on, up to the checkpoint's, is another than was signed).
    """

    entries: int
    checkpoints: int
    last_checkpoint: int | None
    number: int | None = None
    fault: str | None = None
    until: int | None = None

    @property
    def sound(self) -> bool:
        return self.fault is None


def hash_of(previous: bytes, number: int, content: str) -> bytes:
    return hashlib.sha256(previous + number.to_bytes(8, "big") + content.encode()).digest()


def verify(entries: Iterable[Any], checkpoints: list[Checkpoint]) -> Verdict:
    """Check entries (number, content, hash, shown as written), in order, from the first on."""
    signed = {one.number: one.hash for one in checkpoints}
    highest = max(signed, default=None)
    last, previous, agreed = 0, START, 0

    def bad(number: int, fault: str, until: int | None = None) -> Verdict:
        return Verdict(last, len(checkpoints), highest, number, fault, until)

    for number, content, stored, shown_as_written in entries:
        if number != last + 1:
            return bad(last + 1, "deleted", number - 1)
        stored = bytes(stored)
        if stored != hash_of(previous, number, content) or not shown_as_written:
            return bad(number, "edited")
        last, previous = number, stored
        if number in signed:
            if signed[number] != stored.hex():
                return bad(agreed + 1, "rewritten", number)
            agreed = number
    if highest is not None and highest > last:
        return bad(last + 1, "cut", highest)
    return Verdict(last, len(checkpoints), highest)
