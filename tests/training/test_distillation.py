"""A student that follows its teacher: in answers, in vectors, in margins, from a part of the teacher's own layers."""

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import TrainingError
from shopkeeper.models.backbones import read_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier
from shopkeeper.training.criteria import classes
from shopkeeper.training.distillation import (
    answers,
    imitating,
    parting,
    similar,
    softened,
    squared,
    taught,
    triples,
)
from shopkeeper.training.freezing import layer_count, open_top
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.shrinking import shrink
from shopkeeper.training.supervised import labelled
from shopkeeper.training.texts import tokenise
from shopkeeper.training.trunk import Trunk

COLOURS, THINGS = ("red", "blue", "红", "蓝"), ("shoe", "shirt", "cup", "鞋", "杯")
TEXTS = [f"{colour} {thing} {other}" for colour in COLOURS for thing in THINGS for other in ("warm", "cold", "a b")]
SETTINGS = FitSettings(epochs=8, rate=3e-3, bfloat16=False)
BODIES = {"bert": tiny_bert, "gpt": tiny_gpt}


def classifier(backbone, count=3):
    torch.manual_seed(1)
    return Classifier(backbone, classes=count, dropout=0.0)


def test_following_is_the_divergence_from_the_teacher():
    torch.manual_seed(0)
    own, teacher = torch.randn(6, 4), torch.randn(6, 4)
    expected = 9.0 * torch.nn.functional.kl_div(
        (own / 3).log_softmax(1), (teacher / 3).log_softmax(1), reduction="none", log_target=True
    ).sum(1)
    torch.testing.assert_close(softened(3.0)(own, teacher), expected)
    torch.testing.assert_close(softened(3.0)(teacher + 7.0, teacher), torch.zeros(6))
    torch.testing.assert_close(softened(3.0)(own, teacher[:, :2]), softened(3.0)(own[:, :2], teacher[:, :2]))
    # at a high temperature it tends to half the squared difference of centred logits (Hinton et al. 2015, section 2.1)
    gap = (own - teacher) - (own - teacher).mean(1, keepdim=True)
    torch.testing.assert_close(softened(100.0)(own, teacher), (gap**2).sum(1) / 2 / 4, rtol=0.05, atol=0.01)


