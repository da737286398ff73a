"""Which of the shop's texts a human should be asked about next: active learning on the shop's own review queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shopkeeper.compute.cores import threads
from shopkeeper.errors import InputError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import encoders
from shopkeeper.models.text import Floats
from shopkeeper.recipes.texts.labelled_texts import languages
from shopkeeper.recipes.texts.passages import text_of
from shopkeeper.records import Passage, PassageKind
from shopkeeper.settings import Settings
from shopkeeper.store.protocols import Changes, Store
from shopkeeper.training import active
from shopkeeper.training.acquisition import Strategy, random, typical

_MOST = 20_000  # texts that are considered, the latest ones


def ask_about(
    store: Store,
    settings: Settings,
    registry: Registry,
    task: str,
    *,
    strategy: Strategy,
    count: int,
    kinds: Sequence[PassageKind] = (),
) -> Changes:
    """Put `count` questions into the review queue of a task, in place of those that waited there.

    Args:
        store: Its texts, and the queue.
        settings: Encoder, threads and seed.
        registry: The task's classifier in force says what it is unsure of; without one, uncertainty means nothing yet and
            the most typical texts are asked about (`random` ones if that is the strategy).
        task: Which question is asked; what was decided under this name is not asked again.
        strategy: What is worth most.
        count: How many questions.
        kinds: Kinds of texts; all when empty.

    Raises:
        InputError: There is no text of these kinds, or the task is no classifier of texts.
    """
    passages = [passage for passage in store.words.scan(kinds=kinds) if passage.text.strip()]
    if not passages:
        raise InputError(
            "There are no texts to ask about.",
            where=", ".join(kinds) or "texts",
            cure="Import some: shopkeeper import reviews FILE",
        )
    latest = sorted(passages, key=_age, reverse=True)[:_MOST]
    passages = [replace(passage, text=text_of(passage)) for passage in latest]
    texts = [passage.text for passage in passages]
    live = registry.live(task)
    if live is not None and "classes" not in live.parameters:
        raise InputError(
            f"{live.name} does not sort texts into classes, so nothing can be asked for it.",
            where="task",
            cure="Choose another name for the question.",
        )
    names, shares = _opinion(live, texts, threads(settings.compute))
    name = encoder_name(settings.models, languages(texts))
    vectors = encoders(settings, registry.live("relevance"), name).passage.encode(texts)
    chosen = strategy if live is not None or strategy is random else typical
    rng = np.random.default_rng(settings.compute.seed)
    return active.ask(store.labels, task, passages, shares, vectors, names, chosen, count, rng)


def _opinion(live: Bundle | None, texts: Sequence[str], count: int) -> tuple[Sequence[str], Floats]:
    """Names of the classes and probabilities float32 (n, k); one class without a name when no model is live."""
    if live is None:
        return [""], np.ones((len(texts), 1), dtype=np.float32)
    return live.parameters["classes"], live.scorer(threads=count).probabilities(texts)


def _age(passage: Passage) -> float:
    return passage.time.timestamp() if passage.time else 0.0
