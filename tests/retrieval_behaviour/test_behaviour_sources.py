"""Co-occurrence, words, vectors and popularity against hand-counted answers and against their own definition."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.records import Item
from shopkeeper.retrieval.analysis import terms
from shopkeeper.retrieval.collaborative import after, mass, together
from shopkeeper.retrieval.histories import fold, read
from shopkeeper.retrieval.popularity import DAY, Again, Standing, newness, popularity
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.text_neighbours import VectorNeighbours, WordNeighbours

EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.sampled_from([1.0, 0.3, -1.0])), min_size=1, max_size=60
)


def histories(events):
    """Fold (user, row, strength) triples in order, eight rows, six users."""
    users, rows, strengths = zip(*events, strict=True)
    return fold(users, rows, strengths, np.arange(len(events), dtype=float), 6)


def unit(rng, count, size):
    vectors = rng.normal(size=(count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_fold_keeps_each_item_once_where_it_was_last_touched():
    folded = fold([0, 1, 0, 0, 0], [3, 2, 1, 3, 4], [0.3, 1.0, 1.0, 1.0, 0.25], [1, 2, 3, 4, 5])
    assert folded.rows.tolist() == [1, 3, 4, 2]
    assert folded.strengths.tolist() == [1.0, 1.0, 0.25, 1.0]
    assert folded.ages.tolist() == [2, 1, 0, 0]
    assert folded.lengths.tolist() == [3, 1]


def test_fold_lets_the_last_word_against_an_item_win():
    assert fold([0, 0], [1, 1], [1.0, -0.7], [1, 2]).strengths.tolist() == [pytest.approx(-0.7)]
    assert fold([0, 0], [1, 1], [-0.7, 1.0], [1, 2]).strengths.tolist() == [1.0]


def test_fold_of_nothing():
    folded = fold([], [], [], [], 2)
    assert len(folded) == 2
    assert folded.weights(0.5, 4).toarray().tolist() == [[0, 0, 0, 0]] * 2


@given(EVENTS)
@settings(max_examples=50, deadline=None)
def test_fold_take_and_weights_agree_with_a_plain_loop(events):
    folded = histories(events)
    expected = np.zeros((6, 8), dtype=np.float32)
    for user in range(6):
        own = [(row, strength) for who, row, strength in events if who == user]
        order = sorted({row for row, _ in own}, key=lambda row: max(i for i, (r, _) in enumerate(own) if r == row))
        for age, row in enumerate(reversed(order)):
            strengths = [strength for r, strength in own if r == row]
            expected[user, row] = (age < 10) * (strengths[-1] if strengths[-1] < 0 else max(strengths)) * 0.5**age
    assert folded.weights(0.5, 8).toarray() == pytest.approx(expected)
    shuffled = np.array([4, 0, 2])
    assert folded.take(shuffled).weights(0.5, 8).toarray() == pytest.approx(expected[shuffled])


def test_read_takes_known_items_of_customers_and_sessions():
    shelf = Shelf([Item(id="a", title="A"), Item(id="b", title="B")])
    frame = pl.DataFrame(
        {
            "time": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4, 5)],
            "kind": ["view", "purchase", "search", "view", "view"],
            "customer": ["c", "c", "c", "", "c"],
            "session": ["s", "s", "s", "t", "s"],
            "item": ["a", "b", "", "b", "gone"],
        }
    )
    folded, names = read(frame, shelf)
    assert names == ["c", "session:t"]
    assert folded.rows.tolist() == [0, 1, 1]
    assert folded.strengths.tolist() == [0.25, 1.0, 0.25]
    assert folded.times[0] == datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def test_together_is_the_shrunk_cosine():
    source = together(fold([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [1] * 5, range(5)), 3, power=0.5, shrink=1.0)
    assert source.between(np.array([0]), np.array([0, 1, 2])).tolist() == [
        [0.0, pytest.approx(2 / (np.sqrt(3 * 2) + 1)), 0.0]
    ]


def test_after_knows_the_way_and_the_distance():
    source = after(fold([0, 0, 0], [0, 1, 2], [1] * 3, range(3)), 3, fade=0.5, backward=0.25, power=0.5, shrink=1.0)
    found = source.between(np.arange(3), np.arange(3)) * 2  # all masses are 1, so the doubt is 2
    assert found.tolist() == [[0, 1, 0.5], [0.25, 0, 1], [0.125, 0.25, 0]]


def test_dislikes_teach_no_pairs():
    source = together(fold([0, 0], [0, 1], [1, -1], range(2)), 2)
    assert source.matrix.nnz == 0
    assert after(fold([0, 0], [0, 1], [1, -1], range(2)), 2).matrix.nnz == 0


@given(EVENTS)
@settings(max_examples=40, deadline=None)
def test_every_source_is_linear_in_the_history(events):
    folded = histories(events)
    rng = np.random.default_rng(0)
    words = ["red rose seeds", "red rake", "", "steel rake garden", "pan", "steel pan", "铸铁煎锅", "煎锅"]
    everything = np.arange(8)
    for source in (
        together(folded, 8),
        after(folded, 8),
        WordNeighbours(words, terms),
        VectorNeighbours(unit(rng, 8, 5)),
        Again(),
    ):
        weights = folded.weights(source.decay, 8)
        expected = weights @ source.between(everything, everything)
        assert source.scores(weights) == pytest.approx(expected, abs=1e-5)
        for user in range(6):
            assert source.scores(weights[[user]])[0] == pytest.approx(expected[user], abs=1e-5)


@given(EVENTS, st.permutations(range(8)))
@settings(max_examples=40, deadline=None)
def test_renumbering_the_rows_does_not_move_scores(events, order):
    rows = np.array(order)
    renamed = [(user, int(rows[row]), strength) for user, row, strength in events]
    vectors = unit(np.random.default_rng(1), 8, 4)
    texts = np.array([f"word{row % 3} common thing{row}" for row in range(8)], dtype=object)
    moved_vectors, moved_texts = np.empty_like(vectors), np.empty_like(texts)
    moved_vectors[rows], moved_texts[rows] = vectors, texts

    def scored(given_events, seen_vectors, seen_texts):
        folded = histories(given_events)
        sources = [together(folded, 8), after(folded, 8), VectorNeighbours(seen_vectors)]
        sources.append(WordNeighbours(list(seen_texts), terms))
        return [source.scores(folded.weights(source.decay, 8)) for source in sources]

    for plain, renumbered in zip(
        scored(events, vectors, texts), scored(renamed, moved_vectors, moved_texts), strict=True
    ):
        assert renumbered[:, rows] == pytest.approx(plain, abs=1e-5)


def test_rows_that_came_later_score_nothing_from_behaviour_but_are_found_by_words_and_meaning():
    folded = fold([0, 0], [0, 1], [1, 1], range(2))
    texts = ["steel garden rake", "tomato seeds"]
    vectors = np.eye(3, dtype=np.float32)[:2]
    words, meaning = WordNeighbours(texts, terms), VectorNeighbours(vectors)
    words.put(np.array([2]), ["garden rake of wood"])
    meaning.put(np.array([2]), np.array([[0.8, 0.0, 0.6]], dtype=np.float32))
    weights = fold([0], [0], [1.0], [0.0]).weights(1.0, 4)
    for source in (words, meaning):
        scores = source.scores(weights)
        assert scores.shape == (1, 4)
        assert scores[0, 2] == scores.max() > 0
        assert scores[0, 3] == 0
        assert scores[0] == pytest.approx(source.between(np.array([0]), np.arange(4))[0], abs=1e-6)
    for source in (together(folded, 2), after(folded, 2), Standing("popular", np.ones(2, np.float32))):
        assert source.scores(weights)[0, 2:].tolist() == [0, 0]


def test_changed_texts_replace_the_old_ones_and_survive_merging():
    words = WordNeighbours([f"number{row} shared" for row in range(20)], terms)
    words.put(np.array([5, 5]), ["number6", "number7"])
    assert words.between(np.array([5]), np.array([6, 7])).tolist() == [[0, pytest.approx(0.7, abs=0.3)]]
    words.put(np.arange(1200), [f"number{row % 20} shared" for row in range(1200)])
    weights = fold([0], [0], [1.0], [0.0]).weights(1.0, 1200)
    assert np.flatnonzero(words.scores(weights)[0] > 0.99).tolist() == list(range(20, 1200, 20))


def test_shared_words_are_the_heaviest_single_words():
    words = WordNeighbours(["steel rake tool", "steel rake", "tool box", "tool bag", "tool kit"], terms)
    assert set(words.shared(0, 1)) == {"steel", "rake"}
    assert words.shared(1, 2) == ()


def test_words_without_any_text():
    words = WordNeighbours(["", ""], terms)
    assert words.scores(fold([0], [0], [1.0], [0.0]).weights(1.0, 2)).tolist() == [[0, 0]]


def test_fewer_dimensions_keep_the_order_of_clear_neighbours():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 32))
    vectors = np.repeat(centres, 10, axis=0) + 0.1 * rng.normal(size=(30, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    source = VectorNeighbours(vectors, dimensions=4)
    scores = source.scores(fold([0], [0], [1.0], [0.0]).weights(1.0, 30))[0]
    assert set(np.argsort(-scores)[:9]) == set(range(1, 10))


def test_popularity_counts_by_strength_and_forgets_by_half_life():
    folded = fold([0, 1, 2, 3], [0, 0, 1, 2], [1, 1, 1, -1], [0, 0, 10 * DAY, 10 * DAY])
    values = popularity(folded, 4, half_life=10, until=10 * DAY)
    assert values.tolist() == [pytest.approx(1.0), pytest.approx(1.0), 0, 0]
    assert mass(folded, 4).tolist() == [2, 1, 0, 0]


def test_popularity_of_nothing_is_zero():
    assert popularity(fold([], [], [], [], 1), 2, half_life=1, until=0).tolist() == [0, 0]


def test_newness_falls_with_age_and_ignores_unknown_dates():
    values = newness(np.array([0.0, 100 * DAY, 90 * DAY]), days=10, until=100 * DAY)
    assert values.tolist() == [0, 1, pytest.approx(np.exp(-1))]


def test_scores_come_in_float32():
    folded = fold([0, 0], [0, 1], [1, 1], range(2))
    weights = folded.weights(0.5, 2)
    assert weights.dtype == np.float32
    for source in (together(folded, 2), after(folded, 2), VectorNeighbours(np.eye(2, dtype=np.float32))):
        assert source.scores(weights).dtype == np.float32
    assert sp.issparse(weights)
