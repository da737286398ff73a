"""Learning the bridge: on items whose looks follow from their words it must find the right picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.recipes.pictures.bridging import BridgeOptions, Pairs, _Batches, learn_bridge, reciprocal_ranks, spans

TEXT, PICTURE = 24, 30
QUICK = BridgeOptions(width=16, hidden=32, dropout=0.1, batch=64, rate=5e-3, epochs=12, patience=12)


def pairs(count, seed, readings=2):
    """Six hidden traits decide words and looks alike; both have noise of their own."""
    fixed = np.random.default_rng(0)
    to_text, to_picture = fixed.normal(size=(6, TEXT)), fixed.normal(size=(6, PICTURE))
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(count, 6))
    texts = [(traits @ to_text + 0.2 * rng.normal(size=(count, TEXT))).astype(np.float32) for _ in range(readings)]
    pictures = (np.tanh(traits @ to_picture) + 0.2 * rng.normal(size=(count, PICTURE))).astype(np.float32)
    return Pairs(texts, pictures, np.arange(count), (traits[:, 0] > 0).astype(np.int64))


TRAIN, VALID, TEST = pairs(500, 1), pairs(80, 2), pairs(100, 3)


def recall(bridge, held):
    """Share of the items whose picture is the nearest to their words, and the other way round."""
    text, picture = spans(bridge)
    cosines = text(held.texts[0]) @ picture(held.pictures).T
    right = np.arange(len(held))
    return (cosines.argmax(axis=1) == right).mean(), (cosines.argmax(axis=0) == right).mean()


def test_words_find_their_pictures_and_pictures_their_words():
    bridge, report = learn_bridge(TRAIN, VALID, QUICK)
    assert min(recall(bridge, TEST)) > 0.6  # chance is 0.01
    assert report.losses[-1] < report.losses[0] / 2
    assert not bridge.training


def test_the_seed_decides():
    short = BridgeOptions(width=8, hidden=8, batch=128, epochs=2)
    one, same, other = (spans(learn_bridge(TRAIN, VALID, short, seed=seed)[0])[0](TEST.texts[0]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_copies_of_one_item_do_not_push_each_other_away():
    """Every item twice: with groups its copy is as good as itself, and the item is found as before."""
    twice = np.repeat(np.arange(len(TRAIN)), 2)
    doubled = TRAIN.at(twice)
    bridge, _ = learn_bridge(Pairs(doubled.texts, doubled.pictures, twice, doubled.category), VALID, QUICK)
    assert min(recall(bridge, TEST)) > 0.6


def test_batches_hold_every_pair_and_hard_ones_come_from_few_categories():
    rng = np.random.default_rng(0)
    plain = _Batches(TRAIN, 64, 0.0)
    rows = np.concatenate([batch[1].numpy() for batch in plain.epoch(rng)])
    assert len(plain) == 8
    assert len(rows) == len(TRAIN)
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(TRAIN.pictures, axis=0))
    many = Pairs(TRAIN.texts, TRAIN.pictures, TRAIN.group, np.arange(500) % 25)
    place = {row.tobytes(): number for number, row in enumerate(many.pictures)}
    for texts, pictures, same in _Batches(many, 64, 1.0).epoch(rng):
        found = [place[row.numpy().tobytes()] for row in pictures]
        assert len(np.unique(many.category[found])) <= 8
        assert len(set(found)) == len(found) <= 64
        for number, row in enumerate(found):
            assert any(np.array_equal(texts[number].numpy(), reading[row]) for reading in many.texts)
        np.testing.assert_array_equal(same.numpy(), np.eye(len(found), dtype=bool))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 9))
def test_reciprocal_ranks_are_those_of_a_sorted_list(seed, rows, columns):
    rng = np.random.default_rng(seed)
    cosines = rng.permutation(rows * columns).reshape(rows, columns).astype(np.float32)
    same = rng.random((rows, columns)) < 0.3
    same[np.arange(rows), rng.integers(columns, size=rows)] = True
    expected = []
    for scores, right in zip(cosines, same, strict=True):
        order = np.argsort(-scores)
        expected.append(1 / (1 + int(np.flatnonzero(right[order])[0])))
    np.testing.assert_allclose(reciprocal_ranks(cosines, same), expected, rtol=1e-6)


def test_ties_count_against():
    assert reciprocal_ranks(np.zeros((1, 4), dtype=np.float32), np.eye(1, 4, dtype=bool)) == pytest.approx(0.25)
