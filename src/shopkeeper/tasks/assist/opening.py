"""Opens the assistant on a running shop's floor."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from functools import partial
from typing import Final

from shopkeeper.errors import ModelError
from shopkeeper.models.generate.generator import open_generator
from shopkeeper.models.registry import Registry
from shopkeeper.records import PassageKind
from shopkeeper.retrieval.answer_model import AnswerModel
from shopkeeper.retrieval.answers import AnswerIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.store.database import SqlStore
from shopkeeper.tasks.assist.memory import SOURCE
from shopkeeper.tasks.assist.phrasing import Phraser
from shopkeeper.tasks.assist.reading import Understanding
from shopkeeper.tasks.assist.situation import Counter
from shopkeeper.tasks.assist.task import AssistTask
from shopkeeper.tasks.assist.terms import read_terms
from shopkeeper.tasks.floor import Floor
from shopkeeper.trust.safety import Safety

_READ = (PassageKind.FAQ, PassageKind.POLICY, PassageKind.DIALOGUE)
_REVIEWS = 50
ABUSE: Final = "abuse"
"""The task of the classifier of abuse, and the class that it must have."""


def open_assist(floor: Floor, store: SqlStore, registry: Registry) -> AssistTask:
    """The assistant on a floor: reads the shop's words, encodes what no cache holds yet.

    Conversations with the assistant itself are not read: what one customer said is never quoted to another.

    Raises:
        ModelError: A live model or the generator cannot be read.
        SettingsError: The shop's terms cannot be read.
    """
    settings = floor.settings
    items = [item for item in floor.shelf.items if item is not None]
    passages = [passage for passage in store.words.scan(_READ) if passage.source != SOURCE]
    understanding = Understanding(registry, floor.shelf, settings, floor.encoders)
    encoders, intents = understanding.encoders, understanding.intents
    counter = Counter(
        shelf=floor.shelf,
        index=AnswerIndex(passages, items, encoders, intents=intents, model=_answers(registry)),
        orders=store.orders,
        terms=read_terms(settings.home),
        search=partial(floor.search.answer, bare=True),
        recommend=floor.recommend.answer,
        wish=lambda words: floor.search.language.read(words)[0],
        reviews=lambda item: store.words.of_item(item, _REVIEWS),
        stars=floor.trust.stars,
        titled=understanding.titled,
        language=_spoken(floor.shelf),
    )
    brands = sorted({item.brand for item in items if item.brand})
    phraser = Phraser(open_generator(settings), settings.generate, brands)
    safety = Safety(learnt_abuse(registry))
    return AssistTask(store, counter, understanding, phraser, settings.assist, safety.inspect)


def learnt_abuse(registry: Registry) -> Callable[[str], float] | None:
    """The chance that a text is abusive, by the live classifier of that name; None where none is.

    Raises:
        ModelError: None of its classes is called `ABUSE`.
    """
    bundle = registry.live(ABUSE)
    if bundle is None:
        return None
    classes = bundle.parameters.get("classes", ())
    if ABUSE not in classes:
        raise ModelError(
            f"{bundle.name} has no class called {ABUSE}, so nobody knows which of its classes is the abusive one.",
            where=str(bundle.folder),
            cure=f"Call that class {ABUSE} in the labels and train again, or go back: shopkeeper models --rollback {ABUSE}",
        )
    scorer, place = bundle.scorer(), classes.index(ABUSE)
    return lambda text: float(scorer.probabilities([text])[0, place])


def _answers(registry: Registry) -> AnswerModel | None:
    bundle = registry.live("replies")
    return None if bundle is None else AnswerModel.load(bundle.arrays(), bundle.parameters)


def _spoken(shelf: Shelf) -> str:
    """The language of most items: the shop's own."""
    tally = Tally(item.language for item in shelf.items if item is not None)
    return "zh" if tally["zh"] > tally["en"] else "en"
