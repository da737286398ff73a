"""Pinyin: Chinese words typed as Latin letters, or with the wrong characters of the right sound.

What an input method would have made of the letters, had it been on: "lianyiqun", "lian yi qun", "lyq" and "lianyq" are
all read as 连衣裙, and so is 连衣群. Words that the shop knows in Latin letters are never read as pinyin.
"""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from shopkeeper.models.chinese import dictionary
from shopkeeper.retrieval.analysis import is_chinese, normalise
from shopkeeper.retrieval.understanding.syllables import SyllableTree, readings
from shopkeeper.retrieval.understanding.vocabulary import FLOOR, Vocabulary

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_RUN = re.compile(rf"(?<![a-z0-9_.+/-])[a-z]+(?:[ '’]+[a-z]+)*(?![a-z0-9_+/-])|[{_HAN}]+")
_TOKEN = re.compile("[a-z]+")
_INITIAL = 0.05
"""A syllable given by its initial only makes a word that much less probable than another of the same letters."""
_SHORTENED = math.log(0.2)
"""What it adds to the logarithm of the chance of a reading."""
_KEPT, _KEPT_LETTER = -10.0, -1.5
"""Logarithm of the chance that a word nobody knows is no pinyin: at all, and for each letter."""
_LEAST_TOTAL = 1e4
_FULL, _SINGLE, _BRIEF = 0.95, 0.5, 0.8
"""Certainty of a word spelt in full, of a single character, share of it left for five letters and fewer."""
_HOMOPHONE, _REAL = 0.9, 0.4
"""Certainty of a word with wrong characters, share of it left where what was typed is a word of the language."""
_DOUBT, _DOUBT_OF_TWO = 1.0, 15.0
"""How often a mistyped word counts as said though the shop does not know it; one of two characters is more often new."""
_LONGEST, _MOST_LETTERS, _WINDOW = 8, 40, 6

