import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.evaluation.splits import by_hash, by_time, folds


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=200),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.1, 0.4]),
)
def test_periods_never_overlap_and_lose_nothing(times, valid, test):
    split = by_time(times, valid, test)
    moments = np.array(times)
    assert sorted([*split.train, *split.valid, *split.test]) == list(range(len(times)))
    for earlier, later in ((split.train, split.valid), (split.valid, split.test), (split.train, split.test)):
        if len(earlier) and len(later):
            assert moments[earlier].max() < moments[later].min()


def test_shares_and_gap():
    times = np.arange(1_000.0)
    split = by_time(times, 0.1, 0.2, gap=50)
    assert (split.valid_from, split.test_from) == (700, 800)
    assert (len(split.train), len(split.valid), len(split.test)) == (650, 50, 200)
    assert times[split.train].max() + 50 < split.valid_from
    assert times[split.valid].max() + 50 < split.test_from


def test_nothing_and_nonsense():
    assert len(by_time([]).train) == 0
    with pytest.raises(ValueError, match="together less than 1"):
        by_time([1.0], 0.5, 0.5)


def test_hash_keeps_a_key_on_one_side():
    keys = [f"item-{n}" for n in range(5_000)]
    held = by_hash(keys, 0.2)
    assert 0.18 < held.mean() < 0.22
    assert by_hash(keys[::-1], 0.2)[::-1].tolist() == held.tolist()
    assert by_hash(keys, 0.2, salt="other").tolist() != held.tolist()
    assert set(folds(keys, 5)) == {0, 1, 2, 3, 4}
