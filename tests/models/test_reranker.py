"""Cross-encoders: the exported graph and the folder of a model hub say the same, in time and out of it."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert
from transformers import BertForSequenceClassification

from shopkeeper.errors import ModelError
from shopkeeper.models.reranker import OnnxReranker, TorchReranker, load_reranker
from shopkeeper.settings import ModelSettings

TEXTS = ["red shoe", "blue cup warm", "红 鞋"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cross")
    backbone = tiny_bert()
    torch.manual_seed(1)
    model = BertForSequenceClassification(_with_one_label(backbone.model.config)).eval()
    model.save_pretrained(folder)
    backbone.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def graph(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("graph")
    model = BertForSequenceClassification.from_pretrained(folder).eval()

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor):
            return self.model(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits

    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    row = torch.ones(2, 7, dtype=torch.long)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own libraries
        torch.onnx.export(
            Logits().eval(),
            (row, torch.ones_like(row), torch.zeros_like(row)),
            target / "model.onnx",
            input_names=names,
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(names, sizes),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    return target


def _with_one_label(config):
    config.num_labels = 1
    return config


def test_graph_and_folder_say_the_same(folder: Path, graph: Path):
    one, other = TorchReranker(str(folder), offline=True), OnnxReranker(graph)
    np.testing.assert_allclose(one.score("red shoe", TEXTS), other.score("red shoe", TEXTS), atol=1e-4)
    assert one.score("red shoe", TEXTS).dtype == np.float32


def test_what_the_time_does_not_reach_is_left_out(graph: Path):
    model = OnnxReranker(graph)
    assert len(model.score("red", TEXTS, time.perf_counter() - 1)) == 0
    assert len(model.score("red", TEXTS * 3, time.perf_counter() + 60)) == 9
    assert len(model.score("red", [])) == 0


def test_a_text_scores_the_same_whatever_stands_beside_it(graph: Path):
    model = OnnxReranker(graph)
    assert model.score("red", TEXTS)[1] == model.score("red", TEXTS[1:2])[0]


def test_settings_choose_it(folder: Path, graph: Path, tmp_path: Path):
    assert load_reranker(ModelSettings()) is None
    assert isinstance(load_reranker(ModelSettings(reranker=str(graph))), OnnxReranker)
    assert isinstance(load_reranker(ModelSettings(reranker=str(folder))), TorchReranker)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_reranker(ModelSettings(reranker=str(tmp_path / "nothing")))
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be opened"):
        load_reranker(ModelSettings(reranker=str(tmp_path)))
