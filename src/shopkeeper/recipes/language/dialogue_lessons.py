"""Questions with what the shop answered and the evidence it had: taken from FAQ, policies and past dialogues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from shopkeeper.errors import TrainingError
from shopkeeper.evaluation.splits import by_hash
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.protocols import Store
from shopkeeper.trust.grounding import unsupported
from shopkeeper.trust.safety import redacted

_FEWEST = 16
_LONGEST = 600  # characters of a question or an answer
_BESIDE = 2  # passages that stand in the evidence beside the right one
_HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, what was known, and what the shop answered.

    Attributes:
        question: What the customer asked, without personal data.
        evidence: What may be said, the right passage among others.
        answer: What the shop said; the evidence holds every claim of it.
        language: ``zh`` or ``en``.
        fact: What an answer must say to be right, as a short sentence.
        key: Exchanges of one key stay on one side of a split.
    """

    question: str
    evidence: tuple[str, ...]
    answer: str
    language: str
    fact: str
    key: str


def exchanges_of(store: Store, *, most: int = 5_000, seed: int = 7) -> list[Exchange]:
    """Everything that the shop answered: FAQ, policies, and turns of people of the shop behind a customer's.

    Each stands among its nearest neighbours of the same language, so that the right passage has to be found. What a
    human answered counts as evidence itself, as past dialogues do in serving. Answers of the assistant teach nothing.

    Raises:
        TrainingError: There are too few.
    """
    known = list(dict.fromkeys(_answered(store)))[:most]
    if len(known) < _FEWEST:
        raise TrainingError(
            f"The shop has {len(known)} answered questions; a model learns to answer from {_FEWEST} on.",
            where="dialogue",
            cure="Import a FAQ, policies or past dialogues first.",
        )
    rng = np.random.default_rng(seed)
    found = []
    for language in sorted({language for _, _, language in known}):
        own = [(question, answer) for question, answer, tongue in known if tongue == language]
        beside = _neighbours([answer for _, answer in own])
        for place, (question, answer) in enumerate(own):
            lines = [answer, *(own[other][1] for other in beside[place])]
            evidence = tuple(lines[at] for at in rng.permutation(len(lines)))
            found.append(Exchange(question, evidence, answer, language, answer, answer))
    return found


def parted(exchanges: Sequence[Exchange], share: float = _HELD_OUT) -> tuple[list[Exchange], list[Exchange]]:
    """Exchanges to learn from, and those held out; no answer is on both sides."""
    held = by_hash([exchange.key for exchange in exchanges], share, salt="dialogue")
    train = [one for one, out in zip(exchanges, held, strict=True) if not out]
    return train, [one for one, out in zip(exchanges, held, strict=True) if out]


def right(said: str, exchange: Exchange) -> bool:
    """Does an answer say the fact and nothing that the evidence does not hold?

    The fact is said where all its claims are (`grounding.unsupported` of the fact against the answer) and half of its words.
    """
    return (
        bool(said.strip())
        and not unsupported(said, exchange.evidence)
        and not unsupported(exchange.fact, [said])
        and _shared(exchange.fact, said) >= 0.5
    )


def _answered(store: Store) -> Iterator[tuple[str, str, str]]:
    threads: dict[str, list[Passage]] = defaultdict(list)
    for passage in store.words.scan():
        if passage.kind in (PassageKind.FAQ, PassageKind.POLICY) and passage.title.strip() and passage.text.strip():
            yield _clean(passage.title), _clean(passage.text), _language(passage)
        elif passage.kind == PassageKind.DIALOGUE and passage.thread:
            threads[passage.thread].append(passage)
    for thread in threads.values():
        turns = sorted(thread, key=lambda passage: (passage.time is not None, passage.time))
        for first, second in pairwise(turns):
            if first.author == "customer" and second.author == "staff" and first.text.strip() and second.text.strip():
                yield _clean(first.text), _clean(second.text), _language(first)


def _clean(text: str) -> str:
    return " ".join(redacted(text[:_LONGEST]).split())


def _language(passage: Passage) -> str:
    if passage.language:
        return "zh" if passage.language.startswith("zh") else "en"
    return "zh" if any("一" <= letter <= "鿿" for letter in passage.text[:200]) else "en"


def _neighbours(texts: Sequence[str]) -> list[list[int]]:
    """For each text the numbers of those that are most like it and not the same."""
    table = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)).fit_transform(texts)
    found = []
    for place in range(len(texts)):
        likeness = (table @ table[place].T).toarray().ravel()
        order = [int(other) for other in np.argsort(-likeness, kind="stable") if texts[int(other)] != texts[place]]
        found.append(order[:_BESIDE])
    return found


def _shared(fact: str, said: str) -> float:
    words = _words(fact)
    return len(words & _words(said)) / max(1, len(words))


def _words(text: str) -> set[str]:
    spaced = "".join(
        f" {letter} " if "一" <= letter <= "鿿" else letter if letter.isalnum() else " " for letter in text
    )
    return set(spaced.casefold().split())
