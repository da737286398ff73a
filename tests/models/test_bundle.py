from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier, TorchScorer

A, B = ["red shoe", "", "blue cup"], ["a warm cup", "x y", "红 杯"]


@pytest.fixture
def plain(tmp_path: Path) -> Bundle:
    return save_bundle(
        tmp_path / "plain",
        Card(task="blend", seed=3, before={"test": {"ndcg": 0.5}}, after={"test": {"ndcg": 0.75}}),
        arrays={"weights": np.arange(6, dtype=np.float32).reshape(2, 3)},
        parameters={"cut": 0.25, "words": ["红", "red"]},
    )


def test_values_come_back(plain: Bundle) -> None:
    again = Bundle.open(plain.folder)
    assert again.card == plain.card
    assert again.card.capabilities == ("arrays",)
    assert again.parameters == {"cut": 0.25, "words": ["红", "red"]}
    np.testing.assert_array_equal(again.arrays()["weights"], [[0, 1, 2], [3, 4, 5]])
    assert "| test ndcg | 0.5000 | 0.7500 |" in (plain.folder / "card.md").read_text(encoding="utf-8")


def test_encoder_agrees_with_torch(encoder_bundle: Bundle) -> None:
    assert encoder_bundle.card.base == "tiny-bert"
    texts = A + B
    ours = encoder_bundle.encoder().encode(texts, side="query")
    torches = encoder_bundle.encoder("torch").encode(texts, side="query")
    np.testing.assert_allclose(torches, TorchEncoder(tiny_bert()).encode(texts, side="query"), atol=1e-5)
    assert np.sum(ours * torches, axis=1).min() > 0.98
    about = json.loads((encoder_bundle.folder / "encoder" / "graph.json").read_text())
    assert about["agreement"]["mean"] >= 0.98


def test_scorer_agrees_with_torch(scorer_bundle: Bundle) -> None:
    classifier = scorer_bundle.classifier()
    torches = TorchScorer(classifier).score(A, B)
    ours = scorer_bundle.scorer().score(A, B)
    assert ours.shape == (3,)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, torches, atol=0.05)
    np.testing.assert_allclose(scorer_bundle.scorer().probabilities(A).sum(axis=1), 1.0, atol=1e-5)
    assert scorer_bundle.scorer().score([]).shape == (0,)


def test_a_classifier_can_be_trained_further(scorer_bundle: Bundle) -> None:
    classifier = scorer_bundle.classifier().train()
    ids = torch.tensor([[2, 5, 3], [2, 6, 3]])
    loss = torch.nn.functional.cross_entropy(classifier(ids, torch.ones_like(ids)), torch.tensor([0, 1]))
    loss.backward()
    assert all(p.grad is not None for name, p in classifier.named_parameters() if "linear" in name)
    assert classifier.model.embeddings.word_embeddings.weight.grad is not None


def test_a_causal_classifier_scores_pairs() -> None:
    scores = TorchScorer(Classifier(tiny_gpt(), classes=3)).probabilities(A, B)
    assert scores.shape == (3, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_missing_capabilities_are_named(plain: Bundle, encoder_bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="offers arrays"):
        plain.encoder()
    with pytest.raises(ModelError, match="no classifier"):
        encoder_bundle.scorer()


def test_nothing_is_overwritten_or_left_half_done(plain: Bundle) -> None:
    with pytest.raises(ModelError, match="exists already"):
        save_bundle(plain.folder, Card(task="blend"))
    with pytest.raises(ModelError, match="cannot be written"):
        save_bundle(plain.folder.with_name("bad"), Card(task="blend"), parameters={"x": float("nan")})
    with pytest.raises(ModelError, match="safetensors cannot"):
        save_bundle(plain.folder.with_name("bad"), Card(task="blend"), arrays={"o": np.array(["text"])})
    assert [path.name for path in plain.folder.parent.iterdir()] == ["plain"]


def _truncate(folder: Path) -> None:
    path = folder / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def _change(folder: Path) -> None:
    path = folder / "arrays.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _seal(folder: Path, edit: dict[str, object]) -> None:
    path = folder / "checksums.json"
    content = json.loads(path.read_text())
    content["files"] |= edit
    path.write_text(json.dumps(content))


DAMAGE = {
    "truncated": (_truncate, "bytes instead of"),
    "changed": (_change, "has changed"),
    "missing": (lambda f: (f / "parameters.json").unlink(), "missing"),
    "foreign": (lambda f: (f / "model.pkl").write_bytes(b"x"), "does not belong"),
    "link": (lambda f: (f / "link.json").symlink_to("/etc/passwd"), "links"),
    "no seal": (lambda f: (f / "checksums.json").unlink(), "not a bundle"),
    "bad seal": (lambda f: (f / "checksums.json").write_text("{"), "cannot be read"),
    "other format": (lambda f: (f / "checksums.json").write_text('{"format": 99, "files": {}}'), "format 99"),
    "no card": (lambda f: (f / "checksums.json").write_text('{"format": 1, "files": {}}'), "no card"),
    "traversal": (lambda f: _seal(f, {"../../x.json": {"bytes": 1, "sha256": "0"}}), "not allowed"),
    "absolute": (lambda f: _seal(f, {"/etc/x.json": {"bytes": 1, "sha256": "0"}}), "not allowed"),
    "pickle": (lambda f: _seal(f, {"x.pkl": {"bytes": 1, "sha256": "0"}}), "not allowed"),
    "odd entry": (lambda f: _seal(f, {"card.json": 7}), "instead of None"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused(plain: Bundle, kind: str) -> None:
    damage, message = DAMAGE[kind]
    damage(plain.folder)
    with pytest.raises(ModelError, match=message):
        Bundle.open(plain.folder)


def test_a_folder_without_a_graph_is_served_by_torch(tmp_path: Path) -> None:
    bundle = save_bundle(tmp_path / "x", Card(task="relevance"), backbone=tiny_bert(), onnx=False)
    assert bundle.encoder().encode(["red"]).shape == (1, 32)
    shutil.rmtree(bundle.folder / "backbone")
    with pytest.raises(ModelError, match="missing"):
        Bundle.open(bundle.folder)


def test_cards_of_other_kinds() -> None:
    assert Card.from_json(Card(task="t", after={"x": float("nan")}).to_json()).after == {"x": None}
    for text in ("", "[]", "{}", '{"name": "no task"}', "7"):
        with pytest.raises(ModelError):
            Card.from_json(text)
