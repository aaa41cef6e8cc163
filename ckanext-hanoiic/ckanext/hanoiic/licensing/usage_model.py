"""Tables of what was used: counters of quotas, leases of gateways, answers and their sums."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from ckan.model.base import BaseModel
from ckanext.hanoiic.licensing import clock
from ckanext.hanoiic.licensing.model import Moment
from sqlalchemy.dialects.postgresql import ARRAY, JSONB


class UsageCounter(BaseModel):
    """How much of a measure an agreement used in a period, and how much is leased to gateways.

    ``period``: the day (queries) or the first day of the month (rows, bytes), in Hanoi.
    """

    __tablename__ = "hanoiic_usage_counter"
    __table_args__ = (
        sa.CheckConstraint("measure IN ('queries', 'rows', 'bytes')"),
        sa.CheckConstraint("used >= 0"),
        sa.CheckConstraint("leased >= 0"),
    )
    agreement_id = sa.Column(sa.Text, primary_key=True)
    measure = sa.Column(sa.Text, primary_key=True)
    period = sa.Column(sa.Date, primary_key=True)
    used = sa.Column(sa.BigInteger, nullable=False)
    leased = sa.Column(sa.BigInteger, nullable=False)


class UsageLease(BaseModel):
    """A part of an agreement's quota that a gateway may spend, until settled or expired.

    ``limited``: the measures that have a quota; the others are only counted.
    """

    __tablename__ = "hanoiic_usage_lease"
    __table_args__ = (
        sa.UniqueConstraint("agreement_id", "key"),
        sa.Index(
            "hanoiic_usage_lease_open",
            "agreement_id",
            "expires_at",
            postgresql_where=sa.text("settled_at IS NULL"),
        ),
    )
    id = sa.Column(sa.Text, primary_key=True, default=lambda: str(uuid4()))
    agreement_id = sa.Column(sa.Text, nullable=False)
    key = sa.Column(sa.Text, nullable=False)
    day = sa.Column(sa.Date, nullable=False)
    month = sa.Column(sa.Date, nullable=False)
    granted_queries = sa.Column(sa.BigInteger, nullable=False)
    granted_rows = sa.Column(sa.BigInteger, nullable=False)
    granted_bytes = sa.Column(sa.BigInteger, nullable=False)
    used_queries = sa.Column(sa.BigInteger, nullable=False)
    used_rows = sa.Column(sa.BigInteger, nullable=False)
    used_bytes = sa.Column(sa.BigInteger, nullable=False)
    limited = sa.Column(ARRAY(sa.Text), nullable=False)
    created_at = sa.Column(Moment, nullable=False, default=clock.now)
    expires_at = sa.Column(Moment, nullable=False)
    settled_at = sa.Column(Moment)


class UsageEvent(BaseModel):
    """One answer or refusal at a door of the gateway, as the gateway told it."""

    __tablename__ = "hanoiic_usage_event"
    __table_args__ = (
        sa.Index("hanoiic_usage_event_at", "at"),
        sa.Index(
            "hanoiic_usage_event_receipt",
            "organization_id",
            "at",
            postgresql_where=sa.text("receipt IS NOT NULL"),
        ),
        sa.Index(
            "hanoiic_usage_event_user",
            "user_id",
            "at",
            postgresql_where=sa.text("receipt IS NOT NULL"),
        ),
    )
    id = sa.Column(sa.Text, primary_key=True)
    at = sa.Column(Moment, nullable=False)
    door = sa.Column(sa.Text, nullable=False)
    action = sa.Column(sa.Text, nullable=False)
    outcome = sa.Column(sa.Text, nullable=False)
    reason = sa.Column(sa.Text)
    request_id = sa.Column(sa.Text)
    token_id = sa.Column(sa.Text)
    client_id = sa.Column(sa.Text)
    user_id = sa.Column(sa.Text)
    organization_id = sa.Column(sa.Text)
    receipt = sa.Column(sa.Text)
    tables = sa.Column(JSONB, nullable=False)
    row_count = sa.Column(sa.BigInteger, nullable=False)
    byte_count = sa.Column(sa.BigInteger, nullable=False)
    duration_s = sa.Column(sa.Double, nullable=False)


class UsageDay(BaseModel):
    """Sums of a day (Hanoi's) for a table, agreement, organisation and door; "" for none."""

    __tablename__ = "hanoiic_usage_day"
    __table_args__ = (sa.Index("hanoiic_usage_day_table", "table_name", "day"),)
    day = sa.Column(sa.Date, primary_key=True)
    table_name = sa.Column(sa.Text, primary_key=True)
    agreement_id = sa.Column(sa.Text, primary_key=True)
    organization_id = sa.Column(sa.Text, primary_key=True)
    door = sa.Column(sa.Text, primary_key=True)
    answers = sa.Column(sa.BigInteger, nullable=False)
    refusals = sa.Column(sa.BigInteger, nullable=False)
    failures = sa.Column(sa.BigInteger, nullable=False)
    broken_off = sa.Column(sa.BigInteger, nullable=False)
    row_count = sa.Column(sa.BigInteger, nullable=False)
    byte_count = sa.Column(sa.BigInteger, nullable=False)
    duration_s = sa.Column(sa.Double, nullable=False)
