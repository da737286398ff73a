"""A trunk gives what the frozen layers would give, and stays out of the way otherwise."""

import numpy as np
import pytest
import torch
from interruption import Cut
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.heads import Classifier
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.criteria import classes
from shopkeeper.training.freezing import frozen_layers, layer_count, open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise
from shopkeeper.training.trunk import Trunk

TEXTS = ["red shoes", "blue shoes for running", "a long green garden hose with a brass end", "", "shoes"] * 3
LABELS = np.array([0, 1, 1, 0, 1] * 3)
BODIES = {"bert": tiny_bert, "gpt": tiny_gpt}


def classifier(body):
    torch.manual_seed(0)
    made = Classifier(BODIES[body](), classes=2)
    open_top(made.model, 1)
    if body == "gpt":
        made.model.drop.p = 0.0  # its dropout after the embeddings stands outside of any frozen module
    return made


@pytest.mark.parametrize("body", BODIES)
def test_the_upper_layers_see_what_they_would_have_seen(body):
    made = classifier(body).eval()
    texts = tokenise(made.backbone, TEXTS, "passage", 16)
    trunk = Trunk(made.backbone, texts, bfloat16=False)
    assert trunk.below == layer_count(made.model) - 1
    rows = np.array([4, 0, 2, 3])
    inputs = texts.batch(rows)
    with torch.no_grad():
        expected = made(*inputs)
        with trunk.attached():
            with trunk.using(rows):
                kept = made(*inputs)
            assert torch.equal(made(*inputs), expected), "outside of `using` nothing changes"
        assert torch.equal(made(*inputs), expected)
    assert torch.allclose(kept, expected, atol=0.02)
    assert not torch.equal(kept, expected), "it was not used at all"


@pytest.mark.parametrize("body", BODIES)
def test_training_above_a_trunk_is_training(body):
    settings = FitSettings(epochs=4, rate=1e-3, bfloat16=False)
    losses = {}
    for with_trunk in (False, True):
        made = classifier(body)
        texts = tokenise(made.backbone, TEXTS, "passage", 16)
        examples = labelled(texts, LABELS, 4)
        loss = supervised(classes())
        if with_trunk:
            with Trunk(made.backbone, texts).attached() as trunk:
                losses[with_trunk] = fit(made, examples, trunk.loss(loss), settings).losses
        else:
            losses[with_trunk] = fit(made, examples, loss, settings).losses
    assert losses[True] == pytest.approx(losses[False], abs=0.02)


def test_two_trunks_of_one_model_do_not_meet():
    made = classifier("bert").eval()
    sides = [tokenise(made.backbone, texts, "passage", 16) for texts in (TEXTS, TEXTS[::-1])]
    rows = np.array([0, 1, 3])
    with torch.no_grad():
        expected = [made(*texts.batch(rows)) for texts in sides]
        first, second = (Trunk(made.backbone, texts, bfloat16=False) for texts in sides)
        with first.attached(), second.attached():
            for trunk, texts, whole in zip((first, second), sides, expected, strict=True):
                with trunk.using(rows):
                    assert torch.allclose(made(*texts.batch(rows)), whole, atol=0.02)
        assert torch.equal(made(*sides[0].batch(rows)), expected[0])
    assert "forward" not in vars(made.model.encoder.layer[0])


def test_a_wholly_frozen_body_is_kept_to_its_end():
    made = classifier("bert").eval()
    open_top(made.model, 0)
    texts = tokenise(made.backbone, TEXTS, "passage", 16)
    trunk = Trunk(made.backbone, texts, bfloat16=False)
    rows = np.arange(5)
    with torch.no_grad(), trunk.attached():
        expected = made(*texts.batch(rows))
        with trunk.using(rows):
            assert torch.allclose(made(*texts.batch(rows)), expected, atol=0.02)


def test_a_run_that_was_cut_off_finds_the_same_bits(tmp_path):
    def train(*hooks):
        made = classifier("bert")
        texts = tokenise(made.backbone, TEXTS, "passage", 16)
        settings = FitSettings(epochs=4, rate=1e-3, bfloat16=False)
        with Trunk(made.backbone, texts).attached() as trunk:
            loss = trunk.loss(supervised(classes()))
            kept = Checkpoint(tmp_path / "run", seconds=0)
            report = fit(made, labelled(texts, LABELS, 4), loss, settings, hooks=[trunk, *hooks], checkpoint=kept)
        return report, trunk

    whole, first = train()
    Checkpoint(tmp_path / "run").clear()
    with pytest.raises(ConnectionAbortedError):
        train(Cut(6))
    report, second = train()
    assert report.resumed == 5
    assert report.losses == whole.losses
    for name, value in first.state().items():
        assert torch.equal(second.state()[name], value)


def test_texts_that_went_through_together_do_so_again():
    made = classifier("bert")
    texts = tokenise(made.backbone, TEXTS, "passage", 16)
    one, other = Trunk(made.backbone, texts), Trunk(made.backbone, texts)
    for rows in ([0, 1, 2], [2, 3], [4, 1]):
        with one.using(rows):
            pass
    other.restore(one.state())
    with other.using([4, 7, 2]):
        pass
    groups = other.state()["groups"]
    assert groups[:8].tolist() == [0, 0, 0, 1, 2, -1, -1, 3]
    with other.using([3, 5]):
        pass
    assert torch.equal(other.state()["groups"][:5], one.state()["groups"][:5])


def test_nothing_frozen_is_refused():
    made = classifier("bert")
    open_top(made.model, None)
    assert frozen_layers(made.model) == 0
    with pytest.raises(TrainingError, match="open_top"):
        Trunk(made.backbone, tokenise(made.backbone, TEXTS, "passage", 16))
