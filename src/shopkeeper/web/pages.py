"""The pages that visitors look at: home, search, product, basket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import NotFoundError
from shopkeeper.records import Answer, Event, EventKind, Filters, Hit, Item, PassageKind, Scalar
from shopkeeper.serving.desk import Desk
from shopkeeper.web.i18n import translator
from shopkeeper.web.listing import (
    SORTS,
    Listing,
    attribute_choices,
    brand_choices,
    category_choices,
    pages,
    price_bars,
    price_ranges,
)
from shopkeeper.web.reading import reading, said
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.shelving import bundle_view, home_shelves, totals
from shopkeeper.web.view import ShelfView, cards, items_of, product_path, render
from shopkeeper.web.visits import Visit, answered_request, trail
from shopkeeper.web.writing import product_copy

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROW = 12
_SHORT = 6
_BUNDLE = 2
_REVIEWS = 20
_CUSTOMERS = 24


@router.get("/")
async def home(request: Request) -> Response:
    """Shelves for this visitor; they react to every click."""
    return await page(request, _home)


@router.get("/search")
async def search(request: Request) -> Response:
    """Results with filters, sorting and paging; without words, the whole shop."""
    return await page(request, lambda desk, visit: _search(Listing.read(request.query_params), desk, visit))


@router.get("/p/{item:path}")
async def product(request: Request, item: str) -> Response:
    """One product, what was said about it, and its like."""
    return await page(request, lambda desk, visit: _product(request.query_params, desk, visit, item))


@router.get("/basket")
async def basket(request: Request) -> Response:
    """What is in the basket, and what goes with it."""
    return await page(request, basket_page)


def _home(desk: Desk, visit: Visit) -> Response:
    page = desk.home(visit.ask(limit=_ROW))
    facets = desk.shop.search(visit.ask(limit=1, explain=False)).facets
    return render(
        "home.html",
        desk,
        visit,
        trail(desk, visit),
        here="/",
        shelves=home_shelves(desk, page, visit.language),
        departments=category_choices(facets.get("category", {}), ()),
        known=any(shelf.kind == "for_you" for shelf in page),
        customers=_customers(desk),
    )


def _search(form: Listing, desk: Desk, visit: Visit) -> Response:
    t = translator(visit.language, desk.shop.domain.wording)
    size = desk.shop.settings.search.limit
    asked = visit.ask(
        query=form.query,
        looks=form.looks,
        filters=form.filters,
        sort=form.sort,
        limit=size,
        offset=(form.page - 1) * size,
        stars=form.stars,
        ignore=form.ignore,
        surface="search",
    )
    if form.query and form.page == 1:
        desk.record([visit.event(EventKind.SEARCH, query=form.query, request=asked.id)])
    answer = desk.search(asked)
    if answer.redirect and answer.redirect != form.href() and not form.led:
        mark = ("&" if "?" in answer.redirect else "?") + "led=1" if answer.redirect.startswith("/search") else ""
        return RedirectResponse(answer.redirect + mark, 303)
    whole = desk.shop.search(replace(asked, ignore=(), limit=1, explain=False)).read if form.ignore else answer.read
    seen = trail(desk, visit)
    count, offered = pages(answer.total, size, form.page)
    shelves = []
    if not answer.hits:
        other = desk.recommend(visit.ask(limit=_SHORT, surface="search-empty"))
        shelves.append(_shelf(desk, visit, other, "meanwhile", t("meanwhile")))
    return render(
        "search.html",
        desk,
        visit,
        seen,
        here=form.href(page=form.page),
        query=form.query,
        form=form,
        cards=cards(desk, answer, visit.language),
        ads=cards(desk, desk.shop.advertise(asked, answer), visit.language),
        total=answer.total,
        found=answer.found or not form.query,
        loose=bool(form.query and answer.hits and not form.looks) and not any(_literal(hit) for hit in answer.hits),
        reading=reading(form, answer, whole, visit.language),
        banner=answer.banner,
        banner_text=said(answer.banner.text, visit.language) if answer.banner else "",
        bars=price_bars(answer.prices, form.low, form.high),
        sorts=SORTS,
        chips=form.chips(t("price")),
        categories=category_choices(answer.facets.get("category", {}), form.categories),
        brands=brand_choices(answer.facets.get("brand", {}), form.brands),
        attributes=attribute_choices(answer.facets, form.attributes),
        ranges=price_ranges(answer.facets.get("price", {})),
        ratings=list(answer.facets.get("rating", {}).items()),
        page_count=count,
        page_numbers=offered,
        shelves=shelves,
    )


def _literal(hit: Hit) -> bool:
    """Whether a hit shares a word with the query, not only its meaning."""
    return any(reason.kind == "query" for reason in hit.reasons)


def _product(link: QueryParams, desk: Desk, visit: Visit, name: str) -> Response:
    item = desk.shop.store.catalogue.get([name]).get(name)
    if item is None or item.hidden:
        raise NotFoundError("There is no such product.", where=name)
    copy = product_copy(desk, visit, item)
    desk.record(_looked_at(link, visit, item, copy.properties))
    seen = trail(desk, visit)
    with_it = desk.bundle(visit.ask(items=(item.id,), limit=_BUNDLE, surface="product-bundle"))
    filters = Filters(exclude=tuple(hit.item for hit in with_it.hits))
    answer = desk.similar(visit.ask(items=(item.id,), filters=filters, limit=_SHORT, surface="product"))
    t = translator(visit.language, desk.shop.domain.wording)
    shelves = [_shelf(desk, visit, answer, "similar", t("similar"))]
    if desk.shop.sees:
        alike = desk.looks_like(visit.ask(items=(item.id,), limit=_SHORT, surface="product-looks"))
        shelves += [_shelf(desk, visit, alike, "looks", t("looks_like"))] if alike.hits else []
        answer = replace(answer, hits=(*answer.hits, *alike.hits))
    ads = desk.shop.advertise(answer.request, answer)
    shelves += [_shelf(desk, visit, ads, "ads", t("sponsored"))] if ads.hits else []
    reviews = [
        passage for passage in desk.shop.store.words.of_item(item.id, _REVIEWS) if passage.kind is PassageKind.REVIEW
    ]
    return render(
        "product.html",
        desk,
        visit,
        seen,
        here=product_path(item.id),
        item=item,
        copy=copy,
        in_basket=item.id in seen.basket,
        bundle=bundle_view(desk, item, with_it, visit.language),
        waits=waits(desk, visit, item),
        reviews=reviews,
        rating=desk.shop.trust.stars(reviews),
        shelves=shelves,
    )


def _looked_at(link: QueryParams, visit: Visit, item: Item, properties: Mapping[str, Scalar]) -> list[Event]:
    """A view with the copy shown, and before it the click that led here; reloading the page does not click again."""
    answered = answered_request(link.get("r", ""))
    query = Listing.read(link).query
    facts = {"item": item.id, "request": answered, "query": query}
    events = []
    if answered:
        surface = link.get("s", "")[:40]
        kind = EventKind.AD_CLICK if link.get("ad") else EventKind.CLICK
        events.append(
            visit.event(
                kind,
                id=f"{kind.value}-{visit.session}-{answered}-{item.id}"[:200],
                properties={"surface": surface},
                **facts,
            )
        )
    return [*events, visit.event(EventKind.VIEW, properties=properties, **facts)]


def basket_page(desk: Desk, visit: Visit, *, refused: bool = False) -> Response:
    """The basket; `refused` says that its payment was not accepted, with status 403."""
    t, seen = translator(visit.language, desk.shop.domain.wording), trail(desk, visit)
    items = items_of(desk, seen.basket)
    lines = [(items[name], pieces) for name, pieces in seen.basket.items() if name in items]
    shelves = []
    if lines:
        answer = desk.recommend(visit.ask(items=tuple(items), limit=_SHORT, surface="basket"))
        shelves.append(_shelf(desk, visit, answer, "with", t("basket_with")))
    else:
        answer = desk.recommend(visit.ask(limit=_SHORT, surface="basket-empty"))
        shelves.append(_shelf(desk, visit, answer, "meanwhile", t("meanwhile")))
    return render(
        "basket.html",
        desk,
        visit,
        seen,
        here="/basket",
        status=403 if refused else 200,
        lines=lines,
        totals=totals(lines),
        shelves=shelves,
        refused=refused,
    )


def _shelf(
    desk: Desk, visit: Visit, answer: Answer, name: str, title: str, note: str = "", more: str = ""
) -> ShelfView:
    return ShelfView(name, title, cards(desk, answer, visit.language), note, more)


def waits(desk: Desk, visit: Visit, item: Item) -> bool | None:
    """Does the visitor wait for an item that is sold out? None where nobody could be told."""
    if item.showable or not visit.customer:
        return None
    return any(wait.item == item.id for wait in desk.shop.store.waiting.of_customer(visit.customer))


def _customers(desk: Desk) -> list[str]:
    if not desk.shop.settings.serve.demo:
        return []
    return [customer.id for customer in islice(desk.shop.store.customers.scan(), _CUSTOMERS)]
