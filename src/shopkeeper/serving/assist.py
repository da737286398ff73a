"""The assistant through /v1: a turn answered whole or as it is written, transcripts, ratings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.sse import format_sse_event
from starlette.responses import Response, StreamingResponse

from shopkeeper.errors import NotFoundError
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.assist_schemas import (
    AssistIn,
    NotedOut,
    RatingIn,
    ReplyOut,
    TranscriptOut,
    reply_document,
    transcript_document,
)
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import actor_of, covers, needs, require
from shopkeeper.serving.home_schemas import EndedOut
from shopkeeper.serving.problems import problem_of, request_id_of
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import Id, OptionalId
from shopkeeper.serving.talk import Talk, talk_of, unknown
from shopkeeper.tasks.assist.memory import ASSISTANT, Transcript
from shopkeeper.tasks.assist.turns import Reply, Turn

router = APIRouter(prefix="/v1", tags=["assistant"])

Conversation = Annotated[Id, Path(description="`conversation` of a reply.")]
Customer = Annotated[OptionalId, Query(description="Whose conversation it is. Needs the scope events.")]
STREAM: Final = "text/event-stream"
UNBUFFERED: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_ASKED = {
    "question": {"summary": "A question", "value": {"message": "How long do I have to send something back?"}},
    "order": {
        "summary": "About an order",
        "value": {"message": "我的订单到哪了？", "customer": "c-17", "conversation": "b0c1", "session": "s-1"},
    },
    "yes": {"summary": "Yes to a proposal", "value": {"conversation": "b0c1", "customer": "c-17", "confirm": "5d1e"}},
}
_RATED = {"down": {"summary": "Not good", "value": {"reply": "77aa", "up": False, "correction": "It is 30 days."}}}
_REPLY: dict[int | str, dict[str, Any]] = {
    200: {"model": ReplyOut, "content": {STREAM: {"schema": {"type": "string"}}}}
}


@router.post("/assist", dependencies=needs(Scope.READ), responses=_REPLY, summary="Ask the assistant")
async def ask(request: Request, body: Annotated[AssistIn, Body(openapi_examples=_ASKED)]) -> Response:
    """One turn of a conversation: an answer with what it rests on, products, a proposal to say yes to, or a hand-over.

    With `stream`, or where `text/event-stream` is accepted, events come instead: `text` with a piece of the reply each,
    then `reply` with all of it; `error` with a problem where it fails on the way.
    """
    desk, talk, turn = desk_of(request), talk_of(request), body.record()
    if turn.customer or turn.confirm:
        require(request, Scope.EVENTS)
    await desk.run(talk.admit, turn)
    staff = covers(request, Scope.ADMIN)
    if body.stream or STREAM in request.headers.get("accept", ""):
        events = _events(request_id_of(request), desk, talk, turn, staff=staff)
        return StreamingResponse(events, headers=UNBUFFERED, media_type=STREAM)
    reply = await talk.answer(turn)
    return await desk.run(lambda: Json(document_of(desk, reply, staff=staff)))


@router.get(
    "/assist/{conversation}",
    dependencies=needs(Scope.READ),
    responses={200: {"model": TranscriptOut}},
    summary="A transcript",
)
async def read_transcript(request: Request, conversation: Conversation, customer: Customer = "") -> Json:
    """The last turns of a conversation. One that belongs to a customer is there for that customer, and for admin keys."""
    desk, talk = desk_of(request), talk_of(request)

    def work() -> Json:
        found = readable(request, talk, conversation, customer)
        return Json(transcript_document(conversation, found))

    return await desk.run(work)


@router.delete(
    "/assist/{conversation}",
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": EndedOut}},
    summary="Forget a conversation",
)
async def forget(request: Request, conversation: Conversation, customer: Customer = "") -> Json:
    """Erase every turn of a conversation."""
    desk, talk = desk_of(request), talk_of(request)

    def work() -> Json:
        readable(request, talk, conversation, customer)
        desk.shop.conversations.forget(conversation)
        return Json({"removed": True})

    return await desk.run(work)


@router.post(
    "/assist/{conversation}/rating",
    dependencies=needs(Scope.EVENTS),
    responses={200: {"model": NotedOut}},
    summary="Rate a reply",
)
async def rate(
    request: Request,
    conversation: Conversation,
    body: Annotated[RatingIn, Body(openapi_examples=_RATED)],
    customer: Customer = "",
) -> Json:
    """Thumbs up or down for a reply of the conversation, and what should have been said; training learns from it."""
    desk, talk = desk_of(request), talk_of(request)

    def work() -> Json:
        found = readable(request, talk, conversation, customer)
        check_reply(found, body.reply)
        rater = actor_of(request) or customer
        desk.shop.conversations.rate(body.reply, body.up, rater, correction=body.correction)
        return Json({"noted": True})

    return await desk.run(work)


def document_of(desk: Desk, reply: Reply, *, staff: bool = False) -> dict[str, Any]:
    """A reply as JSON values. Reads the catalogue."""
    return reply_document(reply, desk.shop.store.catalogue.get([hit.item for hit in reply.hits]), staff=staff)


def event(name: str, document: object) -> bytes:
    """A server-sent event."""
    return format_sse_event(event=name, data_str=orjson.dumps(document).decode())


async def _events(request_id: str, desk: Desk, talk: Talk, turn: Turn, *, staff: bool) -> AsyncIterator[bytes]:
    try:
        async for piece in talk.stream(turn):
            if isinstance(piece, Reply):
                yield event("reply", await desk.run(document_of, desk, piece, staff=staff))
            else:
                yield event("text", {"text": piece}) if piece else b": at it\n\n"
    except Exception as error:  # noqa: BLE001  (the status is sent; what follows can only be told in the stream)
        yield event("error", orjson.loads(bytes(problem_of(error).response(request_id).body)))


def readable(request: Request, talk: Talk, conversation: str, customer: str) -> Transcript:
    """A conversation that whoever asks may read.

    Raises:
        NotFoundError: There is none, or none for them.
    """
    if customer:
        require(request, Scope.EVENTS)
    staff = covers(request, Scope.ADMIN) and not customer
    found = talk.transcript(conversation) if staff else talk.own(conversation, customer)
    if not found.passages:
        raise unknown(conversation)
    return found


def check_reply(found: Transcript, reply: str) -> None:
    """Refuse a rating of what the assistant did not say here.

    Raises:
        NotFoundError: No reply of this conversation has this id.
    """
    if not any(passage.id == reply and passage.author == ASSISTANT for passage in found.passages):
        raise NotFoundError(
            "There is no such reply in this conversation.", where="reply", cure="Send the reply's `id`."
        )
