"""What goes wrong when a shop learns: a full disk, texts beyond the model, languages that mix."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.models.bundle import save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.choice import encoder_name
from shopkeeper.recipes.method import Method
from shopkeeper.recipes.texts.classify import learn
from shopkeeper.recipes.texts.labelled_texts import Texts, languages
from shopkeeper.settings import Settings
from shopkeeper.training.checkpoints import Checkpoint
from shopkeeper.training.texts import tokenise, tokenise_pairs


@contextmanager
def no_file_above(size):
    """The kernel refuses to write more than so many bytes into one file, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 300, 4_000])
def test_a_full_disk_leaves_no_half_of_a_bundle(tmp_path, size):
    arrays = {"big": np.zeros(10_000, dtype=np.float32)}
    for parts in ({"arrays": arrays}, {"backbone": tiny_bert(), "onnx": False}):
        with no_file_above(size), pytest.raises(ModelError, match=r"cannot be written.*Check the disk"):
            save_bundle(tmp_path / "new", Card(task="full"), **parts)
        assert list(tmp_path.iterdir()) == []
    save_bundle(tmp_path / "new", Card(task="full"), arrays=arrays)


def test_a_full_disk_keeps_the_state_before(tmp_path):
    kept = Checkpoint(tmp_path / "run")
    kept.write({"a": torch.ones(3)}, {"run": "one"})
    with no_file_above(100), pytest.raises(TrainingError, match="Make room"):
        kept.write({"a": torch.zeros(3_000)}, {"run": "one"})
    found = kept.read("one")
    assert found is not None
    assert found[0]["a"].tolist() == [1, 1, 1]
    assert [place.name for place in kept.folder.iterdir()] == ["state"]


@pytest.mark.parametrize("body", [tiny_bert, tiny_gpt])
def test_texts_beyond_what_the_model_takes_are_cut(body, tmp_path):
    base = body()
    most = base.max_length
    long = " ".join(["shoe"] * (3 * most))
    assert tokenise(base, [long, "cup"], "query", 10 * most).lengths.max() == most
    assert tokenise_pairs(base, [long], [long], 10 * most).lengths.max() == most
    texts = Texts([f"{word} {n} {long}" for n in range(8) for word in ("red", "blue")], ["warm", "cold"] * 8)
    method = Method(open_layers=None, epochs=1, batch=8, tokens=10 * most, bfloat16=False)
    taught = learn(texts, base, Settings(home=tmp_path), method=method, minutes=1)
    assert taught.scorer().probabilities([long]).shape == (1, 2)


def test_one_chinese_text_is_enough_for_a_backbone_that_reads_both():
    models = Settings().models
    assert encoder_name(models, languages(["good shoes", "bad"])) == "minilm"
    assert encoder_name(models, languages(["good shoes", "质量很好"])) == "e5-small"
    assert encoder_name(models, languages(["good 质量 shoes"])) == "e5-small"


def test_repeats_of_two_texts_cannot_be_parted(tmp_path):
    with pytest.raises(TrainingError, match="2 different ones"):
        learn(Texts(["warm", "cold"] * 10, ["yes", "no"] * 10), tiny_bert(), Settings(home=tmp_path), minutes=1)
