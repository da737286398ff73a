"""Our search as customers meet it, `SearchTask` over the words and meanings of one shelf, on one thread.

The encoder is MiniLM as it comes, or that of a bundle. A page of 24 hits, with facets and marks, is what is timed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.peers.exchange import DEPTH, Clock, write_answer
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.serving import Encoders, encoders
from shopkeeper.recipes.search.fusion import SHARES
from shopkeeper.records import Filters, Item, Request
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.settings import Settings
from shopkeeper.store.feeds import read_products
from shopkeeper.tasks.search.finding import Finder
from shopkeeper.tasks.search.task import SearchTask

_SAMPLE = 50


def main(folder: Path, bundle: Path | None = None) -> None:
    """Index and answer."""
    items, clock = list(read_products(folder / "products.jsonl", mapping={"ignore": ["names", "whole"]})), Clock()
    opened = None if bundle is None else Bundle.open(bundle)
    if opened is not None and opened.card.data.get("judgements"):
        raise SystemExit(f"{bundle} has learnt from judgements: it would sit an exam whose answers it knows.")
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.model_validate({"home": home, "compute": {"threads": 1}})
        found = encoders(settings, opened, "minilm")
        found.passage.encode(["warm"])
        with clock:
            task = searching(items, found)
    kind = "zero-shot" if opened is None else "trained"
    notes = "" if opened is None else opened.card.notes
    plain, tuned = {"half words": _Asked(task, 0.5)}, {f"words {share}": _Asked(task, share) for share in SHARES}
    write_answer(
        folder,
        f"shopkeeper-{kind}",
        {f"shopkeeper {kind}": plain, f"shopkeeper {kind}, tuned": tuned},
        clock,
        notes,
        pages={setting: asked.page for setting, asked in (plain | tuned).items()},
    )


def searching(items: Sequence[Item], found: Encoders) -> SearchTask:
    """The task over a catalogue from which nothing was learnt but the encoder, put together as the server does."""
    shelf = Shelf(items)
    index = HybridIndex(found.query)
    index.upsert(np.arange(len(items)), items, found.passage.encode([item.passage for item in items]))
    titles = found.query.encode([item.title for item in items[:: max(1, len(items) // _SAMPLE)]], "query")
    index.fusion = replace(index.fusion, floor=index.noise(titles))
    return SearchTask(shelf, Finder(shelf, index), Language(items))


class _Asked:
    """The task with a share of the words, and a finder that remembers no query of another share."""

    def __init__(self, task: SearchTask, share: float) -> None:
        self._task, self._share = task, share
        self._finder = Finder(task.shelf, task.finder.index)
        self._ids = [item.id for item in task.shelf.items if item is not None]

    def __call__(self, query: str, among: Sequence[str] | None) -> Sequence[str]:
        kept = set(self._ids if among is None else among)
        others = Filters(exclude=() if among is None else tuple(name for name in self._ids if name not in kept))
        return self._hits(Request(query=query, filters=others, limit=DEPTH))

    def page(self, query: str) -> Sequence[str]:
        """A page as it is shown."""
        return self._hits(Request(query=query, limit=24))

    def _hits(self, request: Request) -> Sequence[str]:
        self._task.finder = self._finder
        self._finder.index.fusion = replace(self._finder.index.fusion, words=self._share)
        return [hit.item for hit in self._task.answer(request).hits]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
