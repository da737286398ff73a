"""Adapters learn alone, travel alone, and leave the base as it was."""

from __future__ import annotations

import copy
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tinymodels import tiny_bert, tiny_gpt
from transformers import LlamaConfig, LlamaModel, RobertaConfig, RobertaModel

from shopkeeper.errors import ExtraMissingError, InputError, ModelError
from shopkeeper.models.adapters import (
    AdaLora,
    Bottleneck,
    Ia3,
    Lora,
    Prefix,
    Prompt,
    activate,
    adapt,
    adapter_named,
    load_delta,
    merge,
    name_of,
    remove,
    save_delta,
    using,
)
from shopkeeper.models.adapters.base import fingerprint, owner
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.bundle import Bundle, Card, save_bundle
from shopkeeper.models.encoders import TorchEncoder
from shopkeeper.models.heads import Classifier

KINDS = [Lora(4), Lora(4, dora=True), AdaLora(2, 4), Ia3(), Prefix(5), Prompt(5), Bottleneck(8)]
FOLDABLE, OTHERS = KINDS[:4], KINDS[4:]
TEXTS = ["red shoe", "", "a warm blue cup x y z", "鞋", "red red red shirt a b c d e"]
kinds = pytest.mark.parametrize("kind", KINDS, ids=name_of)


def vectors(backbone: Backbone) -> np.ndarray:
    return TorchEncoder(backbone).encode(TEXTS)


