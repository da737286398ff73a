"""The tables, the same for SQLite and PostgreSQL. Times are UTC microseconds; lists and maps are JSON text.

A change here needs a new file in `migrations/versions` and a new `REVISION`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text

REVISION = "0007"
"""The newest migration: a database at any other revision is migrated, or refused when it is unknown here."""

metadata = MetaData()

_words = Text
_key = Text().with_variant(Text(collation="C"), "postgresql")  # code point order on every engine
_json = Text
_time = BigInteger
_serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only in a column typed INTEGER

items = Table(
    "items",
    metadata,
    Column("id", _key, primary_key=True),
    Column("title", _words, nullable=False),
    Column("description", _words, nullable=False),
    Column("brand", _words, nullable=False),
    Column("category", _json, nullable=False),
    Column("price", Double),
    Column("currency", _words, nullable=False),
    Column("availability", _words, nullable=False),
    Column("attributes", _json, nullable=False),
    Column("codes", _json, nullable=False),
    Column("grouping", _words, nullable=False),
    Column("images", _json, nullable=False),
    Column("videos", _json, nullable=False),
    Column("link", _words, nullable=False),
    Column("language", _words, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("created", _time),
    Column("updated", _time),
)

catalogue_changes = Table(
    "catalogue_changes",
    metadata,
    Column("version", _serial, primary_key=True, autoincrement=True),
    Column("item", _key, nullable=False),
    Column("removed", Boolean, nullable=False),
    Index("catalogue_changes_item", "item", unique=True),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("position", _serial, primary_key=True, autoincrement=True),
    Column("id", _key, nullable=False),
    Column("time", _time, nullable=False),
    Column("kind", _words, nullable=False),
    Column("customer", _key, nullable=False),
    Column("session", _key, nullable=False),
    Column("item", _key, nullable=False),
    Column("query", _words, nullable=False),
    Column("request", _words, nullable=False),
    Column("value", Double),
    Column("quantity", BigInteger, nullable=False),
    Column("impression", _json),
    Column("properties", _json, nullable=False),
    Index("events_id", "id", unique=True),
    Index("events_customer", "customer", "time"),
    Index("events_session", "session", "time"),
    Index("events_time", "time"),
    sqlite_autoincrement=True,
)

customers = Table(
    "customers",
    metadata,
    Column("id", _key, primary_key=True),
    Column("language", _words, nullable=False),
    Column("attributes", _json, nullable=False),
    Column("created", _time),
)

passages = Table(
    "passages",
    metadata,
    Column("id", _key, primary_key=True),
    Column("kind", _words, nullable=False),
    Column("text", _words, nullable=False),
    Column("title", _words, nullable=False),
    Column("item", _key, nullable=False),
    Column("customer", _key, nullable=False),
    Column("thread", _words, nullable=False),
    Column("author", _words, nullable=False),
    Column("time", _time),
    Column("rating", Double),
    Column("language", _words, nullable=False),
    Column("source", _words, nullable=False, server_default=""),
    Index("passages_item", "item", "time"),
    Index("passages_customer", "customer"),
    Index("passages_thread", "thread", "time"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", _key, primary_key=True),
    Column("customer", _key, nullable=False),
    Column("placed", _time, nullable=False),
    Column("body", _json, nullable=False),
    Index("orders_customer", "customer", "placed"),
)

readings = Table(
    "readings",
    metadata,
    Column("id", _key, primary_key=True),
    Column("time", _time, nullable=False),
    Column("body", _json, nullable=False),
    Index("readings_time", "time"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _key, primary_key=True),
    Column("time", _time, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("body", _json, nullable=False),
    Index("alerts_time", "time"),
)

judgements = Table(
    "judgements",
    metadata,
    Column("query", _key, nullable=False),
    Column("item", _key, nullable=False),
    Column("rater", _key, nullable=False),
    Column("grade", Double, nullable=False),
    PrimaryKeyConstraint("query", "item", "rater"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("task", _key, nullable=False),
    Column("subject", _key, nullable=False),
    Column("text", _words, nullable=False),
    Column("proposal", _words, nullable=False),
    Column("score", Double, nullable=False),
    Column("customer", _key, nullable=False),
    Column("label", _key, nullable=False),
    Column("rater", _words, nullable=False),
    Column("time", _time),
    PrimaryKeyConstraint("task", "subject"),
    Index("decisions_queue", "task", "label", "score"),
    Index("decisions_customer", "customer"),
)

rules = Table(
    "rules",
    metadata,
    Column("id", _key, primary_key=True),
    Column("body", _json, nullable=False),
)

rule_changes = Table(
    "rule_changes",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("time", _time, nullable=False),
    Column("actor", _words, nullable=False),
    Column("rule", _key, nullable=False),
    Column("before", _json),
    Column("after", _json),
    Index("rule_changes_rule", "rule", "number"),
    sqlite_autoincrement=True,
)

triples = Table(
    "triples",
    metadata,
    Column("head", _key, nullable=False),
    Column("relation", _key, nullable=False),
    Column("tail", _key, nullable=False),
    Column("source", _key, nullable=False),
    PrimaryKeyConstraint("head", "relation", "tail"),
    Index("triples_source", "source"),
)

triple_writes = Table(
    "triple_writes",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("time", _time, nullable=False),
    sqlite_autoincrement=True,
)

waits = Table(
    "waits",
    metadata,
    Column("customer", _key, nullable=False),
    Column("item", _key, nullable=False),
    Column("since", _time, nullable=False),
    Column("expires", _time, nullable=False),
    Column("batch", _key, nullable=False),
    PrimaryKeyConstraint("customer", "item"),
    Index("waits_batch", "batch", "item"),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", _key, primary_key=True),
    Column("body", _json, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", _serial, primary_key=True, autoincrement=True),
    Column("time", _time, nullable=False),
    Column("actor", _words, nullable=False),
    Column("action", _words, nullable=False),
    Column("detail", _json, nullable=False),
    Index("audit_action", "action", "number"),
    sqlite_autoincrement=True,
)