def test_vectors_are_compared_by_direction_or_by_value():
    one, other = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(similar(one, other), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(squared(one, other), torch.tensor([2.0, 1.0]))


def test_answers_come_in_order_whatever_the_batches():
    model = classifier(tiny_bert()).train()
    texts = tokenise(model.backbone, [*TEXTS, "a", ""], "passage", 16)
    found = answers(model, texts, size=7)
    assert model.training
    assert found.shape == (len(TEXTS) + 2, 3)
    torch.testing.assert_close(found, answers(model, texts, size=64), atol=1e-4, rtol=0.0)
    rows = np.array([61, 3, 0])
    torch.testing.assert_close(answers(model, texts, rows, size=2), found[rows], atol=1e-4, rtol=0.0)
    assert answers(model, texts, rows[:0]).shape[0] == 0
    open_top(model.model, 1)
    with Trunk(model.backbone, texts, bfloat16=False).attached() as trunk:
        torch.testing.assert_close(answers(model, texts, rows, within=trunk.using), found[rows], atol=0.05, rtol=0.0)


def test_a_student_of_half_the_layers_learns_to_answer_like_its_teacher():
    teacher = classifier(tiny_bert())
    student = classifier(shrink(teacher.backbone, 1))
    with torch.no_grad():
        student.linear.weight.mul_(-1.0)
    texts = tokenise(teacher.backbone, TEXTS, "passage", 16)
    said = answers(teacher, texts)

    def agreement():
        return float((answers(student, texts).argmax(1) == said.argmax(1)).float().mean())

    before = agreement()
    unlabelled = np.zeros(len(TEXTS), dtype=np.int64)
    fit(student, labelled(texts, unlabelled, 16), taught(classes(), said, labels=0.0), SETTINGS)
    assert before < 0.6
    assert agreement() > 0.9


def test_labels_and_teacher_are_added_by_their_weights():
    model = classifier(tiny_bert()).eval()
    texts = tokenise(model.backbone, TEXTS[:6], "passage", 16)
    said = torch.randn(6, 3)
    wanted, weights = np.array([0, 1, 2, 0, 1, 2]), np.array([1, 2, 0, 1, 1, 1], dtype=np.float32)
    batch = next(labelled(texts, wanted, 6, weights=weights).epoch(np.random.default_rng(0)))
    loss = taught(classes(), said, weight=0.3, temperature=4.0, labels=0.7)(model, batch)
    logits = model(*batch.inputs)
    rows = 0.7 * classes()(logits, batch.wanted) + 0.3 * softened(4.0)(logits, said[batch.rows])
    torch.testing.assert_close(loss, (rows * batch.weights).sum() / batch.weights.sum())


@pytest.mark.parametrize("criterion", [similar, squared])
def test_an_encoder_learns_to_give_its_teachers_vectors(criterion):
    teacher, student = tiny_bert(seed=0), shrink(tiny_bert(seed=4), 1)
    wanted = TorchEncoder(teacher).encode(TEXTS)
    texts = tokenise(student, TEXTS, "passage", 16)

    def closeness():
        return float((TorchEncoder(student).encode(TEXTS) * wanted).sum(axis=1).mean())

    before = closeness()
    settings = FitSettings(epochs=15, rate=1e-2, bfloat16=False)
    fit(student.model, labelled(texts, wanted, 16), imitating(student, criterion), settings)
    assert before < 0.5
    assert closeness() > 0.9


def test_a_bi_encoder_learns_a_cross_encoders_margins():
    student = tiny_bert()
    queries = tokenise(student, list(COLOURS), "query", 8)
    passages = tokenise(student, TEXTS, "passage", 16)
    own = np.array([COLOURS.index(text.split()[0]) for text in TEXTS])
    rng = np.random.default_rng(0)
    chosen = np.array(
        [
            (query, rng.choice(np.flatnonzero(own == query)), rng.choice(np.flatnonzero(own != query)))
            for query in rng.integers(0, 4, 120)
        ]
    )
    margins = np.full(120, 6.0, dtype=np.float32)
    loss = parting(student, scale=10.0)
    examples = triples(queries, passages, chosen, margins, 24)
    batch = next(examples.epoch(np.random.default_rng(0)))
    assert batch.queries[0].shape[0] == batch.right[0].shape[0] == len(batch.margins) == 24
    report = fit(student.model, examples, loss, SETTINGS)
    assert report.losses[-1] < 0.2 * report.losses[0]
    encoder = TorchEncoder(student)
    scores = encoder.encode(list(COLOURS), side="query") @ encoder.encode(TEXTS).T
    assert float((own[scores.argmax(axis=1)] == np.arange(4)).mean()) == 1.0


@pytest.mark.parametrize("body", BODIES)
def test_a_shrunken_backbone_is_a_backbone(body, tmp_path):
    teacher = BODIES[body]()
    small = shrink(teacher, 1)
    assert layer_count(small.model) == small.model.config.num_hidden_layers == 1
    assert layer_count(teacher.model) == 2
    vectors = TorchEncoder(small).encode(TEXTS)
    small.save(tmp_path / "small")
    again = read_backbone(tmp_path / "small")
    np.testing.assert_allclose(TorchEncoder(again).encode(TEXTS), vectors, atol=1e-5)
    same = shrink(teacher, 2)
    np.testing.assert_allclose(TorchEncoder(same).encode(TEXTS), TorchEncoder(teacher).encode(TEXTS), atol=1e-6)
    assert next(small.model.parameters()) is not next(teacher.model.parameters())


def test_a_backbone_does_not_shrink_to_more_than_it_has():
    for layers in (0, 3):
        with pytest.raises(TrainingError, match=f"A model of 2 layers cannot shrink to {layers}"):
            shrink(tiny_bert(), layers)
