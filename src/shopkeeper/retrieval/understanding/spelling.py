"""Spelling: mistyped words of letters become words that the shop knows.

A noisy channel (Kernighan, Church and Gale, 1990): what was meant is weighed by how often the shop says it and by how
easily it is mistyped like that, against the chance that the word is right and merely new here. Correcting harms a query
that was right, so the caller should correct only where the words as typed find little.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from shopkeeper.retrieval.analysis import normalise
from shopkeeper.retrieval.understanding.deletions import DeletionIndex
from shopkeeper.retrieval.understanding.edits import slip_cost
from shopkeeper.retrieval.understanding.vocabulary import FLOOR, Vocabulary

_PIECE = re.compile("[^\\s\u3400-\u4dbf\u4e00-\u9fff]+")
_EDGES = ".,;:!?\"'()[]{}<>“”‘’、，。！？；：（）【】"
_SHORTEST, _LONG, _LONGEST = 4, 7, 32
_MOST_WORDS = 12
_SLIP = math.log(30)
"""A slip makes a word that much less probable."""
_NEW = {3: 20.0, 4: 4.0, 5: 1.0, 6: 0.3}
"""How often a word of so many letters counts as said though the shop does not know it; `_NEW_LONG` for longer ones."""
_NEW_LONG = 0.1
_GLUED = 0.02
"""Share of the count of the rarer half that two words written as one get."""
_DOUBT = 0.45
"""Certainty at most where every word is known as it stands."""
_PART = 3


@dataclass(frozen=True, slots=True)
class Correction:
    """Another spelling of a query.

    Attributes:
        text: The whole query, what is wrong in it put right.
        certainty: In [0, 1], that this was meant.
        changed: (as typed, as corrected) of each changed word.
    """

    text: str
    certainty: float
    changed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    word: str


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    text: str
    certainty: float


class Speller:
    """Corrects queries by the words of a vocabulary; words that come into it later are taken up by themselves.

    Args:
        vocabulary: What is right.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._index = DeletionIndex()
        self._taken = 0
        self._lock = threading.Lock()

    def corrections(self, query: str, most: int = 3) -> tuple[Correction, ...]:
        """Other spellings of a query, best first, `most` at most; none where all words are known or nothing is near.

        Words of two letters and fewer, numbers, codes, Chinese and words that the vocabulary knows stay as they are.
        Words that belong together or apart are put so ("micro wave", "wirelessmouse"); where both ways are made of known
        words, that is never more than a suggestion.
        """
        self._catch_up()
        pieces = _pieces(query)[:_MOST_WORDS]
        options = [found for piece in pieces if (found := self._for_word(piece))]
        joined = self._joined(pieces)
        options = [found for found in options if not any(_overlap(found[0], change) for change in joined)]
        options += [[change] for change in joined]
        if not options:
            return ()
        best = [max(found, key=lambda change: change.certainty) for found in options]
        ways = [best]
        for place, found in enumerate(options):
            ways += [[*best[:place], other, *best[place + 1 :]] for other in found if other is not best[place]]
        made = [_correction(query, way) for way in ways]
        made.sort(key=lambda correction: -correction.certainty)
        return tuple(made[:most])

    def _catch_up(self) -> None:
        words = self.vocabulary.latin_words
        if self._taken == len(words):
            return
        with self._lock:
            new = words[self._taken :]
            self._index.put(new)
            self._taken += len(new)

    def _for_word(self, piece: _Piece) -> list[_Change]:
        word = piece.word
        shortest = _SHORTEST if self.vocabulary.count(word) else _SHORTEST - 1  # a short word that nothing holds
        if not shortest <= len(word) <= _LONGEST or self.vocabulary.knows(word):
            return []
        weights = {meant: self._weight(word, meant) for meant, _ in self._near(word)}
        weights.update(self._apart(word))
        weights = {meant: weight for meant, weight in weights.items() if weight > 0}
        right = self.vocabulary.count(word) + _NEW.get(len(word), _NEW_LONG)
        total = right + sum(weights.values())
        best = sorted(weights, key=lambda meant: (-weights[meant], meant))[:3]
        return [_Change(piece.start, piece.end, meant, weights[meant] / total) for meant in best]

    def _near(self, word: str) -> list[tuple[str, int]]:
        return self._index.near(word, 1 if len(word) < _LONG else 2)

    def _weight(self, typed: str, meant: str) -> float:
        count = self.vocabulary.latin[meant]
        return count * math.exp(-_SLIP * slip_cost(typed, meant)) if count > self.vocabulary.count(typed) else 0.0

    def _apart(self, word: str) -> dict[str, float]:
        """The ways to part a word into two known ones."""
        found = {}
        for at in range(_PART, len(word) - _PART + 1):
            rarer = min(self.vocabulary.count(word[:at]), self.vocabulary.count(word[at:]))
            if rarer >= FLOOR:
                found[f"{word[:at]} {word[at:]}"] = _GLUED * rarer
        return found

    def _joined(self, pieces: list[_Piece]) -> list[_Change]:
        """Neighbours that are one known word when written together."""
        found: list[_Change] = []
        for left, right in pairwise(pieces):
            whole = left.word + right.word
            if len(whole) < _SHORTEST or not left.word or not right.word or right.start - left.end > 1:
                continue
            count = self.vocabulary.count(whole)
            if count < FLOOR or (found and found[-1].end > left.start):
                continue
            known = all(self.vocabulary.knows(part.word) for part in (left, right))
            certainty = _DOUBT if known else count / (count + FLOOR)
            found.append(_Change(left.start, right.end, whole, certainty))
        return found


def _pieces(query: str) -> list[_Piece]:
    """The words of a query and where they stand; what holds anything but letters has no word."""
    found = []
    for match in _PIECE.finditer(query):
        bare = match.group().lstrip(_EDGES)
        start = match.end() - len(bare)
        bare = bare.rstrip(_EDGES)
        word = normalise(bare)
        found.append(_Piece(start, start + len(bare), word if word.isalpha() else ""))
    return found


def _overlap(one: _Change, other: _Change) -> bool:
    return one.start < other.end and other.start < one.end


def _correction(query: str, changes: Iterable[_Change]) -> Correction:
    text, certainty, changed = query, 1.0, []
    for change in sorted(changes, key=lambda change: -change.start):
        changed.append((query[change.start : change.end], change.text))
        text = text[: change.start] + change.text + text[change.end :]
        certainty *= change.certainty
    return Correction(text, certainty, tuple(reversed(changed)))
