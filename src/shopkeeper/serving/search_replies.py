"""What a search sends back beside its hits: how the query was read, what else to try, what merchandisers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from shopkeeper.records import Item
from shopkeeper.retrieval.highlights import Marked
from shopkeeper.serving.ad_schemas import AdOut
from shopkeeper.serving.replies import AnswerOut, HitOut, answer_document
from shopkeeper.tasks.search.answers import SearchAnswer
from shopkeeper.tasks.search.suggest import Suggestion, Suggestions


class ChipOut(BaseModel):
    """One thing that was understood; send its key in `ignore` to take it back."""

    key: str
    kind: str
    words: str
    text: dict[str, str]


class PreferenceOut(BaseModel):
    """A value that hits should rather have."""

    field: str
    value: str
    certainty: float


class UnderstoodOut(BaseModel):
    """How the query was read."""

    typed: str
    words: str
    variants: list[str]
    exclude: list[str]
    price_min: float | None
    price_max: float | None
    sort: str
    language: str
    preferences: list[PreferenceOut]
    chips: list[ChipOut]


class MarkedOut(BaseModel):
    """A text and the characters [start, end) of it to mark; `cut` says that the field goes on behind it."""

    text: str
    ranges: list[tuple[int, int]]
    start: int
    cut: bool


class SearchHitOut(HitOut):
    """One hit of a search."""

    variants: list[str]
    title: MarkedOut | None
    snippet: MarkedOut | None


class RelaxationOut(BaseModel):
    """A way to find more: search again with these values."""

    kind: str
    dropped: str
    count: int
    query: str
    ignore: list[str]
    text: dict[str, str]


class BannerOut(BaseModel):
    """A line above the hits."""

    text: dict[str, str]
    link: str


class SearchOut(AnswerOut):
    """What a search answers."""

    hits: list[SearchHitOut]  # type: ignore[assignment]
    understood: UnderstoodOut
    instead: str
    found: bool
    relaxations: list[RelaxationOut]
    prices: list[tuple[float, float, int]]
    banner: BannerOut | None
    redirect: str
    rules: list[str]
    looks: str
    cursor: str
    ads: list[AdOut] = Field(default=[], description="Only where they were asked for.")


class SuggestionOut(BaseModel):
    """One line of an autocomplete, with the characters of it that were typed."""

    text: str
    ranges: list[tuple[int, int]]
    item: str
    category: list[str]
    own: bool


class SuggestOut(BaseModel):
    """All that is offered for what was typed."""

    queries: list[SuggestionOut]
    products: list[SuggestionOut]
    categories: list[SuggestionOut]
    brands: list[SuggestionOut]
    seconds: float


def suggest_document(found: Suggestions) -> dict[str, Any]:
    """An autocomplete as JSON values."""
    parts = {name: getattr(found, name) for name in ("queries", "products", "categories", "brands")}
    return {name: [_line(line) for line in lines] for name, lines in parts.items()} | {"seconds": found.seconds}


def search_document(answer: SearchAnswer, items: Mapping[str, Item] | None = None) -> dict[str, Any]:
    """A search's answer as JSON values; `items` are put beside the hits when given."""
    document = answer_document(answer, items)
    for hit in document["hits"]:
        marks = answer.marks.get(hit["item"])
        hit["variants"] = list(answer.variants.get(hit["item"], ()))
        hit["title"] = _marked(marks.title) if marks else None
        hit["snippet"] = _marked(marks.snippet) if marks else None
    read = answer.read
    return document | {
        "understood": {
            "typed": read.typed,
            "words": read.words,
            "variants": [text for text, _ in read.variants],
            "exclude": list(read.exclude),
            "price_min": read.filters.price_min,
            "price_max": read.filters.price_max,
            "sort": read.sort,
            "language": read.language,
            "preferences": [
                {"field": one.field, "value": one.value, "certainty": one.certainty} for one in read.preferences
            ],
            "chips": [
                {"key": chip.key, "kind": chip.kind, "words": chip.words, "text": dict(chip.text)}
                for chip in read.chips
            ],
        },
        "instead": answer.instead,
        "found": answer.found,
        "relaxations": [
            {
                "kind": way.kind,
                "dropped": way.dropped,
                "count": way.count,
                "query": way.request.query,
                "ignore": list(way.request.ignore),
                "text": dict(way.text),
            }
            for way in answer.relaxations
        ],
        "prices": answer.prices,
        "banner": {"text": dict(answer.banner.text), "link": answer.banner.link} if answer.banner else None,
        "redirect": answer.redirect,
        "rules": answer.fired,
        "looks": answer.request.looks,
        "cursor": answer.cursor,
    }


def _marked(marked: Marked) -> dict[str, Any]:
    return {"text": marked.text, "ranges": marked.ranges, "start": marked.start, "cut": marked.cut}


def _line(line: Suggestion) -> dict[str, Any]:
    return {
        "text": line.text,
        "ranges": line.ranges,
        "item": line.item,
        "category": list(line.category),
        "own": line.own,
    }
