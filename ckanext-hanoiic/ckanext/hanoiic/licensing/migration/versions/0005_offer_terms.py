"""Offers keep versions for their holders, and ask their own questions."""

from alembic import op

revision = "hanoiic_licensing_0005"
down_revision = "hanoiic_licensing_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE hanoiic_offer ADD pinned_versions jsonb NOT NULL DEFAULT '{}', "
        "ADD questions jsonb"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE hanoiic_offer DROP pinned_versions, DROP questions")
