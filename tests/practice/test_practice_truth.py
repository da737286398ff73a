from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from shopkeeper.errors import InputError, NotFoundError
from shopkeeper.practice import Practice, load
from shopkeeper.practice.queries import Grader, Intent
from shopkeeper.practice.vocabulary import EN, vocabulary
from shopkeeper.records import EventKind


def test_there_are_queries_of_every_split_in_both_languages(small: Practice) -> None:
    truth = small.truth
    texts = {event.query for event in small.events if event.kind is EventKind.SEARCH}
    assert len(truth.queries) >= 300
    assert {(query.split, query.language) for query in truth.queries} == {
        (split, tag) for split in ("head", "fresh", "unseen") for tag in ("en", "zh")
    }
    assert len({query.text for query in truth.queries}) == len(truth.queries)
    for query in truth.queries:
        assert (query.text in texts) <= (query.split == "head")


def test_held_out_wordings_never_occur_in_the_log(small: Practice) -> None:
    logged = {event.query for event in small.events if event.query}
    for kind in vocabulary().types:
        assert not {ask[0] for ask in kind.rare_asks} & logged
        assert not {ask[1] for ask in kind.rare_asks} & logged


def test_grades_follow_the_wishes_one_by_one(small: Practice) -> None:
    goods = small.truth.behaviour.goods
    row = next(
        n for n in range(len(goods.ids)) if goods.language[n] == EN and goods.colour[n] >= 0 and not goods.hidden[n]
    )
    facts = goods.facts[row]
    grader = Grader(goods, small.truth.behaviour.world.near)
    wish = Intent(EN, int(goods.type[row]), values={"colour": facts.values["colour"]}, ceiling=float(goods.price[row]))
    grades = grader.grades(wish)
    assert grades[row] == 3
    same = goods.type == goods.type[row]
    assert grades[~same & (goods.type != small.truth.behaviour.world.near[goods.type[row]])].max() == 0
    assert grades[goods.language != EN].max() <= 1
    assert grades[goods.hidden].max(initial=0) == 0
    assert (grader.grades(Intent(EN, item=row)) == 3).sum() == 1


def test_relevance_by_id_and_text_agree_and_others_are_refused(small: Practice) -> None:
    query = small.truth.queries[0]
    by_id = small.truth.relevance(query.id)
    assert by_id == small.truth.relevance(query.text)
    assert set(by_id.values()) <= {1, 2, 3}
    assert max(by_id.values()) >= 2
    with pytest.raises(NotFoundError, match="no evaluation query"):
        small.truth.relevance("never asked")


def test_bought_items_are_truly_likelier_than_others(small: Practice) -> None:
    truth, rng = small.truth, np.random.default_rng(0)
    ids = [item.id for item in small.items]
    wins = []
    for event in small.events:
        if event.kind is EventKind.PURCHASE:
            pair = [event.item, ids[int(rng.integers(len(ids)))]]
            bought, other = truth.purchase_probability(event.customer, pair, event.time)
            wins.append(bought > other)
    assert np.mean(wins) > 0.8


def test_tastes_drift_and_probabilities_with_them(small: Practice) -> None:
    ids = [item.id for item in small.items]
    customer = small.truth.tastes.ids[0]
    start = small.truth.behaviour.start
    early = small.truth.purchase_probability(customer, ids, start)
    late = small.truth.purchase_probability(customer, ids, start + timedelta(days=39))
    assert ((early > 0) & (early < 1)).all()
    assert not np.allclose(early, late, rtol=1e-3)


def test_customers_respond_as_their_probabilities_say(small: Practice) -> None:
    truth = small.truth
    customer, time = truth.tastes.ids[3], truth.cut
    on_sale = truth.behaviour.goods.on_sale(truth.behaviour.day(time))
    sold = [key for key, allowed in zip(truth.behaviour.goods.ids, on_sale, strict=True) if allowed]
    chance = truth.purchase_probability(customer, sold, time)
    page = [sold[n] for n in np.argsort(-chance)[:6]]
    rng = np.random.default_rng(1)
    rounds = 4000
    counts = np.zeros(6)
    for _ in range(rounds):
        response = truth.respond(customer, page, time, rng)
        assert set(response.purchases) <= set(response.clicks) <= set(page)
        counts += [item in response.purchases for item in page]
    expected = truth.purchase_probability(customer, page, time) * truth.examination(6)
    np.testing.assert_allclose(counts / rounds, expected, atol=0.03)


def test_the_same_state_gives_the_same_response(small: Practice) -> None:
    page = [item.id for item in small.items[:8]]
    customer = small.customers[0].id
    first = small.truth.respond(customer, page, small.cut, np.random.default_rng(9))
    assert first == small.truth.respond(customer, page, small.cut, np.random.default_rng(9))
    assert small.truth.respond(customer, [], small.cut, np.random.default_rng(9)).clicks == ()
    with pytest.raises(NotFoundError, match="no customer"):
        small.truth.respond("nobody", page, small.cut, np.random.default_rng(9))
    with pytest.raises(NotFoundError, match="no item"):
        small.truth.respond(customer, ["nothing"], small.cut, np.random.default_rng(9))


def test_the_truth_survives_saving(small: Practice, tmp_path: Path) -> None:
    small.truth.save(tmp_path / "truth")
    again = load(tmp_path / "truth")
    ids = [item.id for item in small.items[:50]]
    customer = small.customers[5].id
    assert again.queries == small.truth.queries
    assert again.cut == small.cut
    assert again.relevance(again.queries[7].id) == small.truth.relevance(again.queries[7].id)
    np.testing.assert_array_equal(
        again.purchase_probability(customer, ids, small.cut), small.truth.purchase_probability(customer, ids, small.cut)
    )
    with pytest.raises(InputError, match="No readable truth"):
        load(tmp_path)


def test_the_cut_leaves_the_last_fifth(small: Practice) -> None:
    times = [event.time for event in small.events]
    share = (small.cut - times[0]) / (times[-1] - times[0])
    assert 0.75 < share < 0.85
