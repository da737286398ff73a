"""Google Merchant feeds in XML (RSS 2.0 or Atom with ``g:`` elements) as rows, and items as such a feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler, feature_external_ges, feature_external_pes
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import create_parser

from shopkeeper.errors import InputError
from shopkeeper.store.feeds.rejects import Reject
from shopkeeper.store.feeds.tables import Row, TextReader, too_large

_ENTRIES = ("item", "entry")
_DEPTH = 64
OWN = "s:"
"""Prefix of elements that hold what Google has no word for, in feeds that we write."""
_WHOLE = {"image_link", "additional_image_link", "gtin", "mpn", "codes", "videos"}
"""Elements that hold one value each and are never cut at commas and blanks."""
_REPLACED_BY_OWN = {"codes": ("gtin", "mpn")}


class MerchantReader(TextReader):
    """The feed's items, streamed; what stands before a break in the XML is kept. Row numbers are lines.

    Raises:
        InputError: The document declares entities or a document type: shops' feeds have no need of them, attacks do.
    """

    def rows(self) -> Iterator[Row]:
        """See `Reader.rows`."""
        parser = create_parser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
        parser.setFeature(feature_external_ges, False)
        parser.setFeature(feature_external_pes, False)
        collector = _Collector(self._limit, parser)
        parser.setContentHandler(collector)
        try:
            for chunk in self._source.chunks():
                parser.feed(chunk)
                yield from self._checked(collector.take())
            parser.close()
        except SAXParseException as error:
            yield from self._checked(collector.take())
            message = f"{error.getMessage()} (line {error.getLineNumber()}, column {error.getColumnNumber()})"
            yield error.getLineNumber() or 1, Reject("broken XML", value=message, fatal=True)
        except Reject as reject:
            yield from self._checked(collector.take())
            yield collector.line, reject
        except DefusedXmlException as error:
            raise InputError(
                f"The XML declares a document type or entities, which is refused ({type(error).__name__}).",
                where=str(self._source.path),
                cure="Export the feed without <!DOCTYPE> and <!ENTITY>.",
            ) from error
        yield from self._checked(collector.take())

    def _checked(self, found: list[Row]) -> Iterator[Row]:
        for number, row in found:
            if self._source.encoding.damaged and isinstance(row, dict):
                ruined = [name for name, value in row.items() if self._source.ruined(str(value))]
                if ruined:
                    yield number, Reject("wrong encoding", ruined[0], row[ruined[0]])
                    continue
            yield number, row


class _Collector(ContentHandler):
    """Turns each ``<item>`` into a dict: local name to text, repeated names to lists, details to attributes."""

    def __init__(self, limit: int, locator: Locator) -> None:
        super().__init__()
        self.line = 1
        self._limit = limit
        self._found: list[Row] = []
        self._entry: dict[str, Any] | None = None
        self._begin = 1
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._group: dict[str, str] = {}
        self._locator = locator

    def take(self) -> list[Row]:
        """What was completed since last asked."""
        found, self._found = self._found, []
        self.line = self._locator.getLineNumber() or 1
        return found

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX's name
        """An element begins."""
        if self._entry is None:
            if _local(name) in _ENTRIES:
                self._entry, self._path, self._begin = {}, [], self._locator.getLineNumber() or 1
            return
        self._path.append(name)
        if len(self._path) > _DEPTH:
            raise Reject("broken XML", value=f"more than {_DEPTH} elements inside each other", fatal=True)
        self._text.clear()
        self._length = 0
        if len(self._path) == 1:
            self._group = {}
            if "href" in attrs:
                self._text.append(attrs["href"])

    def characters(self, content: str) -> None:
        """Text; beyond the limit of a cell it is only counted."""
        if self._path:
            self._length += len(content)
            if self._length <= self._limit:
                self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX's name
        """An element ends."""
        if self._entry is None:
            return
        if not self._path:
            self._found.append((self._begin, self._finish(self._entry)))
            self._entry = None
            return
        self._path.pop()
        text = "".join(self._text) if self._length <= self._limit else " " * (self._limit + 1)
        self._text.clear()
        if self._path:
            if not text.isspace() and text:
                self._group[_local(name)] = text
        else:
            self._keep(_key(name), text)

    def _keep(self, key: str, text: str) -> None:
        entry = self._entry
        assert entry is not None
        value: Any = text if len(text) > self._limit else text.strip()
        if key == "product_detail" and "attribute_name" in self._group:
            details = entry.setdefault("attributes", {})
            details[self._group["attribute_name"]] = self._group.get("attribute_value", "")
            return
        if self._group:
            value = dict(self._group)
        if not value:
            entry.setdefault(key, "")
        elif not entry.get(key):
            entry[key] = value
        elif isinstance(entry[key], list):
            entry[key].append(value)
        else:
            entry[key] = [entry[key], value]

    def _finish(self, entry: dict[str, Any]) -> dict[str, Any] | Reject:
        own = {key.removeprefix(OWN): entry.pop(key) for key in list(entry) if key.startswith(OWN)}
        if path := own.pop("category", None):
            entry["product_type"] = path if isinstance(path, list) else [path]
        for key, value in own.items():
            for standard in _REPLACED_BY_OWN.get(key, ()):
                entry.pop(standard, None)
            entry[key] = value
        for key in _WHOLE & entry.keys():
            entry[key] = entry[key] if isinstance(entry[key], list) else [entry[key]]
        return too_large(entry, self._limit)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _key(name: str) -> str:
    """``g:price`` and ``price`` are ``price``; our own namespace keeps its prefix, so that both can stand side by side."""
    return name if name.startswith(OWN) else _local(name)
