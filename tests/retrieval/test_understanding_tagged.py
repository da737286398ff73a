"""A trained tagger beside the catalogue's own values."""

from __future__ import annotations

import pytest

from shopkeeper.models.tagging.spans import Mention
from shopkeeper.records import Item
from shopkeeper.retrieval.understanding.entities import Reading
from shopkeeper.retrieval.understanding.nouns import Preference
from shopkeeper.retrieval.understanding.reader import QueryReader
from shopkeeper.retrieval.understanding.tagged import AGREED, DENIED, weighed


class Fixed:
    """A tagger that says what it was given."""

    def __init__(self, *mentions: Mention) -> None:
        self._mentions = list(mentions)

    def tag(self, texts, batch=64):
        return [self._mentions for _ in texts]


def reading(field: str, certainty: float, words: str = "苹果") -> Reading:
    return Reading(Preference(field=field, value="苹果", certainty=certainty), words)


@pytest.mark.parametrize(
    ("kind", "field", "before", "after"),
    [
        ("HPPX", "brand", 0.5, AGREED),
        ("brand", "brand", 0.9, 0.9),
        ("HCCX", "brand", 0.5, DENIED * 0.5),
        ("品牌", "category", 0.5, DENIED * 0.5),
        ("colour", "colour", 0.4, AGREED),
    ],
)
def test_agreement_makes_surer_and_denial_less_sure(kind: str, field: str, before: float, after: float):
    (found,) = weighed([reading(field, before)], "苹果 手机", Fixed(Mention(0, 2, kind)))
    assert found.preference.certainty == pytest.approx(after)


def test_words_that_are_not_mentioned_stay_as_they_are():
    before = [reading("brand", 0.5), Reading(Preference(field="category", value="x", certainty=0.7), "")]
    assert weighed(before, "苹果 手机", Fixed(Mention(3, 5, "brand"))) == before
    assert weighed([], "苹果", Fixed()) == []


def test_the_reader_asks_its_tagger():
    items = [Item(id=str(n), title=f"Orange phone {n}", brand="Orange", category=("Phones",)) for n in range(4)]
    items += [Item(id=f"j{n}", title=f"orange juice {n}", category=("Drinks",)) for n in range(4)]

    def brand(reader: QueryReader) -> float:
        found = [p.certainty for p in reader.read("orange phone").preferences if p.field == "brand"]
        return max(found, default=0.0)

    plain = brand(QueryReader(items))
    assert brand(QueryReader(items, Fixed(Mention(0, 6, "brand")))) >= max(plain, AGREED)
    assert brand(QueryReader(items, Fixed(Mention(0, 6, "product")))) < plain
