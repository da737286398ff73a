from __future__ import annotations

import doctest
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval import lexical
from shopkeeper.retrieval.lexical import LexicalIndex, matched_words, query_terms
from shopkeeper.retrieval.term_counts import TermCounts

WORDS = ["rake", "steel", "garden", "red", "pan", "iron", "番茄", "32gb"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


def textbook(texts, query):
    """BM25 as the textbook has it, k1 1.2, b 0.75."""
    documents = [Counter(text.split()) for text in texts]
    mean = sum(sum(document.values()) for document in documents) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in dict.fromkeys(query.split()):
            n = sum(word in other for other in documents)
            tf = document[word]
            if tf:
                idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
                score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * sum(document.values()) / mean))
        scores.append(score)
    return scores


def indexed(items):
    index = LexicalIndex()
    index.upsert(np.arange(len(items)), items)
    return index


def titled(*titles):
    return [Item(id=str(n), title=title) for n, title in enumerate(titles)]


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(lexical).failed == 0


@given(TEXTS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True).map(" ".join))
@settings(max_examples=40, deadline=None)
def test_scores_are_the_textbooks(texts, query):
    counts = TermCounts()
    for row, text in enumerate(texts):
        counts.put(row, text.split())
    assert counts.scores(query.split(), np.arange(len(texts))) == pytest.approx(textbook(texts, query), rel=1e-5)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 11), st.sampled_from([*WORDS, ""])), max_size=10))
@settings(max_examples=40, deadline=None)
def test_counts_after_changes_are_those_of_a_fresh_index(texts, changes):
    counts, final = TermCounts(), dict(enumerate(texts))
    for row, text in final.items():
        counts.put(row, text.split())
    for row, text in changes:
        if text:
            counts.put(row, text.split())
            final[row] = text
        else:
            counts.drop(row)
            final.pop(row, None)
    fresh = TermCounts()
    for row, text in final.items():
        fresh.put(row, text.split())
    rows = np.arange(15)
    assert counts.scores(WORDS, rows) == pytest.approx(fresh.scores(WORDS, rows), rel=1e-5)


@given(TEXTS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(" ".join))
@settings(max_examples=15, deadline=None)
def test_search_finds_exactly_the_rows_with_a_word_and_agrees_with_scores(texts, query):
    index = indexed(titled(*texts))
    rows, scores = index.search(query, 50)
    assert set(rows.tolist()) == {row for row, text in enumerate(texts) if set(text.split()) & set(query.split())}
    assert (np.diff(scores) <= 0).all()
    assert index.scores(query, rows) == pytest.approx(scores, rel=0.05)  # tantivy keeps lengths in one byte


def test_only_allowed_rows_are_found_however_deep_they_lie():
    index = indexed(titled(*["steel rake"] * 5_000, *["a very long title about a steel rake for gardens"] * 50))
    allowed = np.zeros(5_050, dtype=bool)
    allowed[5_000:] = True
    assert set(index.search("rake", 20, allowed)[0]) <= set(range(5_000, 5_050))
    allowed[1_000:5_000] = True  # too many to score one by one: searched in steps
    rows, _ = index.search("rake", 4_040, allowed)
    assert len(rows) == 4_040
    assert rows.min() >= 1_000
    assert len(index.search("rake", 10, np.ones(3, dtype=bool))[0]) == 3
    assert len(index.search("rake", 10, np.zeros(5_050, dtype=bool))[0]) == 0


def test_attributes_codes_brand_and_category_are_found_below_the_title():
    items = [
        Item(id="0", title="Kettle", attributes={"material": "copper"}),
        Item(id="1", title="Copper pan"),
        Item(id="2", title="Bowl", brand="Copperworks", codes=("AB-77",), category=("Home", "Dishes")),
    ]
    index = indexed(items)
    assert index.search("copper", 5)[0].tolist() == [1, 0]
    assert index.search("copperworks", 5)[0].tolist() == [2]
    assert index.search("ab77", 5)[0].tolist() == [2]
    assert index.search("dishes", 5)[0].tolist() == [2]


def test_changes_show_at_once_and_removed_rows_are_gone():
    index = indexed(titled("steel rake", "garden hose"))
    index.upsert(np.array([1]), titled("wooden rake"))
    assert index.search("hose", 5)[0].tolist() == []
    assert set(index.search("rake", 5)[0]) == {0, 1}
    index.remove(np.array([0, 77]))
    assert index.search("rake", 5)[0].tolist() == [1]
    assert index.scores("rake", np.array([0, 1, 99]))[[0, 2]].tolist() == [0, 0]
    assert len(index) == 1


def test_reading_beside_a_writer_never_fails():
    index = indexed(titled("steel rake"))

    def read(_):
        rows, _ = index.search("rake steel", 50)
        return len(index.scores("rake steel new7", rows)) > 0

    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(read, range(300))
        for n in range(30):
            index.upsert(np.arange(n, n + 3), titled(f"rake new{n}", f"steel new{n}", f"rake {n}"))
        assert all(answers)


def test_matched_words_are_those_the_customer_typed():
    item = Item(id="1", title="Steel garden rakes", description="耐用的园艺工具")
    assert matched_words("RAKE for the garden 园艺", item) == ("rake", "garden", "园艺")


def test_queries_without_words_and_endless_ones():
    index = indexed(titled("steel rake"))
    assert len(index.search("!!! ???", 5)[0]) == 0
    assert len(index.search("rake", 0)[0]) == 0
    assert len(query_terms(" ".join(f"w{n}" for n in range(10_000)))) == 32
    assert len(LexicalIndex().search("rake", 5)[0]) == 0
    assert len(LexicalIndex().scores("rake", np.array([0, 1]))) == 2
