"""The audit: one entry for each transition and each change of what is decided.

Added in the transaction of the change; the database chains them when it commits (``audit.sql``).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing.audit_model import INTAKE


def record(
    event: str,
    actor_id: str | None,
    *,
    dataset_id: str | None = None,
    subject_id: str | None = None,
    **facts: Any,
) -> None:
    """Add what happened to the running transaction; ``facts`` are JSON values, never secrets."""
    entry = {
        "event": event,
        "actor_id": actor_id,
        "dataset_id": dataset_id,
        "subject_id": subject_id,
        "facts": facts,
    }
    model.Session.execute(sa.insert(INTAKE).values(entry))
