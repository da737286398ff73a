import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.training.objectives import cross_entropy, info_nce, margin_mse


def _reference(q, p, scale):
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    s = scale * q @ p.T
    rows = [np.log(np.exp(s[i]).sum()) - s[i, i] for i in range(len(q))]
    columns = [np.log(np.exp(s[:, i]).sum()) - s[i, i] for i in range(len(q))]
    return np.mean(rows), np.mean(columns)


@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 100))
def test_info_nce_agrees_with_the_formula(n, extra, seed):
    rng = np.random.default_rng(seed)
    q, p = rng.normal(size=(n, 4)), rng.normal(size=(n + extra, 4))
    there, back = _reference(q, p, 5.0)
    ours = [float(info_nce(torch.tensor(q), torch.tensor(p), scale=5.0, symmetric=s)) for s in (False, True)]
    np.testing.assert_allclose(ours, [there, (there + back) / 2], rtol=1e-4, atol=1e-5)


def test_also_right_passages_are_no_negatives():
    q = torch.eye(3)
    p = torch.cat([torch.eye(3), torch.tensor([[1.0, 0.01, 0.0]])])
    twin = torch.zeros(3, 4, dtype=torch.bool)
    twin[0, 3] = True
    with_twin, without = info_nce(q, p, symmetric=False), info_nce(q, p, symmetric=False, also_right=twin)
    assert without < with_twin
    twin[0, 0] = True  # its own passage always stays
    assert torch.isfinite(info_nce(q, p, symmetric=False, also_right=twin))


def test_weights_choose_rows():
    q, p = torch.randn(4, 8), torch.randn(4, 8)
    chosen = info_nce(q, p, symmetric=False, weights=torch.tensor([0.0, 0.0, 1.0, 0.0]))
    logits = 20 * torch.nn.functional.normalize(q[2:3]) @ torch.nn.functional.normalize(p).T
    torch.testing.assert_close(chosen, torch.nn.functional.cross_entropy(logits, torch.tensor([2])))


def test_cross_entropy_weights_and_smoothing():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    plain = cross_entropy(logits, labels)
    assert float(cross_entropy(logits, labels, weights=torch.tensor([1.0, 0.0]))) == pytest.approx(
        np.log(1 + np.exp(-2))
    )
    assert float(plain) == pytest.approx((np.log(1 + np.exp(-2)) + np.log(1 + np.exp(1))) / 2)
    assert cross_entropy(logits, labels, smoothing=0.2) != plain


def test_margin_mse_forgives_another_scale_of_scores():
    right, wrong = torch.tensor([0.9, 0.3]), torch.tensor([0.1, 0.2])
    assert float(margin_mse(right, wrong, right + 5, wrong + 5)) == pytest.approx(0)
    assert float(margin_mse(right, wrong, wrong, right)) > 0
