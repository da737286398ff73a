"""Two tasks in a row: the second pulls against the first, although one model could know both."""

import numpy as np
import pytest
import torch
from torch import nn

from shopkeeper.errors import TrainingError
from shopkeeper.training.batching import Buckets
from shopkeeper.training.continual import delta, grow, merge_deltas, put_back, remembering, snapshot
from shopkeeper.training.criteria import classes
from shopkeeper.training.distillation import softened
from shopkeeper.training.elastic import ElasticPenalty, anchor, own_answers
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.memory import herding, rehearsed
from shopkeeper.training.optimisers import constant
from shopkeeper.training.supervised import Labelled, supervised

SETTINGS = FitSettings(epochs=12, rate=0.1, bfloat16=False, weight_decay=0.0, schedule=constant)


def periods():
    """In the first the answer is x0; in the second it is x1, while x0 says the opposite, and louder."""
    rng = np.random.default_rng(2)
    answer = rng.integers(0, 2, 400)
    sign = 2.0 * answer - 1
    rows = rng.normal(scale=0.1, size=(400, 3))
    rows[:200, 0] += sign[:200]
    rows[200:, 1] += sign[200:]
    rows[200:, 0] -= 2.0 * sign[200:]
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(answer)


ROWS, WANTED = periods()
FIRST, SECOND = np.arange(200), np.arange(200, 400)


def lesson(rows, size=16):
    def collate(chosen):
        own = rows[chosen]
        return Labelled((ROWS[own],), WANTED[own], torch.ones(len(own)), own)

    return Buckets([1] * len(rows), size, collate)


def accuracy(model, rows):
    with torch.no_grad():
        return float((model(ROWS[rows]).argmax(1) == WANTED[rows]).float().mean())


def learnt(rows, model=None, loss=None, hooks=(), settings=SETTINGS):
    if model is None:
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
    fit(model, lesson(rows), loss or supervised(classes()), settings, hooks=hooks)
    return model


def test_the_naive_forget_and_rehearsal_does_not():
    model = learnt(FIRST)
    vectors = ROWS[FIRST].numpy()
    kept = FIRST[herding(vectors, WANTED[FIRST].numpy(), 10)]
    assert accuracy(model, FIRST) > 0.99
    state = snapshot(model)
    assert accuracy(learnt(SECOND, model), FIRST) < 0.5
    put_back(model, state)
    learnt(rehearsed(SECOND, kept, np.random.default_rng(0)), model)
    assert accuracy(model, FIRST) > 0.99
    assert accuracy(model, SECOND) > 0.99


def test_elastic_weights_do_not_forget_and_learn_all_the_same():
    model = learnt(FIRST, settings=FitSettings(epochs=2, rate=0.1, bfloat16=False, weight_decay=0.0))
    bowl = anchor(model, lesson(FIRST, 1), own_answers)
    learnt(SECOND, model, hooks=[ElasticPenalty(bowl, 60.0)])
    assert accuracy(model, FIRST) > 0.99
    assert accuracy(model, SECOND) > 0.99


def test_remembering_is_both_losses_and_keeps_earlier_answers():
    model = learnt(FIRST)
    with torch.no_grad():
        before = model(ROWS)
    loss = remembering(classes(), before, weight=0.5, temperature=3.0)
    batch = next(lesson(SECOND).epoch(np.random.default_rng(0)))
    torch.manual_seed(1)
    other = nn.Linear(3, 2)
    by_hand = supervised(classes())(other, batch)
    by_hand = by_hand + 0.5 * softened(3.0)(other(ROWS[batch.rows]), before[batch.rows]).mean()
    torch.testing.assert_close(loss(other, batch), by_hand)
    # on what the two tasks disagree about, a heavy former self wins
    learnt(SECOND, model, remembering(classes(), before, weight=50.0))
    assert accuracy(model, FIRST) > 0.99


def test_merging_what_two_periods_changed():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    base = snapshot(model)
    changes = []
    for rows in (FIRST, SECOND):
        put_back(model, base)
        changes.append(delta(base, snapshot(learnt(rows, model))))
    merged = merge_deltas(base, changes)
    for name, value in merged.items():
        torch.testing.assert_close(value, base[name] + (changes[0][name] + changes[1][name]) / 2)
    put_back(model, merge_deltas(base, changes, [1.0, 0.0]))
    assert accuracy(model, FIRST) > 0.99
    put_back(model, merge_deltas(base, changes, [0.0, 1.0]))
    assert accuracy(model, SECOND) > 0.99
    assert torch.equal(base["weight"], merge_deltas(base, changes, [0.0, 0.0])["weight"])


def test_merging_and_putting_back_refuse_what_does_not_fit():
    model = nn.Linear(3, 2)
    base = snapshot(model)
    other = snapshot(nn.Linear(4, 2))
    with pytest.raises(TrainingError, match="Delta 2 is not one of this base"):
        merge_deltas(base, [base, other])
    with pytest.raises(TrainingError, match="2 weights cannot weigh 1 deltas"):
        merge_deltas(base, [base], [0.5, 0.5])
    with pytest.raises(TrainingError, match=r"no parameter weight of shape \(2, 4\)"):
        put_back(model, {"bias": torch.ones(2), "weight": other["weight"]})
    assert torch.equal(model.bias, base["bias"])


def test_a_head_that_grows_answers_as_before():
    head = nn.Linear(5, 3)
    rows = torch.randn(4, 5)
    grown = grow(head, 6, seed=3)
    assert grown(rows).shape == (4, 6)
    torch.testing.assert_close(grown(rows)[:, :3], head(rows))
    assert torch.equal(grow(head, 6, seed=3).weight, grown.weight)
    with pytest.raises(TrainingError, match="cannot grow to 2"):
        grow(head, 2)
