"""Fusion layers and the arrays they read: what an item lacks never matters, what it has always does."""

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shopkeeper.models.pictures.bridge import Projection, Span
from shopkeeper.models.pictures.fusion import KINDS, MODES, Fusion, _some_lost
from shopkeeper.models.pictures.fusion_export import INPUTS, export_fusion
from shopkeeper.models.pictures.gallery import Shots
from shopkeeper.models.pictures.modes import Modes, glimpses, modes_of

TEXT, PICTURE, WIDTH = 10, 14, 24
EVERY = np.array([[one, two, three] for one in (0, 1) for two in (0, 1) for three in (0, 1)][1:], dtype=np.float32)


def arrays(count, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=(count, width)).astype(np.float32)) for width in (TEXT, PICTURE, PICTURE)]


def fusion(kind, **how):
    torch.manual_seed(0)
    text, picture, _ = arrays(40, 9)
    made = Fusion(kind, text, picture, WIDTH, **how)
    with torch.no_grad():
        made.absent.normal_()
    return made.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_absent_may_hold_anything(kind):
    made, given_, seen = fusion(kind), arrays(len(EVERY)), torch.from_numpy(EVERY)
    right = made(*given_, seen)
    assert right.shape == (len(EVERY), made.width)
    for anything in (0.0, 1e6, float("inf"), float("nan")):
        other = [
            torch.where(seen[:, [place]] > 0, values, torch.full_like(values, anything))
            for place, values in enumerate(given_)
        ]
        np.testing.assert_array_equal(made(*other, seen).detach().numpy(), right.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_matters(kind):
    made, given_, seen = fusion(kind), arrays(len(EVERY)), torch.from_numpy(EVERY)
    right = made(*given_, seen)
    for place in range(len(MODES)):
        other = list(given_)
        other[place] = other[place] + 1
        moved = (made(*other, seen) - right).abs().amax(dim=1) > 1e-6
        np.testing.assert_array_equal(moved.numpy(), EVERY[:, place] > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_does_not_depend_on_its_company(kind):
    made, given_, seen = fusion(kind), arrays(len(EVERY)), torch.from_numpy(EVERY)
    together = made(*given_, seen)
    alone = torch.cat([made(*(values[[row]] for values in given_), seen[[row]]) for row in range(len(seen))])
    np.testing.assert_allclose(alone.detach().numpy(), together.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_graph_says_the_same(kind):
    made, given_, seen = fusion(kind), arrays(len(EVERY)), torch.from_numpy(EVERY)
    graph = export_fusion(made.train(), [*given_, seen])
    assert made.training  # it is left as it is
    made.eval()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for rows in (slice(0, 7), slice(2, 3)):
        sent = dict(zip(INPUTS, [*given_, seen], strict=True))
        (found,) = session.run(["hidden"], {name: values[rows].numpy() for name, values in sent.items()})
        with torch.inference_mode():
            right = made(*(values[rows] for values in given_), seen[rows]).numpy()
        np.testing.assert_allclose(found, right, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_part(kind):
    made = fusion(kind, lost=0.5).train()
    rows = 60
    seen = torch.from_numpy(np.tile(EVERY, (9, 1))[:rows])
    made(*arrays(rows), seen).square().sum().backward()
    unused = {"absent"} if kind == "late" else set()  # each by itself: what is absent says nothing
    for name, weights in made.named_parameters():
        assert torch.isfinite(weights.grad).all()
        assert (weights.grad.abs().max() > 0) == (name not in unused), name


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_of_which_nothing_is_known_is_finite(kind):
    made = fusion(kind)
    assert torch.isfinite(made(*(torch.zeros_like(values) for values in arrays(2)), torch.zeros(2, 3))).all()


@pytest.mark.parametrize("width", [24, 100])
def test_the_width_is_what_comes_out(width):
    text, picture, video = arrays(4)
    for kind in KINDS:
        made = Fusion(kind, text, picture, width)
        assert made(text, picture, video, torch.ones(4, 3)).shape == (4, made.width)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1), st.integers(1, 30))
def test_the_last_mode_is_never_lost_and_none_is_made_up(seed, lost, count):
    torch.manual_seed(seed)
    seen = torch.from_numpy(EVERY[np.random.default_rng(seed).integers(len(EVERY), size=count)])
    kept = _some_lost(seen, lost)
    assert (kept.sum(dim=1) >= 1).all()
    assert (kept <= seen).all()
    assert (_some_lost(torch.zeros(count, 3), lost) == 0).all()


def test_modes_are_lost_as_often_as_asked_and_only_in_training():
    torch.manual_seed(0)
    kept = _some_lost(torch.ones(20_000, 3), 0.2)
    assert float(kept.mean()) == pytest.approx(0.8 + 0.2**3, abs=0.01)
    made, given_ = fusion("concat", lost=0.9, dropout=0.0), arrays(30)
    seen = torch.ones(30, 3)
    still = made(*given_, seen)
    assert torch.equal(made(*given_, seen), still)
    assert not torch.allclose(made.train()(*given_, seen), still)


def shots_of(item, moving, vectors, count):
    size = len(item)
    return Shots(
        np.array(item, dtype=np.int64),
        np.asarray(vectors, dtype=np.float32),
        np.full((size, 24), 24**-0.5, dtype=np.float32),
        np.arange(size, dtype=np.uint64),
        np.arange(size, dtype=np.uint64),
        np.array(moving, dtype=bool),
        count,
    )


def straight(width, out):
    """A projection that lets the first `out` axes through, as a `Span`."""
    made = Projection(np.zeros((2, width), dtype=np.float32), out, hidden=0)
    with torch.no_grad():
        made.mean.zero_()
        made.deviation.fill_(1)
        made.straight.weight.copy_(torch.eye(out, width))
        made.straight.bias.zero_()
    return Span.of(made)


VECTORS = np.eye(4, dtype=np.float32)
SHOTS = shots_of([0, 0, 2, 2, 2], [False, False, False, True, True], VECTORS[[0, 1, 2, 0, 3]], 4)
WORDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)


def test_pictures_and_frames_are_averaged_each_for_itself():
    modes, known = modes_of(WORDS, SHOTS), glimpses(SHOTS)
    assert known.shape == (5, 28)
    np.testing.assert_array_equal(modes.seen, [[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]])
    np.testing.assert_allclose(modes.picture[0], known[:2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(modes.picture[2], known[2], atol=1e-6)
    np.testing.assert_allclose(modes.video[2], known[3:].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(modes.picture[[1, 3]], 0)
    np.testing.assert_array_equal(modes.video[[0, 1, 3]], 0)
    assert modes.text is WORDS
    for values in (modes.picture, modes.video, modes.seen):
        assert values.dtype == np.float32


def test_frames_that_agree_with_the_words_count_more():
    even = modes_of(WORDS, SHOTS).video[2]
    asked = modes_of(WORDS, SHOTS, (straight(4, 4), straight(28, 4))).video[2]
    assert asked[0] > 0.99 > even[0]
    assert asked[3] < 0.01 < even[3]
    np.testing.assert_allclose(asked[4:], even[4:], atol=1e-6)
    np.testing.assert_allclose(asked[:4].sum(), 1, atol=1e-5)


def test_without_words_frames_count_alike():
    silent = np.zeros_like(WORDS)
    with_bridge = modes_of(silent, SHOTS, (straight(4, 4), straight(28, 4)))
    np.testing.assert_allclose(with_bridge.video, modes_of(silent, SHOTS).video, atol=1e-6)
    np.testing.assert_array_equal(with_bridge.seen[:, 0], 0)


def test_nothing_seen_is_nothing_known():
    empty = shots_of([], [], np.zeros((0, 4)), 4)
    for bridge in (None, (straight(4, 4), straight(28, 4))):
        modes = modes_of(WORDS, empty, bridge)
        assert modes.picture.shape == modes.video.shape == (4, 28)
        np.testing.assert_array_equal(modes.seen, [[1, 0, 0]] * 3 + [[0, 0, 0]])


def test_some_items_and_some_modes_are_chosen():
    modes = modes_of(WORDS, SHOTS)
    assert len(modes) == 4
    some = modes.at(np.array([2, 0]))
    np.testing.assert_array_equal(some.seen, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(some.video[0], modes.video[2])
    words, rest = modes.only(0), modes.only(1, 2)
    np.testing.assert_array_equal(words.seen[:, 1:], 0)
    np.testing.assert_array_equal(words.seen + rest.seen, modes.seen)
    assert isinstance(rest, Modes)
