"""What a customer's message says before anything is done about it: language, intents, feeling, haste, things named."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from shopkeeper.errors import ModelError
from shopkeeper.models.intent_fitting import seeded
from shopkeeper.models.intents import IntentModel
from shopkeeper.models.registry import Registry
from shopkeeper.models.serving import Encoders
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.text_tagger import TextTagger
from shopkeeper.models.text import Floats, Scorer
from shopkeeper.records import Item, now
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.settings import Settings
from shopkeeper.tasks.assist import mentions as assist_mentions
from shopkeeper.tasks.assist.dates import dates
from shopkeeper.tasks.assist.goods import Goods
from shopkeeper.tasks.assist.recalling import RecallingEncoder
from shopkeeper.tasks.assist.tone import sentiment, urgency
from shopkeeper.tasks.assist.turns import Mention

_log = logging.getLogger(__name__)

INTENT: Final = "intent"
"""The task under which labels, bundle and recipe of intents go."""
LONGEST: Final = 2_000
"""Characters of a message that are read; the rest is not looked at."""
_SHOWN: Final = 0.1
_CLAUSES: Final = 4
_BREAK: Final = re.compile(
    r"[.!?;。！？；，,\n]+\s*|\s+(?:and (?:also )?|but |also |plus )(?=\w+\s\w+\s)|(?:另外|还有|而且|顺便|以及|然后)"
)
_LEAST_CLAUSE: Final = {"zh": 4, "en": 10}
_CLAUSE_TRUST: Final = 0.9


@dataclass(frozen=True, slots=True)
class Understood:
    """A message as it was understood.

    Attributes:
        language: ``"zh"`` or ``"en"``.
        intents: Names with their chances, likeliest first; several may hold, and one with less than
            `Understanding.threshold` rather does not. Empty where nothing comes near.
        out_of_scope: Chance that the message is about nothing that a shop deals with, 0 to 1; above one half it is.
        sentiment: -1 (very unhappy) to 1.
        urgency: 0 to 1.
        mentions: Things named, in order of place, without overlaps.
    """

    language: str
    intents: tuple[tuple[str, float], ...]
    out_of_scope: float
    sentiment: float
    urgency: float
    mentions: tuple[Mention, ...]

    def has(self, intent: str, least: float = 0.5) -> bool:
        """Does an intent hold with at least this chance?"""
        return any(name == intent and chance >= least for name, chance in self.intents)


class Understanding:
    """Reads messages with the live models, or with what the shipped examples teach in a moment.

    Args:
        registry: Live bundles ``intent``, ``sentiment`` and ``tagger`` are used where there are any.
        shelf: The catalogue, for goods that are named; keep it up to date with `put` and `drop`.
        settings: Threads and folders.
        encoders: The running shop's.

    Attributes:
        encoders: Those of the shop; the vectors of the last texts are kept in memory, for whoever else looks at a turn.
        intents: The model of intents in force.
    """

    def __init__(self, registry: Registry, shelf: Shelf, settings: Settings, encoders: Encoders) -> None:
        self.settings = settings
        self._goods = Goods(item for item in shelf.items if item is not None)
        self._recalling = RecallingEncoder(encoders.query)
        self.encoders = Encoders(self._recalling, encoders.passage)
        self.intents: IntentModel = _live_intents(registry, self.encoders) or seeded(self.encoders)
        feeling = registry.live("sentiment")
        self._feeling: Scorer | None = feeling.scorer() if feeling else None
        self._feelings: Sequence[str] = feeling.parameters["classes"] if feeling else ()
        tagger = registry.live("tagger")
        self._tagger: TextTagger | None = read_tagger(tagger) if tagger else None

    @property
    def threshold(self) -> float:
        """Chance from which on an intent counts as meant."""
        return self.intents.threshold

    def titled(self, text: str) -> list[str]:
        """Ids of the items whose titles stand in a text almost whole, in the order of the text; see `Goods.titled`."""
        return self._goods.titled(text)

    def put(self, item: Item) -> None:
        """Take up an item that came or changed."""
        self._goods.put(item)

    def drop(self, item: str) -> None:
        """Forget an item."""
        self._goods.drop(item)

    def forget(self) -> None:
        """Let go of what was read lately."""
        self._recalling.forget()

    def read(
        self,
        text: str,
        language: str = "",
        focus: Sequence[str] = (),
        today: date | None = None,
        named: Sequence[Mention] | None = None,
    ) -> Understood:
        """Read a message.

        Args:
            text: Anything at all; what is longer than 2,000 characters is cut.
            language: ``"zh"`` or ``"en"`` where known; else guessed, English in doubt.
            focus: Ids of items that are open or were spoken of, the latest first.
            today: What "today" means; the current day in UTC when None.
            named: Things named in it, where they are known already, see `mentions`.
        """
        text = text[:LONGEST]
        today = today or now().date()
        spoken = language[:2] or language_of(text) or "en"
        spoken = spoken if spoken in _LEAST_CLAUSE else "en"
        named = self.mentions(text, focus, today) if named is None else named
        chances, outside = self._wanted(text, spoken)
        order = np.argsort(-chances, kind="stable")
        intents = tuple((self.intents.names[at], float(chances[at])) for at in order.tolist() if chances[at] >= _SHOWN)
        return Understood(
            language=spoken,
            intents=intents,
            out_of_scope=outside,
            sentiment=sentiment(text, self._feeling, self._feelings),
            urgency=urgency(text, named, today),
            mentions=tuple(named),
        )

    def _wanted(self, text: str, language: str) -> tuple[Floats, float]:
        """Chances of the intents, float32 (k,), and of none: a message may say one thing in each of its clauses."""
        if not any(letter.isalnum() for letter in text):
            return np.zeros(len(self.intents.names), dtype=np.float32), 1.0 if text.strip() else 0.0
        parts = clauses(text, language)
        found = self.intents.read([text, *parts])
        chances: Floats = found.chances[0]
        outside = float(found.outside[0])
        if parts:
            inside = np.where(found.outside[1:, None] < 0.5, found.chances[1:], np.float32(0))
            chances = np.maximum(chances, _CLAUSE_TRUST * inside.max(axis=0))
            outside = min(outside, float(found.outside[1:].min()) / _CLAUSE_TRUST)
        return chances, min(outside, 1.0)

    def mentions(self, text: str, focus: Sequence[str], today: date) -> list[Mention]:
        """Things named in a message, in order of place, without overlaps; arguments as for `read`.

        This costs far less than the rest of `read`: no encoder looks at the message.
        """
        text = text[:LONGEST]
        goods = self._goods.find(text, focus)
        coded = [one for one in goods if one.kind == "product" and any(letter.isdigit() for letter in one.text)]
        formal = assist_mentions.mentions(text)
        firm = [one for one in formal if one.kind in {"email", "address", "phone"}]
        sums = [one for one in formal if one.kind in {"order", "money"}]
        named = [one for one in goods if one.kind == "product"]
        found = [*firm, *coded, *dates(text, today), *sums, *named, *formal, *goods]
        if self._tagger is not None and text:
            found += [
                Mention(
                    kind=one.kind.lower(),
                    text=text[one.start : one.end],
                    start=one.start,
                    end=one.end,
                    value=text[one.start : one.end],
                )
                for one in self._tagger.tag([text])[0]
            ]
        return assist_mentions.apart(found)


def clauses(text: str, language: str) -> list[str]:
    """The parts of a message that say something on their own, at most four; none where it is all one.

    >>> clauses("I want my money back. Also, where is the second parcel?", "en")
    ['I want my money back', 'where is the second parcel']
    """
    least = _LEAST_CLAUSE.get(language, 10)
    parts = [part.strip() for part in _BREAK.split(text) if part and len(part.strip()) >= least]
    return parts[:_CLAUSES] if len(parts) > 1 else []


def _live_intents(registry: Registry, encoders: Encoders) -> IntentModel | None:
    """What was learnt, unless it was learnt with another encoder."""
    bundle = registry.live(INTENT)
    if bundle is None or "encoder" not in bundle.parameters:
        return None
    if bundle.parameters["encoder"] != encoders.query.name:
        _log.warning(
            "The intents were learnt with the encoder %s, the shop runs %s: shipped examples are used until "
            "`shopkeeper train --task intent` has been run.",
            bundle.parameters["encoder"],
            encoders.query.name,
        )
        return None
    try:
        return IntentModel.load(
            bundle.arrays(), bundle.parameters, lambda texts: encoders.query.encode(texts, "passage")
        )
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"The intents cannot be read: {error!r}.", where=str(bundle.folder), cure="Train the task `intent` again."
        ) from error
