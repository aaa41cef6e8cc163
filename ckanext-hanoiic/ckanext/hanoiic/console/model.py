"""Tables of sources and runs. Moments are aware and in UTC."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.model.types import make_uuid
from ckan.plugins import toolkit as tk
from sqlalchemy.dialects.postgresql import JSONB

from .states import DELETED, OPEN


def now() -> datetime:
    return datetime.now(UTC)


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, or None."""
    return moment.astimezone(UTC).isoformat() if moment else None


# What officers say of a source.
SAID = ("name", "title", "owner_org", "kind", "url", "schedule", "state", "options", "dataset")


class Source(tk.BaseModel):
    """Where a department's data comes from, how often, and as what it is registered."""

    __tablename__ = "hanoiic_source"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    name = sa.Column(sa.Text, nullable=False)
    title = sa.Column(sa.Text, nullable=False)
    owner_org = sa.Column(sa.Text, nullable=False)
    kind = sa.Column(sa.Text, nullable=False)
    url = sa.Column(sa.Text, nullable=False)
    schedule = sa.Column(sa.Text, nullable=False, default="")
    state = sa.Column(sa.Text, nullable=False)
    options = sa.Column(JSONB, nullable=False, default=dict)
    dataset = sa.Column(JSONB, nullable=False, default=dict)
    created_by = sa.Column(sa.Text)
    created_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)
    updated_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now, onupdate=now)
    next_due_at = sa.Column(sa.DateTime(timezone=True))

    @classmethod
    def find(cls, id_or_name: str) -> Source | None:
        """By id (also a deleted one, whose history stays) or by name (living ones only)."""
        by_id = model.Session.get(cls, id_or_name)
        return by_id or (
            model.Session.query(cls).filter(cls.name == id_or_name, cls.state != DELETED).first()
        )

    @property
    def revision(self) -> str:
        """Another one whenever an officer, or a decision, changed the source."""
        said = json.dumps([getattr(self, key) for key in SAID], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def lock(self) -> Source:
        """Hold this row until the transaction ends; runs of a source are made one at a time."""
        model.Session.refresh(self, with_for_update=True)
        return self

    def open_run(self) -> Run | None:
        """The run that is requested or running; there is at most one."""
        query = model.Session.query(Run)
        return query.filter(Run.source_id == self.id, Run.state.in_(OPEN)).first()

    def as_dict(self) -> dict[str, Any]:
        moments = {"created_at", "updated_at", "next_due_at"}
        values = {column.name: getattr(self, column.name) for column in self.__table__.columns}
        return {key: iso(value) if key in moments else value for key, value in values.items()}


class Run(tk.BaseModel):
    """One harvest of a source and the report on it.

    ``lease_until``: till when the worker that took it is believed to live. ``losses``: how often a
    worker was lost while it ran.
    """

    __tablename__ = "hanoiic_run"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    source_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False)
    state = sa.Column(sa.Text, nullable=False)
    trigger = sa.Column(sa.Text, nullable=False)
    requested_by = sa.Column(sa.Text)
    requested_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)
    started_at = sa.Column(sa.DateTime(timezone=True))
    finished_at = sa.Column(sa.DateTime(timezone=True))
    updated_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now, onupdate=now)
    stages = sa.Column(JSONB, nullable=False, default=list)
    tables = sa.Column(JSONB, nullable=False, default=list)
    datasets = sa.Column(JSONB, nullable=False, default=list)
    rejected = sa.Column(JSONB, nullable=False, default=list)
    error = sa.Column(JSONB(none_as_null=True))
    worker = sa.Column(sa.Text)
    lease_until = sa.Column(sa.DateTime(timezone=True))
    losses = sa.Column(sa.Integer, nullable=False, default=0)

    source = sa.orm.relationship(Source, lazy="joined", innerjoin=True)

    def as_dict(self) -> dict[str, Any]:
        moments = {"requested_at", "started_at", "finished_at", "updated_at", "lease_until"}
        values = {column.name: getattr(self, column.name) for column in self.__table__.columns}
        return {key: iso(value) if key in moments else value for key, value in values.items()}

    def summary(self) -> dict[str, Any]:
        """What a list shows of a run: its state, its times and how many rows."""
        keys = ("id", "source_id", "state", "trigger", "error")
        moments = ("requested_at", "started_at", "finished_at")
        return {
            **{key: getattr(self, key) for key in keys},
            **{key: iso(getattr(self, key)) for key in moments},
            "row_count": sum(table.get("row_count") or 0 for table in self.tables),
            "rejected_count": sum(table.get("rejected_count") or 0 for table in self.tables),
        }

    def finish(self, state: str, error: dict[str, str] | None = None) -> None:
        """End the run; the caller has asked ``states.move``."""
        self.state = state
        self.finished_at = self.finished_at or now()
        self.lease_until = None
        self.error = error or self.error


class Reservation(tk.BaseModel):
    """The source, and its organisation, that a lake table is kept for."""

    __tablename__ = "hanoiic_reservation"

    table = sa.Column(sa.Text, primary_key=True)
    source_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False)
    organization_id = sa.Column(sa.Text, nullable=False)
    reserved_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)


# A list of runs leaves the long parts of their reports where they are.
WITHOUT_REPORT = tuple(map(sa.orm.defer, (Run.rejected, Run.stages, Run.datasets)))


def last_runs(source_ids: list[str]) -> dict[str, Run]:
    """The newest run of each source that has one."""
    query = (
        model.Session.query(Run)
        .options(*WITHOUT_REPORT, sa.orm.lazyload(Run.source))
        .distinct(Run.source_id)
        .filter(Run.source_id.in_(source_ids))
        .order_by(Run.source_id, Run.requested_at.desc())
    )
    return {run.source_id: run for run in query}


def conflicts(source_id: str) -> list[dict[str, str]]:
    """The living sources whose last run failed on a table or dataset of this source, as a whole or
    with one of its datasets."""
    about_this = {"error": {"source_id": source_id}}
    wanted = sa.or_(Run.error["source_id"].astext == source_id, Run.datasets.contains([about_this]))
    query = (
        model.Session.query(Run)
        .options(*WITHOUT_REPORT)
        .join(Source, Source.id == Run.source_id)
        .filter(wanted, Source.state != DELETED)
    )
    runs = query.all()
    newest = last_runs([run.source_id for run in runs])
    found = []
    for run in (run for run in runs if newest[run.source_id].id == run.id):
        said = [run.error, *(dataset.get("error") for dataset in run.datasets)]
        error = next(one for one in said if one and one.get("source_id") == source_id)
        found.append(
            {
                "source_id": run.source_id,
                "title": run.source.title,
                "run_id": run.id,
                "code": error["code"],
                "detail": error["detail"],
            }
        )
    return found
