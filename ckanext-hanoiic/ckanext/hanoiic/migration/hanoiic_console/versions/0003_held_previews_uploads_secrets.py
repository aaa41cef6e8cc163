"""Held versions, previews, uploads and secrets; runs may end held and report their datasets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OBJECT = sa.text("'{}'::jsonb")
LIST = sa.text("'[]'::jsonb")
OPEN = "state IN ('requested', 'running')"
ENDS = "'requested', 'running', 'published', 'unchanged', 'refused', 'failed'"


def upgrade():
    op.add_column("hanoiic_run", sa.Column("datasets", JSONB, nullable=False, server_default=LIST))
    op.drop_constraint("hanoiic_run_state", "hanoiic_run")
    op.create_check_constraint("hanoiic_run_state", "hanoiic_run", f"state IN ({ENDS}, 'held')")
    op.create_table(
        "hanoiic_hold",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source_id", sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False),
        sa.Column("run_id", sa.Text, sa.ForeignKey("hanoiic_run.id"), nullable=False),
        sa.Column("table", sa.Text, nullable=False, server_default=""),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", JSONB, nullable=False, server_default=OBJECT),
        sa.Column("preview", JSONB),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("held_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", MOMENT),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("pins", JSONB, nullable=False, server_default=OBJECT),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'rejected', 'superseded')", "hanoiic_hold_state"
        ),
        sa.CheckConstraint(
            "kind IN ('personal_data', 'schema_drift', 'deletes')", "hanoiic_hold_kind"
        ),
    )
    # A finding waits, or was decided, once.
    op.create_index(
        "hanoiic_hold_finding",
        "hanoiic_hold",
        ["source_id", "kind", "table", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("state <> 'superseded'"),
    )
    op.create_index(
        "hanoiic_hold_open",
        "hanoiic_hold",
        ["source_id"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "hanoiic_preview",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner_org", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, server_default=""),
        sa.Column("options", JSONB, nullable=False, server_default=OBJECT),
        sa.Column("secret", sa.Text, nullable=False, server_default=""),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stages", JSONB, nullable=False, server_default=LIST),
        sa.Column("result", JSONB),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", MOMENT),
        sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
        sa.CheckConstraint(
            "state IN ('requested', 'running', 'ready', 'failed')", "hanoiic_preview_state"
        ),
    )
    op.create_index("hanoiic_preview_created", "hanoiic_preview", ["created_at"])
    op.create_index(
        "hanoiic_preview_open",
        "hanoiic_preview",
        ["owner_org"],
        postgresql_where=sa.text(OPEN),
    )
    op.create_table(
        "hanoiic_upload",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner_org", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, sa.ForeignKey("hanoiic_source.id")),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("byte_count", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("hanoiic_upload_sha256", "hanoiic_upload", ["sha256"])
    op.create_table(
        "hanoiic_secret",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner_org", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.UniqueConstraint("owner_org", "name", name="hanoiic_secret_name"),
    )


def downgrade():
    for table in ("secret", "upload", "preview", "hold"):
        op.drop_table(f"hanoiic_{table}")
    op.execute("UPDATE hanoiic_run SET state = 'refused' WHERE state = 'held'")
    op.drop_constraint("hanoiic_run_state", "hanoiic_run")
    op.create_check_constraint("hanoiic_run_state", "hanoiic_run", f"state IN ({ENDS})")
    op.drop_column("hanoiic_run", "datasets")
