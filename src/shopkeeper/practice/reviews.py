"""Reviews whose words match the stars: praise and complaint about what the item is truly good or bad at."""

from __future__ import annotations

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
    aspects = (*kind.range.aspects, *words.aspects)
    felt = goods.aspects[row][: len(aspects)] + rng.normal(0.0, 0.5, len(aspects))
    ranked = [aspects[number] for number in np.argsort(-felt)]
    goods_said, bads_said = _parts(stars, rng)
    slots |= _say("good", ranked[:2], language, rng) | _say("bad", ranked[::-1][:2], language, rng)
    sentences = [pick(phrases[f"review_{stars}"], slots, rng)] if rng.random() < 0.85 else []
    blocks = [("review_links_good", "good")] * goods_said + [("review_links_bad", "bad")] * bads_said
    for number, (block, _) in enumerate(blocks):
        if number and block == blocks[number - 1][0]:
            slots[block[13:]] = slots[f"{block[13:]}2"]
        sentences.append(pick(phrases[block], slots, rng))
    if rng.random() < 0.4:
        sentences.append(pick(phrases["review_details" if stars >= 3 else "review_details_bad"], slots, rng))
    kept = [sentence[0].upper() + sentence[1:] for sentence in dict.fromkeys(sentences) if sentence]
    return (" " if language == EN else "").join(kept)


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
