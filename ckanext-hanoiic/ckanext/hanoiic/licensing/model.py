"""Licensing's tables.

Rows refer to datasets, organisations and users by id without foreign keys: history outlives a
purged dataset or user. Partial unique indexes keep what must be single even when two officers
press a button in the same instant.
"""

from __future__ import annotations

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


class Licence(BaseModel):
    """An immutable licence text: version 2 is another row. A trigger refuses every UPDATE."""

    __tablename__ = "hanoiic_licence"
    id = sa.Column(sa.Text, primary_key=True)
    version = sa.Column(sa.Integer, primary_key=True)
    title_vi = sa.Column(sa.Text, nullable=False)
    title_en = sa.Column(sa.Text, nullable=False)
    url = sa.Column(sa.Text)
    draft = sa.Column(sa.Boolean, nullable=False)
    plain = sa.Column(JSONB, nullable=False)
    policy = sa.Column(JSONB, nullable=False)
    content_hash = sa.Column(sa.Text, nullable=False)
    published_at = _stamp()


class Offer(BaseModel):
    """What a dataset offers from ``created_at`` until ``superseded_at``; one is current."""

    __tablename__ = "hanoiic_offer"
    __table_args__ = (
        sa.Index(
            "hanoiic_offer_current",
            "dataset_id",
            unique=True,
            postgresql_where=sa.text("superseded_at IS NULL"),
        ),
        sa.UniqueConstraint("dataset_id", "number"),
        sa.CheckConstraint("tier IN ('open', 'click', 'request')"),
        sa.ForeignKeyConstraint(
            ["licence_id", "licence_version"], ["hanoiic_licence.id", "hanoiic_licence.version"]
        ),
    )
    id = _key()
    dataset_id = sa.Column(sa.Text, nullable=False)
    number = sa.Column(sa.Integer, nullable=False)
    licence_id = sa.Column(sa.Text)
    licence_version = sa.Column(sa.Integer)
    tier = sa.Column(sa.Text, nullable=False)
    created_by = sa.Column(sa.Text)
    created_at = _stamp()
    superseded_at = sa.Column(Moment)
    licence = sa.orm.relationship(Licence, lazy="joined")


class Party:
    """Columns of who holds: an organisation, or a user who belongs to none."""

    dataset_id = sa.Column(sa.Text, nullable=False, index=True)
    party_kind = sa.Column(sa.Text, nullable=False)
    party_id = sa.Column(sa.Text, nullable=False)


class AccessRequest(Party, BaseModel):
    """A party's request for a dataset; one is open at a time."""

    __tablename__ = "hanoiic_access_request"
    __table_args__ = (
        sa.Index(
            "hanoiic_access_request_open",
            "dataset_id",
            "party_kind",
            "party_id",
            unique=True,
            postgresql_where=sa.text("state = 'submitted'"),
        ),
        sa.CheckConstraint("state IN ('submitted', 'approved', 'rejected', 'withdrawn')"),
    )
    id = _key()
    offer_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_offer.id"), nullable=False)
    user_id = sa.Column(sa.Text, nullable=False)
    purpose = sa.Column(sa.Text, nullable=False)
    state = sa.Column(sa.Text, nullable=False, default="submitted")
    created_at = _stamp()
    decided_at = sa.Column(Moment)
    decided_by = sa.Column(sa.Text)
    reason = sa.Column(sa.Text)
    offer = sa.orm.relationship(Offer, lazy="joined")


class Agreement(Party, BaseModel):
    """What a party holds of a dataset, under the offer it accepted; one is live at a time."""

    __tablename__ = "hanoiic_agreement"
    __table_args__ = (
        sa.Index(
            "hanoiic_agreement_live",
            "dataset_id",
            "party_kind",
            "party_id",
            unique=True,
            postgresql_where=sa.text("state IN ('active', 'suspended')"),
        ),
        sa.CheckConstraint("state IN ('active', 'suspended', 'expired', 'revoked', 'superseded')"),
    )
    id = _key()
    offer_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_offer.id"), nullable=False)
    request_id = sa.Column(sa.Text, sa.ForeignKey("hanoiic_access_request.id"))
    accepted_by = sa.Column(sa.Text, nullable=False)
    state = sa.Column(sa.Text, nullable=False, default="active")
    valid_until = sa.Column(Moment)
    reason = sa.Column(sa.Text)
    created_at = _stamp()
    changed_at = _stamp()
    changed_by = sa.Column(sa.Text)
    offer = sa.orm.relationship(Offer, lazy="joined")


class Token(BaseModel):
    """A gateway token. Only its SHA-256 is kept; ``prefix`` is what its owner recognises."""

    __tablename__ = "hanoiic_token"
    id = _key()
    hash = sa.Column(sa.Text, nullable=False, unique=True)
    prefix = sa.Column(sa.Text, nullable=False)
    user_id = sa.Column(sa.Text, nullable=False, index=True)
    organization_id = sa.Column(sa.Text)
    name = sa.Column(sa.Text, nullable=False)
    scopes = sa.Column(ARRAY(sa.Text), nullable=False)
    created_at = _stamp()
    expires_at = sa.Column(Moment, nullable=False)
    revoked_at = sa.Column(Moment)
    last_used_at = sa.Column(Moment)


class LakeTable(BaseModel):
    """Which dataset a lake table belongs to. The organisation stays when the dataset is gone."""

    __tablename__ = "hanoiic_lake_table"
    name = sa.Column(sa.Text, primary_key=True)
    dataset_id = sa.Column(sa.Text, nullable=False, index=True)
    resource_id = sa.Column(sa.Text, nullable=False)
    organization_id = sa.Column(sa.Text)
    claimed_at = _stamp()


class Audit(BaseModel):
    """Who did what, when, with the facts. Rows are added only; a trigger refuses every UPDATE."""

    __tablename__ = "hanoiic_audit"
    id = sa.Column(sa.BigInteger, sa.Identity(), primary_key=True)
    at = _stamp()
    actor_id = sa.Column(sa.Text)
    event = sa.Column(sa.Text, nullable=False)
    dataset_id = sa.Column(sa.Text, index=True)
    subject_id = sa.Column(sa.Text)
    facts = sa.Column(JSONB, nullable=False)
