"""The service assistant: one turn in, one reply out, both on disk when the reply returns.

In this order: limits; what a conversation stands at; how the turn is understood and whether it is safe; the policy, which
looks things up, proposes, acts or hands over; the check that nothing is said which is not in evidence; perhaps other words
by a generator, checked sentence by sentence; and once more a look that nobody else's data go out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from shopkeeper.errors import ForbiddenError
from shopkeeper.records import Decision, Item, Passage, PassageKind
from shopkeeper.retrieval.understanding.script import language_of
from shopkeeper.settings import AssistSettings
from shopkeeper.store.database import SqlStore
from shopkeeper.store.privacy import nobody
from shopkeeper.tasks.assist.consent import consent
from shopkeeper.tasks.assist.conversations import HANDOVER, alone, alone_with, case_subject
from shopkeeper.tasks.assist.limits import LONGEST, Pace, readable
from shopkeeper.tasks.assist.memory import ASSISTANT, CUSTOMER, SOURCE, Kept, Memory, Transcript
from shopkeeper.tasks.assist.naming import read_unnamed
from shopkeeper.tasks.assist.phrasing import Phraser
from shopkeeper.tasks.assist.policy import UPSET, decide
from shopkeeper.tasks.assist.reading import Understanding
from shopkeeper.tasks.assist.sentences import Speech
from shopkeeper.tasks.assist.situation import Counter, Draft, Situation
from shopkeeper.tasks.assist.turns import Reply, Turn
from shopkeeper.trust import grounding
from shopkeeper.trust.grounding import unsupported
from shopkeeper.trust.safety import Danger, inspect

_WORD: Final = re.compile(r"[A-Za-z\u3400-\u9fff]{2,}")
_OWN_SOURCES: Final = ("order", "policy", "faq", "product")
_A_NAME: Final = 6
LIMITS: Final = "limits"
"""`Reply.model` of what is said to turns that are not read: too many, or empty."""


class AssistTask:
    """Answers turns. Any number of threads; the turns of one conversation wait for each other.

    Args:
        store: Transcripts, orders and the review queue.
        counter: What may be looked up and used.
        understanding: Reads turns.
        phraser: Puts answers into other words.
        settings: Whether, how often, and how much is remembered.
        inspected: Finds what is unsafe in a text.
    """

    def __init__(
        self,
        store: SqlStore,
        counter: Counter,
        understanding: Understanding,
        phraser: Phraser,
        settings: AssistSettings,
        inspected: Callable[[str], tuple[Danger, ...]] = inspect,
    ) -> None:
        self._store, self._counter, self._understanding = store, counter, understanding
        self._phraser, self._settings, self._inspect = phraser, settings, inspected
        self._pace = Pace(settings.rate_per_minute)

    def answer(self, turn: Turn) -> Reply:
        """Answer a turn; raises what `stream` raises."""
        *_, reply = self.stream(turn)
        assert isinstance(reply, Reply)
        return reply

    def stream(self, turn: Turn) -> Iterator[str | Reply]:
        """The reply's text in pieces as they come, and last the `Reply` itself.

        Raises:
            ForbiddenError: The assistant is switched off, or the conversation is another customer's.
            InputError: An id cannot be kept.
        """
        began = time.perf_counter()
        if not self._settings.enabled:
            raise ForbiddenError(
                "The assistant is switched off.", where="assist.enabled", cure="Switch it on in shopkeeper.toml."
            )
        text, cut = readable(turn.text)
        refused = self._refused(turn, text)
        if refused is not None:
            yield refused.text
            yield replace(refused, seconds=time.perf_counter() - began)
            return
        with alone_with(turn.customer), alone(turn.conversation):
            transcript = Transcript(self._store.words, turn.conversation, self._settings.turns)
            transcript.admit(turn)
            situation = self._situation(turn, text, transcript)
            heard = [_passage(turn, CUSTOMER, text, situation.language, id_=turn.id)]
            if situation.memory.pending is not None:  # a yes is on disk before anything is done about it
                transcript.add(*heard)
                heard = []
            try:
                row, draft = decide(situation, self._counter)
                if cut:
                    opening = Speech(situation.language).say("cut", count=f"{LONGEST:,}")
                    draft.speech.parts[:0], draft.speech.wording[:0] = opening.parts, [*opening.wording, opening.text]
                reply = self._reply(situation, draft, f"policy: {row.when}")
            except Exception:
                transcript.add(*heard)
                raise
            written = self._write(transcript, heard, situation, draft, reply)
        told = yield from self._phrased(situation, draft, reply)
        if told.text != reply.text:
            self._amend(written, told.text)
        yield replace(told, seconds=time.perf_counter() - began)

    def _amend(self, written: Passage, text: str) -> None:
        """Let the transcript say what was said in the end; what was erased meanwhile stays erased."""
        with alone(written.thread):
            kept = self._store.words.get([written.id]).get(written.id)
            if kept is not None:
                self._store.words.put([replace(kept, text=text)])

    def apply(self, items: Sequence[Item], removed: Sequence[str]) -> None:
        """Take up items that came or changed, and let go of those that went."""
        for item in items:
            self._understanding.put(item)
            self._counter.index.put(item)
        for name in removed:
            self._understanding.drop(name)
            self._counter.index.drop(name)

    def forget(self, customer: str) -> None:
        """Let go of what is in memory about a customer, and of the words of all: nobody knows any more who wrote them."""
        self._pace.forget(customer)
        self._understanding.forget()
        self._counter.found.clear()
        grounding.forget()

    def _refused(self, turn: Turn, text: str) -> Reply | None:
        language = turn.language if turn.language in ("zh", "en") else language_of(text) or "en"
        wait = self._pace.wait([f"conversation:{turn.conversation}", turn.customer], time.monotonic())
        if wait > 0:
            speech = Speech(language).say("slower", count=int(wait) + 1)
            return Reply(turn=turn, text=speech.text, kind="refuse", language=language, model=LIMITS)
        if not text and not turn.confirm:
            speech = Speech(language).say("empty")
            return Reply(turn=turn, text=speech.text, kind="ask", language=language, model=LIMITS)
        return None

    def _situation(self, turn: Turn, text: str, transcript: Transcript) -> Situation:
        memory = transcript.memory
        focus = tuple(dict.fromkeys(name for name in (turn.item, *memory.items) if name))
        agreed = consent(text, memory.pending.proposal.tool) if memory.pending else None
        language = _language(turn, text, memory, follows=agreed is not None)
        orders = tuple(self._store.orders.of_customer(turn.customer)) if turn.customer else ()
        return Situation(
            turn=turn,
            text=text,
            language=language,
            read=read_unnamed(
                self._understanding, text, language, focus, [order.id for order in orders], turn.time.date()
            ),
            dangers=self._inspect(text),
            memory=replace(memory, customer=turn.customer or memory.customer, language=language),
            consent=agreed,
            orders=orders,
            said=tuple(transcript.said(CUSTOMER, 2)),
            tried="".join(transcript.said(ASSISTANT)),
        )

    def _reply(self, situation: Situation, draft: Draft, model: str) -> Reply:
        """The draft as a reply; what is not in evidence is not said: the words quoted stand in its place."""
        text = draft.speech.text
        if unsupported(text, (*draft.evidence, *draft.speech.wording)):
            quoted = Speech(situation.language)
            for citation in draft.citations[:1]:
                quoted.quote(citation.text)
            text = quoted.text or Speech(situation.language).say("unknown").text
        read = situation.read
        return Reply(
            turn=situation.turn,
            text=self._safe(text, situation, draft),
            kind=draft.kind,
            language=situation.language,
            intents=read.intents,
            sentiment=read.sentiment,
            urgency=read.urgency,
            mentions=read.mentions,
            citations=draft.citations,
            hits=draft.hits,
            proposal=draft.proposal,
            summary=draft.summary,
            model=model,
        )

    def _safe(self, text: str, situation: Situation, draft: Draft) -> str:
        """A text without personal data other than the customer's own and the shop's."""
        own = [situation.text, *draft.facts, *(c.text for c in draft.citations if c.source in _OWN_SOURCES)]
        names = [fact for fact in draft.facts if len(fact) >= _A_NAME]
        private = [found for found in inspect(text) if found.kind == "personal"]
        for found in sorted(private, key=lambda found: -found.start):
            if not any(found.text in known for known in own) and not any(name in found.text for name in names):
                text = f"{text[: found.start]}[…]{text[found.end :]}"
        return text

    def _write(
        self, transcript: Transcript, heard: Sequence[Passage], situation: Situation, draft: Draft, reply: Reply
    ) -> Passage:
        """Put what was heard and the reply on disk, in one go, and before it, where it hands over, the question to humans."""
        turn, memory = situation.turn, draft.memory
        if reply.sentiment <= UPSET:
            memory = replace(memory, upset=memory.upset + 1)
        if draft.case:
            subject = case_subject(turn.conversation, memory.cases)
            case = Decision(
                task=HANDOVER,
                subject=subject,
                text=draft.summary,
                proposal=draft.case,
                score=max(reply.urgency, -reply.sentiment, 0.0) + float(draft.case == "crisis"),
                customer=turn.customer or nobody(turn.conversation),
            )
            self._store.labels.propose([case])
            memory = replace(memory, case=subject)
        title = Kept(memory, _document(reply)).packed()
        *_, written = transcript.add(
            *heard, _passage(turn, ASSISTANT, reply.text, reply.language, id_=reply.id, title=title)
        )
        return written

    def _phrased(self, situation: Situation, draft: Draft, reply: Reply) -> Any:
        """Pieces of text for the customer; returns the reply as it was told."""
        said: list[str] = []
        phrases = self._phraser.phrase(draft, situation)
        whole = False
        while True:
            try:
                sentence = self._safe(next(phrases), situation, draft)
            except StopIteration as end:
                whole = bool(end.value)
                break
            piece = sentence if not said or situation.language == "zh" else f" {sentence}"
            said.append(piece)
            yield piece
        if whole:
            return replace(reply, text="".join(said), phrased=True, model=self._phraser.name)
        if said:  # what was said is true, and the shop's own words complete it
            rest = reply.text if situation.language == "zh" else f" {reply.text}"
            yield rest
            return replace(reply, text="".join(said) + rest, phrased=True, model=self._phraser.name)
        yield reply.text
        return reply


def _language(turn: Turn, text: str, memory: Memory, *, follows: bool) -> str:
    """Of the reply: what is wished for, what the words are in, what was spoken before."""
    if turn.language in ("zh", "en"):
        return turn.language
    guessed = "" if follows or not _WORD.search(text) else language_of(text)
    return guessed if guessed in ("zh", "en") else memory.language or "en"


def _passage(turn: Turn, author: str, text: str, language: str, *, id_: str, title: str = "") -> Passage:
    return Passage(
        id=id_,
        kind=PassageKind.DIALOGUE,
        text=text,
        title=title,
        item=turn.item if author == CUSTOMER else "",
        customer=turn.customer,
        thread=turn.conversation,
        author=author,
        time=turn.time,
        language=language,
        source=SOURCE,
    )


def _document(reply: Reply) -> dict[str, Any]:
    """What is kept with a reply for those who read the transcript, JSON values."""
    return {
        "kind": reply.kind,
        "intents": [[name, round(chance, 3)] for name, chance in reply.intents[:3]],
        "sentiment": round(reply.sentiment, 3),
        "urgency": round(reply.urgency, 3),
        "citations": [
            {"source": c.source, "id": c.id, "title": c.title, "text": c.text[:300]} for c in reply.citations
        ],
        "hits": [hit.item for hit in reply.hits],
        "proposal": reply.proposal.id if reply.proposal else "",
        "model": reply.model,
    }
