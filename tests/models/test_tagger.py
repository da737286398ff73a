"""The CRF against brute force; characters and the pieces that speak for them; clues; what a tagger can learn."""

import itertools

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from shopkeeper.models.backbone import Backbone
from shopkeeper.models.tagging.characters import Pieces, Reader
from shopkeeper.models.tagging.clues import Lexicon, hashed, window
from shopkeeper.models.tagging.crf import Crf
from shopkeeper.models.tagging.spans import Mention, tag_names
from shopkeeper.models.tagging.tagger import Tagger, TorchMember
from shopkeeper.models.tagging.text_tagger import TextTagger

TAGS = tag_names(["brand", "model"])


def random_crf(seed, learnt=True):
    torch.manual_seed(seed)
    crf = Crf(TAGS, learnt=learnt)
    if learnt:
        for parameter in crf.parameters():
            torch.nn.init.normal_(parameter)
    return crf


def brute(crf, emissions):
    """All allowed sequences of one text with their scores."""
    found = {}
    for path in itertools.product(range(len(TAGS)), repeat=len(emissions)):
        names = ["O", *(TAGS[tag] for tag in path)]
        if any(b[0] == "I" and (a == "O" or a[2:] != b[2:]) for a, b in itertools.pairwise(names)):
            continue
        score = crf.start[path[0]] + crf.end[path[-1]] + sum(emissions[place, tag] for place, tag in enumerate(path))
        found[path] = float((score + sum(crf.moves[a, b] for a, b in itertools.pairwise(path))).detach())
    return found


@pytest.mark.parametrize("seed", range(4))
def test_partition_best_path_and_likelihood_agree_with_brute_force(seed):
    crf = random_crf(seed, learnt=seed > 0)
    emissions = torch.randn(2, 4, len(TAGS))
    seen = torch.tensor([[True] * 4, [True, True, True, False]])
    logs, paths = crf.log_partition(emissions, seen), crf.chain.best(emissions.numpy(), seen.numpy())
    for row, length in enumerate((4, 3)):
        every = brute(crf, emissions[row, :length])
        total = np.logaddexp.reduce(list(every.values()))
        assert float(logs[row].detach()) == pytest.approx(total, abs=1e-3)
        best = max(every, key=every.get)
        assert tuple(paths[row]) == best
        tags = torch.zeros(2, 4, dtype=torch.int64)
        tags[row, :length] = torch.tensor(best)
        assert float(crf.losses(emissions, tags, seen)[row].detach()) == pytest.approx(total - every[best], abs=1e-3)


def pieces_backbone():
    """Unigram pieces with words of several characters, marked at beginnings of words like e5's."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(word, -2.0) for word in ("红色", "连衣裙")] + [(word, -6.0) for word in "▁红色连衣裙a"]
    words = Tokenizer(models.Unigram(pieces, unk_id=3))
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    return Backbone("pieces", None, tokenizer, "mean", {}, 64)


def test_characters_are_their_own_pieces():
    reading = Reader(Pieces.of(pieces_backbone()), units="characters").read("红色连 z")
    names = ["<s>", "<pad>", "</s>", "<unk>", "红色", "连衣裙", *"▁红色连衣裙a"]
    assert [names[number] for number in reading.ids] == ["红", "色", "连", "▁", "<unk>"]
    assert list(reading.piece) == [0, 1, 2, 3, 4]


def test_or_lie_in_the_tokenizers_pieces():
    reading = Reader(Pieces.of(pieces_backbone()), units="pieces").read("红色连衣裙红")
    assert [list(reading.piece).count(place) for place in sorted(set(reading.piece))] == [2, 3, 1]


@pytest.mark.parametrize("units", ["characters", "pieces"])
def test_special_tokens_frame_the_text_and_long_texts_are_cut(units):
    backbone = tiny_bert()
    reading = Reader(Pieces.of(backbone), units=units, longest=8).read("红蓝鞋杯" * 3)
    specials = backbone.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]"])
    assert [reading.ids[0], reading.ids[-1]] == specials
    assert len(reading.ids) <= 8
    assert list(reading.piece)[:2] == [1, 2] if units == "characters" else reading.piece[0] == 1
    bare = Reader(Pieces.of(tiny_gpt()), units=units).read("红蓝")
    assert bare.piece[0] == 0


def test_the_lexicon_does_not_tell_a_training_text_what_only_that_text_taught():
    texts = ["小米手机", "小米音箱", "华为手机"]
    mentions = [[Mention(0, 2, "brand")], [Mention(0, 2, "brand")], [Mention(0, 2, "brand")]]
    lexicon = Lexicon.of(texts, mentions)
    assert lexicon.mentions == {"小米": {"brand": 2}, "华为": {"brand": 1}}
    assert lexicon.seen == {"小米": 2, "华为": 1}
    assert any("brand" in clue for clue in lexicon.clues("华为平板")[0])
    assert lexicon.clues(texts[2], mentions[2])[0] == set()
    assert any("brand" in clue for clue in lexicon.clues(texts[0], mentions[0])[1])
    assert lexicon.clues(texts[0])[2] == set()


def test_clues_have_one_row_a_character_and_hash_alike():
    for text in ("", "İstanbul 红色", "买iPhone15手机"):
        assert len(window(text)) == len(text)
        assert len(hashed(window(text), 1000)) == len(text)
    first, second = hashed(window("红色手机"), 2**18), hashed(window("红色手机"), 2**18)
    assert np.array_equal(first, second)
    assert first.min() >= 1


def test_padding_changes_nothing_and_empty_texts_have_no_mentions():
    torch.manual_seed(0)
    backbone = tiny_bert()
    reader = Reader(Pieces.of(backbone), windows=True, buckets=512)
    tagger = Tagger(backbone, TAGS, buckets=512).eval()
    torch.nn.init.normal_(tagger.clues.weight)
    torch.nn.init.normal_(tagger.linear.weight)
    alone = TextTagger([TorchMember(tagger, reader)])
    texts = ["红鞋", "红蓝鞋杯红蓝鞋杯", "", "red cup 红"]
    assert alone.tag(texts) == [alone.tag([text])[0] for text in texts]
    assert alone.tag(texts)[2] == []
    emissions = tagger(reader.batch([reader.read(text) for text in texts]))
    single = tagger(reader.batch([reader.read(texts[0])]))
    assert torch.allclose(emissions[0, :2], single[0], atol=1e-5)


def constant_tagger(tag, height):
    tagger = Tagger(None, TAGS, chain=False, buckets=8)
    torch.nn.init.zeros_(tagger.crf.start)
    tagger.clues.weight.data[1:, TAGS.index(tag)] = height
    return tagger.eval()


def test_in_a_blend_the_surer_member_wins_unless_it_counts_for_little():
    reader = Reader(None, windows=True, buckets=8)
    unsure, sure = constant_tagger("O", 0.1), constant_tagger("B-brand", 0.4)
    assert TextTagger([TorchMember(unsure, reader)]).tag(["红鞋"]) == [[]]
    both = TextTagger([TorchMember(unsure, reader, 0.5), TorchMember(sure, reader, 0.5)])
    assert both.tag(["红鞋"]) == [[Mention(0, 1, "brand"), Mention(1, 2, "brand")]]
    mostly = TextTagger([TorchMember(unsure, reader, 0.95), TorchMember(sure, reader, 0.05)])
    assert mostly.tag(["红鞋"]) == [[]]
