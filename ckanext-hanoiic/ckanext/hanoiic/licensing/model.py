"""Licensing's tables.

Rows refer to datasets, organisations and users by id without foreign keys: history outlives a
purged dataset or user. Partial unique indexes keep what must be single even when two officers
press a button in the same instant.
"""

from __future__ import annotations

import json
from uuid import uuid4

import sqlalchemy as sa
from ckan.model.base import BaseModel
from ckanext.hanoiic.licensing import clock
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

Moment = sa.DateTime(timezone=True)


def _key() -> sa.Column:
    return sa.Column(sa.Text, primary_key=True, default=lambda: str(uuid4()))


def _stamp() -> sa.Column:
    return sa.Column(Moment, nullable=False, default=clock.now)


def _scope() -> sa.Column:
    return sa.Column(sa.Text, nullable=False, default="", server_default=sa.text("''"))


def _json(default: str) -> sa.Column:
    return sa.Column(
        JSONB,
        nullable=False,
        default=lambda: json.loads(default),
        server_default=sa.text(f"'{default}'"),
    )


class Licence(BaseModel):
    """A version of a licence's text. A trigger refuses to change a published one: only its state
    moves on, as :mod:`lifecycle` says; version 2 is another row.

    ``origin`` is ``shipped`` (the portal's own files) or ``portal`` (written by an operator).
    ``restricted_edition``: an offer under it must show less than the whole table.
    """

    __tablename__ = "hanoiic_licence"
    __table_args__ = (
        sa.Index(
            "hanoiic_licence_published",
            "id",
            unique=True,
            postgresql_where=sa.text("state = 'published'"),
        ),
        sa.Index(
            "hanoiic_licence_draft", "id", unique=True, postgresql_where=sa.text("state = 'draft'")
        ),
        sa.CheckConstraint("state IN ('draft', 'published', 'superseded', 'withdrawn')"),
        sa.CheckConstraint("origin IN ('shipped', 'portal')"),
    )
    id = sa.Column(sa.Text, primary_key=True)
    version = sa.Column(sa.Integer, primary_key=True)
    title_vi = sa.Column(sa.Text, nullable=False)
    title_en = sa.Column(sa.Text, nullable=False)
    url = sa.Column(sa.Text)
    draft = sa.Column(sa.Boolean, nullable=False)
    plain = sa.Column(JSONB, nullable=False)
    policy = sa.Column(JSONB, nullable=False)
    content_hash = sa.Column(sa.Text, nullable=False)
    published_at = sa.Column(Moment)
    state = sa.Column(sa.Text, nullable=False)
    origin = sa.Column(sa.Text, nullable=False)
    open = sa.Column(sa.Boolean, nullable=False)
    restricted_edition = sa.Column(sa.Boolean, nullable=False)
    created_by = sa.Column(sa.Text)
    changed_at = sa.Column(Moment)
    changed_by = sa.Column(sa.Text)
    state_reason = sa.Column(sa.Text)


class Offer(BaseModel):
    """What a dataset, or one of its tables, offers from ``created_at`` until ``superseded_at``.

    ``table_name`` is empty for the dataset's own offer, which counts for every table without one
    of its own; of each, one is current. ``columns`` None: all of them. ``masks``, ``row_filter``
    and ``sample`` have the shapes of an edition's spec (:mod:`specs`), ``quota`` those of
    :mod:`terms`. ``pinned_versions``: table → versions that are kept for its holders.
    ``questions``: what a request is asked (:mod:`questions`); None: the usual ones. A withdrawn
    offer stays the current one, and gives nobody access.
    """

    __tablename__ = "hanoiic_offer"
    __table_args__ = (
        sa.Index(
            "hanoiic_offer_current",
            "dataset_id",
            "table_name",
            unique=True,
            postgresql_where=sa.text("superseded_at IS NULL"),
        ),
        sa.UniqueConstraint("dataset_id", "table_name", "number"),
        sa.CheckConstraint("tier IN ('open', 'click', 'registered', 'request')"),
        sa.CheckConstraint("agreement_days > 0"),
        sa.CheckConstraint("sla_working_days > 0"),
        sa.ForeignKeyConstraint(
            ["licence_id", "licence_version"], ["hanoiic_licence.id", "hanoiic_licence.version"]
        ),
    )
    id = _key()
    dataset_id = sa.Column(sa.Text, nullable=False)
    table_name = _scope()
    number = sa.Column(sa.Integer, nullable=False)
    licence_id = sa.Column(sa.Text)
    licence_version = sa.Column(sa.Integer)
    tier = sa.Column(sa.Text, nullable=False)
    columns = sa.Column(JSONB(none_as_null=True))
    masks = _json("{}")
    row_filter = _json("[]")
    sample = sa.Column(JSONB(none_as_null=True))
    quota = _json("{}")
    valid_from = sa.Column(Moment)
    valid_until = sa.Column(Moment)
    agreement_days = sa.Column(sa.Integer)
    auto_approve = sa.Column(JSONB(none_as_null=True))
    sla_working_days = sa.Column(sa.Integer)
    pinned_versions = _json("{}")
    questions = sa.Column(JSONB(none_as_null=True))
    created_by = sa.Column(sa.Text)
    created_at = _stamp()
    superseded_at = sa.Column(Moment)
    withdrawn_at = sa.Column(Moment)
    withdrawn_by = sa.Column(sa.Text)
    withdrawn_reason = sa.Column(sa.Text)
    licence = sa.orm.relationship(Licence, lazy="joined")


