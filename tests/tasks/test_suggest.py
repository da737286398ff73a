from __future__ import annotations

import doctest
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toyshop import START, toy_events, toy_items

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Item
from shopkeeper.retrieval.understanding import completion
from shopkeeper.retrieval.understanding.completion import Completions, slips
from shopkeeper.retrieval.understanding.pinyin import PinyinIndex
from shopkeeper.retrieval.understanding.vocabulary import Vocabulary
from shopkeeper.store.database import open_store
from shopkeeper.tasks.search.suggest import SuggestTask

ITEMS = [
    Item(id="h1", title="Wireless headphones", brand="Sonoro", category=("Electronics", "Headphones")),
    Item(id="h2", title="Bluetooth speaker", brand="Sonoro", category=("Electronics", "Speakers")),
    Item(id="d1", title="红色连衣裙 长袖", brand="绿野", category=("服装", "连衣裙")),
    Item(id="d2", title="蓝牙耳机", brand="声道", category=("数码", "耳机")),
    Item(id="r1", title="Steel garden rake", brand="Greenleaf", category=("Garden", "Rakes")),
]


def opened(items=ITEMS):
    known = Vocabulary()
    task = SuggestTask(PinyinIndex(known))
    for item in items:
        known.put_item(item)
        task.put(item)
    return task


def asked(task, query, people=2, **more):
    for number in range(people):
        task.note(query, customer=f"c{number}", **more)


@pytest.fixture
def task():
    return opened()


def texts(found):
    return [suggestion.text for suggestion in found]


def marked(suggestion):
    return [suggestion.text[start:end] for start, end in suggestion.ranges]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(completion).failed == 0


@pytest.mark.parametrize(
    ("typed", "product", "shown"),
    [
        ("he", "h1", ["he"]),
        ("wir hea", "h1", ["Wir", "hea"]),
        ("hea wir", "h1", ["Wir", "hea"]),
        ("RAK", "r1", ["rak"]),
        ("haedp", "h1", ["headp"]),
        ("bluto", "h2", ["Blueto"]),
        ("连衣", "d1", ["连衣"]),
        ("红色连", "d1", ["红色连"]),
        ("长袖连衣", "d1", ["连衣", "长袖"]),
        ("lianyi", "d1", ["连衣裙"]),
        ("lyq", "d1", ["连衣裙"]),
        ("lan ya er", "d2", None),
        ("lanyaer", "d2", ["蓝牙", "耳机"]),
        ("erji", "d2", ["耳机"]),
    ],
)
def test_beginnings_slips_and_pinyin_find_products_and_show_what_was_typed(task, typed, product, shown):
    first = task.suggest(typed).products[0]
    assert first.item == product
    assert shown is None or marked(first) == shown


def test_categories_and_brands_are_counted_by_their_items(task):
    found = task.suggest("ele")
    assert found.categories[0].category == ("Electronics",)
    assert task.suggest("head").categories[0].category == ("Electronics", "Headphones")
    assert texts(task.suggest("son").brands) == ["Sonoro"]
    assert texts(task.suggest("lv").brands) == ["绿野"]
    task.drop("h1")
    assert task.suggest("head").categories == ()
    assert texts(task.suggest("son").brands) == ["Sonoro"]
    task.drop("h2")
    assert task.suggest("son").brands == ()


def test_what_cannot_be_sold_is_not_offered(task):
    task.put(replace(ITEMS[0], availability=Availability.OUT_OF_STOCK))
    task.put(replace(ITEMS[4], hidden=True))
    assert task.suggest("headphones").products == ()
    assert task.suggest("rake").products == task.suggest("gar").categories == ()
    task.put(ITEMS[0])
    assert task.suggest("headphones").products[0].item == "h1"


def test_a_new_title_takes_the_place_of_the_old_one(task):
    task.put(replace(ITEMS[4], title="Bamboo broom"))
    assert task.suggest("steel").products == ()
    assert task.suggest("broo").products[0].item == "r1"


def test_variants_of_a_product_are_one_line(task):
    for number, size in enumerate("SML"):
        task.put(Item(id=f"t{number}", title=f"Cotton shirt {size}", group="t"), 1.0 + number)
    assert [line.item for line in task.suggest("cotton").products] == ["t2"]
    task.drop("t2")
    assert [line.item for line in task.suggest("cotton").products] == ["t1"]


def test_a_query_is_offered_once_two_people_asked_it_and_it_finds_something(task):
    task.note("red shoes", customer="ann")
    task.note("red shoes", customer="ann")
    assert task.suggest("red").queries == ()
    task.note("Red  Shoes", session="visit")
    assert texts(task.suggest("red").queries) == ["red shoes"]
    asked(task, "red unicorn", found=False)
    assert texts(task.suggest("red").queries) == ["red shoes"]
    task.note("red shoes", customer="bob", found=False)
    assert task.suggest("red").queries == ()


