"""Copies of texts: found like a brute-force comparison finds them, within bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.retrieval.near_duplicates import NearDuplicates

ENGLISH = "The kettle began to smoke after a week and the support does not answer any of my messages at all."
CHINESE = "这个电水壶用了一个星期就开始冒烟，客服完全不理人，打电话也没有人接，大家千万不要买这个牌子的东西。"


def shingles(text):
    letters = "".join(filter(str.isalnum, text.lower()))
    return {letters[at : at + 4] for at in range(len(letters) - 3)}


def test_copies_and_slight_changes_are_found_in_both_languages():
    known = NearDuplicates()
    assert known.find(["a", "b"], [ENGLISH, CHINESE]) == ["", ""]
    changed = [
        ENGLISH.replace("a week", "1 week") + "!!",
        CHINESE.replace("，", ",").replace("电水壶", "水壶"),
        "完全不同的另外一句话，没有任何关系。",
    ]
    assert known.find(["c", "d", "e"], changed) == ["a", "b", ""]


def test_copies_within_one_batch_point_to_the_first_and_an_id_never_to_itself():
    known = NearDuplicates()
    assert known.find(["a", "b", "c"], [ENGLISH, ENGLISH, CHINESE]) == ["", "a", ""]
    assert known.find(["a", "b", "d"], [ENGLISH, ENGLISH, ENGLISH]) == ["", "a", "a"]


def test_short_praise_and_strange_texts_repeat_nothing():
    known = NearDuplicates()
    texts = ["好评", "好评", "", "", "!!!???", "😀" * 50, "😀" * 50, "a\x00b", "\ud800 broken"]
    assert known.find([str(n) for n in range(len(texts))], texts) == [""] * len(texts)


def test_what_left_the_window_is_forgotten():
    rng = np.random.default_rng(1)
    known = NearDuplicates(window=10)
    others = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 60)) for _ in range(12)]
    known.find(["first"], [ENGLISH])
    assert known.find([f"o{n}" for n in range(9)], others[:9]) == [""] * 9
    assert known.find(["again"], [ENGLISH]) == ["first"]
    known.find([f"p{n}" for n in range(12)], ["".join(rng.permutation(list(text))) for text in others])
    assert known.find(["late"], [ENGLISH]) == [""]
    assert len(known._buckets) <= 16 * 10


def test_a_megabyte_is_read_in_part():
    known = NearDuplicates()
    assert known.find(["a", "b"], ["长" + CHINESE * 20_000, "长" + CHINESE * 20_001]) == ["", "a"]


def test_agrees_with_a_comparison_of_all_pairs_far_from_the_border():
    rng = np.random.default_rng(3)
    words = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(300)]
    texts = [" ".join(rng.choice(words, 20)) for _ in range(60)]
    texts += [" ".join([*text.split()[:-1], words[0]]) for text in texts[:30]]  # one word of twenty changed
    found = NearDuplicates().find([str(n) for n in range(len(texts))], texts)
    right = 0
    for row, text in enumerate(texts):
        own = shingles(text)
        shares = [len(own & shingles(other)) / len(own | shingles(other)) for other in texts[:row]]
        if max(shares, default=0) > 0.85:
            right += found[row] == str(int(np.argmax(shares)))
        elif max(shares, default=0) < 0.45:
            assert found[row] == ""
    assert right >= 25


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_is_taken_and_a_copy_points_to_an_earlier_id(texts):
    ids = [str(n) for n in range(len(texts))]
    for own, found in zip(ids, NearDuplicates(window=4).find(ids, texts), strict=True):
        assert not found or int(found) < int(own)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides_nothing_but_the_hashes(seed):
    known = NearDuplicates(seed=seed)
    assert known.find(["a", "b"], [CHINESE, CHINESE + "。"]) == ["", "a"]
