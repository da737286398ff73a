import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from shopkeeper.errors import TrainingError
from shopkeeper.training.freezing import layer_count, open_top, trainable_share
from shopkeeper.training.optimisers import parameter_groups, warm_cosine, warm_linear


def bert():
    return BertModel(
        BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32)
    )


def names(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


def test_bert_top_layers():
    model = bert()
    open_top(model, 1)
    assert {name.split(".")[2] for name in names(model) if name.startswith("encoder")} == {"3"}
    assert not any(name.startswith("embeddings") for name in names(model))
    assert layer_count(model) == 4


def test_gpt_top_layers_and_final_norm():
    model = GPT2Model(GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=3, n_head=2))
    open_top(model, 2)
    assert {name.split(".")[1] for name in names(model) if name.startswith("h.")} == {"1", "2"}
    assert "ln_f.weight" in names(model)
    assert not any(name.startswith("wte") for name in names(model))


def test_head_only_and_all():
    model = bert()
    assert open_top(model, 0) == 0
    assert trainable_share(model) == 0
    assert open_top(model, None) == sum(p.numel() for p in model.parameters())
    assert trainable_share(model) == 1


def test_too_many_layers_or_none_to_choose_from():
    with pytest.raises(TrainingError, match="Cannot open 9 layers of a body that has 4"):
        open_top(bert(), 9)
    with pytest.raises(TrainingError, match="no stack of layers"):
        open_top(nn.Linear(2, 2), 1)


def test_vectors_are_not_decayed_and_the_longest_prefix_wins():
    model = nn.ModuleDict({"body": nn.Linear(3, 3), "head": nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))})
    groups = parameter_groups(model, 0.1, 0.01, {"head": 10, "head.1": 2})
    found = {(g["lr"], g["weight_decay"]): len(g["params"]) for g in groups}
    assert found == {(0.1, 0.01): 1, (0.1, 0.0): 1, (1.0, 0.01): 1, (1.0, 0.0): 1, (0.2, 0.0): 2}


def test_schedules_rise_then_fall_to_zero():
    for schedule in (warm_linear, warm_cosine):
        values = [schedule(over) for over in torch.linspace(0, 1, 101).tolist()]
        top = values.index(max(values))
        assert 0 < values[0] < 0.05
        assert values[top] == pytest.approx(1, abs=0.01)
        assert values[-1] == pytest.approx(0, abs=1e-9)
        assert values[: top + 1] == sorted(values[: top + 1])
        assert values[top:] == sorted(values[top:], reverse=True)
