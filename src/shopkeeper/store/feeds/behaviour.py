"""Rows to events."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from shopkeeper.records import Event, EventKind, Impression, Scalar
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.items import ID_LIMIT
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

SHOWN = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION)
_ITEMLESS = (*SHOWN, EventKind.SEARCH)
_MONEY = (EventKind.PURCHASE, EventKind.RETURN)
_WORDS = {
    EventKind.VIEW: "view pv browse viewitem productviewed productview pageview detail detailview 浏览 查看 访问 看",
    EventKind.CLICK: "click clk select selectitem productclicked tap 点击",
    EventKind.CART: "cart addtocart addcart add basket productadded 加购 加购物车 加入购物车 购物车",
    EventKind.UNCART: "uncart removefromcart removecart productremoved 移出购物车 取消加购",
    EventKind.PURCHASE: "purchase buy bought order transaction checkout pay sale ordercompleted 购买 下单 支付 成交 付款",
    EventKind.RETURN: "return refund returned orderrefunded 退货 退款",
    EventKind.REVIEW: "review rate rating comment productreviewed 评论 评价 评分",
    EventKind.SHARE: "share shared 分享 转发",
    EventKind.LIKE: "like fav favorite favourite wishlist addtowishlist collect 收藏 喜欢 点赞",
    EventKind.DISMISS: "dismiss dislike notinterested hide 不感兴趣",
    EventKind.SEARCH: "search query productssearched viewsearchresults 搜索 检索",
    EventKind.IMPRESSION: "impression imp expose exposure shown viewitemlist productlistviewed 曝光 展示 展现",
    EventKind.AD_IMPRESSION: "adimpression viewpromotion promotionviewed 广告曝光 广告展示",
    EventKind.AD_CLICK: "adclick selectpromotion promotionclicked 广告点击",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}


@lru_cache(maxsize=1024)
def event_kind(value: str) -> EventKind:
    """What was done, from the usual words in English and Chinese.

    Raises:
        ValueError: No word for anything a shop knows.
    """
    word = "".join(part for part in value.strip().casefold() if part not in " _-")
    if word not in _KINDS:
        raise ValueError(f"not an event kind: {value!r}")
    return _KINDS[word]


class EventParser:
    """Makes an `Event` of a row.

    Without an id column an event's id is a hash of what it says, so that importing the same file again adds nothing;
    the same row standing in the file twice is two events.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self._mapping = mapping
        self._used = mapping.used
        self._column = {name: mapping.column(name) for name in (*mapping.columns, *mapping.constants)}
        self._seen: dict[bytes, int] = {}

    def identify(self, row: Mapping[str, Any]) -> str:
        """The row's own id, "" when it has none."""
        return values.token(self._cell(row, "id"))

    def __call__(self, row: Mapping[str, Any]) -> Event:
        """Parse one row.

        Raises:
            Reject: The row is not an event; says which column is at fault.
        """
        kind = self._kind(row)
        time_cell = self._cell(row, "time")
        try:
            time = when(time_cell, self._mapping.dates)
        except (ValueError, TypeError) as error:
            raise Reject(
                "no date" if values.empty(time_cell) else "unparsable date", self._column["time"], time_cell
            ) from error
        impression = self._impression(row) if kind in SHOWN else None
        item = values.token(self._cell(row, "item"))
        if impression is None and kind in SHOWN and item:
            impression = Impression(items=(item,), positions=(1,), propensities=(1.0,))
            item = ""
        if (kind in SHOWN and impression is None) or (kind not in _ITEMLESS and not item):
            raise Reject("no item", self._column.get("item", ""))
        identifier = self.identify(row)
        if len(identifier) > ID_LIMIT:
            raise Reject("id too long", self._column["id"], identifier)
        quantity = self._quantity(row)
        fields: dict[str, Any] = {
            "customer": values.token(self._cell(row, "customer")),
            "session": values.token(self._cell(row, "session")),
            "item": item,
            "query": values.line(self._cell(row, "query")),
            "request": values.token(self._cell(row, "request")),
            "value": self._value(row, kind, quantity),
            "quantity": quantity,
            "properties": self._properties(row),
        }
        if not identifier:
            identifier = self._hash((kind, time.isoformat(), *fields.values(), impression.items if impression else ()))
        return Event(id=identifier, time=time, kind=kind, impression=impression, **fields)

    def _cell(self, row: Mapping[str, Any], name: str) -> Any:
        column = self._column.get(name)
        value = row.get(column) if column else None
        return self._mapping.constants.get(name) if value is None or value == "" else value

    def _kind(self, row: Mapping[str, Any]) -> EventKind:
        value = self._cell(row, "kind")
        try:
            return event_kind(value if isinstance(value, str) else values.plain(value))
        except ValueError as error:
            raise Reject("no kind" if values.empty(value) else "unknown kind", self._column["kind"], value) from error

    def _number(self, row: Mapping[str, Any], name: str, reason: str) -> float | None:
        value = self._cell(row, name)
        if values.empty(value):
            return None
        try:
            amount, _ = values.price(value)
        except (ValueError, TypeError) as error:
            raise Reject(reason, self._column[name], value) from error
        if amount < 0:
            raise Reject("negative price", self._column[name], value)
        return amount

    def _quantity(self, row: Mapping[str, Any]) -> int:
        found = self._number(row, "quantity", "unparsable quantity")
        if found is None:
            return 1
        if found != int(found) or found > 1_000_000_000:
            raise Reject("unparsable quantity", self._column["quantity"], self._cell(row, "quantity"))
        return int(found)

    def _value(self, row: Mapping[str, Any], kind: EventKind, quantity: int) -> float | None:
        amount = self._number(row, "value", "unparsable price")
        if amount is None and kind in _MONEY and "price" in self._column:
            single = self._number(row, "price", "unparsable price")
            return None if single is None else single * quantity
        return amount

    def _impression(self, row: Mapping[str, Any]) -> Impression | None:
        column = self._column.get("impression", "")
        try:
            told = values.mapping(row.get(column))
            items = tuple(values.token(item) for item in told.get("items") or ())
            if not items:
                return None
            return Impression(
                items=items,
                positions=tuple(int(place) for place in told.get("positions") or range(1, len(items) + 1)),
                propensities=tuple(float(chance) for chance in told.get("propensities") or (1.0,) * len(items)),
                model=values.token(told.get("model")),
                surface=values.token(told.get("surface")),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise Reject("unparsable impression", column, row.get(column)) from error

    def _properties(self, row: Mapping[str, Any]) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        if column := self._column.get("properties"):
            try:
                told = values.mapping(row.get(column))
            except ValueError as error:
                raise Reject("unparsable properties", column, row.get(column)) from error
            found = {str(name): values.scalar(value) for name, value in told.items() if not values.empty(value)}
        for name, value in row.items():
            if name not in self._used and not values.empty(value):
                found[name] = values.scalar(value)
        return found

    def _hash(self, told: object) -> str:
        digest = blake2b(orjson.dumps(told), digest_size=16)
        key = digest.digest()[:8]
        times = self._seen[key] = self._seen.get(key, 0) + 1
        return digest.hexdigest() if times == 1 else f"{digest.hexdigest()}-{times}"
