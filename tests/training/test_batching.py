import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.training.batching import Buckets, pad


@given(st.lists(st.integers(1, 60), max_size=200), st.integers(1, 33), st.integers(0, 5))
def test_every_example_comes_once_in_an_epoch(lengths, size, seed):
    buckets = Buckets(lengths, size, lambda chosen: chosen)
    batches = list(buckets.epoch(np.random.default_rng(seed)))
    assert len(batches) == len(buckets)
    assert all(len(batch) <= size for batch in batches)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(8, 40)), max_size=120), st.integers(2, 16))
def test_no_key_twice_in_a_batch(keys, size):
    buckets = Buckets([3] * len(keys), size, lambda chosen: chosen, keys=keys)
    for batch in buckets.epoch(np.random.default_rng(0)):
        seen = [key for i in batch for key in set(keys[i])]
        assert len(seen) == len(set(seen))


def test_similar_lengths_travel_together_and_orders_differ():
    lengths = np.random.default_rng(0).integers(4, 64, size=640)
    buckets = Buckets(lengths, 32, lambda chosen: chosen)
    rng = np.random.default_rng(1)
    first, second = list(buckets.epoch(rng)), list(buckets.epoch(rng))
    padded = sum(lengths[batch].max() * len(batch) for batch in first)
    assert padded < 1.2 * lengths.sum()
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]


def test_an_epoch_may_go_through_a_share():
    buckets = Buckets([1] * 100, 10, lambda chosen: chosen, share=0.3)
    assert len(buckets) == 3
    assert sum(len(batch) for batch in buckets.epoch(np.random.default_rng(0))) == 30


def test_one_crowded_key_does_not_stop_the_rest():
    keys = [("popular", i) for i in range(5_000)] + [("other", -i - 1) for i in range(10)]
    batches = list(Buckets([1] * len(keys), 16, lambda chosen: chosen, keys=keys).epoch(np.random.default_rng(0)))
    assert batches
    assert all(len(batch) <= 2 for batch in batches)


def test_padding():
    tokens = pad([[1, 2, 3], [4], []], filler=9)
    assert tokens.ids.tolist() == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert tokens.mask.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert pad([[]]).ids.shape == (1, 1)
