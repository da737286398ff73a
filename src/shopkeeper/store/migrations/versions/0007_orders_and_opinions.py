"""Orders, what was read in posts, alerts about them, and where a passage was published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("passages", sa.Column("source", sa.Text, nullable=False, server_default=""))
    op.create_index("passages_thread", "passages", ["thread", "time"])
    op.create_table(
        "orders",
        sa.Column("id", _key, primary_key=True),
        sa.Column("customer", _key, nullable=False),
        sa.Column("placed", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("orders_customer", "orders", ["customer", "placed"])
    op.create_table(
        "readings",
        sa.Column("id", _key, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("readings_time", "readings", ["time"])
    op.create_table(
        "alerts",
        sa.Column("id", _key, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("alerts_time", "alerts", ["time"])


def downgrade() -> None:
    for table in ("alerts", "readings", "orders"):
        op.drop_table(table)
    op.drop_index("passages_thread", "passages")
    op.drop_column("passages", "source")
