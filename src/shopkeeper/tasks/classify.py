"""Sorting texts as a domain allows it: a live classifier proposes, rules of the domain hold, humans decide what is unsure."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import blake2b
from typing import Final

import numpy as np

from shopkeeper.domains import Domain, Held, LabelSet
from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.models.registry import Registry
from shopkeeper.models.text import Floats, Scorer
from shopkeeper.records import Decision, PassageKind, now
from shopkeeper.retrieval.similar_texts import SimilarTexts
from shopkeeper.store.feeds.labels import STAFF
from shopkeeper.store.protocols import Changes, Store
from shopkeeper.trust.safety import redacted

MOST_TEXTS: Final = 100
"""Texts of one request at most."""

_SHOWN, _READ, _REPLY = 5, 4_000, 2_000
_MOST_EARLIER = 50_000  # texts among which similar ones are looked for
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Encode = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True, slots=True)
class Similar:
    """A text that was asked or decided about before, personal data left out.

    Attributes:
        id: Of the text.
        label: What was decided about it; empty where nothing was.
        reply: What was replied to it; empty where the domain does not let replies be shown.
        score: How alike it is; see `SimilarTexts.scores`.
    """

    id: str
    text: str
    label: str
    reply: str
    score: float


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer, what readers call it by language, and its probability."""

    label: str
    title: Mapping[str, str]
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """How a text was sorted.

    Attributes:
        label: The likeliest answer, or the one that a rule forces.
        title: What readers call it, by language.
        probability: The model's, of `label`; 1 where a rule forces it.
        others: The likeliest answers of the model, best first, five at most.
        human: Must a human decide? Then `label` is a proposal.
        held: Rules of the domain that hold, the weightiest first; their texts are to be shown.
        notice: What stands beside every answer of the task, by language.
        due: By when the text is to be dealt with; None without a deadline.
        similar: Texts like it that were asked before, where wanted.
    """

    text: str
    task: str
    label: str
    title: Mapping[str, str]
    probability: float
    others: tuple[Choice, ...]
    human: bool
    held: tuple[Held, ...] = ()
    notice: Mapping[str, str] = field(default_factory=dict)
    due: date | None = None
    similar: tuple[Similar, ...] = ()
    model: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Open:
    """A classifier ready to ask."""

    name: str
    classes: tuple[str, ...]
    scorer: Scorer


