"""Conversations as people of the shop see them: what was said, which wait for a human, and what humans say and correct."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Final

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.records import Decision, Passage, PassageKind, now
from shopkeeper.store.database import SqlStore
from shopkeeper.store.privacy import nobody
from shopkeeper.tasks.assist.memory import CUSTOMER, SOURCE, STAFF, Kept, Memory, Transcript, kept

HANDOVER: Final = "handover"
"""Task of the review queue under which conversations wait for a human."""
INTENT: Final = "intent"
"""Task under which corrected intents teach."""
RATING: Final = "assist_rating"
"""Task under which replies are rated ``up`` or ``down``."""
REPLY: Final = "assist_reply"
"""Task under which better replies are kept."""
_TAKEN, _CLOSED = "taken", "closed"
_SHOWN: Final = 500
_ALL: Final = 1_000_000
_PAGE: Final = 100
_LOCKS: Final = tuple(threading.Lock() for _ in range(64))
_CUSTOMERS: Final = tuple(threading.Lock() for _ in range(64))


def alone(conversation: str) -> threading.Lock:
    """Held by whoever changes a conversation: turns, staff and erasing wait for each other, in this process.

    Two conversations may share one, so nobody holds two.
    """
    return _LOCKS[hash(conversation) % len(_LOCKS)]


def alone_with(customer: str) -> AbstractContextManager[object]:
    """Held by a customer's turn, and by whoever erases that customer: no turn in hand is written down afterwards.

    Take it before `alone`; strangers, who cannot be erased, do not wait.
    """
    return _CUSTOMERS[hash(customer) % len(_CUSTOMERS)] if customer else nullcontext()


class Conversations:
    """The human desk, and what else people do with conversations. Any number of threads.

    Args:
        store: Passages and the review queue.
    """

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def turns(self, conversation: str, limit: int = _SHOWN) -> list[Passage]:
        """The last passages of a conversation, oldest first; `kept` reads what stands with a reply."""
        return self._transcript(conversation, limit).passages

    def memory(self, conversation: str) -> Memory:
        """What a conversation stands at."""
        return self._transcript(conversation).memory

    def waiting(self, limit: int = 50) -> list[Decision]:
        """Conversations that wait for a human, the most urgent first; `Decision.subject` is the conversation."""
        return [_of_conversation(case) for case in self._store.labels.pending(HANDOVER, limit)]

    def taken(self) -> list[Decision]:
        """Conversations that a human has."""
        decided = self._store.labels.decided(HANDOVER)
        return [_of_conversation(case) for case in decided if case.label == _TAKEN]

    def queue(self) -> Iterator[Decision]:
        """All that wait for a human, the most urgent first, then those that a human has; also what was erased meanwhile."""
        page = self._store.labels.pending(HANDOVER, _PAGE)
        while page:
            yield from map(_of_conversation, page)
            page = self._store.labels.pending(HANDOVER, _PAGE, after=page[-1])
        yield from self.taken()

    def with_human(self, conversation: str) -> bool:
        """Does a human have it, or is it waiting for one? The assistant is silent then."""
        return bool(self.memory(conversation).desk)

    def take(self, conversation: str, staff: str) -> None:
        """Take a conversation over; nobody else can before it is closed.

        Raises:
            NotFoundError: It does not wait for a human.
            InputError: Somebody else has it.
        """
        with alone(conversation):
            self._take(conversation, staff)

    def say(self, conversation: str, staff: str, text: str) -> Passage:
        """Say something to the customer; takes the conversation over where it waits.

        Raises:
            NotFoundError: It is with no human.
            InputError: The text is empty, or somebody else has the conversation.
        """
        if not text.strip():
            raise InputError("The text is empty.", where="text", cure="Write something.")
        with alone(conversation):
            transcript, memory = self._take(conversation, staff)
            passage = Passage(
                id=uuid.uuid4().hex,
                kind=PassageKind.DIALOGUE,
                text=text.strip(),
                title=Kept(memory, {"kind": "staff", "staff": staff}).packed(),
                customer=memory.customer,
                thread=conversation,
                author=STAFF,
                time=now(),
                language=memory.language,
                source=SOURCE,
            )
            (said,) = transcript.add(passage)
        return said

    def close(self, conversation: str, staff: str) -> None:
        """Give a conversation back to the assistant.

        Raises:
            NotFoundError: It is with no human.
        """
        with alone(conversation):
            transcript, memory = self._with_human(conversation)
            self._store.labels.decide(HANDOVER, memory.case, _CLOSED, staff)
            transcript.keep(replace(memory, desk="", upset=0, abused=0, asked=0, unsure=0))

    def rate(self, reply_id: str, up: bool, rater: str, correction: str = "") -> None:
        """Say whether a reply was good, and what would have been better.

        Raises:
            NotFoundError: There is no such reply.
        """
        with self._held(reply_id, by_customer=False) as passage:
            self._decide(RATING, passage, "up" if up else "down", rater)
            if correction.strip():
                self._decide(REPLY, passage, correction.strip(), rater)

    def correct(self, turn_id: str, intent: str, rater: str) -> None:
        """Say what a customer really wanted; it teaches the intents.

        Raises:
            NotFoundError: There is no such turn.
        """
        with self._held(turn_id, by_customer=True) as passage:
            self._decide(INTENT, passage, intent, rater)

    def forget(self, conversation: str) -> int:
        """Erase a conversation, with what humans were asked and said about it; returns how many passages there were."""
        with alone(conversation):
            transcript = self._transcript(conversation, _ALL)
            ids = [passage.id for passage in transcript.passages]
            if not ids:
                return 0
            labels, whose = self._store.labels, {passage.customer for passage in transcript.passages} - {""}
            # one more than is known of: what was asked is on disk before the turn that remembers it
            cases = [case_subject(conversation, number + 1) for number in range(transcript.memory.cases + 1)]
            labels.remove(HANDOVER, cases, customers=(nobody(conversation), *whose))
            for task in (RATING, REPLY, INTENT):
                labels.remove(task, ids)
            self._store.words.remove(ids)
            self._store.erase(nobody(conversation), "assistant")
        return len(ids)

    def _take(self, conversation: str, staff: str) -> tuple[Transcript, Memory]:
        """What `take` does, with the lock held; the conversation as it stands then."""
        transcript, memory = self._with_human(conversation)
        case = self._store.labels.decide(HANDOVER, memory.case, _TAKEN, staff, unless=(_TAKEN,))
        if case.rater != staff:
            raise InputError("Somebody else has this conversation.", where="conversation", cure="Take another.")
        if memory.desk != _TAKEN:
            memory = replace(memory, desk=_TAKEN)
            transcript.keep(memory)
        return transcript, memory

    def _decide(self, task: str, passage: Passage, label: str, rater: str) -> None:
        customer = passage.customer or nobody(passage.thread)
        self._store.labels.propose([Decision(task=task, subject=passage.id, text=passage.text, customer=customer)])
        self._store.labels.decide(task, passage.id, label, rater)

    @contextmanager
    def _held(self, id_: str, *, by_customer: bool) -> Iterator[Passage]:
        """A passage that nobody erases meanwhile."""
        with alone(self._said(id_, by_customer=by_customer).thread):
            yield self._said(id_, by_customer=by_customer)

    def _said(self, id_: str, *, by_customer: bool) -> Passage:
        passage = self._store.words.get([id_]).get(id_)
        if passage is None or passage.source != SOURCE or (passage.author == CUSTOMER) is not by_customer:
            what = "turn of a customer" if by_customer else "reply"
            raise NotFoundError(f"There is no {what} {id_!r}.", where="id", cure="Use an id of the transcript.")
        return passage

    def _transcript(self, conversation: str, limit: int = _SHOWN) -> Transcript:
        return Transcript(self._store.words, conversation, limit)

    def _with_human(self, conversation: str) -> tuple[Transcript, Memory]:
        transcript = self._transcript(conversation)
        memory = transcript.memory
        if not memory.desk:
            raise NotFoundError(
                "This conversation is with no human.",
                where=f"conversation {conversation!r}",
                cure="Take one that waits.",
            )
        return transcript, memory


def case_subject(conversation: str, number: int) -> str:
    """What the question to humans is filed under when a conversation is handed over for the first time, the second ..."""
    return conversation if number == 1 else f"{conversation}~{number}"


def _of_conversation(case: Decision) -> Decision:
    return replace(case, subject=case.subject.partition("~")[0])


__all__ = ["Conversations", "kept"]
