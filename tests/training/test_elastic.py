"""Elastic weights against the formulas done by hand, and across a kill."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_checkpoints import Cut
from test_loop import Net, accuracy, examples, loss, weights
from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.training.batching import Buckets
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.criteria import classes
from shopkeeper.training.elastic import Anchor, ElasticPenalty, anchor, own_answers
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.optimisers import constant
from shopkeeper.training.supervised import Labelled, supervised

ROWS = torch.from_numpy(np.random.default_rng(5).normal(size=(1500, 3)).astype(np.float32))
WANTED = (ROWS[:, 0] > 0).long()


def one_by_one(count=1500, size=1):
    return Buckets([1] * count, size, lambda own: Labelled((ROWS[own],), WANTED[own], torch.ones(len(own)), own))


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def plain(groups):
    return torch.optim.SGD(groups)


def test_empirical_fisher_is_the_mean_of_squared_gradients():
    model = linear()
    found = anchor(model, one_by_one(40), supervised(classes()), most=40)
    with torch.no_grad():
        errors = model(ROWS[:40]).softmax(1) - nn.functional.one_hot(WANTED[:40], 2)
    gradients = errors[:, :, None] * ROWS[:40, None, :]
    torch.testing.assert_close(found.importance["weight"], (gradients**2).mean(0))
    torch.testing.assert_close(found.importance["bias"], (errors**2).mean(0))
    assert torch.equal(found.values["weight"], model.weight)


def test_own_answers_give_the_fisher_information():
    model = linear()
    found = anchor(model, one_by_one(), own_answers, most=1500)
    with torch.no_grad():
        shares = model(ROWS).softmax(1)
    expected = ((shares * (1 - shares))[:, :, None] * ROWS[:, None, :] ** 2).mean(0)
    torch.testing.assert_close(found.importance["weight"], expected, rtol=0.15, atol=0.0)


def test_the_anchor_leaves_model_mode_and_randomness_alone():
    model = linear().train()
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    first = anchor(model, one_by_one(20), own_answers, seed=1)
    assert torch.equal(torch.rand(2), expected)
    assert model.training
    assert model.weight.grad is None
    assert torch.equal(
        first.importance["weight"], anchor(model, one_by_one(20), own_answers, seed=1).importance["weight"]
    )


@pytest.mark.parametrize("accumulate", [1, 2])
def test_one_step_follows_the_gradient_of_the_whole_objective(accumulate):
    model, twin = linear(), linear()
    bowl = Anchor({"weight": torch.zeros(2, 3)}, {"weight": torch.arange(6.0).reshape(2, 3)})
    settings = FitSettings(
        epochs=1,
        rate=0.1,
        optimiser=plain,
        schedule=constant,
        weight_decay=0.0,
        clip=0.0,
        bfloat16=False,
        accumulate=accumulate,
    )
    fit(model, one_by_one(8, 8 // accumulate), supervised(classes()), settings, hooks=[ElasticPenalty(bowl, 3.0)])
    objective = nn.functional.cross_entropy(twin(ROWS[:8]), WANTED[:8])
    objective = objective + 3.0 / 2 * (bowl.importance["weight"] * twin.weight**2).sum()
    torch.testing.assert_close(3.0 * bowl.penalty(twin), 3.0 / 2 * (bowl.importance["weight"] * twin.weight**2).sum())
    objective.backward()
    torch.testing.assert_close(model.weight, twin.weight - 0.1 * twin.weight.grad)
    torch.testing.assert_close(model.bias, twin.bias - 0.1 * twin.bias.grad)


numbers = arrays(np.float32, 4, elements=st.floats(-4, 4, width=32))
heavy = arrays(np.float32, 4, elements=st.floats(0, 9, width=32))


@given(numbers, heavy, numbers, heavy, numbers)
def test_the_sum_of_two_anchors_pulls_like_both(first, one, second, two, here):
    bowls = [
        Anchor({"weight": torch.tensor(value[None])}, {"weight": torch.tensor(importance[None])})
        for value, importance in ((first, one), (second, two))
    ]
    model = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(here[None]))
    pull = torch.autograd.grad(bowls[0].penalty(model) + bowls[1].penalty(model), model.weight)[0]
    both = torch.autograd.grad((bowls[0] + bowls[1]).penalty(model), model.weight)[0]
    torch.testing.assert_close(both, pull, rtol=1e-4, atol=1e-3)


def test_a_head_that_grew_is_held_where_it_existed():
    small = Anchor({"weight": torch.ones(2, 3)}, {"weight": torch.ones(2, 3)})
    large = Anchor({"weight": torch.zeros(3, 3)}, {"weight": torch.full((3, 3), 3.0)})
    total = small + large
    assert total.values["weight"].tolist() == [[0.25] * 3] * 2 + [[0.0] * 3]
    assert total.importance["weight"].tolist() == [[4.0] * 3] * 2 + [[3.0] * 3]
    model = nn.Linear(3, 3)
    with torch.no_grad():
        model.weight.zero_()
    assert small.penalty(model).item() == 3.0
    fit(model, one_by_one(8, 4), supervised(classes()), FitSettings(epochs=1), hooks=[ElasticPenalty(small, 1.0)])


def test_the_anchor_survives_a_kill(tmp_path):
    bowl = Anchor({"head.weight": torch.ones(2, 16)}, {"head.weight": torch.full((2, 16), 0.5)})
    elsewhere = Anchor({"head.weight": torch.zeros(2, 16)}, {"head.weight": torch.zeros(2, 16)})
    settings = FitSettings(epochs=3, rate=0.02, bfloat16=False, patience=10)

    def train(folder, hook, *more):
        model = Net(dropout=0.3)
        keep = Checkpoint(folder, seconds=0) if folder else None
        fit(model, examples(), loss, settings, validate=lambda: accuracy(model), hooks=[hook, *more], checkpoint=keep)
        return weights(model)

    whole = train(None, ElasticPenalty(bowl, 2.0))
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", ElasticPenalty(bowl, 2.0), Cut(11))
    assert torch.equal(train(tmp_path / "run", ElasticPenalty(elsewhere, 2.0), Cut(10_000)), whole)
    assert not torch.equal(train(None, ElasticPenalty(bowl, 0.0)), whole)


def test_what_cannot_be_anchored_is_refused():
    with pytest.raises(TrainingError, match="Without old examples"):
        anchor(linear(), one_by_one(0), own_answers)
    foreign = Anchor({"weight": torch.ones(2, 4)}, {"weight": torch.ones(2, 4)})
    with pytest.raises(TrainingError, match=r"no parameter weight of shape \(2, 4\)"):
        fit(linear(), one_by_one(8, 4), supervised(classes()), FitSettings(), hooks=[ElasticPenalty(foreign, 1.0)])
