from __future__ import annotations

import doctest
import time
from dataclasses import replace

import numpy as np
import pytest
from hash_encoder import HashEncoder
from toyshop import toy_items

from shopkeeper.errors import InputError
from shopkeeper.records import Availability, Filters, Item, Request
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.tasks.search import facets
from shopkeeper.tasks.search import task as search
from shopkeeper.tasks.search.finding import Finder
from shopkeeper.tasks.search.task import SearchTask


def open_task(items, popularity=None):
    shelf = Shelf(items)
    index = HybridIndex(HashEncoder())
    index.upsert(np.arange(len(shelf)), items)
    return SearchTask(shelf, Finder(shelf, index), Language(items), popularity=popularity)


@pytest.fixture(scope="module")
def task():
    return open_task(toy_items(), np.arange(40, dtype=np.float32))


def ids(answer):
    return [hit.item for hit in answer.hits]


@pytest.mark.parametrize("module", [search, facets])
def test_examples_in_the_documentation_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("rake", "garden-00"),
        ("frying pans", "kitchen-00"),
        ("番茄种子", "garden-11"),
        ("砧板", "kitchen-05"),
        ("G0004", "garden-04"),
        ("watering can 10 l", "garden-02"),
    ],
)
def test_words_plurals_chinese_codes_and_units_find_their_item(task, query, first):
    answer = task.answer(Request(query=query))
    if first == "garden-11":  # the nineteenth seeds are hidden; number 11 carries the Chinese title
        assert first in ids(answer)[:3]
    else:
        assert ids(answer)[0] == first


def test_sold_out_and_hidden_items_never_come_back(task):
    gone = {"garden-18", "kitchen-18", "garden-19", "kitchen-19"}
    for sort in search.SORTS:
        for query in ("", "pot", "陶土花盆", "spatula silicone"):
            answer = task.answer(Request(query=query, sort=sort, limit=100, filters=Filters(sellable=False)))
            assert gone.isdisjoint(ids(answer))


def test_an_empty_query_browses_the_most_popular_first(task):
    answer = task.answer(Request(limit=5))
    assert ids(answer) == ["kitchen-17", "kitchen-16", "kitchen-15", "kitchen-14", "kitchen-13"]
    assert answer.total == 36


def test_orders(task):
    def prices(sort, query=""):
        return [task.shelf.item(task.shelf.row(i)).price for i in ids(task.answer(Request(query=query, sort=sort)))]

    assert prices("price_asc") == sorted(prices("price_asc"))
    assert prices("price_desc") == sorted(prices("price_desc"), reverse=True)
    assert prices("price_asc", "kitchen knife") == sorted(prices("price_asc", "kitchen knife"))
    newest = task.answer(Request(sort="newest", limit=3))
    assert set(ids(newest)) <= {"garden-17", "kitchen-17", "garden-16", "kitchen-16"}


def test_unknown_prices_come_last_whichever_way():
    items = [Item(id="a", title="x"), Item(id="b", title="x", price=2.0), Item(id="c", title="x", price=1.0)]
    task = open_task(items)
    assert ids(task.answer(Request(sort="price_asc"))) == ["c", "b", "a"]
    assert ids(task.answer(Request(sort="price_desc"))) == ["b", "c", "a"]


def test_filters_narrow_search_and_browsing(task):
    chosen = Filters(categories=(("Garden", "Tools"),), price_max=20.0, attributes={"colour": ("red", "blue")})
    for query in ("", "garden tools"):
        answer = task.answer(Request(query=query, filters=chosen, limit=100))
        assert ids(answer)
        for item in (task.shelf.item(task.shelf.row(i)) for i in ids(answer)):
            assert item.category == ("Garden", "Tools")
            assert item.price <= 20
            assert item.attributes["colour"] in ("red", "blue")


@pytest.mark.parametrize("sort", search.SORTS)
@pytest.mark.parametrize("query", ["", "garden 花园 pan"])
def test_pages_are_stable_and_never_overlap(task, sort, query):
    whole = task.answer(Request(query=query, sort=sort, limit=100))
    paged = [
        item
        for offset in range(0, whole.total + 7, 7)
        for item in ids(task.answer(Request(query=query, sort=sort, limit=7, offset=offset)))
    ]
    assert paged == ids(whole)
    assert len(paged) == len(set(paged)) == whole.total


def test_facets_count_what_passes(task):
    answer = task.answer(Request())
    assert answer.facets["brand"] == {"Greenleaf": 9, "Hearth": 9, "灶台": 9, "绿野": 9}
    assert answer.facets["category"]["Garden > Tools"] == 10
    assert sum(answer.facets["price"].values()) == answer.total
    assert sum(answer.facets["colour"].values()) == answer.total


