"""Reviews that nobody meant: bursts of praise for some items, of blame for their rivals, in sentences from a stock."""

from __future__ import annotations

import numpy as np

from shopkeeper.practice.mischief_plot import Plot, evening
from shopkeeper.practice.vocabulary import EN, LANGUAGES
from shopkeeper.records import EventKind, Passage, PassageKind

_PRAISE = (
    (
        "Best {name} ever, {very} recommend to everyone.",
        "Amazing {name}! Five stars, {very} happy with it.",
        "Perfect {name}, great quality, great price, fast delivery.",
        "I love this {name} so much, buy it now, you will not regret it.",
        "This {name} exceeded my expectations, {very} good in every way.",
    ),
    (
        "最好的{name}，{very}推荐给大家。",
        "{name}太棒了，五星好评，{very}满意。",
        "完美的{name}，质量好，价格好，发货快。",
        "太喜欢这款{name}了，赶快买，不会后悔。",
        "这款{name}超出预期，各方面都{very}好。",
    ),
)
_BLAME = (
    (
        "Worst {name} ever, {very} disappointed, do not buy.",
        "Terrible {name}. One star is too much. Waste of money.",
        "This {name} broke on the first day, {very} bad quality.",
        "Stay away from this {name}, there are better brands.",
    ),
    (
        "最差的{name}，{very}失望，千万别买。",
        "{name}太糟糕了，一星都多，浪费钱。",
        "这款{name}第一天就坏了，质量{very}差。",
        "别买这款{name}，有更好的牌子。",
    ),
)
_VERY = (("very", "really", "absolutely", "truly"), ("非常", "真的", "特别", "十分"))


def forge(plot: Plot) -> None:
    """Plant reviews that are paid for.

    Kinds: ``fake_review`` (a passage), ``fake_reviewer`` (a customer) and ``attacked_item`` (an item; the detail says
    ``praised`` or ``blamed``). Reviewers are accounts of a pool that never bought the item; a ring's reviews come within
    three days.
    """
    rng = plot.rng("reviews")
    goods = plot.goods
    pool = {language: [plot.account(0.0, language) for _ in range(plot.count(1500))] for language in range(2)}
    used: set[str] = set()
    for number in range(plot.count(len(goods.ids), 0.75)):
        language = number % 2
        day = float(rng.uniform(1.0, max(2.0, plot.days - 4.0)))
        rows = plot.on_sale(language, day)
        praised = int(rng.choice(rows))
        rivals = rows[(goods.type[rows] == goods.type[praised]) & (goods.brand[rows] != goods.brand[praised])]
        _burst(plot, praised, 5, day, pool[language], used, rng)
        if len(rivals) and rng.random() < 0.5:
            _burst(plot, int(rng.choice(rivals)), 1, day, pool[language], used, rng)
    for name in sorted(used):
        plot.plant("fake_reviewer", name)


def _burst(
    plot: Plot, row: int, stars: int, day: float, pool: list[str], used: set[str], rng: np.random.Generator
) -> None:
    item, language = plot.goods.ids[row], int(plot.goods.language[row])
    stock = (_PRAISE if stars == 5 else _BLAME)[language]
    names = plot.words.types[int(plot.goods.type[row])].names[language]
    authors = rng.permutation(pool)[: int(rng.integers(6, 16))].tolist()
    for author in authors:
        said = [stock[place] for place in rng.permutation(len(stock))[: int(rng.integers(1, 3))]]
        slots = {"name": str(rng.choice(names)), "very": str(rng.choice(_VERY[language]))}
        moment = plot.time(min(evening(rng, day, day + 3.0), plot.days))
        passage = Passage(
            id=plot.fresh("passage", 12),
            kind=PassageKind.REVIEW,
            text=(" " if language == EN else "").join(text.format(**slots) for text in said),
            item=item,
            customer=author,
            time=moment,
            rating=float(stars),
            language=LANGUAGES[language],
        )
        plot.passages.append(passage)
        plot.forged_words.add(passage.id)
        plot.write(
            plot.day(moment), EventKind.REVIEW, item=item, customer=author, value=float(stars),
            properties={"passage": passage.id},
        )  # fmt: skip
        plot.plant("fake_review", passage.id, item)
    used.update(authors)
    plot.plant("attacked_item", item, "praised" if stars == 5 else "blamed")
