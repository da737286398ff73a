"""How a shop speaks: its brands, the values of its attributes, the words that its customers know, and how easily a text reads."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from shopkeeper.models.chinese import dictionary
from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese

_LATIN: Final = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’-][^\W\d_\u3400-\u9fff]+)*")
_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_STOP: Final = re.compile(r"[.!?。！？；;\n]+")
_FAMILIAR: Final = 3
_ORDINARY: Final = """
    a an and are as at be by can for from has have he in is it its of on or our she so that the their this to up was we with
    you your not no all more made take look here find one two who what when new good use buyers reviews praise complain about
    price costs colour size material closer something happy help choose see yourself yours meet ask us if may reviews until 的 了 和 与 及 在 是 有 为 可 不 也 都 就 这 那 您 你 我们 人 条 款 本 看看 买家 评价 称赞
    抱怨 价格 颜色 材质 规格 售价 出品 为您 挑选 马上 带回家 来看 准备 中 共 截至 随时 问 我们 欢迎 问题 吧 中有 其中
"""
_COMMON: Final = frozenset(_ORDINARY.split())
_PAIR: Final = 3
_HAN_LENGTH: Final = 6


class ShopWords:
    """What is usual in a shop, counted once over its items.

    Args:
        items: All of them.

    Attributes:
        brands: By their name in lower case.
        values: Of attributes, in lower case: words that three items or more have.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._held: Counter[tuple[str, str, str]] = Counter()
        self._on_shelf: Counter[str] = Counter()
        self._texts: Counter[str] = Counter()
        holders: defaultdict[str, set[str]] = defaultdict(set)
        self.brands: dict[str, str] = {}
        for item in items:
            shelf = _shelf(item)
            self._on_shelf[shelf] += 1
            if item.brand:
                self.brands[item.brand.casefold()] = item.brand
            for name, value in item.attributes.items():
                self._held[shelf, name, value.casefold()] += 1
                if len(held := holders[value.casefold()]) < _FAMILIAR:
                    held.add(item.id)
            self._texts.update(set(words(f"{item.title} {item.description[:1_000]}")))
        self.values: frozenset[str] = frozenset(
            value for value, held in holders.items() if len(held) >= _FAMILIAR and _wordy(value)
        )

    def telling(self, item: Item, name: str, value: str) -> float:
        """How much an attribute tells an item from others on its shelf: the surprise at its value, in nats, less for lone ones.

        A value that no other item of the shelf has is more likely a slip of the pen than a merit.
        """
        shelf = _shelf(item)
        count, of = self._held[shelf, name, value.casefold()], max(self._on_shelf[shelf], 1)
        surprise = math.log((of + 1) / (count + 0.5))
        return surprise if count > 1 or of < _FAMILIAR else surprise / 2

    def familiar(self, word: str) -> bool:
        """Do customers of this shop meet the word often: in three items, or in any text?"""
        return word in _COMMON or self._texts[word] >= _FAMILIAR

    def brands_in(self, text: str) -> tuple[str, ...]:
        """The shop's brands that a text names."""
        return tuple(self.brands[part] for part in sorted(set(grams(text))) if part in self.brands)

    def foreign(self, text: str, evidence: Iterable[str]) -> tuple[str, ...]:
        """Values of attributes of this shop, such as colours and materials, that a text names and the evidence does not."""
        said = {part for part in grams(text) if part in self.values}
        if not said:
            return ()
        known = {part for piece in evidence for part in grams(piece)}
        return tuple(sorted(part for part in said - known if not any(part in other for other in said & known)))


def ease(text: str, shop: ShopWords) -> float:
    """How easily a text reads, in [0, 1], 1 for the easiest.

    The grade of Dale and Chall's formula (1948), with the words that this shop's customers know in place of their list:

        grade = 0.1579 x percent of unfamiliar words + 0.0496 x words a sentence;   ease = (11 - grade) / 10, cut to [0, 1]

    Chinese is cut into words first; proper names, codes and numbers count as familiar.
    """
    spoken = [word for word in words(text) if not any(letter.isdigit() for letter in word)]
    if not spoken:
        return 0.0
    names = {word.casefold() for word in re.findall(r"(?<=[a-z,] )[A-Z]\w+", text)}
    hard = sum(not shop.familiar(word) and word not in names for word in spoken) / len(spoken)
    sentences = max(1, sum(bool(part.strip()) for part in _STOP.split(text)))
    grade = 0.1579 * 100 * hard + 0.0496 * len(spoken) / sentences
    return float(np.clip((11 - grade) / 10, 0.0, 1.0))


def words(text: str) -> list[str]:
    """Words in lower case, Chinese ones by the dictionary."""
    found: list[str] = []
    for piece in re.findall(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+(?:['’-][^\W_\u3400-\u9fff]+)*", text):
        found += dictionary().cut(piece, HMM=False) if is_chinese(piece) else [piece.casefold()]
    return found


def grams(text: str) -> Iterator[str]:
    """Runs of one to four words in lower case, and of two to six Chinese characters."""
    low = text.casefold()
    spoken = _LATIN.findall(low)
    for size in range(1, _PAIR + 2):
        for start in range(len(spoken) - size + 1):
            yield " ".join(spoken[start : start + size])
    for run in _HAN.findall(low):
        for size in range(2, _HAN_LENGTH + 1):
            for start in range(len(run) - size + 1):
                yield run[start : start + size]


def likeness(one: str, other: str) -> float:
    """How much two texts share: Jaccard coefficient of their runs of three characters."""
    first, second = (_shingles(text) for text in (one, other))
    return len(first & second) / len(first | second) if first or second else 1.0


def _shingles(text: str) -> set[str]:
    low = " ".join(re.findall(r"\w+", text.casefold()))
    return {low[place : place + 3] for place in range(max(1, len(low) - 2))}


def _shelf(item: Item) -> str:
    return item.category[-1] if item.category else ""


def _wordy(value: str) -> bool:
    return bool(_LATIN.fullmatch(value.replace(" ", "")) and len(value) >= _PAIR) or bool(
        _HAN.fullmatch(value) and len(value) > 1
    )
