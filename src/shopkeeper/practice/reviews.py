"""Reviews whose words match the stars: praise and complaint about what the item is truly good or bad at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shopkeeper.practice.goods import Goods
from shopkeeper.practice.vocabulary import EN, Aspect, Vocabulary
from shopkeeper.practice.wording import pick, slots_of


def stars_of(satisfaction: float, rng: np.random.Generator) -> int:
    """1 to 5 from satisfaction (about standard normal) and mood; most are 4 or 5, as in any shop."""
    felt = satisfaction + float(rng.normal(0.0, 0.55))
    return 1 + sum(felt > edge for edge in (-1.55, -0.95, -0.4, 0.35))


def review_of(words: Vocabulary, goods: Goods, row: int, stars: int, rng: np.random.Generator) -> str:
    """A review of an item in its language.

    Five stars praise two aspects, four praise and may mind one, three weigh one of each, one and two complain. Which
    aspects: those the item is truly best, or worst, at.
    """
    language = int(goods.language[row])
    phrases = words.phrases[language]
    kind = words.types[int(goods.type[row])]
    slots = slots_of(words, goods, row, rng)
    aspects = [*(aspect for aspect in kind.range.aspects if kind.key in aspect.types), *words.aspects]
    felt = goods.aspects[row][: len(aspects)] + rng.normal(0.0, 0.5, len(aspects))
    ranked = [aspects[number] for number in np.argsort(-felt)]
    goods_said, bads_said = _parts(stars, rng)
    slots |= _say("good", ranked[:2], language, rng) | _say("bad", ranked[::-1][:2], language, rng)
    sentences = [pick(phrases[f"review_{stars}"], slots, rng)] if rng.random() < 0.85 else []
    for key, count in (("good", goods_said), ("bad", bads_said)):
        sentences += _sentences(phrases[f"review_links_{key}"], key, count, slots, rng)
    if rng.random() < 0.4:
        sentences.append(pick(phrases["review_details" if stars >= 3 else "review_details_bad"], slots, rng))
    kept = [sentence[0].upper() + sentence[1:] for sentence in dict.fromkeys(sentences) if sentence]
    return (" " if language == EN else "").join(kept)


def _sentences(
    patterns: Sequence[str], key: str, count: int, slots: Mapping[str, str], rng: np.random.Generator
) -> list[str]:
    """Up to two sentences about two aspects, each aspect once."""
    plain = [pattern for pattern in patterns if pattern.startswith(("{good", "{Good", "{bad", "{Bad"))]
    single = [pattern for pattern in patterns if "2}" not in pattern]
    turns = [slots, {**slots, key: slots[f"{key}2"]}][:count]
    return [pick(plain if count == 1 else plain[:1] if turn is slots else single, turn, rng) for turn in turns]


def _parts(stars: int, rng: np.random.Generator) -> tuple[int, int]:
    if stars == 5:
        return int(rng.integers(1, 3)), 0
    if stars == 4:
        return int(rng.integers(1, 3)), int(rng.random() < 0.3)
    if stars == 3:
        return 1, 1
    return int(stars == 2 and rng.random() < 0.25), int(rng.integers(1, 3))


def _say(key: str, aspects: list[Aspect], language: int, rng: np.random.Generator) -> dict[str, str]:
    said = [str(rng.choice((aspect.good if key == "good" else aspect.bad)[language])) for aspect in aspects]
    return {key: said[0], f"{key}2": said[1]}
