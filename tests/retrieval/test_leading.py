"""The best of many scores: the same as sorting them all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.retrieval.leading import best, best_allowed, shuffled


def sorted_best(scores, count, places, above=-np.inf, allowed=None):
    order = np.lexsort((places, -scores))
    kept = (scores[order] > above) & (True if allowed is None else allowed[order])
    return order[kept][:count]


@settings(max_examples=60, deadline=None)
@given(
    width=st.sampled_from([0, 1, 7, 300, 4_095, 4_096, 5_000, 20_011]),
    values=st.sampled_from([1, 2, 50, 10**6]),
    count=st.integers(0, 400),
    above=st.sampled_from([-np.inf, -0.25, 0.0, 0.9]),
    share=st.sampled_from([0.0, 0.01, 0.5, 0.999, 1.0]),
    seed=st.integers(0, 9),
)
def test_the_best_are_those_that_sorting_finds(width, values, count, above, share, seed):
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-values, values + 1, width) / values).astype(np.float32)
    scores[rng.random(width) < 0.1] = -np.inf
    allowed, places = rng.random(width) < share, shuffled(width)
    np.testing.assert_array_equal(best(scores, count, places, above), sorted_best(scores, count, places, above))
    np.testing.assert_array_equal(
        best_allowed(scores, allowed, count, places, above), sorted_best(scores, count, places, above, allowed)
    )


def test_places_are_a_permutation_that_stays():
    places = shuffled(5_000)
    assert sorted(places.tolist()) == list(range(5_000))
    assert shuffled(5_000) is places
    assert not np.array_equal(places, shuffled(5_000, seed=8))
    with pytest.raises(ValueError, match="read-only"):
        places[0] = 1
