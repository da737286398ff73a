import numpy as np
import pytest
import torch
from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.progress import Span, listening
from shopkeeper.training.batching import Buckets
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.objectives import cross_entropy
from shopkeeper.training.optimisers import constant, sgd

ROWS = np.random.default_rng(3).normal(size=(256, 6)).astype(np.float32)
LABELS = (ROWS @ np.array([1, -2, 0.5, 0, 1, 0], dtype=np.float32) > 0).astype(np.int64)
FAST = FitSettings(epochs=6, rate=0.02, bfloat16=False, patience=10)


class Net(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(6, 16), nn.Dropout(dropout), nn.Tanh())
        self.head = nn.Linear(16, 2)

    def forward(self, rows):
        return self.head(self.body(rows))


def examples(rows=ROWS, labels=LABELS, size=32):
    x, y = torch.from_numpy(rows), torch.from_numpy(labels)
    return Buckets([1] * len(rows), size, lambda chosen: (x[chosen], y[chosen]))


def loss(model, batch):
    rows, labels = batch
    return cross_entropy(model(rows), labels)


def accuracy(model):
    with torch.no_grad():
        return float((model(torch.from_numpy(ROWS)).argmax(1).numpy() == LABELS).mean())


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(
    "change", [{}, {"optimiser": sgd, "rate": 0.1}, {"accumulate": 2, "rate": 0.04}, {"bfloat16": True}]
)
def test_a_separable_task_is_learnt(change):
    model = Net()
    settings = FitSettings(**{"epochs": 8, "rate": 0.02, "bfloat16": False, "patience": 10} | change)
    report = fit(model, examples(), loss, settings, validate=lambda: accuracy(model))
    assert accuracy(model) > 0.95
    assert np.mean(report.losses[-4:]) < 0.5 * np.mean(report.losses[:4])
    assert report.stopped == "epochs"
    assert report.best == max(score for _, score in report.scores) >= report.before


def test_same_seed_same_weights_and_callers_randomness_is_left_alone():
    first, second, third = Net(0.3), Net(0.3), Net(0.3)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(first, examples(), loss, FAST, seed=4)
    assert torch.equal(torch.rand(3), expected)
    fit(second, examples(), loss, FAST, seed=4)
    fit(third, examples(), loss, FAST, seed=5)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(third))


def test_the_best_state_is_put_back():
    model = Net()
    start = weights(model)
    scores = iter([0.5, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    kept = {}

    def validate():
        score = next(scores)
        kept[score] = weights(model)
        return score

    report = fit(model, examples(), loss, FitSettings(epochs=6, rate=0.02, patience=2), validate=validate)
    assert report.stopped == "patience"
    assert (report.before, report.best, report.best_step) == (0.5, 0.9, 8)
    assert torch.equal(weights(model), kept[0.9])
    assert not torch.equal(weights(model), start)


def test_training_that_only_harms_leaves_the_model_as_it_was():
    model = Net()
    start = weights(model)
    scores = iter(range(0, -100, -1))
    report = fit(model, examples(), loss, FAST, validate=lambda: next(scores))
    assert report.best_step == 0
    assert torch.equal(weights(model), start)


def test_gradient_accumulation_equals_the_large_batch():
    one, two = Net(), Net()
    settings = FitSettings(epochs=1, rate=0.1, optimiser=sgd, schedule=constant, bfloat16=False, weight_decay=0, clip=0)
    x, y = torch.from_numpy(ROWS[:64]), torch.from_numpy(LABELS[:64])

    class Halves:
        def __len__(self):
            return 2

        def epoch(self, rng):
            yield x[:32], y[:32]
            yield x[32:], y[32:]

    class Whole:
        def __len__(self):
            return 1

        def epoch(self, rng):
            yield x, y

    fit(one, Whole(), loss, settings)
    fit(
        two,
        Halves(),
        loss,
        FitSettings(**{f: getattr(settings, f) for f in settings.__dataclass_fields__} | {"accumulate": 2}),
    )
    torch.testing.assert_close(weights(one), weights(two), rtol=1e-5, atol=1e-6)


def test_frozen_parts_stay_and_are_deterministic():
    model = Net(dropout=0.5)
    model.body.requires_grad_(False)
    before = weights(model.body)
    modes = []
    fit(model, examples(), lambda m, batch: modes.append(m.body.training) or loss(m, batch), FAST)
    assert torch.equal(weights(model.body), before)
    assert not any(modes)


def test_a_tiny_budget_stops_the_run():
    model = Net()
    report = fit(
        model,
        examples(),
        loss,
        FitSettings(epochs=100_000, minutes=0.005, patience=100_000),
        validate=lambda: accuracy(model),
    )
    assert report.stopped == "minutes"
    assert report.seconds < 3


def test_ctrl_c_keeps_the_best_state():
    model = Net()
    steps = []

    def interrupted(m, batch):
        steps.append(1)
        if len(steps) == 20:
            raise KeyboardInterrupt
        return loss(m, batch)

    report = fit(model, examples(), interrupted, FAST, validate=lambda: accuracy(model))
    assert report.stopped == "interrupted"
    assert report.steps == 19
    assert accuracy(model) == report.best


def test_a_loss_that_is_not_a_number_names_the_place():
    rows = ROWS.copy()
    rows[:] = np.nan
    with pytest.raises(TrainingError, match=r"training, epoch 1, step 1: .*nan.*Lower the learning rate"):
        fit(Net(), examples(rows), loss, FAST)


def test_nothing_to_learn_or_nothing_to_train_is_an_error():
    with pytest.raises(TrainingError, match="nothing to learn from"):
        fit(Net(), examples(ROWS[:0], LABELS[:0]), loss, FAST)
    model = Net()
    model.requires_grad_(False)
    with pytest.raises(TrainingError, match="Every parameter is frozen"):
        fit(model, examples(), loss, FAST)


def test_progress_tells_loss_and_rate():
    seen: list[Span] = []
    with listening(seen.append):
        fit(Net(), examples(), loss, FAST, name="toy")
    assert seen[-1].finished
    assert (seen[-1].name, seen[-1].done, seen[-1].total) == ("toy", 48, 48)
    assert {"loss", "rate"} <= set(seen[-1].notes)


def test_settings_describe_themselves_for_the_card():
    described = FAST.describe()
    assert described["optimiser"] == "adamw"
    assert described["schedule"] == "warm_cosine"
    assert described["epochs"] == 6
