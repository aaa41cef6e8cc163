"""The audit's two tables (``audit.sql``): an intake that is added to, and entries that are read.

They are not among CKAN's: another role owns them, and emptying CKAN's database leaves them.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

AUDIT_SCHEMA = sa.MetaData(schema="hanoiic_audit")

# No primary key here: the portal's role may add to the intake and not read it.
INTAKE = sa.Table(
    "intake",
    AUDIT_SCHEMA,
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text),
    sa.Column("dataset_id", sa.Text),
    sa.Column("subject_id", sa.Text),
    sa.Column("facts", JSONB, nullable=False),
)


class Audit(sa.orm.declarative_base(metadata=AUDIT_SCHEMA)):
    """Who did what and when, with the facts of it. Only to be read: ``audit.record`` adds one."""

    __tablename__ = "entry"
    id = sa.Column("number", sa.BigInteger, primary_key=True)
    at = sa.Column(sa.DateTime(timezone=True), nullable=False)
    event = sa.Column(sa.Text, nullable=False)
    actor_id = sa.Column(sa.Text)
    dataset_id = sa.Column(sa.Text)
    subject_id = sa.Column(sa.Text)
    facts = sa.Column(JSONB, nullable=False)
    hash = sa.Column(sa.LargeBinary, nullable=False)
