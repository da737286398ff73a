"""Texts sorted through /v1: a live classifier under the limits of the shop's domain."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import needs
from shopkeeper.serving.replies import Json
from shopkeeper.serving.schemas import Long, Strict
from shopkeeper.tasks.classify import MOST_TEXTS, Classified

router = APIRouter(prefix="/v1", tags=["classify"])

_TASK = r"^[a-z][a-z0-9_-]{0,63}$"
_EXAMPLES = {
    "triage": {
        "summary": "Which department?",
        "value": {"task": "department", "texts": ["高血压患者能吃党参吗？"], "similar": 3},
    }
}


class ClassifyIn(Strict):
    """Texts to be sorted by one question."""

    task: Annotated[str, Field(pattern=_TASK, description="The classifier, e.g. department, sentiment.")]
    texts: list[Long] = Field(min_length=1, max_length=MOST_TEXTS)
    similar: Annotated[int, Field(ge=0, le=20, description="Similar texts asked before, with each.")] = 0
    ask: Annotated[bool, Field(description="Put what a human must decide into the review queue.")] = False


class ChoiceOut(BaseModel):
    """An answer and its probability."""

    label: str
    title: dict[str, str]
    probability: float


class HeldOut(BaseModel):
    """A rule of the domain that holds: what to say, and the words that called for it."""

    kind: str
    text: dict[str, str]
    word: str
    start: int
    end: int


class SimilarOut(BaseModel):
    """A text asked before; `reply` is empty where the domain lets none be shown."""

    id: str
    text: str
    label: str
    reply: str
    score: float


class ClassifiedOut(BaseModel):
    """How a text was sorted; `human`: the label is only a proposal. Rules and notice are to be shown to whoever reads it."""

    label: str
    title: dict[str, str]
    probability: float
    others: list[ChoiceOut]
    human: bool
    rules: list[HeldOut]
    notice: dict[str, str]
    due: str | None
    similar: list[SimilarOut]


class ClassifyOut(BaseModel):
    """All texts, in the order they were sent; `asked` is how many are new in the review queue."""

    task: str
    model: str
    asked: int
    texts: list[ClassifiedOut]


@router.post(
    "/classify", responses={200: {"model": ClassifyOut}}, dependencies=needs(Scope.EVENTS), summary="Sort texts"
)
async def classify(request: Request, body: Annotated[ClassifyIn, Body(openapi_examples=_EXAMPLES)]) -> Json:
    """Name the class of each text, what the domain says about it, and whether a human must decide."""
    desk = desk_of(request)
    return await desk.run(lambda: Json(_classified(desk, body)))


def _classified(desk: Desk, body: ClassifyIn) -> dict[str, Any]:
    task = desk.shop.classify
    found = task.answer(body.task, body.texts, similar=body.similar)
    asked = task.ask(found).added if body.ask else 0
    texts = [classified_document(one) for one in found]
    return {"task": body.task, "model": found[0].model, "asked": asked, "texts": texts}


def classified_document(found: Classified) -> dict[str, Any]:
    """A sorted text as JSON values."""
    return {
        "label": found.label,
        "title": dict(found.title),
        "probability": found.probability,
        "others": [
            {"label": one.label, "title": dict(one.title), "probability": one.probability} for one in found.others
        ],
        "human": found.human,
        "rules": [
            {
                "kind": held.rule.kind,
                "text": dict(held.rule.text),
                "word": held.word,
                "start": held.start,
                "end": held.end,
            }
            for held in found.held
        ],
        "notice": dict(found.notice),
        "due": found.due.isoformat() if found.due else None,
        "similar": [
            {"id": one.id, "text": one.text, "label": one.label, "reply": one.reply, "score": one.score}
            for one in found.similar
        ],
    }
