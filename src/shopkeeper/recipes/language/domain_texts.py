"""What a shop has to read: its items, what was written about them, what was asked for; and which texts belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.records import EventKind, Item, PassageKind
from shopkeeper.store.protocols import Store
from shopkeeper.tasks.assist.memory import SOURCE

_FEWEST = 30  # texts below which there is nothing to hold out
_SHORTEST = 4  # characters


@dataclass(frozen=True, slots=True)
class Related:
    """Two texts that belong together, and what they are about: pairs with the same key must not meet as strangers."""

    first: str
    second: str
    key: str


def texts_of(store: Store, most: int) -> list[str]:
    """Distinct texts of items, passages and queries, at most `most` of them.

    Raises:
        TrainingError: There are too few.
    """
    queries = store.events.frame(kinds=[EventKind.SEARCH])["query"].drop_nulls().unique(maintain_order=True)
    items = (item.text for item in store.catalogue.scan())
    passages = (" ".join(part for part in (p.title, p.text) if part) for p in store.words.scan() if p.source != SOURCE)
    found = dict.fromkeys(text.strip() for text in chain(items, passages, queries))
    kept = [text for text in found if len(text) >= _SHORTEST]
    if len(kept) < _FEWEST:
        raise TrainingError(
            f"The shop has {len(kept)} texts; reading them teaches something from {_FEWEST} on.",
            where="domain",
            cure="Import products, reviews or events first.",
        )
    if len(kept) <= most:
        return kept
    chosen = by_hash(kept, most / len(kept), salt="texts")
    return [text for text, taken in zip(kept, chosen, strict=True) if taken]


def related(store: Store, most: int) -> list[Related]:
    """Titles with the rest of their item's text, reviews and questions with their item, titles of passages with their text."""
    items = {item.id: item for item in store.catalogue.scan()}
    found = list(dict.fromkeys(chain(_of_items(items), _of_passages(store, items))))
    if len(found) <= most:
        return found
    keys = [f"{pair.key}\0{pair.first}" for pair in found]
    return [pair for pair, taken in zip(found, by_hash(keys, most / len(keys), salt="pairs"), strict=True) if taken]


def _of_items(items: dict[str, Item]) -> Iterator[Related]:
    for item in items.values():
        rest = replace(item, title="").text.removeprefix(". ")
        if item.title.strip() and item.description.strip():
            yield Related(item.title, rest, item.id)


def _of_passages(store: Store, items: dict[str, Item]) -> Iterator[Related]:
    about = (PassageKind.REVIEW, PassageKind.QUESTION)
    for passage in store.words.scan():
        if passage.source == SOURCE:  # what a customer tells the assistant is nobody else's
            continue
        item = items.get(passage.item)
        if item is not None and passage.kind in about and len(passage.text) >= _SHORTEST:
            yield Related(passage.text, item.title, item.id)
        elif passage.title.strip() and passage.text.strip():
            yield Related(passage.title, passage.text, passage.id)
