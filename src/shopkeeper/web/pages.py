"""The pages that visitors look at: home, search, product, basket."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response

from shopkeeper.errors import NotFoundError
from shopkeeper.records import Answer, Event, EventKind, Filters, Hit, Item, Passage, PassageKind
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
from shopkeeper.web.view import ShelfView, cards, items_of, product_path, render
from shopkeeper.web.visits import Trail, Visit, answered_request, trail

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ROW = 12
_SHORT = 6
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
    return await page(request, _basket)


def _home(desk: Desk, visit: Visit) -> Response:
    t, seen = translator(visit.language), trail(desk, visit)
    known = bool(seen.steps or visit.customer)
    mine = desk.recommend(visit.ask(limit=_ROW, surface="home-for-you"))
    name, note = ("for_you", t("for_you_more")) if known else ("popular", "")
    shelves = [_shelf(desk, visit, mine, name.replace("_", "-"), t(name), note)]
    shown = [hit.item for hit in mine.hits]
    if known:
        shelves += _because(desk, visit, seen, shown)
        popular = _browsed(desk, visit, "popular", shown)
        shelves.append(_shelf(desk, visit, popular, "popular", t("popular"), more=Listing(sort="popular").href()))
    new = _browsed(desk, visit, "newest", shown)
    shelves.append(_shelf(desk, visit, new, "new", t("new"), more=Listing(sort="newest").href()))
    return render(
        "home.html",
        desk,
        visit,
        seen,
        here="/",
        shelves=[shelf for shelf in shelves if shelf.cards],
        departments=category_choices(new.facets.get("category", {}), ()),
        known=known,
        customers=_customers(desk),
    )


def _browsed(desk: Desk, visit: Visit, sort: str, shown: list[str]) -> Answer:
    """The whole shop in an order: what speaks the visitor's language when there is enough of it."""
    speaking = Filters(languages=(visit.language, ""), exclude=tuple(shown))
    enough = int(desk.shop.shelf.allowed(speaking).sum()) >= _SHORT
    filters = speaking if enough else Filters(exclude=tuple(shown))
    return desk.search(visit.ask(sort=sort, filters=filters, limit=_SHORT, surface=f"home-{sort}"))


def _because(desk: Desk, visit: Visit, seen: Trail, shown: list[str]) -> list[ShelfView]:
    behind = seen.lately or _last_viewed(desk, visit)
    item = items_of(desk, [behind]).get(behind)
    if item is None:
        return []
    filters = Filters(exclude=tuple(shown))
    answer = desk.similar(
        visit.ask(items=(item.id,), filters=filters, limit=_SHORT, surface="home-because", explain=False)
    )
    title = translator(visit.language)("because", title=item.title)
    return [_shelf(desk, visit, answer, "because", title, more=product_path(item.id))]


def _last_viewed(desk: Desk, visit: Visit) -> str:
    if not visit.customer:
        return ""
    events = desk.shop.store.events.of_customer(visit.customer, 200)
    return next((event.item for event in reversed(events) if event.kind is EventKind.VIEW), "")


def _search(form: Listing, desk: Desk, visit: Visit) -> Response:
    t = translator(visit.language)
    size = desk.shop.settings.search.limit
    asked = visit.ask(
        query=form.query,
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
    if answer.redirect and answer.redirect != form.href():
        return RedirectResponse(answer.redirect, 303)
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
        total=answer.total,
        found=answer.found or not form.query,
        loose=bool(form.query and answer.hits) and not any(_literal(hit) for hit in answer.hits),
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
    desk.record(_looked_at(link, visit, item))
    seen = trail(desk, visit)
    answer = desk.similar(visit.ask(items=(item.id,), limit=_SHORT, surface="product"))
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
        in_basket=item.id in seen.basket,
        reviews=reviews,
        rating=_mean_rating(reviews),
        shelves=[_shelf(desk, visit, answer, "similar", translator(visit.language)("similar"))],
    )


def _looked_at(link: QueryParams, visit: Visit, item: Item) -> list[Event]:
    """A view, and before it the click that led here; reloading the page does not click again."""
    answered = answered_request(link.get("r", ""))
    query = Listing.read(link).query
    facts = {"item": item.id, "request": answered, "query": query}
    events = []
    if answered:
        surface = link.get("s", "")[:40]
        events.append(
            visit.event(
                EventKind.CLICK,
                id=f"click-{visit.session}-{answered}-{item.id}"[:200],
                properties={"surface": surface},
                **facts,
            )
        )
    return [*events, visit.event(EventKind.VIEW, **facts)]


def _basket(desk: Desk, visit: Visit) -> Response:
    t, seen = translator(visit.language), trail(desk, visit)
    items = items_of(desk, seen.basket)
    lines = [(items[name], pieces) for name, pieces in seen.basket.items() if name in items]
    shelves = []
    if lines:
        answer = desk.recommend(visit.ask(items=tuple(items), limit=_SHORT, surface="basket"))
        shelves.append(_shelf(desk, visit, answer, "with", t("basket_with")))
    else:
        answer = desk.recommend(visit.ask(limit=_SHORT, surface="basket-empty"))
        shelves.append(_shelf(desk, visit, answer, "meanwhile", t("meanwhile")))
    return render("basket.html", desk, visit, seen, here="/basket", lines=lines, totals=totals(lines), shelves=shelves)


def totals(lines: list[tuple[Item, int]]) -> list[tuple[float, str]]:
    """Sums by currency of the lines whose price is known."""
    sums: dict[str, float] = {}
    for item, pieces in lines:
        if item.price is not None:
            sums[item.currency] = sums.get(item.currency, 0.0) + item.price * pieces
    return [(amount, currency) for currency, amount in sums.items()]


def _shelf(
    desk: Desk, visit: Visit, answer: Answer, name: str, title: str, note: str = "", more: str = ""
) -> ShelfView:
    return ShelfView(name, title, cards(desk, answer, visit.language), note, more)


def _mean_rating(reviews: list[Passage]) -> float | None:
    ratings = [passage.rating for passage in reviews if passage.rating is not None]
    return sum(ratings) / len(ratings) if ratings else None


def _customers(desk: Desk) -> list[str]:
    if not desk.shop.settings.serve.demo:
        return []
    return [customer.id for customer in islice(desk.shop.store.customers.scan(), _CUSTOMERS)]
