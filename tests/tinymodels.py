"""Tiny random models built in code: BERT-like and GPT-like, with word-level tokenizers. No network, no files."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

from shopkeeper.models.backbones import Backbone

WORDS = [
    "red",
    "blue",
    "shoe",
    "shirt",
    "cup",
    "warm",
    "cold",
    "红",
    "蓝",
    "鞋",
    "杯",
    "a",
    "b",
    "c",
    "d",
    "e",
    "x",
    "y",
    "z",
    "query",
    "passage",
    ":",
]


def tiny_bert(seed: int = 0) -> Backbone:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = _words(specials)
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    return Backbone("tiny-bert", model, tokenizer, "mean", {"query": "query : ", "passage": "passage : "}, 48)


def tiny_gpt(seed: int = 0) -> Backbone:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_words(["<end>", "<unk>"]), eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    )
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=64,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=0,
    )
    return Backbone("tiny-gpt", GPT2Model(config).eval(), tokenizer, "last", {}, 48)


def _words(specials: list[str]) -> Tokenizer:
    vocabulary = {word: at for at, word in enumerate([*specials, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=specials[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer
