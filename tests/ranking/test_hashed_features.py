"""Tables of named columns as matrices."""

import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.ranking.ads.hashed_features import HashedFeatures

FRAME = pl.DataFrame(
    {
        "spent": [0.0, 10.0, None, 1000.0],
        "new": [True, False, True, None],
        "channel": ["web", "phone", "web", None],
        "town": ["a", "b", "c", "d"],
    }
)


def test_layout():
    made = HashedFeatures.fit(FRAME, listed=3, buckets=16, crosses=[("channel", "town")])
    assert made.columns == ("spent", "new", "channel", "town")
    assert [block.buckets for block in made.blocks] == [4, 16, 16]
    table = made.matrix(FRAME).toarray()
    assert table.shape == (4, made.width) == (4, len(made.names))
    told = table[:, :2]
    assert told[[0, 1, 3], 0].mean() == pytest.approx(0, abs=1e-6)
    assert told[[0, 1, 3], 0].std() == pytest.approx(1, abs=1e-6)
    assert (told[2, 0], told[3, 1]) == (0, 0)
    assert table[:, 2:4].tolist() == [[0, 0], [0, 0], [1, 0], [0, 1]]
    assert (table[:, 4:].sum(axis=1) == 3).all()
    assert table[0, made.names.index("channel = web")] == 1
    assert table[3, made.names.index("channel = missing")] == 1


def test_a_value_never_seen_has_the_slot_of_all_others():
    made = HashedFeatures.fit(FRAME)
    table = made.matrix(FRAME.with_columns(pl.lit("fax").alias("channel"))).toarray()
    assert (table[:, made.names.index("channel = other")] == 1).all()


def test_codes_are_the_slots_of_the_matrix():
    made = HashedFeatures.fit(FRAME, listed=0, buckets=8)
    codes = made.codes(FRAME)
    slots = made.matrix(FRAME).toarray()[:, 4:]
    assert (slots[np.arange(4)[:, None], codes] == 1).all()
    assert ((codes >= [0, 8]) & (codes < [8, 16])).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=40), st.integers(1, 50), st.integers(0, 9)
)
def test_any_words_can_be_read_back_and_come_out_the_same(words, buckets, listed):
    frame = pl.DataFrame({"word": words}, schema={"word": pl.String})
    made = HashedFeatures.fit(frame, listed=listed, buckets=buckets)
    again = HashedFeatures.load(json.loads(json.dumps(made.save())))
    assert again == made
    codes = made.codes(frame)
    assert (codes == again.codes(frame)).all()
    assert ((codes >= 0) & (codes < made.slots)).all()
    for first, one in zip(words, codes, strict=True):
        for second, two in zip(words, codes, strict=True):
            assert first != second or one == two


def test_numbers_that_never_differ_or_are_not_finite():
    frame = pl.DataFrame({"same": [3.0, 3.0], "wild": [float("inf"), float("nan")]})
    table = HashedFeatures.fit(frame).table(frame)
    assert np.isfinite(table).all()
    assert table.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]


def test_wrong_tables_are_refused_with_the_column():
    made = HashedFeatures.fit(FRAME)
    with pytest.raises(InputError, match="lacks 'channel'"):
        made.matrix(FRAME.drop("channel"))
    with pytest.raises(InputError, match="column spent"):
        made.matrix(FRAME.with_columns(pl.lit("much").alias("spent")))
    with pytest.raises(InputError, match="neither numbers nor categories"):
        HashedFeatures.fit(pl.DataFrame({"born": [date(2000, 1, 1)]}))
    with pytest.raises(InputError, match="no columns"):
        HashedFeatures.fit(pl.DataFrame())
    with pytest.raises(InputError, match="names 'spent'"):
        HashedFeatures.fit(FRAME, crosses=[("channel", "spent")])