def test_reasons_name_the_words_that_matched_in_both_languages(task):
    hit = task.answer(Request(query="Chef KNIVES steel", explain=True)).hits[0]
    assert hit.item == "kitchen-02"
    assert hit.reasons[0].kind == "query"
    assert {"chef", "steel"} <= set(hit.reasons[0].evidence)
    assert "“steel”" in hit.reasons[0].text["en"]
    assert hit.reasons[0].text["zh"].startswith("包含")
    assert hit.score == pytest.approx(sum(hit.contributions.values()))
    assert not task.answer(Request(query="knife")).hits[0].reasons


@pytest.mark.parametrize(
    "query",
    ["\x00\x1b[31m", "   ", "title:rake AND (", '"rake', "*", "rake~2 ^5 -can +pan", "[a TO z]", "/.*/", "\\", "' OR 1=1 --",
     "rake" * 3000, "rake " * 3000, "𝕣𝕒𝕜𝕖", "🛒", "Ｒａｋｅ", "\ud800 rake", "園" * 10_000],
)  # fmt: skip
def test_whatever_is_typed_gets_an_answer(task, query):
    answer = task.answer(Request(query=query))
    assert answer.total == len(set(ids(task.answer(Request(query=query, limit=1000)))))


@pytest.mark.parametrize("query", ["title:rake", "rake AND (", "Ｒａｋｅ", "𝕣𝕒𝕜𝕖", '"rake"', "rake\x00"])
def test_syntax_is_only_words(task, query):
    assert ids(task.answer(Request(query=query)))[0] == "garden-00"


@pytest.mark.parametrize("wrong", [{"sort": "best"}, {"limit": -1}, {"offset": -1}])
def test_nonsense_is_refused_with_a_cure(task, wrong):
    with pytest.raises(InputError) as error:
        task.answer(Request(**wrong))
    assert error.value.cure


def test_new_changed_and_removed_items_show_within_a_second():
    task = open_task(toy_items())
    fresh = Item(id="new", title="Unicorn lantern", description="Glows in the dark.")
    began = time.perf_counter()
    row = task.shelf.put(fresh)
    task.finder.index.upsert(np.array([row]), [fresh])
    assert ids(task.answer(Request(query="unicorn lantern")))[0] == "new"
    assert time.perf_counter() - began < 1

    changed = replace(fresh, title="Dragon lantern")
    task.finder.index.upsert(np.array([task.shelf.put(changed)]), [changed])
    assert ids(task.answer(Request(query="dragon")))[0] == "new"
    assert not task.answer(Request(query="unicorn", explain=True)).hits[0].contributions["lexical"]

    task.finder.index.remove(np.array([task.shelf.remove("new")]))
    assert "new" not in ids(task.answer(Request(query="dragon lantern", limit=100)))
    assert "new" not in ids(task.answer(Request(limit=100)))


def test_selling_out_hides_an_item_at_once_even_before_the_index_knows():
    task = open_task(toy_items())
    rake = task.shelf.item(task.shelf.row("garden-00"))
    task.shelf.put(replace(rake, availability=Availability.OUT_OF_STOCK))
    assert "garden-00" not in ids(task.answer(Request(query="steel garden rake", limit=100)))


def test_a_query_is_encoded_once(task):
    encoder = task.finder.index.encoder
    task.answer(Request(query="watering the lawn"))
    before = encoder.encoded
    task.answer(Request(query="Watering the lawn", offset=3))
    assert encoder.encoded == before


def test_an_empty_shop_answers_nothing():
    task = open_task([])
    for query in ("", "rake"):
        answer = task.answer(Request(query=query))
        assert answer.hits == ()
        assert answer.total == 0
        assert answer.facets == {}


@pytest.mark.parametrize(
    "request_",
    [
        Request(query="frying pans", limit=5),
        Request(query="rake under 10", limit=5, explain=True),
        Request(limit=7, filters=Filters(price_max=9.0)),
        Request(query="nothing like it", filters=Filters(brands=("no",))),
    ],
)
def test_a_bare_answer_has_the_same_hits(task, request_):
    whole, bare = task.answer(request_), task.answer(request_, bare=True)
    assert (bare.hits, bare.total, bare.found) == (whole.hits, whole.total, whole.found)
    assert not bare.marks
    assert not bare.relaxations
    again = task.answer(replace(request_, offset=1))
    assert again.hits == whole.hits[1:] + again.hits[len(whole.hits) - 1 :]
    assert dict(again.facets) == dict(whole.facets)
