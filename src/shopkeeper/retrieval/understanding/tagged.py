"""What a trained tagger makes of a query's words: where it and the catalogue agree a reading is surer, where not, less so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from shopkeeper.models.tagging.spans import Mention
from shopkeeper.retrieval.analysis import normalise
from shopkeeper.retrieval.understanding.entities import BRAND, CATEGORY, Reading

KINDS = {
    **dict.fromkeys(("brand", "品牌", "牌子", "hppx"), BRAND),
    **dict.fromkeys(("product", "product type", "category", "产品", "商品", "品类", "类目", "hccx"), CATEGORY),
}
"""What taggers call a brand and a product, in lower case; other kinds are taken for names of attributes."""
AGREED, DENIED = 0.8, 0.4
"""Certainty at least of a reading that the tagger shares; factor of one that it denies."""


class Tags(Protocol):
    """Finds mentions; `models.tagging.text_tagger.TextTagger` is one."""

    def tag(self, texts: Sequence[str], batch: int = 64) -> list[list[Mention]]:
        """Mentions of each text."""
        ...


def weighed(readings: Sequence[Reading], words: str, tagger: Tags) -> list[Reading]:
    """Readings of a query, each as sure as catalogue and tagger together make it.

    Args:
        readings: Of the catalogue's values.
        words: The query they were read from.
        tagger: Its mentions of the same words decide; words that it does not mention leave readings as they are.
    """
    if not readings:
        return []
    found = {
        normalise(words[m.start : m.end]).strip(): KINDS.get(m.kind.lower(), m.kind) for m in tagger.tag([words])[0]
    }
    return [_weighed(reading, found) for reading in readings]


def _weighed(reading: Reading, found: dict[str, str]) -> Reading:
    kind = found.get(reading.words)
    if not reading.words or kind is None:
        return reading
    preference = reading.preference
    if kind == preference.field:
        return replace(reading, preference=replace(preference, certainty=max(AGREED, preference.certainty)))
    return replace(reading, preference=replace(preference, certainty=round(DENIED * preference.certainty, 3)))
