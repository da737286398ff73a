"""The transformer looks back only, knows time, and its graph says the same as PyTorch."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn.functional import normalize

from shopkeeper.models.sequence import GAPS, ItemVectors, SequenceBody, SequenceShape, export_sequence, gap_buckets

SHAPE = SequenceShape(kinds=3, width=8, layers=2, heads=2, length=6, dropout=0.5)


@pytest.fixture(scope="module")
def body():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = SequenceBody(SHAPE).eval()
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def steps(users, length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(users, length, SHAPE.width, generator=generator), dim=-1)
    kinds = torch.randint(0, SHAPE.kinds, (users, length), generator=generator)
    times = 1.7e9 + torch.rand(users, length, generator=generator, dtype=torch.float64).cumsum(1) * 1e5
    return vectors, kinds, times


def reference(body, vectors, kinds, times):
    """The same network for one trail, written with loops."""

    def norm(layer, x):
        return (x - x.mean(-1, keepdim=True)) / (
            x.var(-1, keepdim=True, unbiased=False) + layer.eps
        ).sqrt() * layer.weight + layer.bias

    x = vectors * SHAPE.width**0.5 + body.kinds.weight[kinds]
    size = SHAPE.width // SHAPE.heads
    for layer in body.layers:
        query, key, value = (norm(layer.norm, x) @ layer.attend.weight.T + layer.attend.bias).split(SHAPE.width, dim=-1)
        mixed = torch.zeros_like(x)
        for now in range(len(x)):
            for head in range(SHAPE.heads):
                part = slice(head * size, (head + 1) * size)
                logits = torch.stack([
                    query[now, part] @ key[then, part] / size**0.5
                    + layer.steps.weight[now - then, head]
                    + layer.gaps.weight[min(int(np.log2(float(times[now] - times[then]) + 1)), GAPS - 1), head]
                    for then in range(now + 1)
                ])  # fmt: skip
                mixed[now, part] = logits.softmax(0) @ value[: now + 1, part]
        x = x + mixed @ layer.join.weight.T + layer.join.bias
        wide = torch.nn.functional.gelu(norm(layer.norm_after, x) @ layer.widen.weight.T + layer.widen.bias)
        x = x + wide @ layer.narrow.weight.T + layer.narrow.bias
    return normalize(norm(body.norm, x), dim=-1)


def test_it_agrees_with_a_network_written_with_loops(body):
    vectors, kinds, times = steps(2, 5)
    with torch.no_grad():
        found = body(vectors, kinds, times)
        for user in range(2):
            assert torch.allclose(found[user], reference(body, vectors[user], kinds[user], times[user]), atol=1e-5)


def test_a_state_knows_nothing_of_what_comes_later_nor_of_padding(body):
    vectors, kinds, times = steps(1, 6)
    with torch.no_grad():
        whole = body(vectors, kinds, times)
        for length in range(1, 6):
            assert torch.allclose(
                body(vectors[:, :length], kinds[:, :length], times[:, :length]), whole[:, :length], atol=1e-6
            )


def test_order_kind_and_time_matter(body):
    vectors, kinds, times = steps(1, 4)
    with torch.no_grad():
        state = body(vectors, kinds, times)[0, -1]
        swapped = vectors[:, [1, 0, 2, 3]]
        assert not torch.allclose(body(swapped, kinds, times)[0, -1], state, atol=1e-4)
        assert not torch.allclose(body(vectors, (kinds + 1) % SHAPE.kinds, times)[0, -1], state, atol=1e-4)
        late = times.clone()
        late[0, -1] += 1e7
        assert not torch.allclose(body(vectors, kinds, late)[0, -1], state, atol=1e-4)
        assert torch.allclose(body(vectors, kinds, times - 1e9)[0, -1], state, atol=1e-5)


def test_the_graph_says_the_same_as_pytorch(body):
    session = onnxruntime.InferenceSession(export_sequence(body), providers=["CPUExecutionProvider"])
    for users, length in ((1, 1), (1, 6), (5, 4)):
        vectors, kinds, times = steps(users, length, seed=length)
        newest = torch.arange(users) % length
        with torch.no_grad():
            wanted = body(vectors, kinds, times)[torch.arange(users), newest].numpy()
        feed = {"vectors": vectors, "kinds": kinds, "times": times, "newest": newest}
        found = session.run(None, {name: value.numpy() for name, value in feed.items()})[0]
        assert np.allclose(found, wanted, atol=1e-5)


def test_gaps_are_told_apart_by_powers_of_two():
    times = torch.tensor([[0.0, 1.0, 3.0, 86_400.0, 1e300]], dtype=torch.float64)
    found = gap_buckets(times)[0]
    assert found[0].tolist() == [0, 1, 2, 16, GAPS - 1]
    assert torch.equal(found, found.T)


def test_an_items_vector_is_its_own_plus_its_text_and_may_go_by_text_alone():
    torch.manual_seed(0)
    vectors = ItemVectors(4, 8, torch.randn(4, 5))
    both = vectors.ids + vectors.project(vectors.text)
    assert torch.allclose(vectors(), normalize(both, dim=-1))
    assert torch.allclose(vectors(torch.tensor([2, 0])), normalize(both, dim=-1)[[2, 0]])
    assert torch.allclose(vectors(hide=1.0), normalize(vectors.project(vectors.text), dim=-1))
    alone = ItemVectors(4, 8)
    assert torch.allclose(alone(hide=1.0), normalize(alone.ids, dim=-1))
