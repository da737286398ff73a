"""Answers out of the shop's own words: FAQ, policies, past dialogues, and what product pages and reviews say of an item.

Every snippet is compared with the question by vectors and by words, all in a few products of matrices, and a logistic
model makes one probability of it: "this answers the question". Below `AnswerIndex.threshold` the right thing to say is
that there is no answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shopkeeper.models.intent_fitting import seeded
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.serving import Encoders
from shopkeeper.records import Item, Passage
from shopkeeper.retrieval.answer_fitting import default_model
from shopkeeper.retrieval.answer_model import AnswerModel, Comparer, Question
from shopkeeper.retrieval.snippets import REVIEW, Snippet, of_item, of_passages

_ITEMS_KEPT: Final = 512
_PIECES: Final = 8
"""Snippets of one item whose vectors are looked at; those that share most with the question."""
_COUNTED: Final = 20_000
_FOREIGN: Final = 0.8
"""What an answer in another language than the question's is worth; it is given where there is none in its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A piece of the shop's words that may answer.

    Attributes:
        source: ``faq``, ``policy``, ``product``, ``review`` or ``dialogue``.
        passage: Where it stands; None for what the catalogue says of an item.
        item: The item it speaks of, or empty.
        text: The words themselves, to be quoted.
        score: Probability that they answer the question.
    """

    source: str
    passage: Passage | None
    item: str
    text: str
    score: float


class AnswerIndex:
    """Finds what answers a question. Reading by many threads is safe; changes make a new index.

    Args:
        passages: FAQ, policies, reviews, turns of dialogue; other kinds are not read.
        items: The catalogue, whose own texts answer questions about items in focus.
        encoders: The running shop's; questions one at a time, passages remembered on disk.
        intents: What is wanted, e.g. `Understanding.intents`; learnt from the shipped examples when None.
        model: How likeness becomes probability, what was learnt of this shop; from shipped questions when None.
    """

    def __init__(
        self,
        passages: Iterable[Passage],
        items: Iterable[Item],
        encoders: Encoders,
        *,
        intents: IntentModel | None = None,
        model: AnswerModel | None = None,
    ) -> None:
        intents = intents or seeded(encoders)
        fits = model is not None and model.encoder == encoders.query.name
        self.model = model if model is not None and fits else default_model(encoders, intents)
        self._items = {item.id: item for item in items if not item.hidden}
        found = of_passages(passages)
        general = [snippet for snippet in found if snippet.source != REVIEW and not snippet.item]
        self._about: dict[str, list[Snippet]] = {}
        for snippet in found:
            if snippet.item:
                self._about.setdefault(snippet.item, []).append(snippet)
        told = [snippet.asked + "\n" + snippet.text for snippet in found[:_COUNTED]]
        told += [item.title + "\n" + item.description for item in list(self._items.values())[: _COUNTED - len(told)]]
        self._comparer = Comparer(told, encoders, self.model, intents)
        self._general = self._comparer.shelved(general) if general else None
        self._of_item: OrderedDict[str, Sequence[Snippet]] = OrderedDict()

    @property
    def threshold(self) -> float:
        """Least score of the best answer; below it there is none."""
        return self.model.threshold

    def __len__(self) -> int:
        """Number of snippets that are not about one item."""
        return len(self._general.snippets) if self._general else 0

    def put(self, item: Item) -> None:
        """Take up an item that came or changed."""
        if item.hidden:
            self.drop(item.id)
        else:
            self._items[item.id] = item
            self._of_item.pop(item.id, None)

    def drop(self, item: str) -> None:
        """Forget an item."""
        self._items.pop(item, None)
        self._of_item.pop(item, None)

    def find(self, question: str, language: str = "", items: Sequence[str] = (), k: int = 5) -> list[Found]:
        """The k best answers, likeliest first; compare the first one's score with `threshold`.

        Args:
            question: In the customer's words.
            language: Of the question, ``"zh"`` or ``"en"``; guessed when empty.
            items: Ids of items that it may be about; their pages and reviews are read as well.
            k: How many at most.
        """
        if not any(letter.isalnum() for letter in question):
            return []
        asked = self._comparer.question(question, language)
        found: list[Found] = []
        shelves = [self._general] if self._general else []
        own = [snippet for item in dict.fromkeys(items) for snippet in self._nearest(item, asked)]
        if own:
            shelves.append(self._comparer.shelved(own))
        for shelf in shelves:
            alike = np.array([one.language in {asked.language, ""} for one in shelf.snippets])
            scores = self.model.probabilities(shelf.table(asked)) * np.where(alike, 1.0, _FOREIGN)
            best = np.argsort(-scores, kind="stable")[: 3 * k]
            found += [_found(shelf.snippets[at], float(scores[at])) for at in best.tolist()]
        once: dict[str, Found] = {}
        for one in sorted(found, key=lambda one: -one.score):
            once.setdefault(one.text, one)
        return list(once.values())[:k]

    def _nearest(self, item: str, asked: Question) -> list[Snippet]:
        """The snippets of an item that share most words with the question; the first ones where few do."""
        if item not in self._of_item:
            own = of_item(self._items[item]) if item in self._items else []
            self._of_item[item] = [*own, *self._about.get(item, ())]
            while len(self._of_item) > _ITEMS_KEPT:
                self._of_item.popitem(last=False)
        snippets = self._of_item[item]
        if len(snippets) <= _PIECES:
            return list(snippets)
        shared = self._comparer.shared(asked, snippets)
        return [snippets[at] for at in np.argsort(-shared, kind="stable")[:_PIECES].tolist()]


def _found(snippet: Snippet, score: float) -> Found:
    return Found(source=snippet.source, passage=snippet.passage, item=snippet.item, text=snippet.text, score=score)
