"""Customers who wait for an item that is sold out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "waits",
        sa.Column("customer", _key, nullable=False),
        sa.Column("item", _key, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("batch", _key, nullable=False),
        sa.PrimaryKeyConstraint("customer", "item"),
    )
    op.create_index("waits_batch", "waits", ["batch", "item"])


def downgrade() -> None:
    op.drop_table("waits")