def stirred(backbone: Backbone, seed: int = 1) -> None:
    """As if it had been trained: the learning parameters are moved."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def adapted(make, kind, name="default", seed=1) -> Backbone:
    backbone = make()
    adapt(backbone, kind, name)
    stirred(backbone, seed)
    return backbone


@kinds
def test_only_the_adapter_gets_a_gradient(tiny: Backbone, kind):
    plain = dict(tiny.model.named_parameters())
    adapt(tiny, kind)
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    tiny.vectors(ids, torch.ones_like(ids)).square().sum().backward()
    learning = {name for name, p in tiny.model.named_parameters() if p.requires_grad}
    assert learning
    assert all(owner(name) == "default" for name in learning)
    assert all(p.grad is not None for name, p in tiny.model.named_parameters() if name in learning)
    assert all(p.grad is None for p in plain.values())
    assert tiny.model.device.type == "cpu"
    assert tiny.dimension == 32


@pytest.mark.parametrize("kind", [*FOLDABLE, Bottleneck(8)], ids=name_of)
def test_it_begins_as_the_base(tiny: Backbone, kind):
    before = vectors(tiny)
    adapt(tiny, kind)
    np.testing.assert_allclose(vectors(tiny), before, atol=2e-6)


@kinds
def test_neither_padding_nor_neighbours_matter(tiny: Backbone, kind):
    adapt(tiny, kind)
    stirred(tiny)
    together, alone = vectors(tiny), np.concatenate([TorchEncoder(tiny).encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    ids = torch.tensor([[0, 0, 5, 6, 7]])
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    if tiny.causal:  # left padding
        left, plain = tiny.vectors(ids, mask), tiny.vectors(ids[:, 2:], mask[:, 2:])
        torch.testing.assert_close(left, plain, atol=2e-5, rtol=1e-4)


@kinds
def test_pairs_keep_their_types(kind):
    backbone = adapted(tiny_bert, kind)
    ids = torch.tensor([[2, 5, 3, 6, 3]])
    mask, types = torch.ones_like(ids), torch.tensor([[0, 0, 0, 1, 1]])
    with_types, without = backbone.vectors(ids, mask, types), backbone.vectors(ids, mask)
    assert not torch.allclose(with_types, without, atol=1e-4)


@kinds
def test_switching_off_gives_the_base_bit_by_bit(tiny: Backbone, kind):
    before = vectors(tiny)
    adapt(tiny, kind)
    stirred(tiny)
    assert np.abs(vectors(tiny) - before).max() > 0.01
    activate(tiny, None)
    np.testing.assert_array_equal(vectors(tiny), before)
    assert not any(p.requires_grad for p in tiny.model.parameters())


@kinds
def test_two_adapters_on_one_base(tiny: Backbone, kind):
    make = tiny_gpt if tiny.causal else tiny_bert
    base = vectors(tiny)
    alone = {name: vectors(adapted(make, kind, seed=seed)) for name, seed in (("one", 1), ("two", 2))}
    for name, seed in (("one", 1), ("two", 2)):
        adapt(tiny, kind, name)
        assert {owner(n) for n, p in tiny.model.named_parameters() if p.requires_grad} == {name}
        stirred(tiny, seed)
    for name, expected in alone.items():
        activate(tiny, name)
        np.testing.assert_allclose(vectors(tiny), expected, atol=1e-6)
    remove(tiny, "two")
    np.testing.assert_array_equal(vectors(tiny), base)
    activate(tiny, "one")
    np.testing.assert_allclose(vectors(tiny), alone["one"], atol=1e-6)
    remove(tiny, "one")
    assert tiny.adapters is None
    assert set(dict(tiny.model.named_modules())) == set(dict(make().model.named_modules()))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.model.modules())
    np.testing.assert_array_equal(vectors(tiny), base)


def test_threads_that_ask_for_different_adapters_do_not_meet(tiny: Backbone):
    for seed, (name, kind) in enumerate({"one": Lora(2), "two": Lora(4), "three": Bottleneck(4)}.items()):
        adapt(tiny, kind, name)
        stirred(tiny, seed)
    activate(tiny, "one")
    expected = {}
    for name in ("one", "two", "three", None):
        with using(tiny, name):
            expected[name] = vectors(tiny)
    assert tiny.adapters.active == "one"
    wrong: list[object] = []

    def ask(name: str | None) -> None:
        for _ in range(8):
            with using(tiny, name):
                if not np.array_equal(vectors(tiny), expected[name]):
                    wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert tiny.adapters.active == "one"


@pytest.mark.parametrize("kind", FOLDABLE, ids=name_of)
def test_folded_in_the_vectors_are_the_same(tiny: Backbone, kind):
    adapt(tiny, kind)
    stirred(tiny)
    before = vectors(tiny)
    merge(tiny)
    np.testing.assert_allclose(vectors(tiny), before, atol=1e-4)
    make = tiny_gpt if tiny.causal else tiny_bert
    assert {n: p.shape for n, p in tiny.model.named_parameters()} == {
        n: p.shape for n, p in make().model.named_parameters()
    }
    assert all(p.requires_grad for p in tiny.model.parameters())
    assert tiny.adapters is None
    with pytest.raises(ModelError, match="no adapter"):
        activate(tiny, "default")


@kinds
def test_the_delta_alone_brings_it_back(tiny: Backbone, kind, tmp_path: Path):
    adapt(tiny, kind, "mine")
    stirred(tiny)
    save_delta(tiny, tmp_path / "delta")
    assert {path.name for path in (tmp_path / "delta").iterdir()} == {"adapter.json", "adapter.safetensors"}
    other = (tiny_gpt if tiny.causal else tiny_bert)()
    load_delta(other, tmp_path / "delta", "yours")
    np.testing.assert_array_equal(vectors(other), vectors(tiny))
    assert other.adapters.kinds == {"yours": kind}
    assert {owner(n) for n, p in other.model.named_parameters() if p.requires_grad} == {"yours"}


def test_another_base_is_refused(tmp_path: Path):
    save_delta(adapted(tiny_bert, Lora(2)), tmp_path / "delta")
    stranger = tiny_bert(seed=5)
    with pytest.raises(ModelError, match=r"trained on other weights .* Load the base"):
        load_delta(stranger, tmp_path / "delta")
    assert stranger.adapters is None
    with pytest.raises(ModelError, match="trained on other weights"):
        load_delta(tiny_gpt(), tmp_path / "delta")
    folded = adapted(tiny_bert, Lora(2))
    merge(folded)
    with pytest.raises(ModelError, match="trained on other weights"):
        load_delta(folded, tmp_path / "delta")


def test_a_base_that_was_trained_too_is_not_saved_as_a_delta(tmp_path: Path):
    backbone = adapted(tiny_bert, Lora(2))
    with torch.no_grad():
        backbone.model.embeddings.LayerNorm.bias.add_(1)
    with pytest.raises(ModelError, match="have changed since"):
        save_delta(backbone, tmp_path / "delta")
    assert list(tmp_path.iterdir()) == []


def _break(folder: Path, edit) -> None:
    path = folder / "adapter.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


DAMAGE = {
    "description missing": (lambda f: (f / "adapter.json").unlink(), "adapter.json is missing"),
    "not json": (lambda f: (f / "adapter.json").write_text("{"), "description cannot be read"),
    "keys missing": (lambda f: (f / "adapter.json").write_text("{}"), "description cannot be read"),
    "later format": (lambda f: _break(f, lambda c: c | {"format": 9}), "format 9"),
    "unknown kind": (lambda f: _break(f, lambda c: c | {"kind": "Magic"}), "no adapter of kind 'Magic'"),
    "odd values": (lambda f: _break(f, lambda c: c | {"values": {"x": 1}}), "cannot be made of that"),
    "other sizes": (lambda f: _break(f, lambda c: c | {"values": {"rank": 3}}), "do not fit"),
    "weights missing": (lambda f: (f / "adapter.safetensors").unlink(), "weights cannot be read"),
    "weights damaged": (lambda f: (f / "adapter.safetensors").write_bytes(b"x" * 40), "weights cannot be read"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_delta_is_refused_and_leaves_the_backbone_alone(tmp_path: Path, how: str):
    save_delta(adapted(tiny_bert, Lora(2)), tmp_path / "delta")
    damage, message = DAMAGE[how]
    damage(tmp_path / "delta")
    backbone = adapted(tiny_bert, Lora(4), "kept")
    before = vectors(backbone)
    with pytest.raises(ModelError, match=message):
        load_delta(backbone, tmp_path / "delta")
    np.testing.assert_array_equal(vectors(backbone), before)
    assert list(backbone.adapters.kinds) == ["kept"]


@kinds
def test_a_copy_is_its_own(tiny: Backbone, kind):
    adapt(tiny, kind)
    stirred(tiny)
    before = vectors(tiny)
    twin = copy.deepcopy(tiny)
    stirred(twin)
    assert np.abs(vectors(twin) - before).max() > 1e-3
    activate(twin, None)
    np.testing.assert_array_equal(vectors(tiny), before)


def test_other_architectures():
    sizes = {"vocab_size": 30, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    llama = LlamaModel(LlamaConfig(**sizes, intermediate_size=64, num_key_value_heads=2, max_position_embeddings=64))
    roberta = RobertaModel(RobertaConfig(**sizes, intermediate_size=64, max_position_embeddings=66, pad_token_id=1))
    for model, tokenizer, pooling in ((llama, tiny_gpt().tokenizer, "last"), (roberta, tiny_bert().tokenizer, "mean")):
        for kind in KINDS:
            backbone = Backbone("other", copy.deepcopy(model).eval(), tokenizer, pooling, {}, 32)
            base = vectors(backbone)
            adapt(backbone, kind)
            stirred(backbone)
            moved = vectors(backbone)
            assert np.abs(moved - base).max() > 1e-3, kind
            np.testing.assert_allclose(TorchEncoder(backbone).encode(TEXTS[2:3])[0], moved[2], atol=2e-5)
            activate(backbone, None)
            np.testing.assert_array_equal(vectors(backbone), base)


@kinds
def test_a_bundle_holds_the_delta_and_serves_a_graph(tiny: Backbone, kind, tmp_path: Path):
    tiny.save(tmp_path / "base")
    tiny.max_length = 12
    adapt(tiny, kind)
    stirred(tiny)
    classifier = Classifier(tiny, classes=3)
    before = vectors(tiny)
    onnx = kind in ((KINDS[4],) if tiny.causal else (KINDS[0],))  # a graph takes seconds
    made = save_bundle(
        tmp_path / "bundle", Card(task="topic"), classifier=classifier, delta_of=str(tmp_path / "base"), onnx=onnx
    )
    bundle = Bundle.open(made.folder)
    assert not (made.folder / "backbone").exists()
    assert bundle.card.base == str(tmp_path / "base")
    assert bundle.backbone().max_length == 12
    np.testing.assert_allclose(TorchEncoder(bundle.backbone()).encode(TEXTS), before, atol=1e-6)
    scores = bundle.scorer("torch").probabilities(TEXTS)
    if onnx:
        np.testing.assert_allclose(bundle.scorer().probabilities(TEXTS), scores, atol=0.05)
    np.testing.assert_array_equal(vectors(tiny), before)
    assert tiny.adapters.active == "default"


def test_a_whole_model_is_not_saved_with_adapters_in_it(tmp_path: Path):
    backbone = adapted(tiny_bert, Lora(2))
    with pytest.raises(ModelError, match=r"carries adapters \(default\).*merge"):
        save_bundle(tmp_path / "bundle", Card(task="topic"), backbone=backbone)
    assert list(tmp_path.iterdir()) == []
    merge(backbone)
    bundle = save_bundle(tmp_path / "bundle", Card(task="topic"), backbone=backbone, onnx=False)
    np.testing.assert_allclose(bundle.encoder().encode(TEXTS), vectors(backbone), atol=1e-6)


@pytest.mark.parametrize("kind", OTHERS, ids=name_of)
def test_what_is_no_change_of_weights_cannot_be_folded_in(kind):
    backbone = adapted(tiny_bert, kind)
    before = vectors(backbone)
    with pytest.raises(ModelError, match="nothing to fold in"):
        merge(backbone)
    np.testing.assert_array_equal(vectors(backbone), before)


def test_misuse_is_named():
    backbone = tiny_bert()
    with pytest.raises(ModelError, match="rank is 0"):
        adapt(backbone, Lora(0))
    with pytest.raises(ModelError, match="cannot be an adapter's name"):
        adapt(backbone, Lora(), "a.b")
    with pytest.raises(ModelError, match="no adapter"):
        activate(backbone, None)
    assert backbone.adapters is None
    adapt(backbone, Lora(2), "one")
    with pytest.raises(ModelError, match="already"):
        adapt(backbone, Lora(2), "one")
    with pytest.raises(ModelError, match="another kind already"):
        adapt(backbone, Ia3(), "two")
    with pytest.raises(ModelError, match="there are: one"):
        activate(backbone, "two")
    assert backbone.adapters.active == "one"
    assert any(p.requires_grad for p in backbone.model.parameters())


def test_a_missing_library_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    backbone = tiny_bert()
    with pytest.raises(ExtraMissingError, match=re.escape("pip install 'shopkeeper[learning]'")):
        adapt(backbone, Lora())
    assert backbone.adapters is None
    adapt(backbone, Bottleneck(4))


def test_same_seed_same_start_and_the_callers_randomness_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    states = []
    for seed in (0, 0, 1):
        backbone = tiny_bert()
        torch.manual_seed(3)
        adapt(backbone, Lora(4), seed=seed)
        assert torch.equal(torch.rand(2), expected)
        states.append(torch.cat([p.flatten() for p in backbone.model.parameters() if p.requires_grad]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_fingerprint_is_of_the_base_alone():
    backbone = tiny_bert()
    before = fingerprint(backbone.model)
    for number, kind in enumerate([Lora(4), Lora(2, dora=True), Bottleneck(4), Prefix(3)]):
        adapt(backbone, kind, f"n{number}")
        stirred(backbone)
        assert fingerprint(backbone.model) == before
    assert fingerprint(tiny_bert(seed=1).model) != before


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("lora", Lora()),
        ("lora:16", Lora(16, 32.0)),
        ("DoRA", Lora(dora=True)),
        ("adalora", AdaLora()),
        ("adalora:4", AdaLora(4, 6, 8.0)),
        (" ia3 ", Ia3()),
        ("prefix:20", Prefix(20)),
        ("prompt:7", Prompt(7)),
        ("bottleneck:64", Bottleneck(64)),
        ("none", None),
    ],
)
def test_names_at_the_edge(text, kind):
    assert adapter_named(text) == kind
    if kind is not None:
        assert adapter_named(name_of(kind)) == kind


@given(st.text(max_size=12) | st.from_regex(r"\A(lora|ia3|prompt|none):?[-0-9a-z]{0,3}\Z"))
def test_any_other_name_is_an_input_error(text):
    if re.fullmatch(r"(lora|dora|adalora|prefix|prompt|bottleneck)(:[1-9][0-9]{0,4})?|ia3|none", text.strip().lower()):
        kind = adapter_named(text)
        assert kind is None or adapter_named(name_of(kind)) == kind
    else:
        with pytest.raises(InputError, match="bottleneck:64"):
            adapter_named(text)
