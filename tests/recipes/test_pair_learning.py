"""Whether two questions mean the same."""

import numpy as np
import pytest
import torch
from hash_encoder import HashEncoder
from hypothesis import given
from hypothesis import strategies as st
from toybackbone import toy_backbone

from shopkeeper.errors import TrainingError
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import TorchScorer
from shopkeeper.recipes.pair_learning import Pairs, co_sent, f1_threshold, learn_pairs, parted, tune_cross, tune_encoder
from shopkeeper.retrieval.pair_features import NAMES, PairFeatures
from shopkeeper.training.plan import FitSettings

THINGS = ("garden", "flower", "pot", "pan", "knife", "tools", "kitchen", "basket")
WAYS = ("{} searched", "{} viewed", "bought {}", "wrote {}")


def toy_pairs(seed=0, count=400):
    """The same thing, however it is said, is the same question."""
    rng = np.random.default_rng(seed)
    first, second, same = [], [], []
    for _ in range(count):
        one, other = rng.integers(0, len(THINGS), 2)
        other = one if rng.random() < 0.5 else other
        a, b = rng.integers(0, len(WAYS), 2)
        first.append(WAYS[a].format(THINGS[one]))
        second.append(WAYS[b].format(THINGS[other]))
        same.append(one == other)
    return Pairs(first, second, np.array(same))


def test_learning_finds_what_is_the_same():
    learn, blend, test = toy_pairs(0), toy_pairs(1), toy_pairs(2)
    model = learn_pairs(learn, blend, raw=HashEncoder())
    given_ = model.probabilities(test.first, test.second) >= model.threshold
    assert (given_ == test.same).mean() > 0.95
    assert model.probabilities([], []).shape == (0,)


def test_one_sort_of_pair_teaches_nothing():
    pairs = toy_pairs()
    with pytest.raises(TrainingError):
        learn_pairs(pairs.take(np.flatnonzero(pairs.same)), pairs)


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=6))
def test_features_are_the_same_either_way_round(pairs):
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    features = PairFeatures(first)
    one, other = features.table(first, second), features.table(second, first)
    assert one.shape == (len(pairs), len(NAMES))
    assert np.isfinite(one).all()
    assert np.allclose(one, other, atol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=40), st.floats(0.1, 0.6))
def test_no_question_is_on_both_sides(edges, share):
    pairs = Pairs([str(a) for a, _ in edges], [str(b) for _, b in edges], np.zeros(len(edges), dtype=np.bool_))
    one, other = parted(pairs, share, 0)
    assert len(one) + len(other) == len(pairs)
    assert not {*one.first, *one.second} & {*other.first, *other.second}
    assert len(other) <= share * len(pairs)


def test_co_sent_is_what_it_says():
    cosines, same = torch.tensor([0.9, 0.2, 0.5]), torch.tensor([True, False, False])
    wanted = np.log(1 + np.exp(20 * (0.2 - 0.9)) + np.exp(20 * (0.5 - 0.9)))
    assert co_sent(cosines, same).item() == pytest.approx(wanted, rel=1e-3)
    assert co_sent(cosines, torch.tensor([True, True, True])).item() == 0


@given(st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=12, unique_by=lambda pair: pair[0]))
def test_no_other_threshold_is_better(pairs):
    scores, right = np.array([pair[0] / 100 for pair in pairs]), np.array([pair[1] for pair in pairs])

    def f1(threshold):
        given_ = scores >= threshold
        return 2 * (given_ & right).sum() / max(given_.sum() + right.sum(), 1)

    assert f1(f1_threshold(scores, right)) >= max(f1(score) for score in scores) - 1e-9


def test_an_encoder_and_a_reader_of_both_learn_from_pairs():
    learn, valid = toy_pairs(0), toy_pairs(1, 100)
    how = FitSettings(epochs=3, rate=2e-3, bfloat16=False, patience=9)
    backbone = toy_backbone()
    report = tune_encoder(backbone, learn, valid, how, layers=None, batch=32)
    assert report.best > report.before
    reader, report = tune_cross(toy_backbone(), learn, valid, how, layers=None)
    assert report.best >= report.before
    model = learn_pairs(learn, valid, tuned=TorchEncoder(backbone), cross=TorchScorer(reader))
    assert len(model.weights) == 3
    given_ = model.probabilities(valid.first, valid.second) >= model.threshold
    assert (given_ == valid.same).mean() > 0.9
