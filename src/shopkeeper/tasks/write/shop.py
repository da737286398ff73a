"""The pen of an open shop, put together in one place."""

from __future__ import annotations

from typing import Final

from shopkeeper.models.generate.generator import open_generator
from shopkeeper.models.registry import Registry
from shopkeeper.ranking.customers.foresight import Foresight
from shopkeeper.ranking.customers.segments import CustomerSegment
from shopkeeper.records import Item
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.settings import Settings
from shopkeeper.store.labels import item_key
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.known import known_from
from shopkeeper.tasks.write.appeal import CopyRanker, learn_appeal, learn_taste
from shopkeeper.tasks.write.desk import TASK
from shopkeeper.tasks.write.task import Pen, WriteTask
from shopkeeper.tasks.write.words import ShopWords
from shopkeeper.trust.claims import own_claims

OWN_CLAIMS: Final = "banned-claims.txt"
"""File in the shop's home with words and phrases that its copy must not hold, one a line."""


def open_writing(settings: Settings, store: Store, registry: Registry, shelf: Shelf) -> WriteTask:
    """The pen over a store and its items; no encoder is needed, and what costs time waits until it is asked for."""

    def find(name: str) -> Item | None:
        row = shelf.row(name)
        if row is not None:
            return shelf.items[row]
        if not name.startswith("~"):
            return None
        return next((item for item in _living(shelf) if item_key(item.id) == name), None)

    def learn(speech: ShopWords) -> CopyRanker:
        clicks, buyers = known_from(store, shelf).clicks, registry.live("purchase")
        return CopyRanker(
            speech,
            learn_appeal(clicks.trials, _living(shelf), settings.compute.seed) if clicks is not None else None,
            learn_taste(store.labels.decided(TASK)),
            buyers.scorer() if buyers is not None else None,
        )

    def pen() -> Pen | None:
        generator = open_generator(settings)
        return Pen(generator, settings.generate.tokens, settings.generate.seconds) if generator is not None else None

    return WriteTask(
        find,
        store.words,
        store.labels,
        lambda: ShopWords(_living(shelf)),
        learn,
        pen=pen,
        segments=lambda: _segments(registry),
        own=own_claims(settings.home / OWN_CLAIMS),
    )


def _segments(registry: Registry) -> tuple[CustomerSegment, ...]:
    bundle = registry.live("profile")
    learnt = Foresight.load(bundle).segments if bundle is not None else None
    return learnt.segments if learnt is not None else ()


def _living(shelf: Shelf) -> list[Item]:
    return [item for item in shelf.items if item is not None]
