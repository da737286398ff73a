"""The questions of /v1: search, suggest, recommend, similar, home, bundle."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from shopkeeper import records
from shopkeeper.errors import NotFoundError
from shopkeeper.serving.ad_schemas import ads_document
from shopkeeper.serving.auth import Scope
from shopkeeper.serving.desk import Desk
from shopkeeper.serving.gate import needs
from shopkeeper.serving.home_schemas import BundleIn, HomeIn, HomeOut
from shopkeeper.serving.problems import request_id_of
from shopkeeper.serving.replies import AnswerOut, Json, answer_document
from shopkeeper.serving.schemas import (
    RecommendIn,
    SearchIn,
    SearchQuery,
    SimilarIn,
    SimilarQuery,
    SuggestQuery,
    request_record,
)
from shopkeeper.serving.search_replies import SearchOut, SuggestOut, search_document, suggest_document
from shopkeeper.tasks.advertise.answers import AdAnswer
from shopkeeper.tasks.search.answers import SearchAnswer

router = APIRouter(prefix="/v1", tags=["answers"], dependencies=needs(Scope.READ))

_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "model": AnswerOut,
        "content": {
            "application/json": {
                "example": {
                    "request": "6f1c0e1b7f0d4f0aa6f7a7e7f2f3c111",
                    "hits": [
                        {
                            "item": "sku-100",
                            "score": 0.93,
                            "propensity": 1.0,
                            "reasons": [{"kind": "query", "evidence": ["kettle"], "text": {"en": "Matches “kettle”"}}],
                            "contributions": {"lexical": 0.6, "vectors": 0.33},
                        }
                    ],
                    "total": 1,
                    "offset": 0,
                    "model": "shop-1",
                    "facets": {"brand": {"Bosch": 1}},
                    "seconds": 0.004,
                }
            }
        },
    }
}
_FOUND: dict[int | str, dict[str, Any]] = {200: {"model": SearchOut}}
_SEARCH = {
    "words": {"summary": "Words", "value": {"query": "electric kettle", "limit": 10}},
    "filters": {
        "summary": "Words and filters",
        "value": {
            "query": "电热水壶",
            "filters": {"brands": ["Bosch"], "categories": ["Kitchen > Kettles"], "price_max": 60},
            "sort": "price_asc",
            "session": "s-1",
            "explain": True,
        },
    },
}
_RECOMMEND = {
    "customer": {"summary": "For a customer", "value": {"customer": "c-17", "session": "s-1", "limit": 12}},
    "basket": {"summary": "For a basket", "value": {"session": "s-1", "items": ["sku-100", "sku-7"]}},
}
_HOME = {
    "customer": {
        "summary": "For a customer",
        "value": {"customer": "c-17", "session": "s-1", "language": "en", "limit": 8},
    }
}
_BUNDLE = {"item": {"summary": "With this one", "value": {"item": "sku-100", "session": "s-1", "limit": 3}}}
_SIMILAR = {"item": {"summary": "Like this one", "value": {"item": "sku-100", "limit": 8}}}


def desk_of(request: Request) -> Desk:
    """The desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk


@router.get("/search", responses=_FOUND, summary="Search by address")
async def search_by_address(request: Request, asked: Annotated[SearchQuery, Query()]) -> Json:
    """Full-text and meaning search with filters, facets, sorting and paging. An empty query browses."""
    try:
        body = asked.body()
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
        ) from error
    return await _search(request, body)


@router.post("/search", responses=_FOUND, summary="Search by body")
async def search_by_body(request: Request, body: Annotated[SearchIn, Body(openapi_examples=_SEARCH)]) -> Json:
    """The same search, for long queries and many filters."""
    return await _search(request, body)


@router.get("/suggest", responses={200: {"model": SuggestOut}}, summary="Autocomplete")
async def suggest(request: Request, asked: Annotated[SuggestQuery, Query()]) -> Json:
    """Queries, products, categories and brands that somebody who types may be on the way to; a customer's own come first."""
    desk = desk_of(request)
    return await desk.run(
        lambda: Json(suggest_document(desk.shop.suggest(asked.q, customer=asked.customer, most=asked.limit)))
    )


