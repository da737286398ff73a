"""Span F1 by hand, and as seqeval's default counts it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.evaluation.spans import f1_gain, f1_interval, micro_f1, span_counts
from shopkeeper.models.tagging.spans import Mention, from_bio, tag_names, to_bio

KINDS = ("brand", "model")


@st.composite
def marked(draw):
    places = sorted(draw(st.sets(st.integers(0, 20), max_size=8)))
    pairs = list(zip(places[::2], places[1::2], strict=False))
    return [Mention(start, end, draw(st.sampled_from(KINDS))) for start, end in pairs]


@given(marked(), st.integers(0, 3))
def test_encoding_and_decoding_go_round(mentions, more):
    length = max((end for _, end, _ in mentions), default=0) + more
    tags = to_bio(length, mentions)
    assert len(tags) == length
    assert set(tags) <= set(tag_names(KINDS))
    assert from_bio(tags) == mentions


@given(st.lists(st.sampled_from(tag_names(KINDS)), max_size=12))
def test_whatever_the_tags_the_mentions_cover_what_is_not_outside(tags):
    found = from_bio(tags)
    inside = {place for start, end, _ in found for place in range(start, end)}
    assert inside == {place for place, tag in enumerate(tags) if tag != "O"}
    assert from_bio(to_bio(len(tags), found)) == found


def test_an_i_without_a_beginning_starts_a_mention_as_in_seqeval():
    assert from_bio(["I-brand", "I-brand", "O", "B-model", "B-model", "I-brand"]) == [
        (0, 2, "brand"),
        (3, 4, "model"),
        (4, 5, "model"),
        (5, 6, "brand"),
    ]


def test_f1_by_hand():
    # the example of seqeval's documentation: one of two found whole, a third one cut short -> F1 0.5
    wanted = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    found = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    counts = span_counts([from_bio(tags) for tags in wanted], [from_bio(tags) for tags in found])
    assert counts.tolist() == [[0, 1, 1], [1, 0, 0]]
    assert micro_f1(counts) == 0.5


def test_kind_and_borders_all_have_to_be_right_and_empty_texts_cost_nothing():
    right = [Mention(0, 2, "brand"), Mention(3, 5, "model")]
    given_ = [Mention(0, 2, "model"), Mention(3, 5, "model")]
    counts = span_counts([right, []], [given_, []])
    assert counts.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert micro_f1(counts) == 0.5
    assert micro_f1(span_counts([[]], [[]])) == 0.0
    assert micro_f1(span_counts([], [])) == 0.0


def test_intervals_hold_the_value_and_a_clear_gain_leaves_out_zero():
    rng = np.random.default_rng(0)
    weak = np.stack([rng.integers(0, 3, 300), rng.integers(0, 3, 300), rng.integers(0, 3, 300)], axis=1)
    strong = weak + np.array([2, 0, 0])
    low, high = f1_interval(weak)
    assert low < micro_f1(weak) < high
    assert f1_gain(weak, strong)[0] > 0
    assert f1_gain(weak, weak) == (0.0, 0.0)
    assert f1_interval([]) == (0.0, 0.0)
    with pytest.raises(ValueError, match="same texts"):
        f1_gain(weak, weak[:5])
