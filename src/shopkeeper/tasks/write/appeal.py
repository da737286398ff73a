"""Which candidate comes first: by the clicks that its words promise, by what humans approved before, and by how easily it reads."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression, Ridge

from shopkeeper.models.text import Scorer
from shopkeeper.records import Decision, Item
from shopkeeper.tasks.write.briefs import Copy
from shopkeeper.tasks.write.words import ShopWords, ease, likeness, words

Values = NDArray[np.float64]
Trials = Callable[[Sequence[str]], tuple[Values, Values]]
"""Item ids -> clicks on each, and how often each was looked at once its place on the page is allowed for."""

_PRIOR: Final = 20.0
_HOLDERS: Final = 5
_FOLDS: Final = 5
_RIDGES: Final = (3.0, 10.0, 30.0, 100.0, 300.0)
_LEAST_ITEMS: Final = 100
_LEAST_DECISIONS: Final = 8
_SURE: Final = 1.96
_ALIKE: Final = 0.85
_WEIGHTS: Final = (0.5, 0.25, 0.25)


@dataclass(frozen=True, slots=True)
class Appeal:
    """What words in titles go with: the log of an item's click rate against its shelf's, a weight a word.

    Attributes:
        weights: By word.
        agreement: Correlation of foretold and counted rates on items that were not learnt from.
        items: How many were learnt from.
    """

    weights: Mapping[str, float]
    agreement: float
    items: int

    def lift(self, texts: Sequence[str]) -> Values:
        """Log of the click rate that each text promises against its shelf's: float64 (n,)."""
        return np.array([sum(self.weights.get(word, 0.0) for word in set(words(text))) for text in texts])


