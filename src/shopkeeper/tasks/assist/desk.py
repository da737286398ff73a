"""What the assistant says when it does not answer: greetings, refusals, asking back, and passing on to a human."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shopkeeper.tasks.assist.facts import product
from shopkeeper.tasks.assist.sentences import SENTENCES, Speech, listed, side
from shopkeeper.tasks.assist.situation import Counter, Draft, Move, Situation, asked, draft

_WORDS: Final = 300
"""Characters of a customer's last words in a summary."""
_UNHAPPY: Final = 0.3


def say(key: str, kind: str) -> Move:
    """A move that says one sentence and leaves what was spoken of as it is."""

    def move(situation: Situation, _counter: Counter) -> Draft:
        return draft(situation, kind, situation.speech().say(key))

    return move


def calm(situation: Situation, _counter: Counter) -> Draft:
    """Answer an insult calmly, and count it."""
    return draft(situation, "refuse", situation.speech().say("calm"), abused=situation.memory.abused + 1)


def product_without_advice(situation: Situation, counter: Counter) -> Draft:
    """Give what the shop knows of a product, and say that it is no advice."""
    speech = situation.speech().say("no_advice")
    if situation.turn.item or situation.mentioned("product") or situation.memory.items:
        found = product(situation, counter)
        if found is not None and found.kind == "answer":
            for part in found.speech.parts:
                speech.quote(part)
            speech.wording += found.speech.wording
            return replace(found, kind="refuse", speech=speech, phrasable=False)
    return draft(situation, "refuse", speech)


def ask_back(situation: Situation, _counter: Counter) -> Draft | None:
    """Ask what is meant; not a third time."""
    if situation.memory.asked >= 2 or situation.memory.unsure >= 1:
        return None
    found = asked(situation, situation.speech().say("unclear"))
    return replace(found, memory=replace(found.memory, unsure=situation.memory.unsure + 1))


def hand_over(reason: str, opening: str = "") -> Move:
    """A move that passes the conversation on to a human, with a summary.

    Args:
        reason: Why: ``asked``, ``upset``, ``abuse``, ``crisis``, ``unsure``, ``failed`` or ``complaint``.
        opening: Sentence that is said first.
    """

    def move(situation: Situation, counter: Counter) -> Draft:
        speech = situation.speech()
        if opening:
            speech.say(opening)
        speech.say("handed")
        found = draft(situation, "handover", speech, desk="waiting", cases=situation.memory.cases + 1)
        return replace(found, summary=summary(situation, counter, reason), case=reason)

    return move


def summary(situation: Situation, counter: Counter, reason: str) -> str:
    """Who wants what, what was tried, which order, in which mood, and the last words; in the shop's language."""
    language = counter.language
    at = side(language)
    feeling = situation.read.sentiment
    mood = "mood_bad" if feeling < -_UNHAPPY else "mood_good" if feeling > _UNHAPPY else "mood_even"
    speech = Speech(language)
    speech.say(
        "case_who",
        customer=situation.turn.customer or SENTENCES["stranger"][at],
        mood=SENTENCES[mood][at],
        reason=SENTENCES[f"reason_{reason}"][at],
    )
    wants = [name for name, chance in situation.read.intents[:3] if chance >= _UNHAPPY]
    if wants:
        speech.say("case_wants", wants=listed(wants, language))
    if situation.memory.order:
        speech.say("case_order", order=situation.memory.order)
    if situation.tried:
        speech.say("case_tried", tried=situation.tried[:_WORDS])
    said = " / ".join([*situation.said[-2:], situation.text])
    return speech.say("case_words", words=said[-_WORDS:]).text
