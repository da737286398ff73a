"""Rows to events."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import orjson

from shopkeeper.records import Event, EventKind, Impression, Scalar
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.cells import Cells, Read, Row
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject

SHOWN = (EventKind.IMPRESSION, EventKind.AD_IMPRESSION)
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

    Args:
        mapping: Which column holds what; every column no field uses becomes a property.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        cells = Cells(mapping)
        order = mapping.dates
        self._cells = cells
        self.identify: Read[str] = cells.text("id", values.token)
        self._id = cells.identifier("id")
        self._kind = cells.parsed("kind", lambda value: event_kind(values.plain(value)), "unknown kind")
        self._time = cells.parsed("time", lambda value: when(value, order), "unparsable date")
        self._item = cells.identifier("item")
        self._texts = [(name, cells.identifier(name)) for name in ("customer", "session") if cells.has(name)]
        self._texts += [("request", cells.text("request", values.token))] if cells.has("request") else []
        self._texts += [("query", cells.text("query", values.line))] if cells.has("query") else []
        self._value = cells.amount("value") if cells.has("value") else None
        self._single = cells.amount("price") if cells.has("price") else None
        self._pieces = cells.amount("quantity", "unparsable quantity") if cells.has("quantity") else None
        self._impression_column = mapping.column("impression")
        self._properties_column = mapping.column("properties")
        self._seen: dict[int, int] = {}

    def __call__(self, row: Row) -> Event:
        """Parse one row.

        Raises:
            Reject: The row is not an event; says which column is at fault.
        """
        kind, time = self._kind(row), self._time(row)
        if kind is None:
            raise Reject("no kind", self._cells.column("kind"))
        if time is None:
            raise Reject("no date", self._cells.column("time"))
        item = self._item(row)
        impression = None
        if kind in SHOWN:
            impression, item = self._shown(row, item), ""
        elif not item and kind is not EventKind.SEARCH:
            raise Reject("no item", self._cells.column("item"))
        quantity = self._quantity(row) if self._pieces else 1
        texts = {name: read(row) for name, read in self._texts}
        value, properties = self._money(row, kind, quantity), self._properties(row)
        identifier = self._id(row)
        if not identifier:
            told = (kind, time, item, *texts.values(), value, quantity, properties, impression)
            identifier = self._hash(told)
        return Event(
            id=identifier,
            time=time,
            kind=kind,
            item=item,
            value=value,
            quantity=quantity,
            impression=impression,
            properties=properties,
            **texts,
        )

    def _quantity(self, row: Row) -> int:
        found = self._pieces(row) if self._pieces else None
        if found is None:
            return 1
        if found[0] != int(found[0]):
            column = self._cells.column("quantity")
            raise Reject("unparsable quantity", column, row.get(column))
        return int(found[0])

    def _money(self, row: Row, kind: EventKind, quantity: int) -> float | None:
        amount = self._value(row) if self._value else None
        if amount is not None:
            return amount[0]
        if self._single and kind in _MONEY:
            single = self._single(row)
            return None if single is None else single[0] * quantity
        return None

    def _shown(self, row: Row, item: str) -> Impression:
        """What an impression showed: its own record, else the one item of the row."""
        column = self._impression_column
        try:
            told = values.mapping(row.get(column)) if column else {}
            items = tuple(values.token(shown) for shown in told.get("items") or ([item] if item else []))
            impression = Impression(
                items=items,
                positions=tuple(int(place) for place in told.get("positions") or range(1, len(items) + 1)),
                propensities=tuple(float(chance) for chance in told.get("propensities") or (1.0,) * len(items)),
                model=values.token(told.get("model")),
                surface=values.token(told.get("surface")),
            )
        except (ValueError, TypeError) as error:
            raise Reject("unparsable impression", column, row.get(column)) from error
        if not items:
            raise Reject("no item", column or self._cells.column("item"))
        return impression

    def _properties(self, row: Row) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        if column := self._properties_column:
            try:
                told = values.mapping(row.get(column))
            except ValueError as error:
                raise Reject("unparsable properties", column, row.get(column)) from error
            found = {str(name): values.scalar(value) for name, value in told.items() if not values.empty(value)}
        used = self._cells.used
        for name, value in row.items():
            if name not in used and not values.empty(value):
                found[name] = values.scalar(value)
        return found

    def _hash(self, told: object) -> str:
        digest = blake2b(orjson.dumps(told), digest_size=16)
        key = int.from_bytes(digest.digest()[:8], "big")
        times = self._seen[key] = self._seen.get(key, 0) + 1
        return digest.hexdigest() if times == 1 else f"{digest.hexdigest()}-{times}"
