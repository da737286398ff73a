from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from shopkeeper.errors import ModelError
from shopkeeper.models.backbone import pool
from shopkeeper.models.backbones import Backbone, load_backbone, read_backbone
from shopkeeper.models.choice import encoder_name
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.settings import ModelSettings, Settings

OFFLINE = Settings()


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_pooling_by_hand(pooling: str) -> None:
    hidden = torch.arange(2 * 4 * 2, dtype=torch.float32).reshape(2, 4, 2)
    mask = torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]])
    expected = {
        "mean": [[2.0, 3.0], [12.0, 13.0]],
        "cls": [[0.0, 1.0], [10.0, 11.0]],
        "last": [[4.0, 5.0], [14.0, 15.0]],
    }[pooling]
    assert pool(hidden, mask, pooling).tolist() == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_row_without_tokens_is_finite(pooling: str) -> None:
    assert torch.isfinite(pool(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.int64), pooling)).all()  # type: ignore[arg-type]


def test_padding_side_does_not_matter(tiny: Backbone) -> None:
    ids = torch.tensor([[5, 6, 7]])
    right, left = torch.tensor([[5, 6, 7, 0, 0]]), torch.tensor([[0, 0, 5, 6, 7]])
    with torch.inference_mode():
        alone = tiny.vectors(ids, torch.ones_like(ids))
        padded = tiny.vectors(right, torch.tensor([[1, 1, 1, 0, 0]]))
        torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-5)
        if tiny.causal:
            shifted = tiny.vectors(left, torch.tensor([[0, 0, 1, 1, 1]]))
            torch.testing.assert_close(shifted, alone, atol=1e-5, rtol=1e-5)


def test_saved_and_read_again(tiny: Backbone, tmp_path: Path) -> None:
    tiny.save(tmp_path / "model")
    again = load_backbone(str(tmp_path / "model"), OFFLINE)
    assert (again.name, again.pooling, again.max_length) == (tiny.name, tiny.pooling, tiny.max_length)
    assert dict(again.prefixes) == dict(tiny.prefixes)
    texts = ["red shoe", "", "蓝 杯"]
    np.testing.assert_allclose(TorchEncoder(again).encode(texts), TorchEncoder(tiny).encode(texts), atol=1e-6)


def test_a_plain_folder_gets_its_pooling_from_the_architecture(tiny: Backbone, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    (tmp_path / "backbone.json").unlink()
    assert read_backbone(tmp_path).pooling == tiny.pooling


def test_training_mode_is_left_as_it_was(tiny: Backbone) -> None:
    tiny.model.train()
    TorchEncoder(tiny).encode(["red"])
    assert tiny.model.training


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"en": 5}, "minilm"),
        ({}, "minilm"),
        ({"en-GB": 5, "": 2}, "minilm"),
        ({"en": 5, "zh": 1}, "e5-small"),
        ({"zh-CN": 4}, "e5-small"),
    ],
)
def test_choice_by_language(counts: dict[str, int], expected: str) -> None:
    assert encoder_name(ModelSettings(), counts) == expected
    assert encoder_name(ModelSettings(encoder="minilm"), counts) == "minilm"


def test_offline_says_how_to_allow_downloads(tmp_path: Path) -> None:
    settings = Settings(models=ModelSettings(cache=str(tmp_path)))
    with pytest.raises(ModelError, match=r"models\.offline = false"):
        load_backbone("nobody/nothing", settings)


@pytest.mark.parametrize("name", ["auto", "use-multilingual", "", "no/such/folder/here", "../x", "a b"])
def test_names_that_are_no_model(name: str) -> None:
    with pytest.raises(ModelError):
        load_backbone(name, OFFLINE)


def test_broken_folders(tiny: Backbone, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load_backbone(str(tmp_path), OFFLINE)
    tiny.save(tmp_path)
    about = tmp_path / "backbone.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"pooling": "sum"}))
    with pytest.raises(ModelError, match="pooling"):
        read_backbone(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        read_backbone(tmp_path)


def test_minilm_knows_english() -> None:
    backbone = load_backbone("minilm", OFFLINE)
    assert (backbone.dimension, backbone.pooling, backbone.licence) == (384, "mean", "Apache-2.0")
    shoe, sneaker, kettle = TorchEncoder(backbone).encode(["running shoes", "sneakers for jogging", "electric kettle"])
    assert shoe @ sneaker > shoe @ kettle + 0.2


def test_serving_needs_no_torch() -> None:
    code = "import sys, shopkeeper.models.bundle, shopkeeper.models.onnx, shopkeeper.models.registry; "
    code += "assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
