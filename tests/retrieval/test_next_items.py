"""The sequence model at serving: the same as PyTorch, any order of rows, any length of trail, items without behaviour."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Card, save_bundle
from shopkeeper.models.sequence import SequenceBody, SequenceShape, export_sequence
from shopkeeper.models.text import unit
from shopkeeper.records import Item
from shopkeeper.retrieval.next_items import NextItems, TextPath
from shopkeeper.retrieval.shelf import Shelf
from shopkeeper.retrieval.trails import KINDS, Trails

ITEMS, WIDTH, TEXT, LENGTH = 12, 8, 5, 6
RNG = np.random.default_rng(1)
TABLE = unit(RNG.standard_normal((ITEMS, WIDTH)).astype(np.float32))
PATH = TextPath(RNG.standard_normal((TEXT, WIDTH)).astype(np.float32), np.zeros(WIDTH, np.float32))


@pytest.fixture(scope="module")
def body():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = SequenceBody(SequenceShape(kinds=len(KINDS), width=WIDTH, layers=1, heads=2, length=LENGTH)).eval()
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return made


@pytest.fixture(scope="module")
def graph(body):
    return export_sequence(body)


def trails(*rows, seed=0):
    rng = np.random.default_rng(seed)
    flat = np.array([row for trail in rows for row in trail], dtype=np.int64)
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    times = 1.7e9 + np.cumsum(rng.random(len(flat)) * 1e4)
    return Trails(indptr, flat, times, rng.integers(0, len(KINDS), len(flat)).astype(np.int8))


def test_states_and_scores_agree_with_pytorch_one_by_one(body, graph):
    found = NextItems(graph, TABLE, LENGTH)
    asked = trails([3], [1, 4, 4, 0], list(range(11)), [], [7, 2])
    states = found.states(asked)
    for user in range(len(asked)):
        one = asked.take(np.array([user])).newest(LENGTH)
        if not len(one.rows):
            assert not states[user].any()
            continue
        rows, kinds, times = (torch.from_numpy(values) for values in one.padded())
        with torch.no_grad():
            wanted = body(torch.from_numpy(TABLE)[rows], kinds, times)[0, -1].numpy()
        assert np.allclose(states[user], wanted, atol=1e-5)
    scores = found.scores(asked, ITEMS)
    assert np.allclose(scores, states @ TABLE.T, atol=1e-6)
    assert np.abs(scores).max() <= 1 + 1e-5


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(ITEMS)), st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=9))
def test_scores_move_with_the_rows(graph, order, rows):
    order = np.array(order)
    plain = NextItems(graph, TABLE, LENGTH).scores(trails(rows), ITEMS)
    place = np.argsort(order)
    moved = NextItems(graph, TABLE[order], LENGTH).scores(trails(place[rows].tolist()), ITEMS)
    assert np.allclose(moved, plain[:, order], atol=1e-5)


def test_a_trail_of_any_length_is_read_from_its_end(graph):
    found = NextItems(graph, TABLE, LENGTH)
    long = trails(RNG.integers(0, ITEMS, 100_000).tolist())
    assert np.allclose(found.states(long), found.states(long.newest(LENGTH)), atol=1e-6)


def test_who_did_nothing_and_what_nobody_knows(graph):
    table = TABLE.copy()
    table[5] = 0
    found = NextItems(graph, table, LENGTH)
    scores = found.scores(trails([1, 5, 5], [1], [], [5, 99]), ITEMS + 3)
    assert scores.shape == (4, ITEMS + 3)
    assert (scores[:, [5, 12, 13, 14]] == -1).all()
    known = np.delete(np.arange(ITEMS), 5)
    assert not scores[2:, known].any()
    assert found.scores(trails(), ITEMS).shape == (0, ITEMS)


def test_a_new_item_is_scored_by_its_text_alone_and_a_known_one_keeps_its_vector(graph):
    found = NextItems(graph, TABLE[:10], LENGTH, PATH)
    asked = trails([1, 2, 3])
    before = found.scores(asked, 40)
    assert (before[:, 10:] == -1).all()
    text = RNG.standard_normal((3, TEXT)).astype(np.float32)
    text[2] = 0
    found.put(np.array([3, 30, 31]), text)
    after = found.scores(asked, 40)
    assert np.allclose(after[:, :10], before[:, :10])
    assert np.allclose(after[:, 30], found.states(asked) @ unit(text[1:2] @ PATH.matrix)[0], atol=1e-6)
    assert (np.delete(after[0], 30)[10:] == -1).all()
    assert found.states(trails([30])).any()
    found.put(np.array([30]), -text[1:2])  # a changed text counts
    assert np.allclose(found.scores(asked, 40)[:, 30], -after[:, 30], atol=1e-6)
    with pytest.raises(ModelError, match="length 5"):
        found.put(np.array([1]), np.ones((1, 4), np.float32))


def test_a_bundle_opens_over_a_shelf_in_another_order(graph, tmp_path):
    ids = [f"item-{n}" for n in range(ITEMS)]
    arrays = {
        "items": TABLE,
        "graph": np.frombuffer(graph, np.uint8),
        "text.matrix": PATH.matrix,
        "text.shift": PATH.shift,
    }
    parameters = {"items": ids, "kinds": [kind.value for kind in KINDS], "length": LENGTH}
    bundle = save_bundle(tmp_path / "next", Card(task="next"), arrays=arrays, parameters=parameters)
    order = RNG.permutation(ITEMS)[:-1]  # one item is gone
    shelf = Shelf(Item(id=name, title=name) for name in ["new", *(ids[n] for n in order)])
    vectors = RNG.standard_normal((len(shelf), TEXT)).astype(np.float32)
    found = NextItems.load(bundle, shelf, vectors)
    scores = found.scores(trails([1 + n for n in range(3)]), len(shelf))
    plain = NextItems(graph, TABLE, LENGTH).scores(trails(order[:3].tolist()), ITEMS)
    assert np.allclose(scores[:, 1:], plain[:, order], atol=1e-5)
    assert -1 < scores[0, 0] <= 1
    assert NextItems.load(bundle, shelf).scores(trails([1]), len(shelf))[0, 0] == -1


def test_what_is_no_sequence_model_is_told_so(tmp_path):
    with pytest.raises(ModelError, match="Train again"):
        NextItems(b"nonsense", TABLE, LENGTH)
    bundle = save_bundle(tmp_path / "other", Card(task="recommend"), parameters={"decay": 1.0})
    with pytest.raises(ModelError, match="no sequence model"):
        NextItems.load(bundle, Shelf())
    arrays = {"items": TABLE, "graph": np.zeros(1, np.uint8)}
    parameters = {"items": ["a"], "kinds": ["view"], "length": 5}
    bundle = save_bundle(tmp_path / "strange", Card(task="next"), arrays=arrays, parameters=parameters)
    with pytest.raises(ModelError, match="another version"):
        NextItems.load(bundle, Shelf())
