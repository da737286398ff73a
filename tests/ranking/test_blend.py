"""The blend: what it computes, and that tuning finds a planted answer."""

import numpy as np
import pytest

from shopkeeper.ranking.blend import Blend, Examples, Part, scales, tune


def planted(rng, signal="good", users=300, candidates=40):
    """Targets stand first by `good` for long histories and by `words` on items without evidence; `noise` says nothing."""
    target = np.zeros((users, candidates), dtype=bool)
    place = rng.integers(0, candidates, users)
    target[np.arange(users), place] = True
    evidence = rng.integers(0, 30, (users, candidates)).astype(np.float32)
    scores = {
        "good": rng.random((users, candidates), dtype=np.float32),
        "noise": 5 * rng.random((users, candidates), dtype=np.float32),
        "words": rng.random((users, candidates), dtype=np.float32),
    }
    scores[signal][target] += 0.6
    return Examples(
        scores=scores,
        valid=np.ones((users, candidates), dtype=bool),
        target=target,
        wanted=np.ones(users, dtype=np.int64),
        known=rng.integers(1, 20, (users, 1)).astype(np.float32),
        evidence=evidence,
    )


def test_combine_is_the_formula_of_the_docstring():
    blend = Blend({"a": Part(2.0, scale=4.0, slope=1.0), "b": Part(1.0, cold=3.0), "off": Part(0.0)}, typical=2.0)
    scores = {"a": np.array([[8.0]]), "b": np.array([[1.0]]), "off": np.array([[99.0]]), "strange": np.array([[99.0]])}
    scores = {name: values.astype(np.float32) for name, values in scores.items()}
    total = blend.combine(scores, np.array([[4.0]], np.float32), np.array([[2.0]], np.float32))
    assert total.tolist() == [[pytest.approx(2 * (4 / 2) * 8 / 4 + 1 * (1 + 3 / 3) * 1)]]
    assert total.dtype == np.float32


def test_nothing_to_blend_is_zero():
    blend = Blend({})
    assert blend.combine({}, np.ones((2, 1), np.float32), np.ones((1, 3), np.float32)).shape == (2, 0)
    scores = {"a": np.ones((2, 3), np.float32)}
    assert not blend.combine(scores, np.ones((2, 1), np.float32), np.ones((1, 3), np.float32)).any()


def test_combining_does_not_change_the_scores_given():
    scores = {"a": np.ones((1, 2), np.float32), "b": np.ones((1, 2), np.float32)}
    blend = Blend({"a": Part(1.0), "b": Part(1.0)})
    blend.combine(scores, np.ones((1, 1), np.float32), np.ones((1, 2), np.float32))
    assert scores["a"].tolist() == [[1, 1]]


def test_ndcg_of_examples_on_known_ranks():
    examples = Examples(
        scores={},
        valid=np.array([[True, True, True], [True, True, False]]),
        target=np.array([[True, False, False], [True, False, False]]),
        wanted=np.array([1, 2]),
        known=np.ones((2, 1), np.float32),
        evidence=np.zeros((2, 3), np.float32),
    )
    values = examples.ndcg(np.array([[1.0, 2.0, 0.0], [1.0, 0.5, 9.0]], np.float32))
    assert values.tolist() == [pytest.approx(1 / np.log2(3)), pytest.approx(1 / (1 + 1 / np.log2(3)))]


def test_tuning_switches_noise_off_and_is_deterministic():
    examples = planted(np.random.default_rng(0))
    start = {"good": 0.2, "noise": 1.0, "words": 0.2}
    first, second = tune(examples, start), tune(examples, start)
    assert first == second
    assert first.parts["good"].weight > 0
    assert first.parts["noise"].weight < 0.3 * first.parts["good"].weight
    tuned = examples.ndcg(first.combine(examples.scores, examples.known, examples.evidence)).mean()
    alone = examples.ndcg(examples.scores["good"]).mean()
    assert tuned >= alone - 0.01


def test_tuning_lifts_words_on_items_without_evidence():
    rng = np.random.default_rng(1)
    examples = planted(rng, signal="good")
    cold = rng.random(len(examples.wanted)) < 0.5
    users, places = np.nonzero(examples.target)
    examples.evidence[...] = 20
    examples.evidence[users[cold], places[cold]] = 0
    examples.scores["good"][users[cold], places[cold]] = 0
    examples.scores["words"][users[cold], places[cold]] = 0.8
    blend = tune(examples, {"good": 1.0, "words": 0.5}, cold=("words",))
    assert blend.parts["words"].cold > 0
    assert blend.parts["good"].cold == 0


def test_tuning_can_switch_a_source_on():
    examples = planted(np.random.default_rng(2))
    assert tune(examples, {"noise": 0.1, "good": 0.0}).parts["good"].weight > 0


def test_scales_are_typical_best_scores():
    examples = planted(np.random.default_rng(3))
    found = scales(examples)
    assert 4.5 < found["noise"] < 5
    silent = Examples({"a": np.zeros((1, 2), np.float32)}, examples.valid[:1, :2], examples.target[:1, :2],
                      examples.wanted[:1], examples.known[:1], examples.evidence[:1, :2])  # fmt: skip
    assert scales(silent) == {"a": 1.0}


def test_a_blend_survives_json():
    blend = Blend({"a": Part(2.0, 4.0, 1.0, 0.5)}, typical=3.0)
    assert Blend.from_json(blend.to_json()) == blend
