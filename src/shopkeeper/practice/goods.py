"""What the practice shop sells, before it is put into words: one row of hidden facts per item."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopkeeper.practice.vocabulary import EN, ZH, Vocabulary

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOOK = 6
ASPECTS = 8
_FILMED = 0.12
"""Share of the items of which there is a clip."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is readable about an item: its attribute values (English keys), which features and uses, its family."""

    values: Mapping[str, str]
    features: tuple[int, int]
    uses: tuple[int, int]
    name: int
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class Goods:
    """n items as columns.

    Attributes:
        ids: Opaque ids, ascending; the order means nothing.
        type, language, brand, colour, style: int64 (n,) codes into the vocabulary; colour and style -1 where none.
        group: int64 (n,), variants of one product share it.
        price: float64 (n,), in `currency` of the item's language (USD for English, CNY for Chinese).
        level: float64 (n,), log price relative to the type, in standard deviations: cheap negative, dear positive.
        quality: float64 (n,), standard normal; hidden, shows in ratings and returns.
        charm: float64 (n,), what everybody likes about it.
        look: float64 (n, 6), what some like and some do not; only behaviour shows it.
        aspects: float64 (n, 8), how good the item is at what reviews speak about.
        created: float64 (n,), days since the log's start, negative before it.
        gone: float64 (n, 2), days between which it is sold out; empty interval for most.
        hidden: bool (n,).
        filmed: bool (n,), of which there is a clip.
    """

    ids: tuple[str, ...]
    facts: tuple[Facts, ...]
    type: Ints
    language: Ints
    brand: Ints
    colour: Ints
    style: Ints
    group: Ints
    price: Floats
    level: Floats
    quality: Floats
    charm: Floats
    look: Floats
    aspects: Floats
    created: Floats
    gone: Floats
    hidden: Bools
    filmed: Bools

    def on_sale(self, day: float) -> Bools:
        """Which items can be shown and bought at a moment, bool (n,)."""
        return (self.created <= day) & ~self.sold_out(day) & ~self.hidden

    def sold_out(self, day: float) -> Bools:
        """Which items are sold out at a moment, bool (n,)."""
        return (self.gone[:, 0] <= day) & (day < self.gone[:, 1])


def opaque(kind: str, seed: int, number: int, length: int = 10) -> str:
    """An id that tells nothing: a hash of the seed and a running number."""
    return hashlib.blake2s(f"{kind}/{seed}/{number}".encode()).hexdigest()[:length]


@dataclass(slots=True)
class _Row:
    type: int
    language: int
    brand: int
    group: int
    price: float
    level: float
    quality: float
    charm: float
    look: Floats
    aspects: Floats
    created: float
    facts: Facts


def make_goods(words: Vocabulary, count: int, days: int, seed: int) -> Goods:
    """Draw the catalogue.

    Args:
        words: What can be sold.
        count: Items, at least two per product type (one in each language).
        days: Length of the log; a fifth of the products first go on sale during it.
        seed: Everything follows from it.
    """
    rng = np.random.default_rng([seed, 1])
    rows: list[_Row] = []
    plan = _plan(words, rng)
    group = 0
    while len(rows) < count:
        kind, language = plan[group % len(plan)]
        rows += _product(words, kind, language, group, days, rng)
        group += 1
    del rows[count:]
    ids = [opaque("item", seed, number) for number in range(count)]
    order = sorted(range(count), key=ids.__getitem__)
    gone = np.full((count, 2), np.inf)
    short = rng.random(count) < 0.12
    begin = rng.uniform(0.0, days, count)
    gone[short] = np.stack([begin, begin + rng.gamma(2.0, 8.0, count)], axis=1)[short]
    hidden = rng.random(count) < 0.008
    colours = {colour.key: number for number, colour in enumerate(words.colours)}
    styles = {style: number for number, style in enumerate(style_names(words))}
    picked = [rows[number] for number in order]
    columns = {
        name: np.array([getattr(row, name) for row in picked])
        for name in (
            "type",
            "language",
            "brand",
            "group",
            "price",
            "level",
            "quality",
            "charm",
            "look",
            "aspects",
            "created",
        )
    }
    return Goods(
        ids=tuple(ids[number] for number in order),
        facts=tuple(row.facts for row in picked),
        colour=np.array([colours.get(row.facts.values.get("colour", ""), -1) for row in picked]),
        style=np.array([styles.get(row.facts.values.get("style", ""), -1) for row in picked]),
        gone=gone,
        hidden=hidden,
        filmed=np.random.default_rng([seed, 10]).random(count) < _FILMED,
        **columns,
    )


