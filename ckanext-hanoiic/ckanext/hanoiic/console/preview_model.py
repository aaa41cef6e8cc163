"""Previews: what a source would give, shown before it is registered. Kept for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.model.types import make_uuid
from ckan.plugins import toolkit as tk
from sqlalchemy.dialects.postgresql import JSONB

from .errors import WORKER_LOST
from .model import iso, now
from .states import FAILED, OPEN, REQUESTED, RUNNING

KEPT = timedelta(hours=1)
LEASE = timedelta(minutes=2)
LOSSES_ALLOWED = 1


class Preview(tk.BaseModel):
    """One look at an address or an uploaded file, made by the harvest worker."""

    __tablename__ = "hanoiic_preview"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    owner_org = sa.Column(sa.Text, nullable=False)
    url = sa.Column(sa.Text, nullable=False)
    kind = sa.Column(sa.Text, nullable=False, default="")
    options = sa.Column(JSONB, nullable=False, default=dict)
    secret = sa.Column(sa.Text, nullable=False, default="")
    state = sa.Column(sa.Text, nullable=False, default=REQUESTED)
    stages = sa.Column(JSONB, nullable=False, default=list)
    result = sa.Column(JSONB(none_as_null=True))
    created_by = sa.Column(sa.Text)
    created_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)
    finished_at = sa.Column(sa.DateTime(timezone=True))
    worker = sa.Column(sa.Text)
    lease_until = sa.Column(sa.DateTime(timezone=True))
    losses = sa.Column(sa.Integer, nullable=False, default=0)

    def as_dict(self) -> dict[str, Any]:
        moments = {"created_at", "finished_at", "lease_until"}
        values = {column.name: getattr(self, column.name) for column in self.__table__.columns}
        return {key: iso(value) if key in moments else value for key, value in values.items()}

    def renew(self) -> None:
        self.lease_until = now() + LEASE

    def finish(self, state: str, result: dict[str, Any] | None) -> None:
        self.state, self.result = state, result
        self.finished_at, self.lease_until = now(), None


def forget_old(moment: datetime) -> None:
    """Delete previews older than an hour; the caller commits."""
    model.Session.query(Preview).filter(Preview.created_at < moment - KEPT).delete()


def unfinished(organisation: str) -> int:
    query = model.Session.query(Preview).filter(Preview.owner_org == organisation)
    return query.filter(Preview.state.in_(OPEN)).count()


def claim(worker: str, limit: int, moment: datetime) -> list[Preview]:
    """At most ``limit`` previews for ``worker``, the oldest first; the caller commits.

    One whose worker was lost is handed out once more, then it fails with ``worker_lost``.
    """
    free = sa.or_(Preview.lease_until.is_(None), Preview.lease_until <= moment)
    query = (
        model.Session.query(Preview)
        .filter(Preview.state.in_(OPEN), free)
        .order_by(Preview.created_at, Preview.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = []
    for preview in query.populate_existing().all():
        preview.losses += preview.state == RUNNING
        if preview.losses > LOSSES_ALLOWED:
            detail = "The worker was lost while it made the preview."
            preview.finish(FAILED, {"error": {"code": WORKER_LOST, "detail": detail}})
            continue
        preview.state, preview.worker = RUNNING, worker
        preview.renew()
        taken.append(preview)
    return taken
