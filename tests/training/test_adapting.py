"""Adapters in the loop: they learn, the rest does not, a cut run ends like a whole one, and ranks go where they matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_checkpoints import Cut
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.adapters import (
    AdaLora,
    Bottleneck,
    Ia3,
    Lora,
    Prefix,
    Prompt,
    activate,
    adapt,
    load_delta,
    name_of,
    save_delta,
)
from shopkeeper.models.adapters.base import owner
from shopkeeper.models.heads import Classifier, TorchScorer
from shopkeeper.training.adapting import RankBudget, adapter_hooks
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.criteria import classes
from shopkeeper.training.freezing import frozen_layers, layer_count, open_top, trainable_share
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise

KINDS = [Lora(2), Lora(2, dora=True), AdaLora(1, 2), Ia3(), Prefix(4), Prompt(4), Bottleneck(4)]
BODIES = {"bert": tiny_bert, "gpt": tiny_gpt}
SETTINGS = FitSettings(epochs=10, rate=2e-2, bfloat16=False, patience=20)
kinds = pytest.mark.parametrize("kind", KINDS, ids=name_of)
bodies = pytest.mark.parametrize("body", BODIES)


def examples():
    """Is a text warm or cold? The word may stand anywhere."""
    rng = np.random.default_rng(0)
    others = ["red", "blue", "shoe", "shirt", "cup", "a", "b", "c", "x", "y"]
    texts, labels = [], []
    for at in range(96):
        words = list(rng.choice(others, size=int(rng.integers(1, 5))))
        words.insert(int(rng.integers(len(words) + 1)), ("warm", "cold")[at % 2])
        texts.append(" ".join(words))
        labels.append(at % 2)
    return texts, np.array(labels)


TEXTS, LABELS = examples()


def classifier(body, kind, *, head=False):
    """The head stays as drawn unless told otherwise: what is learnt, the adapter learns."""
    torch.manual_seed(0)
    made = Classifier(BODIES[body](), classes=2, dropout=0.0)
    made.linear.requires_grad_(head)
    if kind is not None:
        adapt(made.backbone, kind)
    return made


def train(model, *hooks, settings=SETTINGS, folder=None):
    rows = labelled(tokenise(model.backbone, TEXTS, "", 16), LABELS, 16)
    return fit(
        model,
        rows,
        supervised(classes()),
        settings,
        validate=lambda: -loss_of(model),
        hooks=[*adapter_hooks(model.backbone), *hooks],
        checkpoint=folder and Checkpoint(folder, seconds=0),
        seed=3,
    )


def right(model):
    return float((TorchScorer(model).probabilities(TEXTS).argmax(1) == LABELS).mean())


def loss_of(model):
    return -float(np.log(TorchScorer(model).probabilities(TEXTS)[np.arange(len(TEXTS)), LABELS] + 1e-9).mean())


def state(model, adapters=True):
    return {name: p.detach().clone() for name, p in model.named_parameters() if (owner(name) is not None) == adapters}


@kinds
@bodies
def test_the_adapter_learns_and_nothing_else_changes(body, kind):
    model = classifier(body, kind)
    base, start = state(model, adapters=False), state(model)
    before = loss_of(model)
    rows = isinstance(kind, Prefix | Prompt)  # they steer a model that knows nothing, slowly
    report = train(model, settings=replace(SETTINGS, rate=0.1 if rows else 0.02))
    assert loss_of(model) < 0.75 * before
    assert right(model) > (0.75 if rows else 0.85)
    assert all(torch.equal(base[name], value) for name, value in state(model, adapters=False).items())
    changed = {name for name, value in state(model).items() if not torch.equal(start[name], value)}
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert changed == {name for name in learning if name in changed or "lora_E" not in name}, (
        "a rank given up stays zero"
    )
    assert report.best == pytest.approx(-loss_of(model), abs=1e-5), "the best state is in place"
    activate(model.backbone, None)
    assert loss_of(model) == pytest.approx(loss_of(classifier(body, None)), abs=1e-6)


@kinds
def test_a_cut_run_ends_like_a_whole_one(kind, tmp_path):
    settings = FitSettings(epochs=3, rate=1e-2, bfloat16=False)
    whole = classifier("bert", kind)
    expected = train(whole, settings=settings)
    for cut in (3, 13):
        with pytest.raises(ConnectionAbortedError):
            train(classifier("bert", kind), Cut(cut), settings=settings, folder=tmp_path / "run")
    model = classifier("bert", kind)
    report = train(model, settings=settings, folder=tmp_path / "run")
    assert report.losses == expected.losses
    assert all(torch.equal(value, state(whole)[name]) for name, value in state(model).items())


@kinds
@bodies
def test_bfloat16_and_a_head_beside_it(body, kind, monkeypatch):
    monkeypatch.setattr("shopkeeper.compute.precision.bf16_helps", lambda device: True)
    model = classifier(body, kind, head=True)
    before = loss_of(model)
    train(model, settings=FitSettings(epochs=3, rate=1e-2, rates={"linear": 3}))
    assert loss_of(model) < before
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_what_was_learnt_travels_as_a_delta(tmp_path):
    model = classifier("bert", Lora(2))
    train(model, settings=FitSettings(epochs=2, rate=1e-2, bfloat16=False))
    save_delta(model.backbone, tmp_path / "delta")
    other = classifier("bert", None)
    load_delta(other.backbone, tmp_path / "delta")
    np.testing.assert_array_equal(TorchScorer(other).score(TEXTS), TorchScorer(model).score(TEXTS))


@kinds
@bodies
def test_layers_are_still_found(body, kind):
    model = classifier(body, kind).model
    assert layer_count(model) == 2
    assert frozen_layers(model) == 0, "an adapter learns in or below the lowest layer"
    assert 0 < trainable_share(model) < 0.5
    open_top(model, 1)
    assert any(p.requires_grad and owner(name) is None for name, p in model.named_parameters())


def test_small_adapters_of_a_larger_model_take_little():
    backbone = tiny_bert()
    whole = sum(p.numel() for p in backbone.model.parameters())
    adapt(backbone, Lora(1))
    assert trainable_share(backbone.model) == pytest.approx(
        1 - whole / sum(p.numel() for p in backbone.model.parameters())
    )


def test_only_adalora_needs_a_hook():
    backbone = tiny_bert()
    assert adapter_hooks(backbone) == ()
    adapt(backbone, Lora(2), "plain")
    assert adapter_hooks(backbone) == ()
    backbone = tiny_bert()
    adapt(backbone, AdaLora(2, 3), "ada")
    (hook,) = adapter_hooks(backbone)
    assert isinstance(hook, RankBudget)
    activate(backbone, None)
    assert adapter_hooks(backbone) == ()


def test_the_budget_falls_with_the_cube_and_is_kept():
    model = classifier("bert", AdaLora(2, 4))
    hook = RankBudget(AdaLora(2, 4), every=1)
    seen = []

    class Look(RankBudget):
        def step(self, run):
            super().step(run)
            seen.append((run.over, sum(self.ranks), self.budget(run.over)))

    hook = Look(AdaLora(2, 4), every=1)
    rows = labelled(tokenise(model.backbone, TEXTS, "", 16), LABELS, 16)
    fit(model, rows, supervised(classes()), SETTINGS, hooks=[hook], seed=3)
    matrices = 12
    for over, used, budget in seen:
        assert used <= budget if over >= 0.15 else used == 4 * matrices
    assert [budget for *_, budget in seen] == sorted((budget for *_, budget in seen), reverse=True)
    assert seen[-1][1:] == (2 * matrices, 2 * matrices)
    middle = 0.15 + (0.6 - 0.15) / 2
    assert hook.budget(middle) == 2 * matrices + round(2 * matrices / 8)
    assert max(hook.ranks) > 2 > min(hook.ranks), "some matrices get more than others"


def test_the_directions_that_matter_least_go_first():
    backbone = tiny_bert()
    adapt(backbone, AdaLora(1, 2, orthogonal=0.0))
    values = [p for name, p in backbone.model.named_parameters() if ".lora_E." in name]

    def pull(model, batch):  # the first direction of every matrix is pulled hard, the second hardly
        return sum(
            (value.squeeze(1) * torch.tensor([10.0, 0.01])).sum() - (value**2).sum() for value in values
        ) + 0 * sum(p.sum() for p in model.parameters() if p.requires_grad)

    class Steps:
        def __len__(self):
            return 40

        def epoch(self, rng):
            yield from range(40)

    hook = RankBudget(AdaLora(1, 2, orthogonal=0.0), every=1)
    fit(backbone.model, Steps(), pull, FitSettings(epochs=1, bfloat16=False), hooks=[hook])
    assert hook.ranks == (1,) * len(values)
    assert all(value[0] != 0 and value[1] == 0 for value in values)


def test_the_penalty_makes_singular_vectors_orthonormal():
    backbone = tiny_bert()
    adapt(backbone, AdaLora(2, 2, orthogonal=1.0))

    class Steps:
        def __len__(self):
            return 60

        def epoch(self, rng):
            yield from range(60)

    def nothing(model, batch):
        return 0 * sum(p.sum() for p in model.parameters() if p.requires_grad)

    settings = FitSettings(epochs=1, rate=0.05, weight_decay=0.0, bfloat16=False)
    fit(backbone.model, Steps(), nothing, settings, hooks=adapter_hooks(backbone))
    for name, p in backbone.model.named_parameters():
        if ".lora_A." in name:
            torch.testing.assert_close(p @ p.T, torch.eye(2), atol=0.05, rtol=0)


def test_a_hook_without_its_adapter_says_so():
    model = classifier("bert", Lora(2))
    with pytest.raises(TrainingError, match="No AdaLoRA adapter 'default' learns"):
        fit(
            model,
            labelled(tokenise(model.backbone, TEXTS, "", 16), LABELS, 16),
            supervised(classes()),
            SETTINGS,
            hooks=[RankBudget(AdaLora())],
        )
