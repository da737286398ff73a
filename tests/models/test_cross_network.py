import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import ModelError
from shopkeeper.models.cross_network import CrossNetwork, CrossShape
from shopkeeper.models.cross_scorer import CrossScorer

SHAPE = CrossShape(features=3, blocks=2, dimension=5, width=4, crosses=2, hidden=(6, 4), outputs=2)


def network(shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    made = CrossNetwork(
        shape,
        rng.standard_normal(shape.features).astype(np.float32),
        np.full(shape.features, 2.0, dtype=np.float32),
    )
    torch.nn.init.normal_(made.join.weight)
    return made.eval()


def page(shape, n, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((n, shape.features)).astype(np.float32)
    items = rng.standard_normal((n, shape.dimension)).astype(np.float32)
    around = rng.standard_normal((max(shape.blocks - 1, 0), shape.dimension)).astype(np.float32)
    return table, items, around


@settings(max_examples=20, deadline=None)
@given(blocks=st.integers(0, 4), crosses=st.integers(0, 3), hidden=st.sampled_from([(5,), (6, 4)]), n=st.integers(1, 4))
def test_numpy_serves_what_torch_learnt(blocks, crosses, hidden, n):
    shape = CrossShape(
        features=3, blocks=blocks, dimension=5 if blocks else 0, width=4, crosses=crosses, hidden=hidden, outputs=2
    )
    made = network(shape)
    table, items, around = page(shape, n)
    both = np.zeros((n, blocks, shape.dimension), dtype=np.float32)
    if blocks:
        both[:, 0], both[:, 1:] = items, around
    with torch.no_grad():
        wanted = made(torch.from_numpy(table), torch.from_numpy(both)).numpy()
    assert np.allclose(CrossScorer(made.save()).logits(table, items, around), wanted, atol=1e-4)


def test_a_cross_layer_is_the_formula_of_the_paper():
    shape = CrossShape(features=2, crosses=1, hidden=(1,))
    made = CrossNetwork(shape)
    with torch.no_grad():
        made.crosses[0].weight.copy_(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
        made.crosses[0].bias.copy_(torch.tensor([1.0, 0.0]))
        made.join.weight.copy_(torch.tensor([[1.0, 10.0, 0.0]]))
    made.eval()
    x1, x2 = 0.5, 0.25
    wanted = (x1 * (x2 + 1) + x1) + 10 * (x2 * 2 * x1 + x2)
    assert made(torch.tensor([[x1, x2]]), torch.zeros(1, 0, 0)).item() == pytest.approx(wanted, abs=1e-6)


def test_it_learns_what_no_sum_of_inputs_can_say():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((600, 2)).astype(np.float32))
    wanted = (x[:, 0] * x[:, 1] > 0).float()  # a linear model is at chance here
    torch.manual_seed(0)
    made = CrossNetwork(CrossShape(features=2, crosses=1, hidden=(2,), dropout=0.0))
    optimiser = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(80):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(made(x, torch.zeros(600, 0, 0))[:, 0], wanted).backward()
        optimiser.step()
    with torch.no_grad():
        right = ((made(x, torch.zeros(600, 0, 0))[:, 0] > 0) == (wanted > 0)).float().mean()
    assert right > 0.9


def test_an_outlier_says_no_more_than_eight_deviations():
    served = CrossScorer(network().save())
    table, items, around = page(SHAPE, 1)
    table[0, 0] = 1e6
    far = served.logits(table, items, around)
    table[0, 0] = 1e9
    assert np.array_equal(served.logits(table, items, around), far)


def test_vectors_begin_where_the_items_differ_most():
    basis = np.eye(5, 3, dtype=np.float32)
    made = CrossNetwork(SHAPE, basis=basis)
    assert all(np.allclose(lead.weight.detach().numpy()[:3], basis.T) for lead in made.lead)


def test_broken_weights_are_refused():
    weights = network().save()
    with pytest.raises(ModelError, match="do not fit"):
        CrossScorer({name: value for name, value in weights.items() if name != "join.bias"})
    with pytest.raises(ModelError, match="do not fit"):
        CrossScorer(weights | {"crosses.0.weight": np.zeros((2, 2), dtype=np.float32)})
