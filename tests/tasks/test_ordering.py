"""Recommendation by a learnt ranker: its order, its reasons, and what its reasons hang on."""

from dataclasses import replace

import numpy as np
import pytest
from test_recommend import Shop, ids

from shopkeeper.ranking.blend import Blend, Part
from shopkeeper.ranking.customer_features import NAMES
from shopkeeper.ranking.ranker import Linear, Ranker
from shopkeeper.records import EventKind, Item, Request
from shopkeeper.retrieval.leading import shuffled
from shopkeeper.tasks.recommend.ordering import ordered


def ranker(**weights):
    found = np.zeros(len(NAMES), dtype=np.float32)
    for name, weight in weights.items():
        found[NAMES.index(name)] = weight
    return Ranker(Linear(np.zeros(len(NAMES), dtype=np.float32), found))


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    made.task.behaviour.ranker = ranker(words=2.0, after=1.0, blend=1.0)
    yield made
    made.store.close()


def test_the_ranker_orders_its_candidates_and_the_rest_stands_behind(shop):
    shop.task.behaviour.ranker = ranker(dearer=1.0)
    answer = shop.task.answer(Request(customer="c00", limit=100))
    asked = shop.task._asked(Request(customer="c00"), len(shop.shelf))
    mask = asked.mask
    order = ordered(shop.task.behaviour, asked.person.history, asked.person.trail, shop.shelf, mask[None])
    count = int(order.judged.pool.valid.sum())
    prices = [shop.shelf.item(shop.shelf.row(item)).price for item in ids(answer)]
    assert prices[:count] == sorted(prices[:count], reverse=True)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert len(answer.hits) == answer.total == int(mask.sum())
    assert not set(ids(answer)) & shop.bought("c00")


def test_pages_fit_together(shop):
    whole = ids(shop.task.answer(Request(customer="c00", limit=30)))
    parts = [ids(shop.task.answer(Request(customer="c00", limit=10, offset=start))) for start in (0, 10, 20)]
    assert [item for part in parts for item in part] == whole
    assert len(set(whole)) == len(whole)


def test_every_reason_hangs_on_its_evidence(shop):
    shop.post("garden-04", EventKind.CART)
    shop.post("garden-02", minute=1)
    shop.post("kitchen-03", minute=2)
    request = Request(session="fresh", limit=8, explain=True)
    answer = shop.task.answer(request)
    named = [(hit, reason) for hit in answer.hits for reason in hit.reasons if reason.evidence]
    assert len(named) >= 6
    for hit, reason in named:
        assert set(reason.text) == {"en", "zh"}
        assert shop.task.without(request, reason.evidence[0], [hit.item])[0] < hit.score
    plain = shop.task.answer(Request(session="fresh", limit=8))
    assert [(hit.item, hit.score) for hit in plain.hits] == [(hit.item, hit.score) for hit in answer.hits]


def test_contributions_are_told_by_source_and_add_up(shop):
    answer = shop.task.answer(Request(customer="c00", limit=5, explain=True))
    for hit in answer.hits:
        assert set(hit.contributions) <= {"words", "after", "agreement"}
        assert sum(hit.contributions.values()) == pytest.approx(hit.score, abs=1e-4)


class Order:
    """A sequence model that wants the item whose row follows the newest one's."""

    def scores(self, trails, width):
        found = np.zeros((len(trails), width), dtype=np.float32)
        for user, end in enumerate(trails.indptr[1:].tolist()):
            if end > trails.indptr[user]:
                found[user, (int(trails.rows[end - 1]) + 1) % width] = 1
        return found


def test_without_a_ranker_the_blend_serves_the_sequence_model_it_was_tuned_with(shop):
    behaviour = shop.task.behaviour
    parts = {**behaviour.parameters.blend.parts, "next": Part(100.0)}
    parameters = replace(behaviour.parameters, blend=Blend(parts))
    shop.task.behaviour = replace(behaviour, ranker=None, next=Order(), parameters=parameters)
    shop.post("kitchen-02")
    wanted = shop.shelf.item(shop.shelf.row("kitchen-02") + 1).id
    request = Request(session="fresh", limit=4, explain=True)
    answer = shop.task.answer(request)
    assert ids(answer)[0] == wanted
    assert sum(answer.hits[0].contributions.values()) == pytest.approx(answer.hits[0].score, rel=1e-4)
    assert answer.hits[0].contributions["next"] > 50
    assert shop.task.without(request, "kitchen-02", [wanted])[0] < answer.hits[0].score
    plain = Request(session="fresh", limit=4)
    assert [hit.item for hit in shop.task.answers([plain])[0].hits] == ids(answer)


def test_untouched_items_gain_what_was_tuned(shop):
    item = Item(id="kitchen-new", title="Cast iron frying pan, large", category=("Kitchen", "Tools"), language="en")
    shop.shelf.put(item)
    shop.task.put([item])
    shop.post("kitchen-00")
    behaviour, asked = shop.task.behaviour, Request(session="fresh", limit=100)
    shop.task.behaviour = replace(behaviour, parameters=replace(behaviour.parameters, untouched=-100.0))
    assert "kitchen-new" not in ids(shop.task.answer(asked))[:10]
    shop.task.behaviour = replace(behaviour, parameters=replace(behaviour.parameters, untouched=100.0))
    assert ids(shop.task.answer(asked))[0] == "kitchen-new"


def test_the_next_request_reflects_the_event_just_posted(shop):
    shop.post("kitchen-02")
    first = ids(shop.task.answer(Request(session="fresh", limit=3)))
    assert {item.split("-")[0] for item in first} == {"kitchen"}
    shop.post(first[0], EventKind.DISMISS, minute=1)
    assert first[0] not in ids(shop.task.answer(Request(session="fresh", limit=100)))


def test_sources_that_come_too_late_are_left_out_of_the_answer(shop, caplog):
    shop.post("kitchen-02")
    behaviour, asked = shop.task.behaviour, shop.task._asked(Request(session="fresh"), len(shop.shelf))
    late = ordered(behaviour, asked.person.history, asked.person.trail, shop.shelf, asked.mask[None], deadline=0.0)
    assert np.isfinite(late.scores[0][asked.mask]).all()
    assert {record.left_out for record in caplog.records} == {*behaviour.names[1:]}
    whole = ordered(behaviour, asked.person.history, asked.person.trail, shop.shelf, asked.mask[None])
    assert not np.array_equal(whole.scores, late.scores)


@pytest.mark.parametrize("lifted", [False, True])
def test_the_best_rows_are_those_of_all_scores_however_deep_one_looks(shop, lifted):
    shop.post("kitchen-02")
    width = len(shop.shelf)
    asked = shop.task._asked(Request(session="fresh"), width)
    pushes = np.linspace(-1, 1, width, dtype=np.float32)[None] if lifted else None
    order = ordered(shop.task.behaviour, asked.person.history, asked.person.trail, shop.shelf, asked.mask[None], pushes)
    places = shuffled(width)
    whole = np.lexsort((places, -order.scores[0]))[: int(asked.mask.sum())]
    for count in range(len(whole) + 1):
        rows, scores = order.best(0, count, places)
        assert rows.tolist() == whole[:count].tolist()
        assert scores.tolist() == order.scores[0][rows].tolist()
