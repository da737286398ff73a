"""The pen: copy for the shop's items from their facts and reviews, checked against them, ranked, and handed to humans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Final

from shopkeeper.errors import ModelError, NotFoundError
from shopkeeper.models.generate.generator import Generator
from shopkeeper.ranking.customers.segments import CustomerSegment
from shopkeeper.records import Item, PassageKind
from shopkeeper.store.protocols import Labels, Words
from shopkeeper.tasks.write.appeal import CopyRanker
from shopkeeper.tasks.write.briefs import KINDS, Brief, Copy, Objection, Written
from shopkeeper.tasks.write.check import objections, untrue
from shopkeeper.tasks.write.desk import CopyDesk
from shopkeeper.tasks.write.facts import REVIEWS, Facts, facts_of
from shopkeeper.tasks.write.prompt import leads, sampled
from shopkeeper.tasks.write.templates import Draft, drafts
from shopkeeper.tasks.write.words import ShopWords, grams

_REVIEW: Final = PassageKind.REVIEW
_DATE: Final = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_CHEAP: Final = frozenset(
    [
        "price",
        "prices",
        "bargain",
        "bargains",
        "cheap",
        "budget",
        "sale",
        "deals",
        "价格",
        "便宜",
        "实惠",
        "优惠",
        "省钱",
        "低价",
    ]
)


@dataclass(frozen=True, slots=True)
class Pen:
    """A language model that may write, and how long it may take.

    Attributes:
        generator: The model.
        tokens: Length of one text at most.
        seconds: Time for one text.
    """

    generator: Generator
    tokens: int = 200
    seconds: float = 8.0


class WriteTask:
    """Writes copy. Safe to use from many threads; what costs time is made when it is first needed.

    Args:
        find: Item id -> the item as it is now; None for none.
        words: Reviews.
        labels: Where the queue is kept.
        speech: How the shop speaks.
        learn: What orders candidates, given that.
        pen: A language model; None writes from templates alone.
        segments: Those of the shop's customers.
        own: The shop's own banned words.
    """

    def __init__(
        self,
        find: Callable[[str], Item | None],
        words: Words,
        labels: Labels,
        speech: Callable[[], ShopWords],
        learn: Callable[[ShopWords], CopyRanker] = CopyRanker,
        *,
        pen: Callable[[], Pen | None] = lambda: None,
        segments: Callable[[], Sequence[CustomerSegment]] = tuple,
        own: Sequence[str] = (),
    ) -> None:
        self._find, self._words = find, words
        self._speech, self._learn, self._open_pen = speech, learn, pen
        self._segments, self._own = segments, tuple(own)
        self.desk = CopyDesk(labels, find, self.check, self._reviews)

    @cached_property
    def shop(self) -> ShopWords:
        """How the shop speaks."""
        return self._speech()

    @cached_property
    def ranker(self) -> CopyRanker:
        """What orders candidates."""
        return self._learn(self.shop)

    @cached_property
    def _pen(self) -> Pen | None:
        return self._open_pen()

    def write(self, brief: Brief, items: Sequence[str]) -> list[Written]:
        """Candidates for each item, checked and ranked; what is refused says why.

        Args:
            brief: What is wanted.
            items: Ids.

        Raises:
            NotFoundError: An item or the segment is unknown.
        """
        goods = [self._item(name) for name in items]
        segment = self._segment(brief.segment)
        pen = self._pen
        written = []
        for item in goods:
            found, failure = self._written(brief, item, segment, pen)
            if failure is not None:
                pen = None  # what is down or slow is not waited for once more in this call
            written.append(found)
        return written

    def check(self, copy: Copy, item: Item) -> tuple[Objection, ...]:
        """What of a text does not hold for an item now, or must not be said."""
        until = _DATE.search(copy.text) if copy.kind == "reviews" else None
        facts = self.facts(item, copy.language, date(*map(int, until.groups())) if until and _is_day(until) else None)
        return untrue(copy, facts, self.shop, self._own)

    def facts(self, item: Item, language: str = "", until: date | None = None) -> Facts:
        """What may be said of an item; see `write.facts.facts_of`."""
        return facts_of(item, self._words.of_item(item.id, REVIEWS), self.shop, language, until)

    def _reviews(self, item: str) -> int:
        """A number that changes when what is read of an item's reviews does."""
        read = self._words.of_item(item, REVIEWS)
        return hash(tuple((one.id, one.time, one.rating, one.title, one.text) for one in read if one.kind is _REVIEW))

    def _written(
        self, brief: Brief, item: Item, segment: CustomerSegment | None, pen: Pen | None
    ) -> tuple[Written, ModelError | None]:
        facts = self.facts(item, brief.language)
        failure: ModelError | None = None
        made: list[tuple[Draft, str]] = [(draft, "template") for draft in drafts(facts, brief)]
        if pen is not None and (brief.kind != "reviews" or facts.said):
            try:
                made.extend((draft, pen.generator.name) for draft in _samples(pen, facts, brief))
            except ModelError as error:
                failure = error
        copies = [self._checked(draft, source, brief, facts) for draft, source in made]
        fine = [copy for copy in copies if not copy.objections]
        ranked = self.ranker.ranked(fine, item, max(brief.candidates, len(fine) if segment else 0))
        if segment is not None:
            liked = _leaning(segment, facts)
            ranked = tuple(sorted(ranked, key=lambda copy: copy.lead not in liked))[: brief.candidates]
        refused = tuple(copy for copy in copies if copy.objections)
        return Written(item.id, facts.language, ranked, refused, _note(brief, facts, ranked, refused, failure)), failure

    def _checked(self, draft: Draft, source: str, brief: Brief, facts: Facts) -> Copy:
        copy = Copy(
            item=facts.item.id,
            kind=brief.kind,
            language=facts.language,
            text=draft.text,
            tone=brief.tone,
            lead=draft.lead,
            segment=brief.segment,
            source=source,
        )
        return replace(copy, objections=objections(copy, facts, self.shop, brief.limits(facts.language), self._own))

    def _item(self, name: str) -> Item:
        found = self._find(name)
        if found is None:
            raise NotFoundError(
                "There is no such item.", where=f"item {name[:80]!r}", cure="Use an id of the catalogue."
            )
        return found

    def _segment(self, name: str) -> CustomerSegment | None:
        if not name:
            return None
        known = {segment.id: segment for segment in self._segments()}
        if name not in known:
            cure = f"Use one of {', '.join(known)}." if known else "Learn them first: shopkeeper train profile"
            raise NotFoundError("There is no such segment.", where=f"segment {name[:80]!r}", cure=cure)
        return known[name]


