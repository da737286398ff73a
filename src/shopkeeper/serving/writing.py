"""Copy through /v1: written, asked about, decided, shown and compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request

from shopkeeper.errors import NotFoundError
from shopkeeper.evaluation.copy_report import copy_reports
from shopkeeper.records import Decision, now
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.replies import Json
from shopkeeper.serving.writing_schemas import (
    CopyReportsOut,
    DecideIn,
    DecisionOut,
    DecisionsOut,
    KindName,
    Language,
    PublishedAllOut,
    WriteIn,
    WrittenAllOut,
    decision_document,
    published_document,
    report_document,
    written_document,
)
from shopkeeper.tasks.write.desk import CopyDesk, stamp

router = APIRouter(prefix="/v1", tags=["writing"])

_WRITE = {
    "ad": {
        "summary": "Advertisements",
        "value": {"kind": "ad", "items": ["sku-100"], "tone": "brisk", "candidates": 3},
    },
    "title": {"summary": "标题", "value": {"kind": "title", "items": ["sku-7"], "language": "zh"}},
}
_DECIDE = {
    "approve": {"summary": "Publish", "value": {"subject": "sku-100/ad/en/0a1b2c3d4e5f", "decision": "approve"}},
    "edit": {
        "summary": "Publish other words",
        "value": {"subject": "sku-100/title/en/0a1b2c3d4e5f", "decision": "edit", "text": "Steel kettle, 1.7 litres"},
    },
}


@router.post("/write", dependencies=needs(Scope.ADMIN), responses={200: {"model": WrittenAllOut}}, summary="Write copy")
async def write_copy(request: Request, body: Annotated[WriteIn, Body(openapi_examples=_WRITE)]) -> Json:
    """Candidates for up to 50 items, checked and ranked. What may be published waits for a human; the rest says why not."""
    desk = desk_of(request)
    return await desk.run(_write, desk, body)


@router.get(
    "/copy", dependencies=needs(Scope.ADMIN), responses={200: {"model": DecisionsOut}}, summary="Copy that waits"
)
async def list_copy(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
    state: Annotated[str, Query(pattern="^(waiting|withdrawn)$")] = "waiting",
) -> Json:
    """Copies that wait for a human, the best first; or published ones that were withdrawn because they no longer hold."""
    desk = desk_of(request)
    return await desk.run(_listed, desk, limit, state)


@router.post(
    "/copy/decide",
    dependencies=needs(Scope.ADMIN),
    responses={200: {"model": DecisionOut}},
    summary="Decide about copy",
)
async def decide_copy(request: Request, body: Annotated[DecideIn, Body(openapi_examples=_DECIDE)]) -> Json:
    """Publish a copy, publish other words in its place, refuse it, or take it back."""
    desk, actor = desk_of(request), actor_of(request)
    return await desk.run(_decided, desk, body, actor)


@router.get(
    "/copy/report", dependencies=needs(Scope.ADMIN), responses={200: {"model": CopyReportsOut}}, summary="Compare copy"
)
async def report_copy(request: Request, days: Annotated[float, Query(gt=0, le=365)] = 30) -> Json:
    """How the variants of each text did in the last days: visitors, clicks and orders, with intervals."""
    desk = desk_of(request)
    start = now() - timedelta(days=days)
    return await desk.run(
        lambda: Json({"reports": [report_document(one) for one in copy_reports(desk.shop.store.events, start)]})
    )


@router.get(
    "/copy/{item:path}",
    dependencies=needs(Scope.READ),
    responses={200: {"model": PublishedAllOut}},
    summary="Published copy",
)
async def published_copy(
    request: Request,
    item: str,
    kind: KindName = "description",
    language: Language = "",
    who: Annotated[str, Query(max_length=200, description="Customer or session; keeps its variant.")] = "",
    segment: Annotated[str, Query(max_length=60)] = "",
) -> Json:
    """The approved text of an item for a visitor, and all variants in force."""
    desk = desk_of(request)
    return await desk.run(_published, desk, item, kind, language, who, segment)


def decide(copies: CopyDesk, subject: str, decision: str, text: str, actor: str) -> Decision:
    """Do what a human decided: ``approve``, ``edit``, ``refuse`` or ``unapprove``."""
    if decision == "edit":
        return copies.edit(subject, text, actor)
    if decision == "approve":
        return copies.approve(subject, actor)
    return copies.refuse(subject, actor) if decision == "refuse" else copies.unapprove(subject, actor)


def _write(desk: Desk, body: WriteIn) -> Json:
    task = desk.shop.pen
    written = task.write(body.brief(), body.items)
    new = task.desk.propose(copy for one in written for copy in one.copies) if body.propose else 0
    return Json({"written": [written_document(one) for one in written], "proposed": new})


def _decided(desk: Desk, body: DecideIn, actor: str) -> Json:
    return Json(decision_document(decide(desk.shop.pen.desk, body.subject, body.decision, body.text, actor)))


def _listed(desk: Desk, limit: int, state: str) -> Json:
    copies = desk.shop.pen.desk
    found = copies.withdrawn()[:limit] if state == "withdrawn" else copies.queue(limit)
    return Json({"copies": [decision_document(one) for one in found]})


def _published(desk: Desk, name: str, kind: str, language: str, who: str, segment: str) -> Json:
    row = desk.shop.shelf.row(name)
    item = desk.shop.shelf.items[row] if row is not None else None
    if item is None or item.hidden:
        raise NotFoundError("There is no such item.", where="item", cure="Use an id of the catalogue.")
    task = desk.shop.pen
    spoken = language or task.facts(item).language
    chosen = task.desk.shown(name, kind, spoken, who, segment)
    variants = task.desk.published(name, kind, spoken, segment)
    return Json(
        {
            "item": name,
            "chosen": published_document(chosen, stamp([chosen])) if chosen else None,
            "variants": [published_document(one, stamp([one])) for one in variants],
        }
    )
