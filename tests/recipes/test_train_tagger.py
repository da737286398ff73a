"""A toy shop of titles with a grammar: brand, colour, product; brands are told by what follows, products by the lexicon."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from shopkeeper.errors import ModelError, TrainingError
from shopkeeper.models.backbone import Backbone
from shopkeeper.models.bundle import Bundle, save_bundle
from shopkeeper.models.card import Card
from shopkeeper.models.tagging.bundle import read_tagger
from shopkeeper.models.tagging.spans import Mention
from shopkeeper.recipes.texts.tagger import TaggerOptions, train_tagger
from shopkeeper.recipes.texts.tagger_baseline import LinearOptions, counts
from shopkeeper.settings import Settings
from shopkeeper.training.adversarial import FGM
from shopkeeper.training.tagging import Marked

LETTERS = "绿野灶台小米华为大成天地人和"
PRODUCTS = ("手机", "花盆", "煎锅", "水壶")
COLOURS = ("红色", "蓝色")
SMALL = LinearOptions(buckets=2**14, rate=0.2)


def titles(count, seed):
    rng = np.random.default_rng(seed)
    texts, mentions = [], []
    for _ in range(count):
        brand = "".join(rng.choice(list(LETTERS), 2))
        colour, product = COLOURS[rng.integers(2)], PRODUCTS[rng.integers(4)]
        front = "新款" if rng.random() < 0.5 else ""
        texts.append(f"{front}{brand}{colour}{product}")
        at = len(front)
        mentions.append([Mention(at, at + 2, "brand"), Mention(at + 4, at + 6, "product")])
    return Marked(texts, mentions)


def tiny_backbone():
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = dict.fromkeys([*LETTERS, *"".join(PRODUCTS), *"".join(COLOURS), *"新款"])
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate([*specials, *letters])}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    return Backbone("tiny", BertModel(config, add_pooling_layer=False).eval(), tokenizer, "mean", {}, 32)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    settings = Settings.model_validate({"home": str(folder), "train": {"epochs": 8}, "compute": {"threads": 1}})
    options = TaggerOptions(rate=3e-3, head_rate=2.0, rehearsal=0.1, linear=LinearOptions(buckets=16))
    hooks = [FGM()]
    return train_tagger(
        titles(120, 0), titles(30, 1), settings, folder / "out", base=tiny_backbone(), options=options, hooks=hooks
    )


def test_new_titles_are_tagged_right_and_the_card_says_how_well(taught):
    fresh = titles(60, 2)
    found = counts(read_tagger(taught), fresh)
    assert found[:, 0].sum() / (found[:, 0] + found[:, 2]).sum() > 0.95
    after = taught.card.after
    best = after["development"]["span_f1"]["value"]
    assert len(read_tagger(taught).members) == 2, taught.card.notes
    assert best >= max(after[f"{name} alone"]["span_f1"]["value"] for name in ("linear", "backbone"))
    assert taught.card.capabilities == ("tagger",)
    assert taught.card.base == "tiny"


def test_what_is_read_back_says_the_same_and_survives_odd_texts(taught):
    first, second = read_tagger(taught), read_tagger(Bundle.open(taught.folder))
    texts = ["绿野红色手机", "", " ", "x" * 500, "新款大成蓝色煎锅🙂"]
    assert first.tag(texts) == second.tag(texts)
    assert first.tag(texts)[0] == [Mention(0, 2, "brand"), Mention(4, 6, "product")]
    assert first.tag(texts)[1] == []
    assert first.tag([]) == []


def test_a_linear_tagger_alone_needs_no_backbone(tmp_path):
    settings = Settings.model_validate({"home": str(tmp_path), "compute": {"threads": 1}})
    bundle = train_tagger(
        titles(100, 0), titles(30, 1), settings, tmp_path / "out", options=TaggerOptions(body=False, linear=SMALL)
    )
    assert bundle.card.after["development"]["span_f1"]["value"] > 0.9
    assert not (bundle.folder / "backbone").exists()
    assert read_tagger(bundle).tag(["华为红色水壶"]) == [[Mention(0, 2, "brand"), Mention(4, 6, "product")]]


def test_without_marks_or_without_new_titles_the_error_says_so(tmp_path):
    settings = Settings.model_validate({"home": str(tmp_path), "compute": {"threads": 1}})
    some = titles(10, 0)
    with pytest.raises(TrainingError, match="No title of the training set"):
        train_tagger(Marked(["红色"], [[]]), some, settings, tmp_path / "a", options=TaggerOptions(body=False))
    with pytest.raises(TrainingError, match="different ones"):
        train_tagger(some, some, settings, tmp_path / "b", options=TaggerOptions(body=False))
    other = save_bundle(tmp_path / "other", Card(task="search"), parameters={"words": 1})
    with pytest.raises(ModelError, match="no tagger"):
        read_tagger(other)
