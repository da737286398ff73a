"""What rises: by hand, in order of belief, and never without a past."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.retrieval.histories import fold
from shopkeeper.retrieval.popularity import DAY, trending

UNTIL = 100 * DAY


def log(counts, past=1):
    """One user an event: for each row (before, now), `past` windows of a week before the last week."""
    rows, times = [0], [UNTIL - 7 * (1 + past) * DAY]
    strengths = [-1.0]  # the log begins here; what speaks against an item does not count
    for row, (before, now) in enumerate(counts):
        rows += [row] * (before + now)
        times += np.linspace(UNTIL - 7 * (1 + past) * DAY, UNTIL - 7 * DAY, before).tolist()
        times += np.linspace(UNTIL - 6.9 * DAY, UNTIL, now).tolist()
        strengths += [1.0] * (before + now)
    order = np.argsort(times, kind="stable")
    return fold(np.arange(len(rows)), np.array(rows)[order], np.array(strengths)[order], np.array(times)[order])


def rises(*counts, past=1):
    return trending(log(counts, past), len(counts), days=7, until=UNTIL)


def test_it_is_the_ratio_of_the_rates_less_one_standard_error():
    lowest = math.log(30.5 / 10.5) - math.sqrt(1 / 30.5 + 1 / 10.5)
    assert rises((10, 30)).tolist() == [pytest.approx(1 - math.exp(-lowest), abs=1e-6)]


def test_a_longer_past_is_brought_to_the_same_length_and_is_known_better():
    lowest = math.log(30.5 / 10.5) - math.sqrt(1 / 30.5 + 1 / 42)
    assert rises((40, 30), past=4).tolist() == [pytest.approx(1 - math.exp(-lowest), abs=1e-6)]
    assert rises((40, 30), past=4)[0] > rises((10, 30))[0]


def test_a_handful_of_events_does_not_beat_hundreds():
    few, many, huge = rises((1, 3), (100, 180), (1000, 1800))
    assert few < many < huge
    few, many = rises((4, 3), (400, 180), past=4)
    assert few < many


def test_what_stays_or_falls_is_zero():
    assert rises((50, 50), (50, 20), (0, 0), (100, 104)).tolist() == [0, 0, 0, 0]


def test_a_new_item_that_takes_off_rises_and_a_single_event_hardly_does():
    one, forty = rises((0, 1), (0, 40))
    assert one < 0.1
    assert forty > 0.9


def test_views_move_it_less_than_purchases():
    counts = log([(10, 40)])
    views = fold(counts.users, counts.rows, counts.strengths * 0.25, counts.times)
    assert 0 < trending(views, 1, days=7, until=UNTIL)[0] < trending(counts, 1, days=7, until=UNTIL)[0]


def test_without_a_past_nothing_rises():
    folded = fold([0, 1, 2], [0, 0, 0], [1, 1, 1], [UNTIL - DAY, UNTIL - DAY, UNTIL])
    assert trending(folded, 2, days=7, until=UNTIL).tolist() == [0, 0]
    assert trending(fold([], [], [], [], 1), 2, days=7, until=UNTIL).tolist() == [0, 0]


def test_a_clock_from_the_future_counts_as_now():
    folded, late = log([(10, 30)]), log([(10, 30)])
    late.times[late.times > UNTIL - 6.9 * DAY] += 500 * DAY
    assert trending(late, 1, days=7, until=UNTIL) == pytest.approx(trending(folded, 1, days=7, until=UNTIL))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_values_stay_within_bounds_grow_with_what_is_done_now_and_ignore_row_numbers(counts, data):
    values = rises(*counts, past=2)
    assert values.dtype == np.float32
    assert ((values >= 0) & (values < 1)).all()
    assert all(value == 0 for value, (before, now) in zip(values, counts, strict=True) if now <= before / 2)
    more = rises(*((before, now + 1) for before, now in counts), past=2)
    assert (more >= values).all()
    order = data.draw(st.permutations(range(len(counts))))
    assert rises(*(counts[row] for row in order), past=2) == pytest.approx(values[list(order)])


def test_no_length_of_now_is_an_error():
    with pytest.raises(InputError, match="days"):
        trending(fold([0], [0], [1.0], [0.0]), 1, days=0, until=1.0)
