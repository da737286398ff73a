"""Campaigns in a database, with every write to them in the audit log, and campaigns as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shopkeeper.errors import InputError
from shopkeeper.records import now
from shopkeeper.store import codec
from shopkeeper.store.advertising import Campaign, check_campaign, check_overlap
from shopkeeper.store.audit import Act, note
from shopkeeper.store.engine import Database
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rows import parts
from shopkeeper.store.rules import parse_rule, rule_document
from shopkeeper.store.schema import audit, campaigns, items

WRITTEN: Final = "campaign"
"""Action of the audit log under which every write to a campaign stands, with the campaign before and after as JSON."""
_NAMED = 5


class SqlCampaigns:
    """The campaigns, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(campaigns)
        self._upsert = insert.on_conflict_do_update(
            index_elements=[campaigns.c.id], set_={"body": insert.excluded.body}
        )

    def put(self, written: Iterable[Campaign], actor: str = "") -> Changes:
        """Add or replace campaigns by id, all in one transaction or none; equal ones are left alone, the last of an id wins.

        Who created and changed a campaign, and when, is filled in here.

        Raises:
            InputError: A campaign is refused by `check_campaign`, names an item that is unknown or priced in another
                currency, or would bid against another one of its advertiser; nothing is written.
        """
        wanted = {campaign.id: check_campaign(campaign) for campaign in written}
        codec.check_texts((actor,), "actor", actor)
        changed: list[tuple[Campaign | None, Campaign]] = []
        with self._database.writing(campaigns) as connection:
            standing = {campaign.id: campaign for campaign in _all(connection)}
            time = now()
            for campaign in wanted.values():
                before = standing.get(campaign.id)
                if before is not None and before.content == campaign.content:
                    continue
                origin = (time, actor) if before is None else (before.created, before.created_by)
                after = replace(campaign, created=origin[0], created_by=origin[1], changed=time, changed_by=actor)
                changed.append((before, after))
            _check_items(connection, [after for _, after in changed])
            together = (standing | wanted).values()
            for _, after in changed:
                check_overlap(after, together)
            rows = [{"id": after.id, "body": _text(after)} for _, after in changed]
            self._database.write_rows(connection, self._upsert, rows)
            _note(connection, time, actor, changed)
        added = sum(1 for before, _ in changed if before is None)
        return Changes(added, len(changed) - added, len(wanted) - len(changed))

    def remove(self, ids: Sequence[str], actor: str = "") -> Changes:
        """Delete campaigns by id; unknown ids count as unchanged. The audit log keeps what they were."""
        codec.check_texts((actor,), "actor", actor)
        with self._database.writing(campaigns) as connection:
            gone = _read(connection, ids)
            for part in parts(list(gone)):
                connection.execute(sa.delete(campaigns).where(campaigns.c.id.in_(part)))
            _note(connection, now(), actor, [(campaign, None) for campaign in gone.values()])
        return Changes(removed=len(gone), unchanged=len(set(ids)) - len(gone))

    def get(self, ids: Sequence[str]) -> dict[str, Campaign]:
        """The known ones of `ids`."""
        with self._database.reading() as connection:
            return _read(connection, ids)

    def scan(self) -> Iterator[Campaign]:
        """All campaigns, ordered by id."""
        with self._database.reading() as connection:
            return iter(_all(connection))

    @property
    def version(self) -> int:
        """A number that grows with every write, 0 when there was none."""
        query = sa.select(sa.func.max(audit.c.number)).where(audit.c.action == WRITTEN)
        with self._database.reading() as connection:
            found: int | None = connection.execute(query).scalar_one()
        return found or 0


def campaign_document(campaign: Campaign) -> dict[str, Any]:
    """A campaign as JSON values; what stands at its default is left out."""
    document: dict[str, Any] = {}
    for part in fields(campaign):
        value = getattr(campaign, part.name)
        if part.name == "when":
            if when := rule_document(campaign.rule)["when"]:
                document["when"] = when
        elif value != part.default:
            document[part.name] = value.isoformat() if isinstance(value, datetime) else value
    document["items"] = list(campaign.items)
    if campaign.surfaces:
        document["surfaces"] = list(campaign.surfaces)
    return document


def parse_campaign(document: Mapping[str, Any]) -> Campaign:
    """The inverse of `campaign_document`; the document must be sound."""
    values = dict(document)
    for name in ("created", "changed"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    values["when"] = parse_rule({"id": "", "name": "", "when": values.get("when", {}), "then": {}}).when
    values["items"] = tuple(values["items"])
    values["surfaces"] = tuple(values.get("surfaces", ()))
    return Campaign(**values)


def _check_items(connection: Connection, written: Sequence[Campaign]) -> None:
    """Refuse campaigns for items that are unknown or priced in another currency."""
    names = sorted({item for campaign in written for item in campaign.items})
    found: dict[str, str] = {}
    for part in parts(names):
        rows = connection.execute(sa.select(items.c.id, items.c.currency).where(items.c.id.in_(part)))
        found.update((id_, currency) for id_, currency in rows)
    for campaign in written:
        where = f"campaign {campaign.id!r}, items"
        if unknown := [item for item in campaign.items if item not in found]:
            raise InputError(f"Unknown: {_some(unknown)}.", where=where, cure="Use ids of the catalogue.")
        other = [item for item in campaign.items if found[item].upper() != campaign.currency]
        if other:
            raise InputError(
                f"Not priced in {campaign.currency}: {_some(other)} ({found[other[0]] or 'no currency'}).",
                where=where,
                cure="Bid in the currency of the items; make one campaign for each currency.",
            )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more


def _text(campaign: Campaign) -> str:
    return codec.pack_document(campaign_document(campaign), f"campaign {campaign.id!r}")


def _all(connection: Connection) -> list[Campaign]:
    found = connection.execute(sa.select(campaigns.c.body).order_by(campaigns.c.id)).scalars().all()
    return [parse_campaign(orjson.loads(body)) for body in found]


def _read(connection: Connection, ids: Sequence[str]) -> dict[str, Campaign]:
    found: dict[str, Campaign] = {}
    for part in parts(ids):
        query = sa.select(campaigns.c.id, campaigns.c.body).where(campaigns.c.id.in_(part)).order_by(campaigns.c.id)
        found.update((id_, parse_campaign(orjson.loads(body))) for id_, body in connection.execute(query))
    return found


def _note(
    connection: Connection, time: datetime, actor: str, changed: Sequence[tuple[Campaign | None, Campaign | None]]
) -> None:
    for before, after in changed:
        either = after or before
        assert either is not None
        texts = {"before": before, "after": after}
        detail = {name: "" if campaign is None else _text(campaign) for name, campaign in texts.items()}
        note(connection, Act(time, WRITTEN, actor, {"campaign": either.id, **detail}))
