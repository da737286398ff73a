"""What the templates see: cards, prices, pictures, and the template engine itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from shopkeeper.records import Answer, Hit, Item
from shopkeeper.retrieval.highlights import Marked
from shopkeeper.serving.desk import Desk
from shopkeeper.store.thumbnails import WIDTHS
from shopkeeper.tasks.advertise.answers import AdAnswer
from shopkeeper.tasks.money import money
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.web.i18n import LANGUAGES, translator
from shopkeeper.web.visits import Trail, Visit, leaning

HERE = Path(__file__).parent
STATIC = HERE / "static"
_STEPS = 8

Pieces = tuple[tuple[str, bool], ...]
"""A text cut into (piece, whether it is to be marked): markup is for templates to make."""


@dataclass(frozen=True, slots=True)
class Card:
    """One product as shown in a list.

    Attributes:
        href: Address that ties a click to the answer.
        title: The item's title in pieces, the words searched told apart.
        snippet: A piece of its description likewise, empty when no word searched stands in it.
        variants: How many further variants of the product were found.
        sponsored: Somebody paid for its place.
        reasons: Why it is here, in the visitor's language, strongest first.
    """

    item: Item
    href: str
    reasons: tuple[str, ...]
    position: int
    title: Pieces
    snippet: Pieces = ()
    variants: int = 0
    sponsored: bool = False


@dataclass(frozen=True, slots=True)
class ShelfView:
    """A titled row of cards."""

    name: str
    title: str
    cards: tuple[Card, ...]
    note: str = ""
    more: str = ""


def items_of(desk: Desk, names: Iterable[str]) -> dict[str, Item]:
    """The living ones of some item ids, from memory."""
    shelf = desk.shop.shelf
    found: dict[str, Item] = {}
    for name in names:
        row = shelf.row(name)
        item = shelf.items[row] if row is not None else None
        if item is not None:
            found[name] = item
    return found


def cards(desk: Desk, answer: Answer, language: str) -> tuple[Card, ...]:
    """The hits of an answer as cards."""
    items = items_of(desk, (hit.item for hit in answer.hits))
    return tuple(
        _card(items[hit.item], hit, answer, language, answer.request.offset + place)
        for place, hit in enumerate(answer.hits, 1)
        if hit.item in items
    )


def pieces(text: str, ranges: Sequence[tuple[int, int]]) -> Pieces:
    """A text cut at ranges [start, end) of its characters, which are in order and apart.

    >>> pieces("red tea pot", [(4, 7)])
    (('red ', False), ('tea', True), (' pot', False))
    """
    found, behind = [], 0
    for start, end in ranges:
        found += [(text[behind:start], False), (text[start:end], True)]
        behind = end
    found.append((text[behind:], False))
    return tuple((piece, marked) for piece, marked in found if piece)


def product_path(item: str) -> str:
    """The address of a product page."""
    return f"/p/{quote(item, safe='')}"


def price(item: Item) -> str:
    """A price for people, or an empty string when it is unknown."""
    return "" if item.price is None else money(item.price, item.currency, cents=False)


def pictures(item: Item) -> list[str]:
    """Addresses of the pictures that can be shown: https ones as they are, paths under /media."""
    return [address for image in item.images if (address := _picture(image))]


def clips(item: Item) -> list[str]:
    """Addresses of the videos that a page can play, as for `pictures`; moving GIFs are not among them."""
    return [address for video in item.videos if not video.lower().endswith(".gif") and (address := _picture(video))]


def srcset(picture: str) -> str:
    """The widths in which a picture of the media folder can be had; empty for all others and for drawings."""
    if not picture.startswith("/media/") or picture.lower().endswith(".svg"):
        return ""
    return ", ".join(f"{picture}?w={width} {width}w" for width in WIDTHS)


def hue(item: Item) -> int:
    """Which of twelve colours stands in for a missing picture; equal within a category."""
    seed = item.category[0] if item.category else item.id
    return hashlib.blake2b(seed.encode(), digest_size=2).digest()[0] % 12


def initial(item: Item) -> str:
    """The letter on a stand-in picture."""
    return next((char.upper() for char in item.title if char.isalnum()), "·")


def stars(rating: float) -> str:
    """Five stars, full and empty."""
    full = max(0, min(5, round(rating)))
    return "★" * full + "☆" * (5 - full)


def address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    """A path with parameters, escaped."""
    return f"{path}?{urlencode(parameters)}" if parameters else path


def in_language(here: str, code: str) -> str:
    """The address of the same page in another language."""
    path, _, parameters = here.partition("?")
    kept = [pair for pair in parse_qsl(parameters) if pair[0] != "lang"]
    return address(path, [*kept, ("lang", code)])


@cache
def asset(name: str) -> str:
    """Address of a static file that changes with its content, so that browsers may keep it for long."""
    digest = hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


@cache
def templates() -> Environment:
    """The template engine: everything is escaped, an unknown name is an error."""
    engine = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    engine.globals.update(
        asset=asset,
        in_language=in_language,
        price=price,
        money=partial(money, cents=False),
        pictures=pictures,
        clips=clips,
        srcset=srcset,
        hue=hue,
        initial=initial,
        stars=stars,
        product_path=product_path,
        languages=LANGUAGES,
    )
    return engine


def render(
    template: str, desk: Desk, visit: Visit, trail: Trail, *, here: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Fill a template with what every page needs and what this one adds."""
    steps = trail.steps[:_STEPS]
    items = items_of(desk, (name for _, name in trail.steps))
    settings = desk.shop.settings
    text = (
        templates()
        .get_template(template)
        .render(
            t=translator(visit.language, desk.shop.domain.wording),
            language=visit.language,
            shop_name=settings.name,
            demo=settings.serve.demo,
            sees=desk.shop.sees,
            assists=settings.assist.enabled,
            customer=visit.customer,
            pieces=trail.pieces,
            steps=[(kind.value, items.get(name), name) for kind, name in steps],
            leaning=leaning(trail.steps, items),
            here=here,
            **{"query": "", "shelves": (), **values},
        )
    )
    return HTMLResponse(text, status)


