"""Merchandising rules in a database, with every write to them on record, and rules as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.records import Filters, now
from shopkeeper.store import codec
from shopkeeper.store.engine import Database
from shopkeeper.store.merchandising import Banner, Boost, Pin, Rule, RuleChange, Then, When, check_rule
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import parts
from shopkeeper.store.schema import rule_changes, rules


class SqlRules:
    """The rules and the log of their changes, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(rules)
        self._upsert = insert.on_conflict_do_update(index_elements=[rules.c.id], set_={"body": insert.excluded.body})

    def put(self, written: Iterable[Rule], actor: str = "") -> Changes:
        """Add or replace rules by id, all in one transaction or none; equal ones are left alone, the last of an id wins.

        Who created and changed a rule, and when, is filled in here.

        Raises:
            InputError: A rule is refused by `check_rule`; nothing is written.
        """
        wanted = {rule.id: check_rule(rule) for rule in written}
        codec.check_texts((actor,), "actor", actor)
        changed: list[tuple[Rule | None, Rule]] = []
        with self._database.writing(rules) as connection:
            standing = _read(connection, list(wanted))
            time = now()
            for rule in wanted.values():
                before = standing.get(rule.id)
                if before is not None and _content(before) == _content(rule):
                    continue
                origin = (time, actor) if before is None else (before.created, before.created_by)
                after = replace(rule, created=origin[0], created_by=origin[1], changed=time, changed_by=actor)
                changed.append((before, after))
            self._database.write_rows(
                connection, self._upsert, [{"id": after.id, "body": _text(after)} for _, after in changed]
            )
            _note(connection, time, actor, changed)
        added = sum(1 for before, _ in changed if before is None)
        return Changes(added, len(changed) - added, len(wanted) - len(changed))

    def remove(self, ids: Sequence[str], actor: str = "") -> Changes:
        """Delete rules by id; unknown ids count as unchanged. The log keeps what they were."""
        codec.check_texts((actor,), "actor", actor)
        with self._database.writing(rules) as connection:
            gone = _read(connection, ids)
            for part in parts(list(gone)):
                connection.execute(sa.delete(rules).where(rules.c.id.in_(part)))
            _note(connection, now(), actor, [(rule, None) for rule in gone.values()])
        return Changes(removed=len(gone), unchanged=len(set(ids)) - len(gone))

    def get(self, ids: Sequence[str]) -> dict[str, Rule]:
        """The known ones of `ids`."""
        with self._database.reading() as connection:
            return _read(connection, ids)

    def scan(self) -> Iterator[Rule]:
        """All rules, ordered by id."""
        with self._database.reading() as connection:
            found = connection.execute(sa.select(rules.c.body).order_by(rules.c.id)).scalars().all()
        return map(_parsed, found)

    def changes(self, before: int | None = None, limit: int = 100, rule: str = "") -> list[RuleChange]:
        """Writes to the rules, newest first.

        Args:
            before: Only those with a lower number.
            limit: How many at most.
            rule: Only those of the rule with this id.
        """
        query = sa.select(rule_changes).order_by(rule_changes.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(rule_changes.c.number < before)
        if rule:
            query = query.where(rule_changes.c.rule == rule)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            RuleChange(
                number=number,
                time=codec.moment(time),
                actor=actor,
                rule=id_,
                before=None if old is None else _parsed(old),
                after=None if new is None else _parsed(new),
            )
            for number, time, actor, id_, old, new in rows
        ]

    @property
    def version(self) -> int:
        """Number of the last change, 0 when there was none."""
        with self._database.reading() as connection:
            found: int | None = connection.execute(sa.select(sa.func.max(rule_changes.c.number))).scalar_one()
        return found or 0


def rule_document(rule: Rule) -> dict[str, Any]:
    """A rule as JSON values; what stands at its default is left out."""
    document: dict[str, Any] = _plain(rule)
    return document


def change_document(change: RuleChange) -> dict[str, Any]:
    """A change as JSON values."""
    return {
        "number": change.number,
        "time": change.time.isoformat(),
        "actor": change.actor,
        "rule": change.rule,
        "before": None if change.before is None else rule_document(change.before),
        "after": None if change.after is None else rule_document(change.after),
    }


def parse_rule(document: Mapping[str, Any]) -> Rule:
    """The inverse of `rule_document`; the document must be sound."""
    then = dict(document["then"])
    when = dict(document["when"])
    for name in ("exact", "contains", "languages"):
        when[name] = tuple(when.get(name, ()))
    when["categories"] = tuple(map(tuple, when.get("categories", ())))
    when["segments"] = {name: tuple(values) for name, values in when.get("segments", {}).items()}
    then["pins"] = tuple(Pin(**pin) for pin in then.get("pins", ()))
    then["boosts"] = tuple(
        Boost(filters=_filters(boost["filters"]), factor=boost["factor"]) for boost in then.get("boosts", ())
    )
    then["hide"] = tuple(then.get("hide", ()))
    then["filters"] = _filters(then.get("filters", {}))
    if "banner" in then:
        then["banner"] = Banner(**then["banner"])
    times = {name: _time(document.get(name)) for name in ("created", "changed")}
    return Rule(**{**document, **times, "when": When(**_timed(when)), "then": Then(**then)})


def _timed(when: dict[str, Any]) -> dict[str, Any]:
    return {**when, **{name: _time(when.get(name)) for name in ("start", "end")}}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _filters(document: Mapping[str, Any]) -> Filters:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    values["categories"] = tuple(map(tuple, document.get("categories", ())))
    values["attributes"] = {name: tuple(given) for name, given in document.get("attributes", {}).items()}
    return Filters(**values)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        plain = {name: getattr(value, name) for name in (part.name for part in fields(value))}
        return {name: _plain(found) for name, found in plain.items() if not _default(value, name, found)}
    if isinstance(value, Mapping):
        return {name: _plain(found) for name, found in value.items()}
    if isinstance(value, tuple):
        return [_plain(found) for found in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _default(record: Any, name: str, value: object) -> bool:
    part = next(part for part in fields(record) if part.name == name)
    if callable(part.default_factory):
        return bool(part.default_factory() == value)
    return bool(part.default == value)


def _content(rule: Rule) -> Rule:
    return replace(rule, created=None, created_by="", changed=None, changed_by="")


def _text(rule: Rule) -> str:
    return codec.pack_document(rule_document(rule), f"rule {rule.id!r}")


def _parsed(text: str) -> Rule:
    return parse_rule(orjson.loads(text))


def _read(connection: Connection, ids: Sequence[str]) -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for part in parts(ids):
        query = sa.select(rules.c.id, rules.c.body).where(rules.c.id.in_(part)).order_by(rules.c.id)
        found.update((id_, _parsed(body)) for id_, body in connection.execute(query))
    return found


def _note(
    connection: Connection, time: datetime, actor: str, changed: Sequence[tuple[Rule | None, Rule | None]]
) -> None:
    rows = [
        {
            "time": codec.micros(time),
            "actor": actor,
            "rule": (after or before).id,  # type: ignore[union-attr]
            "before": None if before is None else _text(before),
            "after": None if after is None else _text(after),
        }
        for before, after in changed
    ]
    if rows:
        connection.execute(sa.insert(rule_changes), rows)
