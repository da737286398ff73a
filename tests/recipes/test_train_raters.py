"""A detector that learns from simulated attacks alone finds another attack; decisions teach it what no attack shows."""

import numpy as np
import pytest

from shopkeeper.errors import TrainingError
from shopkeeper.ranking.raters.model import SIGNS, RaterModel, trust
from shopkeeper.ranking.raters.ratings import Ratings
from shopkeeper.recipes.guard.raters import best_border, learn_raters
from shopkeeper.recipes.guard.rating_attacks import attacked


def shop(rng, raters=150, items=60, *, timed=False):
    """Customers who like one half of the items better, and rate popular ones more often."""
    popularity = 1 / np.arange(1, items + 1)
    rows = []
    for n in range(raters):
        for item in rng.choice(items, int(rng.integers(4, 12)), replace=False, p=popularity / popularity.sum()):
            stars = np.clip(np.rint(3.2 + (1 if item % 2 == n % 2 else -1) + rng.normal()), 1, 5)
            rows.append((f"c{n}", f"i{item}", float(stars)))
    rows = [rows[place] for place in rng.permutation(len(rows))]
    times = rng.random(len(rows)) * 3e7 if timed else None
    return Ratings.of([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], time=times)


def crew(ratings, rng, size=15):
    """Adds a crew by another plan than any simulated one: the same eight items, all at the top, nothing else."""
    items = rng.choice(len(ratings.items), 8, replace=False)
    names = [ratings.raters[who] for who in ratings.rater]
    goods = [ratings.items[what] for what in ratings.item]
    for n in range(size):
        names += [f"fake{n}"] * len(items)
        goods += [ratings.items[what] for what in items]
    return Ratings.of(names, goods, [*ratings.rating, *[5.0] * (size * len(items))])


@pytest.fixture(scope="module")
def spoilt():
    rng = np.random.default_rng(5)
    ratings = crew(shop(rng), rng)
    return ratings, np.array([name.startswith("fake") for name in ratings.raters])


@pytest.fixture(scope="module")
def drilled(spoilt):
    ratings, _ = spoilt
    return learn_raters(ratings, np.full(len(ratings.raters), np.nan), seed=3)


def test_attackers_are_added_and_nobody_is_changed():
    ratings = shop(np.random.default_rng(1), timed=True)
    mixed = attacked(ratings, np.random.default_rng(2))
    assert np.bincount(mixed.crew[mixed.crew >= 0]).tolist() == [10] * 4
    assert mixed.ratings.raters[: len(ratings.raters)] == ratings.raters
    np.testing.assert_array_equal(mixed.ratings.rating[: len(ratings)], ratings.rating)
    assert np.isin(mixed.ratings.rating, np.unique(ratings.rating)).all()
    assert not np.isnan(mixed.ratings.time).any()
    assert np.isnan(mixed.ratings.bought).all()


def test_the_same_seed_gives_the_same_attack():
    ratings = shop(np.random.default_rng(1))
    one, other = (attacked(ratings, np.random.default_rng(2)).ratings for _ in range(2))
    np.testing.assert_array_equal(one.item, other.item)
    np.testing.assert_array_equal(one.rating, other.rating)


def test_a_crew_is_found_without_labels(spoilt, drilled):
    ratings, fake = spoilt
    suspicion = drilled.model.score(ratings, np.full(len(fake), np.nan)).suspicion
    assert suspicion[fake].mean() > suspicion[~fake].mean() + 0.3
    assert drilled.drilled > 0.8


def test_decisions_are_learnt_from_and_scored_without_the_own_label(spoilt, drilled):
    ratings, _ = spoilt
    odd = np.array([np.isin(ratings.item[ratings.rater == row] % 7, 0).any() for row in range(len(ratings.raters))])
    labels = np.where(np.random.default_rng(6).random(len(odd)) < 0.7, odd.astype(float), np.nan)
    learnt = learn_raters(ratings, labels, seed=3, drilled=drilled)
    assert learnt.model.taught is not None
    unseen = np.isnan(labels)
    suspicion = learnt.model.score(ratings, labels).suspicion
    assert suspicion[unseen & odd].mean() > suspicion[unseen & ~odd].mean()
    turned = labels.copy()
    turned[0] = 1 - np.nan_to_num(labels[0])
    known = labels.copy()
    known[0] = np.nan_to_num(labels[0])
    assert learnt.model.score(ratings, known).suspicion[0] == learnt.model.score(ratings, turned).suspicion[0]


def test_too_few_decisions_teach_nothing(spoilt, drilled):
    ratings, _ = spoilt
    labels = np.full(len(ratings.raters), np.nan)
    labels[:10] = 1.0
    assert learn_raters(ratings, labels, seed=3, drilled=drilled).model.taught is None


def test_a_model_survives_being_saved(spoilt, drilled):
    ratings, fake = spoilt
    learnt = learn_raters(ratings, fake.astype(float)[:, None][:, 0], seed=3, drilled=drilled)
    nobody = np.full(len(fake), np.nan)
    for model in (drilled.model, learnt.model):
        again = RaterModel.load(*model.save())
        one, other = model.score(ratings, nobody), again.score(ratings, nobody)
        np.testing.assert_allclose(one.suspicion, other.suspicion)
        assert one.parts.shape == (len(fake), len(SIGNS))


def test_trust_falls_evenly_around_the_border():
    suspicion = np.array([0.0, 0.3, 0.45, 0.6, 0.7, 0.8, 1.0])
    np.testing.assert_allclose(trust(suspicion, 0.6), [1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0])


def test_a_handful_of_raters_is_too_few():
    ratings = Ratings.of(["ann", "bob"], ["lamp", "lamp"], [5, 1])
    with pytest.raises(TrainingError, match="Only 2"):
        learn_raters(ratings, [np.nan, np.nan])


def test_border_of_the_best_f1():
    assert best_border([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9]) == 0.4
