"""The assistant as a chat model: the endpoints that clients of OpenAI's chat completions call.

Shapes after https://platform.openai.com/docs/api-reference/chat; what steers sampling is accepted and ignored.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Body, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from shopkeeper.errors import InputError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.retrieval.analysis import words
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.assist import STREAM, UNBUFFERED, document_of
from shopkeeper.serving.assist_schemas import said
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import actor_of, covers, needs, require
from shopkeeper.serving.problems import Problem, problem_of
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import OptionalId
from shopkeeper.serving.talk import LONGEST, Talk, talk_of
from shopkeeper.tasks.assist.memory import CUSTOMER, SOURCE
from shopkeeper.tasks.assist.turns import Reply, Turn

MODEL: Final = "shopkeeper"
_EARLIER = 20  # messages of a client's own history that become memory
_KNOWN = 10_000
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class PartIn(BaseModel):
    """A part of a message; only text is read."""

    type: str
    text: str = ""


class MessageIn(BaseModel):
    """One message of the client's history."""

    role: Role
    content: Annotated[str, Field(max_length=100_000)] | list[PartIn] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        parts = self.content or ""
        return said(parts if isinstance(parts, str) else "\n".join(part.text for part in parts))


class StreamOptionsIn(BaseModel):
    """How a stream ends."""

    include_usage: bool = False


class CompletionIn(BaseModel):
    """A chat completion that is wanted. What is not named here is ignored, as clients send much that steers sampling."""

    model_config = ConfigDict(extra="ignore")

    messages: list[MessageIn] = Field(min_length=1, max_length=1_000)
    model: Annotated[str, Field(max_length=200)] = MODEL
    stream: bool = False
    stream_options: StreamOptionsIn | None = None
    user: OptionalId = Field(
        default="", description="The customer whose orders may be spoken of. Needs the scope events."
    )
    metadata: dict[str, str] | None = Field(default=None, description="`conversation`: of an earlier reply.")


class Histories:
    """Which conversation a client's history belongs to, in memory.

    Clients send all messages again each time and no conversation. A history that ends as one of our replies left it goes on
    with that conversation; it is taken by the first who comes with it, so that two strangers with the same words never
    share one.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def take(self, caller: str, messages: Sequence[tuple[str, str]]) -> str:
        """The conversation that these messages led to so far, or empty."""
        return self._known.pop(_digest(caller, messages), "")

    def note(self, caller: str, messages: Sequence[tuple[str, str]], conversation: str) -> None:
        """Remember what a conversation has come to."""
        self._known[_digest(caller, messages)] = conversation
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)


class _Route(APIRoute):
    """A route whose faults have the shape that clients of OpenAI know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except Exception as error:  # noqa: BLE001  (whatever it was, the client reads one shape)
                problem = problem_of(error)
                return Response(
                    orjson.dumps(_fault(problem)), problem.status, dict(problem.headers), "application/json"
                )

        return handle


router = APIRouter(prefix="/v1", tags=["assistant"], dependencies=needs(Scope.READ), route_class=_Route)

_EXAMPLE = {
    "question": {
        "summary": "A question",
        "value": {"model": MODEL, "messages": [{"role": "user", "content": "Is the kettle dishwasher safe?"}]},
    }
}


@router.get("/models", summary="Models of the chat endpoint")
async def list_models() -> Json:
    """The one model there is."""
    return Json({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "shop"}]})


@router.post("/chat/completions", summary="Chat completion")
async def complete(request: Request, body: Annotated[CompletionIn, Body(openapi_examples=_EXAMPLE)]) -> Response:
    """The assistant behind the address that OpenAI's clients call; `shopkeeper` beside `choices` holds the whole reply.

    The last user message is the turn. Earlier ones that the shop does not remember become its memory of the conversation.
    """
    desk, talk = desk_of(request), talk_of(request)
    if body.user:
        require(request, Scope.EVENTS)
    histories: Histories = request.app.state.histories
    caller = f"{actor_of(request)}\n{body.user}"
    turn, behind = _turn(body, histories, caller)
    await desk.run(_admitted, desk, talk, turn, body)
    staff = covers(request, Scope.ADMIN)
    answered = _Answered(desk, histories, caller, behind, staff=staff)
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        events = answered.events(talk, turn, usage=usage)
        return StreamingResponse(events, headers=UNBUFFERED, media_type=STREAM)
    reply = await talk.answer(turn)
    return Json(await desk.run(answered.whole, reply))


