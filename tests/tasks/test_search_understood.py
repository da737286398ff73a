"""From what is typed to what is shown: readings, other wordings, honest answers, variants, taste."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hash_encoder import HashEncoder

from shopkeeper.ranking.features import NAMES
from shopkeeper.ranking.ranker import SURE, Confidence, Linear
from shopkeeper.records import Event, EventKind, Item, Request
from shopkeeper.retrieval.hybrid import Fusion, HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.retrieval.understanding.synonyms import Synonyms
from shopkeeper.tasks.finding import Finder, Tier
from shopkeeper.tasks.search import SearchTask

COLOURS = ("red", "blue", "green", "black")
ITEMS = [
    *(
        Item(
            id=f"shoe{n}",
            title=f"{colour} running shoes",
            description="Made of leather." if n % 2 else "No leather, all cotton.",
            brand=("Swift", "Tortoise")[n % 2],
            category=("Sport", "Shoes"),
            price=40.0 + 20 * n,
            attributes={"colour": colour},
        )
        for n, colour in enumerate(COLOURS)
    ),
    *(
        Item(id=f"sofa{n}", title=f"{colour} sofa", category=("Home",), price=300.0 + n, group="sofa")
        for n, colour in enumerate(COLOURS)
    ),
    *(
        Item(id=f"dress{n}", title=f"{colour}连衣裙", category=("女装",), price=100.0 + 50 * n, language="zh")
        for n, colour in enumerate(("红色", "蓝色", "黑色", "白色"))
    ),
    Item(id="phone", title="蓝牙耳机 入耳式", category=("数码",), price=150.0, language="zh"),
    Item(id="phone2", title="蓝牙耳机 头戴式", category=("数码",), price=180.0, language="zh"),
    Item(id="phone3", title="蓝牙耳机 头戴式 旗舰", category=("数码",), price=900.0, language="zh"),
]


def open_task(**finder) -> SearchTask:
    shelf, index = Shelf(ITEMS), HybridIndex(HashEncoder(), Fusion(words=0.9, floor=0.9))
    index.upsert(np.arange(len(ITEMS)), ITEMS)
    synonyms = Synonyms({"couch": {"sofa": 0.8}})
    return SearchTask(shelf, Finder(shelf, index, **finder), Language(ITEMS, synonyms, index.lexical.support))


@pytest.fixture(scope="module")
def task() -> SearchTask:
    return open_task()


def ids(answer):
    return [hit.item for hit in answer.hits]


def ask(task, query, **more):
    return task.answer(Request(query=query, **more))


def test_a_price_is_a_filter_and_a_chip_that_can_be_taken_back(task):
    answer = ask(task, "running shoes under 70")
    assert set(ids(answer)) == {"shoe0", "shoe1"}
    assert [chip.kind for chip in answer.read.chips if chip.kind == "price"] == ["price"]
    assert answer.read.words == "running shoes"
    assert {"shoe2", "shoe3"} <= set(ids(ask(task, "running shoes under 70", ignore=("price",))))


def test_what_is_not_wanted_stays_away_but_a_denial_is_no_mention(task):
    assert set(ids(ask(task, "running shoes not leather"))) == {"shoe0", "shoe2"}
    assert set(ids(ask(task, "蓝牙耳机 不要入耳式"))) == {"phone2", "phone3"}
    assert ids(ask(task, "200元以下的蓝牙耳机 不要入耳式")) == ["phone2"]


def test_an_order_in_words_is_an_order(task):
    assert ids(ask(task, "cheapest running shoes"))[:4] == ["shoe0", "shoe1", "shoe2", "shoe3"]
    assert ids(ask(task, "最便宜的连衣裙"))[:2] == ["dress0", "dress1"]
    assert ids(ask(task, "cheapest running shoes", sort="price_desc"))[0] == "shoe3"


def test_a_colour_is_preferred_not_required(task):
    answer = ask(task, "blue running shoes")
    assert ids(answer)[0] == "shoe1"
    assert "shoe0" in ids(answer)
    assert any(preference.field == "colour" for preference in answer.read.preferences)


@pytest.mark.parametrize(
    ("typed", "kind", "first"), [("runing shoess", "spelling", "shoe"), ("lianyiqun", "pinyin", "dress")]
)
def test_other_wordings_where_nothing_is_found_as_typed(task, typed, kind, first):
    answer = ask(task, typed)
    assert ids(answer)[0].startswith(first)
    assert kind in [chip.kind for chip in answer.read.chips]
    assert not ids(ask(task, typed, ignore=("spelling", "pinyin")))


def test_synonyms_are_searched_beside_and_can_be_left_out(task):
    answer = ask(task, "couch")
    assert ids(answer)[0].startswith("sofa")
    assert "synonym" in [chip.kind for chip in answer.read.chips]
    assert not ids(ask(task, "couch", ignore=("synonym",)))


def test_a_query_that_is_right_as_it_stands_is_not_touched(task):
    answer = ask(task, "running shoes")
    assert answer.read.words == "running shoes"
    assert {chip.kind for chip in answer.read.chips} <= {"category"}
    assert answer.instead == ""


def test_variants_of_a_product_fold_into_one_hit(task):
    answer = ask(task, "green sofa")
    assert ids(answer)[0] == "sofa2"
    assert not any(item.startswith("sofa") for item in ids(answer)[1:])
    assert set(answer.variants["sofa2"]) == {"sofa0", "sofa1", "sofa3"}
    assert answer.total == len(ids(answer))


def test_nothing_found_is_said_and_ways_out_are_told(task):
    answer = ask(task, "running shoes under 10")
    assert answer.total == 0
    assert not answer.found
    best = answer.relaxations[0]
    assert best.kind == "price"
    assert best.count == 4
    assert task.answer(best.request).total == best.count
    assert set(best.text) == {"en", "zh"}


def test_words_searched_are_marked_in_titles(task):
    marks = ask(task, "running shoes").marks["shoe0"].title
    assert [marks.text[start:end] for start, end in marks.ranges] == ["running", "shoes"]


def test_taste_changes_the_whole_order_and_can_be_switched_off():
    past = [Event(id="v", time=datetime(2026, 1, 1, tzinfo=UTC), kind=EventKind.PURCHASE, customer="c", item="shoe3")]

    def recent(customer, _session, _limit):
        return past if customer == "c" else []

    for personal, first in ((5.0, "shoe3"), (0.0, None)):
        task = open_task(personal=personal)
        task._recent = recent
        own, others = (ids(ask(task, "running shoes", customer=customer)) for customer in ("c", "d"))
        if first:
            assert own[0] == first != others[0]
        else:
            assert own == others
    task = open_task(personal=5.0)
    task._recent = recent
    answer = ask(task, "running shoes", customer="c", limit=1, explain=True)
    assert answer.hits[0].contributions["taste"] > 0
    assert answer.hits[0].score == pytest.approx(sum(answer.hits[0].contributions.values()), abs=1e-5)


def test_hits_without_a_word_of_the_query_need_confidence():
    weights = np.zeros(len(SURE), dtype=np.float32)
    weights[SURE.index("coverage")] = 10
    linear = Linear(np.full(len(SURE), 0.5, dtype=np.float32), weights)
    task = open_task(confidence=Confidence(linear, candidate=0.5, answer=0.9))
    assert ask(task, "running shoes").found
    far = ask(task, "qqzz")
    assert far.total == 0
    assert not far.found
    half = ask(task, "running wvkx")  # half of its weight is unknown: 0.5 at most
    assert half.total > 0
    assert len(NAMES) > len(SURE)


def test_a_cross_encoder_reorders_the_first_hits_only():
    class Backwards:
        def score(self, query, texts, deadline=0.0):
            return np.arange(len(texts), dtype=np.float32)

    plain = open_task()
    tiered = open_task(tier=Tier(Backwards(), weight=100.0, depth=2))
    one, other = (ids(ask(task, "running shoes")) for task in (plain, tiered))
    assert other == [one[1], one[0], *one[2:]]
    scores = [hit.score for hit in ask(tiered, "running shoes").hits]
    assert scores == sorted(scores, reverse=True)


def test_rules_rewrite_pin_and_redirect_through_the_same_flow(task):
    from shopkeeper.ranking.rules import Rulebook
    from shopkeeper.retrieval.analysis import terms
    from shopkeeper.store.merchandising import Pin, Rule, Then, When

    rules = Rulebook(
        [
            Rule(id="1", name="seat", when=When(exact=("seat",)), then=Then(query="sofa")),
            Rule(id="2", name="pin", when=When(contains=("shoes",)), then=Then(pins=(Pin(item="phone", position=1),))),
        ],
        terms,
    )
    assert ids(task.answer(Request(query="seat"), rules=rules))[0].startswith("sofa")
    pinned = task.answer(Request(query="running shoes"), rules=rules)
    assert ids(pinned)[0] == "phone"
    assert pinned.pinned == {"phone"}
    assert ids(task.answer(replace(pinned.request, limit=1, offset=1), rules=rules)) == [ids(pinned)[1]]