class Party:
    """Columns of what is held (a dataset, or one table of it) and who holds: an organisation, or
    a user who belongs to none."""

    dataset_id = sa.Column(sa.Text, nullable=False, index=True)
    table_name = _scope()
    party_kind = sa.Column(sa.Text, nullable=False)
    party_id = sa.Column(sa.Text, nullable=False)


class AccessRequest(Party, BaseModel):
    """A party's request for what an offer is about; one is open at a time.

    ``answers``: list of {id, kind, question: {vi, en}, answer}, as they were asked. ``renews``: the
    agreement it is to continue. ``due_at``: by when an officer should have answered; while
    information is needed the clock stands, with ``days_left`` working days on it. ``expires_at``:
    when nobody waits any longer.
    """

    __tablename__ = "hanoiic_access_request"
    __table_args__ = (
        sa.Index(
            "hanoiic_access_request_open",
            "dataset_id",
            "table_name",
            "party_kind",
            "party_id",
            unique=True,
            postgresql_where=sa.text("state IN ('submitted', 'info_needed')"),
        ),
        sa.CheckConstraint(
            "state IN ('submitted', 'info_needed', 'approved', 'rejected', 'withdrawn', 'expired')"
        ),
    )
    id = _key()
    offer_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_offer.id"), nullable=False)
    user_id = sa.Column(sa.Text, nullable=False)
    purpose = sa.Column(sa.Text, nullable=False)
    purpose_code = sa.Column(sa.Text)
    answers = _json("[]")
    renews = sa.Column(sa.Text)
    due_at = sa.Column(Moment, nullable=False)
    days_left = sa.Column(sa.Integer)
    expires_at = sa.Column(Moment)
    state = sa.Column(sa.Text, nullable=False, default="submitted")
    created_at = _stamp()
    decided_at = sa.Column(Moment)
    decided_by = sa.Column(sa.Text)
    reason = sa.Column(sa.Text)
    offer = sa.orm.relationship(Offer, lazy="joined")


class RequestNote(BaseModel):
    """What happened to a request, in order: its event, by whom, and what was said."""

    __tablename__ = "hanoiic_request_note"
    id = sa.Column(sa.BigInteger, sa.Identity(), primary_key=True)
    request_id = sa.Column(
        sa.Text, sa.ForeignKey("hanoiic_access_request.id"), nullable=False, index=True
    )
    at = _stamp()
    user_id = sa.Column(sa.Text)
    event = sa.Column(sa.Text, nullable=False)
    text = sa.Column(sa.Text)


