"""What travels over HTTP between a customer and the assistant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from shopkeeper.records import Hit, Item, Passage
from shopkeeper.serving.schemas import Id, OptionalId, Strict
from shopkeeper.serving.talk import LONGEST
from shopkeeper.tasks.assist.memory import Transcript, kept
from shopkeeper.tasks.assist.turns import Reply, Turn

_WEB = ("https://", "http://")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def said(text: str) -> str:
    """A message as it is read: control characters become spaces, lines stay."""
    return _CONTROL.sub(" ", text).strip()


Message = Annotated[str, Field(max_length=LONGEST), AfterValidator(said)]


class AssistIn(Strict):
    """What somebody says to the assistant."""

    message: Message = ""
    conversation: OptionalId = Field(default="", description="Of the reply before; a new one begins when left out.")
    customer: OptionalId = Field(default="", description="Whose orders may be spoken of. Needs the scope events.")
    session: OptionalId = ""
    item: OptionalId = Field(default="", description="The product page that is open.")
    language: Literal["", "en", "zh"] = Field(default="", description="Of the reply; the message's when left out.")
    confirm: OptionalId = Field(default="", description="Id of the proposal that the customer says yes to.")
    stream: bool = Field(default=False, description="Server-sent events: text, then reply.")

    @model_validator(mode="after")
    def _says_something(self) -> AssistIn:
        if not self.message and not self.confirm:
            raise PydanticCustomError("empty", "Nothing was said.", {"cure": "Send 'message'."})
        return self

    def record(self) -> Turn:
        """The turn that this describes."""
        turn = Turn(
            text=self.message,
            customer=self.customer,
            session=self.session,
            item=self.item,
            language=self.language,
            confirm=self.confirm,
        )
        return replace(turn, conversation=self.conversation) if self.conversation else turn


class RatingIn(Strict):
    """Was a reply good?"""

    reply: Id
    up: bool
    correction: Message = Field(default="", description="What should have been said.")


class IntentOut(BaseModel):
    """Something that was wanted, and how likely."""

    name: str
    probability: float


class MentionOut(BaseModel):
    """A thing that was named in the message, at characters start to end."""

    kind: str
    text: str
    start: int
    end: int
    value: str


class CitationOut(BaseModel):
    """What the reply rests on, and the words quoted."""

    source: str
    id: str
    title: str
    text: str


class CardOut(BaseModel):
    """A product that is recommended."""

    item: str
    title: str
    price: float | None
    currency: str
    link: str
    image: str
    reasons: list[str]


class ProposalOut(BaseModel):
    """What would be done to an order after a yes; send its id as `confirm`."""

    id: str
    tool: str
    order: str
    text: str


class ReplyOut(BaseModel):
    """What the assistant says. `summary` is for staff: it is there for keys with the scope admin only."""

    id: str
    conversation: str
    turn: str
    text: str
    kind: str
    language: str
    intents: list[IntentOut]
    sentiment: float
    urgency: float
    mentions: list[MentionOut]
    citations: list[CitationOut]
    products: list[CardOut]
    proposal: ProposalOut | None
    phrased: bool
    model: str
    seconds: float
    summary: str | None = None


class LineOut(BaseModel):
    """One passage of a conversation."""

    id: str
    author: Literal["customer", "assistant", "staff"]
    text: str
    time: datetime | None
    language: str
    kind: str = ""
    intents: list[tuple[str, float]] = []
    sentiment: float = 0.0
    citations: list[CitationOut] = []


class TranscriptOut(BaseModel):
    """The last turns of a conversation, oldest first."""

    conversation: str
    with_human: bool
    turns: list[LineOut]


class NotedOut(BaseModel):
    """That it was written down."""

    noted: bool = True


def reply_document(reply: Reply, items: Mapping[str, Item], *, staff: bool = False) -> dict[str, Any]:
    """A reply as JSON values; `items` holds what is recommended."""
    document = {
        "id": reply.id,
        "conversation": reply.turn.conversation,
        "turn": reply.turn.id,
        "text": reply.text,
        "kind": reply.kind,
        "language": reply.language,
        "intents": [{"name": name, "probability": float(sure)} for name, sure in reply.intents],
        "sentiment": float(reply.sentiment),
        "urgency": float(reply.urgency),
        "mentions": [asdict(one) for one in reply.mentions],
        "citations": [asdict(one) for one in reply.citations],
        "products": [card(items[hit.item], hit, reply.language) for hit in reply.hits if hit.item in items],
        "proposal": asdict(reply.proposal) if reply.proposal else None,
        "phrased": reply.phrased,
        "model": reply.model,
        "seconds": round(reply.seconds, 6),
    }
    return {**document, "summary": reply.summary} if staff else document


def card(item: Item, hit: Hit, language: str) -> dict[str, Any]:
    """A recommended product as JSON values; its link is the shop's own page where the item has none."""
    texts = (reason.text.get(language) or reason.text.get("en", "") for reason in hit.reasons)
    return {
        "item": item.id,
        "title": item.title,
        "price": item.price,
        "currency": item.currency,
        "link": item.link if item.link.startswith(_WEB) else f"/p/{quote(item.id, safe='')}",
        "image": item.images[0] if item.images else "",
        "reasons": [text for text in texts if text],
    }


def transcript_document(conversation: str, found: Transcript) -> dict[str, Any]:
    """A conversation as JSON values."""
    return {
        "conversation": conversation,
        "with_human": bool(found.memory.desk),
        "turns": [line(passage) for passage in found.passages],
    }


def line(passage: Passage) -> dict[str, Any]:
    """One passage as JSON values, with what the reply was and rested on."""
    known = kept(passage)
    reply = known.reply if known else {}
    return {
        "id": passage.id,
        "author": passage.author,
        "text": passage.text,
        "time": passage.time.isoformat() if passage.time else None,
        "language": passage.language,
        **{name: reply[name] for name in ("kind", "intents", "sentiment", "citations") if name in reply},
    }
