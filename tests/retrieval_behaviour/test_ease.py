"""The closed form against a dense reference, what it leaves out, and what it must not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError, TrainingError
from shopkeeper.retrieval.ease import ease
from shopkeeper.retrieval.histories import fold

EVENTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 7), st.sampled_from([1.0, 0.3, -1.0])), min_size=1, max_size=80
)
EVERYTHING = np.arange(8)


def histories(events):
    """Fold (user, row, strength) triples in order, ten users."""
    users, rows, strengths = zip(*events, strict=True)
    return fold(users, rows, strengths, np.arange(len(events), dtype=float), 10)


def reference(folded, width, regularisation):
    """The formula of the paper in 64 bits."""
    seen = np.maximum(folded.weights(1.0, width).toarray().astype(np.float64), 0)
    inverse = np.linalg.inv(seen.T @ seen + regularisation * np.eye(width))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@given(EVENTS, st.sampled_from([0.1, 1.0, 50.0]))
@settings(max_examples=50, deadline=None)
def test_it_is_the_closed_form_of_the_paper(events, regularisation):
    folded = histories(events)
    found = ease(folded, 8, regularisation=regularisation)
    assert found.name == "ease"
    assert found.matrix.toarray() == pytest.approx(reference(folded, 8, regularisation), abs=1e-4)
    assert not found.matrix.diagonal().any()
    weights = folded.weights(found.decay, 8)
    assert found.scores(weights) == pytest.approx(weights @ found.between(EVERYTHING, EVERYTHING), abs=1e-5)
    assert found.scores(weights).dtype == np.float32


def test_it_agrees_where_the_inverse_takes_several_blocks():
    rng = np.random.default_rng(0)
    folded = fold(rng.integers(0, 400, 6000), rng.integers(0, 1100, 6000), np.ones(6000), np.arange(6000.0))
    found = ease(folded, 1100, regularisation=5.0, most=1100, keep=1100)
    assert np.abs(found.matrix.toarray() - reference(folded, 1100, 5.0)).max() < 1e-5


def test_a_bestseller_beside_rare_items_survives_32_bits():
    crowd = [(user, 0) for user in range(60_000)]
    pair = [(60_000 + user, row) for user in range(5) for row in (1, 2)]
    users, rows = zip(*(crowd + pair), strict=True)
    folded = fold(users, rows, np.ones(len(users)), np.arange(float(len(users))))
    found = ease(folded, 3, regularisation=0.01).matrix.toarray()
    assert found[[1, 2], [2, 1]] == pytest.approx(5 / 5.01, abs=1e-4)
    assert found[0].tolist() == [0, 0, 0]


def test_the_common_cause_of_two_items_is_not_counted_twice():
    # half of those who take 0 take 1, the other half take 2: nobody takes both, so one speaks against the other
    events = [(user, row) for user in range(40) for row in (0, 1 + user % 2)]
    users, rows = zip(*events, strict=True)
    found = ease(fold(users, rows, np.ones(80), np.arange(80.0)), 3, regularisation=1.0).matrix.toarray()
    assert found[0, 1] > 0
    assert found[1, 2] < 0


def test_only_the_items_with_most_behaviour_take_part():
    events = [(user, row, 1.0) for user in range(10) for row in range(8) if user >= row]
    folded = histories(events)
    found = ease(folded, 8, regularisation=2.0, most=3).matrix.toarray()
    assert not found[3:].any()
    assert not found[:, 3:].any()
    few = folded.keep(folded.rows < 3)
    assert found[:3, :3] == pytest.approx(reference(few, 3, 2.0), abs=1e-5)


def test_which_of_equal_items_take_part_is_drawn_and_not_their_number():
    folded = fold(np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6), np.ones(24), np.arange(24.0))
    chosen = {tuple(np.unique(ease(folded, 4, most=2, seed=seed).matrix.indices)) for seed in range(30)}
    assert len(chosen) > 3
    assert (
        ease(folded, 4, most=2, seed=3).matrix.indices.tolist()
        == ease(folded, 4, most=2, seed=3).matrix.indices.tolist()
    )


def test_each_item_keeps_its_largest_entries_and_equal_ones_together():
    rng = np.random.default_rng(1)
    folded = fold(rng.integers(0, 60, 500), rng.integers(0, 20, 500), np.ones(500), np.arange(500.0))
    whole, thin = (ease(folded, 20, keep=keep).matrix.toarray() for keep in (20, 4))
    for row in range(20):
        kept = np.flatnonzero(thin[row])
        assert len(kept) == 4
        assert np.abs(whole[row][kept]).min() >= np.sort(np.abs(whole[row]))[-4]
        assert thin[row][kept] == pytest.approx(whole[row][kept])
    alike = ease(fold([0] * 6, range(6), np.ones(6), range(6)), 6, keep=1).matrix
    assert alike.nnz in range(6, 31)
    assert np.diff(alike.indptr).min() >= 1


@given(EVENTS, st.permutations(range(8)))
@settings(max_examples=30, deadline=None)
def test_renumbering_the_rows_does_not_move_scores(events, order):
    rows = np.array(order)
    folded = histories(events)
    renamed = histories([(user, int(rows[row]), strength) for user, row, strength in events])
    plain = ease(folded, 8, regularisation=3.0).scores(folded.weights(0.8, 8))
    moved = ease(renamed, 8, regularisation=3.0).scores(renamed.weights(0.8, 8))
    assert moved[:, rows] == pytest.approx(plain, abs=1e-5)


def test_rows_that_came_later_score_nothing():
    source = ease(fold([0, 0, 1, 1], [0, 1, 0, 1], np.ones(4), range(4)), 2, regularisation=1.0)
    scores = source.scores(fold([0], [0], [1.0], [0.0]).weights(1.0, 4))
    assert scores[0, 1] > 0
    assert scores[0, 2:].tolist() == [0, 0]


def test_a_robots_endless_history_counts_its_newest_items_only():
    source = ease(fold(np.zeros(1000), np.arange(1000), np.ones(1000), np.arange(1000.0)), 1000, regularisation=1.0)
    assert not source.matrix[:700].nnz
    assert source.matrix[700:].nnz


def test_nothing_liked_gives_nothing():
    for folded in (fold([], [], [], [], 1), fold([0, 0], [0, 1], [-1, -1], range(2))):
        source = ease(folded, 2)
        assert source.matrix.nnz == 0
        assert source.scores(folded.weights(1.0, 2)).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    "wrong", [{"regularisation": 0.0}, {"regularisation": float("nan")}, {"most": 0}, {"keep": -1}]
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ease(fold([0], [0], [1.0], [0.0]), 1, **wrong)


@pytest.mark.parametrize("regularisation", [1e-30, 1e-6])
def test_a_regularisation_that_32_bits_cannot_tell_from_nothing_is_refused(regularisation):
    always = fold(np.repeat(np.arange(64), 3), np.tile(np.arange(3), 64), np.ones(192), np.arange(192.0))
    with pytest.raises(TrainingError, match="regularisation"):
        ease(always, 3, regularisation=regularisation)
