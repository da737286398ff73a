"""The shop's own language: everything that understands a query, kept up to date item by item behind one door.

Other wordings of a query come from spelling, pinyin and synonyms. Where no item holds all words of a query there is nothing
to lose: the mended wordings are weighed by how many items hold all of theirs, and the best takes the query's place if it is
well ahead. Elsewhere only a sure one does; the others are searched beside the query, so one that is right loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.nouns import Chip, Understood
from shopkeeper.retrieval.understanding.pinyin import PinyinIndex
from shopkeeper.retrieval.understanding.reader import QueryReader
from shopkeeper.retrieval.understanding.spelling import Speller
from shopkeeper.retrieval.understanding.synonyms import Synonyms
from shopkeeper.retrieval.understanding.tagged import Tags
from shopkeeper.retrieval.understanding.vocabulary import Vocabulary

SURE, LIKELY = 0.6, 0.3
"""Certainty from which on another wording takes the place of what was typed, and from which on it is searched beside it."""
_VARIANTS = 3
_TRIED = 12
_LONGEST = 120
"""Characters of a query that are looked at for other wordings."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Another way to write a query.

    Attributes:
        kind: ``spelling``, ``pinyin`` or ``synonym``.
        text: The whole query in other words.
        certainty: In [0, 1].
    """

    kind: str
    text: str
    certainty: float


class Language:
    """Reads the queries of one shop. Reading beside one writer is safe.

    Args:
        items: What is in the catalogue now.
        synonyms: Approved ones.
        support: How many items hold all words of a query, e.g. `LexicalIndex.support`.
        tagger: Trained on marked titles, see `tagged`; None for none.
    """

    def __init__(
        self,
        items: Iterable[Item] = (),
        synonyms: Synonyms | None = None,
        support: Callable[[str], int] = lambda _query: 1,
        tagger: Tags | None = None,
    ) -> None:
        self.vocabulary = Vocabulary()
        self.synonyms = synonyms or Synonyms({})
        self.pinyin = PinyinIndex(self.vocabulary)
        self.support = support
        self._reader = QueryReader(tagger=tagger)
        self._speller = Speller(self.vocabulary)
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Learn an item; one with the same id is forgotten first, but its words stay known.

        A new price or stock makes no word more frequent: words are counted again only where they changed.
        """
        before = self._reader.known(item.id)
        self._reader.put(item)
        if before is None or _named(before) != _named(item):
            self.vocabulary.put_item(item)

    def drop(self, item: str) -> None:
        """Forget the item of an id; its words stay known."""
        self._reader.drop(item)

    def read(self, query: str, ignore: Collection[str] = ()) -> tuple[Understood, tuple[Wording, ...]]:
        """What a query means, and other wordings that were too unsure to search for: what to ask "did you mean" about.

        Args:
            query: As typed; anything at all.
            ignore: Keys of chips that the customer took away.
        """
        understood = self._reader.read(query, ignore)
        if not understood.words or len(understood.words) > _LONGEST:
            return understood, ()
        mended = [wording for wording in self._mended(understood.words) if wording.kind not in ignore]
        chips = [*understood.chips]
        if mended and mended[0].certainty >= SURE:
            best, *mended = mended
            chips.append(_chip(best, understood.words))
            read = self._reader.read(best.text, ignore)
            understood = replace(understood, words=best.text, preferences=read.preferences, language=read.language)
        alike: list[Wording] = []
        if "synonym" not in ignore:
            alike = [Wording("synonym", text, share) for text, share in self.synonyms.expand(understood.words)]
            chips += [_chip(wording, understood.words) for wording in alike[:1]]
        beside = [wording for wording in mended if wording.certainty >= LIKELY] + alike
        beside.sort(key=lambda wording: -wording.certainty)
        variants = tuple((wording.text, wording.certainty) for wording in beside[:_VARIANTS])
        return replace(understood, variants=variants, chips=tuple(chips)), tuple(mended)

    def _mended(self, words: str) -> list[Wording]:
        """Words put right, the surest first; another form of the same words is nothing new."""
        typed = terms(words)
        found = [
            Wording("spelling", mended.text, mended.certainty)
            for mended in self._speller.corrections(words, _TRIED)
            if terms(mended.text) != typed
        ]
        if not self.support(words):  # words that stand together in an item are no pinyin
            found += [Wording("pinyin", text, certainty) for text, certainty in self.pinyin.read(words)]
            found = self._supported(found)
        return sorted(found, key=lambda wording: -wording.certainty)

    def _supported(self, found: Sequence[Wording]) -> list[Wording]:
        """Wordings of a query that finds nothing as it stands: certainties among those that find something add up to 1."""
        held = [wording.certainty * math.log1p(self.support(wording.text)) for wording in found]
        total = sum(held)
        if not total:
            return list(found)
        return [
            Wording(wording.kind, wording.text, weight / total)
            for wording, weight in zip(found, held, strict=True)
            if weight
        ]


def _named(item: Item) -> tuple[str, str, tuple[str, ...]]:
    return item.title, item.brand, item.category


def _chip(wording: Wording, words: str) -> Chip:
    if wording.kind == "synonym":
        text = {"en": f"also: {wording.text}", "zh": f"同时搜索：{wording.text}"}
    else:
        text = {"en": f"showing: {wording.text}", "zh": f"按此搜索：{wording.text}"}
    return Chip(key=wording.kind, kind=wording.kind, words=words, text=text)
