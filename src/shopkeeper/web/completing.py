"""What stands under the search box while somebody types: lines to go to, each in pieces of which the typed ones stand out.

Texts leave here as plain strings in JSON; the page sets them as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shopkeeper.serving.desk import Desk
from shopkeeper.serving.replies import Json
from shopkeeper.tasks.search.suggest import Suggestion, Suggestions
from shopkeeper.web.i18n import translator
from shopkeeper.web.listing import Listing
from shopkeeper.web.route import PageRoute, page
from shopkeeper.web.view import items_of, pieces, price, product_path
from shopkeeper.web.visits import Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LINES = 5


@router.get("/suggest")
async def suggest(request: Request) -> Response:
    """Queries, products, categories and brands for what stands in the search box, as JSON."""
    typed = request.query_params.get("q", "")
    return await page(request, lambda desk, visit: Json(_offered(typed, desk, visit)))


def _offered(typed: str, desk: Desk, visit: Visit) -> dict[str, Any]:
    t = translator(visit.language, desk.shop.domain.wording)
    found = desk.shop.suggest(typed, customer=visit.customer, most=_LINES)
    groups = [
        {"name": name, "title": t(title), "lines": lines} for name, title, lines in _groups(found, desk, visit) if lines
    ]
    count = sum(len(group["lines"]) for group in groups)
    return {"groups": groups, "said": t("suggest_count", count=count) if count else t("suggest_none")}


def _groups(found: Suggestions, desk: Desk, visit: Visit) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    again = translator(visit.language, desk.shop.domain.wording)("suggest_own")
    yield (
        "queries",
        "suggest_queries",
        [_line(one, Listing(query=one.text).href(), again if one.own else "") for one in found.queries],
    )
    items = items_of(desk, (one.item for one in found.products))
    yield (
        "products",
        "suggest_products",
        [_line(one, product_path(one.item), price(items[one.item])) for one in found.products if one.item in items],
    )
    yield (
        "categories",
        "category",
        [
            _line(one, Listing(categories=(" > ".join(one.category),)).href(), " › ".join(one.category[:-1]))
            for one in found.categories
        ],
    )
    yield "brands", "brand", [_line(one, Listing(brands=(one.text,)).href(), "") for one in found.brands]


def _line(one: Suggestion, href: str, note: str) -> dict[str, Any]:
    return {"pieces": pieces(one.text, one.ranges), "href": href, "note": note}
