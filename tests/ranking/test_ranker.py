"""The ranker: what it learns from clear lessons, that it is saved whole, and that its contributions tell what counted."""

from __future__ import annotations

import numpy as np
import pytest

from shopkeeper.ranking.features import NAMES
from shopkeeper.ranking.ranker import SURE, Confidence, Linear, Ranker, standardised
from shopkeeper.recipes.search.ranker import (
    KINDS,
    Kind,
    Lesson,
    choose,
    measures,
    teach,
    teach_confidence,
    tier_weight,
)

COSINE = NAMES.index("cosine")


def lessons(count: int = 60, n: int = 40, *, empty: int = 0) -> list[Lesson]:
    """Candidates whose grade is their cosine; a few are judged; queries without an answer have low cosines."""
    rng = np.random.default_rng(3)
    made = []
    for number in range(count + empty):
        table = rng.random((n, len(NAMES))).astype(np.float32)
        answered = number < count
        if not answered:
            table[:, COSINE] *= 0.2
        truth = np.floor(3.999 * table[:, COSINE]) if answered else np.zeros(n)
        grades = np.where(rng.random(n) < 0.6, truth, np.nan).astype(np.float32)
        known = [float(grade) for grade in grades[~np.isnan(grades)]]
        made.append(Lesson(f"q{number}", table, grades, known, np.ones(n, dtype=np.float32)))
    return made


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_learns_what_counts(kind: Kind):
    taught = lessons()
    ranker = teach(taught[:40], kind, seed=1)
    fresh = taught[40:]
    learnt = measures(fresh, [ranker.score(lesson.table) for lesson in fresh])[1].mean()
    chance = measures(fresh, [lesson.table[:, 0] for lesson in fresh])[1].mean()
    assert learnt > chance + 0.2


def test_choosing_is_cross_validated_and_repeats_itself():
    one, other = choose(lessons(), 5), choose(lessons(), 5)
    assert one.kind == other.kind
    np.testing.assert_array_equal(one.full, other.full)
    assert one.judged.mean() > one.fused_judged.mean()


def test_saved_and_loaded_it_says_the_same():
    ranker = teach(lessons(), Kind(linear=True, trees=True, unjudged=1.0), seed=1)
    table = lessons()[0].table
    again = Ranker.load(ranker.save())
    assert again is not None
    np.testing.assert_allclose(again.score(table), ranker.score(table), atol=1e-6)
    assert Ranker.load({}) is None
    assert len(ranker.score(table[:0])) == 0


def test_contributions_name_the_feature_that_counts():
    ranker = teach(lessons(), Kind(linear=True, trees=True, unjudged=0.3), seed=1)
    parts = ranker.contributions(lessons()[0].table)
    assert parts.shape == (40, len(NAMES))
    assert np.abs(parts).mean(axis=0).argmax() == COSINE


def test_the_confidence_tells_queries_without_an_answer():
    taught = lessons(60, empty=30)
    model, best = teach_confidence(taught, 1)
    assert best[:60].mean() > best[60:].mean() + 0.2
    assert 0 < model.answer < 1
    arrays, values = model.save()
    again = Confidence.load(arrays, values)
    np.testing.assert_allclose(again.probabilities(taught[0].table), model.probabilities(taught[0].table), atol=1e-6)
    assert teach_confidence(lessons(10, empty=0)[:0], 1) is None


def test_a_cross_encoder_weighs_what_it_is_worth():
    taught = [lesson for lesson in lessons() if max(lesson.known) > 0]
    scores = [np.random.default_rng(n).random(40).astype(np.float32) for n in range(len(taught))]
    order = [np.argsort(-own, kind="stable")[:20] for own in scores]
    truth = [lesson.table[first, COSINE] for lesson, first in zip(taught, order, strict=True)]
    assert tier_weight(taught, scores, truth) >= 1
    assert tier_weight(taught, [lesson.table[:, COSINE] for lesson in taught], [s[:20] for s in scores]) <= 0.25


def test_standardised_scores():
    values = standardised(np.array([1, 2, 3], dtype=np.float32))
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert values.std() == pytest.approx(1, abs=1e-6)
    assert not standardised(np.ones(3, dtype=np.float32)).any()
    assert Linear(np.zeros(len(SURE), np.float32), np.ones(len(SURE), np.float32), 1.0).score(
        np.zeros((2, len(SURE)), np.float32)
    ).tolist() == [1, 1]
