import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shopkeeper.training.objectives import (
    cross_entropy,
    info_nce,
    lambda_rank,
    list_net,
    margin_mse,
    rank_net,
    supervised_contrastive,
)


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


SCORES = torch.tensor([[2.0, 1.0, 0.0, 9.0], [0.5, 0.1, -0.3, 0.2]])
GRADES = torch.tensor([[0.0, 2.0, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
MASK = torch.tensor([[True, True, True, False], [True, True, True, True]])


def test_list_net_written_out():
    gains = np.array([0.0, 3.0, 1.0]) / 4
    shares = np.exp([2.0, 1.0, 0.0]) / np.exp([2.0, 1.0, 0.0]).sum()
    assert float(list_net(SCORES, GRADES, MASK)) == pytest.approx(-(gains * np.log(shares)).sum(), rel=1e-5)


def test_rank_net_and_lambda_rank_written_out():
    scores, gains = np.array([2.0, 1.0, 0.0]), np.array([0.0, 3.0, 1.0])
    place = 1 / np.log2([2.0, 3.0, 4.0])
    best = 3 * place[0] + 1 * place[1]
    plain, weighted = [], 0.0
    for a in range(3):
        for b in range(3):
            if gains[a] > gains[b]:
                loss = np.log(1 + np.exp(scores[b] - scores[a]))
                plain.append(loss)
                weighted += loss * abs((gains[a] - gains[b]) * (place[a] - place[b])) / best
    assert float(rank_net(SCORES, GRADES, MASK)) == pytest.approx(np.mean(plain), rel=1e-5)
    assert float(lambda_rank(SCORES, GRADES, MASK)) == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize("objective", [list_net, rank_net, lambda_rank])
def test_ranking_objectives_sort_and_ignore_what_is_masked(objective):
    scores = torch.zeros(2, 4, requires_grad=True)
    grades = torch.tensor([[0.0, 2.0, 1.0, 3.0], [1.0, 0.0, 0.0, 2.0]])
    optimiser = torch.optim.Adam([scores], 0.1)
    for _ in range(100):
        optimiser.zero_grad()
        objective(scores, grades, MASK).backward()
        assert torch.isfinite(scores.grad).all()
        assert scores.grad[0, 3] == 0
        optimiser.step()
    assert scores[0, :3].argsort(descending=True).tolist() == [1, 2, 0]
    assert scores[1].argmax() == 3
    nothing = objective(scores, torch.zeros(2, 4), MASK)
    assert float(nothing.detach()) == 0


def test_supervised_contrastive_written_out():
    vectors, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 0, 2])
    unit = torch.nn.functional.normalize(vectors).double().numpy()
    cosines = np.exp(unit @ unit.T / 0.1)
    losses = []
    for a in (0, 2, 3):
        others = sum(cosines[a, b] for b in range(5) if b != a)
        losses.append(np.mean([-np.log(cosines[a, b] / others) for b in (0, 2, 3) if b != a]))
    found = supervised_contrastive(vectors, labels, temperature=0.1)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-4)
    assert float(supervised_contrastive(vectors, torch.arange(5))) == 0
    assert float(supervised_contrastive(vectors[:1], torch.tensor([0]))) == 0
