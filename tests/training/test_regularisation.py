import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tinymodels import tiny_bert

from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.models.heads import Classifier
from shopkeeper.models.multitask import MultiTask
from shopkeeper.training.batching import Buckets
from shopkeeper.training.criteria import classes, number, ordered
from shopkeeper.training.interleave import Interleaved, OfTask
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.multitask import multi_task, multi_task_by_uncertainty
from shopkeeper.training.optimisers import constant, sgd
from shopkeeper.training.regularisation import difference, divergence, divergence_of_several, mixup, r_drop
from shopkeeper.training.supervised import labelled, supervised
from shopkeeper.training.texts import tokenise

TEXTS = ["red shoe", "blue shirt", "warm cup", "cold x y z"] * 4
KINDS = np.array([0, 1, 2, 0] * 4)
WARMTH = np.float32([0.5, -0.5, 1.0, -1.0] * 4)
FAST = FitSettings(epochs=10, rate=3e-3, bfloat16=False, rates={"linear": 3, "tasks": 3, "doubts": 30})


def batches(backbone, wanted, size=4):
    return labelled(tokenise(backbone, TEXTS, "passage", 16), wanted, size)


def first(parts):
    return next(iter(parts.epoch(np.random.default_rng(0))))


def test_r_drop_without_dropout_is_the_plain_loss():
    made = Classifier(tiny_bert(), classes=3).eval()
    batch = first(batches(made.backbone, KINDS))
    torch.testing.assert_close(r_drop(classes(), 5.0)(made, batch), supervised(classes())(made, batch))


def test_r_drop_is_both_losses_and_what_parts_the_two_passes():
    made = Classifier(tiny_bert(), classes=3, dropout=0.5).train()
    batch = first(batches(made.backbone, KINDS))
    torch.manual_seed(4)
    with torch.no_grad():
        one, other = made(*batch.inputs), made(*batch.inputs)
        torch.manual_seed(4)
        found = r_drop(classes(), 2.0)(made, batch)
    p, q = one.softmax(dim=1), other.softmax(dim=1)
    apart = ((p * (p / q).log()).sum(dim=1) + (q * (q / p).log()).sum(dim=1)) / 2
    right = (classes()(one, batch.wanted) + classes()(other, batch.wanted)) / 2
    torch.testing.assert_close(found, (right + 2 * apart).mean())
    assert apart.min() > 0


@given(st.integers(0, 1000))
def test_divergences_are_zero_at_home_symmetric_and_positive(seed):
    rng = torch.Generator().manual_seed(seed)
    one, other = torch.randn(3, 4, generator=rng), torch.randn(3, 4, generator=rng)
    for apart in (divergence, divergence_of_several, difference):
        torch.testing.assert_close(apart(one, one), torch.zeros(3))
        torch.testing.assert_close(apart(one, other), apart(other, one))
        assert (apart(one, other) > 0).all()
    two = torch.stack([one[:, 0], torch.zeros(3)], dim=1), torch.stack([other[:, 0], torch.zeros(3)], dim=1)
    torch.testing.assert_close(divergence(*two), divergence_of_several(one[:, :1], other[:, :1]))


def test_mixup_mixes_vectors_and_losses_in_one_proportion():
    made = Classifier(tiny_bert(), classes=3, dropout=0.0).eval()
    batch = first(batches(made.backbone, KINDS))
    torch.manual_seed(2)
    found = mixup(classes(), 0.4)(made, batch)
    torch.manual_seed(2)
    share = float(torch.distributions.Beta(0.4, 0.4).sample())
    partner = torch.randperm(4)
    pooled = made.pooled(*batch.inputs)
    logits = made.head(share * pooled + (1 - share) * pooled[partner])
    soft = share * torch.eye(3)[batch.wanted] + (1 - share) * torch.eye(3)[batch.wanted[partner]]
    torch.testing.assert_close(found, -(soft * logits.log_softmax(dim=1)).sum(dim=1).mean())


def test_the_halves_of_a_classifier_are_the_whole():
    made = Classifier(tiny_bert(), classes=3).eval()
    batch = first(batches(made.backbone, KINDS))
    torch.testing.assert_close(made.head(made.pooled(*batch.inputs)), made(*batch.inputs))


