"""The catalogue as a Google Merchant feed: RSS 2.0, and a namespace of our own for what Google has no word for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from xml.sax.saxutils import escape

from shopkeeper.records import Item
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.merchant import OWN

_OPEN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0" '
    'xmlns:s="urn:shopkeeper:item">\n<channel>\n<title>Products</title>\n'
)
_CLOSE = "</channel>\n</rss>\n"
FRAME = 2
"""Pieces of a feed that are no items: its beginning and its end."""
_GTIN = re.compile(r"\d{8}|\d{12,14}")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def merchant_feed(items: Iterable[Item]) -> Iterator[str]:
    """Pieces of the document: its beginning, one piece per item, its end."""
    yield _OPEN
    for item in items:
        yield f"<item>{''.join(_elements(item))}</item>\n"
    yield _CLOSE


def _elements(item: Item) -> Iterator[str]:
    yield _element("g:id", item.id)
    yield _element("g:title", item.title)
    yield _element("g:description", item.description)
    yield _element("g:link", item.link)
    for place, image in enumerate(item.images):
        yield _element("g:additional_image_link" if place else "g:image_link", image)
    if item.price is not None:
        yield _element("g:price", f"{_amount(item.price)} {item.currency}".strip())
    yield _element("g:availability", item.availability.value)
    yield _element("g:brand", item.brand)
    yield from _codes(item)
    yield from _category(item)
    yield _element("g:item_group_id", item.group)
    for name, value in item.attributes.items():
        inner = _element("g:attribute_name", name) + _element("g:attribute_value", value)
        yield f"<g:product_detail>{inner}</g:product_detail>"
    if item.price is None or (item.currency and not re.fullmatch("[A-Z]{3}", item.currency)):
        yield _element(f"{OWN}currency", item.currency)
    for video in item.videos:
        yield _element(f"{OWN}videos", video)
    yield f"<{OWN}language>{_escaped(item.language)}</{OWN}language>"
    yield _element(f"{OWN}hidden", "true" if item.hidden else "")
    yield _element(f"{OWN}created", item.created.isoformat() if item.created else "")
    yield _element(f"{OWN}updated", item.updated.isoformat() if item.updated else "")


def _amount(price: float) -> str:
    """Never three decimals, which could be read as thousands."""
    text = f"{Decimal(repr(price)):f}"
    return text + "0" if len(text) - text.rfind(".") == 4 and "." in text else text


def _codes(item: Item) -> Iterator[str]:
    """Google takes one GTIN and one part number; whatever does not read back from them stands in ours as well."""
    gtin = next((code for code in item.codes if _GTIN.fullmatch(code)), "")
    mpn = next((code for code in item.codes if not _GTIN.fullmatch(code)), "")
    yield _element("g:gtin", gtin)
    yield _element("g:mpn", mpn)
    if item.codes != tuple(code for code in (gtin, mpn) if code):
        for code in item.codes:
            yield _element(f"{OWN}codes", code)


def _category(item: Item) -> Iterator[str]:
    text = " > ".join(item.category)
    yield _element("g:product_type", text)
    if values.category(text) != item.category:
        for part in item.category:
            yield _element(f"{OWN}category", part)


def _element(name: str, text: str) -> str:
    return f"<{name}>{_escaped(text)}</{name}>" if text else ""


def _escaped(text: str) -> str:
    return escape(_FORBIDDEN.sub("", text), {"\r": "&#13;"})
