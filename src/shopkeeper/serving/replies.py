"""What the API sends back: plain documents for the hot path, and their shapes for OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from shopkeeper.records import Answer, Hit, Item
from shopkeeper.serving.schemas import ItemDoc


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
