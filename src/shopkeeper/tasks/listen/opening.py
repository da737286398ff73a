"""The reader of a shop, put together from its catalogue, its settings and its live models."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from shopkeeper.models.registry import Registry
from shopkeeper.models.static import StaticEncoder
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.records import now
from shopkeeper.settings import Settings
from shopkeeper.store.database import SqlStore
from shopkeeper.tasks.listen.groups import Groups
from shopkeeper.tasks.listen.models import NOT_US, live_judges
from shopkeeper.tasks.listen.names import known_names
from shopkeeper.tasks.listen.reader import Reader, text_of
from shopkeeper.tasks.listen.vectors import WordVectors
from shopkeeper.tasks.listen.words import topics_for

_REMEMBERED: Final = timedelta(days=3)
_MOST_REMEMBERED: Final = 5_000
_CHUNK: Final = 500


def open_reader(store: SqlStore, settings: Settings, registry: Registry) -> Reader:
    """A reader that knows the shop's names, what was learnt, the discovered topics and the posts of the last three days.

    Raises:
        InputError: A file of names or topics cannot be read.
        ModelError: A live model or the discovered topics cannot be read.
    """
    listen = settings.listen
    brands: dict[str, str] = {}
    items = []
    for item in store.catalogue.scan():
        brands[item.id] = item.brand
        items.append(item)
    vectors = WordVectors(StaticEncoder().encode)
    reader = Reader(
        names=known_names(items, listen.names),
        mode=listen.mode,
        topics=topics_for(listen.mode, listen.topics),
        brand=lambda item: brands.get(item, ""),
        judges=live_judges(registry),
        vectors=vectors,
        groups=saved_groups(settings),
        tagger=_tagger(registry) if listen.mode == "finance" else None,
        muted=muted(store),
    )
    _remember(reader, store)
    return reader


def muted(store: SqlStore) -> set[str]:
    """Posts of which a human said that they are not about us."""
    return {decision.subject for decision in store.labels.decided("about") if decision.label == NOT_US}


def save_groups(reader: Reader, settings: Settings) -> None:
    """Keep the discovered topics, so that their ids outlive the process."""
    if reader.groups is not None:
        reader.groups.save(groups_file(settings))


def saved_groups(settings: Settings) -> Groups:
    """The discovered topics as they were kept last."""
    return Groups.load(groups_file(settings), StaticEncoder.dimension)


def groups_file(settings: Settings) -> Path:
    """Where discovered topics are kept."""
    return settings.home / "listen" / "found.safetensors"


def _remember(reader: Reader, store: SqlStore) -> None:
    """Let the reader know the last posts that were new, so that copies are found across a restart."""
    last = [one for one in store.readings.scan(now() - _REMEMBERED) if not one.body.get("duplicate_of")]
    last.sort(key=lambda one: one.time)
    ids = [one.id for one in last[-_MOST_REMEMBERED:]]
    for start in range(0, len(ids), _CHUNK):
        posts = store.words.get(ids[start : start + _CHUNK])
        reader.copies.find(list(posts), [text_of(post) for post in posts.values()])


def _tagger(registry: Registry) -> TextTagger | None:
    bundle = registry.live("tagger")
    if bundle is None:
        return None
    linear = [member for member in read_tagger(bundle).members if member.name == "linear"]
    return TextTagger(linear) if linear else None
