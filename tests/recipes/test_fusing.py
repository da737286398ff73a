"""Learning a fusion: where an answer needs words and picture together, only the fusion can give it."""

from dataclasses import replace

import numpy as np
import pytest

from shopkeeper.models.pictures.fusion import KINDS
from shopkeeper.models.pictures.modes import Modes
from shopkeeper.recipes.pictures.fusing import FusionOptions, Questions, correct, learn_fusion
from shopkeeper.records import Item

QUICK = FusionOptions(width=48, dropout=0.0, lost=0.1, batch=64, rate=5e-3, epochs=15, patience=15)
COUNT = 900
TRAIN, VALID, TEST = np.split(np.random.default_rng(5).permutation(COUNT), [600, 700])


def named(shares):
    return dict(zip(QUESTIONS.names, shares, strict=True))


def shop():
    """What a thing is stands in its words, its colour is seen in its picture, and the shelf depends on both."""
    rng = np.random.default_rng(1)
    thing, colour = rng.integers(2, size=COUNT), rng.integers(2, size=COUNT)
    both = np.stack([thing * 2 + colour, thing, colour], axis=1)

    def told(values, width):
        axes = np.random.default_rng(2).normal(size=(2, width))
        return (axes[values] + 0.3 * rng.normal(size=(len(values), width))).astype(np.float32)

    seen = np.ones((COUNT, 3), dtype=np.float32)
    seen[:, 2] = rng.random(COUNT) < 0.3
    modes = Modes(told(thing, 10), told(colour, 12), told(colour, 12), seen)
    questions = Questions(("shelf", "thing", "colour"), (tuple("abcd"), ("shoe", "cup"), ("red", "blue")), both)
    return modes, questions


MODES, QUESTIONS = shop()


def accuracies(modes, kind, options=QUICK, **how):
    model, report = learn_fusion(kind, modes, QUESTIONS, TRAIN, VALID, options, **how)
    shares = named(correct(model, modes.at(TEST), QUESTIONS.labels[TEST]))
    return {name: float(values.mean()) for name, values in shares.items()}, model, report


@pytest.fixture(scope="module")
def alone():
    return [accuracies(MODES.only(*kept), "concat")[0] for kept in ((0,), (1, 2))]


@pytest.mark.parametrize("kind", KINDS)
def test_together_they_answer_what_neither_answers_alone(kind, alone):
    fused, model, report = accuracies(MODES, kind)
    words, pictures = alone
    assert max(words["shelf"], pictures["shelf"]) < 0.65 < 0.9 < fused["shelf"]
    assert words["thing"] > 0.9 > 0.65 > words["colour"]
    assert pictures["colour"] > 0.9 > 0.65 > pictures["thing"]
    assert min(fused.values()) > 0.9
    assert report.losses[-1] < report.losses[0]
    lacking = MODES.only(0).at(TEST)  # without a picture it still knows what the words say
    assert named(correct(model, lacking, QUESTIONS.labels[TEST]))["thing"].mean() > 0.85


def test_the_seed_decides():
    short = replace(QUICK, epochs=1)
    one, same, other = (accuracies(MODES, "gated", short, seed=seed)[1].heads[0].weight.detach() for seed in (1, 1, 2))
    assert one.equal(same)
    assert not one.equal(other)


def test_items_that_do_not_tell_are_left_out_of_learning_and_of_the_score():
    labels = QUESTIONS.labels.copy()
    labels[::3] = -1
    labels[:, 2] = np.where(np.arange(COUNT) % 2, labels[:, 2], -1)
    partly = Questions(QUESTIONS.names, QUESTIONS.classes, labels)
    model, _ = learn_fusion("concat", MODES, partly, TRAIN, VALID, QUICK)
    shares = correct(model, MODES.at(TEST), labels[TEST])
    assert [len(values) for values in shares] == (labels[TEST] >= 0).sum(axis=0).tolist()
    assert min(values.mean() for values in shares) > 0.9


def items(count=60):
    return [
        Item(
            id=str(number),
            title="x",
            category=("Shop", ("Shoes", "Cups", "Hats")[number % 3]),
            attributes={"colour": ("red", "blue")[number % 4 == 0], "code": str(number)}
            | ({"season": ("summer", "winter")[number % 2]} if number < 10 else {})
            | {"made": "here"},
        )
        for number in range(count)
    ]


def test_questions_are_those_that_are_answered_often_and_not_always_alike():
    found = Questions.of(items(), np.arange(60))
    assert found.names == (
        "category",
        "colour",
    )  # a code is rare, the season is told by few, where it is made says nothing
    assert found.classes == (("Shop > Cups", "Shop > Hats", "Shop > Shoes"), ("red", "blue"))
    assert found.labels.shape == (60, 2)
    assert found.labels[:4].tolist() == [[2, 1], [0, 0], [1, 0], [2, 0]]


def test_values_are_counted_among_the_known_and_given_for_all():
    every = [
        *items(),
        Item(id="new", title="x", category=("Shop", "Cups"), attributes={"colour": "green"}),
        Item(id="bare", title="x"),
    ]
    found = Questions.of(every, np.arange(60))
    assert found.labels[60:].tolist() == [[0, -1], [-1, -1]]
    few = Questions.of(every, np.arange(20, 26))
    assert few.names == ()
    assert few.labels.shape == (62, 0)


def test_the_order_of_the_items_decides_nothing():
    straight, known = items(), np.arange(60)
    turned = Questions.of(straight[::-1], known)
    right = Questions.of(straight, known)
    assert (turned.names, turned.classes) == (right.names, right.classes)
    np.testing.assert_array_equal(turned.labels[::-1], right.labels)
