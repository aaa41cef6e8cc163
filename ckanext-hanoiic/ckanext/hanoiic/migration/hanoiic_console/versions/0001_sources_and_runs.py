"""Sources and runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OBJECT = sa.text("'{}'::jsonb")
LIST = sa.text("'[]'::jsonb")


def upgrade():
    op.create_table(
        "hanoiic_source",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("owner_org", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text, nullable=False, server_default=""),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("options", JSONB, nullable=False, server_default=OBJECT),
        sa.Column("dataset", JSONB, nullable=False, server_default=OBJECT),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("next_due_at", MOMENT),
        sa.CheckConstraint("state IN ('active', 'paused', 'deleted')", "hanoiic_source_state"),
    )
    # A deleted source keeps its history but gives its name and its table free.
    alive = sa.text("state <> 'deleted'")
    op.create_index(
        "hanoiic_source_name", "hanoiic_source", ["name"], unique=True, postgresql_where=alive
    )
    op.create_index(
        "hanoiic_source_table",
        "hanoiic_source",
        [sa.text("(dataset ->> 'table')")],
        unique=True,
        postgresql_where=alive,
    )
    op.create_index("hanoiic_source_owner_org", "hanoiic_source", ["owner_org"])
    op.create_index(
        "hanoiic_source_due",
        "hanoiic_source",
        ["next_due_at"],
        postgresql_where=sa.text("state = 'active' AND next_due_at IS NOT NULL"),
    )
    op.create_table(
        "hanoiic_run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source_id", sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("stages", JSONB, nullable=False, server_default=LIST),
        sa.Column("tables", JSONB, nullable=False, server_default=LIST),
        sa.Column("rejected", JSONB, nullable=False, server_default=LIST),
        sa.Column("error", JSONB(none_as_null=True)),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", MOMENT),
        sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
        sa.CheckConstraint(
            "state IN ('requested', 'running', 'published', 'unchanged', 'refused', 'failed')",
            "hanoiic_run_state",
        ),
    )
    op.create_index("hanoiic_run_history", "hanoiic_run", ["source_id", "requested_at"])
    # The backstop of "one open run a source", and the list that a claim looks through.
    op.create_index(
        "hanoiic_run_open",
        "hanoiic_run",
        ["source_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'running')"),
    )


def downgrade():
    op.drop_table("hanoiic_run")
    op.drop_table("hanoiic_source")