class _Answered:
    """A reply in the shapes of chat completions."""

    def __init__(
        self, desk: Desk, histories: Histories, caller: str, behind: Sequence[tuple[str, str]], *, staff: bool
    ) -> None:
        self._desk, self._histories, self._caller, self._behind, self._staff = desk, histories, caller, behind, staff

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The reply as one document."""
        message = {"role": "assistant", "content": reply.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        head = _head(reply.turn, "chat.completion")
        return {**head, "choices": [choice], "usage": self._usage(reply), MODEL: self._noted(reply)}

    async def events(self, talk: Talk, turn: Turn, *, usage: bool) -> AsyncIterator[bytes]:
        """The reply as chunks."""
        head = _head(turn, "chat.completion.chunk")

        def chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _data({**head, "choices": [choice], **more})

        yield chunk({"role": "assistant", "content": ""})
        try:
            async for piece in talk.stream(turn):
                if isinstance(piece, Reply):
                    yield chunk({}, "stop", **{MODEL: await self._desk.run(self._noted, piece)})
                    if usage:
                        yield _data({**head, "choices": [], "usage": self._usage(piece)})
                else:
                    yield chunk({"content": piece}) if piece else b": at it\n\n"
        except Exception as error:  # noqa: BLE001  (the status is sent; what follows can only be told in the stream)
            yield _data(_fault(problem_of(error)))
        yield b"data: [DONE]\n\n"

    def _noted(self, reply: Reply) -> dict[str, Any]:
        self._histories.note(self._caller, [*self._behind, ("assistant", said(reply.text))], reply.turn.conversation)
        return document_of(self._desk, reply, staff=self._staff)

    def _usage(self, reply: Reply) -> dict[str, int]:
        """Words of the shop's own analysis, Chinese ones cut apart."""
        asked, answered = sum(len(words(text)) for _, text in self._behind), len(words(reply.text))
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _turn(body: CompletionIn, histories: Histories, caller: str) -> tuple[Turn, list[tuple[str, str]]]:
    """The turn, and all messages up to it as (role, text)."""
    last = next((place for place, one in reversed(list(enumerate(body.messages))) if one.role == "user"), None)
    text = "" if last is None else body.messages[last].text
    if last is None or not text:
        raise InputError("No message of the user says anything.", where="messages", cure="Send one with role 'user'.")
    if len(text) > LONGEST:
        raise InputError(
            f"The message is longer than {LONGEST} characters.", where="messages", cure="Say it in fewer words."
        )
    behind: list[tuple[str, str]] = [
        (one.role, one.text) for one in body.messages[: last + 1] if one.role in ("user", "assistant")
    ]
    known = (body.metadata or {}).get("conversation", "")[:200] or histories.take(caller, behind[:-1])
    turn = Turn(text=text, customer=body.user)
    return (replace(turn, conversation=known) if known else turn), behind


def _admitted(desk: Desk, talk: Talk, turn: Turn, body: CompletionIn) -> None:
    """Let the turn in; what the customer said before goes into the memory of a conversation that has none."""
    talk.admit(turn)
    users = [one.text[:LONGEST] for one in body.messages if one.role == "user" and one.text][:-1][-_EARLIER:]
    if not users or talk.transcript(turn.conversation).passages:
        return
    desk.shop.store.words.put(
        Passage(
            id=f"{turn.id}-{place}",
            kind=PassageKind.DIALOGUE,
            text=text,
            customer=turn.customer,
            thread=turn.conversation,
            author=CUSTOMER,
            time=turn.time - timedelta(milliseconds=len(users) - place),
            source=SOURCE,
        )
        for place, text in enumerate(users)
    )


def _head(turn: Turn, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{turn.id}", "object": kind, "created": int(time.time()), "model": MODEL}


def _data(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _fault(problem: Problem) -> dict[str, Any]:
    kind = _TYPES.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    told = {"message": f"{problem.what} {problem.cure}".strip(), "type": kind, "param": problem.where or None}
    return {"error": {**told, "code": problem.status}}


def _digest(caller: str, messages: Sequence[tuple[str, str]]) -> bytes:
    return hashlib.sha256(orjson.dumps([caller, list(messages)])).digest()
