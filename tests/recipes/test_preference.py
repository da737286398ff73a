"""The ranker of recommendation learns what decides, is judged on customers it has not seen, and leaves new items room."""

from dataclasses import replace

import numpy as np
import pytest
from toyshop import toy_store

from shopkeeper.evaluation.next_items import measures, ranks
from shopkeeper.ranking.customer_features import NAMES
from shopkeeper.ranking.pool import pooled
from shopkeeper.ranking.ranker import Linear, Ranker
from shopkeeper.recipes.recommend.moments import moments
from shopkeeper.recipes.recommend.preference import Choices, choices, learn_preference, places
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.tasks.recommend.behaviour import Parameters, fit

WORDS, BLEND, EVIDENCE = NAMES.index("words"), NAMES.index("blend"), NAMES.index("evidence")


def made(customers=400, each=30, *, new=0.0, wanted_new=0.0, seed=0):
    """Customers who take what the words favour, though the blend says nothing; some items are new."""
    rng = np.random.default_rng(seed)
    table = rng.random((customers * each, len(NAMES))).astype(np.float32)
    touched = rng.random(len(table)) >= new
    table[~touched, WORDS] *= 0.5
    taken = np.zeros(len(table), dtype=np.bool_)
    for customer in range(customers):
        own = np.arange(customer * each, (customer + 1) * each)
        fresh = own[~touched[own]]
        if len(fresh) and rng.random() < wanted_new:
            taken[fresh[np.argmax(table[fresh, WORDS])]] = True
        else:
            old = own[touched[own]]
            taken[old[np.argmax(table[old, WORDS] + 0.1 * rng.random(len(old)))]] = True
    indptr = np.arange(0, len(table) + 1, each)
    return Choices(indptr, table, taken, touched, np.ones(customers, dtype=np.int64))


def test_what_decides_is_learnt_and_beats_the_blend_on_customers_not_seen():
    learnt = learn_preference(made())
    assert learnt.ranker is not None
    assert learnt.values.mean() > learnt.blend.mean() + 0.3
    fresh = made(seed=9)
    assert fresh.ndcg(learnt.ranker.margin(fresh.table)).mean() == pytest.approx(learnt.values.mean(), abs=0.1)


def test_where_nothing_can_be_learnt_the_blend_stays():
    found = made()
    rng = np.random.default_rng(4)
    noise = replace(found, table=rng.random(found.table.shape).astype(np.float32))
    noise.table[:, BLEND] = found.table[:, WORDS]
    learnt = learn_preference(noise)
    assert learnt.values.mean() < learnt.blend.mean() + 0.05
    assert (learnt.ranker is None) == (learnt.values.mean() <= learnt.blend.mean())


def test_untouched_items_are_lifted_as_often_as_they_are_wanted():
    wanted = learn_preference(made(new=0.2, wanted_new=0.6))
    assert wanted.untouched > 0
    unwanted = learn_preference(made(new=0.2, wanted_new=0.0))
    assert unwanted.untouched < wanted.untouched


def test_ndcg_is_the_textbooks():
    found = Choices(
        np.array([0, 3, 3, 5]),
        np.zeros((5, len(NAMES)), dtype=np.float32),
        np.array([False, True, False, False, True]),
        np.ones(5, dtype=np.bool_),
        np.array([1, 1, 2]),
    )
    scores = np.array([3, 2, 1, 1, 1], dtype=np.float32)
    tied = 1 / np.log2(0.5 + 2) / (1 + 1 / np.log2(3))
    np.testing.assert_allclose(found.ndcg(scores), [1 / np.log2(3), 0, tied])
    assert found.answered == 2
    assert found.recall == 0.5
    again = found.take(np.array([2, 0]))
    assert again.indptr.tolist() == [0, 2, 5]
    assert again.taken.tolist() == [False, True, False, True, False]


def test_the_places_of_the_ranker_are_those_of_a_plain_ranking_of_its_candidates(tmp_path):
    store = toy_store(tmp_path)
    shelf = Shelf(store.catalogue.scan())
    frame = store.events.frame()
    validation, _ = moments(frame, shelf, "last")
    split = validation.split
    behaviour = fit(split.learn, shelf, None, Parameters(), split.until)
    weights = np.zeros(len(NAMES), dtype=np.float32)
    weights[BLEND] = 1.0
    behaviour.ranker = Ranker(Linear(np.zeros(len(NAMES), dtype=np.float32), weights))
    found = places(behaviour, split, validation.past, shelf)
    width = len(shelf)
    plain = ranks(lambda past: behaviour.blended(past, width), split, width)
    inside = np.isfinite(found)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(found[inside], plain[inside], atol=0.5)
    assert measures(found, split)["ndcg@10"].shape == (len(split.past),)
    taught = choices(behaviour, split, validation.past, shelf)
    assert taught.table.shape == (int(taught.indptr[-1]), len(NAMES))
    assert np.isfinite(taught.table).all()
    store.close()


def test_a_pool_is_the_union_of_the_best_of_each_source_among_what_is_allowed():
    rng = np.random.default_rng(2)
    scores = {name: rng.random((6, 40)).astype(np.float32) for name in ("a", "b")}
    scores["b"][0] = 0
    allowed = rng.random((6, 40)) < 0.7
    pool = pooled(scores, allowed, each=5)
    for user in range(6):
        best = {
            int(row)
            for dense in scores.values()
            for row in np.argsort(-np.where(allowed[user], dense[user], 0))[:5]
            if dense[user, row] > 0 and allowed[user, row]
        }
        assert set(pool.rows[user][pool.valid[user]].tolist()) == best
    assert pool.of(scores["a"]).shape == pool.rows.shape
    alone = pooled({name: dense[:1] for name, dense in scores.items()}, allowed[:1], each=5)
    assert sorted(alone.rows[0].tolist()) == sorted(pool.rows[0][pool.valid[0]].tolist())
    nobody = pooled({"a": np.zeros((1, 40), dtype=np.float32)}, allowed[:1], each=5)
    assert not nobody.valid.any()


def test_debiasing_gives_what_is_hardly_seen_more_weight():
    found = made()
    evidence = NAMES.index("evidence")
    rng = np.random.default_rng(5)
    popular = rng.random(len(found.table)) < 0.5
    found.table[:, evidence] = np.where(popular, np.log1p(400.0), np.log1p(4.0))
    plain, fair = (learn_preference(found, debias=debias) for debias in (0.0, 1.0))
    assert plain.ranker is not None
    assert fair.ranker is not None

    def lead(learnt):
        """How much more the ranker gives to the popular, all else equal."""
        rows = found.table[:500].copy()
        margins = []
        for count in (400.0, 4.0):
            rows[:, evidence] = np.log1p(count)
            margins.append(learnt.ranker.margin(rows).mean())
        return margins[0] - margins[1]

    assert lead(fair) < lead(plain)
