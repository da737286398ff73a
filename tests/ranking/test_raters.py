"""Signs of raters against values worked out by hand and by slow, plain code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.ranking.raters.ratings import Ratings
from shopkeeper.ranking.raters.signs import GROUPS, NAMES, others_rating, rater_table
from shopkeeper.ranking.raters.texts import near_copies

DAY = 86_400.0

triples = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("uvwxyz"), st.integers(1, 5)), min_size=1, max_size=40
)


def rated(rows, **columns):
    return Ratings.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], **columns)


def sign(ratings, rater, name):
    return float(rater_table(ratings)[ratings.raters.index(rater), NAMES.index(name)])


@given(triples)
@settings(max_examples=40, deadline=None)
def test_others_rating_is_the_median_of_the_others_drawn_to_all(rows):
    ratings = rated(rows)
    overall = np.median([row[2] for row in rows])
    for number, (_, item, _) in enumerate(rows):
        others = [row[2] for place, row in enumerate(rows) if row[1] == item and place != number]
        median = np.median(others) if others else overall
        expected = (len(others) * median + 2 * overall) / (len(others) + 2)
        assert others_rating(ratings)[number] == pytest.approx(expected)


@given(triples, st.randoms())
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_names_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = rated(rows), rated([(f"x{a}", f"9{b}", c) for a, b, c in shuffled])
    order = [other.raters.index(f"x{name}") for name in one.raters]
    np.testing.assert_allclose(rater_table(one), rater_table(other)[order], rtol=1e-4, atol=1e-5)


def test_signs_of_the_ratings():
    rows = [("ann", "u", 5), ("ann", "v", 1), ("bob", "u", 3), ("bob", "v", 3), ("eve", "u", 3)]
    ratings = rated(rows)
    assert sign(ratings, "ann", "count") == pytest.approx(np.log(3))
    assert sign(ratings, "ann", "mean") == 3.0
    assert sign(ratings, "ann", "entropy") == pytest.approx(np.log(2))
    assert sign(ratings, "ann", "highest") == 0.5
    assert sign(ratings, "ann", "lowest") == 0.5
    assert sign(ratings, "ann", "distance") == pytest.approx(2.0)
    assert sign(ratings, "ann", "rdma") == pytest.approx((2 / 3 + 2 / 2) / 2)
    assert sign(ratings, "ann", "target_gap") == 4.0
    assert sign(ratings, "bob", "entropy") == 0.0


def test_popularity_and_whoever_rated_nothing():
    ratings = rated([("ann", "u", 5), ("ann", "v", 1), ("bob", "u", 3)], also=["eve"])
    assert sign(ratings, "ann", "popular_most") == pytest.approx(np.log(3))
    assert sign(ratings, "ann", "popular_least") == pytest.approx(np.log(2))
    assert sign(ratings, "ann", "alone") == 0.5
    assert np.isnan(sign(ratings, "eve", "mean"))


def test_times():
    rows = [("ann", item, 5) for item in "uvwx"] + [("bob", item, 4) for item in "uvwx"]
    moments = [0, 10, 20, 30, *(100 * DAY * (n + 1) for n in range(4))]
    ratings = rated(rows, time=moments)
    assert sign(ratings, "ann", "busiest_day") == 1.0
    assert sign(ratings, "bob", "busiest_day") == 0.25
    assert sign(ratings, "bob", "bursty") == pytest.approx(-1.0)
    assert sign(ratings, "bob", "span") == pytest.approx(np.log1p(300))
    assert sign(ratings, "ann", "early") == 1.0
    assert sign(ratings, "ann", "crowded") == 0.0


def test_a_burst_on_an_item():
    rows = [(name, "u", 5) for name in "abcde"]
    ratings = rated(rows, time=[0, 100, 200, 300, 50 * DAY])
    assert sign(ratings, "a", "crowded") == pytest.approx(0.75)
    assert sign(ratings, "e", "crowded") == 0.0
    assert sign(ratings, "d", "early") == 0.0


def test_evidence_that_is_not_there_is_unknown():
    table = rater_table(rated([("ann", "u", 5), ("bob", "u", 3)]))
    for group in ("time", "text", "purchase"):
        columns = [NAMES.index(name) for name in GROUPS[group]]
        assert np.isnan(table[:, columns]).all(), group


def test_texts_copied_from_others_and_from_oneself():
    praise = "This lamp is the best lamp that I have ever had in my whole house"
    rows = [("ann", "u", 5), ("bob", "v", 5), ("eve", "u", 4), ("eve", "v", 4), ("tom", "w", 3)]
    words = [praise, praise + "!", "Arrived late but works well, would buy again", "", "Too dark for reading at night"]
    ratings = rated(rows, texts=words)
    assert sign(ratings, "ann", "copies_others") == 1.0
    assert sign(ratings, "ann", "copies_own") == 0.0
    assert sign(ratings, "eve", "copies_others") == 0.0
    assert sign(ratings, "eve", "written") == 0.5
    twice = rated([("ann", "u", 5), ("ann", "v", 5)], texts=[praise, praise])
    assert sign(twice, "ann", "copies_own") == 1.0
    assert sign(twice, "ann", "copies_others") == 0.0


def test_chinese_copies_are_found_and_short_praise_is_not_one():
    long = "这款台灯亮度适中颜色很正放在书桌上非常漂亮孩子特别喜欢推荐购买"
    other = "物流太慢了等了两个星期才收到货而且外包装已经破损客服态度也很差"
    group = near_copies([long, other, long + "。", other[:10] + long])
    assert group[0] == group[2]
    assert group[0] != group[1]
    ratings = rated([("ann", "u", 5), ("bob", "u", 5)], texts=["很好", "很好"])
    assert np.isnan(sign(ratings, "ann", "copies_others"))


def test_words_against_stars():
    ratings = rated([("ann", "u", 5), ("bob", "u", 1)], praise=[0.1, 0.1])
    assert sign(ratings, "ann", "disagreement") == pytest.approx(0.9)
    assert sign(ratings, "bob", "disagreement") == pytest.approx(0.1)


def test_no_texts_at_all():
    assert len(near_copies([])) == 0
    assert len(set(near_copies(["...", "???"]).tolist())) == 2
