"""The human desk through /v1: who waits for a person, taking over, answering, closing, and what an intent really was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import BaseModel, Field

from shopkeeper.errors import NotFoundError
from shopkeeper.records import Decision, Passage
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.assist_schemas import Message, NotedOut, TranscriptOut, transcript_document
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import Id, Strict
from shopkeeper.serving.talk import Talk, talk_of, unknown
from shopkeeper.store.privacy import nobody
from shopkeeper.tasks.assist.conversations import Conversations
from shopkeeper.tasks.assist.memory import CUSTOMER, Transcript, kept

router = APIRouter(prefix="/v1/desk", tags=["assistant"], dependencies=needs(Scope.ADMIN))

Conversation = Annotated[Id, Path(description="Id of the conversation.")]
_ANONYMOUS: Final = "desk"
_READ = 20  # last turns that a line of the queue is made from


class SayIn(Strict):
    """What a human answers."""

    text: Annotated[Message, Field(min_length=1)]


class IntentIn(Strict):
    """What a customer really wanted."""

    turn: Id
    intent: Id


class CaseOut(BaseModel):
    """A conversation that waits for a human."""

    conversation: str
    customer: str
    summary: str
    urgency: float
    sentiment: float
    since: datetime | None
    taken: bool


class CasesOut(BaseModel):
    """All of them, the most urgent first."""

    waiting: list[CaseOut]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation that waits for a human.

    Attributes:
        sentiment: -1 to 1, of the customer's last turn that was read.
        since: When the customer last said something.
        taken: Has somebody taken it over?
    """

    conversation: str
    customer: str
    summary: str
    urgency: float
    sentiment: float
    since: datetime | None
    taken: bool


@router.get("", responses={200: {"model": CasesOut}}, summary="Who waits for a human")
async def list_cases(request: Request, limit: Annotated[int, Query(ge=1, le=1_000)] = 50) -> Json:
    """Conversations that were handed over and are not closed, the most urgent first."""
    desk = desk_of(request)
    return await desk.run(
        lambda: Json({"waiting": [case_document(one) for one in cases(desk.shop.conversations, limit)]})
    )


@router.get("/{conversation}", responses={200: {"model": TranscriptOut}}, summary="A conversation with its evidence")
async def read_case(request: Request, conversation: Conversation) -> Json:
    """The last turns, with what each was taken for and what each reply rested on."""
    desk, talk = desk_of(request), talk_of(request)
    return await desk.run(lambda: Json(transcript_document(conversation, known(talk, conversation))))


@router.post("/{conversation}/take", responses={200: {"model": NotedOut}}, summary="Take over")
async def take(request: Request, conversation: Conversation) -> Json:
    """From now on the assistant is silent and a human answers."""
    desk, talk, staff = desk_of(request), talk_of(request), staff_of(request)

    def work() -> Json:
        known(talk, conversation)
        desk.shop.conversations.take(conversation, staff)
        return Json({"noted": True})

    return await desk.run(work)


@router.post("/{conversation}/say", responses={200: {"model": NotedOut}}, summary="Answer as a human")
async def say(request: Request, conversation: Conversation, body: Annotated[SayIn, Body()]) -> Json:
    """Say something to the customer; the next reading of the transcript shows it."""
    desk, talk, staff = desk_of(request), talk_of(request), staff_of(request)

    def work() -> Json:
        known(talk, conversation)
        desk.shop.conversations.say(conversation, staff, body.text)
        return Json({"noted": True})

    return await desk.run(work)


@router.post("/{conversation}/close", responses={200: {"model": NotedOut}}, summary="Give back to the assistant")
async def close(request: Request, conversation: Conversation) -> Json:
    """The human is done; the assistant answers again."""
    desk, talk, staff = desk_of(request), talk_of(request), staff_of(request)

    def work() -> Json:
        known(talk, conversation)
        desk.shop.conversations.close(conversation, staff)
        return Json({"noted": True})

    return await desk.run(work)


@router.post("/{conversation}/intent", responses={200: {"model": NotedOut}}, summary="That was really ...")
async def correct(request: Request, conversation: Conversation, body: Annotated[IntentIn, Body()]) -> Json:
    """Say what a turn of the customer really wanted; `shopkeeper train intent` learns from it."""
    desk, talk, staff = desk_of(request), talk_of(request), staff_of(request)

    def work() -> Json:
        check_turn(known(talk, conversation), body.turn)
        desk.shop.conversations.correct(body.turn, body.intent, staff)
        return Json({"noted": True})

    return await desk.run(work)


def cases(conversations: Conversations, limit: int) -> list[Case]:
    """Who waits for a human, the most urgent first, then whom a human has."""
    found = ((decision, conversations.turns(decision.subject, _READ)) for decision in conversations.queue())
    return list(islice((_case(decision, turns) for decision, turns in found if turns), limit))


def case_document(case: Case) -> dict[str, Any]:
    """A case as JSON values."""
    return {
        "conversation": case.conversation,
        "customer": case.customer,
        "summary": case.summary,
        "urgency": case.urgency,
        "sentiment": case.sentiment,
        "since": case.since.isoformat() if case.since else None,
        "taken": case.taken,
    }


def known(talk: Talk, conversation: str) -> Transcript:
    """A conversation that exists.

    Raises:
        NotFoundError: There is none.
    """
    found = talk.transcript(conversation)
    if not found.passages:
        raise unknown(conversation)
    return found


def check_turn(found: Transcript, turn: str) -> None:
    """Refuse a correction of what the customer did not say here.

    Raises:
        NotFoundError: No turn of this conversation has this id.
    """
    if not any(passage.id == turn and passage.author == CUSTOMER for passage in found.passages):
        raise NotFoundError("There is no such turn in this conversation.", where="turn", cure="Send the id of a turn.")


def staff_of(request: Request) -> str:
    """Who acts, for the records."""
    return actor_of(request) or _ANONYMOUS


def _case(decision: Decision, turns: Sequence[Passage]) -> Case:
    known = (kept(passage) for passage in reversed(turns))
    sentiment = next((each.reply["sentiment"] for each in known if each and "sentiment" in each.reply), 0.0)
    return Case(
        conversation=decision.subject,
        customer="" if decision.customer == nobody(decision.subject) else decision.customer,
        summary=decision.text,
        urgency=decision.score,
        sentiment=float(sentiment),
        since=next((passage.time for passage in reversed(turns) if passage.author == CUSTOMER), None),
        taken=bool(decision.label),
    )
