import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.errors import TrainingError
from shopkeeper.training.semi_supervised import SelfTraining, pseudo_labels, self_train

RNG = np.random.default_rng(5)
ANGLES = RNG.uniform(0, np.pi, 400)
MOONS = np.array([[n % 2, a] for n, a in enumerate(ANGLES)])
"""Two half circles side by side: one label each is enough only for who follows the unlabelled points."""


def text_of(row):
    side, angle = MOONS[row]
    x, y = (np.cos(angle), np.sin(angle)) if side == 0 else (1 - np.cos(angle), 0.4 - np.sin(angle))
    return f"{x:.4f} {y:.4f}"


TEXTS = [text_of(row) for row in range(len(MOONS))]
CLASSES = MOONS[:, 0].astype(np.int64)


def points(texts):
    return np.array([[float(number) for number in text.split()] for text in texts])


def nearest(texts, labels, weights):
    """Weighted soft nearest neighbours."""
    known = points(texts)

    def predict(asked):
        closeness = np.exp(-((points(asked)[:, None] - known) ** 2).sum(axis=2) / 0.01) * weights
        shares = np.stack([closeness[:, labels == number].sum(axis=1) for number in (0, 1)], axis=1) + 1e-9
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    return predict


def shaken(text, rng):
    x, y = points([text])[0] + rng.normal(0, 0.02, 2)
    return f"{x:.4f} {y:.4f}"


def accuracy(predict):
    return float((predict(TEXTS).argmax(axis=1) == CLASSES).mean())


def labelled(each=3):
    return np.concatenate([np.flatnonzero(number == CLASSES)[:each] for number in (0, 1)])


def test_self_training_follows_the_texts_without_labels():
    rows = labelled()
    settings = SelfTraining(rounds=6, threshold=0.9, wordings=[shaken])
    model, rounds = self_train(
        nearest, [TEXTS[row] for row in rows], CLASSES[rows], TEXTS, settings, rng=np.random.default_rng(0)
    )
    before = accuracy(nearest([TEXTS[row] for row in rows], CLASSES[rows], np.ones(len(rows))))
    assert before < 0.95
    assert accuracy(model) > 0.99
    assert [r.taken <= r.confident for r in rounds] == [True] * len(rounds)
    assert rounds[0].taken == 0 < rounds[1].taken


def test_the_best_round_by_validation_is_returned():
    rows = labelled()
    scores = iter([0.5, 0.9, 0.7])
    models = []

    def learn(texts, labels, weights):
        models.append(nearest(texts, labels, weights))
        return models[-1]

    settings = SelfTraining(rounds=2, threshold=0.6)
    best, rounds = self_train(
        learn,
        [TEXTS[row] for row in rows],
        CLASSES[rows],
        TEXTS,
        settings,
        rng=np.random.default_rng(0),
        validate=lambda _: next(scores),
    )
    assert [r.score for r in rounds] == [0.5, 0.9, 0.7]
    assert best is models[1]


def test_pseudo_labels_weigh_less_than_human_ones():
    seen = []

    def learn(texts, labels, weights):
        seen.append(weights)
        return lambda asked: np.tile(np.float32([0.9, 0.1]), (len(asked), 1))

    labels = np.array([0, 1], dtype=np.int64)
    settings = SelfTraining(rounds=1, threshold=0.8, weight=0.5)
    self_train(learn, ["a", "b"], labels, ["c", "d"], settings, rng=np.random.default_rng(0))
    assert seen[0].tolist() == [1, 1]
    np.testing.assert_allclose(seen[1], [1, 1, 0.45], rtol=1e-6)  # one of two: class 0 has half of the labels


@pytest.mark.parametrize("unlabelled", [[], ["far away"]])
def test_nothing_sure_leaves_the_first_model(unlabelled):
    def learn(texts, labels, weights):
        return lambda asked: np.full((len(asked), 2), 0.5, dtype=np.float32)

    _, rounds = self_train(
        learn, ["a", "b"], np.array([0, 1]), unlabelled, SelfTraining(), rng=np.random.default_rng(0)
    )
    assert len(rounds) == 1


def test_texts_and_labels_must_match():
    with pytest.raises(TrainingError, match="2 texts with 1 labels"):
        self_train(nearest, ["a", "b"], np.array([0]), [], SelfTraining(), rng=np.random.default_rng(0))


@given(st.integers(1, 4), st.integers(0, 30), st.floats(0, 1))
def test_pseudo_labels_are_confident_of_one_mind_and_balanced(views, count, threshold):
    rng = np.random.default_rng(count)
    shares = [rng.dirichlet(np.ones(3), count).astype(np.float32).reshape(count, 3) for _ in range(views)]
    found = pseudo_labels(shares, threshold)
    for row, number, certainty in zip(found.rows, found.classes, found.certainty, strict=True):
        assert all(view[row].argmax() == number for view in shares)
        assert certainty >= threshold
    limits = np.array([2, 0, 5])
    rows, classes, certainty = found.most_certain(limits)
    assert (np.bincount(classes, minlength=3) <= limits).all()
    for number in (0, 2):
        left_out = found.certainty[(found.classes == number) & ~np.isin(found.rows, rows)]
        kept = certainty[classes == number]
        assert not len(left_out) or not len(kept) or left_out.max() <= kept.min()
