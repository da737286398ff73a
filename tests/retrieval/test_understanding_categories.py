from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.understanding.categories import CategoryCounts, CategoryGuess

SHOES, MUGS, CASES = ("Sports", "Shoes"), ("Kitchen", "Mugs"), ("手机数码", "手机壳")


def counts():
    made = CategoryCounts()
    for number in range(10):
        made.put(SHOES, set(terms(f"red running shoes {number}")))
        made.put(MUGS, set(terms(f"red coffee mug {number}")))
        made.put(CASES, set(terms(f"红色手机壳 {number}")))
    return made


@pytest.mark.parametrize(
    ("query", "path"), [("shoes", SHOES), ("red mugs", MUGS), ("手机壳", CASES), ("红色 壳", CASES)]
)
def test_the_category_that_is_named_comes_first(query, path):
    (best, probability), *_ = CategoryGuess(counts()).guess(terms(query))
    assert best == path
    assert probability > 0.7


def test_a_word_of_two_categories_leaves_both_open():
    guess = dict(CategoryGuess(counts()).guess(terms("red")))
    assert guess[SHOES] == pytest.approx(guess[MUGS])
    assert CASES not in guess


def test_unknown_words_and_an_empty_catalogue_give_no_guess():
    assert CategoryGuess(counts()).guess(["zebra"]) == []
    assert CategoryGuess(CategoryCounts()).guess(["shoe"]) == []


def test_dropping_undoes_putting():
    made, same = counts(), counts()
    made.put(SHOES, {"boot", "red"})
    made.drop(SHOES, {"boot", "red"})
    assert CategoryGuess(made).guess(["boot"]) == []
    assert CategoryGuess(made).guess(["red", "run"]) == CategoryGuess(same).guess(["red", "run"])


def test_items_without_a_category_speak_for_none():
    made = CategoryCounts()
    made.put((), {"shoe"})
    assert CategoryGuess(made).guess(["shoe"]) == []


@given(
    st.lists(st.tuples(st.sampled_from([SHOES, MUGS, CASES, ()]), st.sets(st.sampled_from("abcdef")))),
    st.text("abcdefg"),
)
def test_probabilities_add_up_to_at_most_one(items, query):
    made = CategoryCounts()
    for path, held in items:
        made.put(path, held)
    guess = CategoryGuess(made).guess(list(query))
    assert len(guess) <= 3
    assert sum(probability for _, probability in guess) <= 1 + 1e-9
    assert all(0 < probability <= 1 for _, probability in guess)