@pytest.mark.parametrize("loss", [r_drop(classes()), mixup(classes()), r_drop(classes(0.1), 0.5)])
def test_they_learn(loss):
    torch.manual_seed(0)
    made = Classifier(tiny_bert(), classes=3)
    fit(made, batches(made.backbone, KINDS), loss, FAST)
    with torch.no_grad():
        rows = tokenise(made.backbone, TEXTS, "passage", 16).batch(range(16))
        assert (made(*rows).argmax(dim=1).numpy() == KINDS).mean() > 0.9


def two_tasks():
    torch.manual_seed(0)
    backbone = tiny_bert()
    model = MultiTask(backbone, {"kind": 3, "warmth": 1, "stars": 2})
    parts = {"kind": KINDS, "warmth": WARMTH, "stars": KINDS}
    turns = Interleaved({name: batches(backbone, wanted) for name, wanted in parts.items()})
    return model, turns, {"kind": r_drop(classes()), "warmth": supervised(number()), "stars": mixup(ordered())}


@pytest.mark.parametrize("made", [multi_task, multi_task_by_uncertainty])
def test_tasks_share_a_body_and_all_are_learnt(made):
    model, turns, losses = two_tasks()
    names = {name for name, _ in model.named_parameters()}
    assert {"tasks.kind.linear.weight", "model.embeddings.word_embeddings.weight", "doubts"} <= names
    assert len([name for name in names if "word_embeddings" in name]) == 1
    assert model["kind"].model is model["warmth"].model
    fit(model, turns, made(losses), FAST)
    with torch.no_grad():
        rows = tokenise(model.backbone, TEXTS, "passage", 16).batch(range(16))
        assert (model["kind"](*rows).argmax(dim=1).numpy() == KINDS).mean() > 0.9
        assert np.corrcoef(model["warmth"](*rows)[:, 0].numpy(), WARMTH)[0, 1] > 0.8


def test_weights_of_tasks_scale_their_losses():
    model, turns, losses = two_tasks()
    model.eval()
    turn = next(turn for turn in turns.epoch(np.random.default_rng(0)) if turn.task == "warmth")
    plain = losses["warmth"](model["warmth"], turn.batch)
    torch.testing.assert_close(multi_task(losses, {"warmth": 0.25})(model, turn), plain / 4)
    torch.testing.assert_close(multi_task(losses)(model, turn), plain)


def test_uncertainty_ends_at_twice_the_loss():
    model = MultiTask(tiny_bert(), {"easy": 1, "hard": 1})
    stay = {"easy": lambda *_: torch.tensor(0.1), "hard": lambda *_: torch.tensor(4.0)}

    class Turns:
        def __len__(self):
            return 2

        def epoch(self, rng):
            yield OfTask("easy", None)
            yield OfTask("hard", None)

    settings = FitSettings(epochs=300, rate=0.1, optimiser=sgd, schedule=constant, bfloat16=False, clip=0)
    fit(model, Turns(), multi_task_by_uncertainty(stay), settings)
    torch.testing.assert_close(model.doubts.detach(), torch.log(2 * torch.tensor([0.1, 4.0])), atol=0.05, rtol=0.05)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 99), st.sampled_from([0.0, 0.5, 1.0]))
def test_turns_go_through_every_task(sizes, seed, evenness):
    parts = {str(n): Buckets([1] * size, 1, lambda rows: int(rows[0])) for n, size in enumerate(sizes)}
    turns = Interleaved(parts, evenness)
    found = list(turns.epoch(np.random.default_rng(seed)))
    assert len(found) == len(turns) == sum(sizes)
    if evenness == 0:
        for name, part in parts.items():
            assert sorted(turn.batch for turn in found if turn.task == name) == list(range(len(part)))
    if evenness == 1:
        counts = [sum(turn.task == name for turn in found) for name in parts]
        assert max(counts) - min(counts) <= 1


def test_what_cannot_be_a_task():
    with pytest.raises(ModelError, match="cannot name a task"):
        MultiTask(tiny_bert(), {"a.b": 2})
    with pytest.raises(TrainingError, match="task empty: There is nothing"):
        Interleaved({"empty": Buckets([], 1, lambda rows: rows)})