def style_names(words: Vocabulary) -> tuple[str, ...]:
    """All styles, in a fixed order."""
    return tuple(sorted({style for kind in words.types for style in kind.range.styles}))


def _plan(words: Vocabulary, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(type, language) of each product in turn; every pair occurs, common types more often."""
    pairs = [(kind, language) for kind in range(len(words.types)) for language in (EN, ZH)]
    weights = rng.gamma(3.0, 1.0, len(pairs))
    extra = rng.choice(len(pairs), size=len(pairs), p=weights / weights.sum())
    # The first round covers every pair in random order; later rounds are uneven.
    first = rng.permutation(len(pairs))
    return [pairs[number] for number in [*first, *extra, *rng.permutation(extra)]]


def _product(
    words: Vocabulary, kind: int, language: int, group: int, days: int, rng: np.random.Generator
) -> list[_Row]:
    spec = words.types[kind]
    own = [n for n, (key, brand) in enumerate(words.brands) if key == spec.range.key and brand.language == language]
    brand = int(rng.choice(own))
    tier = words.brands[brand][1].tier
    level = float(np.clip(0.55 * tier + rng.normal(0.0, 0.8), -2.2, 2.6))
    quality = float(0.35 * level + rng.normal(0.0, 0.95))
    charm = float(rng.normal(0.0, 1.0))
    look = rng.normal(0.0, 1.0, LOOK)
    aspects = 0.8 * quality + rng.normal(0.0, 0.7, ASPECTS)
    created = float(rng.uniform(0.0, days * 0.97) if rng.random() < 0.2 else -rng.gamma(2.0, 120.0) - 1.0)
    base = {name: str(rng.choice(values)) for name, values in spec.attributes.items()}
    features = rng.choice(len(spec.features), 2, replace=False)
    uses = rng.choice(len(spec.uses), 2, replace=False)
    name = int(rng.choice(len(spec.names[language]), p=_skewed(len(spec.names[language]))))
    line = int(rng.integers(len(words.phrases[language]["lines"])))
    rows = []
    for values in _variants(base, spec.attributes, rng):
        price = _price(spec.price, level, language, rng)
        facts = Facts(
            values=values,
            features=(int(features[0]), int(features[1])),
            uses=(int(uses[0]), int(uses[1])),
            name=name,
            line=line,
            code=_code(rng),
        )
        nudge = rng.normal(0.0, 0.25, LOOK)
        rows.append(
            _Row(kind, language, brand, group, price, level, quality, charm + float(rng.normal(0, 0.2)),
                 look + nudge, aspects, created, facts)
        )  # fmt: skip
    return rows


def _variants(
    base: dict[str, str], choices: Mapping[str, tuple[str, ...]], rng: np.random.Generator
) -> list[dict[str, str]]:
    """The product itself and, for a third of them, up to three variants in another colour or size."""
    varied = [name for name in ("colour", "size") if len(choices.get(name, ())) > 1]
    if not varied or rng.random() > 0.33:
        return [base]
    name = str(rng.choice(varied))
    others = [value for value in choices[name] if value != base[name]]
    picked = rng.choice(others, min(len(others), int(rng.integers(1, 4))), replace=False)
    return [base, *({**base, name: str(value)} for value in picked)]


def _skewed(count: int) -> Floats:
    weights = 0.62 ** np.arange(count)
    return np.asarray(weights / weights.sum())


def _price(base: float, level: float, language: int, rng: np.random.Generator) -> float:
    amount = base * np.exp(0.42 * level + rng.normal(0.0, 0.06)) * (6.2 if language == ZH else 1.0)
    if language == ZH:
        return float(max(1.0, np.floor(amount) + (0.9 if amount < 100 else 0.0)))
    return float(np.floor(amount) + (0.99 if amount < 150 else 0.0)) if amount >= 1 else 0.99


def _code(rng: np.random.Generator) -> str:
    letters = "".join(chr(65 + int(number)) for number in rng.integers(0, 26, 2))
    return f"{letters}-{int(rng.integers(10_000, 99_999))}"
