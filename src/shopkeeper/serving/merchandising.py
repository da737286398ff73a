"""Merchandising rules through /v1: read, write, try out, and who changed what. All of it needs the scope admin."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request

from shopkeeper import records
from shopkeeper.ranking.rules import Rulebook, situation_of
from shopkeeper.retrieval.analysis import terms
from shopkeeper.serving.api import desk_of
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.gate import actor_of, needs
from shopkeeper.serving.replies import ChangesOut, Json
from shopkeeper.serving.rule_schemas import PreviewIn, PreviewOut, RuleChangesOut, RulesIn, RulesOut
from shopkeeper.serving.schemas import Id, OptionalId, aware
from shopkeeper.store.merchandising import Rule, check_rule
from shopkeeper.store.protocols import Changes
from shopkeeper.store.rules import change_document, rule_document
from shopkeeper.tasks.shop import Shop

router = APIRouter(prefix="/v1/rules", tags=["merchandising"], dependencies=needs(Scope.ADMIN))

_CANDIDATES = 1_000
"""Hits of a search that a preview looks at."""
_RULES = {
    "two": {
        "summary": "A campaign and a redirect",
        "value": {
            "rules": [
                {
                    "id": "singles-day",
                    "name": "Singles' Day: kettles",
                    "when": {"contains": ["kettle", "水壶"], "start": "2026-11-11T00:00:00+08:00"},
                    "then": {
                        "pins": [{"item": "sku-100", "position": 1}],
                        "boosts": [{"filters": {"brands": ["Bosch"]}, "factor": 1.5}],
                        "banner": {
                            "text": {"zh": "双十一，水壶八折", "en": "Kettles 20 % off today"},
                            "link": "/search?q=kettle",
                        },
                    },
                    "priority": 10,
                },
                {
                    "id": "returns",
                    "name": "Returns",
                    "when": {"exact": ["returns", "退货"]},
                    "then": {"redirect": "/help/returns"},
                },
            ]
        },
    }
}
_PREVIEW = {
    "draft": {
        "summary": "An unsaved rule on a future day",
        "value": {
            "query": "kettle",
            "time": "2026-11-11T10:00:00+08:00",
            "rules": [
                {
                    "id": "draft",
                    "name": "Draft",
                    "when": {"contains": ["kettle"]},
                    "then": {"hide": ["sku-7"]},
                }
            ],
        },
    }
}


@router.get("", responses={200: {"model": RulesOut}}, summary="All rules")
async def list_rules(request: Request) -> Json:
    """All rules by id, and the number of the last change."""
    rules = desk_of(request).shop.store.rules
    version = await desk_of(request).run(lambda: rules.version)
    found = await desk_of(request).run(lambda: [rule_document(rule) for rule in rules.scan()])
    return Json({"rules": found, "version": version})


@router.put("", responses={200: {"model": ChangesOut}}, summary="Add or replace rules")
async def put_rules(request: Request, body: Annotated[RulesIn, Body(openapi_examples=_RULES)]) -> Json:
    """Write up to 1,000 rules by id, all or none; they hold when this returns. Equal ones are left alone."""
    desk = desk_of(request)
    changes = await desk.run(desk.shop.store.rules.put, body.records(), actor_of(request))
    await desk.run(desk.shop.refresh)
    return Json(_counts(changes))


@router.delete("", responses={200: {"model": ChangesOut}}, summary="Remove rules")
async def delete_rules(request: Request, identifiers: Annotated[list[Id], Query(alias="id", max_length=200)]) -> Json:
    """Remove rules by id; ids that are not there count as unchanged. The changes remember what they were."""
    desk = desk_of(request)
    changes = await desk.run(desk.shop.store.rules.remove, identifiers, actor_of(request))
    await desk.run(desk.shop.refresh)
    return Json(_counts(changes))


@router.get("/changes", responses={200: {"model": RuleChangesOut}}, summary="Who changed what")
async def list_changes(
    request: Request,
    rule: Annotated[OptionalId, Query(description="Only changes of this rule.")] = "",
    before: Annotated[int | None, Query(ge=1, le=2**62, description="Only those with a lower number.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Json:
    """Every write to the rules with who, when, before and after, newest first."""
    desk = desk_of(request)
    found = await desk.run(desk.shop.store.rules.changes, before, limit, rule)
    return Json({"changes": [change_document(change) for change in found]})


@router.post("/preview", responses={200: {"model": PreviewOut}}, summary="Try rules out")
async def preview_rules(request: Request, body: Annotated[PreviewIn, Body(openapi_examples=_PREVIEW)]) -> Json:
    """What a search would show at a moment, with saved and unsaved rules; nothing is saved and nothing logged."""
    desk = desk_of(request)
    drafts = RulesIn(rules=body.rules).records() if body.rules else []
    return Json(await desk.run(_preview, desk.shop, body, drafts))


def _preview(shop: Shop, body: PreviewIn, drafts: list[Rule]) -> dict[str, Any]:
    rules = {rule.id: rule for rule in (shop.store.rules.scan() if body.saved else ())}
    rules.update((rule.id, check_rule(rule)) for rule in drafts)
    book = Rulebook(rules.values(), terms)
    asked = records.Request(
        query=body.query,
        filters=body.filters.record(),
        sort=body.sort,
        language=body.language,
        customer=body.customer,
        limit=_CANDIDATES,
        time=aware(body.time) or records.now(),
    )
    ruled = shop.preview(asked, book)
    plain = shop.preview(asked, Rulebook((), terms))
    customer = shop.store.customers.get([body.customer]).get(body.customer) if body.customer else None
    situation = situation_of(asked, customer)
    place = {hit.item: number for number, hit in enumerate(plain.hits, start=1)}
    return {
        "query": book.query(situation),
        "fired": [{"id": rule.id, "name": rule.name} for rule in book.firing(situation)],
        "redirect": ruled.redirect,
        "banner": {"text": ruled.banner.text, "link": ruled.banner.link} if ruled.banner else None,
        "hits": [
            {"item": hit.item, "score": hit.score, "pinned": hit.item in ruled.pinned, "before": place.get(hit.item)}
            for hit in ruled.hits[: body.limit]
        ],
        "total": ruled.total,
    }


def _counts(changes: Changes) -> dict[str, int]:
    return {name: getattr(changes, name) for name in ChangesOut.model_fields}
