"""The words a shop knows: what its items are called and what its customers ask for, each with how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import is_chinese, terms, words

FLOOR = 3.0
"""A word that is counted so often is taken to be right."""
ASKED = 0.2
"""What one search counts for a word of it, beside 1 for each item: customers mistype, catalogues seldom do."""
_LONGEST = 32
_JOINT = re.compile("[-'’&]")

MENTIONED = 0.3
"""What a word of a description counts against one of a title."""
_DESCRIBED = 1_000


class Vocabulary:
    """Normalised words with counts: Latin and other alphabets unstemmed, Chinese as the dictionary cuts it.

    Numbers, codes and whatever else holds a digit are no words. Words only come in; one thread writes at a time, any
    number may read.

    Attributes:
        latin: Count by word of letters, in the order in which the words came.
        chinese: Count by Chinese word, likewise.
    """

    def __init__(self) -> None:
        self.latin: dict[str, float] = {}
        self.chinese: dict[str, float] = {}
        self.latin_words: list[str] = []
        self.chinese_words: list[str] = []
        self._stems: dict[str, float] = {}
        self._lock = threading.Lock()

    def put(self, found: Iterable[str], weight: float = 1.0) -> None:
        """Add to the counts of normalised words; whatever is no word is passed over."""
        with self._lock:
            for word in found:
                if not 0 < len(word) <= _LONGEST or not word.isalpha():
                    continue
                if is_chinese(word):
                    _count(self.chinese, self.chinese_words, word, weight)
                    continue
                _count(self.latin, self.latin_words, word, weight)
                for stem in terms(word):
                    self._stems[stem] = self._stems.get(stem, 0.0) + weight

    def put_item(self, item: Item) -> None:
        """Count the words of title, brand and category, each once however often the item says it, and of its description.

        Descriptions are longer and written with less care: their words count less, and only those with spaces between.
        """
        naming = words_of(" ".join((item.title, item.brand, *item.category)))
        self.put(naming)
        described = [word for word in words_of(item.description[:_DESCRIBED]) if not is_chinese(word)]
        self.put(set(described).difference(naming), MENTIONED)

    def put_query(self, query: str, times: float = 1.0) -> None:
        """Count the words of a search."""
        self.put(words_of(query), ASKED * times)

    def count(self, word: str) -> float:
        """How often a normalised word was counted, 0 when never."""
        return self.latin.get(word, 0.0) or self.chinese.get(word, 0.0)

    def knows(self, word: str) -> bool:
        """Is the word counted often enough to be right, as it stands or in another form (plural, tense)?

        >>> vocabulary = Vocabulary()
        >>> vocabulary.put(["headphones"], 5)
        >>> vocabulary.knows("headphone"), vocabulary.knows("hedphone")
        (True, False)
        """
        if self.count(word) >= FLOOR:
            return True
        return not is_chinese(word) and any(self._stems.get(stem, 0.0) >= FLOOR for stem in terms(word))


def words_of(text: str) -> list[str]:
    """The distinct words of a text, normalised and unstemmed, in order; what was joined by a hyphen also as one word.

    >>> words_of("Sony WH-1000XM4 Wi-Fi headphones, 不锈钢保温杯")
    ['sony', 'wh', 'wifi', 'wi', 'fi', 'headphones', '不锈', '不锈钢', '保温', '保温杯']
    """
    found = (_JOINT.sub("", word) for _, word in words(text))
    return list(dict.fromkeys(word for word in found if word.isalpha()))


def _count(counts: dict[str, float], order: list[str], word: str, weight: float) -> None:
    new = word not in counts
    counts[word] = counts.get(word, 0.0) + weight
    if new:  # whoever meets it in the order finds it counted
        order.append(word)
