"""An officer's look at what an edition would show. The harvest worker makes it with the very code
that writes editions, and it is kept for an hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckanext.hanoiic.licensing import clock, editions
from ckanext.hanoiic.licensing.errors import TooManyPreviews
from ckanext.hanoiic.licensing.model import EditionPreview

KEPT = timedelta(hours=1)
# A worker that claimed one and died.
TAKEN_AGAIN = timedelta(minutes=1)
UNFINISHED_MOST = 5
CLAIMED_MOST = 10


def create(table: str, spec: dict[str, Any], user_id: str) -> EditionPreview:
    """Ask for the first rows of ``table`` as ``spec`` shows them. Raises TooManyPreviews."""
    now = clock.now()
    model.Session.execute(sa.delete(EditionPreview).where(EditionPreview.requested_at < now - KEPT))
    unfinished = model.Session.scalar(
        sa.select(sa.func.count())
        .select_from(EditionPreview)
        .where(
            EditionPreview.requested_by == user_id,
            EditionPreview.state.in_(("requested", "running")),
        )
    )
    if unfinished >= UNFINISHED_MOST:
        raise TooManyPreviews("Five previews are not done yet")
    row = EditionPreview(
        table_name=table, spec=spec, state="requested", requested_by=user_id, requested_at=now
    )
    model.Session.add(row)
    model.Session.flush()
    return row


def claim() -> list[dict[str, Any]]:
    """Hand out what waits, each to one worker at a time."""
    now = clock.now()
    lost = sa.and_(
        EditionPreview.state == "running", EditionPreview.requested_at < now - TAKEN_AGAIN
    )
    rows = list(
        model.Session.scalars(
            sa.select(EditionPreview)
            .where(sa.or_(EditionPreview.state == "requested", lost))
            .order_by(EditionPreview.requested_at)
            .limit(CLAIMED_MOST)
            .with_for_update(skip_locked=True)
        )
    )
    told = []
    for row in rows:
        row.state = "running"
        hashed = any(mask["kind"] == "hash" for mask in row.spec["masks"].values())
        told.append(
            {
                "id": row.id,
                "table": row.table_name,
                "spec": row.spec,
                # A key of its own: the hashes of a preview mean nothing anywhere else.
                "salt": editions.salt(f"preview:{row.id}") if hashed else None,
            }
        )
    model.Session.flush()
    return told


def answer(row: EditionPreview, state: str, result: dict[str, Any]) -> None:
    row.state, row.result = state, result
    model.Session.flush()
