import pytest
import torch
from test_checkpoints import Cut
from test_loop import FAST, Net, accuracy, examples, loss, weights
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.models.heads import Classifier
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.freezing import GradualUnfreezing
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.optimisers import (
    Lion,
    adafactor,
    constant,
    layer_rates,
    lion,
    parameter_groups,
    sgd,
    warm_inverse_sqrt,
)


def test_lion_against_a_step_by_hand():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimiser = Lion([parameter], lr=0.1, weight_decay=0.5)
    expected, momentum = parameter.detach().clone(), torch.zeros(3)
    for gradient in (torch.tensor([1.0, -0.1, 0.0]), torch.tensor([-0.05, 0.2, 1.0])):
        parameter.grad = gradient
        optimiser.step()
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * torch.sign(0.9 * momentum + 0.1 * gradient)
        momentum = 0.99 * momentum + 0.01 * gradient
        torch.testing.assert_close(parameter.detach(), expected)


@pytest.mark.parametrize(("optimiser", "rate"), [(lion, 3e-3), (adafactor, 0.05)])
def test_they_learn_and_survive_a_cut(tmp_path, optimiser, rate):
    settings = FitSettings(epochs=6, rate=rate, optimiser=optimiser, bfloat16=False, patience=10)

    def train(folder, *hooks):
        model = Net(0.2)
        keeping = folder and Checkpoint(folder, seconds=0)
        fit(model, examples(), loss, settings, hooks=hooks, checkpoint=keeping)
        return model

    whole = train(None)
    assert accuracy(whole) > 0.9
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path / "run", Cut(11))
    assert torch.equal(weights(train(tmp_path / "run")), weights(whole))


def test_inverse_square_root_rises_and_falls_by_its_law():
    values = [warm_inverse_sqrt(over / 100) for over in range(1, 101)]
    assert values[:10] == sorted(values[:10])
    assert values[9:] == sorted(values[9:], reverse=True)
    assert values[-1] == pytest.approx(0.1**0.5)


@pytest.mark.parametrize("body", [tiny_bert, tiny_gpt])
def test_layer_rates_shrink_downwards(body):
    made = Classifier(body())
    rates = layer_rates(made.model, 0.5, "model.")
    groups = parameter_groups(made, 1.0, 0.0, rates | {"linear": 10})
    by_rate = {}
    for group in groups:
        by_rate.setdefault(group["lr"], set()).update(id(p) for p in group["params"])
    found = {}
    for name, parameter in made.named_parameters():
        rate = next(rate for rate, members in by_rate.items() if id(parameter) in members)
        part = "head" if name.startswith("linear") else ".".join(name.split(".")[1:-2])
        found.setdefault(rate, set()).add(part)
    assert set(found) == {10.0, 1.0, 0.5, 0.25}
    assert found[10.0] == {"head"}
    assert all(".1" in part or part == "" for part in found[1.0]), "the top layer and the norm behind it"
    assert all(".0" in part for part in found[0.5])
    assert not any(".0" in part or ".1" in part for part in found[0.25])


class Moved(Hook):
    """Which layers have moved, epoch by epoch."""

    def __init__(self, model):
        self.model, self.seen = model, []

    def epoch(self, run, number):
        self.before = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def step(self, run):
        if run.step % run.per_epoch == 0:
            self.seen.append({n for n, p in self.model.named_parameters() if not torch.equal(p, self.before[n])})


def unfreezing_run(folder=None, *hooks, body=tiny_bert):
    torch.manual_seed(0)
    made = Classifier(body())
    moved = Moved(made)
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 8, 3]])

    class Two:
        def __len__(self):
            return 2

        def epoch(self, rng):
            yield ids
            yield ids.flip(0)

    def judged(model, batch):
        return model(batch, torch.ones_like(batch)).square().sum()

    settings = FitSettings(epochs=4, rate=0.01, optimiser=sgd, schedule=constant, bfloat16=False)
    keeping = folder and Checkpoint(folder, seconds=0)
    fit(made, Two(), judged, settings, hooks=[GradualUnfreezing(made.model, 0), moved, *hooks], checkpoint=keeping)
    return made, moved.seen


@pytest.mark.parametrize("body", [tiny_bert, tiny_gpt])
def test_gradual_unfreezing_opens_a_layer_an_epoch(body):
    made, seen = unfreezing_run(body=body)

    def layers(names):
        return {int(part) for name in names for part in name.split(".") if part.isdigit()}

    assert [layers(names) for names in seen] == [set(), {1}, {0, 1}, {0, 1}]
    assert all({"linear.weight", "linear.bias"} <= names for names in seen)
    embedding = "model.wte.weight" if body is tiny_gpt else "model.embeddings.word_embeddings.weight"
    assert [embedding in names for names in seen] == [False, False, False, True]
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in made.modules())


def test_gradual_unfreezing_goes_on_where_it_was_cut(tmp_path):
    whole, _ = unfreezing_run()
    for cut in (1, 3, 5):
        with pytest.raises(ConnectionAbortedError):
            unfreezing_run(tmp_path / "run", Cut(cut))
    assert torch.equal(weights(unfreezing_run(tmp_path / "run")[0]), weights(whole))


def test_settings_name_the_new_parts():
    described = FitSettings(optimiser=lion, schedule=warm_inverse_sqrt).describe()
    assert (described["optimiser"], described["schedule"]) == ("lion", "warm_inverse_sqrt")
    assert FAST.describe()["optimiser"] == "adamw"
