"""Features of pairs: known answers in Chinese and English, and what must hold for any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.pair_features import NAMES, Pairs, TermWeights, pair_features
from shopkeeper.ranking.quantities import agreement, quantities

CATALOGUE = [
    *("red running shoes", "blue running shoes", "steel ladder, 10 ft.", "light bulbs", "Bosch drill"),
    *("不锈钢保温杯500毫升", "玻璃水杯", "红色连衣裙", "华为手机壳"),
]


def features(query, title, text="", brand="", brands=(), weights=None):
    """Features by name of one pair; `brands` are known beside its own."""
    others = [""] * len(brands)
    pairs = Pairs(
        [query, *others], [title, *others], [text, *others] if text else (), [brand, *brands] if brand or brands else ()
    )
    rows = pair_features(pairs, weights or TermWeights(CATALOGUE))
    return dict(zip(NAMES, rows[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("running shoes", "Red Running Shoe", {"query_in_title": 1, "adjacent": 1, "ordered": 1, "compact": 1}),
        ("shoes running", "Red Running Shoe", {"query_in_title": 1, "adjacent": 0, "ordered": 0, "first_match": 1 / 3}),
        ("shoes for rain", "Red Running Shoe", {"head_in_title": 1, "head_is_head": 1, "query_in_title": 1 / 3}),
        ("shoe rack", "Red Running Shoe", {"head_in_title": 0, "head_is_head": 0, "title_head_in_query": 1}),
        ("rack", "Shoe rack for boots, 3 in. deep", {"head_is_head": 1}),
        ("light bulb", "LED lightbulb", {"query_in_title": 0, "contains": 0, "contains_glued": 1}),
        ("bulb", "LED lightbulb bulb", {"contains": 1}),
        ("bulb", "LED lightbulb", {"contains": 0, "contains_glued": 1}),
        ("ladder 10 ft", "Steel ladder, 6 ft.", {"numbers_agree": 0, "numbers_contradict": 1}),
        ("ladder 10 ft", "Steel ladder, 120 in.", {"numbers_agree": 1, "numbers_contradict": 0}),
        ("保温杯", "不锈钢保温杯", {"query_in_title": 1, "contains": 1, "head_is_head": 1, "characters_2": 1}),
        ("不锈钢水杯", "玻璃水杯", {"head_in_title": 1, "contains": 0}),
        ("红色连衣裙", "连衣裙 红色", {"query_in_title": 1, "contains": 0}),
        ("保温杯1升", "保温杯1000毫升", {"numbers_agree": 1, "numbers_contradict": 0}),
        ("保温杯500毫升", "保温杯750毫升", {"numbers_agree": 0, "numbers_contradict": 1}),
        ("手机", "连衣裙", {"query_in_title": 0, "first_match": 1, "characters_2": 0, "jaccard_3": 0}),
    ],
)
def test_known_answers(query, title, expected):
    found = features(query, title)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_rare_terms_count_more():
    found = features("running ladder", "ladder")
    assert found["query_in_title"] == 0.5
    assert found["query_in_title_idf"] > 0.5
    assert found["rarest_found"] > found["rarest_missing"] > 0
    assert features("玻璃杯子", "玻璃")["query_in_title_idf"] > 0


def test_a_term_never_seen_weighs_most():
    weights = TermWeights(CATALOGUE)
    never, once, twice = weights(["xylophon", "ladder", "run"]).tolist()
    assert never > once > twice > 0


def test_longer_text_finds_what_the_title_lacks():
    found = features("steel drill", "Bosch drill", "made of steel")
    assert (found["query_in_title"], found["query_in_text"], found["text_terms"]) == (0.5, 1.0, 3.0)
    assert features("不锈钢手机壳", "手机壳", "材质：不锈钢")["query_in_text"] == 1.0


@pytest.mark.parametrize(("own", "other", "query"), [("Bosch", "Makita", "bosch drill"), ("华为", "小米", "华为手机")])
def test_brands(own, other, query):
    asked, against, none = (
        features(query, "title", brand=own, brands=[other]),
        features(query, "title", brand=other, brands=[own]),
        features("drill 手机壳", "title", brand=own, brands=[other]),
    )
    assert (asked["brand_asked"], asked["brand_other"]) == (1, 0)
    assert (against["brand_asked"], against["brand_other"]) == (0, 1)
    assert (none["brand_asked"], none["brand_other"]) == (0, 0)


def test_cosine_is_that_of_the_vectors_given():
    left, right = (np.array(rows, dtype=np.float32) for rows in ([[1, 0], [0, 1]], [[0.6, 0.8], [0, 1]]))
    pairs = Pairs(["a", "b"], ["c", "d"], query_vectors=left, title_vectors=right)
    assert pair_features(pairs, TermWeights([]))[:, NAMES.index("cosine")].tolist() == pytest.approx([0.6, 1.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3-1/2 in. nail", [(3.5, "length", 0.0889)]),
        ("2 x 4 x 8 ft", [(2, "", 2), (4, "", 4), (8, "length", 2.4384)]),
        ('40" TV, 12-volt', [(40, "length", 1.016), (12, "voltage", 12)]),
        ("手机壳2个，500克", [(2, "count", 2), (500, "weight", 0.5)]),
        ("iphone 15", [(15, "", 15)]),
        ("no numbers", []),
    ],
)
def test_quantities(text, expected):
    found = [(one.number, one.kind, one.amount) for one in quantities(text)]
    assert found == [pytest.approx(one) if not one[1] else (one[0], one[1], pytest.approx(one[2])) for one in expected]


def test_a_bare_number_contradicts_nothing():
    assert agreement("iphone 15", "iPhone 14") == (0.0, 0.0)
    assert agreement("iphone 15", "iPhone 15") == (1.0, 0.0)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="1 queries"):
        Pairs(["a"], ["b", "c"])
    with pytest.raises(InputError, match="vectors of both sides"):
        Pairs(["a"], ["b"], query_vectors=np.ones((1, 2), dtype=np.float32))


def test_nothing_gives_no_rows():
    assert pair_features(Pairs([], []), TermWeights([])).shape == (0, len(NAMES))


TEXTS = st.text(max_size=30) | st.sampled_from([*CATALOGUE, "10 ft ladder", "", " ", "1/0 in", "\ud800", "\0"])
COUNTS = {"rarest_missing", "rarest_found", "query_terms", "title_terms", "text_terms", "query_characters"}


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6))
def test_finite_in_range_and_each_row_by_itself(rows):
    queries, titles, texts = map(list, zip(*rows, strict=True))
    weights = TermWeights(CATALOGUE)
    together = pair_features(Pairs(queries, titles, texts), weights)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    shares = together[:, [name not in COUNTS for name in NAMES]]
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()
    alone = [pair_features(Pairs([q], [t], [x]), weights)[0] for q, t, x in zip(queries, titles, texts, strict=True)]
    np.testing.assert_allclose(together, np.array(alone), atol=1e-6)


@given(TEXTS)
def test_a_title_answers_itself(text):
    found = features(text, text)
    if found["query_terms"]:
        assert found["query_in_title"] == found["title_in_query"] == 1
        assert found["contains_glued"] == found["jaccard_3"] or found["query_characters"] < 3
        assert found["first_match"] == 0
        assert found["numbers_contradict"] == 0