@router.post("/recommend", responses=_ANSWER, summary="Recommend")
async def recommend(request: Request, body: Annotated[RecommendIn, Body(openapi_examples=_RECOMMEND)]) -> Json:
    """Items for a customer, a session or a basket; what is popular and new for somebody unknown."""
    desk = desk_of(request)
    limit = desk.shop.settings.recommend.limit
    asked = request_record(body, limit, request_id_of(request))
    return await desk.run(lambda: _document(desk, desk.recommend(asked), details=body.details))


@router.get("/similar", responses=_ANSWER, summary="Similar items by address")
async def similar_by_address(request: Request, asked: Annotated[SimilarQuery, Query()]) -> Json:
    """Items like one item."""
    return await _similar(request, SimilarIn(**asked.model_dump()))


@router.post("/similar", responses=_ANSWER, summary="Similar items by body")
async def similar_by_body(request: Request, body: Annotated[SimilarIn, Body(openapi_examples=_SIMILAR)]) -> Json:
    """Items like one item, with filters."""
    return await _similar(request, body)


@router.post("/bundle", responses=_ANSWER, summary="What goes with it")
async def bundle(request: Request, body: Annotated[BundleIn, Body(openapi_examples=_BUNDLE)]) -> Json:
    """Items that complete one item, best first: what is bought with it, not what could be bought instead."""
    desk = desk_of(request)
    _known(desk, body.item)
    asked = request_record(body, desk.shop.settings.recommend.limit, request_id_of(request))
    return await desk.run(lambda: _document(desk, desk.bundle(asked), details=body.details))


@router.post("/home", responses={200: {"model": HomeOut}}, summary="Home page")
async def home(request: Request, body: Annotated[HomeIn, Body(openapi_examples=_HOME)]) -> Json:
    """The home page as shelves for one visitor: what they left, what is for them, what is popular, new or due again.

    No item stands on it twice. Each shelf is an answer with a `request` of its own, to be sent back with clicks on it.
    """
    desk = desk_of(request)
    asked = body.record(desk.shop.settings.recommend.limit, request_id_of(request))
    return await desk.run(lambda: _shelves(desk, asked, details=body.details))


async def _search(request: Request, body: SearchIn) -> Json:
    desk = desk_of(request)
    asked = request_record(body, desk.shop.settings.search.limit, request_id_of(request))
    return await desk.run(_found, desk, asked, body)


def _found(desk: Desk, asked: records.Request, body: SearchIn) -> Json:
    answer = desk.search(asked, body.cursor)
    if not body.ads or answer.redirect:
        return found_document(desk, answer, details=body.details)
    ads = desk.shop.advertise(replace(answer.request, surface=answer.request.surface or "search"), answer)
    return found_document(desk, answer, details=body.details, ads=ads)


async def _similar(request: Request, body: SimilarIn) -> Json:
    desk = desk_of(request)
    _known(desk, body.item)
    asked = request_record(body, desk.shop.settings.recommend.limit, request_id_of(request))
    answered = desk.looks_like if body.by == "looks" else desk.similar
    return await desk.run(lambda: _document(desk, answered(asked), details=body.details))


def _known(desk: Desk, item: str) -> None:
    if desk.shop.shelf.row(item) is None:
        raise NotFoundError("There is no such item.", where="item", cure="Add it with POST /v1/items first.")


def _shelves(desk: Desk, asked: records.Request, *, details: bool) -> Json:
    page = desk.home(asked)
    names = [hit.item for shelf in page for hit in shelf.answer.hits]
    items = desk.shop.store.catalogue.get(names) if details else None
    shelves = [
        {"kind": shelf.kind, "title": shelf.title, "about": shelf.about, **answer_document(shelf.answer, items)}
        for shelf in page
    ]
    return Json({"request": asked.id, "shelves": shelves})


def found_document(desk: Desk, answer: SearchAnswer, *, details: bool, ads: AdAnswer | None = None) -> Json:
    """The answer of a search as JSON, with whole items where they are wanted, and ads where they were asked for."""
    hits = (*answer.hits, *(ads.hits if ads else ()))
    items = desk.shop.store.catalogue.get([hit.item for hit in hits]) if details else None
    document = search_document(answer, items)
    return Json(document if ads is None else {**document, "ads": ads_document(ads, items)})


def _document(desk: Desk, answer: records.Answer, *, details: bool) -> Json:
    items = desk.shop.store.catalogue.get([hit.item for hit in answer.hits]) if details else None
    return Json(answer_document(answer, items))
