"""The assistant as a chat model: the endpoints that clients of OpenAI's chat completions call.

Shapes after https://platform.openai.com/docs/api-reference/chat; what steers sampling is accepted and ignored.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

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
_KNOWN = 50_000  # histories, also those that somebody went on with
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}

Messages = Sequence[tuple[str, str]]
"""Role and text of each."""
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


class Caller(NamedTuple):
    """Who comes with a history: whose key it is, and for which customer they speak, if for any."""

    key: str
    customer: str


class _Led(NamedTuple):
    """What a history led to: no conversation where it was several, and none that is free where somebody went on with it."""

    conversation: str
    free: bool


class Histories:
    """Which conversation a client's history belongs to, in memory. Any number of threads.

    Clients send all messages again each time and no conversation. A history that ends as one of our replies left it goes on
    with that conversation; it is taken by the first who comes with it. Who speaks for no customer is a stranger, and two
    strangers with the same words never share a conversation: what two of them were led to with the same words belongs to
    neither, even where one has gone on already and may come back to change what was said last. A customer has but their own
    conversations, of which the latest goes on.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, _Led] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, caller: Caller, messages: Messages) -> str:
        """The conversation that these messages led to so far, or empty; it can be taken."""
        with self._lock:
            led = self._known.get(_digest(caller, messages))
            return led.conversation if led is not None and led.free else ""

    def take(self, caller: Caller, messages: Messages, conversation: str) -> bool:
        """Go on with what `find` found; False where somebody was faster."""
        return self._set(caller, messages, conversation, free=False)

    def give_back(self, caller: Caller, messages: Messages, conversation: str) -> None:
        """Let what was taken be found again: nothing was answered."""
        self._set(caller, messages, conversation, free=True)

    def note(self, caller: Caller, messages: Messages, conversation: str) -> None:
        """Remember what a conversation has come to."""
        digest = _digest(caller, messages)
        with self._lock:
            before = self._known.pop(digest, None)
            shared = before is not None and before.conversation != conversation and not caller.customer
            self._known[digest] = _Led("", free=False) if shared else _Led(conversation, free=True)
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)

    def _set(self, caller: Caller, messages: Messages, conversation: str, *, free: bool) -> bool:
        digest = _digest(caller, messages)
        with self._lock:
            due = self._known.get(digest) == _Led(conversation, free=not free)
            if due:
                self._known[digest] = _Led(conversation, free=free)
            return due


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
    caller = Caller(actor_of(request), body.user)
    text, behind = _asked(body)
    answered = _Answered(desk, histories, caller, behind, staff=covers(request, Scope.ADMIN))
    turn = await desk.run(answered.begin, talk, Turn(text=text, customer=body.user), body)
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        events = answered.events(talk, turn, usage=usage)
        return StreamingResponse(events, headers=UNBUFFERED, media_type=STREAM)
    try:
        reply = await talk.answer(turn)
        return Json(await desk.run(answered.whole, reply))
    finally:
        answered.end(turn)


class _Answered:
    """A turn let in, and its reply in the shapes of chat completions."""

    def __init__(self, desk: Desk, histories: Histories, caller: Caller, behind: Messages, *, staff: bool) -> None:
        self._desk, self._histories, self._caller, self._behind, self._staff = desk, histories, caller, behind, staff
        self._done = False

    def begin(self, talk: Talk, turn: Turn, body: CompletionIn) -> Turn:
        """Let the turn in; what the customer said before goes into the memory of a conversation that has none."""
        named = (body.metadata or {}).get("conversation", "")[:200]
        known = named or self._histories.find(self._caller, self._behind[:-1])
        begun = replace(turn, conversation=known) if known else turn
        talk.admit(begun)
        if known and not named and not self._histories.take(self._caller, self._behind[:-1], known):
            begun = turn
            talk.admit(begun)
        try:
            _remember(self._desk, talk, begun, body)
        except Exception:
            self.end(begun)
            raise
        return begun

    def end(self, turn: Turn) -> None:
        """Where nothing was answered, let the same history go on with the same conversation once more."""
        if not self._done:
            self._histories.give_back(self._caller, self._behind[:-1], turn.conversation)

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

        try:
            yield chunk({"role": "assistant", "content": ""})
            async for piece in talk.stream(turn):
                if isinstance(piece, Reply):
                    yield chunk({}, "stop", **{MODEL: await self._desk.run(self._noted, piece)})
                    if usage:
                        yield _data({**head, "choices": [], "usage": self._usage(piece)})
                else:
                    yield chunk({"content": piece}) if piece else b": at it\n\n"
        except Exception as error:  # noqa: BLE001  (the status is sent; what follows can only be told in the stream)
            yield _data(_fault(problem_of(error)))
        finally:
            self.end(turn)  # also where the listener has gone away
        yield b"data: [DONE]\n\n"

    def _noted(self, reply: Reply) -> dict[str, Any]:
        document = document_of(self._desk, reply, staff=self._staff)
        self._histories.note(self._caller, [*self._behind, ("assistant", said(reply.text))], reply.turn.conversation)
        self._done = True
        return document

    def _usage(self, reply: Reply) -> dict[str, int]:
        """Words of the shop's own analysis, Chinese ones cut apart."""
        asked, answered = sum(len(words(text)) for _, text in self._behind), len(words(reply.text))
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _asked(body: CompletionIn) -> tuple[str, list[tuple[str, str]]]:
    """What the turn says, and all messages up to it as (role, text)."""
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
    return text, behind


def _remember(desk: Desk, talk: Talk, turn: Turn, body: CompletionIn) -> None:
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


def _digest(caller: Caller, messages: Messages) -> bytes:
    return hashlib.sha256(orjson.dumps([list(caller), list(messages)])).digest()
