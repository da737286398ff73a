"""Popularity by segment: the prior, the evidence, several labels of one person, and the unknown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import InputError
from shopkeeper.retrieval.histories import fold
from shopkeeper.retrieval.popularity import DAY, popularity
from shopkeeper.retrieval.segments import segment_popularity

ROWS = 5
PEOPLE = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["language=zh", "language=en", "country=CN", ""]), max_size=3),
        st.lists(st.integers(0, ROWS - 1), max_size=4, unique=True),
    ),
    min_size=1,
    max_size=30,
)


def counted(people, **options):
    """People are (labels, rows bought)."""
    users = [user for user, (_, rows) in enumerate(people) for _ in rows]
    rows = [row for _, rows in people for row in rows]
    folded = fold(users, rows, np.ones(len(rows)), np.zeros(len(rows)), len(people))
    options = {"half_life": 30.0, "until": 0.0, "least": 1} | options
    return folded, segment_popularity(folded, [tuple(labels) for labels, _ in people], ROWS, **options)


TWO_TASTES = [(["zh"], [0, 1])] * 60 + [(["en"], [2, 3])] * 60


def test_each_segment_sees_its_own_bestsellers():
    _, found = counted(TWO_TASTES)
    zh, en = found.of(["zh"]), found.of(["en"])
    assert zh[:2].min() > zh[2:4].max() > zh[4] == 0
    assert en[2:4].min() > en[:2].max()
    assert zh.dtype == np.float32
    assert zh.max() == pytest.approx(1.0)


def test_shares_are_the_mean_of_the_dirichlet_posterior():
    _, found = counted(TWO_TASTES, prior=40.0)
    shares = (np.array([60, 60, 0, 0, 0]) + 40.0 * np.array([0.25, 0.25, 0.25, 0.25, 0])) / (120 + 40)
    expected = np.log1p(shares * 240) / np.log1p(shares.max() * 240)
    assert found.of(["zh"]) == pytest.approx(expected, abs=1e-5)


def test_little_evidence_stays_near_the_shop():
    people = [*TWO_TASTES, (["fr"], [4])]
    _, found = counted(people)
    assert np.abs(found.of(["fr"]) - found.overall).max() < np.abs(found.of(["zh"]) - found.overall).max()
    nearer = counted(people, prior=10_000.0)[1]
    assert nearer.of(["zh"]) == pytest.approx(nearer.overall, abs=0.01)


def test_the_unknown_sees_what_everybody_likes():
    folded, found = counted(TWO_TASTES)
    everybody = popularity(folded, ROWS, half_life=30.0, until=0.0)
    assert found.overall == pytest.approx(everybody)
    for labels in ([], ["xx"], ["", "yy"]):
        assert found.of(labels).tolist() == everybody.tolist()
    assert found.of(["zh", "xx"]).tolist() == found.of(["zh"]).tolist()


def test_several_labels_are_mixed_by_how_much_is_known_of_each():
    people = [(["zh", "CN"], [0])] * 200 + [(["zh", "US"], [1])] * 12 + [(["en", "US"], [1, 2])] * 12
    _, found = counted(people)
    mixed = found.of(["zh", "US"])
    assert found.of(["zh"])[1] < mixed[1] < found.of(["US"])[1]
    assert np.abs(mixed - found.of(["zh"])).max() < np.abs(mixed - found.of(["US"])).max()


def test_segments_of_few_people_are_not_told_apart():
    people = [*TWO_TASTES, *[(["shy"], [4])] * 19, *[(["shy"], [])] * 5]
    _, found = counted(people, least=20)
    assert "shy" not in found.segments
    assert found.of(["shy"]).tolist() == found.overall.tolist()
    assert "shy" in counted([*people, (["shy"], [4])], least=20)[1].segments


def test_what_was_done_long_ago_or_speaks_against_an_item_counts_less():
    folded = fold([0, 1, 2], [0, 1, 2], [1, 1, -1], [0, 60 * DAY, 60 * DAY])
    found = segment_popularity(folded, [("a",)] * 3, 3, half_life=30.0, until=60 * DAY, prior=1.0, least=1)
    old, new, returned = found.of(["a"])
    assert new > old > returned == 0
    assert found.held.toarray().tolist() == [[0.25, 1, 0]]


@given(PEOPLE, st.lists(st.sampled_from(["language=zh", "language=en", "country=CN", "x"]), max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_a_plain_loop_and_ignores_the_order_of_labels(people, asked, data):
    folded, found = counted(people, prior=7.0)
    total = np.bincount(folded.rows, minlength=ROWS).astype(float)
    shares, weights = [], []
    for label in set(asked):
        own = np.zeros(ROWS)
        for labels, rows in people:
            if label in labels:
                own[rows] += 1
        if own.sum():
            shares.append((own + 7.0 * total / total.sum()) / (own.sum() + 7.0))
            weights.append(own.sum() / (own.sum() + 7.0))
    counts = np.average(shares, axis=0, weights=weights) * total.sum() if shares else total
    expected = np.log1p(counts) / np.log1p(counts.max()) if counts.any() else counts
    assert found.of(asked) == pytest.approx(expected, abs=1e-4)
    assert found.of(data.draw(st.permutations(asked))).tolist() == found.of(asked).tolist()


def test_nobody_did_anything():
    folded = fold([], [], [], [], 2)
    found = segment_popularity(folded, [("a",), ()], 3, half_life=1.0, until=0.0)
    assert found.of(["a"]).tolist() == found.overall.tolist() == [0, 0, 0]


def test_wrong_arguments_are_named():
    folded = fold([0], [0], [1.0], [0.0])
    with pytest.raises(InputError, match="labels"):
        segment_popularity(folded, [], 1, half_life=1.0, until=0.0)
    with pytest.raises(InputError, match="prior"):
        segment_popularity(folded, [()], 1, half_life=1.0, until=0.0, prior=0.0)