class ClassifyTask:
    """Asks the live classifiers of a shop. Safe to call from many threads; a newly promoted version is taken up at once.

    Args:
        registry: Holds the classifiers by task.
        store: Texts decided about before, and the review queue.
        domain: Label sets, limits and rules.
        encode: Texts to vectors, for similar ones.
        threads: Threads of one call.
    """

    def __init__(self, registry: Registry, store: Store, domain: Domain, encode: Encode, threads: int = 1) -> None:
        self._registry, self._store, self._domain = registry, store, domain
        self._encode, self._threads = encode, threads
        self._opened: dict[str, _Open] = {}
        self._earlier: dict[str, _Earlier] = {}
        self._opening = threading.Lock()

    def answer(self, task: str, texts: Sequence[str], *, similar: int = 0) -> list[Classified]:
        """Sort texts.

        Args:
            task: Which question, e.g. ``department``.
            texts: At most 100; of each the first 4,000 characters are read, control characters left out.
            similar: How many similar texts of those asked before to name with each.

        Raises:
            InputError: There is no text, too many, or an empty one; or the task is no classifier of texts.
            NotFoundError: No classifier of the task is live.
        """
        began = time.perf_counter()
        clean = _checked(texts)
        opened, labels = self._classifier(task), self._domain.label_set(task)
        shares = opened.scorer.probabilities(clean)
        alike = self._similar(labels, clean, similar) if similar else [()] * len(clean)
        seconds = (time.perf_counter() - began) / len(clean)
        return [
            self._sorted(labels, text, row, opened, near, seconds)
            for text, row, near in zip(clean, shares, alike, strict=True)
        ]

    def ask(self, found: Sequence[Classified]) -> Changes:
        """Put what a human must decide into the review queue, rules that hold first, then the least certain."""
        return self._store.labels.propose(
            Decision(
                task=one.task,
                subject=blake2b(one.text.encode(), digest_size=16).hexdigest(),
                text=one.text,
                proposal=one.label,
                score=(1 - one.probability) + len(one.held),
            )
            for one in found
            if one.human
        )

    def _sorted(
        self, labels: LabelSet, text: str, shares: Floats, opened: _Open, similar: tuple[Similar, ...], seconds: float
    ) -> Classified:
        held = tuple(self._domain.held(labels.task, text))
        order = np.argsort(-shares, kind="stable")[:_SHOWN]
        names = [opened.classes[place] for place in order.tolist()]
        others = tuple(
            Choice(name, labels.title(name), float(share)) for name, share in zip(names, shares[order], strict=True)
        )
        forced = next((one.rule.label for one in held if one.rule.label), "")
        label, probability = (forced, 1.0) if forced else (others[0].label, others[0].probability)
        days = [days for days in (labels.days, *(one.rule.days for one in held)) if days]
        return Classified(
            text=text,
            task=labels.task,
            label=label,
            title=labels.title(label),
            probability=probability,
            others=others,
            human=probability < labels.least or any(one.rule.human for one in held),
            held=held,
            notice=labels.notice,
            due=now().date() + timedelta(days=min(days)) if days else None,
            similar=similar,
            model=opened.name,
            seconds=seconds,
        )

    def _classifier(self, task: str) -> _Open:
        version = self._registry.live_version(task)
        if version is None:
            raise NotFoundError(
                f"No classifier {task!r} is live.",
                where="task",
                cure=f"Run: shopkeeper import labels FILE --task {task}; shopkeeper train {task}",
            )
        with self._opening:
            opened = self._opened.get(task)
            if opened is None or opened.name != f"{task}-{version}":
                bundle = self._registry.open(task, version)
                if "classes" not in bundle.parameters or "linear" not in bundle.parameters:
                    raise InputError(f"{bundle.name} does not sort texts into classes.", where="task")
                scorer = bundle.scorer(threads=self._threads)
                opened = _Open(f"{task}-{version}", tuple(bundle.parameters["classes"]), scorer)
                self._opened[task] = opened
        return opened

    def forget(self) -> None:
        """Let go of the texts held in memory, for instance because somebody was erased; they are read anew when needed."""
        with self._opening:
            self._earlier.clear()

    def _similar(self, labels: LabelSet, texts: Sequence[str], k: int) -> list[tuple[Similar, ...]]:
        earlier = self._earlier_texts(labels.task)
        places, scores = earlier.index.find(texts, k)
        return [
            tuple(self._told(earlier.texts[place], mark, labels) for place, mark in zip(row, marks, strict=True))
            for row, marks in zip(places.tolist(), scores.tolist(), strict=True)
        ]

    def _told(self, one: _Text, score: float, labels: LabelSet) -> Similar:
        reply = ""
        if labels.replies:
            said = self._store.words.of_thread(one.id)
            reply = next((passage.text for passage in said if passage.author == STAFF), "")
        return Similar(one.id, redacted(one.text), one.label, redacted(reply[:_REPLY]), score)

    def _earlier_texts(self, task: str) -> _Earlier:
        with self._opening:
            earlier = self._earlier.get(task)
            if earlier is None:
                labels = {one.subject: one for one in self._store.labels.decided(task)}
                texts = {name: _Text(name, one.text, one.label) for name, one in labels.items()}
                for asked in self._store.words.scan(kinds=[PassageKind.QUESTION]):
                    texts.setdefault(asked.id, _Text(asked.id, f"{asked.title} {asked.text}".strip(), ""))
                kept = [one for one in texts.values() if one.text.strip()][:_MOST_EARLIER]
                earlier = _Earlier(kept, SimilarTexts([one.text for one in kept], self._encode))
                self._earlier[task] = earlier
        return earlier


@dataclass(frozen=True, slots=True)
class _Text:
    id: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class _Earlier:
    """Texts asked or decided about before."""

    texts: Sequence[_Text]
    index: SimilarTexts


def _checked(texts: Sequence[str]) -> list[str]:
    if not 0 < len(texts) <= MOST_TEXTS:
        raise InputError(f"{len(texts)} texts were given.", where="texts", cure=f"Give 1 to {MOST_TEXTS} at a time.")
    clean = [_CONTROL.sub(" ", text[:_READ]).strip() for text in texts]
    if "" in clean:
        raise InputError("A text is empty.", where=f"texts[{clean.index('')}]", cure="Leave it out.")
    return clean
