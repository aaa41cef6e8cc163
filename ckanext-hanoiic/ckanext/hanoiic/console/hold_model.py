"""Held versions: what an officer must see before it is published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.model.types import make_uuid
from ckan.plugins import toolkit as tk
from sqlalchemy.dialects.postgresql import JSONB

from .model import Source, iso, now
from .states import DECISIONS, DELETED, HOLD_OPEN, SUPERSEDED

# A decided state → the word for the decision.
WORDS = {state: decision for decision, state in DECISIONS.items()}


class Hold(tk.BaseModel):
    """One finding that keeps a table's version back; ``table`` is empty for deletes.

    ``fingerprint`` says what was found: the same finding of a later run is the same row.
    """

    __tablename__ = "hanoiic_hold"

    id = sa.Column(sa.Text, primary_key=True, default=make_uuid)
    source_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False)
    run_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_run.id"), nullable=False)
    table = sa.Column(sa.Text, nullable=False, default="")
    kind = sa.Column(sa.Text, nullable=False)
    fingerprint = sa.Column(sa.Text, nullable=False)
    reason = sa.Column(sa.Text, nullable=False, default="")
    facts = sa.Column(JSONB, nullable=False, default=dict)
    preview = sa.Column(JSONB(none_as_null=True))
    state = sa.Column(sa.Text, nullable=False, default=HOLD_OPEN)
    held_at = sa.Column(sa.DateTime(timezone=True), nullable=False, default=now)
    decided_by = sa.Column(sa.Text)
    decided_at = sa.Column(sa.DateTime(timezone=True))
    note = sa.Column(sa.Text, nullable=False, default="")
    pins = sa.Column(JSONB, nullable=False, default=dict)

    source = sa.orm.relationship(Source, lazy="joined", innerjoin=True)

    @property
    def stands(self) -> bool:
        """Whether a decision still counts. An approval with masks or types counts only while the
        source pins them.

        Without its masks an approved finding would be published in clear.
        """
        columns = self.source.options.get("columns", {})
        return all(
            columns.get(column, {}).get(option) == value
            for column, pinned in self.pins.items()
            for option, value in pinned.items()
        )

    def as_dict(self) -> dict[str, Any]:
        moments = {"held_at", "decided_at"}
        values = {column.name: getattr(self, column.name) for column in self.__table__.columns}
        return {key: iso(value) if key in moments else value for key, value in values.items()}


def keep(source: Source, run_id: str, said: list[dict[str, Any]]) -> list[Hold]:
    """Store the holds that a run reports, the same finding only once. Open holds that they replace
    become ``superseded``.

    A finding that was decided stays decided as long as the decision stands.
    """
    kept = []
    for finding in said:
        same = _of(source).filter_by(**{key: finding[key] for key in ("kind", "table")})
        known = same.filter(
            Hold.fingerprint == finding["fingerprint"], Hold.state != SUPERSEDED
        ).first()
        if known and not known.stands:
            known.state, known = SUPERSEDED, None
        if known is None:
            for older in same.filter(Hold.state == HOLD_OPEN):
                older.state = SUPERSEDED
            known = Hold(source_id=source.id, run_id=run_id, **finding)
            model.Session.add(known)
        elif known.state == HOLD_OPEN:
            known.run_id = run_id
            for key in ("reason", "facts", "preview"):
                setattr(known, key, finding[key])
        model.Session.flush()
        kept.append(known)
    return kept


def settle(source: Source, run_id: str, tables: Iterable[str], *, complete: bool) -> None:
    """At a run's end: supersede open holds of ``tables`` that it no longer found.

    ``complete``: the run went through the whole source without holding anything, so no deletes wait
    either.
    """
    passed = set(tables) | ({""} if complete else set())
    stale = _of(source).filter(Hold.state == HOLD_OPEN, Hold.run_id != run_id)
    for hold in stale.filter(Hold.table.in_(passed)):
        hold.state = SUPERSEDED


def decisions(source_ids: list[str]) -> dict[str, list[dict[str, str]]]:
    """What officers decided and still stands, a source: ``{"kind", "table", "fingerprint",
    "decision"}``."""
    query = (
        model.Session.query(Hold)
        .options(sa.orm.defer(Hold.facts), sa.orm.defer(Hold.preview))
        .filter(Hold.source_id.in_(source_ids), Hold.state.in_(WORDS))
        .order_by(Hold.decided_at)
    )
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for hold in query:
        if hold.stands:
            said = {key: getattr(hold, key) for key in ("kind", "table", "fingerprint")}
            found[hold.source_id].append({**said, "decision": WORDS[hold.state]})
    return found


def waiting(organisations: list[str] | None) -> sa.orm.Query:
    """Open holds of living sources, of these organisations or (None) of all."""
    query = model.Session.query(Hold).join(Source, Source.id == Hold.source_id)
    query = query.filter(Hold.state == HOLD_OPEN, Source.state != DELETED)
    return query if organisations is None else query.filter(Source.owner_org.in_(organisations))


def _of(source: Source) -> sa.orm.Query:
    return model.Session.query(Hold).filter(Hold.source_id == source.id)
