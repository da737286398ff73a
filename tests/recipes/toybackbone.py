"""A tiny random BERT whose vocabulary is the toy shop's, built in code."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from toyshop import toy_items
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from shopkeeper.models.backbone import Backbone

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
MORE = ["garden tools flower pot frying pan knife 花园 厨房", "searched viewed bought basket wrote ; returned"]


def toy_backbone(seed: int = 0, layers: int = 1) -> Backbone:
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [item.text for item in toy_items()] + MORE
    words.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=SPECIALS))
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False).eval()
    return Backbone("toy", model, tokenizer, "mean", {}, 128)
