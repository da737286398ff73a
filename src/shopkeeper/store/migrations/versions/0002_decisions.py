"""Questions about texts, and what humans decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("task", _key, nullable=False),
        sa.Column("subject", _key, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("proposal", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("customer", _key, nullable=False),
        sa.Column("label", _key, nullable=False),
        sa.Column("rater", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger),
        sa.PrimaryKeyConstraint("task", "subject"),
    )
    op.create_index("decisions_queue", "decisions", ["task", "label", "score"])
    op.create_index("decisions_customer", "decisions", ["customer"])


def downgrade() -> None:
    op.drop_table("decisions")
