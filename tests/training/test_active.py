import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import TrainingError
from shopkeeper.records import Passage, PassageKind
from shopkeeper.store.database import open_store
from shopkeeper.training.acquisition import (
    badge,
    cluster_margin,
    core_set,
    entropy,
    least_confidence,
    margin,
    random,
    typical,
)
from shopkeeper.training.active import Curve, answer_all, answers, ask, simulate
from shopkeeper.training.few_shot import linear_head

STRATEGIES = [random, least_confidence, entropy, margin, badge, core_set, typical, cluster_margin]
NONE = np.zeros(0, dtype=np.int64)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=10, deadline=None)
@given(
    count=st.integers(0, 12),
    size=st.integers(1, 10),
    taken=st.integers(0, 10),
    kinds=st.integers(1, 4),
    same=st.booleans(),
)
def test_every_strategy_names_free_texts_once(strategy, count, size, taken, kinds, same):
    vectors = np.ones((size, 3), np.float32) if same else rng(size).normal(size=(size, 3)).astype(np.float32)
    probabilities = rng(1).dirichlet(np.ones(kinds), size).astype(np.float32)
    known = rng(2).permutation(size)[:taken].astype(np.int64)
    chosen = strategy(probabilities, vectors, count, rng(), known)
    assert len(chosen) == min(count, size - len(known)) == len(set(chosen.tolist()))
    assert not set(chosen.tolist()) & set(known.tolist())
    assert chosen.tolist() == strategy(probabilities, vectors, count, rng(), known).tolist()


def test_uncertainty_by_its_three_names():
    shares = np.float32([[0.5, 0.5, 0.0], [0.45, 0.30, 0.25], [0.44, 0.33, 0.23], [0.9, 0.1, 0.0]])
    space = np.eye(4, dtype=np.float32)
    assert margin(shares, space, 2, rng(), NONE).tolist() == [0, 2]
    assert least_confidence(shares, space, 2, rng(), NONE).tolist() == [2, 1]
    assert entropy(shares, space, 3, rng(), np.array([1])).tolist() == [2, 0, 3]


def test_a_core_set_covers_what_no_label_is_near():
    corners = np.repeat(np.eye(4, dtype=np.float32), 25, axis=0) + 0.01 * rng().normal(size=(100, 4)).astype(np.float32)
    chosen = core_set(np.ones((100, 1), np.float32), corners, 3, rng(), np.array([7]))
    assert sorted((chosen // 25).tolist()) == [1, 2, 3]


def test_typical_texts_are_the_middles_of_clusters():
    corners = np.repeat(np.eye(4, dtype=np.float32), 25, axis=0) + 0.1 * rng().normal(size=(100, 4)).astype(np.float32)
    chosen = typical(np.ones((100, 1), np.float32), corners, 4, rng(), NONE)
    assert sorted((chosen // 25).tolist()) == [0, 1, 2, 3]
    unit = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    for row in chosen:
        own = unit[row // 25 * 25 : row // 25 * 25 + 25]
        assert unit[row] @ own.mean(axis=0) > np.median(own @ own.mean(axis=0))


def test_badge_draws_by_the_distance_of_real_gradients():
    shares = rng(3).dirichlet(np.ones(3), 30).astype(np.float32)
    vectors = rng(4).normal(size=(30, 5)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    errors = shares - np.eye(3, dtype=np.float32)[shares.argmax(axis=1)]
    gradients = (errors[:, :, None] * unit[:, None, :]).reshape(30, -1).astype(np.float64)
    first, second = badge(shares, vectors, 2, rng(), NONE)
    assert first == (gradients**2).sum(axis=1).argmax()
    draws = np.bincount([badge(shares, vectors, 2, rng(seed), NONE)[1] for seed in range(800)], minlength=30) / 800
    distance = ((gradients - gradients[first]) ** 2).sum(axis=1)
    assert np.abs(draws - distance / distance.sum()).max() < 0.06
    assert second != first


def centred(count=600, kinds=6):
    classes = rng(8).choice(kinds, count, p=np.array([0.55, 0.2, 0.1, 0.08, 0.05, 0.02]))
    return (np.eye(kinds)[classes] + 0.28 * rng(9).normal(size=(count, kinds))).astype(np.float32), classes


def logistic(vectors, classes):
    if len(np.unique(classes)) == 1:
        return lambda asked: np.tile(np.eye(6, dtype=np.float32)[classes[0]], (len(asked), 1))
    weights, bias = linear_head(vectors, classes, 6, strength=100.0)

    def predict(asked):
        powers = np.exp(asked @ weights.T + bias)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    return predict


def test_asking_about_the_doubtful_needs_fewer_labels_than_asking_at_random():
    vectors, classes = centred()
    pool, test = slice(0, 400), (vectors[400:], classes[400:])

    def needed(strategy):
        curves = [
            simulate(logistic, vectors[pool], classes[pool], test, strategy, rng(seed), first=10, batch=10, most=150)
            for seed in range(3)
        ]
        return np.mean([curve.needed(0.95) for curve in curves])

    assert needed(margin) < 0.8 * needed(random)


def test_a_simulation_counts_its_labels():
    vectors, classes = centred(60)
    curve = simulate(logistic, vectors, classes, (vectors, classes), random, rng(), first=5, batch=10, most=32)
    assert curve.labels.tolist() == [5, 15, 25, 32]
    assert curve.scores.shape == (4,)
    with pytest.raises(TrainingError, match="0 labels of 60 texts"):
        simulate(logistic, vectors, classes, (vectors, classes), random, rng(), first=0, batch=1, most=9)


def test_labels_needed_for_a_score():
    curve = Curve(np.array([10, 20, 30, 40]), np.array([0.5, 0.7, 0.6, 0.9]))
    assert curve.needed(0.4) == 10
    assert curve.needed(0.575) == pytest.approx(15)  # 0.7 and 0.6 count as 0.65 twice
    assert curve.needed(0.95) == float("inf")


def test_the_review_queue_is_asked_and_answered(tmp_path):
    names = ["bad", "good"]
    passages = [
        Passage(id=f"p{n}", kind=PassageKind.REVIEW, text=f"text {n}", customer="c" if n == 3 else "") for n in range(8)
    ]
    shares = np.float32([[0.5 + n / 20, 0.5 - n / 20] for n in range(8)])
    vectors = np.eye(8, dtype=np.float32)
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        ask(store.labels, "opinion", passages, shares, vectors, names, margin, 2, rng())
        ask(store.labels, "opinion", passages, shares, vectors, names, margin, 4, rng())
        waiting = store.labels.pending("opinion")
        assert [decision.subject for decision in waiting] == ["p0", "p1", "p2", "p3"]
        assert (waiting[3].proposal, waiting[3].customer) == ("bad", "c")
        assert answer_all(store.labels, "opinion", lambda decision: names[int(decision.subject[1]) % 2]) == 4
        texts, classes = answers(store.labels, "opinion", names)
        assert (texts, classes.tolist()) == ([f"text {n}" for n in range(4)], [0, 1, 0, 1])
        assert {decision.rater for decision in store.labels.decided("opinion")} == {"oracle"}
        ask(store.labels, "opinion", passages, shares, vectors, names, margin, 2, rng())
        assert [decision.subject for decision in store.labels.pending("opinion")] == ["p4", "p5"]
