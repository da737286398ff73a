"""What customers keep coming back to: counts that fade, agreement with a plain loop, and a place in the shop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.retrieval.habit import Habit
from shopkeeper.retrieval.popularity import DAY
from shopkeeper.retrieval.trails import KINDS, SPEAKS, Trails

WIDTH = 6
BUY, VIEW, DISMISS = (KINDS.index(kind) for kind in ("purchase", "view", "dismiss"))


def trails(*people):
    """(row, days, kind) steps of each person."""
    steps = [step for person in people for step in person]
    lengths = [len(person) for person in people]
    rows, days, kinds = (np.array([step[place] for step in steps]) for place in range(3))
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Trails(indptr, rows.astype(np.int64), days.astype(np.float64) * DAY, kinds.astype(np.int8))


def test_often_and_lately_counts_and_dismissing_counts_nothing():
    found = Habit(10.0).scores(trails([(0, 0, BUY), (1, 0, BUY), (0, 10, BUY), (2, 10, DISMISS), (3, 10, VIEW)]), WIDTH)
    assert found[0].tolist() == pytest.approx([1.5, 0.5, 0.0, 0.25, 0.0, 0.0])


def test_each_has_their_own_and_nobody_has_nothing():
    found = Habit().scores(trails([(0, 0, BUY)], [], [(5, 3, BUY), (9, 3, BUY)]), WIDTH)
    assert found.argmax(axis=1).tolist() == [0, 0, 5]
    assert not found[1].any()
    assert found.dtype == np.float32


step = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, 100), st.integers(0, len(KINDS) - 1))


@given(st.lists(st.lists(step, min_size=1, max_size=8), min_size=1, max_size=4), st.sampled_from([1.0, 30.0, 365.0]))
def test_it_is_what_a_plain_loop_counts(people, half_life):
    people = [sorted(person, key=lambda one: one[1]) for person in people]
    found = Habit(half_life).scores(trails(*people), WIDTH)
    plain = np.zeros((len(people), WIDTH))
    for user, person in enumerate(people):
        newest = person[-1][1]
        for row, day, kind in person:
            plain[user, row] += max(float(SPEAKS[kind]), 0) * 0.5 ** ((newest - day) / half_life)
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-6)
    alone = trails(people[0])
    np.testing.assert_allclose(Habit(half_life).of(alone, np.arange(WIDTH)), plain[0], rtol=1e-4, atol=1e-6)