def test_ones_own_queries_come_first_and_stay_ones_own(task):
    asked(task, "red shoes", people=9)
    task.note("red secret", customer="ann", found=True)
    own = task.suggest("re", customer="ann").queries
    assert texts(own) == ["red secret", "red shoes"]
    assert [suggestion.own for suggestion in own] == [True, False]
    assert texts(task.suggest("re", customer="bob").queries) == ["red shoes"]
    task.forget("ann")
    assert texts(task.suggest("re", customer="ann").queries) == ["red shoes"]
    assert texts(task.suggest("", customer="c1").queries)[0] == "red shoes"


def test_forgetting_an_asker_takes_back_what_only_two_asked(task):
    asked(task, "red shoes")
    task.forget("c1")
    assert task.suggest("red").queries == ()


def test_the_often_and_lately_asked_comes_first(task):
    asked(task, "garden hose", people=6, at=START)
    asked(task, "garden gnome", people=4, at=START)
    assert texts(task.suggest("gard").queries) == ["garden hose", "garden gnome"]
    asked(task, "garden gnome", people=2, at=START + timedelta(days=120))
    assert texts(task.suggest("gard").queries) == ["garden gnome", "garden hose"]


def test_other_forms_of_a_query_are_said_once(task):
    asked(task, "laptop stand", people=5)
    asked(task, "laptop stands", people=3)
    asked(task, "stand laptop", people=2)
    assert texts(task.suggest("lap").queries) == ["laptop stand"]


def test_what_begins_so_comes_before_what_holds_it(task):
    asked(task, "phone case", people=4)
    asked(task, "case fan", people=3)
    assert texts(task.suggest("ca").queries) == ["case fan", "phone case"]


def test_the_log_teaches_the_queries(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/shop.db")
    store.events.append(toy_events())
    task = opened(toy_items())
    assert task.learn(store, lambda query: query != "厨房") == 5
    assert texts(task.suggest("fr").queries) == ["frying pan"]
    assert texts(task.suggest("花").queries) == ["花园"]
    assert task.suggest("厨").queries == ()
    store.close()


@pytest.mark.parametrize(
    "typed", ["", "   ", "!!!", "'", '"(a OR b)*', "a" * 10_000, "连" * 3_000, "\x00", "🙂", "a b " * 500]
)
def test_anything_may_be_typed(task, typed):
    asked(task, "red shoes")
    for found in (task.suggest(typed).queries, task.suggest(typed).products):
        assert len(found) <= 5


@given(st.text(max_size=20), st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_no_more_than_asked_for_and_ranges_within_the_text(typed, most):
    task = opened()
    asked(task, "red shoes")
    found = task.suggest(typed, most=most)
    for line in (found.queries, found.products, found.categories, found.brands):
        assert len(line) <= most
        for suggestion in line:
            assert all(0 <= start < end <= len(suggestion.text) for start, end in suggestion.ranges)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("ab ", max_size=6), st.integers(0, 3)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_phrases_are_those_of_a_plain_scan(changes):
    phrases, plain = Completions(), {}
    for key, text, weight in changes:
        if weight:
            phrases.put(key, text, weight)
            plain[key] = text
        else:
            phrases.drop(key)
            plain.pop(key, None)
        expected = {key for key, text in plain.items() if any(word.startswith("a") for word in text.split())}
        assert {key for key, _ in phrases.find([["a"]], 10)} == expected


def test_slips_leave_the_last_letter_alone():
    assert all(slip[-1] == "p" or slip == "heapd"[:5] or slip.endswith("d") for slip in slips("headp"))


def test_a_negative_number_is_refused(task):
    with pytest.raises(InputError, match="most"):
        task.suggest("a", most=-1)


def test_suggestions_come_in_milliseconds():
    heads = ("garden", "steel", "wireless", "cotton", "leather", "kitchen", "bamboo", "electric")
    tails = ("rake", "pan", "speaker", "shirt", "bag", "knife", "board", "kettle")
    task = SuggestTask(PinyinIndex(Vocabulary()))
    for number in range(4_000):
        title = f"{heads[number % 8]} {tails[number // 8 % 8]} {number}"
        task.put(Item(id=str(number), title=title, brand=f"brand{number % 90}"))
        asked(task, title)
    task.suggest("s")
    began = time.process_time()
    for typed in ("s", "ste", "steel k", "garden rak", "wirelss", "kithen b", "brand1", "lyq", "连", "electric 4"):
        task.suggest(typed)
    assert (time.process_time() - began) / 10 < 0.02