_Choices = dict[str, float]
"""What a stretch may mean, each with its certainty, best first."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    choices: _Choices


class PinyinIndex:
    """Reads pinyin and homophones by the Chinese words of a vocabulary; words that come later are taken up by themselves.

    Args:
        vocabulary: The words, Latin ones as well.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._tree = SyllableTree()
        self._taken = 0
        self._total = _LEAST_TOTAL
        self._lock = threading.Lock()

    def read(self, text: str, most: int = 3) -> tuple[tuple[str, float], ...]:
        """What a text may have meant in Chinese characters, each with its certainty in [0, 1], best first.

        Nothing where no part of it is pinyin or a homophone of something the shop sells.
        """
        self._catch_up()
        text = normalise(text)
        stretches: list[_Stretch] = []
        for run in _RUN.finditer(text):
            found = self._misspelt(run.group()) if is_chinese(run.group()) else self._letters(run.group())
            stretches += [_Stretch(run.start() + s.start, run.start() + s.end, s.choices) for s in found]
        if not stretches:
            return ()
        best = [next(iter(stretch.choices.items())) for stretch in stretches]
        ways = [best]
        for place, stretch in enumerate(stretches):
            ways += [[*best[:place], other, *best[place + 1 :]] for other in list(stretch.choices.items())[1:most]]
        made: dict[str, float] = {}
        for way in ways:
            written = _written(text, stretches, [word for word, _ in way])
            made.setdefault(written, math.prod(certainty for _, certainty in way))
        return tuple(sorted(made.items(), key=lambda pair: -pair[1])[:most])

    def complete(self, typed: str, most: int = 10) -> list[str]:
        """Chinese words whose pinyin or initials begin like what is typed, the most counted first.

        Fewer than two letters say too little, and a word that the shop knows in Latin letters is no pinyin.
        """
        self._catch_up()
        typed = normalise(typed).strip()
        if not (2 <= len(typed) <= _MOST_LETTERS and typed.isascii() and typed.replace(" ", "").isalpha()):
            return []
        if self.vocabulary.knows(typed):
            return []
        weights: defaultdict[str, float] = defaultdict(float)
        for word, short in self._tree.beginning(typed):
            weights[word] = max(weights[word], self.vocabulary.chinese[word] * _INITIAL ** (short / 2))
        return sorted(weights, key=lambda word: (-weights[word], word))[:most]

    def complete_words(self, typed: str, most: int = 10) -> list[list[str]]:
        """For each word that is typed in pinyin, all but the last in full, what it may be; empty if it cannot be read so.

        "lan ya er" is 蓝牙 and a word like 耳机.
        """
        if whole := self.complete(typed, most):
            return [whole]
        typed = normalise(typed).strip()[:_MOST_LETTERS]
        full = [spelt for spelt in self._tree.from_here(typed, 0) if not spelt.short and spelt.length > 1]
        for spelt in sorted(full, key=lambda spelt: -spelt.end):
            if rest := self.complete_words(typed[spelt.end :].lstrip(" '’"), most):
                return [spelt.words, *rest]
        return []

    def _catch_up(self) -> None:
        words = self.vocabulary.chinese_words
        if self._taken == len(words):
            return
        with self._lock:
            for word in words[self._taken :]:
                if len(word) <= _LONGEST:
                    self._tree.put(word)
                self._taken += 1
            self._total = max(_LEAST_TOTAL, sum(self.vocabulary.chinese[word] for word in words[: self._taken]))

    def _letters(self, run: str) -> list[_Stretch]:
        """The most probable way to read a run of Latin words, some of them perhaps left as they are."""
        run = run[:_MOST_LETTERS]
        tokens = {match.start(): match.end() for match in _TOKEN.finditer(run)}
        unknown = [not self.vocabulary.knows(run[start:end]) for start, end in tokens.items()]
        strange = [at for fresh, (a, b) in zip(unknown, tokens.items(), strict=True) if fresh for at in range(a, b)]
        if not strange:
            return []
        places = set(strange)
        best: dict[int, tuple[float, tuple[_Stretch, ...]]] = {0: (0.0, ())}
        for at in range(len(run)):
            if at not in best:
                continue
            score, so_far = best[at]
            if run[at] in " '’":
                _better(best, at + 1, score, so_far)
                continue
            if at in tokens:
                lost = _KEPT + _KEPT_LETTER * (tokens[at] - at) if at in places else 0.0
                _better(best, tokens[at], score + lost, so_far)
            for end, words in self._spelt(run, at).items():
                if not places.isdisjoint(range(at, end)):
                    chance, choices = self._chosen(words, end - at)
                    _better(best, end, score + chance, (*so_far, _Stretch(at, end, choices)))
        return list(best[len(run)][1]) if len(run) in best else []

    def _spelt(self, run: str, at: int) -> dict[int, dict[str, tuple[int, int]]]:
        """By end: words that the letters from `at` on spell, with (syllables by initials, syllables)."""
        found: defaultdict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
        for spelt in self._tree.from_here(run, at):
            if spelt.length == 1 and spelt.short:
                continue
            for word in spelt.words:
                if spelt.short < found[spelt.end].get(word, (spelt.length, 0))[0] or word not in found[spelt.end]:
                    found[spelt.end][word] = spelt.short, spelt.length
        return found

    def _chosen(self, words: dict[str, tuple[int, int]], letters: int) -> tuple[float, _Choices]:
        """Logarithm of the chance of the most probable word for so many letters, and the best words."""
        weights = {word: self.vocabulary.chinese[word] * _INITIAL**short for word, (short, _) in words.items()}
        total = sum(weights.values())
        best = sorted(weights, key=lambda word: (-weights[word], word))[:3]
        choices = {word: _certainty(*words[word], letters) * weights[word] / total for word in best}
        chance = math.log(self.vocabulary.chinese[best[0]] / self._total) + _SHORTENED * words[best[0]][0]
        return chance, choices

    def _misspelt(self, run: str) -> list[_Stretch]:
        """Stretches of a Chinese run that the shop does not know but would know by their sound, longest first."""
        found: list[_Stretch] = []
        for length in range(min(_WINDOW, len(run)), 1, -1):
            for start in range(len(run) - length + 1):
                end = start + length
                if any(start < other.end and other.start < end for other in found):
                    continue
                if self.vocabulary.count(run[start:end]) or self._well_cut(run, start, end):
                    continue
                choices = self._alike(run[start:end])
                if choices:
                    found.append(_Stretch(start, end, choices))
        return sorted(found, key=lambda stretch: stretch.start)

    def _well_cut(self, run: str, start: int, end: int) -> bool:
        """Do known words cover the stretch, or reach into it from outside?"""
        for begin, stop in _cuts(run):
            if self.vocabulary.count(run[begin:stop]) < FLOOR or stop - begin < 2:
                continue
            if begin < start < stop or begin < end < stop:
                return True
        inside = [
            (a, b) for a, b in _cuts(run[start:end]) if self.vocabulary.count(run[start + a : start + b]) >= FLOOR
        ]
        return sum(b - a for a, b in inside if b - a > 1) == end - start

    def _alike(self, typed: str) -> _Choices:
        chinese = self.vocabulary.chinese
        words = {w for reading in readings(typed) for w in self._tree.sounding(reading) if chinese[w] >= FLOOR}
        total = sum(chinese[word] for word in words)
        real = _REAL if dictionary().FREQ.get(typed) else 1.0
        best = sorted(words, key=lambda word: (-chinese[word], word))[:3]
        found = {}
        for word in best:
            same = sum(a == b for a, b in zip(word, typed, strict=True)) / len(word)
            said = chinese[word] / (chinese[word] + (_DOUBT_OF_TWO if len(word) == 2 else _DOUBT))
            found[word] = _HOMOPHONE * real * (0.5 + 0.5 * min(1.0, 2 * same)) * said * chinese[word] / total
        return found


def _certainty(short: int, length: int, letters: int) -> float:
    """How sure a word is that was spelt alone, `short` of its `length` syllables by initials only, in so many letters."""
    certainty = (_FULL if length > 1 else _SINGLE) * (1 - 0.6 * short / length)
    if short == length == 2:
        certainty *= 0.6
    return certainty if letters > 5 else _BRIEF * certainty


def _better(
    best: dict[int, tuple[float, tuple[_Stretch, ...]]], at: int, score: float, way: tuple[_Stretch, ...]
) -> None:
    if at not in best or score > best[at][0]:
        best[at] = score, way


def _cuts(run: str) -> Iterator[tuple[int, int]]:
    return ((start, end) for _, start, end in dictionary().tokenize(run, HMM=False))


def _written(text: str, stretches: list[_Stretch], words: list[str]) -> str:
    """The text with words in place of stretches."""
    for stretch, word in reversed(list(zip(stretches, words, strict=True))):
        text = text[: stretch.start] + word + text[stretch.end :]
    return text