def _samples(pen: Pen, facts: Facts, brief: Brief) -> Iterator[Draft]:
    """As many candidates by the model as are asked for, each with another thing in front."""
    for lead in leads(facts)[: brief.candidates]:
        yield sampled(pen.generator, facts, brief, lead, most=pen.tokens, seconds=pen.seconds)


def _leaning(segment: CustomerSegment, facts: Facts) -> frozenset[str]:
    """What a segment cares about, by its own words: the brand, the price, an attribute."""
    words = {part for name in segment.name.values() for part in grams(name)}
    about = {
        "brand": {facts.item.brand.casefold()},
        "price": _CHEAP,
        "attribute": {feature.value.casefold() for feature in facts.features},
        "season": {facts.season.casefold()},
    }
    return frozenset(lead for lead, said in about.items() if words & (said - {""}))


def _note(
    brief: Brief, facts: Facts, ranked: Sequence[Copy], refused: Sequence[Copy], failure: ModelError | None
) -> dict[str, str] | None:
    if failure is not None:
        return {"en": f"The language model did not answer: {failure.what}", "zh": f"语言模型未作答：{failure.what}"}
    if ranked:
        return None
    if brief.kind == "reviews" and not facts.said:
        return {"en": "No review says anything about it yet.", "zh": "还没有可以总结的评价。"}
    if KINDS[brief.kind].pushes and not facts.item.showable:
        return {"en": "The item cannot be bought now.", "zh": "商品目前无法购买。"}
    if refused and all(any(why.kind == "language" for why in copy.objections) for copy in refused):
        return {"en": "The item's own words are in another language.", "zh": "商品资料使用的是另一种语言。"}
    return {"en": "The item's facts are too few for this.", "zh": "商品资料不足。"}


def _is_day(found: re.Match[str]) -> bool:
    try:
        date(*map(int, found.groups()))
    except ValueError:
        return False
    return True