def _picture(image: str) -> str:
    if image.startswith("https://"):
        return image if urlsplit(image).netloc else ""
    if (
        not image
        or "://" in image
        or ".." in PurePosixPath(image).parts
        or image.startswith(("//", "data:", "javascript:"))
    ):
        return ""
    return f"/media/{quote(image.lstrip('/'))}"


def _card(item: Item, hit: Hit, answer: Answer, language: str, position: int) -> Card:
    href, reasons = _href(hit, answer), _reasons(hit, language)
    if isinstance(answer, AdAnswer):
        return Card(item, href, reasons, position, pieces(item.title, ()), sponsored=True)
    searched = answer if isinstance(answer, SearchAnswer) else None
    marks = searched.marks.get(item.id) if searched else None
    variants = len(searched.variants.get(item.id, ())) if searched else 0
    if marks is None:
        return Card(item, href, reasons, position, pieces(item.title, ()), variants=variants)
    snippet = _snippet(marks.snippet) if marks.snippet.ranges else ()
    return Card(item, href, reasons, position, pieces(marks.title.text, marks.title.ranges), snippet, variants)


def _snippet(found: Marked) -> Pieces:
    before, after = "…" if found.start else "", "…" if found.cut else ""
    whole = ((before, False), *pieces(found.text, found.ranges), (after, False))
    return tuple((piece, marked) for piece, marked in whole if piece)


def _href(hit: Hit, answer: Answer) -> str:
    request = answer.request
    parameters = [("r", request.id), ("s", request.surface)]
    if request.query:
        parameters.append(("q", request.query))
    if isinstance(answer, AdAnswer):
        parameters.append(("ad", "1"))
    return address(product_path(hit.item), parameters)


def _reasons(hit: Hit, language: str) -> tuple[str, ...]:
    texts = (reason.text.get(language) or reason.text.get("en", "") for reason in hit.reasons)
    return tuple(text for text in texts if text)
