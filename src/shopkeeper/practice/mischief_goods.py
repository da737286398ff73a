"""Mistakes and tricks in a catalogue: wrong shelves, stuffed titles, slipped decimal points, doubled listings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from shopkeeper.practice.mischief_plot import Plot
from shopkeeper.practice.vocabulary import LANGUAGES
from shopkeeper.practice.wording import description_of, title_of
from shopkeeper.records import Item

_RATE = 6.2
"""Yuan for a dollar in the practice shop."""
_SLIPS = {"x10": 10.0, "/10": 0.1, "x100": 100.0, "/100": 0.01}
_CHEERS = (
    ("best", "hot", "sale", "cheap", "2026", "new", "gift"),
    ("爆款", "特价", "正品", "包邮", "新款", "热卖", "礼物"),
)


def spoil(plot: Plot) -> None:
    """Plant mistakes, each in items of its own.

    The detail of a ``wrong_category`` is the right path joined by `` > ``; of a ``price_error`` the factor (``x10``,
    ``/100``), ``amount`` for the amount in the other currency, or ``currency`` for the other currency's name on the right
    amount; of a ``near_duplicate`` the original's id.
    """
    rng = plot.rng("goods")
    alone = [row for row in rng.permutation(len(plot.goods.ids)).tolist() if not plot.goods.hidden[row]]
    each = plot.count(len(plot.goods.ids), 1.5)
    paths = {
        code: sorted({item.category for item in plot.practice.items if item.language == code}) for code in LANGUAGES
    }
    for number in range(each):
        _misplace(plot, alone.pop(), paths, rng)
        _stuff(plot, alone.pop(), rng)
        _slip(plot, alone.pop(), number)
        _double(plot, alone.pop(), rng)


def _of(plot: Plot, row: int) -> Item:
    return plot.items[plot.goods.ids[row]]


def _misplace(plot: Plot, row: int, paths: dict[str, list[tuple[str, ...]]], rng: np.random.Generator) -> None:
    """Onto another shelf, half of the time of the same department."""
    item = _of(plot, row)
    others = [path for path in paths[item.language] if path != item.category]
    near = [path for path in others if path[0] == item.category[0]]
    pool = near if near and rng.random() < 0.5 else others
    plot.items[item.id] = replace(item, category=pool[int(rng.integers(len(pool)))])
    plot.plant("wrong_category", item.id, " > ".join(item.category))


def _stuff(plot: Plot, row: int, rng: np.random.Generator) -> None:
    """Other makers, other kinds of thing and cries of sale in the title, some of them twice."""
    item, words = _of(plot, row), plot.words
    language = LANGUAGES.index(item.language)
    makers = [brand.name for _, brand in words.brands if brand.language == language and brand.name != item.brand]
    kinds = [kind.names[language][0] for kind in words.types]
    picked = [str(rng.choice(kinds)) for _ in range(int(rng.integers(2, 5)))]
    picked += [str(rng.choice(makers)) for _ in range(int(rng.integers(0, 4)))]
    picked += [str(rng.choice(_CHEERS[language])) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.6:
        picked += [words.types[int(plot.goods.type[row])].names[language][0]] * int(rng.integers(1, 4))
    title = " ".join([item.title, *(picked[place] for place in rng.permutation(len(picked)))])
    plot.items[item.id] = replace(item, title=title)
    plot.plant("keyword_stuffing", item.id)


def _slip(plot: Plot, row: int, number: int) -> None:
    item = _of(plot, row)
    kind = (*_SLIPS, "amount", "currency")[number % 6]
    price, currency = float(item.price or 1.0), item.currency
    if kind in _SLIPS:
        price = max(0.01, round(price * _SLIPS[kind], 2))
    elif kind == "amount":
        price = round(price * _RATE if currency == "USD" else price / _RATE, 2)
    else:
        currency = "CNY" if currency == "USD" else "USD"
    plot.items[item.id] = replace(item, price=price, currency=currency)
    plot.plant("price_error", item.id, kind)


def _double(plot: Plot, row: int, rng: np.random.Generator) -> None:
    """The same product once more, in other words: a title of its own or the old one shuffled, sentences kept or rewritten."""
    item = _of(plot, row)
    language = LANGUAGES.index(item.language)
    parts = item.title.split(" ")
    if rng.random() < 0.5 and len(parts) > 2:
        place = int(rng.integers(1, len(parts)))
        title = " ".join([*parts[place:], *parts[:place], str(rng.choice(_CHEERS[language]))])
    else:
        title = title_of(plot.words, plot.goods, row, rng)
    ending = "." if language == 0 else "。"
    sentences = [part for part in item.description.split(ending) if part.strip()]
    if rng.random() < 0.6 and len(sentences) > 1:
        kept = [sentences[place] for place in rng.permutation(len(sentences))[: max(1, len(sentences) - 1)]]
        description = ending.join(kept) + ending
    else:
        description = description_of(plot.words, plot.goods, row, rng)
    copy = replace(
        item,
        id=plot.fresh("item"),
        title=title,
        description=description.strip(),
        price=round(float(item.price or 1.0) * float(rng.choice([1.0, 0.99, 0.97, 1.03])), 2),
        codes=(f"{str(item.codes[0])[:3]}{int(rng.integers(10_000, 99_999))}",) if item.codes else (),
        group="",
        images=(),
        created=None if item.created is None else item.created + timedelta(days=float(rng.uniform(1, 30))),
        updated=None if item.updated is None else item.updated + timedelta(days=float(rng.uniform(30, 40))),
    )
    plot.items[copy.id] = copy
    plot.plant("near_duplicate", copy.id, item.id)
