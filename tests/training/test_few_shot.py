import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tinymodels import tiny_bert

from shopkeeper.models.heads import TorchScorer
from shopkeeper.training.class_contrast import Contrast, Draws, contrast
from shopkeeper.training.few_shot import head_learner, linear_head
from shopkeeper.training.semi_supervised import SelfTraining, self_train
from shopkeeper.training.texts import tokenise

# which of two words stands in the text decides; where it stands and what else is there does not
COLOURS, THINGS, FILLERS = ["red", "blue"], ["shoe", "cup"], ["a", "b", "c", "d", "e", "x", "y", "z"]
FAST = Contrast(steps=30, batch=16, layers=None, rate=3e-3, longest=32)


def texts(count, seed):
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 4
    found = []
    for number in classes:
        words = [*rng.choice(FILLERS, 4), COLOURS[number // 2], THINGS[number % 2]]
        found.append(" ".join(rng.permutation(words)))
    return found, classes


KNOWN, LABELS = texts(24, 1)
OTHERS, TRUTH = texts(200, 2)


def accuracy(probabilities):
    return float((probabilities.argmax(axis=1) == TRUTH).mean())


def test_layers_below_stay_and_what_was_open_is_open_again():
    backbone = tiny_bert()
    before = {name: value.clone() for name, value in backbone.model.named_parameters()}
    contrast(backbone, KNOWN, LABELS, Contrast(steps=3, batch=8, layers=1, rate=1e-2))
    changed = {name for name, value in backbone.model.named_parameters() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)
    assert all(parameter.requires_grad for parameter in backbone.model.parameters())


def test_batches_hold_pairs_of_a_class():
    tokens = tokenise(tiny_bert(), KNOWN, "", 32)
    weights = np.ones(24)
    weights[:20:4] = 0.0  # of class 0 only the last text can be drawn
    draws = Draws(tokens, LABELS, Contrast(steps=5, batch=6, alike=2), weights)
    batches = list(draws.epoch(np.random.default_rng(0)))
    assert len(batches) == len(draws) == 5
    for batch in batches:
        classes = batch.wanted.numpy()
        assert (np.bincount(np.unique(classes, return_inverse=True)[1]) == 2).all()
        assert len(classes) == 6
        assert (classes == LABELS[batch.rows]).all()
        assert set(batch.rows[classes == 0].tolist()) <= {20}


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_penalty_does_not_depend_on_the_length_of_vectors(scale):
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.int64) * 2
    weights, bias = linear_head(rows, labels, 4)
    scaled, same = linear_head(rows * np.float32(scale), labels, 4)
    np.testing.assert_allclose(scaled * scale, weights, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(bias, same, rtol=1e-2, atol=1e-2)
    assert set((rows @ weights.T + bias).argmax(axis=1)) == {0, 2}  # 1 and 3 have no example


def test_a_weight_of_zero_takes_a_text_out():
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.int64)
    wrong = np.concatenate([labels, 1 - labels])
    twice, counts = np.concatenate([rows, rows]), np.repeat(np.float32([1, 0]), 40)
    clean, noisy = linear_head(rows, labels, 2)[0], linear_head(twice, wrong, 2, weights=counts)[0]
    np.testing.assert_allclose(clean, noisy, atol=1e-2)


def test_a_head_learns_by_itself_and_its_classifier_says_the_same():
    learn = head_learner(tiny_bert(), 4)
    learnt, rounds = self_train(
        learn, KNOWN, LABELS, OTHERS, SelfTraining(rounds=2, threshold=0.0), rng=np.random.default_rng(0)
    )
    assert [r.taken for r in rounds] == sorted(r.taken for r in rounds)
    served = TorchScorer(learnt.classifier).probabilities(OTHERS)
    np.testing.assert_allclose(learnt(OTHERS), served, atol=0.03)  # encoded in bfloat16 where that helps
    assert learnt([]).shape == (0, 4)
