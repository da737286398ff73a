"""Segment's e-commerce spec (track calls as JSON): events flattened to one row per product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.tables import Row

_KINDS = {
    "product viewed": "view", "product clicked": "click", "product added": "cart", "product removed": "uncart",
    "product added to wishlist": "like", "wishlist product added to cart": "cart", "product shared": "share",
    "product reviewed": "review", "order completed": "purchase", "order refunded": "return", "order cancelled": "return",
    "promotion clicked": "ad_click",
}  # fmt: skip
_LISTS = {
    "product list viewed": "impression",
    "product list filtered": "impression",
    "promotion viewed": "ad_impression",
}
_SEARCHES = ("products searched",)
_MONEY = ("purchase", "return")


def is_segment(columns: Iterable[str]) -> bool:
    """Are these the columns of Segment track calls?"""
    names = set(columns)
    return {"event", "properties"} <= names and bool(names & {"messageId", "anonymousId", "userId", "message_id"})


def flatten(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows under the names that `guess_mapping` knows, several per call where it names several products."""
    for number, row in rows:
        if isinstance(row, Reject):
            yield number, row
            continue
        try:
            yield from ((number, flat) for flat in _events(row))
        except (AttributeError, TypeError, ValueError) as error:
            yield number, Reject("malformed event", value=f"{error}: {str(row)[:150]}")
        except Reject as reject:
            yield number, reject


def _events(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    call = str(row.get("type") or "track")
    name = str(row.get("event") or "").strip().casefold()
    properties = row.get("properties") or {}
    base = _base(row, properties)
    if call != "track" or not (name in _KINDS or name in _LISTS or name in _SEARCHES):
        raise Reject(f"not a shop event: {row.get('event') or call}", skip=True)
    if name in _SEARCHES:
        yield {**base, "kind": "search", "query": properties.get("query")}
    elif name in _LISTS:
        yield {**base, "kind": _LISTS[name], "impression": _shown(properties)}
    else:
        products = properties.get("products") or [properties]
        for place, product in enumerate(products):
            flat = {**base, **_line(_KINDS[name], product, properties), "kind": _KINDS[name]}
            if flat["id"] and len(products) > 1:
                flat["id"] = f"{flat['id']}:{place}"
            yield flat


def _base(row: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    context = row.get("context") or {}
    session = properties.get("session_id") or context.get("sessionId") or row.get("session_id")
    return {
        "id": row.get("messageId") or row.get("message_id"),
        "time": row.get("timestamp") or row.get("originalTimestamp") or row.get("sentAt") or row.get("receivedAt"),
        "customer": row.get("userId") or row.get("user_id") or row.get("anonymousId") or row.get("anonymous_id"),
        "session": str(session) if session else "",
    }


def _line(kind: str, product: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    quantity = int(product.get("quantity") or 1)
    price = product.get("price")
    flat = {"item": _identifier(product), "quantity": quantity, "value": None}
    if kind in _MONEY and price is not None:
        flat["value"] = float(price) * quantity
    elif kind == "review":
        flat["value"] = properties.get("rating")
        flat["review"] = properties.get("review_body")
    order = properties.get("order_id")
    return {**flat, "order": order} if order else flat


def _shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    products = properties.get("products") or ([properties] if properties.get("product_id") else [])
    places = [product.get("position") for product in products]
    told = len(set(places)) == len(places) and all(isinstance(place, int) and place >= 1 for place in places)
    return {
        "items": [_identifier(product) for product in products],
        "positions": places if told else list(range(1, len(products) + 1)),
        "surface": str(properties.get("category") or properties.get("list_id") or ""),
    }


def _identifier(product: Mapping[str, Any]) -> str:
    return str(product.get("product_id") or product.get("productId") or product.get("sku") or "")
