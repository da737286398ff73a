"""Campaigns of advertisers. Writes to them stand in the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table("campaigns", sa.Column("id", _key, primary_key=True), sa.Column("body", sa.Text, nullable=False))
    op.create_index("audit_action", "audit", ["action", "number"])


def downgrade() -> None:
    op.drop_index("audit_action", "audit")
    op.drop_table("campaigns")
