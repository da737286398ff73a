"""The bridge between words and pictures: two projections, one loss, and the same numbers without PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.models.pictures.bridge import Bridge, Projection, Span


def samples(count, width, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, width)) * rng.uniform(0.1, 3, width) + rng.normal(size=width)).astype(np.float32)


def projection(width=20, hidden=16, seed=0, dropout=0.2):
    """One whose hidden layer has something to say."""
    torch.manual_seed(seed)
    made = Projection(samples(50, width, seed), 12, hidden, dropout)
    if made.out is not None:
        torch.nn.init.normal_(made.out.weight)
        torch.nn.init.normal_(made.out.bias)
    return made.eval()


def bridge(seed=0):
    return Bridge(projection(20, seed=seed), projection(30, seed=seed + 1)).eval()


def textbook(made, texts, pictures, same):
    """The loss, pair by pair."""
    one, other = made.text(texts).detach().numpy(), made.picture(pictures).detach().numpy()
    logits = np.exp(float(made.scale.detach())) * one @ other.T
    losses = []
    for table, alike in ((logits, same), (logits.T, same.T)):
        for row in range(len(table)):
            against = [value for place, value in enumerate(table[row]) if place == row or not alike[row, place]]
            losses.append(np.log(np.sum(np.exp(against))) - table[row, row])
    return np.mean(losses)


@pytest.mark.parametrize("hidden", [0, 16])
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_without_pytorch_the_projection_is_the_same(hidden, seed, count):
    made, vectors = projection(hidden=hidden), samples(count, 20, seed)
    with torch.inference_mode():
        right = made(torch.from_numpy(vectors)).numpy()
    found = Span.of(made)(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, right, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_of_zero_rows_nothing_is_known():
    vectors = samples(3, 20)
    vectors[1] = 0
    found = Span.of(projection())(vectors)
    np.testing.assert_array_equal(found[1], 0)
    np.testing.assert_allclose(np.linalg.norm(found[[0, 2]], axis=1), 1, atol=1e-5)
    assert Span.of(projection())(np.zeros((0, 20), dtype=np.float32)).shape == (0, 12)


def test_the_hidden_layer_begins_at_nothing():
    torch.manual_seed(0)
    made, given_ = Projection(samples(50, 20), 12, 16).eval(), torch.from_numpy(samples(5, 20, 3))
    with torch.inference_mode():
        straight = torch.nn.functional.normalize(made.straight((given_ - made.mean) / made.deviation), dim=1)
        np.testing.assert_allclose(made(given_).numpy(), straight.numpy(), atol=1e-6)


def test_a_column_that_never_changes_does_no_harm():
    fixed = samples(50, 20)
    fixed[:, 4] = 1.5
    assert torch.isfinite(Projection(fixed)(torch.from_numpy(fixed))).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8))
def test_the_loss_is_the_textbooks(seed, count, groups):
    made = bridge()
    texts, pictures = samples(count, 20, seed), samples(count, 30, seed + 1)
    group = np.random.default_rng(seed).integers(groups, size=count)
    same = group[:, None] == group[None, :]
    found = made.loss(torch.from_numpy(texts), torch.from_numpy(pictures), torch.from_numpy(same))
    right = textbook(made, torch.from_numpy(texts), torch.from_numpy(pictures), same)
    assert float(found.detach()) == pytest.approx(right, abs=1e-4)


def test_pairs_that_are_as_good_are_no_negatives():
    made = bridge()
    texts, pictures = torch.from_numpy(samples(4, 20)), torch.from_numpy(samples(4, 30))
    alike = torch.ones((4, 4), dtype=torch.bool)
    none = torch.zeros((4, 4), dtype=torch.bool)
    with torch.no_grad():
        assert float(made.loss(texts, pictures, alike)) == pytest.approx(0, abs=1e-6)
        own = made.loss(texts, pictures, torch.eye(4, dtype=torch.bool))
        assert float(made.loss(texts, pictures, none)) == float(own)
    pictures.requires_grad_()
    same = torch.eye(4, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    texts.requires_grad_()
    made.loss(texts, pictures, same).backward()
    assert torch.isfinite(pictures.grad).all()
    assert torch.isfinite(texts.grad).all()


def test_the_loss_falls_and_the_scale_is_learnt_within_bounds():
    made = Bridge(projection(20, dropout=0.0), projection(30, seed=1, dropout=0.0)).train()
    texts, pictures = torch.from_numpy(samples(32, 20)), torch.from_numpy(samples(32, 30))
    optimiser = torch.optim.AdamW(made.parameters(), lr=0.01)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = made.loss(texts, pictures, torch.eye(32, dtype=torch.bool))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) / 3
    assert all(weights.grad is not None for weights in made.parameters())
    with torch.no_grad():
        made.eval()
        made.scale.fill_(50.0)
        assert torch.isfinite(made.loss(texts, pictures, torch.eye(32, dtype=torch.bool)))
