"""The ranking learns: a word that draws clicks is found, one that does not is not, and humans' decisions count."""

import numpy as np
import pytest

from shopkeeper.records import Decision, Item
from shopkeeper.tasks.write.appeal import CopyRanker, learn_appeal, learn_taste
from shopkeeper.tasks.write.briefs import Copy
from shopkeeper.tasks.write.words import ShopWords

GOOD, BAD = "handmade", "refurbished"


def catalogue(n=400, effect=1.0, seed=3):
    """Items of two shelves whose click rate doubles or halves by a word of the title, and (item -> clicks, looks)."""
    rng = np.random.default_rng(seed)
    plain = ["steel", "large", "blue", "wooden", "small", "folding"]
    items, rate = [], {}
    for n_ in range(n):
        shelf = n_ % 2
        words = [*rng.choice(plain, 2, replace=False), "rake" if shelf else "kettle"]
        logit = -1.5 + 0.8 * shelf + 0.3 * rng.normal()
        for word, sign in ((GOOD, 1), (BAD, -1)):
            if rng.random() < 0.3:
                words.append(word)
                logit += sign * effect
        items.append(Item(id=f"i{n_}", title=" ".join(words), category=("S", str(shelf)), language="en"))
        rate[f"i{n_}"] = 1 / (1 + np.exp(-logit))
    looks = {item.id: float(rng.integers(20, 200)) for item in items}
    clicks = {item.id: float(rng.binomial(int(looks[item.id]), rate[item.id])) for item in items}

    def trials(ids):
        return np.array([clicks[name] for name in ids]), np.array([looks[name] for name in ids])

    return items, trials


def test_words_that_draw_clicks_are_found_within_their_shelves():
    items, trials = catalogue()
    appeal = learn_appeal(trials, items)
    assert appeal.agreement > 0.5
    assert appeal.lift([f"{GOOD} rake"])[0] > 0.3
    assert appeal.lift([f"{BAD} rake"])[0] < -0.3
    assert abs(appeal.weights["rake"]) < 0.1  # what the shelf is called says nothing within it
    assert appeal.items == len(items)


def test_where_words_say_nothing_nothing_is_learnt():
    items, trials = catalogue(effect=0.0)
    assert learn_appeal(trials, items) is None
    assert learn_appeal(lambda ids: (np.zeros(len(ids)), np.zeros(len(ids))), items) is None
    assert learn_appeal(trials, items[:50]) is None


def test_the_order_of_the_catalogue_does_not_matter():
    items, trials = catalogue()
    one, other = learn_appeal(trials, items), learn_appeal(trials, items)
    assert one.weights == other.weights
    back = learn_appeal(trials, items[::-1])
    assert back.weights[GOOD] == pytest.approx(one.weights[GOOD], rel=0.3)


def test_candidates_are_ranked_by_promised_clicks():
    items, trials = catalogue()
    ranker = CopyRanker(ShopWords(items), learn_appeal(trials, items))
    copies = [
        Copy(item="i1", kind="title", language="en", text=f"{word} steel rake", lead=word)
        for word in (BAD, "blue", GOOD)
    ]
    ranked = ranker.ranked(copies, items[1], 3)
    assert [copy.lead for copy in ranked] == [GOOD, "blue", BAD]
    assert ranked[0].click > 1 > ranked[2].click
    assert CopyRanker(ShopWords(items)).ranked(copies, items[1], 2)[0].click is None
    assert ranker.ranked([], items[1], 3) == ()


def test_decisions_teach_what_humans_publish():
    def decided(text, label):
        return Decision(task="copy", subject=text, text=text, label=label)

    told = [decided(f"A plain steel rake number {n}", "publish") for n in range(12)]
    told += [decided(f"Yours for ${n}: a dream of a rake", "refuse") for n in range(6)]
    told += [decided(f"Take ${n} a dream home", "edited 0123") for n in range(6)]
    told += [decided("A rake", "withdrawn")]
    taste = learn_taste(told)
    liked, disliked = taste.chance(["A plain steel rake", "A dream for $3"])
    assert liked > 0.6 > 0.4 > disliked
    assert learn_taste(told[:14]) is None
