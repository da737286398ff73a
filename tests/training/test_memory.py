import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from shopkeeper.training.memory import Reservoir, herding, lessons, rehearsed
from shopkeeper.training.texts import TokenRows


def test_a_reservoir_keeps_everyone_with_the_same_chance():
    rng = np.random.default_rng(4)
    counts = np.zeros(40)
    for _ in range(2_000):
        reservoir = Reservoir[int](8, rng)
        reservoir.offer(range(40))
        counts[reservoir.kept] += 1
    assert counts.sum() == 2_000 * 8
    assert chisquare(counts).pvalue > 0.001


@given(st.integers(0, 10), st.lists(st.integers(0, 12), max_size=4))
def test_a_reservoir_holds_distinct_arrivals_within_its_budget(budget, portions):
    reservoir = Reservoir[int](budget, np.random.default_rng(0))
    start = 0
    for portion in portions:
        reservoir.offer(range(start, start + portion))
        start += portion
    assert reservoir.seen == start
    assert len(reservoir.kept) == len(set(reservoir.kept)) == min(budget, start)
    assert all(0 <= kept < start for kept in reservoir.kept)


def test_the_mean_of_the_herded_is_the_mean_of_the_class():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(600, 16))
    labels = np.repeat([0, 1, 2], [300, 200, 100])
    vectors[labels == 1] += 2
    chosen = herding(vectors, labels, 60)
    for name in range(3):
        own, members = chosen[labels[chosen] == name], np.flatnonzero(labels == name)
        mean = vectors[members].mean(axis=0)
        gap = np.linalg.norm(vectors[own].mean(axis=0) - mean)
        by_chance = [np.linalg.norm(vectors[rng.permutation(members)[:20]].mean(axis=0) - mean) for _ in range(50)]
        assert len(own) == 20
        assert gap < 0.25 * np.mean(by_chance)
        assert gap < np.linalg.norm(vectors[own[:5]].mean(axis=0) - mean)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 40))
def test_herding_is_balanced_and_a_smaller_memory_is_a_prefix(labels, budget):
    vectors = np.random.default_rng(len(labels)).normal(size=(len(labels), 3))
    chosen = herding(vectors, labels, budget)
    assert len(chosen) == len(set(chosen.tolist())) == min(budget, len(labels))
    assert chosen.tolist() == herding(vectors, labels, len(labels))[:budget].tolist()
    sizes, kept = np.bincount(labels, minlength=4), np.bincount(np.asarray(labels)[chosen], minlength=4)
    unfilled = kept[kept < sizes]
    assert (kept <= sizes).all()
    assert unfilled.size == 0 or kept.max() <= unfilled.min() + 1


@given(st.integers(0, 30), st.integers(0, 12), st.sampled_from([0.0, 0.3, 0.5, 0.8]), st.integers(1, 4))
def test_old_examples_get_their_share_and_no_one_is_shown_too_often(new, old, share, repeats):
    kept = np.arange(100, 100 + old)
    rows = rehearsed(np.arange(new), kept, np.random.default_rng(0), share=share, repeats=repeats)
    assert rows[:new].tolist() == list(range(new))
    shown = np.bincount(rows[new:] - 100, minlength=old) if len(rows) > new else np.zeros(old)
    assert len(rows) - new == min(round(new * share / (1 - share)), repeats * old)
    assert old == 0 or (shown.max() <= repeats and shown.max() - shown.min() <= 1)


def test_lessons_keep_the_numbers_of_their_examples():
    texts = TokenRows([[7], [8, 8], [9, 9, 9]], [], 0)
    rows = np.array([2, 0, 2])
    batches = list(lessons(texts, torch.tensor([10, 11, 12]), rows, 2).epoch(np.random.default_rng(0)))
    assert sorted(int(row) for batch in batches for row in batch.rows) == [0, 2, 2]
    for batch in batches:
        assert batch.wanted.tolist() == [10 + row for row in batch.rows]
        assert [ids[0].item() for ids in batch.inputs[0]] == [7 + row for row in batch.rows]
