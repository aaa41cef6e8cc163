"""The audit: one row for each transition and each change of what is decided, in its transaction."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckanext.hanoiic.licensing.model import Audit


def record(
    event: str,
    actor_id: str | None,
    *,
    dataset_id: str | None = None,
    subject_id: str | None = None,
    **facts: Any,
) -> None:
    """Add what happened to the running transaction; ``facts`` are JSON values, never secrets."""
    model.Session.add(
        Audit(
            event=event,
            actor_id=actor_id,
            dataset_id=dataset_id,
            subject_id=subject_id,
            facts=facts,
        )
    )
