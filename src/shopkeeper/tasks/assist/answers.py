"""Answers in the shop's own words: what its FAQ, policies and past answers say about a question, quoted and named."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from shopkeeper.records import Passage, PassageKind
from shopkeeper.tasks.assist.situation import HOLDS, Counter, Draft, Situation, draft
from shopkeeper.tasks.assist.turns import Citation
from shopkeeper.trust.safety import redacted

CERTAIN: Final = 0.3
"""Score that a passage needs where the understanding does not say as well that such a thing was asked."""
_ALONE: Final = 0.75
"""Share of the best score from which on a second passage is quoted beside it."""
_WORTH: Final = {"dialogue": 0.5}
"""How much of its score counts of a source; what was once answered somebody is not written for everybody."""
_HOUSE: Final = ("faq", "policy", "dialogue")
"""Sources that say how the shop works."""
HOUSE_INTENTS: Final = (
    "delivery_question",
    "payment_question",
    "invoice",
    "warranty",
    "refund_status",
    "return_item",
    "cancel_order",
    "change_address",
    "complaint",
    "other_question",
)


def quoted(
    question: str, situation: Situation, counter: Counter, sources: Collection[str] = _HOUSE, least: float | None = None
) -> list[Citation]:
    """The best passage of the shop's own for a question, or the best two where they are as good.

    Passages in another language than the reply's are taken only where the shop has none in that language.

    Args:
        question: In whatever words.
        situation: For the language of the reply.
        counter: What may be looked up.
        sources: Which passages count.
        least: Score that is needed; the index's own threshold when None.
    """
    least = counter.index.threshold if least is None else least
    usable = [
        (found.score * _WORTH.get(found.source, 1.0), found.passage, found.text)
        for found in counter.find(question, situation.language)
        if found.passage is not None and found.source in sources
    ]
    own = [each for each in usable if each[1].language in ("", situation.language)]
    ranked = sorted(own or usable, key=lambda each: -each[0])[:2]
    best = ranked[0][0] if ranked else 0.0
    return [_cited(passage, text) for score, passage, text in ranked if score >= max(least, _ALONE * best)]


def _cited(passage: Passage, text: str) -> Citation:
    """What is quoted of a passage; what was once written to one customer is quoted to others without that one's data."""
    title = passage.title
    if passage.kind is PassageKind.DIALOGUE:
        title, text = redacted(title), redacted(text)
    return Citation(source=passage.kind.value, id=passage.id, title=title, text=text)


def answer(situation: Situation, counter: Counter) -> Draft | None:
    """What the shop's words say about the turn, where they say enough."""
    least = None if situation.chance(*HOUSE_INTENTS) >= HOLDS else CERTAIN
    found = quoted(situation.text, situation, counter, least=least)
    if not found:
        return None
    speech = situation.speech()
    for citation in found:
        speech.quote(citation.text)
    return draft(situation, "answer", speech, citations=found, phrasable=True)
