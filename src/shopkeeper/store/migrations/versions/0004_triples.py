"""The imported part of the knowledge graph."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "triples",
        sa.Column("head", _key, nullable=False),
        sa.Column("relation", _key, nullable=False),
        sa.Column("tail", _key, nullable=False),
        sa.Column("source", _key, nullable=False),
        sa.PrimaryKeyConstraint("head", "relation", "tail"),
    )
    op.create_index("triples_source", "triples", ["source"])
    op.create_table(
        "triple_writes",
        sa.Column("number", _serial, primary_key=True, autoincrement=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("triple_writes")
    op.drop_table("triples")
