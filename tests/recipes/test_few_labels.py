"""What comes before cross-entropy, on texts where one of two colours and one of two things decide."""

import numpy as np
import pytest
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.few_labels import gather
from shopkeeper.training.class_contrast import Contrast
from shopkeeper.training.few_shot import linear_head, pooled

NAMES = ["red shoe", "red_cup", "BlueShoe", "blue-cup"]
FILLERS = ["a", "b", "c", "d", "e", "x", "y", "z"]
SOLVED = Method(solve=True, epochs=0, bfloat16=False)
CONTRASTED = Method(contrast=Contrast(steps=30, batch=16, layers=None, rate=3e-3), epochs=0, tokens=32, bfloat16=False)


def texts(count, seed):
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 4
    rows = [[*rng.choice(FILLERS, 4), ("red", "blue")[n // 2], ("shoe", "cup")[n % 2]] for n in classes]
    return [" ".join(rng.permutation(words)) for words in rows], classes


KNOWN, LABELS = texts(24, 1)
OTHERS, TRUTH = texts(200, 2)


def learnt(build, method, *, seed=0, **more):
    classifier = Classifier(build(), classes=4)
    report = gather(classifier, KNOWN, LABELS, NAMES, method, minutes=5, seed=seed, **more)
    return classifier.eval(), report


def accuracy(classifier):
    return float((TorchScorer(classifier).probabilities(OTHERS).argmax(axis=1) == TRUTH).mean())


@pytest.mark.parametrize(("build", "enough"), [(tiny_bert, 0.7), (tiny_gpt, 0.55)])
def test_contrast_makes_few_examples_enough(build, enough):
    frozen, nothing = learnt(build, SOLVED)
    tuned, report = learnt(build, CONTRASTED)
    assert (nothing.steps, report.steps) == (0, 30)
    assert accuracy(tuned) > max(accuracy(frozen) + 0.1, enough)


def test_the_seed_decides():
    one, same, other = (TorchScorer(learnt(tiny_bert, CONTRASTED, seed=s)[0]).probabilities(OTHERS) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_texts_without_labels_move_the_head_alone():
    plain, _ = learnt(tiny_bert, CONTRASTED)
    more, _ = learnt(tiny_bert, CONTRASTED, unlabelled=OTHERS)
    np.testing.assert_array_equal(pooled(plain.backbone, KNOWN), pooled(more.backbone, KNOWN))
    assert not np.array_equal(plain.linear.weight.detach(), more.linear.weight.detach())
    assert accuracy(more) > 0.7


def test_a_solved_head_is_the_logistic_regression_and_survives_a_bundle(tmp_path):
    classifier, _ = learnt(tiny_bert, SOLVED)
    weights, bias = linear_head(pooled(classifier.backbone, KNOWN), LABELS, 4)
    logits = pooled(classifier.backbone, OTHERS) @ weights.T + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(TorchScorer(classifier).probabilities(OTHERS), expected, atol=1e-5)
    bundle = save_bundle(tmp_path / "b", Card(task="intent"), classifier=classifier, onnx=False)
    np.testing.assert_allclose(bundle.scorer().probabilities(OTHERS), expected, atol=1e-5)


def test_neither_contrast_nor_a_solved_head_changes_nothing():
    classifier, report = learnt(tiny_bert, Method())
    assert report.steps == 0
    assert not np.array_equal(classifier.linear.weight.detach(), learnt(tiny_bert, SOLVED)[0].linear.weight.detach())
