"""Google Analytics 4 exports (BigQuery's rows as JSON): nested e-commerce events flattened to one row per item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.tables import Row

_KINDS = {
    "view_item": "view", "select_item": "click", "add_to_cart": "cart", "remove_from_cart": "uncart",
    "add_to_wishlist": "like", "purchase": "purchase", "refund": "return", "select_promotion": "ad_click",
    "share": "share",
}  # fmt: skip
_LISTS = {"view_item_list": "impression", "view_promotion": "ad_impression"}
_SEARCHES = ("search", "view_search_results")
_MONEY = ("purchase", "return")


def is_ga4(columns: Iterable[str]) -> bool:
    """Are these the columns of a GA4 export?"""
    return {"event_name", "event_timestamp"} <= set(columns)


def flatten(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows under the names that `guess_mapping` knows, several per event where it names several items."""
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
    name = str(row.get("event_name") or "")
    parameters = _parameters(row.get("event_params"))
    base = _base(row, parameters)
    items = [item for item in row.get("items") or () if item]
    if name in _SEARCHES:
        yield {**base, "kind": "search", "query": parameters.get("search_term")}
    elif name in _LISTS:
        yield {
            **base,
            "kind": _LISTS[name],
            "impression": _shown(items, parameters),
            "query": parameters.get("search_term"),
        }
    elif name in _KINDS:
        kind = _KINDS[name]
        if not items:
            items = [{"item_id": parameters.get("item_id"), "price": parameters.get("value")}]
        order = (row.get("ecommerce") or {}).get("transaction_id") or parameters.get("transaction_id")
        for item in items:
            yield {**base, **_line(kind, item), "kind": kind, **({"order": order} if order else {})}
    else:
        raise Reject(f"not a shop event: {name}" if name else "no event_name", skip=bool(name))


def _base(row: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    visitor = row.get("user_pseudo_id") or ""
    session = parameters.get("ga_session_id")
    return {
        "time": _integer(row.get("event_timestamp")),
        "customer": row.get("user_id") or visitor,
        "session": f"{visitor}.{session}" if session else "",
    }


def _line(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    quantity = int(_integer(item.get("quantity")) or 1)
    price = item.get("price")
    return {
        "item": item.get("item_id"),
        "quantity": quantity,
        "value": float(price) * quantity if kind in _MONEY and price is not None else None,
    }


def _shown(items: list[Mapping[str, Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
    first = items[0] if items else {}
    surface = first.get("item_list_name") or first.get("item_list_id") or parameters.get("item_list_name") or ""
    places = [int(_integer(item.get("item_list_index", item.get("index"))) or 0) for item in items]
    told = sorted(set(places)) == sorted(places) and min(places, default=0) >= 1
    return {
        "items": [str(item.get("item_id") or "") for item in items],
        "positions": places if told else list(range(1, len(items) + 1)),
        "surface": str(surface),
    }


def _parameters(listed: Any) -> dict[str, Any]:
    if isinstance(listed, Mapping):
        return dict(listed)
    return {str(pair.get("key")): _value(pair.get("value")) for pair in listed or ()}


def _value(value: Any) -> Any:
    """The one filled field of BigQuery's value record."""
    if not isinstance(value, Mapping):
        return value
    for name in ("string_value", "int_value", "float_value", "double_value"):
        if value.get(name) is not None:
            return _integer(value[name]) if name == "int_value" else value[name]
    return None


def _integer(value: Any) -> Any:
    """BigQuery writes 64-bit integers as JSON strings."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
