"""A tagger served by its graph says what PyTorch says: with and without CRF, lexicon, and a linear tagger beside it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from tinymodels import tiny_bert, tiny_gpt

from shopkeeper.errors import ModelError
from shopkeeper.models.bundle import Bundle
from shopkeeper.models.card import Card
from shopkeeper.models.tagging.bundle import read_tagger, save_tagger
from shopkeeper.models.tagging.characters import Pieces, Reader
from shopkeeper.models.tagging.clues import Lexicon
from shopkeeper.models.tagging.spans import Mention, tag_names
from shopkeeper.models.tagging.tagger import Tagger, TorchMember
from shopkeeper.models.tagging.text_tagger import TextTagger, scored

TAGS = tag_names(["brand", "product"])
TEXTS = ["红鞋蓝杯", "red cup", "红", " ", "", "红蓝" * 40, "x🙂红鞋"]
LEXICON = Lexicon.of(["红鞋", "蓝杯"], [[Mention(0, 2, "product")], [Mention(0, 2, "product")]])


def member(backbone, *, chain=True, lexicon=True, units="characters", weight=1.0):
    torch.manual_seed(1)
    pieces = Pieces.of(backbone) if backbone is not None else None
    known = LEXICON if lexicon else None
    reader = Reader(pieces, units=units, lexicon=known, windows=backbone is None, buckets=64, longest=32)
    tagger = Tagger(backbone, TAGS, chain=chain, buckets=64 if lexicon or backbone is None else 0)
    for own in (tagger.linear, tagger.clues):
        if own is not None:
            torch.nn.init.normal_(own.weight)
    if chain:
        for parameter in tagger.crf.parameters():
            torch.nn.init.normal_(parameter)
    return TorchMember(tagger.eval(), reader, weight)


@pytest.mark.parametrize(
    ("body", "chain", "lexicon", "units"),
    [
        (tiny_bert, True, True, "characters"),
        (tiny_bert, False, False, "pieces"),
        (tiny_gpt, True, False, "characters"),
    ],
)
def test_the_graph_agrees_with_pytorch_and_the_agreement_is_kept(tmp_path, body, chain, lexicon, units):
    tagger = TextTagger([member(body(), chain=chain, lexicon=lexicon, units=units)])
    bundle = save_tagger(tmp_path / "out", Card(task="tagger"), tagger, samples=TEXTS)
    about = json.loads((bundle.folder / "tagger" / "graph.json").read_text())
    assert about["agreement"]["mean"] >= 0.98
    assert about["precision"] in ("int8", "float32")
    served, right = read_tagger(bundle), read_tagger(bundle, prefer="torch")
    assert (type(served.members[0]).__name__, type(right.members[0])) == ("OnnxMember", TorchMember)
    assert right.tag(TEXTS) == tagger.tag(TEXTS)
    close = [np.abs(a.emissions[0] - b.emissions[0])[a.seen].max() for a, b in both(served, right)]
    assert max(close) < (1.0 if about["precision"] == "int8" else 1e-4)  # seven bits on processors that overflow
    assert served.tag(TEXTS) == [served.tag([text])[0] for text in TEXTS]
    assert read_tagger(bundle, threads=3).tag(TEXTS) == served.tag(TEXTS)
    assert served.tag(TEXTS)[4] == []


def both(one, other):
    return zip(scored(one.members, TEXTS), scored(other.members, TEXTS), strict=True)


def test_a_blend_and_a_linear_tagger_alone_are_served_with_their_weights(tmp_path):
    linear = member(None, weight=0.3)
    alone = save_tagger(tmp_path / "alone", Card(task="tagger"), TextTagger([linear]))
    assert not (alone.folder / "tagger").exists()
    assert read_tagger(alone).tag(TEXTS) == TextTagger([linear]).tag(TEXTS)
    blend = save_tagger(tmp_path / "blend", Card(task="tagger"), TextTagger([linear, member(tiny_bert(), weight=0.7)]))
    served = read_tagger(blend)
    assert [(own.name, own.weight) for own in served.members] == [("linear", 0.3), ("backbone", 0.7)]
    for own, right in zip(served.members, read_tagger(blend, prefer="torch").members, strict=True):
        assert np.array_equal(own.chain.moves, right.chain.moves)


def test_without_a_graph_pytorch_serves_and_nothing_is_left_half_saved(tmp_path):
    tagger = TextTagger([member(tiny_bert())])
    bundle = save_tagger(tmp_path / "out", Card(task="tagger"), tagger, onnx=False)
    assert isinstance(read_tagger(bundle).members[0], TorchMember)
    with pytest.raises(ModelError, match="exists already"):
        save_tagger(tmp_path / "out", Card(task="tagger"), tagger)
    with pytest.raises(ModelError, match="one backbone"):
        save_tagger(tmp_path / "two", Card(task="tagger"), TextTagger([member(tiny_bert()), member(tiny_bert())]))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_serving_needs_no_torch(tmp_path):
    tagger = TextTagger([member(None, weight=0.5), member(tiny_bert(), weight=0.5)])
    bundle = save_tagger(tmp_path / "out", Card(task="tagger"), tagger)
    program = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from pathlib import Path\n"
        "from shopkeeper.models.bundle import Bundle\n"
        "from shopkeeper.models.tagging.bundle import read_tagger\n"
        f"print([list(map(tuple, own)) for own in read_tagger(Bundle.open(Path({str(bundle.folder)!r}))).tag({TEXTS!r})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = read_tagger(Bundle.open(bundle.folder)).tag(TEXTS)
    assert done.stdout.strip() == repr([list(map(tuple, own)) for own in wanted])
