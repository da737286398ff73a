"""News and posts by feed: RSS 2.0, RSS 1.0 (RDF) and Atom, from a file or from a listed host, as passages.

What a feed says is written by strangers: entities and external definitions are refused, sizes and times bounded, markup
taken off, and the host must be one of `fetch.hosts` at a public address (see `downloading`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shopkeeper.errors import InputError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.feeds import values
from shopkeeper.store.feeds.dates import when
from shopkeeper.store.feeds.downloading import (
    Hosts,
    NoAnswerError,
    Patience,
    Public,
    Resolve,
    download,
    is_public,
    resolve,
)
from shopkeeper.store.feeds.items import guess_language
from shopkeeper.store.feeds.rejects import Reject

LARGEST: Final = 8_000_000
"""Bytes of a feed."""
_MOST: Final = 5_000
_LONGEST: Final = 100_000
_ENTRIES: Final = ("item", "entry")
_TEXTS: Final = ("encoded", "content", "description", "summary")
_DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["'][^>]*\?>""")
_KNOWN: Final = ("utf-8", "utf8", "utf-16", "iso-8859-1", "us-ascii", "ascii")
_FOREIGN: Final = ("{http://search.yahoo.com/mrss", "{http://www.itunes.com/")
"""Vocabularies of pictures and recordings, whose titles and descriptions are not the post's."""
_TIMES: Final = ("pubDate", "published", "date", "updated", "issued")


def read_feed(
    source: str,
    hosts: Sequence[str] = (),
    *,
    patience: Patience | None = None,
    resolve: Resolve = resolve,
    public: Public = is_public,
) -> list[Passage]:
    """The posts of a feed, in its order.

    Args:
        source: Path of a file, or an http or https address.
        hosts: Who may be asked, see `downloading.Hosts`; nobody when empty.
        patience: How long the download may take; 30 seconds when None.
        resolve: Finds the IP addresses of a host.
        public: Says which IP addresses may be asked.

    Raises:
        InputError: The file or the answer cannot be had, is too large or is no feed.
    """
    if not source.lower().startswith(("http://", "https://")):
        return parse_feed(_read(Path(source)), source)
    limits = patience or Patience(total=30.0)
    try:
        content = b"".join(download(source, Hosts(hosts), LARGEST, patience=limits, resolve=resolve, public=public))
    except Reject as reject:
        listed = reject.reason == "host not listed"
        cure = "Name the host in fetch.hosts." if listed else "Check the address."
        raise InputError(f"The feed was refused: {reject.reason}.", where=source, cure=cure) from reject
    except NoAnswerError as error:
        raise InputError(f"The feed cannot be had: {error}.", where=source, cure="Try again later.") from error
    return parse_feed(content, source)


def parse_feed(content: bytes, source: str) -> list[Passage]:
    """The posts in the text of a feed, at most 5,000; entries without any words are passed over.

    The id of a post is a hash of the feed's own (guid, id, link) and of the publisher, so reading a feed again changes
    nothing. A time that cannot be read is left out: such a post is dated when it is taken in.

    Args:
        content: XML.
        source: Where it comes from; its host names the publisher where the feed has no title.

    Raises:
        InputError: It is no feed, or tries to define entities.
    """
    if len(content) > LARGEST:
        raise InputError(f"The feed has more than {LARGEST:,} bytes.", where=source, cure="Ask for fewer entries.")
    try:
        root: Element = fromstring(_decoded(content), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise InputError("The feed defines entities.", where=source, cure="Leave them out.") from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"This is no XML: {error}.", where=source, cure="Check the file or the address.") from error
    if _name(root) not in ("rss", "RDF", "feed"):
        raise InputError(f"This is no feed but {_name(root)!r}.", where=source, cure="Give RSS or Atom.")
    publisher = _publisher(root) or urlsplit(source).hostname or Path(source).stem
    entries = [one for one in root.iter() if _name(one) in _ENTRIES][:_MOST]
    return [post for entry in entries if (post := _post(entry, publisher)) is not None]


def _post(entry: Element, publisher: str) -> Passage | None:
    own = [child for child in entry if not str(child.tag).startswith(_FOREIGN)]
    parts = {_name(child): child for child in reversed(own)}
    title = values.line(_text(parts.get("title")))[:1_000]
    text = next((found for name in _TEXTS if (found := values.paragraph(_text(parts.get(name))))), "") or title
    if not text:
        return None
    key = next((found for name in ("guid", "id", "link") if (found := _address(parts.get(name)))), title + text)
    digest = hashlib.blake2b(f"{publisher}\n{key}".encode("utf-8", "replace"), digest_size=16).hexdigest()
    author = parts.get("creator", parts.get("author"))
    return Passage(
        id=f"feed-{digest}",
        kind=PassageKind.POST,
        text=text[:_LONGEST],
        title=title if title != text else "",
        author=values.line(_text(author))[:200],
        time=next((time for name in _TIMES if (time := _moment(_text(parts.get(name)))) is not None), None),
        language=guess_language(text),
        source=publisher[:200],
    )


def _decoded(content: bytes) -> bytes | str:
    """The content, as text where it says that it is in an encoding that the parser does not know, such as GBK."""
    found = _DECLARED.match(content)
    name = found[1].decode("ascii").lower() if found else "utf-8"
    if found is None or name in _KNOWN:
        return content
    return content[found.end() :].decode("gb18030" if name.startswith("gb") else name, "replace")


def _publisher(root: Element) -> str:
    """The feed's own title."""
    heads = [root, *(child for child in root if _name(child) == "channel")]
    titles: Iterator[str] = (values.line(_text(one)) for head in heads for one in head if _name(one) == "title")
    return next(filter(None, titles), "")


def _address(element: Element | None) -> str:
    if element is None:
        return ""
    return values.token(_text(element)) or element.get("href", "")


def _text(element: Element | None) -> str:
    """All words of an element, those of XHTML inside it too."""
    return "" if element is None else " ".join(part for part in map(str.strip, element.itertext()) if part)


def _moment(text: str) -> datetime | None:
    try:
        return when(text) if text else None
    except ValueError:
        return None


def _name(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"The feed has more than {LARGEST:,} bytes.", where=str(path), cure="Cut it into several.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The feed cannot be read: {error.strerror}.", where=str(path), cure="Check the path."
        ) from error
