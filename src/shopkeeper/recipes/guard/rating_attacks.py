"""Attacks on ratings, simulated in the shop's own data: they teach a detector where nobody labelled anything.

Four kinds: random, average and bandwagon profiles push one item each and hide behind filler ratings (Lam and Riedl
2004; Mobasher, Burke, Bhaumik and Williams 2007); a crew rates a handful of items together (Mukherjee, Liu and Glance
2012). Where the shop knows times, words and purchases, one crew in two acts within days, one in two repeats its own
words, one in two did not buy: no single sign gives all attackers away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shopkeeper.ranking.raters.ratings import Ints, Ratings, Values

_DAY = 86_400.0
_CREW = 10
"""Raters who work together."""
_TARGETS = (3, 10)
"""Items that a crew pushes, least and most."""
_CAMPAIGN = 3 * _DAY
_WORDS = 0.15
"""Share of words that an attacker leaves out of the crew's text."""
_KNOWN = 0.7
"""Share of a crew's targets that each of its raters rates."""
_CARELESS = 1 / 2
"""Chance that a crew lets itself be seen in one way: by times, by words, by not buying, by whole stars."""


_Rows = tuple[Ints, Ints, Values, Values, Values, list[str]]
"""Rater, item, stars, time, bought and text of the ratings of one attacker."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a crew goes about it: when it starts, or NaN; the text that it repeats, or none; whether it buys first."""

    start: float
    words: str
    bought: float


@dataclass(frozen=True, slots=True)
class Attacked:
    """Ratings with attackers among them.

    Attributes:
        ratings: The shop's raters first, then the attackers.
        crew: int64 (raters,), the attacker's crew, -1 for the shop's own raters.
        targets: int64, items that were pushed.
    """

    ratings: Ratings
    crew: Ints
    targets: Ints


def attacked(ratings: Ratings, rng: np.random.Generator, share: float = 0.1) -> Attacked:
    """Add attackers to a shop, a quarter of them of each kind, in crews of ten.

    Args:
        ratings: At least one.
        rng: Randomness.
        share: Attackers to each rater of the shop; at least one crew of each kind is added.
    """
    crews = max(1, round(share * len(ratings.raters) / _CREW / 4))
    means = _item_means(ratings)
    rated = np.flatnonzero(ratings.raised > 0)
    rated = rated[np.argsort(-ratings.raised[rated] + rng.random(len(rated)), kind="stable")]
    shown = np.unique(ratings.rating)
    whole = shown[shown == np.rint(shown)]
    sizes = np.bincount(ratings.rater, minlength=len(ratings.raters))
    usual = np.sort(sizes[sizes > 0])[(sizes > 0).sum() // 4 :]  # the least active quarter is nobody to imitate
    rows: list[_Rows] = []
    targets: list[Ints] = []
    number = len(ratings.raters)
    for kind in ("random", "average", "bandwagon", "crew") * crews:
        levels = whole if len(whole) > 1 and rng.random() < _CARELESS else shown
        chosen = rng.permutation(rated)[: rng.integers(*_TARGETS, endpoint=True)]
        hidden = rng.random()
        plan = _planned(ratings, rng)
        for _ in range(_CREW):
            size = int(rng.choice(usual))
            pushed = chosen[rng.random(len(chosen)) < _KNOWN] if kind == "crew" else rng.permutation(chosen)[:1]
            filler = _filler(ratings, rated, kind, rng.binomial(size, hidden) if kind == "crew" else size, rng)
            filler = filler[~np.isin(filler, pushed)]
            item = np.concatenate([pushed, filler])
            stars = _stars(ratings, kind, filler, means, levels, rng)
            rating = np.concatenate([np.full(len(pushed), levels[-1]), stars])
            rows.append((np.full(len(item), number), item, rating, *_dressed(ratings, plan, len(item), rng)))
            number += 1
        targets.append(chosen)
    crew = np.repeat(np.arange(len(targets)), _CREW)
    crew = np.concatenate([np.full(len(ratings.raters), -1), crew])
    return Attacked(_joined(ratings, rows, number), crew, np.unique(np.concatenate(targets)))


def _item_means(ratings: Ratings) -> Values:
    overall = float(ratings.rating.mean())
    total = np.bincount(ratings.item, ratings.rating, len(ratings.items))
    return np.where(ratings.raised > 0, total / np.maximum(ratings.raised, 1), overall)


def _planned(ratings: Ratings, rng: np.random.Generator) -> _Plan:
    timed = ratings.time[~np.isnan(ratings.time)]
    start = float(rng.choice(timed)) if len(timed) and rng.random() < _CARELESS else np.nan
    words = ""
    if len(ratings.texts) and rng.random() < _CARELESS:
        words = max((ratings.texts[place] for place in rng.choice(len(ratings.texts), 20).tolist()), key=len)
    knows = not np.isnan(ratings.bought).all()
    return _Plan(start, words, float(rng.random() >= _CARELESS) if knows else np.nan)


def _dressed(ratings: Ratings, plan: _Plan, count: int, rng: np.random.Generator) -> tuple[Values, Values, list[str]]:
    """Times, purchases and words of some ratings by an attacker; what the plan leaves open is borrowed from customers."""
    models = rng.integers(0, len(ratings), count)
    time = ratings.time[models] if np.isnan(plan.start) else plan.start + rng.random(count) * _CAMPAIGN
    texts = [_reworded(plan.words or ratings.texts[row], rng) for row in models.tolist()] if len(ratings.texts) else []
    return time, np.full(count, plan.bought), texts


def _filler(ratings: Ratings, rated: Ints, kind: str, size: int, rng: np.random.Generator) -> Ints:
    """Items to hide behind: the most rated ones, what customers rate, or any; `rated` has the most rated first."""
    if kind == "bandwagon":
        return rng.permutation(rated[: 2 * size])[:size]
    return np.unique(rng.choice(ratings.item if kind == "crew" else rated, size))


def _stars(
    ratings: Ratings, kind: str, filler: Ints, means: Values, levels: Values, rng: np.random.Generator
) -> Values:
    """Stars of the filler items: float64 (n,), on the shop's own scale."""
    if kind == "random":
        wanted = rng.normal(ratings.rating.mean(), ratings.rating.std(), len(filler))
    elif kind == "crew":
        wanted = rng.choice(ratings.rating, len(filler))
    else:
        wanted = means[filler]
    return np.asarray(levels[np.abs(wanted[:, None] - levels[None, :]).argmin(axis=1)], dtype=np.float64)


def _reworded(text: str, rng: np.random.Generator) -> str:
    """The text with some of its words left out; of its characters where it has no spaces."""
    pieces, glue = (text.split(), " ") if " " in text else (list(text), "")
    return glue.join(piece for piece, keep in zip(pieces, rng.random(len(pieces)) > _WORDS, strict=True) if keep)


def _joined(ratings: Ratings, rows: list[_Rows], number: int) -> Ratings:
    rater, item, rating, time, bought = (np.concatenate([row[place] for row in rows]) for place in range(5))
    return Ratings(
        [*ratings.raters, *(f"attacker {place}" for place in range(number - len(ratings.raters)))],
        ratings.items,
        np.concatenate([ratings.rater, rater]),
        np.concatenate([ratings.item, item]),
        np.concatenate([ratings.rating, rating]),
        np.concatenate([ratings.time, time]),
        np.concatenate([ratings.bought, bought]),
        np.concatenate([ratings.praise, np.full(len(rater), np.nan)]),
        [*ratings.texts, *(text for row in rows for text in row[5])] if len(ratings.texts) else (),
    )
