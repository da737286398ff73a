"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _key, nullable=False) for name in names]


def _number() -> sa.Column[int]:
    return sa.Column("number", _serial, primary_key=True, autoincrement=True)


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("id", _key, primary_key=True),
        *_words("title", "description", "brand", "category"),
        sa.Column("price", sa.Double),
        *_words("currency", "availability", "attributes", "codes", "grouping", "images", "videos", "link", "language"),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger),
        sa.Column("updated", sa.BigInteger),
    )
    op.create_table(
        "catalogue_changes",
        sa.Column("version", _serial, primary_key=True, autoincrement=True),
        *_keys("item"),
        sa.Column("removed", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("catalogue_changes_item", "catalogue_changes", ["item"], unique=True)
    op.create_table(
        "events",
        sa.Column("position", _serial, primary_key=True, autoincrement=True),
        *_keys("id"),
        sa.Column("time", sa.BigInteger, nullable=False),
        *_words("kind"),
        *_keys("customer", "session", "item"),
        *_words("query", "request"),
        sa.Column("value", sa.Double),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("impression", sa.Text),
        *_words("properties"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_id", "events", ["id"], unique=True)
    op.create_index("events_customer", "events", ["customer", "time"])
    op.create_index("events_session", "events", ["session", "time"])
    op.create_index("events_time", "events", ["time"])
    op.create_table(
        "customers",
        sa.Column("id", _key, primary_key=True),
        *_words("language", "attributes"),
        sa.Column("created", sa.BigInteger),
    )
    op.create_table(
        "passages",
        sa.Column("id", _key, primary_key=True),
        *_words("kind", "text", "title"),
        *_keys("item", "customer"),
        *_words("thread", "author"),
        sa.Column("time", sa.BigInteger),
        sa.Column("rating", sa.Double),
        *_words("language"),
    )
    op.create_index("passages_item", "passages", ["item", "time"])
    op.create_index("passages_customer", "passages", ["customer"])
    op.create_table(
        "judgements",
        *_keys("query", "item", "rater"),
        sa.Column("grade", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("query", "item", "rater"),
    )
    op.create_table(
        "audit",
        _number(),
        sa.Column("time", sa.BigInteger, nullable=False),
        *_words("actor", "action", "detail"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for name in ("audit", "judgements", "passages", "customers", "events", "catalogue_changes", "items"):
        op.drop_table(name)
