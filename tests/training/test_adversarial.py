"""What adversarial hooks add to the gradient, against the same written by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import FAST, Net, accuracy, examples, loss, weights
from tinymodels import tiny_bert, tiny_gpt
from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.models.heads import Classifier
from shopkeeper.training.adversarial import AWP, FGM, PGD, FreeLB
from shopkeeper.training.criteria import classes
from shopkeeper.training.entrance import lowest_learning
from shopkeeper.training.freezing import GradualUnfreezing, layer_stack, open_top
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.optimisers import constant, sgd
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise

TEXTS = ["red shoe", "blue shirt a b c", "warm cup", "cold"] * 4
LABELS = np.array([0, 1, 0, 1] * 4)
STEP = FitSettings(epochs=1, rate=0.1, optimiser=sgd, schedule=constant, bfloat16=False, weight_decay=0, clip=0)
X, Y = torch.randn(8, 6, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1] * 4)


class Whole:
    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def epoch(self, rng):
        yield from self.batches


class Caught(Hook):
    """Keeps the gradient that the optimiser will see."""

    def gradients(self, run, batch, share):
        self.found = [p.grad.clone() for p in run.parameters]


def gradient_with(hook, model, batches=((X, Y),), settings=STEP):
    caught = Caught()
    fit(model, Whole(*batches), loss, settings, hooks=[hook, caught])
    return caught.found


def gradient_at(model, shift, rows=X, labels=Y, share=1.0):
    hidden = rows if isinstance(shift, float) else rows + shift
    return torch.autograd.grad(share * loss(model, (hidden, labels)), list(model.parameters()))


def fgm_shift(model, size, rows=X, labels=Y):
    leaf = rows.clone().requires_grad_()
    slope = torch.autograd.grad(loss(model, (leaf, labels)), leaf)[0]
    return size * slope * rows.norm(dim=1, keepdim=True) / slope.norm(dim=1, keepdim=True)


def test_fgm_adds_the_gradient_at_the_pushed_place():
    model = Net()
    shift = fgm_shift(model, 0.1)
    torch.testing.assert_close(shift.norm(dim=1), 0.1 * X.norm(dim=1))
    expected = [a + 0.5 * b for a, b in zip(gradient_at(model, 0.0), gradient_at(model, shift), strict=True)]
    found = gradient_with(FGM(0.1, weight=0.5, at=model.body), model)
    torch.testing.assert_close(found, expected)


def test_fgm_with_accumulation_is_the_mean_over_the_batches():
    model = Net()
    parts = [(X[:4], Y[:4]), (X[4:], Y[4:])]
    expected = [torch.zeros_like(p) for p in model.parameters()]
    for rows, labels in parts:
        for shift in (0.0, fgm_shift(model, 0.1, rows, labels)):
            for total, value in zip(expected, gradient_at(model, shift, rows, labels, 0.5), strict=True):
                total += value
    found = gradient_with(FGM(0.1, at=model.body), model, parts, replace(STEP, accumulate=2))
    torch.testing.assert_close(found, expected)


def test_pgd_climbs_and_stays_in_the_ball():
    model = Net()
    shift = torch.zeros_like(X)
    for _ in range(3):
        leaf = (X + shift).requires_grad_()
        slope = torch.autograd.grad(loss(model, (leaf, Y)), leaf)[0]
        shift = shift + 0.08 * slope * X.norm(dim=1, keepdim=True) / slope.norm(dim=1, keepdim=True)
        shift = shift * (0.1 * X.norm(dim=1, keepdim=True) / shift.norm(dim=1, keepdim=True)).clamp_max(1)
    assert (shift.norm(dim=1) <= 0.1001 * X.norm(dim=1)).all()
    nearer = fgm_shift(model, 0.05)
    with torch.no_grad():
        assert loss(model, (X + shift, Y)) > loss(model, (X + nearer, Y)) > loss(model, (X, Y))
    expected = [a + b for a, b in zip(gradient_at(model, 0.0), gradient_at(model, shift), strict=True)]
    torch.testing.assert_close(gradient_with(PGD(0.1, steps=3, stride=0.08, at=model.body), model), expected)


def test_one_step_of_pgd_to_the_edge_is_fgm():
    one, two = Net(), Net()
    found = gradient_with(PGD(0.1, steps=1, stride=0.1, at=one.body), one)
    torch.testing.assert_close(found, gradient_with(FGM(0.1, at=two.body), two))


def test_freelb_without_strides_learns_from_one_random_place():
    model = Net()
    with torch.random.fork_rng():
        torch.manual_seed(0)  # as the loop does
        noise = 2 * torch.rand(X.shape) - 1
    shift = 0.05 * noise * X.norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True)
    expected = [a + b for a, b in zip(gradient_at(model, 0.0), gradient_at(model, shift), strict=True)]
    torch.testing.assert_close(gradient_with(FreeLB(0.1, steps=2, stride=0.0, at=model.body), model), expected)


def test_awp_adds_the_gradient_at_pushed_weights_and_puts_them_back_exactly():
    model = Net()
    plain = gradient_at(model, 0.0)
    moved = Net()
    with torch.no_grad():
        for parameter, slope in zip(moved.parameters(), plain, strict=True):
            if parameter.ndim > 1:
                parameter += 0.1 * parameter.norm() * slope / slope.norm()
    expected = [a + b for a, b in zip(plain, gradient_at(moved, 0.0), strict=True)]
    torch.testing.assert_close(gradient_with(AWP(0.1), model, settings=replace(STEP, rate=0.0)), expected)
    assert torch.equal(weights(model), weights(Net()))


def test_awp_puts_weights_back_when_the_loss_fails():
    model, calls = Net(), []

    def breaking(m, batch):
        calls.append(weights(m))
        if len(calls) == 2:
            raise ConnectionAbortedError
        return loss(m, batch)

    with pytest.raises(ConnectionAbortedError):
        fit(model, Whole((X, Y)), breaking, STEP, hooks=[AWP(0.1)])
    assert not torch.equal(calls[0], calls[1])
    assert torch.equal(weights(model), calls[0])


@pytest.mark.parametrize("hook", [FGM(), PGD(), FreeLB(), AWP(after=0.5)], ids=lambda hook: type(hook).__name__)
@pytest.mark.parametrize(("body", "layers"), [("bert", None), ("bert", 1), ("gpt", 1), ("bert", 0)])
def test_language_models_learn_under_attack(hook, body, layers):
    torch.manual_seed(0)
    made = Classifier({"bert": tiny_bert, "gpt": tiny_gpt}[body]())
    open_top(made.model, layers)
    frozen = [p.detach().clone() for p in made.parameters() if not p.requires_grad]
    batches = labelled(tokenise(made.backbone, TEXTS, "passage", 16), LABELS, 4)
    settings = FitSettings(epochs=8, rate=3e-3, bfloat16=True, accumulate=2, rates={"linear": 10})
    report = fit(made, batches, supervised(classes()), settings, hooks=[hook])
    assert np.mean(report.losses[-3:]) < 0.7 * report.losses[0]
    assert not any(module._forward_pre_hooks for module in made.modules())
    for before, now in zip(frozen, (p for p in made.parameters() if not p.requires_grad), strict=True):
        assert torch.equal(before, now)


def test_padding_is_not_pushed():
    made = Classifier(tiny_bert(), dropout=0.0)
    made.model.config._attn_implementation = "eager"
    caught = {}

    class Look(FGM):
        def _backward(self, run, batch, shifts, share):
            caught["shift"], caught["mask"] = shifts[0], batch.inputs[1]
            super()._backward(run, batch, shifts, share)

    batches = labelled(tokenise(made.backbone, TEXTS[:4], "passage", 16), LABELS[:4], 4)
    fit(made, batches, supervised(classes()), STEP, hooks=[Look(0.1)])
    moved = caught["shift"].norm(dim=-1) > 0
    assert torch.equal(moved, caught["mask"].bool())
    assert 0 < caught["mask"].float().mean() < 1


def test_the_entrance_is_the_lowest_layer_that_learns():
    body = tiny_bert().model
    layers = layer_stack(body)
    for open_layers, place in [(None, 0), (2, 0), (1, 1), (0, 0)]:
        open_top(body, open_layers)
        assert lowest_learning(body) is layers[place]


def test_a_loss_that_never_comes_by_is_an_error():
    model = Net()
    with pytest.raises(TrainingError, match="never runs the layer"):
        fit(model, examples(), loss, FAST, hooks=[FGM(at=nn.Linear(2, 2))])


def test_hooks_together_and_a_loss_of_two_passes():
    def twice(model, batch):
        return loss(model, batch) + loss(model, (batch[0] * 0.9, batch[1]))

    model = Net()
    hooks = [FGM(at=model.body), AWP(0.02), FreeLB(at=model.body)]
    fit(model, examples(), twice, replace(FAST, accumulate=2), hooks=hooks, validate=lambda: accuracy(model))
    assert accuracy(model) > 0.9


@pytest.mark.parametrize("attack", [FGM, PGD, FreeLB])
def test_what_no_gradient_reaches_is_not_pushed(attack):
    passes = []

    class Counted(Hook):
        def start(self, run):
            whole = run.loss

            def counted(model, batch):
                passes.append(1)
                return whole(model, batch)

            run.loss = counted

    made = Classifier(tiny_bert(), classes=2)
    batches = labelled(tokenise(made.backbone, TEXTS, "", 16), LABELS, 8)
    unfreezing = GradualUnfreezing(made.model, first=0)
    settings = FitSettings(epochs=4, rate=1e-3, bfloat16=False)
    fit(made, batches, supervised(classes()), settings, hooks=[unfreezing, attack(), Counted()])
    assert len(passes) > 8, "pushed once the lowest layer is open"
    passes.clear()
    fit(
        made,
        batches,
        supervised(classes()),
        replace(settings, epochs=1),
        hooks=[GradualUnfreezing(made.model, 0), attack(), Counted()],
    )
    assert len(passes) == 2, "one pass a step while it is closed"