@dataclass(frozen=True, slots=True)
class Taste:
    """What humans approve of: a logistic regression on words and form."""

    vocabulary: Mapping[str, int]
    model: LogisticRegression

    def chance(self, texts: Sequence[str]) -> Values:
        """Chance that each text is approved as it is: float64 (n,)."""
        return np.asarray(self.model.predict_proba(_seen(texts, self.vocabulary))[:, 1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CopyRanker:
    """Orders candidates.

    Attributes:
        shop: How the shop speaks.
        appeal: Learnt from clicks; None where they say nothing about words.
        taste: Learnt from decisions; None below eight of each.
        buyers: The live model of task ``purchase``, which is asked in place of `appeal`; None without.
    """

    shop: ShopWords
    appeal: Appeal | None = None
    taste: Taste | None = None
    buyers: Scorer | None = None

    def ranked(self, copies: Sequence[Copy], item: Item, most: int) -> tuple[Copy, ...]:
        """The best candidates that differ, best first, with their scores filled in.

        The score is the mean, weighted 2 : 1 : 1, of the squashed log of promised clicks, readability and the chance of
        approval, as far as they are known.
        """
        if not copies:
            return ()
        texts = [copy.text for copy in copies]
        reads = np.array([ease(text, self.shop) for text in texts])
        lift = self._lift(texts, item)
        liked = self.taste.chance(texts) if self.taste is not None else None
        parts = [
            (weight, part)
            for weight, part in zip(_WEIGHTS, (None if lift is None else expit(lift), reads, liked), strict=True)
            if part is not None
        ]
        score = np.average([part for _, part in parts], axis=0, weights=[weight for weight, _ in parts])
        filled = [
            replace(
                copy,
                ease=float(reads[n]),
                score=float(score[n]),
                click=None if lift is None else float(math.exp(lift[n])),
            )
            for n, copy in enumerate(copies)
        ]
        return _different(filled, most)

    def _lift(self, texts: Sequence[str], item: Item) -> Values | None:
        if self.buyers is not None and item.category:
            who = [f"searched {item.category[-1]}"] * (len(texts) + 1)
            chances = np.clip(self.buyers.score(who, [item.title, *texts]), 1e-6, 1 - 1e-6).astype(np.float64)
            return np.asarray(logit(chances[1:]) - logit(chances[0]))
        return self.appeal.lift(texts) if self.appeal is not None else None


def learn_appeal(trials: Trials, items: Iterable[Item], seed: int = 7) -> Appeal | None:
    """Learn which words in titles go with clicks at equal places; None where held-out items say that they do not.

    The log of each item's smoothed click rate, less the mean of its shelf and language, is regressed on the words that five
    titles or more hold (ridge, items weighted by looks / (looks + 20)). This is what goes together in the log: a word that
    stands for a better product is not told from one that draws the eye; only an experiment can.

    Args:
        trials: See `Trials`.
        items: Of the shop.
        seed: Of the folds that choose the ridge and judge what was learnt.
    """
    goods = list(items)
    clicks, looks = trials([item.id for item in goods])
    kept = np.flatnonzero(looks > 0)
    if len(kept) < _LEAST_ITEMS:
        return None
    goods, clicks, looks = [goods[row] for row in kept], clicks[kept], looks[kept]
    rate = clicks.sum() / looks.sum()
    weight = looks / (looks + _PRIOR)
    value = _centred(np.log((clicks + _PRIOR * rate + 1e-9) / (looks + _PRIOR)), weight, goods)
    table, vocabulary = _table([item.title for item in goods], _HOLDERS)
    if not vocabulary:
        return None
    fold = np.random.default_rng(seed).permutation(len(goods)) % _FOLDS
    best, agreement = max(
        ((ridge, _agreement(table, value, weight, fold, ridge)) for ridge in _RIDGES), key=lambda one: one[1]
    )
    if np.arctanh(min(agreement, 0.999)) * math.sqrt(len(goods) - 3) < _SURE:
        return None
    weights = Ridge(alpha=best, fit_intercept=False).fit(table, value, sample_weight=weight).coef_
    return Appeal({word: float(weights[place]) for word, place in vocabulary.items()}, agreement, len(goods))


def learn_taste(decisions: Iterable[Decision]) -> Taste | None:
    """Learn what humans publish as it is, from copies that were published, edited or refused; None from too few of either."""
    told = [
        (one.text, one.label == "publish")
        for one in decisions
        if one.label in ("publish", "refuse") or one.label.startswith("edit")
    ]
    good = sum(liked for _, liked in told)
    if min(good, len(told) - good) < _LEAST_DECISIONS:
        return None
    held = Counter(word for text, _ in told for word in set(words(text)))
    vocabulary = {word: place for place, word in enumerate(sorted(word for word, count in held.items() if count > 1))}
    model = LogisticRegression(C=0.3, class_weight="balanced", max_iter=500)
    return Taste(vocabulary, model.fit(_seen([text for text, _ in told], vocabulary), [liked for _, liked in told]))


def _different(copies: Sequence[Copy], most: int) -> tuple[Copy, ...]:
    """The best of each lead first, then the rest, none nearly equal to one before."""
    best: dict[str, Copy] = {}
    order = sorted(copies, key=lambda copy: (-copy.score, copy.variant))
    for copy in order:
        best.setdefault(copy.lead, copy)
    chosen: list[Copy] = []
    for copy in [*best.values(), *order]:
        if len(chosen) < most and all(likeness(copy.text, other.text) < _ALIKE for other in chosen):
            chosen.append(copy)
    return tuple(sorted(chosen, key=lambda copy: (-copy.score, copy.variant)))


def _agreement(table: sparse.csr_matrix, value: Values, weight: Values, fold: NDArray[np.int64], ridge: float) -> float:
    foretold = np.zeros(len(value))
    for held in range(_FOLDS):
        known, new = fold != held, fold == held
        model = Ridge(alpha=ridge, fit_intercept=False).fit(table[known], value[known], sample_weight=weight[known])
        foretold[new] = table[new] @ model.coef_
    spread = float(np.average(foretold**2, weights=weight) * np.average(value**2, weights=weight))
    return float(np.average(foretold * value, weights=weight) / math.sqrt(spread)) if spread > 0 else 0.0


def _centred(value: Values, weight: Values, items: Sequence[Item]) -> Values:
    """Less the weighted mean of the item's shelf and language."""
    shelves: defaultdict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        shelves[item.category, item.language].append(row)
    centred = value.copy()
    for rows in shelves.values():
        centred[rows] -= np.average(value[rows], weights=weight[rows])
    return centred


def _table(texts: Sequence[str], holders: int) -> tuple[sparse.csr_matrix, dict[str, int]]:
    """Which of the words that so many texts hold each one holds: float64 (n, words)."""
    spoken = [set(words(text)) for text in texts]
    held = Counter(word for text in spoken for word in text)
    vocabulary = {
        word: place for place, word in enumerate(sorted(word for word, count in held.items() if count >= holders))
    }
    cells = [(row, vocabulary[word]) for row, text in enumerate(spoken) for word in text if word in vocabulary]
    rows, columns = zip(*cells, strict=True) if cells else ((), ())
    return sparse.csr_matrix((np.ones(len(cells)), (rows, columns)), shape=(len(texts), len(vocabulary))), vocabulary


def _seen(texts: Sequence[str], vocabulary: Mapping[str, int]) -> Values:
    """Words and form as columns: length, sentences, figures, prices, questions, quotations."""
    table = np.zeros((len(texts), len(vocabulary) + 6))
    for row, text in enumerate(texts):
        for word in set(words(text)):
            if word in vocabulary:
                table[row, vocabulary[word]] = 1.0
        table[row, -6:] = (
            math.log1p(len(text)) / 3,
            math.log1p(len(re.findall(r"[.。!！?？\n]", text))),
            bool(re.search(r"\d", text)),
            bool(re.search("[$€£¥元]", text)),
            bool(re.search("[?？]", text)),
            bool(re.search('[“"「]', text)),
        )
    return table
