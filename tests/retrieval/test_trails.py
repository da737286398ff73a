"""Trails keep every step, in order, for the same users as histories; learning and serving fold alike."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toyshop import START, toy_events, toy_items, toy_store

from shopkeeper.records import Event, EventKind
from shopkeeper.retrieval.histories import STRENGTH, fold, read
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, SPEAKS, Trails, read_trails, trail_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    store = toy_store(tmp_path_factory.mktemp("shop"))
    yield store.events.frame(), Shelf(store.catalogue.scan())
    store.close()


def lists(trails):
    return [part.tolist() for part in np.split(trails.rows, trails.indptr[1:-1])]


def some(*rows):
    """Trails of these rows, a second between two steps."""
    flat = np.array([row for trail in rows for row in trail], dtype=np.int64)
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Trails(indptr, flat, np.arange(len(flat), dtype=np.float64), np.zeros(len(flat), dtype=np.int8))


trails_of_many = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=6).map(lambda rows: some(*rows))


def test_users_are_those_of_histories_in_the_same_order(shop):
    frame, shelf = shop
    trails, names = read_trails(frame, shelf)
    histories, same = read(frame, shelf)
    assert names == same
    assert len(trails) == len(histories)
    for user in range(len(names)):
        steps = trails.rows[trails.indptr[user] : trails.indptr[user + 1]]
        assert set(steps) == set(histories.rows[histories.indptr[user] : histories.indptr[user + 1]])
        assert (np.diff(trails.times[trails.indptr[user] : trails.indptr[user + 1]]) >= 0).all()


def test_serving_folds_as_learning_does(shop):
    frame, shelf = shop
    trails, names = read_trails(frame, shelf)
    for customer in ("c00", "c31"):
        served = trail_of([event for event in toy_events() if event.customer == customer][::-1], shelf)
        learnt = trails.take(np.array([names.index(customer)]))
        assert served.indptr.tolist() == learnt.indptr.tolist()
        assert np.allclose(served.times, learnt.times, rtol=0, atol=1e-5)
        order = np.lexsort((served.kinds, served.rows, served.times))  # the events were handed over backwards
        expected = np.lexsort((learnt.kinds, learnt.rows, learnt.times))
        assert served.rows[order].tolist() == learnt.rows[expected].tolist()
        assert served.kinds[order].tolist() == learnt.kinds[expected].tolist()


def test_repeats_and_what_speaks_against_an_item_are_steps():
    shelf = Shelf(toy_items())
    kinds = [EventKind.VIEW, EventKind.VIEW, EventKind.SEARCH, EventKind.PURCHASE, EventKind.RETURN, EventKind.DISMISS]
    events = [
        Event(id=str(n), time=START + timedelta(minutes=n), kind=kind, customer="c", item="garden-04")
        for n, kind in enumerate(kinds)
    ]
    events.append(Event(id="x", time=START, kind=EventKind.VIEW, customer="c", item="gone"))
    trail = trail_of(events, shelf)
    assert [KINDS[n] for n in trail.kinds] == [kind for kind in kinds if kind is not EventKind.SEARCH]
    assert set(trail.rows) == {shelf.row("garden-04")}
    assert SPEAKS[trail.kinds].tolist() == pytest.approx([STRENGTH[KINDS[n]] for n in trail.kinds])


def test_nothing_done_is_an_empty_trail(shop):
    frame, shelf = shop
    assert len(trail_of([], shelf)) == 1
    assert len(trail_of([], shelf).rows) == 0
    assert len(read_trails(frame.head(0), shelf)[0]) == 0


@given(trails_of_many, st.data())
def test_taking_and_keeping_agree_with_lists(trails, data):
    rows = lists(trails)
    users = data.draw(st.lists(st.integers(-1, len(rows) - 1), max_size=8))
    taken = trails.take(np.array(users, dtype=np.int64))
    assert lists(taken) == [rows[user] if user >= 0 else [] for user in users] or not users
    mask = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(trails.rows), max_size=len(trails.rows))), dtype=bool
    )
    kept = np.split(mask, trails.indptr[1:-1])
    assert lists(trails.keep(mask)) == [
        [r for r, k in zip(a, b, strict=True) if k] for a, b in zip(rows, kept, strict=True)
    ]


@given(trails_of_many, st.integers(1, 7))
def test_the_newest_steps_are_the_last_ones(trails, length):
    assert lists(trails.newest(length)) == [row[-length:] for row in lists(trails)]


@given(trails_of_many)
def test_padding_holds_every_step_and_zeros(trails):
    rows, kinds, times = trails.padded()
    assert rows.shape == kinds.shape == times.shape == (len(trails), max(map(len, lists(trails)), default=0))
    for padded, row in zip(rows.tolist(), lists(trails), strict=True):
        assert padded == row + [0] * (len(padded) - len(row))


@given(trails_of_many, st.integers(1, 4))
def test_batches_of_similar_length_hold_everybody_who_did_something_once(trails, size):
    batches = list(trails.alike(size))
    assert sorted(user for batch in batches for user in batch) == np.flatnonzero(trails.lengths).tolist()
    assert all(0 < len(batch) <= size for batch in batches)
    lengths = [int(trails.lengths[user]) for batch in batches for user in batch]
    assert lengths == sorted(lengths)


def test_steps_within_a_history_are_those_on_its_items():
    trails = some([1, 2, 1, 3], [2, 2], [5])
    histories = fold([0, 0, 1], [1, 3, 4], [1, 1, 1], [0, 1, 2], 3)
    assert lists(trails.within(histories)) == [[1, 1, 3], [], []]
    assert lists(trails.within(fold([], [], [], [], 3))) == [[], [], []]
