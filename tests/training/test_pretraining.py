"""A toy language with a known grammar: nine words, each followed by the next one, round and round."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

from shopkeeper.models.backbone import Backbone
from shopkeeper.models.lm_heads import Denoiser, LanguageModel, TiedDecoder
from shopkeeper.training.loop import FitSettings, fit
from shopkeeper.training.pretraining import (
    Vocabulary,
    causal,
    damaged,
    find_each_other,
    guess,
    masked,
    mean_loss,
    paired,
    twice,
)
from shopkeeper.training.texts import TokenRows, tokenise

WORDS = list("abcdefghi")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MASK = 4
FAST = FitSettings(epochs=40, rate=5e-3, weight_decay=0.0, bfloat16=False, patience=99)


def words_of(template):
    vocabulary = {word: place for place, word in enumerate(SPECIALS + WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if template:
        words.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")


def bert(dropout=0.0):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=14,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.2,
    )
    return Backbone("toy", BertModel(config, add_pooling_layer=False).eval(), words_of(True), "mean", {}, 32)


def gpt():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=14, n_embd=32, n_layer=1, n_head=2, n_positions=32, initializer_range=0.2)
    return Backbone("toy", GPT2Model(config).eval(), words_of(False), "last", {}, 32)


def sentences(count=192, seed=0, step=1):
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(9, size=count), rng.integers(5, 10, size=count)
    pairs = zip(starts, lengths, strict=True)
    return [" ".join(WORDS[(start + step * at) % 9] for at in range(length)) for start, length in pairs]


def rows_of(backbone, texts):
    rows = tokenise(backbone, texts, "passage", 32)
    return rows, Vocabulary.of(rows, without=range(5))


def test_the_vocabulary_is_what_the_texts_hold_most_frequent_first():
    rows = TokenRows([[2, 7, 9, 7, 3], [2, 9, 7, 3]], [], 0)
    found = Vocabulary.of(rows, without=[2, 3])
    assert found.words.tolist() == [7, 9]
    assert found.counts.tolist() == [3, 2]
    assert found.place(torch.tensor([[7, 2, 40], [9, 9, 7]])).tolist() == [[0, -1, -1], [1, 1, 0]]
    assert Vocabulary.of(rows, most=1).words.tolist() == [7]


def test_hidden_words_are_a_share_of_the_words_never_special_and_drawn_anew():
    backbone = bert()
    rows, vocabulary = rows_of(backbone, sentences(2000))
    batches = masked(rows, 2000, vocabulary, MASK)
    rng = np.random.default_rng(0)
    (first,), (second,) = batches.epoch(rng), batches.epoch(rng)
    (again,) = batches.epoch(np.random.default_rng(0))
    assert torch.equal(first.inputs[0], again.inputs[0])
    assert not torch.equal(first.inputs[0], second.inputs[0])
    total = sum(len(row) - 2 for row in rows.ids)
    assert len(first.wanted) / total == pytest.approx(0.15, abs=0.01)
    shown = first.inputs[0].flatten()[first.at]
    kept = shown == vocabulary.words[first.wanted]
    assert (shown == MASK).float().mean() == pytest.approx(0.8, abs=0.03)
    assert kept.float().mean() == pytest.approx(0.1 + 0.1 / 9, abs=0.03)
    assert not ((shown < 4).any())
    assert (first.inputs[0] == MASK).sum() == (shown == MASK).sum()


def test_masked_words_are_learnt_and_the_grammar_fills_the_gap():
    backbone = bert()
    rows, vocabulary = rows_of(backbone, sentences())
    model = LanguageModel(backbone, vocabulary.words, vocabulary.counts)
    exam = list(masked(*rows_of_more(backbone, vocabulary), MASK).epoch(np.random.default_rng(5)))
    before = mean_loss(model, exam, guess)
    assert before == pytest.approx(np.log(9), abs=0.7)
    report = fit(
        model, masked(rows, 16, vocabulary, MASK), guess, FAST, validate=lambda: -mean_loss(model, exam, guess)
    )
    assert -report.best < 0.4 * before
    ids = torch.tensor([[2, 5, 6, MASK, 8, 9, 3]])
    logits = model(ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([3]))
    assert int(vocabulary.words[logits.argmax()]) == 7


def rows_of_more(backbone, vocabulary):
    return tokenise(backbone, sentences(96, seed=1), "passage", 32), 32, vocabulary


def test_next_words_are_learnt_by_a_causal_model():
    backbone = gpt()
    rows, vocabulary = rows_of(backbone, sentences())
    model = LanguageModel(backbone, vocabulary.words, vocabulary.counts)
    (batch,) = causal(TokenRows([[5, 6, 7], [8, 9]], [], 0), 2, vocabulary).epoch(np.random.default_rng(0))
    assert vocabulary.words[batch.wanted].tolist() in ([6, 7, 9], [9, 6, 7])
    fit(model, causal(rows, 16, vocabulary), guess, FAST)
    ids = torch.tensor([[5, 6, 7]])
    logits = model(ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([0, 1, 2]))
    assert vocabulary.words[logits.argmax(1)].tolist() == [6, 7, 8]


def test_logits_are_the_bodys_own_tied_head_at_the_start():
    backbone = gpt()
    words = torch.tensor([8, 5])
    model = LanguageModel(backbone, words, torch.ones(2))
    ids = torch.tensor([[5, 6]])
    hidden = backbone.model(ids)[0][0]
    expected = hidden @ backbone.model.get_input_embeddings().weight[words].T
    assert torch.allclose(model(ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([0, 1])), expected)


def test_the_table_is_shared_with_the_body_and_the_first_guess_is_the_unigram_one():
    backbone = bert()
    decoder = TiedDecoder(
        backbone.model.get_input_embeddings(), torch.tensor([5, 6]), torch.tensor([3.0, 1.0]), transform=True
    )
    assert len(list(decoder.parameters())) == 5
    assert torch.softmax(decoder.bias, 0).tolist() == pytest.approx([0.75, 0.25])
    decoder(torch.randn(3, 32)).sum().backward()
    assert backbone.model.get_input_embeddings().weight.grad[5].abs().sum() > 0


def test_a_damaged_text_is_rebuilt_from_its_vector():
    backbone = bert()
    texts = sentences(128, seed=2, step=1) + sentences(128, seed=3, step=2)
    rows, vocabulary = rows_of(backbone, texts)
    model = Denoiser(backbone, vocabulary.words, vocabulary.counts)
    batches = damaged(rows, 16, vocabulary, range(5), lost=0.4)
    (small,) = damaged(TokenRows([[2, 5, 6, 7, 8, 9, 3]], [], 0), 1, vocabulary, range(5), lost=0.6).epoch(
        np.random.default_rng(0)
    )
    assert small.inputs[0].shape == (1, 4)
    assert small.inputs[0][0, [0, -1]].tolist() == [2, 3]
    assert len(small.wanted) == 5
    exam = list(batches.epoch(np.random.default_rng(1)))
    before = mean_loss(model.eval(), exam, guess)
    fit(model, batches, guess, FitSettings(epochs=4, rate=5e-3, bfloat16=False))
    assert mean_loss(model, exam, guess) < 0.6 * before


def test_looks_at_one_text_find_each_other_and_different_texts_move_apart():
    backbone = bert(dropout=0.1)
    texts = sorted(set(sentences(200)))
    rows, _ = rows_of(backbone, texts)
    loss = find_each_other(backbone)

    def crowding():
        with torch.no_grad():
            vectors = backbone.unit_vectors(*rows.batch(range(len(texts))))
        return float((vectors @ vectors.T).mean())

    before = crowding()
    report = fit(backbone.model, twice(rows, 16), loss, FitSettings(epochs=20, rate=2e-3, bfloat16=False))
    assert np.mean(report.losses[-9:]) < 0.8 * np.mean(report.losses[:9])
    assert crowding() < before - 0.1


def test_pairs_travel_together_and_keys_never_meet():
    first, second = (TokenRows([[base + n] for n in range(6)], [], 0) for base in (10, 20))
    batches = paired(first, second, 3, keys=[["x"], ["x"], ["y"], ["y"], ["z"], ["w"]])
    seen = []
    for batch in batches.epoch(np.random.default_rng(0)):
        assert (batch.first[0] + 10).tolist() == batch.second[0].tolist()
        numbers = (batch.first[0].flatten() - 10).tolist()
        assert len({0, 1} & set(numbers)) < 2
        assert len({2, 3} & set(numbers)) < 2
        seen += numbers
    assert set(seen) <= set(range(6))
