"""What people type, and how well each item answers it: intents, their wording, and the true grades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from shopkeeper.practice.goods import Goods, Ints
from shopkeeper.practice.vocabulary import EN, ZH, Vocabulary
from shopkeeper.practice.wording import bare, colour_word, details, fill

TYPOS = 0.035


@dataclass(frozen=True, slots=True)
class Intent:
    """What a customer has in mind: a type with wishes, or a brand, or one very item by its code.

    Attributes:
        type: Code of the product type; -1 when only the brand or the code matters.
        brand: Code of the brand wished for, or -1.
        item: Row of the item whose code was typed, or -1.
        values: Attribute values wished for (English keys).
        feature, use: Index of the feature or use wished for, or -1.
        ceiling: Highest price in the language's currency, 0 for any.
    """

    language: int
    type: int = -1
    brand: int = -1
    item: int = -1
    values: Mapping[str, str] = field(default_factory=dict)
    feature: int = -1
    use: int = -1
    ceiling: float = 0.0


@dataclass(frozen=True, slots=True)
class Query:
    """Typed words and the intent behind them."""

    text: str
    intent: Intent


def phrase(
    words: Vocabulary, goods: Goods, target: int, rng: np.random.Generator, *, unseen: bool = False, plain: bool = False
) -> Query:
    """Word a wish for something like item `target`, in its language.

    Args:
        words: What can be said.
        goods: The catalogue.
        target: Row of the item that the wish is taken from.
        rng: Its state decides the wording.
        unseen: Use held-out names, needs and patterns only; those never occur in the log.
        plain: Fall back on the best-known name, as people do after a search that found nothing.
    """
    language = int(goods.language[target])
    kind = words.types[int(goods.type[target])]
    facts = goods.facts[target]
    if plain:
        return Query(kind.names[language][0], Intent(language, int(goods.type[target])))
    names = kind.rare_names[language] if unseen else kind.names[language]
    asks = kind.rare_asks if unseen else kind.asks
    feature, use = facts.features[int(rng.integers(2))], facts.uses[int(rng.integers(2))]
    more = details(words, facts.values, language)
    detail = int(rng.integers(len(more))) if more else -1
    ceiling = _round_up(float(goods.price[target]) * float(rng.uniform(1.05, 1.4)))
    slots = {
        "name": names[int(rng.integers(len(names)))],
        "brand": words.brands[int(goods.brand[target])][1].name,
        "colour": colour_word(words, facts.values.get("colour", ""), language, rng),
        "material": words.say(facts.values.get("material", ""), language),
        "style": words.say(facts.values.get("style", ""), language),
        "size": words.say(facts.values.get("size", ""), language),
        "feature": kind.features[feature][language], "bare": bare(kind.features[feature][language]),
        "use": kind.uses[use][language], "price": f"{ceiling:g}", "code": facts.code,
        "ask": asks[int(rng.integers(len(asks)))][language],
        "detail": more[detail] if more else "",
    }  # fmt: skip
    patterns = words.phrases[language]["unseen_queries" if unseen else "queries"]
    text = None
    while text is None:
        pattern = patterns[int(rng.integers(len(patterns)))]
        text = fill(pattern, slots)
    intent = _intent(pattern, goods, target, language, feature, use, detail, ceiling)
    text = text.lower() if language == EN else text
    return Query(_slip(text, words, language, rng) if rng.random() < TYPOS and not unseen else text, intent)


def _round_up(price: float) -> float:
    step = 10.0 ** max(0, len(str(int(price))) - 2) * (5 if price > 20 else 1)
    return float(np.ceil(price / step) * step)


def _intent(
    pattern: str, goods: Goods, target: int, language: int, feature: int, use: int, detail: int, ceiling: float
) -> Intent:
    facts = goods.facts[target]
    if pattern == "{code}":
        return Intent(language, item=target)
    if pattern == "{brand}":
        return Intent(language, brand=int(goods.brand[target]))
    values = {name: facts.values[name] for name in ("colour", "material", "style", "size") if f"{{{name}}}" in pattern}
    if "{detail}" in pattern:
        rest = [name for name in facts.values if name not in ("colour", "material", "style", "size")]
        values[rest[detail]] = facts.values[rest[detail]]
    return Intent(
        language,
        int(goods.type[target]),
        brand=int(goods.brand[target]) if "{brand}" in pattern else -1,
        values=values,
        feature=feature if "{feature}" in pattern or "{bare}" in pattern else -1,
        use=use if "{use}" in pattern else -1,
        ceiling=ceiling if "{price}" in pattern else 0.0,
    )


def _slip(text: str, words: Vocabulary, language: int, rng: np.random.Generator) -> str:
    """One slip of the fingers: a letter dropped, doubled or swapped; in Chinese a wrong homophone."""
    if language == ZH:
        for right, wrong in words.homophones.items():
            if right in text:
                return text.replace(right, wrong, 1)
        return text
    places = [n for n in range(1, len(text) - 1) if text[n].isalpha() and text[n + 1].isalpha()]
    if not places:
        return text
    place = places[int(rng.integers(len(places)))]
    kind = int(rng.integers(3))
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place] + text[place:]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


class Grader:
    """The true grade of every item for an intent, 0 to 3.

    3 answers every wish, 2 at least half of them, 1 the right type otherwise (or the substitute type), 0 nothing. What
    is written in the other language is at most a 1.
    """

    def __init__(self, goods: Goods, near: Ints) -> None:
        self._goods = goods
        self._near = near
        self._of_type = {int(kind): np.flatnonzero(goods.type == kind) for kind in np.unique(goods.type)}
        self._of_brand = {int(brand): np.flatnonzero(goods.brand == brand) for brand in np.unique(goods.brand)}

    def grades(self, intent: Intent) -> Ints:
        """int64 (n,), one grade an item; hidden items have 0."""
        goods = self._goods
        grades = np.zeros(len(goods.ids), dtype=np.int64)
        if intent.item >= 0:
            grades[self._of_type[int(goods.type[intent.item])]] = 1
            grades[goods.group == goods.group[intent.item]] = 2
            grades[intent.item] = 3
        elif intent.type < 0:
            grades[self._of_brand[intent.brand]] = 3
        else:
            grades[self._of_type[int(self._near[intent.type])]] = 1
            rows = self._of_type[intent.type]
            grades[rows] = self._wishes(intent, rows)
        grades[(goods.language != intent.language) & (grades > 1)] = 1
        grades[goods.hidden] = 0
        return grades

    def _wishes(self, intent: Intent, rows: Ints) -> Ints:
        goods = self._goods
        facts = [goods.facts[row] for row in rows]
        met: list[Ints] = []
        for name, value in intent.values.items():
            met.append(np.array([fact.values.get(name) == value for fact in facts], dtype=np.int64))
        if intent.brand >= 0:
            met.append((goods.brand[rows] == intent.brand).astype(np.int64))
        if intent.feature >= 0:
            met.append(np.array([intent.feature in fact.features for fact in facts], dtype=np.int64))
        if intent.use >= 0:
            met.append(np.array([intent.use in fact.uses for fact in facts], dtype=np.int64))
        if intent.ceiling:
            met.append((goods.price[rows] <= intent.ceiling).astype(np.int64))
        if not met:
            return np.full(len(rows), 3, dtype=np.int64)
        share = np.mean(met, axis=0)
        return np.asarray(np.where(share >= 1.0, 3, np.where(share >= 0.5, 2, 1)))