class Agreement(Party, BaseModel):
    """What a party holds under the offer it accepted; of each, one is live at a time.

    ``pinned_versions``: table → list of versions that the lake keeps while the agreement lives.
    """

    __tablename__ = "hanoiic_agreement"
    __table_args__ = (
        sa.Index(
            "hanoiic_agreement_live",
            "dataset_id",
            "table_name",
            "party_kind",
            "party_id",
            unique=True,
            postgresql_where=sa.text("state IN ('active', 'suspended')"),
        ),
        sa.Index("ix_hanoiic_agreement_party", "party_kind", "party_id"),
        sa.CheckConstraint("state IN ('active', 'suspended', 'expired', 'revoked', 'superseded')"),
    )
    id = _key()
    offer_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_offer.id"), nullable=False)
    request_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_access_request.id"))
    renews = sa.Column(sa.Text)
    accepted_by = sa.Column(sa.Text, nullable=False)
    state = sa.Column(sa.Text, nullable=False, default="active")
    valid_until = sa.Column(Moment)
    pinned_versions = _json("{}")
    reason = sa.Column(sa.Text)
    created_at = _stamp()
    changed_at = _stamp()
    changed_by = sa.Column(sa.Text)
    reminded_at = sa.Column(Moment)
    offer = sa.orm.relationship(Offer, lazy="joined")


class Application(BaseModel):
    """A program of an organisation, or of a user (``organization_id`` None): it has tokens."""

    __tablename__ = "hanoiic_application"
    id = _key()
    organization_id = sa.Column(sa.Text, index=True)
    user_id = sa.Column(sa.Text, nullable=False, index=True)
    name = sa.Column(sa.Text, nullable=False)
    description = sa.Column(sa.Text)
    created_at = _stamp()
    retired_at = sa.Column(Moment)


class Token(BaseModel):
    """A gateway token of an application. Only its SHA-256 is kept; ``prefix`` is what its owner
    recognises.

    It speaks for the application's organisation while ``user_id``, who made it, belongs to that.
    ``networks`` (CIDR) None: from anywhere. ``replaces``: the token it was rotated from.
    """

    __tablename__ = "hanoiic_token"
    id = _key()
    hash = sa.Column(sa.Text, nullable=False, unique=True)
    prefix = sa.Column(sa.Text, nullable=False)
    application_id = sa.Column(
        sa.Text, sa.ForeignKey("hanoiic_application.id"), nullable=False, index=True
    )
    user_id = sa.Column(sa.Text, nullable=False, index=True)
    organization_id = sa.Column(sa.Text)
    name = sa.Column(sa.Text, nullable=False)
    scopes = sa.Column(ARRAY(sa.Text), nullable=False)
    audience = sa.Column(ARRAY(sa.Text), nullable=False)
    networks = sa.Column(ARRAY(sa.Text))
    replaces = sa.Column(sa.Text)
    created_at = _stamp()
    expires_at = sa.Column(Moment, nullable=False)
    revoked_at = sa.Column(Moment)
    last_used_at = sa.Column(Moment)
    application = sa.orm.relationship(Application, lazy="joined", innerjoin=True)


class LakeTable(BaseModel):
    """Which dataset a lake table belongs to. The organisation stays when the dataset is gone."""

    __tablename__ = "hanoiic_lake_table"
    name = sa.Column(sa.Text, primary_key=True)
    dataset_id = sa.Column(sa.Text, nullable=False, index=True)
    resource_id = sa.Column(sa.Text, nullable=False)
    organization_id = sa.Column(sa.Text)
    claimed_at = _stamp()


class Edition(BaseModel):
    """What the harvest worker said of an edition: the newest version it is written for, or why
    the last attempt failed. One without a row was never written."""

    __tablename__ = "hanoiic_edition"
    __table_args__ = (sa.CheckConstraint("state IN ('written', 'failed')"),)
    id = sa.Column(sa.Text, primary_key=True)
    table_name = sa.Column(sa.Text, nullable=False, index=True)
    state = sa.Column(sa.Text, nullable=False)
    written_version = sa.Column(sa.Integer)
    failed_version = sa.Column(sa.Integer)
    error = sa.Column(sa.Text)
    changed_at = _stamp()


class EditionPreview(BaseModel):
    """An officer's look at what an edition would show; the harvest worker answers it."""

    __tablename__ = "hanoiic_edition_preview"
    __table_args__ = (sa.CheckConstraint("state IN ('requested', 'running', 'ready', 'failed')"),)
    id = _key()
    table_name = sa.Column(sa.Text, nullable=False)
    spec = sa.Column(JSONB, nullable=False)
    state = sa.Column(sa.Text, nullable=False, default="requested")
    result = sa.Column(JSONB(none_as_null=True))
    requested_by = sa.Column(sa.Text, nullable=False)
    requested_at = _stamp()
