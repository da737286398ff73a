import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shopkeeper.models import decisions
from shopkeeper.models.text import softmax
from shopkeeper.training import criteria

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]])
WANTED = torch.tensor([0, 2, 0])
SHARES = LOGITS.softmax(dim=1)[torch.arange(3), WANTED]
floats = st.floats(-30, 30, width=32)


def near(found, expected):
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=1e-4, atol=1e-5)


def test_focal_is_cross_entropy_with_less_for_the_easy():
    near(criteria.focal(0.0)(LOGITS, WANTED), criteria.classes()(LOGITS, WANTED))
    near(criteria.focal(2.0)(LOGITS, WANTED), -((1 - SHARES) ** 2) * SHARES.log())
    near(criteria.focal(2.0, torch.tensor([3.0, 1, 1]))(LOGITS, WANTED)[0], 3 * criteria.focal()(LOGITS, WANTED)[0])


def test_generalised_cross_entropy_lies_between_log_loss_and_absolute_error():
    near(criteria.generalised_cross_entropy(1.0)(LOGITS, WANTED), 1 - SHARES)
    near(criteria.generalised_cross_entropy(1e-5)(LOGITS, WANTED), criteria.classes()(LOGITS, WANTED))
    near(criteria.generalised_cross_entropy(0.7)(LOGITS, WANTED), (1 - SHARES**0.7) / 0.7)
    with pytest.raises(ValueError, match="q must be"):
        criteria.generalised_cross_entropy(0)


def test_symmetric_cross_entropy_written_out():
    one_hot = torch.nn.functional.one_hot(WANTED, 3).float()
    reverse = -(LOGITS.softmax(dim=1) * torch.where(one_hot > 0, 0.0, -4.0)).sum(dim=1)
    near(criteria.symmetric_cross_entropy(0.1, 1.0)(LOGITS, WANTED), -0.1 * SHARES.log() + reverse)


def test_a_hopelessly_wrong_label_pulls_less_on_robust_criteria():
    def pull(criterion):
        logits = torch.tensor([[12.0, -12.0]], requires_grad=True)
        criterion(logits, torch.tensor([1])).sum().backward()
        return float(logits.grad.abs().max())

    assert pull(criteria.classes()) > 0.99
    assert pull(criteria.generalised_cross_entropy()) < 1e-3
    assert pull(criteria.symmetric_cross_entropy(0.1)) == pytest.approx(0.1, abs=0.01)


def test_several_are_questions_of_their_own():
    wanted = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0]])
    share = LOGITS.sigmoid()
    expected = -(wanted * share.log() + (1 - wanted) * (1 - share).log()).mean(dim=1)
    near(criteria.several()(LOGITS, wanted), expected)
    assert criteria.several(torch.full((3,), 5.0))(LOGITS, wanted)[0] > expected[0]
    assert decisions.chosen(LOGITS.numpy()).tolist() == [[True, False, True], [True] * 3, [False, True, True]]
    assert decisions.chosen(LOGITS.numpy(), np.float32([0.9, 0.9, 0.5])).sum() == 4


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=floats))
def test_ordered_shares_are_probabilities_and_their_median_is_the_decision(logits):
    shares = decisions.ordered_shares(logits)
    assert shares.shape == (len(logits), logits.shape[1] + 1)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    below = np.cumsum(shares, axis=1)
    rows = np.arange(len(logits))
    rank = decisions.rank(logits)
    assert (below[rows, rank] >= 0.5 - 1e-4).all()
    assert (below[rows, rank] - shares[rows, rank] <= 0.5 + 1e-4).all()


def test_ordered_loss_is_that_of_the_cumulative_questions_and_falls_towards_the_class():
    criterion = criteria.ordered()
    logits, wanted = torch.tensor([[1.0, -2.0]]), torch.tensor([1])
    expected = -(np.log(1 / (1 + np.exp(-1.0))) + np.log(1 - 1 / (1 + np.exp(2.0)))) / 2
    near(criterion(logits, wanted), np.float32([expected]))
    far, close = torch.tensor([[-5.0, -5.0, -5.0]]), torch.tensor([[5.0, -5.0, -5.0]])
    assert criterion(far, torch.tensor([2])) > criterion(close, torch.tensor([2])), "one step off is better than two"
    assert decisions.rank(close.numpy()).tolist() == [1]


def test_ordered_classes_are_learnt():
    torch.manual_seed(0)
    rows = torch.randn(400, 3)
    wanted = torch.bucketize(rows[:, 0].contiguous(), torch.tensor([-0.7, 0.0, 0.7]))
    head = torch.nn.Linear(3, 3)
    optimiser = torch.optim.Adam(head.parameters(), 0.1)
    for _ in range(150):
        optimiser.zero_grad()
        criteria.ordered()(head(rows), wanted).mean().backward()
        optimiser.step()
    with torch.no_grad():
        found = decisions.rank(head(rows).numpy())
    assert (found == wanted.numpy()).mean() > 0.95


def test_numbers_are_forgiven_their_outliers():
    logits, wanted = torch.tensor([[0.5], [0.0]]), torch.tensor([0.0, 10.0])
    near(criteria.number()(logits, wanted), [0.125, 9.5])
    assert decisions.value(logits.numpy(), middle=100, spread=10).tolist() == [105, 100]


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=floats))
def test_the_likeliest_class_has_the_largest_share(logits):
    rows = np.arange(len(logits))
    assert (softmax(logits)[rows, decisions.likeliest(logits)] >= softmax(logits).max(axis=1) - 1e-6).all()


def test_losses_are_float32_whatever_the_logits_are():
    half = LOGITS.bfloat16()
    made = [
        criteria.classes(),
        criteria.focal(),
        criteria.generalised_cross_entropy(),
        criteria.symmetric_cross_entropy(),
    ]
    for criterion in [*made, criteria.ordered()]:
        found = criterion(half, WANTED)
        assert found.dtype == torch.float32
        assert found.shape == (3,)
