"""A period learnt in an adapter of its own, on a tiny model whose answers are known."""

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import Lora, adapt
from shopkeeper.models.heads import Classifier
from shopkeeper.training.continual import put_back, snapshot
from shopkeeper.training.criteria import classes
from shopkeeper.training.freezing import open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.period_adapters import by_share, period_adapter
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise
from shopkeeper.training.trunk import Trunk

QUICK = FitSettings(epochs=4, rate=2e-2, bfloat16=False, weight_decay=0.0)
COLOURS = [
    f"{colour} {thing} {letter}" for letter in "abcde" for thing in ("shoe", "cup") for colour in ("red", "blue")
]
LETTERS = [f"{letter} {thing}" for thing in ("shoe", "cup", "shirt", "鞋", "杯") for letter in "xy"] * 4
WANTED = {"red": 0, "blue": 1, "x": 0, "y": 1}


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    made = Classifier(tiny_bert(), classes=2, dropout=0.0)
    open_top(made.model, 1)
    return made


def wanted(texts):
    return np.array([WANTED[text.split()[0]] for text in texts])


def learn(classifier, texts):
    rows = tokenise(classifier.backbone, texts, "passage", 16)
    with Trunk(classifier.backbone, rows).attached() as trunk:
        fit(classifier, labelled(rows, wanted(texts), 8), trunk.loss(supervised(classes())), QUICK)


def accuracy(classifier, texts):
    with torch.no_grad():
        found = classifier(*tokenise(classifier.backbone, texts, "passage", 16).batch(np.arange(len(texts)))).argmax(1)
    return float((found.numpy() == wanted(texts)).mean())


def test_a_period_is_learnt_and_folded_in_where_layers_were_open(classifier):
    before = {name: p.detach().clone() for name, p in classifier.named_parameters()}
    learning = {name: p.requires_grad for name, p in classifier.named_parameters()}
    with period_adapter(classifier.backbone, Lora(rank=4)):
        learn(classifier, COLOURS)
        inside = accuracy(classifier, COLOURS)
    assert inside == accuracy(classifier, COLOURS) == 1.0
    assert {name: p.requires_grad for name, p in classifier.named_parameters()} == learning
    changed = {name for name, p in classifier.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert all(name.startswith(("model.encoder.layer.1.", "linear.")) for name in changed)
    assert not any(name.endswith("LayerNorm.weight") for name in changed), "only matrices"
    assert classifier.backbone.adapters is None


def test_the_change_of_a_matrix_has_the_rank_of_the_adapter(classifier):
    matrix = classifier.model.encoder.layer[1].intermediate.dense.weight
    before = matrix.detach().clone()
    with period_adapter(classifier.backbone, Lora(rank=2)):
        learn(classifier, COLOURS)
    found = torch.linalg.svdvals(matrix.detach() - before)
    assert found[1] > 1e3 * found[2]


def test_a_share_keeps_the_mean_of_all_periods(classifier):
    start, ends = snapshot(classifier), []
    for period in (1, 2):
        begun = snapshot(classifier)
        with by_share(classifier, 1 / period):
            with period_adapter(classifier.backbone, seed=period):
                learn(classifier, COLOURS if period == 1 else LETTERS)
            ends.append(snapshot(classifier))
        for name, value in snapshot(classifier).items():
            torch.testing.assert_close(value, begun[name] + (ends[-1][name] - begun[name]) / period)
    assert not torch.equal(start["linear.weight"], classifier.linear.weight)


@pytest.mark.parametrize("seed", range(3))
def test_merging_keeps_the_first_period_and_learns_the_second(classifier, seed):
    second = [f"{letter} {colour}" for letter, colour in zip("xy", ("blue", "red"), strict=True)] * 10
    learn(classifier, COLOURS)
    learnt = snapshot(classifier)
    learn(classifier, second)
    assert accuracy(classifier, COLOURS) <= 0.5, "the colours were contradicted"
    put_back(classifier, learnt)
    with by_share(classifier, 0.5), period_adapter(classifier.backbone, Lora(rank=2), seed=seed):
        learn(classifier, LETTERS)
    assert accuracy(classifier, COLOURS) >= 0.9
    assert accuracy(classifier, LETTERS) >= 0.9


def test_an_error_leaves_the_weights_as_they_were(classifier):
    before = {name: p.detach().clone() for name, p in classifier.named_parameters()}
    broken = tokenise(classifier.backbone, COLOURS, "passage", 16)
    examples = labelled(broken, np.array([0, 1] * 9 + [0, 9]), 8)
    with pytest.raises(IndexError), period_adapter(classifier.backbone):
        fit(classifier, examples, supervised(classes()), QUICK)
    assert classifier.backbone.adapters is None
    body = {name: p for name, p in classifier.named_parameters() if name.startswith("model.")}
    assert all(torch.equal(p, before[name]) for name, p in body.items())


def test_a_second_adapter_is_refused(classifier):
    adapt(classifier.backbone, Lora())
    with pytest.raises(TrainingError, match="carries the adapters default"), period_adapter(classifier.backbone):
        pass
