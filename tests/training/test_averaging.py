from dataclasses import replace

import pytest
import torch
from test_checkpoints import Cut
from test_loop import FAST, Net, accuracy, examples, loss, weights

from shopkeeper.errors import TrainingError
from shopkeeper.training.averaging import ExponentialAverage, StochasticWeightAveraging, soup
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.hooks import Hook
from shopkeeper.training.loop import fit
from shopkeeper.training.optimisers import constant

SETTINGS = replace(FAST, schedule=constant)


class Path(Hook):
    def __init__(self):
        self.states = []

    def step(self, run):
        self.states.append(torch.cat([p.detach().flatten().clone() for p in run.parameters]))


def run(*hooks, folder=None, validate=None, model=None):
    model = model or Net(0.2)
    keeping = folder and Checkpoint(folder, seconds=0)
    report = fit(model, examples(), loss, SETTINGS, hooks=hooks, checkpoint=keeping, validate=validate)
    return model, report


def test_swa_is_the_mean_of_the_states_it_took():
    path = Path()
    model, report = run(StochasticWeightAveraging(after=0.5, every=5), path)
    taken = [state for step, state in enumerate(path.states, 1) if step >= report.steps / 2 and step % 5 == 0]
    assert len(taken) == 5
    torch.testing.assert_close(weights(model), torch.stack(taken).mean(dim=0))


def test_exponential_average_follows_its_law():
    path = Path()
    model, _ = run(ExponentialAverage(0.8), path)
    mean = path.states[0]
    for count, state in enumerate(path.states[1:], 2):
        keep = min(0.8, count / (9 + count))
        mean = keep * mean + (1 - keep) * state
    torch.testing.assert_close(weights(model), mean)


@pytest.mark.parametrize("make", [lambda: StochasticWeightAveraging(0.3, 2), lambda: ExponentialAverage(0.9)])
def test_an_average_survives_a_cut(tmp_path, make):
    whole, _ = run(make())
    for cut in (3, 20, 31):
        with pytest.raises(ConnectionAbortedError):
            run(make(), Cut(cut), folder=tmp_path / "run")
    assert torch.equal(weights(run(make(), folder=tmp_path / "run")[0]), weights(whole))


def test_validation_decides_between_the_average_and_the_best_state():
    start = Net(0.2)
    model, report = run(
        ExponentialAverage(), validate=lambda: -float(weights(model_now).norm()), model=(model_now := start)
    )
    assert report.best_step == 0, "nothing was better than the start, the average neither"
    assert torch.equal(weights(model), weights(Net(0.2)))
    model = Net(0.2)
    scores = iter([*range(7), 100])
    path = Path()
    run(StochasticWeightAveraging(0.9, 1), path, validate=lambda: next(scores), model=model)
    torch.testing.assert_close(weights(model), torch.stack(path.states[-5:]).mean(dim=0), rtol=1e-3, atol=1e-3)
    assert not torch.equal(weights(model), path.states[-1])


def test_a_run_too_short_for_an_average_keeps_its_last_state():
    path = Path()
    model, _ = run(StochasticWeightAveraging(after=1.1), path)
    assert torch.equal(weights(model), path.states[-1])


def test_a_soup_takes_what_helps_and_leaves_what_harms():
    target = torch.tensor([1.0, 1.0])
    states = [[torch.tensor([2.0, 1.0])], [torch.tensor([0.1, 1.0])], [torch.tensor([9.0, -5.0])]]
    made = soup(states, lambda state: -float((state[0] - target).norm()))
    assert made.members == [1, 0]
    torch.testing.assert_close(made.state[0], torch.tensor([1.05, 1.0]))
    assert made.score == pytest.approx(-0.05)
    torch.testing.assert_close(states[1][0], torch.tensor([0.1, 1.0]))
    with pytest.raises(TrainingError, match="nothing to make a soup"):
        soup([], lambda state: 0.0)


def test_a_soup_of_runs_from_one_start_is_no_worse_than_the_best():
    models = [fitted(seed) for seed in range(3)]
    judge = Net()

    def score(state):
        with torch.no_grad():
            for parameter, value in zip(judge.parameters(), state, strict=True):
                parameter.copy_(value)
        return accuracy(judge)

    made = soup([list(model.parameters()) for model in models], score)
    assert score(made.state) == made.score >= max(accuracy(model) for model in models)


def fitted(seed):
    model = Net()
    fit(model, examples(), loss, replace(FAST, epochs=3), seed=seed)
    return model
