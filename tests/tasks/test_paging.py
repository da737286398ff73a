from __future__ import annotations

import string
from dataclasses import replace

import numpy as np
import pytest
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st
from toyshop import toy_items

from shopkeeper.errors import InputError
from shopkeeper.records import Filters, Request
from shopkeeper.retrieval.hybrid import HybridIndex
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.understanding.language import Language
from shopkeeper.tasks.search.finding import Finder
from shopkeeper.tasks.search.paging import StaleCursorError, cursor, next_cursor, turned
from shopkeeper.tasks.search.task import SearchTask

ASKED = Request(
    query="红色 shoes",
    customer="c1",
    filters=Filters(
        brands=("A", "B"), categories=(("X", "Y"),), price_max=20.0, attributes={"colour": ("red", "blue")}
    ),
    offset=40,
)
OTHERS = [
    {"query": "red shoes"},
    {"customer": "c2"},
    {"session": "s"},
    {"items": ("i",)},
    {"sort": "newest"},
    {"language": "zh"},
    {"ignore": ("price",)},
    *(
        {"filters": replace(ASKED.filters, **change)}
        for change in (
            {"brands": ("A",)},
            {"categories": (("X",),)},
            {"categories": (("X > Y",),)},
            {"price_min": 1.0},
            {"price_max": 20.5},
            {"attributes": {"colour": ("red",)}},
            {"languages": ("zh",)},
            {"sellable": False},
            {"exclude": ("i",)},
        )
    ),
]


@pytest.mark.parametrize("query", ["garden 花园 pan", ""])
def test_following_cursors_walks_through_the_whole_ranking_once(query):
    items = toy_items()
    shelf, index = Shelf(items), HybridIndex(HashEncoder())
    index.upsert(np.arange(len(items)), items)
    task = SearchTask(shelf, Finder(shelf, index), Language(items), popularity=np.arange(40, dtype=np.float32))
    whole = task.answer(Request(query=query, limit=100))
    request, seen, token = Request(query=query, limit=7), [], "first"
    while token:
        page = task.answer(request)
        seen += [hit.item for hit in page.hits]
        token = next_cursor(request, page.total, "v1")
        if token:
            request = turned(Request(query=query, limit=7), token, "v1")
    assert seen == [hit.item for hit in whole.hits]


def test_there_is_nothing_behind_the_last_page():
    assert next_cursor(Request(limit=20, offset=80), 100, "v") == ""
    assert next_cursor(Request(limit=20, offset=79), 100, "v") != ""
    assert next_cursor(Request(limit=0), 100, "v") == ""
    assert next_cursor(Request(limit=20), 0, "v") == ""


@pytest.mark.parametrize("change", OTHERS)
def test_a_cursor_of_another_search_is_refused(change):
    with pytest.raises(InputError, match="another search") as error:
        turned(replace(ASKED, **change), cursor(ASKED, "v"), "v")
    assert error.value.cure


def test_what_does_not_change_the_ranking_may_differ():
    same = replace(
        ASKED,
        filters=replace(ASKED.filters, brands=("B", "A"), attributes={"colour": ("blue", "red")}),
        limit=5,
        offset=0,
        explain=True,
        surface="app",
        id="other",
    )
    assert turned(same, cursor(ASKED, "v"), "v").offset == 40
    assert turned(same, cursor(ASKED, "v"), "v").limit == 5


def test_a_changed_index_is_a_refusal_of_its_own():
    with pytest.raises(StaleCursorError, match="changed") as error:
        turned(ASKED, cursor(ASKED, "v1"), "v2")
    assert error.value.cure
    assert error.value.where == "cursor"


@given(st.integers(0, 2**40 - 1), st.text(max_size=30), st.text(max_size=10))
def test_every_offset_comes_back(offset, query, version):
    asked = Request(query=query, offset=offset)
    token = cursor(asked, version)
    assert set(token) <= {*string.ascii_letters, *string.digits, "-", "_"}
    assert len(token) == 28
    assert turned(replace(asked, offset=0), token, version).offset == offset


@given(st.data())
def test_a_touched_cursor_is_refused(data):
    token = cursor(ASKED, "v")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(
        st.sampled_from(sorted({*string.ascii_letters, *string.digits, *"-_=+/ \n", "园"} - {token[place]}))
    )
    with pytest.raises(InputError):
        turned(ASKED, token[:place] + letter + token[place + 1 :], "v")


@given(st.text(max_size=40))
def test_nonsense_is_refused(token):
    with pytest.raises(InputError) as error:
        turned(ASKED, token, "v")
    assert error.value.cure
    with pytest.raises(InputError):
        turned(ASKED, cursor(ASKED, "v") + token if token else "", "v")


def test_letters_of_another_alphabet_are_refused_even_where_they_decode_alike():
    token = next(t for n in range(200) if {"-", "_"} & set(t := cursor(replace(ASKED, offset=n), "v")))
    with pytest.raises(InputError):
        turned(ASKED, token.replace("-", "+").replace("_", "/"), "v")
