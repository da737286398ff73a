"""Rows to orders: one row an order, its lines as a list, or as ``A-1 x2 | B-7``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.cells import Cells, Row
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.mapping import ColumnMapping
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.orders import Order, OrderLine, OrderStatus

_STATUS = {
    OrderStatus.PLACED: "placed pending paid processing confirmed open 已下单 待付款 已付款 待发货 处理中",
    OrderStatus.PACKED: "packed ready 已打包 已备货",
    OrderStatus.SHIPPED: "shipped fulfilled intransit dispatched 已发货 运输中 派送中",
    OrderStatus.DELIVERED: "delivered completed closed received 已送达 已签收 已完成 交易成功",
    OrderStatus.CANCELLED: "cancelled canceled voided 已取消 交易关闭",
    OrderStatus.RETURNING: "returning returnrequested 退货中 退款中",
    OrderStatus.RETURNED: "returned refunded 已退货 已退款",
}
_NAMES = {name: status for status, names in _STATUS.items() for name in names.split()}
_PIECES = re.compile(r"(.+?)\s*[x×*]\s*(\d{1,6})")
_DATES = ("placed", "due", "delivered")


class OrderParser:
    """Makes an `Order` of a row.

    Args:
        mapping: Which column holds what; other columns are dropped.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        cells = Cells(mapping)
        order = mapping.dates
        self._cells = cells
        self._id = cells.identifier("id")
        self._customer = cells.identifier("customer")
        self._times = {name: cells.parsed(name, lambda value: when(value, order), "unparsable date") for name in _DATES}
        self._status = cells.text("status", values.token)
        self._lines = cells.raw("lines")
        self._total = cells.amount("total", "unparsable amount")
        self._texts = {name: cells.text(name, values.line) for name in ("currency", "carrier", "tracking", "address")}

    def identify(self, row: Row) -> str:
        """The number of the order."""
        return self._id(row)

    def __call__(self, row: Row) -> Order:
        """Parse one row.

        Raises:
            Reject: The row is not an order; says which column is at fault.
        """
        times = {name: read(row) for name, read in self._times.items()}
        placed = times.pop("placed")
        found = {"id": self._id(row), "customer": self._customer(row), "placed": placed}
        for name, value in found.items():
            if not value:
                raise Reject(f"no {name}", self._cells.column(name))
        assert placed is not None
        word = self._status(row).casefold().replace("_", "").replace(" ", "").replace("-", "")
        if word and word not in _NAMES:
            raise Reject("unknown status", self._cells.column("status"), self._status(row))
        amount = self._total(row)
        texts = {name: read(row) for name, read in self._texts.items()}
        if amount is not None and not texts["currency"]:
            texts["currency"] = amount[1]
        return Order(
            id=self._id(row),
            customer=self._customer(row),
            placed=placed,
            status=_NAMES[word] if word else OrderStatus.PLACED,
            lines=self._pieces(row),
            total=None if amount is None else amount[0],
            currency=texts["currency"],
            carrier=texts["carrier"],
            tracking=texts["tracking"],
            due=times["due"],
            delivered=times["delivered"],
            address=texts["address"],
        )

    def _pieces(self, row: Row) -> tuple[OrderLine, ...]:
        cell = self._lines(row)
        try:
            return tuple(map(_line, _listed(cell)))
        except (ValueError, TypeError, KeyError) as error:
            raise Reject("unparsable lines", self._cells.column("lines"), cell) from error


def _listed(cell: Any) -> list[Any]:
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = orjson.loads(cell)
    if isinstance(cell, (list, tuple)):
        return list(cell)
    return [part for part in re.split(r"[|;]", values.line(cell or "")) if part.strip()]


def _line(told: Any) -> OrderLine:
    if isinstance(told, Mapping):
        price = told.get("price")
        quantity = int(told.get("quantity", 1))
        item = values.token(told.get("item", told.get("id")))
        line = OrderLine(item=item, quantity=quantity, price=None if price is None else values.price(price)[0])
    else:
        text = values.line(told)
        found = _PIECES.fullmatch(text)
        line = OrderLine(item=found[1], quantity=int(found[2])) if found else OrderLine(item=text)
    if not line.item or line.quantity < 1:
        raise ValueError("a line needs an item and at least one piece")
    return line
