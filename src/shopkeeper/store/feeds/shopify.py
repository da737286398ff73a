"""Shopify product exports: several rows per product (variants, pictures) folded into one row per variant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.tables import Row

_NAMES = {
    "handle": "Handle", "url handle": "Handle", "title": "Title", "body (html)": "Body", "body html": "Body",
    "description": "Body", "vendor": "Vendor", "product category": "Category", "standardized product type": "Category",
    "type": "Type", "custom product type": "Type", "tags": "Tags", "published": "Published",
    "published on online store": "Published", "status": "Status", "variant sku": "SKU", "sku": "SKU",
    "variant barcode": "Barcode", "barcode": "Barcode", "variant price": "Price", "price": "Price",
    "variant inventory qty": "Quantity", "inventory quantity": "Quantity", "variant inventory tracker": "Tracker",
    "inventory tracker": "Tracker", "variant inventory policy": "Policy",
    "continue selling when out of stock": "Policy", "image src": "Image", "product image url": "Image",
    "variant image": "Variant image", "variant image url": "Variant image",
}  # fmt: skip
_OPTION = re.compile(r"option([1-9]) (name|value)", re.IGNORECASE)
_METAFIELD = re.compile(r"^(.+?) \(product\.metafields\..+\)$")
_DEFAULT = "Default Title"
_DROP = re.compile(
    r"variant |seo |google shopping|gift card|image |cost per item|included / |price / |compare.at|option\d linked|"
    r"weight|requires shipping|charge tax|tax code|fulfillment|unit price|product image|variant image|international",
    re.IGNORECASE,
)

Product = dict[str, Any]


def is_shopify(columns: Iterable[str]) -> bool:
    """Are these the columns of a Shopify product export?"""
    names = {column.strip().casefold() for column in columns}
    old = {"handle", "variant price"} <= names
    return old or {"url handle", "option1 name"} <= names


def fold(rows: Iterable[Row]) -> Iterator[Row]:
    """One row per variant, under the names that `guess_mapping` knows, numbered by the variant's own line.

    A variant's id is its SKU, else the product's handle with the option values. Rows of one product stand together.
    """
    handle = ""
    product: list[tuple[int, Product]] = []
    for number, row in rows:
        if isinstance(row, Reject):
            yield number, row
            continue
        named = _named(row)
        own = str(named.get("Handle") or "").strip()
        if not own:
            yield number, Reject("no id", "Handle")
            continue
        if own != handle:
            yield from _variants(handle, product)
            handle, product = own, []
        product.append((number, named))
    yield from _variants(handle, product)


def _named(row: Product) -> Product:
    named: Product = {}
    for column, cell in row.items():
        option = _OPTION.fullmatch(column.strip())
        own = f"Option{option[1]} {option[2].lower()}" if option else _NAMES.get(column.strip().casefold())
        if own is not None or not _DROP.match(column):
            named[own or column] = cell
    return named


def _variants(handle: str, product: list[tuple[int, Product]]) -> Iterator[Row]:
    if not product:
        return
    first = product[0][1]
    options = [str(first.get(f"Option{place} name") or f"Option {place}").strip() for place in range(1, 10)]
    pictures = list(dict.fromkeys(str(row["Image"]).strip() for _, row in product if row.get("Image")))
    variants = [
        (number, row)
        for number, row in product
        if row is first or any(row.get(name) for name in ("SKU", "Price", "Option1 value"))
    ]
    for number, row in variants:
        yield number, _variant(handle, first, row, options, pictures, alone=len(variants) == 1)


def _variant(
    handle: str, first: Product, row: Product, options: list[str], pictures: list[str], *, alone: bool
) -> Product:
    chosen = {
        name: value
        for place, name in enumerate(options, 1)
        if (value := str(row.get(f"Option{place} value") or "").strip()) and value != _DEFAULT
    }
    title = str(first.get("Title") or "").strip()
    own = [str(row["Variant image"]).strip()] if row.get("Variant image") else []
    identifier = str(row.get("SKU") or "").strip() or "/".join([handle, *chosen.values()])
    return {
        "id": identifier,
        "title": " - ".join(part for part in (title, " / ".join(chosen.values())) if part) if title else "",
        "description": first.get("Body"),
        "brand": first.get("Vendor"),
        "category": first.get("Category") or first.get("Type"),
        "price": row.get("Price"),
        "availability": _availability(row),
        "codes": [code for code in (row.get("SKU"), _barcode(row)) if code],
        "group": "" if alone else handle,
        "images": list(dict.fromkeys(own + pictures)),
        "status": _status(first),
        "attributes": {**_attributes(first), **chosen},
    }


def _barcode(row: Product) -> str:
    return str(row.get("Barcode") or "").strip().lstrip("'")


def _availability(row: Product) -> str:
    try:
        empty = bool(row.get("Tracker")) and float(row.get("Quantity") or 0) <= 0
    except ValueError:
        empty = False
    if not empty:
        return "in stock"
    return "backorder" if str(row.get("Policy") or "").strip().casefold() in ("continue", "true") else "out of stock"


def _status(first: Product) -> str:
    if str(first.get("Published") or "true").strip().casefold() == "false":
        return "hidden"
    return str(first.get("Status") or "")


def _attributes(first: Product) -> dict[str, Any]:
    known = {*_NAMES.values()}
    kept = {
        (found[1] if (found := _METAFIELD.match(column)) else column): cell
        for column, cell in first.items()
        if column not in known and not column.startswith("Option") and cell not in (None, "")
    }
    for name in ("Type", "Tags"):
        if first.get(name):
            kept[name] = first[name]
    return kept
