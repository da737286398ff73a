"""What the API sends back: plain documents for the hot path, and their shapes for OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from shopkeeper.errors import InputError
from shopkeeper.records import Answer, Hit, Item
from shopkeeper.serving.schemas import ItemDoc
from shopkeeper.store.protocols import Changes


class Json(Response):
    """A JSON answer made by orjson."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """`content` as UTF-8 JSON."""
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


class ReasonOut(BaseModel):
    """Why a hit is there."""

    kind: str
    evidence: list[str]
    text: dict[str, str]


class HitOut(BaseModel):
    """One item of an answer, best first."""

    item: str
    score: float
    propensity: float
    reasons: list[ReasonOut]
    contributions: dict[str, float]
    details: ItemDoc | None = None


class AnswerOut(BaseModel):
    """What the shop answers."""

    request: str
    hits: list[HitOut]
    total: int
    offset: int
    model: str
    facets: dict[str, dict[str, int]]
    seconds: float


class ChangesOut(BaseModel):
    """What a write did."""

    added: int
    updated: int
    unchanged: int
    removed: int


def changes_document(changes: Changes) -> dict[str, int]:
    """What a write did, as `ChangesOut`."""
    return {name: getattr(changes, name) for name in ChangesOut.model_fields}


def rows_of(body: bytes, name: str, limit: int, more: str) -> list[object]:
    """The records of a batch: a list, or an object that holds it under `name`.

    Args:
        body: JSON.
        name: What they are called.
        limit: How many may come at once.
        more: What to do with more.

    Raises:
        InputError: It is no such list, or too long.
    """
    cure = f'Send {{"{name}": [...]}}.'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error}.", where="body", cure=cure) from None
    rows = document.get(name) if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise InputError(f"There is no list of {name}.", where=f"body.{name}", cure=cure)
    if len(rows) > limit:
        message = f"{len(rows)} {name} are more than the {limit} of one batch."
        raise InputError(message, where=f"body.{name}", cure=more)
    return rows


class RejectedOut(BaseModel):
    """One event that was not accepted."""

    index: int
    what: str
    where: str
    cure: str


class EventsOut(BaseModel):
    """What happened to a batch of events; what counts as accepted is on disk."""

    accepted: int
    repeated: int
    rejected: list[RejectedOut]


class ProblemOut(BaseModel):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    where: str
    cure: str
    errors: list[dict[str, str]] = []


class StateOut(BaseModel):
    """How the server is."""

    status: str
    items: int | None = None
    version: str | None = None
    model: str | None = None


def answer_document(answer: Answer, items: Mapping[str, Item] | None = None) -> dict[str, Any]:
    """An answer as JSON values; `items` are put beside the hits when given."""
    return {
        "request": answer.request.id,
        "hits": [_hit(hit, items) for hit in answer.hits],
        "total": answer.total,
        "offset": answer.request.offset,
        "model": answer.model,
        "facets": answer.facets,
        "seconds": round(answer.seconds, 6),
    }


def item_document(item: Item) -> dict[str, Any]:
    """An item as JSON values."""
    return {name: _plain(getattr(item, name)) for name in ItemDoc.model_fields}


def _hit(hit: Hit, items: Mapping[str, Item] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "item": hit.item,
        "score": hit.score,
        "propensity": hit.propensity,
        "reasons": [
            {"kind": reason.kind, "evidence": list(reason.evidence), "text": dict(reason.text)}
            for reason in hit.reasons
        ],
        "contributions": dict(hit.contributions),
    }
    if items is not None and hit.item in items:
        document["details"] = item_document(items[hit.item])
    return document


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value
