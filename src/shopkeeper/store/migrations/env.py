"""Alembic's entry: runs inside the connection and transaction that `shopkeeper.store.engine` hands over."""

from __future__ import annotations

from alembic import context

from shopkeeper.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
