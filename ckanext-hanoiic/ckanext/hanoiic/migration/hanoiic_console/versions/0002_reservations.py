"""Which source may write a lake table."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "hanoiic_reservation",
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("source_id", sa.Text, sa.ForeignKey("hanoiic_source.id"), nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade():
    op.drop_table("hanoiic_reservation")
